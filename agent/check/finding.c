/* SPDX-License-Identifier: MIT */
/* finding.c - a violation in words: who answered what, when, and what had happened before */
#include "agent/check/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/units.h"

#define FINDING_NAME_MAX 64

void finding_add(struct finding *f, const struct history_ops *h, uint32_t index)
{
	unsigned i = f->count;

	for (unsigned k = 0; k < f->count; k++)
		if (f->op[k] == index)
			return;
	if (f->count == CHECK_WITNESS_MAX) {
		f->whole = false;
		return;
	}
	for (; i > 0 && h->op[f->op[i - 1]].t_invoke_ns > h->op[index].t_invoke_ns; i--)
		f->op[i] = f->op[i - 1];
	f->op[i] = index;
	f->count++;
}

/* A read of an older value, after one write had replaced it. */
static bool finding_is_plain(const struct finding *f, const struct history_ops *h)
{
	return h->op[f->look].kind == HISTORY_READ && h->op[f->newer].kind != HISTORY_READ &&
	       f->newer == f->replaced;
}

bool finding_clearer(const struct finding *a, const struct finding *b, const struct history_ops *h)
{
	bool plain = a->kind == FINDING_STALE && finding_is_plain(a, h);

	if (b->kind != FINDING_STALE || a->kind != FINDING_STALE)
		return b->kind == FINDING_NONE || b->kind == FINDING_STALE;
	if (a->whole != b->whole)
		return a->whole;
	if (plain != finding_is_plain(b, h))
		return plain;
	return h->op[a->look].t_invoke_ns - h->op[a->newer].t_return_ns >
	       h->op[b->look].t_invoke_ns - h->op[b->newer].t_return_ns;
}

/* A line that grows and is cut where the space ends. */
struct line {
	const struct history_ops *h;
	const struct check_names *names;
	char *out;
	size_t size;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->out + l->len, l->size - l->len, fmt, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n < l->size - l->len ? (size_t)n : l->size - l->len - 1;
}

static void say_node(struct line *l, const struct history_op *op)
{
	const struct check_names *n = l->names;

	if (n && n->node && op->node < n->nodes && n->node[op->node])
		say(l, "%s", n->node[op->node]);
	else
		say(l, "node %u", op->node);
}

static void say_value(struct line *l, uint64_t value)
{
	if (value == 0)
		say(l, "nothing");
	else
		say(l, "%llu", (unsigned long long)value);
}

static double seconds(const struct line *l, uint64_t t_ns)
{
	uint64_t t0 = l->names ? l->names->t0_ns : 0;

	return t_ns >= t0 ? units_s(t_ns - t0) : -units_s(t0 - t_ns);
}

static void say_span(struct line *l, uint64_t ns)
{
	char text[32];

	say(l, "%s", units_print_duration(ns, text, sizeof text));
}

/* "n5 answered 7 for k3 at 6.204 s" */
static void say_look(struct line *l, const struct history_op *op)
{
	say_node(l, op);
	if (op->kind == HISTORY_READ) {
		say(l, " answered ");
		say_value(l, op->value);
		say(l, " for k%llu", (unsigned long long)op->key);
	} else if (op->kind == HISTORY_CAS && op->outcome == HISTORY_OK && !op->met) {
		say(l, " did not find ");
		say_value(l, op->old);
		say(l, " in k%llu (compare-and-set)", (unsigned long long)op->key);
	} else if (op->kind == HISTORY_CAS) {
		say(l, " replaced ");
		say_value(l, op->old);
		say(l, " by %llu in k%llu", (unsigned long long)op->value,
			(unsigned long long)op->key);
	} else {
		say(l, " acknowledged %llu for k%llu", (unsigned long long)op->value,
			(unsigned long long)op->key);
	}
	if (op->outcome == HISTORY_OK)
		say(l, " at %.3f s", seconds(l, op->t_return_ns));
	else
		say(l, " (begun at %.3f s, never acknowledged)", seconds(l, op->t_invoke_ns));
}

/* "n1 had acknowledged 9" */
static void say_had(struct line *l, const struct history_op *op)
{
	say_node(l, op);
	if (op->kind == HISTORY_CAS && op->met) {
		say(l, " had replaced ");
		say_value(l, op->old);
		say(l, " by %llu", (unsigned long long)op->value);
		return;
	}
	say(l, op->kind == HISTORY_READ ? " had answered " : " had acknowledged ");
	say_value(l, op->value);
}

static void say_stale(struct line *l, const struct finding *f)
{
	const struct history_op *op = l->h->op;
	const struct history_op *look = &op[f->look];
	const struct history_op *newer = &op[f->newer];
	uint64_t saw = look->kind == HISTORY_CAS ? look->old : look->value;

	say_look(l, look);
	say(l, ", ");
	say_span(l, look->t_invoke_ns - newer->t_return_ns);
	say(l, " after ");
	say_had(l, newer);
	if (f->replaced == FINDING_NOBODY || saw == 0)
		return;
	if (op[f->replaced].kind != HISTORY_READ) {
		/* A compare-and-set has said already what it replaced. */
		if (newer->kind != HISTORY_CAS || newer->old != saw) {
			say(l, ", which had replaced ");
			say_value(l, saw);
		}
		return;
	}
	say(l, "; and ");
	say_look(l, &op[f->replaced]);
	if (f->older == FINDING_NOBODY)
		return;
	say(l, ", after ");
	say_had(l, &op[f->older]);
}

static void say_future(struct line *l, const struct finding *f)
{
	const struct history_op *look = &l->h->op[f->look];
	const struct history_op *newer = &l->h->op[f->newer];
	uint64_t saw = look->kind == HISTORY_CAS ? look->old : look->value;

	say_look(l, look);
	say(l, ", ");
	say_span(l, newer->t_invoke_ns - look->t_return_ns);
	if (newer->value == saw)
		say(l, " before its write through ");
	else
		say(l, " before the write of %llu, which it follows, through ",
			(unsigned long long)newer->value);
	say_node(l, newer);
	say(l, " began");
}

static void say_lost_update(struct line *l, const struct finding *f)
{
	const struct history_op *a = &l->h->op[f->newer];
	const struct history_op *b = &l->h->op[f->look];

	say_node(l, a);
	say(l, " and ");
	say_node(l, b);
	say(l, " both replaced ");
	say_value(l, a->old);
	say(l,
		" in k%llu: by %llu, acknowledged at %.3f s, and by %llu, acknowledged at %.3f s; "
		"one update is lost",
		(unsigned long long)a->key, (unsigned long long)a->value,
		seconds(l, a->t_return_ns), (unsigned long long)b->value,
		seconds(l, b->t_return_ns));
}

static void say_unmet(struct line *l, const struct finding *f)
{
	const struct history_op *look = &l->h->op[f->look];

	say_look(l, look);
	if (f->older != FINDING_NOBODY) {
		say(l, ", ");
		say_span(l, look->t_invoke_ns - l->h->op[f->older].t_return_ns);
		say(l, " after ");
		say_had(l, &l->h->op[f->older]);
	}
	if (f->newer == FINDING_NOBODY) {
		say(l, "; nothing had replaced it");
		return;
	}
	say(l, "; it was still there later: ");
	say_look(l, &l->h->op[f->newer]);
}

/* "n1 write 7 (1.000 to 1.010 s)" */
static void say_operation(struct line *l, const struct history_op *op)
{
	say_node(l, op);
	if (op->kind == HISTORY_CAS) {
		say(l, op->outcome != HISTORY_OK ? " perhaps replaced "
			: op->met                ? " replaced "
						 : " did not find ");
		say_value(l, op->old);
		if (op->outcome != HISTORY_OK || op->met)
			say(l, " by %llu", (unsigned long long)op->value);
	} else if (op->kind == HISTORY_WRITE) {
		say(l, op->outcome == HISTORY_OK ? " wrote " : " perhaps wrote ");
		say_value(l, op->value);
	} else {
		say(l, " read ");
		say_value(l, op->value);
	}
	say(l, " (%.3f", seconds(l, op->t_invoke_ns));
	if (op->outcome == HISTORY_OK)
		say(l, " to %.3f s)", seconds(l, op->t_return_ns));
	else
		say(l, " s or later)");
}

static void say_order(struct line *l, const struct finding *f)
{
	const struct history_op *look = &l->h->op[f->look];

	if (f->whole) {
		say(l, "no order explains what happened to k%llu: ", (unsigned long long)look->key);
	} else {
		say_look(l, look);
		say(l, ", which no order explains; the operations around it: ");
	}
	for (unsigned i = 0; i < f->count; i++) {
		if (i > 0)
			say(l, ", ");
		say_operation(l, &l->h->op[f->op[i]]);
	}
}

void finding_print(const struct finding *f, const struct history_ops *h,
	const struct check_names *names, char *out, size_t size)
{
	struct line l = {.h = h, .names = names, .out = out, .size = size};

	out[0] = '\0';
	switch (f->kind) {
	case FINDING_NONE:
		break;
	case FINDING_THIN_AIR:
		say_look(&l, &h->op[f->look]);
		say(&l, ", but nobody had written ");
		say_value(&l, h->op[f->look].kind == HISTORY_CAS ? h->op[f->look].old
								 : h->op[f->look].value);
		break;
	case FINDING_FAILED:
		say_look(&l, &h->op[f->look]);
		say(&l, ", whose write through ");
		say_node(&l, &h->op[f->newer]);
		say(&l, " had no effect: it ended as '%s' at %.3f s",
			history_error_names[h->op[f->newer].error],
			seconds(&l, h->op[f->newer].t_return_ns));
		break;
	case FINDING_FUTURE:
		say_future(&l, f);
		break;
	case FINDING_LOST_UPDATE:
		say_lost_update(&l, f);
		break;
	case FINDING_STALE:
		say_stale(&l, f);
		break;
	case FINDING_UNMET:
		say_unmet(&l, f);
		break;
	case FINDING_ORDER:
		say_order(&l, f);
		break;
	}
}
