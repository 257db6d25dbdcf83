/* SPDX-License-Identifier: MIT */
/* follow_test.c - the records of a history are read while it is written, whole and in order */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/history/follow.h"
#include "agent/history/format.h"
#include "tests/lib/test.h"

#define FOLLOWED 1000

struct followed {
	char path[64];
	int fd;
	struct follow *f;
};

static void followed_begin(struct followed *t)
{
	(void)snprintf(t->path, sizeof t->path, "/tmp/pacelab-follow-XXXXXX");
	t->fd = mkstemp(t->path);
	assert_true(t->fd >= 0);
	assert_int_equal(follow_open(&t->f, t->path, NULL), 0);
}

static void followed_end(struct followed *t)
{
	follow_close(t->f);
	(void)close(t->fd);
	(void)unlink(t->path);
}

static void followed_commit(struct followed *t, uint64_t slot, uint32_t op)
{
	struct history_record r = {.type = HISTORY_INVOKE, .op = op};

	r.crc = format_record_crc(&r);
	assert_int_equal(pwrite(t->fd, &r, sizeof r, (off_t)format_offset(slot)), sizeof r);
}

static void assert_next(struct followed *t, uint32_t op)
{
	const struct history_record *r;

	assert_int_equal(follow_next(t->f, 0, &r), 1);
	assert_int_equal(r->op, op);
}

static void assert_none(struct followed *t, uint64_t now_ns)
{
	const struct history_record *r;

	assert_int_equal(follow_next(t->f, now_ns, &r), 0);
}

static void follow__gives_records_as_they_come(void **state)
{
	struct followed t;

	(void)state;
	followed_begin(&t);
	assert_none(&t, 0);
	for (uint32_t i = 0; i < FOLLOWED; i++) {
		followed_commit(&t, i, i + 1);
		assert_next(&t, i + 1);
		assert_none(&t, 0);
	}
	for (uint32_t i = 0; i < FOLLOWED; i++)
		followed_commit(&t, FOLLOWED + i, i + 1);
	for (uint32_t i = 0; i < FOLLOWED; i++)
		assert_next(&t, i + 1);
	assert_none(&t, 0);
	followed_end(&t);
}

static void follow__waits_for_a_slot_that_is_claimed(void **state)
{
	struct followed t;

	(void)state;
	followed_begin(&t);
	followed_commit(&t, 1, 2);
	assert_none(&t, 1);
	assert_none(&t, FOLLOW_WAIT_NS);
	followed_commit(&t, 0, 1);
	assert_next(&t, 1);
	assert_next(&t, 2);
	assert_int_equal(follow_left_out(t.f), 0);
	followed_end(&t);
}

static void follow__leaves_out_what_a_killed_writer_claimed(void **state)
{
	const struct history_record *r;
	struct followed t;

	(void)state;
	followed_begin(&t);
	followed_commit(&t, 1, 2);
	assert_none(&t, 1);
	assert_int_equal(follow_next(t.f, 1 + FOLLOW_WAIT_NS, &r), 1);
	assert_int_equal(r->op, 2);
	assert_int_equal(follow_left_out(t.f), 1);
	followed_end(&t);
}

static void follow__does_not_take_half_a_record(void **state)
{
	struct history_record half = {.type = HISTORY_INVOKE, .op = 1, .crc = 7};
	struct followed t;

	(void)state;
	followed_begin(&t);
	assert_int_equal(pwrite(t.fd, &half, sizeof half, (off_t)format_offset(0)), sizeof half);
	assert_none(&t, 0);
	followed_commit(&t, 0, 1);
	assert_next(&t, 1);
	followed_end(&t);
}

static void follow__says_what_it_cannot_open(void **state)
{
	struct err err = {0};
	struct follow *f;

	(void)state;
	assert_int_equal(follow_open(&f, "/tmp/there/is/none", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/tmp/there/is/none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follow__gives_records_as_they_come),
		cmocka_unit_test(follow__waits_for_a_slot_that_is_claimed),
		cmocka_unit_test(follow__leaves_out_what_a_killed_writer_claimed),
		cmocka_unit_test(follow__does_not_take_half_a_record),
		cmocka_unit_test(follow__says_what_it_cannot_open),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
