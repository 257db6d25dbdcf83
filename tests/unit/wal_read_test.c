/* SPDX-License-Identifier: MIT */
/* wal_read_test.c - recovery of the log, and what it says about every kind of damage */
#include <errno.h>
#include <sys/syscall.h>

#include "tests/unit/wal_world.h"

/* Calls of the C library's function are counted on their way to the kernel. */
static unsigned syncs;

int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
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
	stop(&w);
	start(&w, &report, WAL_SYNC_ALWAYS);
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
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup_sync(&w, WAL_SYNC_NONE);
	fill(&w);
	syncs = 0;
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 3);
	/* The one in use and the one prepared before they are read, what is used once more. */
	assert_int_equal(syncs, 3);
	teardown(&w);
}

static void wal__cuts_a_last_record_that_is_torn_at_any_byte(void **state)
{
	uint64_t second_end = THIRD;
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	trim(&w);
	for (uint64_t size = FILLED_SIZE - 1; size > second_end; size--) {
		/* What was cut once is grown again by the records that were lost. */
		assert_int_equal(ftruncate(w.fd, (off_t)size), 0);
		assert_int_equal(recover(&w, KIND, &report, &err), 0);
		assert_int_equal(report.records, 2);
		assert_int_equal(report.end, second_end);
		assert_int_equal(report.torn_bytes, size - second_end);
		assert_int_equal(size_of(&w), second_end);
		assert_restored(&w, "first||");
		stop(&w);
		w.durable = 2;
		start(&w, &report, WAL_SYNC_NONE);
		append(&w, "and a third.");
		turn_until_settled(&w);
		trim(&w);
	}
	teardown(&w);
}

/* What a write leaves that was killed after some bytes, in space that was prepared. */
static void wal__cuts_a_record_that_was_written_in_part_into_prepared_space(void **state)
{
	static const uint8_t zeros[FILLED_SIZE];
	struct wal_report report;
	struct err err = {0};
	struct world w;
	uint8_t all[FILLED_SIZE];

	(void)state;
	setup(&w);
	fill(&w);
	assert_int_equal(pread(w.fd, all, sizeof all, 0), sizeof all);
	for (uint64_t at = THIRD; at < FILLED_SIZE; at++) {
		uint64_t data = at;

		assert_int_equal(ftruncate(w.fd, FILLED_SIZE + (1 << 20)), 0);
		put(&w, zeros, FILLED_SIZE - at, at);
		while (data > THIRD && all[data - 1] == 0)
			data--;
		assert_int_equal(recover(&w, KIND, &report, &err), 0);
		assert_int_equal(report.records, 2);
		assert_int_equal(report.end, THIRD);
		assert_int_equal(report.torn_bytes, data - THIRD);
		assert_restored(&w, "first||");
		put(&w, all, sizeof all, 0);
	}
	teardown(&w);
}

/* Of two batches the second is large; of the first it is known that it was on disk. */
static uint64_t two_batches(struct world *w)
{
	char big[3000];
	uint64_t begin;

	fill(w);
	begin = wal_bytes(&w->wal);
	memset(big, 'b', sizeof big);
	wal_append(&w->wal, big, sizeof big);
	wal_append(&w->wal, "5", 1);
	turn_until_settled(w);
	return begin;
}

/* Sectors of a batch reach the disk in any order: a later record may be there without the first. */
static void wal__cuts_a_batch_of_which_a_sector_is_lost(void **state)
{
	static const uint8_t zeros[512];
	struct wal_report report;
	struct err err = {0};
	struct world w;
	uint64_t begin;

	(void)state;
	setup(&w);
	begin = two_batches(&w);
	put(&w, zeros, sizeof zeros, 1024);
	assert_int_equal(recover(&w, KIND, &report, &err), 0);
	assert_int_equal(report.records, 3);
	assert_int_equal(report.end, begin);
	assert_int_equal(report.torn_bytes, 3000 + 1 + 2 * WAL_RECORD_FRAME);
	assert_int_equal(size_of(&w), begin);
	teardown(&w);
}

static void wal__refuses_a_lost_sector_before_a_batch_that_followed(void **state)
{
	static const uint8_t zeros[512];
	struct wal_report report;
	struct err err = {0};
	struct world w;
	char place[64];
	uint64_t begin;

	(void)state;
	setup(&w);
	begin = two_batches(&w);
	append(&w, "6");
	turn_until_settled(&w);
	put(&w, zeros, sizeof zeros, 1024);
	assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
	(void)snprintf(place, sizeof place, "damaged at offset %llu", (unsigned long long)begin);
	assert_non_null(strstr(err.text, place));
	teardown(&w);
}

/* The last record, acknowledged or not: its length and end are right, so no write was cut off. */
static void wal__refuses_a_last_record_of_full_length_with_a_flipped_byte(void **state)
{
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	put(&w, "X", 1, FILLED_SIZE - 3);
	assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "payload checksum"));
	teardown(&w);
}

static void wal__refuses_zeros_in_the_middle(void **state)
{
	static const uint8_t zeros[WAL_RECORD_FRAME];
	struct wal_report report;
	struct err err = {0};
	struct world w;

	(void)state;
	setup(&w);
	two_batches(&w);
	put(&w, zeros, sizeof zeros, SECOND);
	assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
	teardown(&w);
}

/* Offset of the record, or of the header, in which byte @at lies. */
static uint64_t begins(uint64_t at)
{
	if (at < WAL_HEADER)
		return 0;
	return at < SECOND ? WAL_HEADER : at < THIRD ? SECOND : THIRD;
}

static void wal__refuses_any_flipped_byte_and_names_its_place(void **state)
{
	struct wal_report report;
	struct world w;
	char place[64];

	(void)state;
	setup(&w);
	fill(&w);
	trim(&w);
	for (uint64_t at = 0; at < FILLED_SIZE; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct err err = {0};
			uint8_t byte;

			assert_int_equal(pread(w.fd, &byte, 1, (off_t)at), 1);
			byte ^= (uint8_t)(1 << bit);
			assert_int_equal(pwrite(w.fd, &byte, 1, (off_t)at), 1);
			assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
			(void)snprintf(place, sizeof place,
				"n1/" WAL_FILE ": damaged at offset %llu",
				(unsigned long long)begins(at));
			assert_non_null(strstr(err.text, place));
			assert_non_null(strstr(err.text, "found"));
			assert_non_null(strstr(err.text, "expected"));
			/* The log was left as it is. */
			assert_int_equal(size_of(&w), FILLED_SIZE);
			byte ^= (uint8_t)(1 << bit);
			assert_int_equal(pwrite(w.fd, &byte, 1, (off_t)at), 1);
		}
	}
	teardown(&w);
}

static void wal__refuses_a_gap_in_the_sequence(void **state)
{
	size_t rest = FILLED_SIZE - THIRD;
	struct wal_report report;
	struct err err = {0};
	uint8_t bytes[FILLED_SIZE];
	struct world w;

	(void)state;
	setup(&w);
	fill(&w);
	assert_int_equal(pread(w.fd, bytes, rest, THIRD), rest);
	assert_int_equal(pwrite(w.fd, bytes, rest, SECOND), rest);
	assert_int_equal(ftruncate(w.fd, (off_t)(SECOND + rest)), 0);
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
	assert_non_null(strstr(err.text, "offset 32 (record 1)"));
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
		close(w.fd);
		w.fd = openat(w.dir, WAL_FILE, O_RDWR);
		assert_true(size_of(&w) >= WAL_HEADER);
	}
	assert_int_equal(ftruncate(w.fd, 0), 0);
	assert_int_equal(pwrite(w.fd, "not a log", 9, 0), 9);
	assert_int_equal(recover(&w, KIND, &report, &err), -EBADMSG);
	teardown(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wal__goes_on_counting_after_recovery),
		cmocka_unit_test(wal__syncs_what_it_recovers),
		cmocka_unit_test(wal__cuts_a_last_record_that_is_torn_at_any_byte),
		cmocka_unit_test(wal__cuts_a_record_that_was_written_in_part_into_prepared_space),
		cmocka_unit_test(wal__cuts_a_batch_of_which_a_sector_is_lost),
		cmocka_unit_test(wal__refuses_a_lost_sector_before_a_batch_that_followed),
		cmocka_unit_test(wal__refuses_a_last_record_of_full_length_with_a_flipped_byte),
		cmocka_unit_test(wal__refuses_zeros_in_the_middle),
		cmocka_unit_test(wal__refuses_any_flipped_byte_and_names_its_place),
		cmocka_unit_test(wal__refuses_a_gap_in_the_sequence),
		cmocka_unit_test(wal__refuses_a_log_of_another_kind),
		cmocka_unit_test(wal__refuses_a_record_that_its_reader_does_not_know),
		cmocka_unit_test(wal__begins_anew_when_only_part_of_its_header_was_written),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
