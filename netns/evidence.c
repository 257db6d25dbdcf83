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

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "netns/fabric_priv.h"

/* Changed links that are probed; of more, as many are taken at even distances. */
#define EVIDENCE_LINKS_MAX 256
#define EVIDENCE_ROUNDS 5
#define EVIDENCE_TRIES 3
#define EVIDENCE_SLACK_NS (200 * NS_PER_MS) /* after the last probe is due, if one is missing */

/* An RTT agrees within the larger of these, and the emulator's own bias. */
#define EVIDENCE_TOLERANCE_NS (200 * NS_PER_US)
#define EVIDENCE_TOLERANCE_SHARE 20 /* one twentieth: 5 % */

/* An early frame is a wrong one, but the clocks of stamp and sender are read apart. */
#define EVIDENCE_EARLY_NS (20 * NS_PER_US)

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
};

struct inquiry {
	struct fabric *f;
	const struct fabric_change *change;
	struct evidence *ret;
	struct suspect suspect[EVIDENCE_LINKS_MAX];
	struct probe probe[2 * EVIDENCE_LINKS_MAX];
	uint64_t offered[2 * EVIDENCE_LINKS_MAX]; /* before the first probe */
	unsigned suspects;
	unsigned probes;
	unsigned relevant; /* changed links whose state is still the one of this change */
};

/* The worst that was found stays: mismatch over inconclusive over confirmed. */
static void __attribute__((format(printf, 3, 4)))
find(struct evidence *ret, enum evidence_result result, const char *fmt, ...)
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

/* A later change may have had other plans for this link. */
static bool still_in_force(const struct fabric *f, const struct fabric_delta *delta)
{
	return link_state_same(link_matrix_at(&f->now, delta->src, delta->dst), &delta->to);
}

static void read_rules(struct inquiry *q)
{
	struct fabric *f = q->f;
	unsigned copy = matrix_active(&f->matrix);

	for (unsigned src = 0; src < f->nodes; src++) {
		for (unsigned dst = 0; dst < f->nodes; dst++) {
			uint32_t want = fabric_rule(f, link_matrix_at(&f->now, src, dst));
			uint32_t rule = __atomic_load_n(
				&matrix_at(&f->matrix, src, dst)->rule[copy], __ATOMIC_RELAXED);

			if (rule != want && src != dst)
				find(q->ret, EVIDENCE_MISMATCH,
					"link %s > %s: the kernel's rule is %#x and should be %#x",
					f->name[src].name, f->name[dst].name, rule, want);
		}
	}
}

static void compare_shape(struct inquiry *q, const struct fabric_delta *delta)
{
	struct fabric *f = q->f;
	struct link_state is = {0};
	char has[32], wants[32];

	/* The leaf that would tell the delay is a blackhole now. */
	if (delta->to.cut && leafcut_needed(f) && !f->ops->matrix_bit)
		return;
	f->ops->read_back(f->emulator, delta->src, delta->dst, &is);
	if (is.delay_ns == delta->to.delay_ns && is.jitter_ns == delta->to.jitter_ns)
		return;
	find(q->ret, EVIDENCE_MISMATCH, "link %s > %s: %s has a delay of %s, configured are %s",
		f->name[delta->src].name, f->name[delta->dst].name, f->ops->name,
		units_print_duration(is.delay_ns, has, sizeof has),
		units_print_duration(delta->to.delay_ns, wants, sizeof wants));
}

static int read_state(struct inquiry *q, struct err *err)
{
	struct fabric *f = q->f;

	read_rules(q);
	for (unsigned dst = 0; dst < f->nodes && leafcut_needed(f); dst++) {
		int src = leafcut_wrong(f, dst);

		if (src >= 0)
			find(q->ret, EVIDENCE_MISMATCH, "link %s > %s: its leaf %s a blackhole",
				f->name[src].name, f->name[dst].name,
				link_matrix_at(&f->now, (unsigned)src, dst)->cut ? "is not" : "is");
	}
	for (unsigned dst = 0; dst < f->nodes; dst++) {
		bool fresh = false;

		for (unsigned i = 0; i < q->change->deltas; i++) {
			const struct fabric_delta *delta = &q->change->delta[i];
			int code;

			if (delta->dst != dst || !still_in_force(f, delta))
				continue;
			if (!fresh && f->ops->refresh) {
				code = f->ops->refresh(f->emulator, dst, err);
				if (code)
					return err_wrap(err, "read the leaves of port '%s' back",
						f->name[dst].name);
			}
			fresh = true;
			compare_shape(q, delta);
		}
	}
	return 0;
}

static unsigned add_probe(struct inquiry *q, unsigned src, unsigned dst, bool expect)
{
	struct fabric_counters now;

	fabric_count(q->f, src, dst, &now);
	q->offered[q->probes] = now.offered;
	q->probe[q->probes] =
		(struct probe){.src = (uint16_t)src, .dst = (uint16_t)dst, .expect = expect};
	return q->probes++;
}

/* Take EVIDENCE_LINKS_MAX of the changed links at most, evenly chosen. */
static void choose_suspects(struct inquiry *q)
{
	struct fabric *f = q->f;
	unsigned seen = 0, total = 0;

	leafcut_refresh_all(f);
	for (unsigned i = 0; i < q->change->deltas; i++)
		total += still_in_force(f, &q->change->delta[i]);
	q->relevant = total;
	for (unsigned i = 0; i < q->change->deltas; i++) {
		const struct fabric_delta *delta = &q->change->delta[i];
		struct suspect *s = &q->suspect[q->suspects];

		if (!still_in_force(f, delta))
			continue;
		/* Number k of the chosen is the first at or after k * total / chosen. */
		if (total > EVIDENCE_LINKS_MAX &&
			(uint64_t)seen++ * EVIDENCE_LINKS_MAX < (uint64_t)q->suspects * total)
			continue;
		*s = (struct suspect){.src = delta->src, .dst = delta->dst, .back = -1};
		s->there = add_probe(q, delta->src, delta->dst, !delta->to.cut);
		if (!delta->to.cut && !link_matrix_at(&f->now, delta->dst, delta->src)->cut)
			s->back = (int)add_probe(q, delta->dst, delta->src, true);
		if (++q->suspects == EVIDENCE_LINKS_MAX)
			break;
	}
}

static uint64_t longest_way_ns(const struct inquiry *q)
{
	uint64_t longest = 0;

	for (unsigned i = 0; i < q->probes; i++) {
		const struct link_state *s =
			link_matrix_at(&q->f->now, q->probe[i].src, q->probe[i].dst);

		if (!s->cut && s->delay_ns + s->jitter_ns > longest)
			longest = s->delay_ns + s->jitter_ns;
	}
	return longest;
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
		q->f, q->probe, q->probes, EVIDENCE_ROUNDS, longest_way_ns(q) + EVIDENCE_SLACK_NS);
	wait_for_counters(q);
}

/* All cut links, probed or not: what they let through since the change. */
static void judge_cuts(struct inquiry *q)
{
	struct evidence *ret = q->ret;
	unsigned silent = 0, cut = 0;

	leafcut_refresh_all(q->f);
	for (unsigned i = 0; i < q->change->deltas; i++) {
		const struct fabric_delta *delta = &q->change->delta[i];
		struct fabric_counters now;
		uint64_t passed;

		if (!delta->to.cut || !still_in_force(q->f, delta))
			continue;
		cut++;
		fabric_count(q->f, delta->src, delta->dst, &now);
		passed = now.passed - delta->after.passed;
		ret->packets_crossed += passed;
		ret->packets_dropped += now.dropped - delta->after.dropped;
		if (passed)
			find(ret, EVIDENCE_MISMATCH, "link %s > %s is cut and let %llu frames pass",
				q->f->name[delta->src].name, q->f->name[delta->dst].name,
				(unsigned long long)passed);
	}
	for (unsigned i = 0; i < q->suspects; i++) {
		const struct suspect *s = &q->suspect[i];
		const struct probe *probe = &q->probe[s->there];
		struct fabric_counters now;

		if (!link_matrix_at(&q->f->now, s->src, s->dst)->cut)
			continue;
		if (probe->received)
			find(ret, EVIDENCE_MISMATCH, "link %s > %s is cut and a probe came through",
				q->f->name[s->src].name, q->f->name[s->dst].name);
		/* Sent is not yet tried: the node may have lost it before the program saw it. */
		fabric_count(q->f, s->src, s->dst, &now);
		silent += now.offered == q->offered[s->there];
	}
	if (silent)
		find(ret, EVIDENCE_INCONCLUSIVE, "%u of %u cut links were offered no probe", silent,
			cut);
	else if (cut && ret->packets_dropped == 0)
		find(ret, EVIDENCE_INCONCLUSIVE, "nothing was offered to %u cut links", cut);
}

enum fit { FITS, LATE, EARLY, LOST };

struct rtt {
	uint64_t configured_ns;
	uint64_t jitter_ns;
	uint64_t measured_ns; /* smallest of the probes, both ways */
	uint64_t spread_ns;   /* how far the probes lie apart: noise */
	enum fit fit;
};

static void add_way(const struct inquiry *q, unsigned index, struct rtt *rtt)
{
	const struct probe *probe = &q->probe[index];
	const struct link_state *s = link_matrix_at(&q->f->now, probe->src, probe->dst);

	rtt->configured_ns += s->delay_ns;
	rtt->jitter_ns += s->jitter_ns;
	rtt->measured_ns += probe->min_ns;
	rtt->spread_ns += probe->max_ns - probe->min_ns;
	if (probe->received == 0)
		rtt->fit = LOST;
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
	if (rtt.fit == LOST)
		return rtt;
	tolerance_ns = rtt.configured_ns / EVIDENCE_TOLERANCE_SHARE;
	if (tolerance_ns < EVIDENCE_TOLERANCE_NS)
		tolerance_ns = EVIDENCE_TOLERANCE_NS;
	if (rtt.measured_ns + ways * EVIDENCE_EARLY_NS + rtt.jitter_ns < rtt.configured_ns)
		rtt.fit = EARLY;
	else if (rtt.measured_ns >
		 rtt.configured_ns + rtt.jitter_ns + tolerance_ns + ways * q->f->bias_ns)
		rtt.fit = LATE;
	return rtt;
}

static void blame(struct inquiry *q, const struct suspect *s, const struct rtt *rtt)
{
	const char *src = q->f->name[s->src].name, *dst = q->f->name[s->dst].name;
	const char *what = s->back >= 0 ? "RTT" : "one-way delay";
	uint64_t excess_ns = rtt->measured_ns - rtt->configured_ns;
	char is[32], wants[32];

	units_print_duration(rtt->measured_ns, is, sizeof is);
	units_print_duration(rtt->configured_ns, wants, sizeof wants);
	if (rtt->fit == LOST)
		find(q->ret, EVIDENCE_MISMATCH, "link %s > %s is open and no probe came back", src,
			dst);
	else if (rtt->fit == EARLY)
		find(q->ret, EVIDENCE_MISMATCH, "link %s > %s: %s is %s, configured are %s", src,
			dst, what, is, wants);
	else if (rtt->fit == LATE && rtt->spread_ns + rtt->jitter_ns < excess_ns / 4)
		find(q->ret, EVIDENCE_MISMATCH,
			"link %s > %s: %s is steadily %s, configured are %s", src, dst, what, is,
			wants);
	else if (rtt->fit == LATE)
		find(q->ret, EVIDENCE_INCONCLUSIVE,
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

	if (rtt->fit == LOST)
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

		if (link_matrix_at(&q->f->now, s->src, s->dst)->cut)
			continue;
		rtt = measure(q, s);
		if (rtt.fit != FITS)
			blame(q, s, &rtt);
		report_rtt(q->ret, &rtt, &worst);
	}
}

static bool all_fit(const struct inquiry *q)
{
	for (unsigned i = 0; i < q->suspects; i++) {
		const struct suspect *s = &q->suspect[i];

		if (!link_matrix_at(&q->f->now, s->src, s->dst)->cut && measure(q, s).fit != FITS)
			return false;
	}
	return true;
}

static void say_confirmed(struct inquiry *q)
{
	struct evidence *ret = q->ret;
	char crossed[32], dropped[32], is[32], wants[32], of[48] = "";

	units_print_count(ret->packets_crossed, crossed, sizeof crossed);
	units_print_count(ret->packets_dropped, dropped, sizeof dropped);
	units_print_duration(ret->rtt_measured_ns, is, sizeof is);
	units_print_duration(ret->rtt_configured_ns, wants, sizeof wants);
	if (q->suspects < q->relevant)
		(void)snprintf(of, sizeof of, " (%u of %u links probed)", q->suspects, q->relevant);
	if (q->relevant == 0)
		find(ret, EVIDENCE_CONFIRMED,
			q->change->deltas ? "every link was changed again" : "nothing was changed");
	else if (ret->rtt_measured_ns && ret->packets_dropped)
		find(ret, EVIDENCE_CONFIRMED,
			"%s packets crossed, %s dropped; RTT %s, configured %s%s", crossed, dropped,
			is, wants, of);
	else if (ret->rtt_measured_ns)
		find(ret, EVIDENCE_CONFIRMED, "RTT %s, configured %s%s", is, wants, of);
	else
		find(ret, EVIDENCE_CONFIRMED, "%s packets crossed, %s dropped%s", crossed, dropped,
			of);
}

int evidence_gather(
	struct fabric *f, const struct fabric_change *change, struct evidence *ret, struct err *err)
{
	struct inquiry *q = calloc(1, sizeof *q);
	int code;

	*ret = (struct evidence){.result = EVIDENCE_CONFIRMED};
	if (!q)
		return err_sys(err, -ENOMEM, "evidence");
	q->f = f;
	q->change = change;
	q->ret = ret;
	code = read_state(q, err);
	if (!code) {
		choose_suspects(q);
		for (int i = 0; i < EVIDENCE_TRIES; i++) {
			send_probes(q);
			if (all_fit(q))
				break;
		}
		judge_cuts(q);
		judge_open(q);
		say_confirmed(q);
	}
	free(q);
	return code;
}
