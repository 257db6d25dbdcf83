/* SPDX-License-Identifier: MIT */
/* told.h - a violation of a model without real time in words */
#ifndef CHECK_TOLD_H
#define CHECK_TOLD_H

#include <stdint.h>

#include "agent/check/check.h"
#include "agent/check/weak.h"

#define TOLD_NOBODY UINT32_MAX

/* struct flaw by history index; TOLD_NOBODY where there is none. */
struct told {
	enum flaw_kind kind;
	uint32_t look;
	uint32_t missed;
};

/* told_print() - in words, into @ret: the witness is the last of @count operations. */
void told_print(const struct told *told, const struct history_ops *h, struct check_result *ret,
	size_t count, const struct check_names *names);

#endif
