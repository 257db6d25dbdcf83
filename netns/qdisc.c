/* SPDX-License-Identifier: MIT */
/*
 * qdisc.c - messages about queueing
 *
 * All with libmnl: libnl 3.7 knows neither clsact nor bpf filters, has netem without 64-bit delays,
 * sends 2 KB of unused rate tables with each HTB class, and aborts on a blackhole.
 */
#include "qdisc.h"

#include <arpa/inet.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#include "netns/netem_leaf.h"

#define QDISC_BURST_TICKS 15625u /* 1 ms of 64 ns */
#define QDISC_QUANTUM 200000u    /* bytes; without it the kernel computes one and warns */
#define QDISC_LEAF_BYTES (16u << 20)

struct nlmsghdr *qdisc_begin(struct nlbatch *b, uint16_t type, uint16_t flags,
	const struct tcmsg *header, const char *kind)
{
	struct nlmsghdr *nlh = nlbatch_begin(b, type, flags);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof *tc);

	*tc = *header;
	tc->tcm_family = AF_UNSPEC;
	if (kind)
		mnl_attr_put_strz(nlh, TCA_KIND, kind);
	return nlh;
}

void qdisc_htb_root(struct nlbatch *b, int ifindex)
{
	const struct tcmsg header = {
		.tcm_ifindex = ifindex, .tcm_parent = TC_H_ROOT, .tcm_handle = QDISC_ROOT};
	const struct tc_htb_glob glob = {.version = 3, .rate2quantum = 10};
	struct nlmsghdr *nlh =
		qdisc_begin(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, "htb");
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	mnl_attr_put(nlh, TCA_HTB_INIT, sizeof glob, &glob);
	mnl_attr_nest_end(nlh, options);
	nlbatch_end(b, nlh);
}

void qdisc_htb_class(struct nlbatch *b, int ifindex, unsigned src)
{
	const struct tcmsg header = {
		.tcm_ifindex = ifindex, .tcm_parent = QDISC_ROOT, .tcm_handle = QDISC_CLASS(src)};
	struct tc_htb_opt opt = {.buffer = QDISC_BURST_TICKS,
		.cbuffer = QDISC_BURST_TICKS,
		.quantum = QDISC_QUANTUM};
	struct nlmsghdr *nlh = qdisc_begin(b, RTM_NEWTCLASS, NLM_F_CREATE, &header, "htb");
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	/* The 32-bit field says "see the 64-bit attribute" by being full. */
	opt.rate.rate = opt.ceil.rate = UINT32_MAX;
	opt.rate.linklayer = opt.ceil.linklayer = TC_LINKLAYER_ETHERNET;
	mnl_attr_put(nlh, TCA_HTB_PARMS, sizeof opt, &opt);
	mnl_attr_put_u64(nlh, TCA_HTB_RATE64, QDISC_UNLIMITED_BYTES_PER_S);
	mnl_attr_put_u64(nlh, TCA_HTB_CEIL64, QDISC_UNLIMITED_BYTES_PER_S);
	mnl_attr_nest_end(nlh, options);
	nlbatch_end(b, nlh);
}

int qdisc_source(uint32_t parent, uint32_t handle)
{
	uint32_t class = TC_H_MIN(parent) ? parent : handle;

	if (TC_H_MAJ(class) == QDISC_ROOT && TC_H_MIN(class))
		return (int)TC_H_MIN(class) - 1;
	return netem_leaf_source(parent);
}

/* A class's own first leaf counts as none, hence CREATE also for what seems a change. */
static struct nlmsghdr *begin_leaf(struct nlbatch *b, int ifindex, unsigned src, const char *kind)
{
	const struct tcmsg header = {.tcm_ifindex = ifindex, .tcm_parent = QDISC_CLASS(src)};

	return qdisc_begin(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, kind);
}

void qdisc_leaf_bfifo(struct nlbatch *b, int ifindex, unsigned src)
{
	const struct tc_fifo_qopt opt = {.limit = QDISC_LEAF_BYTES};
	struct nlmsghdr *nlh = begin_leaf(b, ifindex, src, "bfifo");

	mnl_attr_put(nlh, TCA_OPTIONS, sizeof opt, &opt);
	nlbatch_end(b, nlh);
}

void qdisc_leaf_blackhole(struct nlbatch *b, int ifindex, unsigned src)
{
	nlbatch_end(b, begin_leaf(b, ifindex, src, "blackhole"));
}

void qdisc_root_delete(struct nlbatch *b, int ifindex)
{
	const struct tcmsg header = {.tcm_ifindex = ifindex, .tcm_parent = TC_H_ROOT};

	nlbatch_end(b, qdisc_begin(b, RTM_DELQDISC, 0, &header, NULL));
}

void qdisc_clsact(struct nlbatch *b, int ifindex)
{
	const struct tcmsg header = {.tcm_ifindex = ifindex,
		.tcm_parent = TC_H_CLSACT,
		.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0)};

	nlbatch_end(b, qdisc_begin(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &header, "clsact"));
}

void qdisc_ingress_program(struct nlbatch *b, int ifindex, int prog_fd, const char *name)
{
	const struct tcmsg header = {.tcm_ifindex = ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		.tcm_handle = 1,
		.tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL))};
	struct nlmsghdr *nlh =
		qdisc_begin(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &header, "bpf");
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	mnl_attr_put_u32(nlh, TCA_BPF_FD, (uint32_t)prog_fd);
	mnl_attr_put_strz(nlh, TCA_BPF_NAME, name);
	mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(nlh, options);
	nlbatch_end(b, nlh);
}

/* One u32 key: the 32 bits at @offset of the IP header are @value_be. */
static void put_u32_match(struct nlmsghdr *nlh, int offset, uint32_t value_be)
{
	const struct tc_u32_sel sel = {.flags = TC_U32_TERMINAL, .nkeys = 1};
	const struct tc_u32_key key = {.mask = UINT32_MAX, .val = value_be, .off = offset};
	uint8_t match[sizeof sel + sizeof key];

	memcpy(match, &sel, sizeof sel);
	memcpy(match + sizeof sel, &key, sizeof key);
	mnl_attr_put(nlh, TCA_U32_SEL, sizeof match, match);
}

#define IP_SOURCE_AT 12
#define IP_DESTINATION_AT 16

void qdisc_source_filter(struct nlbatch *b, int ifindex, unsigned src, uint32_t addr_be)
{
	const struct tcmsg header = {.tcm_ifindex = ifindex,
		.tcm_parent = QDISC_ROOT,
		.tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_IP))};
	struct nlmsghdr *nlh =
		qdisc_begin(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &header, "u32");
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	mnl_attr_put_u32(nlh, TCA_U32_CLASSID, QDISC_CLASS(src));
	put_u32_match(nlh, IP_SOURCE_AT, addr_be);
	mnl_attr_nest_end(nlh, options);
	nlbatch_end(b, nlh);
}

/* A priority of its own for every destination, so that it can be deleted by that. */
static struct tcmsg redirect_header(int ifindex, unsigned dst)
{
	return (struct tcmsg){.tcm_ifindex = ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		.tcm_info = TC_H_MAKE((dst + 1) << 16, htons(ETH_P_IP))};
}

void qdisc_redirect(struct nlbatch *b, int ifindex, unsigned dst, uint32_t addr_be, int to)
{
	const struct tcmsg header = redirect_header(ifindex, dst);
	const struct tc_mirred parms = {
		.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)to};
	struct nlmsghdr *nlh =
		qdisc_begin(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &header, "u32");
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS), *actions, *first, *inner;

	put_u32_match(nlh, IP_DESTINATION_AT, addr_be);
	actions = mnl_attr_nest_start(nlh, TCA_U32_ACT);
	first = mnl_attr_nest_start(nlh, 1);
	mnl_attr_put_strz(nlh, TCA_ACT_KIND, "mirred");
	inner = mnl_attr_nest_start(nlh, TCA_ACT_OPTIONS);
	mnl_attr_put(nlh, TCA_MIRRED_PARMS, sizeof parms, &parms);
	mnl_attr_nest_end(nlh, inner);
	mnl_attr_nest_end(nlh, first);
	mnl_attr_nest_end(nlh, actions);
	mnl_attr_nest_end(nlh, options);
	nlbatch_end(b, nlh);
}

void qdisc_redirect_delete(struct nlbatch *b, int ifindex, unsigned dst)
{
	const struct tcmsg header = redirect_header(ifindex, dst);

	nlbatch_end(b, qdisc_begin(b, RTM_DELTFILTER, 0, &header, NULL));
}

struct classes {
	int ifindex;
	void (*each)(const struct qdisc_class *class, void *ctx);
	void *ctx;
};

static void take_class(const struct nlmsghdr *nlh, void *ctx)
{
	const struct classes *want = ctx;
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct qdisc_class class;

	if (nlh->nlmsg_type != RTM_NEWTCLASS || tc->tcm_ifindex != want->ifindex ||
		TC_H_MAJ(tc->tcm_handle) != QDISC_ROOT || TC_H_MIN(tc->tcm_handle) == 0)
		return;
	class = (struct qdisc_class){.src = TC_H_MIN(tc->tcm_handle) - 1};
	nlsock_for_each(attr, nlh, sizeof *tc)
	{
		struct tc_stats stats = {0};

		/* Of this struct the kernel sends no padding at the end. */
		if (mnl_attr_get_type(attr) != TCA_STATS ||
			mnl_attr_get_payload_len(attr) < offsetof(struct tc_stats, bps))
			continue;
		memcpy(&stats, mnl_attr_get_payload(attr), offsetof(struct tc_stats, bps));
		class.passed = stats.packets;
		class.dropped = stats.drops;
	}
	want->each(&class, want->ctx);
}

int qdisc_classes(struct nlsock *s, int ifindex,
	void (*each)(const struct qdisc_class *class, void *ctx), void *ctx, struct err *err)
{
	const struct tcmsg header = {.tcm_ifindex = ifindex};
	struct classes want = {.ifindex = ifindex, .each = each, .ctx = ctx};
	struct nlbatch b = {0};
	int code;

	nlbatch_end(&b, qdisc_begin(&b, RTM_GETTCLASS, NLM_F_DUMP, &header, NULL));
	code = nlsock_dump(s, &b, take_class, &want, err);
	nlbatch_fini(&b);
	return code;
}

struct leaves {
	int ifindex;
	void (*each)(const struct qdisc_leaf *leaf, void *ctx);
	void *ctx;
};

static void take_leaf(const struct nlmsghdr *nlh, void *ctx)
{
	const struct leaves *want = ctx;
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *options = NULL;
	struct qdisc_leaf leaf = {0};

	/* A kernel without strict checks dumps every interface. */
	if (nlh->nlmsg_type != RTM_NEWQDISC || tc->tcm_ifindex != want->ifindex)
		return;
	if (TC_H_MAJ(tc->tcm_parent) == QDISC_ROOT && TC_H_MIN(tc->tcm_parent) > 0)
		leaf.src = TC_H_MIN(tc->tcm_parent) - 1;
	else if (netem_leaf_source(tc->tcm_parent) >= 0)
		leaf.src = (unsigned)netem_leaf_source(tc->tcm_parent);
	else
		return;
	nlsock_for_each(attr, nlh, sizeof *tc)
	{
		switch (mnl_attr_get_type(attr)) {
		case TCA_KIND:
			(void)strncpy(leaf.kind, mnl_attr_get_str(attr), sizeof leaf.kind - 1);
			break;
		case TCA_OPTIONS:
			options = attr;
			break;
		case TCA_STATS: {
			struct tc_stats stats;

			if (mnl_attr_get_payload_len(attr) >= offsetof(struct tc_stats, bps)) {
				memcpy(&stats, mnl_attr_get_payload(attr),
					offsetof(struct tc_stats, bps));
				leaf.dropped = stats.drops;
			}
			break;
		}
		default:
			break;
		}
	}
	if (options && !strcmp(leaf.kind, "netem"))
		netem_leaf_read(options, &leaf.state);
	if (options && !strcmp(leaf.kind, "tbf"))
		netem_leaf_read_tbf(options, &leaf.state);
	want->each(&leaf, want->ctx);
}

int qdisc_leaves(struct nlsock *s, int ifindex,
	void (*each)(const struct qdisc_leaf *leaf, void *ctx), void *ctx, struct err *err)
{
	const struct tcmsg header = {.tcm_ifindex = ifindex};
	struct leaves want = {.ifindex = ifindex, .each = each, .ctx = ctx};
	struct nlbatch b = {0};
	int code;

	nlbatch_end(&b, qdisc_begin(&b, RTM_GETQDISC, NLM_F_DUMP, &header, NULL));
	code = nlsock_dump(s, &b, take_leaf, &want, err);
	nlbatch_fini(&b);
	return code;
}
