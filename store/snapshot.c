/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c - a replica's snapshot: written while requests go on
 *
 * Theory of operation
 *
 *	IDLE -- the log has grown --> OPEN --> PARTS --> SYNC --> LOG --> RENAME --> RENAMED
 *	  ^                             |        |                                     |
 *	  +-------- GIVE_UP <-- no room +--------+                     counted()       v
 *	  +------------------------------------------------------------------------ REMOVE
 *
 * A turn of the loop takes at most one part of the protocol's walk, and only when the one before
 * is written and the log's queue is short. All that the disk does is done by the ring: a turn is
 * held up by the protocol's walk over one part, nothing else. Parts go past the page cache, so
 * that the fdatasync at the end has little to write and batches of the log do not wait behind it.
 *
 * Invariants:
 *  1. The name is given after the fdatasync, and after wal_on_disk() for the last record that was
 *     numbered before the last part. The log is forgotten, and the snapshot before removed, after
 *     the name is on disk.
 *  2. No room gives it up; the log stays, writes go on. A failed fdatasync stops the replica, as
 *     the log's does.
 */
#include "store/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "agent/base/list.h"

void snapshot_name(uint64_t after, char ret[SNAPSHOT_NAME_MAX])
{
	(void)snprintf(ret, SNAPSHOT_NAME_MAX, "%s.%llu", SNAPSHOT_FILE, (unsigned long long)after);
}

/* --- what is written --- */

static void put(struct block_buf *out, uint64_t value, unsigned bytes)
{
	uint8_t x[8];

	for (unsigned i = 0; i < bytes; i++)
		x[i] = (uint8_t)(value >> 8 * i);
	block_add(out, x, bytes);
}

static void put_header(struct snapshot *s)
{
	block_add(&s->out, SNAPSHOT_MAGIC, 8);
	put(&s->out, SNAPSHOT_VERSION, 4);
	put(&s->out, s->config.kind, 4);
	put(&s->out, s->after, 8);
	put(&s->out, 0, 4);
	put(&s->out, crc32c(0, s->out.p, SNAPSHOT_HEADER - 4), 4);
}

static void put_record(struct snapshot *s, uint64_t number, const void *bytes, size_t len)
{
	size_t begin = s->out.len;

	put(&s->out, len, 4);
	put(&s->out, number, 8);
	put(&s->out, 0, 8);
	put(&s->out, crc32c(0, bytes, len), 4);
	put(&s->out, crc32c(0, s->out.p + begin, WAL_RECORD_CHECKED), 4);
	if (number > 0)
		s->sum = crc32c(s->sum, s->out.p + begin, WAL_RECORD_HEADER);
	block_add(&s->out, bytes, len);
	put(&s->out, WAL_RECORD_END, 1);
}

static void take_record(void *arg, const void *bytes, size_t len)
{
	assert(len <= PROTO_MESSAGE_MAX);
	put_record(arg, ++((struct snapshot *)arg)->records, bytes, len);
}

static void put_end(struct snapshot *s)
{
	struct buf b = {0};

	s->last = s->config.wal->seq;
	buf_u64(&b, s->records);
	buf_u64(&b, s->last);
	buf_u32(&b, s->sum);
	put_record(s, 0, b.p, b.len);
	buf_fini(&b);
}

/* --- steps --- */

static void go(struct snapshot *s, enum snapshot_step step)
{
	struct loop *l = s->config.loop;
	char old[SNAPSHOT_NAME_MAX];

	s->step = step;
	if (step == SNAPSHOT_OPEN) {
		loop_open_at(l, &s->op, s->config.dir, SNAPSHOT_TEMPORARY,
			O_RDWR | O_CREAT | O_TRUNC | (s->buffered ? 0 : O_DIRECT));
	} else if (step == SNAPSHOT_SYNC) {
		loop_sync(l, &s->op, s->fd);
	} else if (step == SNAPSHOT_RENAME) {
		snapshot_name(s->after, s->name);
		loop_rename_at(l, &s->op, s->config.dir, SNAPSHOT_TEMPORARY, s->name);
	} else if (step == SNAPSHOT_RENAMED) {
		loop_fsync(l, &s->op, s->config.dir);
	} else if (step == SNAPSHOT_REMOVE) {
		snapshot_name(s->done_after, old);
		(void)snprintf(s->name, sizeof s->name, "%s", old);
		loop_unlink_at(l, &s->op, s->config.dir, s->name);
	} else if (step == SNAPSHOT_GIVE_UP) {
		loop_unlink_at(l, &s->op, s->config.dir, SNAPSHOT_TEMPORARY);
	}
}

static void close_file(struct snapshot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void fail(struct snapshot *s, const char *what, int error)
{
	s->config.failed(s->config.arg, what, error);
	s->not_before_ns = UINT64_MAX;
	s->step = SNAPSHOT_IDLE;
}

static void give_up(struct snapshot *s, int error)
{
	close_file(s);
	s->config.given_up(s->config.arg, error);
	s->not_before_ns = loop_now(s->config.loop) + SNAPSHOT_RETRY_NS;
	go(s, SNAPSHOT_GIVE_UP);
}

static void begin(struct snapshot *s)
{
	struct wal *wal = s->config.wal;

	s->walk = (struct proto_snapshot){.record = take_record, .arg = s};
	s->out.lead = s->out.len = 0;
	s->offset = 0;
	s->after = 0;
	s->log_then = wal->appended;
	s->records = 0;
	s->sum = 0;
	s->more = true;
	s->begun_ns = loop_now(s->config.loop);
	s->part_ns = s->begun_ns;
	go(s, SNAPSHOT_OPEN);
}

/* Whole blocks; at the end all. */
static void write_out(struct snapshot *s)
{
	struct loop_write what = {.fd = s->fd, .bytes = s->out.p, .offset = s->offset};

	s->writing = s->more ? s->out.len / BLOCK * BLOCK : block_pad(&s->out);
	what.n = s->writing;
	loop_write(s->config.loop, &s->op, NULL, &what);
}

static void take_part(struct snapshot *s)
{
	uint64_t before_ns = clock_now_ns();
	uint64_t took_ns;

	/* Records came while the file was opened, and the protocol begins now (proto.h, rule 7). */
	if (s->after == 0) {
		s->after = s->config.wal->seq;
		put_header(s);
	}
	s->more = s->config.part(s->config.arg, &s->walk);
	took_ns = clock_now_ns() - before_ns;
	if (took_ns > s->part_ns_max)
		s->part_ns_max = took_ns;
	s->part_ns = loop_now(s->config.loop);
	if (!s->more)
		put_end(s);
	if (s->out.len >= PROTO_SNAPSHOT_PART || !s->more)
		write_out(s);
	else
		loop_arm(s->config.loop, &s->poll, s->part_ns + SNAPSHOT_POLL_NS);
}

static bool due(const struct snapshot *s)
{
	uint64_t grown = s->config.wal->appended - s->done_log;

	return s->config.log_min > 0 && grown >= s->config.log_min &&
	       grown >= SNAPSHOT_LOG_FACTOR * s->done_bytes &&
	       loop_now(s->config.loop) >= s->not_before_ns && !wal_full(s->config.wal) &&
	       !s->config.wal->failed;
}

void snapshot_turn(struct snapshot *s)
{
	if (s->op.pending)
		return;
	if (s->step == SNAPSHOT_IDLE && due(s))
		begin(s);
	else if (s->step == SNAPSHOT_PARTS &&
		 (wal_waiting(s->config.wal) <= SNAPSHOT_WAITING_MAX ||
			 loop_now(s->config.loop) >= s->part_ns + SNAPSHOT_PART_NS_MAX))
		take_part(s);
	else if (s->step == SNAPSHOT_LOG &&
		 (wal_on_disk(s->config.wal, s->last) || PROTO_BUG(BUG_LOG_SNAPSHOT_TOO_EARLY)))
		go(s, SNAPSHOT_RENAME);
}

static void opened(struct snapshot *s, int res)
{
	if (res == -EINVAL && !s->buffered) {
		s->buffered = true;
		go(s, SNAPSHOT_OPEN);
	} else if (res < 0) {
		give_up(s, res);
	} else {
		s->fd = res;
		s->step = SNAPSHOT_PARTS;
	}
}

static void written(struct snapshot *s, int res)
{
	size_t n = s->writing;

	if (res == -ENOSPC || res == -EDQUOT || res == -EFBIG || (res >= 0 && (size_t)res < n)) {
		give_up(s, res < 0 ? res : -ENOSPC);
	} else if (res < 0) {
		fail(s, "write", res);
	} else if (!s->more) {
		s->offset += s->out.len;
		go(s, SNAPSHOT_SYNC);
	} else {
		s->offset += n;
		s->out.len -= n;
		memmove(s->out.p, s->out.p + n, s->out.len);
	}
}

static void counts(struct snapshot *s)
{
	uint64_t before = s->done_after;

	s->count++;
	s->took_ns = loop_now(s->config.loop) - s->begun_ns;
	s->done_bytes = s->offset;
	s->done_wall_ns = clock_wall_ns();
	s->done_log = s->log_then;
	s->config.counted(s->config.arg, &s->walk);
	wal_forget(s->config.wal, s->after);
	if (before > 0 && before != s->after)
		go(s, SNAPSHOT_REMOVE);
	else
		s->step = SNAPSHOT_IDLE;
	s->done_after = s->after;
}

static void op_done(struct loop_op *op, const struct loop_event *event)
{
	struct snapshot *s = list_entry(op, struct snapshot, op);
	int res = event->res;

	switch (s->step) {
	case SNAPSHOT_OPEN:
		opened(s, res);
		return;
	case SNAPSHOT_PARTS:
		written(s, res);
		return;
	case SNAPSHOT_SYNC:
		close_file(s);
		if (res < 0)
			fail(s, "fdatasync", res);
		else
			s->step = SNAPSHOT_LOG;
		return;
	case SNAPSHOT_RENAME:
		if (res < 0)
			give_up(s, res);
		else
			go(s, SNAPSHOT_RENAMED);
		return;
	case SNAPSHOT_RENAMED:
		if (res < 0)
			fail(s, "fsync", res);
		else
			counts(s);
		return;
	case SNAPSHOT_REMOVE:
	case SNAPSHOT_GIVE_UP:
		/* What stays is removed at the next start. */
		s->step = SNAPSHOT_IDLE;
		return;
	case SNAPSHOT_IDLE:
	case SNAPSHOT_LOG:
	case SNAPSHOT_STEP_NR:
		break;
	}
	assert(0 && "a step that waits for the disk");
}

/* Only so that there is a turn. */
static void poll_fire(struct loop_timer *timer)
{
	(void)timer;
}

void snapshot_init(struct snapshot *s, const struct snapshot_config *config,
	const struct snapshot_report *found)
{
	*s = (struct snapshot){
		.config = *config,
		.op = {.done = op_done},
		.poll = {.fire = poll_fire},
		.fd = -1,
		.done_after = found->after,
		.done_bytes = found->bytes,
		.done_wall_ns = found->wall_ns,
	};
}

void snapshot_fini(struct snapshot *s)
{
	block_fini(&s->out);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
