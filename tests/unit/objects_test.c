/* SPDX-License-Identifier: MIT */
/* objects_test.c - what clients do to objects, on a store that is a table of texts */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

#include "agent/load/objects.h"

#define KEYS 8
#define CALLS_MAX 64

/* A store that does what it is asked, but for one call. */
struct store {
	struct driver driver;
	char value[KEYS][256]; /* "": there is none */
	char calls[CALLS_MAX]; /* g, p, a, i, s, m: what was asked */
	unsigned count;
	unsigned fails; /* this call, from 1; 0: none */
	enum history_type failure;
};

static struct store *store_of(struct driver *d)
{
	return (struct store *)d;
}

/* Return: whether the call is to be done. */
static bool called(struct driver *d, char what, struct driver_result *ret)
{
	struct store *s = store_of(d);

	assert_true(s->count < CALLS_MAX - 1);
	s->calls[s->count++] = what;
	*ret = (struct driver_result){.outcome = HISTORY_OK};
	if (s->count != s->fails)
		return true;
	ret->outcome = s->failure;
	ret->error = HISTORY_TIMEOUT;
	return false;
}

static void store_get(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	const char *value = store_of(d)->value[key];

	(void)deadline_ns;
	ret_text->len = 0;
	if (!called(d, 'g', ret))
		return;
	ret->found = value[0] != '\0';
	buf_add(ret_text, value, strlen(value));
}

static void store_put(struct driver *d, uint64_t key, const struct buf *text, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char *value = store_of(d)->value[key];

	(void)deadline_ns;
	if (!called(d, 'p', ret))
		return;
	assert_true(text->len < sizeof store_of(d)->value[key]);
	memcpy(value, text->p, text->len);
	value[text->len] = '\0';
}

static void store_append(struct driver *d, uint64_t key, const struct buf *text,
	uint64_t deadline_ns, struct driver_result *ret)
{
	(void)deadline_ns;
	if (called(d, 'a', ret))
		strncat(store_of(d)->value[key], (const char *)text->p, text->len);
}

static void store_increase(
	struct driver *d, uint64_t key, int64_t by, uint64_t deadline_ns, struct driver_result *ret)
{
	char *value = store_of(d)->value[key];

	(void)deadline_ns;
	if (called(d, 'i', ret))
		(void)snprintf(value, sizeof store_of(d)->value[key], "%lld",
			strtoll(value, NULL, 10) + (long long)by);
}

/* A set of its own keeps the newest first. */
static void store_add(struct driver *d, uint64_t key, uint64_t element, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char *value = store_of(d)->value[key];
	char was[sizeof store_of(d)->value[key]];

	(void)deadline_ns;
	memcpy(was, value, sizeof was);
	if (called(d, 's', ret))
		assert_true(snprintf(value, sizeof was, "%llu,%s", (unsigned long long)element,
				    was) < (int)sizeof was);
}

static void store_members(struct driver *d, uint64_t key, uint64_t deadline_ns,
	struct buf *ret_text, struct driver_result *ret)
{
	store_get(d, key, deadline_ns, ret_text, ret);
	store_of(d)->calls[store_of(d)->count - 1] = 'm';
}

/* Two sides have what is there. */
static void store_values(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	const char *value = store_of(d)->value[key];

	store_get(d, key, deadline_ns, ret_text, ret);
	buf_add(ret_text, value, strlen(value));
	store_of(d)->calls[store_of(d)->count - 1] = 'v';
}

static const struct driver_ops store_ops = {.name = "table",
	.get = store_get,
	.put = store_put,
	.append = store_append,
	.increase = store_increase,
	.add = store_add,
	.members = store_members,
	.values = store_values};

struct trial {
	struct store store;
	struct objects objects;
};

static void begin(struct trial *t, uint32_t does)
{
	*t = (struct trial){.store.driver.ops = &store_ops};
	t->objects = (struct objects){.driver = &t->store.driver, .does = does, .accounts = 3};
}

static void put_value(struct trial *t, unsigned key, const char *value)
{
	(void)snprintf(t->store.value[key], sizeof t->store.value[key], "%s", value);
}

static struct driver_result perform(struct trial *t, const struct gen_op *op)
{
	struct driver_result result;

	t->store.count = 0;
	memset(t->store.calls, 0, sizeof t->store.calls);
	objects_do(&t->objects, op, UINT64_MAX, &result);
	return result;
}

static void objects__a_list_keeps_its_order(void **state)
{
	struct gen_op append = {.workload = PLAN_LIST, .kind = HISTORY_APPEND, .key = 2};
	const struct gen_op read = {.workload = PLAN_LIST, .kind = HISTORY_READ, .key = 2};
	struct trial t;

	(void)state;
	for (int atomic = 0; atomic < 2; atomic++) {
		begin(&t, atomic ? PROTO_DOES_STRINGS : PROTO_DOES_PLAIN);
		assert_int_equal(perform(&t, &read).outcome, HISTORY_OK);
		assert_int_equal(t.objects.count, 0);
		for (append.value = 7; append.value < 10; append.value++)
			assert_int_equal(perform(&t, &append).outcome, HISTORY_OK);
		assert_string_equal(t.store.calls, atomic ? "a" : "gp");
		assert_int_equal(perform(&t, &read).outcome, HISTORY_OK);
		assert_int_equal(t.objects.count, 3);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(t.objects.element[i], 7 + i);
		objects_fini(&t.objects);
	}
}

static void objects__a_set_is_what_the_store_has_of_it(void **state)
{
	static const struct {
		uint32_t does;
		const char *calls[2];
	} stores[] = {
		{PROTO_DOES_PLAIN, {"gp", "g"}},
		{PROTO_DOES_STRINGS, {"a", "g"}},
		{PROTO_DOES_PLAIN | PROTO_DOES(PROTO_ADD) | PROTO_DOES(PROTO_MEMBERS), {"s", "m"}},
		{PROTO_DOES_PLAIN | PROTO_DOES(PROTO_VALUES), {"vp", "v"}},
	};
	struct gen_op add = {.workload = PLAN_SET, .kind = HISTORY_ADD, .key = 2};
	const struct gen_op read = {.workload = PLAN_SET, .kind = HISTORY_READ, .key = 2};
	struct trial t;

	(void)state;
	for (size_t i = 0; i < sizeof stores / sizeof *stores; i++) {
		begin(&t, stores[i].does);
		for (add.value = 7; add.value < 10; add.value++)
			assert_int_equal(perform(&t, &add).outcome, HISTORY_OK);
		assert_string_equal(t.store.calls, stores[i].calls[0]);
		assert_int_equal(perform(&t, &read).outcome, HISTORY_OK);
		assert_string_equal(t.store.calls, stores[i].calls[1]);
		assert_int_equal(t.objects.count, 3);
		assert_int_equal(
			t.objects.element[0] + t.objects.element[1] + t.objects.element[2], 24);
		objects_fini(&t.objects);
	}
}

static void objects__a_counter_goes_down_too(void **state)
{
	const struct gen_op up = {
		.workload = PLAN_COUNTER, .kind = HISTORY_INCREASE, .key = 1, .value = 5};
	const struct gen_op down = {.workload = PLAN_COUNTER,
		.kind = HISTORY_INCREASE,
		.key = 1,
		.value = (uint64_t)-12};
	const struct gen_op read = {.workload = PLAN_COUNTER, .kind = HISTORY_READ, .key = 1};
	struct trial t;

	(void)state;
	for (int atomic = 0; atomic < 2; atomic++) {
		begin(&t, atomic ? PROTO_DOES_STRINGS : PROTO_DOES_PLAIN);
		assert_int_equal(perform(&t, &up).outcome, HISTORY_OK);
		assert_int_equal(perform(&t, &down).outcome, HISTORY_OK);
		assert_string_equal(t.store.calls, atomic ? "i" : "gp");
		assert_int_equal((int64_t)perform(&t, &read).value, -7);
		objects_fini(&t.objects);
	}
}

static void objects__a_transfer_moves_money_or_does_nothing(void **state)
{
	struct gen_op op = {.workload = PLAN_BANK, .kind = HISTORY_TRANSFER, .from = 2, .to = 0};
	const struct gen_op read = {.workload = PLAN_BANK, .kind = HISTORY_READ};
	struct trial t;

	(void)state;
	begin(&t, PROTO_DOES_STRINGS);
	op.value = 30;
	assert_int_equal(perform(&t, &op).outcome, HISTORY_OK);
	op.value = 71;
	assert_int_equal(perform(&t, &op).outcome, HISTORY_FAIL);
	assert_string_equal(t.store.calls, "gg");
	assert_int_equal(perform(&t, &read).outcome, HISTORY_OK);
	assert_int_equal(t.objects.count, 3);
	assert_int_equal(t.objects.element[0], OBJECTS_BALANCE + 30);
	assert_int_equal(t.objects.element[1], OBJECTS_BALANCE);
	assert_int_equal(t.objects.element[2], OBJECTS_BALANCE - 30);
	objects_fini(&t.objects);
}

static void objects__what_is_done_by_half_is_unknown(void **state)
{
	/* The outcome when call number i + 1 is surely without effect. */
	static const enum history_type transfer[] = {
		HISTORY_FAIL, HISTORY_FAIL, HISTORY_FAIL, HISTORY_UNKNOWN};
	static const enum history_type transaction[] = {
		HISTORY_FAIL, HISTORY_FAIL, HISTORY_UNKNOWN, HISTORY_UNKNOWN};
	const struct gen_op move = {
		.workload = PLAN_BANK, .kind = HISTORY_TRANSFER, .from = 0, .to = 1, .value = 3};
	const struct gen_op steps = {.workload = PLAN_TRANSACTIONS,
		.kind = HISTORY_TRANSACTION,
		.steps = 4,
		.step = {{.kind = HISTORY_READ, .key = 1},
			{.kind = HISTORY_APPEND, .key = 1, .value = 4},
			{.kind = HISTORY_READ, .key = 1},
			{.kind = HISTORY_APPEND, .key = 2, .value = 5}}};
	struct trial t;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		begin(&t, PROTO_DOES_STRINGS);
		t.store.fails = i + 1;
		t.store.failure = HISTORY_FAIL;
		assert_int_equal(perform(&t, &move).outcome, transfer[i]);
		assert_int_equal(t.store.count, i + 1);
		assert_int_equal(perform(&t, &steps).outcome, transaction[i]);
		assert_int_equal(t.store.count, i + 1);
		objects_fini(&t.objects);
	}
}

static void objects__a_transaction_keeps_what_each_read_gave(void **state)
{
	const struct gen_op op = {.workload = PLAN_TRANSACTIONS,
		.kind = HISTORY_TRANSACTION,
		.steps = 4,
		.step = {{.kind = HISTORY_APPEND, .key = 1, .value = 4},
			{.kind = HISTORY_READ, .key = 1}, {.kind = HISTORY_READ, .key = 2},
			{.kind = HISTORY_READ, .key = 1}}};
	struct trial t;

	(void)state;
	begin(&t, PROTO_DOES_PLAIN);
	put_value(&t, 1, "9,");
	assert_int_equal(perform(&t, &op).outcome, HISTORY_OK);
	assert_int_equal(t.objects.count, 4);
	assert_int_equal(t.objects.step[1].first, 0);
	assert_int_equal(t.objects.step[1].count, 2);
	assert_int_equal(t.objects.step[2].count, 0);
	assert_int_equal(t.objects.step[3].first, 2);
	assert_int_equal(t.objects.element[0], 9);
	assert_int_equal(t.objects.element[3], 4);
	objects_fini(&t.objects);
}

static void objects__what_no_client_wrote_is_not_believed(void **state)
{
	static const char *const lists[] = {
		"1", "1,2", ",", "1,,", "x,", "-1,", "1, 2,", "18446744073709551616,"};
	static const char *const numbers[] = {"x", "1x", "1,", "99999999999999999999999"};
	const struct gen_op list = {.workload = PLAN_SET, .kind = HISTORY_READ, .key = 0};
	const struct gen_op counter = {.workload = PLAN_COUNTER, .kind = HISTORY_READ, .key = 0};
	struct trial t;

	(void)state;
	begin(&t, PROTO_DOES_STRINGS);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		put_value(&t, 0, lists[i]);
		assert_int_equal(perform(&t, &list).outcome, HISTORY_FAIL);
	}
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		put_value(&t, 0, numbers[i]);
		assert_int_equal(perform(&t, &counter).outcome, HISTORY_FAIL);
	}
	objects_fini(&t.objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects__a_list_keeps_its_order),
		cmocka_unit_test(objects__a_set_is_what_the_store_has_of_it),
		cmocka_unit_test(objects__a_counter_goes_down_too),
		cmocka_unit_test(objects__a_transfer_moves_money_or_does_nothing),
		cmocka_unit_test(objects__what_is_done_by_half_is_unknown),
		cmocka_unit_test(objects__a_transaction_keeps_what_each_read_gave),
		cmocka_unit_test(objects__what_no_client_wrote_is_not_believed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
