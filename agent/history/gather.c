/* SPDX-License-Identifier: MIT */
/* gather.c - operations put together from what a file says, by the rules that all files keep */
#include "agent/history/gather.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define GATHER_OPS_MIN 1024

#define gather_bad(err, ...) err_set(err, -EBADMSG, EXIT_USAGE, __VA_ARGS__)

/* A session has one operation in flight, and none after one of unknown outcome. */
static int gather_session(struct gather *g, const struct history_op *op, struct err *err)
{
	uint32_t last = pairs_get(&g->sessions, op->session, 0);
	const struct history_op *was;

	if (op->t_invoke_ns == UINT64_MAX)
		return gather_bad(err, "operation %u begins at %llu ns, which stands for never",
			op->op, (unsigned long long)op->t_invoke_ns);
	if (last == PAIRS_NONE)
		return 0;
	was = &g->ops.op[last];
	if (was->outcome == HISTORY_UNKNOWN)
		return gather_bad(err,
			"session %u begins operation %u, but the outcome of its operation %u is "
			"unknown (a new session number was expected)",
			op->session, op->op, was->op);
	if (op->t_invoke_ns < was->t_return_ns)
		return gather_bad(err,
			"session %u begins operation %u at %llu ns, but its operation %u ended at "
			"%llu ns only (one at a time was expected)",
			op->session, op->op, (unsigned long long)op->t_invoke_ns, was->op,
			(unsigned long long)was->t_return_ns);
	return 0;
}

static int gather_value(struct gather *g, const struct history_op *op, uint64_t key, uint64_t value,
	struct err *err)
{
	size_t before = g->values.count;
	uint32_t other;

	if (value == 0)
		return gather_bad(err, "operation %u writes 0, which stands for no value", op->op);
	if (!g->unique)
		return 0;
	other = pairs_put(&g->values, key, value, (uint32_t)g->ops.count);
	if (g->values.count > before)
		return 0;
	return gather_bad(err,
		"operation %u writes %llu to key %llu, as operation %u did (values that differ "
		"were expected)",
		op->op, (unsigned long long)value, (unsigned long long)key,
		other == g->ops.count ? op->op : g->ops.op[other].op);
}

static int gather_steps(struct gather *g, const struct history_op *op, struct err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < op->count && !r; i++) {
		const struct history_micro *step = &g->ops.micro[op->first + i];

		if (step->kind == HISTORY_APPEND)
			r = gather_value(g, op, step->key, step->value, err);
	}
	return r;
}

static int gather_written(struct gather *g, const struct history_op *op, struct err *err)
{
	switch ((enum history_kind)op->kind) {
	case HISTORY_WRITE:
	case HISTORY_CAS:
	case HISTORY_APPEND:
	case HISTORY_ADD:
		return gather_value(g, op, op->key, op->value, err);
	case HISTORY_TRANSACTION:
		return gather_steps(g, op, err);
	case HISTORY_READ:
	case HISTORY_INCREASE: /* by an amount, which may be 0 and may repeat */
	case HISTORY_TRANSFER:
	case HISTORY_KIND_NR:
		break;
	}
	return 0;
}

/* Room for @count more of @size bytes after the first @used of @array. */
static void *gather_room(void *array, size_t used, size_t count, size_t *cap, size_t size)
{
	if (array && used + count <= *cap)
		return array;
	if (*cap == 0)
		*cap = GATHER_OPS_MIN;
	while (*cap < used + count)
		*cap *= 2;
	array = realloc(array, *cap * size);
	assert(array); /* a history has a limit; without memory for it nothing goes on */
	return array;
}

int gather_list(struct gather *g, size_t count, uint64_t **ret, struct err *err)
{
	if (count > UINT32_MAX - g->ops.lists)
		return gather_bad(err, "more than %u elements were read in all", UINT32_MAX);
	g->ops.list =
		gather_room(g->ops.list, g->ops.lists, count, &g->list_cap, sizeof *g->ops.list);
	*ret = g->ops.list + g->ops.lists;
	g->ops.lists += count;
	return 0;
}

int gather_micro(struct gather *g, size_t count, struct history_micro **ret, struct err *err)
{
	if (count > UINT32_MAX - g->ops.micros)
		return gather_bad(err, "more than %u steps in all", UINT32_MAX);
	g->ops.micro = gather_room(
		g->ops.micro, g->ops.micros, count, &g->micro_cap, sizeof *g->ops.micro);
	*ret = g->ops.micro + g->ops.micros;
	g->ops.micros += count;
	return 0;
}

int gather_invoke(struct gather *g, const struct history_op *op, struct err *err)
{
	struct history_op *to;
	int r = gather_session(g, op, err);

	if (!r)
		r = gather_written(g, op, err);
	if (r)
		return r;
	if (g->ops.count == HISTORY_RECORDS_MAX)
		return gather_bad(err, "more than %u operations", HISTORY_RECORDS_MAX);
	g->ops.op = gather_room(g->ops.op, g->ops.count, 1, &g->cap, sizeof *g->ops.op);
	pairs_set(&g->sessions, op->session, 0, (uint32_t)g->ops.count);
	to = &g->ops.op[g->ops.count++];
	*to = *op;
	to->t_return_ns = UINT64_MAX;
	to->outcome = HISTORY_UNKNOWN;
	to->error = HISTORY_NO_ERROR;
	to->met = false;
	if (to->kind == HISTORY_READ)
		to->value = 0;
	if (to->kind != HISTORY_CAS && to->kind != HISTORY_TRANSFER)
		to->old = 0;
	if (to->kind != HISTORY_TRANSFER)
		to->to = 0;
	to->many = false;
	if (to->kind == HISTORY_TRANSACTION) {
		to->key = 0; /* its steps have keys */
		to->value = 0;
	} else {
		to->first = 0;
		to->count = 0;
	}
	return 0;
}

int gather_complete(struct gather *g, size_t i, const struct gather_end *end, struct err *err)
{
	struct history_op *op = &g->ops.op[i];
	bool unmet = end->error == HISTORY_UNMET;

	if (end->outcome == HISTORY_OK && end->error != HISTORY_NO_ERROR &&
		!(unmet && op->kind == HISTORY_CAS))
		return gather_bad(err, "operation %u, a %s, is ok but has the error '%s'", op->op,
			history_kind_names[op->kind], history_error_names[end->error]);
	if (end->outcome != HISTORY_OK && unmet)
		return gather_bad(err,
			"operation %u has the error 'unmet', which is an answer (the outcome ok was "
			"expected)",
			op->op);
	op->outcome = (uint8_t)end->outcome;
	op->error = (uint8_t)end->error;
	if (end->outcome == HISTORY_UNKNOWN)
		return 0;
	if (end->t_ns < op->t_invoke_ns)
		return gather_bad(err, "operation %u ends at %llu ns, before it began at %llu ns",
			op->op, (unsigned long long)end->t_ns, (unsigned long long)op->t_invoke_ns);
	if (end->t_ns == UINT64_MAX)
		return gather_bad(err, "operation %u ends at %llu ns, which stands for never",
			op->op, (unsigned long long)end->t_ns);
	op->t_return_ns = end->t_ns;
	if (end->outcome != HISTORY_OK)
		return 0;
	if (op->kind == HISTORY_READ && end->many) {
		op->many = true;
		op->first = end->first;
		op->count = end->count;
	} else if (op->kind == HISTORY_READ) {
		op->value = end->value;
	}
	op->met = op->kind == HISTORY_CAS && !unmet;
	return 0;
}

static int by_invocation(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	if (x->t_invoke_ns != y->t_invoke_ns)
		return x->t_invoke_ns < y->t_invoke_ns ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

void gather_finish(struct gather *g, struct history_ops *ret)
{
	bool sorted = true;

	for (size_t i = 1; i < g->ops.count && sorted; i++)
		sorted = by_invocation(&g->ops.op[i - 1], &g->ops.op[i]) <= 0;
	if (!sorted)
		qsort(g->ops.op, g->ops.count, sizeof *g->ops.op, by_invocation);
	*ret = g->ops;
	g->ops = (struct history_ops){0};
	gather_fini(g);
}

void gather_fini(struct gather *g)
{
	history_ops_fini(&g->ops);
	pairs_fini(&g->sessions);
	pairs_fini(&g->values);
}
