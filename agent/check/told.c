/* SPDX-License-Identifier: MIT */
/*
 * told.c - a violation of a model without real time in words
 *
 * First who saw what it should not, and what it should have known; then, if that alone does not
 * prove it, all operations that do.
 */
#include "agent/check/told.h"

#include <string.h>

#include "agent/check/words.h"

/* "session 7 read 3 of k1 on n5 at 6.200 s" */
static void told_did(struct words *l, const struct history_op *op)
{
	words_say(l, "session %u ", op->session);
	if (op->kind == HISTORY_WRITE) {
		words_say(l, op->outcome == HISTORY_OK ? "wrote " : "perhaps wrote ");
		words_value(l, op->value);
		words_say(l, " to %s", words_key(l->h, op->key).text);
	} else if (op->kind == HISTORY_READ) {
		words_say(l, "read ");
		words_value(l, op->value);
		words_say(l, " of %s", words_key(l->h, op->key).text);
	} else {
		words_say(l, op->outcome != HISTORY_OK ? "perhaps replaced "
			     : op->met                 ? "replaced "
						       : "did not find ");
		words_value(l, op->old);
		if (web_writes(op))
			words_say(l, " by %s", words_number(l->h, op->value).text);
		words_say(l, " in %s", words_key(l->h, op->key).text);
	}
	words_say(l, " on ");
	words_node(l, op);
	if (op->outcome == HISTORY_OK)
		words_say(l, " at %.3f s", words_seconds(l, op->t_return_ns));
	else
		words_say(l, " from %.3f s on", words_seconds(l, op->t_invoke_ns));
}

/* The operation of the witness by which the session of @look knew of @missed itself. */
static const struct history_op *told_knew(
	const struct words *l, const struct told *told, const struct check_result *r)
{
	const struct history_op *look = &l->h->op[told->look];
	const struct history_op *missed = &l->h->op[told->missed];

	if (missed->session == look->session)
		return missed;
	for (size_t i = 0; i < r->witnesses; i++) {
		const struct history_op *op = &l->h->op[r->witness[i]];

		if (op != look && op->session == look->session && op->key == look->key &&
			web_looks(op) && !web_unmet(op) && web_seen(op) == missed->value &&
			op->t_invoke_ns <= look->t_invoke_ns)
			return op;
	}
	return NULL;
}

static void told_although(struct words *l, const struct told *told, const struct check_result *r)
{
	const struct history_op *missed = &l->h->op[told->missed];
	const struct history_op *knew = told_knew(l, told, r);

	words_say(l, ", although ");
	if (!knew) {
		words_say(l, "it knew what followed ");
		words_value(l, missed->value);
		if (told->kind == FLAW_OLD)
			words_say(l, ", which had replaced that");
		else
			words_say(l, ", written by session %u", missed->session);
		return;
	}
	words_say(l, knew == missed ? "it had itself written " : "it had seen ");
	words_value(l, missed->value);
	words_say(l, " %s %s on ", knew == missed ? "to" : "of", words_key(l->h, missed->key).text);
	words_node(l, knew);
	if (knew->outcome == HISTORY_OK)
		words_say(l, " at %.3f s", words_seconds(l, knew->t_return_ns));
}

static void told_nowhere(struct words *l, const struct told *told)
{
	const struct history_op *look = &l->h->op[told->look];

	told_did(l, look);
	for (size_t i = 0; i < l->h->count; i++) {
		const struct history_op *op = &l->h->op[i];

		if (op->key != look->key || op->kind == HISTORY_READ ||
			op->value != web_seen(look) || web_writes(op))
			continue;
		words_say(l, ", whose write through ");
		words_node(l, op);
		words_say(l, " had no effect: it ended as '%s'", history_error_names[op->error]);
		return;
	}
	words_say(l, ", but nobody had written ");
	words_value(l, web_seen(look));
}

/* Whether what has been said names every operation of the witness. */
static bool told_all(const struct words *l, const struct told *told, const struct check_result *r)
{
	const struct history_op *look = &l->h->op[told->look];
	const struct history_op *knew = told_knew(l, told, r);

	for (size_t i = 0; i < r->witnesses && knew; i++) {
		const struct history_op *op = &l->h->op[r->witness[i]];

		if (op != look && op != knew && r->witness[i] != told->missed &&
			!web_may_see(look, op))
			return false;
	}
	return knew != NULL;
}

static void told_operations(struct words *l, const struct check_result *r, size_t count)
{
	if (count > r->witnesses)
		words_say(l, "the last %zu of %zu operations: ", r->witnesses, count);
	for (size_t i = 0; i < r->witnesses; i++) {
		if (i > 0)
			words_say(l, ", ");
		told_did(l, &l->h->op[r->witness[i]]);
	}
}

void told_print(const struct told *told, const struct history_ops *h, struct check_result *ret,
	size_t count, const struct check_names *names)
{
	struct words l;

	words_init(&l, h, names, ret->words, sizeof ret->words);
	switch (told->kind) {
	case FLAW_NONE:
		return;
	case FLAW_NOWHERE:
		told_nowhere(&l, told);
		return;
	case FLAW_NOTHING:
	case FLAW_OLD:
		told_did(&l, &h->op[told->look]);
		told_although(&l, told, ret);
		if (told_all(&l, told, ret))
			return;
		words_say(&l, "; ");
		break;
	case FLAW_CIRCLE:
	case FLAW_CHOICE:
		words_say(&l, "no order explains this: ");
		break;
	}
	told_operations(&l, ret, count);
}
