/* SPDX-License-Identifier: MIT */
/*
 * lock.c - what clients do who share locks
 *
 * A client that was not told whether it has taken a lock, or given it back, tries to give it back
 * in its next turn, as one would who must not leave it locked. It believes to hold it only if it
 * was told so, and no longer than until it first tries to give it back.
 */
#include "agent/load/lock.h"

static bool ask(const struct turn *t, bool first, struct gen_op op, struct driver_result *ret)
{
	return turn_ask(t, first, op, PLAN_REGISTER, ret);
}

static bool done(const struct driver_result *r)
{
	return r->outcome == HISTORY_OK && r->error != HISTORY_UNMET;
}

/* Each lock is set up by one client. */
static bool set_up(struct lock *l, const struct turn *t, uint64_t key)
{
	const struct gen_op write = {
		.kind = HISTORY_WRITE, .key = key, .value = LOCK_FIRST_FREE + 2 * key};
	struct driver_result result;

	if (!ask(t, true, write, &result))
		return false;
	l->set_up += result.outcome == HISTORY_OK;
	return true;
}

/* Did what was written stay? Whether it did or not, it may yet win: it is given back in any case.
 */
static bool look_again(const struct lock *l, const struct turn *t)
{
	const struct gen_op read = {.kind = HISTORY_READ, .key = l->key};
	struct driver_result result;

	return ask(t, false, read, &result);
}

static bool take(struct lock *l, const struct turn *t)
{
	struct gen_op op = {.kind = HISTORY_READ, .key = t->slot->key};
	struct driver_result result;

	if (!ask(t, true, op, &result))
		return false;
	if (result.outcome != HISTORY_OK || result.value == 0 || lock_is_held(result.value))
		return true;
	l->key = op.key;
	l->token = 2 * t->slot->value + 1;
	l->missed = 0;
	op.kind = t->cas ? HISTORY_CAS : HISTORY_WRITE;
	op.old = result.value;
	op.value = l->token;
	if (!ask(t, false, op, &result))
		return false;
	l->mine = done(&result) || result.outcome == HISTORY_UNKNOWN;
	return t->cas || !done(&result) || look_again(l, t);
}

static bool give_back(struct lock *l, const struct turn *t)
{
	struct gen_op op = {.kind = HISTORY_READ, .key = l->key};
	struct driver_result result;

	if (!t->cas) {
		if (!ask(t, true, op, &result))
			return false;
		if (result.outcome != HISTORY_OK)
			return true;
		if (result.value != l->token) {
			l->mine = ++l->missed < LOCK_LOOKS;
			return true;
		}
	}
	op.kind = t->cas ? HISTORY_CAS : HISTORY_WRITE;
	op.old = l->token;
	op.value = 2 * t->slot->value;
	if (!ask(t, t->cas, op, &result))
		return false;
	l->mine = result.outcome != HISTORY_OK;
	return true;
}

bool lock_turn(struct lock *l, const struct turn *t)
{
	uint64_t key = t->client + l->set_up * t->clients;
	const struct gen_op read = {.kind = HISTORY_READ, .key = t->slot->key};
	struct driver_result result;

	if (key < t->keys)
		return set_up(l, t, key);
	if (l->mine)
		return give_back(l, t);
	if (t->slot->kind == HISTORY_READ)
		return ask(t, true, read, &result);
	return take(l, t);
}
