/* SPDX-License-Identifier: MIT */
/* stock.c - what clients do who sell what is in stock */
#include "agent/load/stock.h"

static bool ask(const struct turn *t, bool first, struct gen_op op, struct driver_result *ret)
{
	return turn_ask(t, first, op, PLAN_INVENTORY, ret);
}

/* Who finds none left goes away: that is an answer, and no sale. */
bool stock_turn(struct stock *s, const struct turn *t, uint64_t each)
{
	uint64_t key = t->client + s->stocked * t->clients;
	struct gen_op op = {.kind = HISTORY_READ, .key = t->slot->key};
	struct driver_result result;

	if (key < t->keys) {
		op = (struct gen_op){.kind = HISTORY_INCREASE, .key = key, .value = each};
		if (!ask(t, true, op, &result))
			return false;
		s->stocked += result.outcome == HISTORY_OK;
		return true;
	}
	if (!ask(t, true, op, &result))
		return false;
	if (t->slot->kind == HISTORY_READ || result.outcome != HISTORY_OK || result.value == 0)
		return true;
	op.kind = HISTORY_INCREASE;
	op.value = (uint64_t)-1;
	return ask(t, false, op, &result);
}

/* What was refused before anything was changed had no effect. */
static void unmet(struct driver_result *ret)
{
	ret->outcome = HISTORY_FAIL;
	ret->error = HISTORY_OTHER; /* an unmet CAS would be an answer */
}

static void take_away(struct driver *d, bool cas, uint64_t key, uint64_t amount,
	uint64_t deadline_ns, struct driver_result *ret)
{
	do {
		uint64_t there;

		d->ops->read(d, key, deadline_ns, ret);
		if (ret->outcome != HISTORY_OK)
			return;
		there = ret->value;
		if (there < amount) {
			unmet(ret);
			return;
		}
		if (cas)
			d->ops->cas(d, key, there, there - amount, deadline_ns, ret);
		else
			d->ops->write(d, key, there - amount, deadline_ns, ret);
	} while (ret->outcome == HISTORY_OK && ret->error == HISTORY_UNMET &&
		 driver_now_ns(d) < deadline_ns);
	if (ret->error == HISTORY_UNMET)
		unmet(ret);
}

void stock_change(struct driver *d, bool cas, uint64_t key, int64_t by, uint64_t deadline_ns,
	struct driver_result *ret)
{
	if (by < 0)
		take_away(d, cas, key, (uint64_t)0 - (uint64_t)by, deadline_ns, ret);
	else
		d->ops->write(d, key, (uint64_t)by, deadline_ns, ret);
}
