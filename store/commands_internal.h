/* SPDX-License-Identifier: MIT */
/* commands_internal.h - what the files of the command table share; for commands*.c only */
#ifndef STORE_COMMANDS_INTERNAL_H
#define STORE_COMMANDS_INTERNAL_H

#include "store/commands.h"
#include "store/proto/command.h"
#include "store/replica.h"

/* Clients look at it for what they may use: nothing here is newer than Redis 7.0. */
#define REDIS_VERSION "7.0.0"
/* Of an argument, in an error: as Redis. */
#define NAME_SHOWN_MAX 128

/**
 * struct call - one command on its way
 * @resp3:	how the client wants the reply
 * @levelled, @token: WITH has set a level, or given a session's token; NULL: it has not
 */
struct call {
	struct net_client *c;
	const struct proto_bytes *args;
	unsigned n;
	enum proto_level read_level;
	enum proto_level write_level;
	uint32_t place;
	struct buf *out;
	bool resp3;
	bool levelled;
	const struct token *token;
};

/**
 * struct row - one command
 * @arity:	arguments with the name; negative: at least so many
 * @flags:	as COMMAND tells them, separated by blanks
 * @first, @last, @step:	where the keys stand, as COMMAND tells it; 0: there are none
 */
struct row {
	const char *name;
	int arity;
	const char *flags;
	int first;
	int last;
	int step;
	enum commands_result (*run)(struct call *call);
	const char *group;
	const char *since;
	const char *summary;
};

/* commands_row() - row @i of the table, NULL after the last. */
const struct row *commands_row(size_t i);

/* commands_dispatch() - find the row, check the count of arguments, run. */
enum commands_result commands_dispatch(struct call *call);

static inline struct replica *call_replica(const struct call *call)
{
	return call->c->net->replica;
}

/* call_error() - reply "-ERR @text"; call_ok() - reply OK. Return: COMMANDS_DONE. */
enum commands_result call_error(struct call *call, const char *text);
enum commands_result call_ok(struct call *call);

/* call_unknown() - Redis's error for a subcommand that is not there, or has other arguments. */
enum commands_result call_unknown(struct call *call, const char *name);
enum commands_result call_arity(struct call *call, const char *name, const char *sub);

/* call_sub() - whether the subcommand is @word, and in *ret_count whether it has @n arguments. */
bool call_sub(const struct call *call, const char *word);

/* call_number() - read a whole number. Return: false if it is none; then the reply is written. */
bool call_number(struct call *call, struct proto_bytes arg, int64_t *ret);

/* call_submit() - give @req with its key to the protocol; the reply comes in @shape. */
enum commands_result call_submit(
	struct call *call, struct proto_request *req, enum commands_shape shape);

/* call_each() - one request like @like for each @step arguments, their replies gathered. */
enum commands_result call_each(struct call *call, const struct proto_request *like, unsigned step,
	enum commands_shape shape);

/* call_values() - one request for each argument behind the key, their numbers added up. */
enum commands_result call_values(struct call *call, enum proto_op op);

/* call_seek() - whether @member is in the set. */
enum commands_result call_seek(struct call *call, struct proto_bytes member);

/* commands_string.c */
enum commands_result run_get(struct call *call);
enum commands_result run_set(struct call *call);
enum commands_result run_setnx(struct call *call);
enum commands_result run_setex(struct call *call);
enum commands_result run_psetex(struct call *call);
enum commands_result run_getset(struct call *call);
enum commands_result run_getdel(struct call *call);
enum commands_result run_mget(struct call *call);
enum commands_result run_mset(struct call *call);
enum commands_result run_append(struct call *call);
enum commands_result run_strlen(struct call *call);
enum commands_result run_incr(struct call *call);
enum commands_result run_decr(struct call *call);
enum commands_result run_incrby(struct call *call);
enum commands_result run_decrby(struct call *call);

/* commands_keys.c */
enum commands_result run_del(struct call *call);
enum commands_result run_exists(struct call *call);
enum commands_result run_type(struct call *call);
enum commands_result run_ttl(struct call *call);
enum commands_result run_pttl(struct call *call);
enum commands_result run_expiretime(struct call *call);
enum commands_result run_pexpiretime(struct call *call);
enum commands_result run_scan(struct call *call);
enum commands_result run_keys(struct call *call);
enum commands_result run_dbsize(struct call *call);

/* commands_set.c */
enum commands_result run_sadd(struct call *call);
enum commands_result run_srem(struct call *call);
enum commands_result run_smembers(struct call *call);
enum commands_result run_sismember(struct call *call);
enum commands_result run_scard(struct call *call);
enum commands_result run_values(struct call *call);
enum commands_result run_resolve(struct call *call);

/* commands_connection.c */
enum commands_result run_ping(struct call *call);
enum commands_result run_echo(struct call *call);
enum commands_result run_hello(struct call *call);
enum commands_result run_auth(struct call *call);
enum commands_result run_client(struct call *call);
enum commands_result run_select(struct call *call);
enum commands_result run_quit(struct call *call);
enum commands_result run_reset(struct call *call);

/* commands_server.c */
enum commands_result run_info(struct call *call);
enum commands_result run_config(struct call *call);
enum commands_result run_command(struct call *call);
enum commands_result run_consistency(struct call *call);
enum commands_result run_with(struct call *call);
enum commands_result run_pacelab(struct call *call);
enum commands_result run_replica(struct call *call);

#endif
