/* SPDX-License-Identifier: MIT */
/* stores.h - all that --store may name: the systems of ours and the real databases */
#ifndef LAB_STORES_H
#define LAB_STORES_H

#include "agent/base/err.h"
#include "store/systems.h"

/**
 * stores_find() - by name; a real database also by the path of its file
 * @err:	may be NULL
 *
 * Return: NULL with EXIT_USAGE and the cure in @err: there is none, or its file is wrong.
 */
const struct system *stores_find(const char *name, struct err *err);

/* stores_name() - what stores_find() takes, in another process, too, to find @s again. */
const char *stores_name(const struct system *s);

#endif
