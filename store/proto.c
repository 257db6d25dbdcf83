/* SPDX-License-Identifier: MIT */
/* proto.c - the list of protocols, names of their words, and what all floors share */
#include "store/proto.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/table.h"

#define NAMES_COMPLETE(table, nr) \
	_Static_assert(sizeof(table) / sizeof(*(table)) == (nr), #table " has a name for each")

const char *const proto_op_names[] = {
	[PROTO_GET] = "get",
	[PROTO_SET] = "set",
	[PROTO_DEL] = "del",
	[PROTO_APPEND] = "append",
	[PROTO_INCREASE] = "increase",
	[PROTO_ADD] = "add",
	[PROTO_REMOVE] = "remove",
	[PROTO_MEMBERS] = "members",
	[PROTO_VALUES] = "values",
	[PROTO_RESOLVE] = "resolve",
};
NAMES_COMPLETE(proto_op_names, PROTO_OP_NR);

const char *const proto_level_names[] = {
	[PROTO_DEFAULT] = "default",
	[PROTO_ONE] = "one",
	[PROTO_TWO] = "two",
	[PROTO_THREE] = "three",
	[PROTO_QUORUM] = "quorum",
	[PROTO_ALL] = "all",
	[PROTO_LEASE] = "lease",
};
NAMES_COMPLETE(proto_level_names, PROTO_LEVEL_NR);

const char *const proto_status_names[] = {
	[PROTO_OK] = "ok",
	[PROTO_NIL] = "nil",
	[PROTO_UNMET] = "unmet",
	[PROTO_UNAVAILABLE] = "unavailable",
	[PROTO_UNCERTAIN] = "uncertain",
	[PROTO_UNSUPPORTED] = "unsupported",
	[PROTO_UNFIT] = "unfit",
	[PROTO_WRONG] = "wrong",
};
NAMES_COMPLETE(proto_status_names, PROTO_STATUS_NR);

const char *const proto_admin_names[] = {
	[PROTO_ADMIN_TRANSFER] = "transfer",
	[PROTO_ADMIN_ADD] = "add",
	[PROTO_ADMIN_REMOVE] = "remove",
};
NAMES_COMPLETE(proto_admin_names, PROTO_ADMIN_NR);

const char *const proto_role_names[] = {
	[PROTO_PEER] = "peer",
	[PROTO_FOLLOWER] = "follower",
	[PROTO_CANDIDATE] = "candidate",
	[PROTO_LEADER] = "leader",
};
NAMES_COMPLETE(proto_role_names, PROTO_ROLE_NR);

const char *const proto_wait_names[] = {
	[PROTO_WAIT_BEFORE] = "before",
	[PROTO_WAIT_AFTER] = "after",
};
NAMES_COMPLETE(proto_wait_names, PROTO_WAIT_NR);

const char *const proto_register_names[] = {
	[PROTO_REGISTER_LWW] = "lww",
	[PROTO_REGISTER_MV] = "mv",
};
NAMES_COMPLETE(proto_register_names, PROTO_REGISTER_NR);

const char *const proto_readers_names[] = {
	[PROTO_READS_ANY] = "any",
	[PROTO_READS_TAIL] = "tail",
	[PROTO_READS_HEAD] = "head",
};
NAMES_COMPLETE(proto_readers_names, PROTO_READERS_NR);

const char *const proto_model_names[] = {
	[PROTO_LINEARIZABLE] = "linearizable",
	[PROTO_SEQUENTIAL] = "sequential",
	[PROTO_CAUSAL_CONVERGENT] = "causal-ccv",
	[PROTO_CAUSAL] = "causal-cc",
	[PROTO_EVENTUAL] = "eventual",
};
NAMES_COMPLETE(proto_model_names, PROTO_MODEL_NR);

const char *const proto_sides_names[] = {
	[PROTO_SIDES_MAJORITY] = "majority",
	[PROTO_SIDES_ALL] = "all",
	[PROTO_SIDES_LEADER] = "leader",
	[PROTO_SIDES_NONE] = "none",
};
NAMES_COMPLETE(proto_sides_names, PROTO_SIDES_NR);

static const struct proto_ops *const protocols[] = {&single_ops, &raft_ops, &quorum_ops,
	&primary_ops, &abd_ops, &zab_ops, &zone_ops, &crdt_ops, &causal_ops, &multimaster_ops,
	&chain_ops};

const struct proto_ops *proto_list(unsigned i)
{
	return i < sizeof(protocols) / sizeof(*protocols) ? protocols[i] : NULL;
}

const struct proto_ops *proto_find(const char *name)
{
	const struct proto_ops *ops;

	for (unsigned i = 0; (ops = proto_list(i)); i++)
		if (!strcmp(ops->name, name))
			return ops;
	return NULL;
}

struct proto *proto_open(const struct proto_ops *ops, const struct proto_config *cfg,
	struct proto_io *io, struct table *table)
{
	struct proto *p = calloc(1, ops->size);
	struct proto_claim claim;

	assert(p && ops->size >= sizeof(*p));
	assert(cfg->nodes >= 1 && cfg->nodes <= PROTO_NODES_MAX && cfg->self < cfg->nodes);
	assert(cfg->leader < (int)cfg->nodes);
	assert(cfg->read_level != PROTO_DEFAULT && cfg->read_level < PROTO_LEVEL_NR);
	assert(cfg->write_level != PROTO_DEFAULT && cfg->write_level < PROTO_LEVEL_NR);
	p->ops = ops;
	p->io = io;
	p->table = table;
	p->cfg = *cfg;
	ops->claim(cfg, &claim);
	p->does = claim.does;
	ops->init(p);
	return p;
}

size_t proto_memory(const struct proto *p)
{
	return table_memory(p->table) + (p->ops->memory ? p->ops->memory(p) : 0);
}

bool proto_reads(enum proto_op op)
{
	return op == PROTO_GET || op == PROTO_MEMBERS || op == PROTO_VALUES;
}

bool proto_has_copy(const struct proto_config *cfg, const struct proto_claim *claim, unsigned node)
{
	unsigned first = cfg->leader < 0 ? 0 : (unsigned)cfg->leader;

	return !claim->copies || (node + cfg->nodes - first) % cfg->nodes < claim->copies;
}

bool proto_loses(const struct proto_claim *claim, enum proto_op op)
{
	return claim->loses_acked && !(claim->merges & PROTO_DOES(op));
}

void proto_request(struct proto *p, const struct proto_request *req)
{
	static const struct proto_reply none = {
		.status = PROTO_UNSUPPORTED, .why = "this store has no such operation"};

	assert(req->op < PROTO_OP_NR);
	if (p->does & PROTO_DOES(req->op))
		p->ops->request(p, req);
	else
		p->io->reply(p->io, req->ticket, &none);
}

void proto_close(struct proto *p)
{
	if (!p)
		return;
	p->ops->fini(p);
	free(p);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

uint64_t proto_kth_rtt(const struct proto_floor_query *q, unsigned from, unsigned k)
{
	uint64_t rtt[PROTO_NODES_MAX];
	unsigned nodes = q->cfg->nodes;

	assert(from < nodes && nodes <= PROTO_NODES_MAX && k >= 1 && k <= nodes);
	for (unsigned i = 0; i < nodes; i++)
		rtt[i] = i == from ? 0 : q->rtt_ns[(size_t)from * nodes + i];
	qsort(rtt, nodes, sizeof(*rtt), by_size);
	return rtt[k - 1];
}
