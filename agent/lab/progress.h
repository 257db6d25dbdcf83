/* SPDX-License-Identifier: MIT */
/*
 * progress.h - what a run does just now: one line that changes on a terminal, else one per phase
 */
#ifndef LAB_PROGRESS_H
#define LAB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/lab/plan.h"
#include "agent/load/load.h"

#define PROGRESS_EVERY_NS 200000000ull

struct progress {
	FILE *out; /* NULL: say nothing */
	bool terminal;
	const struct plan *plan;
	struct load_shared *shared;
	uint64_t due_ns;
	uint64_t last_ns; /* of the rate */
	uint64_t last_operations;
};

void progress_init(
	struct progress *p, FILE *out, const struct plan *plan, struct load_shared *shared);

/* progress_say() - a line of its own. */
void progress_say(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* progress_tick() - the running phase, if it is time. Return: when to call it next. */
uint64_t progress_tick(struct progress *p, unsigned phase, uint64_t end_ns, uint64_t now_ns);

/* progress_phase_begin() - what the lab tells of it. */
void progress_phase_begin(struct progress *p, unsigned phase);

/* progress_phase_end() - its line when it is over. */
void progress_phase_end(struct progress *p, unsigned phase, uint64_t took_ns);

/* progress_clear() - leave the terminal's line empty for what comes next. */
void progress_clear(struct progress *p);

#endif
