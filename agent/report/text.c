/* SPDX-License-Identifier: MIT */
/*
 * text.c - the results for people: a block for each phase, then what follows from all of them
 *
 * Three columns: a label, what happened, what is known about it. Text that is too long for its
 * column moves the next one to a line of its own; the last one is wrapped at TEXT_COLUMNS.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/units.h"
#include "agent/base/wrap.h"
#include "agent/lab/real.h"
#include "agent/report/parts.h"

#define TEXT_COLUMNS WRAP_COLUMNS
#define TEXT_INDENT 2
#define TEXT_LABEL 12
#define TEXT_LEFT 28
#define TEXT_CELL_MAX 256
/* Process faults of a phase that get a line each; results.json has them all. */
#define TEXT_STRIKES_MAX 16u
#define COUNT_TEXT_MAX 32
#define NUMBER_TEXT_MAX 16

struct text {
	const struct results *r;
	FILE *out;
	const char *dot; /* between the parts of a line */
	int label;       /* width of the first column */
};

/* The locale's character set by its name: nothing else of it is used. */
static bool locale_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

/* Words from column @at on, wrapped, with each further line indented as far. */
static void text_wrap(const struct text *t, int at, const char *words)
{
	wrap_words(t->out, at, TEXT_COLUMNS, words);
}

static int text_label(const struct text *t, const char *label)
{
	(void)fprintf(t->out, "%*s%-*s", TEXT_INDENT, "", t->label, label);
	return TEXT_INDENT + t->label;
}

/* One line; @right goes as it is, so its own spacing stays. */
static void text_row(const struct text *t, const char *label, const char *left, const char *right)
{
	int at = text_label(t, label);
	int width = wrap_width(left, strlen(left));

	(void)fputs(left, t->out);
	if (*right && width >= TEXT_LEFT)
		(void)fprintf(t->out, "\n%*s", at + TEXT_LEFT, "");
	else if (*right)
		(void)fprintf(t->out, "%*s", TEXT_LEFT - width, "");
	(void)fprintf(t->out, "%s\n", right);
}

/* The same with @right wrapped. */
static void text_row_wrapped(
	const struct text *t, const char *label, const char *left, const char *right)
{
	int at = text_label(t, label);
	int width = wrap_width(left, strlen(left));

	(void)fputs(left, t->out);
	if (*right && width >= TEXT_LEFT)
		(void)fprintf(t->out, "\n%*s", at + TEXT_LEFT, "");
	else if (*right)
		(void)fprintf(t->out, "%*s", TEXT_LEFT - width, "");
	text_wrap(t, at + TEXT_LEFT, right);
	(void)fputc('\n', t->out);
}

/* A label and wrapped words over both columns. */
static void text_wide(const struct text *t, const char *label, const char *words)
{
	int at = text_label(t, label);

	text_wrap(t, at, words);
	(void)fputc('\n', t->out);
}

static const char *count(uint64_t n, char *out)
{
	return units_print_count(n, out, COUNT_TEXT_MAX);
}

/* Milliseconds with three digits that mean something, right-aligned in five columns. */
static const char *number(double ms, char *out)
{
	if (isnan(ms))
		(void)snprintf(out, NUMBER_TEXT_MAX, "%5s", "-");
	else
		(void)snprintf(out, NUMBER_TEXT_MAX, "%5.*f", ms < 10 ? 2 : ms < 1000 ? 1 : 0, ms);
	return out;
}

static void print_head(const struct text *t)
{
	const struct plan *plan = t->r->plan;

	(void)fprintf(t->out,
		"%slab %s %s %u replica%s in %u site%s %s store %s %s seed %llu %s emulator %s\n\n",
		t->r->log->simulated.is ? "SIMULATED " : "", plan->name, t->dot, plan->replicas,
		plan->replicas == 1 ? "" : "s", plan->sites, plan->sites == 1 ? "" : "s", t->dot,
		plan->system->name, t->dot, (unsigned long long)plan->seed, t->dot,
		t->r->log->emulator);
}

static void cell_latency(const struct results_phase *p, char *out)
{
	char n[4][NUMBER_TEXT_MAX];

	(void)snprintf(out, TEXT_CELL_MAX, "read p50 %s p99 %s ms   write p50 %s p99 %s ms",
		number(p->read.p50_ms, n[0]), number(p->read.p99_ms, n[1]),
		number(p->write.p50_ms, n[2]), number(p->write.p99_ms, n[3]));
}

/* Of a real database it is what our store that it is like would pay: no bound on what is paid. */
static void cell_floor(const struct results_phase *p, bool real, char *out)
{
	const char *word = real ? "model" : "floor";
	char n[4][NUMBER_TEXT_MAX];

	(void)snprintf(out, TEXT_CELL_MAX, "%s    %s p99.9 %s    %s     %s p99.9 %s", word,
		number(p->read.floor_ms, n[0]), number(p->read.p999_ms, n[1]), word,
		number(p->write.floor_ms, n[2]), number(p->write.p999_ms, n[3]));
}

static void cell_counts(const struct results_phase *p, char *out)
{
	char n[COUNT_TEXT_MAX];

	words_add(out, TEXT_CELL_MAX, "%s ok", count(p->ok, n));
	if (p->failed > 0)
		words_add(out, TEXT_CELL_MAX, ", %s failed", count(p->failed, n));
	if (p->unknown > 0)
		words_add(out, TEXT_CELL_MAX, ", %s unknown", count(p->unknown, n));
	if (p->caught > 0)
		words_add(out, TEXT_CELL_MAX, " (%s caught by the next phase)",
			p->caught == p->failed + p->unknown ? "all" : count(p->caught, n));
}

/* What was done, how long it took, and whether the network agreed. */
static void cell_fault(const struct text *t, const struct run_fault *f, char *out)
{
	const struct evidence *e = &f->evidence;
	bool cuts = strcmp(f->kind, "cut") == 0;
	const char *what = cuts ? "cut" : strcmp(f->kind, "heal") == 0 ? "healed" : "changed";
	char n[COUNT_TEXT_MAX];
	char took[COUNT_TEXT_MAX];

	out[0] = '\0';
	if (f->node >= 0) {
		const struct run_phase *phase = &t->r->log->phase[f->phase];

		words_add(out, TEXT_CELL_MAX, "%s %s after %.2f s %s %s", f->kind,
			t->r->plan->node[f->node].name,
			f->t_first_ns > phase->t_begin_ns
				? units_s(f->t_first_ns - phase->t_begin_ns)
				: 0.0,
			t->dot,
			!f->judged                ? "not confirmed"
			: t->r->log->simulated.is ? RUN_SIMULATED
						  : "confirmed");
		if (strcmp(f->kind, plan_event_names[PLAN_SKEW]) == 0 ||
			strcmp(f->kind, plan_event_names[PLAN_PROMOTE]) == 0 ||
			strcmp(f->kind, RUN_ENDED) == 0)
			words_add(out, TEXT_CELL_MAX, ": %s", f->evidence.why);
		if (f->caught_up_ns != UINT64_MAX && t->r->plan->real)
			words_add(out, TEXT_CELL_MAX, ": ready again after %.2f s",
				units_s(f->caught_up_ns));
		else if (f->caught_up_ns != UINT64_MAX)
			words_add(out, TEXT_CELL_MAX,
				": %s records in its log, caught up after %.2f s",
				count(f->recovered, n), units_s(f->caught_up_ns));
		return;
	}
	if (f->links || !f->downs)
		words_add(out, TEXT_CELL_MAX, "%u links %s", f->links, what);
	if (f->cuts)
		words_add(out, TEXT_CELL_MAX, " (%s)", run_cut_name(f));
	if (f->downs)
		words_add(out, TEXT_CELL_MAX, "%scarrier of %u node%s changed",
			f->links ? ", " : "", f->downs, f->downs == 1 ? "" : "s");
	if (t->r->log->simulated.is) {
		words_add(out, TEXT_CELL_MAX, " %s " RUN_SIMULATED, t->dot);
		return;
	}
	words_add(out, TEXT_CELL_MAX, " in %s %s %s",
		units_print_duration(f->t_last_ns - f->t_request_ns, took, sizeof took), t->dot,
		f->judged ? evidence_result_names[e->result] : "not judged");
	if (cuts)
		words_add(out, TEXT_CELL_MAX, ": %s packets crossed", count(e->packets_crossed, n));
	if (e->result != EVIDENCE_CONFIRMED && e->why[0])
		words_add(out, TEXT_CELL_MAX, ", %s", e->why);
}

/* Changes that deserve a line: cuts, heals, process faults, and all that went wrong. */
static bool worth_a_line(const struct run_fault *f)
{
	if (f->node < 0 && f->links + f->downs == 0)
		return false;
	return f->node >= 0 || f->downs || strcmp(f->kind, "cut") == 0 ||
	       strcmp(f->kind, "heal") == 0 || !f->judged ||
	       f->evidence.result != EVIDENCE_CONFIRMED;
}

static void print_faults(const struct text *t, unsigned p, const char *label, const char *left)
{
	const struct run_log *log = t->r->log;
	char cell[TEXT_CELL_MAX];
	unsigned strikes = 0;
	char n[COUNT_TEXT_MAX];

	for (unsigned i = 0; i < log->faults; i++) {
		const struct run_fault *f = &log->fault[i];

		if (f->phase != p || !worth_a_line(f))
			continue;
		/* What was not confirmed is shown in any case. */
		if (f->node >= 0 && f->judged && strikes++ >= TEXT_STRIKES_MAX)
			continue;
		cell_fault(t, f, cell);
		text_row_wrapped(t, label, left, cell);
		label = "";
		left = "";
	}
	if (strikes > TEXT_STRIKES_MAX) {
		(void)snprintf(cell, sizeof cell, "and %s more such faults %s confirmed",
			count(strikes - TEXT_STRIKES_MAX, n), t->dot);
		text_row_wrapped(t, label, left, cell);
	}
	if (*left)
		text_row(t, label, left, "");
}

static const char *side_name(const struct plan *plan, unsigned p, unsigned s)
{
	int majority = availability_majority(plan, p);

	if ((int)s == majority)
		return "majority";
	if (majority >= 0 && plan->phase[p].sides == 2)
		return "minority";
	return plan->phase[p].side[s].name;
}

static void print_side(const struct text *t, unsigned p, unsigned s)
{
	const struct results *r = t->r;
	const struct results_side *side = &r->phase[p].side[s];
	const struct plan_side *plan = &r->plan->phase[p].side[s];
	char left[TEXT_CELL_MAX] = "";
	char right[TEXT_CELL_MAX] = "";
	char n[2][COUNT_TEXT_MAX];

	words_add(left, sizeof left, "%s ", side_name(r->plan, p, s));
	if (plan->replicas == 0)
		words_add(left, sizeof left, "has no replica");
	else if (side->attempts == 0)
		words_add(left, sizeof left, "was not asked");
	else
		words_add(left, sizeof left, "%s ok, %.1f %%", count(side->ok, n[0]),
			100.0 * (double)side->ok / (double)side->attempts);
	if (side->attempts > side->ok)
		words_add(right, sizeof right, "%s of %s not answered",
			count(side->attempts - side->ok, n[0]), count(side->attempts, n[1]));
	if ((int)p == r->cut_phase && (int)s == availability_majority(r->plan, p) &&
		!isnan(r->unavailable_s))
		words_add(right, sizeof right,
			r->unavailable_s < UNAVAILABLE_S_MIN
				? "%swrites went on, with gaps of up to %.2f s"
				: "%sno write acknowledged for %.2f s",
			*right ? "; " : "", r->unavailable_s);
	text_row_wrapped(t, "", left, right);
}

static void print_recovery(const struct text *t, unsigned p)
{
	const struct results *r = t->r;
	char right[TEXT_CELL_MAX] = "";
	struct proto_claim claim;

	if ((int)p != recovery_heal_phase(r))
		return;
	r->plan->system->ops->claim(&r->plan->proto, &claim);
	if (!isnan(r->recovered_s))
		words_add(
			right, sizeof right, "writes again %.2f s after the heal", r->recovered_s);
	if (r->heal_outage_s >= UNAVAILABLE_S_MIN)
		words_add(right, sizeof right, "%sno write acknowledged for %.2f s after it",
			*right ? ", " : "the heal: ", r->heal_outage_s);
	/* Of a real database only what its clients saw is known. */
	claim.one_copy = claim.one_copy || r->plan->real;
	if (!claim.one_copy && !claim.by_reads)
		words_add(right, sizeof right, "%s", *right ? ", " : "");
	if (claim.by_reads && !r->plan->real)
		words_add(right, sizeof right, "%sreads alone make replicas alike",
			*right ? ", " : "");
	else if (!claim.one_copy && isnan(r->converged_s))
		words_add(right, sizeof right, "not converged");
	else if (!claim.one_copy)
		words_add(right, sizeof right, "converged after %.2f s", r->converged_s);
	if (*right)
		text_row_wrapped(t, "", "", right);
}

static void print_phase(const struct text *t, unsigned p)
{
	const struct plan_phase *plan = &t->r->plan->phase[p];
	const struct results_phase *phase = &t->r->phase[p];
	char left[TEXT_CELL_MAX] = "";
	char counts[TEXT_CELL_MAX] = "";
	char latency[TEXT_CELL_MAX];
	char least[TEXT_CELL_MAX];

	words_add(left, sizeof left, "%.1f s  ", phase->seconds);
	cell_counts(phase, counts);
	if (plan->warmup) {
		words_add(left, sizeof left, "%s", counts);
		text_row(t, plan->name, left, "checked, and left out of all figures");
		return;
	}
	cell_latency(phase, latency);
	cell_floor(phase, t->r->plan->real != NULL, least);
	if (plan->what[0] && plan->fit_rtt_ns == 0) {
		words_add(left, sizeof left, "%s", plan->what);
		print_faults(t, p, plan->name, left);
		for (unsigned s = 0; plan->cut && s < plan->sides; s++)
			print_side(t, p, s);
		text_row(t, "", plan->cut ? "" : counts, latency);
	} else {
		words_add(left, sizeof left, "%s", counts);
		text_row(t, plan->name, left, latency);
	}
	if (plan->fit_rtt_ns > 0)
		return;
	text_row(t, "", "", least);
	if (!plan->what[0])
		print_faults(t, p, "", "");
	print_recovery(t, p);
}

static void print_consistency(const struct text *t)
{
	char broken[TEXT_CELL_MAX] = "";
	const char *const names[] = {[CHECK_OK] = t->r->model,
		[CHECK_VIOLATION] = broken,
		[CHECK_UNKNOWN] = "undecided"};
	const struct check_result *c = &t->r->check;
	const struct check_result *whole = &t->r->check_whole;
	char right[TEXT_CELL_MAX] = "";
	char n[2][COUNT_TEXT_MAX];

	words_add(broken, sizeof broken, "not %s", t->r->model);
	words_add(right, sizeof right, "%s operations on %s keys, checked in %.2f s",
		count(c->operations, n[0]), count(c->keys, n[1]), c->seconds);
	text_row(t, "consistency", names[c->verdict], right);
	if (c->words[0])
		text_wide(t, "", c->words);
	if (t->r->cut_phase >= 0 && c->verdict != CHECK_OK) {
		right[0] = '\0';
		words_add(right, sizeof right, "%s, %s operations", names[whole->verdict],
			count(whole->operations, n[0]));
		text_row(t, "", "before the first cut", right);
		if (whole->words[0] && strcmp(whole->words, c->words) != 0)
			text_wide(t, "", whole->words);
	}
}

/* Before the first cut and in all may be claimed alike, and then broken by the same. */
static void print_claimed(const struct text *t)
{
	const struct results_claimed *all[] = {
		&t->r->claimed_whole, &t->r->claimed_cut, &t->r->claimed_end};
	static const char *const when[] = {
		"claimed, before the first cut", "claimed", "claimed of what is there at the end"};

	for (unsigned i = 0; i < 3; i++) {
		char left[TEXT_CELL_MAX] = "";
		const struct results_claimed *c = all[i];

		if (!c->model || (i == 0 && t->r->cut_phase < 0 && t->r->claimed_cut.model))
			continue;
		words_add(left, sizeof left, "%s%s",
			c->check.verdict == CHECK_VIOLATION ? "not "
			: c->check.verdict == CHECK_UNKNOWN ? "undecided: "
							    : "",
			c->model);
		text_row(t, "", left, when[i]);
		if (c->check.words[0])
			text_wide(t, "", c->check.words);
	}
}

static void print_models(const struct text *t)
{
	const struct results_models *all[] = {&t->r->models_whole, &t->r->models_cut};
	static const char *const when[] = {"before the first cut", "in all"};

	for (unsigned i = 0; i < 2; i++) {
		const struct results_models *m = all[i];
		char right[3 * RESULTS_MODELS_TEXT_MAX] = "";

		if (!m->judged || (i == 0 && t->r->cut_phase < 0))
			continue;
		words_add(right, sizeof right, "strongest kept: %s",
			m->kept[0] ? m->kept : "none of all models");
		if (m->broken[0])
			words_add(right, sizeof right, "; weakest broken: %s", m->broken);
		if (m->unknown[0])
			words_add(right, sizeof right, "; undecided: %s", m->unknown);
		text_row_wrapped(t, i == 0 || t->r->cut_phase < 0 ? "models" : "", when[i], right);
	}
}

static void print_stale(const struct text *t)
{
	const struct results *r = t->r;
	char left[TEXT_CELL_MAX] = "";
	char right[TEXT_CELL_MAX] = "";
	char n[2][COUNT_TEXT_MAX];
	struct proto_claim claim;

	words_add(left, sizeof left, "%s of %s", count(r->stale, n[0]), count(r->reads, n[1]));
	if (r->stale > 0)
		words_add(right, sizeof right,
			"up to %s version%s behind, %.2f s after it was replaced",
			count(r->stale_behind, n[0]), r->stale_behind == 1 ? "" : "s",
			units_s(r->oldest_ns));
	text_row(t, "stale reads", left, right);
	r->plan->system->ops->claim(&r->plan->proto, &claim);
	if (!claim.stale_ns)
		return;
	right[0] = '\0';
	words_add(right, sizeof right, "%.2f s after it was replaced, at most %.2f s are claimed",
		units_s(r->oldest_whole_ns), units_s(claim.stale_ns));
	text_row(t, "", r->cut_phase < 0 ? "in all" : "before the first cut", right);
}

static void print_lost(const struct text *t)
{
	const struct check_lost *lost = &t->r->lost;
	enum plan_workload workload = t->r->plan->load.workload;
	char left[TEXT_CELL_MAX] = "";
	char right[TEXT_CELL_MAX] = "";
	char n[2][COUNT_TEXT_MAX];

	words_add(left, sizeof left, "%s of %s acknowledged", count(lost->lost, n[0]),
		count(lost->acknowledged, n[1]));
	if (lost->keys_without_final_read > 0)
		words_add(right, sizeof right, "not judged for %s keys without a final read",
			count(lost->keys_without_final_read, n[0]));
	if (lost->diverged_keys > 0)
		words_add(right, sizeof right, "%sreplicas differ in %s keys at the end",
			*right ? "; " : "", count(lost->diverged_keys, n[0]));
	if (workload == PLAN_REGISTER || workload == PLAN_LOCK)
		print_stale(t);
	else if (workload != PLAN_SET && workload != PLAN_COUNTER)
		return;
	text_row_wrapped(t, workload == PLAN_COUNTER ? "lost counts" : "lost writes", left, right);
	if (lost->words[0])
		text_wide(t, "", lost->words);
}

static void print_fit(const struct text *t)
{
	const struct results *r = t->r;
	char left[TEXT_CELL_MAX] = "";
	char right[TEXT_CELL_MAX] = "";
	const char *comma = "";
	unsigned points = 0;

	for (unsigned p = 0; p < r->plan->phases; p++)
		points += r->plan->phase[p].fit_rtt_ns > 0;
	if (points == 0)
		return;
	if (r->read_fit.points < RESULTS_FIT_POINTS_MIN ||
		r->write_fit.points < RESULTS_FIT_POINTS_MIN) {
		text_row(t, "round trips", "not fitted", "fewer than 3 phases with enough answers");
		return;
	}
	/* A slope a little below zero is noise about none. */
	words_add(left, sizeof left, "read %.2f, write %.2f", fmax(0, r->read_fit.b),
		fmax(0, r->write_fit.b));
	words_add(right, sizeof right, "theory %.2f and %.2f, fitted over RTT ", r->read_fit.theory,
		r->write_fit.theory);
	for (unsigned p = 0; p < r->log->phases; p++) {
		if (r->plan->phase[p].fit_rtt_ns == 0)
			continue;
		words_add(
			right, sizeof right, "%s%g", comma, units_ms(r->plan->phase[p].fit_rtt_ns));
		comma = ", ";
	}
	words_add(right, sizeof right,
		" ms; 95 of 100 resamples between %.2f and %.2f, %.2f and %.2f", r->read_fit.b_low,
		r->read_fit.b_high, r->write_fit.b_low, r->write_fit.b_high);
	text_row_wrapped(t, "round trips", left, right);
}

static void print_simulation(const struct text *t)
{
	const struct run_simulated *s = &t->r->log->simulated;
	char right[TEXT_CELL_MAX] = "";
	char n[COUNT_TEXT_MAX];

	words_add(right, sizeof right,
		"in virtual time: no packet was sent. A message takes %g ms beside what its link "
		"says, %g ms more on a link with a delay, a write to disk %g ms, a client's waking up "
		"%g ms; %s messages "
		"between replicas in %.1f s",
		units_ms(s->hop_ns), units_ms(s->wire_ns), units_ms(s->disk_ns),
		units_ms(s->wake_ns), count(s->messages, n), units_s(s->took_ns));
	text_wide(t, "SIMULATED", right);
}

static void print_emulator(const struct text *t)
{
	const struct fabric_quality *q = &t->r->log->quality;
	char left[TEXT_CELL_MAX] = "";
	char right[TEXT_CELL_MAX] = "";

	if (q->late.count == 0)
		return;
	words_add(left, sizeof left, "late p50 %.2f p99 %.2f ms",
		(double)hist_quantile(&q->late, 0.5) / 1e6,
		(double)hist_quantile(&q->late, 0.99) / 1e6);
	words_add(right, sizeof right, "network built in %.1f ms, processors %.0f %% busy",
		units_ms(t->r->log->build_ns), 100 * t->r->log->cpu_busy);
	text_row(t, "emulator", left, right);
}

static void print_database(const struct text *t)
{
	const struct run_database *d = &t->r->log->database;
	const struct plan *plan = t->r->plan;
	char left[TEXT_CELL_MAX] = "";
	char right[TEXT_CELL_MAX] = "";

	if (!plan->real)
		return;
	words_add(left, sizeof left, "ready after %.1f s", units_s(d->ready_ns));
	words_add(right, sizeof right, "memory at most");
	for (unsigned i = 0; i < plan->replicas; i++)
		words_add(right, sizeof right, "%s %s %.0f", i ? "," : "", plan->node[i].name,
			(double)d->memory[i] / 1e6);
	words_add(right, sizeof right, " MB");
	text_row_wrapped(t, "database", left, right);
	text_wide(t, "differs", plan->real->differs);
	if (plan->suited[0])
		text_wide(t, "suited", plan->suited);
}

static void print_load(const struct text *t)
{
	const struct results_load *l = &t->r->load;
	char left[TEXT_CELL_MAX] = "";
	char right[TEXT_CELL_MAX] = "";

	if (l->free == 0 && l->asked == 0)
		return;
	words_add(left, sizeof left, "late p50 %.2f p99 %.2f ms", l->late_p50_ms, l->late_p99_ms);
	words_add(right, sizeof right, "%.1f %% of operations waited for the one before",
		l->asked ? 100 * (double)l->waited / (double)l->asked : 0.0);
	text_row(t, "load", l->free ? left : "never on time", right);
}

/* One kind of operation in a phase, as measured and as simulated. */
static void cell_beside(const struct results_latency *real, const struct results_latency *sim,
	char *out, size_t size)
{
	char n[4][NUMBER_TEXT_MAX];

	words_add(
		out, size, "p50 %s sim %s", number(real->p50_ms, n[0]), number(sim->p50_ms, n[1]));
	if (real->p50_ms > 0 && sim->p50_ms > 0)
		words_add(out, size, " %+5.1f %%", 100 * (sim->p50_ms / real->p50_ms - 1));
	else
		words_add(out, size, "%8s", "");
	words_add(out, size, "  p99 %s sim %s", number(real->p99_ms, n[2]),
		number(sim->p99_ms, n[3]));
}

static void print_beside(const struct text *t)
{
	const struct results *r = t->r;
	const struct results *s = r->simulated;
	char cell[TEXT_CELL_MAX];

	text_wide(t, "SIMULATED",
		"beside this run: the same lab with the same seed in virtual time, in the folder "
		"simulated; p50 and p99 in ms, how far the simulated p50 is off");
	for (unsigned p = 0; p < r->log->phases && p < s->log->phases; p++) {
		if (r->plan->phase[p].warmup)
			continue;
		cell[0] = '\0';
		cell_beside(&r->phase[p].read, &s->phase[p].read, cell, sizeof cell);
		text_row(t, r->plan->phase[p].name, "read", cell);
		cell[0] = '\0';
		cell_beside(&r->phase[p].write, &s->phase[p].write, cell, sizeof cell);
		text_row(t, "", "write", cell);
	}
	cell[0] = '\0';
	if (r->read_fit.points >= RESULTS_FIT_POINTS_MIN &&
		s->read_fit.points >= RESULTS_FIT_POINTS_MIN)
		words_add(cell, sizeof cell, "read %.2f sim %.2f, write %.2f sim %.2f",
			r->read_fit.b, s->read_fit.b, r->write_fit.b, s->write_fit.b);
	if (cell[0])
		text_row(t, "", "round trips", cell);
	(void)snprintf(cell, sizeof cell, "%s, simulated %s", r->verdict.pacelc_text,
		s->verdict.pacelc_text);
	text_row(t, "", "letters", cell);
}

/* The model that the workload is about, and others that were broken, with their witnesses. */
static void print_others(const struct text *t)
{
	const struct results *r = t->r;
	const char *own = plan_workload_models[r->plan->load.workload];

	for (unsigned i = 0; i < r->expecteds; i++) {
		const struct results_expected *e = &r->expected[i];
		bool broken = e->check.verdict == CHECK_VIOLATION;
		char left[TEXT_CELL_MAX] = "";

		if (!broken && (!own || strcmp(own, e->model) != 0))
			continue;
		words_add(left, sizeof left, "%s%s",
			broken                              ? "not "
			: e->check.verdict == CHECK_UNKNOWN ? "undecided: "
							    : "",
			e->model);
		text_row_wrapped(t, "", left, e->check.words);
	}
}

void text_print(const struct results *r, const char *report_path, FILE *out)
{
	struct text t = {r, out, locale_is_utf8() ? "\xc2\xb7" : "-", TEXT_LABEL};

	for (unsigned p = 0; p < r->log->phases; p++) {
		int width = wrap_width(r->plan->phase[p].name, strlen(r->plan->phase[p].name));

		t.label = width + 1 > t.label ? width + 1 : t.label;
	}
	print_head(&t);
	for (unsigned p = 0; p < r->log->phases; p++)
		print_phase(&t, p);
	(void)fputc('\n', out);
	print_consistency(&t);
	print_claimed(&t);
	print_others(&t);
	print_models(&t);
	print_lost(&t);
	print_fit(&t);
	print_emulator(&t);
	print_database(&t);
	print_load(&t);
	if (r->local_costs[0])
		text_row_wrapped(&t, "local", r->local_costs, "of this machine, for --costs");
	if (r->log->simulated.is)
		print_simulation(&t);
	if (r->simulated)
		print_beside(&t);
	if (r->tainted)
		text_wide(&t, "tainted", r->taint);
	text_row_wrapped(&t, "verdict", r->verdict.pacelc_text, r->verdict.words);
	text_wide(&t, "claim", r->claim);
	if (r->expect[0])
		text_wide(&t, "expected", r->expect);
	text_wide(&t, "result", r->why);
	if (report_path)
		text_row(&t, "report", report_path, "");
	if (r->plan->closing) {
		(void)fputc('\n', out);
		wrap_text(out, TEXT_INDENT, wrap_columns(out) - TEXT_INDENT, r->plan->closing);
	}
}
