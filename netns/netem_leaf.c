/* SPDX-License-Identifier: MIT */
/*
 * netem_leaf.c - a link's state in the attributes of netem and tbf, and back
 *
 * Facts of the kernel (net/sched/sch_netem.c, sch_tbf.c):
 *
 * - Jitter alone reorders: netem sorts by due time. With a rate a frame is due no earlier than the
 *   one before it, so an unreachable rate keeps the order.
 * - Reordering is one frame out of every "gap", with a probability; those go to the head at once.
 * - Correlations and probabilities are fractions of 2^32. A new correlation starts its chain anew.
 * - The standard deviation of a delay is kept in 32 bits with a sign: 2.1 s at the most.
 * - Corruption completes the checksum first, so that the receiver sees it.
 * - tbf drops what is longer than its burst and sends as much at once: one frame, or what the rate
 *   sends in a quarter of a millisecond, so that late timers cost no throughput.
 */
#include "netns/netem_leaf.h"

#include <assert.h>
#include <linux/pkt_sched.h>
#include <stddef.h>
#include <string.h>

#include "agent/base/clock.h"
#include "netns/dist.h"
#include "netns/qdisc.h"

#define FRAME_BYTES 1600u /* MTU 1500 and its headers, rounded up */
#define FRAME_BYTES_MIN 60u
#define BURST_NS (250 * NS_PER_US)

/* Frames per second that a delayed link without a rate must be able to hold. */
#define FRAMES_PER_S 1000000ull
#define LIMIT_MIN 10000ull

/* Handles of our leaves, by round and source; the kernel's own are 8000: and above. */
#define HANDLE(round, src) ((0x1000u + 0x1000u * (round) + (src)) << 16)
#define HANDLE_MASK 0x0fff0000u

/* Not in the headers of Linux 6.1; older kernels pass over it. */
#define NETEM_PRNG_SEED 14

static uint32_t fraction(uint32_t ppm)
{
	return ppm >= PPM_ONE ? UINT32_MAX : (uint32_t)(((uint64_t)ppm << 32) / PPM_ONE);
}

static uint32_t ppm(uint32_t of)
{
	return (uint32_t)(((uint64_t)of * PPM_ONE + (1ull << 31)) >> 32);
}

static uint64_t times(uint64_t per_s, uint64_t ns)
{
	return (uint64_t)((__uint128_t)per_s * ns / NS_PER_S);
}

uint32_t netem_leaf_limit(const struct link_state *state)
{
	struct link_state free = *state;
	uint64_t frames, per_s = FRAMES_PER_S;

	free.rate_bps = 0;
	if (state->rate_bps && state->rate_bps / 8 / FRAME_BYTES_MIN < per_s)
		per_s = state->rate_bps / 8 / FRAME_BYTES_MIN + 1;
	frames = times(per_s, link_state_delay_max_ns(&free));
	/* What waits in the tbf counts, too, and what it has just dropped needed room as well. */
	if (state->rate_bps)
		frames += 2 * link_state_queue(state) / FRAME_BYTES_MIN;
	if (frames < LIMIT_MIN)
		frames = LIMIT_MIN;
	return (uint32_t)(frames < NETEM_LEAF_LIMIT_MAX ? frames : NETEM_LEAF_LIMIT_MAX);
}

bool netem_leaf_fits(const struct link_state *state)
{
	struct link_state free = *state;
	uint64_t bytes;

	if (!state->rate_bps)
		return true;
	free.rate_bps = 0;
	bytes = times(state->rate_bps / 8, link_state_delay_max_ns(&free));
	return (bytes + link_state_queue(state)) / FRAME_BYTES <= NETEM_LEAF_LIMIT_MAX;
}

static void put_chances(struct nlmsghdr *nlh, const struct link_state *state)
{
	const struct tc_netem_corr corr = {.delay_corr = fraction(state->correlation_ppm)};
	const struct tc_netem_reorder reorder = {.probability = fraction(state->reorder_ppm)};
	const struct tc_netem_corrupt corrupt = {.probability = fraction(state->corrupt_ppm)};

	/* All are said always: a change leaves alone what is not. */
	mnl_attr_put(nlh, TCA_NETEM_CORR, sizeof corr, &corr);
	mnl_attr_put(nlh, TCA_NETEM_REORDER, sizeof reorder, &reorder);
	mnl_attr_put(nlh, TCA_NETEM_CORRUPT, sizeof corrupt, &corrupt);
}

static int scale(const struct link_state *state, int16_t table[DIST_POINTS],
	uint64_t *ret_latency_ns, uint64_t *ret_jitter_ns)
{
	return dist_to_netem(state->dist, state->delay_ns, state->jitter_ns, table, ret_latency_ns,
		ret_jitter_ns);
}

int netem_leaf_scale(const struct link_state *state, bool table, uint64_t *ret_latency_ns,
	uint64_t *ret_jitter_ns)
{
	int16_t ignored[DIST_POINTS];

	*ret_latency_ns = state->delay_ns;
	*ret_jitter_ns = state->jitter_ns;
	return table ? scale(state, ignored, ret_latency_ns, ret_jitter_ns) : 0;
}

/* Without a table netem's jitter is uniform. */
static void put_delay(struct nlmsghdr *nlh, const struct link_state *state, bool had_table)
{
	uint64_t latency_ns = state->delay_ns, jitter_ns = state->jitter_ns;
	bool tabled = state->dist != DIST_UNIFORM || had_table;
	int16_t table[DIST_POINTS];
	struct tc_netem_rate rate = {0};
	int code = tabled ? scale(state, table, &latency_ns, &jitter_ns) : 0;

	assert(!code); /* refused before */
	mnl_attr_put_u64(nlh, TCA_NETEM_LATENCY64, latency_ns);
	mnl_attr_put_u64(nlh, TCA_NETEM_JITTER64, jitter_ns);
	if (tabled && jitter_ns)
		mnl_attr_put(nlh, TCA_NETEM_DELAY_DIST, sizeof table, table);
	rate.rate = jitter_ns ? UINT32_MAX : 0;
	mnl_attr_put(nlh, TCA_NETEM_RATE, sizeof rate, &rate);
	if (jitter_ns)
		mnl_attr_put_u64(nlh, TCA_NETEM_RATE64, QDISC_UNLIMITED_BYTES_PER_S);
}

/* The attributes of netem follow its struct inside the same TCA_OPTIONS. */
static void put_netem(
	struct nlmsghdr *nlh, const struct link_state *state, bool had_table, uint64_t seed)
{
	const struct tc_netem_qopt opt = {
		.limit = netem_leaf_limit(state), .gap = state->reorder_ppm ? 1 : 0};
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	memcpy(mnl_nlmsg_get_payload_tail(nlh), &opt, sizeof opt);
	nlh->nlmsg_len += MNL_ALIGN(sizeof opt);
	put_delay(nlh, state, had_table);
	put_chances(nlh, state);
	if (seed)
		mnl_attr_put_u64(nlh, NETEM_PRNG_SEED, seed);
	mnl_attr_nest_end(nlh, options);
}

static void put_tbf(
	struct nlbatch *b, const struct netem_leaf *leaf, const struct link_state *state)
{
	const struct tcmsg header = {
		.tcm_ifindex = leaf->ifindex, .tcm_parent = HANDLE(leaf->round, leaf->src) | 1};
	const uint64_t bytes_per_s = state->rate_bps / 8;
	const uint64_t share = times(bytes_per_s, BURST_NS);
	const uint32_t burst = share > FRAME_BYTES ? (uint32_t)share : FRAME_BYTES;
	struct tc_tbf_qopt opt = {.limit = link_state_queue(state)};
	struct nlmsghdr *nlh =
		qdisc_begin(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, "tbf");
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	opt.rate.rate = bytes_per_s < UINT32_MAX ? (uint32_t)bytes_per_s : UINT32_MAX;
	opt.rate.linklayer = TC_LINKLAYER_ETHERNET;
	mnl_attr_put(nlh, TCA_TBF_PARMS, sizeof opt, &opt);
	if (bytes_per_s >= UINT32_MAX)
		mnl_attr_put_u64(nlh, TCA_TBF_RATE64, bytes_per_s);
	mnl_attr_put_u32(nlh, TCA_TBF_BURST, burst);
	mnl_attr_nest_end(nlh, options);
	nlbatch_end(b, nlh);
}

void netem_leaf_put(
	struct nlbatch *b, const struct netem_leaf *leaf, const struct link_state *state)
{
	const struct tcmsg header = {.tcm_ifindex = leaf->ifindex,
		.tcm_parent = QDISC_CLASS(leaf->src),
		.tcm_handle = HANDLE(leaf->round, leaf->src)};
	struct nlmsghdr *nlh =
		qdisc_begin(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, "netem");

	put_netem(nlh, state, leaf->had_table, leaf->seed);
	nlbatch_end(b, nlh);
	if (state->rate_bps) {
		put_tbf(b, leaf, state);
	} else if (leaf->had_rate) {
		const struct tcmsg child = {.tcm_ifindex = leaf->ifindex,
			.tcm_parent = HANDLE(leaf->round, leaf->src) | 1};

		nlbatch_end(b, qdisc_begin(b, RTM_DELQDISC, 0, &child, NULL));
	}
}

void netem_leaf_root(struct nlbatch *b, int ifindex)
{
	const struct tcmsg header = {.tcm_ifindex = ifindex, .tcm_parent = TC_H_ROOT};
	const struct link_state state = {0};
	struct nlmsghdr *nlh =
		qdisc_begin(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, "netem");

	put_netem(nlh, &state, false, 0);
	nlbatch_end(b, nlh);
}

/* One attribute of netem; what is shorter than it should be is passed over. */
static void read_attr(const struct nlattr *attr, struct link_state *ret)
{
	const void *p = mnl_attr_get_payload(attr);
	const size_t len = mnl_attr_get_payload_len(attr);
	struct tc_netem_corr corr;
	struct tc_netem_reorder reorder;
	struct tc_netem_corrupt corrupt;

	switch (mnl_attr_get_type(attr)) {
	case TCA_NETEM_LATENCY64:
		if (len == sizeof ret->delay_ns)
			memcpy(&ret->delay_ns, p, len);
		break;
	case TCA_NETEM_JITTER64:
		if (len == sizeof ret->jitter_ns)
			memcpy(&ret->jitter_ns, p, len);
		break;
	case TCA_NETEM_CORR:
		if (len < sizeof corr)
			break;
		memcpy(&corr, p, sizeof corr);
		ret->correlation_ppm = ppm(corr.delay_corr);
		break;
	case TCA_NETEM_REORDER:
		if (len < sizeof reorder)
			break;
		memcpy(&reorder, p, sizeof reorder);
		ret->reorder_ppm = ppm(reorder.probability);
		break;
	case TCA_NETEM_CORRUPT:
		if (len < sizeof corrupt)
			break;
		memcpy(&corrupt, p, sizeof corrupt);
		ret->corrupt_ppm = ppm(corrupt.probability);
		break;
	default:
		break;
	}
}

/* The attributes between two addresses; libmnl's own loop does not compile silently. */
#define for_each_attr(attr, from, end) \
	for ((attr) = (const void *)(from); \
		mnl_attr_ok(attr, (int)((const uint8_t *)(end) - (const uint8_t *)(attr))); \
		(attr) = mnl_attr_next(attr))

void netem_leaf_read(const struct nlattr *options, struct link_state *ret)
{
	const uint8_t *p = mnl_attr_get_payload(options);
	const size_t len = mnl_attr_get_payload_len(options);
	const size_t header = MNL_ALIGN(sizeof(struct tc_netem_qopt));
	const struct nlattr *attr;

	if (len <= header)
		return;
	for_each_attr(attr, p + header, p + len) read_attr(attr, ret);
}

void netem_leaf_read_tbf(const struct nlattr *options, struct link_state *ret)
{
	const uint8_t *p = mnl_attr_get_payload(options);
	struct tc_tbf_qopt opt = {0};
	uint64_t bytes_per_s = 0;
	const struct nlattr *attr;

	for_each_attr(attr, p, p + mnl_attr_get_payload_len(options))
	{
		const size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == TCA_TBF_PARMS && len >= sizeof opt)
			memcpy(&opt, mnl_attr_get_payload(attr), sizeof opt);
		if (mnl_attr_get_type(attr) == TCA_TBF_RATE64 && len == sizeof bytes_per_s)
			memcpy(&bytes_per_s, mnl_attr_get_payload(attr), sizeof bytes_per_s);
	}
	ret->rate_bps = 8 * (bytes_per_s ? bytes_per_s : opt.rate.rate);
	ret->queue_bytes = opt.limit;
}

int netem_leaf_source(uint32_t parent)
{
	const uint32_t round = parent >> 28;

	if ((round != 1 && round != 2) || (parent & 0xffff) != 1)
		return -1;
	return (int)((parent & HANDLE_MASK) >> 16);
}
