/* SPDX-License-Identifier: MIT */
/* lab_world.h - what the parts of a simulated lab share; for agent/sim/lab*.c only */
#ifndef SIM_LAB_WORLD_H
#define SIM_LAB_WORLD_H

#include "agent/load/client.h"
#include "agent/sim/lab.h"
#include "agent/sim/lab_fiber.h"
#include "agent/sim/sim.h"

/* What sim_call() is about. */
enum lab_call { LAB_WAKE, LAB_LETTER, LAB_WATCH };

/* A client, which is a fiber. */
struct lab_client {
	struct client client;
	struct fiber *fiber;
	uint64_t wake_ns; /* it waits until then, 0: it runs */
	bool ended;
};

struct lab_site {
	struct lab *lab;
	uint16_t node; /* of its clients */
	struct client_site common;
};

/* Something on its way between a client and a replica; see lab_driver.c. */
struct lab_letter;

/* After a heal or a restart: what each replica must have, and who has it. */
struct lab_watch {
	struct table *target; /* NULL: nothing is watched */
	bool reached[PLAN_REPLICAS_MAX];
	uint64_t begun_ns;
	uint64_t converged_ns;       /* 0: not yet */
	struct run_fault *restarted; /* it is about this one; NULL: a heal */
};

#define LAB_ADMIN (1ull << 63) /* of tickets: an operator asks */

struct lab {
	struct plan *plan;
	struct run_log *log;
	struct sim *sim;
	struct lab_net net;
	struct history *history;
	struct load_shared *shared;
	struct lab_site site[PLAN_SITES_MAX];
	struct lab_client *client; /* site by site */
	unsigned clients;
	struct lab_client *running; /* whose fiber it is; NULL: the world's turn */
	struct lab_letter **letter;
	uint32_t letters; /* slots */
	uint32_t *free;
	uint32_t frees;
	uint64_t tickets;
	uint64_t admin; /* ticket of an operator's request, 0: it was answered ... */
	bool admin_ok;  /* ... with OK */
	unsigned phase;
	int leader;
	uint64_t term;
	struct lab_watch watch;
};

static inline struct lab *lab_of(struct sim *sim)
{
	return sim->ctx;
}

/* lab_wait() - from inside a client: until @t_ns, or until lab_wake(). */
void lab_wait(struct lab *lab, uint64_t t_ns);
void lab_wake(struct lab_client *c);

/* lab_driver.c */
extern const struct driver_ops lab_driver;
void lab_letter_due(struct lab *lab, uint32_t slot);
void lab_letters_fini(struct lab *lab);

/* lab_answer() - a replica has answered. lab_crashed() - the connections of one are broken. */
void lab_answer(struct lab *lab, unsigned node, uint64_t ticket, const struct proto_reply *reply);
void lab_crashed(struct lab *lab, unsigned node);

/* lab_watch.c: who leads; what was converged. */
void lab_watch_tick(struct lab *lab);
int lab_watch_leader(const struct lab *lab, uint64_t *ret_term);
void lab_watch_begin(struct lab *lab, struct run_fault *restarted);
void lab_watch_end(struct lab *lab);

/* lab_ready() - is every replica ready, and does who shall lead? */
bool lab_ready(const struct lab *lab);

/* lab_strike.c: what is done to processes. Return: as nemesis_strike(). */
int lab_strike(
	struct lab *lab, const struct plan_event *event, struct run_fault *ret, struct err *err);

/* lab_phases.c: all of them, and the final reads. */
int lab_phases(struct lab *lab, struct err *err);

/* lab_run() - the world until @t_ns. Return: 0, or -EPROTO with the violation. */
int lab_run(struct lab *lab, uint64_t t_ns, struct err *err);

#endif
