/* SPDX-License-Identifier: MIT */
/* check_print.h - what `pacelab check` says beside the verdict, for people and for programs */
#ifndef CMD_CHECK_PRINT_H
#define CMD_CHECK_PRINT_H

#include "agent/base/json.h"
#include "agent/check/measures.h"

/* check_measures_print() - some lines on standard output. */
void check_measures_print(const struct measures *m, const struct check_lost *lost);

/* check_measures_json() - one value, an object. */
void check_measures_json(struct json *j, const struct measures *m, const struct check_lost *lost);

#endif
