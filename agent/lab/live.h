/* SPDX-License-Identifier: MIT */
/* live.h - a lab just now, as JSON for `pacelab watch`: processes, links and counters */
#ifndef LAB_LIVE_H
#define LAB_LIVE_H

#include <stdio.h>

#include "agent/lab/supervisor.h"

/* More nodes are told of by their sites alone; delays in words of fewer. */
#define LIVE_LETTERS_MAX 61
#define LIVE_CELLS_MAX 24
#define LIVE_FAULTS_MAX 32

/*
 * Letters of a link that is not as the lab without faults has it, the worst first. A link that is
 * as it was has LIVE_AS_WANTED, one that there is not (of a node to itself) a blank.
 */
#define LIVE_AS_WANTED '.'
#define LIVE_CUT 'X'
#define LIVE_SOME_CUT 'x' /* of the links between two sites */
#define LIVE_DOWN '!'

/* live_letter() - @down: one of its nodes has no carrier. */
char live_letter(const struct link_state *link, const struct link_state *base, bool down);

/* live_letters() - number @i: letter and what it means; NULL after the last. */
struct live_letter {
	char letter;
	const char *what;
};
const struct live_letter *live_letters(unsigned i);

/* live_json() - one object; its reader is agent/cmd/watch_view.c. */
void live_json(const struct supervisor *s, FILE *out);

#endif
