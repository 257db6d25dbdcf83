/* SPDX-License-Identifier: MIT */
/* wal_test.c - the log: group commit, recovery, and what it says about every kind of damage */
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "tests/lib/test.h"

#define DEADLINE_NS (10 * NS_PER_S)
#define KIND 0x1234u

/* Calls of the C library's function are counted on their way to the kernel. */
static unsigned syncs;

int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

/* A log under test: what it reported and what recovery gave back. */
struct world {
	struct loop *loop;
	struct wal wal;
	FILE *file;
	int fd;
	uint64_t durable;
	unsigned batches;
	const char *failed_what;
	int failed_error;
	struct buf restored; /* each record, followed by a '|' */
	int restore_result;
};

static void on_durable(void *arg, uint64_t seq)
{
	struct world *w = arg;

	assert_true(seq > w->durable);
	w->durable = seq;
	w->batches++;
}

static void on_failed(void *arg, const char *what, int error)
{
	struct world *w = arg;

	assert_null(w->failed_what);
	w->failed_what = what;
	w->failed_error = error;
}

static int on_restore(void *arg, const void *bytes, size_t len)
{
	struct world *w = arg;

	buf_add(&w->restored, bytes, len);
	buf_u8(&w->restored, '|');
	return w->restore_result;
}

static int recover(struct world *w, uint32_t kind, struct wal_report *ret, struct err *err)
{
	struct wal_source source = {
		.fd = w->fd, .name = "n1/log", .kind = kind, .restore = on_restore, .arg = w};

	w->restored.len = 0;
	return wal_recover(&source, ret, err);
}

static void start(struct world *w, const struct wal_report *report, bool sync)
{
	struct wal_config config = {
		.loop = w->loop,
		.fd = w->fd,
		.offset = report->end,
		.last_seq = report->records,
		.sync = sync,
		.durable = on_durable,
		.failed = on_failed,
		.arg = w,
	};

	wal_init(&w->wal, &config);
}

static void setup(struct world *w)
{
	struct loop_config config = {0};
	struct wal_report report;
	struct err err = {0};

	*w = (struct world){.file = tmpfile()};
	assert_non_null(w->file);
	w->fd = fileno(w->file);
	if (loop_open(&w->loop, &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(recover(w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 0);
	assert_int_equal(report.end, WAL_HEADER);
	start(w, &report, true);
}

static void teardown(struct world *w)
{
	loop_close(w->loop);
	wal_fini(&w->wal);
	buf_fini(&w->restored);
	(void)fclose(w->file);
}

static void append(struct world *w, const char *text)
{
	wal_append(&w->wal, text, strlen(text));
}

static void turn_until_settled(struct world *w)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;

	while (w->durable < w->wal.seq && !w->failed_what) {
		assert_true(clock_now_ns() < deadline);
		wal_flush(&w->wal);
		assert_int_equal(loop_turn(w->loop), 0);
	}
}

/* Three records of 5, 0 and 12 bytes on disk. */
static void fill(struct world *w)
{
	append(w, "first");
	append(w, "");
	append(w, "and a third.");
	turn_until_settled(w);
	assert_int_equal(w->durable, 3);
}

#define FILLED "first||and a third.|"
#define FILLED_SIZE (WAL_HEADER + 3 * WAL_RECORD_HEADER + 5 + 0 + 12)

static void assert_restored(const struct world *w, const char *text)
{
	assert_int_equal(w->restored.len, strlen(text));
	assert_memory_equal(w->restored.p, text, strlen(text));
}

static uint64_t size_of(const struct world *w)
{
	return (uint64_t)lseek(w->fd, 0, SEEK_END);
}

static void wal__gives_back_all_records_in_order(void **state)
{
	struct world w;
	struct wal_report report;
	struct err err = {0};

	(void)state;
	setup(&w);
	fill(&w);
	assert_int_equal(size_of(&w), FILLED_SIZE);
	assert_int_equal(wal_bytes(&w.wal), FILLED_SIZE);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 3);
	assert_int_equal(report.end, FILLED_SIZE);
	assert_int_equal(report.torn_bytes, 0);
	assert_restored(&w, FILLED);
	teardown(&w);
}

static void wal__goes_on_counting_after_recovery(void **state)
{
	struct world w;
	struct wal_report report;
	struct err err = {0};

	(void)state;
	setup(&w);
	fill(&w);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	wal_fini(&w.wal);
	start(&w, &report, true);
	assert_int_equal(wal_append(&w.wal, "4", 1), 4);
	turn_until_settled(&w);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 4);
	assert_restored(&w, FILLED "4|");
	teardown(&w);
}

/* A killed writer leaves records that the kernel has, but the disk may not. */
static void wal__syncs_what_it_recovers(void **state)
{
	struct wal_report report = {.end = WAL_HEADER};
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	wal_fini(&w.wal);
	start(&w, &report, false);
	fill(&w);
	syncs = 0;
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 3);
	assert_int_equal(syncs, 1);
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
	struct wal_report report = {.end = WAL_HEADER};
	struct world w;
	struct err err = {0};

	(void)state;
	setup(&w);
	start(&w, &report, false);
	fill(&w);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_restored(&w, FILLED);
	teardown(&w);
}

static void wal__cuts_a_last_record_that_is_torn_at_any_byte(void **state)
{
	uint64_t second_end = FILLED_SIZE - WAL_RECORD_HEADER - 12;
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	for (uint64_t size = FILLED_SIZE - 1; size > second_end; size--) {
		/* What was cut once is grown again by the records that were lost. */
		assert_int_equal(ftruncate(w.fd, (off_t)size), 0);
		assert_int_equal(recover(&w, KIND, &report, &err), 0);
		assert_int_equal(report.records, 2);
		assert_int_equal(report.end, second_end);
		assert_int_equal(report.torn_bytes, size - second_end);
		assert_int_equal(size_of(&w), second_end);
		assert_restored(&w, "first||");
		wal_fini(&w.wal);
		w.durable = 2;
		start(&w, &report, false);
		append(&w, "and a third.");
		turn_until_settled(&w);
		assert_int_equal(size_of(&w), FILLED_SIZE);
	}
	teardown(&w);
}

static void wal__cuts_zeros_at_the_end_and_refuses_zeros_in_the_middle(void **state)
{
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	assert_int_equal(ftruncate(w.fd, FILLED_SIZE + (3 << 20)), 0);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 3);
	assert_int_equal(report.torn_bytes, 3 << 20);
	assert_int_equal(size_of(&w), FILLED_SIZE);
	assert_int_equal(pwrite(w.fd, "x", 1, FILLED_SIZE + (2 << 20)), 1);
	assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
	assert_int_equal(size_of(&w), FILLED_SIZE + (2 << 20) + 1);
	teardown(&w);
}

/* Offset of the record, or of the header's byte, in which byte @at lies. */
static uint64_t begins(uint64_t at)
{
	uint64_t second = WAL_HEADER + WAL_RECORD_HEADER + 5;

	if (at < WAL_HEADER)
		return at;
	return at < second                       ? WAL_HEADER
	       : at < second + WAL_RECORD_HEADER ? second
						 : second + WAL_RECORD_HEADER;
}

static void wal__refuses_any_flipped_byte_and_names_its_place(void **state)
{
	struct wal_report report;
	struct world w;
	char place[64];

	(void)state;
	setup(&w);
	fill(&w);
	for (uint64_t at = 0; at < FILLED_SIZE; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct err err = {0};
			uint8_t byte;

			assert_int_equal(pread(w.fd, &byte, 1, (off_t)at), 1);
			byte ^= (uint8_t)(1 << bit);
			assert_int_equal(pwrite(w.fd, &byte, 1, (off_t)at), 1);
			assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
			(void)snprintf(place, sizeof place, "n1/log: damaged at offset %llu",
				(unsigned long long)begins(at));
			assert_non_null(strstr(err.text, place));
			assert_non_null(strstr(err.text, "found"));
			assert_non_null(strstr(err.text, "expected"));
			/* Nothing was restored from a log that is not sound. */
			assert_int_equal(w.restored.len, 0);
			assert_int_equal(size_of(&w), FILLED_SIZE);
			byte ^= (uint8_t)(1 << bit);
			assert_int_equal(pwrite(w.fd, &byte, 1, (off_t)at), 1);
		}
	}
	teardown(&w);
}

static void wal__refuses_a_gap_in_the_sequence(void **state)
{
	size_t second = WAL_HEADER + WAL_RECORD_HEADER + 5;
	size_t rest = FILLED_SIZE - second - WAL_RECORD_HEADER;
	struct wal_report report;
	struct err err = {0};
	uint8_t bytes[FILLED_SIZE];
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	assert_int_equal(pread(w.fd, bytes, rest, (off_t)(second + WAL_RECORD_HEADER)), rest);
	assert_int_equal(pwrite(w.fd, bytes, rest, (off_t)second), rest);
	assert_int_equal(ftruncate(w.fd, (off_t)(second + rest)), 0);
	assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "sequence number 0x3 found, 0x2 expected"));
	teardown(&w);
}

static void wal__refuses_a_log_of_another_kind(void **state)
{
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	assert_int_equal(recover(&w, KIND + 1, &report, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "of another protocol or replica"));
	assert_non_null(strstr(err.text, "offset 12"));
	teardown(&w);
}

static void wal__refuses_a_record_that_its_reader_does_not_know(void **state)
{
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	w.restore_result = -EBADMSG;
	assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "offset 20 (record 1)"));
	teardown(&w);
}

static void wal__begins_anew_when_only_part_of_its_header_was_written(void **state)
{
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	for (int size = 0; size < (int)WAL_HEADER; size++) {
		assert_int_equal(ftruncate(w.fd, size), 0);
		assert_int_equal(recover(&w, KIND, &report, &err), 0);
		assert_int_equal(report.torn_bytes, size);
		assert_int_equal(size_of(&w), WAL_HEADER);
	}
	assert_int_equal(ftruncate(w.fd, 0), 0);
	assert_int_equal(pwrite(w.fd, "not a log", 9, 0), 9);
	assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
	teardown(&w);
}

/* A log on a device that fails in one way. */
static void assert_fails(const char *device, const char *what, int error)
{
	struct wal_report report = {.end = WAL_HEADER};
	struct world w;
	int fd = open(device, O_WRONLY);

	assert_true(fd >= 0);
	setup(&w);
	w.fd = fd;
	start(&w, &report, true);
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
	close(fd);
}

static void wal__stops_at_a_failed_write(void **state)
{
	(void)state;
	assert_fails("/dev/full", "write", -ENOSPC);
}

static void wal__stops_at_a_failed_sync(void **state)
{
	(void)state;
	assert_fails("/dev/null", "fdatasync", -EINVAL);
}

static void wal__writes_the_rest_after_a_short_write(void **state)
{
	struct rlimit was;
	struct rlimit limit;
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	/* The file may grow by half a record: the write is short, and so is the log's promise. */
	limit.rlim_cur = WAL_HEADER + 30;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	append(&w, "twenty bytes of text");
	turn_until_settled(&w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(w.durable, 0);
	assert_string_equal(w.failed_what, "write");
	assert_int_equal(w.failed_error, -EFBIG);
	/* It did try to write the rest: the first half is there. */
	assert_int_equal(w.wal.flight_done, 30);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.torn_bytes, 30);
	teardown(&w);
}

static void wal__says_when_too_much_waits_for_the_disk(void **state)
{
	static char big[1 << 20];
	struct world w;

	(void)state;
	setup(&w);
	assert_false(wal_full(&w.wal));
	while (!wal_full(&w.wal))
		wal_append(&w.wal, big, sizeof big);
	assert_true(w.wal.fill.len > WAL_QUEUE_MAX);
	turn_until_settled(&w);
	assert_false(wal_full(&w.wal));
	teardown(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wal__gives_back_all_records_in_order),
		cmocka_unit_test(wal__goes_on_counting_after_recovery),
		cmocka_unit_test(wal__syncs_what_it_recovers),
		cmocka_unit_test(wal__commits_together_what_came_while_a_batch_was_under_way),
		cmocka_unit_test(wal__skips_the_sync_when_told_to),
		cmocka_unit_test(wal__cuts_a_last_record_that_is_torn_at_any_byte),
		cmocka_unit_test(wal__cuts_zeros_at_the_end_and_refuses_zeros_in_the_middle),
		cmocka_unit_test(wal__refuses_any_flipped_byte_and_names_its_place),
		cmocka_unit_test(wal__refuses_a_gap_in_the_sequence),
		cmocka_unit_test(wal__refuses_a_log_of_another_kind),
		cmocka_unit_test(wal__refuses_a_record_that_its_reader_does_not_know),
		cmocka_unit_test(wal__begins_anew_when_only_part_of_its_header_was_written),
		cmocka_unit_test(wal__stops_at_a_failed_write),
		cmocka_unit_test(wal__stops_at_a_failed_sync),
		cmocka_unit_test(wal__writes_the_rest_after_a_short_write),
		cmocka_unit_test(wal__says_when_too_much_waits_for_the_disk),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
