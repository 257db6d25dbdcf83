/* SPDX-License-Identifier: MIT */
/* pbs_print.c - staleness measured beside predicted, for people and for programs */
#include "agent/report/pbs_print.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define MS 1e6
/* Bailis et al., section 5.2: over all that they compared. */
#define PAPER_VISIBILITY 0.28
#define PAPER_VISIBILITY_MAX 0.53
#define PAPER_LATENCY 0.48
#define PAPER_LATENCY_MAX 0.90
#define CELL_TEXT_MAX 32

/* Of PBS_PERCENTILES: 50, 99 and 99.9 %. */
static const unsigned shown[] = {49, 98, 99};

static const char *per_cent(double share, char cell[CELL_TEXT_MAX])
{
	if (isnan(share))
		return "-";
	(void)snprintf(cell, CELL_TEXT_MAX, "%.2f %%", 100 * share);
	return cell;
}

static void print_cell(const struct pbs_cell *cell, FILE *out)
{
	const struct pbs_bin *bin = &cell->bin[0];
	char text[4][CELL_TEXT_MAX];
	double n = (double)bin->samples;

	if (cell->samples == 0)
		return;
	(void)fprintf(out, "    R=%u W=%u  %9s %9s %9s  %8" PRIu64 " %8" PRIu64 "  %8s", cell->r,
		cell->w, per_cent(cell->fresh0, text[0]),
		n > 0 ? per_cent(bin->predicted / n, text[1]) : "-",
		n > 0 ? per_cent((double)bin->fresh / n, text[2]) : "-", cell->samples, cell->stale,
		per_cent(cell->rmse, text[3]));
	(void)fprintf(out, " %8s %9.2f\n", per_cent(cell->noise, text[0]), cell->t999_ns / MS);
}

static void print_latency(const char *what, unsigned need, const struct pbs_latency *l, FILE *out)
{
	char text[2][CELL_TEXT_MAX];

	if (l->samples == 0)
		return;
	(void)fprintf(out, "    %-5s of %u ", what, need);
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		(void)fprintf(out, " %9.2f %9.2f", l->predicted_ns[shown[i]] / MS,
			l->measured_ns[shown[i]] / MS);
	(void)fprintf(out, "  %8" PRIu64 "  %8s %8.2f %8s\n", l->samples,
		per_cent(l->nrmse, text[0]), l->base_ns / MS, per_cent(l->nrmse_net, text[1]));
}

void pbs_print(const char *name, const struct pbs_report *p, const char *why, FILE *out)
{
	(void)fprintf(out,
		"  %s   t from 0 to %.0f ms, %" PRIu64 " reads beside a write left out%s%s\n", name,
		p->range_ns / MS, p->left_out, why[0] ? "; nothing is concluded: " : "", why);
	(void)fprintf(out, "    %-7s  %9s %9s %9s  %8s %8s  %8s %8s %9s\n", "", "fresh at",
		"first bin", "first bin", "", "", "", "RMSE by", "99.9 % t,");
	(void)fprintf(out, "    %-7s  %9s %9s %9s  %8s %8s  %8s %8s %9s\n", "", "0, pred.",
		"predicted", "measured", "samples", "stale", "RMSE", "chance", "ms, pred.");
	for (unsigned r = 0; r < PBS_LEVELS_MAX; r++)
		for (unsigned w = 0; w < PBS_LEVELS_MAX; w++)
			print_cell(&p->cell[r][w], out);
	(void)fprintf(out, "    %-10s  %19s %19s %19s  %8s  %8s %8s %8s\n", "latency, ms",
		"p50 predicted, is", "p99 predicted, is", "p99.9 pred., is", "samples", "N-RMSE",
		"machine", "without");
	for (unsigned i = 0; i < PBS_LEVELS_MAX; i++)
		print_latency("read", i + 1, &p->read[i], out);
	for (unsigned i = 0; i < PBS_LEVELS_MAX; i++)
		print_latency("write", i + 1, &p->write[i], out);
	(void)fputc('\n', out);
}

void pbs_print_csv(const char *name, const struct pbs_report *p, bool first, FILE *out)
{
	if (first)
		(void)fputs("case,r,w,t_ms,samples,fresh,predicted\r\n", out);
	for (unsigned i = 0; i < PBS_LEVELS_MAX * PBS_LEVELS_MAX; i++) {
		const struct pbs_cell *cell = &p->cell[i / PBS_LEVELS_MAX][i % PBS_LEVELS_MAX];

		for (unsigned b = 0; b < PBS_BINS; b++) {
			const struct pbs_bin *bin = &cell->bin[b];
			double n = (double)bin->samples;

			if (bin->samples > 0)
				(void)fprintf(out, "%s,%u,%u,%.6g,%" PRIu64 ",%.6f,%.6f\r\n", name,
					cell->r, cell->w, bin->from_ns / MS, bin->samples,
					(double)bin->fresh / n, bin->predicted / n);
		}
	}
}

static void latency_rows(
	const char *name, const char *what, unsigned need, const struct pbs_latency *l, FILE *out)
{
	for (unsigned i = 0; l->samples > 0 && i < PBS_PERCENTILES; i++)
		(void)fprintf(out, "%s,%s,%u,%g,%.6f,%.6f\r\n", name, what, need,
			100 * pbs_percentile(i), l->predicted_ns[i] / MS, l->measured_ns[i] / MS);
}

void pbs_print_latency_csv(const char *name, const struct pbs_report *p, bool first, FILE *out)
{
	if (first)
		(void)fputs("case,operation,level,percentile,predicted_ms,measured_ms\r\n", out);
	for (unsigned i = 0; i < PBS_LEVELS_MAX; i++)
		latency_rows(name, "read", i + 1, &p->read[i], out);
	for (unsigned i = 0; i < PBS_LEVELS_MAX; i++)
		latency_rows(name, "write", i + 1, &p->write[i], out);
}

static void sum_latency(struct pbs_sum *sum, const struct pbs_latency *l)
{
	if (l->samples == 0 || isnan(l->nrmse))
		return;
	sum->latency += l->nrmse;
	sum->latency_max = fmax(sum->latency_max, l->nrmse);
	sum->net += isnan(l->nrmse_net) ? l->nrmse : l->nrmse_net;
	sum->net_max = fmax(sum->net_max, isnan(l->nrmse_net) ? l->nrmse : l->nrmse_net);
	sum->latencies++;
}

void pbs_sum_add(struct pbs_sum *sum, const struct pbs_report *p)
{
	sum->cases++;
	for (unsigned i = 0; i < PBS_LEVELS_MAX * PBS_LEVELS_MAX; i++) {
		const struct pbs_cell *cell = &p->cell[i / PBS_LEVELS_MAX][i % PBS_LEVELS_MAX];

		if (cell->samples > 0 && cell->r + cell->w > p->replicas) {
			sum->overlapping += cell->samples;
			sum->overlapping_stale += cell->stale;
		}
		if (isnan(cell->rmse) || cell->r + cell->w > p->replicas)
			continue;
		sum->visibility += cell->rmse;
		sum->noise += cell->noise;
		sum->squares += cell->rmse * cell->rmse - cell->noise * cell->noise;
		sum->visibility_max = fmax(sum->visibility_max, cell->rmse);
		sum->cells++;
	}
	for (unsigned i = 0; i < PBS_LEVELS_MAX; i++) {
		sum_latency(sum, &p->read[i]);
		sum_latency(sum, &p->write[i]);
	}
}

void pbs_sum_print(const struct pbs_sum *sum, FILE *out)
{
	if (sum->cells > 0)
		(void)fprintf(out,
			"  t-visibility  RMSE %.2f %% on average, %.2f %% at most, over %u "
			"combinations with R + W <= N;\n"
			"                chance alone would make it %.2f %%, so the prediction is off "
			"by %.2f %%. The paper: %.2f %% and %.2f %%\n",
			100 * sum->visibility / sum->cells, 100 * sum->visibility_max, sum->cells,
			100 * sum->noise / sum->cells,
			100 * sqrt(fmax(0, sum->squares / sum->cells)), PAPER_VISIBILITY,
			PAPER_VISIBILITY_MAX);
	(void)fprintf(out,
		"  R + W > N     %" PRIu64 " of %" PRIu64 " reads were stale: none may be\n",
		sum->overlapping_stale, sum->overlapping);
	if (sum->latencies > 0)
		(void)fprintf(out,
			"  latency       N-RMSE %.2f %% on average, %.2f %% at most; without what the "
			"machine takes by itself\n                %.2f %% and %.2f %%. The paper: "
			"%.2f %% and %.2f %%\n",
			100 * sum->latency / sum->latencies, 100 * sum->latency_max,
			100 * sum->net / sum->latencies, 100 * sum->net_max, PAPER_LATENCY,
			PAPER_LATENCY_MAX);
}

static void put_double(struct json *j, const char *key, double x)
{
	json_key(j, key);
	json_double(j, x);
}

static void put_uint(struct json *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_uint(j, n);
}

static void put_string(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	json_string(j, text);
}

static void put_cell(struct json *j, const struct pbs_cell *cell)
{
	json_object(j);
	put_uint(j, "r", cell->r);
	put_uint(j, "w", cell->w);
	put_uint(j, "samples", cell->samples);
	put_uint(j, "stale", cell->stale);
	put_double(j, "rmse", cell->rmse);
	put_double(j, "rmse_by_chance", cell->noise);
	put_double(j, "predicted_fresh_at_0", cell->fresh0);
	put_double(j, "predicted_t999_ms", cell->t999_ns / MS);
	json_key(j, "bins");
	json_array(j);
	for (unsigned b = 0; b < PBS_BINS; b++) {
		const struct pbs_bin *bin = &cell->bin[b];
		double n = (double)bin->samples;

		if (bin->samples == 0)
			continue;
		json_object(j);
		put_double(j, "t_ms", bin->from_ns / MS);
		put_uint(j, "samples", bin->samples);
		put_double(j, "fresh", (double)bin->fresh / n);
		put_double(j, "predicted", bin->predicted / n);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void put_row(struct json *j, const char *key, const double *ns)
{
	json_key(j, key);
	json_array(j);
	for (unsigned i = 0; i < PBS_PERCENTILES; i++)
		json_double(j, ns[i] / MS);
	json_array_end(j);
}

static void put_latency(
	struct json *j, const char *what, unsigned need, const struct pbs_latency *l)
{
	if (l->samples == 0)
		return;
	json_object(j);
	put_string(j, "operation", what);
	put_uint(j, "level", need);
	put_uint(j, "samples", l->samples);
	put_double(j, "nrmse", l->nrmse);
	put_double(j, "machine_ms", l->base_ns / MS);
	put_double(j, "nrmse_without", l->nrmse_net);
	put_row(j, "predicted_ms", l->predicted_ns);
	put_row(j, "measured_ms", l->measured_ns);
	json_object_end(j);
}

void pbs_print_json(const char *name, const struct pbs_report *p, const char *why, struct json *j)
{
	json_object(j);
	put_string(j, "case", name);
	put_string(j, "inconclusive", why);
	put_double(j, "range_ms", p->range_ns / MS);
	put_uint(j, "left_out", p->left_out);
	put_uint(j, "failed", p->failed);
	json_key(j, "cells");
	json_array(j);
	for (unsigned i = 0; i < PBS_LEVELS_MAX * PBS_LEVELS_MAX; i++) {
		const struct pbs_cell *cell = &p->cell[i / PBS_LEVELS_MAX][i % PBS_LEVELS_MAX];

		if (cell->samples > 0)
			put_cell(j, cell);
	}
	json_array_end(j);
	json_key(j, "latencies");
	json_array(j);
	for (unsigned i = 0; i < PBS_LEVELS_MAX; i++) {
		put_latency(j, "read", i + 1, &p->read[i]);
		put_latency(j, "write", i + 1, &p->write[i]);
	}
	json_array_end(j);
	json_object_end(j);
}
