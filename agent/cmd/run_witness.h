/* SPDX-License-Identifier: MIT */
/* run_witness.h - the picture of what a run proved against its store */
#ifndef CMD_RUN_WITNESS_H
#define CMD_RUN_WITNESS_H

#include "agent/report/results.h"

/**
 * run_witness_keep() - draw the witness of @results into @path, with the run's phases and faults
 * If the lab expects a model that was broken, it is the witness of that.
 *
 * Return: 0, also if there is nothing to draw, or a negative errno with @err filled.
 */
int run_witness_keep(const struct results *results, const struct history_ops *ops, const char *path,
	struct err *err);

#endif
