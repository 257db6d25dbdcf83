/* SPDX-License-Identifier: MIT */
/*
 * switch.c - the switch namespace: bridge, ports, queues, programs; and what the nodes know of it
 *
 * A port is given its queues and programs while it is down: the kernel then has nobody to wait
 * for. All ports are one batch, for indexes are chosen and nothing has to be looked up between.
 */
#include "netns/fabric_priv.h"
#include "netns/link.h"
#include "netns/qdisc.h"

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

static void add_queues(struct nlbatch *b, unsigned nodes, unsigned dst)
{
	qdisc_htb_root(b, LINK_PORT(dst));
	for (unsigned src = 0; src < nodes; src++) {
		if (src == dst)
			continue;
		qdisc_htb_class(b, LINK_PORT(dst), src);
		qdisc_leaf_bfifo(b, LINK_PORT(dst), src);
	}
}

int switch_build_ports(struct fabric *f, struct err *err)
{
	struct nlbatch b = {0};
	int code = 0;

	for (unsigned i = 0; i < f->nodes && !code; i++) {
		code = link_veth(&b, f->name[i].name, i, f->node[i].netns_fd, err);
		if (code)
			break;
		add_queues(&b, f->nodes, i);
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
