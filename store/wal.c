/* SPDX-License-Identifier: MIT */
/*
 * wal.c - a replica's log on disk: append-only, checksummed, group commit
 *
 * Theory of operation
 *
 * Two buffers. Records are appended to `fill`. At the end of a turn, if no batch is under way, the
 * buffers change places and `flight` goes out as one write linked to one fdatasync. While that
 * runs, `fill` takes what comes; all of it is the next batch. So the number of fdatasyncs adapts
 * to the disk, and nobody waits for a timer.
 *
 *	append --> fill --(turn ends, no batch)--> flight --write, fdatasync--> durable(seq)
 *	                                            ^  |
 *	                                            |  +-- failure --> failed(), for good
 *	                            WAL_RETRY_NS  full() <-- no room
 *
 * The fdatasync of a file that grows writes the file system's journal, too; where zeros stand
 * already it does not. So the file is kept longer than the log: zeros are written behind it before
 * they are needed, and reach the disk with the next batch. They never meet a batch: one that
 * reaches into zeros under way waits for them.
 *
 * With WAL_SYNC_INTERVAL batches go out without fdatasync, and a timer follows the first of them.
 *
 * No room (ENOSPC, a quota, a limit): the write has put part of the batch, or nothing, where
 * nothing was before. It is taken back by truncation, so that no half record is in the log, the
 * batch stays in memory, and all of it is written again later.
 *
 * Invariants:
 *  1. durable(seq) is called only after a fdatasync that began after the last byte of record seq
 *     was written (WAL_SYNC_ALWAYS) or after that write, and with rising seq.
 *  2. A failed fdatasync is never repeated: after it the kernel may have dropped the dirty pages
 *     and a second fdatasync would lie (Rebello et al., "Can Applications Recover from fsync
 *     Failures?", USENIX ATC 2020). A failed write is repeated only for lack of room, whole, from
 *     memory, after a truncation. A short write is no failure: the rest is sent.
 *  3. Behind the last record there are zeros only.
 */
#include "store/wal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "agent/base/list.h"
#include "store/proto.h"

/* Buffers that one large batch has blown up are given back above this. */
#define KEEP_MAX (4u << 20)

const char *const wal_sync_names[] = {
	[WAL_SYNC_ALWAYS] = "always",
	[WAL_SYNC_INTERVAL] = "interval",
	[WAL_SYNC_NONE] = "none",
};
_Static_assert(sizeof wal_sync_names / sizeof *wal_sync_names == WAL_SYNC_NR, "a name for each");

int wal_sync_find(const char *name, enum wal_sync *ret)
{
	for (unsigned i = 0; i < WAL_SYNC_NR; i++)
		if (strcmp(name, wal_sync_names[i]) == 0) {
			*ret = (enum wal_sync)i;
			return 0;
		}
	return -EINVAL;
}

static bool no_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EFBIG;
}

static void fail(struct wal *w, const char *what, int error)
{
	if (w->failed)
		return;
	w->failed = true;
	w->config.failed(w->config.arg, what, error);
}

/* --- prepared space --- */

static void prepare(struct wal *w)
{
	/* Never written to: pages of the kernel's zero page. */
	static uint8_t zeros[WAL_CHUNK_MAX];
	uint64_t end = w->offset + w->flight.len;
	struct loop_write what = {.fd = w->config.fd, .bytes = zeros};
	uint64_t chunk = end < WAL_CHUNK_MIN ? WAL_CHUNK_MIN : end;

	if (w->failed || w->full || w->zero.pending || loop_now(w->config.loop) < w->prepare_ns)
		return;
	if (chunk > WAL_CHUNK_MAX)
		chunk = WAL_CHUNK_MAX;
	if (w->size >= end + chunk / 2)
		return;
	w->zero_at = w->size > end ? w->size : end;
	what.offset = w->zero_at;
	what.n = (size_t)chunk;
	loop_write(w->config.loop, &w->zero, NULL, &what);
}

/* Whether the batch that would be sent now reaches where zeros are being written. */
static bool zeros_meet(const struct wal *w, size_t len)
{
	return w->zero.pending && w->offset + len > w->zero_at;
}

/* Nothing of the batch stays in the file. */
static void take_back(struct wal *w)
{
	w->flight_done = 0;
	if (ftruncate(w->config.fd, (off_t)w->offset) < 0) {
		fail(w, "truncate", -errno);
		return;
	}
	w->size = w->offset;
}

static void zero_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, zero);

	if (event->res > 0)
		w->size = w->zero_at + (uint64_t)event->res;
	else if (event->res == 0 || no_room(event->res))
		/* There is some room yet, or a batch will find out. */
		w->prepare_ns = loop_now(w->config.loop) + WAL_RETRY_NS;
	else
		fail(w, "write", event->res);
	if (w->full && !w->failed)
		take_back(w);
}

/* --- batches --- */

static void flight_send(struct wal *w)
{
	struct loop_write what = {
		.fd = w->config.fd,
		.bytes = w->flight.p + w->flight_done,
		.n = w->flight.len - w->flight_done,
		.offset = w->offset + w->flight_done,
	};
	bool sync = w->config.when == WAL_SYNC_ALWAYS;

	w->sync_result = 0;
	loop_write(w->config.loop, &w->write, sync ? &w->sync : NULL, &what);
}

static void retry_fire(struct loop_timer *timer)
{
	struct wal *w = list_entry(timer, struct wal, retry);

	if (w->failed)
		return;
	if (w->zero.pending)
		loop_arm(w->config.loop, &w->retry, loop_now(w->config.loop) + WAL_RETRY_NS);
	else
		flight_send(w);
}

static void wait_for_room(struct wal *w, int error)
{
	if (!w->zero.pending)
		take_back(w);
	w->flight_done = 0;
	if (w->failed)
		return;
	loop_arm(w->config.loop, &w->retry, loop_now(w->config.loop) + WAL_RETRY_NS);
	if (w->full)
		return;
	w->full = true;
	w->config.full(w->config.arg, error);
}

static void interval_begin(struct wal *w)
{
	if (w->config.when == WAL_SYNC_INTERVAL && !w->interval.place && !w->sync.pending &&
		w->offset > w->synced)
		loop_arm(w->config.loop, &w->interval, loop_now(w->config.loop) + WAL_INTERVAL_NS);
}

static void flight_end(struct wal *w)
{
	w->offset += w->flight.len;
	if (w->size < w->offset)
		w->size = w->offset;
	w->flight.len = 0;
	if (w->flight.cap > KEEP_MAX)
		buf_fini(&w->flight);
	if (w->full) {
		w->full = false;
		w->config.full(w->config.arg, 0);
	}
	interval_begin(w);
	w->config.durable(w->config.arg, w->flight_seq);
}

/* The write, and where one is linked to it the fdatasync, are over. */
static void flight_settle(struct wal *w)
{
	bool linked = w->config.when == WAL_SYNC_ALWAYS;

	if (w->write.pending || (linked && w->sync.pending) || w->failed)
		return;
	if (w->write_result == 0 || no_room(w->write_result)) {
		wait_for_room(w, w->write_result ? w->write_result : -ENOSPC);
		return;
	}
	if (w->write_result < 0) {
		fail(w, "write", w->write_result);
		return;
	}
	w->flight_done += (size_t)w->write_result;
	if (w->flight_done < w->flight.len)
		flight_send(w);
	else if (linked && w->sync_result < 0)
		fail(w, "fdatasync", w->sync_result);
	else
		flight_end(w);
}

static void write_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, write);

	w->write_result = event->res;
	flight_settle(w);
}

static void sync_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, sync);

	w->sync_result = event->res;
	if (w->config.when == WAL_SYNC_ALWAYS) {
		flight_settle(w);
		return;
	}
	if (event->res < 0) {
		fail(w, "fdatasync", event->res);
		return;
	}
	w->synced = w->sync_end;
	interval_begin(w);
}

static void interval_fire(struct loop_timer *timer)
{
	struct wal *w = list_entry(timer, struct wal, interval);

	if (w->failed)
		return;
	w->sync_end = w->offset;
	loop_sync(w->config.loop, &w->sync, w->config.fd);
}

/* --- the outside --- */

void wal_init(struct wal *w, const struct wal_config *config)
{
	*w = (struct wal){
		.config = *config,
		.seq = config->last_seq,
		.offset = config->offset,
		.size = config->size,
		.synced = config->offset,
		.write = {.done = write_done},
		.sync = {.done = sync_done},
		.zero = {.done = zero_done},
		.interval = {.fire = interval_fire},
		.retry = {.fire = retry_fire},
	};
}

void wal_fini(struct wal *w)
{
	buf_fini(&w->fill);
	buf_fini(&w->flight);
}

/* What is on disk when the batch that is being filled is written. */
static uint64_t durable_end(const struct wal *w)
{
	return w->config.when == WAL_SYNC_ALWAYS ? w->offset + w->flight.len : w->synced;
}

uint64_t wal_append(struct wal *w, const void *bytes, size_t len)
{
	size_t begin = w->fill.len;

	assert(len <= PROTO_MESSAGE_MAX);
	buf_u32(&w->fill, (uint32_t)len);
	buf_u64(&w->fill, ++w->seq);
	buf_u64(&w->fill, durable_end(w));
	buf_u32(&w->fill, crc32c(0, bytes, len));
	buf_u32(&w->fill, crc32c(0, w->fill.p + begin, WAL_RECORD_CHECKED));
	buf_add(&w->fill, bytes, len);
	buf_u8(&w->fill, WAL_RECORD_END);
	return w->seq;
}

void wal_flush(struct wal *w)
{
	struct buf empty = w->flight;

	if (!w->failed && w->flight.len == 0 && w->fill.len > 0 && !zeros_meet(w, w->fill.len)) {
		w->flight = w->fill;
		w->fill = empty;
		w->flight_done = 0;
		w->flight_seq = w->seq;
		flight_send(w);
	}
	if (w->seq > 0)
		prepare(w);
}

uint64_t wal_bytes(const struct wal *w)
{
	return w->offset + w->flight.len + w->fill.len;
}

bool wal_busy(const struct wal *w)
{
	return w->fill.len > WAL_QUEUE_MAX;
}

bool wal_full(const struct wal *w)
{
	return w->full;
}
