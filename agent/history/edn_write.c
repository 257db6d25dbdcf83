/* SPDX-License-Identifier: MIT */
/*
 * edn_write.c - histories as events in EDN: what events.c reads, and Jepsen and Knossos do
 *
 * Events stand in order of time. Of those at one time, the ends of earlier operations come first,
 * then operations that took no time, then the beginnings of longer ones, so that a process never
 * has two operations at once. What is of unknown outcome ends behind all others, or, if nobody
 * said so, not at all.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/history/events.h"

/* An end of an operation. */
struct moment {
	uint64_t t_ns;
	uint32_t op;
	uint8_t rank; /* among those at one time */
	bool end;
};

struct writer {
	const struct history_ops *ops;
	FILE *out;
	size_t index;
	bool counters;
	bool banks;
};

static int by_time(const void *a, const void *b)
{
	const struct moment *x = a;
	const struct moment *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->op != y->op)
		return x->op < y->op ? -1 : 1;
	return x->end - y->end;
}

static const char *const f_names[HISTORY_KIND_NR] = {
	[HISTORY_READ] = "read",
	[HISTORY_WRITE] = "write",
	[HISTORY_CAS] = "cas",
	[HISTORY_APPEND] = "append",
	[HISTORY_ADD] = "add",
	[HISTORY_INCREASE] = "increase",
	[HISTORY_TRANSFER] = "transfer",
	[HISTORY_TRANSACTION] = "txn",
};

static void write_value(struct writer *w, uint64_t value)
{
	const char *text = history_text(w->ops, value);

	if (text)
		(void)fputs(text, w->out);
	else if (value == 0)
		(void)fputs("nil", w->out);
	else
		(void)fprintf(w->out, "%llu", (unsigned long long)value);
}

static void write_key(struct writer *w, uint64_t key)
{
	if (key == 0)
		(void)putc('0', w->out);
	else
		write_value(w, key);
}

static void write_list(struct writer *w, uint32_t first, uint32_t count)
{
	(void)putc('[', w->out);
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			(void)putc(' ', w->out);
		write_value(w, w->ops->list[first + i]);
	}
	(void)putc(']', w->out);
}

/* Balances; no element of a list is 0. */
static bool is_bank(const struct writer *w, const struct history_op *op)
{
	bool zero = w->banks;

	for (uint32_t i = 0; i < op->count && !zero; i++)
		zero = w->ops->list[op->first + i] == 0;
	return zero;
}

static void write_many(struct writer *w, const struct history_op *op)
{
	if (!is_bank(w, op)) {
		write_list(w, op->first, op->count);
		return;
	}
	(void)putc('{', w->out);
	for (uint32_t i = 0; i < op->count; i++)
		(void)fprintf(w->out, "%s%u %lld", i ? " " : "", i,
			(long long)w->ops->list[op->first + i]);
	(void)putc('}', w->out);
}

static void write_steps(struct writer *w, const struct history_op *op, bool ok)
{
	(void)putc('[', w->out);
	for (uint32_t i = 0; i < op->count; i++) {
		const struct history_micro *step = &w->ops->micro[op->first + i];

		(void)fprintf(w->out, "%s[%s ", i ? " " : "",
			step->kind == HISTORY_READ ? ":r" : ":append");
		write_key(w, step->key);
		(void)putc(' ', w->out);
		if (step->kind == HISTORY_APPEND)
			write_value(w, step->value);
		else if (ok)
			write_list(w, step->first, step->count);
		else
			(void)fputs("nil", w->out);
		(void)putc(']', w->out);
	}
	(void)putc(']', w->out);
}

static void write_read(struct writer *w, const struct history_op *op, bool ok)
{
	if (!ok)
		(void)fputs("nil", w->out);
	else if (op->many)
		write_many(w, op);
	else if (w->counters)
		(void)fprintf(w->out, "%lld", (long long)op->value);
	else
		write_value(w, op->value);
}

/* @ok: the value that it has when it has ended well. */
static void write_op(struct writer *w, const struct history_op *op, bool ok)
{
	switch ((enum history_kind)op->kind) {
	case HISTORY_READ:
		write_read(w, op, ok);
		break;
	case HISTORY_WRITE:
	case HISTORY_APPEND:
	case HISTORY_ADD:
		write_value(w, op->value);
		break;
	case HISTORY_CAS:
		(void)putc('[', w->out);
		write_value(w, op->old);
		(void)putc(' ', w->out);
		write_value(w, op->value);
		(void)putc(']', w->out);
		break;
	case HISTORY_INCREASE:
		(void)fprintf(w->out, "%lld", (long long)op->value);
		break;
	case HISTORY_TRANSFER:
		(void)fprintf(w->out, "{:from %llu, :to %u, :amount %lld}",
			(unsigned long long)op->old, op->to, (long long)op->value);
		break;
	case HISTORY_TRANSACTION:
		write_steps(w, op, ok);
		break;
	case HISTORY_KIND_NR:
		break;
	}
}

/* Our own fields stand with the invocation, if they say anything. */
static void write_own(struct writer *w, const struct history_op *op)
{
	(void)fprintf(w->out, ", :op %u", op->op);
	if (op->node)
		(void)fprintf(w->out, ", :node %u", op->node);
	if (op->client)
		(void)fprintf(w->out, ", :client %u", op->client);
	if (op->phase)
		(void)fprintf(w->out, ", :phase %u", op->phase);
	if (op->t_intended_ns != op->t_invoke_ns)
		(void)fprintf(w->out, ", :intended %llu", (unsigned long long)op->t_intended_ns);
	if (op->flags & HISTORY_F_FINAL)
		(void)fputs(", :final true", w->out);
}

static void write_event(
	struct writer *w, const struct history_op *op, enum event_type type, uint64_t t_ns)
{
	static const char *const types[] = {
		[EVENT_INVOKE] = "invoke",
		[EVENT_OK] = "ok",
		[EVENT_FAIL] = "fail",
		[EVENT_INFO] = "info",
	};

	(void)fprintf(w->out, "{:index %zu, :process %u, :type :%s, :f :%s", w->index++,
		op->session, types[type], f_names[op->kind]);
	if (op->kind != HISTORY_TRANSACTION) {
		(void)fputs(", :key ", w->out);
		write_key(w, op->key);
	}
	(void)fputs(", :value ", w->out);
	write_op(w, op, type == EVENT_OK);
	(void)fprintf(w->out, ", :time %llu", (unsigned long long)t_ns);
	if (type == EVENT_INVOKE)
		write_own(w, op);
	else if (op->error != HISTORY_NO_ERROR)
		(void)fprintf(w->out, ", :error :%s", history_error_names[op->error]);
	(void)fputs("}\n", w->out);
}

static enum event_type end_type(const struct history_op *op)
{
	if (op->outcome == HISTORY_UNKNOWN)
		return EVENT_INFO;
	return op->outcome == HISTORY_FAIL || op->error == HISTORY_UNMET ? EVENT_FAIL : EVENT_OK;
}

static size_t sort_moments(const struct history_ops *ops, struct moment *m)
{
	size_t count = 0;

	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];
		bool brief = op->t_invoke_ns == op->t_return_ns;

		m[count++] = (struct moment){op->t_invoke_ns, (uint32_t)i, brief ? 1 : 2, false};
		if (op->outcome != HISTORY_UNKNOWN || op->error != HISTORY_NO_ERROR)
			m[count++] = (struct moment){op->t_return_ns, (uint32_t)i, brief, true};
	}
	qsort(m, count, sizeof *m, by_time);
	return count;
}

void edn_write(const struct history_ops *ops, FILE *out)
{
	struct moment *m = malloc((2 * ops->count + 1) * sizeof *m);
	struct writer w = {
		.ops = ops,
		.out = out,
		.counters = history_has(ops, HISTORY_INCREASE),
		.banks = history_has(ops, HISTORY_TRANSFER),
	};
	uint64_t last_ns = 0;
	size_t count;

	assert(m); /* a history has a limit; without memory for it nothing goes on */
	count = sort_moments(ops, m);
	for (size_t i = 0; i < count; i++) {
		const struct history_op *op = &ops->op[m[i].op];

		/* What has no end comes last, and has no time but that of the event before it. */
		if (m[i].t_ns != UINT64_MAX)
			last_ns = m[i].t_ns;
		write_event(&w, op, m[i].end ? end_type(op) : EVENT_INVOKE, last_ns);
	}
	free(m);
}
