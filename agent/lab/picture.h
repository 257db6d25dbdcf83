/* SPDX-License-Identifier: MIT */
/*
 * picture.h - what a run shows of itself while it goes on, as lines for a terminal
 *
 * Pure: from what the supervisor says (struct scene) and what the load counts (struct strips) to
 * text. Painter and tests draw with it.
 */
#ifndef LAB_PICTURE_H
#define LAB_PICTURE_H

#include "agent/base/canvas.h"
#include "agent/lab/plan.h"
#include "agent/lab/pulse.h"

#define SCENE_WORDS_MAX 160
#define STRIP_BINS 240

/* What the supervisor knows; sent to the painter as it stands here, so all of it is in place. */
struct scene {
	char label[PLAN_NAME_MAX];    /* of the phase, or of what is done else */
	char doing[SCENE_WORDS_MAX];  /* then: what; "" in a phase */
	char what[PLAN_WHAT_MAX];     /* faults of the phase in words */
	char leader[SCENE_WORDS_MAX]; /* "n2, term 4"; "" if the store has none */
	char harm[SCENE_WORDS_MAX];   /* "n3 down, n4 paused" */
	unsigned phase;
	uint64_t begin_ns;
	uint64_t end_ns;
	uint64_t run_end_ns; /* of all phases, if each takes as long as planned */
	unsigned sides;
	char side[PLAN_SIDES_MAX][PLAN_SIDE_NAME_MAX];
	uint8_t side_of[PLAN_SITES_MAX]; /* of each site's clients */
};

/* Who was answered when, in one phase. */
struct strips {
	unsigned phase;
	uint64_t begin_ns;
	uint64_t end_ns;
	uint64_t seen_ns; /* up to here it has been filled */
	unsigned sites;
	struct pulse_tally tally[PLAN_SITES_MAX];
	uint32_t ok[PLAN_SITES_MAX][STRIP_BINS];
	uint32_t all[PLAN_SITES_MAX][STRIP_BINS];
};

/* strips_begin() - of another phase. strips_add() - what its tallies are at @now_ns. */
void strips_begin(struct strips *s, unsigned phase, uint64_t begin_ns, uint64_t end_ns);
void strips_add(struct strips *s, const struct pulse_tally *tally, uint64_t now_ns);

/* picture_draw() - some lines; @phases of the whole plan. */
void picture_draw(struct canvas *c, const struct scene *scene, const struct strips *strips,
	const struct pulse_rates *rates, unsigned phases, uint64_t now_ns);

/* picture_label() - a line's beginning. picture_words() - a whole line; none if @words is "". */
void picture_label(struct canvas *c, enum style style, const char *text);
void picture_words(struct canvas *c, const char *name, enum style style, const char *words);

/* picture_phase() - its bar, and words as far as there is room; @run_end_ns 0: not known. */
void picture_phase(struct canvas *c, const char *name, unsigned phase, unsigned phases,
	const uint64_t span_ns[2], uint64_t run_end_ns, uint64_t now_ns);

/* picture_load() - the line of rates and latencies; none before there are two samples. */
void picture_load(struct canvas *c, const struct pulse_rates *rates);

/* picture_span() - "2.6 s", "3:05 min", "1:02:10 h". Return: @out. */
const char *picture_span(uint64_t ns, char *out, size_t size);

#endif
