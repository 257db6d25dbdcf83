/* SPDX-License-Identifier: MIT */
/* node.h - the network namespace of one node: its settings, address and neighbours */
#ifndef NETNS_NODE_H
#define NETNS_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "netns/nlsock.h"

/* UDP port of the fabric's own probes on every node. */
#define NODE_PROBE_PORT 64999

struct node {
	struct nlsock nl; /* open only while the fabric is built */
	int netns_fd;     /* -1: none */
	int probe_fd;     /* UDP socket inside, stamped by the kernel on arrival; -1: none */
};

/* namespace_open() - leave the thread in a new network namespace. Return: its descriptor. */
int namespace_open(struct err *err);

/* namespace_home() - descriptor of the thread's present one. */
int namespace_home(struct err *err);

/* namespace_enter() - go there; only asserts can fail: all of them are ours. */
void namespace_enter(int fd);

/* node_open() - make the namespace and settle what must be settled before eth0 appears. */
int node_open(struct node *n, struct err *err);

/* node_offloads_off() - one packet is one frame: no segmentation or coalescing on eth0. */
int node_offloads_off(const struct node *n, struct err *err);

void node_close(struct node *n);

/* node_has_cubic() - whether this kernel can do the congestion control that labs use. */
bool node_has_cubic(void);

/* node_write_setting() - a file of /proc/sys/net as the thread's namespace has it. */
int node_write_setting(const char *path, const char *value);

#endif
