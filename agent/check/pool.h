/* SPDX-License-Identifier: MIT */
/* pool.h - the same question about many things that have nothing to do with each other */
#ifndef CHECK_POOL_H
#define CHECK_POOL_H

#include <stddef.h>

#define POOL_JOBS_MAX 64

/**
 * pool_run() - call @work for 0 .. @count - 1, on up to @jobs threads, the caller's included
 * Numbers are given out in ascending order, each once. Returns when all calls have returned. If a
 * thread cannot be started, the others do its work.
 */
void pool_run(unsigned jobs, size_t count, void (*work)(void *ctx, size_t i), void *ctx);

#endif
