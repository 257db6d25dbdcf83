/* SPDX-License-Identifier: MIT */
/*
 * fabric.h - the lab's network as one object: nodes, switch, link matrix, emulator, evidence
 *
 *   node n1            switch namespace                                             node n2
 *   eth0 ==veth== n1 [clsact ingress: matrix program] -> bridge -> n2 [netem] ==veth== eth0
 *                            |                              ^
 *                            +--> tap -> wire emulator -----+  (where the kernel has no netem)
 *
 * The caller is one thread; every call returns with the thread in the network namespace in which
 * it was made. Everything built is held by file descriptors of the calling process and by processes
 * that die with it: a kill -9 of the caller takes all of it away. Nothing is mounted.
 */
#ifndef NETNS_FABRIC_H
#define NETNS_FABRIC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/err.h"
#include "agent/base/hist.h"
#include "netns/link_state.h"

#define FABRIC_NODES_MAX 256 /* index in one byte of the MAC address; at least 250 asked for */
#define FABRIC_NAME_MAX 16   /* node names are interface names in the switch: 15 bytes and NUL */

/*
 * The N x N truth: link[src * nodes + dst]; all zero is healthy. The diagonal is unused and zero. A
 * node that is down has no carrier on its eth0 (it sees that; a cut it does not see).
 */
struct link_matrix {
	unsigned nodes;
	struct link_state *link; /* owned */
	bool *down;              /* owned; by node */
};

int link_matrix_init(struct link_matrix *m, unsigned nodes);
void link_matrix_fini(struct link_matrix *m);
void link_matrix_copy(struct link_matrix *to, const struct link_matrix *from);
struct link_state *link_matrix_at(const struct link_matrix *m, unsigned src, unsigned dst);

enum emulator_kind { EMULATOR_AUTO, EMULATOR_NETEM, EMULATOR_WIRE, EMULATOR_KIND_NR };
extern const char *const emulator_kind_names[EMULATOR_KIND_NR];

struct fabric_node {
	char name[FABRIC_NAME_MAX];
	uint32_t addr_be; /* IPv4 of eth0; all nodes are in 10.99.0.0/16 */
};

/**
 * struct fabric_config - what to build
 * @lab:	name of the lab: ASCII letters, digits, '-', '_', at most 32 bytes
 * @log_fd:	where the wire process writes its log
 * @seed:	of jitter and everything random
 * @without_bpf: do as where the kernel refuses BPF: cuts are leaf replacements; for tests
 */
struct fabric_config {
	const char *lab;
	const struct fabric_node *node;
	unsigned nodes;
	enum emulator_kind emulator;
	int log_fd;
	uint64_t seed;
	bool without_bpf;
};

struct fabric;

/**
 * fabric_build() - make namespaces, links, switch and emulator; all links are healthy
 * Needs root. What fails is undone.
 *
 * Return: 0; -EPERM, -EOPNOTSUPP with EXIT_CANNOT_RUN in @err; another negative errno.
 */
int fabric_build(struct fabric **ret, const struct fabric_config *config, struct err *err);

/* fabric_destroy() - undo; takes NULL and half-built objects, waits until the links are gone. */
void fabric_destroy(struct fabric *f);

/* fabric_netns_fd() - network namespace of node @i; fabric_switch_fd() - of the switch. Borrowed.
 */
int fabric_netns_fd(const struct fabric *f, unsigned i);
int fabric_switch_fd(const struct fabric *f);

/* fabric_wire_pid() - the wire emulator's process, -1 without one. The caller reaps it. */
pid_t fabric_wire_pid(const struct fabric *f);

/* fabric_emulator() - which one is at work, and why: "wire (no sch_netem in this kernel)". */
enum emulator_kind fabric_emulator(const struct fabric *f);
const char *fabric_emulator_text(const struct fabric *f);

/* fabric_build_ns() - time that fabric_build() took, processes not counted. */
uint64_t fabric_build_ns(const struct fabric *f);

/* fabric_matrix() - the matrix in force. */
const struct link_matrix *fabric_matrix(const struct fabric *f);

struct fabric_counters {
	uint64_t offered; /* frames that came to the matrix program for this link */
	uint64_t passed;  /* let through, to the bridge or to the emulator */
	uint64_t dropped; /* by a cut, or while a flapping link was closed */
	uint64_t lost;    /* by loss or by drop */
	uint64_t doubled; /* were let through twice; counted once in passed */
	/* By the wire emulator, of those that passed; netem counts them where it can, else 0. */
	uint64_t queue_dropped; /* did not fit into the queue before the rate */
	uint64_t corrupted;
	uint64_t reordered;
	uint64_t rejected; /* not passed but answered, see CUT_REJECT */
	uint64_t flushed;  /* were under way when the link was cut, see CUT_WIRE */
};

void fabric_counters(
	const struct fabric *f, unsigned src, unsigned dst, struct fabric_counters *ret);

/* One directed link that changed. */
struct fabric_delta {
	uint16_t src;
	uint16_t dst;
	struct link_state from;
	struct link_state to;
	struct fabric_counters after; /* as soon as no packet could see the state before */
};

/* One change from a matrix to the next. Times are CLOCK_MONOTONIC. */
struct fabric_change {
	uint64_t t_request_ns;      /* the call was made */
	uint64_t t_first_ns;        /* just before the first packet could see it */
	uint64_t t_last_ns;         /* all links have it */
	unsigned cuts;              /* links newly cut, */
	unsigned heals;             /* no longer cut, */
	unsigned reshaped;          /* with other values of anything but the cut */
	unsigned downs;             /* nodes that lost their carrier or got it back */
	struct fabric_delta *delta; /* owned: deltas in all; freed by fabric_change_fini() */
	unsigned deltas;
	bool atomic; /* cuts were one store; else leaves were replaced one by one */
};

/**
 * fabric_apply() - go from the matrix in force to @want: a difference, never clear and rebuild
 * @ret:	filled also if nothing changed (deltas = 0)
 */
int fabric_apply(struct fabric *f, const struct link_matrix *want, struct fabric_change *ret,
	struct err *err);
void fabric_change_fini(struct fabric_change *change);

/* fabric_check() - could fabric_apply() go to @want? Changes nothing. Return: 0, or -EINVAL. */
int fabric_check(const struct fabric *f, const struct link_matrix *want, struct err *err);

enum evidence_result {
	EVIDENCE_CONFIRMED,
	EVIDENCE_MISMATCH,
	EVIDENCE_INCONCLUSIVE,
	EVIDENCE_RESULT_NR
};
extern const char *const evidence_result_names[EVIDENCE_RESULT_NR];

/**
 * struct evidence - does the network do what the matrix says?
 * @packets_crossed:	frames that a cut link let through after t_last_ns, in sum
 * @packets_dropped:	frames that cut links dropped after t_last_ns
 * @rtt_configured_ns:	of the probed link pair that is furthest from its configuration, or of the
 *			largest if all agree; 0 if no open link was changed
 * @rtt_measured_ns:	the same pair as measured: smallest of the probes, bias not subtracted
 * @why:		one line, for people
 */
struct evidence {
	enum evidence_result result;
	uint64_t packets_crossed;
	uint64_t packets_dropped;
	uint64_t rtt_configured_ns;
	uint64_t rtt_measured_ns;
	char why[160];
};

/**
 * evidence_gather() - read the kernel's state back, send probes over the changed links, compare
 * @end_ns:	on CLOCK_MONOTONIC, about when to be done, 0 for as long as it takes: rows of frames
 *		are made shorter for that, and what seems wrong is not looked at again
 *
 * Takes about two of the longest round trips, and rows of frames up to some seconds. Call it again
 * with the same @change later, just before the next change: then the counters of the whole time
 * between are judged.
 */
int evidence_gather(struct fabric *f, const struct fabric_change *change, uint64_t end_ns,
	struct evidence *ret, struct err *err);

/**
 * struct fabric_quality - how well the emulator kept its times since the fabric was built
 * @late:		due time to delivery, per frame; empty with netem (the kernel does not say)
 * @bias_ns:		median of the self-check's probes over idle links without delay, one way
 * @realtime:		the emulator runs with real-time priority (true for netem)
 * @lost:		frames that the emulator lost and no rule asked to lose
 */
struct fabric_quality {
	struct hist late;
	uint64_t bias_ns;
	bool realtime;
	uint64_t lost;
};

void fabric_quality(const struct fabric *f, struct fabric_quality *ret);

/* fabric_probe_features() - what this kernel lacks; one call per line to @say; for doctor. */
void fabric_probe_features(
	void (*say)(void *ctx, bool good, const char *what, const char *cure), void *ctx);

#endif
