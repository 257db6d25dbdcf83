/* SPDX-License-Identifier: MIT */
/* call.h - what the supervisor tells a replica to do, over its admin socket, and waits for */
#ifndef LAB_CALL_H
#define LAB_CALL_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

/**
 * call_skew() - the clock of the replica behind admin socket @path is @skew_ns ahead from now on
 * Waits for the answers, for two seconds at the most.
 *
 * Return: 0 if its clock was then read to be so; 1 if it was read not to be, or did not answer; a
 * negative errno if it could not even be asked.
 */
int call_skew(const char *path, int64_t skew_ns, struct err *err);

/**
 * call_lead() - the replica behind @path, number @replica, shall lead, by force if it must
 * @why:	what it answered, if it was not yes
 *
 * Return: as of call_skew().
 */
int call_lead(const char *path, unsigned replica, char *why, size_t size, struct err *err);

#endif
