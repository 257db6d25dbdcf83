/* SPDX-License-Identifier: MIT */
/* commands_connection.c - commands about the connection itself */
#include "store/commands_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "agent/base/clock.h"

enum commands_result run_ping(struct call *call)
{
	if (call->n > 2)
		return call_arity(call, "ping", NULL);
	if (call->n == 2)
		resp_bulk(call->out, call->args[1]);
	else
		resp_status(call->out, "PONG");
	return COMMANDS_DONE;
}

enum commands_result run_echo(struct call *call)
{
	resp_bulk(call->out, call->args[1]);
	return COMMANDS_DONE;
}

enum commands_result run_select(struct call *call)
{
	int64_t db;

	if (!command_number(call->args[1], &db))
		return call_error(call, "value is not an integer or out of range");
	return db == 0 ? call_ok(call) : call_error(call, "DB index is out of range");
}

enum commands_result run_quit(struct call *call)
{
	resp_status(call->out, "OK");
	return COMMANDS_QUIT;
}

enum commands_result run_reset(struct call *call)
{
	struct net_client *c = call->c;

	c->read_level = c->write_level = PROTO_DEFAULT;
	c->resp3 = false;
	c->name[0] = '\0';
	resp_status(call->out, "RESET");
	return COMMANDS_DONE;
}

/* --- who is there --- */

/* As Redis's default user without a password: any will do, no other user exists. */
static bool user_known(struct call *call, struct proto_bytes user)
{
	if (user.len == 7 && !memcmp(user.p, "default", 7))
		return true;
	resp_error(call->out, "WRONGPASS invalid username-password pair or user is disabled.");
	return false;
}

enum commands_result run_auth(struct call *call)
{
	if (call->n > 3)
		return call_error(call, "syntax error");
	if (call->n == 2)
		return call_error(call, "AUTH <password> called without any password configured "
					"for the default user. Are you sure your configuration is "
					"correct?");
	return user_known(call, call->args[1]) ? call_ok(call) : COMMANDS_DONE;
}

static bool name_fits(struct call *call, struct proto_bytes name)
{
	for (uint32_t i = 0; i < name.len; i++)
		if (name.p[i] < '!' || name.p[i] > '~') {
			(void)call_error(call, "Client names cannot contain spaces, newlines or "
					       "special characters.");
			return false;
		}
	if (name.len < sizeof call->c->name)
		return true;
	(void)call_error(call, "name is too long");
	return false;
}

static void name_set(struct net_client *c, struct proto_bytes name)
{
	if (name.len > 0)
		memcpy(c->name, name.p, name.len);
	c->name[name.len] = '\0';
}

static void hello_reply(struct call *call)
{
	resp_map(call->out, call->resp3, 7);
	resp_text(call->out, "server");
	resp_text(call->out, "pacelab");
	resp_text(call->out, "version");
	resp_text(call->out, REDIS_VERSION);
	resp_text(call->out, "proto");
	resp_integer(call->out, call->resp3 ? 3 : 2);
	resp_text(call->out, "id");
	resp_integer(call->out, (int64_t)call->c->id);
	resp_text(call->out, "mode");
	resp_text(call->out, "standalone");
	resp_text(call->out, "role");
	resp_text(call->out, "master");
	resp_text(call->out, "modules");
	resp_array(call->out, 0);
}

enum commands_result run_hello(struct call *call)
{
	const struct proto_bytes *name = NULL;
	int64_t version = call->resp3 ? 3 : 2;

	if (call->n > 1 && !command_number(call->args[1], &version))
		return call_error(call, "Protocol version is not an integer or out of range");
	if (version < 2 || version > 3) {
		resp_error(call->out, "NOPROTO unsupported protocol version");
		return COMMANDS_DONE;
	}
	for (unsigned i = 2; i < call->n; i++) {
		unsigned more = call->n - 1 - i;

		if (more >= 2 && resp_is(call->args[i], "AUTH")) {
			if (!user_known(call, call->args[i + 1]))
				return COMMANDS_DONE;
			i += 2;
		} else if (more >= 1 && resp_is(call->args[i], "SETNAME")) {
			name = &call->args[++i];
			if (!name_fits(call, *name))
				return COMMANDS_DONE;
		} else {
			resp_error(call->out, "ERR Syntax error in HELLO option '%.*s'",
				call->args[i].len < NAME_SHOWN_MAX ? (int)call->args[i].len
								   : NAME_SHOWN_MAX,
				(const char *)call->args[i].p);
			return COMMANDS_DONE;
		}
	}
	if (name)
		name_set(call->c, *name);
	call->c->resp3 = call->resp3 = version == 3;
	hello_reply(call);
	return COMMANDS_DONE;
}

/* --- CLIENT --- */

static void address(int fd, bool peer, char *ret, size_t size)
{
	struct sockaddr_storage storage = {0};
	const struct sockaddr_in *in = (const struct sockaddr_in *)&storage;
	socklen_t len = sizeof storage;
	char text[INET_ADDRSTRLEN] = "";
	int failed = peer ? getpeername(fd, (struct sockaddr *)&storage, &len)
			  : getsockname(fd, (struct sockaddr *)&storage, &len);

	if (failed || storage.ss_family != AF_INET ||
		!inet_ntop(AF_INET, &in->sin_addr, text, sizeof text))
		(void)snprintf(ret, size, "?:0");
	else
		(void)snprintf(ret, size, "%s:%u", text, ntohs(in->sin_port));
}

static void client_line(struct buf *text, const struct net_client *c)
{
	uint64_t age_ns = loop_now(c->net->replica->loop) - c->since_ns;
	char peer[64], own[64];

	address(c->stream.fd, true, peer, sizeof peer);
	address(c->stream.fd, false, own, sizeof own);
	buf_printf(text,
		"id=%llu addr=%s laddr=%s fd=%d name=%s age=%llu flags=N db=0 qbuf=%zu obl=%zu "
		"pending=%u user=default resp=%d\n",
		(unsigned long long)c->id, peer, own, c->stream.fd, c->name,
		(unsigned long long)(age_ns / NS_PER_S), c->stream.in.len,
		stream_queued(&c->stream), c->tail - c->head, c->resp3 ? 3 : 2);
}

static enum commands_result client_lines(struct call *call, bool all)
{
	const struct net *net = call->c->net;
	struct buf text = {0};

	if (!all)
		client_line(&text, call->c);
	for (unsigned i = 0; all && i < net->clients_high; i++)
		if (net->clients[i])
			client_line(&text, net->clients[i]);
	resp_verbatim(call->out, call->resp3,
		(struct proto_bytes){.p = text.p, .len = (uint32_t)text.len});
	buf_fini(&text);
	return COMMANDS_DONE;
}

static enum commands_result client_kill(struct call *call)
{
	int64_t id;

	if (call->n != 4 || !resp_is(call->args[2], "ID"))
		return call_error(call, "syntax error: CLIENT KILL ID client-id");
	if (!command_number(call->args[3], &id) || id <= 0)
		return call_error(call, "client-id should be greater than 0");
	if ((uint64_t)id == call->c->id) {
		resp_integer(call->out, 1);
		return COMMANDS_QUIT;
	}
	resp_integer(call->out, net_kill(call->c->net, (uint64_t)id) == 0);
	return COMMANDS_DONE;
}

/* There is no eviction and no access time: both answers are true already. */
static enum commands_result client_switch(struct call *call)
{
	if (!resp_is(call->args[2], "ON") && !resp_is(call->args[2], "OFF"))
		return call_error(call, "syntax error");
	return call_ok(call);
}

static enum commands_result client_getname(struct call *call)
{
	if (call->c->name[0])
		resp_text(call->out, call->c->name);
	else
		resp_nil(call->out, call->resp3);
	return COMMANDS_DONE;
}

static enum commands_result client_setname(struct call *call)
{
	if (!name_fits(call, call->args[2]))
		return COMMANDS_DONE;
	name_set(call->c, call->args[2]);
	return call_ok(call);
}

static enum commands_result client_id(struct call *call)
{
	resp_integer(call->out, (int64_t)call->c->id);
	return COMMANDS_DONE;
}

static enum commands_result client_info(struct call *call)
{
	return client_lines(call, false);
}

static enum commands_result client_list(struct call *call)
{
	if (call->n > 2)
		return call_error(call, "syntax error");
	return client_lines(call, true);
}

enum commands_result run_client(struct call *call)
{
	static const struct {
		const char *name;
		unsigned n; /* arguments, 0: it looks itself */
		enum commands_result (*run)(struct call *call);
	} subs[] = {
		{"id", 2, client_id},
		{"getname", 2, client_getname},
		{"setname", 3, client_setname},
		{"setinfo", 4, call_ok},
		{"info", 2, client_info},
		{"list", 0, client_list},
		{"kill", 0, client_kill},
		{"no-evict", 3, client_switch},
		{"no-touch", 3, client_switch},
	};

	for (size_t i = 0; i < sizeof subs / sizeof *subs; i++) {
		if (!call_sub(call, subs[i].name))
			continue;
		if (subs[i].n && call->n != subs[i].n)
			return call_arity(call, "client", subs[i].name);
		return subs[i].run(call);
	}
	return call_unknown(call, "CLIENT");
}
