/* SPDX-License-Identifier: MIT */
/*
 * resp.c - driver for stores that speak RESP: our own, Redis, Valkey
 *
 * Blocking, one request in flight, one write(2) per request. Key number 7 is "k7", values of
 * registers are decimal numbers, compare-and-set is SET key new IFEQ old as in Valkey 8.1.
 *
 * A connection attempt outlives the operation's wait only in idle time: one that is still under
 * way when an operation starts is waited for, not begun again.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/drivers/driver.h"
#include "agent/load/drivers/resp_answer.h"
#include "agent/load/drivers/resp_link.h"

struct resp {
	struct driver driver;
	struct resp_link link;
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
	resp_link_init(&r->link, target->addr_be[target->contact], target->port);
	return &r->driver;
}

static void resp_close(struct driver *d)
{
	if (!d)
		return;
	resp_link_fini(&resp_of(d)->link);
	buf_fini(&resp_of(d)->out);
	free(d);
}

static void resp_connect(struct driver *d, uint64_t deadline_ns)
{
	struct resp *r = resp_of(d);

	resp_link_look(&r->link);
	(void)resp_link_open(&r->link, deadline_ns);
}

/*
 * Request and answer.
 */

/* Read one answer. Return: 0, or why there is none, with the connection closed. */
static enum history_error read_answer(
	struct resp *r, uint64_t deadline_ns, struct resp_answer *ret, char *ret_text)
{
	struct resp_answer token = {.type = RESP_ANSWER_NIL};
	struct buf *in = &r->link.in;

	in->len = 0;
	for (;;) {
		ssize_t n = resp_link_receive(&r->link, deadline_ns);
		const char *text;
		int used;

		if (n <= 0) {
			resp_link_hang_up(&r->link);
			return n == -EAGAIN ? HISTORY_TIMEOUT : HISTORY_CLOSED;
		}
		text = (const char *)in->p;
		used = r->token ? resp_session_parse(text, in->len, ret, &token)
				: resp_answer_parse(text, in->len, ret);
		if (used == 0)
			continue;
		/* More than one answer to one request: the connection is out of step. */
		if (used < 0 || (size_t)used != in->len) {
			resp_link_hang_up(&r->link);
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
	if (!resp_link_open(&r->link, deadline_ns)) {
		/* A new attempt sends a SYN at once, this one would wait to repeat. */
		resp_link_hang_up(&r->link);
		return false;
	}
	if (!resp_link_send(&r->link, r->out.p, r->out.len, deadline_ns, &all)) {
		resp_link_hang_up(&r->link);
		return false;
	}
	ret->outcome = reads ? HISTORY_FAIL : HISTORY_UNKNOWN;
	if (!all) {
		resp_link_hang_up(&r->link);
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
	resp_link_hang_up(&r->link);
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
