/* SPDX-License-Identifier: MIT */
/*
 * large_types_test.c - many operations on lists, sets and counters, and transactions; what it took
 * is printed. LARGE_OPS=1000000 in the environment makes it a million of each.
 */
#include <malloc.h>
#include <sys/resource.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "tests/check/types.h"

#define LARGE_OPS_USUAL 200000
#define LARGE_CLIENTS 10
#define LARGE_SPAN_NS 1000000 /* longest time between an end of an operation and its effect */
#define LARGE_KEYS 20         /* in use at a time */
#define LARGE_LENGTH 32       /* of a list, before another key takes its place */
#define LARGE_STEPS 4

static size_t large_ops;

/* A history as a store gives it that does all at one instant. */
struct large {
	struct history_ops h;
	struct prng prng;
	uint64_t key[LARGE_KEYS];
	uint64_t element[LARGE_KEYS][LARGE_LENGTH];
	uint32_t count[LARGE_KEYS];
	uint64_t keys;
	uint64_t value;
	size_t list_room;
};

static int by_effect(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_intended_ns < y->t_intended_ns ? -1 : x->t_intended_ns > y->t_intended_ns;
}

/* Times first; the instant of the effect stands in t_intended_ns. */
static void large_times(struct large *l)
{
	uint64_t free_at[LARGE_CLIENTS] = {0};

	for (size_t i = 0; i < large_ops; i++) {
		unsigned client = (unsigned)(i % LARGE_CLIENTS);
		uint64_t begin = free_at[client] + 1;
		uint64_t effect = begin + prng_below(&l->prng, LARGE_SPAN_NS);

		l->h.op[i] = (struct history_op){
			.t_invoke_ns = begin,
			.t_intended_ns = effect,
			.t_return_ns = effect + prng_below(&l->prng, LARGE_SPAN_NS),
			.session = client,
			.node = (uint16_t)(client % 5),
			.outcome = HISTORY_OK,
		};
		free_at[client] = l->h.op[i].t_return_ns;
	}
	qsort(l->h.op, large_ops, sizeof *l->h.op, by_effect);
}

static unsigned large_key(struct large *l)
{
	unsigned k = (unsigned)prng_below(&l->prng, LARGE_KEYS);

	if (l->count[k] == LARGE_LENGTH) {
		l->count[k] = 0;
		l->key[k] = ++l->keys;
	}
	return k;
}

static uint32_t large_read(struct large *l, unsigned k)
{
	uint32_t first = (uint32_t)l->h.lists;

	if (l->h.lists + LARGE_LENGTH > l->list_room) {
		l->list_room = 2 * l->list_room + LARGE_LENGTH;
		l->h.list = realloc(l->h.list, l->list_room * sizeof *l->h.list);
		assert_non_null(l->h.list);
	}
	memcpy(l->h.list + first, l->element[k], l->count[k] * sizeof *l->h.list);
	l->h.lists += l->count[k];
	return first;
}

static void large_txn(struct large *l, struct history_op *op)
{
	op->kind = HISTORY_TRANSACTION;
	op->first = (uint32_t)l->h.micros;
	op->count = 1 + (uint32_t)prng_below(&l->prng, LARGE_STEPS);
	for (uint32_t s = 0; s < op->count; s++) {
		struct history_micro *m = &l->h.micro[l->h.micros++];
		unsigned k = large_key(l);

		*m = (struct history_micro){.key = l->key[k], .kind = HISTORY_READ};
		if (prng_below(&l->prng, 2)) {
			m->first = large_read(l, k);
			m->count = l->count[k];
			continue;
		}
		m->kind = HISTORY_APPEND;
		m->value = ++l->value;
		l->element[k][l->count[k]++] = m->value;
	}
}

static void large_one(struct large *l, struct history_op *op, enum history_kind add)
{
	unsigned k = large_key(l);

	op->key = l->key[k];
	op->kind = (uint8_t)(prng_below(&l->prng, 2) ? HISTORY_READ : add);
	if (op->kind == HISTORY_READ) {
		op->many = true;
		op->first = large_read(l, k);
		op->count = l->count[k];
		return;
	}
	op->value = ++l->value;
	l->element[k][l->count[k]++] = op->value;
}

static void large_count(struct large *l, struct history_op *op)
{
	op->key = prng_below(&l->prng, LARGE_KEYS);
	op->kind = (uint8_t)(prng_below(&l->prng, 2) ? HISTORY_READ : HISTORY_INCREASE);
	op->value = op->kind == HISTORY_READ ? l->element[op->key][0] : prng_below(&l->prng, 9) - 3;
	if (op->kind == HISTORY_INCREASE)
		l->element[op->key][0] += op->value;
}

/* @kind is what is done besides reading. To be freed by history_ops_fini() and free(). */
static struct large *large_draw(enum history_kind kind)
{
	struct large *l = calloc(1, sizeof *l);

	assert_non_null(l);
	l->h.op = malloc(large_ops * sizeof *l->h.op);
	l->h.micro = malloc(large_ops * LARGE_STEPS * sizeof *l->h.micro);
	assert_true(l->h.op && l->h.micro);
	l->h.count = large_ops;
	for (unsigned k = 0; k < LARGE_KEYS; k++)
		l->key[k] = ++l->keys;
	prng_init(&l->prng, 1, 0);
	large_times(l);
	for (size_t i = 0; i < large_ops; i++) {
		if (kind == HISTORY_TRANSACTION)
			large_txn(l, &l->h.op[i]);
		else if (kind == HISTORY_INCREASE)
			large_count(l, &l->h.op[i]);
		else
			large_one(l, &l->h.op[i], kind);
	}
	qsort(l->h.op, large_ops, sizeof *l->h.op, types_by_invocation);
	for (size_t i = 0; i < large_ops; i++)
		l->h.op[i].op = (uint32_t)i + 1;
	return l;
}

static void large_free(struct large *l)
{
	history_ops_fini(&l->h);
	free(l);
}

static long resident_kib(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

static enum check_verdict judge(const struct large *l, const struct check_ops *model)
{
	const struct check_budget budget = {.time_ns = 300 * NS_PER_S, .memory_bytes = 4ull << 30};
	uint64_t cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	long before = resident_kib();
	struct check_result result;
	struct err err = {0};

	assert_int_equal(model->check(&l->h, &budget, &types_names, &result, &err), 0);
	assert_int_equal(result.operations, large_ops);
	cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	print_message("# %s (%s): %s after %.2f s, %.2f s of a processor, %ld MiB more; %s\n",
		model->name, check_type_names[model->type], check_verdict_names[result.verdict],
		result.seconds, (double)cpu_ns / 1e9, (resident_kib() - before) / 1024,
		result.words);
	(void)malloc_trim(0);
	return result.verdict;
}

/* Let a late read miss the last element that it shows. */
static void spoil(struct large *l)
{
	size_t late = large_ops / 10 * 9;

	for (;; late++) {
		struct history_op *op = &l->h.op[late];

		if (op->kind == HISTORY_READ && op->many && op->count > 9) {
			op->count -= 9;
			return;
		}
		for (uint32_t s = op->first;
			op->kind == HISTORY_TRANSACTION && s < op->first + op->count; s++) {
			struct history_micro *m = &l->h.micro[s];

			if (op->count > 1 || m->kind != HISTORY_READ || m->count < 10)
				continue;
			m->count -= 9;
			return;
		}
	}
}

static void large__transactions_are_judged(void **state)
{
	struct large *l = large_draw(HISTORY_TRANSACTION);

	(void)state;
	assert_int_equal(judge(l, &read_committed_ops), CHECK_OK);
	assert_int_equal(judge(l, &snapshot_isolation_ops), CHECK_OK);
	assert_int_equal(judge(l, &serializable_ops), CHECK_OK);
	assert_int_equal(judge(l, &strict_serializable_ops), CHECK_OK);
	spoil(l);
	assert_int_equal(judge(l, &strict_serializable_ops), CHECK_VIOLATION);
	large_free(l);
}

static void large__lists_are_judged(void **state)
{
	struct large *l = large_draw(HISTORY_APPEND);

	(void)state;
	assert_int_equal(judge(l, &list_linearizable_ops), CHECK_OK);
	assert_int_equal(judge(l, &list_sequential_ops), CHECK_OK);
	assert_int_equal(judge(l, &list_writes_follow_reads_ops), CHECK_OK);
	spoil(l);
	assert_int_equal(judge(l, &list_linearizable_ops), CHECK_VIOLATION);
	large_free(l);
}

static void large__sets_are_judged(void **state)
{
	struct large *l = large_draw(HISTORY_ADD);

	(void)state;
	assert_int_equal(judge(l, &set_linearizable_ops), CHECK_OK);
	assert_int_equal(judge(l, &set_full_ops), CHECK_OK);
	spoil(l);
	assert_int_equal(judge(l, &set_linearizable_ops), CHECK_VIOLATION);
	large_free(l);
}

static void large__counters_are_judged(void **state)
{
	struct large *l = large_draw(HISTORY_INCREASE);

	(void)state;
	assert_int_equal(judge(l, &counter_ops), CHECK_OK);
	assert_int_equal(judge(l, &counter_linearizable_ops), CHECK_OK);
	large_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large__transactions_are_judged),
		cmocka_unit_test(large__lists_are_judged),
		cmocka_unit_test(large__sets_are_judged),
		cmocka_unit_test(large__counters_are_judged),
	};

	const char *text = getenv("LARGE_OPS");

	large_ops = text ? strtoull(text, NULL, 10) : LARGE_OPS_USUAL;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
