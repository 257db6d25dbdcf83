/* SPDX-License-Identifier: MIT */
/*
 * measure.c - from plan, log and history to the numbers of a run
 *
 * An operation belongs to the phase in which it was meant to start: a stall is counted where it
 * began. The final reads belong to none; they serve the checkers. An interrupted run has fewer
 * phases than its plan, and numbers that need the missing ones are NaN.
 *
 * What is judged here is the network, not the store: evidence says whether the faults were what
 * the plan says, the emulator's lateness whether times may be trusted.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/check/measures.h"
#include "agent/check/models.h"
#include "agent/report/parts.h"

/* A search that takes longer or more than this is given up, and its answer is "unknown". */
#define CHECK_TIME_NS_MAX 60000000000ull
#define CHECK_MEMORY_BYTES_MAX (1ull << 30)

/* Frames may be this late at the 99th percentile, or by this share of the smallest delay. */
#define LATE_NS_MAX 200000.0
#define LATE_SHARE_MAX 0.05
/* With less of the processors left, latency is that of the machine. */
#define CPU_BUSY_MAX 0.95

/* So late a client may be although it had nothing else to do. */
#define LOAD_LATE_P50_MS_MAX 0.5
#define LOAD_LATE_P99_MS_MAX 5.0
/* If more operations than these wait for their client, what is measured is a queue. */
#define LOAD_WAITED_MAX 0.5

uint64_t measure_phase_end_ns(const struct run_log *log, unsigned phase)
{
	const struct run_phase *p = &log->phase[phase];

	return p->t_end_ns > p->t_begin_ns ? p->t_end_ns : log->t_end_ns;
}

int measure_phase_at(const struct run_log *log, uint64_t t_ns)
{
	unsigned low = 0;
	unsigned high = log->phases;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (log->phase[mid].t_begin_ns <= t_ns)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || t_ns >= measure_phase_end_ns(log, low - 1))
		return -1;
	return (int)low - 1;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void measure_sort(uint64_t *ns, size_t n)
{
	if (n > 1)
		qsort(ns, n, sizeof *ns, compare_u64);
}

double measure_quantile_ms(const uint64_t *ns, size_t n, double q)
{
	size_t rank = (size_t)ceil(q * (double)n);

	if (n == 0)
		return NAN;
	return units_ms(ns[rank > 0 ? rank - 1 : 0]);
}

static bool fault_confirmed(const struct run_fault *f)
{
	if (f->node < 0 && f->links == 0)
		return true; /* nothing was changed */
	return f->judged && (f->node >= 0 || f->evidence.result == EVIDENCE_CONFIRMED);
}

/* What phase @p begins with: the network of the phase before it. */
static const struct link_matrix *matrix_before(const struct plan *plan, unsigned p)
{
	return p > 0 ? &plan->phase[p - 1].matrix : &plan->base;
}

/* Whether phase @p changes a link, and whether one stays cut that was. */
static void matrix_compare(const struct plan *plan, unsigned p, bool *ret_changes, bool *ret_cut_on)
{
	const struct link_matrix *was = matrix_before(plan, p);
	const struct link_matrix *is = &plan->phase[p].matrix;

	*ret_changes = false;
	*ret_cut_on = false;
	for (unsigned i = 0; i < is->nodes; i++) {
		*ret_changes = *ret_changes || was->down[i] != is->down[i];
		*ret_cut_on = *ret_cut_on || (was->down[i] && is->down[i]);
	}
	for (size_t i = 0; i < (size_t)is->nodes * is->nodes; i++) {
		const struct link_state *a = &was->link[i];
		const struct link_state *b = &is->link[i];

		*ret_changes = *ret_changes || !link_state_same(a, b);
		*ret_cut_on = *ret_cut_on || (a->cut && b->cut);
	}
}

/*
 * A phase is confirmed by the evidence of its own changes; one that changed nothing goes on with
 * the network of the phase before it, and with its evidence, and so does one in which links stay
 * cut that were. A change that is not in the log, which has a limit, is confirmed by nothing.
 */
static void measure_evidence(struct results *r)
{
	const struct run_log *log = r->log;

	for (unsigned p = 0; p < log->phases; p++) {
		bool before = p > 0 ? r->phase[p - 1].confirmed : true;
		bool changed = false;
		bool confirmed = true;
		bool changes, cut_on;

		for (unsigned i = 0; i < log->faults; i++) {
			const struct run_fault *f = &log->fault[i];

			if (f->phase != p)
				continue;
			changed = changed || f->node < 0;
			confirmed = confirmed && fault_confirmed(f);
		}
		matrix_compare(r->plan, p, &changes, &cut_on);
		if (!changed)
			confirmed = confirmed && before && !changes;
		else if (cut_on)
			confirmed = confirmed && before;
		r->phase[p].confirmed = confirmed;
		r->phase[p].seconds =
			units_s(measure_phase_end_ns(log, p) - log->phase[p].t_begin_ns);
		if (r->plan->phase[p].cut && r->cut_phase < 0)
			r->cut_phase = (int)p;
	}
}

static uint64_t smallest_delay_ns(const struct results *r)
{
	uint64_t smallest = UINT64_MAX;

	for (unsigned p = 0; p < r->log->phases; p++) {
		const struct link_matrix *m = &r->plan->phase[p].matrix;

		for (size_t i = 0; i < (size_t)m->nodes * m->nodes; i++)
			if (m->link[i].delay_ns > 0 && m->link[i].delay_ns < smallest)
				smallest = m->link[i].delay_ns;
	}
	return smallest == UINT64_MAX ? 0 : smallest;
}

static void taint(struct results *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The first reason is the one that is printed. */
static void taint(struct results *r, const char *fmt, ...)
{
	va_list args;

	if (r->tainted)
		return;
	r->tainted = true;
	va_start(args, fmt);
	(void)vsnprintf(r->taint, sizeof r->taint, fmt, args);
	va_end(args);
}

/* Latency counts from when an operation was meant to start: it then is the load's own. */
static void measure_taint_load(struct results *r)
{
	const struct results_load *l = &r->load;

	if (l->asked >= RESULTS_SAMPLES_MIN &&
		(double)l->waited > LOAD_WAITED_MAX * (double)l->asked)
		taint(r,
			"overloaded: %.0f %% of all operations before the first fault had to wait for "
			"their client, %.0f %% are allowed: lower the rate, or have more clients",
			100 * (double)l->waited / (double)l->asked, 100 * LOAD_WAITED_MAX);
	if (l->free >= RESULTS_SAMPLES_MIN && l->late_p50_ms > LOAD_LATE_P50_MS_MAX)
		taint(r, "half of the load began more than %.2f ms late, %.2f ms are allowed",
			l->late_p50_ms, LOAD_LATE_P50_MS_MAX);
	if (l->free >= RESULTS_SAMPLES_MIN && l->late_p99_ms > LOAD_LATE_P99_MS_MAX)
		taint(r, "1 operation in 100 began more than %.2f ms late, %.2f ms are allowed",
			l->late_p99_ms, LOAD_LATE_P99_MS_MAX);
}

static void measure_taint(struct results *r)
{
	const struct run_log *log = r->log;
	const struct fabric_quality *q = &log->quality;
	double limit = fmax(LATE_NS_MAX, LATE_SHARE_MAX * (double)smallest_delay_ns(r));
	double late = (double)hist_quantile(&q->late, 0.99) - (double)q->bias_ns;

	for (unsigned i = 0; i < log->faults; i++) {
		const struct run_fault *f = &log->fault[i];

		if (!fault_confirmed(f))
			taint(r, "%s in phase %s is not confirmed: %s", f->kind,
				r->plan->phase[f->phase].name,
				f->evidence.why[0] ? f->evidence.why : "it was not judged");
	}
	for (unsigned p = 0; p < log->phases; p++)
		if (!r->phase[p].confirmed)
			taint(r, "the network of phase %s is not confirmed",
				r->plan->phase[p].name);
	if (q->late.count > 0 && late > limit)
		taint(r, "1 frame in 100 was more than %.2f ms late, %.2f ms are allowed",
			late / 1e6, limit / 1e6);
	if (q->lost > 0)
		taint(r, "the emulator lost %llu frames that no fault asked to lose",
			(unsigned long long)q->lost);
	if (!q->realtime)
		taint(r, "the emulator had no real-time priority");
	if (log->cpu_busy > CPU_BUSY_MAX)
		taint(r, "processors were %.0f %% busy: latency is the machine's",
			100 * log->cpu_busy);
	measure_taint_load(r);
}

/*
 * The history as it stood when the first link was cut. What was under way may have taken effect
 * and been seen by others, so writes stay, with an unknown outcome; reads without answer say
 * nothing. Only its operations are its own, to be freed.
 */
static struct history_ops history_before(const struct history_ops *ops, uint64_t cut_ns)
{
	struct history_ops before = {.op = calloc(ops->count + 1, sizeof *before.op),
		.micro = ops->micro,
		.micros = ops->micros,
		.list = ops->list,
		.lists = ops->lists};

	assert(before.op);
	for (size_t i = 0; i < ops->count; i++) {
		struct history_op op = ops->op[i];

		if (op.t_invoke_ns >= cut_ns)
			continue;
		if (op.t_return_ns >= cut_ns) {
			if (op.kind == HISTORY_READ)
				continue;
			op.t_return_ns = UINT64_MAX;
			op.outcome = HISTORY_UNKNOWN;
			op.met = false;
		}
		before.op[before.count++] = op;
	}
	return before;
}

/* When the first cut began: its request, which is before any packet could see it. */
static uint64_t first_cut_ns(const struct results *r)
{
	const struct run_log *log = r->log;
	uint64_t t_ns = log->phase[r->cut_phase].t_begin_ns;

	for (unsigned i = 0; i < log->faults; i++) {
		const struct run_fault *f = &log->fault[i];

		if (f->phase == (unsigned)r->cut_phase && f->node < 0 && f->t_request_ns < t_ns)
			t_ns = f->t_request_ns;
	}
	return t_ns;
}

/* Registers are judged by what the letters are about; others by what is expected of them, too. */
static const struct check_ops *measure_model(const struct plan *plan, enum check_type type)
{
	const struct check_ops *model = NULL;

	if (type != CHECK_REGISTER && plan->expect.models > 0)
		model = check_find(plan->expect.model[0].name, type);
	return model ? model : check_strongest(type);
}

/* One more model, unless it is checked already or is none of @type. */
static int measure_one(struct results *r, const char *name, const struct history_ops *ops,
	enum check_type type, const struct check_names *names, struct err *err)
{
	struct check_budget budget = {
		.time_ns = CHECK_TIME_NS_MAX, .memory_bytes = CHECK_MEMORY_BYTES_MAX};
	const struct check_ops *model = name ? check_find(name, type) : NULL;
	struct results_expected *e = &r->expected[r->expecteds];

	if (!model || strcmp(name, r->model) == 0)
		return 0;
	for (unsigned i = 0; i < r->expecteds; i++) {
		if (strcmp(name, r->expected[i].model) == 0)
			return 0;
	}
	e->model = model->name;
	r->expecteds++;
	return model->check(ops, &budget, names, &e->check, err);
}

/* The models that are expected, and the one that the workload is about. */
static int measure_expected(struct results *r, const struct history_ops *ops, enum check_type type,
	const struct check_names *names, struct err *err)
{
	const struct plan *plan = r->plan;
	int rc = measure_one(r, plan_workload_models[plan->load.workload], ops, type, names, err);

	for (unsigned i = 0; i < plan->expect.models && rc == 0; i++)
		rc = measure_one(r, plan->expect.model[i].name, ops, type, names, err);
	return rc;
}

/* What the protocol claims while @when holds, if neither that nor its breach follows already. */
static int measure_claimed(enum proto_model claim, const struct history_ops *ops,
	enum check_type type, const struct check_names *names, struct results_claimed *ret,
	struct err *err)
{
	struct check_budget budget = {
		.time_ns = CHECK_TIME_NS_MAX, .memory_bytes = CHECK_MEMORY_BYTES_MAX};
	const struct check_ops *model = check_find(proto_model_names[claim], type);

	if (claim == PROTO_LINEARIZABLE || claim == PROTO_EVENTUAL || !model)
		return 0;
	ret->model = model->name;
	return model->check(ops, &budget, names, &ret->check, err);
}

/* A text that clients read, change and write back is no list, set or counter of the store's. */
static bool measure_covers(uint32_t does, enum check_type type)
{
	uint32_t needs[] = {
		[CHECK_LIST] = PROTO_DOES(PROTO_APPEND),
		[CHECK_SET] = PROTO_DOES(PROTO_APPEND) | PROTO_DOES(PROTO_ADD),
		[CHECK_COUNTER] = PROTO_DOES(PROTO_INCREASE),
	};

	if (type != CHECK_LIST && type != CHECK_SET && type != CHECK_COUNTER)
		return true;
	return does & needs[type];
}

/* Whatever order there was: at the end no acknowledged element or increment is missing. */
static int measure_end(const struct history_ops *ops, enum check_type type,
	const struct check_names *names, struct results_claimed *ret, struct err *err)
{
	struct check_budget budget = {
		.time_ns = CHECK_TIME_NS_MAX, .memory_bytes = CHECK_MEMORY_BYTES_MAX};
	const struct check_ops *model = check_find(check_type_names[type], type);
	struct history_ops end = *ops;
	int rc;

	assert(model); /* "set" and "counter" */
	end.count = 0;
	end.op = malloc((ops->count + 1) * sizeof *end.op);
	assert(end.op);
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];

		if (op->kind != HISTORY_READ || op->flags & HISTORY_F_FINAL)
			end.op[end.count++] = *op;
	}
	ret->model = model->name;
	rc = model->check(&end, &budget, names, &ret->check, err);
	free(end.op);
	return rc;
}

static int measure_objects(struct results *r, const struct proto_claim *claim,
	const struct history_ops *ops, enum check_type type, const struct check_names *names,
	struct err *err)
{
	r->foreign = !measure_covers(claim->does, type);
	if (r->foreign || claim->cut == PROTO_LINEARIZABLE ||
		(type != CHECK_SET && type != CHECK_COUNTER) ||
		proto_loses(claim, type == CHECK_SET ? PROTO_ADD : PROTO_INCREASE))
		return 0;
	return measure_end(ops, type, names, &r->claimed_end, err);
}

static int measure_check(struct results *r, const struct history_ops *ops, struct err *err)
{
	const struct plan *plan = r->plan;
	const struct check_ops *model;
	struct check_budget budget = {
		.time_ns = CHECK_TIME_NS_MAX, .memory_bytes = CHECK_MEMORY_BYTES_MAX};
	const char *node[FABRIC_NODES_MAX];
	struct check_names names = {node, plan->nodes, r->log->t_start_ns};
	struct history_ops before;
	struct proto_claim claim;
	enum check_type type;
	int ret = check_type_of(ops, &type, err);

	if (ret < 0)
		return err_wrap(err, "check the history");
	plan->system->ops->claim(&plan->proto, &claim);
	model = measure_model(plan, type);
	for (unsigned i = 0; i < plan->nodes; i++)
		node[i] = plan->node[i].name;
	assert(model);
	r->model = model->name;
	r->letters = strcmp(model->name, linearizable_ops.name) == 0;
	if (type == CHECK_REGISTER) {
		check_lost(ops, &names, &r->lost);
		measures_stale(ops, &r->reads, &r->stale, &r->stale_behind);
		r->oldest_ns = r->oldest_whole_ns = measures_oldest(ops);
	}
	if (type == CHECK_SET || type == CHECK_COUNTER)
		check_lost_objects(ops, type, &names, &r->lost);
	ret = model->check(ops, &budget, &names, &r->check, err);
	if (ret == 0)
		ret = measure_expected(r, ops, type, &names, err);
	if (ret == 0)
		ret = measure_objects(r, &claim, ops, type, &names, err);
	if (ret == 0 && !r->foreign)
		ret = measure_claimed(claim.cut, ops, type, &names, &r->claimed_cut, err);
	if (ret < 0)
		return err_wrap(err, "check the history");
	if (plan->all_models)
		ret = measure_models(ops, type, &names, &r->models_cut, err);
	if (r->cut_phase < 0 && ret == 0) {
		r->check_whole = r->check;
		r->models_whole = r->models_cut;
		if (!r->foreign)
			ret = measure_claimed(
				claim.whole, ops, type, &names, &r->claimed_whole, err);
	}
	if (r->cut_phase < 0 || ret < 0)
		return ret < 0 ? err_wrap(err, "check the history") : 0;
	before = history_before(ops, first_cut_ns(r));
	if (type == CHECK_REGISTER)
		r->oldest_whole_ns = measures_oldest(&before);
	ret = model->check(&before, &budget, &names, &r->check_whole, err);
	if (ret == 0 && !r->foreign)
		ret = measure_claimed(claim.whole, &before, type, &names, &r->claimed_whole, err);
	if (ret == 0 && plan->all_models)
		ret = measure_models(&before, type, &names, &r->models_whole, err);
	free(before.op);
	return ret < 0 ? err_wrap(err, "check the history before the cut") : 0;
}

/* The history is a file: what it says must fit the plan before it is used as an index. */
static int measure_fits(const struct plan *plan, const struct run_log *log,
	const struct history_ops *ops, struct err *err)
{
	if (log->phases > plan->phases)
		return err_set(err, -EBADMSG, EXIT_INTERNAL, "the log has %u phases, the plan %u",
			log->phases, plan->phases);
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];

		if (op->node >= plan->replicas || op->client >= plan->nodes ||
			op->kind >= HISTORY_KIND_NR || op->t_return_ns < op->t_invoke_ns ||
			op->t_invoke_ns < op->t_intended_ns)
			return err_set(err, -EBADMSG, EXIT_INTERNAL,
				"operation %u of the history does not fit the plan: "
				"client %u, replica %u, kind %u",
				op->op, op->client, op->node, op->kind);
	}
	return 0;
}

int measure(struct results *ret, const struct plan *plan, const struct run_log *log,
	const struct history_ops *ops, struct err *err)
{
	int status = measure_fits(plan, log, ops, err);

	if (status < 0)
		return status;
	memset(ret, 0, sizeof *ret);
	ret->plan = plan;
	ret->log = log;
	ret->cut_phase = -1;
	measure_evidence(ret);
	punctual_measure(ret, ops);
	local_measure(ret, ops);
	measure_taint(ret);
	latency_measure(ret, ops);
	availability_measure(ret, ops);
	recovery_measure(ret, ops);
	return measure_check(ret, ops, err);
}
