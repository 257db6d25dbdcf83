/* SPDX-License-Identifier: MIT */
/* source.h - which writes could explain what an operation saw */
#ifndef CHECK_SOURCE_H
#define CHECK_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/history/history.h"

/**
 * source_restore() - keep the writes without which what is kept would look worse than it is
 * @index:	operations of one key, by invocation
 * @keep:	by place in @index; what has to be kept as well is set
 *
 * Afterwards, if what is kept is a violation, so is all of it: no write that is left out could have
 * been in effect where a kept operation looked and accepted its value.
 */
void source_restore(const struct history_ops *h, const uint32_t *index, size_t count, bool *keep);

/* source_writes() - whether an operation may have changed the value. */
bool source_writes(const struct history_op *op);

#endif
