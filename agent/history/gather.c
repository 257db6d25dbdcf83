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

static int gather_written(struct gather *g, const struct history_op *op, struct err *err)
{
	uint32_t other;

	if (op->kind == HISTORY_READ)
		return 0;
	if (op->value == 0)
		return gather_bad(err, "operation %u writes 0, which stands for no value", op->op);
	if (!g->unique)
		return 0;
	other = pairs_put(&g->values, op->key, op->value, (uint32_t)g->ops.count);
	if (other != g->ops.count)
		return gather_bad(err,
			"operation %u writes %llu to key %llu, as operation %u did (values that "
			"differ were expected)",
			op->op, (unsigned long long)op->value, (unsigned long long)op->key,
			g->ops.op[other].op);
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
	if (g->ops.count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : GATHER_OPS_MIN;
		g->ops.op = realloc(g->ops.op, g->cap * sizeof *g->ops.op);
		assert(g->ops.op);
	}
	pairs_set(&g->sessions, op->session, 0, (uint32_t)g->ops.count);
	to = &g->ops.op[g->ops.count++];
	*to = *op;
	to->t_return_ns = UINT64_MAX;
	to->outcome = HISTORY_UNKNOWN;
	to->error = HISTORY_NO_ERROR;
	to->met = false;
	if (to->kind == HISTORY_READ)
		to->value = 0;
	if (to->kind != HISTORY_CAS)
		to->old = 0;
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
	if (op->kind == HISTORY_READ)
		op->value = end->value;
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
