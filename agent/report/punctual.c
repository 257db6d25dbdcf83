/* SPDX-License-Identifier: MIT */
/*
 * punctual.c - did operations start when the open loop meant them to?
 *
 * An operation that starts late because the one before it took long waited for the store, and its
 * latency says so. One that starts late although its client had nothing to do waited for the load
 * itself: that is an error of the measurement, and it is measured here. Who was free is told by
 * the sessions: a client has one, and one operation in flight. After an operation of unknown
 * outcome it has a new one, of whose first operation nothing is known.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/base/buf.h"
#include "agent/report/parts.h"

/* The first phase with a fault; phases before it are as the store likes them. */
static unsigned first_fault(const struct plan *plan)
{
	unsigned p = 0;

	while (p < plan->phases && !plan->phase[p].what[0] && plan->phase[p].events == 0)
		p++;
	return p;
}

static void punctual_finish(struct results_load *l, struct buf *late)
{
	uint64_t *ns = (uint64_t *)(void *)late->p;
	size_t n = late->len / sizeof *ns;

	measure_sort(ns, n);
	l->free = n;
	l->late_p50_ms = measure_quantile_ms(ns, n, 0.5);
	l->late_p99_ms = measure_quantile_ms(ns, n, 0.99);
}

void punctual_measure(struct results *r, const struct history_ops *ops)
{
	/* By session: when its last operation returned, 0 before the first one. */
	uint64_t *back_ns = calloc(ops->count + 1, sizeof *back_ns);
	unsigned faulty = first_fault(r->plan);
	struct buf late = {0}; /* of uint64_t */

	assert(back_ns);
	r->load = (struct results_load){.free = 0};
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];
		int p = measure_phase_at(r->log, op->t_intended_ns);
		uint64_t was_ns;

		/* Sessions are numbered as they begin, so there are no more than operations. */
		if (p < 0 || op->flags & HISTORY_F_FINAL || op->session > ops->count)
			continue;
		was_ns = back_ns[op->session];
		back_ns[op->session] = op->t_return_ns;
		if (was_ns == 0 || r->plan->phase[p].warmup)
			continue;
		if ((unsigned)p < faulty) {
			r->load.asked++;
			r->load.waited += was_ns > op->t_intended_ns;
		}
		if (was_ns <= op->t_intended_ns) {
			uint64_t ns = op->t_invoke_ns - op->t_intended_ns;

			buf_add(&late, &ns, sizeof ns);
		}
	}
	punctual_finish(&r->load, &late);
	buf_fini(&late);
	free(back_ns);
}
