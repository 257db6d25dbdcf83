/* SPDX-License-Identifier: MIT */
/*
 * evidence_stats.c - binomial tails, stationary loss of a chain of states, rows of delayed frames
 *
 * Loss that comes in bunches is a Markov chain whose states lose frames with some probability. Its
 * long-run share is that of the chain's stationary state; counts of it scatter more than binomial
 * ones, by 1 + 2 * (sum of the autocorrelations). A count is divided by that before it is judged.
 */
#include "netns/evidence_stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "netns/dist.h"

#define TERM_NEGLIGIBLE 1e-15
/* So many are expected: none is a surprise (e^-15 is below half of STATS_SURPRISE) and twice as
 * many mostly are one. */
#define NEEDED_FACTOR 50

#define CHAIN_STATES_MAX 4
#define CHAIN_STEPS_MAX 100000
#define CHAIN_SETTLED 1e-12

/* Correlated draws have no closed form: the share of many of them, with room for its own error. */
#define CORRELATED_DRAWS 200000
#define CORRELATED_ROOM 0.8

/* The least and the most of so many models, and half of their distance beyond: for a normal
 * statistic that is more than five standard deviations to each side. */
#define EXPECT_MODELS 100
#define EXPECT_ROOM 2 /* one half */

static double log_term(double k, double n, double p)
{
	int sign;

	return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign) +
	       k * log(p) + (n - k) * log1p(-p);
}

/* P(X >= k), of a k above the mean: each term is smaller than the one before. */
static double tail_above(double k, double n, double p)
{
	double term = exp(log_term(k, n, p)), sum = 0;

	for (; k <= n && term > sum * TERM_NEGLIGIBLE; k++) {
		sum += term;
		term *= (n - k) / (k + 1) * p / (1 - p);
	}
	return sum;
}

enum stats_fit stats_count(uint64_t seen, uint64_t frames, const struct stats_share *share)
{
	double n = floor((double)frames / share->bunch);
	double most = fmin(n, ceil((double)seen / share->bunch));
	double least = fmin(n, floor((double)seen / share->bunch));

	if (frames == 0)
		return STATS_FITS;
	if (share->hi <= 0)
		return seen ? STATS_MORE : STATS_FITS;
	if (share->lo >= 1)
		return seen < frames ? STATS_LESS : STATS_FITS;
	if (share->hi < 1 && least > n * share->hi &&
		tail_above(least, n, share->hi) < STATS_SURPRISE / 2)
		return STATS_MORE;
	/* P(X <= k) is P(Y >= n - k) of those that it did not happen to. */
	if (share->lo > 0 && most < n * share->lo &&
		tail_above(n - most, n, 1 - share->lo) < STATS_SURPRISE / 2)
		return STATS_LESS;
	return STATS_FITS;
}

bool stats_tells(uint64_t frames, const struct stats_share *share)
{
	double n = (double)frames / share->bunch;

	return share->lo >= 1 ? frames > 0
			      : share->lo > 0 && n * log1p(-share->lo) < log(STATS_SILENCE);
}

uint32_t stats_needed(const struct stats_share *share)
{
	double n = share->lo > 0 ? ceil(NEEDED_FACTOR * share->bunch / share->lo) : UINT32_MAX;

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* States 0 .. states - 1: from where to where with what probability, and the loss in each. */
struct chain {
	unsigned states;
	double to[CHAIN_STATES_MAX][CHAIN_STATES_MAX];
	double loss[CHAIN_STATES_MAX];
};

static void step(const struct chain *c, double v[CHAIN_STATES_MAX])
{
	double next[CHAIN_STATES_MAX] = {0};

	for (unsigned i = 0; i < c->states; i++) {
		for (unsigned j = 0; j < c->states; j++)
			next[j] += v[i] * c->to[i][j];
	}
	memcpy(v, next, sizeof next);
}

static double loss_in(const struct chain *c, const double v[CHAIN_STATES_MAX])
{
	double loss = 0;

	for (unsigned i = 0; i < c->states; i++)
		loss += v[i] * c->loss[i];
	return loss;
}

/* Half of each step stays where it was, so that a chain that only swings settles as well. */
static void settle(const struct chain *c, double v[CHAIN_STATES_MAX])
{
	for (unsigned n = 0; n < CHAIN_STEPS_MAX; n++) {
		double was[CHAIN_STATES_MAX], moved = 0;

		memcpy(was, v, sizeof was);
		step(c, v);
		for (unsigned i = 0; i < c->states; i++) {
			v[i] = (v[i] + was[i]) / 2;
			moved += fabs(v[i] - was[i]);
		}
		if (moved < CHAIN_SETTLED)
			return;
	}
}

static void judge_chain(const struct chain *c, struct stats_share *ret)
{
	double v[CHAIN_STATES_MAX] = {1}, after[CHAIN_STATES_MAX], p, sum = 0;

	settle(c, v);
	p = loss_in(c, v);
	*ret = (struct stats_share){.lo = p, .hi = p, .bunch = 1};
	if (p <= 0 || p >= 1)
		return;
	/* The states after a frame was lost, step by step: how much more likely is the next loss?
	 */
	for (unsigned i = 0; i < c->states; i++)
		after[i] = v[i] * c->loss[i] / p;
	for (unsigned n = 0; n < CHAIN_STEPS_MAX; n++) {
		double more;

		step(c, after);
		more = (loss_in(c, after) - p) / (1 - p);
		sum += more;
		if (fabs(more) < CHAIN_SETTLED)
			break;
	}
	ret->bunch = fmax(1, 1 + 2 * sum);
}

static double share_of(uint32_t ppm)
{
	return (double)ppm / PPM_ONE;
}

/* Each draw is mixed with the one before, as netem's are, which makes extremes rarer. */
static void correlated(double p, double rho, struct stats_share *ret)
{
	struct prng prng;
	double last = 0.5;
	unsigned lost = 0;

	prng_init(&prng, 1, 0);
	for (unsigned i = 0; i < CORRELATED_DRAWS; i++) {
		last = prng_unit(&prng) * (1 - rho) + last * rho;
		lost += last < p;
	}
	*ret = (struct stats_share){.lo = CORRELATED_ROOM * lost / CORRELATED_DRAWS,
		.hi = fmax(p, (double)lost / CORRELATED_DRAWS / CORRELATED_ROOM),
		.bunch = (1 + rho) / (1 - fmin(rho, 0.99))};
}

void stats_loss(const struct link_state *s, struct stats_share *ret)
{
	double p[LINK_LOSS_PARAMS];
	struct chain c = {0};

	for (unsigned i = 0; i < LINK_LOSS_PARAMS; i++)
		p[i] = share_of(s->loss_ppm[i]);
	switch ((enum link_loss)s->loss) {
	case LOSS_RANDOM:
		*ret = (struct stats_share){.lo = p[0], .hi = p[0], .bunch = 1};
		if (p[1] > 0 && p[0] < 1)
			correlated(p[0], p[1], ret);
		return;
	case LOSS_GE:
		c = (struct chain){.states = 2,
			.to = {{1 - p[0], p[0]}, {p[1], 1 - p[1]}},
			.loss = {p[3], p[2]}};
		break;
	case LOSS_STATE:
		/* 1 good, 2 good within a burst, 3 lost within a burst, 4 lost alone. */
		c = (struct chain){.states = 4,
			.to = {{1 - fmin(1, p[0] + p[4]), 0, fmin(p[0], 1 - p[4]), p[4]},
				{0, 1 - p[3], p[3], 0},
				{fmin(p[1], 1 - p[2]), p[2], 1 - fmin(1, p[1] + p[2]), 0},
				{1, 0, 0, 0}},
			.loss = {0, 0, 1, 1}};
		break;
	case LOSS_NONE:
	case LOSS_NR:
		*ret = (struct stats_share){.bunch = 1};
		return;
	}
	judge_chain(&c, ret);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void quantiles(uint64_t *took, unsigned n, struct stats_row *ret)
{
	qsort(took, n, sizeof *took, compare);
	ret->least_ns = took[0];
	ret->quantile_ns[STATS_P10] = took[(n - 1) / 10];
	ret->quantile_ns[STATS_P50] = took[(n - 1) / 2];
	ret->quantile_ns[STATS_P90] = took[(uint64_t)(n - 1) * 9 / 10];
}

int stats_measure(const struct stats_frame *frame, unsigned frames, struct stats_row *ret)
{
	uint64_t *took = calloc(frames, sizeof *took);
	uint64_t first = UINT64_MAX, last = 0;

	*ret = (struct stats_row){0};
	if (!took)
		return frames ? -ENOMEM : 0;
	for (unsigned i = 0; i < frames; i++) {
		const struct stats_frame *at = &frame[i];

		took[i] = at->came_ns > at->sent_ns ? at->came_ns - at->sent_ns : 0;
		first = at->came_ns < first ? at->came_ns : first;
		last = at->came_ns > last ? at->came_ns : last;
	}
	if (frames) {
		quantiles(took, frames, ret);
		ret->span_ns = last - first;
	}
	free(took);
	return 0;
}

struct model {
	const struct link_state *state;
	uint64_t burst_ns; /* at the rate */
	struct prng prng;
};

static uint64_t serial_ns(const struct link_state *s, uint64_t bytes)
{
	return s->rate_bps ? bytes * 8 * NS_PER_S / s->rate_bps : 0;
}

static void run_model(struct model *m, const struct stats_frame *frame, unsigned frames,
	uint64_t *took, struct stats_row *ret)
{
	const struct link_state *s = m->state;
	uint64_t free_ns = 0, due_ns = 0, first_ns = UINT64_MAX, last_ns = 0;

	for (unsigned i = 0; i < frames; i++) {
		uint64_t sent_ns = frame[i].sent_ns, gone_ns = sent_ns;
		uint64_t delay_ns = dist_draw_ns(
			s->dist, s->delay_ns, s->jitter_ns, (uint32_t)(prng_next(&m->prng) >> 32));

		free_ns = (sent_ns > free_ns ? sent_ns : free_ns) + serial_ns(s, frame[i].bytes);
		if (free_ns - sent_ns > m->burst_ns)
			gone_ns = free_ns - m->burst_ns;
		if (gone_ns + delay_ns > due_ns || dist_overtakes(s->dist))
			due_ns = gone_ns + delay_ns;
		took[i] = due_ns - sent_ns;
		first_ns = due_ns < first_ns ? due_ns : first_ns;
		last_ns = due_ns > last_ns ? due_ns : last_ns;
	}
	ret->span_ns = last_ns - first_ns;
	quantiles(took, frames, ret);
}

static void widen(uint64_t *lo, uint64_t *hi)
{
	uint64_t room = (*hi - *lo) / EXPECT_ROOM;

	*lo = *lo > room ? *lo - room : 0;
	*hi += room;
}

static void stretch(uint64_t value, uint64_t *lo, uint64_t *hi)
{
	*lo = value < *lo ? value : *lo;
	*hi = value > *hi ? value : *hi;
}

int stats_expect(const struct link_state *s, uint32_t burst, const struct stats_frame *frame,
	unsigned frames, struct stats_row *ret_lo, struct stats_row *ret_hi)
{
	struct model m = {.state = s, .burst_ns = serial_ns(s, burst)};
	uint64_t *took = calloc(frames, sizeof *took);

	*ret_lo = *ret_hi = (struct stats_row){0};
	if (!took)
		return frames ? -ENOMEM : 0;
	prng_init(&m.prng, 1, 0);
	memset(ret_lo, 0xff, sizeof *ret_lo);
	for (unsigned n = 0; n < EXPECT_MODELS && frames; n++) {
		struct stats_row row;

		run_model(&m, frame, frames, took, &row);
		for (unsigned i = 0; i < STATS_QUANTILES; i++)
			stretch(row.quantile_ns[i], &ret_lo->quantile_ns[i],
				&ret_hi->quantile_ns[i]);
		stretch(row.least_ns, &ret_lo->least_ns, &ret_hi->least_ns);
		stretch(row.span_ns, &ret_lo->span_ns, &ret_hi->span_ns);
		if (!s->jitter_ns && dist_scaled(s->dist))
			break; /* all would be the same */
	}
	for (unsigned i = 0; i < STATS_QUANTILES; i++)
		widen(&ret_lo->quantile_ns[i], &ret_hi->quantile_ns[i]);
	widen(&ret_lo->least_ns, &ret_hi->least_ns);
	widen(&ret_lo->span_ns, &ret_hi->span_ns);
	free(took);
	return 0;
}
