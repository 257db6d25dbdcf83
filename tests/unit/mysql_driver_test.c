/* SPDX-License-Identifier: MIT */
/*
 * mysql_driver_test.c - every outcome of the MySQL driver, against scripted servers
 *
 * A server plays words, one for each answer of the protocol's version 10 that it sends
 * (https://mariadb.com/kb/en/clientserver-protocol/):
 *
 *	ok ok=2		done, so many rows affected
 *	e=1290		an error with its number
 *	r:a=1,b=2/a=3,b=4	rows of columns with these names; "r:a": no row; "a=": NULL
 *	half		the beginning of an answer
 *	?		bytes that are no answer
 *
 * What role a server has is asked by a driver before anything else, and is no play.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/need.h"
#include "tests/lib/test.h"

#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/load/drivers/driver.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (60 * NS_PER_MS)
#define CONNECTIONS_MAX 8
#define WORDS_MAX 512
#define PACKET_MAX 1024

#define GREETS "hello"
#define PRIMARY "r:ro=0"
#define REPLICA "r:ro=1"

struct play {
	const char *words;
	bool hang_up; /* after them */
};

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	const char *greeting;          /* NULL: silence */
	const char *_Atomic read_only; /* what is answered when it is asked whether it is so */
	const char *session;           /* ... to the variables of a session */
	const struct play *play;       /* one for each request, over all connections */
	unsigned plays;
	bool crumbs; /* one byte at a time */
	char request[PACKET_MAX];
	char variables[PACKET_MAX];
	_Atomic unsigned connections;
	int stop[2];
};

/*
 * What a server says. A packet: its length in three bytes, its number, the payload.
 */
static void add_packet(struct buf *out, uint8_t *number, const struct buf *payload)
{
	buf_u16(out, (uint16_t)payload->len);
	buf_u8(out, 0);
	buf_u8(out, (*number)++);
	buf_add(out, payload->p, payload->len);
}

static void add_text(struct buf *payload, const char *text, size_t len)
{
	buf_u8(payload, (uint8_t)len);
	buf_add(payload, text, len);
}

static void add_end(struct buf *out, uint8_t *number)
{
	struct buf payload = {0};

	buf_u8(&payload, 0xfe);
	buf_u32(&payload, 0x20000); /* autocommit, no warnings */
	add_packet(out, number, &payload);
	buf_fini(&payload);
}

static void add_column(struct buf *out, uint8_t *number, const char *name, size_t len)
{
	struct buf payload = {0};

	add_text(&payload, "def", 3);
	for (int i = 0; i < 3; i++)
		add_text(&payload, "", 0);
	add_text(&payload, name, len);
	add_text(&payload, "", 0);
	buf_u8(&payload, 12);
	buf_u16(&payload, 45);
	buf_u32(&payload, 80);
	buf_u8(&payload, 253); /* a text */
	for (int i = 0; i < 5; i++)
		buf_u8(&payload, 0);
	add_packet(out, number, &payload);
	buf_fini(&payload);
}

/* @row: "a=1,b=2"; the names of the columns, or a row of their values. */
static void add_columns(struct buf *out, uint8_t *number, const char *row)
{
	struct buf count = {0};
	size_t len = strcspn(row, "/");
	uint8_t columns = 1;

	for (size_t i = 0; i < len; i++)
		columns = (uint8_t)(columns + (row[i] == ','));
	buf_u8(&count, columns);
	add_packet(out, number, &count);
	buf_fini(&count);
	for (const char *p = row; p < row + len; p += strcspn(p, ",/") + 1)
		add_column(out, number, p, strcspn(p, "=,/"));
}

static void add_row(struct buf *out, uint8_t *number, const char *row)
{
	struct buf payload = {0};
	size_t len = strcspn(row, "/");

	for (const char *p = row; p < row + len; p += strcspn(p, ",/") + 1) {
		const char *value = p + strcspn(p, "=") + 1;
		size_t size = strcspn(value, ",/");

		if (size == 0)
			buf_u8(&payload, 0xfb);
		else
			add_text(&payload, value, size);
	}
	add_packet(out, number, &payload);
	buf_fini(&payload);
}

static void add_rows(struct buf *out, uint8_t *number, const char *rows)
{
	add_columns(out, number, rows);
	add_end(out, number);
	for (const char *p = rows; strchr(rows, '=') && *p; p += strcspn(p, "/"), p += *p == '/')
		add_row(out, number, p);
	add_end(out, number);
}

/* Protocol 4.1, a password without TLS, no further abilities. */
static void add_greeting(struct buf *out)
{
	struct buf payload = {0};
	uint8_t number = 0;

	buf_u8(&payload, 10);
	buf_add(&payload, "10.11.0-scripted", sizeof "10.11.0-scripted");
	buf_u32(&payload, 1);
	buf_add(&payload, "12345678", 9);
	buf_u16(&payload, 0xa203);
	buf_u8(&payload, 45);
	buf_u16(&payload, 2);
	buf_u16(&payload, 0x8);
	buf_u8(&payload, 21);
	buf_add(&payload, "\0\0\0\0\0\0\0\0\0\0", 10);
	buf_add(&payload, "901234567890", 13);
	buf_add(&payload, "mysql_native_password", sizeof "mysql_native_password");
	add_packet(out, &number, &payload);
	buf_fini(&payload);
}

static void add_words(struct buf *out, const char *words, uint8_t number)
{
	static const char half[] = {9, 0, 0, 1, 0};
	struct buf payload = {0};

	if (strcmp(words, GREETS) == 0) {
		add_greeting(out);
	} else if (strncmp(words, "ok", 2) == 0) {
		buf_u8(&payload, 0);
		buf_u8(&payload, words[2] ? (uint8_t)(words[3] - '0') : 1);
		buf_u8(&payload, 0);
		buf_u32(&payload, 2);
		add_packet(out, &number, &payload);
	} else if (strncmp(words, "e=", 2) == 0) {
		buf_u8(&payload, 0xff);
		buf_u16(&payload, (uint16_t)strtol(words + 2, NULL, 10));
		buf_add(&payload, "#HY000in words", 14);
		add_packet(out, &number, &payload);
	} else if (strncmp(words, "r:", 2) == 0) {
		add_rows(out, &number, words + 2);
	} else if (strcmp(words, "half") == 0) {
		buf_add(out, half, sizeof half);
	} else if (strcmp(words, "?") == 0) {
		buf_add(out, "hello, world\r\n", 14);
	}
	buf_fini(&payload);
}

static void say(const struct server *s, int fd, const char *words, uint8_t number)
{
	struct buf out = {0};

	add_words(&out, words, number);
	for (size_t i = 0; i < out.len; i += s->crumbs ? 1 : out.len) {
		if (send(fd, out.p + i, s->crumbs ? 1 : out.len, MSG_NOSIGNAL) < 0)
			break;
	}
	buf_fini(&out);
}

/*
 * What it hears.
 */
static bool readable(const struct server *s, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};

	return poll(p, 2, -1) > 0 && !p[1].revents;
}

static bool receive_all(const struct server *s, int fd, void *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = readable(s, fd) ? recv(fd, (char *)to + at, len - at, 0) : 0;

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool receive(const struct server *s, int fd, char packet[static PACKET_MAX])
{
	unsigned char head[4];
	size_t len;

	if (!receive_all(s, fd, head, sizeof head))
		return false;
	len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
	if (len >= PACKET_MAX || !receive_all(s, fd, packet, len))
		return false;
	packet[len] = '\0';
	return packet[0] != 1; /* COM_QUIT */
}

/* Return: false when the client hangs up, or is hung up on. */
static bool serve_request(struct server *s, int fd, unsigned *at)
{
	char packet[PACKET_MAX];

	if (!receive(s, fd, packet))
		return false;
	if (strstr(packet, "@@global.read_only")) {
		say(s, fd, s->read_only, 1);
	} else if (strstr(packet, "SET SESSION")) {
		(void)snprintf(s->variables, sizeof s->variables, "%s", packet + 1);
		say(s, fd, s->session, 1);
	} else if (*at < s->plays) {
		const struct play *play = &s->play[(*at)++];

		(void)snprintf(s->request, sizeof s->request, "%s", packet + 1);
		say(s, fd, play->words, 1);
		return !play->hang_up;
	}
	return true;
}

static void serve(struct server *s, int fd, unsigned *at)
{
	char packet[PACKET_MAX];

	if (!s->greeting) {
		(void)readable(s, fd);
		return;
	}
	say(s, fd, s->greeting, 0);
	if (!receive(s, fd, packet))
		return;
	say(s, fd, "ok", 2);
	while (serve_request(s, fd, at))
		;
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	unsigned at = 0;

	while (readable(s, s->fd)) {
		int fd = accept(s->fd, NULL, NULL);

		s->connections++;
		serve(s, fd, &at);
		close(fd);
	}
	return NULL;
}

/* @port: 0: any. Return: whether that port is free on @host. */
static bool listen_on(struct server *s, uint32_t host, uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(host), .sin_port = htons(port)};
	socklen_t len = sizeof addr;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
		close(s->fd);
		return false;
	}
	assert_int_equal(listen(s->fd, CONNECTIONS_MAX), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
	s->port = ntohs(addr.sin_port);
	return true;
}

static void serve_in_background(struct server *s, const char *greeting, const char *read_only,
	const struct play *play, unsigned plays)
{
	s->greeting = greeting;
	s->read_only = read_only;
	s->session = "ok";
	s->play = play;
	s->plays = plays;
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void start(struct server *s, const char *greeting, const struct play *play, unsigned plays)
{
	memset(s, 0, sizeof *s);
	assert_true(listen_on(s, INADDR_LOOPBACK, 0));
	serve_in_background(s, greeting, PRIMARY, play, plays);
}

static void stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->fd);
}

/* Two listen, at 127.0.0.1 and 127.0.0.2, on the same port; nobody serves yet. */
static void listen_two(struct server s[2])
{
	memset(s, 0, 2 * sizeof *s);
	for (;;) {
		assert_true(listen_on(&s[0], INADDR_LOOPBACK, 0));
		if (listen_on(&s[1], INADDR_LOOPBACK + 1, s[0].port))
			return;
		close(s[0].fd);
	}
}

static struct driver *dial(uint16_t port, unsigned nodes, unsigned contact, const char *settings)
{
	static uint32_t addr_be[2];
	const struct driver_target target = {.addr_be = addr_be,
		.nodes = nodes,
		.port = port,
		.contact = contact,
		.settings = settings};

	addr_be[0] = htonl(INADDR_LOOPBACK);
	addr_be[1] = htonl(INADDR_LOOPBACK + 1);
	return need_driver("mysql")->open(&target);
}

enum request { READ, WRITE, CAS, MAKE };

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
		d->ops->cas(d, 7, what == CAS ? 41 : 0, 42, deadline_ns, &r);
	return r;
}

static void assert_ask(
	struct driver *d, enum request what, enum history_type outcome, enum history_error error)
{
	struct driver_result r = ask(d, what, PATIENCE_NS);

	if (r.outcome != outcome || r.error != error)
		fail_msg("request %d: outcome %d error %s", what, r.outcome,
			history_error_names[r.error]);
}

struct outcome {
	enum request what;
	struct play play;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	unsigned connections; /* after a second request: 2 if the first connection was given up */
};

static void assert_outcome_once(const struct outcome *o, bool crumbs)
{
	struct play plays[2] = {o->play, {"r:v=5", false}};
	uint64_t begin = clock_now_ns();
	struct driver_result r;
	struct driver *d;
	struct server s;

	start(&s, GREETS, plays, 2);
	s.crumbs = crumbs;
	d = dial(s.port, 1, 0, "topology=primary reads=leader");
	d->ops->connect(d, begin + PATIENCE_NS);
	r = ask(d, o->what, o->error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
	if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
		fail_msg("request %d answer '%s': outcome %d error %d value %llu", o->what,
			o->play.words, r.outcome, r.error, (unsigned long long)r.value);
	r = ask(d, READ, PATIENCE_NS);
	if (r.outcome != HISTORY_OK || r.value != 5 || s.connections != o->connections)
		fail_msg("request %d answer '%s': then outcome %d, %u connections", o->what,
			o->play.words, r.outcome, s.connections);
	d->ops->close(d);
	stop(&s);
}

/* In one piece and in crumbs; then one more request shows the connection's fate. */
static void assert_outcomes(const struct outcome *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_outcome_once(&o[i], false);
		assert_outcome_once(&o[i], true);
	}
}

static void mysql__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {"r:v=42", 0}, HISTORY_OK, 0, 42, 1},
		{READ, {"r:v=18446744073709551615", 0}, HISTORY_OK, 0, UINT64_MAX, 1},
		{READ, {"r:v", 0}, HISTORY_OK, 0, 0, 1},
		{READ, {"r:v=x", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"r:v=", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"ok", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"e=1047", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{READ, {"e=1205", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{READ, {"e=1053", 1}, HISTORY_FAIL, HISTORY_UNCERTAIN, 0, 2},
		{READ, {"", 1}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {"half", 1}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {"", 0}, HISTORY_FAIL, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"ok", 0}, HISTORY_OK, 0, 0, 1},
		{WRITE, {"ok=2", 0}, HISTORY_OK, 0, 0, 1},
		{WRITE, {"ok=0", 0}, HISTORY_OK, 0, 0, 1},
		{WRITE, {"e=1047", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"e=1205", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"e=1213", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"e=1146", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		/* Read-only: it is no primary, so another one is looked for. */
		{WRITE, {"e=1290", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{WRITE, {"e=1836", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{CAS, {"ok=1", 0}, HISTORY_OK, 0, 0, 1},
		{CAS, {"ok=0", 0}, HISTORY_OK, HISTORY_UNMET, 0, 1},
		{CAS, {"e=1213", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{MAKE, {"ok=1", 0}, HISTORY_OK, 0, 0, 1},
		{MAKE, {"e=1062", 0}, HISTORY_OK, HISTORY_UNMET, 0, 1},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void mysql__takes_what_may_have_happened_for_unknown(void **state)
{
	static const struct outcome outcomes[] = {
		{WRITE, {"", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {"half", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {"", 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"half", 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"e=1053", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"e=1053", 1}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"e=1180", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"e=1317", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"e=1927", 1}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"e=1105", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{CAS, {"", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{CAS, {"e=1180", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{CAS, {"", 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		/* That key was not what the compare-and-set is about. */
		{CAS, {"e=1062", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void mysql__gives_up_a_connection_that_is_out_of_step(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {"?", 1}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{WRITE, {"?", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{CAS, {"?", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void mysql__says_each_operation_in_one_statement(void **state)
{
	static const struct play plays[] = {{"r:v=1", 0}, {"ok", 0}, {"ok", 0}, {"ok", 0}};
	static const char *const statements[] = {
		[READ] = "SELECT v FROM lab.kv WHERE k='k7'",
		[WRITE] = "INSERT INTO lab.kv(k,v) VALUES('k7',42) ON DUPLICATE KEY UPDATE "
			  "v=VALUES(v)",
		[CAS] = "UPDATE lab.kv SET v=42 WHERE k='k7' AND v=41",
		[MAKE] = "INSERT INTO lab.kv(k,v) VALUES('k7',42)",
	};
	struct driver *d;
	struct server s;

	(void)state;
	start(&s, GREETS, plays, 4);
	d = dial(s.port, 1, 0, "");
	for (int what = READ; what <= MAKE; what++) {
		assert_ask(d, (enum request)what, HISTORY_OK, HISTORY_NO_ERROR);
		assert_string_equal(s.request, statements[what]);
	}
	assert_int_equal(s.connections, 1);
	d->ops->close(d);
	stop(&s);
}

/* Silence until the deadline, which is shorter than the whole seconds of the blocking calls. */
static void mysql__without_a_connection_nothing_was_sent(void **state)
{
	static const char *const greetings[] = {"e=1040", "e=1129", "?", "", NULL};
	static const char *const settings[] = {"", "reads=local", "topology=galera"};

	(void)state;
	for (size_t i = 0; i < 15; i++) {
		struct driver *d;
		struct server s;

		start(&s, greetings[i % 5], NULL, 0);
		d = dial(s.port, 1, 0, settings[i / 5]);
		for (int what = READ; what <= CAS; what++) {
			uint64_t begin = clock_now_ns();
			struct driver_result r = ask(d, (enum request)what, SHORT_NS);

			assert_int_equal(r.outcome, HISTORY_FAIL);
			assert_int_equal(r.error, HISTORY_CONNECT);
			assert_true(clock_now_ns() - begin < NS_PER_S);
		}
		d->ops->close(d);
		stop(&s);
	}
}

static void mysql__a_refused_connection_is_a_failure(void **state)
{
	struct driver *d;
	struct server s;
	uint16_t port;

	(void)state;
	start(&s, NULL, NULL, 0);
	port = s.port;
	stop(&s);
	d = dial(port, 1, 0, "reads=local");
	for (int what = READ; what <= CAS; what++)
		assert_ask(d, (enum request)what, HISTORY_FAIL, HISTORY_CONNECT);
	d->ops->close(d);
}

/* Nothing was sent on it, so the next request is not lost with it. */
static void mysql__notices_a_connection_that_ended_in_idle_time(void **state)
{
	static const struct play plays[] = {{"ok", true}, {"ok", true}, {"r:v=5", false}};
	struct driver *d;
	struct server s;

	(void)state;
	start(&s, GREETS, plays, 3);
	d = dial(s.port, 1, 0, "");
	for (unsigned i = 0; i < 2; i++) {
		assert_ask(d, WRITE, HISTORY_OK, HISTORY_NO_ERROR);
		while (s.connections < i + 2)
			d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	}
	assert_ask(d, READ, HISTORY_OK, HISTORY_NO_ERROR);
	d->ops->close(d);
	stop(&s);
}

/* The replica is nearer; one that is silent or full delays nobody. */
static void mysql__finds_the_primary_among_the_nodes(void **state)
{
	static const struct play plays[] = {{"ok", false}, {"r:v=5", false}};
	static const char *const others[] = {GREETS, NULL, "e=1040"};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct server s[2];
		struct driver *d;

		listen_two(s);
		serve_in_background(&s[0], others[i], REPLICA, NULL, 0);
		serve_in_background(&s[1], GREETS, PRIMARY, plays, 2);
		d = dial(s[0].port, 2, 0, "reads=leader");
		assert_ask(d, WRITE, HISTORY_OK, HISTORY_NO_ERROR);
		assert_ask(d, READ, HISTORY_OK, HISTORY_NO_ERROR);
		assert_int_equal(s[1].connections, 1);
		d->ops->close(d);
		stop(&s[0]);
		stop(&s[1]);
	}
}

static void mysql__reads_at_the_nearest_node_if_told_so(void **state)
{
	static const struct play near[] = {{"r:v=4", false}};
	static const struct play far[] = {{"ok", false}};
	struct driver_result r;
	struct server s[2];
	struct driver *d;

	(void)state;
	listen_two(s);
	serve_in_background(&s[0], GREETS, REPLICA, near, 1);
	serve_in_background(&s[1], GREETS, PRIMARY, far, 1);
	d = dial(s[0].port, 2, 0, "reads=local");
	r = ask(d, READ, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(r.value, 4);
	assert_ask(d, WRITE, HISTORY_OK, HISTORY_NO_ERROR);
	d->ops->close(d);
	stop(&s[0]);
	stop(&s[1]);
}

/* It is kept as long as it takes writes, even if there is another one by now. */
static void mysql__keeps_its_primary_until_that_refuses(void **state)
{
	static const struct play near[] = {{"ok", 0}, {"ok", 0}, {"e=1290", 0}};
	static const struct play far[] = {{"ok", 0}};
	struct server s[2];
	struct driver *d;

	(void)state;
	listen_two(s);
	serve_in_background(&s[0], GREETS, PRIMARY, near, 3);
	serve_in_background(&s[1], GREETS, REPLICA, far, 1);
	d = dial(s[0].port, 2, 0, "");
	assert_ask(d, WRITE, HISTORY_OK, HISTORY_NO_ERROR);
	s[1].read_only = PRIMARY;
	assert_ask(d, WRITE, HISTORY_OK, HISTORY_NO_ERROR);
	s[0].read_only = REPLICA;
	assert_ask(d, WRITE, HISTORY_FAIL, HISTORY_REFUSED);
	assert_ask(d, WRITE, HISTORY_OK, HISTORY_NO_ERROR);
	d->ops->close(d);
	stop(&s[0]);
	stop(&s[1]);
}

static void mysql__sets_the_session_of_a_galera_node(void **state)
{
	static const struct play plays[] = {{"r:v=5", 0}, {"e=1047", 0}, {"ok", 0}};
	struct driver *d;
	struct server s;

	(void)state;
	start(&s, GREETS, plays, 3);
	d = dial(s.port, 1, 0, "topology=galera sync_wait=3 dirty_reads=yes");
	assert_ask(d, READ, HISTORY_OK, HISTORY_NO_ERROR);
	assert_string_equal(
		s.variables, "SET SESSION wsrep_sync_wait=3, SESSION wsrep_dirty_reads=ON");
	assert_ask(d, WRITE, HISTORY_FAIL, HISTORY_REFUSED);
	assert_ask(d, WRITE, HISTORY_OK, HISTORY_NO_ERROR);
	assert_int_equal(s.connections, 1);
	d->ops->close(d);
	stop(&s);

	start(&s, GREETS, NULL, 0);
	s.session = "e=1193";
	d = dial(s.port, 1, 0, "topology=galera");
	assert_ask(d, READ, HISTORY_FAIL, HISTORY_CONNECT);
	assert_string_equal(
		s.variables, "SET SESSION wsrep_sync_wait=0, SESSION wsrep_dirty_reads=OFF");
	d->ops->close(d);
	stop(&s);
}

struct status_case {
	const char *settings;
	const char *read_only;
	const char *answer;
	struct driver_status status;
};

static void mysql__tells_what_a_node_says_of_itself(void **state)
{
#define COLUMNS(host, io, sql) \
	"r:Master_Host=" host ",Slave_IO_Running=" io ",Slave_SQL_Running=" sql
#define GALERA(ready, status, size, comment) \
	"r:Variable_name=wsrep_ready,Value=" ready \
	"/Variable_name=wsrep_cluster_status,Value=" status \
	"/Variable_name=wsrep_cluster_size,Value=" size \
	"/Variable_name=wsrep_local_state_comment,Value=" comment \
	"/Variable_name=wsrep_cluster_conf_id,Value=9"
	static const struct status_case cases[] = {
		{"", PRIMARY, "r:Master_Host", {true, true, 0, 0, "primary"}},
		{"", REPLICA, "r:Master_Host", {false, false, -1, 0, "alone"}},
		{"", REPLICA, COLUMNS("127.0.0.2", "Yes", "Yes"), {true, false, 1, 0, "replica"}},
		{"", REPLICA, COLUMNS("127.0.0.2", "Connecting", "Yes"),
			{false, false, 1, 0, "replica apart"}},
		{"", REPLICA, COLUMNS("127.0.0.9", "Yes", "No"),
			{false, false, -1, 0, "replica not applying"}},
		{"topology=galera", PRIMARY, GALERA("ON", "Primary", "2", "Synced"),
			{true, false, -1, 9, "Synced"}},
		{"topology=galera", PRIMARY, GALERA("ON", "Primary", "1", "Synced"),
			{false, false, -1, 9, "Synced"}},
		{"topology=galera", PRIMARY, GALERA("OFF", "non-Primary", "2", "Initialized"),
			{false, false, -1, 0, "Initialized"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct play plays[] = {{cases[i].answer, false}};
		struct driver_status said;
		struct server s[2];
		struct driver *d;

		listen_two(s);
		serve_in_background(&s[0], GREETS, cases[i].read_only, plays, 1);
		d = dial(s[0].port, 2, 0, cases[i].settings);
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &said), 0);
		assert_string_equal(said.role, cases[i].status.role);
		assert_true(said.ready == cases[i].status.ready);
		assert_true(said.leads == cases[i].status.leads);
		assert_int_equal(said.leader, cases[i].status.leader);
		assert_int_equal(said.term, cases[i].status.term);
		d->ops->close(d);
		stop(&s[0]);
		close(s[1].fd);
	}
}

static void mysql__has_no_status_of_a_node_that_does_not_answer(void **state)
{
	static const struct play silence[] = {{"", false}};
	struct driver_status said;
	struct driver *d;
	struct server s;

	(void)state;
	start(&s, GREETS, silence, 1);
	d = dial(s.port, 1, 0, "");
	assert_int_equal(d->ops->status(d, clock_now_ns() + SHORT_NS, &said), -ETIMEDOUT);
	d->ops->close(d);
	stop(&s);
	d = dial(s.port, 1, 0, "topology=galera");
	assert_int_equal(d->ops->status(d, clock_now_ns() + SHORT_NS, &said), -ENOTCONN);
	d->ops->close(d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(mysql__maps_every_answer_to_its_outcome),
		cmocka_unit_test(mysql__takes_what_may_have_happened_for_unknown),
		cmocka_unit_test(mysql__gives_up_a_connection_that_is_out_of_step),
		cmocka_unit_test(mysql__says_each_operation_in_one_statement),
		cmocka_unit_test(mysql__without_a_connection_nothing_was_sent),
		cmocka_unit_test(mysql__a_refused_connection_is_a_failure),
		cmocka_unit_test(mysql__notices_a_connection_that_ended_in_idle_time),
		cmocka_unit_test(mysql__finds_the_primary_among_the_nodes),
		cmocka_unit_test(mysql__reads_at_the_nearest_node_if_told_so),
		cmocka_unit_test(mysql__keeps_its_primary_until_that_refuses),
		cmocka_unit_test(mysql__sets_the_session_of_a_galera_node),
		cmocka_unit_test(mysql__tells_what_a_node_says_of_itself),
		cmocka_unit_test(mysql__has_no_status_of_a_node_that_does_not_answer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mysql_driver", tests, NULL, NULL);
}
