/* SPDX-License-Identifier: MIT */
/*
 * commands.c - what clients may ask: the table of commands
 *
 * One row per command; COMMAND and the check of argument counts read the same table. What a
 * protocol must answer becomes a struct proto_request; everything else is answered here.
 */
#include "store/commands.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "store/replica.h"

/* Clients look at it for what they may use: nothing here is newer than Redis 7.0. */
#define REDIS_VERSION "7.0.0"
#define VERSIONS_KEYS_MAX 10000u
#define NAME_SHOWN_MAX 64

struct call {
	struct net_client *c;
	const struct proto_bytes *args;
	unsigned n;
	enum proto_level level;
	uint32_t place;
	struct buf *out;
	bool within; /* WITH may not contain WITH */
};

struct row {
	const char *name;
	unsigned min; /* arguments with the name */
	unsigned max;
	const char *flag;
	bool has_key;
	enum commands_result (*run)(struct call *call);
	const char *summary;
};

static enum commands_result dispatch(struct call *call);
static const struct row *row_at(size_t i);

static struct replica *replica_of(const struct call *call)
{
	return call->c->net->replica;
}

static int shown(struct proto_bytes arg)
{
	return arg.len < NAME_SHOWN_MAX ? (int)arg.len : NAME_SHOWN_MAX;
}

static enum commands_result error(struct call *call, const char *text)
{
	resp_error(call->out, "ERR %s", text);
	return COMMANDS_DONE;
}

static enum commands_result ok(struct call *call)
{
	resp_status(call->out, "OK");
	return COMMANDS_DONE;
}

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

static void accepted(struct buf *out, enum proto_op op, const struct proto_reply *reply)
{
	if (op == PROTO_GET)
		resp_bulk(out, reply->value);
	else if (op == PROTO_SET)
		resp_status(out, "OK");
	else
		resp_integer(out, op == PROTO_DEL ? 1 : reply->number);
}

void commands_reply(struct buf *out, const struct replica *replica, enum proto_op op,
	const struct proto_reply *reply)
{
	unsigned nodes = replica->config.proto.nodes;

	switch (reply->status) {
	case PROTO_OK:
		accepted(out, op, reply);
		return;
	case PROTO_NIL:
		if (op == PROTO_DEL)
			resp_integer(out, 0);
		else
			resp_nil(out);
		return;
	case PROTO_UNMET:
		resp_nil(out);
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
		resp_error(out, op == PROTO_APPEND
					? "ERR string exceeds maximum allowed size (1 MiB)"
					: "ERR value is not an integer or out of range");
		return;
	case PROTO_STATUS_NR:
		break;
	}
	assert(0 && "a status of the table");
}

static enum commands_result submit(struct call *call, struct proto_request *req)
{
	req->key = call->args[1];
	if (req->key.len > PROTO_KEY_MAX)
		return error(call, "key is longer than 1024 bytes");
	req->level = call->level;
	req->ticket = net_ticket(call->c, call->place, req->op);
	replica_request(replica_of(call), req);
	return COMMANDS_LATER;
}

static enum commands_result run_get(struct call *call)
{
	struct proto_request req = {.op = PROTO_GET};

	return submit(call, &req);
}

static enum commands_result run_del(struct call *call)
{
	struct proto_request req = {.op = PROTO_DEL};

	return submit(call, &req);
}

static enum commands_result run_append(struct call *call)
{
	struct proto_request req = {.op = PROTO_APPEND, .value = call->args[2]};

	return submit(call, &req);
}

static enum commands_result increase(struct call *call, struct proto_bytes by)
{
	struct proto_request req = {.op = PROTO_INCREASE, .value = by};

	return submit(call, &req);
}

static enum commands_result run_incr(struct call *call)
{
	return increase(call, (struct proto_bytes){.p = (const uint8_t *)"1", .len = 1});
}

static enum commands_result run_decr(struct call *call)
{
	return increase(call, (struct proto_bytes){.p = (const uint8_t *)"-1", .len = 2});
}

static enum commands_result run_incrby(struct call *call)
{
	return increase(call, call->args[2]);
}

static enum commands_result run_decrby(struct call *call)
{
	struct proto_bytes arg = call->args[2];
	char text[32];

	/* The other sign in front; what is no number is found where it is applied. */
	if (arg.len == 0 || arg.len >= sizeof text - 1)
		return increase(call, arg);
	if (arg.p[0] == '-')
		return increase(call, (struct proto_bytes){.p = arg.p + 1, .len = arg.len - 1});
	text[0] = '-';
	memcpy(text + 1, arg.p, arg.len);
	if (arg.len == 1 && arg.p[0] == '0')
		return increase(call, arg);
	return increase(call, (struct proto_bytes){.p = (const uint8_t *)text, .len = arg.len + 1});
}

static enum commands_result run_set(struct call *call)
{
	struct proto_request req = {.op = PROTO_SET, .value = call->args[2]};

	for (unsigned i = 3; i < call->n; i++) {
		struct proto_bytes arg = call->args[i];
		enum proto_cond cond = resp_is(arg, "NX")     ? PROTO_NX
				       : resp_is(arg, "XX")   ? PROTO_XX
				       : resp_is(arg, "IFEQ") ? PROTO_IFEQ
							      : PROTO_ALWAYS;

		if (cond == PROTO_ALWAYS) {
			resp_error(call->out, "UNSUPPORTED SET has no option '%.*s' here",
				shown(arg), (const char *)arg.p);
			return COMMANDS_DONE;
		}
		if (req.cond != PROTO_ALWAYS || (cond == PROTO_IFEQ && i + 1 == call->n))
			return error(call, "syntax error");
		req.cond = cond;
		if (cond == PROTO_IFEQ)
			req.expected = call->args[++i];
	}
	return submit(call, &req);
}

/* --- consistency --- */

static bool parse_level(struct proto_bytes arg, enum proto_level *ret)
{
	for (unsigned i = 0; i < PROTO_LEVEL_NR; i++)
		if (resp_is(arg, proto_level_names[i])) {
			*ret = (enum proto_level)i;
			return true;
		}
	return false;
}

static enum commands_result run_consistency(struct call *call)
{
	if (call->n == 1) {
		resp_text(call->out, proto_level_names[call->c->level]);
		return COMMANDS_DONE;
	}
	if (!parse_level(call->args[1], &call->c->level))
		return error(call, "a level is one, quorum, all or default");
	return ok(call);
}

static enum commands_result run_with(struct call *call)
{
	if (call->within)
		return error(call, "WITH inside WITH");
	if (!parse_level(call->args[1], &call->level))
		return error(call, "a level is one, quorum, all or default");
	call->within = true;
	call->args += 2;
	call->n -= 2;
	return dispatch(call);
}

/* --- what the supervisor asks --- */

static enum commands_result run_versions(struct call *call)
{
	const struct table *table = replica_of(call)->table;
	const struct table_entry *e;
	size_t at = 0;
	size_t n = 0;

	while (table_next(table, &at))
		n++;
	n = n < VERSIONS_KEYS_MAX ? n : VERSIONS_KEYS_MAX;
	resp_array(call->out, 2 * n);
	at = 0;
	while (n-- > 0 && (e = table_next(table, &at))) {
		resp_bulk(call->out, e->key);
		resp_integer(call->out, e->version);
	}
	return COMMANDS_DONE;
}

static enum commands_result run_pacelab(struct call *call)
{
	const struct table_entry *e;

	if (resp_is(call->args[1], "VERSIONS") && call->n == 2)
		return run_versions(call);
	if (!resp_is(call->args[1], "LOCAL") || call->n != 3)
		return error(call, "PACELAB VERSIONS, or PACELAB LOCAL key");
	e = table_get(replica_of(call)->table, call->args[2]);
	if (e && !e->deleted)
		resp_bulk(call->out, e->value);
	else
		resp_nil(call->out);
	return COMMANDS_DONE;
}

void commands_info(struct buf *text, const struct replica *r)
{
	struct proto_status_view view = {0};

	r->config.ops->status(r->proto, &view);
	buf_printf(text,
		"# Server\r\nredis_version:" REDIS_VERSION
		"\r\nproto:%s\r\nid:%u\r\nnodes:%u\r\nfsync:%s\r\n"
		"# Replication\r\nrole:%s\r\nleader:%d\r\nterm:%llu\r\nlog_last:%llu\r\n"
		"committed:%llu\r\napplied:%llu\r\nhints:%llu\r\nhints_refused:%llu\r\n"
		"pending:%llu\r\nready:%d\r\n",
		r->config.ops->name, r->config.proto.self, r->config.proto.nodes,
		wal_sync_names[r->config.sync], proto_role_names[view.role], view.leader,
		(unsigned long long)view.term, (unsigned long long)view.log_last,
		(unsigned long long)view.committed, (unsigned long long)view.applied,
		(unsigned long long)view.hints, (unsigned long long)view.hints_refused,
		(unsigned long long)view.pending, view.ready && !wal_full(&r->wal));
	buf_printf(text,
		"# Keyspace\r\nkeys:%llu\r\n",
		(unsigned long long)table_count(r->table));
	replica_info(text, r);
	buf_printf(text,
		"# Clients\r\nconnected_clients:%u\r\nclients_bad:%llu\r\n"
		"# Peers\r\npeers_up:%u\r\nframes_bad:%llu\r\nmessages_sent:%llu\r\n"
		"messages_received:%llu\r\nmessages_dropped:%llu\r\n",
		r->net.connected, (unsigned long long)r->net.clients_bad, peers_up(&r->peers),
		(unsigned long long)r->peers.frames_bad, (unsigned long long)r->peers.sent,
		(unsigned long long)r->peers.received, (unsigned long long)r->peers.dropped);
}

static enum commands_result run_info(struct call *call)
{
	struct buf text = {0};

	commands_info(&text, replica_of(call));
	resp_bulk(call->out, (struct proto_bytes){.p = text.p, .len = (uint32_t)text.len});
	buf_fini(&text);
	return COMMANDS_DONE;
}

/* --- what Redis tools ask when they start --- */

static enum commands_result run_ping(struct call *call)
{
	if (call->n == 2)
		resp_bulk(call->out, call->args[1]);
	else
		resp_status(call->out, "PONG");
	return COMMANDS_DONE;
}

static enum commands_result run_echo(struct call *call)
{
	resp_bulk(call->out, call->args[1]);
	return COMMANDS_DONE;
}

static enum commands_result run_hello(struct call *call)
{
	if (call->n > 1 && !resp_is(call->args[1], "2")) {
		resp_error(
			call->out, "NOPROTO unsupported protocol version, only 2 is spoken here");
		return COMMANDS_DONE;
	}
	if (call->n > 2)
		return error(call, "HELLO takes no options here");
	resp_array(call->out, 14);
	resp_text(call->out, "server");
	resp_text(call->out, "pacelab");
	resp_text(call->out, "version");
	resp_text(call->out, REDIS_VERSION);
	resp_text(call->out, "proto");
	resp_integer(call->out, 2);
	resp_text(call->out, "id");
	resp_integer(call->out, call->c->id);
	resp_text(call->out, "mode");
	resp_text(call->out, "standalone");
	resp_text(call->out, "role");
	resp_text(call->out, "master");
	resp_text(call->out, "modules");
	resp_array(call->out, 0);
	return COMMANDS_DONE;
}

static enum commands_result run_client(struct call *call)
{
	struct net_client *c = call->c;

	if (resp_is(call->args[1], "ID") && call->n == 2) {
		resp_integer(call->out, c->id);
		return COMMANDS_DONE;
	}
	if (resp_is(call->args[1], "GETNAME") && call->n == 2) {
		resp_text(call->out, c->name);
		return COMMANDS_DONE;
	}
	if (resp_is(call->args[1], "SETNAME") && call->n == 3) {
		if (call->args[2].len >= sizeof c->name)
			return error(call, "name is too long");
		memcpy(c->name, call->args[2].p, call->args[2].len);
		c->name[call->args[2].len] = '\0';
		return ok(call);
	}
	if (resp_is(call->args[1], "SETINFO") && call->n == 4)
		return ok(call);
	return error(call, "CLIENT ID, GETNAME, SETNAME name, or SETINFO attribute value");
}

static enum commands_result run_config(struct call *call)
{
	if (!resp_is(call->args[1], "GET"))
		return error(call, "only CONFIG GET is answered: options are given at the start");
	if (resp_is(call->args[2], "save")) {
		resp_array(call->out, 2);
		resp_text(call->out, "save");
		resp_text(call->out, "");
	} else if (resp_is(call->args[2], "appendonly")) {
		resp_array(call->out, 2);
		resp_text(call->out, "appendonly");
		resp_text(call->out, "yes");
	} else {
		resp_array(call->out, 0);
	}
	return COMMANDS_DONE;
}

static enum commands_result run_select(struct call *call)
{
	return resp_is(call->args[1], "0") ? ok(call) : error(call, "DB index is out of range");
}

static enum commands_result run_dbsize(struct call *call)
{
	resp_integer(call->out, table_count(replica_of(call)->table));
	return COMMANDS_DONE;
}

static enum commands_result run_quit(struct call *call)
{
	resp_status(call->out, "OK");
	return COMMANDS_QUIT;
}

static size_t rows_count(void)
{
	size_t n = 0;

	while (row_at(n))
		n++;
	return n;
}

static void describe(struct buf *out, const struct row *row)
{
	bool fixed = row->min == row->max;

	resp_array(out, 6);
	resp_text(out, row->name);
	if (fixed) {
		resp_integer(out, row->min);
	} else {
		buf_printf(out, ":-%u\r\n", row->min); /* at least so many */
	}
	resp_array(out, 1);
	resp_status(out, row->flag);
	for (int i = 0; i < 3; i++)
		resp_integer(out, row->has_key);
}

static enum commands_result run_command(struct call *call)
{
	const struct row *row;

	if (call->n >= 2 && resp_is(call->args[1], "COUNT")) {
		resp_integer(call->out, rows_count());
		return COMMANDS_DONE;
	}
	if (call->n >= 2 && resp_is(call->args[1], "DOCS")) {
		resp_array(call->out, 2 * rows_count());
		for (size_t i = 0; (row = row_at(i)); i++) {
			resp_text(call->out, row->name);
			resp_array(call->out, 2);
			resp_text(call->out, "summary");
			resp_text(call->out, row->summary);
		}
		return COMMANDS_DONE;
	}
	if (call->n >= 2)
		return error(call, "COMMAND, COMMAND COUNT or COMMAND DOCS");
	resp_array(call->out, rows_count());
	for (size_t i = 0; (row = row_at(i)); i++)
		describe(call->out, row);
	return COMMANDS_DONE;
}

/* --- the table; the most frequent first --- */

/* clang-format off */
static const struct row rows[] = {
	{"get", 2, 2, "readonly", true, run_get, "the value of a key"},
	{"set", 3, 6, "write", true, run_set, "set a key: NX, XX, or IFEQ old for conditions"},
	{"del", 2, 2, "write", true, run_del, "delete a key"},
	{"append", 3, 3, "write", true, run_append, "make the value of a key longer"},
	{"incr", 2, 2, "write", true, run_incr, "the number at a key, by one more"},
	{"decr", 2, 2, "write", true, run_decr, "the number at a key, by one less"},
	{"incrby", 3, 3, "write", true, run_incrby, "the number at a key, by so much more"},
	{"decrby", 3, 3, "write", true, run_decrby, "the number at a key, by so much less"},
	{"with", 3, RESP_ARGS_MAX, "fast", false, run_with,
		"run one command at a level: one, quorum, all, default"},
	{"consistency", 1, 2, "fast", false, run_consistency,
		"the level of this connection's commands"},
	{"pacelab", 2, 3, "readonly", false, run_pacelab,
		"VERSIONS: keys and versions here; LOCAL key: the value here"},
	{"ping", 1, 2, "fast", false, run_ping, "pong, or the argument"},
	{"echo", 2, 2, "fast", false, run_echo, "the argument"},
	{"info", 1, RESP_ARGS_MAX, "readonly", false, run_info, "what this replica knows"},
	{"hello", 1, RESP_ARGS_MAX, "fast", false, run_hello, "agree on RESP version 2"},
	{"command", 1, RESP_ARGS_MAX, "readonly", false, run_command, "this table"},
	{"client", 2, 4, "fast", false, run_client, "ID, GETNAME, SETNAME, SETINFO"},
	{"config", 3, 3, "readonly", false, run_config, "GET save, GET appendonly"},
	{"select", 2, 2, "fast", false, run_select, "there is database 0 only"},
	{"dbsize", 1, 1, "readonly", false, run_dbsize, "number of keys in this replica"},
	{"quit", 1, 1, "fast", false, run_quit, "close the connection"},
};
/* clang-format on */

static const struct row *row_at(size_t i)
{
	return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

static enum commands_result dispatch(struct call *call)
{
	struct proto_bytes name = call->args[0];
	const struct row *row;

	for (size_t i = 0; (row = row_at(i)); i++)
		if (resp_is(name, row->name))
			break;
	if (!row) {
		resp_error(
			call->out, "ERR unknown command '%.*s'", shown(name), (const char *)name.p);
		return COMMANDS_DONE;
	}
	if (call->n < row->min || call->n > row->max) {
		resp_error(call->out, "ERR wrong number of arguments for '%s' command", row->name);
		return COMMANDS_DONE;
	}
	return row->run(call);
}

enum commands_result commands_run(
	struct net_client *c, const struct resp_command *command, uint32_t place)
{
	struct call call = {
		.c = c,
		.args = command->args,
		.n = command->n,
		.level = c->level,
		.place = place,
		.out = net_begin(c, place),
	};
	enum commands_result result = dispatch(&call);

	if (result != COMMANDS_LATER)
		net_end(c, place);
	return result;
}
