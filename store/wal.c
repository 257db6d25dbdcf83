/* SPDX-License-Identifier: MIT */
/*
 * wal.c - a replica's log on disk: append-only, checksummed, group commit, in segments
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
 * What makes a batch cheap (measured on ext4, batches of 8 KiB, beside other load):
 *  - Its blocks stand already, as zeros that are on disk: the fdatasync has no metadata to write,
 *    so it is one flush. Where a file grows, or blocks are allocated but unwritten (fallocate), it
 *    commits the file system's journal, too: 5 to 15 times as long.
 *  - The zeros are written in a file of their own, the spare: the next segment. So no fdatasync of
 *    a batch ever has zeros to write. A batch that does not fit moves to the spare.
 *  - It goes past the page cache (O_DIRECT): 130 us in place of 500, and half the processor time.
 *    RWF_DSYNC, one operation in place of two, took 310 us: the flush runs on the kernel's work
 *    queue, which waits for a processor behind everybody else.
 * Old segments are removed, not used again: stale records behind the log's end would save the
 * zeros, but they could not be told from damage.
 *
 * With WAL_SYNC_INTERVAL and WAL_SYNC_NONE batches go through the page cache without fdatasync, by
 * a plain pwrite() in wal_flush(): it copies, and replies leave in the same turn. By the ring it
 * would be handed to a thread of the kernel's, since ext4 writes into the page cache only for who
 * can wait. One that does wait, because the kernel slows down who makes pages dirty, is the last
 *for WAL_INDIRECT_NS: then the ring has them. For WAL_SYNC_INTERVAL a timer follows. A segment that
 *is left is synced then, and until that is over records in the next one do not vouch for it.
 *
 * No room (ENOSPC, a quota, a limit): the write has put part of the batch, or nothing, where
 * nothing was before. It is taken back by truncation, so that no half record is in the log, the
 * batch stays in memory, and all of it is written again later, there or in a spare.
 *
 * Invariants:
 *  1. durable(seq) is called only after a fdatasync that began after the last byte of record seq
 *     was written (WAL_SYNC_ALWAYS) or after that write, and with rising seq.
 *  2. A failed fdatasync is never repeated: after it the kernel may have dropped the dirty pages
 *     and a second fdatasync would lie (Rebello et al., "Can Applications Recover from fsync
 *     Failures?", USENIX ATC 2020). A failed write is repeated only for lack of room, whole, from
 *     memory, after a truncation. A short write is no failure: the rest is sent.
 *  3. Behind the last record of a segment there are zeros only.
 *  4. With WAL_SYNC_ALWAYS nothing is written to a segment before all of the one before is on disk,
 *     and the name of each segment is on disk before it is used.
 */
#include "store/wal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "agent/base/list.h"
#include "store/proto.h"

/* Buffers that one large batch has blown up are given back above this. */
#define KEEP_MAX (4u << 20)
/* So many zeros are written at once: more would hold up a batch at the disk. */
#define ZEROS (256u << 10)
#define DURABLE_AT 12u /* in a record */
#define CHECK_AT 24u

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

/* A write that the kernel did not do for now: as without room, it is taken back and repeated. */
static bool not_now(int error)
{
	return error == -EINTR || error == -EAGAIN;
}

static void fail(struct wal *w, const char *what, int error)
{
	if (w->failed)
		return;
	w->failed = true;
	w->config.failed(w->config.arg, what, error);
}

static bool always(const struct wal *w)
{
	return w->config.when == WAL_SYNC_ALWAYS;
}

static size_t fresh(const struct block_buf *b)
{
	return b->len - b->lead;
}

/* --- the spare: the next segment, full of zeros --- */

static void spare_zero(struct wal *w)
{
	/* Never written to: pages of the kernel's zero page. */
	static uint8_t zeros[ZEROS] __attribute__((aligned(BLOCK)));
	uint64_t left = w->spare.target - w->spare.size;
	struct loop_write what = {.fd = w->spare.fd,
		.bytes = zeros,
		.n = left < ZEROS ? (size_t)left : ZEROS,
		.offset = w->spare.size};

	w->spare.step = WAL_SPARE_ZERO;
	loop_write(w->config.loop, &w->spare.op, NULL, &what);
}

static void spare_open(struct wal *w)
{
	int flags = O_RDWR | O_CREAT | O_TRUNC;

	w->spare.step = WAL_SPARE_OPEN;
	if (always(w) && !w->spare.buffered)
		flags |= O_DIRECT;
	loop_open_at(w->config.loop, &w->spare.op, w->config.dir, w->spare.name, flags);
}

/* So that a snapshot leaves little: a segment is removed as a whole, and only when it was left. */
static uint64_t segment_max(const struct wal *w)
{
	uint64_t max = w->config.segment_max / BLOCK * BLOCK;

	if (max == 0 || max > WAL_SEGMENT_MAX)
		return WAL_SEGMENT_MAX;
	return max < WAL_SEGMENT_MIN ? WAL_SEGMENT_MIN : max;
}

static void spare_begin(struct wal *w)
{
	uint64_t target = 2 * w->size / BLOCK * BLOCK;
	uint64_t max = segment_max(w);

	w->spare.size = 0;
	w->spare.target = target < WAL_SEGMENT_MIN ? WAL_SEGMENT_MIN : target > max ? max : target;
	wal_name(w->segment + 1, w->spare.name);
	spare_open(w);
}

static void spare_turn(struct wal *w)
{
	if (w->failed || w->spare.op.pending || loop_now(w->config.loop) < w->spare.not_before_ns)
		return;
	if (w->spare.step == WAL_SPARE_NONE && w->seq > 0)
		spare_begin(w);
	else if (w->spare.step == WAL_SPARE_ZERO)
		spare_zero(w);
}

static void spare_later(struct wal *w)
{
	w->spare.not_before_ns = loop_now(w->config.loop) + WAL_RETRY_NS;
}

static void spare_opened(struct wal *w, int res)
{
	if (res >= 0) {
		w->spare.fd = res;
		spare_zero(w);
		return;
	}
	w->spare.step = WAL_SPARE_NONE;
	if (res == -EINVAL && !w->spare.buffered) {
		w->spare.buffered = true;
		spare_open(w);
	} else if (no_room(res) || res == -EMFILE || res == -ENFILE || res == -ENOMEM) {
		spare_later(w);
	} else {
		fail(w, "open", res);
	}
}

static void spare_sync(struct wal *w)
{
	w->spare.step = WAL_SPARE_SYNC;
	loop_fsync(w->config.loop, &w->spare.op, w->spare.fd);
}

static void spare_zeroed(struct wal *w, int res)
{
	uint64_t size = res > 0 ? (w->spare.size + (uint64_t)res) / BLOCK * BLOCK : w->spare.size;
	bool more = size > w->spare.size;

	w->spare.size = size;
	if (res < 0 && !no_room(res))
		fail(w, "write", res);
	else if (more && size < w->spare.target)
		spare_zero(w);
	else if (size > 0)
		/* All of it, or what there was room for. */
		spare_sync(w);
	else
		spare_later(w);
}

static void spare_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, spare.op);

	if (w->spare.step == WAL_SPARE_OPEN) {
		spare_opened(w, event->res);
	} else if (w->spare.step == WAL_SPARE_ZERO) {
		spare_zeroed(w, event->res);
	} else if (event->res < 0) {
		fail(w, "fsync", event->res);
	} else if (w->spare.step == WAL_SPARE_SYNC) {
		w->spare.step = WAL_SPARE_NAME;
		loop_fsync(w->config.loop, &w->spare.op, w->config.dir);
	} else {
		w->spare.step = WAL_SPARE_READY;
	}
}

/* --- from one segment to the next --- */

void wal_name(unsigned number, char ret[WAL_NAME_MAX])
{
	if (number == 0)
		(void)snprintf(ret, WAL_NAME_MAX, "%s", WAL_FILE);
	else
		(void)snprintf(ret, WAL_NAME_MAX, "%s.%u", WAL_FILE, number);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)v);
	put_u32(p + 4, (uint32_t)(v >> 32));
}

void wal_segment_header(uint32_t kind, uint64_t first, uint32_t flags, uint8_t ret[WAL_HEADER])
{
	static const uint8_t magic[] = WAL_MAGIC;

	memcpy(ret, magic, sizeof magic - 1);
	put_u32(ret + 8, WAL_VERSION);
	put_u32(ret + 12, kind);
	put_u64(ret + 16, first);
	put_u32(ret + 24, flags);
	put_u32(ret + 28, crc32c(0, ret, 28));
}

/* The records of @b, encoded for another place, say anew what was durable before them. */
static void vouch_again(struct block_buf *b, uint64_t durable)
{
	size_t at = b->lead;

	while (at < b->len) {
		uint8_t *p = b->p + at;
		struct cursor c = cursor_over(p, WAL_RECORD_HEADER);

		put_u64(p + DURABLE_AT, durable);
		put_u32(p + CHECK_AT, crc32c(0, p, WAL_RECORD_CHECKED));
		at += WAL_RECORD_FRAME + cursor_u32(&c);
	}
	assert(at == b->len);
}

static void older_add(struct wal *w)
{
	struct wal_segments *older = &w->older;

	older->p = realloc(older->p, (older->count + 1) * sizeof *older->p);
	assert(older->p);
	older->p[older->count++] =
		(struct wal_segment){.number = w->segment, .last = w->done_seq, .bytes = w->offset};
	w->older_bytes += w->offset;
}

/* What is on disk when the batch that is being filled is written. */
static uint64_t durable_end(const struct wal *w)
{
	return always(w) ? w->offset + fresh(&w->flight) : w->synced;
}

/* The batch in flight does not fit here, nor would it in any other file if this one is empty. */
static bool may_move(const struct wal *w)
{
	return w->offset + fresh(&w->flight) > w->size && w->offset > WAL_HEADER &&
	       w->spare.step == WAL_SPARE_READY && !w->behind.pending && !w->sync.pending;
}

static void move(struct wal *w)
{
	uint8_t header[WAL_HEADER];

	older_add(w);
	loop_file_drop(w->config.loop, w->fd);
	if (always(w)) {
		close(w->fd);
	} else {
		w->behind_fd = w->fd;
		loop_sync(w->config.loop, &w->behind, w->behind_fd);
	}
	w->fd = w->spare.fd;
	loop_file_add(w->config.loop, w->fd);
	w->size = w->spare.size;
	w->spare.fd = -1;
	w->spare.step = WAL_SPARE_NONE;
	w->segment++;
	wal_segment_header(w->config.kind, w->done_seq + 1, always(w) ? WAL_SEALS : 0, header);
	block_begin(&w->flight, header, WAL_HEADER);
	w->offset = WAL_HEADER;
	w->synced = 0;
	vouch_again(&w->flight, 0);
	block_follow(&w->fill, &w->flight);
	vouch_again(&w->fill, durable_end(w));
}

/* --- batches --- */

static void flight_settle(struct wal *w);

/* Return: whether it was written, or failed, at once. */
static bool write_now(struct wal *w, const struct loop_write *what)
{
	uint64_t begin = clock_now_ns();
	uint64_t took;
	ssize_t n;

	if (always(w) || begin < w->indirect_until_ns)
		return false;
	n = pwrite(what->fd, what->bytes, what->n, (off_t)what->offset);
	w->write_result = n < 0 ? -errno : (int)n;
	if (w->write_result == -EINTR)
		return false;
	took = clock_now_ns() - begin;
	if (took > WAL_DIRECT_NS_MAX)
		w->indirect_until_ns = begin + took + WAL_INDIRECT_NS;
	return true;
}

static void flight_send(struct wal *w)
{
	size_t padded = block_pad(&w->flight);
	struct loop_write what = {
		.fd = w->fd,
		.bytes = w->flight.p + w->flight_done,
		.n = padded - w->flight_done,
		.offset = w->offset - w->flight.lead + w->flight_done,
	};

	w->sync_result = 0;
	if (write_now(w, &what))
		flight_settle(w);
	else
		loop_write(w->config.loop, &w->write, always(w) ? &w->sync : NULL, &what);
}

static void retry(struct wal *w)
{
	if (may_move(w))
		move(w);
	flight_send(w);
}

static void retry_fire(struct loop_timer *timer)
{
	struct wal *w = list_entry(timer, struct wal, retry);

	if (w->failed)
		return;
	/* The next segment vouches for this one, so no half batch may come back in it. */
	if (always(w) && w->cut && may_move(w))
		loop_fsync(w->config.loop, &w->behind, w->fd);
	else
		retry(w);
}

/* It has done what it was armed for: the loop's turn has come. */
static void again_fire(struct loop_timer *timer)
{
	(void)timer;
}

static void wait_for_room(struct wal *w, int error)
{
	w->flight_done = 0;
	/* Nothing of the batch stays in the file. */
	if (ftruncate(w->fd, (off_t)w->offset) < 0) {
		fail(w, "truncate", -errno);
		return;
	}
	w->size = w->offset;
	w->cut = true;
	loop_arm(w->config.loop, &w->retry, loop_now(w->config.loop) + WAL_RETRY_NS);
	if (w->full)
		return;
	w->full = true;
	w->config.full(w->config.arg, error);
}

static void interval_begin(struct wal *w)
{
	uint64_t wait = w->wanted_seq > w->synced_seq ? 0 : WAL_INTERVAL_NS;

	if (always(w) || w->failed || w->sync.pending || w->behind.pending ||
		w->offset <= w->synced || (w->config.when == WAL_SYNC_NONE && wait > 0))
		return;
	if (!w->interval.place || wait == 0)
		loop_arm(w->config.loop, &w->interval, loop_now(w->config.loop) + wait);
}

static void flight_end(struct wal *w)
{
	uint64_t end;

	w->offset += fresh(&w->flight);
	end = (w->offset + BLOCK - 1) / BLOCK * BLOCK;
	if (w->size < end)
		w->size = end;
	w->flight.lead = 0;
	w->flight.len = 0;
	if (w->flight.cap > KEEP_MAX)
		block_fini(&w->flight);
	w->done_seq = w->flight_seq;
	w->cut = false;
	if (w->full) {
		w->full = false;
		w->config.full(w->config.arg, 0);
	}
	interval_begin(w);
	w->config.durable(w->config.arg, w->flight_seq);
}

/* A write that put only a part there. */
static void flight_go_on(struct wal *w, size_t done)
{
	size_t was = w->flight_done;

	w->flight_done = (was + done) / BLOCK * BLOCK;
	if (w->flight_done > was)
		flight_send(w);
	else
		wait_for_room(w, -ENOSPC);
}

/* The write, and where one is linked to it the fdatasync, are over. */
static void flight_settle(struct wal *w)
{
	int written = w->write_result;

	if (w->write.pending || (always(w) && w->sync.pending) || w->failed)
		return;
	if (written == 0 || no_room(written) || not_now(written))
		wait_for_room(w, written ? written : -ENOSPC);
	else if (written < 0)
		fail(w, "write", written);
	else if (w->flight_done + (size_t)written < block_pad(&w->flight))
		flight_go_on(w, (size_t)written);
	else if (always(w) && w->sync_result < 0)
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

/* --- without WAL_SYNC_ALWAYS: syncs apart from batches --- */

static void sync_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, sync);

	w->sync_result = event->res;
	if (always(w)) {
		flight_settle(w);
		return;
	}
	if (event->res < 0) {
		fail(w, "fdatasync", event->res);
		return;
	}
	w->synced = w->sync_end;
	w->synced_seq = w->sync_seq;
	interval_begin(w);
}

static void interval_fire(struct loop_timer *timer)
{
	struct wal *w = list_entry(timer, struct wal, interval);

	if (w->failed || w->sync.pending || w->behind.pending)
		return;
	w->sync_end = w->offset;
	w->sync_seq = w->done_seq;
	loop_sync(w->config.loop, &w->sync, w->fd);
}

static void behind_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, behind);

	if (w->behind_fd >= 0)
		close(w->behind_fd);
	w->behind_fd = -1;
	if (event->res < 0) {
		fail(w, "fdatasync", event->res);
		return;
	}
	if (always(w)) {
		w->cut = false;
		retry(w);
		return;
	}
	w->synced = WAL_HEADER;
	interval_begin(w);
}

bool wal_on_disk(struct wal *w, uint64_t seq)
{
	if (always(w))
		return w->done_seq >= seq;
	if (w->wanted_seq < seq)
		w->wanted_seq = seq;
	interval_begin(w);
	return w->synced_seq >= seq;
}

/* --- forgetting --- */

static void forget_turn(struct wal *w)
{
	if (w->older.count == 0 || w->older.p[0].last > w->forget || w->unlink.pending || w->failed)
		return;
	wal_name(w->older.p[0].number, w->unlink_name);
	loop_unlink_at(w->config.loop, &w->unlink, w->config.dir, w->unlink_name);
}

/* One that stays for some reason is removed at the next start. */
static void unlink_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, unlink);

	(void)event;
	w->older_bytes -= w->older.p[0].bytes;
	w->older.count--;
	memmove(w->older.p, w->older.p + 1, w->older.count * sizeof *w->older.p);
	forget_turn(w);
}

void wal_forget(struct wal *w, uint64_t seq)
{
	w->forget = seq;
	forget_turn(w);
}

/* --- the outside --- */

/* The block in which the last record ended. */
static int lead_read(struct wal *w, struct err *err)
{
	size_t n = w->offset % BLOCK;
	ssize_t got =
		n ? pread(w->fd, block_grow(&w->fill, BLOCK), BLOCK, (off_t)(w->offset - n)) : 0;

	if (got < (ssize_t)n)
		return err_sys(err, got < 0 ? -errno : -EIO, "read the log in %s", w->config.name);
	w->fill.lead = n;
	w->fill.len = n;
	return 0;
}

int wal_init(struct wal *w, const struct wal_config *config, struct err *err)
{
	const struct wal_report *from = config->from;
	char name[WAL_NAME_MAX];

	*w = (struct wal){
		.config = *config,
		.seq = from->records,
		.done_seq = from->records,
		.synced_seq = from->records,
		.fd = -1,
		.segment = from->segment,
		.offset = from->end,
		.size = from->size,
		.appended = from->new_bytes,
		.synced = from->end,
		.behind_fd = -1,
		.spare = {.op = {.done = spare_done}, .fd = -1},
		.write = {.done = write_done},
		.sync = {.done = sync_done},
		.behind = {.done = behind_done},
		.unlink = {.done = unlink_done},
		.interval = {.fire = interval_fire},
		.retry = {.fire = retry_fire},
		.again = {.fire = again_fire},
	};
	for (unsigned i = 0; i < from->older.count; i++)
		w->older_bytes += from->older.p[i].bytes;
	if (from->older.count > 0) {
		w->older.p = malloc(from->older.count * sizeof *w->older.p);
		assert(w->older.p);
		memcpy(w->older.p, from->older.p, from->older.count * sizeof *w->older.p);
		w->older.count = from->older.count;
	}
	wal_name(w->segment, name);
	w->fd = always(w) ? block_open(config->dir, name, O_RDWR)
			  : openat(config->dir, name, O_RDWR | O_CLOEXEC);
	if (w->fd < 0)
		return err_sys(err, always(w) ? w->fd : -errno, "open %s/%s", config->name, name);
	loop_file_add(config->loop, w->fd);
	return lead_read(w, err);
}

void wal_fini(struct wal *w)
{
	block_fini(&w->fill);
	/*
	 * The loop gives up waiting for a disk that takes long, the disk does not: a freed buffer
	 * would go out with what malloc() writes into it, over records that were acknowledged.
	 */
	if (w->write.pending == 0)
		block_fini(&w->flight);
	free(w->older.p);
	w->older = (struct wal_segments){0};
	if (w->fd >= 0)
		close(w->fd);
	if (w->behind_fd >= 0)
		close(w->behind_fd);
	if (w->spare.fd >= 0)
		close(w->spare.fd);
	w->fd = w->behind_fd = w->spare.fd = -1;
}

uint64_t wal_append(struct wal *w, const void *bytes, size_t len)
{
	uint8_t *p = block_grow(&w->fill, WAL_RECORD_FRAME + len);

	assert(len <= PROTO_MESSAGE_MAX);
	put_u32(p, (uint32_t)len);
	put_u64(p + 4, ++w->seq);
	put_u64(p + DURABLE_AT, durable_end(w));
	put_u32(p + 20, crc32c(0, bytes, len));
	put_u32(p + CHECK_AT, crc32c(0, p, WAL_RECORD_CHECKED));
	if (len > 0)
		memcpy(p + WAL_RECORD_HEADER, bytes, len);
	p[WAL_RECORD_HEADER + len] = WAL_RECORD_END;
	w->fill.len += WAL_RECORD_FRAME + len;
	w->appended += WAL_RECORD_FRAME + len;
	return w->seq;
}

void wal_flush(struct wal *w)
{
	struct block_buf empty = w->flight;

	if (!w->failed && w->flight.len == 0 && fresh(&w->fill) > 0) {
		w->flight = w->fill;
		w->fill = empty;
		w->flight_done = 0;
		w->flight_seq = w->seq;
		block_follow(&w->fill, &w->flight);
		if (may_move(w))
			move(w);
		flight_send(w);
		/* Appended by durable() just now: nothing else would wake the loop for it. */
		if (w->flight.len == 0 && fresh(&w->fill) > 0)
			loop_arm(w->config.loop, &w->again, loop_now(w->config.loop));
	}
	spare_turn(w);
}

uint64_t wal_bytes(const struct wal *w)
{
	return w->older_bytes + w->offset + fresh(&w->flight) + fresh(&w->fill);
}

size_t wal_waiting(const struct wal *w)
{
	return fresh(&w->fill);
}

bool wal_busy(const struct wal *w)
{
	return fresh(&w->fill) > WAL_QUEUE_MAX;
}

bool wal_full(const struct wal *w)
{
	return w->full;
}
