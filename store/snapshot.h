/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - a replica's snapshot on disk: what takes the place of the log's first records
 *
 * The file replica.snapshot.S stands for the log's records 1 .. S. It is a header (u8[8] magic, u32
 * version, u32 kind as in wal.h, u64 S, u32 0, u32 CRC-32C of those), records as those of a log
 * (wal.h) numbered from 1 with a durable end of 0, and the end: a record with the number 0 and the
 * payload u64 records, u64 number of the log's record that must be there, too, u32 CRC-32C of the
 * headers of all records. Zeros follow, for the file is written in whole blocks.
 *
 * It is written as replica.snapshot.tmp and gets its name when it is on disk and so is all of the
 * log that was numbered before its last part. Only then are older files removed. So whatever has
 * the name is whole: if the newest one is not, a disk has damaged it, and recovery refuses. An
 * older one is never used in its place: its log may be gone in part, and nobody should be told an
 * older state without asking for it.
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "store/block.h"
#include "store/proto.h"
#include "store/wal.h"

#define SNAPSHOT_FILE "replica.snapshot"
#define SNAPSHOT_TEMPORARY SNAPSHOT_FILE ".tmp"
#define SNAPSHOT_MAGIC "PACELSNP"
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_HEADER WAL_HEADER
#define SNAPSHOT_NAME_MAX 64
/* A log that is shorter is not worth one. */
#define SNAPSHOT_LOG_MIN (64ull << 20)
/* Nor one that is shorter than so many times the last snapshot: what is written twice is bounded.
 */
#define SNAPSHOT_LOG_FACTOR 2
/* With more than this waiting for the disk no part is taken, unless none was for so long. */
#define SNAPSHOT_WAITING_MAX (256u << 10)
#define SNAPSHOT_PART_NS_MAX (20 * NS_PER_MS)
/* A part that was empty is asked for again after this, and a snapshot for which there was no room
 * after the second. */
#define SNAPSHOT_POLL_NS (2 * NS_PER_MS)
#define SNAPSHOT_RETRY_NS (5 * NS_PER_S)

/**
 * struct snapshot_report - what recovery found
 * @after:	S; 0: there was none
 * @last:	record that the log must have
 * @bytes:	of the file
 * @wall_ns:	when it was written
 */
struct snapshot_report {
	uint64_t after;
	uint64_t last;
	uint64_t records;
	uint64_t bytes;
	uint64_t wall_ns;
};

/**
 * snapshot_recover() - restore the newest snapshot
 * @source:	->after is not looked at
 *
 * Return: 0; -EBADMSG: damaged, @err names file and offset; another negative errno.
 */
int snapshot_recover(const struct wal_source *source, struct snapshot_report *ret, struct err *err);

/* snapshot_clean() - remove all but the newest, when the log has been recovered, too. */
int snapshot_clean(const struct wal_source *source, uint64_t after, struct err *err);

/* snapshot_is() - whether @file begins as a snapshot. snapshot_walk() - as wal_walk(). */
bool snapshot_is(const struct wal_file *file, uint32_t *ret_kind);
int snapshot_walk(const struct wal_file *file, struct snapshot_report *ret, struct err *err);

/* snapshot_name() - of the one after record @after. snapshot_after() - 0: not a snapshot's name. */
void snapshot_name(uint64_t after, char ret[SNAPSHOT_NAME_MAX]);
uint64_t snapshot_after(const char *name);

/**
 * struct snapshot_config - whose snapshots, and who is told
 * @log_min:	no snapshot before the log has grown by so much; 0: never
 * @part:	take the next part of the protocol. Return: whether there is more
 * @counted:	the snapshot counts
 * @failed:	@what failed with @error, and the disk cannot be trusted any more
 * @given_up:	no room, @error; it is tried again later
 */
struct snapshot_config {
	struct loop *loop;
	struct wal *wal;
	int dir;
	uint32_t kind;
	uint64_t log_min;
	bool (*part)(void *arg, struct proto_snapshot *s);
	void (*counted)(void *arg, const struct proto_snapshot *s);
	void (*failed)(void *arg, const char *what, int error);
	void (*given_up)(void *arg, int error);
	void *arg;
};

enum snapshot_step {
	SNAPSHOT_IDLE,
	SNAPSHOT_OPEN,
	SNAPSHOT_PARTS,
	SNAPSHOT_SYNC,
	SNAPSHOT_LOG, /* waits until the log has what it relies on */
	SNAPSHOT_RENAME,
	SNAPSHOT_RENAMED, /* the folder is synced */
	SNAPSHOT_REMOVE,  /* the one before */
	SNAPSHOT_GIVE_UP, /* the half one is removed */
	SNAPSHOT_STEP_NR
};

/* Embedded; its fields are snapshot.c's own, but for those that INFO tells. */
struct snapshot {
	struct snapshot_config config;
	struct proto_snapshot walk;
	enum snapshot_step step;
	struct loop_op op;
	struct loop_timer poll;
	struct block_buf out;
	int fd;
	bool buffered;
	bool more;       /* of the walk */
	uint64_t offset; /* of out's first byte in the file */
	size_t writing;  /* bytes under way */
	uint64_t after;
	uint64_t log_then; /* wal.appended when it began */
	uint64_t records;
	uint64_t last;
	uint32_t sum;
	uint64_t begun_ns;
	uint64_t part_ns; /* the last part was taken */
	uint64_t not_before_ns;
	char name[SNAPSHOT_NAME_MAX];
	/* The one that counts: */
	uint64_t done_after;
	uint64_t done_bytes;
	uint64_t done_wall_ns;
	uint64_t done_log; /* wal.appended when it began */
	/* For INFO: */
	uint64_t count;
	uint64_t took_ns;
	uint64_t part_ns_max; /* longest time that a part held up the loop */
};

void snapshot_init(struct snapshot *s, const struct snapshot_config *config,
	const struct snapshot_report *found);

/* snapshot_fini() - free and close. */
void snapshot_fini(struct snapshot *s);

/* snapshot_turn() - once per turn, outside of the protocol: begin if it is time, or go on. */
void snapshot_turn(struct snapshot *s);

#endif
