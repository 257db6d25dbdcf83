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

#include "netns/emulator.h"
#include "netns/link.h"
#include "netns/qdisc.h"

struct netem {
	struct emulator_host host;
	struct nlbatch batch;
	struct qdisc_leaf *leaf; /* by source, of the port last refreshed */
};

static int netem_probe(struct nlsock *sw, struct err *err)
{
	struct nlbatch b = {0};
	int code;

	qdisc_root_netem(&b, LINK_LO);
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
	free(n);
}

static int netem_open(void **ret, const struct emulator_host *host, struct err *err)
{
	struct netem *n = calloc(1, sizeof *n);

	if (n)
		n->leaf = calloc(host->nodes, sizeof *n->leaf);
	if (!n || !n->leaf) {
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

static int netem_apply(void *emulator, const struct fabric_delta *delta, unsigned deltas,
	unsigned next, struct err *err)
{
	struct netem *n = emulator;

	(void)next;
	nlbatch_clear(&n->batch);
	for (unsigned i = 0; i < deltas; i++) {
		const struct link_state *from = &delta[i].from, *to = &delta[i].to;
		int port = LINK_PORT(delta[i].dst);

		if (from->delay_ns == to->delay_ns && from->jitter_ns == to->jitter_ns)
			continue;
		if (to->delay_ns || to->jitter_ns)
			qdisc_leaf_netem(
				&n->batch, port, delta[i].src, to->delay_ns, to->jitter_ns);
		else
			qdisc_leaf_bfifo(&n->batch, port, delta[i].src);
	}
	return nlsock_send(n->host.sw, &n->batch, err);
}

static void take_leaf(const struct qdisc_leaf *leaf, void *ctx)
{
	struct netem *n = ctx;

	if (leaf->src < n->host.nodes)
		n->leaf[leaf->src] = *leaf;
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

	(void)dst;
	ret->delay_ns = n->leaf[src].delay_ns;
	ret->jitter_ns = n->leaf[src].jitter_ns;
}

struct drops {
	uint64_t sum;
};

static void add_drops(const struct qdisc_leaf *leaf, void *ctx)
{
	struct drops *drops = ctx;

	/* What a cut drops where there is no BPF was asked for. */
	if (strcmp(leaf->kind, "blackhole") != 0)
		drops->sum += leaf->dropped;
}

static void netem_quality(void *emulator, struct fabric_quality *ret)
{
	const struct netem *n = emulator;
	struct drops drops = {0};

	for (unsigned dst = 0; dst < n->host.nodes; dst++)
		(void)qdisc_leaves(n->host.sw, LINK_PORT(dst), add_drops, &drops, NULL);
	ret->realtime = true;
	ret->lost += drops.sum;
}

static const char *netem_refuses(void *emulator, const struct link_state *state)
{
	(void)emulator;
	if (state->rate_bps || state->corrupt_ppm || state->reorder_ppm || state->dist)
		return "emulator netem does delay and uniform jitter";
	return NULL;
}

const struct emulator_ops netem_ops = {
	.name = "netem",
	.probe = netem_probe,
	.open = netem_open,
	.start = netem_start,
	.refuses = netem_refuses,
	.apply = netem_apply,
	.refresh = netem_refresh,
	.read_back = netem_read_back,
	.quality = netem_quality,
	.close = netem_close,
};
