/* SPDX-License-Identifier: MIT */
/* finding.c - a violation in words: who answered what, when, and what had happened before */
#include "agent/check/finding.h"

#include "agent/check/words.h"

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

/* "n5 answered 7 for k3 at 6.204 s" */
static void say_look(struct words *l, const struct history_op *op)
{
	words_node(l, op);
	if (op->kind == HISTORY_READ) {
		words_say(l, " answered ");
		words_value(l, op->value);
		words_say(l, " for %s", words_key(l->h, op->key).text);
	} else if (op->kind == HISTORY_CAS && op->outcome == HISTORY_OK && !op->met) {
		words_say(l, " did not find ");
		words_value(l, op->old);
		words_say(l, " in %s (compare-and-set)", words_key(l->h, op->key).text);
	} else if (op->kind == HISTORY_CAS) {
		words_say(l, " replaced ");
		words_value(l, op->old);
		words_say(l, " by %s in %s", words_number(l->h, op->value).text,
			words_key(l->h, op->key).text);
	} else {
		words_say(l, " acknowledged %s for %s", words_number(l->h, op->value).text,
			words_key(l->h, op->key).text);
	}
	if (op->outcome == HISTORY_OK)
		words_say(l, " at %.3f s", words_seconds(l, op->t_return_ns));
	else
		words_say(l, " (begun at %.3f s, never acknowledged)",
			words_seconds(l, op->t_invoke_ns));
}

/* "n1 had acknowledged 9" */
static void say_had(struct words *l, const struct history_op *op)
{
	words_node(l, op);
	if (op->kind == HISTORY_CAS && op->met) {
		words_say(l, " had replaced ");
		words_value(l, op->old);
		words_say(l, " by %s", words_number(l->h, op->value).text);
		return;
	}
	words_say(l, op->kind == HISTORY_READ ? " had answered " : " had acknowledged ");
	words_value(l, op->value);
}

static void say_stale(struct words *l, const struct finding *f)
{
	const struct history_op *op = l->h->op;
	const struct history_op *look = &op[f->look];
	const struct history_op *newer = &op[f->newer];
	uint64_t saw = look->kind == HISTORY_CAS ? look->old : look->value;

	say_look(l, look);
	words_say(l, ", ");
	words_span(l, look->t_invoke_ns - newer->t_return_ns);
	words_say(l, " after ");
	say_had(l, newer);
	if (f->replaced == FINDING_NOBODY || saw == 0)
		return;
	if (op[f->replaced].kind != HISTORY_READ) {
		/* A compare-and-set has said already what it replaced. */
		if (newer->kind != HISTORY_CAS || newer->old != saw) {
			words_say(l, ", which had replaced ");
			words_value(l, saw);
		}
		return;
	}
	words_say(l, "; and ");
	say_look(l, &op[f->replaced]);
	if (f->older == FINDING_NOBODY)
		return;
	words_say(l, ", after ");
	say_had(l, &op[f->older]);
}

static void say_future(struct words *l, const struct finding *f)
{
	const struct history_op *look = &l->h->op[f->look];
	const struct history_op *newer = &l->h->op[f->newer];
	uint64_t saw = look->kind == HISTORY_CAS ? look->old : look->value;

	say_look(l, look);
	words_say(l, ", ");
	words_span(l, newer->t_invoke_ns - look->t_return_ns);
	if (newer->value == saw)
		words_say(l, " before its write through ");
	else
		words_say(l, " before the write of %s, which it follows, through ",
			words_number(l->h, newer->value).text);
	words_node(l, newer);
	words_say(l, " began");
}

static void say_lost_update(struct words *l, const struct finding *f)
{
	const struct history_op *a = &l->h->op[f->newer];
	const struct history_op *b = &l->h->op[f->look];

	words_node(l, a);
	words_say(l, " and ");
	words_node(l, b);
	words_say(l, " both replaced ");
	words_value(l, a->old);
	words_say(l,
		" in %s: by %s, acknowledged at %.3f s, and by %s, acknowledged at %.3f s; "
		"one update is lost",
		words_key(l->h, a->key).text, words_number(l->h, a->value).text,
		words_seconds(l, a->t_return_ns), words_number(l->h, b->value).text,
		words_seconds(l, b->t_return_ns));
}

static void say_unmet(struct words *l, const struct finding *f)
{
	const struct history_op *look = &l->h->op[f->look];

	say_look(l, look);
	if (f->older != FINDING_NOBODY) {
		words_say(l, ", ");
		words_span(l, look->t_invoke_ns - l->h->op[f->older].t_return_ns);
		words_say(l, " after ");
		say_had(l, &l->h->op[f->older]);
	}
	if (f->newer == FINDING_NOBODY) {
		words_say(l, "; nothing had replaced it");
		return;
	}
	words_say(l, "; it was still there later: ");
	say_look(l, &l->h->op[f->newer]);
}

/* "n1 write 7 (1.000 to 1.010 s)" */
static void say_operation(struct words *l, const struct history_op *op)
{
	words_node(l, op);
	if (op->kind == HISTORY_CAS) {
		words_say(l, op->outcome != HISTORY_OK ? " perhaps replaced "
			     : op->met                 ? " replaced "
						       : " did not find ");
		words_value(l, op->old);
		if (op->outcome != HISTORY_OK || op->met)
			words_say(l, " by %s", words_number(l->h, op->value).text);
	} else if (op->kind == HISTORY_WRITE) {
		words_say(l, op->outcome == HISTORY_OK ? " wrote " : " perhaps wrote ");
		words_value(l, op->value);
	} else {
		words_say(l, " read ");
		words_value(l, op->value);
	}
	words_say(l, " (");
	words_when(l, op);
	words_say(l, ")");
}

static void say_order(struct words *l, const struct finding *f)
{
	const struct history_op *look = &l->h->op[f->look];

	if (f->whole) {
		words_say(l,
			"no order explains what happened to %s: ", words_key(l->h, look->key).text);
	} else {
		say_look(l, look);
		words_say(l, ", which no order explains; the operations around it: ");
	}
	for (unsigned i = 0; i < f->count; i++) {
		if (i > 0)
			words_say(l, ", ");
		say_operation(l, &l->h->op[f->op[i]]);
	}
}

void finding_print(const struct finding *f, const struct history_ops *h,
	const struct check_names *names, char *out, size_t size)
{
	struct words l;

	words_init(&l, h, names, out, size);
	switch (f->kind) {
	case FINDING_NONE:
		break;
	case FINDING_THIN_AIR:
		say_look(&l, &h->op[f->look]);
		words_say(&l, ", but nobody had written ");
		words_value(&l, h->op[f->look].kind == HISTORY_CAS ? h->op[f->look].old
								   : h->op[f->look].value);
		break;
	case FINDING_FAILED:
		say_look(&l, &h->op[f->look]);
		words_say(&l, ", whose write through ");
		words_node(&l, &h->op[f->newer]);
		words_say(&l, " had no effect: it ended as '%s' at %.3f s",
			history_error_names[h->op[f->newer].error],
			words_seconds(&l, h->op[f->newer].t_return_ns));
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
		return;
	}
	if (!f->whole)
		words_say(&l, "; what that follows from is longer than a witness");
}
