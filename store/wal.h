/* SPDX-License-Identifier: MIT */
/*
 * wal.h - a replica's log on disk: append-only, checksummed, group commit
 *
 * The file is a header of WAL_HEADER bytes (u8[8] magic, u32 version, u32 kind, u32 CRC-32C of
 * those) and records, all little-endian:
 *
 *	u32 length   u64 sequence number   u32 CRC-32C of the payload
 *	u32 CRC-32C of the 16 bytes before   payload
 *
 * Sequence numbers are 1, 2, 3 ... without a gap.
 */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "agent/base/loop.h"

#define WAL_MAGIC "PACELLOG"
#define WAL_VERSION 1
#define WAL_HEADER 20u
#define WAL_RECORD_HEADER 20u
/* More than this waiting for the disk: take no new requests. */
#define WAL_QUEUE_MAX (16u << 20)

/**
 * struct wal_report - what recovery found
 * @records:	handed to restore; the next record gets number @records + 1
 * @end:	offset after the last one
 * @torn_bytes:	cut off behind it, 0 if the file ended cleanly
 */
struct wal_report {
	uint64_t records;
	uint64_t end;
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
 * wal_recover() - check the whole file, cut a torn tail, then restore each record
 *
 * An empty file becomes a log without records. A torn tail is a last record that the file is too
 * short for, or zeros to the end of the file.
 *
 * Return: 0; -EBADMSG: damaged, @err names file, offset, what was found and expected, nothing was
 * changed; another negative errno of the disk.
 */
int wal_recover(const struct wal_source *source, struct wal_report *ret, struct err *err);

/**
 * struct wal_config - where records go and who is told
 * @sync:	fdatasync before a record counts as durable
 * @durable:	all records up to @seq are on disk
 * @failed:	@what ("write", "fdatasync") failed with @error; nothing is written any more
 */
struct wal_config {
	struct loop *loop;
	int fd;
	uint64_t offset;
	uint64_t last_seq;
	bool sync;
	void (*durable)(void *arg, uint64_t seq);
	void (*failed)(void *arg, const char *what, int error);
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
	struct loop_op write;
	struct loop_op sync;
	int write_result;
	int sync_result;
	bool failed;
};

void wal_init(struct wal *w, const struct wal_config *config);

/* wal_fini() - free; no batch may be under way in a loop that still turns. */
void wal_fini(struct wal *w);

/* wal_append() - put a record into the next batch. Return: its sequence number. */
uint64_t wal_append(struct wal *w, const void *bytes, size_t len);

/* wal_flush() - once per turn: send the batch if none is under way. */
void wal_flush(struct wal *w);

/* wal_bytes() - size of the log with all that was appended. */
uint64_t wal_bytes(const struct wal *w);

/* wal_full() - whether more than WAL_QUEUE_MAX waits for the disk. */
bool wal_full(const struct wal *w);

#endif
