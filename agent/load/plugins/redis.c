/* SPDX-License-Identifier: MIT */
/*
 * redis.c - driver for Redis and Valkey: one server, replicas, Sentinel, Cluster
 *
 * Settings:
 *	topology=single		the nearest server does everything
 *	topology=replicas	the nearest server that is reached says who leads
 *	topology=sentinel	the nearest Sentinel that is reached says it
 *	topology=cluster	each slot has an owner; MOVED says who
 *	wait=N			a write ends with WAIT N, in the same packet
 *	reads=leader|local	local: the nearest server, whatever it has
 *	sentinel_port=26379 master=m servers=1	(on each node, from the port on)
 *
 * Who leads is found as client libraries do it, https://redis.io/docs/reference/sentinel-clients:
 *
 *	GUIDE --its answer--> LEADER --"role:master"--> FOUND
 *	  ^ next guide -'        |                        |
 *	  '--- refused, silent, a replica ----- broken, late, READONLY
 *
 * Nobody asks again while all goes well. A client beside a primary that was replaced meanwhile, but
 * not where its own Sentinel sees it, goes on with that primary; what that acknowledges may be
 *lost.
 *
 * A redirection (MOVED, ASK) is no retry: the server that says so has done nothing, and it is part
 * of the protocol to go on to the one that it names.
 *
 * WAIT does not undo: a write that too few replicas have in time stays, so its outcome is unknown.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/plugins/redis_internal.h"

#define REDIRECTS_MAX 5
#define WORDS_MAX 7
#define ANSWERS_MAX 3 /* to ASKING, the command and WAIT */

/*
 * Compare-and-set, all at once. The first line makes a server of Redis 7 or later look before it
 * begins whether it may write: a replica refuses with READONLY instead of comparing old data.
 */
static const char cas_script[] = "#!lua\n"
				 "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
				 "redis.call('SET', KEYS[1], ARGV[2])\n"
				 "return 1\n";

static const char *const topology_names[] = {"single", "replicas", "sentinel", "cluster"};
_Static_assert(
	sizeof topology_names / sizeof *topology_names == REDIS_TOPOLOGY_NR, "a name for each");

/**
 * struct request - one command
 * @key:	that its slot is of
 * @reads:	it changes nothing
 * @word:	the first is its name; @words of them
 * @text:	one word more, NULL: none
 */
struct request {
	uint64_t key;
	bool reads;
	unsigned words;
	const char *word[WORDS_MAX];
	const struct buf *text;
};

/**
 * struct reply - what came back
 * @n:		answers that are there, of those wanted; their text is the connection's
 * @error:	why there are no more
 */
struct reply {
	struct resp_answer answer[ANSWERS_MAX];
	unsigned n;
	enum history_error error;
};

/*
 * Requests.
 */

/*
 * What a server has refused before it did anything. An error that is not among these may come from
 * anywhere on the way, so what it left is not known.
 */
static const struct refusal {
	const char *word;
	enum history_error error;
	bool elsewhere; /* another leads, as far as one can tell: ask again */
} refusals[] = {
	{"READONLY", HISTORY_REFUSED, true},
	{"LOADING", HISTORY_REFUSED, true},
	{"MASTERDOWN", HISTORY_REFUSED, true},
	{"NOREPLICAS", HISTORY_REFUSED, false},
	{"CLUSTERDOWN", HISTORY_REFUSED, false},
	{"MOVED", HISTORY_REFUSED, false}, /* too often, or to nowhere */
	{"ASK", HISTORY_REFUSED, false},
	{"TRYAGAIN", HISTORY_REFUSED, false},
	{"MISCONF", HISTORY_REFUSED, false},
	{"BUSY", HISTORY_REFUSED, false},
	{"OOM", HISTORY_REFUSED, false},
	{"DENIED", HISTORY_REFUSED, false},
	{"NOAUTH", HISTORY_REFUSED, false},
	{"NOPERM", HISTORY_REFUSED, false},
	{"WRONGTYPE", HISTORY_OTHER, false},
	{"CROSSSLOT", HISTORY_OTHER, false},
	{"ERR", HISTORY_OTHER, false},
};

static const struct refusal *refusal_of(const struct resp_answer *answer)
{
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (answer->type == RESP_ANSWER_ERROR && redis_begins(answer, refusals[i].word))
			return &refusals[i];
	}
	return NULL;
}

/* Waits for the replicas end so early that their answer is there before the deadline. */
static unsigned wait_ms(uint64_t deadline_ns)
{
	int ms = common_left_ms(deadline_ns) * 3 / 4;

	return ms > 0 ? (unsigned)ms : 1; /* 0 would be for ever */
}

/* Return: how many answers it will have. */
static unsigned compose(struct redis *r, const struct request *q, bool asking, uint64_t deadline_ns)
{
	static const char *const may_ask[] = {"ASKING"};
	char n[16], ms[16];
	const char *const wait[] = {"WAIT", n, ms};
	bool waits = !q->reads && r->wait > 0;

	r->out.len = 0;
	if (asking)
		redis_add_request(&r->out, 1, may_ask, NULL);
	redis_add_request(&r->out, q->words, q->word, q->text);
	if (waits) {
		(void)snprintf(n, sizeof n, "%u", r->wait);
		(void)snprintf(ms, sizeof ms, "%u", wait_ms(deadline_ns));
		redis_add_request(&r->out, 3, wait, NULL);
	}
	return 1u + asking + waits;
}

/*
 * The answers that are there so far, from the first one: the buffer may have moved. Return: bytes
 * used if all that are wanted are there, 0: some are not, or -EBADMSG.
 */
static int take_answers(const struct buf *in, unsigned wanted, struct reply *ret)
{
	size_t at = 0;

	for (ret->n = 0; ret->n < wanted; ret->n++) {
		int used = redis_parse(in, at, &ret->answer[ret->n]);

		if (used <= 0)
			return used;
		at += (size_t)used;
	}
	return (int)at;
}

/* Send what was composed. An open connection stays open only if all its answers came. */
static void exchange(struct redis *r, struct redis_line *l, unsigned wanted, uint64_t deadline_ns,
	struct reply *ret)
{
	bool all;

	*ret = (struct reply){.error = HISTORY_CONNECT};
	l->link.in.len = 0;
	if (!resp_link_send(&l->link, r->out.p, r->out.len, deadline_ns, &all)) {
		redis_hang_up(l);
		return;
	}
	ret->error = all ? HISTORY_NO_ERROR : HISTORY_CLOSED;
	while (all) {
		ssize_t n = resp_link_receive(&l->link, deadline_ns);
		int used = take_answers(&l->link.in, wanted, ret);

		if (used > 0 && (size_t)used == l->link.in.len)
			return;
		if (used > 0)
			ret->n = 0; /* an answer too much: nobody knows to what the others are */
		if (used != 0)
			ret->error = HISTORY_OTHER;
		else if (n <= 0)
			ret->error = n == -EAGAIN ? HISTORY_TIMEOUT : HISTORY_CLOSED;
		if (ret->error != HISTORY_NO_ERROR)
			break;
	}
	redis_hang_up(l); /* the answers stay where they are until it receives again */
}

/* Ask whoever owns the key's slot, wherever that is. */
static void ask_owner(
	struct redis *r, const struct request *q, uint64_t deadline_ns, struct reply *ret)
{
	unsigned slot = redis_slot_of(q->key);
	unsigned server = r->slot[slot] ? r->slot[slot] - 1u : redis_first_server(r);
	bool asking = false;

	for (unsigned i = 0; i <= REDIRECTS_MAX; i++) {
		struct redis_line *l = &r->server[server];
		unsigned here = server;
		bool asked = asking;

		*ret = (struct reply){.error = HISTORY_CONNECT};
		if (!redis_be_open(l, deadline_ns)) {
			redis_forget(r, server);
			return;
		}
		exchange(r, l, compose(r, q, asking, deadline_ns), deadline_ns, ret);
		asking = false;
		if (ret->n > 0 && asked) {
			ret->n--;
			memmove(ret->answer, ret->answer + 1, ret->n * sizeof *ret->answer);
		}
		if (ret->error != HISTORY_NO_ERROR)
			redis_forget(r, server);
		if (ret->n == 0)
			return;
		server = redis_redirected(r, &ret->answer[0], &asking);
		if (server < REDIS_SERVERS_MAX)
			continue;
		if (ret->answer[0].type != RESP_ANSWER_ERROR && !asked &&
			ret->error == HISTORY_NO_ERROR)
			r->slot[slot] = (uint8_t)(here + 1);
		return;
	}
}

/*
 * Who does not own the slot would hold its answer to the WAIT behind a write for as long as that
 * waits. So the owner is asked for before the first one, as libraries read CLUSTER SLOTS.
 */
static void ask_cluster(
	struct redis *r, const struct request *q, uint64_t deadline_ns, struct reply *ret)
{
	char name[COMMON_KEY_MAX];
	const struct request who = {.key = q->key,
		.reads = true,
		.words = 2,
		.word = {"EXISTS", common_key(q->key, name)}};

	if (!q->reads && r->wait > 0 && !r->slot[redis_slot_of(q->key)]) {
		ask_owner(r, &who, deadline_ns, ret);
		if (ret->n == 0)
			ret->error = HISTORY_CONNECT; /* the write was not sent */
		if (ret->n == 0 || ret->answer[0].type == RESP_ANSWER_ERROR)
			return;
	}
	ask_owner(r, q, deadline_ns, ret);
}

static void ask_one(
	struct redis *r, const struct request *q, uint64_t deadline_ns, struct reply *ret)
{
	bool local = q->reads && r->local;
	struct redis_line *l = local ? &r->near : &r->leader;
	const struct refusal *refusal;

	*ret = (struct reply){.error = HISTORY_CONNECT};
	if (!(local ? redis_be_open(l, deadline_ns) : redis_seek(r, deadline_ns))) {
		if (local)
			redis_hang_up(l);
		else if (r->step == REDIS_FOUND)
			redis_lose_leader(r);
		return;
	}
	exchange(r, l, compose(r, q, false, deadline_ns), deadline_ns, ret);
	refusal = ret->n > 0 ? refusal_of(&ret->answer[0]) : NULL;
	if (!local && (ret->error != HISTORY_NO_ERROR || (refusal && refusal->elsewhere)))
		redis_lose_leader(r);
}

/* Return: true if the command itself has an answer that is no error; else *ret is the outcome. */
static bool ask(struct redis *r, const struct request *q, uint64_t deadline_ns, struct reply *reply,
	struct driver_result *ret)
{
	const struct refusal *refusal;

	if (r->wrong) {
		common_fail(ret, HISTORY_OTHER);
		return false;
	}
	if (r->topology == REDIS_CLUSTER)
		ask_cluster(r, q, deadline_ns, reply);
	else
		ask_one(r, q, deadline_ns, reply);
	if (reply->n == 0 && reply->error == HISTORY_CONNECT) {
		common_fail(ret, HISTORY_CONNECT);
		return false;
	}
	if (reply->n == 0) {
		common_lost(ret, q->reads, reply->error);
		return false;
	}
	if (reply->answer[0].type != RESP_ANSWER_ERROR)
		return true;
	refusal = refusal_of(&reply->answer[0]);
	if (refusal)
		common_fail(ret, refusal->error);
	else
		common_lost(ret, q->reads, HISTORY_OTHER);
	return false;
}

/* The connections are in step only by luck after an answer that this request cannot have. */
static void out_of_step(struct redis *r, bool reads, struct driver_result *ret)
{
	common_lost(ret, reads, HISTORY_OTHER);
	redis_hang_up(&r->near);
	if (r->topology != REDIS_CLUSTER)
		redis_lose_leader(r);
	for (unsigned i = 0; i < r->servers; i++)
		redis_hang_up(&r->server[i]);
}

/* The write is done where it was sent to; do as many replicas have it as are wanted? */
static void take_wait(const struct redis *r, const struct reply *reply, struct driver_result *ret)
{
	const struct resp_answer *answer = &reply->answer[1];
	uint64_t have;

	if (r->wait == 0)
		common_ok(ret);
	else if (reply->n < 2)
		common_unknown(ret, reply->error);
	else if (answer->type == RESP_ANSWER_NUMBER &&
		 common_number(answer->text, answer->len, &have) && have >= r->wait)
		common_ok(ret);
	else
		common_unknown(ret, HISTORY_UNCERTAIN);
}

/* Return: true with the answer, a value or nil; else *ret is the outcome. */
static bool get(struct redis *r, uint64_t key, uint64_t deadline_ns, struct resp_answer *answer,
	struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	const struct request q = {
		.key = key, .reads = true, .words = 2, .word = {"GET", common_key(key, name)}};
	struct reply reply;

	if (!ask(r, &q, deadline_ns, &reply, ret))
		return false;
	*answer = reply.answer[0];
	if (answer->type == RESP_ANSWER_VALUE || answer->type == RESP_ANSWER_NIL)
		return true;
	out_of_step(r, true, ret);
	return false;
}

static void redis_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct redis *r = redis_of(d);
	struct resp_answer answer;
	uint64_t value = 0;

	if (!get(r, key, deadline_ns, &answer, ret))
		return;
	if (answer.type == RESP_ANSWER_NIL || common_number(answer.text, answer.len, &value))
		common_value(ret, value);
	else
		out_of_step(r, true, ret);
}

static void redis_get(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	struct resp_answer answer;

	ret_text->len = 0;
	if (!get(redis_of(d), key, deadline_ns, &answer, ret))
		return;
	common_ok(ret);
	ret->found = answer.type == RESP_ANSWER_VALUE;
	if (ret->found)
		buf_add(ret_text, answer.text, answer.len);
}

/* Commands that answer OK, and those that answer with a number that nobody here looks at. */
static void change(struct redis *r, const struct request *q, enum resp_answer_type type,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct reply reply;

	if (!ask(r, q, deadline_ns, &reply, ret))
		return;
	if (reply.answer[0].type == type &&
		(type != RESP_ANSWER_STATUS || redis_begins(&reply.answer[0], "OK")))
		take_wait(r, &reply, ret);
	else
		out_of_step(r, false, ret);
}

static void redis_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char name[COMMON_KEY_MAX], text[COMMON_KEY_MAX];
	const struct request q = {
		.key = key, .words = 3, .word = {"SET", common_key(key, name), text}};

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	change(redis_of(d), &q, RESP_ANSWER_STATUS, deadline_ns, ret);
}

static void redis_put(struct driver *d, uint64_t key, const struct buf *text, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	const struct request q = {
		.key = key, .words = 2, .word = {"SET", common_key(key, name)}, .text = text};

	change(redis_of(d), &q, RESP_ANSWER_STATUS, deadline_ns, ret);
}

static void redis_append(struct driver *d, uint64_t key, const struct buf *text,
	uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	const struct request q = {
		.key = key, .words = 2, .word = {"APPEND", common_key(key, name)}, .text = text};

	change(redis_of(d), &q, RESP_ANSWER_NUMBER, deadline_ns, ret);
}

static void redis_increase(
	struct driver *d, uint64_t key, int64_t by, uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX], text[COMMON_KEY_MAX];
	const struct request q = {
		.key = key, .words = 3, .word = {"INCRBY", common_key(key, name), text}};

	(void)snprintf(text, sizeof text, "%lld", (long long)by);
	change(redis_of(d), &q, RESP_ANSWER_NUMBER, deadline_ns, ret);
}

static void redis_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct redis *r = redis_of(d);
	char name[COMMON_KEY_MAX], from[COMMON_KEY_MAX], to[COMMON_KEY_MAX];
	const struct request q = {.key = key,
		.words = 6,
		.word = {"EVAL", cas_script, "1", common_key(key, name), from, to}};
	struct reply reply;
	uint64_t done;

	assert(old != 0);
	(void)snprintf(from, sizeof from, "%llu", (unsigned long long)old);
	(void)snprintf(to, sizeof to, "%llu", (unsigned long long)value);
	if (!ask(r, &q, deadline_ns, &reply, ret))
		return;
	if (reply.answer[0].type != RESP_ANSWER_NUMBER ||
		!common_number(reply.answer[0].text, reply.answer[0].len, &done) || done > 1)
		out_of_step(r, false, ret);
	else if (done)
		take_wait(r, &reply, ret);
	else
		common_unmet(ret);
}

/*
 * Life.
 */

/* Return: whether the setting is one of @names or not there; then *@ret is which. */
static bool choose(
	const char *settings, const char *name, const char *const *names, unsigned n, unsigned *ret)
{
	char text[COMMON_SETTING_MAX];

	(void)common_setting(settings, name, text);
	for (unsigned i = 0; i < n; i++) {
		if (text[0] == '\0' || strcmp(text, names[i]) == 0) {
			*ret = text[0] == '\0' ? *ret : i;
			return true;
		}
	}
	return false;
}

static bool read_number(const char *settings, const char *name, unsigned max, unsigned *ret)
{
	char text[COMMON_SETTING_MAX];
	uint64_t n;

	if (common_setting(settings, name, text)[0] == '\0')
		return true;
	if (!common_number(text, strlen(text), &n) || n > max)
		return false;
	*ret = (unsigned)n;
	return true;
}

static bool read_settings(struct redis *r, const char *settings)
{
	static const char *const reads_names[] = {"leader", "local"};
	unsigned topology = REDIS_SINGLE, reads = 0, sentinel_port = 26379;

	r->servers_of_node = 1;
	if (!choose(settings, "topology", topology_names, REDIS_TOPOLOGY_NR, &topology) ||
		!choose(settings, "reads", reads_names, 2, &reads) ||
		!read_number(settings, "wait", UINT8_MAX, &r->wait) ||
		!read_number(settings, "sentinel_port", UINT16_MAX, &sentinel_port) ||
		!read_number(settings, "servers", REDIS_SERVERS_MAX, &r->servers_of_node))
		return false;
	r->topology = (enum redis_topology)topology;
	r->local = reads == 1;
	r->sentinel_port = (uint16_t)sentinel_port;
	if (common_setting(settings, "master", r->master)[0] == '\0')
		(void)snprintf(r->master, sizeof r->master, "m");
	return !(r->local && r->topology == REDIS_CLUSTER) && r->servers_of_node > 0 &&
	       r->nodes <= REDIS_SERVERS_MAX;
}

static struct driver *redis_open(const struct driver_target *target)
{
	struct redis *r = calloc(1, sizeof *r);
	uint32_t near_be = target->addr_be[target->contact];

	assert(r);
	r->driver.ops = &pacelab_driver;
	r->addr_be = target->addr_be;
	r->nodes = target->nodes;
	r->contact = r->at = target->contact;
	r->port = target->port;
	r->wrong = !read_settings(r, target->settings);
	resp_link_init(&r->near.link, near_be, r->port);
	resp_link_init(&r->sentinel.link, near_be, r->sentinel_port);
	resp_link_init(&r->guide.link, near_be, r->port);
	resp_link_init(&r->leader.link, near_be, r->port);
	redis_ask_at(r, r->contact);
	redis_lose_leader(r);
	if (r->topology == REDIS_CLUSTER) {
		r->server = calloc(REDIS_SERVERS_MAX, sizeof *r->server);
		r->slot = calloc(REDIS_SLOTS, sizeof *r->slot);
		assert(r->server && r->slot);
		for (unsigned i = 0; i < r->nodes && !r->wrong; i++)
			(void)redis_server_at(r, r->addr_be[i], r->port);
	}
	return &r->driver;
}

/* Idle time: notice what broke, and let what is under way go on. */
static void look_after(struct redis_line *l)
{
	resp_link_look(&l->link);
	(void)redis_be_open(l, 0);
}

static void redis_connect(struct driver *d, uint64_t deadline_ns)
{
	struct redis *r = redis_of(d);

	if (r->wrong)
		return;
	for (unsigned i = 0; i < r->servers; i++)
		look_after(&r->server[i]);
	if (r->local)
		look_after(&r->near);
	if (r->topology == REDIS_CLUSTER) {
		(void)redis_be_open(&r->server[redis_first_server(r)], deadline_ns);
		return;
	}
	if (r->step == REDIS_FOUND)
		resp_link_look(&r->leader.link);
	if (r->step == REDIS_FOUND && r->leader.link.state == RESP_LINK_CLOSED)
		redis_lose_leader(r);
	(void)redis_seek(r, deadline_ns);
	if (r->local)
		(void)redis_be_open(&r->near, deadline_ns);
}

static void redis_close(struct driver *d)
{
	struct redis *r = redis_of(d);

	if (!d)
		return;
	for (unsigned i = 0; i < r->servers; i++)
		resp_link_fini(&r->server[i].link);
	resp_link_fini(&r->guide.link);
	resp_link_fini(&r->leader.link);
	resp_link_fini(&r->near.link);
	resp_link_fini(&r->sentinel.link);
	buf_fini(&r->out);
	free(r->server);
	free(r->slot);
	free(r);
}

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver = {
	.name = "redis",
	.open = redis_open,
	.connect = redis_connect,
	.read = redis_read,
	.write = redis_write,
	.cas = redis_cas,
	.get = redis_get,
	.put = redis_put,
	.append = redis_append,
	.increase = redis_increase,
	.status = redis_status,
	.close = redis_close,
};
