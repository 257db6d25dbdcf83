/* SPDX-License-Identifier: MIT */
/*
 * lab_fiber.h - functions that wait in virtual time: a stack each, one runs at a time
 *
 * The clients of a lab block, as programs do. In a simulation each is a fiber: what would wait for
 * the clock or the network goes back to the world, which resumes it when that has come.
 */
#ifndef SIM_LAB_FIBER_H
#define SIM_LAB_FIBER_H

#include <stdbool.h>

struct fiber;

/* fiber_open() - @run with @arg on a stack of its own; it has not begun. Return: never NULL.
 * fiber_close() - also of one that has not ended: what it holds is not freed. Takes NULL. */
struct fiber *fiber_open(void (*run)(void *arg), void *arg);
void fiber_close(struct fiber *f);

/* fiber_resume() - go on with it until it yields or ends. Return: false if it has ended. */
bool fiber_resume(struct fiber *f);

/* fiber_yield() - from inside @f: back to whoever resumed it. */
void fiber_yield(struct fiber *f);

#endif
