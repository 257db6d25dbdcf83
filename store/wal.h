/* SPDX-License-Identifier: MIT */
/*
 * wal.h - a replica's log on disk: append-only, checksummed, group commit
 *
 * The file is a header of WAL_HEADER bytes (u8[8] magic, u32 version, u32 kind, u32 CRC-32C of
 * those) and records, all little-endian:
 *
 *	u32 length   u64 sequence number   u64 durable end   u32 CRC-32C of the payload
 *	u32 CRC-32C of the 24 bytes before   payload   u8 WAL_RECORD_END
 *
 * Sequence numbers are 1, 2, 3 ... without a gap. The durable end is the offset up to which the
 * log was on disk when the record was written: nothing before it may be missing or wrong where the
 * record stands. Behind the last record there are zeros to the end of the file: space that was
 * prepared for the next ones.
 *
 * What recovery makes of a log that is not whole: a write that did not end is cut, for nothing of
 * it was acknowledged; all else is refused. What can be told apart and what cannot is in
 * wal_read.c.
 */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/base/loop.h"

#define WAL_MAGIC "PACELLOG"
#define WAL_VERSION 3
#define WAL_HEADER 20u
#define WAL_RECORD_HEADER 28u
#define WAL_RECORD_CHECKED 24u /* of a record's header, by its own checksum */
#define WAL_RECORD_END 0xe5u   /* not zero: a record that lacks its last bytes is seen to */
/* Header and end of a record. */
#define WAL_RECORD_FRAME (WAL_RECORD_HEADER + 1u)
/* More than this waiting for the disk: take no new requests. */
#define WAL_QUEUE_MAX (16u << 20)
/* The file is prepared with zeros by so much at a time, as much as it has, within these. */
#define WAL_CHUNK_MIN (64u << 10)
#define WAL_CHUNK_MAX (1u << 20)
/* How soon the disk is asked again when it had no room. */
#define WAL_RETRY_NS (100 * NS_PER_MS)
/* WAL_SYNC_INTERVAL: so long after the first write; it may take as long again to be done. */
#define WAL_INTERVAL_NS (NS_PER_S / 2)

/* When a record is on disk: before it counts as durable; within a second; when the kernel likes. */
enum wal_sync { WAL_SYNC_ALWAYS, WAL_SYNC_INTERVAL, WAL_SYNC_NONE, WAL_SYNC_NR };
extern const char *const wal_sync_names[WAL_SYNC_NR]; /* "always" "interval" "none" */

/* wal_sync_find() - by name. Return: 0, or -EINVAL. */
int wal_sync_find(const char *name, enum wal_sync *ret);

/* wal_kind() - whose log it is: that of replica @id of protocol @proto. */
uint32_t wal_kind(const char *proto, unsigned id);

/**
 * struct wal_report - what recovery found
 * @records:	handed to restore; the next record gets number @records + 1
 * @end:	offset after the last one
 * @size:	of the file; from @end on it holds zeros
 * @torn_bytes:	of a write that did not end, cut off at @end; 0 if the log ended cleanly
 */
struct wal_report {
	uint64_t records;
	uint64_t end;
	uint64_t size;
	uint64_t torn_bytes;
};

/**
 * struct wal_source - a log to recover
 * @name:	of the file, for messages
 * @kind:	who may read it; a log of another kind is refused
 * @restore:	one record, in order. Return: 0, or -EBADMSG if it is not one of its own
 */
struct wal_source {
	int fd;
	const char *name;
	uint32_t kind;
	int (*restore)(void *arg, const void *bytes, size_t len);
	void *arg;
};

/**
 * wal_recover() - check the whole file, cut a torn write, then restore each record
 *
 * An empty file becomes a log without records.
 *
 * Return: 0; -EBADMSG: damaged, @err names file, offset, what was found and expected, nothing was
 * changed; another negative errno of the disk.
 */
int wal_recover(const struct wal_source *source, struct wal_report *ret, struct err *err);

/**
 * struct wal_record - one record, as wal_walk() shows it
 * @offset:	of its header in the file
 * @whole:	bytes that it takes there
 */
struct wal_record {
	uint64_t seq;
	uint64_t offset;
	uint64_t whole;
	const void *bytes;
	uint32_t len;
};

/* wal_whose() - which log @fd is. Return: 0 and its kind; -EBADMSG: none, or its header is bad. */
int wal_whose(int fd, const char *name, uint32_t *ret_kind, struct err *err);

/**
 * wal_walk() - show each record up to the end or to damage; the file is not changed
 * @source:	its restore is not called
 *
 * Return: 0; -EBADMSG: damaged at a place that @err names, @ret says how far all is well; another
 * negative errno.
 */
int wal_walk(const struct wal_source *source,
	void (*each)(void *arg, const struct wal_record *record), struct wal_report *ret,
	struct err *err);

/**
 * struct wal_config - where records go and who is told
 * @offset:	of the next record: wal_report.end; @size and @last_seq are its size and records
 * @durable:	all records up to @seq are on disk; without WAL_SYNC_ALWAYS: in the kernel
 * @failed:	@what ("write", "fdatasync") failed with @error; nothing is written any more
 * @full:	there is no room for the log (@error says why), or there is again (0). What was
 *		appended waits, and nothing of it is durable
 */
struct wal_config {
	struct loop *loop;
	int fd;
	uint64_t offset;
	uint64_t size;
	uint64_t last_seq;
	enum wal_sync when;
	void (*durable)(void *arg, uint64_t seq);
	void (*failed)(void *arg, const char *what, int error);
	void (*full)(void *arg, int error);
	void *arg;
};

/* Embedded; its fields are wal.c's own. */
struct wal {
	struct wal_config config;
	struct buf fill;   /* records of this turn and of those since the batch left */
	struct buf flight; /* the batch under way */
	size_t flight_done;
	uint64_t seq;        /* last one given out */
	uint64_t flight_seq; /* last one in flight */
	uint64_t offset;     /* of flight's first byte */
	uint64_t size;       /* of the file, without zeros under way */
	uint64_t synced;     /* on disk up to here; not WAL_SYNC_ALWAYS, which knows by offset */
	uint64_t sync_end;   /* where the fdatasync of an interval reaches */
	uint64_t zero_at;    /* where the last zeros began */
	uint64_t prepare_ns; /* no space is prepared before this */
	struct loop_op write;
	struct loop_op sync;
	struct loop_op zero; /* prepares space */
	struct loop_timer interval;
	struct loop_timer retry;
	int write_result;
	int sync_result;
	bool failed;
	bool full;
};

void wal_init(struct wal *w, const struct wal_config *config);

/* wal_fini() - free; nothing may be under way in a loop that still turns. */
void wal_fini(struct wal *w);

/* wal_append() - put a record into the next batch. Return: its sequence number. */
uint64_t wal_append(struct wal *w, const void *bytes, size_t len);

/* wal_flush() - once per turn: send the batch if none is under way, prepare space. */
void wal_flush(struct wal *w);

/* wal_bytes() - size of the log with all that was appended, without prepared space. */
uint64_t wal_bytes(const struct wal *w);

/* wal_busy() - whether more than WAL_QUEUE_MAX waits for the disk. */
bool wal_busy(const struct wal *w);

/* wal_full() - whether the disk has no room: what is appended now may wait for long. */
bool wal_full(const struct wal *w);

#endif
