/* SPDX-License-Identifier: MIT */
/* format.h - the header of a binary history; the records are in history.h */
#ifndef HISTORY_FORMAT_H
#define HISTORY_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/crc32c.h"
#include "agent/history/history.h"

#define FORMAT_MAGIC "pacelabH" /* eight bytes, without the NUL */
#define FORMAT_VERSION 2        /* 1 had registers only, and no MORE records */
#define FORMAT_VERSION_MIN 1    /* that is still read */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are mapped as they stand");

/*
 * While the file is written, slots and uncommitted are FORMAT_UNSEALED and the file is longer than
 * what was written. history_close() sets both and cuts the file, so that afterwards nothing can
 * be missing unnoticed.
 */
#define FORMAT_UNSEALED UINT64_MAX

#define FORMAT_F_REPEATS 1 /* values written may repeat: converted from another format */

struct format_header {
	char magic[8];
	uint32_t version;
	uint32_t record_size;
	uint64_t slots;       /* that were claimed */
	uint64_t uncommitted; /* of these, by writers that were killed */
	uint64_t wall_ns;     /* CLOCK_REALTIME and ... */
	uint64_t mono_ns;     /* ... CLOCK_MONOTONIC when the file was created */
	uint8_t flags;        /* FORMAT_F_... */
	uint8_t zero[11];
	uint32_t crc; /* CRC-32C of all before */
};
_Static_assert(sizeof(struct format_header) == 64, "records stay aligned to cache lines");

#define FORMAT_MORE_WORDS 6

/*
 * A MORE record. The words of all MORE records of one operation, in the order of their parts, are
 *
 *	READ completion with HISTORY_F_MANY	the elements: as many as its value says
 *	TRANSACTION, INVOKE			kind, key and value of each step (value 0 for a
 *						read): three times as many as its value says
 *	TRANSACTION, OK				for each step that reads, the number of elements
 *						and then these: as many as its value says
 *
 * They are committed by one writer, one after another, before the record that they belong to; the
 * records of others may stand between them. Without that record they belong to nothing: their
 * writer was killed.
 */
struct format_more {
	uint32_t crc;
	uint8_t type; /* HISTORY_MORE */
	uint8_t of;   /* HISTORY_INVOKE or HISTORY_OK: the type of the record that they belong to */
	uint8_t count; /* of words, 1 .. FORMAT_MORE_WORDS; only the last part has fewer than that
			*/
	uint8_t zero;
	uint32_t op;
	uint32_t part; /* from 0 */
	uint64_t word[FORMAT_MORE_WORDS];
};
_Static_assert(
	sizeof(struct format_more) == sizeof(struct history_record), "a MORE record is a record");
_Static_assert(offsetof(struct format_more, type) == offsetof(struct history_record, type) &&
		       offsetof(struct format_more, op) == offsetof(struct history_record, op),
	"what is looked at in every record is at one place");

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
