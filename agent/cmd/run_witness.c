/* SPDX-License-Identifier: MIT */
/* run_witness.c - the picture of what a run proved against its store */
#include "agent/cmd/run_witness.h"

#include <stdio.h>

#include "agent/cmd/check_svg.h"

static size_t witness_bands(const struct results *r, struct svg_band *band)
{
	size_t count = 0;

	for (unsigned i = 0; i < r->log->phases && count < SVG_BANDS_MAX; i++) {
		struct svg_band *b = &band[count++];

		*b = (struct svg_band){
			.from_ns = r->log->phase[i].t_begin_ns, .to_ns = r->log->phase[i].t_end_ns};
		(void)snprintf(b->name, sizeof b->name, "%s", r->plan->phase[i].name);
	}
	return count;
}

static size_t witness_marks(const struct results *r, struct svg_mark *mark)
{
	size_t count = 0;

	for (unsigned i = 0; i < r->log->faults && count < SVG_MARKS_MAX; i++) {
		const struct run_fault *fault = &r->log->fault[i];
		struct svg_mark *m = &mark[count++];

		m->t_ns = fault->t_first_ns;
		if (fault->node >= 0)
			(void)snprintf(m->name, sizeof m->name, "%s %s", fault->kind,
				r->plan->node[fault->node].name);
		else
			(void)snprintf(m->name, sizeof m->name, "%s", fault->kind);
	}
	return count;
}

/* What the lab is about comes first. */
static const struct check_result *witness_result(const struct results *r, const char **ret_model)
{
	for (unsigned i = 0; i < r->expecteds; i++) {
		if (r->expected[i].check.verdict != CHECK_VIOLATION)
			continue;
		*ret_model = r->expected[i].model;
		return &r->expected[i].check;
	}
	return &r->check;
}

int run_witness_keep(const struct results *results, const struct history_ops *ops, const char *path,
	struct err *err)
{
	const struct plan *plan = results->plan;
	const char *model = results->model;
	const struct check_result *result = witness_result(results, &model);
	const char *node[FABRIC_NODES_MAX];
	struct check_names names = {
		.node = node, .nodes = plan->nodes, .t0_ns = results->log->t_start_ns};
	struct svg_band band[SVG_BANDS_MAX];
	struct svg_mark mark[SVG_MARKS_MAX];
	char title[SVG_TITLE_MAX];
	struct svg svg = {.title = title,
		.h = ops,
		.result = result,
		.names = &names,
		.band = band,
		.bands = witness_bands(results, band),
		.mark = mark,
		.marks = witness_marks(results, mark)};

	if (result->verdict != CHECK_VIOLATION)
		return 0;
	for (unsigned i = 0; i < plan->nodes; i++)
		node[i] = plan->node[i].name;
	(void)snprintf(
		title, sizeof title, "%s on %s: not %s", plan->name, plan->system->name, model);
	return svg_keep(&svg, path, err);
}
