/* SPDX-License-Identifier: MIT */
/* compare_html.c - report.html of a comparison: several stores in one lab, as a page */
#include "agent/report/compare_html.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/units.h"
#include "agent/report/html.h"
#include "agent/report/parts.h"
#include "agent/report/spread.h"

#define PAGE_PATH_MAX 4096
#define CELL_MAX 64
/* Between round trips paid and claimed: what the fit is good for. */
#define TRIPS_OFF_GOAL 0.05

#define HEADS(heads) heads, sizeof(heads) / sizeof *(heads)

static const char *const links[][2] = {{"trade-off", "The trade-off"}, {"kept", "What is kept"},
	{"costs", "What it costs"}, {"cut", "A cut and its heal"}, {"notes", "Store by store"},
	{NULL, NULL}};

/* How many rows are concluded and have a verdict that begins so. */
static unsigned count_letters(const struct compare_page *p, const char *letters)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->rows; i++)
		n += p->row[i].status != EXIT_INCONCLUSIVE &&
		     strncmp(p->row[i].verdict, letters, strlen(letters)) == 0;
	return n;
}

static unsigned count_claims(const struct compare_page *p, const char *word)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->rows; i++)
		n += strcmp(compare_claim(&p->row[i]), word) == 0;
	return n;
}

/* With a result, and without any; not those that were left out. */
static unsigned stores(const struct compare_page *p)
{
	unsigned missing = 0;

	while (compare_missing(p, missing))
		missing++;
	return p->rows + missing - p->lefts;
}

/* Letters beside those of the literature, of stores from which something was concluded. */
static void put_textbook(FILE *out, const struct compare_page *p)
{
	unsigned classed = 0;
	unsigned same = 0;

	for (unsigned i = 0; i < p->rows; i++) {
		const char *textbook = p->system[i]->textbook;

		if (!textbook[0] || p->row[i].status == EXIT_INCONCLUSIVE)
			continue;
		classed++;
		same += compare_agrees(textbook, p->row[i].verdict);
	}
	if (classed)
		html_linef(out, "p", NULL,
			"Of %u that have a class in the literature %u were measured to be so; why the "
			"others differ is below.",
			classed, same);
}

/* How far what is paid is from what is claimed, at worst; only a conclusive run counts. */
static void put_accuracy(FILE *out, const struct compare_page *p)
{
	unsigned fitted = 0;
	unsigned within = 0;
	unsigned worst = 0;
	double off_max = -1;

	for (unsigned i = 0; i < p->rows; i++) {
		const struct summary_trips *r = &p->row[i].read_trips;
		const struct summary_trips *w = &p->row[i].write_trips;
		double off = fmax(fabs(r->paid - r->theory), fabs(w->paid - w->theory));

		if (isnan(off) || p->row[i].status == EXIT_INCONCLUSIVE)
			continue;
		fitted++;
		within += off <= TRIPS_OFF_GOAL;
		if (off > off_max) {
			off_max = off;
			worst = i;
		}
	}
	if (fitted)
		html_linef(out, "p", NULL,
			"Round trips paid are within %.2f of what is claimed on %u of %u stores; "
			"furthest off is %s, by %.2f.",
			TRIPS_OFF_GOAL, within, fitted, p->system[worst]->name, off_max);
}

static void put_lead(FILE *out, const struct compare_page *p)
{
	unsigned broken = count_claims(p, "broken");
	unsigned open = stores(p) - p->rows;

	for (unsigned i = 0; i < p->rows; i++)
		open += p->row[i].status == EXIT_INCONCLUSIVE;
	if (open < stores(p))
		html_linef(out, "p", "verdict",
			"When the network was cut, %u of %u stores stayed consistent and refused some "
			"side (PC), %u answered every side (PA), %u did neither (P-).",
			count_letters(p, "PC"), stores(p), count_letters(p, "PA"),
			count_letters(p, "P-"));
	if (broken)
		html_linef(out, "p", "loud", "%u kept what they claim, %u broke it.",
			count_claims(p, "kept"), broken);
	else if (open < stores(p))
		html_linef(out, "p", NULL, "%u kept what they claim, none broke it.",
			count_claims(p, "kept"));
	put_textbook(out, p);
	put_accuracy(out, p);
	if (open)
		html_linef(out, "p", "warn",
			"Of %u nothing can be concluded; their figures stand here all the same.",
			open);
	if (p->lefts)
		html_linef(out, "p", "note", "%u more cannot run here; why is below.", p->lefts);
}

/* The page of a run, from here; NULL if there is none. */
static const char *page_of(
	const struct compare_page *p, const struct compare_run *run, char ret[PAGE_PATH_MAX])
{
	int base = (int)strlen(p->dir) + 1;

	if (!run->dir)
		return NULL;
	(void)snprintf(ret, PAGE_PATH_MAX, "%s/%s/" COMPARE_HTML_FILE, p->dir, run->dir);
	return access(ret, R_OK) == 0 ? ret + base : NULL;
}

/* The store's name; it leads to the page of its first run. */
static void put_store(FILE *out, const struct compare_page *p, unsigned i)
{
	const char *name = p->system[i]->name;
	const char *page = NULL;
	char path[PAGE_PATH_MAX];

	for (unsigned k = 0; k < p->runs && !page; k++)
		if (p->run[k].system == p->system[i])
			page = page_of(p, &p->run[k], path);
	(void)fputs("<tr><th scope=\"row\">", out);
	if (page) {
		(void)fputs("<a href=\"", out);
		html_text(out, page);
		(void)fputs("\">", out);
	}
	html_text(out, name);
	(void)fputs(page ? "</a></th>" : "</th>", out);
}

static void put_number(FILE *out, double number, int digits)
{
	if (isnan(number))
		html_cell(out, "\xe2\x80\x93");
	else
		html_cell(out, "%.*f", digits, number);
}

static void put_share(FILE *out, double share)
{
	if (isnan(share))
		html_cell(out, "\xe2\x80\x93");
	else
		html_cell(out, "%.1f\xc2\xa0%%", 100 * share);
}

static void put_claim(FILE *out, const struct summary *s)
{
	const char *word = compare_claim(s);

	(void)fprintf(out, "<td class=\"t %s\">%s</td>",
		strcmp(word, "kept") == 0     ? "good"
		: strcmp(word, "broken") == 0 ? "bad"
					      : "warn",
		word);
}

static void put_kept(FILE *out, const struct compare_page *p)
{
	static const char *const heads[] = {"store", HTML_LEFT "textbook", HTML_LEFT "measured",
		HTML_LEFT "claim", HTML_LEFT "strongest model kept when whole",
		HTML_LEFT "also when cut", "majority answered", "minority answered", "lost writes"};

	html_section(out, "kept", "What is kept");
	html_table(out, "Letters, models, and who was answered while the network was cut",
		HEADS(heads));
	for (unsigned i = 0; i < p->rows; i++) {
		const struct summary *s = &p->row[i];
		char n[2][CELL_MAX];

		put_store(out, p, i);
		html_cell_text(out, p->system[i]->textbook);
		html_cell_text(out, s->verdict);
		put_claim(out, s);
		html_cell_text(out, s->whole[0] ? s->whole : "none");
		html_cell_text(out, s->cut[0] ? s->cut : "none");
		put_share(out, s->majority);
		put_share(out, s->minority);
		html_cell(out, "%s of %s", units_print_count(s->lost, n[0], CELL_MAX),
			units_print_count(s->acknowledged, n[1], CELL_MAX));
		html_row_end(out);
	}
	html_table_end(out);
	html_section_end(out);
}

/* A slope a little below zero is noise about none. */
static void put_trips(FILE *out, const struct summary_trips *t)
{
	if (isnan(t->paid)) {
		html_cell(out, "\xe2\x80\x93");
		html_cell(out, "\xe2\x80\x93");
		html_cell(out, "\xe2\x80\x93");
		return;
	}
	html_cell(out, "%.2f", fmax(0, t->paid));
	html_cell(out, "%.2f to %.2f", fmax(0, t->low), fmax(0, t->high));
	html_cell(out, "%.2f", t->theory);
}

static void put_latency(FILE *out, const struct summary_latency *l)
{
	html_cell_ms(out, l->p50_ms);
	html_cell_ms(out, l->floor_ms);
	html_cell_ms(out, l->p99_ms);
	html_cell_ms(out, l->p999_ms);
}

static const char *const times[] = {
	"store", "read p50", "floor", "p99", "p99.9", "write p50", "floor", "p99", "p99.9"};

/* Of all stores under one profile, which they have in the same order. */
static void put_profile(FILE *out, const struct compare_page *p, unsigned k)
{
	char caption[CELL_MAX * 2];

	(void)snprintf(caption, sizeof caption, "Latency under the profile %s, ms",
		p->row[0].profile[k].name);
	html_table(out, caption, HEADS(times));
	for (unsigned i = 0; i < p->rows; i++) {
		if (k >= p->row[i].profiles)
			continue;
		put_store(out, p, i);
		put_latency(out, &p->row[i].profile[k].read);
		put_latency(out, &p->row[i].profile[k].write);
		html_row_end(out);
	}
	html_table_end(out);
}

static void put_simulated(FILE *out, const struct compare_page *p)
{
	static const char *const heads[] = {
		"store", "read, measured", "in virtual time", "write, measured", "in virtual time"};
	unsigned n = 0;

	for (unsigned i = 0; i < p->rows; i++)
		n += !isnan(p->row[i].read_simulated_ms) || !isnan(p->row[i].write_simulated_ms);
	if (n == 0)
		return;
	html_table(out, "Medians beside those of the same lab in virtual time, ms", HEADS(heads));
	for (unsigned i = 0; i < p->rows; i++) {
		put_store(out, p, i);
		html_cell_ms(out, p->row[i].read.p50_ms);
		html_cell_ms(out, p->row[i].read_simulated_ms);
		html_cell_ms(out, p->row[i].write.p50_ms);
		html_cell_ms(out, p->row[i].write_simulated_ms);
		html_row_end(out);
	}
	html_table_end(out);
}

static void put_trips_table(FILE *out, const struct compare_page *p)
{
	static const char *const heads[] = {"store", "a read pays", "95 of 100 between", "claimed",
		"a write pays", "95 of 100 between", "claimed"};

	html_line(out, "p", NULL,
		"Round trips are the slope of median latency over distance, with the interval in "
		"which 95 of 100 resamples lie; what is claimed is the slope of the floors. The "
		"floor is the least that the distances allow such a store.");
	html_table(out, "Round trips while the network is whole", HEADS(heads));
	for (unsigned i = 0; i < p->rows; i++) {
		put_store(out, p, i);
		put_trips(out, &p->row[i].read_trips);
		put_trips(out, &p->row[i].write_trips);
		html_row_end(out);
	}
	html_table_end(out);
}

static void put_databases(FILE *out, const struct compare_page *p)
{
	static const char *const heads[] = {"store", HTML_LEFT "like our", "ready after, s",
		"memory of a node, MB", HTML_LEFT "to suit it, other than the lab says"};

	if (!compare_databases_in(p->system, p->rows))
		return;
	html_table(out, "What real databases take", HEADS(heads));
	for (unsigned i = 0; i < p->rows; i++) {
		const struct summary *s = &p->row[i];

		if (!p->system[i]->real)
			continue;
		put_store(out, p, i);
		html_cell_text(out, compare_like(p->system[i], s));
		put_number(out, s->ready_s, 1);
		put_number(out, s->memory_bytes / 1e6, 0);
		html_cell_text(out, s->suited[0] ? s->suited : "nothing");
		html_row_end(out);
	}
	html_table_end(out);
}

static void put_costs(FILE *out, const struct compare_page *p)
{
	html_section(out, "costs", "What it costs");
	put_trips_table(out, p);
	html_table(out, "Latency in the first phase without faults, ms", HEADS(times));
	for (unsigned i = 0; i < p->rows; i++) {
		put_store(out, p, i);
		put_latency(out, &p->row[i].read);
		put_latency(out, &p->row[i].write);
		html_row_end(out);
	}
	html_table_end(out);
	for (unsigned k = 0; p->rows && k < p->row[0].profiles; k++)
		put_profile(out, p, k);
	put_simulated(out, p);
	put_databases(out, p);
	html_section_end(out);
}

/* From run to run: what several runs that differ in nothing but the seed were apart. */
static void put_range(FILE *out, double low, double mid, double high, int digits)
{
	if (isnan(mid)) {
		html_cell(out, "\xe2\x80\x93");
		return;
	}
	html_cell(out, "%.*f (%.*f to %.*f)", digits, mid, digits, low, digits, high);
}

static void put_spread(FILE *out, const struct compare_page *p)
{
	static const char *const heads[] = {"store", "runs", "concluded", "a read pays",
		"a write pays", "read p50, ms", "write p50, ms"};
	unsigned n = 0;

	for (unsigned i = 0; i < p->rows; i++)
		n += p->row[i].spread != NULL;
	if (n == 0)
		return;
	html_section(out, "spread", "From run to run");
	html_table(out, "Median of the runs, and the smallest and largest of them", HEADS(heads));
	for (unsigned i = 0; i < p->rows; i++) {
		const struct summary *s = &p->row[i];
		const struct spread *d = s->spread;

		if (!d)
			continue;
		put_store(out, p, i);
		html_cell(out, "%u", d->runs);
		html_cell(out, "%u", d->concluded);
		put_range(out, d->low.read_trips.paid, s->read_trips.paid, d->high.read_trips.paid,
			2);
		put_range(out, d->low.write_trips.paid, s->write_trips.paid,
			d->high.write_trips.paid, 2);
		put_range(out, d->low.read.p50_ms, s->read.p50_ms, d->high.read.p50_ms, 1);
		put_range(out, d->low.write.p50_ms, s->write.p50_ms, d->high.write.p50_ms, 1);
		html_row_end(out);
	}
	html_table_end(out);
	html_section_end(out);
}

static void put_cut(FILE *out, const struct compare_page *p)
{
	static const char *const heads[] = {"store", "longest gap of writes, majority",
		"writes again after the heal", "all replicas alike after the heal"};

	html_section(out, "cut", "A cut and its heal");
	html_table(out, "How long the first cut was felt, seconds", HEADS(heads));
	for (unsigned i = 0; i < p->rows; i++) {
		put_store(out, p, i);
		put_number(out, p->row[i].unavailable_s, 2);
		put_number(out, p->row[i].recovered_s, 2);
		put_number(out, p->row[i].converged_s, 2);
		html_row_end(out);
	}
	html_table_end(out);
	html_line(out, "p", "note",
		"A dash: it did not happen, or not while it was looked. A store that answered every "
		"side has nothing to take up again.");
	html_section_end(out);
}

/* The verdict in words and, where that says more, why it is as it is. */
static void put_note(FILE *out, const struct system *system, const struct summary *s)
{
	const char *claim = compare_claim(s);
	const char *class = strcmp(claim, "kept") == 0     ? "note"
			    : strcmp(claim, "broken") == 0 ? "bad"
							   : "warn";
	char why[COMPARE_WHY_MAX];

	compare_why(system, s, why);
	html_line(out, "dt", NULL, system->name);
	(void)fputs("<dd>", out);
	html_textf(out, "%s: %s", s->verdict, s->words);
	if (!strstr(why, s->words)) {
		(void)fputs("<br>", out);
		html_line(out, "span", class, why);
	} else if (system->real) {
		(void)fputs("<br>", out);
		html_linef(out, "span", "note", "beside our %s: %s", compare_like(system, s),
			system->differs);
	}
	(void)fputs("</dd>\n", out);
}

static void put_notes(FILE *out, const struct compare_page *p)
{
	html_section(out, "notes", "Store by store");
	(void)fputs("<dl>\n", out);
	for (unsigned i = 0; i < p->rows; i++)
		put_note(out, p->system[i], &p->row[i]);
	for (unsigned i = 0; i < p->runs; i++) {
		if (p->run[i].dir)
			continue;
		html_line(out, "dt", NULL, p->run[i].system->name);
		html_linef(out, "dd", "bad", "no result: %s", p->run[i].why);
	}
	for (unsigned i = 0; i < p->lefts; i++) {
		html_line(out, "dt", NULL, p->left[i].system->name);
		html_linef(out, "dd", "warn", "cannot run here: %s", p->left[i].why);
	}
	(void)fputs("</dl>\n", out);
	html_section_end(out);
}

static void put_page(FILE *out, const struct compare_page *p)
{
	char title[CELL_MAX * 2];

	(void)snprintf(title, sizeof title, "%s on %u stores", p->lab, stores(p));
	html_begin(out, title);
	html_line(out, "h1", NULL, title);
	put_lead(out, p);
	html_nav(out, links);
	html_main(out);
	html_section(out, "trade-off", "The trade-off");
	compare_chart_print(p, out);
	html_section_end(out);
	put_kept(out, p);
	put_costs(out, p);
	put_spread(out, p);
	put_cut(out, p);
	put_notes(out, p);
	html_end(out);
}

int compare_html_write(const struct compare_page *p, struct err *err)
{
	char path[PAGE_PATH_MAX];
	FILE *out;

	(void)snprintf(path, sizeof path, "%s/" COMPARE_HTML_FILE, p->dir);
	out = fopen(path, "we");
	if (!out)
		return err_sys(err, -errno, "write %s", path);
	put_page(out, p);
	return file_keep(out, path, err);
}
