/* SPDX-License-Identifier: MIT */
/*
 * anomaly.h - what is wrong with transactions on lists: its name, its witness, and the words
 *
 * Names are Adya's (G0, G1a, G1b, G1c, G-single, G2-item) with Elle's endings for cycles that need
 * the order of sessions (-process) or of real time (-realtime).
 */
#ifndef CHECK_ANOMALY_H
#define CHECK_ANOMALY_H

#include "agent/check/check.h"
#include "agent/check/graph.h"
#include "agent/check/lists.h"

/* A flaw of single reads, or else (LISTS_FLAW_NR) a cycle. */
struct anomaly {
	const struct lists *l;
	enum lists_flaw_kind flaw;
	struct graph_cycle cycle;
};

/* anomaly_tell() - fill in the witness and the words of @ret. */
void anomaly_tell(
	const struct anomaly *a, const struct check_names *names, struct check_result *ret);

/* anomaly_witness() - operation @index of the history joins the witness, once, in time order. */
void anomaly_witness(struct check_result *ret, const struct history_ops *h, uint32_t index);

#endif
