/* SPDX-License-Identifier: MIT */
/*
 * progress.h - what a run does just now: a picture on a terminal, else one line per phase
 *
 * What is said, and a line for each phase that is over, are printed either way; on a terminal they
 * stand above the picture.
 */
#ifndef LAB_PROGRESS_H
#define LAB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/lab/painter.h"
#include "agent/lab/supervisor.h"

/* At the most so long a change is not shown. */
#define PROGRESS_EVERY_NS 100000000ull

struct progress {
	FILE *out;               /* NULL: say nothing */
	struct painter *painter; /* NULL: plain lines */
	const struct supervisor *s;
	struct load_shared *shared;
	struct scene scene; /* that the painter has */
	uint64_t due_ns;
	bool led; /* somebody did lead: so "nobody" is worth to be said */
};

void progress_open(
	struct progress *p, FILE *out, const struct supervisor *s, struct load_shared *shared);

/* progress_close() - the terminal as it was. */
void progress_close(struct progress *p);

/* progress_say() - a line of its own. */
void progress_say(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* progress_doing() - what is done outside of the phases, on a terminal only. */
void progress_doing(struct progress *p, const char *label, const char *what);

/* progress_tick() - the running phase, if it is time. Return: when to call it next. */
uint64_t progress_tick(struct progress *p, unsigned phase, uint64_t end_ns, uint64_t now_ns);

/* progress_phase_begin() - what the lab tells of it. */
void progress_phase_begin(struct progress *p, unsigned phase);

/* progress_phase_end() - its line when it is over. */
void progress_phase_end(struct progress *p, unsigned phase, uint64_t took_ns);

#endif
