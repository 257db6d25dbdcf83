/* SPDX-License-Identifier: MIT */
/* wire.h - the wire emulator: memory that the fabric and the wire process share */
#ifndef NETNS_WIRE_H
#define NETNS_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/hist.h"
#include "netns/matrix.h"
#include "netns/wire_queue.h"

/* Frames that the tap holds for the wire process: it may be away for 0.3 s at 200,000/s; and what
 * kernels take that refuse more. */
#define WIRE_TAP_QUEUE 65536
#define WIRE_TAP_QUEUE_OLD 32767

/* Real-time priority: above everything of the lab, below the kernel's own threads (50 is theirs).
 */
#define WIRE_PRIORITY 49

#define WIRE_COMM "pacelab-wire"

/* Every frame of the self-check waits so long: what it takes over that is the bias of any delay. */
#define WIRE_SELF_CHECK_NS 500000ull

/* Frames that are rejected are answered at this rate on each link, and so many at once; the rest
 * is dropped without a word. */
#define WIRE_ANSWERS_PER_S 1000
#define WIRE_ANSWERS_BURST 100

/* A link as both see it. The shape is kept twice, like the rules of the matrix, and matrix_active()
 * tells which copy is in force. */
struct wire_link {
	/* by the fabric */
	struct wire_shape shape[2];
	uint32_t flush; /* number of the last flush that it belongs to */
	/* by the process, see struct fabric_counters */
	uint64_t queue_dropped;
	uint64_t corrupted;
	uint64_t reordered;
	uint64_t rejected;
	uint64_t flushed;
};

/* Written by one side each, read by the other. */
struct wire_shared {
	/* by the process */
	uint32_t ready; /* 0, then 1; the fabric waits for it on the word (futex) */
	uint32_t realtime;
	uint64_t lost;       /* no slot, no such link, too long, or refused by the tap */
	uint32_t flush_done; /* the last flush that is done (futex) */
	struct hist late;
	/* by the fabric */
	uint32_t started;        /* lateness is counted: the self-check is over */
	uint32_t flush_asked;    /* counted from 1; SIGUSR1 tells the process */
	struct wire_link link[]; /* by source and destination */
};

struct wire_job {
	struct wire_shared *shared;
	const struct matrix *matrix;
	int tap_fd;
	int log_fd;
	pid_t parent;
	uint64_t seed;
};

static inline struct wire_link *wire_at(const struct wire_job *job, unsigned src, unsigned dst)
{
	return &job->shared->link[src * job->matrix->nodes + dst];
}

/* wire_loop() - be the wire process: never returns, ends with its parent. */
_Noreturn void wire_loop(const struct wire_job *job);

#endif
