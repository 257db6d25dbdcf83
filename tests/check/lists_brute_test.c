/* SPDX-License-Identifier: MIT */
/*
 * lists_brute_test.c - checkers of lists against trying every order of small random histories
 *
 * The oracles share nothing with the checkers: orders are executed on lists, and the session
 * guarantees are read off their definitions, each pair of operations against each read.
 */
#include <stdio.h>

#include "tests/check/types.h"

#define KEYS 2
#define OPS_MAX 8
#define LENGTH_MAX 16

struct lists {
	uint64_t element[KEYS][LENGTH_MAX];
	uint32_t count[KEYS];
};

enum order { SESSION_ORDER, TIME_ORDER };

/* Which reads count: those of all, or those of one session. */
#define ALL_SESSIONS UINT32_MAX

struct question {
	const struct types *t;
	enum order order;
	uint32_t reader;
};

static bool is_left_out(const struct question *q, size_t i)
{
	const struct history_op *op = &q->t->op[i];

	if (op->kind != HISTORY_READ)
		return op->outcome == HISTORY_FAIL;
	return op->outcome != HISTORY_OK || (q->reader != ALL_SESSIONS && q->reader != op->session);
}

static bool must_wait(const struct question *q, unsigned done, size_t i)
{
	const struct history_op *op = q->t->op;

	for (size_t k = 0; k < q->t->count; k++) {
		if (done >> k & 1 || k == i || is_left_out(q, k) || op[k].outcome != HISTORY_OK)
			continue;
		if (q->order == TIME_ORDER ? op[k].t_return_ns < op[i].t_invoke_ns
					   : k < i && op[k].session == op[i].session)
			return true;
	}
	return false;
}

static bool explains(const struct question *q, unsigned done, const struct lists *l)
{
	bool all = true;

	for (size_t i = 0; i < q->t->count; i++)
		all &= done >> i & 1 || is_left_out(q, i) || q->t->op[i].outcome != HISTORY_OK;
	if (all)
		return true;
	for (size_t i = 0; i < q->t->count; i++) {
		const struct history_op *op = &q->t->op[i];
		struct lists next = *l;

		if (done >> i & 1 || is_left_out(q, i) || must_wait(q, done, i))
			continue;
		if (op->kind == HISTORY_APPEND)
			next.element[op->key][next.count[op->key]++] = op->value;
		else if (op->count != l->count[op->key] ||
			 (op->count > 0 && memcmp(q->t->list + op->first, l->element[op->key],
						   op->count * sizeof *q->t->list) != 0))
			continue;
		if (explains(q, done | 1u << i, &next))
			return true;
	}
	return false;
}

static bool is_linearizable(const struct types *t)
{
	const struct question q = {t, TIME_ORDER, ALL_SESSIONS};

	return explains(&q, 0, &(struct lists){0});
}

static bool is_sequential(const struct types *t)
{
	const struct question q = {t, SESSION_ORDER, ALL_SESSIONS};

	return explains(&q, 0, &(struct lists){0});
}

static bool is_pram(const struct types *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct question q = {t, SESSION_ORDER, t->op[i].session};

		if (!explains(&q, 0, &(struct lists){0}))
			return false;
	}
	return true;
}

/* Where @value is in a read, UINT32_MAX if it is not there. */
static uint32_t place(const struct types *t, const struct history_op *read, uint64_t value)
{
	for (uint32_t i = 0; i < read->count; i++)
		if (t->list[read->first + i] == value)
			return i;
	return UINT32_MAX;
}

/* An acknowledged read, or an append that has not failed. */
static bool is_read(const struct history_op *op)
{
	return op->kind == HISTORY_READ && op->outcome == HISTORY_OK;
}

static bool is_append(const struct history_op *op)
{
	return op->kind == HISTORY_APPEND && op->outcome != HISTORY_FAIL;
}

/* @a comes before @b in one session, and both are about the key of @read. */
static bool in_session(
	const struct history_op *a, const struct history_op *b, const struct history_op *read)
{
	return a < b && a->session == b->session && a->key == read->key && b->key == read->key;
}

/* All that read @a showed is in @read in front of place @end. */
static bool shows_all(const struct types *t, const struct history_op *read,
	const struct history_op *a, uint32_t end)
{
	for (uint32_t i = 0; i < a->count; i++) {
		uint32_t at = place(t, read, t->list[a->first + i]);

		if (at == UINT32_MAX || at >= end)
			return false;
	}
	return true;
}

static bool finds_own_writes(const struct types *t)
{
	for (size_t r = 0; r < t->count; r++)
		for (size_t a = 0; a < r; a++)
			if (is_read(&t->op[r]) && is_append(&t->op[a]) &&
				t->op[a].outcome == HISTORY_OK &&
				in_session(&t->op[a], &t->op[r], &t->op[r]) &&
				place(t, &t->op[r], t->op[a].value) == UINT32_MAX)
				return false;
	return true;
}

static bool finds_own_reads(const struct types *t)
{
	for (size_t r = 0; r < t->count; r++)
		for (size_t a = 0; a < r; a++)
			if (is_read(&t->op[r]) && is_read(&t->op[a]) &&
				in_session(&t->op[a], &t->op[r], &t->op[r]) &&
				!shows_all(t, &t->op[r], &t->op[a], UINT32_MAX))
				return false;
	return true;
}

/* Of appends (or reads) and later appends of one session, the earlier ones show in front. */
static bool keeps(const struct types *t, bool reads)
{
	for (size_t r = 0; r < t->count; r++)
		for (size_t b = 0; is_read(&t->op[r]) && b < t->count; b++)
			for (size_t a = 0; a < b; a++) {
				const struct history_op *read = &t->op[r];
				const struct history_op *first = &t->op[a];
				uint32_t at = place(t, read, t->op[b].value);

				if (!is_append(&t->op[b]) || at == UINT32_MAX ||
					!in_session(first, &t->op[b], read) ||
					first->outcome != HISTORY_OK)
					continue;
				if (reads && is_read(first) && !shows_all(t, read, first, at))
					return false;
				if (!reads && is_append(first) &&
					place(t, read, first->value) >= at)
					return false;
			}
	return true;
}

static bool keeps_write_order(const struct types *t)
{
	return keeps(t, false);
}

static bool keeps_write_reasons(const struct types *t)
{
	return keeps(t, true);
}

struct drawing {
	struct types *t;
	struct prng *prng;
	struct lists l;
	unsigned clients;
	uint32_t session[4];
	uint64_t free_at[4];
};

static void draw_read(struct drawing *d, struct history_op *op)
{
	uint64_t element[LENGTH_MAX + 1];
	uint32_t count = d->l.count[op->key];

	memcpy(element, d->l.element[op->key], count * sizeof *element);
	if (count > 0 && prng_below(d->prng, 3) == 0)
		count = (uint32_t)prng_below(d->prng, count + 1);
	if (count > 1 && prng_below(d->prng, 4) == 0) {
		uint64_t swapped = element[count - 1];

		element[count - 1] = element[count - 2];
		element[count - 2] = swapped;
	}
	if (count > 1 && prng_below(d->prng, 5) == 0)
		element[0] = element[--count];
	if (count > 0 && prng_below(d->prng, 40) == 0)
		element[prng_below(d->prng, count)] = 1 + prng_below(d->prng, 9);
	element[count] = 0;
	types_many(d->t, op, element);
}

static void draw_op(struct drawing *d)
{
	unsigned client = (unsigned)(d->t->count % d->clients);
	uint64_t at = 10 + d->t->count * 4 / d->clients;
	uint64_t begin = at - prng_below(d->prng, 5);
	uint64_t dice = prng_below(d->prng, 12);
	struct history_op *op;

	if (begin <= d->free_at[client])
		begin = d->free_at[client] + 1;
	op = types_op(d->t, d->session[client],
		prng_below(d->prng, 2) ? HISTORY_APPEND : HISTORY_READ, begin,
		(at > begin ? at : begin) + prng_below(d->prng, 5));
	d->free_at[client] = op->t_return_ns / TYPES_MS;
	op->key = prng_below(d->prng, 5) == 0;
	if (op->kind == HISTORY_READ) {
		draw_read(d, op);
	} else {
		op->value = d->t->count;
		if (dice > 1 || prng_below(d->prng, 2))
			d->l.element[op->key][d->l.count[op->key]++] = op->value;
	}
	if (dice == 0)
		types_failed(op);
	if (dice != 1)
		return;
	types_open(op);
	d->session[client] += d->clients;
}

static void draw(struct types *t, struct prng *prng)
{
	struct drawing d = {.t = t, .prng = prng, .session = {0, 1, 2, 3}};
	size_t count = 3 + prng_below(prng, OPS_MAX - 2);

	d.clients = 1 + (unsigned)prng_below(prng, 4);
	memset(t, 0, sizeof *t);
	while (t->count < count)
		draw_op(&d);
	qsort(t->op, t->count, sizeof *t->op, types_by_invocation);
}

static void lists__are_judged_as_by_trying_every_order(void **state)
{
	static const struct {
		const struct check_ops *model;
		types_oracle *oracle;
	} pair[] = {
		{&list_linearizable_ops, is_linearizable},
		{&list_sequential_ops, is_sequential},
		{&list_pram_ops, is_pram},
		{&list_read_your_writes_ops, finds_own_writes},
		{&list_monotonic_reads_ops, finds_own_reads},
		{&list_monotonic_writes_ops, keeps_write_order},
		{&list_writes_follow_reads_ops, keeps_write_reasons},
	};
	uint64_t histories = types_histories(8000);
	unsigned bad[sizeof pair / sizeof *pair] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= histories; seed++) {
		struct prng prng;
		struct types t;

		prng_init(&prng, seed, 0);
		draw(&t, &prng);
		for (size_t i = 0; i < sizeof pair / sizeof *pair; i++)
			bad[i] += types_compare(
				&t, pair[i].model, pair[i].oracle, seed % 4 == 0, seed);
		types_check_lattice(&t, CHECK_LIST);
	}
	for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
		print_message("# %llu histories, %u of them not %s\n",
			(unsigned long long)histories, bad[i], pair[i].model->name);
		assert_in_range(bad[i], histories / 100, histories * 9 / 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists__are_judged_as_by_trying_every_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
