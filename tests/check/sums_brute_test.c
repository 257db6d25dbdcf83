/* SPDX-License-Identifier: MIT */
/*
 * sums_brute_test.c - checkers of sets, counters and banks against their definitions, on small
 * random histories
 *
 * Linearizability is tried in every order; the other models are read off their definitions, each
 * element, read and operation against each other one.
 */
#include <stdio.h>

#include "tests/check/types.h"

#define OPS_MAX 8
#define ELEMENTS_MAX 12

static bool is_read(const struct history_op *op)
{
	return op->kind == HISTORY_READ && op->outcome == HISTORY_OK;
}

static bool is_left_out(const struct history_op *op)
{
	return op->outcome == HISTORY_FAIL ||
	       (op->kind == HISTORY_READ && op->outcome != HISTORY_OK);
}

static bool must_wait(const struct types *t, unsigned done, size_t i)
{
	for (size_t k = 0; k < t->count; k++)
		if (!(done >> k & 1) && k != i && t->op[k].outcome == HISTORY_OK &&
			t->op[k].t_return_ns < t->op[i].t_invoke_ns)
			return true;
	return false;
}

/* The elements of a read, as bits; elements are small. UINT32_MAX if one is there twice. */
static uint32_t bits(const struct types *t, const struct history_op *read)
{
	uint32_t set = 0;

	for (uint32_t i = 0; i < read->count; i++) {
		uint64_t value = t->list[read->first + i];

		if (set >> value & 1)
			return UINT32_MAX;
		set |= 1u << value;
	}
	return set;
}

/* Whether the operations not in @done have an order that explains them, on set or counter @now. */
static bool explains(const struct types *t, unsigned done, uint64_t now, bool counter)
{
	bool all = true;

	for (size_t i = 0; i < t->count; i++)
		all &= done >> i & 1 || t->op[i].outcome != HISTORY_OK;
	if (all)
		return true;
	for (size_t i = 0; i < t->count; i++) {
		const struct history_op *op = &t->op[i];
		uint64_t next = now;

		if (done >> i & 1 || is_left_out(op) || must_wait(t, done, i))
			continue;
		if (op->kind == HISTORY_READ && (counter ? op->value : bits(t, op)) != now)
			continue;
		if (op->kind == HISTORY_ADD)
			next |= 1ull << op->value;
		if (op->kind == HISTORY_INCREASE)
			next += op->value;
		if (explains(t, done | 1u << i, next, counter))
			return true;
	}
	return false;
}

static bool is_linearizable_set(const struct types *t)
{
	return explains(t, 0, 0, false);
}

static bool is_linearizable_counter(const struct types *t)
{
	return explains(t, 0, 0, true);
}

/* Whether an addition of @value was acknowledged, or not refused, before @t_ns. */
static bool is_added(const struct types *t, uint64_t value)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->op[i].kind == HISTORY_ADD && t->op[i].outcome != HISTORY_FAIL &&
			t->op[i].value == value)
			return true;
	return false;
}

static bool is_known_before(const struct types *t, uint64_t value, uint64_t t_ns)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct history_op *op = &t->op[i];
		bool shows = is_read(op) ? bits(t, op) >> value & 1
					 : op->kind == HISTORY_ADD && op->value == value &&
						   op->outcome == HISTORY_OK;

		if (shows && op->t_return_ns < t_ns)
			return true;
	}
	return false;
}

/* Some read that began after the element was known misses it, and no later one shows it. */
static bool is_lost(const struct types *t, uint64_t value)
{
	for (size_t i = 0; i < t->count; i++) {
		uint64_t begin = t->op[i].t_invoke_ns;
		bool seen = false;

		if (!is_read(&t->op[i]) || bits(t, &t->op[i]) >> value & 1 ||
			!is_known_before(t, value, begin))
			continue;
		for (size_t k = 0; k < t->count; k++)
			seen |= is_read(&t->op[k]) && t->op[k].t_invoke_ns >= begin &&
				bits(t, &t->op[k]) >> value & 1;
		if (!seen)
			return true;
	}
	return false;
}

static bool is_set(const struct types *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (!is_read(&t->op[i]))
			continue;
		if (bits(t, &t->op[i]) == UINT32_MAX)
			return false;
		for (uint64_t value = 1; value < ELEMENTS_MAX; value++)
			if (bits(t, &t->op[i]) >> value & 1 && !is_added(t, value))
				return false;
	}
	for (uint64_t value = 1; value < ELEMENTS_MAX; value++)
		if (is_lost(t, value))
			return false;
	return true;
}

/* Each read shows what some choice among the operations that it overlaps explains. */
static bool is_counter(const struct types *t)
{
	for (size_t r = 0; r < t->count; r++) {
		int64_t low = 0;
		int64_t high = 0;

		if (!is_read(&t->op[r]))
			continue;
		for (size_t i = 0; i < t->count; i++) {
			const struct history_op *op = &t->op[i];
			int64_t by = (int64_t)op->value;
			bool must =
				op->outcome == HISTORY_OK && op->t_return_ns < t->op[r].t_invoke_ns;

			if (op->kind != HISTORY_INCREASE || op->outcome == HISTORY_FAIL ||
				op->t_invoke_ns > t->op[r].t_return_ns)
				continue;
			low += must || by < 0 ? by : 0;
			high += must || by > 0 ? by : 0;
		}
		if ((int64_t)t->op[r].value < low || (int64_t)t->op[r].value > high)
			return false;
	}
	return true;
}

struct drawing {
	struct types *t;
	struct prng *prng;
	unsigned clients;
	uint64_t set;
	uint64_t old_set;
	int64_t sum;
	int64_t old_sum;
};

/* Times and outcome. Return: whether the operation has its effect. */
static bool draw_op(struct drawing *d, enum history_kind kind)
{
	uint64_t at = 10 + d->t->count * 4 / d->clients;
	uint64_t begin = at - prng_below(d->prng, 5);
	struct history_op *op = types_op(d->t, (unsigned)(d->t->count % d->clients), kind, begin,
		at + prng_below(d->prng, 5));
	uint64_t dice = prng_below(d->prng, 12);

	if (dice == 0)
		types_failed(op);
	if (dice == 1)
		types_open(op);
	return dice > 1 || prng_below(d->prng, 2);
}

static void draw_set_op(struct drawing *d)
{
	bool read = prng_below(d->prng, 2);
	bool effect = draw_op(d, read ? HISTORY_READ : HISTORY_ADD);
	struct history_op *op = &d->t->op[d->t->count - 1];
	uint64_t set = prng_below(d->prng, 4) ? d->set : d->old_set;
	uint64_t element[ELEMENTS_MAX + 2];
	size_t count = 0;

	if (!read) {
		op->value = prng_below(d->prng, 6) ? d->t->count : 1 + prng_below(d->prng, 4);
		d->old_set = d->set;
		d->set |= effect ? 1ull << op->value : 0;
		return;
	}
	if (prng_below(d->prng, 12) == 0)
		set ^= 2ull << prng_below(d->prng, 6);
	for (uint64_t value = 1; value < ELEMENTS_MAX; value++)
		if (set >> value & 1)
			element[count++] = value;
	if (count > 0 && prng_below(d->prng, 40) == 0) {
		element[count] = element[0];
		count++;
	}
	element[count] = 0;
	types_many(d->t, op, element);
}

static void draw_counter_op(struct drawing *d)
{
	bool read = prng_below(d->prng, 2);
	bool effect = draw_op(d, read ? HISTORY_READ : HISTORY_INCREASE);
	struct history_op *op = &d->t->op[d->t->count - 1];
	int64_t by = (int64_t)prng_below(d->prng, 5) - (prng_below(d->prng, 2) ? 3 : 0);

	if (read) {
		op->value = (uint64_t)(prng_below(d->prng, 5) ? d->sum : d->old_sum);
		op->value += prng_below(d->prng, 12) ? 0 : 1;
		return;
	}
	op->value = (uint64_t)by;
	d->old_sum = d->sum;
	d->sum += effect ? by : 0;
}

static void draw(struct types *t, struct prng *prng, void (*draw_one)(struct drawing *d))
{
	struct drawing d = {.t = t, .prng = prng};
	size_t count = 2 + prng_below(prng, OPS_MAX - 1);

	d.clients = 1 + (unsigned)prng_below(prng, 4);
	memset(t, 0, sizeof *t);
	while (t->count < count)
		draw_one(&d);
	qsort(t->op, t->count, sizeof *t->op, types_by_invocation);
}

struct pair {
	const struct check_ops *model;
	types_oracle *oracle;
	unsigned bad;
};

static void compare(struct pair *pair, size_t pairs, void (*draw_one)(struct drawing *d))
{
	uint64_t histories = types_histories(10000);

	for (uint64_t seed = 1; seed <= histories; seed++) {
		struct prng prng;
		struct types t;

		prng_init(&prng, seed, 0);
		draw(&t, &prng, draw_one);
		for (size_t i = 0; i < pairs; i++)
			pair[i].bad += types_compare(
				&t, pair[i].model, pair[i].oracle, seed % 4 == 0, seed);
		types_check_lattice(&t, pair[0].model->type);
	}
	for (size_t i = 0; i < pairs; i++) {
		print_message("# %llu histories, %u of them not %s\n",
			(unsigned long long)histories, pair[i].bad, pair[i].model->name);
		assert_in_range(pair[i].bad, histories / 30, histories * 9 / 10);
	}
}

static void sets__are_judged_as_by_their_definition(void **state)
{
	struct pair pair[] = {
		{&set_linearizable_ops, is_linearizable_set, 0},
		{&set_full_ops, is_set, 0},
	};

	(void)state;
	compare(pair, 2, draw_set_op);
}

static void counters__are_judged_as_by_their_definition(void **state)
{
	struct pair pair[] = {
		{&counter_linearizable_ops, is_linearizable_counter, 0},
		{&counter_ops, is_counter, 0},
	};

	(void)state;
	compare(pair, 2, draw_counter_op);
}

/* All reads have one total; and, if asked for, none a negative balance. */
static bool is_bank(const struct types *t)
{
	int64_t total = INT64_MIN;

	for (size_t i = 0; i < t->count; i++) {
		int64_t sum = 0;

		if (!is_read(&t->op[i]))
			continue;
		for (uint32_t a = 0; a < t->op[i].count; a++)
			sum += (int64_t)t->list[t->op[i].first + a];
		if (total != INT64_MIN && sum != total)
			return false;
		total = sum;
	}
	return true;
}

static bool is_bank_no_overdraft(const struct types *t)
{
	for (size_t i = 0; i < t->count; i++)
		for (uint32_t a = 0; is_read(&t->op[i]) && a < t->op[i].count; a++)
			if ((int64_t)t->list[t->op[i].first + a] < 0)
				return false;
	return is_bank(t);
}

static void draw_bank_op(struct drawing *d)
{
	bool read = prng_below(d->prng, 2);
	bool effect = draw_op(d, read ? HISTORY_READ : HISTORY_TRANSFER);
	struct history_op *op = &d->t->op[d->t->count - 1];
	int64_t half = prng_below(d->prng, 8) ? 0 : 1;

	if (!read) {
		op->value = 1 + prng_below(d->prng, 4);
		op->to = 1;
		d->sum += effect ? (int64_t)op->value : 0;
		return;
	}
	/* Account 0 begins with 10, account 1 with 10. */
	types_many(d->t, op, NO_ELEMENTS);
	assert(d->t->lists + 2 <= TYPES_LISTS_MAX);
	op->count = 2;
	d->t->list[d->t->lists++] = (uint64_t)(10 - d->sum);
	d->t->list[d->t->lists++] = (uint64_t)(10 + d->sum - half);
}

static void banks__are_judged_as_by_their_definition(void **state)
{
	struct pair pair[] = {
		{&bank_ops, is_bank, 0},
		{&bank_no_overdraft_ops, is_bank_no_overdraft, 0},
	};

	(void)state;
	compare(pair, 2, draw_bank_op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets__are_judged_as_by_their_definition),
		cmocka_unit_test(counters__are_judged_as_by_their_definition),
		cmocka_unit_test(banks__are_judged_as_by_their_definition),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
