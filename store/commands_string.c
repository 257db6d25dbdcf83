/* SPDX-License-Identifier: MIT */
/* commands_string.c - commands on the value of a key */
#include "store/commands_internal.h"

#include <string.h>

#include "agent/base/clock.h"

/* The last wall clock that is told apart from never and from KEEPTTL: in the year 2554. */
#define EXPIRES_NS_MAX (PROTO_EXPIRES_KEEP - 1)
#define MS_PER_S 1000

enum commands_result run_get(struct call *call)
{
	struct proto_request req = {.op = PROTO_GET};

	return call_submit(call, &req, SHAPE_VALUE);
}

enum commands_result run_strlen(struct call *call)
{
	struct proto_request req = {.op = PROTO_GET};

	return call_submit(call, &req, SHAPE_LENGTH);
}

/* --- SET and its relatives --- */

/* How the time of a SET is given. */
enum unit { UNIT_NONE, UNIT_EX, UNIT_PX, UNIT_EXAT, UNIT_PXAT, UNIT_KEEP, UNIT_NR };
static const char *const unit_names[UNIT_NR] = {"", "EX", "PX", "EXAT", "PXAT", "KEEPTTL"};

struct set {
	struct proto_request req;
	enum unit unit;
	struct proto_bytes time;
};

/* The limits are those of Redis: milliseconds since 1970 must fit 63 bits. */
static bool expires_at(struct call *call, enum unit unit, struct proto_bytes arg, uint64_t *ret)
{
	struct proto_io *io = &call_replica(call)->io;
	int64_t now_ms = (int64_t)(io->wall(io) / NS_PER_MS);
	int64_t ms = 0;
	char name[16] = "";

	if (!call_number(call, arg, &ms))
		return false;
	if (ms > 0 && (unit == UNIT_EX || unit == UNIT_EXAT) &&
		__builtin_mul_overflow(ms, MS_PER_S, &ms))
		ms = 0;
	if (ms > 0 && (unit == UNIT_EX || unit == UNIT_PX) &&
		__builtin_add_overflow(ms, now_ms, &ms))
		ms = 0;
	if (ms <= 0) {
		for (uint32_t i = 0; i < call->args[0].len && i < sizeof name - 1; i++)
			name[i] = (char)(call->args[0].p[i] | 0x20);
		resp_error(call->out, "ERR invalid expire time in '%s' command", name);
		return false;
	}
	*ret = (uint64_t)ms > EXPIRES_NS_MAX / NS_PER_MS ? EXPIRES_NS_MAX
							 : (uint64_t)ms * NS_PER_MS;
	return true;
}

/* One option at *@at, which it moves on over its argument. Return: false: a syntax error. */
static bool set_option(const struct call *call, unsigned *at, struct set *set)
{
	static const struct {
		const char *name;
		enum proto_cond cond;
	} conds[] = {{"NX", PROTO_NX}, {"XX", PROTO_XX}, {"IFEQ", PROTO_IFEQ}};
	struct proto_bytes arg = call->args[*at];
	bool more = *at + 1 < call->n;

	for (size_t i = 0; i < sizeof conds / sizeof *conds; i++) {
		if (!resp_is(arg, conds[i].name))
			continue;
		if (set->req.cond != PROTO_ALWAYS && set->req.cond != conds[i].cond)
			return false;
		set->req.cond = conds[i].cond;
		if (conds[i].cond != PROTO_IFEQ)
			return true;
		if (more)
			set->req.expected = call->args[++*at];
		return more;
	}
	for (unsigned unit = UNIT_EX; unit < UNIT_NR; unit++) {
		if (!resp_is(arg, unit_names[unit]))
			continue;
		if (set->unit != UNIT_NONE && set->unit != (enum unit)unit)
			return false;
		set->unit = (enum unit)unit;
		if (unit == UNIT_KEEP)
			return true;
		if (more)
			set->time = call->args[++*at];
		return more;
	}
	set->req.get |= resp_is(arg, "GET");
	return resp_is(arg, "GET");
}

enum commands_result run_set(struct call *call)
{
	struct set set = {.req = {.op = PROTO_SET, .value = call->args[2]}};

	for (unsigned i = 3; i < call->n; i++)
		if (!set_option(call, &i, &set))
			return call_error(call, "syntax error");
	if (set.unit == UNIT_KEEP)
		set.req.expires_ns = PROTO_EXPIRES_KEEP;
	else if (set.unit != UNIT_NONE &&
		 !expires_at(call, set.unit, set.time, &set.req.expires_ns))
		return COMMANDS_DONE;
	return call_submit(call, &set.req, set.req.get ? SHAPE_BEFORE : SHAPE_OK);
}

enum commands_result run_setnx(struct call *call)
{
	struct proto_request req = {.op = PROTO_SET, .cond = PROTO_NX, .value = call->args[2]};

	return call_submit(call, &req, SHAPE_ONE);
}

static enum commands_result set_for(struct call *call, enum unit unit)
{
	struct proto_request req = {.op = PROTO_SET, .value = call->args[3]};

	if (!expires_at(call, unit, call->args[2], &req.expires_ns))
		return COMMANDS_DONE;
	return call_submit(call, &req, SHAPE_OK);
}

enum commands_result run_setex(struct call *call)
{
	return set_for(call, UNIT_EX);
}

enum commands_result run_psetex(struct call *call)
{
	return set_for(call, UNIT_PX);
}

enum commands_result run_getset(struct call *call)
{
	struct proto_request req = {.op = PROTO_SET, .get = true, .value = call->args[2]};

	return call_submit(call, &req, SHAPE_BEFORE);
}

enum commands_result run_getdel(struct call *call)
{
	struct proto_request req = {.op = PROTO_DEL, .get = true};

	return call_submit(call, &req, SHAPE_BEFORE);
}

/* --- many keys --- */

enum commands_result run_mget(struct call *call)
{
	struct proto_request req = {.op = PROTO_GET};

	return call_each(call, &req, 1, SHAPE_VALUE);
}

enum commands_result run_mset(struct call *call)
{
	struct proto_request req = {.op = PROTO_SET};

	if (call->n % 2 == 0)
		return call_arity(call, "mset", NULL);
	return call_each(call, &req, 2, SHAPE_OK);
}

/* --- values that grow --- */

enum commands_result run_append(struct call *call)
{
	struct proto_request req = {.op = PROTO_APPEND, .value = call->args[2]};

	return call_submit(call, &req, SHAPE_APPENDED);
}

static enum commands_result increase(struct call *call, struct proto_bytes by)
{
	struct proto_request req = {.op = PROTO_INCREASE, .value = by};

	return call_submit(call, &req, SHAPE_COUNTED);
}

enum commands_result run_incr(struct call *call)
{
	return increase(call, (struct proto_bytes){.p = (const uint8_t *)"1", .len = 1});
}

enum commands_result run_decr(struct call *call)
{
	return increase(call, (struct proto_bytes){.p = (const uint8_t *)"-1", .len = 2});
}

enum commands_result run_incrby(struct call *call)
{
	int64_t by;

	if (!call_number(call, call->args[2], &by))
		return COMMANDS_DONE;
	return increase(call, call->args[2]);
}

enum commands_result run_decrby(struct call *call)
{
	struct proto_bytes arg = call->args[2];
	char text[32] = "-";
	int64_t by;

	if (!call_number(call, arg, &by))
		return COMMANDS_DONE;
	/* The smallest number has no positive counterpart. */
	if (by == INT64_MIN)
		return call_error(call, "decrement would overflow");
	if (by == 0)
		return increase(call, arg);
	if (by < 0)
		return increase(call, (struct proto_bytes){.p = arg.p + 1, .len = arg.len - 1});
	memcpy(text + 1, arg.p, arg.len);
	return increase(call, (struct proto_bytes){.p = (const uint8_t *)text, .len = arg.len + 1});
}
