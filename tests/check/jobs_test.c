/* SPDX-License-Identifier: MIT */
/* jobs_test.c - what the checker answers does not depend on how many threads it has */
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/models.h"
#include "tests/check/draw.h"
#include "tests/lib/test.h"

#define JOBS_HISTORIES 1500

/* Some reads lie, about values that were there once, or never. */
static void jobs_damage(struct history_ops *h, struct prng *prng)
{
	for (uint64_t n = prng_below(prng, 6); n > 0; n--) {
		struct history_op *op = &h->op[prng_below(prng, h->count)];

		if (op->kind == HISTORY_READ)
			op->value = 1 + prng_below(prng, h->count);
		else if (op->kind == HISTORY_CAS)
			op->met = !op->met;
	}
}

static struct history_ops jobs_draw(struct prng *prng, uint64_t seed)
{
	const struct draw draw = {.ops = 100 + prng_below(prng, 300),
		.clients = 2 + (unsigned)prng_below(prng, 6),
		.keys = 1 + (unsigned)prng_below(prng, 12),
		.cas = 30 * (unsigned)prng_below(prng, 2),
		.domain = 4 * (unsigned)prng_below(prng, 2),
		.seed = seed};
	struct history_ops h = draw_history(&draw);

	jobs_damage(&h, prng);
	return h;
}

static void jobs_check(
	const struct history_ops *h, unsigned jobs, uint64_t memory_bytes, struct check_result *ret)
{
	const struct check_budget budget = {.memory_bytes = memory_bytes, .jobs = jobs};

	assert_int_equal(linearizable_ops.check(h, &budget, NULL, ret, NULL), 0);
}

static void jobs_check_same(const struct check_result *a, const struct check_result *b)
{
	assert_int_equal(a->verdict, b->verdict);
	assert_int_equal(a->witnesses, b->witnesses);
	for (size_t i = 0; i < a->witnesses; i++)
		assert_int_equal(a->witness[i], b->witness[i]);
	assert_string_equal(a->words, b->words);
}

static void jobs__answer_alike_however_many_they_are(void **state)
{
	unsigned verdicts[CHECK_VERDICT_NR] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= JOBS_HISTORIES; seed++) {
		struct check_result one;
		struct check_result many;
		struct history_ops h;
		struct prng prng;
		uint64_t memory;

		prng_init(&prng, seed, 1);
		h = jobs_draw(&prng, seed);
		/* So little now and then that some searches cannot end. */
		memory = prng_below(&prng, 2) ? 0 : 3000 + prng_below(&prng, 40000);
		jobs_check(&h, 1, memory, &one);
		verdicts[one.verdict]++;
		for (unsigned jobs = 2; jobs <= 4; jobs += 2) {
			jobs_check(&h, jobs, memory, &many);
			jobs_check_same(&one, &many);
		}
		history_ops_fini(&h);
	}
	print_message("# %u ok, %u violations, %u unknown\n", verdicts[CHECK_OK],
		verdicts[CHECK_VIOLATION], verdicts[CHECK_UNKNOWN]);
	for (unsigned i = 0; i < CHECK_VERDICT_NR; i++)
		assert_in_range(verdicts[i], JOBS_HISTORIES / 50, JOBS_HISTORIES);
}

static void progress__counts_every_operation_once(void **state)
{
	const struct draw draw = {.ops = 20000, .clients = 5, .keys = 3, .cas = 30, .seed = 1};
	struct history_ops h = draw_history(&draw);
	struct check_progress progress = {0};
	const struct check_budget budget = {.progress = &progress, .jobs = 2};
	struct check_result result;

	(void)state;
	assert_int_equal(linearizable_ops.check(&h, &budget, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_OK);
	assert_int_equal(progress.of, h.count);
	assert_int_equal(progress.judged, h.count);
	history_ops_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs__answer_alike_however_many_they_are),
		cmocka_unit_test(progress__counts_every_operation_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
