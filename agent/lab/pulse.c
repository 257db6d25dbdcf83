/* SPDX-License-Identifier: MIT */
/* pulse.c - how the load does just now: rates and latencies of the last second, answers by site */
#include "agent/lab/pulse.h"

#include <assert.h>
#include <string.h>

#include "agent/base/units.h"

void pulse_init(struct pulse *p, const struct load_shared *shared, unsigned phases, unsigned sites)
{
	assert(phases <= PLAN_PHASES_MAX && sites <= PLAN_SITES_MAX);
	memset(p, 0, sizeof *p);
	p->shared = shared;
	p->phases = phases;
	p->sites = sites;
}

struct pulse_tally pulse_tally(const struct load_shared *shared, unsigned phase, unsigned site)
{
	const struct load_tally *t = &shared->tally[phase][site];

	return (struct pulse_tally){
		.ok = atomic_load_explicit(&t->ok, memory_order_relaxed),
		.failed = atomic_load_explicit(&t->failed, memory_order_relaxed),
		.unknown = atomic_load_explicit(&t->unknown, memory_order_relaxed),
	};
}

static void add_site(const struct load_latency *from, struct pulse_sample *to)
{
	for (unsigned kind = 0; kind < LOAD_KIND_NR; kind++) {
		for (unsigned i = 0; i < HIST_BUCKETS; i++)
			to->bucket[kind][i] +=
				atomic_load_explicit(&from->bucket[kind][i], memory_order_relaxed);
	}
}

static const struct pulse_sample *sample_at(const struct pulse *p, uint64_t i)
{
	return &p->sample[i % PULSE_SAMPLES_MAX];
}

void pulse_take(struct pulse *p, uint64_t now_ns)
{
	struct pulse_sample *to = &p->sample[p->samples % PULSE_SAMPLES_MAX];

	if (p->samples && now_ns < sample_at(p, p->samples - 1)->t_ns + PULSE_SPAN_NS / 10)
		return;
	*to = (struct pulse_sample){.t_ns = now_ns};
	for (unsigned site = 0; site < p->sites; site++) {
		for (unsigned phase = 0; phase < p->phases; phase++) {
			struct pulse_tally t = pulse_tally(p->shared, phase, site);

			to->ok += t.ok;
			to->failed += t.failed + t.unknown;
		}
		add_site(&p->shared->latency[site], to);
	}
	p->samples++;
}

/* What was answered between two samples. Counters go round at 2^32. */
static void between(const struct pulse_sample *from, const struct pulse_sample *to,
	enum load_kind kind, struct hist *ret)
{
	*ret = (struct hist){.max = UINT64_MAX};
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		ret->bucket[i] = to->bucket[kind][i] - from->bucket[kind][i];
		ret->count += ret->bucket[i];
	}
}

void pulse_rates(const struct pulse *p, struct pulse_rates *ret)
{
	uint64_t oldest = p->samples > PULSE_SAMPLES_MAX ? p->samples - PULSE_SAMPLES_MAX : 0;
	const struct pulse_sample *last;
	const struct pulse_sample *first = NULL;
	struct hist hist;
	double seconds;

	*ret = (struct pulse_rates){.known = p->samples > 1};
	if (!ret->known)
		return;
	last = sample_at(p, p->samples - 1);
	/* The youngest that is old enough; the one before the last is always taken. */
	for (uint64_t i = p->samples - 1; i-- > oldest;) {
		first = sample_at(p, i);
		if (first->t_ns + PULSE_SPAN_NS <= last->t_ns)
			break;
	}
	assert(first); /* there are two at least */
	ret->span_ns = last->t_ns - first->t_ns;
	seconds = units_s(ret->span_ns);
	ret->ok_per_s = (double)(last->ok - first->ok) / seconds;
	ret->failed_per_s = (double)(last->failed - first->failed) / seconds;
	for (unsigned kind = 0; kind < LOAD_KIND_NR; kind++) {
		between(first, last, (enum load_kind)kind, &hist);
		ret->answers[kind] = hist.count;
		ret->p50_ns[kind] = hist_quantile(&hist, 0.5);
		ret->p99_ns[kind] = hist_quantile(&hist, 0.99);
	}
}
