/* SPDX-License-Identifier: MIT */
/*
 * commands_keys.c - commands on keys, whatever their values
 *
 * SCAN, KEYS and DBSIZE look at this replica's own table: no protocol has an order for them, so
 * they tell what has arrived here, however old; on a replica that holds no data, nothing.
 */
#include "store/commands_internal.h"

#include <stdlib.h>

/* A larger COUNT is taken as this; so many steps of the table go by for one key at most. */
#define SCAN_COUNT_MAX 10000u
#define SCAN_COUNT 10
#define SCAN_STEPS_PER_KEY 10u
/* More keys than this, and KEYS would hold up everybody: there is SCAN. */
#define KEYS_MAX 100000u
#define CURSOR_CHARS_MAX 20u

enum commands_result run_del(struct call *call)
{
	struct proto_request req = {.op = PROTO_DEL};

	return call->n == 2 ? call_submit(call, &req, SHAPE_ONE)
			    : call_each(call, &req, 1, SHAPE_ONE);
}

enum commands_result run_exists(struct call *call)
{
	struct proto_request req = {.op = PROTO_GET};

	return call->n == 2 ? call_submit(call, &req, SHAPE_THERE)
			    : call_each(call, &req, 1, SHAPE_THERE);
}

static enum commands_result ask(struct call *call, enum commands_shape shape)
{
	struct proto_request req = {.op = PROTO_GET};

	return call_submit(call, &req, shape);
}

enum commands_result run_type(struct call *call)
{
	return ask(call, SHAPE_TYPE);
}

enum commands_result run_ttl(struct call *call)
{
	return ask(call, SHAPE_TTL_S);
}

enum commands_result run_pttl(struct call *call)
{
	return ask(call, SHAPE_TTL_MS);
}

enum commands_result run_expiretime(struct call *call)
{
	return ask(call, SHAPE_EXPIRETIME_S);
}

enum commands_result run_pexpiretime(struct call *call)
{
	return ask(call, SHAPE_EXPIRETIME_MS);
}

/* --- the own table --- */

struct scan {
	struct proto_bytes pattern;
	bool any_type; /* else none that is here */
	int64_t count;
	uint64_t wall_ns;
	uint64_t found;
	struct buf keys;
};

static void scan_entry(void *arg, const struct table_entry *e)
{
	struct scan *scan = arg;

	if (e->deleted || (e->expires_ns && e->expires_ns <= scan->wall_ns) || !scan->any_type)
		return;
	if (scan->pattern.p && !resp_match(scan->pattern, e->key, false))
		return;
	scan->found++;
	resp_bulk(&scan->keys, e->key);
}

static void write_keys(struct call *call, struct scan *scan)
{
	resp_array(call->out, scan->found);
	buf_add(call->out, scan->keys.p, scan->keys.len);
	buf_fini(&scan->keys);
}

/* Options from argument 2 on, as Redis takes them. Return: false: the error is written. */
static bool scan_options(struct call *call, struct scan *scan)
{
	for (unsigned i = 2; i < call->n; i += 2) {
		struct proto_bytes word = call->args[i];
		bool more = i + 1 < call->n;

		if (more && resp_is(word, "COUNT")) {
			if (!call_number(call, call->args[i + 1], &scan->count))
				return false;
			if (scan->count >= 1)
				continue;
		} else if (more && resp_is(word, "MATCH")) {
			scan->pattern = call->args[i + 1];
			continue;
		} else if (more && resp_is(word, "TYPE")) {
			scan->any_type = resp_is(call->args[i + 1], "string");
			continue;
		}
		(void)call_error(call, "syntax error");
		return false;
	}
	return true;
}

static bool scan_cursor(struct proto_bytes arg, uint64_t *ret)
{
	*ret = 0;
	if (arg.len == 0 || arg.len > CURSOR_CHARS_MAX)
		return false;
	for (uint32_t i = 0; i < arg.len; i++)
		if (arg.p[i] < '0' || arg.p[i] > '9' || __builtin_mul_overflow(*ret, 10, ret) ||
			__builtin_add_overflow(*ret, (uint64_t)(arg.p[i] - '0'), ret))
			return false;
	return true;
}

enum commands_result run_scan(struct call *call)
{
	struct proto_io *io = &call_replica(call)->io;
	struct scan scan = {.any_type = true, .count = SCAN_COUNT, .wall_ns = io->wall(io)};
	struct buf text = {0};
	uint64_t cursor;
	uint64_t steps;

	if (!scan_cursor(call->args[1], &cursor))
		return call_error(call, "invalid cursor");
	if (!scan_options(call, &scan))
		return COMMANDS_DONE;
	if (scan.count > SCAN_COUNT_MAX)
		scan.count = SCAN_COUNT_MAX;
	steps = (uint64_t)scan.count * SCAN_STEPS_PER_KEY;
	do
		cursor = table_scan(call_replica(call)->table, cursor, scan_entry, &scan);
	while (cursor && --steps > 0 && scan.found < (uint64_t)scan.count);
	buf_printf(&text, "%llu", (unsigned long long)cursor);
	resp_array(call->out, 2);
	resp_bulk(call->out, (struct proto_bytes){.p = text.p, .len = (uint32_t)text.len});
	write_keys(call, &scan);
	buf_fini(&text);
	return COMMANDS_DONE;
}

enum commands_result run_keys(struct call *call)
{
	struct proto_io *io = &call_replica(call)->io;
	struct scan scan = {.pattern = call->args[1], .any_type = true, .wall_ns = io->wall(io)};
	const struct table *table = call_replica(call)->table;
	const struct table_entry *e;
	size_t at = 0;

	if (table_count(table) > KEYS_MAX)
		return call_error(call, "more than 100000 keys are here, use SCAN");
	while ((e = table_next(table, &at)))
		scan_entry(&scan, e);
	write_keys(call, &scan);
	return COMMANDS_DONE;
}

enum commands_result run_dbsize(struct call *call)
{
	resp_integer(call->out, (int64_t)table_count(call_replica(call)->table));
	return COMMANDS_DONE;
}
