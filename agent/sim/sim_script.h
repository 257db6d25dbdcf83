/* SPDX-License-Identifier: MIT */
/*
 * sim_script.h - what clients and faults will do in a run, drawn before it begins
 *
 * Every operation and every fault has a number and a time of its own, so that any of them can be
 * left out and the others stay as they are: that is how a violation is shrunk to what matters.
 */
#ifndef SIM_SIM_SCRIPT_H
#define SIM_SIM_SCRIPT_H

#include "agent/base/buf.h"
#include "agent/sim/sim_load.h"

enum sim_act {
	SIM_ACT_READ,
	SIM_ACT_WRITE,
	SIM_ACT_CAS,
	SIM_ACT_DELETE,
	SIM_ACT_FLEETING, /* a key of its own is set, then deleted */
	SIM_ACT_OPS,      /* so many are clients'; from here on faults: */
	SIM_ACT_HALVES = SIM_ACT_OPS,
	SIM_ACT_NODE,    /* one from all others */
	SIM_ACT_ONE_WAY, /* the same, in one direction */
	SIM_ACT_BRIDGE,  /* halves that one replica connects */
	SIM_ACT_RING,    /* each sees its neighbours, a majority, no two the same */
	SIM_ACT_LINKS,   /* some, one way */
	SIM_ACT_FLAP,    /* one from all others, on and off */
	SIM_ACT_COUP,    /* who is elected next, alone or with one other, from the rest at once */
	SIM_ACT_LOSSY,   /* some links lose much */
	SIM_ACT_SLOW,    /* some links are slow */
	SIM_ACT_CRASH,
	SIM_ACT_CRASH_ALL,
	SIM_ACT_PAUSE,
	SIM_ACT_STALL,
	SIM_ACT_FULL,
	SIM_ACT_TRANSFER,
	SIM_ACT_REMOVE, /* from the members, and added again when it is over */
	SIM_ACT_NR
};
extern const char *const sim_act_names[SIM_ACT_NR];

/**
 * struct sim_action - one operation or fault
 * @arg:	what is still to be drawn, at the time: members of a side, for one
 * @who:	client
 * @key:	of an operation
 * @moves:	the client turns to another replica first
 * @leader:	the fault looks for who leads, and takes another one if nobody does
 */
struct sim_action {
	uint64_t at_ns;
	uint64_t for_ns;
	uint64_t arg;
	uint16_t who;
	uint8_t kind;
	uint8_t key;
	bool moves;
	bool leader;
};

struct sim_script {
	struct sim_action *action; /* owned, in the order of time */
	size_t count;
};

void sim_script_draw(const struct sim_plan *plan, struct sim_script *ret);
void sim_script_fini(struct sim_script *s);

/* sim_script_kept() - whether the plan leaves it in. */
bool sim_script_kept(const struct sim_plan *plan, size_t number);

/* sim_script_print() - one line for people. */
void sim_script_print(const struct sim_action *a, size_t number, struct buf *out);

/* sim_hash() - of a fault's argument and two numbers; what its sides are drawn with. */
uint64_t sim_hash(uint64_t arg, uint64_t a, uint64_t b);

/* sim_faults.c: apply and end faults. */
struct sim_faults;
struct sim_faults *sim_faults_open(struct sim *sim, const struct sim_script *script);
void sim_faults_close(struct sim_faults *f);

/* sim_fault_begin() - Return: the replica that it is about, -1: no one. sim_fault_end(). */
int sim_fault_begin(struct sim_faults *f, size_t number);
void sim_fault_end(struct sim_faults *f, size_t number);

/* sim_faults_flap() - the next change of a link that flaps. */
void sim_faults_flap(struct sim_faults *f, size_t number);

/* sim_faults_leads() - a replica was elected. */
void sim_faults_leads(struct sim_faults *f, unsigned node);

/* sim_faults_end() - all that are under way. */
void sim_faults_end(struct sim_faults *f);

#endif
