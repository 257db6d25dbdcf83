/* SPDX-License-Identifier: MIT */
/* objects.c - what clients do to lists, sets, counters, banks and several lists at once */
#include "agent/load/objects.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static bool does(const struct objects *o, enum proto_op op)
{
	return o->does & PROTO_DOES(op);
}

void objects_fini(struct objects *o)
{
	buf_fini(&o->text);
	free(o->element);
	o->element = NULL;
	o->count = o->cap = 0;
}

/* What the store has there is not what clients write: nothing can be said of it. */
static void not_ours(struct driver_result *ret)
{
	ret->outcome = HISTORY_FAIL;
	ret->error = HISTORY_OTHER;
}

static void add_element(struct objects *o, uint64_t element)
{
	if (o->count == o->cap) {
		o->cap = o->cap ? o->cap * 2 : 64;
		o->element = realloc(o->element, o->cap * sizeof *o->element);
		assert(o->element);
	}
	o->element[o->count++] = element;
}

/* "3,17,4," Return: false if it is none. */
static bool add_elements(struct objects *o, const struct buf *text)
{
	uint64_t n = 0;
	bool digits = false;

	for (size_t i = 0; i < text->len; i++) {
		const uint8_t c = text->p[i];

		if (c == ',' && digits) {
			add_element(o, n);
			n = 0;
			digits = false;
		} else if (c < '0' || c > '9' || __builtin_mul_overflow(n, 10, &n) ||
			   __builtin_add_overflow(n, (uint64_t)(c - '0'), &n)) {
			return false;
		} else {
			digits = true;
		}
	}
	return !digits;
}

static bool parse_amount(const struct buf *text, int64_t *ret)
{
	char decimal[24];
	char *end;

	if (text->len == 0 || text->len >= sizeof decimal)
		return false;
	memcpy(decimal, text->p, text->len);
	decimal[text->len] = '\0';
	errno = 0;
	*ret = strtoll(decimal, &end, 10);
	return errno == 0 && *end == '\0';
}

static void print_amount(struct buf *text, int64_t n)
{
	text->len = 0;
	buf_printf(text, "%lld", (long long)n);
}

/* Return: true if ret->outcome is HISTORY_OK. */
static bool read_list(
	struct objects *o, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	o->driver->ops->get(o->driver, key, deadline_ns, &o->text, ret);
	if (ret->outcome == HISTORY_OK && !add_elements(o, &o->text))
		not_ours(ret);
	return ret->outcome == HISTORY_OK;
}

/* @initial: what it holds where there is nothing yet. */
static bool read_amount(struct objects *o, uint64_t key, int64_t initial, uint64_t deadline_ns,
	int64_t *ret_amount, struct driver_result *ret)
{
	o->driver->ops->get(o->driver, key, deadline_ns, &o->text, ret);
	*ret_amount = initial;
	if (ret->outcome == HISTORY_OK && ret->found && !parse_amount(&o->text, ret_amount))
		not_ours(ret);
	return ret->outcome == HISTORY_OK;
}

/* Values that stand side by side are merged by who reads them, as the carts of Dynamo are. */
static bool merges(const struct objects *o)
{
	return does(o, PROTO_VALUES) && !does(o, PROTO_ADD) && !does(o, PROTO_APPEND);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* All elements of all of them, each once. */
static bool read_merged(
	struct objects *o, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	size_t n = 0;

	o->driver->ops->values(o->driver, key, deadline_ns, &o->text, ret);
	if (ret->outcome == HISTORY_OK && !add_elements(o, &o->text))
		not_ours(ret);
	if (ret->outcome != HISTORY_OK || o->count == 0)
		return ret->outcome == HISTORY_OK;
	qsort(o->element, o->count, sizeof *o->element, by_size);
	for (size_t i = 0; i < o->count; i++)
		if (n == 0 || o->element[n - 1] != o->element[i])
			o->element[n++] = o->element[i];
	o->count = n;
	return true;
}

static bool read_set(
	struct objects *o, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	if (merges(o))
		return read_merged(o, key, deadline_ns, ret);
	if (!does(o, PROTO_MEMBERS))
		return read_list(o, key, deadline_ns, ret);
	o->driver->ops->members(o->driver, key, deadline_ns, &o->text, ret);
	if (ret->outcome == HISTORY_OK && !add_elements(o, &o->text))
		not_ours(ret);
	return ret->outcome == HISTORY_OK;
}

static void append(struct objects *o, uint64_t key, uint64_t element, uint64_t deadline_ns,
	struct driver_result *ret)
{
	bool whole = does(o, PROTO_APPEND);

	o->text.len = 0;
	if (!whole) {
		o->driver->ops->get(o->driver, key, deadline_ns, &o->text, ret);
		if (ret->outcome != HISTORY_OK)
			return;
	}
	buf_printf(&o->text, "%llu,", (unsigned long long)element);
	if (whole)
		o->driver->ops->append(o->driver, key, &o->text, deadline_ns, ret);
	else
		o->driver->ops->put(o->driver, key, &o->text, deadline_ns, ret);
}

/* What was read, and one more; it takes the place of what was read. */
static void add_merged(struct objects *o, uint64_t key, uint64_t element, uint64_t deadline_ns,
	struct driver_result *ret)
{
	if (!read_merged(o, key, deadline_ns, ret))
		return;
	add_element(o, element);
	o->text.len = 0;
	for (size_t i = 0; i < o->count; i++)
		buf_printf(&o->text, "%llu,", (unsigned long long)o->element[i]);
	o->count = 0;
	o->driver->ops->put(o->driver, key, &o->text, deadline_ns, ret);
}

static void add(struct objects *o, uint64_t key, uint64_t element, uint64_t deadline_ns,
	struct driver_result *ret)
{
	if (merges(o)) {
		add_merged(o, key, element, deadline_ns, ret);
		return;
	}
	if (does(o, PROTO_ADD))
		o->driver->ops->add(o->driver, key, element, deadline_ns, ret);
	else
		append(o, key, element, deadline_ns, ret);
}

static void increase(struct objects *o, uint64_t key, int64_t by, uint64_t deadline_ns,
	struct driver_result *ret)
{
	int64_t amount;

	if (does(o, PROTO_INCREASE)) {
		o->driver->ops->increase(o->driver, key, by, deadline_ns, ret);
		return;
	}
	if (!read_amount(o, key, 0, deadline_ns, &amount, ret))
		return;
	if (__builtin_add_overflow(amount, by, &amount)) {
		not_ours(ret);
		return;
	}
	print_amount(&o->text, amount);
	o->driver->ops->put(o->driver, key, &o->text, deadline_ns, ret);
}

/* Some steps may be done and this one is not: nobody can say what the whole did. */
static void by_half(bool begun, struct driver_result *ret)
{
	if (begun && ret->outcome != HISTORY_OK)
		ret->outcome = HISTORY_UNKNOWN;
}

static void transfer(
	struct objects *o, const struct gen_op *op, uint64_t deadline_ns, struct driver_result *ret)
{
	int64_t from, to;
	const int64_t amount = (int64_t)op->value;

	if (!read_amount(o, op->from, OBJECTS_BALANCE, deadline_ns, &from, ret) ||
		!read_amount(o, op->to, OBJECTS_BALANCE, deadline_ns, &to, ret))
		return;
	if (from < amount || __builtin_add_overflow(to, amount, &to)) {
		not_ours(ret); /* the account does not have so much: nothing is done */
		return;
	}
	print_amount(&o->text, from - amount);
	o->driver->ops->put(o->driver, op->from, &o->text, deadline_ns, ret);
	if (ret->outcome != HISTORY_OK)
		return;
	print_amount(&o->text, to);
	o->driver->ops->put(o->driver, op->to, &o->text, deadline_ns, ret);
	by_half(true, ret);
}

static void read_bank(struct objects *o, uint64_t deadline_ns, struct driver_result *ret)
{
	int64_t balance;

	for (unsigned i = 0; i < o->accounts; i++) {
		if (!read_amount(o, i, OBJECTS_BALANCE, deadline_ns, &balance, ret))
			return;
		add_element(o, (uint64_t)balance);
	}
}

static void transact(
	struct objects *o, const struct gen_op *op, uint64_t deadline_ns, struct driver_result *ret)
{
	bool begun = false;

	for (unsigned i = 0; i < op->steps; i++) {
		struct history_micro *step = &o->step[i];

		*step = op->step[i];
		if (step->kind == HISTORY_APPEND) {
			append(o, step->key, step->value, deadline_ns, ret);
		} else {
			step->first = (uint32_t)o->count;
			(void)read_list(o, step->key, deadline_ns, ret);
			step->count = (uint32_t)o->count - step->first;
		}
		by_half(begun, ret);
		if (ret->outcome != HISTORY_OK)
			return;
		begun = begun || step->kind == HISTORY_APPEND;
	}
}

static void read_object(
	struct objects *o, const struct gen_op *op, uint64_t deadline_ns, struct driver_result *ret)
{
	int64_t amount = 0;

	switch (op->workload) {
	case PLAN_COUNTER:
		if (read_amount(o, op->key, 0, deadline_ns, &amount, ret))
			ret->value = (uint64_t)amount;
		return;
	case PLAN_BANK:
		read_bank(o, deadline_ns, ret);
		return;
	case PLAN_SET:
		(void)read_set(o, op->key, deadline_ns, ret);
		return;
	case PLAN_LIST:
	case PLAN_TRANSACTIONS:
		(void)read_list(o, op->key, deadline_ns, ret);
		return;
	case PLAN_REGISTER:
	case PLAN_LOCK:
	case PLAN_INVENTORY:
	case PLAN_PURSE:
	case PLAN_WORKLOAD_NR:
		break;
	}
	assert(0 && "an object");
}

void objects_do(
	struct objects *o, const struct gen_op *op, uint64_t deadline_ns, struct driver_result *ret)
{
	*ret = (struct driver_result){.outcome = HISTORY_FAIL};
	o->count = 0;
	switch (op->kind) {
	case HISTORY_READ:
		read_object(o, op, deadline_ns, ret);
		return;
	case HISTORY_ADD:
		add(o, op->key, op->value, deadline_ns, ret);
		return;
	case HISTORY_APPEND:
		append(o, op->key, op->value, deadline_ns, ret);
		return;
	case HISTORY_INCREASE:
		increase(o, op->key, (int64_t)op->value, deadline_ns, ret);
		return;
	case HISTORY_TRANSFER:
		transfer(o, op, deadline_ns, ret);
		return;
	case HISTORY_TRANSACTION:
		transact(o, op, deadline_ns, ret);
		return;
	case HISTORY_WRITE:
	case HISTORY_CAS:
	case HISTORY_KIND_NR:
		break;
	}
	assert(0 && "an operation on an object");
}
