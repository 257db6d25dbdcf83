/* SPDX-License-Identifier: MIT */
/* link.h - messages about interfaces, addresses, neighbours and routes, built with libnl-3 */
#ifndef NETNS_LINK_H
#define NETNS_LINK_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <stdint.h>

#include "netns/nlsock.h"

/* All interfaces of a lab's switch are of this group: one message deletes them all. */
#define LINK_GROUP 0x7061u

/* Interface indexes are chosen, not asked for: every namespace is new, and one batch can create an
 * interface and refer to it. */
#define LINK_LO 1
#define LINK_ETH0 2                  /* in a node */
#define LINK_BRIDGE 2                /* in the switch, */
#define LINK_TAP 3                   /* the wire emulator's, */
#define LINK_PORT(i) (16 + (int)(i)) /* and the port of node i */

/* Not to be mistaken for nodes: names of nodes have no dot. */
#define LINK_BRIDGE_NAME "br.switch"
#define LINK_TAP_NAME "tap.wire"

#define LINK_MTU 1500

/* link_mac() - the address of node @i: 02:00:00:00:hh:ll. */
void link_mac(unsigned i, uint8_t ret_mac[ETH_ALEN]);

void link_bridge(struct nlbatch *b);

/* link_veth() - port @name of node @i in this namespace, its eth0 in that of @node_fd; both down.
 */
int link_veth(struct nlbatch *b, const char *name, unsigned i, int node_fd, struct err *err);

/* link_port() - make an interface a port of the bridge: no learning, no flooding; then up. */
void link_port(struct nlbatch *b, int ifindex);

/* link_fdb() - frames to node @i leave by its port. */
int link_fdb(struct nlbatch *b, unsigned i, struct err *err);

void link_up(struct nlbatch *b, int ifindex);

/* link_down() - of a port: its node's eth0 loses the carrier. */
void link_down(struct nlbatch *b, int ifindex);

/* link_operational() - has an interface that is up got so far that frames pass? */
int link_operational(struct nlsock *s, int ifindex, bool *ret, struct err *err);

/* link_tap() - group and queue length of the emulator's tap. */
void link_tap(struct nlbatch *b, uint32_t queue_frames);

int link_addr(struct nlbatch *b, uint32_t addr_be, struct err *err);
int link_neigh(struct nlbatch *b, unsigned i, uint32_t addr_be, struct err *err);

/* link_route() - the lab's network over eth0; @cubic names the congestion control. */
void link_route(struct nlbatch *b, uint32_t addr_be, bool cubic);

/* link_delete_group() - every interface of LINK_GROUP, peers included. */
void link_delete_group(struct nlbatch *b);

/* link_tx_dropped() - frames that @ifindex could not take. */
int link_tx_dropped(struct nlsock *s, int ifindex, uint64_t *ret, struct err *err);

#endif
