/* SPDX-License-Identifier: MIT */
/* binary_write.c - a history from memory into a binary file, an operation after the other */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/history/formats.h"

/* Whether all numbers of operations are ones that a binary file may have. */
static bool numbers_fit(const struct history_ops *ops)
{
	uint8_t *seen = calloc(HISTORY_RECORDS_MAX / 8 + 1, 1);
	bool fit = seen != NULL;

	for (size_t i = 0; i < ops->count && fit; i++) {
		uint32_t op = ops->op[i].op;

		fit = op > 0 && op <= HISTORY_RECORDS_MAX && !(seen[op / 8] >> (op % 8) & 1);
		if (fit)
			seen[op / 8] |= (uint8_t)(1u << (op % 8));
	}
	free(seen);
	return fit;
}

static int add_invoke(struct history *h, const struct history_ops *ops, const struct history_op *op,
	uint32_t number)
{
	struct history_record r = {
		.type = HISTORY_INVOKE,
		.kind = op->kind,
		.flags = op->flags,
		.op = number,
		.session = op->session,
		.node = op->node,
		.client = op->client,
		.phase = op->phase,
		.t_ns = op->t_invoke_ns,
		.t_intended_ns = op->t_intended_ns,
		.key = op->key,
		.value = op->kind == HISTORY_READ ? 0 : op->value,
		.old = op->old,
	};

	if (op->kind == HISTORY_TRANSFER)
		r.old = history_accounts((uint16_t)op->old, op->to);
	if (op->kind == HISTORY_TRANSACTION)
		return history_add_steps(h, &r, ops->micro + op->first, op->count);
	return history_add(h, &r);
}

static int add_complete(struct history *h, const struct history_ops *ops,
	const struct history_op *op, uint32_t number)
{
	struct history_record r = {
		.type = op->outcome,
		.kind = op->kind,
		.error = op->error,
		.flags = op->flags,
		.op = number,
		.session = op->session,
		.node = op->node,
		.client = op->client,
		.phase = op->phase,
		.t_ns = op->t_return_ns,
		.key = op->key,
		.value = op->value,
	};

	if (op->many)
		return history_add_many(h, &r, ops->list + op->first, op->count);
	if (op->kind == HISTORY_TRANSACTION && op->outcome == HISTORY_OK)
		return history_add_results(h, &r, ops->micro + op->first, op->count, ops->list);
	return history_add(h, &r);
}

static int add_all(struct history *h, const struct history_ops *ops)
{
	bool fit = numbers_fit(ops);
	int r = 0;

	for (size_t i = 0; i < ops->count && !r; i++) {
		const struct history_op *op = &ops->op[i];
		uint32_t number = fit ? op->op : (uint32_t)i + 1;

		r = add_invoke(h, ops, op, number);
		/* An operation that nothing was heard of has an invocation only. */
		if (!r && (op->outcome != HISTORY_UNKNOWN || op->error != HISTORY_NO_ERROR))
			r = add_complete(h, ops, op, number);
	}
	return r;
}

int binary_write(const struct history_ops *ops, const char *path, struct err *err)
{
	struct history *h;
	int r = history_create(&h, path, err);

	if (r)
		return r;
	history_repeats(h);
	r = add_all(h, ops);
	history_close(h);
	if (!r)
		return 0;
	(void)unlink(path);
	if (r == -ENOSPC)
		return err_set(err, r, EXIT_USAGE,
			"write '%s': no space on the disk, or more than %u records", path,
			HISTORY_RECORDS_MAX);
	return err_set(err, r, EXIT_USAGE,
		"write '%s': an operation of more than %u steps or %u elements", path,
		HISTORY_STEPS_MAX, HISTORY_MANY_MAX);
}
