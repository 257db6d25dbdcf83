/* SPDX-License-Identifier: MIT */
/* fabric_priv.h - what the files that make up the fabric know of each other, and tests of them */
#ifndef NETNS_FABRIC_PRIV_H
#define NETNS_FABRIC_PRIV_H

#include "netns/emulator.h"
#include "netns/fabric.h"
#include "netns/matrix.h"
#include "netns/nlsock.h"
#include "netns/node.h"

#define FABRIC_LAB_MAX 32

/* A link that changes, and the cut that it gets. */
struct fabric_link {
	uint16_t src;
	uint16_t dst;
	uint8_t cut;
};

struct fabric {
	char lab[FABRIC_LAB_MAX + 1];
	unsigned nodes;
	struct fabric_node *name; /* owned, as are the arrays below */
	struct node *node;
	int home_fd; /* namespace of the caller */
	int switch_fd;
	struct nlsock sw; /* in the switch namespace */
	bool linked;      /* the bridge exists */
	struct matrix matrix;
	enum emulator_kind kind;
	const struct emulator_ops *ops;
	void *emulator;
	char text[EMULATOR_TEXT_MAX];
	struct link_matrix now;
	bool *classed;                /* src * nodes + dst: the link has an HTB class */
	struct fabric_link *changed;  /* by the change that is under way */
	struct fabric_delta *scratch; /* one change at its largest */
	int probe_epoll;              /* all probe sockets */
	uint32_t probe_run; /* number of the last one; tells its probes from earlier ones */
	uint64_t build_ns;
	uint64_t bias_ns;
};

/* switch.c: bridge, ports, queues and programs; then the nodes' own addresses and neighbours. */
int switch_build_bridge(struct fabric *f, struct err *err);
int switch_build_ports(struct fabric *f, struct err *err);
int switch_build_nodes(struct fabric *f, struct err *err);

/* switch_add_classes() - HTB classes for links that get work for the emulator for the first time.
 */
int switch_add_classes(
	struct fabric *f, const struct fabric_delta *delta, unsigned deltas, struct err *err);

/* switch_set_carriers() - take ports down, or up and wait until frames pass; both by node. */
int switch_set_carriers(struct fabric *f, const bool *from, const bool *to, struct err *err);

/*
 * leafcut.c: cuts where the kernel refuses BPF, by replacing leaves. Without BPF the matrix is only
 * a record of what the queues have been told; with it, these do nothing.
 */
static inline bool leafcut_needed(const struct fabric *f)
{
	return f->matrix.refusal != 0;
}

/* leafcut_port() - filters in place of the program, for a port that is being built. */
void leafcut_port(const struct fabric *f, struct nlbatch *b, unsigned dst);

/* leafcut_send() - one batch of leaves and redirects that makes @delta true. */
int leafcut_send(
	struct fabric *f, const struct fabric_delta *delta, unsigned deltas, struct err *err);

/* leafcut_refuses() - what only the matrix program can do. Return: why it cannot be, or NULL. */
const char *leafcut_refuses(const struct link_state *s);

/* leafcut_refresh() - bring the counters of links to @dst up to date; _all: of every link. */
void leafcut_refresh(const struct fabric *f, unsigned dst);
void leafcut_refresh_all(const struct fabric *f);

/* leafcut_wrong() - a link to @dst whose leaf is no blackhole but should be, or the reverse.
 * Return: its source, -1 if all are right. */
int leafcut_wrong(struct fabric *f, unsigned dst);

/* fabric_rule() - the matrix program's rule for a link in state @state. */
uint32_t fabric_rule(const struct fabric *f, const struct link_state *state);

/**
 * struct probe - one link to be probed
 * @expect:	its probes should arrive: wait for them
 * @chance:	they may or may not
 * @refused:	probes whose sender was told that they may not pass
 * @min_ns:	one way, by the kernel's stamp on arrival
 */
struct probe {
	uint16_t src;
	uint16_t dst;
	bool expect;
	bool chance;
	unsigned sent;
	unsigned received;
	unsigned refused;
	uint64_t min_ns;
	uint64_t max_ns;
};

#define PROBE_BYTES 74 /* of a probe's Ethernet frame */

/**
 * probe_links() - send @rounds probes over each link, all links side by side
 * @longest_ns:	that a probe may be under way: as long those that may be lost are waited for
 * @slack_ns:	and so much longer those that should arrive
 */
void probe_links(struct fabric *f, struct probe *probe, unsigned probes, unsigned rounds,
	uint64_t longest_ns, uint64_t slack_ns);

/* probe_errors() - take what ICMP told the probe socket @fd; @probe may be NULL. */
void probe_errors(struct fabric *f, int fd, struct probe *probe, unsigned probes);

/* fabric_count() - the counters as they were last refreshed; they always are where BPF counts. */
void fabric_count(const struct fabric *f, unsigned src, unsigned dst, struct fabric_counters *ret);

/* probe_bias() - how late a frame comes over an idle link without delay; waits for the ports. */
int probe_bias(struct fabric *f, struct err *err);

#endif
