/* SPDX-License-Identifier: MIT */
/* conformance_test.c - what every protocol keeps, whatever it claims */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/crc32c.h"
#include "tests/sim/guest.h"

#define EACH_PROTOCOL(ops) for (unsigned i_ = 0; ((ops) = proto_list(i_)); i_++)

/* All that a replica has, in one number: status, table, log, timers and what it has sent. */
static uint32_t state_of(const struct world *w, unsigned node)
{
	const struct sim_node *n = &w->sim->node[node];
	struct proto_status_view view;
	const struct table_entry *e;
	size_t at = 0;
	uint32_t crc;

	sim_status(w->sim, node, &view);
	crc = crc32c(0, &view, offsetof(struct proto_status_view, ready)); /* no padding */
	while ((e = table_next(n->table, &at))) {
		crc = crc32c(crc, e->key.p, e->key.len);
		crc = crc32c(crc, e->value.p, e->value.len);
		crc = crc32c(crc, &e->version, sizeof(e->version));
	}
	crc = crc32c(crc, &n->records, sizeof(n->records));
	crc = crc32c(crc, n->timer, sizeof(n->timer));
	return crc32c(crc, &w->sim->queue.order, sizeof(w->sim->queue.order));
}

static void proto__set_get_and_del_from_every_replica(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);

		for (unsigned i = 0; i < 3; i++) {
			unsigned other = (i + 1) % 3;

			guest_reads(&g, i, "k", "");
			assert_int_equal(guest_set(&g, i, "k", "1"), PROTO_OK);
			guest_reads(&g, other, "k", "1");
			assert_int_equal(guest_set(&g, other, "k", "2"), PROTO_OK);
			guest_reads(&g, i, "k", "2");
			assert_int_equal(guest_del(&g, i, "k"), PROTO_OK);
			guest_reads(&g, other, "k", "");
			assert_int_equal(guest_del(&g, other, "never"), PROTO_NIL);
		}
		world_close(g.w);
	}
}

static enum proto_status set_if(struct guest *g, unsigned node, enum proto_cond cond,
	const char *value, const char *expected)
{
	return guest_ask(g, node,
		(struct world_ask){PROTO_SET, "k", value, cond, expected, PROTO_DEFAULT, NULL})
		->reply.status;
}

static void proto__conditions_hold_or_are_unsupported_as_claimed(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);

		for (unsigned i = 0; i < 3 && g.claim.cas; i++) {
			guest_del(&g, i, "k");
			assert_int_equal(set_if(&g, i, PROTO_XX, "1", NULL), PROTO_UNMET);
			assert_int_equal(set_if(&g, i, PROTO_IFEQ, "1", ""), PROTO_UNMET);
			assert_int_equal(set_if(&g, i, PROTO_NX, "1", NULL), PROTO_OK);
			assert_int_equal(set_if(&g, i, PROTO_NX, "2", NULL), PROTO_UNMET);
			assert_int_equal(set_if(&g, i, PROTO_IFEQ, "3", "2"), PROTO_UNMET);
			guest_reads(&g, i, "k", "1");
			assert_int_equal(set_if(&g, i, PROTO_IFEQ, "3", "1"), PROTO_OK);
			assert_int_equal(set_if(&g, i, PROTO_XX, "4", NULL), PROTO_OK);
			guest_reads(&g, i, "k", "4");
		}
		if (!g.claim.cas) {
			assert_int_equal(set_if(&g, 0, PROTO_NX, "1", NULL), PROTO_UNSUPPORTED);
			assert_int_equal(set_if(&g, 0, PROTO_XX, "1", NULL), PROTO_UNSUPPORTED);
			assert_int_equal(set_if(&g, 0, PROTO_IFEQ, "1", "2"), PROTO_UNSUPPORTED);
			guest_all_read(&g, "k", "");
		}
		world_close(g.w);
	}
}

static void proto__what_is_not_claimed_is_unsupported(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);

		assert_int_equal(g.claim.does & PROTO_DOES_PLAIN, PROTO_DOES_PLAIN);
		assert_int_equal(g.claim.does >> PROTO_OP_NR, 0);
		for (unsigned op = 0; op < PROTO_OP_NR; op++) {
			struct world_asked *a;

			if (guest_does(&g, (enum proto_op)op))
				continue;
			a = guest_change(&g, op % 3, (enum proto_op)op, "k", "1");
			assert_int_equal(a->reply.status, PROTO_UNSUPPORTED);
		}
		world_run(g.w, NS_PER_S);
		guest_all_read(&g, "k", "");
		world_close(g.w);
	}
}

static const char *const no_numbers[] = {"", "-", "x", "1x", " 1", "+1", "01", "-0", "1.5",
	"9223372036854775808", "-9223372036854775809"};

/* Where one replica orders the writes, a write may build on what is there. */
static void changes_what_is_there(struct guest *g, unsigned node)
{
	unsigned other = (node + 1) % 3;
	struct world_asked *a;

	guest_del(g, node, "k");
	a = guest_change(g, node, PROTO_APPEND, "k", "ab");
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->reply.number, 2);
	a = guest_change(g, other, PROTO_APPEND, "k", "cde");
	assert_int_equal(a->reply.number, 5);
	guest_reads(g, node, "k", "abcde");
	assert_int_equal(
		guest_change(g, node, PROTO_INCREASE, "k", "1")->reply.status, PROTO_UNFIT);
	guest_reads(g, other, "k", "abcde");

	guest_del(g, node, "n");
	a = guest_change(g, other, PROTO_INCREASE, "n", "-7");
	assert_int_equal(a->reply.status, PROTO_OK);
	assert_int_equal(a->reply.number, -7);
	assert_int_equal(guest_change(g, node, PROTO_INCREASE, "n", "10")->reply.number, 3);
	for (size_t i = 0; i < sizeof no_numbers / sizeof *no_numbers; i++)
		assert_int_equal(
			guest_change(g, node, PROTO_INCREASE, "n", no_numbers[i])->reply.status,
			PROTO_UNFIT);
	assert_int_equal(
		guest_change(g, node, PROTO_INCREASE, "n", "9223372036854775807")->reply.status,
		PROTO_UNFIT);
	assert_int_equal(
		guest_change(g, node, PROTO_INCREASE, "n", "9223372036854775804")->reply.number,
		INT64_MAX);
	assert_int_equal(guest_set(g, node, "n", "-9223372036854775808"), PROTO_OK);
	assert_int_equal(
		guest_change(g, node, PROTO_INCREASE, "n", "-1")->reply.status, PROTO_UNFIT);
	assert_int_equal(guest_change(g, node, PROTO_INCREASE, "n", "1")->reply.number, -INT64_MAX);
	guest_reads(g, other, "n", "-9223372036854775807");
}

static void proto__appends_and_increases_strings_where_claimed(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);

		for (unsigned i = 0; i < 3 && guest_does(&g, PROTO_APPEND); i++)
			changes_what_is_there(&g, i);
		world_close(g.w);
	}
}

static void proto__append_stops_at_the_largest_value(void **state)
{
	const struct proto_ops *ops;
	char *value = calloc(1, PROTO_VALUE_MAX + 1);

	(void)state;
	memset(value, 'v', PROTO_VALUE_MAX);
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);

		if (guest_does(&g, PROTO_APPEND)) {
			assert_int_equal(
				guest_change(&g, 1, PROTO_APPEND, "k", value)->reply.status,
				PROTO_OK);
			assert_int_equal(guest_change(&g, 2, PROTO_APPEND, "k", "x")->reply.status,
				PROTO_UNFIT);
			guest_reads(&g, 0, "k", value);
		}
		world_close(g.w);
	}
	free(value);
}

static void proto__carries_the_largest_key_and_value(void **state)
{
	const struct proto_ops *ops;
	char *value = calloc(1, PROTO_VALUE_MAX + 1);
	char *key = calloc(1, PROTO_KEY_MAX + 1);

	(void)state;
	memset(value, 'v', PROTO_VALUE_MAX);
	memset(key, 'k', PROTO_KEY_MAX);
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);

		for (unsigned i = 0; i < 3; i++) {
			value[0] = (char)('0' + i);
			assert_int_equal(guest_set(&g, i, key, value), PROTO_OK);
			guest_reads(&g, (i + 1) % 3, key, value);
		}
		world_close(g.w);
	}
	free(key);
	free(value);
}

static void proto__answers_each_request_once_and_in_time(void **state)
{
	const struct proto_ops *ops;
	struct prng prng;

	(void)state;
	prng_init(&prng, 7, 0);
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 5);
		uint64_t limit_ns = config.proto.request_timeout_ns + 20 * NS_PER_MS;
		struct world *w;

		config.loss_ppm = 200000;
		config.duplicate_ppm = 200000;
		config.duplicate_ns = NS_PER_S;
		w = world_open(&config);
		for (unsigned i = 0; i < 1000; i++) {
			struct world_ask ask = {PROTO_SET, "k", "v", PROTO_ALWAYS, NULL,
				(enum proto_level)prng_below(&prng, PROTO_LEVEL_NR), NULL};

			ask.op = (enum proto_op)prng_below(&prng, PROTO_OP_NR);
			world_ask(w, (unsigned)prng_below(&prng, 5), &ask);
			world_run(w, prng_below(&prng, 10 * NS_PER_MS));
			if (i % 200 == 100)
				world_isolate(w, (unsigned)prng_below(&prng, 5));
			if (i % 200 == 199)
				sim_heal(w->sim);
		}
		world_run(w, 2 * limit_ns);
		for (size_t i = 0; i < w->asked_count; i++) {
			const struct world_asked *a = &w->asked[i];

			assert_int_equal(a->replies, 1);
			assert_true(a->replied_ns - a->asked_ns <= limit_ns);
			if (a->reply.status == PROTO_UNAVAILABLE)
				assert_true(a->reply.why || a->reply.need > a->reply.have);
		}
		world_close(w);
	}
}

/* A world with messages of all types among what was sent. */
static struct world *busy_world(const struct proto_ops *ops)
{
	static const char *const key[PROTO_OP_NR] = {
		[PROTO_APPEND] = "text",
		[PROTO_INCREASE] = "count",
		[PROTO_ADD] = "set",
		[PROTO_REMOVE] = "set",
		[PROTO_MEMBERS] = "set",
		[PROTO_VALUES] = "k",
	};
	struct sim_config config = world_config(ops, 3);
	struct guest g = guest_open(&config);
	struct world *w = g.w;

	world_isolate(w, 2);
	world_set(w, 0, "k", "while 2 is away");
	world_run(w, 900 * NS_PER_MS);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 3; i++) {
		world_set(w, i, "k", "value");
		world_get(w, i, "k");
		for (unsigned op = PROTO_APPEND; op < PROTO_OP_NR; op++)
			if (guest_does(&g, (enum proto_op)op))
				guest_change(&g, i, (enum proto_op)op, key[op], "1");
	}
	world_run(w, 200 * NS_PER_MS);
	return w;
}

/* Feed it and look. Return: what message() returned; a refusal must have changed nothing. */
static int feed(struct world *w, const struct world_sent *s, const void *bytes, size_t len)
{
	uint32_t before = state_of(w, s->to);
	int rc = sim_message(w->sim, s->from, s->to, bytes, len);

	if (rc) {
		assert_int_equal(rc, -EBADMSG);
		assert_int_equal(state_of(w, s->to), before);
	}
	return rc;
}

static void proto__refuses_messages_cut_short_or_too_long(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct world *w = busy_world(ops);
		size_t count = w->sent_count;
		unsigned types = 0;

		for (size_t i = 0; i < count; i++) {
			struct world_sent *s = &w->sent[i];
			size_t len = s->bytes.len;

			types |= 1u << s->bytes.p[0];
			for (size_t n = 0; n < len; n++)
				assert_int_equal(feed(w, s, s->bytes.p, n), -EBADMSG);
			buf_u8(&s->bytes, 0);
			assert_int_equal(feed(w, s, s->bytes.p, len + 1), -EBADMSG);
		}
		/* All types were among them: they are numbered from 1, at least two, without gaps.
		 */
		assert_true(types >= 0x6 && ((types + 2) & types) == 0);
		world_close(w);
	}
}

static void proto__refuses_random_bytes_and_senders_that_cannot_be(void **state)
{
	const struct proto_ops *ops;
	struct prng prng;
	uint8_t bytes[256];

	(void)state;
	prng_init(&prng, 11, 0);
	EACH_PROTOCOL(ops)
	{
		struct world *w = busy_world(ops);
		struct world_sent s = {.from = 1, .to = 0};
		struct world_sent *real = &w->sent[0];

		for (unsigned i = 0; i < 20000; i++) {
			size_t len = (size_t)prng_below(&prng, sizeof(bytes));

			for (size_t k = 0; k < len; k++)
				bytes[k] = (uint8_t)prng_next(&prng);
			/* A first byte that is a type more often than by chance. */
			if (len && i % 2)
				bytes[0] %= 12;
			/* Too long for a message of numbers only, too wild for one with lengths. */
			if (len > 60)
				assert_int_equal(feed(w, &s, bytes, len), -EBADMSG);
			else
				feed(w, &s, bytes, len);
		}
		s.from = s.to = real->to;
		assert_int_equal(feed(w, &s, real->bytes.p, real->bytes.len), -EBADMSG);
		s.from = 3;
		assert_int_equal(feed(w, &s, real->bytes.p, real->bytes.len), -EBADMSG);
		world_close(w);
	}
}

/* Flipped bits may make another valid message; what counts is that no assertion fails. */
static void proto__survives_messages_with_flipped_bits(void **state)
{
	const struct proto_ops *ops;
	struct prng prng;

	(void)state;
	prng_init(&prng, 13, 0);
	EACH_PROTOCOL(ops)
	{
		struct world *w = busy_world(ops);
		size_t count = w->sent_count;

		for (unsigned i = 0; i < 20000; i++) {
			struct world_sent *s = &w->sent[prng_below(&prng, count)];
			struct buf copy = {0};

			buf_add(&copy, s->bytes.p, s->bytes.len);
			copy.p[prng_below(&prng, copy.len)] ^=
				(uint8_t)(1u << prng_below(&prng, 8));
			feed(w, s, copy.p, copy.len);
			buf_fini(&copy);
		}
		world_close(w);
	}
}

static void proto__is_the_same_after_a_restart_from_its_records(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 3);
		struct guest g = guest_open(&config);
		struct world *w = g.w;
		char key[16], value[16];

		for (unsigned i = 0; i < 60; i++) {
			snprintf(key, sizeof(key), "k%u", i % 20);
			snprintf(value, sizeof(value), "%u", i);
			assert_int_equal(guest_set(&g, i % 3, key, value), PROTO_OK);
		}
		guest_del(&g, 1, "k7");
		world_run(w, NS_PER_S);
		for (unsigned i = 0; i < 3; i++)
			sim_crash(w->sim, i);
		for (unsigned i = 0; i < 3; i++)
			sim_restart(w->sim, i);
		world_settle(w);
		world_run(w, 2 * NS_PER_S);
		for (unsigned i = 0; i < 20; i++) {
			snprintf(key, sizeof(key), "k%u", i);
			snprintf(value, sizeof(value), "%u", i + 40);
			guest_reads(&g, i % 3, key, i == 7 ? "" : value);
		}
		world_close(w);
	}
}

static void proto__refuses_records_that_are_not_its_own(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct world *w = busy_world(ops);
		struct sim_node *n = &w->sim->node[0];
		struct proto_config cfg = w->sim->config.proto;

		assert_true(n->records > 0);
		for (size_t i = 0; i < n->records; i++) {
			struct table *table = table_open();
			struct proto *p = proto_open(ops, &cfg, &n->io, table);

			for (size_t k = 0; k < i; k++)
				assert_int_equal(
					ops->restore(p, n->record[k].bytes, n->record[k].len), 0);
			for (size_t len = 0; len < n->record[i].len; len++)
				assert_int_equal(
					ops->restore(p, n->record[i].bytes, len), -EBADMSG);
			proto_close(p);
			table_close(table);
		}
		world_close(w);
	}
}

/* Five replicas at different distances, 1 to 8 ms one way, alike in both directions. */
static void spread(struct world *w, uint64_t *rtt_ns)
{
	for (unsigned a = 0; a < 5; a++) {
		for (unsigned b = 0; b < 5; b++) {
			uint64_t one_way = a == b ? 0 : (1 + (a * b + a + b) % 8) * NS_PER_MS;

			sim_link(w->sim, a, b)->delay_ns = one_way;
			rtt_ns[a * 5 + b] = 2 * one_way;
		}
	}
}

static void proto__is_as_fast_as_its_floor_in_a_quiet_network(void **state)
{
	const struct proto_ops *ops;
	uint64_t rtt_ns[25];

	(void)state;
	EACH_PROTOCOL(ops)
	{
		struct sim_config config = world_config(ops, 5);
		struct world *w = world_open(&config);

		spread(w, rtt_ns);
		world_settle(w);
		world_set(w, 0, "k", "everywhere");
		world_run(w, NS_PER_S);
		for (unsigned i = 0; i < 5 * 2 * PROTO_LEVEL_NR; i++) {
			struct proto_floor_query q = {
				.cfg = &config.proto,
				.rtt_ns = rtt_ns,
				.contact = i % 5,
				.leader = sim_leader(w->sim),
				.write = i / 5 % 2,
				.level = (enum proto_level)(i / 10),
			};
			struct world_ask ask = {.key = "k", .value = "v", .level = q.level};
			struct world_asked *a;

			ask.op = q.write ? PROTO_SET : PROTO_GET;
			a = world_wait(w, world_ask(w, q.contact, &ask));
			assert_int_equal(a->reply.status, PROTO_OK);
			assert_int_equal(a->replied_ns - a->asked_ns, ops->floor_ns(&q));
			/* The next one starts when this one has reached everybody. */
			world_run(w, 100 * NS_PER_MS);
			q.client_ns = 5;
			assert_int_equal(a->replied_ns - a->asked_ns + 5, ops->floor_ns(&q));
		}
		world_close(w);
	}
}

static void proto__is_found_by_its_name(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	EACH_PROTOCOL(ops)
	assert_ptr_equal(proto_find(ops->name), ops);
	assert_null(proto_find("paxos"));
	assert_null(proto_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proto__set_get_and_del_from_every_replica),
		cmocka_unit_test(proto__conditions_hold_or_are_unsupported_as_claimed),
		cmocka_unit_test(proto__what_is_not_claimed_is_unsupported),
		cmocka_unit_test(proto__appends_and_increases_strings_where_claimed),
		cmocka_unit_test(proto__append_stops_at_the_largest_value),
		cmocka_unit_test(proto__carries_the_largest_key_and_value),
		cmocka_unit_test(proto__answers_each_request_once_and_in_time),
		cmocka_unit_test(proto__refuses_messages_cut_short_or_too_long),
		cmocka_unit_test(proto__refuses_random_bytes_and_senders_that_cannot_be),
		cmocka_unit_test(proto__survives_messages_with_flipped_bits),
		cmocka_unit_test(proto__is_the_same_after_a_restart_from_its_records),
		cmocka_unit_test(proto__refuses_records_that_are_not_its_own),
		cmocka_unit_test(proto__is_as_fast_as_its_floor_in_a_quiet_network),
		cmocka_unit_test(proto__is_found_by_its_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
