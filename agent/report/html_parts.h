/* SPDX-License-Identifier: MIT */
/* html_parts.h - the page of a run is made of these */
#ifndef REPORT_HTML_PARTS_H
#define REPORT_HTML_PARTS_H

#include <jansson.h>
#include <limits.h>

#include "agent/base/hist.h"
#include "agent/history/history.h"
#include "agent/lab/plan.h"
#include "agent/report/chart.h"
#include "agent/report/html.h"

/* A phase; seconds count from the start of the run. */
struct html_phase {
	const json_t *json;
	const char *name;
	double from_s;
	double to_s;
	bool cut;
	bool changed;      /* its links are not those of the lab without faults */
	bool warmup;       /* no figure is of it */
	double fit_rtt_ms; /* NaN: it is none of the fit */
};

/**
 * struct html_run - what a run left, read and looked through
 * @site_of:	by node
 * @age_ns:	by operation, see measures_ages()
 */
struct html_run {
	const char *dir;
	json_t *top;          /* owned */
	struct history_ops h; /* owned */
	uint64_t *age_ns;     /* owned */
	uint64_t t0_ns;
	unsigned nodes;
	const char *node[FABRIC_NODES_MAX];
	unsigned site_of[FABRIC_NODES_MAX];
	bool client[FABRIC_NODES_MAX];
	unsigned sites;
	const char *site[PLAN_SITES_MAX];
	unsigned phases;
	struct html_phase phase[PLAN_PHASES_MAX];
	double from_s;
	double to_s;
};

/* html_load() - Return: 0, or a negative errno with the file and what is wrong in @err. */
int html_load(struct html_run *r, const char *dir, struct err *err);
void html_unload(struct html_run *r);

/* html_measured() - an operation of the load that stands in the charts: not of the final reads,
 * begun within the phases. html_write() - CAS and all that is no read. */
bool html_measured(const struct html_run *r, const struct history_op *op);
static inline bool html_write(const struct history_op *op)
{
	return op->kind != HISTORY_READ;
}

/* html_op_s() - when it was meant to start; html_op_ms() - how long it took from then. */
double html_op_s(const struct html_run *r, const struct history_op *op);
double html_op_ms(const struct history_op *op);

/* html_calm() - the first phase without faults that is not of the fit, NULL if there is none;
 * html_cut() - the first with a cut. */
const struct html_phase *html_calm(const struct html_run *r);
const struct html_phase *html_cut(const struct html_run *r);

/* Parts of the page, in its order. */
void html_head_print(FILE *out, const struct html_run *r);
/* html_warnings_print() - is it simulated, tainted, interrupted? html_verdict_print() - letters,
 * words, result, claim. */
void html_warnings_print(FILE *out, const struct html_run *r);
void html_verdict_print(FILE *out, const struct html_run *r);
void html_sides_print(FILE *out, const struct html_run *r);
void html_latency_print(FILE *out, const struct html_run *r);
void html_simulated_print(FILE *out, const struct html_run *r);
void html_consistency_print(FILE *out, const struct html_run *r);
void html_trips_print(FILE *out, const struct html_run *r);
void html_recovery_print(FILE *out, const struct html_run *r);
void html_faults_print(FILE *out, const struct html_run *r);
void html_network_print(FILE *out, const struct html_run *r);
void html_quality_print(FILE *out, const struct html_run *r);
void html_settings_print(FILE *out, const struct html_run *r);

/* The charts of a run; -1 where there is nothing to draw, or no gnuplot. */
struct html_charts {
	struct charts charts;
	const struct html_run *run;
	int latency;
	int rate;
	int quantiles;
	int sweep;
	int stale;
	size_t shown[2]; /* of reads and writes: every so manieth */
	size_t answered[2];
	size_t unanswered;
	size_t unanswered_stride;
	size_t stale_count;
	size_t stale_stride;
	double bin_s; /* of what counts over time */
	struct chart_scale scale;
	struct chart_scale quantile_scale;
	struct chart_scale stale_scale;
	double rate_max;
};

/* html_latency_scale() - make room for all latencies of a run; to be rounded afterwards. */
void html_latency_scale(const struct html_run *r, struct chart_scale *ret);

/* html_charts_draw() - all of them; latencies on the scale @common, which may be NULL. Return: 0,
 * or why there are none; the page does without. */
int html_charts_draw(struct html_charts *c, const struct html_run *r,
	const struct chart_scale *common, struct err *err);
void html_charts_close(struct html_charts *c);

void html_latency_figures(FILE *out, const struct html_charts *c);
void html_rate_figure(FILE *out, const struct html_charts *c);
void html_sweep_figure(FILE *out, const struct html_charts *c);
void html_stale_figure(FILE *out, const struct html_charts *c);

/* One cell of the strip: operations that were meant to start in it. */
struct html_cell_count {
	uint32_t ok;
	uint32_t failed; /* refused, or without an answer until the deadline */
};

#define HTML_STRIP_CELLS_MAX 120

/* html_strip_count() - of the clients of @site, by @cells cells of equal length. */
void html_strip_count(
	const struct html_run *r, unsigned site, unsigned cells, struct html_cell_count *ret);
/* html_strip_print() - who was answered over time, a row for each site with clients. */
void html_strip_print(FILE *out, const struct html_run *r);

#endif
