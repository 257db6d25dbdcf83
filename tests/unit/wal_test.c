/* SPDX-License-Identifier: MIT */
/* wal_test.c - the log as it is written: group commit, prepared space, a disk that is full or fails
 */
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store/proto.h"
#include "tests/unit/wal_world.h"

static void wal__gives_back_all_records_in_order(void **state)
{
	struct world w;
	struct wal_report report;
	struct err err = {0};

	(void)state;
	setup(&w);
	fill(&w);
	assert_int_equal(wal_bytes(&w.wal), FILLED_SIZE);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 3);
	assert_int_equal(report.end, FILLED_SIZE);
	assert_int_equal(report.torn_bytes, 0);
	assert_restored(&w, FILLED);
	teardown(&w);
}

static void wal__commits_together_what_came_while_a_batch_was_under_way(void **state)
{
	struct world w;

	(void)state;
	setup(&w);
	append(&w, "a");
	append(&w, "b");
	wal_flush(&w.wal);
	append(&w, "c");
	wal_flush(&w.wal);
	append(&w, "d");
	wal_flush(&w.wal);
	assert_int_equal(w.durable, 0);
	while (w.batches < 1)
		assert_int_equal(loop_turn(w.loop), 0);
	assert_int_equal(w.durable, 2);
	turn_until_settled(&w);
	assert_int_equal(w.durable, 4);
	assert_int_equal(w.batches, 2);
	teardown(&w);
}

static void wal__skips_the_sync_when_told_to(void **state)
{
	struct wal_report report;
	struct world w;
	struct err err = {0};

	(void)state;
	setup_sync(&w, WAL_SYNC_NONE);
	fill(&w);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_restored(&w, FILLED);
	teardown(&w);
}

static void wal__into_the_page_cache_writes_at_once(void **state)
{
	struct wal_report report;
	struct world w;
	struct err err = {0};

	(void)state;
	setup_sync(&w, WAL_SYNC_NONE);
	append(&w, "first");
	wal_flush(&w.wal);
	assert_int_equal(w.durable, 1);
	assert_int_equal(w.wal.write.pending, 0);
	/* Where that is slow, the kernel's threads do it. */
	w.wal.indirect_until_ns = UINT64_MAX;
	append(&w, "");
	append(&w, "and a third.");
	wal_flush(&w.wal);
	assert_int_equal(w.durable, 1);
	assert_int_equal(w.wal.write.pending, 1);
	turn_until_settled(&w);
	assert_int_equal(w.durable, 3);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_restored(&w, FILLED);
	teardown(&w);
}

static void wal__prepares_space_ahead_and_does_not_call_it_torn(void **state)
{
	struct wal_report report;
	struct err err = {0};
	struct world w;
	struct stat st;
	uint64_t size;

	(void)state;
	setup(&w);
	fill(&w);
	size = size_of(&w);
	assert_int_equal(size, WAL_SEGMENT_MIN);
	assert_int_equal(wal_bytes(&w.wal), FILLED_SIZE);
	assert_int_equal(fstatat(w.dir, WAL_FILE ".1", &st, 0), 0);
	assert_int_equal(st.st_size, 2 * WAL_SEGMENT_MIN);
	stop(&w);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.torn_bytes, 0);
	assert_int_equal(report.end, FILLED_SIZE);
	assert_int_equal(report.size, size);
	/* It is used again, not made again. */
	start(&w, &report, WAL_SYNC_ALWAYS);
	append(&w, "4");
	turn_until_settled(&w);
	assert_int_equal(size_of(&w), size);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 4);
	teardown(&w);
}

/* Many of them are larger than what is prepared. */
static void wal__keeps_batches_of_all_sizes(void **state)
{
	static char big[3 << 20];
	struct wal_report report;
	struct err err = {0};
	struct world w;
	uint64_t bytes = 0;

	(void)state;
	setup(&w);
	memset(big, 'x', sizeof big);
	for (unsigned i = 1; i <= 200; i++) {
		size_t len = i * 7919 % (i % 8 ? 40000 : PROTO_MESSAGE_MAX);

		wal_append(&w.wal, big, len);
		bytes += len + 1;
		wal_flush(&w.wal);
		assert_int_equal(loop_turn(w.loop), 0);
	}
	turn_until_settled(&w);
	stop(&w);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 200);
	assert_true(report.older.count > 3);
	wal_report_fini(&report);
	start(&w, &w.report, WAL_SYNC_ALWAYS);
	assert_int_equal(w.restored.len, bytes);
	teardown(&w);
}

/* A log on a device that fails in one way. */
static void setup_on(struct world *w, const char *device, enum wal_sync when)
{
	int fd = open(device, strcmp(device, "/") ? O_WRONLY : O_RDONLY);

	assert_true(fd >= 0);
	setup_sync(w, when);
	close(w->wal.fd);
	w->wal.fd = fd;
}

static void assert_fails(const char *device, const char *what, int error)
{
	struct world w;

	setup_on(&w, device, WAL_SYNC_ALWAYS);
	append(&w, "lost");
	turn_until_settled(&w);
	assert_int_equal(w.durable, 0);
	assert_string_equal(w.failed_what, what);
	assert_int_equal(w.failed_error, error);
	/* It is not tried again, and nothing after it is called durable. */
	append(&w, "lost, too");
	wal_flush(&w.wal);
	assert_int_equal(w.wal.write.pending, 0);
	assert_int_equal(w.durable, 0);
	teardown(&w);
}

static void wal__stops_at_a_failed_write(void **state)
{
	(void)state;
	/* Nothing can be written to a folder, whatever room there is. */
	assert_fails("/", "write", -EBADF);
}

static void wal__stops_at_a_failed_sync(void **state)
{
	(void)state;
	assert_fails("/dev/null", "fdatasync", -EINVAL);
}

static void limit_size(uint64_t size)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size == UINT64_MAX ? limit.rlim_max : size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* No file may be larger than what was prepared at the start, and the record is. */
static void wal__takes_a_record_back_when_there_is_no_room_and_goes_on_later(void **state)
{
	static char big[2 * WAL_SEGMENT_MIN];
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	limit_size(WAL_SEGMENT_MIN);
	wal_append(&w.wal, big, sizeof big);
	while (!w.fulls)
		turn_once(&w);
	assert_true(wal_full(&w.wal));
	assert_null(w.failed_what);
	assert_int_equal(w.durable, 0);
	/* Nothing of it is in the log. */
	assert_int_equal(size_of(&w), WAL_HEADER);
	append(&w, "waits, too");
	limit_size(UINT64_MAX);
	turn_until_settled(&w);
	assert_int_equal(w.durable, 2);
	assert_int_equal(w.fulls, 2);
	assert_false(wal_full(&w.wal));
	stop(&w);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 2);
	assert_int_equal(w.restored.len, sizeof big + strlen("waits, too") + 2);
	wal_report_fini(&report);
	teardown(&w);
}

/* What was prepared serves when there is no more. */
static void wal__fills_what_was_prepared_before_it_calls_the_disk_full(void **state)
{
	char text[1000];
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	limit_size(size_of(&w));
	memset(text, 't', sizeof text);
	while (wal_bytes(&w.wal) + sizeof text + WAL_RECORD_FRAME <= size_of(&w)) {
		wal_append(&w.wal, text, sizeof text);
		turn_until_settled(&w);
	}
	assert_int_equal(w.fulls, 0);
	assert_int_equal(w.durable, w.wal.seq);
	limit_size(UINT64_MAX);
	teardown(&w);
}

static void wal__stops_when_a_record_cannot_be_taken_back(void **state)
{
	struct world w;

	(void)state;
	setup_on(&w, "/dev/full", WAL_SYNC_ALWAYS);
	append(&w, "lost");
	while (!w.failed_what) {
		wal_flush(&w.wal);
		assert_int_equal(loop_turn(w.loop), 0);
	}
	/* A device cannot be cut. */
	assert_string_equal(w.failed_what, "truncate");
	assert_int_equal(w.durable, 0);
	teardown(&w);
}

static void wal__with_an_interval_syncs_after_it_answered(void **state)
{
	struct wal_report report;
	struct err err = {0};
	struct world w;
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;

	(void)state;
	setup_sync(&w, WAL_SYNC_INTERVAL);
	fill(&w);
	assert_int_equal(w.wal.synced, WAL_HEADER);
	assert_int_equal(w.wal.sync.pending, 0);
	while (w.wal.synced < FILLED_SIZE) {
		assert_true(clock_now_ns() < deadline);
		assert_int_equal(loop_turn(w.loop), 0);
	}
	assert_int_equal(w.batches, 1);
	/* Nothing to do, no timer. */
	assert_int_equal(w.wal.interval.place, 0);
	append(&w, "4");
	wal_flush(&w.wal);
	assert_int_equal(w.durable, 4);
	assert_true(w.wal.interval.place);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 4);
	teardown(&w);
}

static void wal__with_an_interval_stops_at_a_failed_sync(void **state)
{
	struct world w;

	(void)state;
	setup_on(&w, "/dev/null", WAL_SYNC_INTERVAL);
	append(&w, "lost");
	turn_until_settled(&w);
	assert_int_equal(w.durable, 1);
	while (!w.failed_what)
		assert_int_equal(loop_turn(w.loop), 0);
	assert_string_equal(w.failed_what, "fdatasync");
	append(&w, "lost, too");
	wal_flush(&w.wal);
	assert_int_equal(w.wal.write.pending, 0);
	teardown(&w);
}

/* The disk may still read it when the loop has given up waiting. */
static void wal__leaves_the_memory_of_a_batch_under_way_alone(void **state)
{
	const uint8_t *bytes;
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	append(&w, "4");
	wal_flush(&w.wal);
	bytes = w.wal.flight.p;
	loop_close(w.loop);
	w.wal.write.pending = 1;
	w.loop = NULL;
	wal_fini(&w.wal);
	assert_memory_equal(bytes, WAL_MAGIC, 8);
	free((void *)(uintptr_t)bytes);
	w.wal = (struct wal){.fd = -1, .behind_fd = -1, .spare = {.fd = -1}};
	teardown(&w);
}

/* A log that is cut often is kept short only if its segments are. */
static void wal__prepares_no_segment_larger_than_told(void **state)
{
	static char big[100000];
	struct world w;

	(void)state;
	setup(&w);
	w.wal.config.segment_max = 3 * WAL_SEGMENT_MIN + 5;
	for (unsigned i = 0; i < 30; i++) {
		wal_append(&w.wal, big, sizeof big);
		turn_until_settled(&w);
	}
	assert_true(w.wal.segment > 5);
	assert_true(w.wal.size <= 3 * WAL_SEGMENT_MIN);
	teardown(&w);
}

static void wal__says_when_too_much_waits_for_the_disk(void **state)
{
	static char big[1 << 20];
	struct world w;

	(void)state;
	setup(&w);
	assert_false(wal_busy(&w.wal));
	while (!wal_busy(&w.wal))
		wal_append(&w.wal, big, sizeof big);
	assert_true(w.wal.fill.len > WAL_QUEUE_MAX);
	turn_until_settled(&w);
	assert_false(wal_busy(&w.wal));
	teardown(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wal__gives_back_all_records_in_order),
		cmocka_unit_test(wal__commits_together_what_came_while_a_batch_was_under_way),
		cmocka_unit_test(wal__skips_the_sync_when_told_to),
		cmocka_unit_test(wal__into_the_page_cache_writes_at_once),
		cmocka_unit_test(wal__prepares_space_ahead_and_does_not_call_it_torn),
		cmocka_unit_test(wal__keeps_batches_of_all_sizes),
		cmocka_unit_test(wal__stops_at_a_failed_write),
		cmocka_unit_test(wal__stops_at_a_failed_sync),
		cmocka_unit_test(wal__takes_a_record_back_when_there_is_no_room_and_goes_on_later),
		cmocka_unit_test(wal__fills_what_was_prepared_before_it_calls_the_disk_full),
		cmocka_unit_test(wal__stops_when_a_record_cannot_be_taken_back),
		cmocka_unit_test(wal__with_an_interval_syncs_after_it_answered),
		cmocka_unit_test(wal__with_an_interval_stops_at_a_failed_sync),
		cmocka_unit_test(wal__leaves_the_memory_of_a_batch_under_way_alone),
		cmocka_unit_test(wal__prepares_no_segment_larger_than_told),
		cmocka_unit_test(wal__says_when_too_much_waits_for_the_disk),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
