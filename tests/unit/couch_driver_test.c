/* SPDX-License-Identifier: MIT */
/* couch_driver_test.c - outcomes of the drivers couch and influx, against a scripted HTTP server */
#include <string.h>

#include <arpa/inet.h>

#include "tests/lib/http.h"
#include "tests/lib/need.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/load/drivers/driver.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (60 * NS_PER_MS)
#define PLAYS_MAX 3

#define DOC(rev, v) "{\"_id\":\"k7\",\"_rev\":\"" rev "\",\"v\":\"" v "\"}"
#define REASON(text) "{\"error\":\"x\",\"reason\":\"" text "\"}"
#define STORED "{\"ok\":true,\"id\":\"k7\",\"rev\":\"2-b\"}"
#define POINT(v) "{\"results\":[{\"series\":[{\"values\":[[\"1970-01-01T00:00:00Z\"," v "]]}]}]}"

enum request { READ, WRITE, CAS };

/**
 * struct round - what is asked of a driver, and what its server answers, one after the other
 * @last:	of the last request; NULL: not looked at
 */
struct round {
	const char *driver;
	enum request what;
	struct {
		unsigned status; /* 0: none; then the connection ends */
		const char *body;
	} answer[PLAYS_MAX];
	unsigned answers;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	const char *last;
};

static struct driver *dial(const char *name, uint16_t port)
{
	static const uint8_t local[4] = {127, 0, 0, 1};
	static uint32_t local_be;
	const struct driver_target target = {
		.addr_be = &local_be, .nodes = 1, .port = port, .settings = ""};

	memcpy(&local_be, local, sizeof local_be);
	return need_driver(name)->open(&target);
}

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

static void assert_round(const struct round *o)
{
	char text[PLAYS_MAX][HTTP_ANSWER_MAX];
	struct play plays[PLAYS_MAX];
	struct server s = {.whole = http_whole};
	struct driver_result r;
	struct driver *d;

	for (unsigned i = 0; i < o->answers; i++)
		plays[i] = (struct play){o->answer[i].status ? http_answer(o->answer[i].status,
								       o->answer[i].body, text[i])
							     : NULL,
			o->answer[i].status == 0, false};
	server_start(&s, plays, o->answers);
	d = dial(o->driver, s.port);
	r = ask(d, o->what, PATIENCE_NS);
	if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
		fail_msg("%s, request %d, answer %u '%s': outcome %d error %s value %llu",
			o->driver, o->what, o->answer[o->answers - 1].status,
			o->answer[o->answers - 1].body ? o->answer[o->answers - 1].body : "",
			r.outcome, history_error_names[r.error], (unsigned long long)r.value);
	if (o->last && !strstr(s.request, o->last))
		fail_msg("'%s' is not in '%s'", o->last, s.request);
	d->ops->close(d);
	server_stop(&s);
}

#define ASSERT_ROUNDS(table) \
	for (size_t i = 0; i < sizeof(table) / sizeof *(table); i++) \
	assert_round(&(table)[i])

static void couch_driver__reads_the_winner(void **state)
{
	static const struct round rounds[] = {
		{"couch", READ, {{200, DOC("1-a", "5")}}, 1, HISTORY_OK, HISTORY_NO_ERROR, 5,
			"GET /lab/k7 HTTP/1.1\r\n"},
		{"couch", READ, {{404, REASON("missing")}}, 1, HISTORY_OK, HISTORY_NO_ERROR, 0,
			NULL},
		{"couch", READ, {{404, REASON("deleted")}}, 1, HISTORY_OK, HISTORY_NO_ERROR, 0,
			NULL},
		{"couch", READ, {{404, REASON("no_db_file")}}, 1, HISTORY_FAIL, HISTORY_REFUSED, 0,
			NULL},
		{"couch", READ, {{500, REASON("x")}}, 1, HISTORY_FAIL, HISTORY_REFUSED, 0, NULL},
		{"couch", READ, {{200, "{}"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"couch", READ, {{200, DOC("1-a", "x")}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"couch", READ, {{200, DOC("1/../a", "5")}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0,
			NULL},
		{"couch", READ, {{404, "no"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"couch", READ, {{0, NULL}}, 1, HISTORY_FAIL, HISTORY_CLOSED, 0, NULL},
	};

	(void)state;
	ASSERT_ROUNDS(rounds);
}

static void couch_driver__names_the_revision_that_it_replaces(void **state)
{
	static const struct round rounds[] = {
		{"couch", WRITE, {{404, REASON("missing")}, {201, STORED}}, 2, HISTORY_OK,
			HISTORY_NO_ERROR, 0, "\r\n\r\n{\"v\":\"42\"}"},
		{"couch", WRITE, {{200, DOC("1-a", "5")}, {202, STORED}}, 2, HISTORY_OK,
			HISTORY_NO_ERROR, 0, "{\"v\":\"42\",\"_rev\":\"1-a\"}"},
		{"couch", WRITE, {{200, DOC("1-a", "5")}, {409, REASON("conflict")}}, 2,
			HISTORY_FAIL, HISTORY_REFUSED, 0, "PUT /lab/k7 HTTP/1.1\r\n"},
		{"couch", WRITE, {{200, DOC("1-a", "5")}, {500, REASON("x")}}, 2, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, NULL},
		{"couch", WRITE, {{200, DOC("1-a", "5")}, {409, "no"}}, 2, HISTORY_UNKNOWN,
			HISTORY_OTHER, 0, NULL},
		{"couch", WRITE, {{200, DOC("1-a", "5")}, {201, "{}"}}, 2, HISTORY_UNKNOWN,
			HISTORY_OTHER, 0, NULL},
		{"couch", WRITE, {{200, DOC("1-a", "5")}, {0, NULL}}, 2, HISTORY_UNKNOWN,
			HISTORY_CLOSED, 0, NULL},
		/* It never came to writing. */
		{"couch", WRITE, {{500, REASON("x")}}, 1, HISTORY_FAIL, HISTORY_REFUSED, 0, NULL},
		{"couch", WRITE, {{0, NULL}}, 1, HISTORY_FAIL, HISTORY_CLOSED, 0, NULL},
		{"couch", CAS, {{200, DOC("1-a", "41")}, {201, STORED}}, 2, HISTORY_OK,
			HISTORY_NO_ERROR, 0, "{\"v\":\"42\",\"_rev\":\"1-a\"}"},
		{"couch", CAS, {{200, DOC("1-a", "40")}}, 1, HISTORY_OK, HISTORY_UNMET, 0, NULL},
		{"couch", CAS, {{200, DOC("1-a", "41")}, {409, REASON("conflict")}}, 2, HISTORY_OK,
			HISTORY_UNMET, 0, NULL},
		{"couch", CAS, {{200, DOC("1-a", "41")}, {0, NULL}}, 2, HISTORY_UNKNOWN,
			HISTORY_CLOSED, 0, NULL},
	};

	(void)state;
	ASSERT_ROUNDS(rounds);
}

static void couch_driver__lists_the_winner_and_its_conflicts(void **state)
{
	char text[2][HTTP_ANSWER_MAX];
	const struct play plays[] = {
		{http_answer(
			 200, "{\"_rev\":\"2-b\",\"v\":\"9\",\"_conflicts\":[\"2-a\"]}", text[0]),
			false, false},
		{http_answer(200, DOC("2-a", "8"), text[1]), false, false}};
	struct server s = {.whole = http_whole};
	struct buf values = {0};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 2);
	d = dial("couch", s.port);
	d->ops->values(d, 7, clock_now_ns() + PATIENCE_NS, &values, &r);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(r.value, 9);
	assert_int_equal(values.len, 4);
	assert_memory_equal(values.p, "9,8,", 4);
	assert_non_null(strstr(s.request, "GET /lab/k7?rev=2-a "));
	d->ops->close(d);
	server_stop(&s);
	buf_fini(&values);
}

static void influx_driver__maps_every_answer_to_its_outcome(void **state)
{
	static const struct round rounds[] = {
		{"influx", READ, {{200, POINT("\"5\"")}}, 1, HISTORY_OK, HISTORY_NO_ERROR, 5,
			"GET /query?db=lab&q=SELECT%20v%20FROM%20r%20WHERE%20k%3D%277%27 "},
		{"influx", READ, {{200, "{\"results\":[{\"statement_id\":0}]}"}}, 1, HISTORY_OK,
			HISTORY_NO_ERROR, 0, NULL},
		{"influx", READ, {{200, "{\"results\":[{\"error\":\"database not found: lab\"}]}"}},
			1, HISTORY_FAIL, HISTORY_REFUSED, 0, NULL},
		{"influx", READ, {{200, POINT("5")}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"influx", READ, {{200, "{}"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"influx", READ, {{400, "{\"error\":\"x\"}"}}, 1, HISTORY_FAIL, HISTORY_REFUSED, 0,
			NULL},
		{"influx", WRITE, {{204, ""}}, 1, HISTORY_OK, HISTORY_NO_ERROR, 0,
			"\r\n\r\nr,k=7 v=\"42\" 0\n"},
		{"influx", WRITE, {{404, "{\"error\":\"database not found: \\\"lab\\\"\"}"}}, 1,
			HISTORY_FAIL, HISTORY_REFUSED, 0, NULL},
		{"influx", WRITE, {{400, "{\"error\":\"partial write: x\"}"}}, 1, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, NULL},
		{"influx", WRITE, {{500, "{\"error\":\"timeout\"}"}}, 1, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, NULL},
		{"influx", WRITE, {{200, "{}"}}, 1, HISTORY_UNKNOWN, HISTORY_OTHER, 0, NULL},
		{"influx", WRITE, {{0, NULL}}, 1, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, NULL},
	};

	(void)state;
	ASSERT_ROUNDS(rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(couch_driver__reads_the_winner),
		cmocka_unit_test(couch_driver__names_the_revision_that_it_replaces),
		cmocka_unit_test(couch_driver__lists_the_winner_and_its_conflicts),
		cmocka_unit_test(influx_driver__maps_every_answer_to_its_outcome),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
