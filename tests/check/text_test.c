/* SPDX-License-Identifier: MIT */
/*
 * text_test.c - strings that are written and appended to, against a checker that tries every order
 */
#include <errno.h>
#include <string.h>

#include "agent/base/prng.h"
#include "agent/check/check.h"
#include "agent/check/models.h"
#include "tests/lib/test.h"

#define OPS_MAX 6
#define PARTS_MAX (OPS_MAX + 1)
#define ROUNDS 100000

struct string {
	uint64_t part[PARTS_MAX];
	uint32_t count;
};

struct small {
	struct history_op op[OPS_MAX];
	struct string read[OPS_MAX]; /* by operation */
	uint64_t list[OPS_MAX * PARTS_MAX];
	struct history_ops ops;
};

static void apply(const struct history_op *op, struct string *s)
{
	if (op->kind == HISTORY_WRITE)
		s->count = 0;
	s->part[s->count++] = op->value;
}

static bool same_string(const struct string *a, const struct string *b)
{
	return a->count == b->count && memcmp(a->part, b->part, a->count * sizeof *a->part) == 0;
}

/* Is there an order of the operations that are not in @done? What is open may be left out. */
static bool brute(const struct small *h, unsigned done, const struct string *now)
{
	bool ended = true;

	for (size_t i = 0; i < h->ops.count; i++)
		ended &= done >> i & 1 || h->op[i].outcome != HISTORY_OK;
	if (ended)
		return true;
	for (size_t i = 0; i < h->ops.count; i++) {
		const struct history_op *op = &h->op[i];
		struct string after = *now;
		bool next = !(done >> i & 1) && op->outcome != HISTORY_FAIL;

		for (size_t k = 0; k < h->ops.count && next; k++)
			next = done >> k & 1 || h->op[k].outcome == HISTORY_FAIL ||
			       h->op[k].t_return_ns >= op->t_invoke_ns;
		if (next && op->kind == HISTORY_READ)
			next = op->outcome != HISTORY_OK || same_string(&h->read[i], now);
		else if (next)
			apply(op, &after);
		if (next && brute(h, done | 1u << i, &after))
			return true;
	}
	return false;
}

/* A history of a string that behaves, but for one answer now and then. */
static void draw(struct small *h, struct prng *prng)
{
	struct string now = {.count = 0};
	uint64_t t_ns = 10;

	memset(h, 0, sizeof *h);
	h->ops = (struct history_ops){.op = h->op, .list = h->list};
	h->ops.count = 2 + prng_below(prng, OPS_MAX - 1);
	for (size_t i = 0; i < h->ops.count; i++) {
		struct history_op *op = &h->op[i];
		uint64_t luck = prng_below(prng, 10);

		t_ns += prng_below(prng, 5);
		*op = (struct history_op){.t_invoke_ns = t_ns,
			.t_return_ns = t_ns + prng_below(prng, 9),
			.op = (uint32_t)i + 1,
			.session = (uint32_t)i,
			.kind = luck < 4   ? HISTORY_READ
				: luck < 8 ? HISTORY_APPEND
					   : HISTORY_WRITE,
			.outcome = HISTORY_OK};
		if (prng_below(prng, 6) == 0) {
			op->outcome = prng_below(prng, 3) ? HISTORY_UNKNOWN : HISTORY_FAIL;
			op->t_return_ns =
				op->outcome == HISTORY_FAIL ? op->t_return_ns : UINT64_MAX;
		}
		if (op->kind != HISTORY_READ) {
			op->value = 1 + prng_below(prng, 3); /* not unique */
			if (op->outcome == HISTORY_OK || prng_below(prng, 3) == 0)
				apply(op, &now);
		} else if (op->outcome == HISTORY_OK) {
			h->read[i] = now;
			if (prng_below(prng, 4) == 0 && now.count > 0)
				h->read[i].count--;
			op->many = true;
			op->first = (uint32_t)h->ops.lists;
			op->count = h->read[i].count;
			memcpy(h->list + op->first, h->read[i].part, op->count * sizeof *h->list);
			h->ops.lists += op->count;
		}
	}
}

/* Nothing but the witness. */
static void alone(const struct small *h, const struct check_result *found)
{
	struct history_op op[OPS_MAX];
	struct history_ops part = h->ops;
	struct check_result result;
	struct err err = {0};

	part.op = op;
	part.count = found->witnesses;
	for (size_t i = 0; i < found->witnesses; i++)
		op[i] = h->op[found->witness[i]];
	assert_int_equal(text_linearizable_ops.check(&part, NULL, NULL, &result, &err), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
}

static enum check_verdict judge(const struct small *h)
{
	struct check_result result;
	struct err err = {0};

	assert_int_equal(text_linearizable_ops.check(&h->ops, NULL, NULL, &result, &err), 0);
	assert_true((result.verdict == CHECK_VIOLATION) == (result.witnesses > 0));
	assert_true((result.verdict == CHECK_OK) == (result.words[0] == '\0'));
	if (result.verdict == CHECK_VIOLATION)
		alone(h, &result);
	return result.verdict;
}

static void text__agrees_with_every_order(void **state)
{
	static const struct string empty;
	struct prng prng;
	struct small h;
	size_t bad = 0;

	(void)state;
	prng_init(&prng, 1, 0);
	for (size_t i = 0; i < ROUNDS; i++) {
		bool fits;

		draw(&h, &prng);
		fits = brute(&h, 0, &empty);
		bad += !fits;
		if (judge(&h) != (fits ? CHECK_OK : CHECK_VIOLATION))
			fail_msg("history %zu is %s", i, fits ? "right" : "wrong");
	}
	print_message("# %zu of %d histories were wrong\n", bad, ROUNDS);
	assert_in_range(bad, ROUNDS / 20, ROUNDS - ROUNDS / 20);
}

/* A string that is written anew now and then, of few elements; one answer is wrong. */
static void text__witness_does_not_keep_what_was_overwritten(void **state)
{
	struct history_op op[600] = {{.op = 0}};
	uint64_t list[] = {1, 2, 1};
	struct history_ops h = {.op = op, .count = 600, .list = list, .lists = 3};
	struct check_result result;

	(void)state;
	for (unsigned i = 0; i < h.count; i++)
		op[i] = (struct history_op){.op = i + 1,
			.session = i % 2,
			.t_invoke_ns = i * 10,
			.t_return_ns = i * 10 + 12,
			.kind = i % 3 == 0   ? HISTORY_WRITE
				: i % 3 == 1 ? HISTORY_APPEND
					     : HISTORY_READ,
			.outcome = HISTORY_OK,
			.value = i % 3 == 2 ? 0 : 1 + i % 3,
			.many = i % 3 == 2,
			.count = i % 3 == 2 ? 2 : 0};
	assert_int_equal(text_linearizable_ops.check(&h, NULL, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_OK);
	op[500].first = 1;
	assert_int_equal(text_linearizable_ops.check(&h, NULL, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
	assert_in_range(result.witnesses, 2, 8);
}

static void text__is_what_is_written_and_appended_to(void **state)
{
	struct history_op op[] = {
		{.op = 1, .kind = HISTORY_WRITE, .outcome = HISTORY_OK, .value = 1},
		{.op = 2, .kind = HISTORY_APPEND, .outcome = HISTORY_OK, .value = 2},
		{.op = 3, .kind = HISTORY_WRITE, .outcome = HISTORY_OK, .value = 1},
		{.op = 4, .kind = HISTORY_CAS, .outcome = HISTORY_OK, .value = 1},
	};
	struct history_ops h = {.op = op, .count = 3};
	enum check_type type;
	struct err err = {0};

	(void)state;
	assert_int_equal(check_type_of(&h, &type, &err), 0);
	assert_int_equal(type, CHECK_TEXT);
	h.count = 4;
	assert_int_equal(check_type_of(&h, &type, &err), -EINVAL);
	h.count = 1;
	assert_int_equal(check_type_of(&h, &type, &err), 0);
	assert_int_equal(type, CHECK_REGISTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text__agrees_with_every_order),
		cmocka_unit_test(text__witness_does_not_keep_what_was_overwritten),
		cmocka_unit_test(text__is_what_is_written_and_appended_to),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
