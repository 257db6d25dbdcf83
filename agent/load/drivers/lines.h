/* SPDX-License-Identifier: MIT */
/*
 * lines.h - the line protocol of drivers: what a program says, read; what one says, printed
 *
 * scripts/systems/README.md describes it. A parser of outside bytes: lines come without their
 * newline and need not be text.
 */
#ifndef LOAD_DRIVERS_LINES_H
#define LOAD_DRIVERS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/load/drivers/driver.h"

#define LINES_MAX 512 /* bytes of an answer with its newline */

enum lines_op { LINES_READ, LINES_WRITE, LINES_CAS, LINES_STATUS, LINES_OPEN, LINES_OP_NR };
extern const char *const lines_op_names[LINES_OP_NR];
#define LINES_DOES(op) (1u << (op))

/**
 * lines_hello() - "pacelab 1 read write cas status"
 * @ret_does:	LINES_DOES() of each; read and write are always among them
 * Return: false if it is none.
 */
bool lines_hello(const char *line, size_t len, unsigned *ret_does);

/**
 * lines_answer() - to @op, which is not LINES_STATUS
 * Return: false if it makes no sense; *@ret is then unchanged.
 */
bool lines_answer(enum lines_op op, const char *line, size_t len, struct driver_result *ret);

/* lines_status() - of one of @nodes servers. Return: likewise. */
bool lines_status(const char *line, size_t len, unsigned nodes, struct driver_status *ret);

/* What lines_answer() and lines_status() read, without a newline. */
void lines_print(enum lines_op op, const struct driver_result *result, struct buf *out);
void lines_print_status(const struct driver_status *status, struct buf *out);

#endif
