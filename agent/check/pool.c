/* SPDX-License-Identifier: MIT */
/* pool.c - the same question about many things that have nothing to do with each other */
#include "agent/check/pool.h"

#include <pthread.h>
#include <stdatomic.h>

struct pool {
	_Atomic size_t next;
	size_t count;
	void (*work)(void *ctx, size_t i);
	void *ctx;
};

static void *pool_work(void *arg)
{
	struct pool *p = arg;
	size_t i;

	while ((i = atomic_fetch_add(&p->next, 1)) < p->count)
		p->work(p->ctx, i);
	return NULL;
}

void pool_run(unsigned jobs, size_t count, void (*work)(void *ctx, size_t i), void *ctx)
{
	struct pool p = {.count = count, .work = work, .ctx = ctx};
	pthread_t thread[POOL_JOBS_MAX];
	unsigned started = 0;

	while (started + 1 < jobs && started + 1 < count && started < POOL_JOBS_MAX &&
		pthread_create(&thread[started], NULL, pool_work, &p) == 0)
		started++;
	(void)pool_work(&p);
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(thread[i], NULL);
}
