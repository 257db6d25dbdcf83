/* SPDX-License-Identifier: MIT */
/*
 * zookeeper_driver_test.c - every outcome of the ZooKeeper driver, against a scripted server
 *
 * The server knows as much of the protocol as it takes: frames of a length and that many bytes, all
 * numbers big-endian; the handshake; pings; the end of a session. What it does with each other
 * request is what the test says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
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
#define PLAYS_MAX 128
#define FRAME_MAX 512
#define STAT_BYTES 68
#define STAT_VERSION 32 /* offset */

/* Requests and errors by their numbers in the protocol. */
enum type { CREATE = 1, GET = 4, SET = 5, SYNC = 9, PING = 11, CLOSE = -11 };
enum {
	SYSTEM_ERROR = -1,
	UNIMPLEMENTED = -6,
	NO_NODE = -101,
	NO_AUTH = -102,
	BAD_VERSION = -103,
	NODE_EXISTS = -110,
	SESSION_EXPIRED = -112,
	SESSION_MOVED = -118,
	NOT_READ_ONLY = -119,
	THROTTLED = -127,
	NEVER_HEARD_OF = -90,
};

enum manner {
	AT_ONCE,
	NEVER,
	LATE,    /* with the answer to the next request, before it */
	HANG_UP, /* instead of an answer */
};

/* What the server does with a request, which must be of this type. */
struct play {
	enum type type;
	int error;
	const char *data; /* of the node, with GET */
	int version;
	enum manner manner;
};

struct asked {
	int type;
	char path[32];
	char data[32];
	int version;
};

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	int stop[2];
	const struct play *play; /* one for each request, over all connections */
	unsigned plays;
	bool silent;      /* says nothing to a handshake */
	bool expires;     /* the session of who comes back is over */
	const char *srvr; /* what it says of itself, NULL: nothing, "": closes at once */
	unsigned char late[FRAME_MAX];
	size_t late_len;
	_Atomic unsigned at; /* plays done */
	_Atomic unsigned handshakes;
	_Atomic uint64_t sessions; /* given out; the number of the last one */
	struct asked asked[PLAYS_MAX];
};

/*
 * Bytes.
 */
struct out {
	unsigned char p[FRAME_MAX];
	size_t len;
};

static void put(struct out *o, const void *p, size_t len)
{
	assert_true(o->len + len <= sizeof o->p);
	memcpy(o->p + o->len, p, len);
	o->len += len;
}

static void put_int(struct out *o, int32_t n)
{
	uint32_t be = htobe32((uint32_t)n);

	put(o, &be, sizeof be);
}

static void put_long(struct out *o, uint64_t n)
{
	uint64_t be = htobe64(n);

	put(o, &be, sizeof be);
}

static void put_text(struct out *o, const char *text)
{
	put_int(o, (int32_t)strlen(text));
	put(o, text, strlen(text));
}

static void put_stat(struct out *o, int version)
{
	unsigned char stat[STAT_BYTES] = {0};
	uint32_t be = htobe32((uint32_t)version);

	memcpy(stat + STAT_VERSION, &be, sizeof be);
	put(o, stat, sizeof stat);
}

struct in {
	const unsigned char *p;
	size_t left;
};

static void take(struct in *in, void *ret, size_t len)
{
	memset(ret, 0, len);
	if (len > in->left)
		len = in->left;
	memcpy(ret, in->p, len);
	in->p += len;
	in->left -= len;
}

static int32_t take_int(struct in *in)
{
	uint32_t be;

	take(in, &be, sizeof be);
	return (int32_t)be32toh(be);
}

static uint64_t take_long(struct in *in)
{
	uint64_t be;

	take(in, &be, sizeof be);
	return be64toh(be);
}

static void take_text(struct in *in, char *ret, size_t size)
{
	int32_t len = take_int(in);

	if (len < 0 || (size_t)len >= size)
		len = 0;
	take(in, ret, (size_t)len);
	ret[len] = '\0';
}

/*
 * The server. It returns false where the connection ends, and stops when the test says so.
 */
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

static void send_frame(int fd, const struct out *o)
{
	uint32_t be = htobe32((uint32_t)o->len);

	(void)send(fd, &be, sizeof be, MSG_NOSIGNAL);
	(void)send(fd, o->p, o->len, MSG_NOSIGNAL);
}

static void shake_hands(struct server *s, int fd, struct in *in)
{
	struct out o = {.len = 0};
	unsigned char password[16] = {0};
	int timeout;
	uint64_t session;

	s->handshakes++;
	(void)take_int(in);
	(void)take_long(in);
	timeout = take_int(in);
	session = take_long(in);
	if (s->silent)
		return;
	if (session == 0)
		session = ++s->sessions;
	else if (s->expires)
		session = 0;
	put_int(&o, 0);
	put_int(&o, timeout);
	put_long(&o, session);
	put_int(&o, sizeof password);
	put(&o, password, sizeof password);
	put(&o, "", 1); /* not read-only */
	send_frame(fd, &o);
}

static void add_head(struct out *o, int xid, int error)
{
	put_int(o, xid);
	put_long(o, 1);
	put_int(o, error);
}

static void add_body(struct out *o, const struct play *play, const char *path)
{
	if (play->error)
		return;
	if (play->type == GET)
		put_text(o, play->data);
	if (play->type == GET || play->type == SET)
		put_stat(o, play->version);
	else
		put_text(o, path);
}

static void remember(struct asked *asked, int type, struct in *in)
{
	asked->type = type;
	take_text(in, asked->path, sizeof asked->path);
	if (type == SET || type == CREATE)
		take_text(in, asked->data, sizeof asked->data);
	if (type == SET)
		asked->version = take_int(in);
}

static bool play_on(struct server *s, int fd, int xid, int type, struct in *in)
{
	const struct play *play = &s->play[s->at];
	struct out o = {.len = 0};

	if (s->at == s->plays || type != (int)play->type)
		return false;
	remember(&s->asked[s->at], type, in);
	if (s->late_len)
		(void)send(fd, s->late, s->late_len, MSG_NOSIGNAL);
	s->late_len = 0;
	add_head(&o, xid, play->error);
	add_body(&o, play, s->asked[s->at].path);
	if (play->manner == AT_ONCE)
		send_frame(fd, &o);
	if (play->manner == LATE) {
		uint32_t be = htobe32((uint32_t)o.len);

		memcpy(s->late, &be, sizeof be);
		memcpy(s->late + sizeof be, o.p, o.len);
		s->late_len = sizeof be + o.len;
	}
	s->at++;
	return play->manner != HANG_UP;
}

static bool answer(struct server *s, int fd, struct in *in)
{
	int xid = take_int(in), type = take_int(in);
	struct out o = {.len = 0};

	if (type != PING && type != CLOSE)
		return play_on(s, fd, xid, type, in);
	add_head(&o, xid, 0);
	send_frame(fd, &o);
	return type == PING;
}

static void serve(struct server *s, int fd)
{
	unsigned char frame[FRAME_MAX];
	bool greeted = false;
	uint32_t be;

	while (receive(s, fd, &be, sizeof be)) {
		struct in in = {.p = frame, .left = be32toh(be)};

		if (memcmp(&be, "srvr", sizeof be) == 0) {
			if (s->srvr)
				(void)send(fd, s->srvr, strlen(s->srvr), MSG_NOSIGNAL);
			else
				(void)receive(s, fd, &be, sizeof be);
			return;
		}
		if (in.left > sizeof frame || !receive(s, fd, frame, in.left))
			return;
		if (!greeted)
			shake_hands(s, fd, &in);
		else if (!answer(s, fd, &in))
			return;
		greeted = true;
	}
}

static void *server_main(void *arg)
{
	struct server *s = arg;

	while (readable(s, s->fd)) {
		int fd = accept(s->fd, NULL, NULL);

		s->late_len = 0;
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

	assert_true(plays <= PLAYS_MAX);
	s->play = play;
	s->plays = plays;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(s->fd, 8), 0);
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

/*
 * The driver.
 */
static struct driver *dial(uint16_t port, const char *settings)
{
	const struct driver_ops *ops = need_driver("zookeeper");
	static uint32_t local_be;
	static struct driver_target target;

	target = (struct driver_target){
		.addr_be = &local_be, .nodes = 1, .port = port, .settings = settings};

	local_be = htonl(INADDR_LOOPBACK);
	return ops->open(&target);
}

enum ask { READ, WRITE, CAS, FIRST }; /* FIRST: CAS of nothing */

static struct driver_result ask(struct driver *d, enum ask what, uint64_t timeout_ns)
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

struct outcome {
	const char *settings;
	enum ask what;
	struct play play[5]; /* up to the first of type 0 */
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
};

static void assert_outcome(const struct outcome *o)
{
	struct server s = {.srvr = ""};
	struct driver_result r;
	struct driver *d;
	unsigned plays = 0;
	bool late = false;

	for (; plays < 5 && o->play[plays].type; plays++)
		late = late || o->play[plays].manner == NEVER;
	start(&s, o->play, plays);
	d = dial(s.port, o->settings);
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	r = ask(d, o->what, late ? SHORT_NS : PATIENCE_NS);
	d->ops->close(d);
	stop(&s);
	if (s.at != plays || r.outcome != o->outcome || r.error != o->error || r.value != o->value)
		fail_msg("ask %d '%s', first answer %d: %u of %u plays, outcome %d error %s value "
			 "%llu",
			o->what, o->settings, o->play[0].error, s.at, plays, r.outcome,
			history_error_names[r.error], (unsigned long long)r.value);
}

#define NOWAIT "reads=local"
#define SYNCED "session=4000 reads=sync"

static void zookeeper_driver__maps_every_end_of_a_read(void **state)
{
	static const struct outcome outcomes[] = {
		{NOWAIT, READ, {{GET, 0, "42", 1, 0}}, HISTORY_OK, 0, 42},
		{NOWAIT, READ, {{GET, 0, "18446744073709551615", 1, 0}}, HISTORY_OK, 0, UINT64_MAX},
		{NOWAIT, READ, {{GET, NO_NODE, 0, 0, 0}}, HISTORY_OK, 0, 0},
		{NOWAIT, READ, {{GET, 0, "", 1, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{NOWAIT, READ, {{GET, 0, "x", 1, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{NOWAIT, READ, {{GET, NO_AUTH, 0, 0, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{NOWAIT, READ, {{GET, SYSTEM_ERROR, 0, 0, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{NOWAIT, READ, {{GET, SESSION_EXPIRED, 0, 0, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{NOWAIT, READ, {{GET, 0, "42", 1, HANG_UP}}, HISTORY_FAIL, HISTORY_CLOSED, 0},
		{NOWAIT, READ, {{GET, 0, "42", 1, NEVER}}, HISTORY_FAIL, HISTORY_TIMEOUT, 0},
		{SYNCED, READ, {{SYNC, 0, 0, 0, 0}, {GET, 0, "42", 1, 0}}, HISTORY_OK, 0, 42},
		{SYNCED, READ, {{SYNC, 0, 0, 0, 0}, {GET, NO_NODE, 0, 0, 0}}, HISTORY_OK, 0, 0},
		{SYNCED, READ, {{SYNC, NO_AUTH, 0, 0, 0}, {GET, 0, "42", 1, 0}}, HISTORY_FAIL,
			HISTORY_OTHER, 0},
		{SYNCED, READ, {{SYNC, SYSTEM_ERROR, 0, 0, 0}, {GET, NO_NODE, 0, 0, 0}},
			HISTORY_FAIL, HISTORY_OTHER, 0},
		{SYNCED, READ, {{SYNC, 0, 0, 0, 0}, {GET, 0, "42", 1, NEVER}}, HISTORY_FAIL,
			HISTORY_TIMEOUT, 0},
		{SYNCED, READ, {{SYNC, 0, 0, 0, NEVER}, {GET, 0, "42", 1, NEVER}}, HISTORY_FAIL,
			HISTORY_TIMEOUT, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		assert_outcome(&outcomes[i]);
}

static void zookeeper_driver__maps_every_end_of_a_write(void **state)
{
	static const struct outcome outcomes[] = {
		{"", WRITE, {{SET, 0, 0, 1, 0}}, HISTORY_OK, 0, 0},
		{"", WRITE, {{SET, NO_NODE, 0, 0, 0}, {CREATE, 0, 0, 0, 0}}, HISTORY_OK, 0, 0},
		{"", WRITE,
			{{SET, NO_NODE, 0, 0, 0}, {CREATE, NODE_EXISTS, 0, 0, 0},
				{SET, 0, 0, 1, 0}},
			HISTORY_OK, 0, 0},
		{"", WRITE,
			{{SET, NO_NODE, 0, 0, 0}, {CREATE, NODE_EXISTS, 0, 0, 0},
				{SET, NO_NODE, 0, 0, 0}},
			HISTORY_FAIL, HISTORY_OTHER, 0},
		{"", WRITE, {{SET, NO_NODE, 0, 0, 0}, {CREATE, 0, 0, 0, NEVER}}, HISTORY_UNKNOWN,
			HISTORY_TIMEOUT, 0},
		{"", WRITE, {{SET, NO_NODE, 0, 0, 0}, {CREATE, 0, 0, 0, HANG_UP}}, HISTORY_UNKNOWN,
			HISTORY_CLOSED, 0},
		{"", WRITE, {{SET, NO_NODE, 0, 0, HANG_UP}}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0},
		{"", WRITE, {{SET, 0, 0, 1, NEVER}}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0},
		{"", WRITE, {{SET, SYSTEM_ERROR, 0, 0, 0}}, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{"", WRITE, {{SET, NEVER_HEARD_OF, 0, 0, 0}}, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{"", WRITE, {{SET, NO_AUTH, 0, 0, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{"", WRITE, {{SET, UNIMPLEMENTED, 0, 0, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{"", WRITE, {{SET, NOT_READ_ONLY, 0, 0, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{"", WRITE, {{SET, SESSION_EXPIRED, 0, 0, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{"", WRITE, {{SET, SESSION_MOVED, 0, 0, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{"", WRITE, {{SET, THROTTLED, 0, 0, 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		assert_outcome(&outcomes[i]);
}

static void zookeeper_driver__maps_every_end_of_a_compare_and_set(void **state)
{
	static const struct play old = {GET, 0, "41", 3, 0}, other = {GET, 0, "40", 2, 0},
				 none = {GET, NO_NODE, 0, 0, 0}, sync = {SYNC, 0, 0, 0, 0};
	const struct outcome outcomes[] = {
		{"", CAS, {old, {SET, 0, 0, 4, 0}}, HISTORY_OK, 0, 0},
		{"", CAS, {old, {SET, BAD_VERSION, 0, 0, 0}}, HISTORY_OK, HISTORY_UNMET, 0},
		{"", CAS, {old, {SET, 0, 0, 4, NEVER}}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0},
		{"", CAS, {old, {SET, 0, 0, 4, HANG_UP}}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0},
		{"", CAS, {old, {SET, NO_NODE, 0, 0, 0}}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{"", CAS, {other, sync, other}, HISTORY_OK, HISTORY_UNMET, 0},
		{"", CAS, {none, sync, none}, HISTORY_OK, HISTORY_UNMET, 0},
		/* It was old news that another value is there. */
		{"", CAS, {other, sync, old, {SET, 0, 0, 4, 0}}, HISTORY_OK, 0, 0},
		{"", CAS, {other, {SYNC, 0, 0, 0, HANG_UP}}, HISTORY_FAIL, HISTORY_CLOSED, 0},
		{"", CAS, {{GET, 0, "41", 3, HANG_UP}}, HISTORY_FAIL, HISTORY_CLOSED, 0},
		{"", CAS, {{GET, 0, "41", 3, NEVER}}, HISTORY_FAIL, HISTORY_TIMEOUT, 0},
		{SYNCED, CAS, {sync, other}, HISTORY_OK, HISTORY_UNMET, 0},
		{SYNCED, CAS, {sync, old, {SET, 0, 0, 4, 0}}, HISTORY_OK, 0, 0},
		{"", FIRST, {none, {CREATE, 0, 0, 0, 0}}, HISTORY_OK, 0, 0},
		{"", FIRST, {none, {CREATE, NODE_EXISTS, 0, 0, 0}}, HISTORY_OK, HISTORY_UNMET, 0},
		{"", FIRST, {none, {CREATE, 0, 0, 0, NEVER}}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0},
		{"", FIRST, {other, sync, other}, HISTORY_OK, HISTORY_UNMET, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		assert_outcome(&outcomes[i]);
}

static void zookeeper_driver__sets_the_version_that_it_read(void **state)
{
	static const struct play plays[] = {
		{GET, 0, "41", 17, 0}, {SET, 0, 0, 18, 0}, {SET, 0, 0, 19, 0}};
	struct server s = {.srvr = ""};
	struct driver *d;

	(void)state;
	start(&s, plays, 3);
	d = dial(s.port, "");
	assert_int_equal(ask(d, CAS, PATIENCE_NS).outcome, HISTORY_OK);
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	d->ops->close(d);
	stop(&s);
	assert_string_equal(s.asked[0].path, "/k7");
	assert_string_equal(s.asked[1].path, "/k7");
	assert_string_equal(s.asked[1].data, "42");
	assert_int_equal(s.asked[1].version, 17);
	assert_int_equal(s.asked[2].version, -1); /* any */
	assert_int_equal(s.handshakes, 1);
}

static void zookeeper_driver__gives_a_late_answer_to_nobody(void **state)
{
	struct play plays[40];
	struct server s = {.srvr = ""};
	struct driver *d;

	(void)state;
	for (unsigned i = 0; i < 40; i += 2) {
		plays[i] = (struct play){SET, 0, NULL, 1, LATE};
		plays[i + 1] = (struct play){GET, 0, "5", 1, AT_ONCE};
	}
	start(&s, plays, 40);
	d = dial(s.port, "");
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	for (unsigned i = 0; i < 40; i += 2) {
		struct driver_result r = ask(d, WRITE, 2 * NS_PER_MS);

		assert_int_equal(r.outcome, HISTORY_UNKNOWN);
		assert_int_equal(r.error, HISTORY_TIMEOUT);
		r = ask(d, READ, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_OK);
		assert_int_equal(r.value, 5);
	}
	d->ops->close(d);
	stop(&s);
	assert_int_equal(s.handshakes, 1);
}

/* More than that wait for an answer: nothing more is sent, and nothing is lost when all ends. */
static void zookeeper_driver__has_a_limit_to_calls_without_an_answer(void **state)
{
	struct play plays[PLAYS_MAX];
	struct server s = {.srvr = ""};
	struct driver_result r = {.outcome = HISTORY_UNKNOWN};
	struct driver *d;
	unsigned calls = 0;

	(void)state;
	for (unsigned i = 0; i < PLAYS_MAX; i++)
		plays[i] = (struct play){SET, 0, NULL, 1, NEVER};
	start(&s, plays, PLAYS_MAX);
	d = dial(s.port, "session=60000");
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	for (; r.outcome == HISTORY_UNKNOWN && calls < PLAYS_MAX; calls++)
		r = ask(d, WRITE, NS_PER_MS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	assert_int_equal(calls, 65);
	d->ops->close(d);
	stop(&s);
}

static void zookeeper_driver__takes_an_answer_to_another_request_for_none(void **state)
{
	static const struct play plays[] = {{SET, 0, 0, 1, NEVER}, {SET, 0, 0, 1, 0}};
	struct server s = {.srvr = ""};
	struct driver_result r;
	struct driver *d;

	(void)state;
	start(&s, plays, 2);
	d = dial(s.port, "");
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	r = ask(d, WRITE, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_OTHER);
	d->ops->close(d);
	stop(&s);
}

static void zookeeper_driver__keeps_its_session_over_a_broken_connection(void **state)
{
	static const struct play plays[] = {{SET, 0, 0, 1, HANG_UP}, {GET, 0, "5", 1, 0}};
	struct server s = {.srvr = ""};
	struct driver_result r;
	struct driver *d;

	(void)state;
	start(&s, plays, 2);
	d = dial(s.port, "");
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_CLOSED);
	r = ask(d, READ, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(r.value, 5);
	assert_int_equal(s.sessions, 1);
	assert_int_equal(s.handshakes, 2);
	d->ops->close(d);
	stop(&s);
}

static void zookeeper_driver__begins_another_session_when_one_has_expired(void **state)
{
	static const struct play plays[] = {{SET, 0, 0, 1, HANG_UP}, {GET, 0, "5", 1, 0}};
	struct server s = {.srvr = "", .expires = true};
	struct driver_result r;
	struct driver *d;

	(void)state;
	start(&s, plays, 2);
	d = dial(s.port, "");
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	r = ask(d, READ, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(r.value, 5);
	assert_int_equal(s.sessions, 2);
	d->ops->close(d);
	stop(&s);
}

static void zookeeper_driver__gives_up_a_silent_server_after_two_thirds_of_a_session(void **state)
{
	static const struct play plays[] = {{SET, 0, 0, 1, NEVER}};
	struct server s = {.srvr = ""};
	struct driver_result r;
	struct driver *d;

	(void)state;
	start(&s, plays, 1);
	d = dial(s.port, "session=150");
	r = ask(d, WRITE, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_UNKNOWN);
	assert_int_equal(r.error, HISTORY_CLOSED);
	d->ops->close(d);
	stop(&s);
}

static void assert_never_connects(uint16_t port)
{
	for (int what = READ; what <= FIRST; what++) {
		uint64_t begin = clock_now_ns();
		struct driver *d = dial(port, "reads=sync");
		struct driver_result r = ask(d, (enum ask)what, SHORT_NS);

		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
		assert_true(clock_now_ns() - begin >= SHORT_NS);
		assert_true(clock_now_ns() - begin < PATIENCE_NS);
		d->ops->close(d);
	}
}

static void zookeeper_driver__sends_nothing_without_a_session(void **state)
{
	struct server refuses = {.srvr = ""}, silent = {.srvr = "", .silent = true};

	(void)state;
	start(&refuses, NULL, 0);
	stop(&refuses);
	assert_never_connects(refuses.port);
	start(&silent, NULL, 0);
	assert_never_connects(silent.port);
	stop(&silent);
}

struct said {
	const char *srvr;
	int status;
	struct driver_status expected;
};

static void assert_status(const struct said *said)
{
	struct server s = {.srvr = said->srvr};
	struct driver_status got;
	struct driver *d;
	int status;

	start(&s, NULL, 0);
	d = dial(s.port, "");
	status = d->ops->status(d, clock_now_ns() + (said->srvr ? PATIENCE_NS : SHORT_NS), &got);
	d->ops->close(d);
	stop(&s);
	assert_int_equal(status, said->status);
	if (status < 0)
		return;
	assert_string_equal(got.role, said->expected.role);
	assert_int_equal(got.ready, said->expected.ready);
	assert_int_equal(got.leads, said->expected.leads);
	assert_int_equal(got.leader, said->expected.leader);
	assert_int_equal(got.term, said->expected.term);
}

static void zookeeper_driver__says_what_its_server_is(void **state)
{
	static const char head[] = "Zookeeper version: 3.8.0\nReceived: 1\n";
	static const struct said all[] = {
		{"version\nZxid: 0x30000000a\nMode: leader\nNode count: 5\n", 0,
			{true, true, 0, 3, "leader"}},
		{"version\nZxid: 0x100000000\nMode: follower\n", 0,
			{true, false, -1, 1, "follower"}},
		{"version\nZxid: 0x0\nMode: observer\n", 0, {true, false, -1, 0, "observer"}},
		{"version\nZxid: 0x5\nMode: standalone\n", 0, {true, true, 0, 0, "standalone"}},
		{"version\nMode: read-only\n", 0, {false, false, -1, 0, "read-only"}},
		{"version\nMode: a name that is longer than any role\n", 0,
			{false, false, -1, 0, "a name that is longer t"}},
		{"This ZooKeeper instance is not currently serving requests\n", 0,
			{false, false, -1, 0, "not serving"}},
		{"srvr is not executed because it is not in the whitelist.\n", -EPROTO, {0}},
		{head, -EPROTO, {0}},
		{"", -EPROTO, {0}},
		{NULL, -ETIMEDOUT, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		assert_status(&all[i]);
}

/* The library forgets the calls that have no answer when a session is closed; they are few. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libzookeeper_mt";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zookeeper_driver__maps_every_end_of_a_read),
		cmocka_unit_test(zookeeper_driver__maps_every_end_of_a_write),
		cmocka_unit_test(zookeeper_driver__maps_every_end_of_a_compare_and_set),
		cmocka_unit_test(zookeeper_driver__sets_the_version_that_it_read),
		cmocka_unit_test(zookeeper_driver__gives_a_late_answer_to_nobody),
		cmocka_unit_test(zookeeper_driver__has_a_limit_to_calls_without_an_answer),
		cmocka_unit_test(zookeeper_driver__takes_an_answer_to_another_request_for_none),
		cmocka_unit_test(zookeeper_driver__keeps_its_session_over_a_broken_connection),
		cmocka_unit_test(zookeeper_driver__begins_another_session_when_one_has_expired),
		cmocka_unit_test(
			zookeeper_driver__gives_up_a_silent_server_after_two_thirds_of_a_session),
		cmocka_unit_test(zookeeper_driver__sends_nothing_without_a_session),
		cmocka_unit_test(zookeeper_driver__says_what_its_server_is),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
