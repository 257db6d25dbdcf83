/* SPDX-License-Identifier: MIT */
/*
 * types.h - small hand-made or random histories of lists, sets, counters, banks and transactions
 *
 * Times are in milliseconds. Whatever does not fit stops the test.
 */
#ifndef TESTS_CHECK_TYPES_H
#define TESTS_CHECK_TYPES_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/prng.h"
#include "agent/check/check.h"
#include "agent/check/models.h"
#include "agent/history/history.h"
#include "tests/lib/test.h"

#define TYPES_OPS_MAX 32
#define TYPES_MICROS_MAX 128
#define TYPES_LISTS_MAX 1024
#define TYPES_MS 1000000ull

struct types {
	struct history_op op[TYPES_OPS_MAX];
	struct history_micro micro[TYPES_MICROS_MAX];
	uint64_t list[TYPES_LISTS_MAX];
	size_t count;
	size_t micros;
	size_t lists;
};

static const char *const types_nodes[] = {"n1", "n2", "n3", "n4", "n5"};
static const struct check_names types_names = {.node = types_nodes, .nodes = 5};

/* An acknowledged operation of @session through node @session. */
static inline struct history_op *types_op(struct types *t, unsigned session, enum history_kind kind,
	uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = &t->op[t->count++];

	assert(t->count <= TYPES_OPS_MAX);
	*op = (struct history_op){
		.t_invoke_ns = invoke_ms * TYPES_MS,
		.t_return_ns = return_ms * TYPES_MS,
		.t_intended_ns = invoke_ms * TYPES_MS,
		.key = 3,
		.op = (uint32_t)t->count,
		.session = session,
		.node = (uint16_t)(session % 5),
		.kind = (uint8_t)kind,
		.outcome = HISTORY_OK,
	};
	return op;
}

static inline struct history_op *types_open(struct history_op *op)
{
	op->outcome = HISTORY_UNKNOWN;
	op->error = HISTORY_TIMEOUT;
	op->t_return_ns = UINT64_MAX;
	return op;
}

static inline struct history_op *types_failed(struct history_op *op)
{
	op->outcome = HISTORY_FAIL;
	op->error = HISTORY_REFUSED;
	return op;
}

/* Elements that end with 0. Return: where they are. */
static inline uint32_t types_list(struct types *t, const uint64_t *elements, uint32_t *ret_count)
{
	uint32_t first = (uint32_t)t->lists;

	for (; *elements != 0; elements++) {
		assert(t->lists < TYPES_LISTS_MAX);
		t->list[t->lists++] = *elements;
	}
	*ret_count = (uint32_t)t->lists - first;
	return first;
}

#define ELEMENTS(...) ((const uint64_t[]){__VA_ARGS__, 0})
#define NO_ELEMENTS ((const uint64_t[]){0})

/* A read of many by an operation. */
static inline void types_many(struct types *t, struct history_op *op, const uint64_t *elements)
{
	op->many = true;
	op->first = types_list(t, elements, &op->count);
}

/* The next step of the latest operation, a transaction. */
static inline void types_append(struct types *t, uint64_t key, uint64_t value)
{
	struct history_op *op = &t->op[t->count - 1];

	assert(t->micros < TYPES_MICROS_MAX);
	if (op->count++ == 0)
		op->first = (uint32_t)t->micros;
	t->micro[t->micros++] =
		(struct history_micro){.key = key, .value = value, .kind = HISTORY_APPEND};
}

static inline void types_read(struct types *t, uint64_t key, const uint64_t *elements)
{
	struct history_op *op = &t->op[t->count - 1];
	struct history_micro *micro = &t->micro[t->micros++];

	assert(t->micros <= TYPES_MICROS_MAX);
	if (op->count++ == 0)
		op->first = (uint32_t)t->micros - 1;
	*micro = (struct history_micro){.key = key, .kind = HISTORY_READ};
	micro->first = types_list(t, elements, &micro->count);
}

static inline struct history_ops types_history(struct types *t)
{
	return (struct history_ops){
		.op = t->op,
		.count = t->count,
		.micro = t->micro,
		.micros = t->micros,
		.list = t->list,
		.lists = t->lists,
	};
}

static inline enum check_verdict types_check(
	struct types *t, const struct check_ops *model, struct check_result *ret)
{
	struct history_ops h = types_history(t);
	struct err err = {0};

	if (model->check(&h, NULL, &types_names, ret, &err))
		fail_msg("%s: %s", model->name, err.text);
	return ret->verdict;
}

static inline int types_by_invocation(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_invoke_ns < y->t_invoke_ns ? -1 : x->t_invoke_ns > y->t_invoke_ns;
}

static inline void types_print_list(const struct types *t, uint32_t first, uint32_t count)
{
	char text[256] = "";
	size_t len = 0;

	for (uint32_t i = 0; i < count && len < sizeof text - 24; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, " %llu",
			(unsigned long long)t->list[first + i]);
	print_message("#       [%s ]\n", text);
}

static inline void types_print(const struct types *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct history_op *op = &t->op[i];

		print_message(
			"#   %u: session %u %s k%llu value %lld outcome %d  %llu .. %lld ms\n",
			op->op, op->session, history_kind_names[op->kind],
			(unsigned long long)op->key, (long long)op->value, op->outcome,
			(unsigned long long)(op->t_invoke_ns / TYPES_MS),
			op->t_return_ns == UINT64_MAX ? -1
						      : (long long)(op->t_return_ns / TYPES_MS));
		if (op->many)
			types_print_list(t, op->first, op->count);
		for (uint32_t s = op->first;
			op->kind == HISTORY_TRANSACTION && s < op->first + op->count; s++) {
			print_message("#     %s k%llu %llu\n", history_kind_names[t->micro[s].kind],
				(unsigned long long)t->micro[s].key,
				(unsigned long long)t->micro[s].value);
			if (t->micro[s].kind == HISTORY_READ)
				types_print_list(t, t->micro[s].first, t->micro[s].count);
		}
	}
}

/* How many random histories: @usual, or as many as BRUTE_HISTORIES in the environment says. */
static inline uint64_t types_histories(uint64_t usual)
{
	const char *text = getenv("BRUTE_HISTORIES");

	return text ? strtoull(text, NULL, 10) : usual;
}

/* Whether an oracle explains a history. */
typedef bool types_oracle(const struct types *t);

/* The witness, alone and with any part of the rest, is a violation. */
static inline void types_check_witness(
	const struct types *t, types_oracle *explains, const struct check_result *result)
{
	unsigned witness = 0;

	assert_true(result->witnesses > 0);
	assert_true(result->words[0] != '\0');
	for (size_t i = 0; i < result->witnesses; i++)
		witness |= 1u << result->witness[i];
	for (unsigned set = 0; set < 1u << t->count; set++) {
		struct types part = *t;

		if ((set & witness) != witness)
			continue;
		part.count = 0;
		for (size_t i = 0; i < t->count; i++)
			if (set >> i & 1)
				part.op[part.count++] = t->op[i];
		if (!explains(&part))
			continue;
		print_message("# %s\n", result->words);
		types_print(t);
		fail_msg("the witness %x is explained by %x", witness, set);
	}
}

/* The checker and the oracle must say the same. Return: whether it was a violation. */
static inline bool types_compare(struct types *t, const struct check_ops *model,
	types_oracle *explains, bool witness, uint64_t seed)
{
	struct check_result result;
	bool good = explains(t);

	if (types_check(t, model, &result) != (good ? CHECK_OK : CHECK_VIOLATION)) {
		types_print(t);
		fail_msg("seed %llu: %s: the checker says %s %s", (unsigned long long)seed,
			model->name, check_verdict_names[result.verdict], result.words);
	}
	if (!good && witness)
		types_check_witness(t, explains, &result);
	return !good;
}

/* What fits a model fits all that it implies. */
static inline void types_check_lattice(struct types *t, enum check_type type)
{
	for (unsigned i = 0; check_list(i); i++) {
		const struct check_ops *model = check_list(i);
		struct check_result result;

		if (model->type != type || types_check(t, model, &result) != CHECK_OK)
			continue;
		for (const char *const *name = model->implies; *name; name++) {
			assert_non_null(check_find(*name, type));
			if (types_check(t, check_find(*name, type), &result) != CHECK_VIOLATION)
				continue;
			types_print(t);
			fail_msg("%s, but not %s: %s", model->name, *name, result.words);
		}
	}
}

#endif
