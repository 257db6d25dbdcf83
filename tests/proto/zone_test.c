/* SPDX-License-Identifier: MIT */
/* zone_test.c - a primary, secondaries and caches: who has what, how old it is, who still answers
 */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>

#include "store/proto/zone_internal.h"
#include "store/settings.h"
#include "tests/sim/world.h"

#define RTT_NS (20 * NS_PER_MS) /* of the world's links */
/* Replica 0 is the primary, the next ones are secondaries, the last ones caches. */
#define USUAL \
	"secondaries=1 notify=yes refresh=1s retry=200ms expire=5s ttl=2s negative_ttl=500ms " \
	"serve_stale=0s "

static struct world *open_zone(const char *more, unsigned nodes)
{
	struct sim_config config = world_config(&zone_ops, nodes);
	struct world *w;
	struct err err;

	config.proto.read_level = PROTO_ONE;
	assert_int_equal(settings_read(&config.proto, &zone_ops, USUAL, &err), 0);
	assert_int_equal(settings_read(&config.proto, &zone_ops, more, &err), 0);
	w = world_open(&config);
	world_settle(w);
	return w;
}

static struct zone *zone_at(struct world *w, unsigned node)
{
	return zone_of(w->sim->node[node].proto);
}

static struct world_asked *get(struct world *w, unsigned node, const char *key)
{
	struct world_ask a = {.op = PROTO_GET, .key = key};

	return world_wait(w, world_ask(w, node, &a));
}

static uint64_t took_ns(const struct world_asked *a)
{
	return a->replied_ns - a->asked_ns;
}

static unsigned sent_of(const struct world *w, unsigned from, uint8_t type)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->sent_count; i++)
		n += w->sent[i].from == from && w->sent[i].bytes.p[0] == type;
	return n;
}

static void zone_serial__wraps_as_rfc_1982_says(void **state)
{
	(void)state;
	assert_true(zone_serial_after(1, 0));
	assert_true(zone_serial_after(0, 0xffffffff));
	assert_true(zone_serial_after(0x7fffffff, 0));
	assert_true(zone_serial_after(5, 0xfffffff0));
	assert_false(zone_serial_after(0xffffffff, 0));
	assert_false(zone_serial_after(7, 7));
	assert_int_equal(zone_serial(0), ZONE_SERIAL_FIRST);
	assert_int_equal(zone_serial(0u - ZONE_SERIAL_FIRST), 0);
}

static void zone_roles__follow_from_the_replicas_number(void **state)
{
	struct sim_config config = world_config(&zone_ops, 5);
	struct world *w;

	(void)state;
	config.proto.leader = 3;
	config.proto.secondaries = 2;
	w = world_open(&config);
	world_settle(w);
	assert_true(zone_is_primary(zone_at(w, 3)));
	assert_true(zone_is_secondary(zone_at(w, 4)) && zone_is_secondary(zone_at(w, 0)));
	assert_true(zone_is_cache(zone_at(w, 1)) && zone_is_cache(zone_at(w, 2)));
	world_close(w);
}

static void zone_write__of_any_replica_is_done_by_the_primary(void **state)
{
	struct world *w = open_zone("", 3);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		char value[2] = {(char)('a' + i), '\0'};

		assert_int_equal(world_set(w, i, "k", value), PROTO_OK);
		assert_string_equal(world_local(w, 0, "k"), value);
	}
	assert_int_equal(zone_at(w, 0)->index, 3);
	world_close(w);
}

static void zone_notify__brings_a_change_in_a_round_trip_and_a_half(void **state)
{
	struct world *w = open_zone("refresh=100s", 3);

	(void)state;
	world_set(w, 0, "k", "v");
	world_run(w, RTT_NS + RTT_NS / 2 - 1);
	assert_string_equal(world_local(w, 1, "k"), "");
	world_run(w, 2);
	assert_string_equal(world_local(w, 1, "k"), "v");
	assert_int_equal(zone_at(w, 0)->transfers_changes, 1);
	assert_int_equal(zone_at(w, 0)->transfers_whole, 0);
	world_close(w);
}

static void zone_notify__is_sent_again_a_few_times_to_who_does_not_answer(void **state)
{
	struct world *w = open_zone("refresh=100s", 3);

	(void)state;
	sim_link(w->sim, 0, 1)->cut = true;
	world_forget(w);
	world_set(w, 0, "k", "v");
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(sent_of(w, 0, ZONE_NOTIFY), ZONE_NOTIFY_TRIES);
	world_close(w);
}

static void zone_refresh__finds_a_change_without_notify(void **state)
{
	struct world *w = open_zone("notify=no refresh=1s", 3);

	(void)state;
	world_set(w, 0, "k", "v");
	world_run(w, NS_PER_S + 4 * RTT_NS);
	assert_string_equal(world_local(w, 1, "k"), "v");
	world_close(w);
}

static void zone_secondary__retries_when_the_primary_is_silent(void **state)
{
	struct world *w = open_zone("refresh=1s retry=200ms", 3);

	(void)state;
	world_isolate(w, 0);
	world_run(w, NS_PER_S);
	world_forget(w);
	world_run(w, 2 * NS_PER_S);
	assert_true(sent_of(w, 1, ZONE_SOA_ASK) >= 9);
	world_close(w);
}

/* The answer to a question that was repeated meanwhile is an answer. */
static void zone_secondary__bears_a_retry_shorter_than_the_round_trip(void **state)
{
	struct world *w = open_zone("refresh=50ms retry=5ms notify=no", 3);

	(void)state;
	world_set(w, 0, "k", "v");
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 1, "k"), "v");
	world_close(w);
}

static void zone_secondary__stops_answering_after_expire(void **state)
{
	struct world *w = open_zone("expire=3s", 3);
	struct world_asked *a;

	(void)state;
	world_set(w, 0, "k", "v");
	world_run(w, NS_PER_S);
	world_isolate(w, 0);
	world_run(w, 2 * NS_PER_S - 4 * RTT_NS);
	assert_string_equal(world_get(w, 1, "k"), "v");
	world_run(w, NS_PER_S + 4 * RTT_NS);
	a = get(w, 1, "k");
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_non_null(strstr(a->reply.why, "expired"));
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 1, "k"), "v");
	world_close(w);
}

/* A restart does not make a copy younger. */
static void zone_secondary__remembers_over_a_restart_when_it_was_confirmed(void **state)
{
	struct world *w = open_zone("expire=3s", 3);

	(void)state;
	world_set(w, 0, "k", "v");
	world_run(w, NS_PER_S);
	world_isolate(w, 0);
	world_run(w, NS_PER_S);
	sim_crash(w->sim, 1);
	world_run(w, 100 * NS_PER_MS);
	sim_restart(w->sim, 1);
	assert_string_equal(world_get(w, 1, "k"), "v");
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(get(w, 1, "k")->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

static void fill(struct world *w, unsigned keys, const char *value)
{
	char key[16];

	for (unsigned i = 0; i < keys; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(world_set(w, 0, key, value), PROTO_OK);
	}
}

static void zone_transfer__is_of_all_when_the_journal_is_too_short(void **state)
{
	struct world *w = open_zone("journal_kib=1", 3);
	char key[16];

	(void)state;
	world_isolate(w, 1);
	fill(w, 100, "value");
	world_del(w, 0, "k7");
	sim_heal(w->sim);
	world_run(w, 2 * NS_PER_S);
	assert_true(zone_at(w, 0)->transfers_whole > 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_string_equal(world_local(w, 1, key), i == 7 ? "" : "value");
	}
	assert_int_equal(zone_at(w, 1)->index, 101);
	world_close(w);
}

/* Large values: a part is more than one message, and writes go on. */
static void zone_transfer__of_all_goes_on_while_writes_do_and_messages_are_lost(void **state)
{
	struct sim_config config = world_config(&zone_ops, 3);
	char *large = calloc(1, 200001);
	struct world *w;
	struct err err;
	char key[16];

	(void)state;
	memset(large, 'x', 200000);
	assert_int_equal(settings_read(&config.proto, &zone_ops, USUAL "journal_kib=512", &err), 0);
	config.loss_ppm = 200000;
	config.proto.request_timeout_ns = 20 * NS_PER_S;
	w = world_open(&config);
	world_settle(w);
	world_isolate(w, 1);
	for (unsigned i = 0; i < 40; i++) {
		struct world_ask a = {.op = PROTO_SET, .key = key, .value = large};

		snprintf(key, sizeof(key), "k%u", i);
		world_wait(w, world_ask(w, 0, &a));
	}
	sim_heal(w->sim);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "n%u", i % 30);
		if (i % 3)
			world_set(w, 0, key, "small");
		else
			world_del(w, 0, key);
		world_run(w, 30 * NS_PER_MS);
	}
	world_run(w, 20 * NS_PER_S);
	assert_true(zone_at(w, 0)->transfers_whole > 0);
	assert_int_equal(zone_at(w, 1)->index, zone_at(w, 0)->index);
	assert_true(sim_converged(w->sim, NULL, 0));
	free(large);
	world_close(w);
}

/* The old copy answers until the new one is whole. */
static void zone_transfer__of_all_leaves_the_old_copy_in_use_until_it_is_whole(void **state)
{
	struct world *w = open_zone("journal_kib=1 expire=0s", 3);

	(void)state;
	world_set(w, 0, "k", "old");
	world_run(w, NS_PER_S);
	world_isolate(w, 1);
	world_set(w, 0, "k", "new");
	fill(w, 100, "value");
	sim_heal(w->sim);
	for (unsigned i = 0; i < 2000 && strcmp(world_get(w, 1, "k"), "new") != 0; i++) {
		assert_string_equal(world_get(w, 1, "k"), "old");
		world_run(w, NS_PER_MS);
	}
	assert_string_equal(world_get(w, 1, "k"), "new");
	world_close(w);
}

static void zone_cache__asks_once_and_then_keeps_the_answer_for_the_ttl(void **state)
{
	struct world *w = open_zone("ttl=2s", 3);

	(void)state;
	world_set(w, 0, "k", "1");
	world_run(w, NS_PER_S);
	assert_int_equal(took_ns(get(w, 2, "k")), RTT_NS);
	world_set(w, 0, "k", "2");
	world_run(w, NS_PER_S);
	assert_int_equal(took_ns(get(w, 2, "k")), 0);
	assert_string_equal(world_get(w, 2, "k"), "1");
	/* From when it was first asked for, however often it is read. */
	world_run(w, NS_PER_S - RTT_NS - 1);
	assert_string_equal(world_get(w, 2, "k"), "1");
	world_run(w, 2);
	assert_string_equal(world_get(w, 2, "k"), "2");
	world_close(w);
}

static void zone_cache__keeps_for_less_that_there_is_no_such_key(void **state)
{
	struct world *w = open_zone("ttl=2s negative_ttl=500ms", 3);

	(void)state;
	assert_string_equal(world_get(w, 2, "k"), "");
	world_set(w, 0, "k", "1");
	world_run(w, 300 * NS_PER_MS);
	assert_string_equal(world_get(w, 2, "k"), "");
	world_run(w, 200 * NS_PER_MS);
	assert_string_equal(world_get(w, 2, "k"), "1");
	world_close(w);
}

static void zone_cache__asks_once_for_many_who_wait(void **state)
{
	struct world *w = open_zone("", 3);
	struct world_ask a = {.op = PROTO_GET, .key = "k"};
	struct world_asked *asked[10];

	(void)state;
	world_set(w, 0, "k", "1");
	world_run(w, NS_PER_S);
	world_forget(w);
	for (unsigned i = 0; i < 10; i++)
		asked[i] = world_ask(w, 2, &a);
	for (unsigned i = 0; i < 10; i++)
		assert_string_equal((const char *)world_wait(w, asked[i])->reply.value.p, "1");
	assert_int_equal(sent_of(w, 2, ZONE_QUERY), 1);
	world_close(w);
}

static void zone_cache__spreads_its_questions_and_passes_over_who_is_silent(void **state)
{
	struct world *w = open_zone("ttl=0s secondaries=2", 4);
	unsigned to[4] = {0};

	(void)state;
	world_set(w, 0, "k", "1");
	world_run(w, NS_PER_S);
	world_forget(w);
	for (unsigned i = 0; i < 9; i++)
		assert_string_equal(world_get(w, 3, "k"), "1");
	for (size_t i = 0; i < w->sent_count; i++)
		if (w->sent[i].from == 3 && w->sent[i].bytes.p[0] == ZONE_QUERY)
			to[w->sent[i].to]++;
	assert_true(to[0] == 3 && to[1] == 3 && to[2] == 3);
	world_isolate(w, 1);
	for (unsigned i = 0; i < 9; i++) {
		struct world_asked *a = get(w, 3, "k");

		assert_string_equal((const char *)a->reply.value.p, "1");
		/* One of them finds it out. */
		assert_true(took_ns(a) <= RTT_NS + 2 * w->sim->config.proto.heartbeat_ns);
	}
	world_close(w);
}

static void zone_cache__serves_stale_for_so_long_when_nobody_answers(void **state)
{
	struct world *w = open_zone("ttl=1s serve_stale=3s", 3);
	struct world_asked *a;

	(void)state;
	world_set(w, 0, "k", "1");
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 2, "k"), "1");
	world_isolate(w, 2);
	world_run(w, 2 * NS_PER_S);
	/* Each server is asked first, once; then it is known that they are silent. */
	a = get(w, 2, "k");
	assert_string_equal((const char *)a->reply.value.p, "1");
	assert_int_equal(took_ns(a), 4 * w->sim->config.proto.heartbeat_ns);
	assert_int_equal(took_ns(get(w, 2, "k")), 0);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(get(w, 2, "k")->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

static void zone_cache__without_serve_stale_refuses_when_nobody_answers(void **state)
{
	struct world *w = open_zone("ttl=1s serve_stale=0s", 3);

	(void)state;
	world_set(w, 0, "k", "1");
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 2, "k"), "1");
	world_isolate(w, 2);
	assert_string_equal(world_get(w, 2, "k"), "1");
	world_run(w, NS_PER_S);
	assert_int_equal(get(w, 2, "k")->reply.status, PROTO_UNAVAILABLE);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 2, "k"), "1");
	world_close(w);
}

static void zone_cache__goes_to_the_other_server_when_a_copy_has_expired(void **state)
{
	struct world *w = open_zone("expire=1s ttl=0s", 3);

	(void)state;
	world_set(w, 0, "k", "1");
	world_run(w, NS_PER_S);
	sim_link(w->sim, 0, 1)->cut = true;
	world_run(w, 3 * NS_PER_S);
	for (unsigned i = 0; i < 4; i++)
		assert_string_equal(world_get(w, 2, "k"), "1");
	world_close(w);
}

static void zone_cache__forgets_what_was_longest_unused(void **state)
{
	struct world *w = open_zone("ttl=100s", 3);
	struct zone_cache *c = &zone_at(w, 2)->cache;
	char *large = calloc(1, PROTO_VALUE_MAX + 1);
	char key[16];

	(void)state;
	memset(large, 'x', PROTO_VALUE_MAX);
	for (unsigned i = 0; i < ZONE_CACHE_BYTES / PROTO_VALUE_MAX + 4; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		world_set(w, 0, key, large);
		world_run(w, 100 * NS_PER_MS);
		assert_int_equal(get(w, 2, key)->reply.value.len, PROTO_VALUE_MAX);
		assert_int_equal(took_ns(get(w, 2, "k0")), 0);
	}
	assert_true(c->bytes <= ZONE_CACHE_BYTES && c->count < 64);
	assert_int_equal(took_ns(get(w, 2, "k1")), RTT_NS);
	free(large);
	world_close(w);
}

static void zone_read__above_one_asks_the_primary(void **state)
{
	struct world *w = open_zone("", 3);
	struct world_ask a = {.op = PROTO_GET, .key = "k", .level = PROTO_QUORUM};

	(void)state;
	world_set(w, 0, "k", "1");
	assert_string_equal(world_get(w, 2, "k"), "1");
	world_set(w, 2, "k", "2");
	assert_string_equal(world_get(w, 2, "k"), "1");
	assert_string_equal((const char *)world_wait(w, world_ask(w, 2, &a))->reply.value.p, "2");
	world_isolate(w, 0);
	assert_int_equal(world_wait(w, world_ask(w, 2, &a))->reply.status, PROTO_UNAVAILABLE);
	world_close(w);
}

static void zone_restart__of_all_keeps_serials_and_data(void **state)
{
	struct world *w = open_zone("", 3);

	(void)state;
	fill(w, 50, "1");
	world_del(w, 0, "k3");
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		sim_crash(w->sim, i);
	for (unsigned i = 0; i < 3; i++)
		sim_restart(w->sim, i);
	assert_int_equal(zone_at(w, 0)->index, 51);
	assert_int_equal(zone_at(w, 1)->index, 51);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 1, "k3"), "");
	assert_string_equal(world_get(w, 1, "k49"), "1");
	world_set(w, 1, "k3", "2");
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 1, "k3"), "2");
	world_close(w);
}

static void zone_key__that_expires_is_gone_everywhere(void **state)
{
	struct world *w = open_zone("ttl=100s", 3);
	const struct proto_bytes key = {(const uint8_t *)"k", 1};
	struct proto_request req = {.op = PROTO_SET, .key = key, .value = key};

	(void)state;
	w->asked_count = 1;
	req.ticket = 1;
	req.expires_ns = w->sim->node[0].io.wall(&w->sim->node[0].io) + 2 * NS_PER_S;
	sim_request(w->sim, 0, &req);
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(world_get(w, i, "k"), "k");
	world_run(w, NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(world_get(w, i, "k"), "");
	world_close(w);
}

/* A world with messages of all types among what was sent. */
static struct world *busy(void)
{
	struct world *w = open_zone("journal_kib=1 ttl=0s", 3);

	world_isolate(w, 1);
	fill(w, 60, "value");
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	world_set(w, 2, "k", "value");
	for (unsigned i = 0; i < 3; i++)
		world_get(w, 2, "k1");
	world_run(w, 3 * NS_PER_S);
	return w;
}

static void zone_messages__of_all_types_are_refused_when_cut_short_or_too_long(void **state)
{
	struct world *w = busy();
	size_t count = w->sent_count;
	unsigned types = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct world_sent *s = &w->sent[i];
		size_t len = s->bytes.len;

		types |= 1u << s->bytes.p[0];
		for (size_t n = 0; n < len; n++) {
			int rc;

			/* Entries of a part may be fewer. */
			if (s->bytes.p[0] == ZONE_AXFR && n > 40)
				break;
			rc = sim_message(w->sim, s->from, s->to, s->bytes.p, n);
			if (s->bytes.p[0] != ZONE_AXFR)
				assert_int_equal(rc, -EBADMSG);
		}
		buf_u8(&s->bytes, 0);
		assert_int_equal(
			sim_message(w->sim, s->from, s->to, s->bytes.p, len + 1), -EBADMSG);
		/* Nor may others send it: the cache, or the primary itself. */
		if (s->bytes.p[0] != ZONE_PING && s->bytes.p[0] != ZONE_UPDATE && s->from != 2)
			assert_int_equal(
				sim_message(w->sim, 2, s->to == 2 ? 1 : s->to, s->bytes.p, len),
				-EBADMSG);
	}
	/* All but the question for more of a zone that did not fit one answer. */
	assert_int_equal(types, 0x7ffe & ~(1u << ZONE_AXFR_ASK));
	world_close(w);
}

static void zone_claim__says_how_old_and_who_answers(void **state)
{
	struct proto_config cfg = {.nodes = 5,
		.read_level = PROTO_ONE,
		.secondaries = 2,
		.refresh_ns = 10,
		.retry_ns = 1,
		.expire_ns = 1000,
		.ttl_ns = 100,
		.negative_ttl_ns = 50,
		.serve_stale_ns = 500};
	struct proto_claim c;

	(void)state;
	zone_ops.claim(&cfg, &c);
	assert_int_equal(c.whole, PROTO_EVENTUAL);
	assert_int_equal(c.copies, 3);
	assert_true(proto_has_copy(&cfg, &c, 2) && !proto_has_copy(&cfg, &c, 3));
	assert_int_equal(c.reads_cut, PROTO_SIDES_LEADER); /* a cache has what it was asked for */
	assert_int_equal(c.stale_ns, 112);
	assert_int_equal(c.stale_cut_ns, 1600);
	cfg.secondaries = 4;
	zone_ops.claim(&cfg, &c);
	assert_int_equal(c.reads_cut, PROTO_SIDES_ALL);
	assert_int_equal(c.reads_cut_ns, 1000);
	assert_int_equal(c.stale_ns, 12);
	cfg.read_level = PROTO_QUORUM;
	zone_ops.claim(&cfg, &c);
	assert_int_equal(c.cut, PROTO_LINEARIZABLE);
	assert_int_equal(c.stale_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zone_serial__wraps_as_rfc_1982_says),
		cmocka_unit_test(zone_roles__follow_from_the_replicas_number),
		cmocka_unit_test(zone_write__of_any_replica_is_done_by_the_primary),
		cmocka_unit_test(zone_notify__brings_a_change_in_a_round_trip_and_a_half),
		cmocka_unit_test(zone_notify__is_sent_again_a_few_times_to_who_does_not_answer),
		cmocka_unit_test(zone_refresh__finds_a_change_without_notify),
		cmocka_unit_test(zone_secondary__retries_when_the_primary_is_silent),
		cmocka_unit_test(zone_secondary__bears_a_retry_shorter_than_the_round_trip),
		cmocka_unit_test(zone_secondary__stops_answering_after_expire),
		cmocka_unit_test(zone_secondary__remembers_over_a_restart_when_it_was_confirmed),
		cmocka_unit_test(zone_transfer__is_of_all_when_the_journal_is_too_short),
		cmocka_unit_test(
			zone_transfer__of_all_goes_on_while_writes_do_and_messages_are_lost),
		cmocka_unit_test(
			zone_transfer__of_all_leaves_the_old_copy_in_use_until_it_is_whole),
		cmocka_unit_test(zone_cache__asks_once_and_then_keeps_the_answer_for_the_ttl),
		cmocka_unit_test(zone_cache__keeps_for_less_that_there_is_no_such_key),
		cmocka_unit_test(zone_cache__asks_once_for_many_who_wait),
		cmocka_unit_test(zone_cache__spreads_its_questions_and_passes_over_who_is_silent),
		cmocka_unit_test(zone_cache__serves_stale_for_so_long_when_nobody_answers),
		cmocka_unit_test(zone_cache__without_serve_stale_refuses_when_nobody_answers),
		cmocka_unit_test(zone_cache__goes_to_the_other_server_when_a_copy_has_expired),
		cmocka_unit_test(zone_cache__forgets_what_was_longest_unused),
		cmocka_unit_test(zone_read__above_one_asks_the_primary),
		cmocka_unit_test(zone_restart__of_all_keeps_serials_and_data),
		cmocka_unit_test(zone_key__that_expires_is_gone_everywhere),
		cmocka_unit_test(
			zone_messages__of_all_types_are_refused_when_cut_short_or_too_long),
		cmocka_unit_test(zone_claim__says_how_old_and_who_answers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
