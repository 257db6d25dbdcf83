/* SPDX-License-Identifier: MIT */
/* show.h - the link matrix in force, for people and as JSON: rows send, columns receive */
#ifndef LAB_SHOW_H
#define LAB_SHOW_H

#include <stdio.h>

#include "agent/lab/supervisor.h"

#define SHOW_CELL_MAX 64

/* show_cell() - one link as tables have it: its delay in ms and letters for what else it does, or
 * "cut". */
void show_cell(const struct link_state *link, char out[SHOW_CELL_MAX]);

/**
 * show_text() - one table
 * @what:	NULL: delays with marks for all else; "all": each link in words; "counters"; or a
 *word of link_words.h whose values shall stand in the table
 *
 * Return: 0, or -EINVAL for another @what.
 */
int show_text(const struct supervisor *s, const char *what, FILE *out, struct err *err);

/* show_json() - every link with all that is known of it. */
void show_json(const struct supervisor *s, FILE *out);

#endif
