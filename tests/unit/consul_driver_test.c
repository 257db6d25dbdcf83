/* SPDX-License-Identifier: MIT */
/* consul_driver_test.c - every outcome of the driver of Consul, against a scripted HTTP server */
#include <string.h>

#include "tests/lib/http.h"
#include "tests/lib/round.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"

#define SHORT_NS (60 * NS_PER_MS)

#define ENTRY(key, index, value) \
	"[{\"LockIndex\":0,\"Key\":\"" key "\",\"Flags\":0,\"Value\":\"" value "\"," \
	"\"CreateIndex\":3,\"ModifyIndex\":" index "}]"
#define FIVE ENTRY("k7", "12", "NQ==")
#define OLD ENTRY("k7", "12", "NDE=")

static void consul_driver__takes_what_a_server_answers(void **state)
{
	static const struct round rounds[] = {
		{"consul", ROUND_READ, {{200, FIVE}}, 1, HISTORY_OK, 0, 5,
			"GET /v1/kv/k7 HTTP/1.1\r\n"},
		{"consul reads=consistent", ROUND_READ, {{200, FIVE}}, 1, HISTORY_OK, 0, 5,
			"GET /v1/kv/k7?consistent HTTP/1.1\r\n"},
		{"consul reads=stale", ROUND_READ, {{200, FIVE}}, 1, HISTORY_OK, 0, 5,
			"GET /v1/kv/k7?stale HTTP/1.1\r\n"},
		{"consul", ROUND_READ, {{404, ""}}, 1, HISTORY_OK, 0, 0, NULL},
		{"consul reads=stale", ROUND_WRITE, {{200, "true\n"}}, 1, HISTORY_OK, 0, 0,
			"PUT /v1/kv/k7 HTTP/1.1\r\n"},
		{"consul", ROUND_WRITE, {{200, "true"}}, 1, HISTORY_OK, 0, 0, "\r\n\r\n42"},
	};

	(void)state;
	ROUNDS_ASSERT(rounds);
}

static void consul_driver__replaces_what_it_has_seen(void **state)
{
	static const struct round rounds[] = {
		{"consul reads=stale", ROUND_CAS, {{200, OLD}, {200, "true"}}, 2, HISTORY_OK, 0, 0,
			"PUT /v1/kv/k7?cas=12 HTTP/1.1\r\n"},
		{"consul reads=stale", ROUND_CAS, {{200, FIVE}}, 1, HISTORY_OK, HISTORY_UNMET, 0,
			"GET /v1/kv/k7?consistent HTTP/1.1\r\n"},
		{"consul", ROUND_CAS, {{404, ""}}, 1, HISTORY_OK, HISTORY_UNMET, 0, NULL},
		{"consul", ROUND_CAS, {{200, OLD}, {200, "false"}}, 2, HISTORY_OK, HISTORY_UNMET, 0,
			NULL},
		{"consul", ROUND_CREATE, {{404, ""}, {200, "true"}}, 2, HISTORY_OK, 0, 0,
			"PUT /v1/kv/k7?cas=0 HTTP/1.1\r\n"},
		{"consul", ROUND_CREATE, {{200, FIVE}}, 1, HISTORY_OK, HISTORY_UNMET, 0, NULL},
		/* It never came to writing. */
		{"consul", ROUND_CAS, {{500, "rpc error"}}, 1, HISTORY_FAIL, HISTORY_REFUSED, 0,
			NULL},
		{"consul", ROUND_CAS, {{0, NULL}}, 1, HISTORY_FAIL, HISTORY_CLOSED, 0, NULL},
		{"consul", ROUND_CAS, {{200, OLD}, {500, "rpc error: EOF"}}, 2, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, NULL},
		{"consul", ROUND_CAS, {{200, OLD}, {0, NULL}}, 2, HISTORY_UNKNOWN, HISTORY_CLOSED,
			0, NULL},
	};

	(void)state;
	ROUNDS_ASSERT(rounds);
}

static void consul_driver__fails_only_what_raft_surely_did_not_take(void **state)
{
	static const struct round rounds[] = {
		{"consul", ROUND_READ, {{500, "No cluster leader"}}, 1, HISTORY_FAIL,
			HISTORY_REFUSED, 0, NULL},
		{"consul", ROUND_WRITE, {{500, "No cluster leader"}}, 1, HISTORY_FAIL,
			HISTORY_REFUSED, 0, NULL},
		{"consul", ROUND_WRITE,
			{{500, "rpc error making call: rpc error making call: node is not the "
			       "leader"}},
			1, HISTORY_FAIL, HISTORY_REFUSED, 0, NULL},
		{"consul", ROUND_WRITE, {{403, "Permission denied"}}, 1, HISTORY_FAIL,
			HISTORY_REFUSED, 0, NULL},
		{"consul", ROUND_WRITE, {{500, "leadership lost while committing log"}}, 1,
			HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, NULL},
		{"consul", ROUND_WRITE, {{500, "rpc error making call: EOF"}}, 1, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, NULL},
		{"consul", ROUND_WRITE, {{503, "No cluster leader"}}, 1, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, NULL},
		{"consul", ROUND_WRITE, {{500, ""}}, 1, HISTORY_UNKNOWN, HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_WRITE, {{0, NULL}}, 1, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, NULL},
		{"consul", ROUND_READ, {{0, NULL}}, 1, HISTORY_FAIL, HISTORY_CLOSED, 0, NULL},
	};

	(void)state;
	ROUNDS_ASSERT(rounds);
}

static void consul_driver__takes_no_nonsense(void **state)
{
	static const struct round rounds[] = {
		{"consul", ROUND_READ, {{200, ""}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_READ, {{200, "{}"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_READ, {{200, "[]"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_READ, {{200, "[7]"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_READ, {{200, ENTRY("k8", "12", "NQ==")}}, 1, HISTORY_FAIL,
			HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_READ, {{200, ENTRY("k7", "-1", "NQ==")}}, 1, HISTORY_FAIL,
			HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_READ, {{200, ENTRY("k7", "12", "eA==")}}, 1, HISTORY_FAIL,
			HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_READ, {{404, "not here"}}, 1, HISTORY_FAIL, HISTORY_OTHER, 0,
			NULL},
		{"consul", ROUND_WRITE, {{200, "false"}}, 1, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			NULL},
		{"consul", ROUND_WRITE, {{200, ""}}, 1, HISTORY_UNKNOWN, HISTORY_OTHER, 0, NULL},
		{"consul", ROUND_WRITE, {{302, "true"}}, 1, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			NULL},
		{"consul", ROUND_CAS, {{200, OLD}, {200, "null"}}, 2, HISTORY_UNKNOWN,
			HISTORY_OTHER, 0, NULL},
	};

	(void)state;
	ROUNDS_ASSERT(rounds);
}

static void consul_driver__fails_without_a_server_and_in_time(void **state)
{
	static const struct play silent = {NULL, false, false};
	struct server s = {.whole = http_whole};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, &silent, 1);
	d = round_dial("consul", s.port);
	r = round_ask(d, ROUND_WRITE, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_TIMEOUT);
	server_stop(&s);
	r = round_ask(d, ROUND_WRITE, ROUND_PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	d->ops->close(d);
}

#define SELF(leader, state, term, peers) \
	"{\"Config\":{\"Server\":true},\"Stats\":{\"consul\":{\"leader_addr\":\"" leader "\"}," \
	"\"raft\":{\"state\":\"" state "\",\"term\":\"" term "\",\"num_peers\":\"" peers "\"}}}"

static int status_of(const char *said, struct driver_status *ret)
{
	char text[HTTP_ANSWER_MAX];
	const struct play play = {http_answer(200, said, text), false, false};
	struct server s = {.whole = http_whole};
	struct driver *d;
	int rc;

	server_start(&s, &play, 1);
	d = round_dial("consul", s.port);
	rc = d->ops->status(d, clock_now_ns() + ROUND_PATIENCE_NS, ret);
	d->ops->close(d);
	server_stop(&s);
	return rc;
}

static void consul_driver__says_what_a_server_is(void **state)
{
	struct driver_status r;

	(void)state;
	assert_int_equal(status_of(SELF("127.0.0.1:8300", "Leader", "4", "0"), &r), 0);
	assert_true(r.ready && r.leads);
	assert_int_equal(r.leader, 0);
	assert_int_equal(r.term, 4);
	assert_string_equal(r.role, "leader");
	assert_int_equal(status_of(SELF("127.0.0.10:8300", "Follower", "4", "2"), &r), 0);
	assert_true(!r.ready && !r.leads); /* of another cluster */
	assert_int_equal(r.leader, -1);
	assert_int_equal(status_of(SELF("", "Candidate", "5", "2"), &r), 0);
	assert_true(!r.ready && !r.leads);
	assert_string_equal(r.role, "candidate");
	assert_true(status_of(SELF("", "Candidate", "x", "2"), &r) < 0);
	assert_true(status_of("{}", &r) < 0);
	assert_true(status_of("no", &r) < 0);
	assert_false(r.ready);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(consul_driver__takes_what_a_server_answers),
		cmocka_unit_test(consul_driver__replaces_what_it_has_seen),
		cmocka_unit_test(consul_driver__fails_only_what_raft_surely_did_not_take),
		cmocka_unit_test(consul_driver__takes_no_nonsense),
		cmocka_unit_test(consul_driver__fails_without_a_server_and_in_time),
		cmocka_unit_test(consul_driver__says_what_a_server_is),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("consul_driver", tests, NULL, NULL);
}
