/* SPDX-License-Identifier: MIT */
/* witness_test.c - a violation is told in words, by the few operations that prove it */
#include <stdlib.h>

#include "agent/check/models.h"
#include "tests/check/make.h"

/* Operations that have nothing to do with it, before, after and on another key. */
static void make_crowd(struct make *m)
{
	for (unsigned i = 0; i < 10; i++) {
		make_write(m, i % 5, 1000 + i, i * 2, i * 2 + 1);
		make_read(m, i % 5, 1000 + i, i * 2 + 1, i * 2 + 2);
		make_write(m, i % 5, 2000 + i, 9000 + i * 2, 9001 + i * 2);
		make_write(m, i % 5, 3000 + i, 5000 + i, 5002 + i)->key = 4;
	}
}

/* The witness by itself, checked again. */
static enum check_verdict verdict_alone(const struct make *m, const struct check_result *result)
{
	struct make alone = {.count = 0};
	struct check_result again;

	for (size_t i = 0; i < result->witnesses; i++)
		alone.op[alone.count++] = m->op[result->witness[i]];
	return make_check(&alone, &again);
}

/* @m is a violation with a witness of @count operations, told as @words. */
static void told(struct make *m, size_t count, const char *words)
{
	struct check_result result;

	assert_int_equal(make_check(m, &result), CHECK_VIOLATION);
	assert_string_equal(result.words, words);
	assert_int_equal(result.witnesses, count);
	for (size_t i = 1; i < count; i++)
		assert_true(m->op[result.witness[i - 1]].t_invoke_ns <=
			    m->op[result.witness[i]].t_invoke_ns);
	assert_int_equal(verdict_alone(m, &result), CHECK_VIOLATION);
}

static void witness__stale_read(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_crowd(&m);
	make_write(&m, 1, 7, 4000, 4100);
	make_write(&m, 0, 9, 5000, 5100);
	make_read(&m, 4, 7, 6200, 6204);
	told(&m, 3,
		"n5 answered 7 for k3 at 6.204 s, 1.1 s after n1 had acknowledged 9, which had "
		"replaced 7");
}

static void witness__nothing_after_an_acknowledged_write(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 9, 5000, 5100);
	make_read(&m, 4, 0, 6200, 6204);
	told(&m, 2, "n5 answered nothing for k3 at 6.204 s, 1.1 s after n1 had acknowledged 9");
}

static void witness__old_value_after_a_newer_one_was_seen(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_crowd(&m);
	make_write(&m, 1, 7, 4000, 4100);
	make_write(&m, 0, 9, 5000, 8000);
	make_read(&m, 2, 9, 5500, 5600);
	make_read(&m, 4, 7, 6200, 6204);
	told(&m, 4,
		"n5 answered 7 for k3 at 6.204 s, 600 ms after n3 had answered 9, which had "
		"replaced 7");
}

static void witness__answers_that_go_to_and_fro(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 1, 7, 4000, 8000);
	make_write(&m, 0, 9, 4000, 8000);
	make_read(&m, 2, 7, 5000, 5100);
	make_read(&m, 3, 9, 5500, 5600);
	make_read(&m, 4, 7, 6200, 6204);
	told(&m, 5,
		"n5 answered 7 for k3 at 6.204 s, 600 ms after n4 had answered 9; and n4 answered 9 "
		"for k3 at 5.600 s, after n3 had answered 7");
}

static void witness__of_several_is_the_clearest(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 1, 7, 1000, 8000);
	make_write(&m, 0, 9, 1000, 8000);
	make_read(&m, 2, 7, 1100, 1110);
	make_read(&m, 3, 9, 1200, 1210);
	make_read(&m, 4, 7, 6200, 6204);
	for (uint64_t i = 0; i < 3; i++) {
		make_write(&m, 1, 17, 2000, 2100)->key = 4 + i;
		make_write(&m, 0, 19, 3000, 3100)->key = 4 + i;
		make_read(&m, 4, 17, 4000 + i % 2 * 500, 4505)->key = 4 + i;
	}
	told(&m, 3,
		"n5 answered 17 for k5 at 4.505 s, 1.4 s after n1 had acknowledged 19, which had "
		"replaced 17");
}

static void witness__value_from_nowhere(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_crowd(&m);
	make_read(&m, 4, 7, 6200, 6204);
	told(&m, 1, "n5 answered 7 for k3 at 6.204 s, but nobody had written 7");
}

static void witness__value_of_a_refused_write(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_crowd(&m);
	make_failed(&m, 0, 7, 5000, 5100);
	make_read(&m, 4, 7, 6200, 6204);
	told(&m, 2,
		"n5 answered 7 for k3 at 6.204 s, whose write through n1 had no effect: it ended as "
		"'refused' at 5.100 s");
}

static void witness__value_from_the_future(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_read(&m, 4, 7, 6200, 6204);
	make_write(&m, 0, 7, 6500, 6600);
	told(&m, 2, "n5 answered 7 for k3 at 6.204 s, 296 ms before its write through n1 began");
}

static void witness__lost_update(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_crowd(&m);
	make_write(&m, 1, 7, 4000, 4100);
	make_cas(&m, 0, 7, 9, 5000, 5100);
	make_cas(&m, 4, 7, 11, 5150, 5200);
	told(&m, 3,
		"n1 and n5 both replaced 7 in k3: by 9, acknowledged at 5.100 s, and by 11, "
		"acknowledged at 5.200 s; one update is lost");
}

static void witness__read_of_a_value_that_was_replaced(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_crowd(&m);
	make_write(&m, 1, 7, 4000, 4100);
	make_cas(&m, 0, 7, 9, 5000, 5100);
	make_read(&m, 4, 7, 6200, 6204);
	told(&m, 3, "n5 answered 7 for k3 at 6.204 s, 1.1 s after n1 had replaced 7 by 9");
}

static void witness__compare_and_set_of_a_stale_value(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_crowd(&m);
	make_write(&m, 1, 7, 4000, 4100);
	make_write(&m, 0, 9, 5000, 5100);
	make_cas(&m, 4, 7, 11, 6200, 6204);
	told(&m, 3,
		"n5 replaced 7 by 11 in k3 at 6.204 s, 1.1 s after n1 had acknowledged 9, which had "
		"replaced 7");
}

static void witness__unmet_although_it_was_there(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_crowd(&m);
	make_write(&m, 0, 7, 5000, 5100);
	make_unmet(&m, 4, 7, 11, 6200, 6204);
	make_read(&m, 1, 7, 6300, 6400);
	told(&m, 3,
		"n5 did not find 7 in k3 (compare-and-set) at 6.204 s, 1.1 s after n1 had "
		"acknowledged 7; it was still there later: n2 answered 7 for k3 at 6.400 s");
}

static void witness__unmet_although_nothing_had_changed(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	make_write(&m, 0, 7, 5000, 5100);
	make_unmet(&m, 4, 7, 11, 6200, 6204);
	told(&m, 2,
		"n5 did not find 7 in k3 (compare-and-set) at 6.204 s, 1.1 s after n1 had "
		"acknowledged 7; nothing had replaced it");
}

static void witness__of_repeated_values_is_what_is_left(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		make_write(&m, i % 5, i % 2 + 1, i * 100, i * 100 + 50);
	make_read(&m, 4, 1, 6200, 6204);
	make_write(&m, 0, 1, 7000, 7100);
	told(&m, 3,
		"no order explains what happened to k3: n4 wrote 1 (1.800 to 1.850 s), n5 wrote 2 "
		"(1.900 to 1.950 s), n5 read 1 (6.200 to 6.204 s)");
}

static void witness__numbers_serve_where_names_are_missing(void **state)
{
	struct make m = {.count = 0};
	struct history_ops h;
	struct check_names names = {.t0_ns = 5000 * MAKE_MS};
	struct check_result result;

	(void)state;
	make_write(&m, 0, 9, 5000, 5100);
	make_read(&m, 4, 0, 6200, 6204);
	h = make_history(&m);
	assert_int_equal(linearizable_ops.check(&h, NULL, &names, &result, NULL), 0);
	assert_string_equal(result.words,
		"node 4 answered nothing for k3 at 1.204 s, 1.1 s after node 0 had acknowledged 9");
}

static void witness__of_a_long_chain_is_whole(void **state)
{
	struct make m = {.count = 0};
	struct check_result result;

	(void)state;
	make_write(&m, 0, 1, 0, 10);
	for (unsigned i = 1; i < 60; i++)
		make_cas(&m, i % 5, i, i + 1, i * 100, i * 100 + 50);
	make_read(&m, 4, 2, 6200, 6204);
	assert_int_equal(make_check(&m, &result), CHECK_VIOLATION);
	assert_int_equal(result.witnesses, 4);
	assert_string_equal(result.words,
		"n5 answered 2 for k3 at 6.204 s, 5.95 s after n3 had replaced 2 by 3");
	m.op[m.count - 1].value = 50;
	told(&m, 52, "n5 answered 50 for k3 at 6.204 s, 1.15 s after n1 had replaced 50 by 51");
}

static void witness__of_an_endless_chain_is_cut_and_says_so(void **state)
{
	struct history_op *op = calloc(2 * CHECK_WITNESS_MAX, sizeof *op);
	struct history_ops h = {.op = op};
	struct check_result result;
	struct make m = {.count = 0};

	(void)state;
	assert(op);
	for (unsigned i = 0; i < 2 * CHECK_WITNESS_MAX - 1; i++, m.count = 0)
		op[h.count++] = *make_cas(&m, i % 5, i, i + 1, i * 100, i * 100 + 50);
	op[h.count] = *make_read(&m, 4, h.count - 1, h.count * 100, h.count * 100 + 4);
	h.count++;
	assert_int_equal(linearizable_ops.check(&h, NULL, &make_names, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
	assert_int_equal(result.witnesses, CHECK_WITNESS_MAX);
	assert_int_equal(result.witness[CHECK_WITNESS_MAX - 1], h.count - 1);
	assert_non_null(strstr(result.words, "; what that follows from is longer than a witness"));
	free(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(witness__stale_read),
		cmocka_unit_test(witness__nothing_after_an_acknowledged_write),
		cmocka_unit_test(witness__old_value_after_a_newer_one_was_seen),
		cmocka_unit_test(witness__answers_that_go_to_and_fro),
		cmocka_unit_test(witness__of_several_is_the_clearest),
		cmocka_unit_test(witness__value_from_nowhere),
		cmocka_unit_test(witness__value_of_a_refused_write),
		cmocka_unit_test(witness__value_from_the_future),
		cmocka_unit_test(witness__lost_update),
		cmocka_unit_test(witness__read_of_a_value_that_was_replaced),
		cmocka_unit_test(witness__compare_and_set_of_a_stale_value),
		cmocka_unit_test(witness__unmet_although_it_was_there),
		cmocka_unit_test(witness__unmet_although_nothing_had_changed),
		cmocka_unit_test(witness__of_repeated_values_is_what_is_left),
		cmocka_unit_test(witness__numbers_serve_where_names_are_missing),
		cmocka_unit_test(witness__of_a_long_chain_is_whole),
		cmocka_unit_test(witness__of_an_endless_chain_is_cut_and_says_so),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
