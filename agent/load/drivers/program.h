/* SPDX-License-Identifier: MIT */
/* program.h - drivers that are programs of any language: a process for each connection */
#ifndef LOAD_DRIVERS_PROGRAM_H
#define LOAD_DRIVERS_PROGRAM_H

#include "agent/base/err.h"
#include "agent/load/drivers/driver.h"

#define PROGRAMS_MAX 8 /* found by one process */

/**
 * program_find() - the operations of the program at @path, as it says when it is started
 * Return: NULL with EXIT_CANNOT_RUN and the cure in @err.
 */
const struct driver_ops *program_find(const char *path, struct err *err);

#endif
