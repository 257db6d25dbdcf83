/* SPDX-License-Identifier: MIT */
/* sm.c - tiny state machines as tables */
#include "sm.h"

#include <assert.h>

void sm_init(struct sm *sm, const struct sm_state *table, unsigned states, unsigned start)
{
	assert(states <= SM_STATES_MAX && start < states);
	*sm = (struct sm){.table = table, .states = states, .now = start};
}

void sm_move(struct sm *sm, unsigned next)
{
	assert(next < sm->states);
	assert(sm->table[sm->now].next & SM_TO(next));
	sm->now = next;
}

const char *sm_name(const struct sm *sm)
{
	return sm->table[sm->now].name;
}
