/* SPDX-License-Identifier: MIT */
/* chain_test.c - a chain by its rules: head and tail, clean and dirty reads, who the chain is */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/err.h"
#include "store/proto/chain_internal.h"
#include "store/settings.h"
#include "tests/sim/world.h"

static struct world *open_chain(unsigned nodes, const char *settings)
{
	struct sim_config config = world_config(&chain_ops, nodes);
	struct err err = {0};
	struct world *w;

	assert_int_equal(settings_read(&config.proto, &chain_ops, settings, &err), 0);
	w = world_open(&config);
	world_settle(w);
	world_run(w, 200 * NS_PER_MS);
	return w;
}

static struct world_asked *ask_at(
	struct world *w, unsigned node, enum proto_op op, const char *value, enum proto_level level)
{
	struct world_ask ask = {.op = op, .key = "k", .value = value, .level = level};

	return world_ask(w, node, &ask);
}

static uint64_t took(const struct world_asked *a)
{
	return a->replied_ns - a->asked_ns;
}

/* The chain as replica @node knows it. */
static void assert_chain(const struct world *w, unsigned node, const char *chain)
{
	struct buf out = {0};
	char line[64];

	chain_ops.info(w->sim->node[node].proto, &out);
	buf_u8(&out, 0);
	snprintf(line, sizeof(line), "chain:%s\r\n", chain);
	if (strncmp((const char *)out.p, line, strlen(line)) != 0)
		fail_msg("%s is not %s", (const char *)out.p, line);
	buf_fini(&out);
}

static unsigned sent(const struct world *w, enum chain_message type)
{
	unsigned count = 0;

	for (size_t i = 0; i < w->sent_count; i++)
		count += w->sent[i].bytes.p[0] == type;
	return count;
}

static void chain_write__goes_from_head_to_tail_and_the_tail_answers(void **state)
{
	struct world *w = open_chain(3, "");
	struct world_asked *a;

	(void)state;
	assert_chain(w, 1, "0,1,2");
	a = world_wait(w, ask_at(w, 0, PROTO_SET, "v", PROTO_DEFAULT));
	assert_int_equal(took(a), 30 * NS_PER_MS);
	a = world_wait(w, ask_at(w, 1, PROTO_SET, "v", PROTO_DEFAULT));
	assert_int_equal(took(a), 40 * NS_PER_MS);
	a = world_wait(w, ask_at(w, 2, PROTO_SET, "v", PROTO_DEFAULT));
	assert_int_equal(took(a), 30 * NS_PER_MS);
	world_close(w);
}

static void chain_write__is_on_every_disk_when_it_is_acknowledged(void **state)
{
	struct world *w = open_chain(3, "");

	(void)state;
	assert_int_equal(world_set(w, 1, "k", "v"), PROTO_OK);
	for (unsigned i = 0; i < 3; i++)
		sim_crash(w->sim, i);
	for (unsigned i = 0; i < 3; i++)
		sim_restart(w->sim, i);
	/* Any of them alone would have it; a majority must agree on a chain. */
	world_run(w, 3 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(world_get(w, i, "k"), "v");
	world_close(w);
}

static void chain_read__of_a_clean_key_is_confirmed_by_a_majority(void **state)
{
	struct world *w = open_chain(5, "");
	struct world_asked *a;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	world_run(w, 200 * NS_PER_MS);
	world_forget(w);
	for (unsigned i = 0; i < 5; i++) {
		a = world_wait(w, ask_at(w, i, PROTO_GET, NULL, PROTO_DEFAULT));
		assert_memory_equal(a->reply.value.p, "v", 1);
		assert_int_equal(took(a), 20 * NS_PER_MS);
	}
	assert_int_equal(sent(w, CHAIN_VERSION), 0);
	assert_true(sent(w, CHAIN_CONFIRM) >= 20);
	world_close(w);
}

static void chain_read__of_a_dirty_key_asks_the_tail(void **state)
{
	struct world *w = open_chain(3, "");
	struct world_asked *a;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_run(w, 100 * NS_PER_MS);
	/* The head hears late that the tail has it. */
	sim_link(w->sim, 1, 0)->delay_ns = 150 * NS_PER_MS;
	assert_int_equal(world_set(w, 2, "k", "new"), PROTO_OK);
	assert_string_equal(world_local(w, 0, "k"), "old");
	a = world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_DEFAULT));
	assert_memory_equal(a->reply.value.p, "new", 3);
	assert_true(sent(w, CHAIN_VERSION) >= 1);
	/* At ONE it may be old. */
	world_close(w);
}

static void chain_read__of_a_write_that_the_tail_lacks_gives_what_was_before(void **state)
{
	struct world *w = open_chain(3, "");
	struct world_asked *a, *b;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_run(w, 100 * NS_PER_MS);
	sim_link(w->sim, 1, 2)->delay_ns = 150 * NS_PER_MS;
	a = ask_at(w, 0, PROTO_SET, "new", PROTO_DEFAULT);
	world_run(w, 15 * NS_PER_MS);
	b = world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_DEFAULT));
	assert_memory_equal(b->reply.value.p, "old", 3);
	assert_int_equal(a->replies, 0);
	world_close(w);
}

static void chain_lease__answers_a_clean_key_at_once_and_holds_a_new_chain_up(void **state)
{
	struct world *w = open_chain(3, "leases=yes");
	struct world_asked *a;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "v"), PROTO_OK);
	world_run(w, 200 * NS_PER_MS);
	a = world_wait(w, ask_at(w, 1, PROTO_GET, NULL, PROTO_LEASE));
	assert_memory_equal(a->reply.value.p, "v", 1);
	assert_int_equal(took(a), 0);
	/* Cut off, it answers until its lease is over, and nobody writes meanwhile. */
	world_isolate(w, 1);
	world_run(w, NS_PER_S);
	a = world_wait(w, ask_at(w, 1, PROTO_GET, NULL, PROTO_LEASE));
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(world_set(w, 0, "k", "later"), PROTO_OK);
	world_close(w);
}

static void chain_readers__may_be_the_tail_or_the_head_alone(void **state)
{
	struct world *w = open_chain(3, "reads=tail");
	struct world_asked *a;

	(void)state;
	a = world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_DEFAULT));
	assert_int_equal(took(a), 40 * NS_PER_MS);
	assert_int_equal(w->sent_count > 0 && sent(w, CHAIN_READ) == 1, true);
	world_close(w);
	w = open_chain(3, "reads=head leases=yes");
	a = world_wait(w, ask_at(w, 2, PROTO_GET, NULL, PROTO_LEASE));
	assert_int_equal(took(a), 20 * NS_PER_MS);
	world_close(w);
}

static void chain_condition__is_decided_by_what_is_not_yet_committed(void **state)
{
	struct world *w = open_chain(3, "");
	struct world_ask ask = {.op = PROTO_SET, .key = "k", .value = "a", .cond = PROTO_NX};
	struct world_asked *a, *b;

	(void)state;
	a = world_ask(w, 0, &ask);
	ask.value = "b";
	b = world_ask(w, 0, &ask);
	world_wait(w, a);
	world_wait(w, b);
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(b->reply.status, PROTO_UNMET);
	assert_string_equal(world_get(w, 2, "k"), "a");
	world_close(w);
}

static void chain__goes_on_without_a_member_which_comes_back_at_the_tail(void **state)
{
	struct world *w = open_chain(3, "");

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "1"), PROTO_OK);
	world_isolate(w, 1);
	world_run(w, 2 * NS_PER_S);
	assert_chain(w, 0, "0,2");
	assert_chain(w, 2, "0,2");
	assert_int_equal(world_set(w, 2, "k", "2"), PROTO_OK);
	assert_int_equal(
		ask_at(w, 1, PROTO_SET, "lost", PROTO_DEFAULT)->reply.status, PROTO_UNAVAILABLE);
	sim_heal(w->sim);
	world_run(w, 3 * NS_PER_S);
	assert_chain(w, 1, "0,2,1");
	assert_string_equal(world_get(w, 1, "k"), "2");
	world_close(w);
}

static void chain__has_a_new_head_when_the_old_one_is_away(void **state)
{
	struct world *w = open_chain(3, "");

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "1"), PROTO_OK);
	sim_crash(w->sim, 0);
	world_run(w, 2 * NS_PER_S);
	assert_chain(w, 1, "1,2");
	assert_string_equal(world_get(w, 2, "k"), "1");
	assert_int_equal(world_set(w, 2, "k", "2"), PROTO_OK);
	sim_restart(w->sim, 0);
	world_run(w, 3 * NS_PER_S);
	assert_chain(w, 0, "1,2,0");
	assert_string_equal(world_get(w, 0, "k"), "2");
	world_close(w);
}

static void chain_tail__that_was_left_out_answers_no_confirmed_read(void **state)
{
	struct world *w = open_chain(3, "");
	struct world_asked *a;

	(void)state;
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_run(w, 100 * NS_PER_MS);
	world_isolate(w, 2);
	/* Before it can know. */
	a = ask_at(w, 2, PROTO_GET, NULL, PROTO_DEFAULT);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(world_set(w, 0, "k", "new"), PROTO_OK);
	a = world_wait(w, ask_at(w, 2, PROTO_GET, NULL, PROTO_DEFAULT));
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	a = world_wait(w, ask_at(w, 2, PROTO_GET, NULL, PROTO_ONE));
	assert_memory_equal(a->reply.value.p, "old", 3);
	world_close(w);
}

static void chain__never_begins_without_one_who_has_all(void **state)
{
	struct world *w = open_chain(3, "");

	(void)state;
	/* 0 and 1 go on without 2, then 0 goes on without 1: to agree, it needs one of them. */
	sim_crash(w->sim, 2);
	world_run(w, 2 * NS_PER_S);
	assert_chain(w, 0, "0,1");
	assert_int_equal(world_set(w, 0, "k", "only 0 and 1 have it"), PROTO_OK);
	sim_crash(w->sim, 0);
	sim_crash(w->sim, 1);
	sim_restart(w->sim, 2);
	world_run(w, 3 * NS_PER_S);
	assert_int_equal(
		ask_at(w, 2, PROTO_GET, NULL, PROTO_DEFAULT)->reply.status, PROTO_UNAVAILABLE);
	sim_restart(w->sim, 1);
	world_run(w, 4 * NS_PER_S);
	assert_chain(w, 2, "1,2");
	assert_string_equal(world_get(w, 2, "k"), "only 0 and 1 have it");
	world_close(w);
}

/* 2 lacks too much to come in at once, and 1 goes: 0 and 2 are a majority, 0 is the chain. */
static void chain__of_one_goes_on_and_takes_in_who_has_caught_up(void **state)
{
	struct world *w = open_chain(3, "");
	char value[16];
	bool one = false;

	(void)state;
	world_isolate(w, 2);
	world_run(w, 3 * NS_PER_S);
	assert_chain(w, 0, "0,1");
	for (unsigned i = 0; i < 2 * CHAIN_JOIN_LAG; i++) {
		(void)snprintf(value, sizeof value, "%u", i);
		assert_int_equal(world_set(w, 0, "k", value), PROTO_OK);
	}
	/* So slow that it is seen how 2 catches up. */
	sim_heal(w->sim);
	sim_link(w->sim, 0, 2)->delay_ns = 50 * NS_PER_MS;
	sim_crash(w->sim, 1);
	for (unsigned i = 0; i < 300; i++) {
		const struct chain *c = chain_of(w->sim->node[0].proto);

		world_run(w, 10 * NS_PER_MS);
		if (c->config.count > 1 || !chain_settled(c) || one)
			continue;
		one = true;
		assert_int_equal(world_set(w, 0, "k", "alone"), PROTO_OK);
	}
	assert_true(one);
	assert_chain(w, 0, "0,2");
	assert_int_equal(world_set(w, 2, "k", "both"), PROTO_OK);
	assert_string_equal(world_get(w, 0, "k"), "both");
	world_close(w);
}

static void chain__of_two_that_lost_the_one_with_all_waits_for_it(void **state)
{
	struct world *w = open_chain(5, "length=1");
	const bool others[5] = {false, true, true, true, true};

	(void)state;
	assert_int_equal(world_set(w, 3, "k", "0 alone has it"), PROTO_OK);
	sim_cut(w->sim, others);
	world_run(w, 4 * NS_PER_S);
	/* Four of five agree on nothing: what they have may be less than what was acknowledged. */
	assert_int_equal(ask_at(w, 3, PROTO_SET, "x", PROTO_DEFAULT)->replies, 0);
	world_run(w, NS_PER_S);
	sim_heal(w->sim);
	world_run(w, 3 * NS_PER_S);
	assert_string_equal(world_get(w, 3, "k"), "0 alone has it");
	world_close(w);
}

static void chain_copy__brings_the_table_when_entries_are_forgotten(void **state)
{
	struct world *w = open_chain(3, "log_keep_kib=1");
	char key[16], value[100];

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	world_isolate(w, 2);
	world_run(w, 2 * NS_PER_S);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(world_set(w, 0, key, value), PROTO_OK);
	}
	world_forget(w);
	sim_heal(w->sim);
	world_run(w, 6 * NS_PER_S);
	assert_true(sent(w, CHAIN_OFFER) >= 1 && sent(w, CHAIN_PART) >= 3);
	assert_chain(w, 2, "0,1,2");
	assert_string_equal(world_local(w, 2, "k1999"), value);
	/* Its disk has all of it, too. */
	sim_crash(w->sim, 2);
	sim_restart(w->sim, 2);
	world_run(w, 3 * NS_PER_S);
	for (unsigned i = 0; i < 2000; i += 100) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_string_equal(world_local(w, 2, key), value);
	}
	world_close(w);
}

static void chain_length__keeps_others_outside_until_one_is_needed(void **state)
{
	struct world *w = open_chain(5, "length=3");

	(void)state;
	assert_chain(w, 4, "0,1,2");
	assert_int_equal(world_set(w, 4, "k", "v"), PROTO_OK);
	sim_crash(w->sim, 1);
	world_run(w, 4 * NS_PER_S);
	assert_chain(w, 0, "0,2,3");
	assert_string_equal(world_get(w, 4, "k"), "v");
	world_close(w);
}

static void chain__refuses_what_is_cut_short(void **state)
{
	struct world *w = open_chain(3, "log_keep_kib=1 leases=yes reads=tail");
	unsigned types = 0;
	char key[16];
	size_t count;

	(void)state;
	sim_crash(w->sim, 2);
	world_run(w, 2 * NS_PER_S);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		world_set(w, 0, key, "value value value value value value value value");
	}
	world_forget(w);
	sim_restart(w->sim, 2);
	world_run(w, 2 * NS_PER_S);
	world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_LEASE));
	world_wait(w, ask_at(w, 0, PROTO_GET, NULL, PROTO_DEFAULT));
	count = w->sent_count;
	for (size_t i = 0; i < count; i++) {
		struct world_sent *s = &w->sent[i];
		unsigned bit = 1u << s->bytes.p[0];

		if (types & bit)
			continue;
		types |= bit;
		for (size_t n = 0; n < s->bytes.len; n++)
			assert_int_equal(
				sim_message(w->sim, s->from, s->to, s->bytes.p, n), -EBADMSG);
		buf_u8(&s->bytes, 0);
		assert_int_equal(
			sim_message(w->sim, s->from, s->to, s->bytes.p, s->bytes.len), -EBADMSG);
	}
	for (unsigned type = CHAIN_READ; type <= CHAIN_COPIED; type++)
		assert_true(types >> type & 1);
	world_close(w);
}

static void chain__claims_by_its_read_level(void **state)
{
	struct sim_config config = world_config(&chain_ops, 5);
	struct proto_claim c;

	(void)state;
	chain_ops.claim(&config.proto, &c);
	assert_true(c.cut == PROTO_LINEARIZABLE && c.reads_cut == PROTO_SIDES_MAJORITY);
	assert_true(c.writes_cut == PROTO_SIDES_MAJORITY && c.cas && !c.needs_clocks);
	config.proto.read_level = PROTO_LEASE;
	chain_ops.claim(&config.proto, &c);
	assert_true(c.cut == PROTO_LINEARIZABLE && c.needs_clocks);
	config.proto.read_level = PROTO_ONE;
	chain_ops.claim(&config.proto, &c);
	assert_true(c.whole == PROTO_EVENTUAL && c.reads_cut == PROTO_SIDES_ALL);
}

static void chain__its_records_say_what_they_are(void **state)
{
	struct world *w = open_chain(3, "");
	const struct sim_node *n = &w->sim->node[1];
	struct buf out = {0};

	(void)state;
	assert_int_equal(world_set(w, 1, "k", "value"), PROTO_OK);
	for (size_t i = 0; i < n->records; i++) {
		assert_int_equal(chain_ops.describe(n->record[i].bytes, n->record[i].len, &out), 0);
		buf_u8(&out, '\n');
	}
	buf_u8(&out, 0);
	assert_string_equal((const char *)out.p,
		"epoch 2 is promised, 1 installed; of 2 the chain is 0 1 2\n"
		"entries from 1, 1: epoch 2 begins\n"
		"epoch 2 is promised, 2 installed; of 2 the chain is 0 1 2\n"
		"entries from 2, 1: epoch 2 set k, 5 bytes at @1700000001.320\n");
	buf_fini(&out);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_write__goes_from_head_to_tail_and_the_tail_answers),
		cmocka_unit_test(chain_write__is_on_every_disk_when_it_is_acknowledged),
		cmocka_unit_test(chain_read__of_a_clean_key_is_confirmed_by_a_majority),
		cmocka_unit_test(chain_read__of_a_dirty_key_asks_the_tail),
		cmocka_unit_test(chain_read__of_a_write_that_the_tail_lacks_gives_what_was_before),
		cmocka_unit_test(chain_lease__answers_a_clean_key_at_once_and_holds_a_new_chain_up),
		cmocka_unit_test(chain_readers__may_be_the_tail_or_the_head_alone),
		cmocka_unit_test(chain_condition__is_decided_by_what_is_not_yet_committed),
		cmocka_unit_test(chain__goes_on_without_a_member_which_comes_back_at_the_tail),
		cmocka_unit_test(chain__has_a_new_head_when_the_old_one_is_away),
		cmocka_unit_test(chain_tail__that_was_left_out_answers_no_confirmed_read),
		cmocka_unit_test(chain__never_begins_without_one_who_has_all),
		cmocka_unit_test(chain__of_one_goes_on_and_takes_in_who_has_caught_up),
		cmocka_unit_test(chain__of_two_that_lost_the_one_with_all_waits_for_it),
		cmocka_unit_test(chain_copy__brings_the_table_when_entries_are_forgotten),
		cmocka_unit_test(chain_length__keeps_others_outside_until_one_is_needed),
		cmocka_unit_test(chain__refuses_what_is_cut_short),
		cmocka_unit_test(chain__claims_by_its_read_level),
		cmocka_unit_test(chain__its_records_say_what_they_are),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
