/* SPDX-License-Identifier: MIT */
/* check_print.h - what `pacelab check` says of a file, for people and for programs */
#ifndef CMD_CHECK_PRINT_H
#define CMD_CHECK_PRINT_H

#include "agent/base/json.h"
#include "agent/check/measures.h"

/* check_print_text() - verdict, words, and the witness with times from @t0_ns on. */
void check_print_text(const char *path, const char *model, const struct history_ops *h,
	const struct check_result *r, uint64_t t0_ns);

/* check_print_json() - the same as an object that is left open for more. */
void check_print_json(struct json *j, const char *path, const char *model,
	const struct history_ops *h, const struct check_result *r);

/* check_measures_print() - some lines on standard output. */
void check_measures_print(const struct measures *m, const struct check_lost *lost);

/* check_measures_json() - one value, an object. */
void check_measures_json(struct json *j, const struct measures *m, const struct check_lost *lost);

#endif
