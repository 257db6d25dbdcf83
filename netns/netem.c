/* SPDX-License-Identifier: MIT */
/*
 * netem.c - the kernel's own emulator: a netem leaf for every slow link
 *
 * Link (src, dst) is the leaf of class src on the port of dst. A healthy link has a bfifo. The
 * leaves of one change are one batch. Another value for a leaf that is netem already is a change
 * in place: frames under way keep their due time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/prng.h"
#include "netns/dist.h"
#include "netns/emulator.h"
#include "netns/link.h"
#include "netns/netem_leaf.h"
#include "netns/qdisc.h"

/* The kernel keeps it in nanoseconds in 32 bits with a sign. */
#define JITTER_NS_MAX 2100000000ull

struct netem {
	struct emulator_host host;
	struct nlbatch batch;
	struct link_state *leaf; /* by source, of the port last refreshed */
	struct netem_link *link; /* src * nodes + dst */
};

/* What the kernel does not say. */
struct netem_link {
	uint8_t round; /* of its leaf, see netem_leaf.h */
	uint8_t dist;
	bool table;         /* its leaf has one */
	bool queue_default; /* the queue is what the rate makes it */
	uint64_t delay_ns;  /* as it was asked for: the kernel has the table's */
	uint64_t jitter_ns;
};

static int netem_probe(struct nlsock *sw, struct err *err)
{
	struct nlbatch b = {0};
	int code;

	netem_leaf_root(&b, LINK_LO);
	code = nlsock_send(sw, &b, err);
	nlbatch_clear(&b);
	if (!code) {
		qdisc_root_delete(&b, LINK_LO);
		code = nlsock_send(sw, &b, err);
	}
	nlbatch_fini(&b);
	return code;
}

static void netem_close(void *emulator)
{
	struct netem *n = emulator;

	if (!n)
		return;
	nlbatch_fini(&n->batch);
	free(n->leaf);
	free(n->link);
	free(n);
}

static int netem_open(void **ret, const struct emulator_host *host, struct err *err)
{
	struct netem *n = calloc(1, sizeof *n);

	if (n) {
		n->leaf = calloc(host->nodes, sizeof *n->leaf);
		n->link = calloc((size_t)host->nodes * host->nodes, sizeof *n->link);
	}
	if (!n || !n->leaf || !n->link) {
		netem_close(n);
		return err_sys(err, -ENOMEM, "netem");
	}
	n->host = *host;
	*ret = n;
	return 0;
}

static int netem_start(void *emulator, struct err *err)
{
	(void)emulator;
	(void)err;
	return 0;
}

static struct netem_link *link_of(const struct netem *n, unsigned src, unsigned dst)
{
	return &n->link[(size_t)src * n->host.nodes + dst];
}

/* Whatever netem and tbf do is the same: the leaf can stay. */
static bool same_leaf(const struct link_state *a, const struct link_state *b)
{
	return a->delay_ns == b->delay_ns && a->jitter_ns == b->jitter_ns && a->dist == b->dist &&
	       a->correlation_ppm == b->correlation_ppm && a->reorder_ppm == b->reorder_ppm &&
	       a->corrupt_ppm == b->corrupt_ppm && a->rate_bps == b->rate_bps &&
	       link_state_queue(a) == link_state_queue(b);
}

/* The kernel's random numbers of a leaf, where it lets us say: another for every link. */
static uint64_t leaf_seed(const struct netem *n, const struct fabric_delta *delta)
{
	struct prng prng;

	prng_init(&prng, n->host.seed, (uint64_t)delta->src << 16 | delta->dst);
	return prng_next(&prng);
}

static void netem_leaf(
	void *emulator, struct nlbatch *b, const struct fabric_delta *delta, bool fresh)
{
	struct netem *n = emulator;
	struct netem_link *link = link_of(n, delta->src, delta->dst);
	const bool was = link_state_shaped(&delta->from);
	struct netem_leaf leaf = {.ifindex = LINK_PORT(delta->dst), .src = delta->src};

	link->dist = delta->to.dist;
	link->queue_default = delta->to.queue_bytes == 0;
	link->delay_ns = delta->to.delay_ns;
	link->jitter_ns = delta->to.jitter_ns;
	link->table = link->table && was && !fresh;
	if (!link_state_shaped(&delta->to)) {
		qdisc_leaf_bfifo(b, leaf.ifindex, delta->src);
		return;
	}
	link->round = fresh ? !link->round : link->round;
	leaf.round = link->round;
	leaf.had_rate = was && !fresh && delta->from.rate_bps;
	leaf.had_table = link->table;
	link->table = link->table || delta->to.dist != DIST_UNIFORM;
	leaf.seed = was && !fresh ? 0 : leaf_seed(n, delta);
	netem_leaf_put(b, &leaf, &delta->to);
}

static int netem_apply(void *emulator, const struct fabric_delta *delta, unsigned deltas,
	unsigned next, struct err *err)
{
	struct netem *n = emulator;

	(void)next;
	nlbatch_clear(&n->batch);
	for (unsigned i = 0; i < deltas; i++) {
		if (!same_leaf(&delta[i].from, &delta[i].to))
			netem_leaf(n, &n->batch, &delta[i], false);
	}
	return nlsock_send(n->host.sw, &n->batch, err);
}

static int netem_flush(
	void *emulator, const struct fabric_delta *delta, unsigned deltas, struct err *err)
{
	struct netem *n = emulator;

	nlbatch_clear(&n->batch);
	for (unsigned i = 0; i < deltas; i++) {
		if (link_state_shaped(&delta[i].to))
			netem_leaf(n, &n->batch, &delta[i], true);
	}
	return nlsock_send(n->host.sw, &n->batch, err);
}

static void take_leaf(const struct qdisc_leaf *leaf, void *ctx)
{
	struct netem *n = ctx;
	struct link_state *to;

	if (leaf->src >= n->host.nodes)
		return;
	to = &n->leaf[leaf->src];
	if (strcmp(leaf->kind, "netem") == 0) {
		const uint64_t rate_bps = to->rate_bps;
		const uint32_t queue_bytes = to->queue_bytes;

		*to = leaf->state;
		to->rate_bps = rate_bps;
		to->queue_bytes = queue_bytes;
	} else if (strcmp(leaf->kind, "tbf") == 0) {
		to->rate_bps = leaf->state.rate_bps;
		to->queue_bytes = leaf->state.queue_bytes;
	}
}

static int netem_refresh(void *emulator, unsigned dst, struct err *err)
{
	struct netem *n = emulator;

	memset(n->leaf, 0, sizeof *n->leaf * n->host.nodes);
	return qdisc_leaves(n->host.sw, LINK_PORT(dst), take_leaf, n, err);
}

static void netem_read_back(void *emulator, unsigned src, unsigned dst, struct link_state *ret)
{
	const struct netem *n = emulator;

	const struct netem_link *link = link_of(n, src, dst);
	uint64_t latency_ns, jitter_ns;
	struct link_state plain;

	*ret = n->leaf[src];
	ret->dist = link->dist;
	plain = (struct link_state){
		.dist = link->dist, .delay_ns = link->delay_ns, .jitter_ns = link->jitter_ns};
	if (netem_leaf_scale(&plain, link->table, &latency_ns, &jitter_ns) == 0 &&
		ret->delay_ns == latency_ns && ret->jitter_ns == jitter_ns) {
		ret->delay_ns = link->delay_ns;
		ret->jitter_ns = link->jitter_ns;
	}
	plain = *ret;
	plain.queue_bytes = 0;
	if (link->queue_default && ret->queue_bytes == link_state_queue(&plain))
		ret->queue_bytes = 0;
}

struct drops {
	uint64_t sum;
	uint64_t asked; /* netem counts these as its own, too */
};

static void add_drops(const struct qdisc_leaf *leaf, void *ctx)
{
	struct drops *drops = ctx;

	/* What a cut drops where there is no BPF was asked for, and what a full queue drops. */
	if (strcmp(leaf->kind, "tbf") == 0)
		drops->asked += leaf->dropped;
	else if (strcmp(leaf->kind, "blackhole") != 0)
		drops->sum += leaf->dropped;
}

static void netem_quality(void *emulator, struct fabric_quality *ret)
{
	const struct netem *n = emulator;
	struct drops drops = {0};

	for (unsigned dst = 0; dst < n->host.nodes; dst++)
		(void)qdisc_leaves(n->host.sw, LINK_PORT(dst), add_drops, &drops, NULL);
	ret->realtime = true;
	ret->lost += drops.sum > drops.asked ? drops.sum - drops.asked : 0;
}

static const char *netem_refuses(void *emulator, const struct link_state *state)
{
	uint64_t latency_ns, jitter_ns;

	(void)emulator;
	if (dist_replays(state->dist))
		return "netem draws its delays; one after the other from a file they need "
		       "--emulator wire";
	if (netem_leaf_scale(state, state->dist != DIST_UNIFORM, &latency_ns, &jitter_ns) ||
		jitter_ns > JITTER_NS_MAX)
		return "netem's jitter is 2.1 s at the most, a table's delays span 17 s; --emulator wire "
		       "has no such limit";
	if (state->corrupt_silent)
		return "netem's corruption is seen by the checksum; silent corruption needs "
		       "--emulator wire";
	if (state->rate_bps % 8)
		return "netem's rates are whole bytes a second: multiples of 8 bit/s";
	if (!netem_leaf_fits(state))
		return "netem cannot hold what this rate sends within this delay: 4,000,000 frames "
		       "at the most; a lower rate, delay or queue is needed";
	return NULL;
}

const struct emulator_ops netem_ops = {
	.name = "netem",
	.probe = netem_probe,
	.open = netem_open,
	.start = netem_start,
	.refuses = netem_refuses,
	.apply = netem_apply,
	.leaf = netem_leaf,
	.flush = netem_flush,
	.refresh = netem_refresh,
	.read_back = netem_read_back,
	.quality = netem_quality,
	.close = netem_close,
};
