/* SPDX-License-Identifier: MIT */
/* conformance_types_test.c - what counters, sets and values side by side are, where claimed */
#include "tests/lib/test.h"

#include <string.h>

#include "tests/sim/guest.h"

#define EACH_PROTOCOL(ops) for (unsigned i_ = 0; ((ops) = proto_list(i_)); i_++)

static const char *const no_numbers[] = {"", "-", "x", "1x", " 1", "+1", "01", "-0", "1.5",
	"9223372036854775808", "-9223372036854775809"};

/* A counter that nobody orders: what each replica adds is in the sum that all come to read. */
static void proto__increases_of_all_replicas_add_up(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);
		static const char *const by[] = {"-7", "10", "4"};

		for (unsigned i = 0; i < 3 && guest_does(&g, PROTO_INCREASE); i++)
			assert_int_equal(
				guest_change(&g, i, PROTO_INCREASE, "n", by[i])->reply.status,
				PROTO_OK);
		for (size_t i = 0; i < sizeof no_numbers / sizeof *no_numbers; i++)
			if (guest_does(&g, PROTO_INCREASE))
				assert_int_equal(guest_change(&g, (unsigned)i % 3, PROTO_INCREASE,
							 "n", no_numbers[i])
							 ->reply.status,
					PROTO_UNFIT);
		guest_all_read(&g, "n", guest_does(&g, PROTO_INCREASE) ? "7" : "");
		world_close(g.w);
	}
}

static bool listed(const struct proto_reply *reply, const char *element)
{
	for (uint32_t i = 0; i < reply->listed; i++)
		if (!strcmp((const char *)reply->list[i].p, element))
			return true;
	return false;
}

/* The replica lists, or comes to list, exactly the letters of @elements, in any order. */
static void lists(
	struct guest *g, unsigned node, enum proto_op op, const char *key, const char *elements)
{
	struct world_ask what = {.op = op, .key = key};
	uint64_t since_ns = g->w->sim->now_ns;
	const struct proto_reply *reply;
	bool same;

	do {
		char element[] = " ";

		reply = &guest_ask(g, node, what)->reply;
		same = reply->listed == strlen(elements);
		for (size_t i = 0; same && (*element = elements[i]); i++)
			same = listed(reply, element);
	} while (!same && guest_later(g, since_ns));
	assert_true(same);
	if (*elements)
		assert_int_equal(reply->status, PROTO_OK);
}

static void all_list(struct guest *g, enum proto_op op, const char *key, const char *elements)
{
	for (unsigned i = 0; i < 3; i++)
		lists(g, i, op, key, elements);
}

static void has_sets(struct guest *g)
{
	struct world_asked *a;

	assert_int_equal(guest_change(g, 0, PROTO_MEMBERS, "s", NULL)->reply.status, PROTO_NIL);
	a = guest_change(g, 0, PROTO_ADD, "s", "a");
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->reply.number, 1);
	assert_int_equal(guest_change(g, 0, PROTO_ADD, "s", "a")->reply.number, 0);
	assert_int_equal(guest_change(g, 1, PROTO_ADD, "s", "b")->reply.status, PROTO_OK);
	assert_int_equal(guest_change(g, 2, PROTO_ADD, "s", "c")->reply.status, PROTO_OK);
	all_list(g, PROTO_MEMBERS, "s", "abc");
	assert_int_equal(guest_change(g, 1, PROTO_REMOVE, "s", "c")->reply.number, 1);
	assert_int_equal(guest_change(g, 1, PROTO_REMOVE, "s", "x")->reply.number, 0);
	all_list(g, PROTO_MEMBERS, "s", "ab");
	/* Removed is not for ever. */
	assert_int_equal(guest_change(g, 2, PROTO_ADD, "s", "c")->reply.number, 1);
	all_list(g, PROTO_MEMBERS, "s", "abc");
}

static void tells_types_apart(struct guest *g)
{
	assert_int_equal(guest_set(g, 0, "r", "1"), PROTO_OK);
	guest_all_read(g, "r", "1");
	assert_int_equal(guest_change(g, 1, PROTO_ADD, "r", "a")->reply.status, PROTO_WRONG);
	assert_int_equal(guest_change(g, 1, PROTO_REMOVE, "r", "a")->reply.status, PROTO_WRONG);
	assert_int_equal(guest_change(g, 1, PROTO_MEMBERS, "r", NULL)->reply.status, PROTO_WRONG);
	assert_int_equal(guest_change(g, 1, PROTO_GET, "s", NULL)->reply.status, PROTO_WRONG);
	if (guest_does(g, PROTO_INCREASE))
		assert_int_equal(
			guest_change(g, 1, PROTO_INCREASE, "s", "1")->reply.status, PROTO_WRONG);
	all_list(g, PROTO_MEMBERS, "s", "abc");
	guest_all_read(g, "r", "1");
}

static void proto__sets_have_what_was_added_and_not_removed(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);

		assert_int_equal(guest_does(&g, PROTO_ADD), guest_does(&g, PROTO_MEMBERS));
		assert_int_equal(guest_does(&g, PROTO_ADD), guest_does(&g, PROTO_REMOVE));
		if (guest_does(&g, PROTO_ADD)) {
			has_sets(&g);
			tells_types_apart(&g);
		}
		world_close(g.w);
	}
}

/* All replicas list the same, in the same order, and GET gives the first of it. */
static void same_values(struct guest *g, const char *key)
{
	const struct proto_reply *first = &guest_change(g, 0, PROTO_VALUES, key, NULL)->reply;

	assert_true(first->listed > 0);
	for (unsigned i = 0; i < 3; i++) {
		const struct proto_reply *r = &guest_change(g, i, PROTO_VALUES, key, NULL)->reply;

		assert_int_equal(r->listed, first->listed);
		for (uint32_t k = 0; k < r->listed; k++)
			assert_string_equal(r->list[k].p, first->list[k].p);
		guest_reads(g, i, key, (const char *)r->list[0].p);
	}
}

static void proto__values_side_by_side_begin_with_what_get_gives(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);
		struct world_asked *a;

		if (guest_does(&g, PROTO_VALUES)) {
			a = guest_change(&g, 0, PROTO_VALUES, "v", NULL);
			assert_int_equal(a->reply.status, PROTO_NIL);
			assert_int_equal(a->reply.listed, 0);
			guest_set(&g, 0, "v", "1");
			all_list(&g, PROTO_VALUES, "v", "1");
			guest_set(&g, 1, "v", "2"); /* which has seen it: nothing is beside it */
			all_list(&g, PROTO_VALUES, "v", "2");
			world_isolate(g.w, 0);
			guest_change(&g, 0, PROTO_SET, "v", "3");
			guest_change(&g, 1, PROTO_SET, "v", "4");
			sim_heal(g.w->sim);
			world_run(g.w, GUEST_AGREE_NS);
			same_values(&g, "v");
		}
		world_close(g.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proto__increases_of_all_replicas_add_up),
		cmocka_unit_test(proto__sets_have_what_was_added_and_not_removed),
		cmocka_unit_test(proto__values_side_by_side_begin_with_what_get_gives),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
