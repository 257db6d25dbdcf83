/* SPDX-License-Identifier: MIT */
/* jsonl_write.c - histories as JSON lines: what jsonl.c reads */
#include "agent/history/jsonl.h"

const char *const history_outcome_names[] = {
	[0] = "ok",
	[HISTORY_FAIL - HISTORY_OK] = "fail",
	[HISTORY_UNKNOWN - HISTORY_OK] = "unknown",
};

static void print_number(const char *name, uint64_t number, FILE *out)
{
	(void)fprintf(out, ",\"%s\":%llu", name, (unsigned long long)number);
}

/* Numbers in two's complement, so that both an amount and a large value come back as they were. */
static void print_list(const struct history_ops *ops, uint32_t first, uint32_t count, FILE *out)
{
	(void)putc('[', out);
	for (uint32_t i = 0; i < count; i++)
		(void)fprintf(out, "%s%lld", i ? "," : "", (long long)ops->list[first + i]);
	(void)putc(']', out);
}

static void print_steps(const struct history_ops *ops, const struct history_op *op, FILE *out)
{
	(void)fputs(",\"steps\":[", out);
	for (uint32_t i = 0; i < op->count; i++) {
		const struct history_micro *step = &ops->micro[op->first + i];

		(void)fprintf(out, "%s[\"%s\",%llu,", i ? "," : "", history_kind_names[step->kind],
			(unsigned long long)step->key);
		if (step->kind == HISTORY_APPEND)
			(void)fprintf(out, "%llu", (unsigned long long)step->value);
		else if (op->outcome != HISTORY_OK)
			(void)fputs("null", out);
		else
			print_list(ops, step->first, step->count, out);
		(void)putc(']', out);
	}
	(void)putc(']', out);
}

static void print_value(
	const struct history_ops *ops, const struct history_op *op, bool amounts, FILE *out)
{
	if (op->kind == HISTORY_TRANSACTION) {
		print_steps(ops, op, out);
		return;
	}
	print_number("key", op->key, out);
	if (op->kind == HISTORY_CAS)
		print_number("old", op->old, out);
	if (op->kind == HISTORY_TRANSFER) {
		print_number("from", op->old, out);
		print_number("to", op->to, out);
	}
	if (op->many) {
		(void)fputs(",\"values\":", out);
		print_list(ops, op->first, op->count, out);
	} else if (op->kind == HISTORY_INCREASE || op->kind == HISTORY_TRANSFER || amounts) {
		(void)fprintf(out, ",\"value\":%lld", (long long)op->value);
	} else if (op->value != 0) {
		print_number("value", op->value, out);
	} else {
		(void)fputs(",\"value\":null", out);
	}
}

static void print_op(
	const struct history_ops *ops, const struct history_op *op, bool counters, FILE *out)
{
	(void)fprintf(out,
		"{\"op\":%u,\"session\":%u,\"client\":%u,\"node\":%u,\"phase\":%u,\"kind\":\"%s\"",
		op->op, op->session, op->client, op->node, op->phase, history_kind_names[op->kind]);
	print_value(ops, op, counters && op->outcome == HISTORY_OK, out);
	print_number("intended_ns", op->t_intended_ns, out);
	print_number("invoke_ns", op->t_invoke_ns, out);
	if (op->outcome == HISTORY_UNKNOWN)
		(void)fputs(",\"return_ns\":null", out);
	else
		print_number("return_ns", op->t_return_ns, out);
	(void)fprintf(out, ",\"outcome\":\"%s\"", history_outcome_names[op->outcome - HISTORY_OK]);
	if (op->error != HISTORY_NO_ERROR)
		(void)fprintf(out, ",\"error\":\"%s\"", history_error_names[op->error]);
	if (op->flags & HISTORY_F_FINAL)
		(void)fputs(",\"final\":true", out);
	(void)fputs("}\n", out);
}

void jsonl_write(const struct history_ops *ops, FILE *out)
{
	bool counters = history_has(ops, HISTORY_INCREASE);

	for (size_t i = 0; i < ops->count; i++)
		print_op(ops, &ops->op[i], counters, out);
}
