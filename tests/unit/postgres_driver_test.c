/* SPDX-License-Identifier: MIT */
/*
 * postgres_driver_test.c - every outcome of the PostgreSQL driver, against scripted servers
 *
 * A server plays texts of words, one for each message of the protocol's version 3 that it sends
 * (https://www.postgresql.org/docs/15/protocol-message-formats.html):
 *
 *	1 2 n T	parse complete, bind complete, no data, description of one column of text; T=5: of
 *five D=42	a row; D=1,2 one of two columns, D one whose only value is NULL C=UPDATE_1
 *command complete; underscores are blanks E=ERROR/25006	an error of a severity, with an
 *SQLSTATE; N=WARNING/01000 a notice R	authenticated; S=name:value a setting of the session; K the
 *key for cancelling Z	ready for the next request ?	bytes that are no message
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
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
#define MESSAGE_MAX 2048

#define PRIMARY \
	"R S=server_version:15.0 S=in_hot_standby:off S=default_transaction_read_only:off K Z"
#define STANDBY \
	"R S=server_version:15.0 S=in_hot_standby:on S=default_transaction_read_only:off K Z"
#define FOUND "1 2 T D=5 C=SELECT_1 Z"

struct play {
	const char *words;
	bool hang_up; /* after them */
};

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	const char *greeting;    /* NULL: none */
	const struct play *play; /* one for each request, over all connections */
	unsigned plays;
	bool crumbs; /* one byte at a time */
	char request[512];
	char startup[512]; /* what the last connection began with */
	_Atomic unsigned connections;
	int stop[2];
};

/* Messages: a letter, the length with itself, the body. */
static void add_u32(struct buf *out, size_t n)
{
	uint32_t be = htonl((uint32_t)n);

	buf_add(out, &be, sizeof be);
}

static void add_message(struct buf *out, char type, const void *body, size_t len)
{
	buf_u8(out, (uint8_t)type);
	add_u32(out, len + 4);
	buf_add(out, body, len);
}

static void add_field(struct buf *body, char name, const char *text)
{
	buf_u8(body, (uint8_t)name);
	buf_add(body, text, strlen(text) + 1);
}

static void add_report(struct buf *out, char type, char *text)
{
	char *code = strchr(text, '/');
	struct buf body = {0};

	assert_non_null(code);
	*code++ = '\0';
	add_field(&body, 'S', text);
	add_field(&body, 'V', text);
	add_field(&body, 'C', code);
	add_field(&body, 'M', "in words");
	buf_u8(&body, '\0');
	add_message(out, type, body.p, body.len);
	buf_fini(&body);
}

static void add_u16(struct buf *out, unsigned n)
{
	buf_u8(out, (uint8_t)(n >> 8));
	buf_u8(out, (uint8_t)n);
}

/* Columns are all called v. */
static void add_columns(struct buf *out, unsigned columns)
{
	static const uint8_t column[] = {'v', 0, /* table */ 0, 0, 0, 1, /* column */ 0, 2,
		/* text */ 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* as text */ 0, 0};
	struct buf body = {0};

	add_u16(&body, columns);
	for (unsigned i = 0; i < columns; i++)
		buf_add(&body, column, sizeof column);
	add_message(out, 'T', body.p, body.len);
	buf_fini(&body);
}

static void add_row(struct buf *out, const char *values)
{
	struct buf body = {0};
	unsigned columns = 1;

	for (const char *p = values; p && *p; p++)
		columns += *p == ',';
	add_u16(&body, columns);
	if (!values)
		add_u32(&body, UINT32_MAX);
	for (const char *p = values; p; p = *p ? p + 1 : NULL) {
		size_t len = strcspn(p, ",");

		add_u32(&body, len);
		buf_add(&body, p, len);
		p += len;
	}
	add_message(out, 'D', body.p, body.len);
	buf_fini(&body);
}

static void add_word(struct buf *out, char *word)
{
	static const uint8_t zero[8] = {0};
	char *value = word[1] == '=' ? word + 2 : NULL;

	for (char *p = value; p && *p; p++)
		*p = *p == '_' && word[0] == 'C' ? ' ' : *p;
	if (word[0] == 'T') {
		add_columns(out, value ? (unsigned)strtoul(value, NULL, 10) : 1);
	} else if (word[0] == 'D') {
		add_row(out, value);
	} else if (word[0] == 'E' || word[0] == 'N') {
		add_report(out, word[0], value);
	} else if (word[0] == 'S') {
		char *end = strchr(value, ':');
		size_t len = strlen(value) + 1;

		*end = '\0';
		add_message(out, 'S', value, len);
	} else if (word[0] == '?') {
		buf_add(out, "hello, world\r\n", 14);
	} else if (word[0] == 'R') {
		add_message(out, 'R', zero, 4);
	} else if (word[0] == 'K') {
		add_message(out, 'K', zero, 8);
	} else if (word[0] == 'Z') {
		add_message(out, 'Z', "I", 1);
	} else {
		add_message(out, word[0], value, value ? strlen(value) + 1 : 0);
	}
}

static void say(const struct server *s, int fd, const char *words)
{
	char text[WORDS_MAX];
	struct buf out = {0};
	char *rest;

	(void)snprintf(text, sizeof text, "%s", words);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		add_word(&out, word);
	for (size_t i = 0; i < out.len; i += s->crumbs ? 1 : out.len) {
		if (send(fd, out.p + i, s->crumbs ? 1 : out.len, MSG_NOSIGNAL) < 0)
			break;
	}
	buf_fini(&out);
}

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

/* One message into @body; the first of a connection has no letter. Return: its letter, 0: end. */
static char receive(
	const struct server *s, int fd, bool first, char body[static MESSAGE_MAX], size_t *ret)
{
	char type = 1;
	uint32_t be;

	if ((!first && !receive_all(s, fd, &type, 1)) || !receive_all(s, fd, &be, sizeof be) ||
		ntohl(be) < 4 || ntohl(be) > MESSAGE_MAX)
		return 0;
	*ret = ntohl(be) - 4;
	return receive_all(s, fd, body, *ret) ? type : 0;
}

/* A request ends with Sync, or is a simple query. Of Parse and Bind all that can be read is kept.
 */
static bool receive_request(struct server *s, int fd)
{
	char body[MESSAGE_MAX];
	char text[sizeof s->request] = "";
	size_t len;
	char type;

	while ((type = receive(s, fd, false, body, &len)) != 0) {
		size_t at = strlen(text);

		if (type == 'S' || type == 'Q') {
			memcpy(s->request, text, sizeof text);
			return true;
		}
		for (size_t i = 0; (type == 'P' || type == 'B') && i < len; i++) {
			if (body[i] >= ' ' && body[i] <= '~' && at + 2 < sizeof text)
				text[at++] = body[i];
			else if (at > 0 && text[at - 1] != '|' && at + 2 < sizeof text)
				text[at++] = '|';
		}
		text[at] = '\0';
	}
	return false;
}

/* Return: when the client hangs up, or is hung up on. */
static void serve(struct server *s, int fd, unsigned *at)
{
	char body[MESSAGE_MAX];
	size_t len;

	if (!receive(s, fd, true, body, &len))
		return;
	for (size_t i = 0; i < len && i + 1 < sizeof s->startup; i++)
		s->startup[i] = body[i] ? body[i] : '|';
	if (s->greeting)
		say(s, fd, s->greeting);
	while (*at < s->plays && receive_request(s, fd)) {
		const struct play *play = &s->play[(*at)++];

		say(s, fd, play->words);
		if (play->hang_up)
			return;
	}
	/* The end, or a request that nobody answers. */
	while (receive(s, fd, false, body, &len))
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

/* @port: 0: any. Return: whether that port is free on @addr. */
static bool listen_on(struct server *s, uint32_t host, uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(host), .sin_port = htons(port)};
	socklen_t len = sizeof addr;
	int one = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s->fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
		close(s->fd);
		return false;
	}
	assert_int_equal(listen(s->fd, CONNECTIONS_MAX), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
	s->port = ntohs(addr.sin_port);
	return true;
}

static void serve_in_background(struct server *s)
{
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void start(struct server *s, const char *greeting, const struct play *play, unsigned plays)
{
	memset(s, 0, sizeof *s);
	s->greeting = greeting;
	s->play = play;
	s->plays = plays;
	assert_true(listen_on(s, INADDR_LOOPBACK, 0));
	serve_in_background(s);
}

static void stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->fd);
}

/* Two servers, at 127.0.0.1 and 127.0.0.2, on the same port. */
static void start_two(struct server s[2], const char *first, const char *second,
	const struct play *plays[2], const unsigned many[2])
{
	memset(s, 0, 2 * sizeof *s);
	assert_true(listen_on(&s[0], INADDR_LOOPBACK, 0));
	while (!listen_on(&s[1], INADDR_LOOPBACK + 1, s[0].port)) {
		close(s[0].fd);
		assert_true(listen_on(&s[0], INADDR_LOOPBACK, 0));
	}
	for (unsigned i = 0; i < 2; i++) {
		s[i].greeting = i ? second : first;
		s[i].play = plays[i];
		s[i].plays = many[i];
		serve_in_background(&s[i]);
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
	return need_driver("postgres")->open(&target);
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

static void assert_outcome_once(const struct outcome *o, bool crumbs)
{
	struct play plays[2] = {o->play, {FOUND, false}};
	struct driver_result r;
	struct driver *d;
	struct server s;

	start(&s, PRIMARY, plays, 2);
	s.crumbs = crumbs;
	d = dial(s.port, 1, 0, "reads=leader");
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	r = ask(d, o->what, o->error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
	if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
		fail_msg("request %d answer '%s': outcome %d error %s value %llu", o->what,
			o->play.words, r.outcome,
			r.error < HISTORY_ERROR_NR ? history_error_names[r.error] : "?",
			(unsigned long long)r.value);
	r = ask(d, READ, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(r.value, 5);
	if (s.connections != o->connections)
		fail_msg("request %d answer '%s': %u connections", o->what, o->play.words,
			s.connections);
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

static void postgres__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {"1 2 T D=42 C=SELECT_1 Z", 0}, HISTORY_OK, 0, 42, 1},
		{READ, {"1 2 T D=18446744073709551615 C=SELECT_1 Z", 0}, HISTORY_OK, 0, UINT64_MAX,
			1},
		{READ, {"1 2 T C=SELECT_0 Z", 0}, HISTORY_OK, 0, 0, 1},
		{READ, {"N=WARNING/01000 1 2 T D=42 C=SELECT_1 Z", 0}, HISTORY_OK, 0, 42, 1},
		{READ, {"1 2 T D=x C=SELECT_1 Z", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, {"E=ERROR/40001 Z", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{READ, {"E=ERROR/42P01 Z", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, {"E=FATAL/57P01", 1}, HISTORY_FAIL, HISTORY_UNCERTAIN, 0, 2},
		{READ, {"", 1}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {"1 2 T D=42", 1}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, {"", 0}, HISTORY_FAIL, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"1 2 n C=INSERT_0_1 Z", 0}, HISTORY_OK, 0, 0, 1},
		{WRITE, {"N=NOTICE/00000 1 2 n C=INSERT_0_1 Z", 0}, HISTORY_OK, 0, 0, 1},
		{WRITE, {"1 2 E=ERROR/40001 Z", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"1 2 E=ERROR/40P01 Z", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"1 2 E=ERROR/57014 Z", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
		{WRITE, {"E=ERROR/42P01 Z", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		/* Read-only: it is no primary, so another one is looked for. */
		{WRITE, {"1 2 E=ERROR/25006 Z", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{CAS, {"1 2 n C=UPDATE_1 Z", 0}, HISTORY_OK, 0, 0, 1},
		{CAS, {"1 2 n C=UPDATE_0 Z", 0}, HISTORY_OK, HISTORY_UNMET, 0, 1},
		{CAS, {"1 2 E=ERROR/40001 Z", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0, 1},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void postgres__takes_what_may_have_happened_for_unknown(void **state)
{
	static const struct outcome outcomes[] = {
		{WRITE, {"", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {"", 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"E=FATAL/57P01", 1}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"E=FATAL/57P02", 1}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"E=PANIC/XX000", 1}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"E=ERROR/58030 Z", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"E=ERROR/40003 Z", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, {"E=ERROR/08006 Z", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{CAS, {"", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{CAS, {"1 2 E=FATAL/57P01", 1}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

/* The server tells the end of a command before it commits. */
static void postgres__takes_nothing_for_done_before_the_server_is_ready(void **state)
{
	static const struct outcome outcomes[] = {
		{WRITE, {"1 2 n C=INSERT_0_1", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, {"1 2 n C=INSERT_0_1", 0}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{WRITE, {"1 2 n C=INSERT_0_1 E=FATAL/57P01", 1}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN,
			0, 2},
		{WRITE, {"1 2 n C=INSERT_0_1 E=ERROR/40001 Z", 0}, HISTORY_FAIL, HISTORY_REFUSED, 0,
			1},
		{CAS, {"1 2 n C=UPDATE_1", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

/* "canceling wait for synchronous replication": it has committed, here only. */
static void postgres__takes_a_commit_that_did_not_wait_for_unknown(void **state)
{
	static const struct outcome outcomes[] = {
		{WRITE, {"1 2 n C=INSERT_0_1 N=WARNING/01000 Z", 0}, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, 2},
		{CAS, {"1 2 n C=UPDATE_1 N=WARNING/01000 Z", 0}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN,
			0, 2},
		/* A fast shutdown cancels it, too, and ends the connection. */
		{WRITE, {"1 2 n C=INSERT_0_1 N=WARNING/57P01 E=FATAL/57P01", 1}, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void postgres__gives_up_a_connection_that_is_out_of_step(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {"1 2 T D C=SELECT_1 Z", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"1 2 T D=1 D=2 C=SELECT_2 Z", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"1 2 n C=INSERT_0_1 Z", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"1 2 Z", 0}, HISTORY_FAIL, HISTORY_OTHER, 0, 2},
		{READ, {"?", 1}, HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{WRITE, {"1 2 n C=INSERT_0_2 Z", 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{WRITE, {"1 2 n C=UPDATE_0 Z", 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{WRITE, {"1 2 T D=5 C=SELECT_0 Z", 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
		{WRITE, {"?", 1}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{CAS, {"1 2 n C=UPDATE_2 Z", 0}, HISTORY_UNKNOWN, HISTORY_OTHER, 0, 2},
	};

	(void)state;
	assert_outcomes(outcomes, sizeof outcomes / sizeof *outcomes);
}

static void postgres__says_each_operation_in_one_statement(void **state)
{
	static const struct play plays[] = {{FOUND, false}, {"1 2 n C=INSERT_0_1 Z", false},
		{"1 2 n C=UPDATE_1 Z", false}, {FOUND, false}};
	struct driver_result r;
	struct buf text = {0};
	struct driver *d;
	struct server s;

	(void)state;
	assert_int_equal(setenv("PGOPTIONS", "-c client_min_messages=error", 1), 0);
	start(&s, PRIMARY, plays, 4);
	d = dial(s.port, 1, 0, "");
	(void)ask(d, READ, PATIENCE_NS);
	/* A warning is how a commit that did not wait is told. */
	assert_non_null(strstr(s.startup, "|options|-c client_min_messages=warning|"));
	assert_int_equal(unsetenv("PGOPTIONS"), 0);
	assert_non_null(strstr(s.request, "SELECT v FROM kv WHERE k = $1|"));
	assert_non_null(strstr(s.request, "|k7|"));
	(void)ask(d, WRITE, PATIENCE_NS);
	assert_non_null(strstr(s.request, "ON CONFLICT (k) DO UPDATE SET v = excluded.v|"));
	assert_non_null(strstr(s.request, "|k7|42|"));
	(void)ask(d, CAS, PATIENCE_NS);
	assert_non_null(strstr(s.request, "UPDATE kv SET v = $3 WHERE k = $1 AND v = $2|"));
	assert_non_null(strstr(s.request, "|k7|41|42|"));
	buf_printf(&text, "1,2,"); /* of the read before */
	d->ops->get(d, 7, clock_now_ns() + PATIENCE_NS, &text, &r);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(text.len, 1);
	assert_memory_equal(text.p, "5", 1);
	buf_fini(&text);
	assert_int_equal(s.connections, 1);
	d->ops->close(d);
	stop(&s);
}

static void postgres__without_a_connection_nothing_was_sent(void **state)
{
	static const char *const greetings[] = {"E=FATAL/57P03", "E=FATAL/53300", "E=FATAL/28000",
		STANDBY, "?", "", NULL /* silence */};

	(void)state;
	for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
		struct driver_result r;
		struct driver *d;
		struct server s;

		start(&s, greetings[i], NULL, 0);
		d = dial(s.port, 1, 0, "");
		for (int what = READ; what <= CAS; what++) {
			uint64_t begin = clock_now_ns();

			r = ask(d, (enum request)what, SHORT_NS);
			assert_int_equal(r.outcome, HISTORY_FAIL);
			assert_int_equal(r.error, HISTORY_CONNECT);
			assert_true(clock_now_ns() - begin < PATIENCE_NS);
		}
		d->ops->close(d);
		stop(&s);
	}
}

/* The first write waits; the second would only wait for the same. */
static void postgres__waits_for_a_primary_no_longer_than_one_operation_may_take(void **state)
{
	uint64_t took_ns[2];
	struct driver *d;
	struct server s;

	(void)state;
	start(&s, NULL, NULL, 0);
	d = dial(s.port, 1, 0, "");
	for (int i = 0; i < 2; i++) {
		uint64_t begin = clock_now_ns();
		struct driver_result r = ask(d, WRITE, NS_PER_S);

		took_ns[i] = clock_now_ns() - begin;
		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
	}
	assert_true(took_ns[0] >= NS_PER_S - NS_PER_MS);
	assert_true(took_ns[1] < NS_PER_S / 2);
	d->ops->close(d);
	stop(&s);
}

static void postgres__a_refused_connection_is_a_failure(void **state)
{
	struct driver_result r;
	struct driver *d;
	struct server s;
	uint16_t port;

	(void)state;
	start(&s, NULL, NULL, 0);
	port = s.port;
	stop(&s);
	d = dial(port, 1, 0, "reads=local");
	for (int what = READ; what <= CAS; what++) {
		r = ask(d, (enum request)what, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
	}
	d->ops->close(d);
}

/* The standby is nearer; a silent one delays nobody. */
static void postgres__finds_the_primary_among_the_nodes(void **state)
{
	static const struct play plays[] = {{"1 2 n C=INSERT_0_1 Z", false}, {FOUND, false}};
	static const char *const others[] = {STANDBY, NULL, "E=FATAL/57P03"};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct server s[2];
		struct driver *d;

		start_two(s, others[i], PRIMARY, (const struct play *[2]){NULL, plays},
			(const unsigned[2]){0, 2});
		d = dial(s[0].port, 2, 0, "reads=leader");
		assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
		assert_int_equal(ask(d, READ, PATIENCE_NS).value, 5);
		assert_int_equal(s[1].connections, 1);
		d->ops->close(d);
		stop(&s[0]);
		stop(&s[1]);
	}
}

static void postgres__reads_at_the_nearest_node_if_told_so(void **state)
{
	static const struct play near[] = {{"1 2 T D=4 C=SELECT_1 Z", false}};
	static const struct play far[] = {{"1 2 n C=INSERT_0_1 Z", false}};
	struct server s[2];
	struct driver *d;

	(void)state;
	start_two(s, STANDBY, PRIMARY, (const struct play *[2]){near, far},
		(const unsigned[2]){1, 1});
	d = dial(s[0].port, 2, 0, "reads=local");
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 4);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	d->ops->close(d);
	stop(&s[0]);
	stop(&s[1]);
}

/* The first primary ends; the other node has been promoted meanwhile. */
static void postgres__looks_for_the_primary_again_when_it_is_gone(void **state)
{
	static const struct play near[] = {{"1 2 n C=INSERT_0_1 Z", true}};
	static const struct play far[] = {{"1 2 n C=INSERT_0_1 Z", false}};
	struct server s[2];
	struct driver *d;

	(void)state;
	start_two(s, PRIMARY, NULL, (const struct play *[2]){near, far}, (const unsigned[2]){1, 1});
	d = dial(s[0].port, 2, 0, "");
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	stop(&s[0]);
	stop(&s[1]);
	s[1].greeting = PRIMARY;
	assert_true(listen_on(&s[1], INADDR_LOOPBACK + 1, s[0].port));
	serve_in_background(&s[1]);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	d->ops->close(d);
	stop(&s[1]);
}

#define STATUS(values) "1 2 T=5 D=" values " C=SELECT_1 Z"

/* Columns: in recovery, timeline, standbys that stream, receives, from whom. */
static void postgres__asks_a_node_what_it_is(void **state)
{
	static const struct {
		const char *answer;
		bool said;
		struct driver_status status;
	} rounds[] = {
		{STATUS("t,1,0,f,"), true, {false, false, -1, 1, "standby"}},
		{STATUS("t,1,0,f,127.0.0.2"), true, {false, false, 1, 1, "standby"}},
		{STATUS("f,2,0,f,"), true, {false, true, 0, 2, "primary"}},
		{STATUS("f,2,1,f,"), true, {true, true, 0, 2, "primary"}},
		/* It had all once: then it is ready as long as it answers. */
		{STATUS("t,3,0,f,127.0.0.2"), true, {true, false, 1, 3, "standby"}},
		{STATUS("t,3,0,f,10.9.9.9"), true, {true, false, -1, 3, "standby"}},
		{STATUS("t,x,0,f,"), false, {0}},
		{STATUS("t,1,,f,"), false, {0}},
		{"1 2 T D=1 C=SELECT_1 Z", false, {0}},
		{"1 2 T=5 C=SELECT_0 Z", false, {0}},
		{"E=ERROR/55000 Z", false, {0}},
	};
	struct play plays[sizeof rounds / sizeof *rounds];
	struct driver *d;
	struct server s;

	(void)state;
	for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++)
		plays[i] = (struct play){rounds[i].answer, false};
	start(&s, STANDBY, plays, sizeof rounds / sizeof *rounds);
	d = dial(s.port, 2, 0, "");
	for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
		const struct driver_status *wanted = &rounds[i].status;
		struct driver_status got = {0};
		int rc = d->ops->status(d, clock_now_ns() + PATIENCE_NS, &got);

		if ((rc == 0) != rounds[i].said)
			fail_msg("'%s': %d", rounds[i].answer, rc);
		assert_int_equal(got.ready, wanted->ready);
		assert_int_equal(got.leads, wanted->leads);
		assert_int_equal(got.term, wanted->term);
		assert_string_equal(got.role, wanted->role);
		if (rc == 0)
			assert_int_equal(got.leader, wanted->leader);
	}
	d->ops->close(d);
	stop(&s);
}

/* Its server says what PostgreSQL 13 does, so libpq asks a second time; the others are not asked.
 */
static void postgres__asks_only_the_nearest_node_of_cockroach(void **state)
{
	static const struct play plays[] = {
		{"T D=off C=SHOW Z", false}, {FOUND, false}, {"1 2 n C=INSERT_0_1 Z", false}};
	static const struct play alive[] = {
		{STATUS("f,0,0,t,"), false}, {STATUS("f,0,1,t,"), false}};
	struct driver_status got;
	struct server s[2];
	struct driver *d[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		start(&s[i], "R S=server_version:13.0.0 K Z", i ? alive : plays, i ? 2 : 3);
		d[i] = dial(s[i].port, 2, 0, "server=cockroach reads=follower");
	}
	assert_int_equal(ask(d[0], READ, PATIENCE_NS).value, 5);
	assert_non_null(strstr(s[0].request, "AS OF SYSTEM TIME follower_read_timestamp()"));
	assert_int_equal(ask(d[0], WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(s[0].connections, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(d[1]->ops->status(d[1], clock_now_ns() + PATIENCE_NS, &got), 0);
		assert_true(got.ready == (i == 1) && !got.leads && got.leader == -1);
		d[i]->ops->close(d[i]);
		stop(&s[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(postgres__maps_every_answer_to_its_outcome),
		cmocka_unit_test(postgres__takes_what_may_have_happened_for_unknown),
		cmocka_unit_test(postgres__takes_nothing_for_done_before_the_server_is_ready),
		cmocka_unit_test(postgres__takes_a_commit_that_did_not_wait_for_unknown),
		cmocka_unit_test(postgres__gives_up_a_connection_that_is_out_of_step),
		cmocka_unit_test(postgres__says_each_operation_in_one_statement),
		cmocka_unit_test(postgres__without_a_connection_nothing_was_sent),
		cmocka_unit_test(
			postgres__waits_for_a_primary_no_longer_than_one_operation_may_take),
		cmocka_unit_test(postgres__a_refused_connection_is_a_failure),
		cmocka_unit_test(postgres__finds_the_primary_among_the_nodes),
		cmocka_unit_test(postgres__reads_at_the_nearest_node_if_told_so),
		cmocka_unit_test(postgres__looks_for_the_primary_again_when_it_is_gone),
		cmocka_unit_test(postgres__asks_a_node_what_it_is),
		cmocka_unit_test(postgres__asks_only_the_nearest_node_of_cockroach),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
