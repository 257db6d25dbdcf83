/* SPDX-License-Identifier: MIT */
/* wal_world.h - a log in a folder of its own, for the tests that write it and that read it back */
#ifndef TESTS_UNIT_WAL_WORLD_H
#define TESTS_UNIT_WAL_WORLD_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "store/wal.h"
#include "tests/lib/test.h"
#include "tests/unit/data_dir.h"

#define DEADLINE_NS (10 * NS_PER_S)
#define KIND 0x1234u

/* A log under test: what it reported and what recovery gave back. */
struct world {
	struct loop *loop;
	struct wal wal;
	char path[64];
	int dir;
	int fd; /* of its first segment */
	enum wal_sync when;
	uint64_t durable;
	unsigned batches;
	const char *failed_what;
	int failed_error;
	int full_error; /* 0: there is room */
	unsigned fulls;
	struct buf restored; /* each record, followed by a '|' */
	int restore_result;
	uint64_t after; /* what a snapshot has */
	struct wal_report report;
};

static inline void on_durable(void *arg, uint64_t seq)
{
	struct world *w = arg;

	assert_true(seq > w->durable);
	w->durable = seq;
	w->batches++;
}

static inline void on_failed(void *arg, const char *what, int error)
{
	struct world *w = arg;

	assert_null(w->failed_what);
	w->failed_what = what;
	w->failed_error = error;
}

static inline void on_full(void *arg, int error)
{
	struct world *w = arg;

	assert_true((error != 0) != (w->full_error != 0));
	w->full_error = error;
	w->fulls++;
}

static inline int on_restore(void *arg, const void *bytes, size_t len)
{
	struct world *w = arg;

	buf_add(&w->restored, bytes, len);
	buf_u8(&w->restored, '|');
	return w->restore_result;
}

static inline int recover(struct world *w, uint32_t kind, struct wal_report *ret, struct err *err)
{
	struct wal_source source = {.dir = w->dir,
		.name = "n1",
		.kind = kind,
		.after = w->after,
		.restore = on_restore,
		.arg = w};

	w->restored.len = 0;
	return wal_recover(&source, ret, err);
}

static inline void start(struct world *w, const struct wal_report *report, enum wal_sync when)
{
	struct err err = {0};
	struct wal_config config = {
		.loop = w->loop,
		.dir = w->dir,
		.name = "n1",
		.kind = KIND,
		.from = report,
		.when = when,
		.durable = on_durable,
		.failed = on_failed,
		.full = on_full,
		.arg = w,
	};

	if (wal_init(&w->wal, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void setup_sync(struct world *w, enum wal_sync when)
{
	struct loop_config config = {0};
	struct err err = {0};

	*w = (struct world){.path = "/tmp/pacelab-wal-test.XXXXXX", .when = when};
	assert_non_null(mkdtemp(w->path));
	w->dir = open(w->path, O_RDONLY | O_DIRECTORY);
	assert_true(w->dir >= 0);
	if (loop_open(&w->loop, &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(recover(w, KIND, &w->report, &err), 0);
	assert_int_equal(w->report.records, 0);
	assert_int_equal(w->report.end, WAL_HEADER);
	w->fd = openat(w->dir, WAL_FILE, O_RDWR);
	assert_true(w->fd >= 0);
	start(w, &w->report, when);
}

static inline void setup(struct world *w)
{
	setup_sync(w, WAL_SYNC_ALWAYS);
}

static inline void teardown(struct world *w)
{
	loop_close(w->loop);
	wal_fini(&w->wal);
	wal_report_fini(&w->report);
	buf_fini(&w->restored);
	close(w->fd);
	close(w->dir);
	data_remove(w->path);
}

static inline void append(struct world *w, const char *text)
{
	wal_append(&w->wal, text, strlen(text));
}

static inline void turn_once(struct world *w)
{
	wal_flush(&w->wal);
	assert_int_equal(loop_turn(w->loop), 0);
}

static inline bool settled(const struct world *w)
{
	return (w->durable >= w->wal.seq || w->failed_what) && !w->wal.spare.op.pending &&
	       !w->wal.unlink.pending && !w->wal.behind.pending;
}

static inline void turn_until_settled(struct world *w)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;

	while (!settled(w)) {
		assert_true(clock_now_ns() < deadline);
		turn_once(w);
	}
}

/* As after kill -9: what was written stays, what was under way has an end. */
static inline void stop(struct world *w)
{
	struct loop_config config = {0};
	struct err err = {0};

	loop_close(w->loop);
	wal_fini(&w->wal);
	if (loop_open(&w->loop, &config, &err) < 0)
		fail_msg("%s", err.text);
}

/* Three records of 5, 0 and 12 bytes on disk. */
static inline void fill(struct world *w)
{
	append(w, "first");
	append(w, "");
	append(w, "and a third.");
	turn_until_settled(w);
	assert_int_equal(w->durable, 3);
}

#define FILLED "first||and a third.|"
#define FILLED_SIZE (WAL_HEADER + 3 * WAL_RECORD_FRAME + 5 + 0 + 12)
#define SECOND (WAL_HEADER + WAL_RECORD_FRAME + 5)
#define THIRD (SECOND + WAL_RECORD_FRAME)

static inline void assert_restored(const struct world *w, const char *text)
{
	assert_int_equal(w->restored.len, strlen(text));
	assert_memory_equal(w->restored.p, text, strlen(text));
}

static inline uint64_t size_of(const struct world *w)
{
	return (uint64_t)lseek(w->fd, 0, SEEK_END);
}

/* The log without what was prepared behind it. */
static inline void trim(const struct world *w)
{
	assert_int_equal(ftruncate(w->fd, FILLED_SIZE), 0);
}

static inline void put(const struct world *w, const void *bytes, size_t n, uint64_t at)
{
	assert_int_equal(pwrite(w->fd, bytes, n, (off_t)at), n);
}

#endif
