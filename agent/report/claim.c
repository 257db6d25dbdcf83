/* SPDX-License-Identifier: MIT */
/*
 * claim.c - was kept what the protocol claims?
 *
 * A protocol declares its claim (struct proto_claim) and is held to exactly that: a store that
 * claims to be eventual breaks nothing by a stale answer. Each point of the claim is judged where
 * the run could show it and passed over where it could not.
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/check/models.h"
#include "agent/lab/real.h"
#include "agent/report/parts.h"

/* Points are judged one after the other; the worst of them is the judgement, with its words. */
struct point {
	enum claim_judgement judgement;
	char words[128];
};

static void point_fail(struct point *worst, enum claim_judgement judgement, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void point_fail(struct point *worst, enum claim_judgement judgement, const char *fmt, ...)
{
	va_list args;

	if (judgement <= worst->judgement)
		return;
	worst->judgement = judgement;
	va_start(args, fmt);
	(void)vsnprintf(worst->words, sizeof worst->words, fmt, args);
	va_end(args);
}

static void judge_model(
	struct point *worst, const struct check_result *check, const char *model, const char *when)
{
	if (check->verdict == CHECK_VIOLATION)
		point_fail(worst, CLAIM_DISPROVED, "not %s when %s", model, when);
	else if (check->verdict != CHECK_OK)
		point_fail(worst, CLAIM_OPEN, "%s when %s is undecided", model, when);
}

/*
 * Nothing is claimed of several keys at once, unless the checked model of such objects says so; nor
 * of objects that the store does not have, which clients make of its registers.
 */
static void judge_models(
	struct point *worst, const struct results *r, const struct proto_claim *claim)
{
	if (r->foreign)
		return;
	if (r->letters && claim->whole == PROTO_LINEARIZABLE)
		judge_model(worst, &r->check_whole, linearizable_ops.name, "whole");
	if (r->letters && claim->cut == PROTO_LINEARIZABLE)
		judge_model(worst, &r->check, linearizable_ops.name, "cut");
	if (r->claimed_whole.model && claim->whole != PROTO_EVENTUAL)
		judge_model(worst, &r->claimed_whole.check, r->claimed_whole.model, "whole");
	if (r->claimed_cut.model && claim->cut != PROTO_EVENTUAL)
		judge_model(worst, &r->claimed_cut.check, r->claimed_cut.model, "cut");
}

/* What is acknowledged of a set or a counter is there at the end, whatever the order was; and on
 * disk. */
static void judge_end(struct point *worst, const struct results *r)
{
	const struct results_claimed *end = &r->claimed_end;

	if (!end->model || r->plan->fsync != WAL_SYNC_ALWAYS || !claim_could_agree(r))
		return;
	if (end->check.verdict == CHECK_VIOLATION)
		point_fail(worst, CLAIM_DISPROVED, "at the end it is not what was acknowledged");
	else if (end->check.verdict != CHECK_OK)
		point_fail(worst, CLAIM_OPEN, "what is there at the end is undecided");
}

static int leader_side(const struct results *r, unsigned phase)
{
	uint64_t cut_ns = availability_from_ns(r->log, phase);
	int leader = -1;

	for (unsigned i = 0; i < r->log->leaders && r->log->leader[i].t_ns <= cut_ns; i++)
		leader = r->log->leader[i].leader;
	return leader < 0 ? -1 : r->plan->phase[phase].side_of[leader];
}

/*
 * Requests of one kind on one side, as the replicas saw them: a read that a client never sent since
 * a write before it hung says of writes that they hang, and of reads nothing.
 */
struct asked {
	const char *what;
	enum proto_sides claim;
	bool notices;
	uint64_t attempts;
	uint64_t ok;
};

/*
 * A majority or a leader needs time to notice the cut, so it has to answer at all; a side that
 * claims to answer without the others has no such excuse, unless its file says so.
 */
static void judge_side(struct point *worst, const struct results *r, unsigned phase, unsigned side,
	const struct asked *a)
{
	const char *name = r->plan->phase[phase].side[side].name;

	if (a->attempts < RESULTS_SAMPLES_MIN)
		return;
	switch (a->claim) {
	case PROTO_SIDES_ALL:
		if (a->notices ? a->ok == 0 : !availability_answered(a->ok, a->attempts))
			point_fail(worst, CLAIM_FAILED, "%s answered %llu of %llu %s", name,
				(unsigned long long)a->ok, (unsigned long long)a->attempts,
				a->what);
		break;
	case PROTO_SIDES_MAJORITY:
		if ((int)side == availability_majority(r->plan, phase) && a->ok == 0)
			point_fail(worst, CLAIM_FAILED, "%s, with a majority, answered no %s", name,
				a->what);
		break;
	case PROTO_SIDES_LEADER:
		if ((int)side == leader_side(r, phase) && a->ok == 0)
			point_fail(worst, CLAIM_FAILED, "%s, with the leader, answered no %s", name,
				a->what);
		break;
	case PROTO_SIDES_NONE:
	case PROTO_SIDES_NR:
		break;
	}
}

/*
 * A session that has seen more on another side cannot be served on this one: that all sides answer
 * is claimed to sessions that stay (P. Bailis et al., "Highly Available Transactions", VLDB 2014:
 * sticky availability).
 */
static enum proto_sides sides_asked(
	const struct results *r, const struct proto_claim *claim, enum proto_sides sides)
{
	bool roam = claim->sessions && r->plan->load.roam > 0;

	return sides == PROTO_SIDES_ALL && roam ? PROTO_SIDES_NONE : sides;
}

/* How long links had been cut when phase @phase ended. */
static double cut_seconds(const struct results *r, unsigned phase)
{
	double seconds = 0;

	for (unsigned p = 0; p <= phase; p++)
		seconds = r->plan->phase[p].cut ? seconds + r->phase[p].seconds : 0;
	return seconds;
}

static void judge_sides(
	struct point *worst, const struct results *r, const struct proto_claim *claim)
{
	bool notices = r->plan->real && r->plan->real->notices;

	for (unsigned p = 0; p < r->log->phases; p++) {
		enum proto_sides reads_claim = claim->reads_cut;

		if (!availability_counted(r, p))
			continue;
		/* A cut that goes on longer is one from its first phase on. */
		if (claim->reads_cut_ns && cut_seconds(r, p) > units_s(claim->reads_cut_ns))
			reads_claim = PROTO_SIDES_LEADER;
		for (unsigned s = 0; s < r->plan->phase[p].sides; s++) {
			const struct results_side *side = &r->phase[p].side[s];
			struct asked reads = {"reads", sides_asked(r, claim, reads_claim), notices,
				side->reads - side->reads_late, side->reads_ok};
			struct asked writes = {"writes", sides_asked(r, claim, claim->writes_cut),
				notices, side->writes - side->writes_late, side->writes_ok};

			if (r->plan->phase[p].side[s].replicas == 0)
				continue;
			judge_side(worst, r, p, s, &reads);
			judge_side(worst, r, p, s, &writes);
		}
	}
}

/* Whether every link worked until the first cut: none lost anything, nobody was down. */
static bool was_whole(const struct results *r)
{
	unsigned phases = r->cut_phase < 0 ? r->log->phases : (unsigned)r->cut_phase;

	for (unsigned p = 0; p < phases; p++) {
		const struct link_matrix *m = &r->plan->phase[p].matrix;

		if (r->plan->phase[p].events > 0)
			return false;
		for (size_t i = 0; i < (size_t)m->nodes * m->nodes; i++)
			if (m->link[i].loss || m->link[i].flap_up_ns)
				return false;
	}
	return phases > 0;
}

/* How old reads may be, and what messages take besides: heartbeats are longer than round trips. */
static void judge_age(struct point *worst, const struct results *r, const struct proto_claim *claim)
{
	uint64_t way_ns = 2 * r->plan->proto.heartbeat_ns;

	if (claim->stale_cut_ns && r->oldest_ns > claim->stale_cut_ns + way_ns)
		point_fail(worst, CLAIM_FAILED, "a read saw what was replaced %.2f s before",
			units_s(r->oldest_ns));
	if (claim->stale_ns && was_whole(r) && r->oldest_whole_ns > claim->stale_ns + way_ns)
		point_fail(worst, CLAIM_FAILED,
			"a read saw what was replaced %.2f s before, while whole",
			units_s(r->oldest_whole_ns));
}

static void judge_cas(struct point *worst, const struct results *r)
{
	uint64_t cas = 0;
	uint64_t ok = 0;

	for (unsigned p = 0; p < r->log->phases; p++) {
		if (r->plan->phase[p].cut)
			continue;
		cas += r->phase[p].cas;
		ok += r->phase[p].cas_ok;
	}
	if (cas >= RESULTS_SAMPLES_MIN && ok == 0)
		point_fail(worst, CLAIM_FAILED, "none of %llu CAS was answered",
			(unsigned long long)cas);
}

void claim_words(char *out, size_t size, const struct proto_claim *claim)
{
	static const char *const sides[] = {
		[PROTO_SIDES_MAJORITY] = "the majority's side",
		[PROTO_SIDES_ALL] = "every side",
		[PROTO_SIDES_LEADER] = "the leader's side",
		[PROTO_SIDES_NONE] = "no side",
	};

	_Static_assert(sizeof sides / sizeof *sides == PROTO_SIDES_NR, "a name for each");
	words_add(out, size, "%s", proto_model_names[claim->whole]);
	if (claim->cut == claim->whole)
		words_add(out, size, ", also when cut");
	else
		words_add(out, size, ", %s when cut", proto_model_names[claim->cut]);
	if (claim->needs_clocks)
		words_add(out, size, ", while clocks run alike");
	if (claim->needs_wall)
		words_add(out, size, ", while wall clocks agree");
	if (claim->reads_cut == claim->writes_cut)
		words_add(out, size, "; then %s answers", sides[claim->reads_cut]);
	else
		words_add(out, size, "; then %s answers reads, %s writes", sides[claim->reads_cut],
			sides[claim->writes_cut]);
	if (claim->sessions &&
		(claim->reads_cut == PROTO_SIDES_ALL || claim->writes_cut == PROTO_SIDES_ALL))
		words_add(out, size, ", while sessions stay there");
	if (claim->stale_ns)
		words_add(out, size, "; reads are at most %.3g s old", units_s(claim->stale_ns));
	if (claim->stale_cut_ns)
		words_add(out, size, ", when cut %.3g s", units_s(claim->stale_cut_ns));
	words_add(out, size,
		!claim->loses_acked ? "; loses no acknowledged write"
		: claim->merges     ? "; may lose acknowledged writes, but not what merges"
				    : "; may lose acknowledged writes");
}

/* Another may then lead who lacks what was acknowledged, and the one that led does not know it. */
static bool led_by_force(const struct results *r)
{
	const char *promote = plan_event_names[PLAN_PROMOTE];

	for (unsigned i = 0; i < r->log->faults; i++) {
		const struct run_fault *f = &r->log->fault[i];

		if (strcmp(f->kind, promote) == 0 && r->plan->phase[f->phase].cut)
			return true;
	}
	return false;
}

static bool clocks_differed(const struct results *r)
{
	for (unsigned i = 0; i < r->log->faults; i++) {
		if (r->log->fault[i].skew_ns != 0)
			return true;
	}
	return false;
}

/* What is left of it where the lab did what it supposes not to happen. Return: why, NULL: all. */
static const char *claim_reduce(const struct results *r, struct proto_claim *claim)
{
	const char *why = NULL;

	if (claim->unforced && led_by_force(r)) {
		why = "kept, until an operator had another lead by force: ";
	} else if (claim->needs_wall && clocks_differed(r)) {
		why = "kept, and void while clocks differ: ";
		claim->whole = PROTO_EVENTUAL;
	}
	if (why) {
		claim->cut = PROTO_EVENTUAL;
		claim->loses_acked = true;
	}
	return why;
}

enum claim_judgement claim_judge(struct results *r)
{
	const struct plan *plan = r->plan;
	bool apart = plan->real && plan->real->apart;
	bool notices = plan->real && plan->real->notices;
	struct point worst = {.judgement = CLAIM_KEPT};
	struct proto_claim claim;
	struct proto_claim judged;
	const char *reduced;

	plan->system->ops->claim(&plan->proto, &claim);
	/* What is acknowledged before it is on disk can be lost with the machine. */
	claim.loses_acked = claim.loses_acked || plan->fsync != WAL_SYNC_ALWAYS;
	judged = claim;
	reduced = claim_reduce(r, &judged);
	judge_models(&worst, r, &judged);
	if (!judged.loses_acked || claim.loses_acked)
		judge_end(&worst, r);
	if (!judged.loses_acked && r->lost.lost > 0 && !r->foreign)
		point_fail(&worst, CLAIM_DISPROVED, "acknowledged writes are lost: %llu",
			(unsigned long long)r->lost.lost);
	if (r->lost.diverged_keys > 0 && claim_could_agree(r) && !r->foreign && !apart)
		point_fail(&worst, CLAIM_FAILED, "replicas still differ in %llu keys at the end",
			(unsigned long long)r->lost.diverged_keys);
	if (claim.cas)
		judge_cas(&worst, r);
	judge_sides(&worst, r, &claim);
	judge_age(&worst, r, &claim);
	r->claim_kept = worst.judgement == CLAIM_KEPT;
	r->claim[0] = '\0';
	if (worst.judgement == CLAIM_KEPT)
		words_add(r->claim, sizeof r->claim, "%s",
			reduced      ? reduced
			: r->foreign ? "kept, of what it has; such objects it has not: "
			: r->letters ? "kept: "
				     : "kept, of single keys; more is not claimed: ");
	else
		words_add(r->claim, sizeof r->claim,
			"%s: %s; claimed: ", worst.judgement == CLAIM_OPEN ? "open" : "broken",
			worst.words);
	claim_words(r->claim, sizeof r->claim, &claim);
	if (apart)
		words_add(r->claim, sizeof r->claim, "; its nodes may differ for good");
	if (notices)
		words_add(r->claim, sizeof r->claim, "; a cut it has to notice first");
	return worst.judgement;
}
