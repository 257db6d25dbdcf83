/* SPDX-License-Identifier: MIT */
/* words.c - a line of text for people that grows and is cut where the space ends */
#include "agent/check/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/units.h"

#define WORDS_ELEMENTS 5 /* of a list that are printed */

void words_init(struct words *w, const struct history_ops *h, const struct check_names *names,
	char *out, size_t size)
{
	*w = (struct words){.h = h, .names = names, .out = out, .size = size};
	out[0] = '\0';
}

void words_say(struct words *w, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(w->out + w->len, w->size - w->len, fmt, args);
	va_end(args);
	if (n > 0)
		w->len += (size_t)n < w->size - w->len ? (size_t)n : w->size - w->len - 1;
}

void words_node(struct words *w, const struct history_op *op)
{
	const struct check_names *n = w->names;

	if (n && n->node && op->node < n->nodes && n->node[op->node])
		words_say(w, "%s", n->node[op->node]);
	else
		words_say(w, "node %u", op->node);
}

void words_span(struct words *w, uint64_t ns)
{
	char text[32];

	words_say(w, "%s", units_print_duration(ns, text, sizeof text));
}

void words_when(struct words *w, const struct history_op *op)
{
	words_say(w, "%.3f", words_seconds(w, op->t_invoke_ns));
	if (op->outcome == HISTORY_UNKNOWN)
		words_say(w, " s or later");
	else
		words_say(w, " to %.3f s", words_seconds(w, op->t_return_ns));
}

static struct words_name words_name(
	const struct history_ops *h, const char *before, uint64_t number)
{
	const char *text = history_text(h, number);
	struct words_name name;

	if (text)
		(void)snprintf(name.text, sizeof name.text, "%.44s%s", text,
			strlen(text) > 44 ? "..." : "");
	else
		(void)snprintf(
			name.text, sizeof name.text, "%s%llu", before, (unsigned long long)number);
	return name;
}

struct words_name words_number(const struct history_ops *h, uint64_t value)
{
	return words_name(h, "", value);
}

struct words_name words_key(const struct history_ops *h, uint64_t key)
{
	return words_name(h, "k", key);
}

void words_value(struct words *w, uint64_t value)
{
	words_say(w, "%s", value == 0 ? "nothing" : words_number(w->h, value).text);
}

void words_elements(struct words *w, const uint64_t *element, size_t count)
{
	size_t first = count > WORDS_ELEMENTS ? count - WORDS_ELEMENTS : 0;

	words_say(w, "[%s", first > 0 ? "... " : "");
	for (size_t i = first; i < count; i++)
		words_say(w, "%s%s", i > first ? " " : "", words_number(w->h, element[i]).text);
	words_say(w, "]");
}

static void words_read(struct words *w, const struct history_op *op)
{
	if (op->outcome != HISTORY_OK)
		return;
	words_say(w, " -> ");
	if (op->many)
		words_elements(w, w->h->list + op->first, op->count);
	else if (history_has(w->h, HISTORY_INCREASE))
		words_say(w, "%lld", (long long)op->value); /* a counter may be 0, or below */
	else
		words_value(w, op->value);
}

static void words_steps(struct words *w, const struct history_op *op)
{
	for (uint32_t s = 0; s < op->count; s++) {
		const struct history_micro *m = &w->h->micro[op->first + s];

		words_say(w, "%s %s %s", s > 0 ? "," : "", history_kind_names[m->kind],
			words_key(w->h, m->key).text);
		if (m->kind != HISTORY_READ) {
			words_say(w, " %s", words_number(w->h, m->value).text);
		} else if (op->outcome == HISTORY_OK) {
			words_say(w, " -> ");
			words_elements(w, w->h->list + m->first, m->count);
		}
	}
}

void words_operation(struct words *w, const struct history_op *op)
{
	words_say(w, "%s", history_kind_names[op->kind]);
	if (op->kind != HISTORY_TRANSACTION)
		words_say(w, " %s", words_key(w->h, op->key).text);
	switch ((enum history_kind)op->kind) {
	case HISTORY_READ:
		words_read(w, op);
		break;
	case HISTORY_CAS:
		words_say(w, " ");
		words_value(w, op->old);
		words_say(w, " -> ");
		words_value(w, op->value);
		break;
	case HISTORY_INCREASE:
		words_say(w, " by %lld", (long long)op->value);
		break;
	case HISTORY_TRANSFER:
		words_say(w, " %lld from %llu to %u", (long long)op->value,
			(unsigned long long)op->old, op->to);
		break;
	case HISTORY_TRANSACTION:
		words_steps(w, op);
		break;
	case HISTORY_WRITE:
	case HISTORY_APPEND:
	case HISTORY_ADD:
	case HISTORY_KIND_NR:
		words_say(w, " ");
		words_value(w, op->value);
		break;
	}
}

double words_seconds(const struct words *w, uint64_t t_ns)
{
	uint64_t t0 = w->names ? w->names->t0_ns : 0;

	return t_ns >= t0 ? units_s(t_ns - t0) : -units_s(t0 - t_ns);
}
