/* SPDX-License-Identifier: MIT */
/*
 * evidence.c - whether the network does what the matrix says
 *
 * Three witnesses, none of which believes what was asked for:
 *
 *   state	the rules in the kernel's array and the emulator's own values are read back
 *   counters	a cut link that was offered frames passed none since the change
 *   probes	frames sent over the changed links now: they arrive when due, or not at all
 *
 * Noise only ever makes a probe later. One that is early, one that crosses a cut, and values that
 * differ are therefore mismatches at once. Probes that are late are tried again; if they are late
 * by about the same each time it is the network that is slow (mismatch), else it is this machine
 * (inconclusive).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/units.h"
#include "netns/dist.h"
#include "netns/evidence_priv.h"

/* Changed links that are probed; of more, as many are taken at even distances. */
#define EVIDENCE_LINKS_MAX 256
#define EVIDENCE_ROUNDS 5
#define EVIDENCE_SETTLE_NS (20 * NS_PER_MS) /* probes that chance may keep come so late at most */

#define TBF_BURST_BYTES 1600u
#define TBF_BURST_NS (250 * NS_PER_US)

#define EVIDENCE_COUNT_SLACK 8 /* frames that one counter has and another not yet */
#define EVIDENCE_COUNT_MIN 100 /* frames that counters are judged by */

const char *const evidence_result_names[EVIDENCE_RESULT_NR] = {
	[EVIDENCE_CONFIRMED] = "confirmed",
	[EVIDENCE_MISMATCH] = "mismatch",
	[EVIDENCE_INCONCLUSIVE] = "inconclusive",
};

_Static_assert(EVIDENCE_RESULT_NR == 3, "a name for every result");

/* A probed link that was changed; for an open one, its way back too if that is open. */
struct suspect {
	unsigned src;
	unsigned dst;
	unsigned there; /* index of its probe */
	int back;       /* of the other direction's, -1 if that is cut */
	bool closed;    /* it is cut, or an end has no carrier */
};

struct inquiry {
	struct fabric *f;
	const struct fabric_change *change;
	uint64_t end_ns;
	struct evidence *ret;
	struct suspect suspect[EVIDENCE_LINKS_MAX];
	struct probe probe[2 * EVIDENCE_LINKS_MAX];
	uint64_t offered[2 * EVIDENCE_LINKS_MAX]; /* before the first probe */
	unsigned suspects;
	unsigned probes;
	char seen[EVIDENCE_SEEN_MAX]; /* by rows of frames */
	unsigned relevant; /* changed links whose state is still the one of this change */
};

/* The worst that was found stays: mismatch over inconclusive over confirmed. */
void evidence_find(struct evidence *ret, enum evidence_result result, const char *fmt, ...)
{
	static const int rank[EVIDENCE_RESULT_NR] = {
		[EVIDENCE_CONFIRMED] = 0, [EVIDENCE_INCONCLUSIVE] = 1, [EVIDENCE_MISMATCH] = 2};
	va_list args;

	if (ret->why[0] && rank[result] <= rank[ret->result])
		return;
	ret->result = result;
	va_start(args, fmt);
	(void)vsnprintf(ret->why, sizeof ret->why, fmt, args);
	va_end(args);
}

bool evidence_in_force(const struct fabric *f, const struct fabric_delta *delta)
{
	return link_state_same(link_matrix_at(&f->now, delta->src, delta->dst), &delta->to);
}

bool evidence_chancy(const struct link_state *s)
{
	return s->loss != LOSS_NONE || s->corrupt_ppm || s->drop[0].first || s->flap_up_ns;
}

bool evidence_down(const struct fabric *f, unsigned src, unsigned dst)
{
	return f->now.down[src] || f->now.down[dst];
}

/* A virtual clock lets no frame pass before its time. A tbf does: see netem_leaf.c. */
uint32_t evidence_burst(const struct fabric *f, const struct link_state *s)
{
	uint64_t bytes = (uint64_t)((__uint128_t)s->rate_bps * TBF_BURST_NS / (8 * NS_PER_S));

	if (f->ops->matrix_bit || !s->rate_bps)
		return 0;
	return bytes > TBF_BURST_BYTES ? (uint32_t)bytes : TBF_BURST_BYTES;
}

static unsigned add_probe(struct inquiry *q, unsigned src, unsigned dst, bool expect)
{
	bool chance = evidence_chancy(link_matrix_at(&q->f->now, src, dst));
	struct fabric_counters now;

	fabric_count(q->f, src, dst, &now);
	q->offered[q->probes] = now.offered;
	q->probe[q->probes] = (struct probe){.src = (uint16_t)src,
		.dst = (uint16_t)dst,
		.expect = expect && !chance,
		.chance = expect && chance};
	return q->probes++;
}

/* Take EVIDENCE_LINKS_MAX of the changed links at most, evenly chosen. */
static void choose_suspects(struct inquiry *q)
{
	struct fabric *f = q->f;
	unsigned seen = 0, total = 0;

	leafcut_refresh_all(f);
	for (unsigned i = 0; i < q->change->deltas; i++)
		total += evidence_in_force(f, &q->change->delta[i]);
	q->relevant = total;
	for (unsigned i = 0; i < q->change->deltas; i++) {
		const struct fabric_delta *delta = &q->change->delta[i];
		struct suspect *s = &q->suspect[q->suspects];

		if (!evidence_in_force(f, delta))
			continue;
		/* Number k of the chosen is the first at or after k * total / chosen. */
		if (total > EVIDENCE_LINKS_MAX &&
			(uint64_t)seen++ * EVIDENCE_LINKS_MAX < (uint64_t)q->suspects * total)
			continue;
		*s = (struct suspect){.src = delta->src,
			.dst = delta->dst,
			.back = -1,
			.closed = delta->to.cut || evidence_down(f, delta->src, delta->dst)};
		s->there = add_probe(q, delta->src, delta->dst, !s->closed);
		if (!s->closed && !link_matrix_at(&f->now, delta->dst, delta->src)->cut)
			s->back = (int)add_probe(q, delta->dst, delta->src, true);
		if (++q->suspects == EVIDENCE_LINKS_MAX)
			break;
	}
}

/* A frame of the probes' size, on a link that is slow. */
static uint64_t serial_ns(const struct link_state *s, uint64_t frames)
{
	return s->rate_bps ? frames * PROBE_BYTES * 8 * NS_PER_S / s->rate_bps : 0;
}

/* Probes of all rounds may wait for each other where the rate is low. */
static uint64_t longest_way_ns(const struct inquiry *q)
{
	uint64_t longest = 0;

	for (unsigned i = 0; i < q->probes; i++) {
		const struct link_state *s =
			link_matrix_at(&q->f->now, q->probe[i].src, q->probe[i].dst);
		uint64_t way_ns = dist_max_ns(s->dist, s->delay_ns, s->jitter_ns) +
				  serial_ns(s, EVIDENCE_ROUNDS);

		if (!s->cut && way_ns > longest)
			longest = way_ns;
	}
	return longest + EVIDENCE_SETTLE_NS;
}

/* A frame has been judged by the matrix program when the counters have it. */
static void wait_for_counters(const struct inquiry *q)
{
	uint64_t end_ns = clock_now_ns() + EVIDENCE_SLACK_NS;
	const struct timespec pause = {.tv_nsec = 100 * (long)NS_PER_US};

	for (unsigned i = 0; i < q->probes; i++) {
		const struct probe *probe = &q->probe[i];
		struct fabric_counters now;

		for (;;) {
			leafcut_refresh(q->f, probe->dst);
			fabric_count(q->f, probe->src, probe->dst, &now);
			if (now.offered - q->offered[i] >= probe->sent || clock_now_ns() > end_ns)
				break;
			(void)nanosleep(&pause, NULL);
		}
	}
}

/* Once more keeps what was seen: the smallest of all tries counts. */
static void send_probes(struct inquiry *q)
{
	probe_links(
		q->f, q->probe, q->probes, EVIDENCE_ROUNDS, longest_way_ns(q), EVIDENCE_SLACK_NS);
	wait_for_counters(q);
}

/* A link that is cut, or down, by its probes. Return: was it not tried? */
static bool judge_closed(struct inquiry *q, const struct suspect *s)
{
	const struct probe *probe = &q->probe[s->there];
	enum link_cut cut = link_matrix_at(&q->f->now, s->src, s->dst)->cut;
	const char *src = q->f->name[s->src].name, *dst = q->f->name[s->dst].name;
	struct fabric_counters now;

	if (!s->closed)
		return false;
	if (probe->received)
		evidence_find(q->ret, EVIDENCE_MISMATCH,
			"link %s > %s is %s and a probe came through", src, dst,
			cut ? "cut" : "down");
	if (evidence_down(q->f, s->src, s->dst))
		return false; /* its carriers were read */
	if (probe->sent && cut == CUT_REJECT && !probe->refused)
		evidence_find(q->ret, EVIDENCE_MISMATCH,
			"link %s > %s rejects, and %s was not told so", src, dst, src);
	if (probe->refused && cut != CUT_REJECT)
		evidence_find(q->ret, EVIDENCE_MISMATCH,
			"link %s > %s is cut in silence, and %s was told so", src, dst, src);
	/* Sent is not yet tried: the node may have lost it before the program saw it. */
	fabric_count(q->f, s->src, s->dst, &now);
	return now.offered == q->offered[s->there];
}

/* All cut links, probed or not: what they let through since the change. */
static void judge_cuts(struct inquiry *q)
{
	struct evidence *ret = q->ret;
	unsigned silent = 0, cut = 0, tried = 0;

	leafcut_refresh_all(q->f);
	for (unsigned i = 0; i < q->change->deltas; i++) {
		const struct fabric_delta *delta = &q->change->delta[i];
		struct fabric_counters now;
		uint64_t passed;

		if (!delta->to.cut || !evidence_in_force(q->f, delta))
			continue;
		cut++;
		tried += !evidence_down(q->f, delta->src, delta->dst);
		fabric_count(q->f, delta->src, delta->dst, &now);
		passed = now.passed - delta->after.passed;
		ret->packets_crossed += passed;
		ret->packets_dropped += now.dropped - delta->after.dropped;
		if (passed)
			evidence_find(ret, EVIDENCE_MISMATCH,
				"link %s > %s is cut and let %llu frames pass",
				q->f->name[delta->src].name, q->f->name[delta->dst].name,
				(unsigned long long)passed);
	}
	for (unsigned i = 0; i < q->suspects; i++)
		silent += judge_closed(q, &q->suspect[i]);
	if (silent)
		evidence_find(ret, EVIDENCE_INCONCLUSIVE,
			"%u of %u cut links were offered no probe", silent, cut);
	else if (tried && ret->packets_dropped == 0)
		evidence_find(
			ret, EVIDENCE_INCONCLUSIVE, "nothing was offered to %u cut links", cut);
}

enum fit { FITS, LATE, EARLY, LOST, SILENT };

struct rtt {
	uint64_t configured_ns;
	uint64_t least_ns; /* that chance and rate may make of it, */
	uint64_t most_ns;
	uint64_t measured_ns; /* smallest of the probes, both ways */
	uint64_t spread_ns;   /* how far the probes lie apart: noise */
	enum fit fit;
};

/* Did others use the link, too? Then they may have filled its queue. */
static bool is_busy(const struct inquiry *q, unsigned index)
{
	const struct probe *probe = &q->probe[index];
	struct fabric_counters now;

	fabric_count(q->f, probe->src, probe->dst, &now);
	return now.offered - q->offered[index] > probe->sent;
}

static void add_way(const struct inquiry *q, unsigned index, struct rtt *rtt)
{
	const struct probe *probe = &q->probe[index];
	const struct link_state *s = link_matrix_at(&q->f->now, probe->src, probe->dst);
	uint64_t slowest_ns = dist_max_ns(s->dist, s->delay_ns, s->jitter_ns);

	rtt->configured_ns += s->delay_ns;
	if (!s->reorder_ppm)
		rtt->least_ns += dist_quantile_ns(s->dist, s->delay_ns, s->jitter_ns, 0);
	if (!evidence_burst(q->f, s))
		rtt->least_ns += serial_ns(s, 1);
	rtt->most_ns += s->rate_bps && is_busy(q, index) ? link_state_delay_max_ns(s)
							 : slowest_ns + serial_ns(s, 1);
	rtt->measured_ns += probe->min_ns;
	rtt->spread_ns += probe->max_ns - probe->min_ns;
	if (probe->received == 0)
		rtt->fit = probe->chance && rtt->fit != LOST ? SILENT : LOST;
}

uint64_t evidence_tolerance_ns(const struct fabric *f, uint64_t delay_ns)
{
	uint64_t ns = delay_ns / EVIDENCE_TOLERANCE_SHARE;

	return f->bias_ns + (ns < EVIDENCE_TOLERANCE_NS ? EVIDENCE_TOLERANCE_NS : ns);
}

/* With the way back cut, the one way alone is measured and compared. */
static struct rtt measure(const struct inquiry *q, const struct suspect *s)
{
	struct rtt rtt = {.fit = FITS};
	unsigned ways = s->back >= 0 ? 2 : 1;
	uint64_t tolerance_ns;

	add_way(q, s->there, &rtt);
	if (s->back >= 0)
		add_way(q, (unsigned)s->back, &rtt);
	if (rtt.fit != FITS)
		return rtt;
	tolerance_ns = evidence_tolerance_ns(q->f, rtt.configured_ns);
	if (rtt.measured_ns + ways * EVIDENCE_EARLY_NS < rtt.least_ns)
		rtt.fit = EARLY;
	else if (rtt.measured_ns > rtt.most_ns + tolerance_ns + (ways - 1) * q->f->bias_ns)
		rtt.fit = LATE;
	return rtt;
}

static void blame(struct inquiry *q, const struct suspect *s, const struct rtt *rtt)
{
	const char *src = q->f->name[s->src].name, *dst = q->f->name[s->dst].name;
	const char *what = s->back >= 0 ? "RTT" : "one-way delay";
	uint64_t excess_ns = rtt->measured_ns - rtt->most_ns;
	uint64_t chance_ns = rtt->most_ns - rtt->least_ns;
	char is[32], wants[32];

	units_print_duration(rtt->measured_ns, is, sizeof is);
	units_print_duration(rtt->configured_ns, wants, sizeof wants);
	if (rtt->fit == LOST)
		evidence_find(q->ret, EVIDENCE_MISMATCH,
			"link %s > %s is open and no probe came back", src, dst);
	else if (rtt->fit == EARLY)
		evidence_find(q->ret, EVIDENCE_MISMATCH,
			"link %s > %s: %s is %s, configured are %s", src, dst, what, is, wants);
	else if (rtt->fit == LATE && rtt->spread_ns < excess_ns / 4 + chance_ns)
		evidence_find(q->ret, EVIDENCE_MISMATCH,
			"link %s > %s: %s is steadily %s, configured are %s", src, dst, what, is,
			wants);
	else if (rtt->fit == LATE)
		evidence_find(q->ret, EVIDENCE_INCONCLUSIVE,
			"link %s > %s: %s is %s, configured are %s: this machine is too busy", src,
			dst, what, is, wants);
}

static uint64_t distance(const struct rtt *rtt)
{
	return rtt->measured_ns > rtt->configured_ns ? rtt->measured_ns - rtt->configured_ns
						     : rtt->configured_ns - rtt->measured_ns;
}

/* Report the pair that is furthest off, or of those that agree the longest. */
static void report_rtt(struct evidence *ret, const struct rtt *rtt, struct rtt *worst)
{
	bool worse;

	if (rtt->fit == LOST || rtt->fit == SILENT)
		return;
	if ((rtt->fit == FITS) != (worst->fit == FITS))
		worse = rtt->fit != FITS;
	else if (rtt->fit == FITS)
		worse = rtt->configured_ns > worst->configured_ns;
	else
		worse = distance(rtt) > distance(worst);
	if (!worse && ret->rtt_measured_ns)
		return;
	*worst = *rtt;
	ret->rtt_configured_ns = rtt->configured_ns;
	ret->rtt_measured_ns = rtt->measured_ns;
}

static void judge_open(struct inquiry *q)
{
	struct rtt worst = {.fit = FITS};

	for (unsigned i = 0; i < q->suspects; i++) {
		const struct suspect *s = &q->suspect[i];
		struct rtt rtt;

		if (s->closed)
			continue;
		rtt = measure(q, s);
		if (rtt.fit != FITS && rtt.fit != SILENT)
			blame(q, s, &rtt);
		report_rtt(q->ret, &rtt, &worst);
	}
}

/* It rejects, and nobody has said so yet: an answer may be late. */
static bool is_unanswered(const struct inquiry *q, const struct suspect *s)
{
	const struct probe *probe = &q->probe[s->there];

	return link_matrix_at(&q->f->now, s->src, s->dst)->cut == CUT_REJECT && probe->sent &&
	       !probe->refused && !evidence_down(q->f, s->src, s->dst);
}

static bool all_fit(const struct inquiry *q)
{
	for (unsigned i = 0; i < q->suspects; i++) {
		const struct suspect *s = &q->suspect[i];
		enum fit fit = s->closed ? FITS : measure(q, s).fit;

		if ((fit != FITS && fit != SILENT) || is_unanswered(q, s))
			return false;
	}
	return true;
}

/* Of all frames of a link since the change, a share that the matrix program says it acted on. */
static void judge_count(struct inquiry *q, const struct fabric_delta *delta, const char *what,
	const uint64_t of[2], const struct stats_share *share)
{
	uint64_t seen = of[0], frames = of[1];
	enum stats_fit fit;

	if (frames < EVIDENCE_COUNT_MIN)
		return;
	/* The counters are read one after the other while frames go on. */
	fit = stats_count(seen, frames, share);
	if (fit == STATS_MORE)
		fit = stats_count(seen > EVIDENCE_COUNT_SLACK ? seen - EVIDENCE_COUNT_SLACK : 0,
			frames, share);
	else if (fit == STATS_LESS)
		fit = stats_count(
			seen + EVIDENCE_COUNT_SLACK < frames ? seen + EVIDENCE_COUNT_SLACK : frames,
			frames, share);
	if (fit != STATS_FITS)
		evidence_find(q->ret, EVIDENCE_MISMATCH,
			"link %s > %s: %llu of %llu frames were %s, configured are %.3g %%",
			q->f->name[delta->src].name, q->f->name[delta->dst].name,
			(unsigned long long)seen, (unsigned long long)frames, what,
			share->lo * 100);
}

/* Open links, probed or not: what chance did since the change. */
static void judge_counters(struct inquiry *q)
{
	for (unsigned i = 0; i < q->change->deltas; i++) {
		const struct fabric_delta *delta = &q->change->delta[i];
		const struct link_state *to = &delta->to;
		struct stats_share loss, twice = {.bunch = 1};
		struct fabric_counters now;
		uint64_t tried, passed;

		if (to->cut || leafcut_needed(q->f) || !evidence_in_force(q->f, delta))
			continue;
		fabric_count(q->f, delta->src, delta->dst, &now);
		passed = now.passed - delta->after.passed;
		tried = now.offered - now.dropped - delta->after.offered + delta->after.dropped;
		stats_loss(to, &loss);
		if (to->drop[0].first)
			loss.hi = 1;
		twice.lo = twice.hi = (double)to->duplicate_ppm / PPM_ONE;
		judge_count(q, delta, "lost",
			(const uint64_t[]){now.lost - delta->after.lost, tried}, &loss);
		judge_count(q, delta, "doubled",
			(const uint64_t[]){now.doubled - delta->after.doubled, passed}, &twice);
	}
}

/* Rows of frames for what a few probes cannot tell. */
static int try_rows(struct inquiry *q)
{
	const struct fabric_delta **delta = calloc(q->change->deltas + 1, sizeof *delta);
	unsigned n = 0;
	int code;

	if (!delta)
		return -ENOMEM;
	for (unsigned i = 0; i < q->change->deltas; i++) {
		const struct fabric_delta *d = &q->change->delta[i];

		if (evidence_in_force(q->f, d) && evidence_trial_wanted(q->f, d))
			delta[n++] = d;
	}
	code = evidence_trials(q->f, delta, n, q->end_ns, q->ret, q->seen);
	free(delta);
	return code;
}

static void say_confirmed(struct inquiry *q)
{
	struct evidence *ret = q->ret;
	char crossed[32], dropped[32], is[32], wants[32], of[48] = "", cuts[96] = "", rtt[96] = "";

	units_print_count(ret->packets_crossed, crossed, sizeof crossed);
	units_print_count(ret->packets_dropped, dropped, sizeof dropped);
	units_print_duration(ret->rtt_measured_ns, is, sizeof is);
	units_print_duration(ret->rtt_configured_ns, wants, sizeof wants);
	if (q->suspects < q->relevant)
		(void)snprintf(of, sizeof of, " (%u of %u links probed)", q->suspects, q->relevant);
	if (ret->rtt_measured_ns)
		(void)snprintf(rtt, sizeof rtt, "%sRTT %s, configured %s",
			ret->packets_dropped ? "; " : "", is, wants);
	if (ret->packets_dropped || (!ret->rtt_measured_ns && !q->seen[0]))
		(void)snprintf(
			cuts, sizeof cuts, "%s packets crossed, %s dropped", crossed, dropped);
	if (q->relevant == 0 && q->change->downs)
		evidence_find(ret, EVIDENCE_CONFIRMED, "seen in the carriers of all nodes");
	else if (q->relevant == 0)
		evidence_find(ret, EVIDENCE_CONFIRMED,
			q->change->deltas ? "every link was changed again" : "nothing was changed");
	else
		evidence_find(ret, EVIDENCE_CONFIRMED, "%s%s%s%s%s", cuts, rtt,
			q->seen[0] && (cuts[0] || rtt[0]) ? "; " : "", q->seen, of);
}

int evidence_gather(struct fabric *f, const struct fabric_change *change, uint64_t end_ns,
	struct evidence *ret, struct err *err)
{
	struct inquiry *q = calloc(1, sizeof *q);
	int code;

	*ret = (struct evidence){.result = EVIDENCE_CONFIRMED};
	if (!q)
		return err_sys(err, -ENOMEM, "evidence");
	q->f = f;
	q->change = change;
	q->ret = ret;
	q->end_ns = end_ns ? end_ns : UINT64_MAX;
	code = evidence_read_state(f, change, ret, err);
	if (!code) {
		choose_suspects(q);
		/* Answers to earlier probes that came late are none to these. */
		for (unsigned i = 0; i < q->suspects; i++)
			probe_errors(f, f->node[q->suspect[i].src].probe_fd, NULL, 0);
		for (int i = 0; i < EVIDENCE_TRIES; i++) {
			send_probes(q);
			if (all_fit(q) || clock_now_ns() > q->end_ns)
				break;
		}
		judge_cuts(q);
		judge_open(q);
		if (try_rows(q))
			code = err_sys(err, -ENOMEM, "evidence");
		judge_counters(q);
		say_confirmed(q);
	}
	free(q);
	return code;
}
