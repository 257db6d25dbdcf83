/* SPDX-License-Identifier: MIT */
/*
 * leafcut.c - cuts where the kernel refuses BPF: leaves are replaced one by one
 *
 * No program reads the matrix then, and filters do what it did: a frame's class on the port by
 * which it leaves is found by its source address, and a slow link of the wire emulator has a
 * redirect on the port by which it comes in. A cut link has a blackhole for a leaf, so what is
 * still under way is lost whichever kind of cut it is. A batch of them is not atomic: tens of
 * microseconds pass between the first leaf and the last of five nodes, milliseconds with fifty.
 *
 * Counters come from the classes, which keep them when their leaf is replaced. The map holds
 * what was read last.
 */
#include <string.h>

#include "netns/fabric_priv.h"
#include "netns/link.h"
#include "netns/qdisc.h"

void leafcut_port(const struct fabric *f, struct nlbatch *b, unsigned dst)
{
	for (unsigned src = 0; src < f->nodes; src++) {
		if (src != dst)
			qdisc_source_filter(b, LINK_PORT(dst), src, f->name[src].addr_be);
	}
}

const char *leafcut_refuses(const struct link_state *s)
{
	if (s->cut == CUT_REJECT)
		return "a cut of kind reject needs BPF, which this kernel refuses (pacelab doctor)";
	if (link_state_marked(s))
		return "drop, loss, duplicate and flap need BPF, which this kernel refuses "
		       "(pacelab doctor)";
	return NULL;
}

static void put_leaf(const struct fabric *f, struct nlbatch *b, const struct fabric_delta *delta)
{
	const struct link_state *to = &delta->to;
	int port = LINK_PORT(delta->dst);

	if (to->cut)
		qdisc_leaf_blackhole(b, port, delta->src);
	else if (f->ops->leaf && link_state_shaped(to))
		f->ops->leaf(f->emulator, b, delta, delta->from.cut);
	else
		qdisc_leaf_bfifo(b, port, delta->src);
}

int leafcut_send(
	struct fabric *f, const struct fabric_delta *delta, unsigned deltas, struct err *err)
{
	struct nlbatch b = {0};
	int code;

	for (unsigned i = 0; i < deltas; i++, delta++) {
		const struct link_state *from = &delta->from, *to = &delta->to;
		bool was_slow = link_state_shaped(from), slow = link_state_shaped(to);

		if (from->cut != to->cut || !f->ops->matrix_bit)
			put_leaf(f, &b, delta);
		if (!f->ops->matrix_bit || was_slow == slow)
			continue;
		if (slow)
			qdisc_redirect(&b, LINK_PORT(delta->src), delta->dst,
				f->name[delta->dst].addr_be, LINK_TAP);
		else
			qdisc_redirect_delete(&b, LINK_PORT(delta->src), delta->dst);
	}
	code = nlsock_send(&f->sw, &b, err);
	nlbatch_fini(&b);
	return code;
}

struct refresh {
	const struct fabric *f;
	unsigned dst;
};

static void take_counters(const struct qdisc_class *class, void *ctx)
{
	const struct refresh *r = ctx;
	struct matrix_link *link;

	if (class->src >= r->f->nodes)
		return;
	link = matrix_at(&r->f->matrix, class->src, r->dst);
	link->passed = class->passed;
	link->dropped = class->dropped;
}

void leafcut_refresh(const struct fabric *f, unsigned dst)
{
	struct refresh r = {.f = f, .dst = dst};
	struct nlsock sw = f->sw; /* only the sequence number would change */

	if (leafcut_needed(f))
		(void)qdisc_classes(&sw, LINK_PORT(dst), take_counters, &r, NULL);
}

void leafcut_refresh_all(const struct fabric *f)
{
	for (unsigned dst = 0; dst < f->nodes && leafcut_needed(f); dst++)
		leafcut_refresh(f, dst);
}

struct inspection {
	struct fabric *f;
	unsigned dst;
	int wrong;
};

static void take_kind(const struct qdisc_leaf *leaf, void *ctx)
{
	struct inspection *x = ctx;

	if (leaf->src >= x->f->nodes || leaf->src == x->dst)
		return;
	if ((strcmp(leaf->kind, "blackhole") == 0) !=
		(link_matrix_at(&x->f->now, leaf->src, x->dst)->cut != CUT_NONE))
		x->wrong = (int)leaf->src;
}

int leafcut_wrong(struct fabric *f, unsigned dst)
{
	struct inspection x = {.f = f, .dst = dst, .wrong = -1};

	(void)qdisc_leaves(&f->sw, LINK_PORT(dst), take_kind, &x, NULL);
	return x.wrong;
}
