/* SPDX-License-Identifier: MIT */
/*
 * resp.c - driver for stores that speak RESP: our own, Redis, Valkey
 *
 * Blocking, one request in flight, one write(2) per request. Key number 7 is "k7", values of
 * registers are decimal numbers, compare-and-set is SET key new IFEQ old as in Valkey 8.1.
 *
 *	CLOSED --connect()--> CONNECTING --writable--> OPEN
 *	  ^---- refused, timeout, broken, garbage ------'
 *
 * A connection attempt outlives the operation's wait only in idle time: one that is still under
 * way when an operation starts is waited for, not begun again.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/load/drivers/driver.h"
#include "agent/load/drivers/resp_answer.h"

#define RECEIVE_BYTES 4096

enum state { CLOSED, CONNECTING, OPEN };

struct resp {
	struct driver driver;
	struct sockaddr_in addr;
	enum state state;
	int fd;
	uint64_t wait_ns;  /* SO_RCVTIMEO of the socket: how long recv() may block */
	struct buf in;     /* an answer on its way */
	struct buf out;    /* a request */
	struct buf *token; /* of the session, NULL: none */
	const char *level; /* of each request, NULL: the store's */
};

static struct resp *resp_of(struct driver *d)
{
	return (struct resp *)d;
}

/*
 * Connection.
 */
static struct driver *resp_open(const struct driver_target *target)
{
	struct resp *r = calloc(1, sizeof *r);

	assert(r);
	r->driver.ops = &resp_driver;
	r->addr.sin_family = AF_INET;
	r->addr.sin_addr.s_addr = target->addr_be[target->contact];
	r->addr.sin_port = htons(target->port);
	r->fd = -1;
	return &r->driver;
}

static void hang_up(struct resp *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->state = CLOSED;
	r->in.len = 0;
}

static void resp_close(struct driver *d)
{
	if (!d)
		return;
	hang_up(resp_of(d));
	buf_fini(&resp_of(d)->in);
	buf_fini(&resp_of(d)->out);
	free(d);
}

/* Wait for @events. Return: revents, 0 when the deadline has passed. */
static short wait_for(const struct resp *r, short events, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = r->fd, .events = events};

	for (;;) {
		uint64_t now = clock_now_ns();
		uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
		struct timespec t = clock_timespec(left);
		int n = ppoll(&p, 1, &t, NULL);

		if (n > 0)
			return p.revents;
		if (n == 0 && clock_now_ns() >= deadline_ns)
			return 0;
		if (n < 0 && errno != EINTR)
			return POLLERR;
	}
}

static void begin_connect(struct resp *r)
{
	int one = 1;

	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0)
		return;
	(void)setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	r->state = CONNECTING;
	if (connect(r->fd, (struct sockaddr *)&r->addr, sizeof r->addr) < 0 && errno != EINPROGRESS)
		hang_up(r);
}

/*
 * recv() blocks by itself, which spares a system call in each operation, but for less than the
 * usual deadline, so that it never overshoots one; poll() does the rest.
 */
static void finish_connect(struct resp *r, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();
	struct timeval t;

	r->wait_ns = deadline_ns > now ? (deadline_ns - now) / 2 : 0;
	t.tv_sec = (time_t)(r->wait_ns / NS_PER_S);
	t.tv_usec = (suseconds_t)(r->wait_ns % NS_PER_S / NS_PER_US);
	if (t.tv_sec == 0 && t.tv_usec == 0)
		t.tv_usec = 1; /* 0 would be for ever */
	(void)setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	r->state = OPEN;
}

static bool be_open(struct resp *r, uint64_t deadline_ns)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (r->state == OPEN)
		return true;
	if (r->state == CLOSED)
		begin_connect(r);
	if (r->state != CONNECTING || !wait_for(r, POLLOUT, deadline_ns))
		return false;
	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
		hang_up(r);
		return false;
	}
	finish_connect(r, deadline_ns);
	return true;
}

static void resp_connect(struct driver *d, uint64_t deadline_ns)
{
	struct resp *r = resp_of(d);

	/* Nothing is outstanding: whatever can be read is the end of the connection or garbage. */
	if (r->state == OPEN && wait_for(r, POLLIN, 0))
		hang_up(r);
	(void)be_open(r, deadline_ns);
}

/*
 * Request and answer.
 */

/* Return: whether anything was sent; then *ret_all says whether all was. */
static bool send_all(struct resp *r, const char *p, size_t len, uint64_t deadline_ns, bool *ret_all)
{
	size_t sent = 0;

	*ret_all = false;
	while (sent < len) {
		ssize_t n = send(r->fd, p + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno == EAGAIN && !wait_for(r, POLLOUT, deadline_ns))
			return sent > 0;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return sent > 0;
	}
	*ret_all = true;
	return true;
}

/* Return: bytes received, 0 at the end of the connection, -EAGAIN at the deadline. */
static ssize_t receive(struct resp *r, uint64_t deadline_ns)
{
	void *to = buf_grow(&r->in, RECEIVE_BYTES);
	uint64_t now = clock_now_ns();
	bool block = now < deadline_ns && r->wait_ns < deadline_ns - now;

	for (;;) {
		ssize_t n = recv(r->fd, to, RECEIVE_BYTES, block ? 0 : MSG_DONTWAIT);

		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		block = false;
		if (!wait_for(r, POLLIN, deadline_ns))
			return -EAGAIN;
	}
}

/* Read one answer. Return: 0, or why there is none, with the connection closed. */
static enum history_error read_answer(
	struct resp *r, uint64_t deadline_ns, struct resp_answer *ret, char *ret_text)
{
	struct resp_answer token = {.type = RESP_ANSWER_NIL};

	r->in.len = 0;
	for (;;) {
		ssize_t n = receive(r, deadline_ns);
		int used;

		if (n <= 0) {
			hang_up(r);
			return n == -EAGAIN ? HISTORY_TIMEOUT : HISTORY_CLOSED;
		}
		r->in.len += (size_t)n;
		used = r->token ? resp_session_parse((const char *)r->in.p, r->in.len, ret, &token)
				: resp_answer_parse((const char *)r->in.p, r->in.len, ret);
		if (used == 0)
			continue;
		/* More than one answer to one request: the connection is out of step. */
		if (used < 0 || (size_t)used != r->in.len) {
			hang_up(r);
			return HISTORY_OTHER;
		}
		if (token.type == RESP_ANSWER_VALUE && token.len > 0) {
			r->token->len = 0;
			buf_add(r->token, token.text, token.len);
		}
		(void)snprintf(
			ret_text, 32, "%.*s", (int)(ret->len < 31 ? ret->len : 31), ret->text);
		return HISTORY_NO_ERROR;
	}
}

static bool begins(const char *text, const char *word)
{
	size_t len = strlen(word);

	return strncmp(text, word, len) == 0 && (text[len] == ' ' || text[len] == '\0');
}

/* An error that the store answered. What it calls an error of the request had no effect. */
static void take_error(const char *text, bool reads, struct driver_result *ret)
{
	ret->outcome = reads ? HISTORY_FAIL : HISTORY_UNKNOWN;
	ret->error = HISTORY_OTHER;
	if (begins(text, "UNAVAILABLE")) {
		ret->outcome = HISTORY_FAIL;
		ret->error = HISTORY_REFUSED;
	} else if (begins(text, "UNCERTAIN")) {
		ret->error = HISTORY_UNCERTAIN;
	} else if (begins(text, "ERR") || begins(text, "UNSUPPORTED") ||
		   begins(text, "WRONGTYPE")) {
		ret->outcome = HISTORY_FAIL;
	}
}

/* Requests are arrays of bulk strings. */
static void add_bytes(struct resp *r, const void *p, size_t len)
{
	buf_printf(&r->out, "$%zu\r\n", len);
	buf_add(&r->out, p, len);
	buf_add(&r->out, "\r\n", 2);
}

static void add_word(struct resp *r, const char *word)
{
	add_bytes(r, word, strlen(word));
}

static void begin_request(struct resp *r, unsigned arguments)
{
	r->out.len = 0;
	buf_printf(&r->out, "*%u\r\n", arguments + (r->level ? 2 : 0) + (r->token ? 3 : 0));
	if (r->level) {
		add_word(r, "WITH");
		add_word(r, r->level);
	}
	if (!r->token)
		return;
	add_bytes(r, "WITH", 4);
	add_bytes(r, "SESSION", 7);
	if (r->token->len)
		add_bytes(r, r->token->p, r->token->len);
	else
		add_bytes(r, "-", 1);
}

static void add_key(struct resp *r, uint64_t key)
{
	char name[24];

	(void)snprintf(name, sizeof name, "k%llu", (unsigned long long)key);
	add_word(r, name);
}

static void add_number(struct resp *r, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	add_word(r, text);
}

/* Send the request, wait for its answer. Return: true if @answer holds one that is no error. */
static bool ask(struct resp *r, bool reads, uint64_t deadline_ns, struct resp_answer *answer,
	struct driver_result *ret)
{
	char text[32];
	bool all;

	*ret = (struct driver_result){.outcome = HISTORY_FAIL, .error = HISTORY_CONNECT};
	if (!be_open(r, deadline_ns)) {
		hang_up(r); /* a new attempt sends a SYN at once, this one would wait to repeat */
		return false;
	}
	if (!send_all(r, (const char *)r->out.p, r->out.len, deadline_ns, &all)) {
		hang_up(r);
		return false;
	}
	ret->outcome = reads ? HISTORY_FAIL : HISTORY_UNKNOWN;
	if (!all) {
		hang_up(r);
		ret->error = HISTORY_CLOSED;
		return false;
	}
	ret->error = read_answer(r, deadline_ns, answer, text);
	if (ret->error != HISTORY_NO_ERROR)
		return false;
	if (answer->type == RESP_ANSWER_ERROR) {
		take_error(text, reads, ret);
		return false;
	}
	return true;
}

/* The answer is none that this request can have. */
static void out_of_step(struct resp *r, struct driver_result *ret)
{
	hang_up(r);
	ret->error = HISTORY_OTHER;
}

/* Return: true if the key's value was read, or there is none: then answer->type says so. */
static bool get(struct resp *r, uint64_t key, uint64_t deadline_ns, struct resp_answer *answer,
	struct driver_result *ret)
{
	begin_request(r, 2);
	add_word(r, "GET");
	add_key(r, key);
	if (!ask(r, true, deadline_ns, answer, ret))
		return false;
	if (answer->type != RESP_ANSWER_VALUE && answer->type != RESP_ANSWER_NIL) {
		out_of_step(r, ret);
		return false;
	}
	ret->outcome = HISTORY_OK;
	return true;
}

static void resp_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct resp *r = resp_of(d);
	struct resp_answer answer;

	if (!get(r, key, deadline_ns, &answer, ret) || answer.type == RESP_ANSWER_NIL)
		return;
	if (resp_answer_number(answer.text, answer.len, &ret->value) < 0) {
		ret->outcome = HISTORY_FAIL;
		out_of_step(r, ret);
	}
}

static void resp_get(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	struct resp_answer answer;

	ret_text->len = 0;
	if (!get(resp_of(d), key, deadline_ns, &answer, ret))
		return;
	ret->found = answer.type == RESP_ANSWER_VALUE;
	if (ret->found)
		buf_add(ret_text, answer.text, answer.len);
}

static bool said_ok(const struct resp_answer *answer)
{
	return answer->type == RESP_ANSWER_STATUS && answer->len == 2 &&
	       memcmp(answer->text, "OK", 2) == 0;
}

static void resp_put(struct driver *d, uint64_t key, const struct buf *text, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct resp *r = resp_of(d);
	struct resp_answer answer;

	begin_request(r, 3);
	add_word(r, "SET");
	add_key(r, key);
	add_bytes(r, text->p, text->len);
	if (!ask(r, false, deadline_ns, &answer, ret))
		return;
	if (said_ok(&answer))
		ret->outcome = HISTORY_OK;
	else
		out_of_step(r, ret);
}

/* What answers with a number: how long or how much it is now, which nobody here looks at. */
static void change(struct resp *r, uint64_t deadline_ns, struct driver_result *ret)
{
	struct resp_answer answer;

	if (!ask(r, false, deadline_ns, &answer, ret))
		return;
	if (answer.type == RESP_ANSWER_NUMBER)
		ret->outcome = HISTORY_OK;
	else
		out_of_step(r, ret);
}

static void resp_append(struct driver *d, uint64_t key, const struct buf *text,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct resp *r = resp_of(d);

	begin_request(r, 3);
	add_word(r, "APPEND");
	add_key(r, key);
	add_bytes(r, text->p, text->len);
	change(r, deadline_ns, ret);
}

static void resp_increase(
	struct driver *d, uint64_t key, int64_t by, uint64_t deadline_ns, struct driver_result *ret)
{
	struct resp *r = resp_of(d);
	char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)by);
	begin_request(r, 3);
	add_word(r, "INCRBY");
	add_key(r, key);
	add_word(r, text);
	change(r, deadline_ns, ret);
}

static void change_set(struct resp *r, const char *command, uint64_t key, uint64_t element,
	uint64_t deadline_ns, struct driver_result *ret)
{
	begin_request(r, 3);
	add_word(r, command);
	add_key(r, key);
	add_number(r, element);
	change(r, deadline_ns, ret);
}

static void resp_add(struct driver *d, uint64_t key, uint64_t element, uint64_t deadline_ns,
	struct driver_result *ret)
{
	change_set(resp_of(d), "SADD", key, element, deadline_ns, ret);
}

static void resp_remove(struct driver *d, uint64_t key, uint64_t element, uint64_t deadline_ns,
	struct driver_result *ret)
{
	change_set(resp_of(d), "SREM", key, element, deadline_ns, ret);
}

static void list(struct resp *r, const char *command, uint64_t key, uint64_t deadline_ns,
	struct buf *ret_text, struct driver_result *ret)
{
	bool values = strcmp(command, "VALUES") == 0;
	struct resp_answer answer, element;
	uint64_t number;

	ret_text->len = 0;
	begin_request(r, 2);
	add_word(r, command);
	add_key(r, key);
	if (!ask(r, true, deadline_ns, &answer, ret))
		return;
	if (answer.type != RESP_ANSWER_LIST) {
		out_of_step(r, ret);
		return;
	}
	ret->outcome = HISTORY_OK;
	ret->found = answer.count > 0;
	while (resp_answer_next(&answer, &element)) {
		if (values && element.len > 0 && element.text[element.len - 1] == ',') {
			buf_add(ret_text, element.text, element.len);
			continue;
		}
		if (resp_answer_number(element.text, element.len, &number) < 0) {
			ret->outcome = HISTORY_FAIL; /* no client of ours has put it there */
			ret->error = HISTORY_OTHER;
			return;
		}
		buf_printf(ret_text, "%llu,", (unsigned long long)number);
	}
}

static void resp_members(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	list(resp_of(d), "SMEMBERS", key, deadline_ns, ret_text, ret);
}

static void resp_values(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	list(resp_of(d), "VALUES", key, deadline_ns, ret_text, ret);
}

/* SET, with IFEQ if @old is not 0. */
static void set(struct resp *r, uint64_t key, uint64_t old, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct resp_answer answer;

	begin_request(r, old ? 5 : 3);
	add_word(r, "SET");
	add_key(r, key);
	add_number(r, value);
	if (old) {
		add_word(r, "IFEQ");
		add_number(r, old);
	}
	if (!ask(r, false, deadline_ns, &answer, ret))
		return;
	if (answer.type == RESP_ANSWER_NIL && old) {
		ret->outcome = HISTORY_OK;
		ret->error = HISTORY_UNMET;
	} else if (said_ok(&answer)) {
		ret->outcome = HISTORY_OK;
	} else {
		out_of_step(r, ret);
	}
}

static void resp_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	set(resp_of(d), key, 0, value, deadline_ns, ret);
}

static void resp_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	assert(old != 0);
	set(resp_of(d), key, old, value, deadline_ns, ret);
}

static void resp_level(struct driver *d, const char *name)
{
	resp_of(d)->level = name;
}

static void resp_session(struct driver *d, struct buf *token)
{
	resp_of(d)->token = token;
}

const struct driver_ops resp_driver = {
	.name = "resp",
	.open = resp_open,
	.connect = resp_connect,
	.read = resp_read,
	.write = resp_write,
	.cas = resp_cas,
	.get = resp_get,
	.put = resp_put,
	.append = resp_append,
	.increase = resp_increase,
	.add = resp_add,
	.remove = resp_remove,
	.members = resp_members,
	.values = resp_values,
	.session = resp_session,
	.level = resp_level,
	.close = resp_close,
};
