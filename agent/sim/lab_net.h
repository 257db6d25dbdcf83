/* SPDX-License-Identifier: MIT */
/*
 * lab_net.h - the links of a lab in virtual time, as its link matrix says
 *
 * What travels are messages of connections, as over TCP: in order, and a lost one is sent again
 * after LAB_RTO_NS and a round trip, then after twice that, and so on; those behind it wait. Each
 * message also takes what a machine does: see struct lab_costs.
 *
 * Cuts. On a link between replicas everything is lost, and after LAB_SILENT_NS the connection
 * counts as broken: after the heal a new one is there within LAB_DIAL_NS and two round trips
 * (store/peers.c). Requests of clients are sent again until their deadline.
 */
#ifndef SIM_LAB_NET_H
#define SIM_LAB_NET_H

#include "agent/base/prng.h"
#include "agent/lab/plan.h"

/* The least RTO of Linux. */
#define LAB_RTO_NS 200000000ull
#define LAB_SILENT_NS 500000000ull
#define LAB_DIAL_NS 200000000ull
/* RTOs double: the last one is two minutes. */
#define LAB_ATTEMPTS 10

/**
 * struct lab_costs - what this machine adds to what the links say, a constant each
 * @hop_ns:	to each message: system calls, a veth, waking up
 * @wire_ns:	to each message on a link that has a delay or a rate: the emulator
 * @disk_ns:	from a record's writing until it is durable, by fdatasync
 * @wake_ns:	to each operation: its client wakes up so late
 */
struct lab_costs {
	uint64_t hop_ns;
	uint64_t wire_ns;
	uint64_t disk_ns;
	uint64_t wake_ns;
};

struct lab_link {
	struct prng prng;
	uint64_t newest_ns; /* latest arrival so far */
	uint64_t sent;      /* messages */
	uint64_t closed_ns; /* since when nothing passes; 0: it is open */
	uint64_t free_ns;   /* behind a rate: all that was sent is out */
	uint64_t dialed_ns; /* between replicas: nothing passes before */
	bool bad;           /* of Gilbert and Elliott's two states */
};

struct lab_net {
	const struct link_matrix *matrix; /* in force; borrowed */
	struct lab_costs costs;
	unsigned nodes;
	unsigned replicas;
	uint64_t set_ns; /* when it was put in force */
	struct lab_link *link;
};

/* lab_net_refuse() - Return: 0, or -EOPNOTSUPP with what of @m cannot be simulated (EXIT_USAGE). */
int lab_net_refuse(const struct link_matrix *m, struct err *err);

void lab_net_init(struct lab_net *net, const struct plan *plan, const struct lab_costs *costs);
void lab_net_fini(struct lab_net *net);

/* lab_net_set() - from now on the links do as @matrix says, which stays until the next call. */
void lab_net_set(struct lab_net *net, const struct link_matrix *matrix, uint64_t now_ns);

/* lab_net_send() - Return: when a message of @len bytes sent now arrives; 0: never, it is lost. */
uint64_t lab_net_send(struct lab_net *net, unsigned from, unsigned to, size_t len, uint64_t now_ns);

/* lab_net_arrives() - a message is there. Return: false if its link was cut with kind wire. */
bool lab_net_arrives(const struct lab_net *net, unsigned from, unsigned to);

/* lab_net_rejects() - is who sends now told that nothing passes? */
bool lab_net_rejects(const struct lab_net *net, unsigned from, unsigned to);

#endif
