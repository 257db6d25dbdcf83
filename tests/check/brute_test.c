/* SPDX-License-Identifier: MIT */
/*
 * brute_test.c - the checker against one that tries every order of small random histories
 *
 * The oracle shares no line and no idea with the checker: it takes any operation that may be next,
 * applies it to the register, and tries the rest. Histories come from a simulated register, so many
 * are linearizable, and are damaged at random, so many are not.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/prng.h"
#include "tests/check/make.h"

#define BRUTE_OPS_MAX 8
#define BRUTE_HISTORIES 40000

static bool brute_may_be_dropped(const struct history_op *op)
{
	return op->outcome != HISTORY_OK;
}

/* Whether the operations not in @done have an order that explains them, from @value on. */
static bool brute_explains(const struct make *m, unsigned done, uint64_t value)
{
	uint64_t first_return = UINT64_MAX;
	bool all = true;

	for (size_t i = 0; i < m->count; i++) {
		if (done >> i & 1)
			continue;
		all &= brute_may_be_dropped(&m->op[i]);
		if (m->op[i].t_return_ns < first_return)
			first_return = m->op[i].t_return_ns;
	}
	if (all)
		return true;
	for (size_t i = 0; i < m->count; i++) {
		const struct history_op *op = &m->op[i];
		uint64_t next = value;

		if (done >> i & 1 || op->t_invoke_ns > first_return)
			continue;
		if (op->kind == HISTORY_READ) {
			if (op->outcome == HISTORY_OK && op->value != value)
				continue;
		} else if (op->kind == HISTORY_WRITE) {
			next = op->value;
		} else if (op->outcome == HISTORY_OK && !op->met) {
			if (op->old == value)
				continue;
		} else {
			if (op->old != value)
				continue;
			next = op->value;
		}
		if (brute_explains(m, done | 1u << i, next))
			return true;
	}
	return false;
}

static bool brute_is_linearizable(const struct make *m)
{
	unsigned failed = 0;

	for (size_t i = 0; i < m->count; i++)
		if (m->op[i].outcome == HISTORY_FAIL)
			failed |= 1u << i;
	return brute_explains(m, failed, 0);
}

/* What a register would have answered to one operation, at an instant inside it. */
static void brute_serve(struct history_op *op, uint64_t *value)
{
	if (op->kind == HISTORY_READ)
		op->value = *value;
	else if (op->kind == HISTORY_WRITE)
		*value = op->value;
	else if (op->old == *value) {
		op->met = true;
		*value = op->value;
	} else {
		op->error = HISTORY_UNMET;
	}
}

/* Each operation's outcome may be lost; a lost one may or may not have had its effect. */
static void brute_operate(
	struct make *m, struct prng *prng, unsigned domain, unsigned clients, uint64_t *value)
{
	uint64_t at = 10 + m->count * 4 / clients;
	uint64_t begin = at - prng_below(prng, 5);
	uint64_t end = at + prng_below(prng, 5);
	unsigned node = (unsigned)prng_below(prng, 5);
	enum history_kind kind = (enum history_kind)prng_below(prng, 3);
	struct history_op *op = make_op(m, node, kind, 3, begin, end);
	unsigned dice = (unsigned)prng_below(prng, 12);

	if (op->kind != HISTORY_READ)
		op->value = domain ? 1 + prng_below(prng, domain) : m->count;
	if (op->kind == HISTORY_CAS)
		op->old = prng_below(prng, 3) ? *value : prng_below(prng, domain ? domain + 1 : 9);
	if (dice > 1) {
		brute_serve(op, value);
		return;
	}
	if (prng_below(prng, 2))
		brute_serve(op, value);
	op->outcome = dice                       ? HISTORY_UNKNOWN
		      : op->kind == HISTORY_READ ? HISTORY_FAIL
						 : HISTORY_UNKNOWN;
	op->t_return_ns = UINT64_MAX;
	op->met = false;
	op->error = HISTORY_TIMEOUT;
	if (prng_below(prng, 6) == 0) {
		op->outcome = HISTORY_FAIL; /* a lie now and then: failed, yet perhaps visible */
		op->t_return_ns = end * MAKE_MS;
	}
}

/* Make a lie of what some operation said. */
static void brute_damage(struct make *m, struct prng *prng)
{
	struct history_op *op = &m->op[prng_below(prng, m->count)];

	if (op->kind == HISTORY_READ)
		op->value = prng_below(prng, 6);
	else if (op->kind == HISTORY_CAS && op->outcome == HISTORY_OK)
		op->met = !op->met;
	else
		op->t_invoke_ns -= 3 * MAKE_MS;
}

static int by_invocation(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_invoke_ns < y->t_invoke_ns ? -1 : x->t_invoke_ns > y->t_invoke_ns;
}

static void brute_draw(struct make *m, struct prng *prng)
{
	unsigned clients = 1 + (unsigned)prng_below(prng, 4);
	unsigned domain = prng_below(prng, 2) ? 0 : 1 + (unsigned)prng_below(prng, 4);
	size_t count = 2 + prng_below(prng, BRUTE_OPS_MAX - 1);
	uint64_t value = 0;

	m->count = 0;
	while (m->count < count)
		brute_operate(m, prng, domain, clients, &value);
	for (uint64_t n = prng_below(prng, 3); n > 0; n--)
		brute_damage(m, prng);
	qsort(m->op, m->count, sizeof *m->op, by_invocation);
}

static void brute_print(const struct make *m)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct history_op *op = &m->op[i];

		print_message("#   %s old %llu value %llu met %d outcome %d  %llu .. %lld ms\n",
			history_kind_names[op->kind], (unsigned long long)op->old,
			(unsigned long long)op->value, op->met, op->outcome,
			(unsigned long long)(op->t_invoke_ns / MAKE_MS),
			op->t_return_ns == UINT64_MAX ? -1
						      : (long long)(op->t_return_ns / MAKE_MS));
	}
}

/*
 * The witness alone, as a history of its own, is a violation, and stays one whatever part of the
 * rest is added: nothing was left out that would explain it.
 */
static void brute_check_witness(const struct make *m, const struct check_result *result)
{
	unsigned witness = 0;

	assert_true(result->witnesses > 0);
	assert_true(result->words[0] != '\0');
	for (size_t i = 0; i < result->witnesses; i++)
		witness |= 1u << result->witness[i];
	for (unsigned set = 0; set < 1u << m->count; set++) {
		struct make part = {.count = 0};

		if ((set & witness) != witness)
			continue;
		for (size_t i = 0; i < m->count; i++)
			if (set >> i & 1)
				part.op[part.count++] = m->op[i];
		if (!brute_is_linearizable(&part))
			continue;
		print_message("# %s\n", result->words);
		brute_print(m);
		fail_msg("the witness %x is explained by %x", witness, set);
	}
}

static void checker__agrees_with_trying_every_order(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= BRUTE_HISTORIES; seed++) {
		struct check_result result;
		struct prng prng;
		struct make m;
		bool good;

		prng_init(&prng, seed, 0);
		brute_draw(&m, &prng);
		good = brute_is_linearizable(&m);
		bad += !good;
		if (make_check(&m, &result) != (good ? CHECK_OK : CHECK_VIOLATION)) {
			brute_print(&m);
			fail_msg("seed %llu: the checker says %s %s", (unsigned long long)seed,
				check_verdict_names[result.verdict], result.words);
		}
		if (!good)
			brute_check_witness(&m, &result);
	}
	print_message("# %u histories, %u of them not linearizable\n", BRUTE_HISTORIES, bad);
	assert_in_range(bad, BRUTE_HISTORIES / 10, BRUTE_HISTORIES * 9 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checker__agrees_with_trying_every_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
