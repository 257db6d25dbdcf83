/* SPDX-License-Identifier: MIT */
/*
 * sm.h - tiny state machines as tables: states with names, and which may follow which
 *
 * A table is the documentation and the check at once: a transition that the table does not allow
 * is a bug in the program and stops it.
 */
#ifndef BASE_SM_H
#define BASE_SM_H

#include <stdint.h>

#define SM_STATES_MAX 32
#define SM_TO(state) (1u << (state))

/* One state. @next: SM_TO() of every state that may follow, or-ed. */
struct sm_state {
	const char *name;
	uint32_t next;
};

struct sm {
	const struct sm_state *table; /* indexed by state */
	unsigned states;
	unsigned now;
};

/* sm_init() - begin in state @start of @table, which has @states rows. */
void sm_init(struct sm *sm, const struct sm_state *table, unsigned states, unsigned start);

/* sm_move() - go to @next; the table must allow it. */
void sm_move(struct sm *sm, unsigned next);

/* sm_name() - of the state it is in. */
const char *sm_name(const struct sm *sm);

#endif
