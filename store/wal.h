/* SPDX-License-Identifier: MIT */
/*
 * wal.h - a replica's log on disk: append-only, checksummed, group commit, in segments
 *
 * The log is the files replica.log, replica.log.1, replica.log.2 ... of the replica's folder. Each
 * is a header of WAL_HEADER bytes (u8[8] magic, u32 version, u32 kind, u64 number of its first
 * record, u32 WAL_SEALS or 0, u32 CRC-32C of those) and records, all little-endian:
 *
 *	u32 length   u64 sequence number   u64 durable end   u32 CRC-32C of the payload
 *	u32 CRC-32C of the 24 bytes before   payload   u8 WAL_RECORD_END
 *
 * Sequence numbers are 1, 2, 3 ... without a gap, from file to file. The durable end is the offset
 * up to which the file was on disk when the record was written, and from WAL_HEADER on says that
 * all files before were: nothing before it may be missing or wrong where the record stands.
 * WAL_SEALS says the same of the files before. Behind the last record there are zeros to the end
 * of the file: space that was prepared for the next ones. A file of zeros is one that was prepared.
 *
 * Files whose records a snapshot has made superfluous are removed, so a log may begin with any
 * number.
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
#include "store/block.h"

#define WAL_MAGIC "PACELLOG"
#define WAL_VERSION 4
#define WAL_HEADER 32u
/* Of versions 2 and 3: one file, and less in its header. They are known, but not read. */
#define WAL_HEADER_OLD 20u
#define WAL_SEALS 1u
#define WAL_RECORD_HEADER 28u
#define WAL_RECORD_CHECKED 24u /* of a record's header, by its own checksum */
#define WAL_RECORD_END 0xe5u   /* not zero: a record that lacks its last bytes is seen to */
/* Header and end of a record. */
#define WAL_RECORD_FRAME (WAL_RECORD_HEADER + 1u)
/* The first file's name; the others have a dot and their number behind it. */
#define WAL_FILE "replica.log"
#define WAL_NAME_MAX 64
/* More than this waiting for the disk: take no new requests. */
#define WAL_QUEUE_MAX (16u << 20)
/* A segment is prepared with zeros twice as long as the one in use, within these. */
#define WAL_SEGMENT_MIN (64u << 10)
#define WAL_SEGMENT_MAX (16u << 20)
/* A write into the page cache that took longer: the next ones are left to the kernel's threads. */
#define WAL_DIRECT_NS_MAX (2 * NS_PER_MS)
#define WAL_INDIRECT_NS (100 * NS_PER_MS)
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

/* wal_name() - of segment @number. wal_number() - the other way. Return: -1: not of a segment. */
void wal_name(unsigned number, char ret[WAL_NAME_MAX]);
int wal_number(const char *name);

/* A segment that is not written to any more. */
struct wal_segment {
	unsigned number;
	uint64_t last; /* record in it */
	uint64_t bytes;
};

struct wal_segments {
	struct wal_segment *p; /* owned, oldest first */
	unsigned count;
};

/**
 * struct wal_report - what recovery found
 * @records:	number of the last one; the next record gets the one after it
 * @restored:	handed to restore
 * @older:	segments before the last
 * @segment:	the last one's number
 * @end:	offset in it after the last record
 * @size:	of it; from @end on it holds zeros
 * @torn_bytes:	of a write that did not end, cut off at @end; 0 if the log ended cleanly
 * @new_bytes:	of the records that were restored
 */
struct wal_report {
	uint64_t records;
	uint64_t restored;
	struct wal_segments older;
	unsigned segment;
	uint64_t end;
	uint64_t size;
	uint64_t torn_bytes;
	uint64_t new_bytes;
};

void wal_report_fini(struct wal_report *report);

/**
 * struct wal_source - a log to recover
 * @dir:	its folder
 * @name:	of the folder, for messages
 * @kind:	who may read it; a log of another kind is refused
 * @after:	records up to this one are in a snapshot: neither needed nor restored
 * @reach:	the log must have this one, 0: any end will do
 * @restore:	one record, in order. Return: 0, or -EBADMSG if it is not one of its own
 */
struct wal_source {
	int dir;
	const char *name;
	uint32_t kind;
	uint64_t after;
	uint64_t reach;
	int (*restore)(void *arg, const void *bytes, size_t len);
	void *arg;
};

/**
 * wal_recover() - check and restore each record, then cut a torn write and remove what is left over
 *
 * Where there are no files a log without records is made.
 *
 * Return: 0; -EBADMSG: damaged, @err names file, offset, what was found and expected, no file was
 * changed, what was restored is to be thrown away; another negative errno of the disk.
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

/**
 * struct wal_file - one segment, opened by whom it is to be shown to
 * @each:	shown each record
 */
struct wal_file {
	int fd;
	const char *name;
	void (*each)(void *arg, const struct wal_record *record);
	void *arg;
};

/* wal_whose() - which log @file is of. Return: 0 and its kind; -EBADMSG: none, or a bad header. */
int wal_whose(const struct wal_file *file, uint32_t *ret_kind, struct err *err);

/**
 * wal_walk() - show each record up to the end or to damage; the file is not changed
 *
 * Return: 0; -EBADMSG: damaged at a place that @err names, @ret says how far all is well; another
 * negative errno.
 */
int wal_walk(const struct wal_file *file, struct wal_report *ret, struct err *err);

/**
 * struct wal_config - where records go and who is told
 * @dir:	the log's folder; stays open
 * @name:	of the folder, for messages
 * @from:	what recovery found; is copied
 * @segment_max: no segment is prepared larger, within WAL_SEGMENT_MIN and _MAX; 0: the latter
 * @durable:	all records up to @seq are on disk; without WAL_SYNC_ALWAYS: in the kernel. Called
 *		from completions and from wal_flush()
 * @failed:	@what ("write", "fdatasync", ...) failed with @error; nothing is written any more
 * @full:	there is no room for the log (@error says why), or there is again (0). What was
 *		appended waits, and nothing of it is durable
 */
struct wal_config {
	struct loop *loop;
	int dir;
	const char *name;
	uint32_t kind;
	const struct wal_report *from;
	enum wal_sync when;
	uint64_t segment_max;
	void (*durable)(void *arg, uint64_t seq);
	void (*failed)(void *arg, const char *what, int error);
	void (*full)(void *arg, int error);
	void *arg;
};

enum wal_spare_step {
	WAL_SPARE_NONE,
	WAL_SPARE_OPEN,
	WAL_SPARE_ZERO,
	WAL_SPARE_SYNC, /* its zeros, then its name */
	WAL_SPARE_NAME,
	WAL_SPARE_READY,
};

/* The next segment, while it is prepared. */
struct wal_spare {
	struct loop_op op;
	enum wal_spare_step step;
	bool buffered; /* the file system has no O_DIRECT */
	int fd;
	uint64_t size;
	uint64_t target;
	uint64_t not_before_ns;
	char name[WAL_NAME_MAX];
};

/* Embedded; its fields are wal.c's own. */
struct wal {
	struct wal_config config;
	struct block_buf fill;   /* records of this turn and of those since the batch left */
	struct block_buf flight; /* the batch under way */
	size_t flight_done;
	uint64_t seq;        /* last one given out */
	uint64_t flight_seq; /* last one in flight */
	uint64_t done_seq;   /* last one of the batches that are over */
	int fd;
	unsigned segment;  /* number of the file */
	uint64_t offset;   /* of flight's first record */
	uint64_t size;     /* of the file */
	uint64_t appended; /* bytes of records since the start, and of those restored before */
	uint64_t older_bytes;
	struct wal_segments older;
	struct wal_spare spare;
	/* Not WAL_SYNC_ALWAYS, which knows without: */
	uint64_t synced;     /* the file is on disk up to here */
	uint64_t synced_seq; /* and all records up to this one */
	uint64_t sync_end;   /* where the fdatasync of an interval reaches */
	uint64_t sync_seq;
	uint64_t wanted_seq;   /* somebody waits for this one */
	int behind_fd;         /* the segment before, while it is synced */
	struct loop_op behind; /* with WAL_SYNC_ALWAYS: a segment that was cut, before it is left */
	struct loop_op write;
	struct loop_op sync;
	uint64_t indirect_until_ns;
	struct loop_timer interval;
	struct loop_timer retry;
	struct loop_timer again;
	struct loop_op unlink;
	char unlink_name[WAL_NAME_MAX];
	uint64_t forget; /* records up to this one are superfluous */
	int write_result;
	int sync_result;
	bool failed;
	bool full;
	bool cut; /* the segment was truncated, and that may not be on disk */
};

/* wal_init() - open the last segment. Return: 0 or negative errno; wal_fini() is due anyway. */
int wal_init(struct wal *w, const struct wal_config *config, struct err *err);

/* wal_fini() - free and close; nothing may be under way in a loop that still turns. A batch that a
 * closed loop could not wait for keeps its memory: the disk may read it yet. */
void wal_fini(struct wal *w);

/* wal_append() - put a record into the next batch. Return: its sequence number. */
uint64_t wal_append(struct wal *w, const void *bytes, size_t len);

/*
 * wal_flush() - once per turn: send the batch if none is under way, prepare space
 *
 * Without WAL_SYNC_ALWAYS durable() may be called from here; what it appends leaves in the next
 * turn, which comes at once.
 */
void wal_flush(struct wal *w);

/* wal_bytes() - size of the log with all that was appended, without prepared space. */
uint64_t wal_bytes(const struct wal *w);

/* wal_waiting() - bytes that were appended and have not left. */
size_t wal_waiting(const struct wal *w);

/* wal_busy() - whether more than WAL_QUEUE_MAX waits for the disk. */
bool wal_busy(const struct wal *w);

/* wal_full() - whether the disk has no room: what is appended now may wait for long. */
bool wal_full(const struct wal *w);

/* wal_on_disk() - whether record @seq and all before are; if not, the disk is asked for it. */
bool wal_on_disk(struct wal *w, uint64_t seq);

/* wal_forget() - records up to @seq are in a snapshot: remove segments that have only such. */
void wal_forget(struct wal *w, uint64_t seq);

/* wal_segment_header() - for segment files. */
void wal_segment_header(uint32_t kind, uint64_t first, uint32_t flags, uint8_t ret[WAL_HEADER]);

#endif
