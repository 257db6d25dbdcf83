/* SPDX-License-Identifier: MIT */
/*
 * watch_draw.h - a lab just now as lines: a picture for a terminal, or only what has changed
 *
 * Pure: from what the lab told to text. A row is a node and its links to all others; where nodes
 * do not fit, or are too many, a row is a site.
 */
#ifndef CMD_WATCH_DRAW_H
#define CMD_WATCH_DRAW_H

#include <stdio.h>

#include "agent/base/canvas.h"
#include "agent/cmd/watch_view.h"
#include "agent/lab/pulse.h"

/**
 * struct watch_picture - what there is to draw
 * @before:	an earlier view, for rates; NULL: there are none yet
 * @load:	NULL: no load runs
 * @now_ns:	on the lab's clock; the view may be older
 * @silent_ns:	for so long the lab has not answered; 0: it does
 * @keys:	q ends it
 */
struct watch_picture {
	const struct watch_lab *view;
	const struct watch_lab *before;
	const struct pulse_rates *load;
	uint64_t now_ns;
	uint64_t silent_ns;
	bool keys;
};

/* watch_draw() - no more than look.rows lines; 0 rows: as many as it takes. */
void watch_draw(struct canvas *c, const struct watch_picture *p);

/* watch_changes() - a line for each thing that is not as in @before; NULL: how it all is now. */
void watch_changes(const struct watch_lab *before, const struct watch_lab *now, FILE *out);

#endif
