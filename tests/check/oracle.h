/* SPDX-License-Identifier: MIT */
/*
 * oracle.h - the models of registers, decided by trying everything, for histories of a few
 * operations
 *
 * It shares no line and no idea with the checkers: it goes by the definitions. It chooses which of
 * the operations of unknown outcome took effect and which write each look saw, and then tries the
 * orders that a model asks for one after the other.
 */
#ifndef TESTS_CHECK_ORACLE_H
#define TESTS_CHECK_ORACLE_H

#include <stdbool.h>

#include "agent/history/history.h"

#define ORACLE_OPS_MAX 8
#define ORACLE_KEYS_MAX 3

enum oracle_model {
	ORACLE_SEQUENTIAL,
	ORACLE_CM,
	ORACLE_CCV,
	ORACLE_CC,
	ORACLE_PRAM,
	ORACLE_WFR,
	ORACLE_MW,
	ORACLE_MR,
	ORACLE_RYW,
	ORACLE_EVENTUAL,
	ORACLE_NR
};
extern const char *const oracle_names[ORACLE_NR]; /* as the checkers are called */

/* oracle() - for each model whether @h fits it. Keys are below ORACLE_KEYS_MAX. */
void oracle(const struct history_ops *h, bool ret[ORACLE_NR]);

/* oracle_fits() - one model only. */
bool oracle_fits(const struct history_ops *h, enum oracle_model model);

#endif
