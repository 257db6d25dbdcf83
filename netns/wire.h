/* SPDX-License-Identifier: MIT */
/* wire.h - the wire emulator: memory that the fabric and the wire process share */
#ifndef NETNS_WIRE_H
#define NETNS_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/hist.h"
#include "netns/matrix.h"

/* Frames that the tap holds for the wire process: it may be away for 80 ms at 200,000/s. */
#define WIRE_TAP_QUEUE 16384

/* Real-time priority: above everything of the lab, below the kernel's own threads (50 is theirs).
 */
#define WIRE_PRIORITY 49

#define WIRE_COMM "pacelab-wire"

struct wire_link {
	uint64_t delay_ns;
	uint64_t jitter_ns;
};

/* Written by one side each, read by the other. The link values are kept twice, like the rules of
 * the matrix, and matrix_active() tells which copy is in force. */
struct wire_shared {
	/* by the process */
	uint32_t ready; /* 0, then 1; the fabric waits for it on the word (futex) */
	uint32_t realtime;
	uint64_t lost; /* no slot, no such link, or refused by the tap */
	struct hist late;
	/* by the fabric */
	uint32_t started; /* lateness is counted: the self-check is over */
	struct wire_link link[];
};

struct wire_job {
	struct wire_shared *shared;
	const struct matrix *matrix;
	int tap_fd;
	int log_fd;
	pid_t parent;
	uint64_t seed;
};

static inline struct wire_link *wire_at(
	const struct wire_job *job, unsigned copy, unsigned src, unsigned dst)
{
	unsigned nodes = job->matrix->nodes;

	return &job->shared->link[(copy * nodes + src) * nodes + dst];
}

/* wire_loop() - be the wire process: never returns, ends with its parent. */
_Noreturn void wire_loop(const struct wire_job *job);

#endif
