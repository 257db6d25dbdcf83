/* SPDX-License-Identifier: MIT */
/* turns_test.c - what clients do in a turn with locks, stock and a purse, on registers of the test
 */
#include <stdlib.h>

#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/load/lock.h"
#include "agent/load/purse.h"
#include "agent/load/stock.h"

#define KEYS 2

/* A store of registers, that can lose what is written, and a client's slot. */
struct world {
	struct driver driver; /* must come first */
	uint64_t value[KEYS];
	bool deaf;      /* writes are acknowledged and not done */
	bool down;      /* nobody answers: of unknown outcome, what is written is done */
	unsigned raced; /* so often another client is faster */
	unsigned reads;
	unsigned writes;
	unsigned cas;
	struct gen_op slot;
	struct turn turn;
};

static struct world *world_of(struct driver *d)
{
	return (struct world *)d;
}

static void store_read(struct driver *d, uint64_t key, uint64_t deadline, struct driver_result *ret)
{
	struct world *w = world_of(d);

	(void)deadline;
	w->reads++;
	*ret = (struct driver_result){.outcome = w->down ? HISTORY_FAIL : HISTORY_OK,
		.error = w->down ? HISTORY_TIMEOUT : HISTORY_NO_ERROR,
		.value = w->down ? 0 : w->value[key]};
}

static void store_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline,
	struct driver_result *ret)
{
	struct world *w = world_of(d);

	(void)deadline;
	w->writes++;
	if (!w->deaf)
		w->value[key] = value;
	*ret = (struct driver_result){.outcome = w->down ? HISTORY_UNKNOWN : HISTORY_OK};
}

static void store_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline, struct driver_result *ret)
{
	struct world *w = world_of(d);
	bool met;

	(void)deadline;
	w->cas++;
	assert_true(old != 0);
	if (w->raced) {
		w->raced--;
		w->value[key]--;
	}
	met = w->value[key] == old;
	if (met)
		w->value[key] = value;
	*ret = (struct driver_result){.outcome = w->down ? HISTORY_UNKNOWN : HISTORY_OK,
		.error = met ? HISTORY_NO_ERROR : HISTORY_UNMET};
}

static const struct driver_ops store_ops = {
	.name = "registers", .read = store_read, .write = store_write, .cas = store_cas};

static bool world_ask(void *ctx, struct gen_op *op, struct driver_result *ret)
{
	struct world *w = ctx;
	struct driver *d = &w->driver;

	if (op->kind == HISTORY_READ)
		d->ops->read(d, op->key, 0, ret);
	else if (op->kind == HISTORY_WRITE)
		d->ops->write(d, op->key, op->value, 0, ret);
	else if (op->kind == HISTORY_CAS)
		d->ops->cas(d, op->key, op->old, op->value, 0, ret);
	else
		stock_change(d, w->turn.cas, op->key, (int64_t)op->value, UINT64_MAX, ret);
	return true;
}

static struct world world_of_one(bool cas, enum history_kind kind)
{
	struct world w = {.driver = {.ops = &store_ops}, .slot = {.kind = kind, .value = 1}};

	w.turn = (struct turn){.cas = cas, .clients = 1, .keys = KEYS, .ask = world_ask};
	return w;
}

static void lock(struct world *w, struct lock *l)
{
	w->turn.slot = &w->slot;
	w->turn.ctx = w;
	assert_true(lock_turn(l, &w->turn));
	w->slot.value++;
}

static void stock(struct world *w, struct stock *s)
{
	w->turn.slot = &w->slot;
	w->turn.ctx = w;
	assert_true(stock_turn(s, &w->turn, 2));
}

static void lock__is_taken_and_given_back_by_cas(void **state)
{
	struct world w = world_of_one(true, HISTORY_CAS);
	struct lock l = {0};

	(void)state;
	lock(&w, &l);
	lock(&w, &l);
	assert_int_equal(l.set_up, KEYS);
	assert_false(lock_is_held(w.value[0]) || lock_is_held(w.value[1]));
	lock(&w, &l);
	assert_true(l.mine && lock_is_held(w.value[0]));
	lock(&w, &l);
	assert_false(l.mine || lock_is_held(w.value[0]));
	assert_int_equal(w.cas, 2);
	w.value[0] = 99; /* another's */
	lock(&w, &l);
	assert_false(l.mine);
	assert_int_equal(w.cas, 2);
}

static void lock__is_taken_by_writing_and_looking_without_cas(void **state)
{
	struct world w = world_of_one(false, HISTORY_CAS);
	struct lock l = {.set_up = KEYS};

	(void)state;
	w.value[0] = 2;
	lock(&w, &l);
	assert_true(l.mine);
	assert_int_equal(w.value[0], l.token);
	assert_int_equal(w.reads, 2);
	lock(&w, &l);
	assert_false(l.mine || lock_is_held(w.value[0]));
	assert_int_equal(w.cas, 0);
}

/* It may win yet: nobody leaves it locked for ever because a look was stale. */
static void lock__whose_token_is_not_seen_is_looked_for_again(void **state)
{
	struct world w = world_of_one(false, HISTORY_CAS);
	struct lock l = {.set_up = KEYS};

	(void)state;
	w.value[0] = 2;
	w.deaf = true;
	lock(&w, &l);
	for (unsigned i = 1; i < LOCK_LOOKS; i++) {
		lock(&w, &l);
		assert_true(l.mine);
	}
	lock(&w, &l);
	assert_false(l.mine);
	assert_int_equal(w.writes, 1);
}

static void lock__of_unknown_outcome_is_given_back_until_that_is_known(void **state)
{
	struct world w = world_of_one(true, HISTORY_CAS);
	struct lock l = {.set_up = KEYS, .mine = true, .token = 7};

	(void)state;
	w.value[0] = 7;
	w.down = true;
	lock(&w, &l);
	assert_true(l.mine);
	w.down = false;
	lock(&w, &l);
	assert_false(l.mine);
	assert_int_equal(w.cas, 2);
}

static void stock__is_put_there_once_and_sold_until_none_is_left(void **state)
{
	struct world w = world_of_one(true, HISTORY_INCREASE);
	struct stock s = {0};

	(void)state;
	stock(&w, &s);
	stock(&w, &s);
	assert_int_equal(s.stocked, KEYS);
	assert_int_equal(w.value[0], 2);
	for (unsigned i = 0; i < 5; i++)
		stock(&w, &s);
	assert_int_equal(w.value[0], 0);
	assert_int_equal(w.value[1], 2);
	assert_int_equal(w.cas, 2);
}

static void stock__is_sold_by_cas_again_if_another_was_faster(void **state)
{
	struct world w = world_of_one(true, HISTORY_INCREASE);
	struct driver_result result;

	(void)state;
	w.value[0] = 5;
	w.raced = 2;
	stock_change(&w.driver, true, 0, -1, UINT64_MAX, &result);
	assert_int_equal(result.outcome, HISTORY_OK);
	assert_int_equal(w.value[0], 2);
	w.value[0] = 1;
	w.raced = 1;
	stock_change(&w.driver, true, 0, -1, UINT64_MAX, &result);
	assert_int_equal(result.outcome, HISTORY_FAIL); /* the last one has gone */
	assert_int_equal(result.error, HISTORY_OTHER);
}

static void stock__is_read_and_written_back_without_cas(void **state)
{
	struct world w = world_of_one(false, HISTORY_INCREASE);
	struct driver_result result;

	(void)state;
	w.value[0] = 5;
	stock_change(&w.driver, false, 0, -2, UINT64_MAX, &result);
	assert_int_equal(result.outcome, HISTORY_OK);
	assert_int_equal(w.value[0], 3);
	w.down = true;
	stock_change(&w.driver, false, 0, -2, UINT64_MAX, &result);
	assert_int_equal(result.outcome, HISTORY_FAIL); /* it has only looked */
	assert_int_equal(w.writes, 1);
}

static void purse__moves_money_in_one_operation(void **state)
{
	struct world w = world_of_one(true, HISTORY_TRANSFER);
	struct objects o = {.driver = &w.driver, .accounts = 3};
	struct gen_op move = {.kind = HISTORY_TRANSFER, .from = 2, .to = 0, .value = 30};
	struct gen_op read = {.kind = HISTORY_READ};
	struct driver_result result;

	(void)state;
	purse_do(&o, true, false, &read, UINT64_MAX, &result);
	assert_int_equal(result.outcome, HISTORY_OK);
	assert_int_equal(o.element[2], OBJECTS_BALANCE);
	purse_do(&o, true, false, &move, UINT64_MAX, &result);
	assert_int_equal(result.outcome, HISTORY_FAIL); /* it is not open yet */
	purse_do(&o, true, true, &move, UINT64_MAX, &result);
	assert_int_equal(result.outcome, HISTORY_OK);
	assert_int_equal(w.cas, 1);
	purse_do(&o, true, true, &read, UINT64_MAX, &result);
	assert_int_equal(o.count, 3);
	assert_int_equal(o.element[0], OBJECTS_BALANCE + 30);
	assert_int_equal(o.element[1], OBJECTS_BALANCE);
	assert_int_equal(o.element[2], OBJECTS_BALANCE - 30);
	move.value = OBJECTS_BALANCE;
	purse_do(&o, true, true, &move, UINT64_MAX, &result);
	assert_int_equal(result.outcome, HISTORY_FAIL);
	assert_int_equal(result.error, HISTORY_OTHER);
	objects_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock__is_taken_and_given_back_by_cas),
		cmocka_unit_test(lock__is_taken_by_writing_and_looking_without_cas),
		cmocka_unit_test(lock__whose_token_is_not_seen_is_looked_for_again),
		cmocka_unit_test(lock__of_unknown_outcome_is_given_back_until_that_is_known),
		cmocka_unit_test(stock__is_put_there_once_and_sold_until_none_is_left),
		cmocka_unit_test(stock__is_sold_by_cas_again_if_another_was_faster),
		cmocka_unit_test(stock__is_read_and_written_back_without_cas),
		cmocka_unit_test(purse__moves_money_in_one_operation),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
