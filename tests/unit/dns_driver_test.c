/* SPDX-License-Identifier: MIT */
/* dns_driver_test.c - every outcome of the driver for DNS, against a scripted server */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/need.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "agent/load/drivers/driver.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (60 * NS_PER_MS)
#define HEADER 12
#define MESSAGE_MAX 1024
#define TYPE_A 1
#define TYPE_SOA 6
#define TYPE_TXT 16
#define OPCODE_UPDATE 5

/* What the server answers to one request for a record or an update. */
struct play {
	enum {
		SAY,
		SILENCE,
		GARBAGE,
		ANOTHER_ID,
		NO_ANSWER_SECTION,
		A_PART,       /* it says that the answer did not fit */
		NOT_ITS_OWN,  /* it says that it has not the zone */
		A_QUESTION,   /* what it was asked, no answer */
		ANOTHER_KIND, /* of message: a query's for an update, and the other way round */
		ANOTHER_NAME, /* of the record */
	} how;
	unsigned rcode;
	const char *text; /* of the TXT record, NULL: none */
};

/* Questions for the primary (SOA, A) are no plays: it is this server, unless there is no zone. */
struct server {
	int fd;
	int stop[2];
	uint16_t port;
	pthread_t thread;
	const struct play *play;
	unsigned plays;
	bool no_zone;
	bool not_authoritative;
	uint8_t request[MESSAGE_MAX]; /* the last one that was a play */
	size_t len;
	_Atomic unsigned played;
};

static void put(uint8_t *out, size_t *at, const void *p, size_t len)
{
	assert_true(*at + len <= MESSAGE_MAX);
	memcpy(out + *at, p, len);
	*at += len;
}

/* A record with the name of the question. */
static void put_record(uint8_t *out, size_t *at, uint8_t type, const void *p, size_t len)
{
	const uint8_t head[] = {0xc0, HEADER, 0, type, 0, 1, 0, 0, 0, 5, 0, (uint8_t)len};

	put(out, at, head, sizeof head);
	put(out, at, p, len);
	out[7] = 1; /* one answer */
}

/* Names that are labels of one letter: "a." */
static const uint8_t soa[] = {
	1, 'a', 0, 1, 'b', 0, 0, 0, 0, 42, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 0, 1};
static const uint8_t loopback[] = {127, 0, 0, 1};

/* Begin an answer to @in with its header, and its question if there is one. */
static size_t begin(const struct server *s, const uint8_t *in, size_t len, unsigned rcode,
	uint8_t out[MESSAGE_MAX])
{
	bool update = (in[2] >> 3 & 15) == OPCODE_UPDATE;
	size_t end = HEADER;

	if (!update) {
		while (end < len && in[end])
			end += in[end] + 1u;
		end += 5;
	}
	assert_true(end <= len);
	memcpy(out, in, end);
	out[2] = (uint8_t)(in[2] | 0x80 | (s->not_authoritative ? 0 : 4));
	out[3] = (uint8_t)rcode;
	memset(out + 4, 0, 8);
	out[5] = !update;
	return end;
}

static void reply_play(
	struct server *s, const struct sockaddr_in *to, const uint8_t *in, size_t len)
{
	const struct play *p = &s->play[s->played];
	bool expected = s->played++ < s->plays;
	uint8_t out[MESSAGE_MAX], text[64];
	size_t at;

	assert_true(expected);
	memcpy(s->request, in, len);
	s->len = len;
	at = begin(s, in, len, p->rcode, out);
	if (p->text) {
		text[0] = (uint8_t)strlen(p->text);
		memcpy(text + 1, p->text, text[0]);
		put_record(out, &at, TYPE_TXT, text, text[0] + 1u);
		if (p->how == ANOTHER_NAME) /* behind the label of the key */
			out[at - text[0] - 12] += 3;
	}
	if (p->how == A_PART)
		out[2] |= 2;
	if (p->how == NOT_ITS_OWN)
		out[2] = (uint8_t)(out[2] & ~4);
	if (p->how == A_QUESTION)
		out[2] &= 0x7f;
	if (p->how == ANOTHER_KIND)
		out[2] ^= OPCODE_UPDATE << 3;
	if (p->how == GARBAGE)
		at = HEADER - 3; /* cut off in its header */
	if (p->how == NO_ANSWER_SECTION)
		out[7] = 9; /* it says that there are nine records */
	if (p->how == ANOTHER_ID)
		out[0] ^= 1;
	if (p->how != SILENCE)
		(void)sendto(s->fd, out, at, 0, (const struct sockaddr *)to, sizeof *to);
	if (p->how == ANOTHER_ID) { /* the right one comes after it */
		out[0] ^= 1;
		(void)sendto(s->fd, out, at, 0, (const struct sockaddr *)to, sizeof *to);
	}
}

static void reply(struct server *s, const struct sockaddr_in *to, const uint8_t *in, size_t len)
{
	unsigned type = len >= 4 ? in[len - 3] : 0; /* of a question without other records */
	uint8_t out[MESSAGE_MAX];
	size_t at;

	if ((in[2] >> 3 & 15) == OPCODE_UPDATE || (type != TYPE_SOA && type != TYPE_A)) {
		reply_play(s, to, in, len);
		return;
	}
	at = begin(s, in, len, s->no_zone ? 2 : 0, out);
	if (!s->no_zone && type == TYPE_SOA)
		put_record(out, &at, TYPE_SOA, soa, sizeof soa);
	else if (!s->no_zone)
		put_record(out, &at, TYPE_A, loopback, sizeof loopback);
	(void)sendto(s->fd, out, at, 0, (const struct sockaddr *)to, sizeof *to);
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	struct pollfd p[2] = {
		{.fd = s->fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};

	while (poll(p, 2, -1) > 0 && !p[1].revents) {
		struct sockaddr_in from;
		socklen_t size = sizeof from;
		uint8_t in[MESSAGE_MAX];
		ssize_t n = recvfrom(s->fd, in, sizeof in, 0, (struct sockaddr *)&from, &size);

		if (n >= HEADER)
			reply(s, &from, in, (size_t)n);
	}
	return NULL;
}

static void start(struct server *s, const struct play *play, unsigned plays)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;

	s->play = play;
	s->plays = plays;
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(pipe(s->stop), 0);
	s->port = ntohs(addr.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->fd);
}

static struct driver *dial(const struct server *s, const char *settings)
{
	static uint32_t addr_be;
	const struct driver_target target = {
		.addr_be = &addr_be, .nodes = 1, .port = s->port, .settings = settings};

	addr_be = htonl(INADDR_LOOPBACK);
	return need_driver("dns")->open(&target);
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

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void dns__maps_every_answer_to_its_outcome(void **state)
{
	static const struct {
		enum request what;
		struct play play;
		enum history_type outcome;
		enum history_error error;
		uint64_t value;
	} cases[] = {
		{READ, {SAY, 0, "42"}, HISTORY_OK, HISTORY_NO_ERROR, 42},
		{READ, {SAY, 3, NULL}, HISTORY_OK, HISTORY_NO_ERROR, 0},
		{READ, {SAY, 0, NULL}, HISTORY_OK, HISTORY_NO_ERROR, 0},
		{READ, {ANOTHER_ID, 0, "42"}, HISTORY_OK, HISTORY_NO_ERROR, 42},
		{READ, {SAY, 2, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {SAY, 5, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {SAY, 2, "42"}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {SAY, 0, "x"}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{READ, {SAY, 0, ""}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{READ, {SAY, 0, "18446744073709551616"}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{READ, {GARBAGE, 0, NULL}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{READ, {NO_ANSWER_SECTION, 0, NULL}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{READ, {A_PART, 0, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {A_PART, 0, "42"}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {NOT_ITS_OWN, 0, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {NOT_ITS_OWN, 3, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {A_QUESTION, 0, NULL}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{READ, {ANOTHER_KIND, 0, NULL}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{READ, {ANOTHER_NAME, 0, "42"}, HISTORY_OK, HISTORY_NO_ERROR, 0},
		{READ, {SILENCE, 0, NULL}, HISTORY_FAIL, HISTORY_TIMEOUT, 0},
		{WRITE, {SAY, 0, NULL}, HISTORY_OK, HISTORY_NO_ERROR, 0},
		{WRITE, {SAY, 5, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{WRITE, {SAY, 4, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{WRITE, {SAY, 9, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{WRITE, {SAY, 1, NULL}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{WRITE, {SAY, 8, NULL}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{WRITE, {SAY, 10, NULL}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{WRITE, {SAY, 2, NULL}, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{WRITE, {SAY, 15, NULL}, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{WRITE, {A_QUESTION, 0, NULL}, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{WRITE, {ANOTHER_KIND, 0, NULL}, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{WRITE, {GARBAGE, 0, NULL}, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{WRITE, {SILENCE, 0, NULL}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0},
		{CAS, {SAY, 0, NULL}, HISTORY_OK, HISTORY_NO_ERROR, 0},
		{CAS, {SAY, 8, NULL}, HISTORY_OK, HISTORY_UNMET, 0},
		{CAS, {SAY, 5, NULL}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{CAS, {SILENCE, 0, NULL}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct server s = {.no_zone = false};
		struct driver_result r;
		struct driver *d;

		start(&s, &cases[i].play, 1);
		d = dial(&s, "zone=lab");
		d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
		r = ask(d, cases[i].what, cases[i].play.how == SILENCE ? SHORT_NS : PATIENCE_NS);
		if (r.outcome != cases[i].outcome || r.error != cases[i].error ||
			r.value != cases[i].value)
			fail_msg("case %zu: outcome %d error %s value %llu", i, r.outcome,
				history_error_names[r.error], (unsigned long long)r.value);
		assert_int_equal(s.played, 1); /* nothing is asked twice */
		d->ops->close(d);
		stop(&s);
	}
}

static void dns__a_server_that_is_not_there_is_a_failure(void **state)
{
	struct server s = {.no_zone = false};
	struct driver_result r;
	struct driver *d;

	(void)state;
	start(&s, NULL, 0);
	stop(&s);
	d = dial(&s, "");
	for (int what = READ; what <= CAS; what++) {
		r = ask(d, (enum request)what, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
	}
	d->ops->close(d);
}

static void dns__without_a_zone_there_is_nobody_to_write_to(void **state)
{
	struct server s = {.no_zone = true};
	struct driver_status status;
	struct driver_result r;
	struct driver *d;

	(void)state;
	start(&s, NULL, 0);
	d = dial(&s, "");
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	assert_true(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &status) < 0);
	d->ops->close(d);
	stop(&s);
}

/* Does the request have these bytes? */
static bool has(const struct server *s, const void *p, size_t len)
{
	return memmem(s->request, s->len, p, len) != NULL;
}

static void dns__an_update_replaces_the_record_and_may_have_a_condition(void **state)
{
	static const struct play plays[] = {{SAY, 0, NULL}, {SAY, 0, NULL}};
	static const uint8_t zone[] = {3, 'l', 'a', 'b', 0, 0, TYPE_SOA, 0, 1};
	/* Class ANY, no data: all of that name and type; then one with 9 seconds to live. */
	static const uint8_t drop[] = {0, TYPE_TXT, 0, 255, 0, 0, 0, 0, 0, 0};
	static const uint8_t add[] = {0, TYPE_TXT, 0, 1, 0, 0, 0, 9, 0, 3, 2, '4', '2'};
	static const uint8_t old[] = {0, TYPE_TXT, 0, 1, 0, 0, 0, 0, 0, 3, 2, '4', '1'};
	struct server s = {.no_zone = false};
	struct driver *d;

	(void)state;
	start(&s, plays, 2);
	d = dial(&s, "zone=lab ttl=9");
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(s.request[5], 1);
	assert_int_equal(s.request[7], 0);
	assert_int_equal(s.request[9], 2);
	assert_true(has(&s, zone, sizeof zone) && has(&s, drop, sizeof drop));
	assert_true(has(&s, add, sizeof add) && !has(&s, old, sizeof old));
	assert_int_equal(ask(d, CAS, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(s.request[7], 1);
	assert_int_equal(s.request[9], 2);
	assert_true(has(&s, old, sizeof old) && has(&s, add, sizeof add));
	d->ops->close(d);
	stop(&s);
}

static void dns__asks_a_cache_to_look_it_up_and_a_server_not_to(void **state)
{
	static const struct play play = {SAY, 0, "42"};

	(void)state;
	for (int cache = 0; cache < 2; cache++) {
		struct server s = {.no_zone = false};
		char settings[64];
		struct driver *d;

		start(&s, &play, 1);
		(void)snprintf(settings, sizeof settings, "reads=%s cache_port=%u",
			cache ? "cache" : "server", s.port);
		d = dial(&s, settings);
		assert_int_equal(ask(d, READ, PATIENCE_NS).value, 42);
		assert_int_equal(s.request[2] & 1, cache); /* recursion desired */
		d->ops->close(d);
		stop(&s);
	}
}

static void dns__status_says_who_is_primary(void **state)
{
	(void)state;
	for (int authoritative = 0; authoritative < 2; authoritative++) {
		struct server s = {.not_authoritative = !authoritative};
		struct driver_status status;
		struct driver *d;

		start(&s, NULL, 0);
		d = dial(&s, "");
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &status), 0);
		assert_int_equal(status.ready, authoritative);
		assert_true(status.leads);
		assert_int_equal(status.leader, 0);
		assert_int_equal(status.term, 42);
		assert_string_equal(status.role, "primary");
		d->ops->close(d);
		stop(&s);
	}
}

static void dns__does_nothing_with_settings_that_make_no_sense(void **state)
{
	static const char *const settings[] = {
		"reads=any", "ttl=x", "cache_port=99999", "zone=a..b", "reads=primary ttl=-1"};
	struct server s = {.port = 1};
	struct driver_status status;

	(void)state;
	for (size_t i = 0; i < COUNT(settings); i++) {
		struct driver *d = dial(&s, settings[i]);

		for (int what = READ; what <= CAS; what++) {
			struct driver_result r = ask(d, (enum request)what, PATIENCE_NS);

			assert_int_equal(r.outcome, HISTORY_FAIL);
			assert_int_equal(r.error, HISTORY_OTHER);
		}
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &status), -EINVAL);
		d->ops->close(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dns__maps_every_answer_to_its_outcome),
		cmocka_unit_test(dns__a_server_that_is_not_there_is_a_failure),
		cmocka_unit_test(dns__without_a_zone_there_is_nobody_to_write_to),
		cmocka_unit_test(dns__an_update_replaces_the_record_and_may_have_a_condition),
		cmocka_unit_test(dns__asks_a_cache_to_look_it_up_and_a_server_not_to),
		cmocka_unit_test(dns__status_says_who_is_primary),
		cmocka_unit_test(dns__does_nothing_with_settings_that_make_no_sense),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
