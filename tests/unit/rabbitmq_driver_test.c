/* SPDX-License-Identifier: MIT */
/*
 * rabbitmq_driver_test.c - every outcome of the RabbitMQ driver, against a scripted broker
 *
 * The broker takes connections, channels, queues and consumers as they come (AMQP 0-9-1, "General
 * Frame Format" and the methods of the specification). What it does with each request of a test, a
 * publishing or a read, is the next play: words, one after the other.
 *
 *	ack nack return		what a publisher hears
 *	=TEXT ? ?other		a message that stands in the queue; the reader's mark; another's
 *	channel connection	are closed
 *	end			of the connection, without a word
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
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
#define SHORT_NS (300 * NS_PER_MS) /* enough to connect, and to ask */
#define FRAME_BYTES_MAX 4096
#define TAGS_MAX 16
#define METHOD(class, number) ((class) << 16 | (number))

enum {
	START = METHOD(10, 10),
	START_OK = METHOD(10, 11),
	TUNE = METHOD(10, 30),
	OPEN = METHOD(10, 40),
	OPEN_OK = METHOD(10, 41),
	CONNECTION_CLOSE = METHOD(10, 50),
	CHANNEL_OPEN = METHOD(20, 10),
	CHANNEL_OPEN_OK = METHOD(20, 11),
	CHANNEL_CLOSE = METHOD(20, 40),
	CHANNEL_CLOSE_OK = METHOD(20, 41),
	DECLARE = METHOD(50, 10),
	DECLARE_OK = METHOD(50, 11),
	CONSUME = METHOD(60, 20),
	CONSUME_OK = METHOD(60, 21),
	PUBLISH = METHOD(60, 40),
	RETURN = METHOD(60, 50),
	DELIVER = METHOD(60, 60),
	ACK = METHOD(60, 80),
	NACK = METHOD(60, 120),
	SELECT = METHOD(85, 10),
	SELECT_OK = METHOD(85, 11)
};
enum { FRAME_METHOD = 1, FRAME_HEADER = 2, FRAME_BODY = 3, FRAME_END = 0xce };

struct broker {
	int fd;
	uint16_t port;
	pthread_t thread;
	const char *const *play; /* one for each publishing or read, over all connections */
	unsigned plays;
	unsigned played;
	bool crumbs;  /* one byte at a time */
	int delay_ms; /* of the answer to each method */
	_Atomic unsigned connections;
	/* Of the connection at hand. */
	int client;
	uint64_t confirms;
	unsigned selected;        /* confirms were asked for, over all connections */
	unsigned declared;        /* queues, likewise */
	unsigned channel;         /* of the last publishing */
	char body[256];           /* likewise */
	uint64_t taken[TAGS_MAX]; /* delivery tags that readers took away */
	unsigned takes;
	int stop[2];
};

static void add_be(struct buf *out, uint64_t n, unsigned bytes)
{
	while (bytes--)
		buf_u8(out, (uint8_t)(n >> 8 * bytes));
}

static void add_short(struct buf *out, const char *text)
{
	add_be(out, strlen(text), 1);
	buf_add(out, text, strlen(text));
}

static void add_long(struct buf *out, const char *text)
{
	add_be(out, strlen(text), 4);
	buf_add(out, text, strlen(text));
}

static void send_bytes(const struct broker *b, const struct buf *bytes)
{
	size_t step = b->crumbs ? 1 : bytes->len;

	for (size_t i = 0; i < bytes->len; i += step) {
		if (send(b->client, bytes->p + i, step, MSG_NOSIGNAL) < 0)
			return;
	}
}

static void send_frame(const struct broker *b, unsigned type, unsigned channel, struct buf *payload)
{
	struct buf out = {0};

	add_be(&out, type, 1);
	add_be(&out, channel, 2);
	add_be(&out, payload->len, 4);
	buf_add(&out, payload->p, payload->len);
	add_be(&out, FRAME_END, 1);
	send_bytes(b, &out);
	buf_fini(&out);
	buf_fini(payload);
}

/* A method whose arguments are @zeros bytes of nothing. */
static void send_plain(const struct broker *b, unsigned channel, uint32_t method, unsigned zeros)
{
	struct buf out = {0};

	add_be(&out, method, 4);
	while (zeros--)
		add_be(&out, 0, 1);
	send_frame(b, FRAME_METHOD, channel, &out);
}

static void send_content(const struct broker *b, unsigned channel, const char *body)
{
	struct buf out = {0};

	add_be(&out, 60, 2);
	add_be(&out, 0, 2);
	add_be(&out, strlen(body), 8);
	add_be(&out, 0, 2);
	send_frame(b, FRAME_HEADER, channel, &out);
	out = (struct buf){0};
	buf_add(&out, body, strlen(body));
	send_frame(b, FRAME_BODY, channel, &out);
}

static void send_start(const struct broker *b)
{
	struct buf out = {0};

	add_be(&out, START, 4);
	add_be(&out, 9, 2); /* version 0-9 */
	add_be(&out, 0, 4); /* properties */
	add_long(&out, "PLAIN");
	add_long(&out, "en_US");
	send_frame(b, FRAME_METHOD, 0, &out);
}

static void send_tune(const struct broker *b)
{
	struct buf out = {0};

	add_be(&out, TUNE, 4);
	add_be(&out, 2047, 2);
	add_be(&out, 131072, 4);
	add_be(&out, 0, 2);
	send_frame(b, FRAME_METHOD, 0, &out);
}

static void send_confirm(struct broker *b, uint32_t method)
{
	struct buf out = {0};

	add_be(&out, method, 4);
	add_be(&out, b->confirms, 8);
	add_be(&out, 0, 1);
	send_frame(b, FRAME_METHOD, 1, &out);
}

static void send_return(const struct broker *b)
{
	struct buf out = {0};

	add_be(&out, RETURN, 4);
	add_be(&out, 312, 2);
	add_short(&out, "NO_ROUTE");
	add_short(&out, "");
	add_short(&out, "k7");
	send_frame(b, FRAME_METHOD, b->channel, &out);
	send_content(b, b->channel, b->body);
}

static void send_close(const struct broker *b, unsigned channel, uint32_t method)
{
	struct buf out = {0};

	add_be(&out, method, 4);
	add_be(&out, 320, 2);
	add_short(&out, "in words");
	add_be(&out, 0, 4);
	send_frame(b, FRAME_METHOD, channel, &out);
}

static void deliver(const struct broker *b, uint64_t tag, const char *body)
{
	struct buf out = {0};

	add_be(&out, DELIVER, 4);
	add_short(&out, "consumer");
	add_be(&out, tag, 8);
	add_be(&out, 0, 1);
	add_short(&out, "");
	add_short(&out, "k7");
	send_frame(b, FRAME_METHOD, b->channel, &out);
	send_content(b, b->channel, body);
}

/* Return: whether the connection goes on. */
static bool play(struct broker *b)
{
	char text[256];
	uint64_t tag = 0;
	char *rest;

	if (b->played == b->plays)
		return true; /* silence */
	(void)snprintf(text, sizeof text, "%s", b->play[b->played++]);
	for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		if (strcmp(w, "ack") == 0)
			send_confirm(b, ACK);
		else if (strcmp(w, "nack") == 0)
			send_confirm(b, NACK);
		else if (strcmp(w, "return") == 0)
			send_return(b);
		else if (strcmp(w, "channel") == 0)
			send_close(b, b->channel, CHANNEL_CLOSE);
		else if (strcmp(w, "connection") == 0)
			send_close(b, 0, CONNECTION_CLOSE);
		else if (strcmp(w, "?") == 0)
			deliver(b, ++tag, b->body);
		else if (w[0] == '=' || w[0] == '?')
			deliver(b, ++tag, w[0] == '=' ? w + 1 : w);
		else
			return false;
	}
	return true;
}

static bool readable(const struct broker *b, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = b->stop[0], .events = POLLIN}};

	return poll(p, 2, -1) > 0 && !p[1].revents;
}

static bool receive(const struct broker *b, void *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n =
			readable(b, b->client) ? recv(b->client, (char *)to + at, len - at, 0) : 0;

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* Return: whether the connection goes on. */
static bool answer(struct broker *b, unsigned channel, uint32_t method, const uint8_t *args)
{
	struct pollfd stopped = {.fd = b->stop[0], .events = POLLIN};

	if (b->delay_ms)
		(void)poll(&stopped, 1, b->delay_ms);
	switch (method) {
	case START_OK:
		send_tune(b);
		return true;
	case OPEN:
		send_plain(b, channel, OPEN_OK, 1);
		return true;
	case CHANNEL_OPEN:
		send_plain(b, channel, CHANNEL_OPEN_OK, 4);
		return true;
	case SELECT:
		b->selected++;
		send_plain(b, channel, SELECT_OK, 0);
		return true;
	case DECLARE:
		b->declared++;
		send_plain(b, channel, DECLARE_OK, 9);
		return true;
	case CHANNEL_CLOSE:
		send_plain(b, channel, CHANNEL_CLOSE_OK, 0);
		return true;
	case PUBLISH:
		b->channel = channel;
		return true;
	case CONSUME:
		send_plain(b, channel, CONSUME_OK, 1);
		return play(b);
	case ACK:
		if (b->takes < TAGS_MAX)
			b->taken[b->takes++] = args[7];
		return true;
	default:
		return true;
	}
}

/* Return: whether the connection goes on. */
static bool take_frame(struct broker *b)
{
	uint8_t head[7];
	uint8_t body[FRAME_BYTES_MAX];
	unsigned channel;
	size_t len;

	if (!receive(b, head, sizeof head))
		return false;
	channel = (unsigned)head[1] << 8 | head[2];
	len = (size_t)head[5] << 8 | head[6];
	if (head[3] || head[4] || len + 1 > sizeof body || !receive(b, body, len + 1))
		return false;
	if (head[0] == FRAME_METHOD && len >= 4)
		return answer(b, channel,
			METHOD((uint32_t)(body[0] << 8 | body[1]),
				(uint32_t)(body[2] << 8 | body[3])),
			body + 4);
	if (head[0] != FRAME_BODY)
		return true;
	(void)snprintf(b->body, sizeof b->body, "%.*s", (int)len, (const char *)body);
	if (channel != 1)
		return true;
	b->confirms++;
	return play(b);
}

static void *broker_main(void *arg)
{
	struct broker *b = arg;
	char hello[8];
	int one = 1;

	while (readable(b, b->fd)) {
		b->client = accept(b->fd, NULL, NULL);
		(void)setsockopt(b->client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		b->connections++;
		b->confirms = 0;
		if (receive(b, hello, sizeof hello)) {
			send_start(b);
			while (take_frame(b))
				;
		}
		close(b->client);
	}
	return NULL;
}

static void start(struct broker *b, const char *const *plays, unsigned many, bool crumbs)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;

	memset(b, 0, sizeof *b);
	b->play = plays;
	b->plays = many;
	b->crumbs = crumbs;
	b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(b->fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(b->fd, 4), 0);
	assert_int_equal(getsockname(b->fd, (struct sockaddr *)&addr, &len), 0);
	b->port = ntohs(addr.sin_port);
	assert_int_equal(pipe(b->stop), 0);
	assert_int_equal(pthread_create(&b->thread, NULL, broker_main, b), 0);
}

static void stop(struct broker *b)
{
	close(b->stop[1]);
	pthread_join(b->thread, NULL);
	close(b->stop[0]);
	close(b->fd);
}

static struct driver *dial(uint16_t port)
{
	static uint32_t local_be;
	const struct driver_target target = {
		.addr_be = &local_be, .nodes = 1, .port = port, .settings = "queue=quorum"};

	local_be = htonl(INADDR_LOOPBACK);
	return need_driver("rabbitmq")->open(&target);
}

enum request { READ, WRITE };

static struct driver_result ask(struct driver *d, enum request what, uint64_t timeout_ns)
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

static void rabbitmq__maps_every_answer_to_its_outcome(void **state)
{
	static const struct {
		enum request what;
		const char *play;
		enum history_type outcome;
		enum history_error error;
		uint64_t value;
		unsigned connections; /* after a second request */
	} o[] = {
		{WRITE, "ack", HISTORY_OK, 0, 0, 1},
		{WRITE, "nack", HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0, 2},
		{WRITE, "return ack", HISTORY_FAIL, HISTORY_REFUSED, 0, 2},
		{WRITE, "channel", HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, "connection", HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, "end", HISTORY_UNKNOWN, HISTORY_CLOSED, 0, 2},
		{WRITE, "", HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0, 2},
		{READ, "?", HISTORY_OK, 0, 0, 1},
		{READ, "=17 ?", HISTORY_OK, 0, 17, 1},
		{READ, "=17 =18 ?", HISTORY_OK, 0, 18, 1},
		{READ, "=17 ?other =18 ? =19", HISTORY_OK, 0, 18, 1},
		{READ, "=x ?", HISTORY_FAIL, HISTORY_OTHER, 0, 1},
		{READ, "=17", HISTORY_FAIL, HISTORY_TIMEOUT, 0, 2},
		{READ, "=17 channel", HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, "=17 connection", HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, "=17 end", HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
		{READ, "return", HISTORY_FAIL, HISTORY_CLOSED, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof o / sizeof *o; i++) {
		const char *const plays[] = {o[i / 2].play, "=5 ?"};
		struct driver_result r;
		struct driver *d;
		struct broker b;

		start(&b, plays, 2, i % 2);
		d = dial(b.port);
		d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
		r = ask(d, o[i / 2].what,
			o[i / 2].error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
		if (r.outcome != o[i / 2].outcome || r.error != o[i / 2].error ||
			r.value != o[i / 2].value)
			fail_msg("play '%s': outcome %d error %s value %llu", o[i / 2].play,
				r.outcome,
				r.error < HISTORY_ERROR_NR ? history_error_names[r.error] : "?",
				(unsigned long long)r.value);
		r = ask(d, READ, PATIENCE_NS);
		if (r.outcome != HISTORY_OK || r.value != 5)
			fail_msg("after play '%s': outcome %d error %s value %llu", o[i / 2].play,
				r.outcome, history_error_names[r.error],
				(unsigned long long)r.value);
		if (b.connections != o[i / 2].connections)
			fail_msg("play '%s': %u connections", o[i / 2].play, b.connections);
		d->ops->close(d);
		stop(&b);
	}
}

/* 17 has been replaced for everybody; 18 has not for him whose mark stands behind it. */
static void rabbitmq__takes_away_what_nobody_can_read_again(void **state)
{
	static const char *const plays[] = {"=17 =18 ?other =19 =20 ? =21"};
	static const uint64_t taken[] = {1, 4, 6}; /* 17, 19, the mark */
	struct driver_result r;
	struct driver *d;
	struct broker b;

	(void)state;
	start(&b, plays, 1, false);
	d = dial(b.port);
	r = ask(d, READ, PATIENCE_NS);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(r.value, 20);
	d->ops->close(d);
	stop(&b);
	assert_int_equal(b.takes, sizeof taken / sizeof *taken);
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		assert_int_equal(b.taken[i], taken[i]);
	assert_int_equal(b.declared, 1);
}

static void rabbitmq__reads_a_list_and_takes_nothing_of_it_away(void **state)
{
	static const char *const plays[] = {"ack", "=3, =4, ?other =5, ?"};
	struct buf text = {0};
	struct driver_result r;
	struct driver *d;
	struct broker b;

	(void)state;
	start(&b, plays, 2, true);
	d = dial(b.port);
	buf_printf(&text, "3,");
	d->ops->append(d, 7, &text, clock_now_ns() + PATIENCE_NS, &r);
	assert_int_equal(r.outcome, HISTORY_OK);
	d->ops->get(d, 7, clock_now_ns() + PATIENCE_NS, &text, &r);
	assert_int_equal(r.outcome, HISTORY_OK);
	assert_int_equal(text.len, 6);
	assert_memory_equal(text.p, "3,4,5,", 6);
	d->ops->close(d);
	stop(&b);
	buf_fini(&text);
	assert_int_equal(b.takes, 1);
	assert_int_equal(b.taken[0], 5);
	assert_int_equal(b.declared, 1);
}

static void rabbitmq__without_a_connection_nothing_was_sent(void **state)
{
	struct driver_result r;
	struct driver *d;
	struct broker b;
	uint16_t port;

	(void)state;
	start(&b, NULL, 0, false);
	port = b.port;
	stop(&b);
	d = dial(port);
	for (int what = READ; what <= WRITE; what++) {
		r = ask(d, (enum request)what, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_FAIL);
		assert_int_equal(r.error, HISTORY_CONNECT);
	}
	d->ops->close(d);
}

/* Each answer comes in time, all together do not. */
static void rabbitmq__has_one_deadline_for_all_that_it_asks_on_the_way(void **state)
{
	struct driver_result r;
	struct driver *d;
	struct broker b;

	(void)state;
	start(&b, NULL, 0, false);
	b.delay_ms = 80;
	d = dial(b.port);
	r = ask(d, WRITE, SHORT_NS);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	d->ops->close(d);
	stop(&b);
	assert_int_equal(b.selected, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rabbitmq__maps_every_answer_to_its_outcome),
		cmocka_unit_test(rabbitmq__takes_away_what_nobody_can_read_again),
		cmocka_unit_test(rabbitmq__reads_a_list_and_takes_nothing_of_it_away),
		cmocka_unit_test(rabbitmq__without_a_connection_nothing_was_sent),
		cmocka_unit_test(rabbitmq__has_one_deadline_for_all_that_it_asks_on_the_way),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
