/* SPDX-License-Identifier: MIT */
/*
 * commands.c - what clients may ask: the table of commands
 *
 * One row per command; COMMAND and the check of argument counts read the same table. What a
 * protocol must answer becomes a struct proto_request, and its reply is put into the shape that
 * the command has; everything else is answered at once. The commands themselves are in the files
 * named after the groups that Redis sorts them into.
 */
#include "store/commands_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/clock.h"
#include "store/gather.h"

/* --- what protocols answer --- */

static void refusal(
	struct buf *out, const char *name, const struct proto_reply *reply, unsigned nodes)
{
	char counts[128] = "";
	unsigned long long ms = reply->waited_ns / NS_PER_MS;

	if (reply->need && reply->waited_ns)
		(void)snprintf(counts, sizeof counts,
			"%u of %u replicas answered within %llu ms, %u needed", reply->have, nodes,
			ms, reply->need);
	else if (reply->need)
		(void)snprintf(counts, sizeof counts, "%u of %u replicas reachable, %u needed",
			reply->have, nodes, reply->need);
	else if (reply->waited_ns)
		(void)snprintf(counts, sizeof counts, "gave up after %llu ms", ms);
	resp_error(out, "%s %s%s%s", name, reply->why ? reply->why : "",
		reply->why && counts[0] ? ": " : "",
		counts[0] || reply->why ? counts : "no reason given");
}

static void unfit(struct buf *out, enum commands_shape shape, int64_t number)
{
	if (shape == SHAPE_APPENDED)
		resp_error(out, "ERR string exceeds maximum allowed size (1 MiB)");
	else if (number)
		resp_error(out, "ERR increment or decrement would overflow");
	else
		resp_error(out, "ERR value is not an integer or out of range");
}

/* As Redis: whole seconds are rounded, and what is overdue has nothing left. */
static int64_t time_left(
	enum commands_shape shape, const struct proto_reply *reply, uint64_t wall_ns)
{
	bool since = shape == SHAPE_EXPIRETIME_S || shape == SHAPE_EXPIRETIME_MS;
	uint64_t left_ns = reply->expires_ns;

	if (reply->status == PROTO_NIL)
		return -2;
	if (!reply->expires_ns)
		return -1;
	if (!since)
		left_ns = reply->expires_ns > wall_ns ? reply->expires_ns - wall_ns : 0;
	/* A remainder of a millisecond is one still. */
	left_ns = left_ns / NS_PER_MS + (!since && left_ns % NS_PER_MS > 0);
	if (shape == SHAPE_TTL_S || shape == SHAPE_EXPIRETIME_S)
		return (int64_t)((left_ns + 500) / 1000);
	return (int64_t)left_ns;
}

static void listed(struct buf *out, const struct proto_reply *reply)
{
	for (uint32_t i = 0; i < reply->listed; i++)
		resp_bulk(out, reply->list[i]);
}

/* GET refuses what is no string; that is a set, as counters are strings to it. */
static const char *type_of(const struct proto_reply *reply)
{
	if (reply->status == PROTO_WRONG)
		return "set";
	return reply->status == PROTO_OK ? "string" : "none";
}

bool commands_there(enum commands_shape shape)
{
	return shape == SHAPE_THERE || (shape >= SHAPE_TYPE && shape <= SHAPE_EXPIRETIME_MS);
}

static void shaped(struct buf *out, const struct replica *replica, const struct net_answer *answer,
	const struct proto_reply *reply)
{
	enum commands_shape shape = (enum commands_shape)answer->shape;
	bool done = reply->status == PROTO_OK;

	switch (shape) {
	case SHAPE_VALUE:
	case SHAPE_BEFORE:
		if (shape == SHAPE_VALUE ? done : reply->found)
			resp_bulk(out, reply->value);
		else
			resp_nil(out, answer->resp3);
		return;
	case SHAPE_OK:
		if (done)
			resp_status(out, "OK");
		else
			resp_nil(out, answer->resp3);
		return;
	case SHAPE_ONE:
		resp_integer(out, done);
		return;
	case SHAPE_THERE:
		resp_integer(out, reply->status != PROTO_NIL);
		return;
	case SHAPE_COUNTED:
	case SHAPE_APPENDED:
		resp_integer(out, reply->number);
		return;
	case SHAPE_LENGTH:
		resp_integer(out, done ? reply->value.len : 0);
		return;
	case SHAPE_TYPE:
		resp_status(out, type_of(reply));
		return;
	case SHAPE_TTL_S:
	case SHAPE_TTL_MS:
	case SHAPE_EXPIRETIME_S:
	case SHAPE_EXPIRETIME_MS:
		resp_integer(out,
			time_left(shape, reply, replica->io.wall((struct proto_io *)&replica->io)));
		return;
	case SHAPE_SET:
		resp_set(out, answer->resp3, reply->listed);
		listed(out, reply);
		return;
	case SHAPE_LIST:
		resp_array(out, reply->listed);
		listed(out, reply);
		return;
	case SHAPE_LISTED:
		resp_integer(out, reply->listed);
		return;
	case SHAPE_MEMBER:
	case SHAPE_NR:
		break;
	}
	assert(0 && "a shape of the table");
}

void commands_token(struct buf *out, const struct token *token)
{
	static const struct token none;
	struct buf text = {0};

	token_print(&text, token ? token : &none);
	resp_bulk(out, (struct proto_bytes){.p = text.p, .len = (uint32_t)text.len});
	buf_fini(&text);
}

/* What is no error comes with the session's token behind it. */
static void sessional(struct buf *out, const struct replica *replica,
	const struct net_answer *answer, const struct proto_reply *reply)
{
	resp_array(out, 2);
	shaped(out, replica, answer, reply);
	commands_token(out, reply->token);
}

static void answered(struct buf *out, const struct replica *replica,
	const struct net_answer *answer, const struct proto_reply *reply)
{
	if (answer->session)
		sessional(out, replica, answer, reply);
	else
		shaped(out, replica, answer, reply);
}

void commands_reply(struct buf *out, const struct replica *replica, const struct net_answer *answer,
	const struct proto_reply *reply)
{
	unsigned nodes = replica->config.proto.nodes;

	switch (reply->status) {
	case PROTO_OK:
	case PROTO_NIL:
	case PROTO_UNMET:
		answered(out, replica, answer, reply);
		return;
	case PROTO_UNAVAILABLE:
		refusal(out, "UNAVAILABLE", reply, nodes);
		return;
	case PROTO_UNCERTAIN:
		refusal(out, "UNCERTAIN", reply, nodes);
		return;
	case PROTO_UNSUPPORTED:
		refusal(out, "UNSUPPORTED", reply, nodes);
		return;
	case PROTO_UNFIT:
		unfit(out, (enum commands_shape)answer->shape, reply->number);
		return;
	case PROTO_WRONG:
		if (commands_there((enum commands_shape)answer->shape))
			answered(out, replica, answer, reply);
		else
			resp_error(out, "WRONGTYPE Operation against a key holding the wrong kind "
					"of value");
		return;
	case PROTO_STATUS_NR:
		break;
	}
	assert(0 && "a status of the table");
}

/* --- what the commands share --- */

enum commands_result call_error(struct call *call, const char *text)
{
	resp_error(call->out, "ERR %s", text);
	return COMMANDS_DONE;
}

enum commands_result call_ok(struct call *call)
{
	resp_status(call->out, "OK");
	return COMMANDS_DONE;
}

static int shown(struct proto_bytes arg)
{
	return arg.len < NAME_SHOWN_MAX ? (int)arg.len : NAME_SHOWN_MAX;
}

enum commands_result call_unknown(struct call *call, const char *name)
{
	resp_error(call->out, "ERR unknown subcommand '%.*s'. Try %s HELP.", shown(call->args[1]),
		(const char *)call->args[1].p, name);
	return COMMANDS_DONE;
}

enum commands_result call_arity(struct call *call, const char *name, const char *sub)
{
	resp_error(call->out, "ERR wrong number of arguments for '%s%s%s' command", name,
		sub ? "|" : "", sub ? sub : "");
	return COMMANDS_DONE;
}

bool call_sub(const struct call *call, const char *word)
{
	return resp_is(call->args[1], word);
}

bool call_number(struct call *call, struct proto_bytes arg, int64_t *ret)
{
	if (command_number(arg, ret))
		return true;
	(void)call_error(call, "value is not an integer or out of range");
	return false;
}

/* If the reply is not here at once: a value as long as the one in the own table may come. */
static void foresee(struct net_client *c, uint32_t place, const struct proto_request *req)
{
	const struct table_entry *e;

	if (!proto_reads(req->op) && !req->get)
		return;
	e = table_get(c->net->replica->table, req->key);
	if (e && !e->deleted)
		net_expect(c, place, e->value.len);
}

static void submit(struct call *call, struct proto_request *req, const struct net_answer *answer)
{
	req->level = proto_reads(req->op) ? call->read_level : call->write_level;
	req->token = call->token;
	req->ticket = net_ticket(call->c, call->place, answer);
	replica_request(call_replica(call), req);
	if (net_awaited(call->c, call->place))
		foresee(call->c, call->place, req);
}

void commands_plain(struct net_client *c, const struct plain *plain, uint32_t place)
{
	bool get = plain->op == PROTO_GET;
	struct net_answer answer = {.shape = get ? SHAPE_VALUE : SHAPE_OK, .resp3 = c->resp3};
	struct proto_request req = {
		.ticket = net_ticket(c, place, &answer),
		.op = plain->op,
		.level = get ? c->read_level : c->write_level,
		.key = plain->key,
		.value = plain->value,
	};

	c->net->commands++;
	replica_request(c->net->replica, &req);
	if (get && net_awaited(c, place))
		foresee(c, place, &req);
}

static bool key_fits(struct call *call, struct proto_bytes key)
{
	if (key.len <= PROTO_KEY_MAX)
		return true;
	(void)call_error(call, "key is longer than 1024 bytes");
	return false;
}

enum commands_result call_submit(
	struct call *call, struct proto_request *req, enum commands_shape shape)
{
	struct net_answer answer = {
		.shape = (uint8_t)shape, .resp3 = call->resp3, .session = call->token};

	req->key = call->args[1];
	if (!key_fits(call, req->key))
		return COMMANDS_DONE;
	submit(call, req, &answer);
	return COMMANDS_LATER;
}

enum commands_result call_each(struct call *call, const struct proto_request *like, unsigned step,
	enum commands_shape shape)
{
	struct net_answer answer = {
		.shape = (uint8_t)shape, .resp3 = call->resp3, .session = call->token};
	uint32_t parts = (call->n - 1) / step;

	for (unsigned i = 1; i < call->n; i += step)
		if (!key_fits(call, call->args[i]))
			return COMMANDS_DONE;
	answer.gather = gather_open(call->c, call->place, &answer, !proto_reads(like->op), parts);
	for (; answer.part < parts; answer.part++) {
		struct proto_request req = *like;

		req.key = call->args[1 + answer.part * step];
		if (step > 1)
			req.value = call->args[2 + answer.part * step];
		submit(call, &req, &answer);
	}
	return COMMANDS_LATER;
}

enum commands_result call_values(struct call *call, enum proto_op op)
{
	struct net_answer answer = {
		.shape = SHAPE_COUNTED, .resp3 = call->resp3, .session = call->token};
	uint32_t parts = call->n - 2;

	if (!key_fits(call, call->args[1]))
		return COMMANDS_DONE;
	answer.gather = gather_open(call->c, call->place, &answer, true, parts);
	for (; answer.part < parts; answer.part++) {
		struct proto_request req = {
			.op = op, .key = call->args[1], .value = call->args[2 + answer.part]};

		submit(call, &req, &answer);
	}
	return COMMANDS_LATER;
}

enum commands_result call_seek(struct call *call, struct proto_bytes member)
{
	struct net_answer answer = {
		.shape = SHAPE_MEMBER, .resp3 = call->resp3, .session = call->token};
	struct proto_request req = {.op = PROTO_MEMBERS, .key = call->args[1]};

	if (!key_fits(call, req.key))
		return COMMANDS_DONE;
	answer.gather = gather_open(call->c, call->place, &answer, false, 1);
	gather_seek(answer.gather, call->c, member);
	submit(call, &req, &answer);
	return COMMANDS_LATER;
}

/* --- the table; the most frequent first --- */

/* clang-format off */
static const struct row rows[] = {
	{"get", 2, "readonly fast", 1, 1, 1, run_get,
		"string", "1.0.0", "Returns the string value of a key."},
	{"set", -3, "write denyoom", 1, 1, 1, run_set,
		"string", "1.0.0", "Sets the string value of a key: NX, XX or IFEQ old, GET, EX, PX, "
		"EXAT, PXAT or KEEPTTL."},
	{"incr", 2, "write denyoom fast", 1, 1, 1, run_incr,
		"string", "1.0.0", "Increments the integer value of a key by one."},
	{"mset", -3, "write denyoom", 1, -1, 2, run_mset,
		"string", "1.0.1", "Sets the values of one or more keys; not atomic here."},
	{"mget", -2, "readonly fast", 1, -1, 1, run_mget,
		"string", "1.0.0", "Returns the values of one or more keys; not atomic here."},
	{"del", -2, "write", 1, -1, 1, run_del,
		"generic", "1.0.0", "Deletes one or more keys; not atomic here."},
	{"exists", -2, "readonly fast", 1, -1, 1, run_exists,
		"generic", "1.0.0", "Counts those of the keys that exist."},
	{"append", 3, "write denyoom fast", 1, 1, 1, run_append,
		"string", "2.0.0", "Appends a string to the value of a key."},
	{"strlen", 2, "readonly fast", 1, 1, 1, run_strlen,
		"string", "2.2.0", "Returns the length of a string value."},
	{"decr", 2, "write denyoom fast", 1, 1, 1, run_decr,
		"string", "1.0.0", "Decrements the integer value of a key by one."},
	{"incrby", 3, "write denyoom fast", 1, 1, 1, run_incrby,
		"string", "1.0.0", "Increments the integer value of a key by a number."},
	{"decrby", 3, "write denyoom fast", 1, 1, 1, run_decrby,
		"string", "1.0.0", "Decrements the integer value of a key by a number."},
	{"setnx", 3, "write denyoom fast", 1, 1, 1, run_setnx,
		"string", "1.0.0", "Sets the value of a key only if the key does not exist."},
	{"setex", 4, "write denyoom", 1, 1, 1, run_setex,
		"string", "2.0.0", "Sets the value of a key and its expiration in seconds."},
	{"psetex", 4, "write denyoom", 1, 1, 1, run_psetex,
		"string", "2.6.0", "Sets the value of a key and its expiration in milliseconds."},
	{"getset", 3, "write denyoom fast", 1, 1, 1, run_getset,
		"string", "1.0.0", "Sets the value of a key and returns the one before."},
	{"getdel", 2, "write fast", 1, 1, 1, run_getdel,
		"string", "6.2.0", "Returns the value of a key and deletes the key."},
	{"unlink", -2, "write fast", 1, -1, 1, run_del,
		"generic", "4.0.0", "Deletes one or more keys; not atomic here."},
	{"type", 2, "readonly fast", 1, 1, 1, run_type,
		"generic", "1.0.0", "Tells string, set, or none."},
	{"sadd", -3, "write denyoom fast", 1, 1, 1, run_sadd,
		"set", "1.0.0", "Adds one or more members to a set; not atomic here."},
	{"srem", -3, "write fast", 1, 1, 1, run_srem,
		"set", "1.0.0", "Removes one or more members from a set; not atomic here."},
	{"smembers", 2, "readonly", 1, 1, 1, run_smembers,
		"set", "1.0.0", "Returns all members of a set."},
	{"sismember", 3, "readonly fast", 1, 1, 1, run_sismember,
		"set", "1.0.0", "Tells whether a value is a member of a set."},
	{"scard", 2, "readonly fast", 1, 1, 1, run_scard,
		"set", "1.0.0", "Counts the members of a set."},
	{"values", 2, "readonly", 1, 1, 1, run_values,
		"string", "1.0.0", "Returns all values that stand side by side, first what GET gives."},
	{"resolve", 3, "write fast", 1, 1, 1, run_resolve,
		"string", "1.0.0", "Ends one of the values that stand side by side."},
	{"ttl", 2, "readonly fast", 1, 1, 1, run_ttl,
		"generic", "1.0.0", "Returns the time to live of a key in seconds."},
	{"pttl", 2, "readonly fast", 1, 1, 1, run_pttl,
		"generic", "2.6.0", "Returns the time to live of a key in milliseconds."},
	{"expiretime", 2, "readonly fast", 1, 1, 1, run_expiretime,
		"generic", "7.0.0", "Returns when a key expires, in seconds since 1970."},
	{"pexpiretime", 2, "readonly fast", 1, 1, 1, run_pexpiretime,
		"generic", "7.0.0", "Returns when a key expires, in milliseconds since 1970."},
	{"scan", -2, "readonly", 0, 0, 0, run_scan,
		"generic", "2.8.0", "Iterates over the keys in this replica's own table."},
	{"keys", 2, "readonly", 0, 0, 0, run_keys,
		"generic", "1.0.0", "Returns the keys in this replica's own table like a pattern."},
	{"dbsize", 1, "readonly fast", 0, 0, 0, run_dbsize,
		"server", "1.0.0", "Counts the keys in this replica's own table."},
	{"with", -3, "fast", 0, 0, 0, run_with,
		"server", "1.0.0", "Runs one command at a level of consistency."},
	{"consistency", -1, "fast", 0, 0, 0, run_consistency,
		"connection", "1.0.0", "The level of this connection: [[READ | WRITE] level]."},
	{"pacelab", -2, "readonly", 0, 0, 0, run_pacelab,
		"server", "1.0.0", "VERSIONS: keys and versions here; LOCAL key: the value here."},
	{"replica", -2, "admin", 0, 0, 0, run_replica,
		"server", "1.0.0", "TRANSFER, ADD or REMOVE a replica by its number."},
	{"ping", -1, "fast", 0, 0, 0, run_ping,
		"connection", "1.0.0", "Returns PONG, or the argument."},
	{"echo", 2, "fast", 0, 0, 0, run_echo, "connection", "1.0.0", "Returns the argument."},
	{"info", -1, "loading stale", 0, 0, 0, run_info,
		"server", "1.0.0", "Tells what this replica knows, in sections."},
	{"hello", -1, "noscript loading stale fast no_auth allow_busy", 0, 0, 0, run_hello,
		"connection", "6.0.0", "Agrees on RESP version 2 or 3."},
	{"auth", -2, "noscript loading stale fast no_auth allow_busy", 0, 0, 0, run_auth,
		"connection", "1.0.0", "There are no passwords here."},
	{"command", -1, "loading stale", 0, 0, 0, run_command,
		"server", "2.8.13", "Tells about commands: COUNT, DOCS, INFO, LIST."},
	{"client", -2, "noscript loading stale", 0, 0, 0, run_client,
		"connection", "2.4.0", "ID, GETNAME, SETNAME, SETINFO, LIST, INFO, KILL ID, "
		"NO-EVICT, NO-TOUCH."},
	{"config", -2, "admin noscript loading stale", 0, 0, 0, run_config,
		"server", "2.0.0", "GET tells what this replica was started with."},
	{"select", 2, "loading stale fast", 0, 0, 0, run_select,
		"connection", "1.0.0", "There is database 0 only."},
	{"quit", -1, "noscript loading stale fast no_auth allow_busy", 0, 0, 0, run_quit,
		"connection", "1.0.0", "Closes the connection."},
	{"reset", 1, "noscript loading stale fast no_auth allow_busy", 0, 0, 0, run_reset,
		"connection", "6.2.0", "Makes the connection as it was when it was new."},
};
/* clang-format on */

const struct row *commands_row(size_t i)
{
	return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

static enum commands_result unknown(struct call *call)
{
	struct proto_bytes name = call->args[0];
	char args[NAME_SHOWN_MAX + 4] = "";
	size_t len = 0;

	for (unsigned i = 1; i < call->n && len < NAME_SHOWN_MAX; i++) {
		int room = (int)(NAME_SHOWN_MAX - len);
		struct proto_bytes arg = call->args[i];
		int n = snprintf(args + len, sizeof args - len, "'%.*s' ",
			(int)arg.len < room ? (int)arg.len : room, (const char *)arg.p);

		len += (size_t)n < sizeof args - len ? (size_t)n : sizeof args - len - 1;
	}
	resp_error(call->out, "ERR unknown command '%.*s', with args beginning with: %s",
		shown(name), (const char *)name.p, args);
	return COMMANDS_DONE;
}

enum commands_result commands_dispatch(struct call *call)
{
	struct proto_bytes name = call->args[0];
	const struct row *row;

	for (size_t i = 0; (row = commands_row(i)); i++)
		if (name.len > 0 && (name.p[0] | 0x20) == row->name[0] && resp_is(name, row->name))
			break;
	if (!row)
		return unknown(call);
	if (row->arity > 0 ? call->n != (unsigned)row->arity : call->n < (unsigned)-row->arity)
		return call_arity(call, row->name, NULL);
	return row->run(call);
}

enum commands_result commands_run(
	struct net_client *c, const struct resp_command *command, uint32_t place)
{
	struct call call = {
		.c = c,
		.args = command->args,
		.n = command->n,
		.read_level = c->read_level,
		.write_level = c->write_level,
		.place = place,
		.out = net_begin(c, place),
		.resp3 = c->resp3,
	};
	enum commands_result result;

	c->net->commands++;
	result = commands_dispatch(&call);
	if (result != COMMANDS_LATER)
		net_end(c, place);
	return result;
}
