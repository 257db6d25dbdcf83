/* SPDX-License-Identifier: MIT */
/* redis_driver_test.c - every outcome of the driver for Redis, against scripted servers */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/need.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "agent/load/drivers/driver.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (60 * NS_PER_MS)
#define TEXT_MAX 192

#define MASTER "$13\r\nrole:master\r\n\r\n"
#define REPLICA "$49\r\nrole:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:1\r\n\r\n"

static const uint32_t *loopback(void)
{
	static uint32_t addr_be[3];

	for (uint32_t i = 0; i < 3; i++)
		addr_be[i] = htonl(INADDR_LOOPBACK + i);
	return addr_be;
}

/* Nodes 127.0.0.1, 127.0.0.2, ...; scripted servers are all on the first. */
static struct driver *dial(uint16_t port, unsigned nodes, unsigned contact, const char *settings)
{
	const struct driver_target target = {.addr_be = loopback(),
		.nodes = nodes,
		.port = port,
		.contact = contact,
		.settings = settings};

	return need_driver("redis")->open(&target);
}

enum request { READ, WRITE, CAS };

static struct driver_result ask(struct driver *d, enum request what, uint64_t timeout_ns)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	struct driver_result r;

	memset(&r, 0xff, sizeof r);
	if (what == READ)
		d->ops->read(d, 7, deadline_ns, &r);
	else if (what == WRITE)
		d->ops->write(d, 7, 42, deadline_ns, &r);
	else
		d->ops->cas(d, 7, 41, 42, deadline_ns, &r);
	return r;
}

struct outcome {
	enum request what;
	struct play play;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	unsigned connections; /* after a second request: 2 if the first connection was given up */
};

/* In one piece and in crumbs; then one more request shows what became of the connection. */
static void assert_outcome(const char *settings, const struct outcome *o)
{
	for (int crumbs = 0; crumbs < 2; crumbs++) {
		struct play plays[2] = {o->play, {"$1\r\n5\r\n", false, false}};
		struct driver_result r;
		struct server s = {.whole = NULL};
		struct driver *d;

		plays[0].crumbs = crumbs;
		server_start(&s, plays, 2);
		d = dial(s.port, 1, 0, settings);
		r = ask(d, o->what, o->error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
		if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
			fail_msg("%s: request %d answer '%s': outcome %d error %s value %llu",
				settings, o->what, o->play.answer ? o->play.answer : "", r.outcome,
				history_error_names[r.error], (unsigned long long)r.value);
		r = ask(d, READ, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_OK);
		assert_int_equal(r.value, 5);
		if (s.connections != o->connections)
			fail_msg("%s: after '%s': %u connections", settings,
				o->play.answer ? o->play.answer : "", s.connections);
		d->ops->close(d);
		server_stop(&s);
	}
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void redis__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {"$2\r\n42\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 42, 1},
		{READ, {"$-1\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{READ, {"-LOADING x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{READ, {"-MASTERDOWN x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{READ, {"-CLUSTERDOWN x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{READ, {"-WRONGTYPE x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, {"-WHATEVER x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, {NULL, true, 0}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {"$2\r\n4", true, 0}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {NULL, 0, 0}, HISTORY_FAIL, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"+OK\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{WRITE, {"-READONLY x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{WRITE, {"-LOADING x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{WRITE, {"-MASTERDOWN x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{WRITE, {"-NOREPLICAS x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"-CLUSTERDOWN x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"-MOVED 1 127.0.0.1:1\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"-TRYAGAIN x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"-MISCONF x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"-OOM x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"-ERR syntax\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{WRITE, {"-READONLYX y\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 1},
		{WRITE, {"-WHATEVER x\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 1},
		{WRITE, {NULL, true, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {"+O", true, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {NULL, 0, 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{CAS, {":1\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{CAS, {":0\r\n", 0, 0}, HISTORY_OK, HISTORY_UNMET, 0, 1},
		{CAS, {"-READONLY x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{CAS, {"-BUSY x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{CAS, {NULL, true, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(outcomes); i++)
		assert_outcome("topology=single", &outcomes[i]);
}

static void redis__does_not_know_what_a_short_wait_has_left(void **state)
{
	static const struct outcome outcomes[] = {
		{WRITE, {"+OK\r\n:2\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{WRITE, {"+OK\r\n:3\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{WRITE, {"+OK\r\n:1\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 1},
		{WRITE, {"+OK\r\n:-1\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 1},
		{WRITE, {"+OK\r\n-UNBLOCKED x\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0,
			1},
		{WRITE, {"+OK\r\n", true, 0}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {"+OK\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"+OK\r\nx\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		/* The command itself was refused: what WAIT says of it, or not, changes nothing. */
		{WRITE, {"-NOREPLICAS x\r\n:0\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"-READONLY x\r\n-ERR x\r\n", 0, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{WRITE, {"-READONLY x\r\n", true, 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{CAS, {":1\r\n:2\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 0, 1},
		{CAS, {":1\r\n:0\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 1},
		{CAS, {":0\r\n:0\r\n", 0, 0}, HISTORY_OK, HISTORY_UNMET, 0, 1},
		{READ, {"$2\r\n42\r\n", 0, 0}, HISTORY_OK, HISTORY_NO_ERROR, 42, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(outcomes); i++)
		assert_outcome("topology=single wait=2", &outcomes[i]);
}

static void redis__gives_up_a_connection_that_is_out_of_step(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {"hello\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"+OK\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"$2\r\nxx\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"$20\r\n18446744073709551616\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0,
			2},
		{READ, {"$9999999\r\n", 0, 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{WRITE, {"+QUEUED\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{WRITE, {"$-1\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{WRITE, {"\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{CAS, {":2\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{CAS, {"+OK\r\n", 0, 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(outcomes); i++)
		assert_outcome("topology=single", &outcomes[i]);
}

static void redis__takes_two_answers_to_one_request_for_garbage(void **state)
{
	static const struct play plays[] = {{"+OK\r\n+OK\r\n", false, false}};
	struct server s = {.whole = NULL};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 1);
	d = dial(s.port, 1, 0, "topology=single");
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_OTHER);
	d->ops->close(d);
	server_stop(&s);
}

/* A read that may have had an effect, or an answer that is none, would be a bug whatever comes. */
static void redis__survives_random_answers(void **state)
{
	static const char alphabet[] = "$+-_*:0123\r\nOKMOVED 127.0.0.1:x";
	static char text[400][16];
	static struct play plays[400];
	struct server s = {.whole = NULL};
	struct driver *d;
	struct prng prng;

	(void)state;
	prng_init(&prng, 1, 1);
	for (unsigned i = 0; i < COUNT(plays); i++) {
		for (unsigned k = 0; k < sizeof text[i] - 1; k++)
			text[i][k] = alphabet[prng_below(&prng, sizeof alphabet - 1)];
		plays[i] = (struct play){text[i], true, false};
	}
	server_start(&s, plays, COUNT(plays));
	d = dial(s.port, 1, 0, "topology=single wait=1");
	for (unsigned i = 0; i < COUNT(plays); i++) {
		struct driver_result r = ask(d, (enum request)(i % 3), PATIENCE_NS);

		assert_true(r.outcome == HISTORY_FAIL ||
			    (r.outcome == HISTORY_UNKNOWN && i % 3 != READ));
	}
	d->ops->close(d);
	server_stop(&s);
}

static void redis__writes_requests_and_the_wait_in_one_piece(void **state)
{
	static const struct play plays[] = {{"$-1\r\n", false, false},
		{"+OK\r\n:1\r\n", false, false}, {":1\r\n:1\r\n", false, false}};
	static const char set[] = "*3\r\n$3\r\nSET\r\n$2\r\nk7\r\n$2\r\n42\r\n*3\r\n$4\r\nWAIT\r\n"
				  "$1\r\n1\r\n";
	static const char key[] = "$1\r\n1\r\n$2\r\nk7\r\n$2\r\n41\r\n$2\r\n42\r\n*3\r\n$4\r\nWAIT";
	struct server s = {.whole = NULL};
	unsigned len, ms = 0;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 3);
	d = dial(s.port, 1, 0, "topology=single wait=1");
	(void)ask(d, READ, PATIENCE_NS);
	assert_string_equal(s.request, "*2\r\n$3\r\nGET\r\n$2\r\nk7\r\n");
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(strncmp(s.request, set, sizeof set - 1), 0);
	assert_int_equal(sscanf(s.request + sizeof set - 1, "$%u\r\n%u\r\n", &len, &ms), 2);
	/* It must end before the deadline, and not never. */
	assert_in_range(ms, 1, PATIENCE_NS / NS_PER_MS - 1);
	assert_int_equal(ask(d, CAS, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(strncmp(s.request, "*6\r\n$4\r\nEVAL\r\n", 14), 0);
	assert_non_null(strstr(s.request, key));
	d->ops->close(d);
	server_stop(&s);
}

/* Lists, counters and what else clients keep in texts. */
static void redis__has_texts_and_numbers(void **state)
{
	static const struct play plays[] = {{"$4\r\n3,4,\r\n", false, false},
		{"$-1\r\n", false, false}, {"+OK\r\n", false, false}, {":6\r\n", false, false},
		{":1\r\n", false, false}, {"+OK\r\n", false, false}};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	struct server s = {.whole = NULL};
	struct driver_result r;
	struct buf text = {0};
	struct driver *d;

	(void)state;
	server_start(&s, plays, COUNT(plays));
	d = dial(s.port, 1, 0, "topology=single");
	d->ops->get(d, 7, until, &text, &r);
	assert_true(r.outcome == HISTORY_OK && r.found && text.len == 4);
	assert_memory_equal(text.p, "3,4,", 4);
	d->ops->get(d, 7, until, &text, &r);
	assert_true(r.outcome == HISTORY_OK && !r.found && text.len == 0);
	buf_add(&text, "5,", 2);
	d->ops->put(d, 7, &text, until, &r);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_string_equal(s.request, "*3\r\n$3\r\nSET\r\n$2\r\nk7\r\n$2\r\n5,\r\n");
	d->ops->append(d, 7, &text, until, &r);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_string_equal(s.request, "*3\r\n$6\r\nAPPEND\r\n$2\r\nk7\r\n$2\r\n5,\r\n");
	d->ops->increase(d, 7, -3, until, &r);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_string_equal(s.request, "*3\r\n$6\r\nINCRBY\r\n$2\r\nk7\r\n$2\r\n-3\r\n");
	d->ops->increase(d, 7, 1, until, &r); /* answered as if it were another command */
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	buf_fini(&text);
	d->ops->close(d);
	server_stop(&s);
}

/*
 * Sentinel: one scripted server is Sentinel and primary, one connection after the other.
 */

/* What Sentinel says of a primary at @port. */
static const char *address(char out[TEXT_MAX], uint16_t port)
{
	char text[8];
	int len = snprintf(text, sizeof text, "%u", port);

	(void)snprintf(out, TEXT_MAX, "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n", len, text);
	return out;
}

static struct driver *dial_sentinel(const struct server *s, unsigned nodes, unsigned contact)
{
	char settings[TEXT_MAX];

	(void)snprintf(
		settings, sizeof settings, "topology=sentinel master=m sentinel_port=%u", s->port);
	return dial(s->port, nodes, contact, settings);
}

static void redis__finds_the_primary_by_sentinel_and_holds_on_to_it(void **state)
{
	char says[TEXT_MAX];
	const struct play plays[] = {{says, false, false}, {MASTER, false, false},
		{"+OK\r\n", false, false}, {"$2\r\n42\r\n", false, false},
		{"-READONLY x\r\n", false, false}, {says, false, false}, {MASTER, false, false},
		{"+OK\r\n", false, false}};
	struct server s = {.whole = NULL};
	struct driver *d;

	(void)state;
	server_start(&s, plays, COUNT(plays));
	(void)address(says, s.port);
	d = dial_sentinel(&s, 1, 0);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 42);
	assert_int_equal(s.connections, 2);
	/* Told that it is a replica now: that write is over, the next one asks again. */
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_FAIL);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(s.connections, 4);
	d->ops->close(d);
	server_stop(&s);
}

static void redis__sends_nothing_to_who_is_no_primary(void **state)
{
	static const char *const roles[] = {REPLICA, "-LOADING x\r\n", "+OK\r\n", "x\r\n", ""};
	char says[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(roles); i++) {
		const struct play plays[] = {{says, false, false}, {roles[i], true, false}};
		struct server s = {.whole = NULL};
		struct driver_result r;
		struct driver *d;

		server_start(&s, plays, 2);
		(void)address(says, s.port);
		d = dial_sentinel(&s, 1, 0);
		r = ask(d, WRITE, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
		assert_string_equal(s.request, "*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n");
		d->ops->close(d);
		server_stop(&s);
	}
}

static void redis__has_no_primary_if_sentinel_names_none(void **state)
{
	static const char *const answers[] = {"*-1\r\n", "$-1\r\n", "-ERR x\r\n", "*0\r\n",
		"*2\r\n$1\r\nx\r\n$1\r\n5\r\n", "*2\r\n$9\r\n127.0.0.1\r\n$6\r\n999999\r\n", "x"};

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		const struct play play = {answers[i], true, false};
		struct server s = {.whole = NULL};
		struct driver_result r;
		struct driver *d;

		server_start(&s, &play, 1);
		d = dial_sentinel(&s, 1, 0);
		r = ask(d, WRITE, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
		d->ops->close(d);
		server_stop(&s);
	}
}

/* Nobody listens on 127.0.0.2 and .3, where the nearest and the next one should be. */
static void redis__asks_the_next_sentinel_if_one_is_away(void **state)
{
	char says[TEXT_MAX];
	const struct play plays[] = {
		{says, false, false}, {MASTER, false, false}, {"+OK\r\n", false, false}};
	struct server s = {.whole = NULL};
	struct driver *d;

	(void)state;
	server_start(&s, plays, COUNT(plays));
	(void)address(says, s.port);
	d = dial_sentinel(&s, 3, 1);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	d->ops->close(d);
	server_stop(&s);
}

static void redis__a_silent_sentinel_does_not_delay_an_operation_beyond_its_deadline(void **state)
{
	static const struct play play = {NULL, false, false};
	struct server s = {.whole = NULL};
	struct driver_result r;
	struct driver *d;
	uint64_t begin;

	(void)state;
	server_start(&s, &play, 1);
	d = dial_sentinel(&s, 1, 0);
	begin = clock_now_ns();
	r = ask(d, WRITE, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	assert_in_range(clock_now_ns() - begin, SHORT_NS, PATIENCE_NS);
	d->ops->close(d);
	server_stop(&s);
}

static void redis__finds_the_primary_in_idle_time(void **state)
{
	char says[TEXT_MAX];
	const struct play plays[] = {
		{says, false, true}, {MASTER, false, true}, {"+OK\r\n", false, false}};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	struct server s = {.whole = NULL};
	struct driver *d;

	(void)state;
	server_start(&s, plays, COUNT(plays));
	(void)address(says, s.port);
	d = dial_sentinel(&s, 1, 0);
	/* One attempt, however short the spans are in which it may go on. */
	while (s.connections < 2 && clock_now_ns() < until)
		d->ops->connect(d, clock_now_ns() + NS_PER_MS / 10);
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(s.connections, 2);
	d->ops->close(d);
	server_stop(&s);
}

static void redis__asks_a_server_who_leads_where_there_is_no_sentinel(void **state)
{
	char says[TEXT_MAX], info[TEXT_MAX / 2];
	const struct play plays[] = {
		{says, false, false}, {MASTER, false, false}, {"+OK\r\n", false, false}};
	struct server s = {.whole = NULL};
	struct driver *d;

	(void)state;
	server_start(&s, plays, COUNT(plays));
	(void)snprintf(info, sizeof info,
		"role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:%u\r\n", s.port);
	(void)snprintf(says, sizeof says, "$%zu\r\n%s\r\n", strlen(info), info);
	d = dial(s.port, 1, 0, "topology=replicas");
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(s.connections, 2);
	d->ops->close(d);
	server_stop(&s);
}

static void redis__reads_at_the_nearest_server_if_told_to(void **state)
{
	static const struct play plays[] = {{"$1\r\n5\r\n", false, false}};
	struct server s = {.whole = NULL};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 1);
	d = dial(s.port, 1, 0, "topology=sentinel sentinel_port=1 reads=local");
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 5);
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	d->ops->close(d);
	server_stop(&s);
}

/*
 * Cluster.
 */

static const char *redirection(char out[TEXT_MAX], const char *word, uint16_t port)
{
	(void)snprintf(out, TEXT_MAX, "-%s 4452 127.0.0.1:%u\r\n", word, port);
	return out;
}

static void redis__follows_moved_and_remembers_the_owner(void **state)
{
	char moved[TEXT_MAX];
	const struct play first[] = {{moved, false, false}};
	static const struct play second[] = {
		{"$2\r\n42\r\n", false, false}, {"+OK\r\n", false, false}};
	struct server a = {.whole = NULL}, b = {.whole = NULL};
	struct driver *d;

	(void)state;
	server_start(&a, first, 1);
	server_start(&b, second, 2);
	(void)redirection(moved, "MOVED", b.port);
	d = dial(a.port, 1, 0, "topology=cluster");
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 42);
	/* Slot 4452 is that of "k7": nobody is asked about it again. */
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(b.connections, 1);
	d->ops->close(d);
	server_stop(&a);
	server_stop(&b);
}

/* Else whoever does not own it would keep the answer to its WAIT back. */
static void redis__asks_for_the_owner_before_a_write_that_waits(void **state)
{
	char moved[TEXT_MAX];
	const struct play first[] = {{moved, false, false}};
	static const struct play second[] = {
		{":0\r\n", false, false}, {"+OK\r\n:1\r\n", false, false}};
	struct server a = {.whole = NULL}, b = {.whole = NULL};
	struct driver *d;

	(void)state;
	server_start(&a, first, 1);
	server_start(&b, second, 2);
	(void)redirection(moved, "MOVED", b.port);
	d = dial(a.port, 1, 0, "topology=cluster wait=1");
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_string_equal(a.request, "*2\r\n$6\r\nEXISTS\r\n$2\r\nk7\r\n");
	d->ops->close(d);
	server_stop(&a);
	server_stop(&b);
}

static void redis__asks_for_a_slot_on_its_way_with_asking(void **state)
{
	char ask_[TEXT_MAX];
	const struct play first[] = {{ask_, false, false}, {"$1\r\n6\r\n", false, false}};
	static const struct play second[] = {{"+OK\r\n$1\r\n5\r\n", false, true}};
	struct server a = {.whole = NULL}, b = {.whole = NULL};
	struct driver *d;

	(void)state;
	server_start(&a, first, 2);
	server_start(&b, second, 1);
	(void)redirection(ask_, "ASK", b.port);
	d = dial(a.port, 1, 0, "topology=cluster");
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 5);
	assert_string_equal(b.request, "*1\r\n$6\r\nASKING\r\n*2\r\n$3\r\nGET\r\n$2\r\nk7\r\n");
	assert_int_equal(
		ask(d, READ, PATIENCE_NS).value, 6); /* the slot is still the first one's */
	d->ops->close(d);
	server_stop(&a);
	server_stop(&b);
}

static void redis__gives_up_redirections_that_lead_nowhere(void **state)
{
	char moved[TEXT_MAX];
	const struct play plays[] = {{moved, false, false}, {moved, false, false},
		{moved, false, false}, {moved, false, false}, {moved, false, false},
		{moved, false, false}, {"-MOVED x\r\n", false, false},
		{"-MOVED 99999 127.0.0.1:1\r\n", false, false},
		{"-ASK 4452 :6379\r\n", false, false}, {"-CLUSTERDOWN x\r\n", false, false},
		{"+OK\r\n", false, false}};
	struct server s = {.whole = NULL};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, COUNT(plays));
	(void)redirection(moved, "MOVED", s.port);
	d = dial(s.port, 1, 0, "topology=cluster");
	for (unsigned i = 0; i < 6; i++) {
		r = ask(d, WRITE, PATIENCE_NS);
		assert_int_equal(r.outcome, i < 5 ? HISTORY_FAIL : HISTORY_OK);
		assert_int_equal(r.error, i < 5 ? HISTORY_REFUSED : HISTORY_NO_ERROR);
	}
	assert_int_equal(s.connections, 1);
	d->ops->close(d);
	server_stop(&s);
}

static void redis__forgets_an_owner_that_does_not_answer(void **state)
{
	char moved[TEXT_MAX];
	const struct play first[] = {{moved, false, false}, {"+OK\r\n", false, false}};
	static const struct play second[] = {{NULL, true, false}};
	struct server a = {.whole = NULL}, b = {.whole = NULL};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&a, first, 2);
	server_start(&b, second, 1);
	(void)redirection(moved, "MOVED", b.port);
	d = dial(a.port, 1, 0, "topology=cluster");
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_CLOSED);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	d->ops->close(d);
	server_stop(&a);
	server_stop(&b);
}

/*
 * Status.
 */

#define SYNCED \
	"role:master\r\nslave0:ip=127.0.0.2,port=1,state=online,lag=0\r\n" \
	"slave1:ip=127.0.0.3,port=1,state=online,lag=1\r\n"

static const char *bulk(char out[512], const char *text)
{
	(void)snprintf(out, 512, "$%zu\r\n%s\r\n", strlen(text), text);
	return out;
}

/* What @pairs say ("name", "value", ..., NULL). */
static const char *list(char out[512], const char *const pairs[])
{
	int len = 0, n = 0;

	while (pairs[n])
		n++;
	len = snprintf(out, 512, "*%d\r\n", n);
	for (int i = 0; i < n; i++)
		len += snprintf(out + len, (size_t)(512 - len), "$%zu\r\n%s\r\n", strlen(pairs[i]),
			pairs[i]);
	return out;
}

static void redis__status_is_ready_when_sentinels_and_replicas_agree(void **state)
{
	static const struct {
		const char *info, *quorum, *ip, *replicas, *flags;
		bool ready;
		int leader;
	} cases[] = {
		{SYNCED, "+OK 3 usable Sentinels\r\n", "127.0.0.1", "2", "master", true, 0},
		{"role:slave\r\nmaster_host:127.0.0.2\r\nmaster_link_status:up\r\n",
			"+OK 3 usable Sentinels\r\n", "127.0.0.2", "2", "master", true, 1},
		{"role:slave\r\nmaster_host:127.0.0.2\r\nmaster_link_status:down\r\n",
			"+OK 3 usable Sentinels\r\n", "127.0.0.2", "2", "master", false, 1},
		{"role:slave\r\nmaster_host:10.0.0.1\r\nmaster_link_status:up\r\n",
			"+OK 3 usable Sentinels\r\n", "127.0.0.2", "2", "master", false, -1},
		{"role:master\r\nslave0:ip=127.0.0.2,port=1,state=online,lag=0\r\n",
			"+OK 3 usable Sentinels\r\n", "127.0.0.1", "2", "master", false, 0},
		{SYNCED, "+OK 2 usable Sentinels\r\n", "127.0.0.1", "2", "master", false, 0},
		{SYNCED, "-NOQUORUM x\r\n", "127.0.0.1", "2", "master", false, 0},
		{SYNCED, "+OK 3 usable Sentinels\r\n", "127.0.0.2", "2", "master", false, 0},
		{SYNCED, "+OK 3 usable Sentinels\r\n", "127.0.0.1", "1", "master", false, 0},
		{SYNCED, "+OK 3 usable Sentinels\r\n", "127.0.0.1", "2", "master,s_down", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const pairs[] = {"ip", cases[i].ip, "flags", cases[i].flags,
			"num-slaves", cases[i].replicas, "config-epoch", "5", NULL};
		char info[512], master[512], settings[TEXT_MAX];
		const struct play first[] = {{bulk(info, cases[i].info), false, true}};
		const struct play second[] = {
			{cases[i].quorum, false, false}, {list(master, pairs), false, true}};
		struct server a = {.whole = NULL}, b = {.whole = NULL};
		struct driver_status status;
		struct driver *d;

		server_start(&a, first, 1);
		server_start(&b, second, 2);
		(void)snprintf(
			settings, sizeof settings, "topology=sentinel sentinel_port=%u", b.port);
		d = dial(a.port, 3, 0, settings);
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &status), 0);
		if (status.ready != cases[i].ready || status.leader != cases[i].leader)
			fail_msg("case %zu: ready %d leader %d", i, status.ready, status.leader);
		assert_int_equal(status.leads, status.leader == 0);
		if (status.ready)
			assert_int_equal(status.term, 5);
		d->ops->close(d);
		server_stop(&a);
		server_stop(&b);
	}
}

static void redis__status_of_a_cluster_has_no_leader(void **state)
{
	char info[512], cluster[512];
	const struct play plays[] = {
		{bulk(info, "role:master\r\nslave0:ip=x,state=online\r\n"), false, false},
		{bulk(cluster, "cluster_state:ok\r\ncluster_slots_ok:16384\r\n"
			       "cluster_known_nodes:3\r\ncluster_current_epoch:6\r\n"),
			false, false}};
	struct server s = {.whole = NULL};
	struct driver_status status;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 2);
	d = dial(s.port, 3, 0, "topology=cluster");
	assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &status), 0);
	assert_true(status.ready);
	assert_false(status.leads);
	assert_int_equal(status.leader, -1);
	assert_int_equal(status.term, 6);
	assert_string_equal(status.role, "master");
	d->ops->close(d);
	server_stop(&s);
}

static void redis__has_no_status_without_an_answer(void **state)
{
	static const char *const answers[] = {"-LOADING x\r\n", "+OK\r\n", "x\r\n", ""};
	struct driver_status status;

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		const struct play play = {answers[i], true, false};
		struct server s = {.whole = NULL};
		struct driver *d;

		server_start(&s, &play, 1);
		d = dial(s.port, 1, 0, "topology=single");
		assert_true(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &status) < 0);
		d->ops->close(d);
		server_stop(&s);
	}
}

static void redis__does_nothing_with_settings_that_make_no_sense(void **state)
{
	static const char *const settings[] = {"topology=ring", "wait=-1", "wait=300", "reads=any",
		"sentinel_port=99999", "topology=cluster reads=local", "servers=0"};
	struct driver_status status;

	(void)state;
	for (size_t i = 0; i < COUNT(settings); i++) {
		struct driver *d = dial(1, 1, 0, settings[i]);
		struct driver_result r = ask(d, WRITE, PATIENCE_NS);

		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_OTHER);
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &status), -EINVAL);
		d->ops->close(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redis__maps_every_answer_to_its_outcome),
		cmocka_unit_test(redis__does_not_know_what_a_short_wait_has_left),
		cmocka_unit_test(redis__gives_up_a_connection_that_is_out_of_step),
		cmocka_unit_test(redis__takes_two_answers_to_one_request_for_garbage),
		cmocka_unit_test(redis__survives_random_answers),
		cmocka_unit_test(redis__writes_requests_and_the_wait_in_one_piece),
		cmocka_unit_test(redis__has_texts_and_numbers),
		cmocka_unit_test(redis__finds_the_primary_by_sentinel_and_holds_on_to_it),
		cmocka_unit_test(redis__sends_nothing_to_who_is_no_primary),
		cmocka_unit_test(redis__has_no_primary_if_sentinel_names_none),
		cmocka_unit_test(redis__asks_the_next_sentinel_if_one_is_away),
		cmocka_unit_test(
			redis__a_silent_sentinel_does_not_delay_an_operation_beyond_its_deadline),
		cmocka_unit_test(redis__finds_the_primary_in_idle_time),
		cmocka_unit_test(redis__asks_a_server_who_leads_where_there_is_no_sentinel),
		cmocka_unit_test(redis__reads_at_the_nearest_server_if_told_to),
		cmocka_unit_test(redis__follows_moved_and_remembers_the_owner),
		cmocka_unit_test(redis__asks_for_the_owner_before_a_write_that_waits),
		cmocka_unit_test(redis__asks_for_a_slot_on_its_way_with_asking),
		cmocka_unit_test(redis__gives_up_redirections_that_lead_nowhere),
		cmocka_unit_test(redis__forgets_an_owner_that_does_not_answer),
		cmocka_unit_test(redis__status_is_ready_when_sentinels_and_replicas_agree),
		cmocka_unit_test(redis__status_of_a_cluster_has_no_leader),
		cmocka_unit_test(redis__has_no_status_without_an_answer),
		cmocka_unit_test(redis__does_nothing_with_settings_that_make_no_sense),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
