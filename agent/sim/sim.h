/* SPDX-License-Identifier: MIT */
/*
 * sim.h - replicas in virtual time: the protocol objects of the store on a simulated network
 *
 * One thread, one event at a time, all chance from one seed: the same configuration gives the same
 * run on every machine. The network delays, reorders, loses and duplicates messages and can be cut
 * link by link, in one direction or both. Disks take time; a crash loses what had not been
 * reported as persisted, or only the end of it. Clocks may be skewed. After every event the
 * invariants of the replica that it touched are checked (sim_check.c).
 *
 * sim.c is the world; sim_load.c adds clients and faults; both are driven by a test or by main.c.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "store/proto.h"
#include "store/table.h"

#define SIM_START_NS NS_PER_S                  /* virtual time begins here: 0 is never a time */
#define SIM_WALL_NS (1700000000ull * NS_PER_S) /* wall clock at time 0 */
#define SIM_PPM 1000000u
#define SIM_VIOLATION_MAX 512

struct sim_link {
	uint64_t delay_ns;  /* one way */
	uint64_t jitter_ns; /* uniform, added; more than the gap between messages reorders them */
	bool cut;
};

/* What the world is like; probabilities in parts per million. */
struct sim_config {
	const struct proto_ops *ops;
	struct proto_config proto; /* self is ignored */
	uint64_t seed;
	uint64_t delay_ns; /* of all links, before sim_link() changes some */
	uint64_t jitter_ns;
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint64_t duplicate_ns; /* a second copy comes up to so much later */
	uint64_t persist_ns_min;
	uint64_t persist_ns_max;
	FILE *trace; /* NULL: none */
};

struct sim;
struct sim_log_check;

struct sim_record {
	uint8_t *bytes; /* owned */
	size_t len;
};

struct sim_node {
	struct proto_io io; /* first: the protocol's view */
	struct sim *sim;
	unsigned id;
	bool alive;
	uint64_t life; /* counts starts; events of an earlier life are void */
	struct proto *proto;
	struct table *table;
	struct prng prng;
	int64_t skew_ns;
	uint64_t timer[PROTO_TIMERS_MAX]; /* when it fires, 0: disarmed */
	struct sim_record *record;        /* the log; [0] is record 1 */
	size_t records;
	size_t records_cap;
	size_t records_writing; /* part of the log that the disk is busy with */
	size_t records_durable; /* part that was reported as persisted */
};

enum sim_kind { SIM_MESSAGE, SIM_TIMER, SIM_PERSISTED, SIM_CALL };

struct sim_event {
	uint64_t at_ns;
	uint64_t order; /* breaks ties: first scheduled, first run */
	uint64_t life;
	void *p; /* message: bytes, owned */
	uint32_t len;
	uint16_t node;
	uint16_t from; /* message: sender; timer: its number; call: what for */
	uint8_t kind;
};

struct sim {
	struct sim_config config;
	uint64_t now_ns;
	uint64_t steps;
	uint64_t messages; /* delivered */
	uint64_t replies;
	struct prng prng;
	struct sim_node *node;
	struct sim_link *link; /* [from * nodes + to] */
	struct sim_event *heap;
	size_t events;
	size_t events_cap;
	uint64_t order;
	struct sim_log_check *check;
	char violation[SIM_VIOLATION_MAX]; /* "" while all is well; then the run stops */
	/* For who drives the world: replies, and events of its own (sim_call()). */
	void *ctx;
	void (*on_reply)(
		struct sim *sim, unsigned node, uint64_t ticket, const struct proto_reply *reply);
	void (*on_call)(struct sim *sim, unsigned who, unsigned what);
	/* Sees every message that is sent, also those that are lost then. May be NULL. */
	void (*on_send)(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len);
};

/* sim_open() - all replicas started for the first time, none of them has run yet. */
struct sim *sim_open(const struct sim_config *config);
void sim_close(struct sim *sim);

/* sim_step() - run the next event. Return: false if a violation was found or nothing is left. */
bool sim_step(struct sim *sim);

/* sim_run() - run all events up to time @until_ns, which it is then. Return: as sim_step(). */
bool sim_run(struct sim *sim, uint64_t until_ns);

/* sim_call() - have on_call(@who, @what) called at @at_ns. */
void sim_call(struct sim *sim, uint64_t at_ns, unsigned who, unsigned what);

/* sim_request() - give a request to a living replica. */
void sim_request(struct sim *sim, unsigned node, const struct proto_request *req);

/* sim_message() - give bytes to a replica, as if they came from @from. Return: its answer. */
int sim_message(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len);

struct sim_link *sim_link(struct sim *sim, unsigned from, unsigned to);

/* sim_cut() - cut both directions of all links between members of @side (a flag per replica) and
 * the others. sim_heal() - no link is cut. */
void sim_cut(struct sim *sim, const bool *side);
void sim_heal(struct sim *sim);

/* sim_crash() - what was not persisted may be lost. sim_restart() - from the log. */
void sim_crash(struct sim *sim, unsigned node);
void sim_restart(struct sim *sim, unsigned node);

/* sim_fail() - a violation; the first one counts. */
void sim_fail(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline void sim_status(const struct sim *sim, unsigned node, struct proto_status_view *ret)
{
	sim->config.ops->status(sim->node[node].proto, ret);
}

/* sim_leader() - living replica that leads in the highest term, -1 if none does. */
int sim_leader(const struct sim *sim);

/* sim_converged() - whether all tables are alike; if not, and @why is given, it says where. */
bool sim_converged(const struct sim *sim, char *why, size_t size);

/* sim_check.c: after each event, on the replica that it touched. */
struct sim_log_check *sim_check_open(unsigned nodes);
void sim_check_close(struct sim_log_check *check);
void sim_check_step(struct sim *sim, unsigned node, bool table_may_differ);
void sim_check_restarted(struct sim *sim, unsigned node);

/* sim_check_acknowledged() - a write was answered with OK; judged when the step is over. */
void sim_check_acknowledged(struct sim *sim, const struct proto_reply *reply);

#endif
