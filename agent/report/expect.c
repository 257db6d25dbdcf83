/* SPDX-License-Identifier: MIT */
/*
 * expect.c - did the run show what the lab expects?
 *
 * Each thing that is expected is judged by itself; what was not met says what was measured.
 */
#include "agent/lab/expect.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/report/parts.h"

#define COUNT_TEXT_MAX 32

bool claim_could_agree(const struct results *r)
{
	return r->log->phases > 0 && !r->plan->phase[r->log->phases - 1].cut;
}

/* One half of a verdict, "PC" or "EC"; a store that was measured to be EC+EL is both. */
static enum claim_judgement judge_half(const char *want, size_t len, const char *is)
{
	size_t is_len = strcspn(is, "/");

	if (is_len == 2 && is[1] == '?')
		return CLAIM_OPEN;
	if (len == is_len && strncmp(want, is, len) == 0)
		return CLAIM_KEPT;
	if (is_len == strlen("EC+EL") && len == 2 &&
		(strncmp(is, want, 2) == 0 || strncmp(is + 3, want, 2) == 0))
		return CLAIM_KEPT;
	return CLAIM_FAILED;
}

static enum claim_judgement judge_verdict(const char *want, const char *is)
{
	const char *want_else = strchr(want, '/');
	const char *is_else = strchr(is, '/');
	enum claim_judgement cap;
	enum claim_judgement otherwise = CLAIM_KEPT;

	if (!is_else)
		return CLAIM_OPEN;
	cap = judge_half(want, strcspn(want, "/"), is);
	if (want_else)
		otherwise = judge_half(want_else + 1, strlen(want_else + 1), is_else + 1);
	return cap > otherwise ? cap : otherwise;
}

static const struct check_result *checked(const struct results *r, const char *model)
{
	if (r->model && strcmp(model, r->model) == 0)
		return &r->check;
	for (unsigned i = 0; i < r->expecteds; i++) {
		if (strcmp(model, r->expected[i].model) == 0)
			return &r->expected[i].check;
	}
	return NULL;
}

/* That a model is broken is proved by the history, that it is kept by its end alone. */
static enum claim_judgement judge_model(
	const struct results *r, const struct plan_expect_model *model)
{
	const struct check_result *check = checked(r, model->name);

	if (strcmp(model->name, proto_model_names[PROTO_EVENTUAL]) == 0) {
		bool differ = r->lost.diverged_keys > 0;

		if (differ && !claim_could_agree(r))
			return CLAIM_OPEN;
		return differ == model->broken ? CLAIM_KEPT : CLAIM_FAILED;
	}
	if (!check || check->verdict == CHECK_UNKNOWN)
		return CLAIM_OPEN;
	if (model->broken)
		return check->verdict == CHECK_VIOLATION ? CLAIM_KEPT : CLAIM_FAILED;
	return check->verdict == CHECK_OK ? CLAIM_KEPT : CLAIM_DISPROVED;
}

/* What was expected so far, in words; the worst of it. */
struct expectation {
	struct results *r;
	enum claim_judgement worst;
};

static void told(struct expectation *e, enum claim_judgement judgement, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void told(struct expectation *e, enum claim_judgement judgement, const char *fmt, ...)
{
	static const char *const names[] = {"met", "open", "not met", "not met"};
	char what[192];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof what, fmt, args);
	va_end(args);
	words_add(e->r->expect, sizeof e->r->expect, "%s%s %s", e->r->expect[0] ? ", " : "", what,
		names[judgement]);
	e->worst = judgement > e->worst ? judgement : e->worst;
}

/* Behind what was just told. */
static void measured(struct expectation *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void measured(struct expectation *e, const char *fmt, ...)
{
	char what[128];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof what, fmt, args);
	va_end(args);
	words_add(e->r->expect, sizeof e->r->expect, " (%s)", what);
}

static void judge_models(struct expectation *e)
{
	const struct plan_expect *want = &e->r->plan->expect;

	for (unsigned i = 0; i < want->models; i++) {
		const struct plan_expect_model *m = &want->model[i];
		enum claim_judgement judgement = judge_model(e->r, m);

		told(e, judgement, "%s%s", m->broken ? "not " : "", m->name);
		if (judgement == CLAIM_FAILED && m->broken)
			measured(e, "it was kept");
	}
}

/* More than was allowed is proved by the history; too few may be for want of a chance. */
static void judge_count(struct expectation *e, const struct plan_range *want, const char *what,
	uint64_t n, uint64_t of)
{
	enum claim_judgement judgement = CLAIM_KEPT;
	char words[32];
	char is[COUNT_TEXT_MAX];
	char all[COUNT_TEXT_MAX];

	if (!want->said)
		return;
	if ((double)n > want->high)
		judgement = CLAIM_DISPROVED;
	else if ((double)n < want->low)
		judgement = CLAIM_FAILED;
	expect_count_words(want, words, sizeof words);
	told(e, judgement, "%s %s", what, words);
	measured(e, "%s of %s", units_print_count(n, is, sizeof is),
		units_print_count(of, all, sizeof all));
}

/* Requests of the side with a majority, or of all the others that have a replica, while the network
 * was first cut. */
static void share_of(
	const struct results *r, enum plan_expect_share what, uint64_t *ret_ok, uint64_t *ret_asked)
{
	unsigned p = (unsigned)r->cut_phase;
	int majority = availability_majority(r->plan, p);
	bool of_majority = what < PLAN_MINORITY;

	*ret_ok = *ret_asked = 0;
	for (unsigned s = 0; s < r->plan->phase[p].sides; s++) {
		const struct results_side *side = &r->phase[p].side[s];

		if (r->plan->phase[p].side[s].replicas == 0 || ((int)s == majority) != of_majority)
			continue;
		if (what == PLAN_MAJORITY || what == PLAN_MINORITY) {
			*ret_ok += side->ok;
			*ret_asked += side->attempts + side->hung;
		} else if (what == PLAN_MAJORITY_READS || what == PLAN_MINORITY_READS) {
			*ret_ok += side->reads_ok;
			*ret_asked += side->reads;
		} else {
			*ret_ok += side->writes_ok;
			*ret_asked += side->writes;
		}
	}
}

static void judge_shares(struct expectation *e)
{
	const struct results *r = e->r;

	for (int i = 0; i < PLAN_EXPECT_SHARE_NR; i++) {
		const struct plan_range *want = &r->plan->expect.available[i];
		enum claim_judgement judgement = CLAIM_OPEN;
		uint64_t ok = 0;
		uint64_t asked = 0;
		double percent = 0;
		char words[32];

		if (!want->said)
			continue;
		if (r->cut_phase >= 0)
			share_of(r, (enum plan_expect_share)i, &ok, &asked);
		if (asked > 0)
			percent = 100.0 * (double)ok / (double)asked;
		if (asked >= RESULTS_SAMPLES_MIN)
			judgement = expect_has(want, percent) ? CLAIM_KEPT : CLAIM_FAILED;
		expect_share_words(want, words, sizeof words);
		told(e, judgement, "%s answered %s", plan_expect_share_names[i], words);
		measured(e, "%.1f %% of %llu", percent, (unsigned long long)asked);
	}
}

static void judge_converged(struct expectation *e)
{
	const struct results *r = e->r;
	const struct plan_range *want = &r->plan->expect.converged;
	/* Of a real database only the final reads are known. */
	bool is = r->lost.diverged_keys == 0 &&
		  (r->plan->real || recovery_heal_phase(r) < 0 || !isnan(r->converged_s));

	if (!want->said)
		return;
	told(e, expect_has(want, is) ? CLAIM_KEPT : CLAIM_FAILED, "%sconverged",
		want->low > 0 ? "" : "not ");
	if (!is && r->lost.diverged_keys > 0)
		measured(e, "replicas differ in %llu keys",
			(unsigned long long)r->lost.diverged_keys);
	else if (!is)
		measured(e, "not within the phase after the heal");
	else if (!isnan(r->converged_s))
		measured(e, "after %.2f s", r->converged_s);
}

enum claim_judgement claim_expected(struct results *r)
{
	struct expectation e = {.r = r, .worst = CLAIM_KEPT};
	const struct plan_expect *want = &r->plan->expect;

	r->expect[0] = '\0';
	judge_models(&e);
	if (want->verdict[0])
		told(&e, judge_verdict(want->verdict, r->verdict.pacelc_text), "%s", want->verdict);
	judge_shares(&e);
	judge_count(&e, &want->stale, "stale reads", r->stale, r->reads);
	judge_count(&e, &want->lost, "lost writes", r->lost.lost, r->lost.acknowledged);
	judge_converged(&e);
	r->expect_kept = e.worst == CLAIM_KEPT;
	return e.worst;
}
