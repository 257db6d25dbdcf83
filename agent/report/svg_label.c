/* SPDX-License-Identifier: MIT */
/* svg_label.c - an operation in a few words, for its bar in the picture */
#include <inttypes.h>
#include <stdarg.h>

#include "agent/check/words.h"
#include "agent/report/svg_layout.h"

/* A list shows so many elements, the last of them always. */
#define LIST_SHOWN 5
/* A transaction shows so many steps. */
#define STEPS_SHOWN 8

struct label {
	char *out;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void label_say(struct label *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->out + l->len, SVG_LABEL_MAX - l->len, fmt, args);
	va_end(args);
	if (n > 0)
		l->len +=
			(size_t)n < SVG_LABEL_MAX - l->len ? (size_t)n : SVG_LABEL_MAX - l->len - 1;
}

static void label_value(struct label *l, const struct history_ops *h, uint64_t value)
{
	label_say(l, "%s", value == 0 ? "nothing" : words_number(h, value).text);
}

static void label_list(struct label *l, const struct history_ops *h, uint32_t first, uint32_t count)
{
	bool balances = history_has(h, HISTORY_TRANSFER); /* one may be below 0 */

	label_say(l, "[");
	for (uint32_t i = 0; i < count; i++) {
		if (count > LIST_SHOWN && i == 1) {
			label_say(l, " …");
			i = count - (LIST_SHOWN - 1);
		}
		if (balances)
			label_say(l, "%s%" PRId64, i ? " " : "", (int64_t)h->list[first + i]);
		else
			label_say(
				l, "%s%s", i ? " " : "", words_number(h, h->list[first + i]).text);
	}
	label_say(l, "]");
}

static void label_transaction(
	struct label *l, const struct history_ops *h, const struct history_op *op)
{
	/* The words below call it so. */
	label_say(l, "T%u: ", op->op);
	for (uint32_t i = 0; i < op->count; i++) {
		const struct history_micro *m = &h->micro[op->first + i];

		if (i == STEPS_SHOWN) {
			label_say(l, "; … %u more", op->count - i);
			return;
		}
		if (i > 0)
			label_say(l, "; ");
		if (m->kind != HISTORY_READ) {
			label_say(l, "append %s to %s", words_number(h, m->value).text,
				words_key(h, m->key).text);
			continue;
		}
		label_say(l, "read %s", words_key(h, m->key).text);
		if (op->outcome != HISTORY_OK)
			continue;
		label_say(l, " → ");
		label_list(l, h, m->first, m->count);
	}
}

static void label_read(struct label *l, const struct history_ops *h, const struct history_op *op)
{
	label_say(l, "read %s", words_key(h, op->key).text);
	if (op->outcome != HISTORY_OK)
		return;
	label_say(l, " → ");
	if (op->many)
		label_list(l, h, op->first, op->count);
	else if (history_has(h, HISTORY_INCREASE))
		label_say(l, "%" PRId64, (int64_t)op->value); /* a counter may be 0, or below */
	else
		label_value(l, h, op->value);
}

static void label_kind(struct label *l, const struct history_ops *h, const struct history_op *op)
{
	const struct words_name value = words_number(h, op->value);
	const struct words_name key = words_key(h, op->key);

	switch ((enum history_kind)op->kind) {
	case HISTORY_READ:
		label_read(l, h, op);
		break;
	case HISTORY_WRITE:
		label_say(l, "write %s = %s", key.text, value.text);
		break;
	case HISTORY_CAS:
		label_say(l, "compare-and-set %s ", key.text);
		label_value(l, h, op->old);
		label_say(l, " → %s", value.text);
		break;
	case HISTORY_APPEND:
		label_say(l, "append %s to %s", value.text, key.text);
		break;
	case HISTORY_ADD:
		label_say(l, "add %s to %s", value.text, key.text);
		break;
	case HISTORY_INCREASE:
		label_say(l, "increase %s by %" PRId64, key.text, (int64_t)op->value);
		break;
	case HISTORY_TRANSFER:
		label_say(l, "transfer %" PRIu64 " from %" PRIu64 " to %u", op->value, op->old,
			op->to);
		break;
	case HISTORY_TRANSACTION:
		label_transaction(l, h, op);
		break;
	case HISTORY_KIND_NR:
		break;
	}
}

void svg_label(const struct history_ops *h, const struct history_op *op, char *out)
{
	struct label l = {.out = out};

	out[0] = '\0';
	label_kind(&l, h, op);
	if (op->outcome == HISTORY_FAIL)
		label_say(&l, " (failed: %s)", history_error_names[op->error]);
	else if (op->outcome == HISTORY_UNKNOWN)
		label_say(&l, " (outcome unknown)");
	else if (op->kind == HISTORY_CAS && !op->met)
		label_say(&l, " (not found)");
}
