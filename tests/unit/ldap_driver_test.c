/* SPDX-License-Identifier: MIT */
/*
 * ldap_driver_test.c - every outcome of the LDAP driver, against a scripted server
 *
 * The server knows the frame of a message (30 length 02 01 id operation), lets everybody bind, and
 * does with each other request what the test says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/load/drivers/driver.h"
#include "tests/lib/need.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (150 * NS_PER_MS)
#define MESSAGE_MAX 1024

/* Requests by their tags; an answer's is one more, a search has two answers. */
enum tag { BIND = 0x60, UNBIND = 0x42, SEARCH = 0x63, MODIFY = 0x66, ADD = 0x68 };
enum { ENTRY = 0x64, DONE = 0x65 };

/* Results by their numbers in the protocol. */
enum {
	OPERATIONS_ERROR = 1,
	REFERRAL = 10,
	NO_SUCH_OBJECT = 32,
	INVALID_CREDENTIALS = 49,
	ACCESS = 50,
	BUSY = 51,
	UNAVAILABLE = 52,
	UNWILLING = 53,
	EXISTS = 68,
	OTHER = 80,
	NEVER_HEARD_OF = 99,
};

enum manner { AT_ONCE, AND_GONE, NEVER, HANG_UP, GARBAGE };

/* What the server does with a request, which must be of this kind. */
struct play {
	enum tag tag;
	int result;
	const char *value; /* of the entry; NULL: the entry has none */
	enum manner manner;
};

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	int stop[2];
	const struct play *play; /* one for each request, over all connections */
	unsigned plays;
	int bind_result;
	bool silent; /* answers no bind */
	_Atomic unsigned at;
	_Atomic unsigned connections;
	unsigned char message[MESSAGE_MAX]; /* the last one, without its frame */
	size_t len;
};

static bool readable(const struct server *s, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};

	return poll(p, 2, -1) > 0 && !p[1].revents;
}

static bool receive(const struct server *s, int fd, void *ret, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = readable(s, fd) ? recv(fd, (char *)ret + got, len - got, 0) : 0;

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

/* Lengths from 128 on say first how many bytes they have themselves. */
static bool receive_message(struct server *s, int fd)
{
	unsigned char head[2], more[4] = {0};
	size_t len;

	if (!receive(s, fd, head, 2) || head[0] != 0x30)
		return false;
	len = head[1];
	if (len >= 0x80) {
		size_t bytes = len - 0x80;

		if (bytes > sizeof more || !receive(s, fd, more, bytes))
			return false;
		len = 0;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | more[i];
	}
	s->len = len;
	return len <= sizeof s->message && receive(s, fd, s->message, len);
}

static void say(int fd, const unsigned char *p, size_t len)
{
	(void)send(fd, p, len, MSG_NOSIGNAL);
}

static void say_result(int fd, unsigned char id, unsigned char tag, int result)
{
	const unsigned char p[] = {
		0x30, 12, 2, 1, id, tag, 7, 10, 1, (unsigned char)result, 4, 0, 4, 0};

	say(fd, p, sizeof p);
}

/* cn=k7 with an attribute "description" of one value, or with none. */
static void say_entry(int fd, unsigned char id, const char *value)
{
	static const char name[] = "cn=k7,dc=lab", what[] = "description";
	const unsigned char n = sizeof name - 1, w = sizeof what - 1;
	const unsigned char v = value ? (unsigned char)strlen(value) : 0;
	const unsigned char attribute = value ? (unsigned char)(2 + w + 2 + 2 + v) : 0;
	const unsigned char attributes = value ? (unsigned char)(2 + attribute) : 0;
	const unsigned char entry = (unsigned char)(2 + n + 2 + attributes);
	unsigned char p[MESSAGE_MAX];
	int len = snprintf((char *)p, sizeof p, "0%c\2\1%c%c%c\4%c%s0", 3 + 2 + entry, id, ENTRY,
		entry, n, name);

	p[len++] = attributes;
	if (value)
		len += snprintf((char *)p + len, sizeof p - (size_t)len, "0%c\4%c%s1%c\4%c%s",
			attribute, w, what, 2 + v, v, value);
	say(fd, p, (size_t)len);
}

static bool play_on(struct server *s, int fd, unsigned char id, unsigned char tag)
{
	const struct play *play = &s->play[s->at];

	if (s->at == s->plays || tag != (unsigned char)play->tag)
		return false;
	if (play->manner == GARBAGE)
		say(fd, (const unsigned char *)"h\2xx", 4);
	if (play->manner <= AND_GONE && tag == SEARCH && play->result == 0)
		say_entry(fd, id, play->value);
	if (play->manner <= AND_GONE)
		say_result(fd, id, tag == SEARCH ? DONE : tag + 1, play->result);
	s->at++;
	return play->manner != HANG_UP && play->manner != AND_GONE;
}

static void serve(struct server *s, int fd)
{
	while (receive_message(s, fd)) {
		unsigned char id = s->message[2], tag = s->message[3];

		if (tag == UNBIND)
			return;
		if (tag == BIND && !s->silent)
			say_result(fd, id, BIND + 1, s->bind_result);
		else if (tag != BIND && !play_on(s, fd, id, tag))
			return;
	}
}

static void *server_main(void *arg)
{
	struct server *s = arg;

	while (readable(s, s->fd)) {
		int fd = accept(s->fd, NULL, NULL);

		s->connections++;
		serve(s, fd);
		close(fd);
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
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(s->fd, 4), 0);
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

static struct driver *dial(uint16_t port)
{
	const struct driver_ops *ops = need_driver("ldap");
	static uint32_t local_be;
	static struct driver_target target;

	target = (struct driver_target){.addr_be = &local_be,
		.nodes = 1,
		.port = port,
		.settings = "base=dc=lab user=cn=admin,dc=lab password=lab"};

	local_be = htonl(INADDR_LOOPBACK);
	return ops->open(&target);
}

enum ask { READ, WRITE };

static struct driver_result ask(struct driver *d, enum ask what, uint64_t timeout_ns)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	struct driver_result r;

	memset(&r, 0xff, sizeof r);
	if (what == READ)
		d->ops->read(d, 7, deadline_ns, &r);
	else
		d->ops->write(d, 7, 42, deadline_ns, &r);
	return r;
}

struct outcome {
	enum ask what;
	struct play play[3]; /* up to the first without a tag */
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	unsigned connections; /* after one more read */
};

static void assert_outcome(const struct outcome *o)
{
	struct play play[4];
	struct driver_result r, again;
	struct server s = {.fd = -1};
	struct driver *d;
	unsigned plays = 0;
	bool late = false;

	for (; plays < 3 && o->play[plays].tag; plays++) {
		play[plays] = o->play[plays];
		late = late || play[plays].manner == NEVER;
	}
	play[plays] = (struct play){SEARCH, 0, "5", AT_ONCE};
	start(&s, play, plays + 1);
	d = dial(s.port);
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	r = ask(d, o->what, late ? SHORT_NS : PATIENCE_NS);
	again = ask(d, READ, PATIENCE_NS);
	d->ops->close(d);
	stop(&s);
	if (s.at != plays + 1 || r.outcome != o->outcome || r.error != o->error ||
		r.value != o->value || s.connections != o->connections)
		fail_msg("ask %d, first answer %d: %u of %u plays, outcome %d error %s value %llu, "
			 "%u connections",
			o->what, o->play[0].result, s.at, plays + 1, r.outcome,
			history_error_names[r.error], (unsigned long long)r.value, s.connections);
	assert_int_equal(again.outcome, HISTORY_OK);
	assert_int_equal(again.value, 5);
}

static void ldap_driver__maps_every_end_of_a_read(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {{SEARCH, 0, "42", 0}}, HISTORY_OK, 0, 42, 1},
		{READ, {{SEARCH, 0, "18446744073709551615", 0}}, HISTORY_OK, 0, UINT64_MAX, 1},
		{READ, {{SEARCH, 0, NULL, 0}}, HISTORY_OK, 0, 0, 1},
		{READ, {{SEARCH, NO_SUCH_OBJECT, NULL, 0}}, HISTORY_OK, 0, 0, 1},
		{READ, {{SEARCH, 0, "x", 0}}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, {{SEARCH, 0, "", 0}}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, {{SEARCH, BUSY, NULL, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{READ, {{SEARCH, OTHER, NULL, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, {{SEARCH, 0, "42", HANG_UP}}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {{SEARCH, 0, "42", NEVER}}, HISTORY_FAIL, HISTORY_TIMEOUT, 0, 2},
		{READ, {{SEARCH, 0, "42", GARBAGE}}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		assert_outcome(&outcomes[i]);
}

static void ldap_driver__maps_every_end_of_a_write(void **state)
{
	static const struct play none = {MODIFY, NO_SUCH_OBJECT, NULL, 0};
	const struct outcome outcomes[] = {
		{WRITE, {{MODIFY, 0, NULL, 0}}, HISTORY_OK, 0, 0, 1},
		{WRITE, {none, {ADD, 0, NULL, 0}}, HISTORY_OK, 0, 0, 1},
		{WRITE, {none, {ADD, EXISTS, NULL, 0}, {MODIFY, 0, NULL, 0}}, HISTORY_OK, 0, 0, 1},
		{WRITE, {none, {ADD, EXISTS, NULL, 0}, none}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{WRITE, {none, {ADD, 0, NULL, NEVER}}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {none, {ADD, 0, NULL, HANG_UP}}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {{MODIFY, 0, NULL, NEVER}}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {{MODIFY, 0, NULL, HANG_UP}}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {{MODIFY, 0, NULL, GARBAGE}}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {{MODIFY, OTHER, NULL, 0}}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 1},
		{WRITE, {{MODIFY, OPERATIONS_ERROR, NULL, 0}}, HISTORY_UNKNOWN, HISTORY_OTHER, 0,
			1},
		{WRITE, {{MODIFY, NEVER_HEARD_OF, NULL, 0}}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 1},
		{WRITE, {{MODIFY, ACCESS, NULL, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{WRITE, {{MODIFY, REFERRAL, NULL, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {{MODIFY, BUSY, NULL, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {{MODIFY, UNAVAILABLE, NULL, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {{MODIFY, UNWILLING, NULL, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		assert_outcome(&outcomes[i]);
}

static bool message_has(const struct server *s, const char *text)
{
	return memmem(s->message, s->len, text, strlen(text)) != NULL;
}

static void ldap_driver__names_an_entry_below_the_base(void **state)
{
	static const struct play plays[] = {{MODIFY, 0, NULL, 0}};
	struct server s = {.fd = -1};
	struct driver *d;

	(void)state;
	start(&s, plays, 1);
	d = dial(s.port);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_true(message_has(&s, "cn=k7,dc=lab"));
	assert_true(message_has(&s, "description"));
	assert_true(message_has(&s, "42"));
	d->ops->close(d);
	stop(&s);
}

static void assert_never_connects(uint16_t port, uint64_t at_least_ns)
{
	for (int what = READ; what <= WRITE; what++) {
		uint64_t begin = clock_now_ns();
		struct driver *d = dial(port);
		struct driver_result r = ask(d, (enum ask)what, SHORT_NS);

		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
		assert_true(clock_now_ns() - begin >= at_least_ns);
		assert_true(clock_now_ns() - begin < PATIENCE_NS);
		d->ops->close(d);
	}
}

static void ldap_driver__sends_nothing_where_it_cannot_bind(void **state)
{
	struct server refuses = {.fd = -1}, silent = {.fd = -1, .silent = true},
		      strict = {.fd = -1, .bind_result = INVALID_CREDENTIALS};

	(void)state;
	start(&refuses, NULL, 0);
	stop(&refuses);
	assert_never_connects(refuses.port, 0);
	start(&silent, NULL, 0);
	assert_never_connects(silent.port, SHORT_NS);
	stop(&silent);
	start(&strict, NULL, 0);
	assert_never_connects(strict.port, 0);
	stop(&strict);
}

static void ldap_driver__notices_in_idle_time_that_the_connection_broke(void **state)
{
	static const struct play plays[] = {{SEARCH, 0, "5", AND_GONE}, {SEARCH, 0, "6", 0}};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	struct server s = {.fd = -1};
	struct driver *d;

	(void)state;
	start(&s, plays, 2);
	d = dial(s.port);
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 5);
	while (s.connections < 2 && clock_now_ns() < until)
		d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 6);
	assert_int_equal(s.connections, 2);
	d->ops->close(d);
	stop(&s);
}

static void ldap_driver__says_whether_its_server_has_all_entries(void **state)
{
	static const struct play plays[] = {
		{SEARCH, NO_SUCH_OBJECT, NULL, 0}, {SEARCH, 0, NULL, 0}, {SEARCH, 0, NULL, NEVER}};
	struct driver_status got;
	struct server s = {.fd = -1};
	struct driver *d;

	(void)state;
	start(&s, plays, 3);
	d = dial(s.port);
	assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &got), 0);
	assert_false(got.ready);
	assert_string_equal(got.role, "filling");
	assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &got), 0);
	assert_true(got.ready);
	assert_false(got.leads);
	assert_int_equal(got.leader, -1);
	assert_string_equal(got.role, "provider");
	assert_true(d->ops->status(d, clock_now_ns() + SHORT_NS, &got) < 0);
	d->ops->close(d);
	stop(&s);
}

/* In the place of the C library's. */
static _Atomic unsigned lookups;

int getaddrinfo(const char *restrict node, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)ret;
	lookups++;
	return EAI_NONAME;
}

/* Must be the first of all: the library does it once. */
static void ldap_driver__looks_up_no_name_once_it_is_loaded(void **state)
{
	static const struct play plays[] = {{SEARCH, 0, "42", AT_ONCE}};
	struct server s = {.fd = -1};
	unsigned before;
	struct driver *d;

	(void)state;
	start(&s, plays, 1);
	d = dial(s.port);
	before = lookups;
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 42);
	assert_int_equal(lookups, before);
	d->ops->close(d);
	stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ldap_driver__looks_up_no_name_once_it_is_loaded),
		cmocka_unit_test(ldap_driver__maps_every_end_of_a_read),
		cmocka_unit_test(ldap_driver__maps_every_end_of_a_write),
		cmocka_unit_test(ldap_driver__names_an_entry_below_the_base),
		cmocka_unit_test(ldap_driver__sends_nothing_where_it_cannot_bind),
		cmocka_unit_test(ldap_driver__notices_in_idle_time_that_the_connection_broke),
		cmocka_unit_test(ldap_driver__says_whether_its_server_has_all_entries),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
