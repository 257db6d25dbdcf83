/* SPDX-License-Identifier: MIT */
/* skew.h - a replica's wall clock is set wrong, over its admin socket, and read back */
#ifndef LAB_SKEW_H
#define LAB_SKEW_H

#include <stdint.h>

#include "agent/base/err.h"

/**
 * skew_set() - the clock of the replica behind admin socket @path is @skew_ns ahead from now on
 * Waits for the answers, for two seconds at the most.
 *
 * Return: 0 if its clock was then read to be so; 1 if it was read not to be, or did not answer; a
 * negative errno if it could not even be asked.
 */
int skew_set(const char *path, int64_t skew_ns, struct err *err);

#endif
