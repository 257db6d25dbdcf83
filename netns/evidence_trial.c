/* SPDX-License-Identifier: MIT */
/*
 * evidence_trial.c - rows of frames for the faults that a few probes cannot show
 *
 * Rows are as long as the rarest fault of the link needs and time allows, at a distance that lets
 * its widest be seen, and take a quarter of its rate at most. They also go over links from which
 * such a fault was taken away. A second row, back to back, measures the rate. What is judged wrong
 * once may be this busy machine: it is reported when it was so in each of EVIDENCE_TRIES.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netns/dist.h"
#include "netns/evidence_priv.h"

#define TRIAL_LINKS_MAX 64
#define TRIAL_FRAMES_MAX 16384        /* of one link */
#define TRIAL_BUDGET 20000            /* of all links: a third of a second of one processor */
#define TRIAL_NS_MAX NS_PER_S         /* from the first frame to the last */
#define TRIAL_NS_MIN (20 * NS_PER_MS) /* with less it is not tried */
#define TRIAL_FRAMES_MIN 16
#define TRIAL_GAP_NS (25 * NS_PER_US)       /* at least, and what is better: */
#define TRIAL_EASY_GAP_NS (100 * NS_PER_US) /* where rows are short then, too */
#define TRIAL_EASY_NS (250 * NS_PER_MS)
#define TRIAL_RATE_SHARE 4 /* a quarter of the rate */
#define TRIAL_JITTER_FRAMES 150
#define TRIAL_JITTER_GAP_NS (4 * NS_PER_MS) /* at most: this is long enough */
#define TRIAL_REORDER_GAPS 40               /* frames in a time as long as the delay */
#define TRIAL_FLAP_GAPS 20                  /* while the link is up, or down, whatever is shorter */
#define TRIAL_BYTES 128
#define TRIAL_CORRUPT_BYTES 512 /* most of a frame is payload then */

/* A row back to back: long enough for the clock, not for the queue. */
#define TRAIN_NS (40 * NS_PER_MS)
#define TRAIN_BURSTS 4 /* as long as so many bursts */
#define TRAIN_FRAMES_MIN 8
#define TRAIN_FRAMES_MAX 512
#define TRAIN_LINKS_MAX 8

struct trials {
	struct fabric *f;
	uint64_t end_ns;
	uint64_t row_ns; /* from the first frame to the last, at most */
	struct trial trial[TRIAL_LINKS_MAX];
	unsigned trials;
	struct stream_frame *frame; /* of all */
	struct trial_court court;
};

static bool needs_row(const struct link_state *s)
{
	return s->loss != LOSS_NONE || s->duplicate_ppm || s->corrupt_ppm || s->reorder_ppm ||
	       s->jitter_ns || !dist_scaled(s->dist) || s->drop[0].first || s->flap_up_ns ||
	       s->rate_bps;
}

bool evidence_trial_wanted(const struct fabric *f, const struct fabric_delta *delta)
{
	return !delta->to.cut && !evidence_down(f, delta->src, delta->dst) &&
	       (needs_row(&delta->to) || needs_row(&delta->from));
}

static uint32_t most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t frames_for(uint32_t ppm)
{
	const struct stats_share share = {
		.lo = (double)ppm / PPM_ONE, .hi = (double)ppm / PPM_ONE, .bunch = 1};

	return ppm ? most(stats_needed(&share), TRIAL_FRAMES_MIN) : 0;
}

/* How many frames show all that is left to chance. */
static uint32_t frames_wanted(const struct link_state *s, uint64_t number)
{
	struct stats_share loss;
	uint32_t frames = TRIAL_FRAMES_MIN;

	stats_loss(s, &loss);
	if (loss.lo > 0)
		frames = most(frames, stats_needed(&loss));
	frames = most(frames, frames_for(s->duplicate_ppm));
	frames = most(frames, frames_for(s->corrupt_ppm));
	frames = most(frames, frames_for(s->reorder_ppm));
	if (s->jitter_ns || !dist_scaled(s->dist))
		frames = most(frames, TRIAL_JITTER_FRAMES);
	for (unsigned i = 0; i < LINK_DROPS_MAX && s->drop[i].first; i++) {
		/* One frame more shows that the next one passes. */
		uint64_t left = s->drop[i].last + 2ull;

		left = number == TRIAL_NUMBER_UNKNOWN || left < number ? 0 : left - number;
		if (left <= TRIAL_FRAMES_MAX)
			frames = most(frames, (uint32_t)left);
	}
	return frames;
}

static uint64_t width_ns(const struct link_state *s)
{
	return dist_quantile_ns(s->dist, s->delay_ns, s->jitter_ns, 0.95) -
	       dist_quantile_ns(s->dist, s->delay_ns, s->jitter_ns, 0.05);
}

static uint64_t bits_ns(uint64_t bytes, uint64_t rate_bps)
{
	return rate_bps ? bytes * 8 * NS_PER_S / rate_bps : 0;
}

/* A flapping link is looked at for two periods and a bit; what else it does is left to counters. */
static void plan_flap(struct probe_stream *stream, const struct link_state *s, uint64_t row_ns)
{
	uint64_t shorter_ns = s->flap_up_ns < s->flap_down_ns ? s->flap_up_ns : s->flap_down_ns;
	uint64_t window_ns = (s->flap_up_ns + s->flap_down_ns) * 9 / 4;

	stream->gap_ns = shorter_ns / TRIAL_FLAP_GAPS;
	if (stream->gap_ns * TRIAL_FRAMES_MAX < window_ns)
		stream->gap_ns = window_ns / TRIAL_FRAMES_MAX;
	stream->frames = window_ns <= row_ns ? (uint32_t)(window_ns / stream->gap_ns) : 0;
}

static void set_times(struct probe_stream *stream, const struct link_state *s)
{
	stream->usual_ns = dist_max_ns(s->dist, s->delay_ns, s->jitter_ns) +
			   bits_ns((uint64_t)STREAM_TAIL * stream->bytes, s->rate_bps);
	stream->longest_ns = link_state_delay_max_ns(s);
}

static void plan_row(struct trial *x, uint64_t row_ns)
{
	const struct link_state *to = &x->delta->to, *from = &x->delta->from;
	struct probe_stream *stream = &x->stream;
	uint64_t wide_ns = width_ns(to) > width_ns(from) ? width_ns(to) : width_ns(from);
	uint64_t gap_ns, least_ns;

	stream->bytes = to->corrupt_ppm || from->corrupt_ppm ? TRIAL_CORRUPT_BYTES : TRIAL_BYTES;
	set_times(stream, to);
	if (to->flap_up_ns) {
		plan_flap(stream, to, row_ns);
		return;
	}
	stream->frames = most(frames_wanted(to, x->number), frames_wanted(from, 0));
	if (stream->frames > TRIAL_FRAMES_MAX)
		stream->frames = TRIAL_FRAMES_MAX;
	/* In-order frames that come close together hide how wide the jitter is. As close as the
	 * budget of time asks for all the same, and no closer than the rate allows. */
	gap_ns = 2 * wide_ns < TRIAL_JITTER_GAP_NS ? 2 * wide_ns : TRIAL_JITTER_GAP_NS;
	if (to->reorder_ppm && gap_ns > to->delay_ns / TRIAL_REORDER_GAPS)
		gap_ns = to->delay_ns / TRIAL_REORDER_GAPS;
	if (gap_ns > row_ns / stream->frames)
		gap_ns = row_ns / stream->frames;
	least_ns = TRIAL_RATE_SHARE * bits_ns(stream->bytes, to->rate_bps);
	if (least_ns < TRIAL_GAP_NS)
		least_ns = TRIAL_GAP_NS;
	if (gap_ns < TRIAL_EASY_GAP_NS && !to->reorder_ppm &&
		stream->frames * TRIAL_EASY_GAP_NS <= TRIAL_EASY_NS)
		gap_ns = TRIAL_EASY_GAP_NS;
	stream->gap_ns = gap_ns > least_ns ? gap_ns : least_ns;
	if (stream->frames > row_ns / stream->gap_ns)
		stream->frames = most((uint32_t)(row_ns / stream->gap_ns), 1);
}

/* Long enough to measure the rate by, and half of the queue at most. Return: is there such a row?
 * If not, one frame takes so long that any probe shows the rate. */
static bool plan_train(
	const struct trials *t, struct probe_stream *stream, const struct link_state *s)
{
	uint64_t bytes = (uint64_t)((__uint128_t)s->rate_bps * TRAIN_NS / (8 * NS_PER_S));
	uint64_t burst = evidence_burst(t->f, s), limit = link_state_queue(s) / 2;

	if (bytes < TRAIN_BURSTS * burst)
		bytes = TRAIN_BURSTS * burst;
	if (bytes > limit)
		bytes = limit;
	stream->bytes = (uint32_t)(bytes / (2 * TRAIN_FRAMES_MIN));
	if (bytes / (2 * TRAIN_FRAMES_MIN) > STREAM_BYTES_MAX)
		stream->bytes = STREAM_BYTES_MAX;
	if (stream->bytes < STREAM_BYTES_MIN)
		stream->bytes = STREAM_BYTES_MIN;
	stream->frames = bytes / stream->bytes < TRAIN_FRAMES_MAX
				 ? (uint32_t)(bytes / stream->bytes)
				 : TRAIN_FRAMES_MAX;
	stream->gap_ns = 0;
	return stream->frames >= TRAIN_FRAMES_MIN && bits_ns(bytes, s->rate_bps) <= t->row_ns;
}

/* Number of the next probe on this link. */
static uint64_t next_number(const struct fabric *f, const struct fabric_delta *delta)
{
	const struct matrix_chance *chance;
	const struct matrix_lane *lane;

	if (leafcut_needed(f))
		return TRIAL_NUMBER_UNKNOWN;
	chance = matrix_chance_at(&f->matrix, delta->src, delta->dst);
	lane = chance->lane[chance->odds[matrix_active(&f->matrix)].turn & 1];
	return __atomic_load_n(&lane[MATRIX_LANE_PROBES].number, __ATOMIC_ACQUIRE) + 1;
}

static void count(const struct fabric *f, const struct trial *x, struct fabric_counters *ret)
{
	*ret = (struct fabric_counters){0};
	leafcut_refresh(f, x->delta->dst);
	fabric_count(f, x->delta->src, x->delta->dst, ret);
}

/* Take as many links as the budget has frames for, at even distances. */
static int plan(struct trials *t, const struct fabric_delta *const *delta, unsigned deltas)
{
	uint32_t longest = 1, total = 0;
	unsigned links;

	for (unsigned i = 0; i < deltas; i++) {
		struct trial x = {.delta = delta[i], .number = next_number(t->f, delta[i])};

		plan_row(&x, t->row_ns);
		longest = most(longest, x.stream.frames);
	}
	links = TRIAL_BUDGET / longest;
	links = links > TRIAL_LINKS_MAX ? TRIAL_LINKS_MAX : links;
	links = links > deltas ? deltas : links;
	longest = most(longest, TRAIN_FRAMES_MAX);
	for (unsigned i = 0; i < links; i++) {
		struct trial *x = &t->trial[t->trials++];

		*x = (struct trial){.delta = delta[(uint64_t)i * deltas / links]};
		x->stream.src = x->delta->src;
		x->stream.dst = x->delta->dst;
		x->number = next_number(t->f, x->delta);
		plan_row(x, t->row_ns);
		total += x->stream.frames;
	}
	t->frame = calloc(most(total, longest), sizeof *t->frame);
	t->court.row = calloc(longest, sizeof *t->court.row);
	return t->frame && t->court.row ? 0 : -ENOMEM;
}

/* Two lines of /proc/net/snmp begin with "Udp:": names, then values. */
static void read_udp(const struct fabric *f, unsigned node, struct trial_udp *ret)
{
	char text[8192], *line, *save = NULL;
	ssize_t n = -1;
	int fd;

	*ret = (struct trial_udp){0};
	namespace_enter(f->node[node].netns_fd);
	fd = open("/proc/thread-self/net/snmp", O_RDONLY | O_CLOEXEC);
	namespace_enter(f->home_fd);
	if (fd >= 0) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors
		 */
		if (sscanf(line, "Udp: %*u %*u %*u %*u %" SCNu64 " %*u %" SCNu64, &ret->full,
			    &ret->bad) == 2)
			return;
	}
}

/* A slow machine sends no more. */
static uint64_t limit_ns(const struct trials *t)
{
	return t->row_ns + t->row_ns / 4;
}

/* Frames that queues of this machine had no room for: of its processors, and of the emulator. */
static uint64_t machine_lost(const struct fabric *f)
{
	FILE *file = fopen("/proc/net/softnet_stat", "re");
	struct fabric_quality quality;
	char line[512];
	uint64_t lost;

	fabric_quality(f, &quality);
	lost = quality.lost;
	while (file && fgets(line, sizeof line, file)) {
		unsigned dropped = 0;

		/* Seen, then dropped, of one processor. */
		if (sscanf(line, "%*x %x", &dropped) == 1)
			lost += dropped;
	}
	if (file)
		(void)fclose(file);
	return lost;
}

static bool is_first_to(const struct trials *t, unsigned i)
{
	for (unsigned j = 0; j < i; j++) {
		if (t->trial[j].delta->dst == t->trial[i].delta->dst)
			return false;
	}
	return true;
}

static void try_rows(struct trials *t)
{
	struct probe_stream stream[TRIAL_LINKS_MAX];
	struct trial_udp before[TRIAL_LINKS_MAX];
	struct stream_frame *frame = t->frame;
	uint64_t lost_before = machine_lost(t->f), lost;

	for (unsigned i = 0; i < t->trials; i++) {
		struct trial *x = &t->trial[i];

		read_udp(t->f, x->delta->dst, &before[i]);
		count(t->f, x, &x->before);
		x->number = next_number(t->f, x->delta);
		x->stream.frame = frame;
		frame += x->stream.frames;
		stream[i] = x->stream;
	}
	probe_streams(t->f, stream, t->trials, limit_ns(t), EVIDENCE_SLACK_NS);
	lost = machine_lost(t->f);
	lost = lost > lost_before ? lost - lost_before : 0;
	for (unsigned i = 0; i < t->trials; i++)
		t->trial[i].stream = stream[i];
	for (unsigned i = 0; i < t->trials; i++) {
		struct trial *x = &t->trial[i];
		struct trial_udp udp;

		count(t->f, x, &x->after);
		read_udp(t->f, x->delta->dst, &udp);
		udp.bad -= before[i].bad;
		udp.full -= before[i].full;
		x->lost = lost + udp.full;
		trial_judge(&t->court, x);
		if (is_first_to(t, i))
			trial_judge_udp(&t->court, t->trial, t->trials, x->delta->dst, &udp);
	}
}

/* One after the other: together they would wait for each other in this process. */
static void try_trains(struct trials *t)
{
	unsigned step = 1 + (t->trials - 1) / TRAIN_LINKS_MAX;

	for (unsigned i = 0; i < t->trials; i += step) {
		const struct fabric_delta *delta = t->trial[i].delta;
		struct trial x = {.delta = delta,
			.stream = {.src = delta->src, .dst = delta->dst, .frame = t->frame}};

		if (delta->to.flap_up_ns || delta->to.rate_bps == delta->from.rate_bps ||
			!plan_train(t, &x.stream, delta->to.rate_bps ? &delta->to : &delta->from))
			continue;
		set_times(&x.stream, &delta->to);
		count(t->f, &x, &x.before);
		probe_streams(t->f, &x.stream, 1, limit_ns(t), EVIDENCE_SLACK_NS);
		count(t->f, &x, &x.after);
		trial_judge_train(&t->court, &x);
	}
}

/* Three quarters of the time that is left; the rest is for what is under way. */
static uint64_t row_ns(uint64_t end_ns)
{
	uint64_t now = clock_now_ns(), left_ns = end_ns > now ? end_ns - now : 0;

	return left_ns / 4 * 3 < TRIAL_NS_MAX ? left_ns / 4 * 3 : TRIAL_NS_MAX;
}

/* Again, until it is right, or sure, or there is no time for one more. */
static void try_all(struct trials *t)
{
	for (int i = 0; i < EVIDENCE_TRIES; i++) {
		uint64_t began = clock_now_ns(), now;

		*t->court.ret = (struct evidence){.result = EVIDENCE_CONFIRMED};
		t->court.noisy = false;
		try_rows(t);
		try_trains(t);
		now = clock_now_ns();
		if (t->court.sure || (t->court.ret->result != EVIDENCE_MISMATCH && !t->court.noisy))
			return;
		if (now + (now - began) <= t->end_ns || i == EVIDENCE_TRIES - 1)
			continue;
		if (t->court.ret->result == EVIDENCE_MISMATCH)
			t->court.ret->result = EVIDENCE_INCONCLUSIVE;
		return;
	}
}

int evidence_trials(struct fabric *f, const struct fabric_delta *const *delta, unsigned deltas,
	uint64_t end_ns, struct evidence *ret, char seen[EVIDENCE_SEEN_MAX])
{
	struct trials *t = calloc(1, sizeof *t);
	struct evidence found = {.result = EVIDENCE_CONFIRMED};
	int code = -ENOMEM;

	seen[0] = 0;
	if (!t)
		return code;
	t->f = f;
	t->end_ns = end_ns;
	t->row_ns = row_ns(end_ns);
	t->court = (struct trial_court){.f = f, .ret = &found, .seen = seen};
	if (!deltas)
		code = 0;
	else if (t->row_ns < TRIAL_NS_MIN) {
		code = 0;
		evidence_find(&found, EVIDENCE_INCONCLUSIVE,
			"there was no time to try what chance or a rate does");
	} else {
		code = plan(t, delta, deltas);
		if (!code)
			try_all(t);
	}
	if (found.result != EVIDENCE_CONFIRMED)
		evidence_find(ret, found.result, "%s", found.why);
	free(t->frame);
	free(t->court.row);
	free(t);
	return code;
}
