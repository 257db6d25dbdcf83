/* SPDX-License-Identifier: MIT */
/* kafka_driver_test.c - every outcome of Kafka's driver in Python, against scripted bytes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "tests/lib/round.h"
#include "tests/lib/scripts.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/crc32c.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define SHORT_NS (500 * NS_PER_MS) /* a program does not start in milliseconds */
#define MESSAGE_MAX 512
#define PLAYS_MAX 8

/*
 * Answers are words, one for each field: 4=1 is a number of four bytes, s=kv a string, * what a
 * broker says of itself, its address and port, R=5@7 the batch with record 5 at offset 7.
 */
static void add_number(struct buf *b, unsigned bytes, uint64_t n)
{
	for (unsigned i = bytes; i-- > 0;)
		buf_u8(b, (uint8_t)(n >> 8 * i));
}

static void add_string(struct buf *b, const char *text)
{
	add_number(b, 2, strlen(text));
	buf_add(b, text, strlen(text));
}

/* Message Format, version 2; the driver leaves the checksum to TCP. */
static void add_batch(struct buf *b, const char *word)
{
	static const uint8_t zeros[34] = {0};

	add_number(b, 4, 61 + 9);
	add_number(b, 8, strtoull(word + 4, NULL, 10));
	add_number(b, 4, 49 + 9);
	add_number(b, 4, 0);
	buf_u8(b, 2);
	add_number(b, 4, 0);
	add_number(b, 2, 0);
	buf_add(b, zeros, sizeof zeros);
	add_number(b, 4, 1);
	/* Length, attributes, time, offset, no key, a value of one byte, no headers: zigzag. */
	buf_add(b, "\x10\0\0\0\1\2", 6);
	buf_add(b, word + 2, 1);
	buf_add(b, "\0\0", 2);
}

static const char *say(const char *words, unsigned number, uint16_t port, char out[MESSAGE_MAX])
{
	char text[MESSAGE_MAX], *rest;
	struct buf b = {0};

	if (!words)
		return NULL;
	memset(out, 0, MESSAGE_MAX);
	(void)snprintf(text, sizeof text, "%s", words);
	if (words[0] == '?') {
		(void)snprintf(out, MESSAGE_MAX, "%s", words);
		return out;
	}
	add_number(&b, 4, 0);
	add_number(&b, 4, number);
	for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		if (*w == 's') {
			add_string(&b, w + 2);
		} else if (*w == 'R') {
			add_batch(&b, w);
		} else if (*w == '*') {
			add_string(&b, "127.0.0.1");
			add_number(&b, 4, port);
		} else {
			add_number(&b, (unsigned)(*w - '0'), strtoull(w + 2, NULL, 10));
		}
	}
	assert_true(b.len < MESSAGE_MAX);
	memcpy(out, b.p, b.len);
	out[2] = (char)((b.len - 4) >> 8);
	out[3] = (char)(b.len - 4);
	buf_fini(&b);
	return out;
}

/* A message begins with two zeros. */
static size_t length(const char *said)
{
	const uint8_t *p = (const uint8_t *)said;

	return said[0] ? strlen(said) : 4 + (size_t)p[2] * 256 + p[3];
}

/* One broker, 1, that leads partition 7 and is in step. */
#define WHERE "4=1 4=1 * s= 4=1 4=1 2=0 s=kv 1=0 4=1 2=0 4=7 4=1 4=1 4=1 4=1 4=1"
#define PART(error) "4=1 s=kv 4=1 4=7 2=" error
#define DONE(error) PART(error) " 8=9 8=0 4=0"
#define END(error, offset) PART(error) " 8=0 8=" offset
#define RECORDS "4=0 " PART("0") " 8=8 8=8 4=0 "

static struct driver *dial(uint16_t port, const char *settings)
{
	static uint32_t local_be;
	const struct driver_target target = {
		.addr_be = &local_be, .nodes = 1, .port = port, .settings = settings};
	struct driver *d;

	local_be = htonl(INADDR_LOOPBACK);
	d = scripts_driver("kafka")->open(&target);
	/* The program is there before the first request, so that this is no matter of its start. */
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	return d;
}

struct outcome {
	enum round_request what;
	const char *settings;
	const char *words[3]; /* after it was said who leads */
	bool hang_up;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	unsigned connections;
};

/* The server's port stands in its answers, so it is started before they are written. */
static void play_outcome(const struct outcome *o, size_t at)
{
	static char text[PLAYS_MAX][MESSAGE_MAX];
	static struct play plays[PLAYS_MAX];
	struct server s = {.length = length};
	struct driver_result r;
	struct driver *d;
	unsigned n = 1;

	while (n < 4 && (o->words[n - 1] || (n == 1 && o->hang_up)))
		n++;
	server_start(&s, plays, n);
	plays[0] = (struct play){say(WHERE, 1, s.port, text[0]), false, at % 2};
	for (unsigned i = 1; i < n; i++)
		plays[i] = (struct play){
			say(o->words[i - 1], i + 1, s.port, text[i]), o->hang_up, at % 2};
	d = dial(s.port, o->settings);
	r = round_ask(d, o->what, PATIENCE_NS);
	if (r.outcome != o->outcome || r.error != o->error || r.value != o->value ||
		s.connections != o->connections)
		fail_msg("answer %zu: outcome %d error %s value %llu, %u connections", at,
			r.outcome, history_error_names[r.error], (unsigned long long)r.value,
			s.connections);
	d->ops->close(d);
	server_stop(&s);
}

static void kafka_driver__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{ROUND_READ, "", {END("0", "8"), RECORDS "R=5@7"}, 0, HISTORY_OK, 0, 5, 1},
		{ROUND_READ, "", {END("0", "0")}, 0, HISTORY_OK, 0, 0, 1},
		{ROUND_READ, "", {END("6", "8")}, 0, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		/* It is not there any more. */
		{ROUND_READ, "", {END("0", "8"), RECORDS "4=0"}, 0, HISTORY_FAIL, HISTORY_REFUSED,
			0, 1},
		{ROUND_READ, "", {END("0", "8"), RECORDS "R=5@6"}, 0, HISTORY_FAIL, HISTORY_REFUSED,
			0, 1},
		{ROUND_WRITE, "", {DONE("0")}, 0, HISTORY_OK, 0, 0, 1},
		/* Too few in step before it was appended, or after; late; replaced. */
		{ROUND_WRITE, "", {DONE("19")}, 0, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{ROUND_WRITE, "", {DONE("20")}, 0, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 1},
		{ROUND_WRITE, "", {DONE("7")}, 0, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 1},
		{ROUND_WRITE, "acks=all", {DONE("6")}, 0, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 1},
		{ROUND_WRITE, "acks=1", {DONE("6")}, 0, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		/* Nobody is waited for. */
		{ROUND_WRITE, "acks=0", {NULL}, 0, HISTORY_OK, 0, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		play_outcome(&outcomes[i], i);
}

static void kafka_driver__takes_no_nonsense(void **state)
{
	static const struct outcome outcomes[] = {
		{ROUND_READ, "", {NULL}, true, HISTORY_FAIL, HISTORY_CLOSED, 0, 1},
		{ROUND_WRITE, "", {NULL}, true, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 1},
		{ROUND_WRITE, "", {"?hello, world"}, 0, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 1},
		{ROUND_WRITE, "", {""}, 0, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 1},
		{ROUND_WRITE, "", {"4=1 s=kx 4=1 4=7 2=0"}, 0, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			1},
		{ROUND_WRITE, "", {"4=1 s=kv 4=1 4=8 2=0"}, 0, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			1},
		{ROUND_READ, "", {END("0", "8"), RECORDS "R=x@7"}, 0, HISTORY_FAIL, HISTORY_OTHER,
			0, 1},
		{ROUND_READ, "", {END("0", "8"), RECORDS "4=9999999"}, 0, HISTORY_FAIL,
			HISTORY_OTHER, 0, 1},
		{ROUND_READ, "", {END("0", "9223372036854775808")}, 0, HISTORY_FAIL, HISTORY_OTHER,
			0, 1},
		{ROUND_READ, "partitions=4", {NULL}, 0, HISTORY_FAIL, HISTORY_OTHER, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		play_outcome(&outcomes[i], i);
}

/* A batch of one record, with the sum of all that stands behind the sum. */
static void kafka_driver__appends_one_record(void **state)
{
	static const char head[] = "\0\0\0\3\0\0\0\2\0\7pacelab\xff\xff\0\1";
	static const char part[] = "\0\0\0\1\0\2kv\0\0\0\1\0\0\0\7\0\0\0\x46";
	static const char record[] = "\x10\0\0\0\1\x04"
				     "42\0";
	static char text[2][MESSAGE_MAX];
	static struct play plays[2];
	struct server s = {.length = length};
	const uint8_t *batch;
	struct driver *d;
	uint32_t sum;

	(void)state;
	server_start(&s, plays, 2);
	plays[0].answer = say(WHERE, 1, s.port, text[0]);
	plays[1].answer = say(DONE("0"), 2, s.port, text[1]);
	d = dial(s.port, "acks=1");
	assert_int_equal(round_ask(d, ROUND_WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_non_null(memmem(s.request, sizeof s.request, head, sizeof head - 1));
	batch = memmem(s.request, sizeof s.request, part, sizeof part - 1);
	assert_non_null(batch);
	batch += sizeof part - 1;
	memcpy(&sum, batch + 17, sizeof sum);
	assert_int_equal(ntohl(sum), crc32c(0, batch + 21, 70 - 21));
	assert_non_null(memmem(batch + 61, 70 - 61, record, sizeof record - 1));
	d->ops->close(d);
	server_stop(&s);
}

static void kafka_driver__fails_before_it_sends_and_in_time(void **state)
{
	static char text[MESSAGE_MAX];
	static struct play plays[2];
	struct server s = {.length = length};
	struct driver_result r;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 2);
	plays[0].answer = say(WHERE, 1, s.port, text);
	d = dial(s.port, "");
	r = round_ask(d, ROUND_WRITE, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_TIMEOUT);
	server_stop(&s);
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	r = round_ask(d, ROUND_WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	d->ops->close(d);
}

static void kafka_driver__is_ready_with_all_partitions(void **state)
{
	static char text[2][MESSAGE_MAX];
	static struct play plays[2];
	struct server s = {.length = length};
	struct driver_status said;
	struct driver *d;

	(void)state;
	server_start(&s, plays, 2);
	plays[0].answer = say("4=1 4=1 * s= 4=1 4=1 2=3 s=kv 1=0 4=0", 1, s.port, text[0]);
	plays[1].answer = say(WHERE, 2, s.port, text[1]);
	d = dial(s.port, "partitions=1");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &said), 0);
		assert_int_equal(said.ready, i == 1);
		assert_true(!said.leads && said.leader == -1);
		assert_string_equal(said.role, "broker");
	}
	d->ops->close(d);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kafka_driver__maps_every_answer_to_its_outcome),
		cmocka_unit_test(kafka_driver__takes_no_nonsense),
		cmocka_unit_test(kafka_driver__appends_one_record),
		cmocka_unit_test(kafka_driver__fails_before_it_sends_and_in_time),
		cmocka_unit_test(kafka_driver__is_ready_with_all_partitions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kafka_driver", tests, NULL, scripts_remove);
}
