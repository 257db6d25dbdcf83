/* SPDX-License-Identifier: MIT */
/* compare_html_test.c - the page of a comparison: its sentences, its chart, text that wants to be
 * markup, and runs without a result */
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/lab/real.h"
#include "agent/report/compare_html.h"
#include "agent/report/spread.h"
#include "tests/lib/test.h"

#define PAGE_MAX (1u << 20)

struct world {
	char dir[64];
	const struct system *system[3];
	struct summary row[3];
	struct compare_run run[4];
	struct compare_page page;
	char text[PAGE_MAX];
};

static const struct summary_trips trips_none = {NAN, NAN, NAN, NAN};
static const struct summary_latency latency_none = {NAN, NAN, NAN, NAN};

static struct summary row_of(const char *verdict, const char *cut, double minority, double write)
{
	struct summary s = {.majority = 1,
		.minority = minority,
		.read = latency_none,
		.write = {.p50_ms = 20.5, .p99_ms = 31, .p999_ms = NAN, .floor_ms = 20},
		.read_simulated_ms = NAN,
		.write_simulated_ms = NAN,
		.read_trips = {0.01, -0.01, 0.02, 0},
		.write_trips = {write, write, write, write},
		.unavailable_s = 1.25,
		.recovered_s = NAN,
		.converged_s = 0.5,
		.acknowledged = 4095,
		.claim_kept = true};

	(void)snprintf(s.verdict, sizeof s.verdict, "%s", verdict);
	(void)snprintf(s.whole, sizeof s.whole, "linearizable");
	(void)snprintf(s.cut, sizeof s.cut, "%s", cut);
	(void)snprintf(s.words, sizeof s.words, "says <b>%s</b>", verdict);
	return s;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	(void)snprintf(w->dir, sizeof w->dir, "/tmp/pacelab-compare-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->system[0] = system_find("raft");
	w->system[1] = system_find("cassandra-one");
	w->system[2] = system_find("chain");
	w->row[0] = row_of("PC/EC", "linearizable", 0, 2);
	w->row[1] = row_of("PA/EL", "causal-cm, causal-ccv, eventual", 1, 0);
	w->row[2] = row_of("P-/E-", "", 0.5, 1.5);
	for (unsigned i = 0; i < 3; i++)
		w->run[i] = (struct compare_run){.system = w->system[i], .dir = w->system[i]->name};
	w->run[3] = (struct compare_run){.system = system_find("zab"), .why = "<i>it</i> broke"};
	w->page = (struct compare_page){.lab = "<script>lab</script>",
		.dir = w->dir,
		.system = w->system,
		.row = w->row,
		.rows = 3,
		.run = w->run,
		.runs = 4};
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	assert_int_equal(nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(w);
	return 0;
}

static void put_file(const struct world *w, const char *folder)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", w->dir, folder);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/%s/" COMPARE_HTML_FILE, w->dir, folder);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
}

static const char *write_page(struct world *w)
{
	char path[256];
	struct err err = {0};
	size_t n;
	FILE *f;

	if (compare_html_write(&w->page, &err))
		fail_msg("%s", err.text);
	(void)snprintf(path, sizeof path, "%s/" COMPARE_HTML_FILE, w->dir);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(w->text, 1, sizeof w->text - 1, f);
	w->text[n] = '\0';
	assert_int_equal(fclose(f), 0);
	return w->text;
}

static void assert_has(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("no \"%s\" in\n%s", want, text);
}

static void page__says_in_a_sentence_what_was_measured(void **state)
{
	const char *text = write_page(*state);

	assert_has(text, "1 of 4 stores stayed consistent and refused some side (PC), 1 answered "
			 "every side (PA), 1 did neither (P-).");
	assert_has(text, "3 kept what they claim, none broke it.");
	assert_has(text, "Of 2 that have a class in the literature 2 were measured to be so");
	assert_has(text, "within 0.05 of what is claimed on 3 of 3 stores");
	assert_has(text, "Of 1 nothing can be concluded");
}

static void page__counts_no_run_from_which_nothing_was_concluded(void **state)
{
	struct world *w = *state;
	const char *text;

	w->row[0].status = EXIT_INCONCLUSIVE;
	text = write_page(w);
	assert_has(text, "0 of 4 stores stayed consistent");
	assert_has(text, "2 kept what they claim");
	assert_has(text, "on 2 of 2 stores");
	assert_has(text, "Of 2 nothing can be concluded");
	assert_has(text, "<td class=\"t warn\">open</td>");
}

static void page__is_loud_about_a_broken_claim(void **state)
{
	struct world *w = *state;

	w->row[1].status = EXIT_VIOLATED;
	w->row[1].claim_kept = false;
	assert_has(write_page(w), "<p class=\"loud\">2 kept what they claim, 1 broke it.</p>");
}

static void page__leaves_text_text(void **state)
{
	const char *text = write_page(*state);

	assert_has(text, "<h1>&lt;script&gt;lab&lt;/script&gt; on 4 stores</h1>");
	assert_has(text, "says &lt;b&gt;PC/EC&lt;/b&gt;");
	assert_has(text, "no result: &lt;i&gt;it&lt;/i&gt; broke");
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<i>"));
}

/* Also where its verdict is not that of the textbook. */
static void page__says_how_a_real_database_differs_and_what_it_takes(void **state)
{
	const struct real real = {.name = "etcd-real", .like = system_find("etcd")};
	struct world *w = *state;
	struct system row = *real.like;
	const char *text;

	row.name = real.name;
	row.differs = "it <elects> later";
	row.real = &real;
	w->system[1] = &row;
	w->row[1].ready_s = 1.26;
	w->row[1].memory_bytes = 35.4e6;
	(void)snprintf(w->row[1].suited, sizeof w->row[1].suited, "a cut lasts 20 s");
	for (unsigned i = 0; i < 2; i++) {
		text = write_page(w);
		assert_has(text, "beside our etcd: it &lt;elects&gt; later");
		assert_has(text, "<td class=\"t\">etcd</td><td>1.3</td><td>35</td>");
		assert_has(text, "a cut lasts 20 s");
		(void)snprintf(w->row[1].verdict, sizeof w->row[1].verdict, "PC/EC");
	}
}

/* It is no store of the comparison, but its reason can be read. */
static void page__says_what_could_not_run_here(void **state)
{
	struct world *w = *state;
	const struct compare_run left = {
		.system = system_find("etcd"), .why = "it needs <a server>"};
	const char *text;

	w->page.left = &left;
	w->page.lefts = 1;
	text = write_page(w);
	assert_has(text, " on 4 stores</h1>");
	assert_has(text, "1 more cannot run here; why is below.");
	assert_has(text, "cannot run here: it needs &lt;a server&gt;");
}

static void page__links_the_pages_of_runs_that_are_there(void **state)
{
	struct world *w = *state;
	const char *text;

	put_file(w, "raft");
	text = write_page(w);
	assert_has(text, "<a href=\"raft/report.html\">raft</a>");
	assert_null(strstr(text, "href=\"chain/"));
}

static void page__has_a_chart_of_all_stores(void **state)
{
	const char *text = write_page(*state);
	const char *chart = strstr(text, "<svg class=\"wide\"");

	assert_non_null(chart);
	for (const char *const *name = (const char *const[]){"raft", "cassandra-one", "chain",
		     "linearizable", "causal-cm", "none of all models",
		     "round trips that a write waits for", NULL};
		*name; name++)
		assert_has(chart, *name);
}

/* Nothing was fitted, cut, simulated or answered. */
static void page__does_without_what_was_not_measured(void **state)
{
	struct world *w = *state;
	const char *text;

	for (unsigned i = 0; i < 3; i++) {
		struct summary *s = &w->row[i];

		s->read_trips = trips_none;
		s->write_trips = trips_none;
		s->write = latency_none;
		s->majority = NAN;
		s->minority = NAN;
		s->unavailable_s = NAN;
	}
	text = write_page(w);
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "Round trips paid are"));
	w->page.rows = 0;
	text = write_page(w);
	assert_has(text, "Of 4 nothing can be concluded");
	assert_null(strstr(text, "nan"));
}

static void page__shows_several_runs_as_one_with_their_spread(void **state)
{
	struct world *w = *state;
	struct spread spread = {.low = w->row[0], .high = w->row[0], .runs = 5, .concluded = 4};

	spread.low.write.p50_ms = 19.5;
	spread.high.write.p50_ms = 22;
	w->row[0].spread = &spread;
	assert_has(write_page(w), "<td>5</td><td>4</td>");
	assert_has(w->text, "<td>20.5 (19.5 to 22.0)</td>");
}

#define PAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGE_TEST(page__says_in_a_sentence_what_was_measured),
		PAGE_TEST(page__counts_no_run_from_which_nothing_was_concluded),
		PAGE_TEST(page__is_loud_about_a_broken_claim),
		PAGE_TEST(page__leaves_text_text),
		PAGE_TEST(page__says_how_a_real_database_differs_and_what_it_takes),
		PAGE_TEST(page__says_what_could_not_run_here),
		PAGE_TEST(page__links_the_pages_of_runs_that_are_there),
		PAGE_TEST(page__has_a_chart_of_all_stores),
		PAGE_TEST(page__does_without_what_was_not_measured),
		PAGE_TEST(page__shows_several_runs_as_one_with_their_spread),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
