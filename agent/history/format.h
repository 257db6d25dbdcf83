/* SPDX-License-Identifier: MIT */
/* format.h - the header of a binary history; the records are in history.h */
#ifndef HISTORY_FORMAT_H
#define HISTORY_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/crc32c.h"
#include "agent/history/history.h"

#define FORMAT_MAGIC "pacelabH" /* eight bytes, without the NUL */
#define FORMAT_VERSION 1

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are mapped as they stand");

/*
 * While the file is written, slots and uncommitted are FORMAT_UNSEALED and the file is longer than
 * what was written. history_close() sets both and cuts the file, so that afterwards nothing can
 * be missing unnoticed.
 */
#define FORMAT_UNSEALED UINT64_MAX

struct format_header {
	char magic[8];
	uint32_t version;
	uint32_t record_size;
	uint64_t slots;       /* that were claimed */
	uint64_t uncommitted; /* of these, by writers that were killed */
	uint64_t wall_ns;     /* CLOCK_REALTIME and ... */
	uint64_t mono_ns;     /* ... CLOCK_MONOTONIC when the file was created */
	uint8_t zero[12];
	uint32_t crc; /* CRC-32C of all before */
};
_Static_assert(sizeof(struct format_header) == 64, "records stay aligned to cache lines");

static inline uint32_t format_header_crc(const struct format_header *header)
{
	return crc32c(0, header, offsetof(struct format_header, crc));
}

/* The checksum of a record whose type is as committed. */
static inline uint32_t format_record_crc(const struct history_record *record)
{
	return crc32c(
		0, (const char *)record + sizeof record->crc, sizeof *record - sizeof record->crc);
}

static inline uint64_t format_offset(uint64_t slot)
{
	return sizeof(struct format_header) + slot * sizeof(struct history_record);
}

#endif
