/* SPDX-License-Identifier: MIT */
/*
 * snapshot_test.c - snapshots and the log that they cut: a crash at any step, damage, a full disk
 *
 * The state is KEYS numbers; record number n sets number n % KEYS to n. So what is right after any
 * count of records is known, and a snapshot that is taken while records come is set right by them.
 */
#include "store/snapshot.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/wal_world.h"

#define KEYS 64u
#define KEYS_PER_PART 8u
#define RECORD 600u

struct disk {
	struct world w;
	struct snapshot snapshot;
	uint64_t value[KEYS];
	uint64_t restored[KEYS];
	uint64_t found; /* the highest restored */
	unsigned given_up;
	const char *failed;
	uint64_t counted;
};

static void record_of(uint64_t n, uint8_t *ret)
{
	memset(ret, (int)n, RECORD);
	memcpy(ret, &n, sizeof n);
}

static bool take(void *arg, struct proto_snapshot *s)
{
	struct disk *d = arg;
	uint8_t bytes[RECORD];

	for (unsigned i = 0; i < KEYS_PER_PART; i++, s->cursor++) {
		record_of(d->value[s->cursor], bytes);
		if (d->value[s->cursor] > 0)
			s->record(s->arg, bytes, sizeof bytes);
	}
	return s->cursor < KEYS;
}

static void on_counted(void *arg, const struct proto_snapshot *s)
{
	(void)s;
	((struct disk *)arg)->counted++;
}

static void on_stopped(void *arg, const char *what, int error)
{
	(void)error;
	((struct disk *)arg)->failed = what;
}

static void on_given_up(void *arg, int error)
{
	assert_true(error < 0);
	((struct disk *)arg)->given_up++;
}

static void begin(struct disk *d, uint64_t log_min)
{
	struct snapshot_config config = {
		.loop = d->w.loop,
		.wal = &d->w.wal,
		.dir = d->w.dir,
		.kind = KIND,
		.log_min = log_min,
		.part = take,
		.counted = on_counted,
		.failed = on_stopped,
		.given_up = on_given_up,
		.arg = d,
	};
	struct snapshot_report none = {0};

	memset(d, 0, sizeof *d);
	setup(&d->w);
	config.loop = d->w.loop;
	config.dir = d->w.dir;
	snapshot_init(&d->snapshot, &config, &none);
}

static void end(struct disk *d)
{
	loop_close(d->w.loop);
	d->w.loop = NULL;
	snapshot_fini(&d->snapshot);
	teardown(&d->w);
}

static void put_next(struct disk *d)
{
	uint8_t bytes[RECORD];
	uint64_t n = d->w.wal.seq + 1;

	record_of(n, bytes);
	assert_int_equal(wal_append(&d->w.wal, bytes, sizeof bytes), n);
	d->value[n % KEYS] = n;
}

static void step(struct disk *d)
{
	snapshot_turn(&d->snapshot);
	turn_once(&d->w);
	assert_null(d->w.failed_what);
}

static int restore_number(void *arg, const void *bytes, size_t len)
{
	struct disk *d = arg;
	uint64_t n;

	assert_int_equal(len, RECORD);
	memcpy(&n, bytes, sizeof n);
	assert_true(n > 0);
	if (n > d->found)
		d->found = n;
	d->restored[n % KEYS] = n;
	return 0;
}

static int recover_in(struct disk *d, int dir, struct err *err)
{
	struct wal_source source = {
		.dir = dir, .name = "n1", .kind = KIND, .restore = restore_number, .arg = d};
	struct snapshot_report snapshot;
	struct wal_report report;
	int ret;

	memset(d->restored, 0, sizeof d->restored);
	d->found = 0;
	ret = snapshot_recover(&source, &snapshot, err);
	if (ret < 0)
		return ret;
	source.after = snapshot.after;
	source.reach = snapshot.last;
	ret = wal_recover(&source, &report, err);
	if (ret == 0)
		ret = snapshot_clean(&source, snapshot.after, err);
	if (ret == 0) {
		assert_true(report.records >= d->found);
		d->found = report.records;
		wal_report_fini(&report);
	}
	return ret;
}

/* All of what was acknowledged, and nothing but a beginning of what was ever written. */
static void assert_nothing_lost(struct disk *d, int dir)
{
	struct err err = {0};

	if (recover_in(d, dir, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(d->found >= d->w.durable);
	for (uint64_t n = d->found; n > 0 && n + KEYS > d->found; n--)
		assert_int_equal(d->restored[n % KEYS], n);
}

/* Return: whether it was there; a rename or a removal may just be under way. */
static bool copy_file(int from, int to, const char *name, uint64_t keep)
{
	int in = openat(from, name, O_RDONLY);
	int out = in < 0 ? -1 : openat(to, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat st;
	uint8_t *bytes;

	if (in < 0)
		return false;
	assert_true(out >= 0);
	assert_int_equal(fstat(in, &st), 0);
	bytes = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(pread(in, bytes, (size_t)st.st_size, 0), st.st_size);
	if (keep < (uint64_t)st.st_size)
		memset(bytes + keep, 0, (size_t)st.st_size - keep);
	assert_int_equal(pwrite(out, bytes, (size_t)st.st_size, 0), st.st_size);
	free(bytes);
	close(in);
	close(out);
	return true;
}

/*
 * The folder as a crash would leave it now: with all that was written, or without what was not
 * synced: the batch in flight, and of the half snapshot everything.
 */
static void crash(struct disk *d, bool power)
{
	char path[] = "/dev/shm/pacelab-crash-test.XXXXXX";
	char last[WAL_NAME_MAX];
	DIR *dir = opendir(d->w.path);
	const struct dirent *entry;
	bool same = true;
	int to;

	assert_non_null(mkdtemp(path));
	to = open(path, O_RDONLY | O_DIRECTORY);
	wal_name(d->w.wal.segment, last);
	while (same && (entry = readdir(dir))) {
		uint64_t keep = UINT64_MAX;

		if (entry->d_name[0] == '.')
			continue;
		if (power && strcmp(entry->d_name, last) == 0)
			keep = d->w.wal.offset > WAL_HEADER ? d->w.wal.offset : 0;
		if (power && strcmp(entry->d_name, SNAPSHOT_TEMPORARY) == 0 &&
			d->snapshot.step < SNAPSHOT_LOG)
			keep = 0;
		same = copy_file(d->w.dir, to, entry->d_name, keep);
	}
	closedir(dir);
	if (!same) {
		close(to);
		data_remove(path);
		crash(d, power);
		return;
	}
	assert_nothing_lost(d, to);
	/* What is left over is gone, and the rest can be recovered again. */
	assert_nothing_lost(d, to);
	assert_int_equal(faccessat(to, SNAPSHOT_TEMPORARY, F_OK, 0), -1);
	close(to);
	data_remove(path);
}

static void snapshot__loses_nothing_in_a_crash_at_any_step(void **state)
{
	uint64_t until = clock_now_ns() + 2 * DEADLINE_NS;
	unsigned seen[SNAPSHOT_STEP_NR] = {0};
	struct disk d;

	(void)state;
	begin(&d, 40000);
	for (unsigned i = 0; d.counted < 6; i++) {
		assert_true(clock_now_ns() < until);
		if (wal_waiting(&d.w.wal) < 4000)
			for (unsigned k = 0; k < 1 + i % 5; k++)
				put_next(&d);
		step(&d);
		seen[d.snapshot.step]++;
		crash(&d, false);
		crash(&d, true);
	}
	/* The others may begin and end within one turn. */
	assert_true(seen[SNAPSHOT_IDLE] > 0 && seen[SNAPSHOT_PARTS] > 0);
	assert_int_equal(d.given_up, 0);
	assert_true(d.w.wal.segment > 0);
	end(&d);
}

/* One snapshot and some records after it. */
static void with_snapshot(struct disk *d)
{
	begin(d, 40000);
	while (d->counted < 1 || d->snapshot.step != SNAPSHOT_IDLE) {
		if (d->w.wal.seq < 200)
			put_next(d);
		step(d);
	}
	d->snapshot.config.log_min = 0;
	for (unsigned i = 0; i < 10; i++)
		put_next(d);
	turn_until_settled(&d->w);
}

static void without_first(struct disk *d)
{
	while (faccessat(d->w.dir, WAL_FILE, F_OK, 0) == 0) {
		put_next(d);
		step(d);
	}
	turn_until_settled(&d->w);
}

static void snapshot__takes_the_place_of_old_segments(void **state)
{
	struct disk d;

	(void)state;
	begin(&d, 100000);
	without_first(&d);
	assert_nothing_lost(&d, d.w.dir);
	assert_true(wal_bytes(&d.w.wal) < d.w.wal.appended);
	end(&d);
}

static void snapshot__is_refused_with_any_flipped_byte(void **state)
{
	char name[SNAPSHOT_NAME_MAX];
	struct stat st;
	struct disk d;
	uint8_t byte;
	int fd;

	(void)state;
	with_snapshot(&d);
	snapshot_name(d.snapshot.done_after, name);
	fd = openat(d.w.dir, name, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < (off_t)d.snapshot.done_bytes; at++) {
		struct err err = {0};

		/* The durable end is not used here, but checked. */
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= (uint8_t)(1u << at % 8);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(recover_in(&d, d.w.dir, &err), -EBADMSG);
		assert_non_null(strstr(err.text, name));
		assert_non_null(strstr(err.text, "offset"));
		byte ^= (uint8_t)(1u << at % 8);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_nothing_lost(&d, d.w.dir);
	/* Nor is it used when its end is gone. */
	for (off_t size = (off_t)d.snapshot.done_bytes - 1; size > 0; size -= 97) {
		struct err err = {0};

		assert_int_equal(ftruncate(fd, size), 0);
		assert_int_equal(recover_in(&d, d.w.dir, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "offset"));
	}
	close(fd);
	end(&d);
}

static void snapshot__is_refused_without_its_log(void **state)
{
	struct err err = {0};
	char name[WAL_NAME_MAX];
	struct disk d;

	(void)state;
	with_snapshot(&d);
	for (unsigned i = 0; i <= d.w.wal.segment; i++) {
		wal_name(i, name);
		(void)unlinkat(d.w.dir, name, 0);
	}
	assert_int_equal(recover_in(&d, d.w.dir, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "no log after it"));
	end(&d);
}

static void log__is_refused_without_its_snapshot(void **state)
{
	struct err err = {0};
	char name[SNAPSHOT_NAME_MAX];
	struct disk d;

	(void)state;
	begin(&d, 100000);
	without_first(&d);
	snapshot_name(d.snapshot.done_after, name);
	(void)unlinkat(d.w.dir, name, 0);
	assert_int_equal(recover_in(&d, d.w.dir, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "in no other file"));
	end(&d);
}

static void limit_size(uint64_t size)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size == UINT64_MAX ? limit.rlim_max : size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void snapshot__is_given_up_without_room_while_writes_go_on(void **state)
{
	struct disk d;
	uint64_t before;

	(void)state;
	begin(&d, 20000);
	/* All numbers take more than this, a segment of the log does not. */
	limit_size(16384);
	while (!d.given_up) {
		if (wal_bytes(&d.w.wal) < 60000)
			put_next(&d);
		step(&d);
	}
	before = d.w.durable;
	put_next(&d);
	while (d.w.durable <= before || d.snapshot.step != SNAPSHOT_IDLE)
		step(&d);
	limit_size(UINT64_MAX);
	assert_int_equal(faccessat(d.w.dir, SNAPSHOT_TEMPORARY, F_OK, 0), -1);
	/* Later there is room. */
	d.snapshot.not_before_ns = 0;
	while (!d.counted)
		step(&d);
	assert_nothing_lost(&d, d.w.dir);
	end(&d);
}

static void snapshot__stops_at_a_failed_sync(void **state)
{
	struct disk d;

	(void)state;
	begin(&d, 20000);
	while (d.snapshot.step != SNAPSHOT_PARTS) {
		put_next(&d);
		step(&d);
	}
	close(d.snapshot.fd);
	d.snapshot.fd = open("/dev/null", O_WRONLY);
	while (!d.failed)
		step(&d);
	assert_string_equal(d.failed, "fdatasync");
	assert_int_equal(d.counted, 0);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot__loses_nothing_in_a_crash_at_any_step),
		cmocka_unit_test(snapshot__takes_the_place_of_old_segments),
		cmocka_unit_test(snapshot__is_refused_with_any_flipped_byte),
		cmocka_unit_test(snapshot__is_refused_without_its_log),
		cmocka_unit_test(log__is_refused_without_its_snapshot),
		cmocka_unit_test(snapshot__is_given_up_without_room_while_writes_go_on),
		cmocka_unit_test(snapshot__stops_at_a_failed_sync),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
