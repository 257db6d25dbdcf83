/* SPDX-License-Identifier: MIT */
/*
 * link.c - messages about interfaces, addresses, neighbours and routes
 *
 * libnl-3 builds them and a batch carries them: sent one by one they would take one answer each.
 * What libnl 3.7 cannot say (options of a bridge and its ports, congestion control of a route,
 * deletion of a group) is built with libmnl.
 *
 * A veth's other end is created in its node's namespace at once. Moving it there would cost
 * 16 ms each, for the kernel waits until nobody can see it in the old one.
 */
#include "link.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <string.h>

#define LINK_PREFIX 16 /* of the lab's network, 10.99.0.0 */

/* IF_OPER_UP of <linux/if.h>, which cannot be included beside <net/if.h>. */
#define OPERSTATE_UP 6

void link_mac(unsigned i, uint8_t ret_mac[ETH_ALEN])
{
	const uint8_t mac[ETH_ALEN] = {2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};

	memcpy(ret_mac, mac, sizeof mac);
}

/* Append a message of libnl and free it. */
static int add_built(struct nlbatch *b, int code, struct nl_msg *msg, struct err *err)
{
	if (code < 0)
		return err_set(err, -ENOMEM, EXIT_INTERNAL, "libnl: %s", nl_geterror(code));
	nlbatch_add(b, nlmsg_hdr(msg));
	nlmsg_free(msg);
	return 0;
}

static int no_memory(struct err *err)
{
	return err_sys(err, -ENOMEM, "libnl");
}

void link_bridge(struct nlbatch *b)
{
	struct nlmsghdr *nlh = nlbatch_begin(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
	struct nlattr *info, *data;

	ifi->ifi_index = LINK_BRIDGE;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, LINK_BRIDGE_NAME);
	mnl_attr_put_u32(nlh, IFLA_GROUP, LINK_GROUP);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u8(nlh, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_put_u32(nlh, IFLA_BR_FORWARD_DELAY, 0);
	mnl_attr_put_u8(nlh, IFLA_BR_NF_CALL_IPTABLES, 0);
	mnl_attr_put_u8(nlh, IFLA_BR_NF_CALL_IP6TABLES, 0);
	mnl_attr_put_u8(nlh, IFLA_BR_NF_CALL_ARPTABLES, 0);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	nlbatch_end(b, nlh);
}

int link_veth(struct nlbatch *b, const char *name, unsigned i, int node_fd, struct err *err)
{
	struct rtnl_link *port = rtnl_link_veth_alloc();
	struct rtnl_link *eth0 = port ? rtnl_link_veth_get_peer(port) : NULL;
	uint8_t mac[ETH_ALEN];
	struct nl_addr *addr;
	struct nl_msg *msg = NULL;
	int code;

	link_mac(i, mac);
	addr = nl_addr_build(AF_LLC, mac, sizeof mac);
	if (!eth0 || !addr) {
		rtnl_link_put(port);
		nl_addr_put(addr);
		return no_memory(err);
	}
	rtnl_link_set_name(port, name);
	rtnl_link_set_ifindex(port, LINK_PORT(i));
	rtnl_link_set_group(port, LINK_GROUP);
	rtnl_link_set_mtu(port, LINK_MTU);
	rtnl_link_set_name(eth0, "eth0");
	rtnl_link_set_ifindex(eth0, LINK_ETH0);
	rtnl_link_set_addr(eth0, addr);
	rtnl_link_set_mtu(eth0, LINK_MTU);
	rtnl_link_set_ns_fd(eth0, node_fd);
	code = rtnl_link_build_add_request(port, NLM_F_CREATE | NLM_F_EXCL, &msg);
	rtnl_link_put(eth0); /* the reference that veth_get_peer() took */
	rtnl_link_put(port);
	nl_addr_put(addr);
	return add_built(b, code, msg, err);
}

void link_port(struct nlbatch *b, int ifindex)
{
	struct nlmsghdr *nlh = nlbatch_begin(b, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
	struct nlattr *info, *data;

	ifi->ifi_index = ifindex;
	mnl_attr_put_u32(nlh, IFLA_MASTER, LINK_BRIDGE);
	nlbatch_end(b, nlh);

	/* The kernel takes options of a port only from a message about one that is a port. */
	nlh = nlbatch_begin(b, RTM_NEWLINK, 0);
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
	ifi->ifi_index = ifindex;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_LEARNING, 0);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_UNICAST_FLOOD, 0);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_MCAST_FLOOD, 0);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_BCAST_FLOOD, 0);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	nlbatch_end(b, nlh);
}

/* A neighbour entry: of a node's table (@addr_be) or of the bridge's (no address). */
static int add_neigh(
	struct nlbatch *b, unsigned i, int ifindex, const uint32_t *addr_be, struct err *err)
{
	struct rtnl_neigh *neigh = rtnl_neigh_alloc();
	uint8_t mac[ETH_ALEN];
	struct nl_addr *lladdr, *dst = NULL;
	struct nl_msg *msg = NULL;
	int code;

	link_mac(i, mac);
	lladdr = nl_addr_build(AF_LLC, mac, sizeof mac);
	if (addr_be)
		dst = nl_addr_build(AF_INET, addr_be, sizeof *addr_be);
	if (!neigh || !lladdr || (addr_be && !dst)) {
		code = -NLE_NOMEM;
	} else {
		rtnl_neigh_set_ifindex(neigh, ifindex);
		rtnl_neigh_set_lladdr(neigh, lladdr);
		if (addr_be) {
			rtnl_neigh_set_dst(neigh, dst);
			rtnl_neigh_set_state(neigh, NUD_PERMANENT);
		} else {
			rtnl_neigh_set_family(neigh, AF_BRIDGE);
			rtnl_neigh_set_state(neigh, NUD_NOARP);
			rtnl_neigh_set_flags(neigh, NTF_MASTER);
		}
		code = rtnl_neigh_build_add_request(neigh, NLM_F_CREATE | NLM_F_REPLACE, &msg);
	}
	nl_addr_put(dst);
	nl_addr_put(lladdr);
	rtnl_neigh_put(neigh);
	return add_built(b, code, msg, err);
}

int link_fdb(struct nlbatch *b, unsigned i, struct err *err)
{
	return add_neigh(b, i, LINK_PORT(i), NULL, err);
}

int link_neigh(struct nlbatch *b, unsigned i, uint32_t addr_be, struct err *err)
{
	return add_neigh(b, i, LINK_ETH0, &addr_be, err);
}

static void set_flags(struct nlbatch *b, int ifindex, unsigned flags)
{
	struct nlmsghdr *nlh = nlbatch_begin(b, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);

	ifi->ifi_index = ifindex;
	ifi->ifi_flags = flags;
	ifi->ifi_change = IFF_UP;
	nlbatch_end(b, nlh);
}

void link_up(struct nlbatch *b, int ifindex)
{
	set_flags(b, ifindex, IFF_UP);
}

void link_down(struct nlbatch *b, int ifindex)
{
	set_flags(b, ifindex, 0);
}

void link_tap(struct nlbatch *b, uint32_t queue_frames)
{
	struct nlmsghdr *nlh = nlbatch_begin(b, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);

	ifi->ifi_index = LINK_TAP;
	mnl_attr_put_u32(nlh, IFLA_GROUP, LINK_GROUP);
	mnl_attr_put_u32(nlh, IFLA_TXQLEN, queue_frames);
	nlbatch_end(b, nlh);
}

int link_addr(struct nlbatch *b, uint32_t addr_be, struct err *err)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(AF_INET, &addr_be, sizeof addr_be);
	struct nl_msg *msg = NULL;
	int code = -NLE_NOMEM;

	if (addr && local) {
		rtnl_addr_set_ifindex(addr, LINK_ETH0);
		rtnl_addr_set_local(addr, local);
		rtnl_addr_set_prefixlen(addr, LINK_PREFIX);
		/* The route is ours: it names the congestion control. */
		rtnl_addr_set_flags(addr, IFA_F_NOPREFIXROUTE);
		code = rtnl_addr_build_add_request(addr, NLM_F_CREATE | NLM_F_EXCL, &msg);
	}
	nl_addr_put(local);
	rtnl_addr_put(addr);
	return add_built(b, code, msg, err);
}

void link_route(struct nlbatch *b, uint32_t addr_be, bool cubic)
{
	struct nlmsghdr *nlh = nlbatch_begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof *rt);
	struct nlattr *metrics;

	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = LINK_PREFIX;
	rt->rtm_table = RT_TABLE_MAIN;
	rt->rtm_protocol = RTPROT_STATIC;
	rt->rtm_scope = RT_SCOPE_LINK;
	rt->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_DST, addr_be & htonl(~0u << (32 - LINK_PREFIX)));
	mnl_attr_put_u32(nlh, RTA_PREFSRC, addr_be);
	mnl_attr_put_u32(nlh, RTA_OIF, LINK_ETH0);
	if (cubic) {
		metrics = mnl_attr_nest_start(nlh, RTA_METRICS);
		mnl_attr_put_strz(nlh, RTAX_CC_ALGO, "cubic");
		mnl_attr_nest_end(nlh, metrics);
	}
	nlbatch_end(b, nlh);
}

void link_delete_group(struct nlbatch *b)
{
	struct nlmsghdr *nlh = nlbatch_begin(b, RTM_DELLINK, 0);

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(nlh, IFLA_GROUP, LINK_GROUP);
	nlbatch_end(b, nlh);
}

static void take_tx_dropped(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *attr;
	uint64_t *dropped = ctx;

	nlsock_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		struct rtnl_link_stats64 stats;

		if (mnl_attr_get_type(attr) != IFLA_STATS64 ||
			mnl_attr_get_payload_len(attr) <
				offsetof(struct rtnl_link_stats64, multicast))
			continue;
		memcpy(&stats, mnl_attr_get_payload(attr),
			offsetof(struct rtnl_link_stats64, multicast));
		*dropped = stats.tx_dropped;
	}
}

/* Ask for one interface; @each sees the answer. */
static int ask(struct nlsock *s, int ifindex, void (*each)(const struct nlmsghdr *nlh, void *ctx),
	void *ctx, struct err *err)
{
	struct nlbatch b = {0};
	struct nlmsghdr *nlh = nlbatch_begin(&b, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
	int code;

	ifi->ifi_index = ifindex;
	nlbatch_end(&b, nlh);
	code = nlsock_dump(s, &b, each, ctx, err);
	nlbatch_fini(&b);
	return code;
}

int link_tx_dropped(struct nlsock *s, int ifindex, uint64_t *ret, struct err *err)
{
	*ret = 0;
	return ask(s, ifindex, take_tx_dropped, ret, err);
}

static void take_operational(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *attr;
	bool *operational = ctx;

	nlsock_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_OPERSTATE && mnl_attr_get_payload_len(attr) > 0)
			*operational = mnl_attr_get_u8(attr) == OPERSTATE_UP;
	}
}

int link_operational(struct nlsock *s, int ifindex, bool *ret, struct err *err)
{
	*ret = false;
	return ask(s, ifindex, take_operational, ret, err);
}
