/* SPDX-License-Identifier: MIT */
/* link_state.c - what can be said of a link's state without knowing who does it */
#include "netns/link_state.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "netns/dist.h"

#define QUEUE_DEFAULT_NS (50 * NS_PER_MS)

const char *const link_cut_names[] = {
	[CUT_NONE] = "open",
	[CUT_EDGE] = "edge",
	[CUT_WIRE] = "wire",
	[CUT_REJECT] = "reject",
};
_Static_assert(sizeof link_cut_names / sizeof *link_cut_names == CUT_NR, "a name for every cut");

const char *const link_loss_names[] = {
	[LOSS_NONE] = "none",
	[LOSS_RANDOM] = "random",
	[LOSS_GE] = "ge",
	[LOSS_STATE] = "state",
};
_Static_assert(
	sizeof link_loss_names / sizeof *link_loss_names == LOSS_NR, "a name for every loss");

static bool same_drops(const struct link_state *a, const struct link_state *b)
{
	for (unsigned i = 0; i < LINK_DROPS_MAX; i++) {
		const struct link_drop *x = &a->drop[i], *y = &b->drop[i];

		if (x->first != y->first || x->last != y->last || x->every != y->every)
			return false;
	}
	return true;
}

bool link_state_same(const struct link_state *a, const struct link_state *b)
{
	return a->cut == b->cut && a->loss == b->loss && a->dist == b->dist &&
	       a->corrupt_silent == b->corrupt_silent &&
	       memcmp(a->loss_ppm, b->loss_ppm, sizeof a->loss_ppm) == 0 &&
	       a->duplicate_ppm == b->duplicate_ppm && same_drops(a, b) &&
	       a->corrupt_ppm == b->corrupt_ppm && a->reorder_ppm == b->reorder_ppm &&
	       a->correlation_ppm == b->correlation_ppm && a->queue_bytes == b->queue_bytes &&
	       a->rate_bps == b->rate_bps && a->flap_up_ns == b->flap_up_ns &&
	       a->flap_down_ns == b->flap_down_ns && a->delay_ns == b->delay_ns &&
	       a->jitter_ns == b->jitter_ns;
}

bool link_state_shaped(const struct link_state *s)
{
	return s->delay_ns || s->jitter_ns || s->rate_bps || s->corrupt_ppm;
}

bool link_state_marked(const struct link_state *s)
{
	return s->loss != LOSS_NONE || s->duplicate_ppm || s->flap_up_ns || s->drop[0].first;
}

uint32_t link_state_queue(const struct link_state *s)
{
	uint64_t bytes = (uint64_t)((__uint128_t)s->rate_bps * QUEUE_DEFAULT_NS / (8 * NS_PER_S));

	if (!s->rate_bps)
		return UINT32_MAX;
	if (s->queue_bytes)
		return s->queue_bytes;
	if (bytes < 10 * LINK_QUEUE_BYTES_MIN)
		return 10 * LINK_QUEUE_BYTES_MIN;
	return bytes < LINK_QUEUE_BYTES_MAX ? (uint32_t)bytes : LINK_QUEUE_BYTES_MAX;
}

uint64_t link_state_delay_max_ns(const struct link_state *s)
{
	uint64_t ns = dist_max_ns(s->dist, s->delay_ns, s->jitter_ns);

	if (s->rate_bps)
		ns += (uint64_t)((__uint128_t)link_state_queue(s) * 8 * NS_PER_S / s->rate_bps);
	return ns;
}

static int check_share(const char *what, uint32_t ppm, struct err *err)
{
	if (ppm > PPM_ONE)
		return err_usage(err, "%s of %.6g %%: 0 to 100 %% are possible", what, ppm / 1e4);
	return 0;
}

static int check_chances(const struct link_state *s, struct err *err)
{
	int code = 0;

	if (s->cut >= CUT_NR || s->loss >= LOSS_NR)
		return err_usage(err, "unknown kind of cut or loss");
	for (unsigned i = 0; i < LINK_LOSS_PARAMS && !code; i++)
		code = check_share("loss", s->loss_ppm[i], err);
	if (!code)
		code = check_share("duplicate", s->duplicate_ppm, err);
	if (!code)
		code = check_share("corrupt", s->corrupt_ppm, err);
	if (!code)
		code = check_share("reorder", s->reorder_ppm, err);
	if (!code)
		code = check_share("correlation", s->correlation_ppm, err);
	return code;
}

static int check_drops(const struct link_state *s, struct err *err)
{
	for (unsigned i = 0; i < LINK_DROPS_MAX; i++) {
		const struct link_drop *d = &s->drop[i];

		if (d->first && (d->last < d->first || d->every == 0))
			return err_usage(err, "drop %u-%u: from the first to the last, from 1 on",
				d->first, d->last);
		if (i > 0 && d->first && !s->drop[i - 1].first)
			return err_usage(err, "drop: entries stand side by side");
	}
	return 0;
}

static int check_times(const struct link_state *s, struct err *err)
{
	if (s->delay_ns > LINK_DELAY_NS_MAX)
		return err_usage(err, "delay: up to %llu s are possible",
			(unsigned long long)(LINK_DELAY_NS_MAX / NS_PER_S));
	if (s->jitter_ns > s->delay_ns)
		return err_usage(err, "jitter is larger than the delay");
	if (s->reorder_ppm && !s->delay_ns)
		return err_usage(err, "reorder needs a delay: without one no packet can overtake");
	if (s->correlation_ppm && !s->jitter_ns)
		return err_usage(err, "correlation needs jitter");
	if (!s->flap_up_ns != !s->flap_down_ns ||
		(s->flap_up_ns && s->flap_up_ns < LINK_FLAP_NS_MIN) ||
		(s->flap_down_ns && s->flap_down_ns < LINK_FLAP_NS_MIN) ||
		s->flap_up_ns > LINK_DELAY_NS_MAX || s->flap_down_ns > LINK_DELAY_NS_MAX)
		return err_usage(err, "flap: 1 ms to 10 min up, and as much down, are possible");
	return 0;
}

int link_state_check(const struct link_state *s, struct err *err)
{
	int code = check_chances(s, err);

	if (!code)
		code = check_drops(s, err);
	if (!code)
		code = check_times(s, err);
	if (code)
		return code;
	if (!dist_known(s->dist))
		return err_usage(err, "distribution number %u is not known", s->dist);
	if (s->rate_bps && (s->rate_bps < LINK_RATE_BPS_MIN || s->rate_bps > LINK_RATE_BPS_MAX))
		return err_usage(err, "rate: 1kbit to 100gbit are possible");
	if (s->queue_bytes &&
		(s->queue_bytes < LINK_QUEUE_BYTES_MIN || s->queue_bytes > LINK_QUEUE_BYTES_MAX))
		return err_usage(err, "queue: 2 KiB to 256 MiB are possible");
	if (s->queue_bytes && !s->rate_bps)
		return err_usage(err, "queue needs a rate: without one nothing waits");
	if (s->corrupt_silent && !s->corrupt_ppm)
		return err_usage(err, "silent needs corrupt");
	return 0;
}
