/* SPDX-License-Identifier: MIT */
/*
 * evidence_judge.c - what became of a row of frames, and whether the link's state explains it
 *
 * Of each frame is known: it came never, once or twice, changed or not, before or after its
 * neighbours, so much later. The shares are judged by evidence_stats.h; each fault is judged as it
 * must look given all the others of its link, for example a frame that is lost is not duplicated.
 *
 *	matrix program	drop, loss: missing	duplicate: came twice	flap: runs of missing
 *	emulator	corrupt: missing, or changed	reorder: came before an earlier one
 *			delay, jitter: quantiles of how late	rate: how long the row takes
 *
 * What is too rare for a row is judged by the counters of all frames, which the lab's own traffic
 * fills; what is too rare for both is inconclusive. Where others use the link at the same time,
 * their frames may explain lateness, and with a rate what is missing: that is not judged then.
 */
#include <math.h>
#include <stdio.h>

#include "agent/base/units.h"
#include "netns/dist.h"
#include "netns/evidence_priv.h"

#define FLAP_SLACK_NS (2 * NS_PER_MS) /* from send to matrix program, on a busy machine */
#define TRAIN_NOISE_NS (500 * NS_PER_US)
#define TRAIN_NOISE_SHARE 10
#define OVERTAKE_SHARE 0.9 /* frames that do not wait and find an earlier one under way */
/* Frames that come by two processors may change places behind the emulator: seen with netem's timer
 * on Linux 6.1, 1 % of them. */
#define ORDER_NOISE 0.02
#define SHARE_TEXT_MAX 24

/* A flipped bit that no receiver looks at: in the source's MAC address. */
#define UNCHECKED_BYTES 6
/* One that a checksum of ours, or UDP's, does not cover. Some of the others have the frame lost. */
#define UNSUMMED_BYTES STREAM_HEADERS
#define SUMMED_SHARE 0.8

static double share_of(uint32_t ppm)
{
	return (double)ppm / PPM_ONE;
}

static const char *print_share(double share, char out[SHARE_TEXT_MAX])
{
	(void)snprintf(out, SHARE_TEXT_MAX, "%.3g %%", share * 100);
	return out;
}

/* What the link's faults make of a frame, one by one and together. */
struct fates {
	struct stats_share missing;
	struct stats_share twice;
	struct stats_share changed;
	struct stats_share overtook; /* of those that came */
};

/* All copies of a frame that the matrix program let pass are gone by corruption. */
static double all_gone(double doubled, double gone)
{
	return (1 - doubled) * gone + doubled * gone * gone;
}

static struct fates fates_of(const struct link_state *s, uint32_t bytes)
{
	double doubled = share_of(s->duplicate_ppm), flipped = share_of(s->corrupt_ppm);
	double reordered = share_of(s->reorder_ppm);
	double head = (double)UNSUMMED_BYTES / bytes;
	double gone_lo = flipped * (1 - (double)UNCHECKED_BYTES / bytes), gone_hi = flipped;
	struct fates r = {0};
	struct stats_share loss;

	if (s->corrupt_silent) {
		gone_lo = 0;
		gone_hi = flipped; /* changed payloads are not counted as copies */
	}
	stats_loss(s, &loss);
	r.missing.lo = loss.lo + (1 - loss.lo) * all_gone(doubled, gone_lo);
	r.missing.hi = loss.hi + (1 - loss.hi) * all_gone(doubled, gone_hi);
	r.twice.lo = (1 - loss.hi) * doubled * (1 - gone_hi) * (1 - gone_hi);
	r.twice.hi = (1 - loss.lo) * doubled * (1 - gone_lo) * (1 - gone_lo);
	if (s->corrupt_silent) {
		r.changed.lo = (1 - loss.hi) * flipped * (1 - head) * SUMMED_SHARE;
		r.changed.hi = (1 - loss.lo) * fmin(1, flipped * (1 + doubled));
	}
	r.overtook.lo = reordered * OVERTAKE_SHARE * (1 - reordered);
	r.overtook.hi = fmin(1, ORDER_NOISE + reordered * (1 + doubled));
	if (dist_overtakes(s->dist))
		r.overtook.hi = 1;
	r.missing.bunch = r.twice.bunch = r.changed.bunch = loss.bunch;
	r.overtook.bunch = 1;
	return r;
}

static bool is_busy(const struct trial *x)
{
	return x->after.offered - x->before.offered > x->stream.sent;
}

/* Was frame @i of the row to be dropped, by its number? */
static bool is_drop(const struct trial *x, unsigned i)
{
	uint64_t number = x->number + i;

	for (unsigned k = 0; k < LINK_DROPS_MAX && x->delta->to.drop[k].first; k++) {
		const struct link_drop *d = &x->delta->to.drop[k];

		if (x->number != TRIAL_NUMBER_UNKNOWN && number >= d->first && number <= d->last &&
			(number - d->first) % d->every == 0)
			return true;
	}
	return false;
}

/* What was seen of a share, where it does not fit. */
static enum stats_fit judge_share(struct trial_court *c, const struct trial *x, const char *what,
	uint64_t seen, uint64_t frames, const struct stats_share *share)
{
	const struct fabric_delta *d = x->delta;
	enum stats_fit fit = stats_count(seen < frames ? seen : frames, frames, share);
	char is[SHARE_TEXT_MAX], wants[SHARE_TEXT_MAX];

	if (fit != STATS_FITS)
		evidence_find(c->ret, EVIDENCE_MISMATCH,
			"link %s > %s: %s of %llu frames %s, expected %s", c->f->name[d->src].name,
			c->f->name[d->dst].name, print_share((double)seen / (double)frames, is),
			(unsigned long long)frames, what,
			print_share(fit == STATS_LESS ? share->lo : share->hi, wants));
	return fit;
}

static void judge_enough(struct trial_court *c, const struct trial *x, const char *what,
	uint64_t frames, const struct stats_share *share)
{
	const struct fabric_delta *d = x->delta;
	char wants[SHARE_TEXT_MAX];

	if (share->hi > 0 && !stats_tells(frames, share))
		evidence_find(c->ret, EVIDENCE_INCONCLUSIVE,
			"link %s > %s: %llu frames are too few to see %s of %s",
			c->f->name[d->src].name, c->f->name[d->dst].name,
			(unsigned long long)frames, what, print_share(share->hi, wants));
}

/* Exactly those: what was to be dropped came, or the numbers are not known. */
static void judge_drops(struct trial_court *c, const struct trial *x)
{
	const struct fabric_delta *d = x->delta;
	const char *src = c->f->name[d->src].name, *dst = c->f->name[d->dst].name;

	if (d->to.drop[0].first && x->number == TRIAL_NUMBER_UNKNOWN)
		evidence_find(c->ret, EVIDENCE_INCONCLUSIVE,
			"link %s > %s: the numbers of the frames are not known", src, dst);
	for (unsigned i = 0; i < x->stream.sent; i++) {
		unsigned long long number = x->number + i;

		if (!x->stream.frame[i].copies || !is_drop(x, i))
			continue;
		c->sure = true;
		evidence_find(c->ret, EVIDENCE_MISMATCH,
			"link %s > %s: frame %llu was to be dropped and came", src, dst, number);
	}
}

static void say_seen(struct trial_court *c, const struct trial *x, uint64_t missing,
	uint64_t frames, uint64_t dropped)
{
	const struct fabric_delta *d = x->delta;
	char is[SHARE_TEXT_MAX];

	if (!c->seen[0] && dropped && !missing)
		(void)snprintf(c->seen, EVIDENCE_SEEN_MAX,
			"%s > %s lost %llu of %llu, those that were to be dropped",
			c->f->name[d->src].name, c->f->name[d->dst].name,
			(unsigned long long)dropped, (unsigned long long)(frames + dropped));
	if (!c->seen[0] && missing)
		(void)snprintf(c->seen, EVIDENCE_SEEN_MAX, "%s > %s lost %s of %llu",
			c->f->name[d->src].name, c->f->name[d->dst].name,
			print_share((double)missing / (double)frames, is),
			(unsigned long long)frames);
}

/* Frames that this machine lost are nobody's rule, if they explain what is missing. */
static void excuse_machine(struct trial_court *c, const struct trial *x, uint64_t missing,
	uint64_t frames, struct stats_share *share)
{
	const struct fabric_delta *d = x->delta;

	uint64_t rest = missing > x->lost ? missing - x->lost : 0;

	if (stats_count(missing, frames, share) != STATS_MORE ||
		stats_count(rest, frames, share) == STATS_MORE)
		return;
	share->hi = 1;
	c->noisy = true;
	evidence_find(c->ret, EVIDENCE_INCONCLUSIVE,
		"link %s > %s: this machine lost %llu frames itself", c->f->name[d->src].name,
		c->f->name[d->dst].name, (unsigned long long)x->lost);
}

static void judge_copies(struct trial_court *c, const struct trial *x)
{
	const struct link_state *to = &x->delta->to;
	struct fates fates = fates_of(to, x->stream.bytes);
	uint64_t missing = 0, twice = 0, frames = 0, dropped = 0, all;
	struct stats_share loss, doubled = {.bunch = 1};
	struct fabric_counters since = {0};

	for (unsigned i = 0; i < x->stream.sent; i++) {
		const struct stream_frame *frame = &x->stream.frame[i];

		if (is_drop(x, i)) {
			dropped += frame->copies == 0;
			continue;
		}
		frames++;
		missing += frame->copies == 0;
		twice += frame->copies > 1;
	}
	if (!frames)
		return;
	if (to->rate_bps && is_busy(x))
		fates.missing.hi = 1; /* the queue may have been full */
	excuse_machine(c, x, missing, frames, &fates.missing);
	if (judge_share(c, x, "came with another payload", x->stream.wrong, frames,
		    &fates.changed) == STATS_MORE ||
		judge_share(c, x, "came twice", twice, frames, &fates.twice) == STATS_MORE ||
		judge_share(c, x, "were lost", missing, frames, &fates.missing) == STATS_LESS)
		c->sure = true;
	say_seen(c, x, missing, frames, dropped);
	/* Frames of others count as well, for what the matrix program does and counts. */
	fabric_count(c->f, x->delta->src, x->delta->dst, &since);
	all = since.offered - since.dropped - x->delta->after.offered + x->delta->after.dropped;
	all = all > frames ? all : frames;
	stats_loss(to, &loss);
	judge_enough(c, x, "a loss", all, &loss);
	doubled.lo = doubled.hi = share_of(to->duplicate_ppm);
	judge_enough(c, x, "duplicates", all, &doubled);
	if (to->corrupt_ppm) {
		struct stats_share flipped = {.lo = share_of(to->corrupt_ppm), .bunch = 1};

		flipped.hi = flipped.lo;
		judge_enough(c, x, "corruption", frames, &flipped);
	}
}

/* Frames that came before an earlier one of the row. */
static bool overtook(const struct trial *x, unsigned i, uint32_t latest)
{
	return x->stream.frame[i].copies && latest != UINT32_MAX &&
	       x->stream.frame[i].order < latest;
}

static void judge_order(struct trial_court *c, const struct trial *x)
{
	const struct link_state *to = &x->delta->to;
	struct fates fates = fates_of(to, x->stream.bytes);
	uint64_t seen = 0, frames = 0;
	uint32_t latest = UINT32_MAX;

	for (unsigned i = 0; i < x->stream.sent; i++) {
		const struct stream_frame *frame = &x->stream.frame[i];

		if (!frame->copies)
			continue;
		frames++;
		seen += overtook(x, i, latest);
		if (latest == UINT32_MAX || frame->order > latest)
			latest = frame->order;
	}
	/* Frames that have to wait longer for the rate than for the delay are hard to overtake. */
	if (to->reorder_ppm && x->stream.gap_ns * 10 > to->delay_ns)
		fates.overtook.lo = 0;
	if (judge_share(c, x, "overtook another", seen, frames, &fates.overtook) == STATS_MORE)
		c->sure = true;
	if (to->reorder_ppm)
		judge_enough(c, x, "reordering", frames, &fates.overtook);
}

/* The row without what is missing or overtook. Return: its length. */
static unsigned make_row(struct trial_court *c, const struct trial *x)
{
	uint32_t latest = UINT32_MAX;
	unsigned n = 0;

	for (unsigned i = 0; i < x->stream.sent; i++) {
		const struct stream_frame *frame = &x->stream.frame[i];

		if (!frame->copies || overtook(x, i, latest))
			continue;
		latest = frame->order;
		c->row[n++] = (struct stats_frame){.sent_ns = frame->sent_ns,
			.came_ns = frame->came_ns,
			.bytes = x->stream.bytes * frame->copies};
	}
	return n;
}

static const char *const quantile_names[STATS_QUANTILES] = {
	[STATS_P10] = "first decile", [STATS_P50] = "median", [STATS_P90] = "last decile"};

/* Who took longer than that. */
static const char *const late_names[STATS_QUANTILES] = {
	[STATS_P10] = "nine of ten", [STATS_P50] = "half of the", [STATS_P90] = "one of ten"};

/* A busy machine makes some frames late, or all, each by something else; a wrong rule all of them
 * by the same. */
static bool is_steadily_late(const struct stats_row *is, const struct stats_row *lo,
	const struct stats_row *hi, uint64_t room_ns)
{
	uint64_t spread_ns = is->quantile_ns[STATS_P90] - is->least_ns;
	uint64_t chance_ns = hi->quantile_ns[STATS_P90] - lo->least_ns;

	return is->least_ns > hi->least_ns + room_ns &&
	       spread_ns < (is->least_ns - hi->least_ns) / 4 + chance_ns;
}

static void judge_delays(struct trial_court *c, const struct trial *x)
{
	const struct fabric_delta *d = x->delta;
	const struct link_state *to = &d->to;
	struct stats_row is, lo, hi;
	unsigned n = make_row(c, x), latest = 0;
	uint64_t room_ns = evidence_tolerance_ns(c->f, to->delay_ns), late_ns = 0;
	char has[32], wants[32];

	/* Correlation makes other distributions of it, and a replay has an order; the probes judge
	 * their limits. */
	if (n < 8 || to->correlation_ppm || dist_replays(to->dist) ||
		to->reorder_ppm > PPM_ONE / 2 || stats_measure(c->row, n, &is) ||
		stats_expect(to, evidence_burst(c->f, to), c->row, n, &lo, &hi))
		return;
	for (unsigned i = 0; i < STATS_QUANTILES; i++) {
		uint64_t t = is.quantile_ns[i];

		if (t + EVIDENCE_EARLY_NS < lo.quantile_ns[i]) {
			c->sure = true;
			evidence_find(c->ret, EVIDENCE_MISMATCH,
				"link %s > %s: %s of the delays is %s, expected %s or more",
				c->f->name[d->src].name, c->f->name[d->dst].name, quantile_names[i],
				units_print_duration(t, has, sizeof has),
				units_print_duration(lo.quantile_ns[i], wants, sizeof wants));
		}
		if (t > hi.quantile_ns[i] + room_ns + late_ns) {
			late_ns = t - hi.quantile_ns[i] - room_ns;
			latest = i;
		}
	}
	if (!late_ns || is_busy(x))
		return;
	c->noisy = true;
	evidence_find(c->ret,
		is_steadily_late(&is, &lo, &hi, room_ns) ? EVIDENCE_MISMATCH
							 : EVIDENCE_INCONCLUSIVE,
		"link %s > %s: %s frames took more than %s, expected %s", c->f->name[d->src].name,
		c->f->name[d->dst].name, late_names[latest],
		units_print_duration(is.quantile_ns[latest], has, sizeof has),
		units_print_duration(hi.quantile_ns[latest], wants, sizeof wants));
}

/* A run of frames with the same fate, with known ends on both sides, tells how long the link was in
 * that state: not shorter than from its first frame to its last, not longer than its neighbours
 * are apart. Return: did it tell more than half of it? */
static bool judge_run(struct trial_court *c, const struct trial *x, unsigned from, unsigned to)
{
	const struct stream_frame *frame = x->stream.frame;
	const struct link_state *s = &x->delta->to;
	bool up = frame[from].copies > 0;
	uint64_t want_ns = up ? s->flap_up_ns : s->flap_down_ns;
	uint64_t outer_ns = frame[to + 1].gone_ns - frame[from - 1].sent_ns;
	uint64_t inner_ns = frame[to].sent_ns > frame[from].gone_ns
				    ? frame[to].sent_ns - frame[from].gone_ns
				    : 0;
	char has[32], wants[32];

	if (inner_ns > want_ns + FLAP_SLACK_NS || outer_ns + FLAP_SLACK_NS < want_ns)
		evidence_find(c->ret, EVIDENCE_MISMATCH,
			"link %s > %s was %s for %s at a time, configured are %s",
			c->f->name[x->delta->src].name, c->f->name[x->delta->dst].name,
			up ? "up" : "down", units_print_duration(inner_ns, has, sizeof has),
			units_print_duration(want_ns, wants, sizeof wants));
	return inner_ns > want_ns / 2 && outer_ns < want_ns + want_ns / 2 + FLAP_SLACK_NS;
}

static void judge_flap(struct trial_court *c, const struct trial *x)
{
	const struct stream_frame *frame = x->stream.frame;
	const char *src = c->f->name[x->delta->src].name, *dst = c->f->name[x->delta->dst].name;
	const struct link_state *s = &x->delta->to;
	unsigned from = 0, n = x->stream.sent;
	bool told[2] = {false};

	if (n == 0)
		return; /* too slow to be waited for: its state was read, its counters are kept */
	if (x->stream.arrived == 0 || x->stream.arrived == n) {
		evidence_find(c->ret, EVIDENCE_MISMATCH,
			"link %s > %s flaps and was %s for more than a whole turn", src, dst,
			x->stream.arrived ? "up" : "down");
		return;
	}
	if (s->loss != LOSS_NONE || s->corrupt_ppm || s->drop[0].first)
		return; /* single frames are missing, and the runs have no ends */
	for (unsigned i = 1; i < n; i++) {
		if (!frame[i].copies == !frame[from].copies)
			continue;
		if (from > 0 && judge_run(c, x, from, i - 1))
			told[frame[from].copies > 0] = true;
		from = i;
	}
	if (told[0] && told[1])
		return;
	c->noisy = true;
	evidence_find(c->ret, EVIDENCE_INCONCLUSIVE,
		"link %s > %s flaps, and this machine is too busy to see for how long", src, dst);
}

void trial_judge(struct trial_court *c, const struct trial *x)
{
	if (x->delta->to.flap_up_ns) {
		judge_flap(c, x);
		return;
	}
	judge_drops(c, x);
	judge_copies(c, x);
	judge_order(c, x);
	judge_delays(c, x);
}

static void print_rate(double bps, char out[SHARE_TEXT_MAX])
{
	if (bps >= 1e6)
		(void)snprintf(out, SHARE_TEXT_MAX, "%.3g Mbit/s", bps / 1e6);
	else
		(void)snprintf(out, SHARE_TEXT_MAX, "%.3g kbit/s", bps / 1e3);
}

void trial_judge_train(struct trial_court *c, const struct trial *x)
{
	const struct fabric_delta *d = x->delta;
	const char *src = c->f->name[d->src].name, *dst = c->f->name[d->dst].name;
	struct stats_row is, lo, hi, sent, sent_hi;
	struct link_state unlimited = d->to;
	unsigned n = make_row(c, x);
	double bits;
	char has[SHARE_TEXT_MAX], wants[SHARE_TEXT_MAX] = "none";

	unlimited.rate_bps = 0;
	if (n < 4 || stats_measure(c->row, n, &is) ||
		stats_expect(&d->to, evidence_burst(c->f, &d->to), c->row, n, &lo, &hi) ||
		stats_expect(&unlimited, 0, c->row, n, &sent, &sent_hi))
		return;
	bits = 8.0 * x->stream.bytes * (n - 1);
	print_rate(bits * 1e9 / ((double)is.span_ns + 1), has);
	if (d->to.rate_bps)
		print_rate((double)d->to.rate_bps, wants);
	if (is.span_ns + is.span_ns / TRAIN_NOISE_SHARE + TRAIN_NOISE_NS < lo.span_ns ||
		(!is_busy(x) &&
			is.span_ns > hi.span_ns + hi.span_ns / TRAIN_NOISE_SHARE + TRAIN_NOISE_NS))
		evidence_find(c->ret, EVIDENCE_MISMATCH,
			"link %s > %s: the rate is %s, configured are %s", src, dst, has, wants);
	else if (d->to.rate_bps && sent.span_ns > lo.span_ns / 2) {
		c->noisy = true;
		evidence_find(c->ret, EVIDENCE_INCONCLUSIVE,
			"link %s > %s: frames were sent too slowly to measure a rate of %s", src,
			dst, wants);
	} else if (!c->seen[0] && d->to.rate_bps)
		(void)snprintf(c->seen, EVIDENCE_SEEN_MAX, "%s > %s carries %s", src, dst, has);
}

void trial_judge_udp(struct trial_court *c, const struct trial *x, unsigned trials, unsigned dst,
	const struct trial_udp *udp)
{
	struct stats_share share = {.bunch = 1};
	uint64_t frames = 0;

	if (udp->full)
		evidence_find(c->ret, EVIDENCE_INCONCLUSIVE,
			"node %s had no room for %llu datagrams", c->f->name[dst].name,
			(unsigned long long)udp->full);
	for (unsigned i = 0; i < trials; i++) {
		const struct link_state *to = &x[i].delta->to;
		struct stats_share loss;

		if (x[i].delta->dst != dst || !to->corrupt_ppm || to->corrupt_silent ||
			to->flap_up_ns)
			continue;
		stats_loss(to, &loss);
		share.bunch = fmax(share.bunch, loss.bunch);
		share.lo += x[i].stream.sent * (1 - loss.hi) * share_of(to->corrupt_ppm) *
			    SUMMED_SHARE * (1 - (double)UNSUMMED_BYTES / x[i].stream.bytes);
		frames += x[i].stream.sent;
	}
	if (!frames)
		return;
	share.lo /= (double)frames;
	share.hi = 1; /* what others sent may be corrupted, too */
	if (stats_count(udp->bad < frames ? udp->bad : frames, frames, &share) == STATS_LESS)
		evidence_find(c->ret, EVIDENCE_MISMATCH,
			"node %s: %llu of %llu datagrams had a wrong checksum, expected were more",
			c->f->name[dst].name, (unsigned long long)udp->bad,
			(unsigned long long)frames);
}
