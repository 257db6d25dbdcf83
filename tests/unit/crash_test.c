/* SPDX-License-Identifier: MIT */
/*
 * crash_test.c - every loss of power that a disk may make of a log and its snapshots
 *
 * wal.c, snapshot.c and recovery run on a loop of this file, in virtual time, and on a recorded
 * disk (crash_disk.h). After any step, also in the middle of a recovery, folders are made of what
 * was promised and some of what was not, and recovered: nothing that was acknowledged is missing,
 * nothing is refused, and what comes back is a beginning of what was written. A failure prints the
 * seed.
 *
 * The state is as in snapshot_test.c: record number n sets number n % KEYS to n.
 */
#include "store/snapshot.h"

#include "agent/base/list.h"
#include "tests/unit/crash_disk.h"
#include "tests/unit/data_dir.h"

#define KIND 0x1234u
#define KEYS 64u
#define KEYS_PER_PART 8u
#define RECORD_MAX 6000u
#define STEP_NS (3 * NS_PER_MS)
#define QUEUE_MAX 64u
#define TIMERS_MAX 8u

/* --- the loop: what was begun ends in any order --- */

struct begun {
	struct loop_op *op;
	int res;
	bool syncs;
	struct crash_sync sync;
	/* A sync that is linked to a write: */
	struct loop_op *then;
	int then_fd;
	bool whole;
};

struct loop {
	struct crash_disk *disk;
	struct prng *chance;
	uint64_t now_ns;
	struct begun begun[QUEUE_MAX];
	unsigned n;
	struct loop_timer *timer[TIMERS_MAX];
	unsigned timers;
};

static struct begun *begin_op(struct loop *l, struct loop_op *op, int res)
{
	assert_true(l->n < QUEUE_MAX);
	op->pending++;
	l->begun[l->n] = (struct begun){.op = op, .res = res};
	return &l->begun[l->n++];
}

uint64_t loop_now(const struct loop *l)
{
	return l->now_ns;
}

void loop_disarm(struct loop *l, struct loop_timer *t)
{
	if (t->place > 0) {
		l->timer[t->place - 1] = l->timer[--l->timers];
		l->timer[t->place - 1]->place = t->place;
	}
	t->place = 0;
}

void loop_arm(struct loop *l, struct loop_timer *t, uint64_t at_ns)
{
	loop_disarm(l, t);
	assert_true(l->timers < TIMERS_MAX);
	l->timer[l->timers++] = t;
	t->place = l->timers;
	t->at_ns = at_ns;
}

void loop_file_add(struct loop *l, int fd)
{
	(void)l;
	(void)fd;
}

void loop_file_drop(struct loop *l, int fd)
{
	(void)l;
	(void)fd;
}

void loop_fsync(struct loop *l, struct loop_op *op, int fd)
{
	struct begun *b = begin_op(l, op, 0);

	b->syncs = true;
	b->sync = crash_sync_begin(l->disk, fd);
}

void loop_sync(struct loop *l, struct loop_op *op, int fd)
{
	loop_fsync(l, op, fd);
}

void loop_write(
	struct loop *l, struct loop_op *write, struct loop_op *sync, const struct loop_write *what)
{
	ssize_t n = crash_write(l->disk, what->fd, what->bytes, what->n, what->offset);
	struct begun *b = begin_op(l, write, (int)n);

	b->then = sync;
	b->then_fd = what->fd;
	b->whole = n == (ssize_t)what->n;
	if (sync)
		sync->pending++;
}

void loop_open_at(struct loop *l, struct loop_op *op, int dir, const char *name, int flags)
{
	int fd = openat(dir, name, (flags & ~O_DIRECT) | O_CLOEXEC, 0600);

	(void)begin_op(l, op, fd < 0 ? -errno : fd);
}

void loop_rename_at(struct loop *l, struct loop_op *op, int dir, const char *from, const char *to)
{
	(void)dir;
	(void)begin_op(l, op, crash_rename(l->disk, from, to));
}

void loop_unlink_at(struct loop *l, struct loop_op *op, int dir, const char *name)
{
	(void)begin_op(l, op, unlinkat(dir, name, 0) < 0 ? -errno : 0);
}

static void end_one(struct loop *l)
{
	unsigned i = (unsigned)prng_below(l->chance, l->n);
	struct begun b = l->begun[i];

	l->begun[i] = l->begun[--l->n];
	if (b.syncs)
		b.res = crash_sync_end(l->disk, &b.sync);
	if (b.then) {
		b.then->pending--;
		if (b.whole)
			loop_sync(l, b.then, b.then_fd);
		else
			(void)begin_op(l, b.then, -ECANCELED);
	}
	b.op->pending--;
	b.op->done(b.op, &(struct loop_event){.res = b.res});
}

static void fire_due(struct loop *l)
{
	for (unsigned i = 0; i < l->timers; i++)
		if (l->timer[i]->at_ns <= l->now_ns) {
			struct loop_timer *t = l->timer[i];

			loop_disarm(l, t);
			t->fire(t);
			return;
		}
}

/* --- a replica that has a log and snapshots --- */

struct world {
	uint64_t seed;
	struct prng chance;
	struct loop loop;
	struct crash_disk disk;
	struct wal wal;
	struct snapshot snapshot;
	enum wal_sync when;
	char path[64];
	char image[64];
	int dir;
	uint64_t value[KEYS];
	uint64_t restored[KEYS];
	uint64_t found;
	uint64_t durable;
	uint64_t promised; /* records that must come back */
	unsigned snapshots;
	unsigned fulls;
	unsigned images;
	const char *failed;
};

static void on_durable(void *arg, uint64_t seq)
{
	struct world *w = arg;

	assert_false(w->wal.failed);
	w->durable = seq;
}

static void on_failed(void *arg, const char *what, int error)
{
	(void)error;
	((struct world *)arg)->failed = what;
}

static void on_full(void *arg, int error)
{
	((struct world *)arg)->fulls += error != 0;
}

static void on_given_up(void *arg, int error)
{
	(void)arg;
	(void)error;
}

static void on_counted(void *arg, const struct proto_snapshot *s)
{
	(void)s;
	((struct world *)arg)->snapshots++;
}

static bool take(void *arg, struct proto_snapshot *s)
{
	struct world *w = arg;

	for (unsigned i = 0; i < KEYS_PER_PART; i++, s->cursor++)
		if (w->value[s->cursor] > 0)
			s->record(s->arg, &w->value[s->cursor], sizeof(uint64_t));
	return s->cursor < KEYS;
}

static int on_restore(void *arg, const void *bytes, size_t len)
{
	struct world *w = arg;
	uint64_t n;

	assert_true(len >= sizeof n);
	memcpy(&n, bytes, sizeof n);
	w->restored[n % KEYS] = n;
	return 0;
}

static struct wal_source source_in(struct world *w, int dir)
{
	memset(w->restored, 0, sizeof w->restored);
	return (struct wal_source){
		.dir = dir, .name = "n1", .kind = KIND, .restore = on_restore, .arg = w};
}

static void recover(
	struct world *w, int dir, struct snapshot_report *ret_snapshot, struct wal_report *ret)
{
	struct wal_source source = source_in(w, dir);
	struct err err = {0};
	int code = snapshot_recover(&source, ret_snapshot, &err);

	source.after = ret_snapshot->after;
	source.reach = ret_snapshot->last;
	if (code == 0)
		code = wal_recover(&source, ret, &err);
	if (code == 0)
		code = snapshot_clean(&source, ret_snapshot->after, &err);
	if (code < 0)
		fail_msg("seed %llu: %s", (unsigned long long)w->seed, err.text);
	w->found = ret->records;
	if (w->found < w->promised)
		fail_msg("seed %llu: %llu records of %llu came back", (unsigned long long)w->seed,
			(unsigned long long)w->found, (unsigned long long)w->promised);
	for (uint64_t n = w->found; n > 0 && n + KEYS > w->found; n--)
		if (w->restored[n % KEYS] != n)
			fail_msg("seed %llu: record %llu came back as %llu",
				(unsigned long long)w->seed, (unsigned long long)n,
				(unsigned long long)w->restored[n % KEYS]);
}

static int folder(char *path)
{
	int dir;

	(void)snprintf(path, 64, "/dev/shm/pacelab-crash-test.XXXXXX");
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(dir >= 0);
	return dir;
}

static void recover_image(struct world *w, const struct crash_disk *disk)
{
	struct snapshot_report snapshot;
	struct wal_report report;
	char path[64];
	struct crash_disk *recorded = crash_disk;
	int dir = folder(path);

	crash_disk = NULL;
	crash_image(disk, &w->chance, dir);
	recover(w, dir, &snapshot, &report);
	wal_report_fini(&report);
	w->images++;
	close(dir);
	data_remove(path);
	crash_disk = recorded;
}

static void lose_power(void *arg)
{
	struct world *w = arg;

	recover_image(w, &w->disk);
}

/* A second loss of power while the first is recovered from. */
struct twice {
	struct world *w;
	struct crash_disk disk;
};

static void lose_again(void *arg)
{
	struct twice *t = arg;

	recover_image(t->w, &t->disk);
}

static void lose_power_twice(struct world *w)
{
	struct twice *t = calloc(1, sizeof *t);
	struct crash_disk *outer = crash_disk;
	struct snapshot_report snapshot;
	struct wal_report report;
	char path[64];
	int dir = folder(path);

	assert_non_null(t);
	t->w = w;
	crash_disk = NULL;
	crash_image(&w->disk, &w->chance, dir);
	crash_begin(&t->disk, dir);
	t->disk.changed = lose_again;
	t->disk.arg = t;
	recover(w, dir, &snapshot, &report);
	wal_report_fini(&report);
	crash_end(&t->disk);
	free(t);
	close(dir);
	data_remove(path);
	crash_disk = outer;
}

static void start(struct world *w)
{
	struct snapshot_report found;
	struct wal_report report;
	struct err err = {0};
	struct wal_config config = {.loop = &w->loop,
		.dir = w->dir,
		.name = "n1",
		.kind = KIND,
		.from = &report,
		.when = w->when,
		.segment_max = WAL_SEGMENT_MIN,
		.durable = on_durable,
		.failed = on_failed,
		.full = on_full,
		.arg = w};
	struct snapshot_config snapshots = {.loop = &w->loop,
		.wal = &w->wal,
		.dir = w->dir,
		.kind = KIND,
		.log_min = 100000,
		.part = take,
		.counted = on_counted,
		.failed = on_failed,
		.given_up = on_given_up,
		.arg = w};

	w->loop.n = w->loop.timers = 0;
	recover(w, w->dir, &found, &report);
	memcpy(w->value, w->restored, sizeof w->value);
	w->durable = report.records;
	assert_int_equal(wal_init(&w->wal, &config, &err), 0);
	snapshot_init(&w->snapshot, &snapshots, &found);
	wal_report_fini(&report);
}

static void stop(struct world *w)
{
	for (unsigned i = 0; i < w->loop.n; i++)
		w->loop.begun[i].op->pending = 0;
	w->wal.write.pending = w->wal.sync.pending = 0;
	snapshot_fini(&w->snapshot);
	wal_fini(&w->wal);
}

static void build(struct world *w, uint64_t seed, enum wal_sync when)
{
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->when = when;
	prng_init(&w->chance, seed, 1);
	w->dir = folder(w->path);
	w->loop = (struct loop){.disk = &w->disk, .chance = &w->chance, .now_ns = 1};
	crash_begin(&w->disk, w->dir);
	start(w);
}

static void destroy(struct world *w)
{
	stop(w);
	crash_end(&w->disk);
	close(w->dir);
	data_remove(w->path);
}

static void put_some(struct world *w)
{
	static uint8_t bytes[RECORD_MAX];

	if (wal_full(&w->wal) || wal_waiting(&w->wal) > 60000)
		return;
	for (uint64_t i = prng_below(&w->chance, 4); i > 0; i--) {
		uint64_t n = w->wal.seq + 1;
		size_t len = sizeof n + prng_below(&w->chance,
						prng_below(&w->chance, 5) ? 200 : RECORD_MAX - 8);

		/* Half of them have sectors of zeros of their own. */
		memset(bytes, n % 2 ? 0 : 0x5a, sizeof bytes);
		memcpy(bytes, &n, sizeof n);
		(void)wal_append(&w->wal, bytes, len);
		w->value[n % KEYS] = n;
	}
}

static void step(struct world *w)
{
	put_some(w);
	snapshot_turn(&w->snapshot);
	wal_flush(&w->wal);
	w->loop.now_ns += STEP_NS;
	if (w->loop.n > 0)
		end_one(&w->loop);
	fire_due(&w->loop);
	/* Without WAL_SYNC_ALWAYS nothing is promised but what was synced. */
	w->promised = w->when == WAL_SYNC_ALWAYS ? w->durable : w->wal.synced_seq;
}

static void run(struct world *w, uint64_t seed, enum wal_sync when, unsigned steps)
{
	build(w, seed, when);
	for (unsigned i = 0; i < steps; i++) {
		w->disk.changed = prng_below(&w->chance, 8) == 0 ? lose_power : NULL;
		w->disk.arg = w;
		w->disk.full = i % 300 >= 150 && when == WAL_SYNC_ALWAYS;
		step(w);
		assert_null(w->failed);
		if (prng_below(&w->chance, 16) == 0)
			lose_power_twice(w);
		if (prng_below(&w->chance, 400) == 0) {
			w->disk.changed = NULL;
			stop(w);
			start(w);
		}
	}
	w->disk.changed = NULL;
	destroy(w);
}

static void crash__loses_nothing(enum wal_sync when, unsigned seeds)
{
	static struct world w;
	unsigned images = 0, snapshots = 0, fulls = 0;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		run(&w, seed, when, 1500);
		images += w.images;
		snapshots += w.snapshots;
		fulls += w.fulls;
	}
	print_message(
		"# %u losses of power, %u snapshots, %u times no room\n", images, snapshots, fulls);
	assert_true(images > 100 && snapshots > 0 && (fulls > 0 || when != WAL_SYNC_ALWAYS));
}

static void crash__loses_nothing_that_was_acknowledged(void **state)
{
	(void)state;
	crash__loses_nothing(WAL_SYNC_ALWAYS, 8);
}

static void crash__with_an_interval_loses_nothing_that_was_synced(void **state)
{
	(void)state;
	crash__loses_nothing(WAL_SYNC_INTERVAL, 4);
}

static void crash__without_syncs_leaves_what_can_be_recovered(void **state)
{
	(void)state;
	crash__loses_nothing(WAL_SYNC_NONE, 4);
}

static void crash__acknowledges_nothing_after_a_failed_sync(void **state)
{
	static struct world w;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t durable;
		bool failed;

		build(&w, seed, WAL_SYNC_ALWAYS);
		w.disk.sync_fails = 3 + (unsigned)prng_below(&w.chance, 60);
		for (unsigned i = 0; i < 3000 && !w.failed; i++)
			step(&w);
		assert_non_null(w.failed);
		durable = w.durable;
		failed = w.wal.failed; /* or a snapshot's sync */
		for (unsigned i = 0; i < 100; i++) {
			snapshot_turn(&w.snapshot);
			wal_flush(&w.wal);
			if (w.loop.n > 0)
				end_one(&w.loop);
			fire_due(&w.loop);
			recover_image(&w, &w.disk);
		}
		assert_true(!failed || w.durable == durable);
		destroy(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crash__loses_nothing_that_was_acknowledged),
		cmocka_unit_test(crash__with_an_interval_loses_nothing_that_was_synced),
		cmocka_unit_test(crash__without_syncs_leaves_what_can_be_recovered),
		cmocka_unit_test(crash__acknowledges_nothing_after_a_failed_sync),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
