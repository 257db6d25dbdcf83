/* SPDX-License-Identifier: MIT */
/* make.h - hand-made histories: one call an operation, times in milliseconds */
#ifndef TESTS_CHECK_MAKE_H
#define TESTS_CHECK_MAKE_H

#include <assert.h>
#include <string.h>

#include "agent/check/check.h"
#include "agent/check/models.h"
#include "agent/history/history.h"
#include "tests/lib/test.h"

#define MAKE_OPS_MAX 64
#define MAKE_MS 1000000ull
#define MAKE_NEVER UINT64_MAX /* as time of return: the outcome is unknown */

struct make {
	struct history_op op[MAKE_OPS_MAX];
	size_t count;
};

static inline struct history_op *make_op(struct make *m, unsigned node, enum history_kind kind,
	uint64_t key, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = &m->op[m->count++];
	bool open = return_ms == MAKE_NEVER;

	assert(m->count <= MAKE_OPS_MAX);
	*op = (struct history_op){
		.t_invoke_ns = invoke_ms * MAKE_MS,
		.t_return_ns = open ? UINT64_MAX : return_ms * MAKE_MS,
		.t_intended_ns = invoke_ms * MAKE_MS,
		.key = key,
		.op = (uint32_t)m->count,
		.session = (uint32_t)m->count,
		.node = (uint16_t)node,
		.client = 9,
		.kind = (uint8_t)kind,
		.outcome = open ? HISTORY_UNKNOWN : HISTORY_OK,
		.error = open ? HISTORY_TIMEOUT : HISTORY_NO_ERROR,
	};
	return op;
}

static inline struct history_op *make_write(
	struct make *m, unsigned node, uint64_t value, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = make_op(m, node, HISTORY_WRITE, 3, invoke_ms, return_ms);

	op->value = value;
	return op;
}

static inline struct history_op *make_read(
	struct make *m, unsigned node, uint64_t value, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = make_op(m, node, HISTORY_READ, 3, invoke_ms, return_ms);

	op->value = value;
	return op;
}

static inline struct history_op *make_cas(struct make *m, unsigned node, uint64_t old,
	uint64_t value, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = make_op(m, node, HISTORY_CAS, 3, invoke_ms, return_ms);

	op->old = old;
	op->value = value;
	op->met = return_ms != MAKE_NEVER;
	return op;
}

static inline struct history_op *make_unmet(struct make *m, unsigned node, uint64_t old,
	uint64_t value, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = make_cas(m, node, old, value, invoke_ms, return_ms);

	op->met = false;
	op->error = HISTORY_UNMET;
	return op;
}

/* A refused write. */
static inline struct history_op *make_failed(
	struct make *m, unsigned node, uint64_t value, uint64_t invoke_ms, uint64_t return_ms)
{
	struct history_op *op = make_write(m, node, value, invoke_ms, return_ms);

	op->outcome = HISTORY_FAIL;
	op->error = HISTORY_REFUSED;
	return op;
}

static const char *const make_nodes[] = {"n1", "n2", "n3", "n4", "n5"};
static const struct check_names make_names = {.node = make_nodes, .nodes = 5};

static inline struct history_ops make_history(struct make *m)
{
	return (struct history_ops){.op = m->op, .count = m->count};
}

static inline enum check_verdict make_check(struct make *m, struct check_result *ret)
{
	struct history_ops h = make_history(m);
	struct err err = {0};

	assert_int_equal(linearizable_ops.check(&h, NULL, &make_names, ret, &err), 0);
	return ret->verdict;
}

#endif
