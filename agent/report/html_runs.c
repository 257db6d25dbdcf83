/* SPDX-License-Identifier: MIT */
/* html_runs.c - several runs side by side, as a page */
#include "agent/report/html_runs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/report/html_parts.h"
#include "agent/report/look.h"
#include "agent/report/summary.h"

#define DASH "\xe2\x80\x93"
#define ID_MAX 16
#define TITLE_MAX 256

struct runs {
	struct html_run *run; /* owned */
	struct summary *sum;  /* owned */
	unsigned count;
	struct chart_scale scale; /* of all latencies */
};

/* Two runs of one lab on one store are told apart by their folder. */
static void run_title(const struct runs *r, unsigned i, char ret[TITLE_MAX])
{
	const char *slash = strrchr(r->run[i].dir, '/');
	const char *folder = slash && slash[1] ? slash + 1 : r->run[i].dir;
	bool alone = true;

	for (unsigned k = 0; k < r->count; k++)
		alone &= k == i || strcmp(r->sum[k].lab, r->sum[i].lab) != 0 ||
			 strcmp(r->sum[k].store, r->sum[i].store) != 0;
	if (alone)
		(void)snprintf(ret, TITLE_MAX, "%s on %s", r->sum[i].lab, r->sum[i].store);
	else
		(void)snprintf(ret, TITLE_MAX, "%s on %s, seed %" PRIu64 ", %.100s", r->sum[i].lab,
			r->sum[i].store, r->sum[i].seed, folder);
}

static void cell_share(FILE *out, double share)
{
	if (isnan(share))
		html_cell(out, DASH);
	else
		html_cell(out, "%.1f %%", 100 * share);
}

static void cell_seconds(FILE *out, double s)
{
	if (isnan(s))
		html_cell(out, DASH);
	else
		html_cell(out, "%.2f", s);
}

static void cell_trips(FILE *out, const struct summary_trips *t)
{
	if (isnan(t->paid))
		html_cell(out, DASH);
	else
		html_cell(out, "%.2f (%.2f to %.2f)", t->paid, t->low, t->high);
	html_cell_ms(out, t->theory);
}

static const char *result_words(const struct summary *s)
{
	static const char *const words[] = {"as expected", "violated", "inconclusive"};

	if (s->tainted)
		return "tainted";
	return s->status < sizeof words / sizeof *words ? words[s->status] : "failed";
}

static void verdict_table(FILE *out, const struct runs *r)
{
	static const char *const head[] = {"run", "verdict", "\tresult", "\tstrongest kept whole",
		"\tin all", "majority answered", "minority answered", "writes lost",
		"no write for s", "write after heal s", "converged s"};

	html_table(out, "Verdict, consistency and availability", head, sizeof head / sizeof *head);
	for (unsigned i = 0; i < r->count; i++) {
		const struct summary *s = &r->sum[i];
		char title[TITLE_MAX];
		char result[64];

		run_title(r, i, title);
		html_row(out, title);
		html_cell(out, "%s", s->verdict);
		(void)snprintf(result, sizeof result, "%s%s", result_words(s),
			json_is_object(json_object_get(r->run[i].top, "simulation")) ? ", SIMULATED"
										     : "");
		html_cell_text(out, result);
		html_cell_text(out, s->whole);
		html_cell_text(out, s->cut);
		cell_share(out, s->majority);
		cell_share(out, s->minority);
		html_cell(out, "%" PRIu64 " of %" PRIu64, s->lost, s->acknowledged);
		cell_seconds(out, s->unavailable_s);
		cell_seconds(out, s->recovered_s);
		cell_seconds(out, s->converged_s);
		html_row_end(out);
	}
	html_table_end(out);
}

static void cell_latency(FILE *out, const struct summary_latency *l)
{
	html_cell_ms(out, l->p50_ms);
	html_cell_ms(out, l->p99_ms);
	html_cell_ms(out, l->floor_ms);
}

static void cost_table(FILE *out, const struct runs *r)
{
	static const char *const head[] = {"run", "read p50 ms", "p99 ms", "floor ms",
		"write p50 ms", "p99 ms", "floor ms", "round trips a read", "floor's",
		"round trips a write", "floor's"};

	html_table(out, "Latency without faults, and round trips paid", head,
		sizeof head / sizeof *head);
	for (unsigned i = 0; i < r->count; i++) {
		char title[TITLE_MAX];

		run_title(r, i, title);
		html_row(out, title);
		cell_latency(out, &r->sum[i].read);
		cell_latency(out, &r->sum[i].write);
		cell_trips(out, &r->sum[i].read_trips);
		cell_trips(out, &r->sum[i].write_trips);
		html_row_end(out);
	}
	html_table_end(out);
	html_line(out, "p", "note",
		"Round trips: the slope of median latency over distance, and in brackets between "
		"what it lies in 95 of 100 bootstraps. The floor is what the link matrix allows the "
		"same operations at best.");
}

static void print_settings(FILE *out, const struct runs *r)
{
	static const char *const head[] = {"run", "seed", "\temulator", "\tkernel", "\tpacelab",
		"operations per s", "read %", "keys", "processors busy", "\tfolder"};

	html_table(out, "What ran, on what", head, sizeof head / sizeof *head);
	for (unsigned i = 0; i < r->count; i++) {
		const json_t *top = r->run[i].top;
		const json_t *settings = json_object_get(top, "settings");
		char title[TITLE_MAX];

		run_title(r, i, title);
		html_row(out, title);
		html_cell(out, "%" PRIu64, look_count(top, "seed"));
		html_cell_text(out, look_text(top, "emulator"));
		html_cell_text(out, look_text(top, "kernel"));
		html_cell_text(out, look_text(top, "pacelab"));
		html_cell(out, "%g", look_number(settings, "rate"));
		html_cell(out, "%" PRIu64, look_count(settings, "read_percent"));
		html_cell(out, "%" PRIu64, look_count(settings, "keys"));
		cell_share(out, look_number(json_object_get(top, "quality"), "cpu_busy"));
		html_cell_text(out, r->run[i].dir);
		html_row_end(out);
	}
	html_table_end(out);
}

/* One run's part: verdict in words, who was answered, latency. */
static int print_run(FILE *out, const struct runs *r, unsigned i, struct err *why)
{
	struct html_charts *c = calloc(1, sizeof *c);
	char title[TITLE_MAX];
	char id[ID_MAX];
	int rc;

	if (!c)
		return err_sys(why, -ENOMEM, "draw charts");
	rc = html_charts_draw(c, &r->run[i], &r->scale, why);
	run_title(r, i, title);
	(void)snprintf(id, sizeof id, "run-%u", i + 1);
	html_section(out, id, title);
	html_warnings_print(out, &r->run[i]);
	html_verdict_print(out, &r->run[i]);
	html_strip_print(out, &r->run[i]);
	html_latency_figures(out, c);
	html_section_end(out);
	html_charts_close(c);
	free(c);
	return rc;
}

/* Return: 0, or why there are no charts. */
static int print_page(FILE *out, const struct runs *r, struct err *why)
{
	static const char *const links[][2] = {{"figures", "Key figures"}, {"run-1", "The runs"},
		{"settings", "Settings"}, {NULL, NULL}};
	char title[TITLE_MAX];
	int rc = 0;

	(void)snprintf(title, sizeof title, "%u runs side by side - pacelab", r->count);
	html_begin(out, title);
	html_linef(out, "h1", NULL, "%u runs side by side", r->count);
	html_nav(out, links);
	html_main(out);
	html_section(out, "figures", "Key figures");
	verdict_table(out, r);
	cost_table(out, r);
	html_section_end(out);
	for (unsigned i = 0; i < r->count; i++) {
		int one = print_run(out, r, i, why);

		rc = rc ? rc : one;
	}
	html_section(out, "settings", "Settings");
	print_settings(out, r);
	html_section_end(out);
	if (rc)
		html_linef(out, "p", "warn", "No charts: %s", why->text);
	html_end(out);
	return rc;
}

static void runs_close(struct runs *r)
{
	for (unsigned i = 0; i < r->count; i++)
		html_unload(&r->run[i]);
	free(r->run);
	free(r->sum);
}

static int runs_open(struct runs *r, char *const *dir, unsigned dirs, struct err *err)
{
	*r = (struct runs){
		.run = calloc(dirs, sizeof *r->run), .sum = calloc(dirs, sizeof *r->sum)};
	if (!r->run || !r->sum)
		return err_sys(err, -ENOMEM, "read runs");
	for (unsigned i = 0; i < dirs; i++) {
		char path[PATH_MAX];
		int rc = html_load(&r->run[r->count++], dir[i], err);

		(void)snprintf(path, sizeof path, "%s/results.json", dir[i]);
		if (!rc)
			rc = summary_read(&r->sum[i], path, err);
		if (rc)
			return rc;
		html_latency_scale(&r->run[i], &r->scale);
	}
	return 0;
}

int html_runs_write(
	char *const *dir, unsigned dirs, const char *out, char *ret_note, struct err *err)
{
	struct err why = {0};
	struct runs r;
	FILE *f;
	int rc;

	ret_note[0] = '\0';
	if (dirs > HTML_RUNS_MAX)
		return err_usage(
			err, "%u runs: %d at most stand side by side", dirs, HTML_RUNS_MAX);
	rc = runs_open(&r, dir, dirs, err);
	f = rc ? NULL : fopen(out, "we");
	if (!rc && !f)
		rc = err_sys(err, -errno, "write %s", out);
	if (f) {
		if (print_page(f, &r, &why))
			(void)snprintf(ret_note, ERR_TEXT_MAX, "no charts: %.700s", why.text);
		rc = file_keep(f, out, err);
	}
	runs_close(&r);
	return rc;
}
