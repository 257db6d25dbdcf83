/* SPDX-License-Identifier: MIT */
/* commands_server.c - commands about this replica, its settings and its consistency */
#include "store/commands_internal.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"

#define VERSIONS_KEYS_MAX 10000u
#define SETTING_TEXT_MAX 128

/* --- INFO --- */

static void info_server(struct buf *text, const struct replica *r)
{
	buf_printf(text,
		"redis_version:" REDIS_VERSION
		"\r\nredis_mode:standalone\r\nos:Linux\r\narch_bits:64\r\nprocess_id:%d\r\n"
		"tcp_port:%u\r\nuptime_in_seconds:%llu\r\nproto:%s\r\nid:%u\r\nnodes:%u\r\n"
		"fsync:%s\r\nclock_skew_us:%lld\r\n",
		(int)getpid(), ntohs(r->config.listen.sin_port),
		(unsigned long long)((loop_now(r->loop) - r->net.since_ns) / NS_PER_S),
		r->config.ops->name, r->config.proto.self, r->config.proto.nodes,
		wal_sync_names[r->config.sync], (long long)(r->config.skew_ns / 1000));
}

static void info_clients(struct buf *text, const struct replica *r)
{
	buf_printf(text,
		"connected_clients:%u\r\nmaxclients:%u\r\nblocked_clients:0\r\n"
		"clients_bad:%llu\r\n",
		r->net.connected, r->net.connected_max, (unsigned long long)r->net.clients_bad);
}

static void info_memory(struct buf *text, const struct replica *r)
{
	struct mallinfo2 m = mallinfo2();

	buf_printf(text,
		"used_memory:%zu\r\nused_memory_dataset:%zu\r\nmaxmemory:%llu\r\n"
		"buffers:%zu\r\n",
		m.uordblks + m.hblkhd, proto_memory(r->proto),
		(unsigned long long)r->config.memory_max, r->streams.bytes + r->net.waiting);
}

static void info_stats(struct buf *text, const struct replica *r)
{
	buf_printf(text, "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n",
		(unsigned long long)r->net.last_id, (unsigned long long)r->net.commands);
	buf_printf(text, "turns:%llu\r\ncompletions:%llu\r\nsyncs:%llu\r\n",
		(unsigned long long)loop_counts(r->loop)->turns,
		(unsigned long long)loop_counts(r->loop)->completions,
		(unsigned long long)loop_counts(r->loop)->syncs);
}

static void info_voters(
	struct buf *text, const struct replica *r, const struct proto_status_view *view)
{
	const char *sep = "voters:";

	if (!view->voters)
		return;
	for (unsigned i = 0; i < r->config.proto.nodes; i++) {
		if (!(view->voters[i / 64] >> i % 64 & 1))
			continue;
		buf_printf(text, "%s%u", sep, i);
		sep = ",";
	}
	buf_printf(text, "\r\nlog_first:%llu\r\n", (unsigned long long)view->log_first);
}

static void info_replication(struct buf *text, const struct replica *r)
{
	struct proto_status_view view = {0};

	r->config.ops->status(r->proto, &view);
	buf_printf(text,
		"role:%s\r\nleader:%d\r\nterm:%llu\r\nlog_last:%llu\r\n"
		"committed:%llu\r\napplied:%llu\r\nhints:%llu\r\nhints_refused:%llu\r\n"
		"pending:%llu\r\nready:%d\r\n",
		proto_role_names[view.role], view.leader, (unsigned long long)view.term,
		(unsigned long long)view.log_last, (unsigned long long)view.committed,
		(unsigned long long)view.applied, (unsigned long long)view.hints,
		(unsigned long long)view.hints_refused, (unsigned long long)view.pending,
		view.ready && !wal_full(&r->wal));
	info_voters(text, r, &view);
	if (r->config.ops->info)
		r->config.ops->info(r->proto, text);
	if (!r->config.ops->hints)
		return;
	buf_printf(text, "compared:%llu\r\nfetched:%llu\r\n", (unsigned long long)view.compared,
		(unsigned long long)view.fetched);
	for (unsigned i = 0, left = PEERS_INFO_MAX; i < r->config.proto.nodes && left > 0; i++) {
		uint64_t hints = r->config.ops->hints(r->proto, i);

		if (!hints)
			continue;
		buf_printf(text, "hints_for_%u:%llu\r\n", i, (unsigned long long)hints);
		left--;
	}
}

static void info_peers(struct buf *text, const struct replica *r)
{
	buf_printf(text, "peers_up:%u\r\n", peers_up(&r->peers));
	peers_info(&r->peers, text);
}

static void info_keyspace(struct buf *text, const struct replica *r)
{
	unsigned long long keys = table_count(r->table);

	buf_printf(text, "keys:%llu\r\n", keys);
	/* As Redis: a database without keys is not there. */
	if (keys > 0)
		buf_printf(text, "db0:keys=%llu\r\n", keys);
}

static const struct section {
	const char *name;
	void (*write)(struct buf *text, const struct replica *r);
} sections[] = {
	{"Server", info_server},
	{"Clients", info_clients},
	{"Memory", info_memory},
	{"Persistence", replica_info},
	{"Stats", info_stats},
	{"Replication", info_replication},
	{"Peers", info_peers},
	{"Keyspace", info_keyspace},
};

static bool section_wanted(const struct call *call, const char *name)
{
	for (unsigned i = 1; call && i < call->n; i++)
		if (resp_is(call->args[i], name) || resp_is(call->args[i], "all") ||
			resp_is(call->args[i], "default") || resp_is(call->args[i], "everything"))
			return true;
	return !call || call->n == 1;
}

static void info(struct buf *text, const struct replica *r, const struct call *call)
{
	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
		if (!section_wanted(call, sections[i].name))
			continue;
		buf_printf(text, "%s# %s\r\n", text->len ? "\r\n" : "", sections[i].name);
		sections[i].write(text, r);
	}
}

void commands_info(struct buf *text, const struct replica *r)
{
	info(text, r, NULL);
}

enum commands_result run_info(struct call *call)
{
	struct buf text = {0};

	info(&text, call_replica(call), call);
	resp_verbatim(call->out, call->resp3,
		(struct proto_bytes){.p = text.p, .len = (uint32_t)text.len});
	buf_fini(&text);
	return COMMANDS_DONE;
}

/* --- CONFIG --- */

static void config_text(const struct replica *r, const char *name, char *ret, size_t size)
{
	static const char *const fsync_names[WAL_SYNC_NR] = {"always", "everysec", "no"};
	static const struct {
		const char *name;
		unsigned value;
	} numbers[] = {
		{"databases", 1},
		{"timeout", 0},
		{"proto-max-bulk-len", RESP_BULK_MAX},
	};

	*ret = '\0';
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!strcmp(name, numbers[i].name))
			(void)snprintf(ret, size, "%u", numbers[i].value);
	if (!strcmp(name, "maxmemory"))
		(void)snprintf(ret, size, "%llu", (unsigned long long)r->config.memory_max);
	else if (!strcmp(name, "appendonly"))
		(void)snprintf(ret, size, "yes");
	else if (!strcmp(name, "appendfsync"))
		(void)snprintf(ret, size, "%s", fsync_names[r->config.sync]);
	else if (!strcmp(name, "dir"))
		(void)snprintf(ret, size, "%s", r->config.dir);
	else if (!strcmp(name, "maxclients"))
		(void)snprintf(ret, size, "%u", r->net.connected_max);
	else if (!strcmp(name, "maxmemory-policy"))
		(void)snprintf(ret, size, "noeviction");
	else if (!strcmp(name, "port"))
		(void)snprintf(ret, size, "%u", ntohs(r->config.listen.sin_port));
}

static enum commands_result config_get(struct call *call)
{
	static const char *const names[] = {"appendfsync", "appendonly", "databases", "dir",
		"maxclients", "maxmemory", "maxmemory-policy", "port", "proto-max-bulk-len", "save",
		"timeout"};
	char text[SETTING_TEXT_MAX];
	struct buf pairs = {0};
	size_t found = 0;

	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		struct proto_bytes name = {
			.p = (const uint8_t *)names[k], .len = (uint32_t)strlen(names[k])};
		unsigned i = 2;

		while (i < call->n && !resp_match(call->args[i], name, true))
			i++;
		if (i == call->n)
			continue;
		config_text(call_replica(call), names[k], text, sizeof text);
		resp_bulk(&pairs, name);
		resp_text(&pairs, text);
		found++;
	}
	resp_map(call->out, call->resp3, found);
	buf_add(call->out, pairs.p, pairs.len);
	buf_fini(&pairs);
	return COMMANDS_DONE;
}

enum commands_result run_config(struct call *call)
{
	if (call_sub(call, "GET"))
		return call->n < 3 ? call_arity(call, "config", "get") : config_get(call);
	if (call_sub(call, "SET")) {
		resp_error(call->out, "UNSUPPORTED CONFIG SET: a replica's settings are given when "
				      "it is started");
		return COMMANDS_DONE;
	}
	return call_unknown(call, "CONFIG");
}

/* --- COMMAND --- */

static size_t rows_count(void)
{
	size_t n = 0;

	while (commands_row(n))
		n++;
	return n;
}

static const struct row *row_find(struct proto_bytes name)
{
	const struct row *row;

	for (size_t i = 0; (row = commands_row(i)); i++)
		if (resp_is(name, row->name))
			break;
	return row;
}

/* The ten elements of Redis 7, the last four of which are empty. */
static void describe(struct call *call, const struct row *row)
{
	struct buf flags = {0};
	size_t count = 0;

	for (const char *p = row->flags; *p; count++) {
		char flag[32];
		size_t len = strcspn(p, " ");

		(void)snprintf(flag, sizeof flag, "%.*s", (int)len, p);
		resp_status(&flags, flag);
		p += len + (p[len] == ' ');
	}
	resp_array(call->out, 10);
	resp_text(call->out, row->name);
	resp_integer(call->out, row->arity);
	resp_set(call->out, call->resp3, count);
	buf_add(call->out, flags.p, flags.len);
	resp_integer(call->out, row->first);
	resp_integer(call->out, row->last);
	resp_integer(call->out, row->step);
	resp_set(call->out, call->resp3, 0);
	resp_array(call->out, 0);
	resp_array(call->out, 0);
	resp_array(call->out, 0);
	buf_fini(&flags);
}

static void document(struct call *call, const struct row *row)
{
	resp_text(call->out, row->name);
	resp_map(call->out, call->resp3, 3);
	resp_text(call->out, "summary");
	resp_text(call->out, row->summary);
	resp_text(call->out, "since");
	resp_text(call->out, row->since);
	resp_text(call->out, "group");
	resp_text(call->out, row->group);
}

static enum commands_result command_docs(struct call *call)
{
	const struct row *row;
	size_t found = 0;

	for (unsigned i = 2; i < call->n; i++)
		found += row_find(call->args[i]) != NULL;
	resp_map(call->out, call->resp3, call->n == 2 ? rows_count() : found);
	for (size_t i = 0; call->n == 2 && (row = commands_row(i)); i++)
		document(call, row);
	for (unsigned i = 2; i < call->n; i++)
		if ((row = row_find(call->args[i])))
			document(call, row);
	return COMMANDS_DONE;
}

static enum commands_result command_info(struct call *call)
{
	const struct row *row;

	resp_array(call->out, call->n == 2 ? rows_count() : call->n - 2);
	for (size_t i = 0; call->n == 2 && (row = commands_row(i)); i++)
		describe(call, row);
	for (unsigned i = 2; i < call->n; i++) {
		if ((row = row_find(call->args[i])))
			describe(call, row);
		else if (call->resp3)
			resp_nil(call->out, true);
		else
			buf_add(call->out, "*-1\r\n", 5);
	}
	return COMMANDS_DONE;
}

static enum commands_result command_list(struct call *call)
{
	const struct row *row;

	if (call->n > 2)
		return call_error(call, "syntax error");
	resp_array(call->out, rows_count());
	for (size_t i = 0; (row = commands_row(i)); i++)
		resp_text(call->out, row->name);
	return COMMANDS_DONE;
}

enum commands_result run_command(struct call *call)
{
	const struct row *row;

	if (call->n == 1) {
		resp_array(call->out, rows_count());
		for (size_t i = 0; (row = commands_row(i)); i++)
			describe(call, row);
		return COMMANDS_DONE;
	}
	if (call_sub(call, "DOCS"))
		return command_docs(call);
	if (call_sub(call, "INFO"))
		return command_info(call);
	if (call_sub(call, "LIST"))
		return command_list(call);
	if (!call_sub(call, "COUNT"))
		return call_unknown(call, "COMMAND");
	if (call->n > 2)
		return call_arity(call, "command", "count");
	resp_integer(call->out, (int64_t)rows_count());
	return COMMANDS_DONE;
}

/* --- consistency --- */

/* Return: false if there is no such level; then the error is written. */
static bool parse_level(struct call *call, struct proto_bytes arg, enum proto_level *ret)
{
	for (unsigned i = 0; i < PROTO_LEVEL_NR; i++)
		if (resp_is(arg, proto_level_names[i])) {
			*ret = (enum proto_level)i;
			return true;
		}
	(void)call_error(
		call, "a level is one, two, three, quorum, all, lease (of reads) or default");
	return false;
}

enum commands_result run_consistency(struct call *call)
{
	struct net_client *c = call->c;
	enum proto_level level;

	if (call->n == 1) {
		char text[64];

		(void)snprintf(text, sizeof text, "read %s write %s",
			proto_level_names[c->read_level], proto_level_names[c->write_level]);
		resp_text(call->out,
			c->read_level == c->write_level ? proto_level_names[c->read_level] : text);
		return COMMANDS_DONE;
	}
	if (call->n == 2) {
		if (!parse_level(call, call->args[1], &level))
			return COMMANDS_DONE;
		c->read_level = c->write_level = level;
		return call_ok(call);
	}
	if (call->n > 3 || (!call_sub(call, "READ") && !call_sub(call, "WRITE")))
		return call_error(call, "CONSISTENCY [[READ | WRITE] level]");
	if (!parse_level(call, call->args[2], &level))
		return COMMANDS_DONE;
	*(call_sub(call, "READ") ? &c->read_level : &c->write_level) = level;
	return call_ok(call);
}

static enum commands_result with_rest(struct call *call, unsigned taken)
{
	if (call->n <= taken)
		return call_arity(call, "with", NULL);
	call->args += taken;
	call->n -= taken;
	return commands_dispatch(call);
}

static enum commands_result with_session(struct call *call)
{
	enum commands_result result;
	struct token token;

	if (call->token)
		return call_error(call, "WITH SESSION inside WITH SESSION");
	if (call->n < 3 || token_parse(call->args[2], &token) < 0)
		return call_error(call, "a session's token is numbers with commas, or -");
	call->token = &token;
	result = with_rest(call, 3);
	call->token = NULL;
	return result;
}

enum commands_result run_with(struct call *call)
{
	enum proto_level level;

	if (call_sub(call, "SESSION"))
		return with_session(call);
	if (call->levelled)
		return call_error(call, "WITH level inside WITH level");
	if (!parse_level(call, call->args[1], &level))
		return COMMANDS_DONE;
	call->levelled = true;
	call->read_level = call->write_level = level;
	return with_rest(call, 2);
}

/* --- what the supervisor and an operator ask --- */

static enum commands_result run_versions(struct call *call)
{
	const struct table *table = call_replica(call)->table;
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
		resp_integer(call->out, (int64_t)e->version);
	}
	return COMMANDS_DONE;
}

/* The wall clock as the protocol sees it. Only who started the replica may set it wrong. */
static enum commands_result run_clock(struct call *call)
{
	struct replica *r = call_replica(call);
	int64_t skew_ns;

	if (call->n == 3) {
		if (call->c->tcp)
			return call_error(call, "PACELAB CLOCK can be set by the supervisor only");
		if (!call_number(call, call->args[2], &skew_ns))
			return COMMANDS_DONE;
		if (skew_ns < -REPLICA_SKEW_NS_MAX || skew_ns > REPLICA_SKEW_NS_MAX)
			return call_error(call, "a clock is wrong by a day at the most");
		r->config.skew_ns = skew_ns;
	}
	resp_integer(call->out, (int64_t)r->io.wall(&r->io));
	return COMMANDS_DONE;
}

enum commands_result run_pacelab(struct call *call)
{
	const struct table_entry *e;

	if (call_sub(call, "VERSIONS") && call->n == 2)
		return run_versions(call);
	if (call_sub(call, "CLOCK") && call->n <= 3)
		return run_clock(call);
	if (!call_sub(call, "LOCAL") || call->n != 3)
		return call_error(call, "PACELAB VERSIONS, CLOCK, or LOCAL key");
	e = table_get(call_replica(call)->table, call->args[2]);
	if (e && !e->deleted)
		resp_bulk(call->out, e->value);
	else
		resp_nil(call->out, call->resp3);
	return COMMANDS_DONE;
}

/* A change of who replicates; the protocol answers as it does a request. */
enum commands_result run_replica(struct call *call)
{
	struct net_answer answer = {.shape = SHAPE_OK, .resp3 = call->resp3};
	struct replica *r = call_replica(call);
	unsigned what = 0;
	int64_t node;

	while (what < PROTO_ADMIN_NR && !call_sub(call, proto_admin_names[what]))
		what++;
	if (what == PROTO_ADMIN_NR || call->n != 3)
		return call_error(call, "REPLICA TRANSFER, ADD or REMOVE, and a replica's number");
	if (!call_number(call, call->args[2], &node))
		return COMMANDS_DONE;
	if (node < 0 || node >= r->config.proto.nodes) {
		resp_error(call->out, "ERR there is no replica %lld, they are 0 to %u",
			(long long)node, r->config.proto.nodes - 1);
		return COMMANDS_DONE;
	}
	replica_admin(r, net_ticket(call->c, call->place, &answer), (enum proto_admin)what,
		(unsigned)node);
	return COMMANDS_LATER;
}
