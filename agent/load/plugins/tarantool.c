/* SPDX-License-Identifier: MIT */
/*
 * tarantool.c - driver for Tarantool: its binary protocol by hand, for Debian has no C client
 *
 * Keys are tuples {key, value} of the space "kv". A request is a line of Lua that the server
 * evaluates (IPROTO_EVAL), with arguments, so one round trip. All go to the nearest node.
 *
 * Source: https://www.tarantool.io/en/doc/2.11/reference/internals/iproto/ (format: MessagePack). A
 * server greets with 128 bytes of text; then each message is its length, a map of the header and a
 * map of the body.
 *
 * There is no compare-and-set: done on one of several masters it would be no promise at all.
 *
 * An error that says that nothing was begun or that it was undone is FAIL; any other, and silence,
 * makes a write UNKNOWN.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/drivers/resp_link.h"
#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define TARANTOOL_GREETING 128
#define TARANTOOL_ANSWER_MAX 65536
#define TARANTOOL_ITEMS_MAX 1024 /* of one answer */
#define TARANTOOL_RESULTS_MAX 2  /* of one line of Lua */
/* An attempt to connect, with its greeting, begins anew after this: it would wait longer and longer
 * to repeat its first packet. */
#define TARANTOOL_PATIENCE_NS NS_PER_S

/* Keys of headers and bodies, codes of errors (src/box/iproto_constants.h, errcode.h). */
enum {
	IPROTO_REQUEST_TYPE = 0x00,
	IPROTO_SYNC = 0x01,
	IPROTO_TUPLE = 0x21,
	IPROTO_EXPR = 0x27,
	IPROTO_DATA = 0x30,
	IPROTO_EVAL = 8,
	IPROTO_TYPE_ERROR = 0x8000,
	ER_READONLY = 7,
	ER_PROC_LUA = 32,
	ER_NO_SUCH_SPACE = 36,
	ER_ACCESS_DENIED = 42,
	ER_TRANSACTION_CONFLICT = 97,
	ER_LOADING = 116,
};

struct tarantool {
	struct driver driver;
	struct driver_target target;
	struct resp_link link;
	bool greeted;
	uint64_t begin_ns; /* of the attempt */
	uint32_t sync;     /* number of the last request */
	struct buf out;
};

extern const unsigned pacelab_driver_abi;
extern const struct driver_ops pacelab_driver;

static struct tarantool *tarantool_of(struct driver *d)
{
	return (struct tarantool *)d;
}

/*
 * MessagePack, as far as it is needed.
 */
enum kind { UINT, BOOLEAN, STRING, ARRAY, MAP, OTHER };

/* @n: the number, the length of a string, which is skipped, or how many elements follow. */
struct item {
	enum kind kind;
	uint64_t n;
};

static bool take_number(struct cursor *c, unsigned bytes, uint64_t *ret)
{
	const uint8_t *p = cursor_take(c, bytes);

	*ret = 0;
	for (unsigned i = 0; p && i < bytes; i++)
		*ret = *ret << 8 | p[i];
	return p != NULL;
}

static bool take_bytes(struct cursor *c, unsigned length_bytes, unsigned more, struct item *ret)
{
	return take_number(c, length_bytes, &ret->n) && ret->n <= c->left &&
	       cursor_take(c, (size_t)ret->n + more);
}

/* Those that begin with 0xc0 .. 0xdf. */
static bool take_long(struct cursor *c, uint8_t first, struct item *ret)
{
	if (first == 0xc2 || first == 0xc3) {
		*ret = (struct item){BOOLEAN, first == 0xc3};
		return true;
	}
	if (first >= 0xc4 && first <= 0xc6) /* bytes */
		return take_bytes(c, 1u << (first - 0xc4), 0, ret);
	if (first >= 0xc7 && first <= 0xc9) /* bytes with a type of their own */
		return take_bytes(c, 1u << (first - 0xc7), 1, ret);
	if (first == 0xca || first == 0xcb) /* floating point */
		return cursor_take(c, first == 0xca ? 4 : 8);
	if (first >= 0xcc && first <= 0xcf) {
		ret->kind = UINT;
		return take_number(c, 1u << (first - 0xcc), &ret->n);
	}
	if (first >= 0xd0 && first <= 0xd3) /* signed */
		return cursor_take(c, 1u << (first - 0xd0));
	if (first >= 0xd4 && first <= 0xd8)
		return cursor_take(c, (1u << (first - 0xd4)) + 1);
	if (first >= 0xd9 && first <= 0xdb) {
		ret->kind = STRING;
		return take_bytes(c, 1u << (first - 0xd9), 0, ret);
	}
	if (first >= 0xdc) {
		ret->kind = first >= 0xde ? MAP : ARRAY;
		return take_number(c, first & 1 ? 4 : 2, &ret->n);
	}
	return first == 0xc0;
}

static bool take(struct cursor *c, struct item *ret)
{
	const uint8_t *first = cursor_take(c, 1);

	*ret = (struct item){OTHER, 0};
	if (!first)
		return false;
	if (*first <= 0x7f)
		*ret = (struct item){UINT, *first};
	else if (*first <= 0x8f)
		*ret = (struct item){MAP, *first & 0xf};
	else if (*first <= 0x9f)
		*ret = (struct item){ARRAY, *first & 0xf};
	else if (*first <= 0xbf)
		*ret = (struct item){STRING, *first & 0x1f};
	else if (*first <= 0xdf)
		return take_long(c, *first, ret);
	return ret->kind != STRING || cursor_take(c, (size_t)ret->n);
}

/* One item with all that is in it. */
static bool skip(struct cursor *c)
{
	uint64_t left = 1;

	for (unsigned i = 0; i < TARANTOOL_ITEMS_MAX && left > 0; i++, left--) {
		struct item item;

		if (!take(c, &item))
			return false;
		if (item.kind == ARRAY || item.kind == MAP)
			left += item.kind == MAP ? 2 * item.n : item.n;
	}
	return left == 0;
}

/* The value of @key in the map that comes, of small whole numbers; -1: it is not there. */
static bool take_field(struct cursor *c, uint64_t key, struct cursor *ret, bool *ret_found)
{
	struct item map, name;

	*ret_found = false;
	if (!take(c, &map) || map.kind != MAP)
		return false;
	for (uint64_t i = 0; i < map.n; i++) {
		if (!take(c, &name) || name.kind != UINT)
			return false;
		if (name.n == key) {
			*ret = *c;
			*ret_found = true;
		}
		if (!skip(c))
			return false;
	}
	return true;
}

static void add_string(struct buf *b, const char *text)
{
	size_t len = strlen(text);

	assert(len <= UINT16_MAX);
	buf_u8(b, 0xda);
	buf_u8(b, (uint8_t)(len >> 8));
	buf_u8(b, (uint8_t)len);
	buf_add(b, text, len);
}

static void add_uint(struct buf *b, unsigned bytes, uint64_t n)
{
	buf_u8(b, bytes == 8 ? 0xcf : 0xce);
	for (unsigned i = bytes; i-- > 0;)
		buf_u8(b, (uint8_t)(n >> 8 * i));
}

/*
 * Connection.
 */
static void hang_up(struct tarantool *t)
{
	resp_link_hang_up(&t->link);
	t->greeted = false;
}

/* Have @len bytes in t->link.in. Return: 0, or a negative errno: -EAGAIN at the deadline. */
static int receive(struct tarantool *t, size_t len, uint64_t deadline_ns)
{
	while (t->link.in.len < len) {
		ssize_t n = resp_link_receive(&t->link, deadline_ns);

		if (n <= 0)
			return n < 0 ? (int)n : -ECONNRESET;
	}
	return 0;
}

static bool have_connection(struct tarantool *t, uint64_t deadline_ns)
{
	static const char hello[] = "Tarantool ";
	int rc;

	if (t->greeted)
		resp_link_look(&t->link);
	if (t->link.state == RESP_LINK_CLOSED)
		t->greeted = false;
	if (t->greeted)
		return true;
	if (t->link.state != RESP_LINK_CLOSED &&
		clock_now_ns() > t->begin_ns + TARANTOOL_PATIENCE_NS)
		hang_up(t);
	if (t->link.state == RESP_LINK_CLOSED)
		t->begin_ns = clock_now_ns();
	if (!resp_link_open(&t->link, deadline_ns))
		return false;
	rc = receive(t, TARANTOOL_GREETING, deadline_ns);
	if (rc == -EAGAIN)
		return false; /* it goes on next time */
	if (rc < 0 || t->link.in.len != TARANTOOL_GREETING ||
		memcmp(t->link.in.p, hello, sizeof hello - 1) != 0) {
		hang_up(t);
		return false;
	}
	t->link.in.len = 0;
	t->greeted = true;
	return true;
}

static struct driver *tarantool_open(const struct driver_target *target)
{
	struct tarantool *t = calloc(1, sizeof *t);

	assert(t);
	t->driver.ops = &pacelab_driver;
	t->target = *target;
	t->target.settings = NULL;
	resp_link_init(&t->link, target->addr_be[target->contact], target->port);
	return &t->driver;
}

static void tarantool_close(struct driver *d)
{
	if (!d)
		return;
	resp_link_fini(&tarantool_of(d)->link);
	buf_fini(&tarantool_of(d)->out);
	free(d);
}

static void tarantool_connect(struct driver *d, uint64_t deadline_ns)
{
	(void)have_connection(tarantool_of(d), deadline_ns);
}

/*
 * Request and answer.
 */

/* The length of what follows is always sent in five bytes. */
static void encode(struct tarantool *t, const char *lua, const char *key, const uint64_t *value)
{
	struct buf *b = &t->out;
	size_t len;

	b->len = 0;
	add_uint(b, 4, 0);
	buf_u8(b, 0x82);
	buf_u8(b, IPROTO_REQUEST_TYPE);
	buf_u8(b, IPROTO_EVAL);
	buf_u8(b, IPROTO_SYNC);
	add_uint(b, 4, ++t->sync);
	buf_u8(b, 0x82);
	buf_u8(b, IPROTO_EXPR);
	add_string(b, lua);
	buf_u8(b, IPROTO_TUPLE);
	buf_u8(b, (uint8_t)(0x90 + (key != NULL) + (value != NULL)));
	if (key)
		add_string(b, key);
	if (value)
		add_uint(b, 8, *value);
	len = b->len - 5;
	for (unsigned i = 0; i < 4; i++)
		b->p[1 + i] = (uint8_t)(len >> 8 * (3 - i));
}

/* What came back. @error: code of the server's, 0: it succeeded with @n results. */
struct answer {
	uint64_t error;
	unsigned n;
	struct item result[TARANTOOL_RESULTS_MAX];
};

static bool decode_results(struct cursor *body, struct answer *ret)
{
	struct cursor data;
	struct item list;
	bool found;

	if (!take_field(body, IPROTO_DATA, &data, &found))
		return false;
	if (ret->error || !found)
		return true;
	if (!take(&data, &list) || list.kind != ARRAY)
		return false;
	for (; ret->n < list.n && ret->n < TARANTOOL_RESULTS_MAX; ret->n++) {
		if (!take(&data, &ret->result[ret->n]))
			return false;
	}
	return true;
}

/* All of one message is there. Return: whether it is the answer to the last request. */
static bool decode(const struct tarantool *t, struct answer *ret)
{
	struct cursor c = cursor_over(t->link.in.p + 5, t->link.in.len - 5);
	struct cursor header = c, code, sync;
	struct item is_code, is_sync;
	bool found, found_too;

	*ret = (struct answer){.error = 0};
	if (!take_field(&c, IPROTO_REQUEST_TYPE, &code, &found) ||
		!take_field(&header, IPROTO_SYNC, &sync, &found_too) || !found || !found_too ||
		!take(&code, &is_code) || !take(&sync, &is_sync) || is_code.kind != UINT ||
		is_sync.kind != UINT || is_sync.n != t->sync)
		return false;
	if (is_code.n >= IPROTO_TYPE_ERROR)
		ret->error = is_code.n - IPROTO_TYPE_ERROR;
	else if (is_code.n > 0)
		return false;
	return (is_code.n < IPROTO_TYPE_ERROR || ret->error > 0) && decode_results(&c, ret) &&
	       c.left == 0;
}

static int receive_answer(struct tarantool *t, uint64_t deadline_ns, struct answer *ret)
{
	struct cursor head;
	struct item size;
	int rc = receive(t, 5, deadline_ns);

	if (rc < 0)
		return rc;
	head = cursor_over(t->link.in.p, 5);
	if (!take(&head, &size) || size.kind != UINT || head.left > 0 ||
		size.n > TARANTOOL_ANSWER_MAX)
		return -EBADMSG;
	rc = receive(t, 5 + (size_t)size.n, deadline_ns);
	if (rc < 0)
		return rc;
	if (t->link.in.len != 5 + size.n || !decode(t, ret))
		return -EBADMSG;
	t->link.in.len = 0;
	return 0;
}

static bool no_effect(uint64_t error)
{
	return error == ER_READONLY || error == ER_PROC_LUA || error == ER_NO_SUCH_SPACE ||
	       error == ER_ACCESS_DENIED || error == ER_TRANSACTION_CONFLICT || error == ER_LOADING;
}

/* Return: whether it succeeded; else *ret is filled. */
static bool ask(struct tarantool *t, bool reads, uint64_t deadline_ns, struct answer *ret_answer,
	struct driver_result *ret)
{
	bool all;
	int rc;

	if (!resp_link_send(&t->link, t->out.p, t->out.len, deadline_ns, &all)) {
		common_fail(ret, HISTORY_CONNECT);
		hang_up(t);
		return false;
	}
	rc = all ? receive_answer(t, deadline_ns, ret_answer) : -EAGAIN;
	if (rc < 0) {
		common_lost(ret, reads,
			rc == -EAGAIN ? HISTORY_TIMEOUT
				      : (rc == -EBADMSG ? HISTORY_OTHER : HISTORY_CLOSED));
		hang_up(t);
		return false;
	}
	if (ret_answer->error == 0)
		return true;
	if (no_effect(ret_answer->error)) {
		common_fail(ret, HISTORY_REFUSED);
	} else {
		common_lost(ret, reads, HISTORY_UNCERTAIN);
		hang_up(t);
	}
	return false;
}

static void tarantool_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct tarantool *t = tarantool_of(d);
	char name[COMMON_KEY_MAX];
	struct answer a;

	if (!have_connection(t, deadline_ns)) {
		common_fail(ret, HISTORY_CONNECT);
		return;
	}
	encode(t, "local t = box.space.kv:get((...)) return t and t[2] or 0", common_key(key, name),
		NULL);
	if (!ask(t, true, deadline_ns, &a, ret))
		return;
	if (a.n == 1 && a.result[0].kind == UINT)
		common_value(ret, a.result[0].n);
	else
		common_fail(ret, HISTORY_OTHER);
}

static void tarantool_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct tarantool *t = tarantool_of(d);
	char name[COMMON_KEY_MAX];
	struct answer a;

	if (!have_connection(t, deadline_ns)) {
		common_fail(ret, HISTORY_CONNECT);
		return;
	}
	encode(t, "box.space.kv:replace{...}", common_key(key, name), &value);
	if (ask(t, false, deadline_ns, &a, ret))
		common_ok(ret);
}

static int tarantool_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	static const char lua[] =
		"local up = 0 for _, r in pairs(box.info.replication) do if r.upstream and "
		"r.upstream.status == 'follow' then up = up + 1 end end "
		"return box.info.status == 'running' and box.space.kv ~= nil and "
		"box.space.kv.index[0] ~= nil, up";
	struct tarantool *t = tarantool_of(d);
	struct driver_result result;
	struct answer a;

	*ret = (struct driver_status){.leader = -1};
	if (!have_connection(t, deadline_ns))
		return -ENOTCONN;
	encode(t, lua, NULL, NULL);
	if (!ask(t, true, deadline_ns, &a, &result))
		return result.error == HISTORY_TIMEOUT ? -ETIMEDOUT : -EPROTO;
	if (a.n != 2 || a.result[0].kind != BOOLEAN || a.result[1].kind != UINT)
		return -EPROTO;
	ret->ready = a.result[0].n == 1 && a.result[1].n == t->target.nodes - 1;
	(void)snprintf(ret->role, sizeof ret->role, "%s", ret->ready ? "master" : "master apart");
	return 0;
}

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver = {
	.name = "tarantool",
	.open = tarantool_open,
	.connect = tarantool_connect,
	.read = tarantool_read,
	.write = tarantool_write,
	.status = tarantool_status,
	.close = tarantool_close,
};
