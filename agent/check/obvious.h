/* SPDX-License-Identifier: MIT */
/* obvious.h - violations that need no search: values from nowhere, from the future, lost updates */
#ifndef CHECK_OBVIOUS_H
#define CHECK_OBVIOUS_H

#include "agent/check/finding.h"
#include "agent/check/reg.h"

/**
 * obvious_find() - the first value from nowhere, from the future, or replaced twice
 * @index:	all operations of the key, the ones that @r left out as well
 *
 * Return: whether there is one, in @ret. If there is none, every value that an operation looks at
 * has a writer that began before that operation returned.
 */
bool obvious_find(const struct reg *r, const uint32_t *index, size_t count, struct finding *ret);

#endif
