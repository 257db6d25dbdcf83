/* SPDX-License-Identifier: MIT */
/* html_run.c - report.html: one run as a page, from the folder that it left */
#include "agent/report/html_run.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/report/html_parts.h"
#include "agent/report/look.h"

static void print_nav(FILE *out)
{
	static const char *const links[][2] = {{"availability", "Availability"},
		{"latency", "Latency"}, {"consistency", "Consistency"},
		{"round-trips", "Round trips"}, {"recovery", "Recovery"}, {"faults", "Faults"},
		{"network", "Network"}, {"quality", "Quality"}, {"settings", "Settings"},
		{NULL, NULL}};

	html_nav(out, links);
}

/* The first witness that there is, in the order in which run_witness.c looks for one. */
static const char *witness_words(const struct html_run *r)
{
	const json_t *expected = json_object_get(r->top, "check_expected");
	const json_t *check;
	size_t i;

	json_array_foreach(expected, i, check)
	{
		if (look_text(check, "witness")[0])
			return look_text(check, "witness");
	}
	check = json_object_get(r->top, "check");
	return look_text(check, "witness")[0] ? look_text(check, "witness")
					      : "Operations over time, and what follows from them";
}

static void print_witness(FILE *out, const struct html_run *r)
{
	char path[PATH_MAX];
	struct err err = {0};

	(void)snprintf(path, sizeof path, "%s/witness.svg", r->dir);
	if (access(path, R_OK))
		return;
	html_figure(out, "The operations that prove the violation");
	(void)fputs("<div class=\"scroll wide-picture\" role=\"region\" tabindex=\"0\" "
		    "aria-label=\"Space-time diagram of the witness\">\n",
		out);
	if (html_picture(out, path, witness_words(r), &err))
		html_linef(out, "p", "warn", "No picture: %s.", err.text);
	(void)fputs("</div>\n", out);
	html_figure_end(out, witness_words(r));
}

static void print_main(FILE *out, const struct html_run *r, const struct html_charts *c)
{
	html_section(out, "availability", "Availability");
	html_strip_print(out, r);
	html_rate_figure(out, c);
	html_sides_print(out, r);
	html_section_end(out);
	html_section(out, "latency", "Latency and phases");
	html_latency_figures(out, c);
	html_latency_print(out, r);
	html_simulated_print(out, r);
	html_section_end(out);
	html_section(out, "consistency", "Consistency");
	print_witness(out, r);
	html_consistency_print(out, r);
	html_stale_figure(out, c);
	html_section_end(out);
	html_section(out, "round-trips", "Round trips");
	html_sweep_figure(out, c);
	html_trips_print(out, r);
	html_section_end(out);
	html_section(out, "recovery", "Recovery");
	html_recovery_print(out, r);
	html_section_end(out);
	html_section(out, "faults", "Faults and their evidence");
	html_faults_print(out, r);
	html_section_end(out);
	html_section(out, "network", "Network");
	html_network_print(out, r);
	html_section_end(out);
	html_section(out, "quality", "Quality of the run");
	html_quality_print(out, r);
	html_section_end(out);
	html_section(out, "settings", "Settings");
	html_settings_print(out, r);
	html_section_end(out);
}

static void print_page(
	FILE *out, const struct html_run *r, const struct html_charts *c, const char *note)
{
	char title[HTML_TEXT_MAX];

	(void)snprintf(title, sizeof title, "%s on %s: %s - pacelab", look_text(r->top, "lab"),
		look_text(r->top, "store"),
		look_text(json_object_get(r->top, "verdict"), "pacelc"));
	html_begin(out, title);
	html_head_print(out, r);
	if (note[0])
		html_line(out, "p", "warn", note);
	print_nav(out);
	html_main(out);
	print_main(out, r, c);
	html_end(out);
}

/* Charts are the cream: without them the page has all numbers, and says what is missing. */
static int write_page(const struct html_run *r, const char *path, char *ret_note, struct err *err)
{
	struct html_charts *c = calloc(1, sizeof *c);
	struct err why = {0};
	FILE *f = NULL;
	int rc;

	if (!c)
		return err_sys(err, -ENOMEM, "write %s", path);
	rc = html_charts_draw(c, r, NULL, &why);
	ret_note[0] = '\0';
	if (rc)
		(void)snprintf(ret_note, ERR_TEXT_MAX, "no charts: %.700s", why.text);
	f = fopen(path, "we");
	rc = f ? 0 : err_sys(err, -errno, "write %s", path);
	if (f) {
		print_page(f, r, c, ret_note);
		rc = file_keep(f, path, err);
	}
	html_charts_close(c);
	free(c);
	return rc;
}

int html_run_write(const char *dir, const char *out, char *ret_note, struct err *err)
{
	struct html_run *r = malloc(sizeof *r);
	char path[PATH_MAX];
	int rc;

	if (!r)
		return err_sys(err, -ENOMEM, "read %s", dir);
	rc = html_load(r, dir, err);
	if (!rc) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, HTML_RUN_FILE);
		rc = write_page(r, out ? out : path, ret_note, err);
	}
	html_unload(r);
	free(r);
	return rc;
}
