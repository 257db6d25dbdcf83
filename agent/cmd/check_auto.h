/* SPDX-License-Identifier: MIT */
/* check_auto.h - what `pacelab check --model auto` says beside the model that was broken */
#ifndef CMD_CHECK_AUTO_H
#define CMD_CHECK_AUTO_H

#include "agent/base/json.h"
#include "agent/check/check.h"

/* check_auto_shown() - the model to show: the one that was broken, else the strongest that was
 * kept, else the strongest. */
const struct check_auto_model *check_auto_shown(const struct check_auto *a);

/* check_auto_text() - two lines or three: kept, broken, not known. */
void check_auto_text(const struct check_auto *a);

/* check_auto_json() - the members "kept", "broken" and "unknown" of an object. */
void check_auto_json(struct json *j, const struct check_auto *a);

#endif
