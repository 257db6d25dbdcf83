/* SPDX-License-Identifier: MIT */
/* qdisc.h - messages about queueing: HTB root, a class per source, leaves, clsact and its program
 */
#ifndef NETNS_QDISC_H
#define NETNS_QDISC_H

#include <linux/pkt_sched.h>
#include <stdint.h>

#include "netns/link_state.h"
#include "netns/nlsock.h"

/* Class of source i on every port; the matrix program writes the same into skb->priority. */
#define QDISC_ROOT 0x10000u
#define QDISC_CLASS(src) (QDISC_ROOT | ((uint32_t)(src) + 1))

/* A link without a rate: 100 Gbit/s, more than one core can send. */
#define QDISC_UNLIMITED_BYTES_PER_S 12500000000ull

/* qdisc_begin() - nlbatch_begin() with a tcmsg and, unless NULL, the kind. */
struct nlmsghdr *qdisc_begin(struct nlbatch *b, uint16_t type, uint16_t flags,
	const struct tcmsg *header, const char *kind);

/* A class that exists already is left as it is. */
void qdisc_htb_root(struct nlbatch *b, int ifindex);
void qdisc_htb_class(struct nlbatch *b, int ifindex, unsigned src);

/* qdisc_source() - of the class or leaf that a message is about. Return: -1 if it is neither. */
int qdisc_source(uint32_t parent, uint32_t handle);

/* Leaves of class @src; netem_leaf.h has another. Another kind replaces the leaf and drops what was
 * queued; the same kind is changed in place. */
void qdisc_leaf_bfifo(struct nlbatch *b, int ifindex, unsigned src);
void qdisc_leaf_blackhole(struct nlbatch *b, int ifindex, unsigned src);

void qdisc_root_delete(struct nlbatch *b, int ifindex);

void qdisc_clsact(struct nlbatch *b, int ifindex);

/* qdisc_ingress_program() - run the tc program @prog_fd on every frame that comes in. */
void qdisc_ingress_program(struct nlbatch *b, int ifindex, int prog_fd, const char *name);

/* qdisc_source_filter() - frames from @addr_be are of class @src, where no program says so. */
void qdisc_source_filter(struct nlbatch *b, int ifindex, unsigned src, uint32_t addr_be);

/* qdisc_redirect() - frames that come in for @addr_be, of node @dst, go to @to instead; undo. */
void qdisc_redirect(struct nlbatch *b, int ifindex, unsigned dst, uint32_t addr_be, int to);
void qdisc_redirect_delete(struct nlbatch *b, int ifindex, unsigned dst);

/* What a class has counted. */
struct qdisc_class {
	unsigned src;
	uint64_t passed;
	uint64_t dropped;
};

/* qdisc_classes() - dump the classes of a port. */
int qdisc_classes(struct nlsock *s, int ifindex,
	void (*each)(const struct qdisc_class *class, void *ctx), void *ctx, struct err *err);

/* What a leaf, or the tbf behind a netem, says about itself: its own part of the state. */
struct qdisc_leaf {
	char kind[16];
	unsigned src;
	struct link_state state;
	uint64_t dropped;
};

/* qdisc_leaves() - dump the leaves of a port and what is behind them. */
int qdisc_leaves(struct nlsock *s, int ifindex,
	void (*each)(const struct qdisc_leaf *leaf, void *ctx), void *ctx, struct err *err);

#endif
