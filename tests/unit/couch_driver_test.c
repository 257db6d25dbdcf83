/* SPDX-License-Identifier: MIT */
/* couch_driver_test.c - outcomes of the drivers couch and influx, against a scripted HTTP server */
#include <string.h>

#include "tests/lib/http.h"
#include "tests/lib/round.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"

#define DOC(rev, v) "{\"_id\":\"k7\",\"_rev\":\"" rev "\",\"v\":\"" v "\"}"
#define REASON(text) "{\"error\":\"x\",\"reason\":\"" text "\"}"
#define STORED "{\"ok\":true,\"id\":\"k7\",\"rev\":\"2-b\"}"
#define POINT(v) "{\"results\":[{\"series\":[{\"values\":[[\"1970-01-01T00:00:00Z\"," v "]]}]}]}"

static void couch_driver__reads_the_winner(void **state)
{
	static const struct round rounds[] = {
		{"couch", ROUND_READ, {{200, DOC("1-a", "5")}}, 1, HISTORY_OK, HISTORY_NO_ERROR, 5,
			"GET /lab/k7 HTTP/1.1\r\n"},
		{"couch", ROUND_READ, {{404, REASON("missing")}}, 1, HISTORY_OK, HISTORY_NO_ERROR,
			0, NULL},
		{"couch", ROUND_READ, {{404, REASON("deleted")}}, 1, HISTORY_OK, HISTORY_NO_ERROR,
			0, NULL},
		{"couch", ROUND_READ, {{404, REASON("no_db_file")}}, 1, HISTORY_FAIL,
			HISTORY_REFUSED, 0, NULL},
		{"couch", ROUND_READ, {{500, REASON("x")}}, 1, HISTORY_FAIL, HISTORY_REFUSED, 0,
			NULL},
		{"couch", ROUND_READ, {{200, "{}"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"couch", ROUND_READ, {{200, DOC("1-a", "x")}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0,
			NULL},
		{"couch", ROUND_READ, {{200, DOC("1/../a", "5")}}, 1, HISTORY_FAIL, HISTORY_OTHER,
			0, NULL},
		{"couch", ROUND_READ, {{404, "no"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"couch", ROUND_READ, {{0, NULL}}, 1, HISTORY_FAIL, HISTORY_CLOSED, 0, NULL},
	};

	(void)state;
	ROUNDS_ASSERT(rounds);
}

static void couch_driver__names_the_revision_that_it_replaces(void **state)
{
	static const struct round rounds[] = {
		{"couch", ROUND_WRITE, {{404, REASON("missing")}, {201, STORED}}, 2, HISTORY_OK,
			HISTORY_NO_ERROR, 0, "\r\n\r\n{\"v\":\"42\"}"},
		{"couch", ROUND_WRITE, {{200, DOC("1-a", "5")}, {202, STORED}}, 2, HISTORY_OK,
			HISTORY_NO_ERROR, 0, "{\"v\":\"42\",\"_rev\":\"1-a\"}"},
		{"couch", ROUND_WRITE, {{200, DOC("1-a", "5")}, {409, REASON("conflict")}}, 2,
			HISTORY_FAIL, HISTORY_REFUSED, 0, "PUT /lab/k7 HTTP/1.1\r\n"},
		{"couch", ROUND_WRITE, {{200, DOC("1-a", "5")}, {500, REASON("x")}}, 2,
			HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, NULL},
		{"couch", ROUND_WRITE, {{200, DOC("1-a", "5")}, {409, "no"}}, 2, HISTORY_UNKNOWN,
			HISTORY_OTHER, 0, NULL},
		{"couch", ROUND_WRITE, {{200, DOC("1-a", "5")}, {201, "{}"}}, 2, HISTORY_UNKNOWN,
			HISTORY_OTHER, 0, NULL},
		{"couch", ROUND_WRITE, {{200, DOC("1-a", "5")}, {0, NULL}}, 2, HISTORY_UNKNOWN,
			HISTORY_CLOSED, 0, NULL},
		/* It never came to writing. */
		{"couch", ROUND_WRITE, {{500, REASON("x")}}, 1, HISTORY_FAIL, HISTORY_REFUSED, 0,
			NULL},
		{"couch", ROUND_WRITE, {{0, NULL}}, 1, HISTORY_FAIL, HISTORY_CLOSED, 0, NULL},
		{"couch", ROUND_CAS, {{200, DOC("1-a", "41")}, {201, STORED}}, 2, HISTORY_OK,
			HISTORY_NO_ERROR, 0, "{\"v\":\"42\",\"_rev\":\"1-a\"}"},
		{"couch", ROUND_CAS, {{200, DOC("1-a", "40")}}, 1, HISTORY_OK, HISTORY_UNMET, 0,
			NULL},
		{"couch", ROUND_CAS, {{200, DOC("1-a", "41")}, {409, REASON("conflict")}}, 2,
			HISTORY_OK, HISTORY_UNMET, 0, NULL},
		{"couch", ROUND_CAS, {{200, DOC("1-a", "41")}, {0, NULL}}, 2, HISTORY_UNKNOWN,
			HISTORY_CLOSED, 0, NULL},
	};

	(void)state;
	ROUNDS_ASSERT(rounds);
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
	d = round_dial("couch", s.port);
	d->ops->values(d, 7, clock_now_ns() + ROUND_PATIENCE_NS, &values, &r);
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
		{"influx", ROUND_READ, {{200, POINT("\"5\"")}}, 1, HISTORY_OK, HISTORY_NO_ERROR, 5,
			"GET /query?db=lab&q=SELECT%20v%20FROM%20r%20WHERE%20k%3D%277%27 "},
		{"influx", ROUND_READ, {{200, "{\"results\":[{\"statement_id\":0}]}"}}, 1,
			HISTORY_OK, HISTORY_NO_ERROR, 0, NULL},
		{"influx", ROUND_READ,
			{{200, "{\"results\":[{\"error\":\"database not found: lab\"}]}"}}, 1,
			HISTORY_FAIL, HISTORY_REFUSED, 0, NULL},
		{"influx", ROUND_READ, {{200, POINT("5")}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0,
			NULL},
		{"influx", ROUND_READ, {{200, "{}"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"influx", ROUND_READ, {{400, "{\"error\":\"x\"}"}}, 1, HISTORY_FAIL,
			HISTORY_REFUSED, 0, NULL},
		{"influx", ROUND_WRITE, {{204, ""}}, 1, HISTORY_OK, HISTORY_NO_ERROR, 0,
			"\r\n\r\nr,k=7 v=\"42\" 0\n"},
		{"influx", ROUND_WRITE, {{404, "{\"error\":\"database not found: \\\"lab\\\"\"}"}},
			1, HISTORY_FAIL, HISTORY_REFUSED, 0, NULL},
		{"influx", ROUND_WRITE, {{400, "{\"error\":\"partial write: x\"}"}}, 1,
			HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, NULL},
		{"influx", ROUND_WRITE, {{500, "{\"error\":\"timeout\"}"}}, 1, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, NULL},
		{"influx", ROUND_WRITE, {{200, "{}"}}, 1, HISTORY_UNKNOWN, HISTORY_OTHER, 0, NULL},
		{"influx", ROUND_WRITE, {{0, NULL}}, 1, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, NULL},
	};

	(void)state;
	ROUNDS_ASSERT(rounds);
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
