/* SPDX-License-Identifier: MIT */
/* evidence_priv.h - what the files that gather evidence know of each other */
#ifndef NETNS_EVIDENCE_PRIV_H
#define NETNS_EVIDENCE_PRIV_H

#include "agent/base/clock.h"
#include "netns/evidence_stats.h"
#include "netns/fabric_priv.h"
#include "netns/probe_stream.h"

/* An RTT or a quantile agrees within the larger of these, and the emulator's own bias. */
#define EVIDENCE_TOLERANCE_NS (200 * NS_PER_US)
#define EVIDENCE_TOLERANCE_SHARE 20 /* one twentieth: 5 % */

/* An early frame is a wrong one, but the clocks of stamp and sender are read apart. */
#define EVIDENCE_EARLY_NS (20 * NS_PER_US)

#define EVIDENCE_TRIES 3
#define EVIDENCE_SLACK_NS (200 * NS_PER_MS) /* after the last probe is due, if one is missing */

/* evidence_find() - the worst that was found stays: mismatch over inconclusive over confirmed. */
void __attribute__((format(printf, 3, 4)))
evidence_find(struct evidence *ret, enum evidence_result result, const char *fmt, ...);

/* evidence_in_force() - or did a later change have other plans for this link? */
bool evidence_in_force(const struct fabric *f, const struct fabric_delta *delta);

/* evidence_state.c: read back what the kernel and the emulator have. */
int evidence_read_state(struct fabric *f, const struct fabric_change *change, struct evidence *ret,
	struct err *err);

/* evidence_tolerance_ns() - how late a frame may be that should be under way for @delay_ns. */
uint64_t evidence_tolerance_ns(const struct fabric *f, uint64_t delay_ns);

/* evidence_burst() - bytes that the emulator lets pass at once where there is a rate. */
uint32_t evidence_burst(const struct fabric *f, const struct link_state *s);

/* evidence_chancy() - may a frame of a link in this state be missing and all is well? */
bool evidence_chancy(const struct link_state *s);

/* evidence_down() - does one of the ends have no carrier? */
bool evidence_down(const struct fabric *f, unsigned src, unsigned dst);

/*
 * evidence_trial.c: rows of frames over a link that has, or had, a fault for which a few probes are
 * not enough.
 */
bool evidence_trial_wanted(const struct fabric *f, const struct fabric_delta *delta);

/**
 * evidence_trials() - send rows over these links and judge what became of them
 * @delta:	links that want it; of many, some at even distances are tried
 * @end_ns:	as for evidence_gather(), UINT64_MAX for none; no time for a row is inconclusive
 * @seen:	what the first of them showed, for people; "" if nothing
 * A try takes a bit more than a second at most, and the time that the frames are under way.
 *
 * Return: 0 or -ENOMEM.
 */
#define EVIDENCE_SEEN_MAX 96
int evidence_trials(struct fabric *f, const struct fabric_delta *const *delta, unsigned deltas,
	uint64_t end_ns, struct evidence *ret, char seen[EVIDENCE_SEEN_MAX]);

/* UDP of one node: datagrams with a wrong checksum, and those that a socket had no room for. */
struct trial_udp {
	uint64_t bad;
	uint64_t full;
};

#define TRIAL_NUMBER_UNKNOWN UINT64_MAX

/**
 * struct trial - a row over one link
 * @number:	of its first frame among the probes that the matrix program numbered
 * @lost:	by this machine while the row was under way, on whatever link: a socket or a
 *		processor's queue was full
 * @before: @after:	counters around the row
 */
struct trial {
	const struct fabric_delta *delta;
	struct probe_stream stream;
	uint64_t number;
	uint64_t lost;
	struct fabric_counters before;
	struct fabric_counters after;
};

/*
 * evidence_judge.c: what became of rows.
 * @row:	room for the longest
 * @sure:	something was seen that no busy machine can do, such as a frame that is early
 * @noisy:	this machine was too busy to tell
 */
struct trial_court {
	struct fabric *f;
	struct stats_frame *row;
	struct evidence *ret;
	char *seen;
	bool sure;
	bool noisy;
};

void trial_judge(struct trial_court *c, const struct trial *x);

/* trial_judge_train() - a row back to back: was it as long as the rate makes it? */
void trial_judge_train(struct trial_court *c, const struct trial *x);

/* trial_judge_udp() - of all rows to node @dst: were corrupted frames seen by checksums? */
void trial_judge_udp(struct trial_court *c, const struct trial *x, unsigned trials, unsigned dst,
	const struct trial_udp *udp);

#endif
