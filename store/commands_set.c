/* SPDX-License-Identifier: MIT */
/*
 * commands_set.c - commands on sets, and on values that stand side by side
 *
 * A protocol adds and removes one element at a time and lists them all: the rest is made of that.
 */
#include "store/commands_internal.h"

static enum commands_result ask(struct call *call, enum proto_op op, enum commands_shape shape)
{
	struct proto_request req = {.op = op};

	return call_submit(call, &req, shape);
}

static enum commands_result change(struct call *call, enum proto_op op)
{
	struct proto_request req = {.op = op, .value = call->args[2]};

	return call->n == 3 ? call_submit(call, &req, SHAPE_COUNTED) : call_values(call, op);
}

enum commands_result run_sadd(struct call *call)
{
	return change(call, PROTO_ADD);
}

enum commands_result run_srem(struct call *call)
{
	return change(call, PROTO_REMOVE);
}

enum commands_result run_smembers(struct call *call)
{
	return ask(call, PROTO_MEMBERS, SHAPE_SET);
}

enum commands_result run_scard(struct call *call)
{
	return ask(call, PROTO_MEMBERS, SHAPE_LISTED);
}

enum commands_result run_sismember(struct call *call)
{
	return call_seek(call, call->args[2]);
}

enum commands_result run_resolve(struct call *call)
{
	struct proto_request req = {.op = PROTO_RESOLVE, .value = call->args[2]};

	return call_submit(call, &req, SHAPE_ONE);
}

enum commands_result run_values(struct call *call)
{
	return ask(call, PROTO_VALUES, SHAPE_LIST);
}
