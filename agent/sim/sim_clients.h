/* SPDX-License-Identifier: MIT */
/* sim_clients.h - a run and its clients, as sim_load.c drives them and sim_end.c ends them */
#ifndef SIM_SIM_CLIENTS_H
#define SIM_SIM_CLIENTS_H

#include "agent/sim/sim_judge.h"
#include "agent/sim/sim_objects.h"
#include "agent/sim/sim_stale.h"

#define SEEN_MAX 64

/* Of one operation that is not in the history: a key is set, then deleted. */
enum fleeting { FLEETING_NO, FLEETING_SETS, FLEETING_DELETES, FLEETING_READS };

struct client {
	unsigned replica;
	uint32_t session;
	bool busy;
	uint64_t ticket; /* of the operation in flight, 0: none */
	size_t op;       /* its number in the history */
	uint64_t asked_ns;
	uint64_t seen[SEEN_MAX]; /* last value read of each key */
	enum fleeting fleeting;
	size_t key;                 /* of the fleeting one: the action's number */
	bool there;                 /* FLEETING_READS found it */
	enum proto_op asks;         /* of a register */
	bool object;                /* what is in flight is about a set or a counter: */
	struct sim_object_ask item; /* this */
	struct token token;         /* where the store knows sessions: what this one has seen */
};

struct load {
	const struct sim_plan *plan;
	struct sim *sim;
	struct sim_script script;
	struct sim_faults *faults;
	size_t next; /* action of the script */
	struct proto_claim claim;
	bool bound; /* the model is of sessions: they end where nothing is carried along */
	struct sim_objects *objects;
	struct sim_stale *stale;
	uint64_t beside[SEEN_MAX]; /* of each key: a sum of the final values side by side */
	struct client client[SIM_CLIENTS_MAX + 1]; /* the last one does the final reads */
	struct history_op *op;
	size_t ops;
	size_t ops_cap;
	size_t *fleeting; /* keys that were set and deleted, or nearly */
	size_t fleeting_count;
	size_t *deleted; /* those whose deletion was acknowledged */
	size_t deleted_count;
	uint64_t tickets;
	uint32_t sessions;
	bool *removed;  /* by replica: an operator asked for it, and not yet for the return */
	uint64_t admin; /* ticket of the operator's last request, 0: answered */
	enum proto_admin admin_what;
	bool admin_done; /* ... with OK */
	uint64_t admin_count[2];
	uint64_t acts[SIM_ACTS_MAX];
	uint8_t *value; /* what is written: a number and padding */
	bool crashed;
};

/* What is asked of a store; c->ticket is 0 when it is answered. */
struct history_op *sim_op_add(struct load *l, struct client *c, unsigned key, unsigned kind);
void sim_ask(struct load *l, struct client *c, enum proto_level level);
void sim_ask_fleeting(struct load *l, struct client *c, enum proto_level level);
void sim_ask_object(struct load *l, struct client *c, enum proto_level level);

/* sim_turn_to() - the client's next request goes there. */
void sim_turn_to(struct load *l, struct client *c, unsigned replica);

/* sim_read_of() - what one reads of a register: its value, or those side by side if there are. */
enum proto_op sim_read_of(const struct load *l, uint64_t chance);

/* sim_add_again() - all that were removed are members again: else they could not converge. */
void sim_add_again(struct load *l);

/* sim_end() - when the load is over: heal, wait until all agree, read all, judge. */
void sim_end(struct load *l);

#endif
