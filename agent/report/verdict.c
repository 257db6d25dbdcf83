/* SPDX-License-Identifier: MIT */
/*
 * verdict.c - CAP and PACELC letters by measurement, and the words that go with them
 *
 * P, when the network is cut. The C of CAP is linearizability and its A is that every request which
 * a living node receives is answered (Gilbert and Lynch, "Brewer's conjecture and the feasibility
 * of consistent, available, partition-tolerant web services", 2002; Kleppmann, "A critique of the
 * CAP theorem", 2015). Both are asked of the same run:
 *
 *     PC   no answer in the whole history contradicts linearizability
 *     PA   every side answered at least 99 % of its requests; one that hung until the phase was
 *          over and then failed was not answered
 *     P-   neither: some side was refused, and answers were wrong all the same (Kleppmann 2015:
 *          "neither CP nor AP")
 *
 * Both at once is what the theorem excludes. If it is measured, the load did not ask the question
 * (no key was written on one side and read on the other), and the run is inconclusive. Partitions
 * are rare and a store may choose for each operation (Brewer, "CAP twelve years later", 2012): the
 * letters are those of this store with these settings under this load, no more.
 *
 * E, else. Latency or consistency while the network is whole (Abadi, "Consistency tradeoffs in
 * modern distributed database system design", 2012):
 *
 *     EC   linearizable before the first cut
 *     EL   reads and writes pay no round trip: fitted b < 0.1 for both
 *     EC+EL, E-   a store can be both (one copy, next to its clients) or neither
 *
 * A tainted run has no letters: what it measured may be the machine's. What its history proves
 * stands all the same, and is told as a claim that was broken.
 *
 * Only confirmed cuts that put replicas on at least two sides count, and only sides with replicas:
 * nobody could have answered the clients of a side without one.
 */
#include <math.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/report/parts.h"

/* Fewer round trips than this per operation are none. */
#define ROUND_TRIPS_NONE 0.1
#define COUNT_TEXT_MAX 32

/* What all cuts that count said together. */
struct cut_view {
	unsigned counted;     /* phases */
	unsigned unconfirmed; /* phases that do not count for want of evidence */
	int first;            /* phase that counts, for the words */
	bool all_answered;
	bool too_few;
	char thin[PLAN_SIDE_NAME_MAX + 64]; /* side with too few attempts */
};

static void view_side(struct cut_view *v, const struct results *r, unsigned phase, unsigned side)
{
	const struct plan_side *plan = &r->plan->phase[phase].side[side];
	const struct results_side *s = &r->phase[phase].side[side];

	if (plan->replicas == 0)
		return;
	if (s->attempts < RESULTS_SAMPLES_MIN && !v->too_few) {
		v->too_few = true;
		(void)snprintf(v->thin, sizeof v->thin, "side %s had %llu attempts in phase %s",
			plan->name, (unsigned long long)s->attempts, r->plan->phase[phase].name);
	}
	if (!availability_answered(s->ok, s->attempts + s->hung))
		v->all_answered = false;
}

static struct cut_view view_cuts(const struct results *r)
{
	struct cut_view v = {.first = -1, .all_answered = true};

	for (unsigned p = 0; p < r->log->phases; p++) {
		if (!r->plan->phase[p].cut)
			continue;
		v.unconfirmed += !r->phase[p].confirmed;
		if (!availability_counted(r, p))
			continue;
		if (v.counted++ == 0)
			v.first = (int)p;
		for (unsigned s = 0; s < r->plan->phase[p].sides; s++)
			view_side(&v, r, p, s);
	}
	return v;
}

static enum results_cap cap_letters(const struct results *r, const struct cut_view *v)
{
	if (r->tainted || !r->letters || v->counted == 0 || v->too_few)
		return CAP_INCONCLUSIVE;
	if (v->all_answered)
		return r->check.verdict == CHECK_OK ? CAP_INCONCLUSIVE : CAP_PA;
	switch (r->check.verdict) {
	case CHECK_OK:
		return CAP_PC;
	case CHECK_VIOLATION:
		return CAP_NEITHER;
	case CHECK_UNKNOWN:
	case CHECK_VERDICT_NR:
		break;
	}
	return CAP_INCONCLUSIVE;
}

/* Why there is no letter for P, as a sentence. */
static void cap_why(const struct results *r, const struct cut_view *v, char *out, size_t size)
{
	out[0] = '\0';
	if (r->tainted)
		words_add(out, size, "no verdict from a tainted run: %s", r->taint);
	else if (!r->letters)
		words_add(
			out, size, "letters are about linearizability, which %s is not", r->model);
	else if (r->cut_phase < 0)
		words_add(out, size, "nothing was cut");
	else if (v->unconfirmed > 0 && v->counted == 0)
		words_add(out, size, "the cut was not confirmed");
	else if (v->counted == 0)
		words_add(out, size, "no cut put replicas on two sides");
	else if (v->too_few)
		words_add(out, size, "%s, %d are needed", v->thin, RESULTS_SAMPLES_MIN);
	else if (v->all_answered)
		words_add(out, size,
			"every side answered and nothing stale was seen, which cannot be: the load "
			"did not read on one side what was written on the other");
	else
		words_add(out, size, "the checker gave up on the history");
}

static void cap_sides(const struct results *r, unsigned phase, char *out, size_t size)
{
	const struct plan_phase *plan = &r->plan->phase[phase];

	for (unsigned s = 0; s < plan->sides; s++) {
		const struct results_side *side = &r->phase[phase].side[s];
		uint64_t asked = side->attempts + side->hung;

		words_add(out, size, s > 0 ? ", " : "");
		if (plan->side[s].replicas == 0)
			words_add(out, size, "%s has no replica", plan->side[s].name);
		else
			words_add(out, size, "%s answered %.1f %%", plan->side[s].name,
				asked ? 100.0 * (double)side->ok / (double)asked : 0.0);
	}
}

static void cap_words(const struct results *r, const struct cut_view *v, char *out, size_t size)
{
	char why[256];

	switch (r->verdict.cap) {
	case CAP_PC:
		words_add(out, size, "keeps consistency when cut: ");
		break;
	case CAP_PA:
		words_add(out, size, "stays available when cut%s: ",
			r->check.verdict == CHECK_VIOLATION ? ", not consistent" : "");
		break;
	case CAP_NEITHER:
		words_add(out, size, "when cut neither available nor consistent: ");
		break;
	case CAP_INCONCLUSIVE:
		cap_why(r, v, why, sizeof why);
		words_add(out, size, "%s", why);
		return;
	}
	cap_sides(r, (unsigned)v->first, out, size);
	if (r->unavailable_s >= UNAVAILABLE_S_MIN)
		words_add(out, size, "; no write for %.2f s on the majority's side",
			r->unavailable_s);
}

/* Kinds of operation that the load does not issue pay nothing. */
static bool fitted(const struct results *r, bool *ret_none)
{
	const struct plan_load *load = &r->plan->load;
	bool reads = load->read > 0;
	bool writes = load->write + load->cas > 0;

	*ret_none = (!reads || r->read_fit.b < ROUND_TRIPS_NONE) &&
		    (!writes || r->write_fit.b < ROUND_TRIPS_NONE);
	return (!reads || r->read_fit.points >= RESULTS_FIT_POINTS_MIN) &&
	       (!writes || r->write_fit.points >= RESULTS_FIT_POINTS_MIN);
}

static enum results_else else_letters(const struct results *r)
{
	bool none;
	bool fit = fitted(r, &none);

	if (r->tainted || !r->letters || r->check_whole.operations < RESULTS_SAMPLES_MIN)
		return ELSE_INCONCLUSIVE;
	switch (r->check_whole.verdict) {
	case CHECK_OK:
		return fit && none ? ELSE_BOTH : ELSE_EC;
	case CHECK_VIOLATION:
		if (!fit)
			return ELSE_INCONCLUSIVE;
		return none ? ELSE_EL : ELSE_NEITHER;
	case CHECK_UNKNOWN:
	case CHECK_VERDICT_NR:
		break;
	}
	return ELSE_INCONCLUSIVE;
}

static void else_round_trips(const struct results *r, char *out, size_t size)
{
	bool none;

	if (fitted(r, &none) && r->read_fit.points > 0 && r->write_fit.points > 0)
		words_add(out, size, " at %.2f round trips a read and %.2f a write",
			fabs(r->read_fit.b), fabs(r->write_fit.b));
}

static void else_words(const struct results *r, char *out, size_t size)
{
	switch (r->verdict.otherwise) {
	case ELSE_EC:
		words_add(out, size, "linearizable when whole,");
		else_round_trips(r, out, size);
		if (out[strlen(out) - 1] == ',')
			words_add(out, size, " its round trips were not fitted");
		break;
	case ELSE_EL:
		words_add(out, size, "when whole no round trip is paid, and answers may be stale");
		break;
	case ELSE_BOTH:
		words_add(out, size, "linearizable when whole, and no round trip is paid");
		break;
	case ELSE_NEITHER:
		words_add(out, size, "not linearizable when whole, and yet");
		else_round_trips(r, out, size);
		break;
	case ELSE_INCONCLUSIVE:
		words_add(out, size, "nothing can be said of the whole network");
		break;
	}
}

static void lost_words(const struct results *r, char *out, size_t size)
{
	char lost[COUNT_TEXT_MAX];
	char all[COUNT_TEXT_MAX];

	if (r->lost.acknowledged == 0)
		return;
	if (r->lost.lost == 0) {
		words_add(out, size, "; no acknowledged write is lost");
		return;
	}
	words_add(out, size, "; %s of %s %s are lost",
		units_print_count(r->lost.lost, lost, sizeof lost),
		units_print_count(r->lost.acknowledged, all, sizeof all),
		r->plan->load.workload == PLAN_COUNTER ? "that were counted"
						       : "acknowledged writes");
}

static void verdict_letters(struct results *r, const struct cut_view *v)
{
	static const char *const cap_names[] = {
		[CAP_PC] = "PC", [CAP_PA] = "PA", [CAP_NEITHER] = "P-", [CAP_INCONCLUSIVE] = "P?"};
	static const char *const else_names[] = {[ELSE_EC] = "EC",
		[ELSE_EL] = "EL",
		[ELSE_BOTH] = "EC+EL",
		[ELSE_NEITHER] = "E-",
		[ELSE_INCONCLUSIVE] = "E?"};
	struct results_verdict *out = &r->verdict;

	out->cap = cap_letters(r, v);
	out->otherwise = else_letters(r);
	if (r->cut_phase < 0)
		(void)snprintf(out->cap_text, sizeof out->cap_text, "not measured");
	else
		(void)snprintf(out->cap_text, sizeof out->cap_text, "%s",
			out->cap == CAP_INCONCLUSIVE ? "inconclusive" : cap_names[out->cap]);
	(void)snprintf(out->pacelc_text, sizeof out->pacelc_text, "%s/%s", cap_names[out->cap],
		else_names[out->otherwise]);
}

/* Why nothing may be concluded from the run; false if something may. */
static bool inconclusive_why(struct results *r, const struct cut_view *v,
	enum claim_judgement claim, enum claim_judgement expected)
{
	char *why = r->why;
	size_t size = sizeof r->why;

	if (r->log->interrupted || r->log->phases < r->plan->phases)
		words_add(why, size, "inconclusive: interrupted after %u of %u phases",
			r->log->phases, r->plan->phases);
	else if (r->tainted)
		words_add(why, size, "inconclusive: %s", r->taint);
	else if (r->check.verdict == CHECK_UNKNOWN || r->check_whole.verdict == CHECK_UNKNOWN)
		words_add(why, size, "inconclusive: the checker gave up on the history");
	else if (r->letters && r->cut_phase >= 0 && r->verdict.cap == CAP_INCONCLUSIVE) {
		words_add(why, size, "inconclusive: ");
		cap_why(r, v, why + strlen(why), size - strlen(why));
	} else if (claim == CLAIM_OPEN)
		words_add(why, size, "inconclusive: claim %s", r->claim);
	else if (expected == CLAIM_OPEN)
		words_add(why, size, "inconclusive: expected was %s", r->expect);
	else
		return false;
	return true;
}

/*
 * What the history proves stands, however the run went: a stale answer is stale on a bad network,
 * too. Everything else needs a run from which something may be concluded.
 */
static void verdict_status(struct results *r, const struct cut_view *v)
{
	enum claim_judgement claim = claim_judge(r);
	enum claim_judgement expected = claim_expected(r);

	r->why[0] = '\0';
	if (claim != CLAIM_DISPROVED && expected != CLAIM_DISPROVED &&
		inconclusive_why(r, v, claim, expected)) {
		r->status = EXIT_INCONCLUSIVE;
		return;
	}
	r->status = EXIT_VIOLATED;
	if (claim >= CLAIM_FAILED)
		words_add(r->why, sizeof r->why, "claim %s", r->claim);
	else if (expected >= CLAIM_FAILED)
		words_add(r->why, sizeof r->why, "expectation: %s", r->expect);
	else {
		r->status = EXIT_AS_EXPECTED;
		words_add(r->why, sizeof r->why, "as %s",
			r->expect[0] ? "claimed and expected" : "claimed");
	}
}

void verdict(struct results *r)
{
	struct cut_view v = view_cuts(r);
	char *words = r->verdict.words;
	size_t size = sizeof r->verdict.words;

	verdict_letters(r, &v);
	words[0] = '\0';
	cap_words(r, &v, words, size);
	words_add(words, size, "; ");
	else_words(r, words, size);
	lost_words(r, words, size);
	verdict_status(r, &v);
}
