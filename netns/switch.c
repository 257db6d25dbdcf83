/* SPDX-License-Identifier: MIT */
/*
 * switch.c - the switch namespace: bridge, ports, queues, programs; and what the nodes know of it
 *
 * A port is given its queues and programs while it is down: the kernel then has nobody to wait
 * for. All ports are one batch, for indexes are chosen and nothing has to be looked up between.
 */
#include <errno.h>
#include <time.h>

#include "agent/base/clock.h"
#include "netns/fabric_priv.h"
#include "netns/link.h"
#include "netns/qdisc.h"

#define PORT_WAIT_NS (5 * NS_PER_S)
#define PORT_RETRY_NS (NS_PER_MS / 2)

int switch_build_bridge(struct fabric *f, struct err *err)
{
	struct nlbatch b = {0};
	int code;

	link_bridge(&b);
	link_up(&b, LINK_BRIDGE);
	code = nlsock_send(&f->sw, &b, err);
	nlbatch_fini(&b);
	/* Frames of the lab are not for the firewall, if bridges feed it at all here. */
	(void)node_write_setting("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
	(void)node_write_setting("/proc/sys/net/bridge/bridge-nf-call-ip6tables", "0");
	(void)node_write_setting("/proc/sys/net/bridge/bridge-nf-call-arptables", "0");
	return code;
}

static bool *class_of(struct fabric *f, const struct fabric_delta *delta)
{
	return &f->classed[delta->src * f->nodes + delta->dst];
}

/*
 * The kernel goes through a list of all classes for each class that is added. So nobody has one who
 * does not need it: with the matrix program only the links for which netem has work, and without,
 * where classes count and cut, all of them.
 */
static void add_queues(struct fabric *f, struct nlbatch *b, unsigned dst)
{
	if (!leafcut_needed(f) && f->ops->matrix_bit)
		return;
	qdisc_htb_root(b, LINK_PORT(dst));
	for (unsigned src = 0; src < f->nodes && leafcut_needed(f); src++) {
		if (src == dst)
			continue;
		qdisc_htb_class(b, LINK_PORT(dst), src);
		qdisc_leaf_bfifo(b, LINK_PORT(dst), src);
	}
}

int switch_add_classes(
	struct fabric *f, const struct fabric_delta *delta, unsigned deltas, struct err *err)
{
	struct nlbatch b = {0};
	int code;

	for (unsigned i = 0; i < deltas; i++) {
		if (link_state_shaped(&delta[i].to) && !*class_of(f, &delta[i]))
			qdisc_htb_class(&b, LINK_PORT(delta[i].dst), delta[i].src);
	}
	code = nlsock_send(&f->sw, &b, err);
	nlbatch_fini(&b);
	for (unsigned i = 0; i < deltas && !code; i++) {
		if (link_state_shaped(&delta[i].to))
			*class_of(f, &delta[i]) = true;
	}
	return code;
}

int switch_build_ports(struct fabric *f, struct err *err)
{
	struct nlbatch b = {0};
	int code = 0;

	for (unsigned i = 0; i < f->nodes && !code; i++) {
		code = link_veth(&b, f->name[i].name, i, f->node[i].netns_fd, err);
		if (code)
			break;
		add_queues(f, &b, i);
		qdisc_clsact(&b, LINK_PORT(i));
		if (leafcut_needed(f))
			leafcut_port(f, &b, i);
		else
			qdisc_ingress_program(&b, LINK_PORT(i), f->matrix.port_prog_fd, "pacelab");
		link_port(&b, LINK_PORT(i));
		code = link_fdb(&b, i, err);
	}
	if (!code)
		code = nlsock_send(&f->sw, &b, err);
	nlbatch_fini(&b);
	return code;
}

/* A port that came up passes frames when the kernel has told the bridge, a moment later. */
static int wait_for_port(struct fabric *f, unsigned i, struct err *err)
{
	const struct timespec pause = {.tv_nsec = (long)PORT_RETRY_NS};
	uint64_t end_ns = clock_now_ns() + PORT_WAIT_NS;
	bool up = false;
	int code = 0;

	while (!code && !up) {
		code = link_operational(&f->sw, LINK_PORT(i), &up, err);
		if (code || up)
			break;
		if (clock_now_ns() > end_ns)
			return err_set(err, -ETIMEDOUT, EXIT_INTERNAL,
				"the port of '%s' does not come up", f->name[i].name);
		(void)nanosleep(&pause, NULL);
	}
	return code;
}

int switch_set_carriers(struct fabric *f, const bool *from, const bool *to, struct err *err)
{
	struct nlbatch b = {0};
	int code;

	for (unsigned i = 0; i < f->nodes; i++) {
		if (from[i] == to[i])
			continue;
		if (to[i])
			link_down(&b, LINK_PORT(i));
		else
			link_up(&b, LINK_PORT(i));
	}
	code = nlsock_send(&f->sw, &b, err);
	nlbatch_fini(&b);
	for (unsigned i = 0; i < f->nodes && !code; i++) {
		if (from[i] && !to[i])
			code = wait_for_port(f, i, err);
	}
	return code;
}

static int build_node(struct fabric *f, unsigned i, struct nlbatch *b,
	const struct nlbatch *neighbours, bool cubic, struct err *err)
{
	const uint8_t *p = neighbours->bytes.p;
	int code;

	nlbatch_clear(b);
	link_up(b, LINK_LO);
	link_up(b, LINK_ETH0);
	code = link_addr(b, f->name[i].addr_be, err);
	if (code)
		return code;
	link_route(b, f->name[i].addr_be, cubic);
	for (unsigned j = 0; j < f->nodes; j++) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)p;

		if (j != i)
			nlbatch_add(b, nlh);
		p += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	code = node_offloads_off(&f->node[i], err);
	if (!code)
		code = nlsock_send(&f->node[i].nl, b, err);
	nlsock_close(&f->node[i].nl);
	return code ? err_wrap(err, "node '%s'", f->name[i].name) : 0;
}

int switch_build_nodes(struct fabric *f, struct err *err)
{
	bool cubic = node_has_cubic();
	struct nlbatch b = {0}, neighbours = {0};
	int code = 0;

	/* Every node has the same neighbours but itself: the messages are built once. */
	for (unsigned i = 0; i < f->nodes && !code; i++)
		code = link_neigh(&neighbours, i, f->name[i].addr_be, err);
	for (unsigned i = 0; i < f->nodes && !code; i++)
		code = build_node(f, i, &b, &neighbours, cubic, err);
	nlbatch_fini(&neighbours);
	nlbatch_fini(&b);
	return code;
}
