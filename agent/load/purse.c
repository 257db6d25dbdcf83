/* SPDX-License-Identifier: MIT */
/* purse.c - a bank whose few accounts stand in one value, 16 bits each */
#include "agent/load/purse.h"

#include <assert.h>
#include <stdlib.h>

#define PURSE_BITS 16
#define PURSE_BALANCE_MAX ((1u << PURSE_BITS) - 1)
_Static_assert(PLAN_PURSE_MAX *PURSE_BITS <= 64, "all accounts fit a value");
_Static_assert(PLAN_PURSE_MAX *OBJECTS_BALANCE <= PURSE_BALANCE_MAX, "one may have all");

static uint64_t balance_of(uint64_t value, unsigned account)
{
	return value >> (account * PURSE_BITS) & PURSE_BALANCE_MAX;
}

static uint64_t first_value(unsigned accounts)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < accounts; i++)
		value |= (uint64_t)OBJECTS_BALANCE << (i * PURSE_BITS);
	return value;
}

static void show(struct objects *o, uint64_t value)
{
	if (o->cap < o->accounts) {
		o->cap = o->accounts;
		o->element = realloc(o->element, o->cap * sizeof *o->element);
		assert(o->element);
	}
	for (o->count = 0; o->count < o->accounts; o->count++)
		o->element[o->count] = balance_of(value, (unsigned)o->count);
}

/* Before the first transfer nothing need be there. */
static bool look(
	struct objects *o, uint64_t deadline_ns, uint64_t *ret_value, struct driver_result *ret)
{
	o->driver->ops->read(o->driver, PURSE_KEY, deadline_ns, ret);
	*ret_value = ret->value;
	return ret->outcome == HISTORY_OK;
}

static void unmet(struct driver_result *ret)
{
	ret->outcome = HISTORY_FAIL;
	ret->error = HISTORY_OTHER; /* an unmet CAS would be an answer */
}

static void transfer(struct objects *o, bool cas, const struct gen_op *op, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct driver *d = o->driver;

	do {
		uint64_t is;
		uint64_t then;

		if (!look(o, deadline_ns, &is, ret))
			return;
		if (is == 0 || balance_of(is, op->from) < op->value) {
			unmet(ret); /* nothing is done */
			return;
		}
		then = is - (op->value << (op->from * PURSE_BITS)) +
		       (op->value << (op->to * PURSE_BITS));
		if (cas)
			d->ops->cas(d, PURSE_KEY, is, then, deadline_ns, ret);
		else
			d->ops->write(d, PURSE_KEY, then, deadline_ns, ret);
	} while (ret->outcome == HISTORY_OK && ret->error == HISTORY_UNMET &&
		 driver_now_ns(d) < deadline_ns);
	if (ret->error == HISTORY_UNMET)
		unmet(ret);
}

void purse_do(struct objects *o, bool cas, bool opens, const struct gen_op *op,
	uint64_t deadline_ns, struct driver_result *ret)
{
	uint64_t value;

	if (!look(o, deadline_ns, &value, ret))
		return;
	if (value == 0 && opens)
		o->driver->ops->write(
			o->driver, PURSE_KEY, first_value(o->accounts), deadline_ns, ret);
	if (op->kind == HISTORY_TRANSFER)
		transfer(o, cas, op, deadline_ns, ret);
	else if (ret->outcome == HISTORY_OK)
		show(o, value ? value : first_value(o->accounts));
	else
		ret->outcome = HISTORY_FAIL; /* it only looked */
}
