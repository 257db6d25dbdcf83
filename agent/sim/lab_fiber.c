/* SPDX-License-Identifier: MIT */
/* lab_fiber.c - functions that wait in virtual time, by ucontext(3) */
#include "agent/sim/lab_fiber.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

/* As much as a thread of the load has; pages that are never touched cost nothing. */
#define STACK_BYTES (256u << 10)

struct fiber {
	ucontext_t self;
	ucontext_t home;
	void *stack;
	void (*run)(void *arg);
	void *arg;
	bool ended;
};

/* makecontext() passes numbers of type int: a pointer takes two. */
static void begin(unsigned high, unsigned low)
{
	struct fiber *f = (struct fiber *)((uintptr_t)high << 32 | low);

	f->run(f->arg);
	f->ended = true;
	fiber_yield(f);
}

struct fiber *fiber_open(void (*run)(void *arg), void *arg)
{
	struct fiber *f = calloc(1, sizeof *f);
	int rc;

	assert(f);
	f->run = run;
	f->arg = arg;
	f->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	assert(f->stack != MAP_FAILED);
	rc = getcontext(&f->self);
	assert(rc == 0);
	f->self.uc_stack.ss_sp = f->stack;
	f->self.uc_stack.ss_size = STACK_BYTES;
	makecontext(&f->self, (void (*)(void))begin, 2, (unsigned)((uintptr_t)f >> 32),
		(unsigned)(uintptr_t)f);
	return f;
}

void fiber_close(struct fiber *f)
{
	if (!f)
		return;
	(void)munmap(f->stack, STACK_BYTES);
	free(f);
}

bool fiber_resume(struct fiber *f)
{
	int rc;

	assert(!f->ended);
	rc = swapcontext(&f->home, &f->self);
	assert(rc == 0);
	return !f->ended;
}

void fiber_yield(struct fiber *f)
{
	int rc = swapcontext(&f->self, &f->home);

	assert(rc == 0);
}
