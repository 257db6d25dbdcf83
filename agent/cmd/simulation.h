/* SPDX-License-Identifier: MIT */
/* simulation.h - a lab in virtual time, from its script to its verdict in a folder */
#ifndef CMD_SIMULATION_H
#define CMD_SIMULATION_H

#include "agent/lab/outdir.h"
#include "agent/report/results.h"
#include "agent/sim/lab.h"

struct simulation;

/**
 * simulation_run() - load the script, simulate, judge, keep plan, history and results in @dir
 * @lab, @wish:	as plan_load() takes them; @wish->emulator is not looked at
 * @dir:	folder to make; NULL: a new one below results/
 * @ret:	to be freed by simulation_free()
 *
 * Return: 0, or a negative errno with @err; then nothing stays behind.
 */
int simulation_run(struct simulation **ret, const char *lab, const struct plan_options *wish,
	const struct lab_costs *costs, const char *dir, struct err *err);
void simulation_free(struct simulation *s);

/* simulation_results() - owned by @s. simulation_print() - them, and where they are. */
const struct results *simulation_results(const struct simulation *s);
void simulation_print(const struct simulation *s, bool json);

#endif
