/* SPDX-License-Identifier: MIT */
/* wal_read.h - one segment of a log, read record by record; between wal_read.c and wal_recover.c */
#ifndef STORE_WAL_READ_H
#define STORE_WAL_READ_H

#include "store/proto.h"
#include "store/wal.h"

/**
 * struct wal_scan - a window over a segment that slides forward
 * @begun:	it has a header; else it was prepared only, or its first write did not end
 * @seals:	all segments before it were on disk before it was written to
 * @first:	number of its first record
 * @at:		place of the record to be read next
 * @seq:	of the last record read
 * @durable:	what that one vouches for
 * @torn:	bytes of a torn write behind it
 */
struct wal_scan {
	int fd;
	const char *name;
	uint64_t size;
	bool begun;
	bool seals;
	uint32_t kind;
	uint64_t first;
	uint64_t at;
	uint64_t seq;
	uint64_t durable;
	uint64_t torn;
	size_t chunk; /* read at once */
	struct buf window;
	uint64_t window_at;
};

/* wal_scan_open() - read the header. Return: 0 or negative errno; wal_scan_close() is due anyway.
 */
int wal_scan_open(struct wal_scan *s, int fd, const char *name, struct err *err);
void wal_scan_close(struct wal_scan *s);

/* wal_scan_next() - one record. Return: 1, 0 at the end of the sound part, or negative errno. */
int wal_scan_next(struct wal_scan *s, struct proto_bytes *ret, struct err *err);

/* wal_scan_step() - go past it. */
void wal_scan_step(struct wal_scan *s, const struct proto_bytes *payload);

/* wal_scan_vouches() - whether it proves that all segments before were on disk. */
int wal_scan_vouches(struct wal_scan *s);

#endif
