/* SPDX-License-Identifier: MIT */
/* advise_print.c - what `pacelab advise` says: for people, as a table, for programs */
#include "agent/cmd/advise_print.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/json.h"
#include "agent/base/units.h"
#include "agent/base/wrap.h"
#include "agent/report/parts.h"

#define TEXT_MAX (OUTDIR_FILE_MAX + 512)
#define INDENT 13
#define OTHERS_SHOWN 4

/* --- what was measured --- */

static void take_run(struct advise_runs *r, const char *path)
{
	const struct system *system;
	struct summary s;
	struct stat st;
	struct err err;
	unsigned i = 0;

	/* What is not readable, or of another version, has measured nothing for us. */
	if (stat(path, &st) || summary_read(&s, path, &err) || s.status == EXIT_INCONCLUSIVE)
		return;
	system = system_find(s.store);
	while (i < r->runs && r->run[i].system != system)
		i++;
	if (!system || (i < r->runs && r->run[i].when >= st.st_mtime))
		return;
	if (i == r->runs && r->runs++ == ADVISE_SYSTEMS_MAX) {
		r->runs--;
		return;
	}
	r->run[i].system = system;
	r->run[i].when = st.st_mtime;
	r->run[i].s = s;
	(void)snprintf(r->run[i].path, sizeof r->run[i].path, "%s", path);
}

void advise_runs_find(struct advise_runs *r, const char *dir)
{
	r->run = calloc(ADVISE_SYSTEMS_MAX, sizeof *r->run);
	for (size_t i = 0; r->run && i < 2; i++) {
		char pattern[OUTDIR_FILE_MAX];
		glob_t found;

		(void)snprintf(pattern, sizeof pattern,
			i ? "%s/*/*/results.json" : "%s/*/results.json", dir);
		if (glob(pattern, 0, NULL, &found))
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			take_run(r, found.gl_pathv[k]);
		globfree(&found);
	}
}

static int run_of(const struct advise_runs *r, const struct system *system)
{
	for (unsigned i = 0; i < r->runs; i++)
		if (r->run[i].system == system)
			return (int)i;
	return -1;
}

/* --- what is said --- */

static void line(const char *label, const char *words)
{
	printf("  %-*s", INDENT - 2, label);
	wrap_words(stdout, INDENT, wrap_columns(stdout), words);
	printf("\n");
}

static const char *ms(uint64_t ns, char *out, size_t size)
{
	if (ns == UINT64_MAX)
		(void)snprintf(out, size, "none");
	else
		(void)snprintf(out, size, "%.1f ms", units_ms(ns));
	return out;
}

static void say_needs(const struct advise_needs *n)
{
	char words[TEXT_MAX] = "";
	size_t size = sizeof words;

	(void)snprintf(words, size, "%s, also when cut%s; %s; %s%s; %u %% reads",
		proto_model_names[n->model], n->clocks ? "" : ", whatever clocks do",
		n->minority ? "every side of a cut goes on writing"
			    : "the majority's side of a cut goes on writing",
		n->lossless ? "no acknowledged write may be lost"
			    : "acknowledged writes may be lost",
		n->cas ? "; compare-and-set" : "", n->reads);
	for (unsigned op = PROTO_APPEND; op <= PROTO_ADD; op++) {
		if (n->does & PROTO_DOES(op))
			words_add(words, size, "; '%s'", proto_op_names[op]);
	}
	line("needed", words);
	if (n->why)
		line("why", n->why);
}

static void say_sites(const struct advise_sites *s)
{
	char words[TEXT_MAX] = "";
	size_t size = sizeof words;

	for (unsigned i = 0; i < s->sites; i++) {
		words_add(words, size, "%s%s (%u replica%s)", i ? ", " : "", s->name[i],
			s->replicas[i], s->replicas[i] == 1 ? "" : "s");
	}
	for (unsigned a = 0; a < s->sites; a++)
		for (unsigned b = a + 1; b < s->sites; b++) {
			words_add(words, size, "; %s-%s %.1f ms", s->name[a], s->name[b],
				units_ms(s->rtt_ns[a][b]));
		}
	line("sites", words);
}

static void floor_text(const struct advice *a, const struct advise_sites *s, char *out, size_t size)
{
	char n[4][32];

	(void)snprintf(out, size,
		"reads %s, writes %s in the mean of the sites; %s and %s at the site worst off",
		ms(a->read_ns, n[0], sizeof n[0]), ms(a->write_ns, n[1], sizeof n[1]),
		ms(a->read_worst_ns, n[2], sizeof n[2]), ms(a->write_worst_ns, n[3], sizeof n[3]));
	if (a->leader >= 0 && s->sites > 1)
		(void)snprintf(
			out + strlen(out), size - strlen(out), "; led from %s", s->name[a->leader]);
}

static void say_measured(const struct advise_runs *r, const struct advice *a)
{
	int i = run_of(r, a->system);
	char words[TEXT_MAX];
	const struct summary *s;

	if (i < 0) {
		(void)snprintf(words, sizeof words,
			"nothing yet: 'pacelab run cap --store %s', or 'pacelab compare cap --stores "
			"all'",
			a->system->name);
		line("measured", words);
		return;
	}
	s = &r->run[i].s;
	(void)snprintf(words, sizeof words, "lab %s: %s, %llu of %llu acknowledged writes lost",
		s->lab, s->verdict, (unsigned long long)s->lost,
		(unsigned long long)s->acknowledged);
	if (!isnan(s->read.p50_ms) && !isnan(s->write.p50_ms))
		words_add(words, sizeof words,
			"; reads p50 %.1f ms where %.1f is the least, writes %.1f and %.1f",
			s->read.p50_ms, s->read.floor_ms, s->write.p50_ms, s->write.floor_ms);
	if (!isnan(s->read_trips.paid) && !isnan(s->write_trips.paid))
		words_add(words, sizeof words, "; %.2f round trips a read, %.2f a write",
			fmax(0, s->read_trips.paid), fmax(0, s->write_trips.paid));
	(void)snprintf(
		words + strlen(words), sizeof words - strlen(words), " (%s)", r->run[i].path);
	line("measured", words);
}

static void say_fitting(const struct advise_sites *sites, const struct advise_runs *r,
	const struct advice *a, unsigned fitting)
{
	char words[TEXT_MAX];

	if (fitting == 0) {
		line("take",
			"none of the systems: what is needed excludes itself, as a cut in two shows "
			"(Gilbert and Lynch 2002), or no store here has the operation; --all says what "
			"each lacks");
		return;
	}
	(void)snprintf(words, sizeof words, "%s (%s, reads at level %s, writes at %s)",
		a->system->name, a->system->ops->name, proto_level_names[a->system->read_level],
		proto_level_names[a->system->write_level]);
	line("take", words);
	(void)snprintf(words, sizeof words,
		"its claim has all that is needed, and of the %u that fit "
		"no other allows lower latency",
		fitting);
	line("because", words);
	floor_text(a, sites, words, sizeof words);
	line("at best", words);
	say_measured(r, a);
	for (unsigned i = 1; i < fitting && i <= OTHERS_SHOWN; i++) {
		char n[2][32];

		(void)snprintf(words, sizeof words, "%s: reads %s, writes %s", a[i].system->name,
			ms(a[i].read_ns, n[0], sizeof n[0]), ms(a[i].write_ns, n[1], sizeof n[1]));
		line(i == 1 ? "or" : "", words);
	}
}

static unsigned count_fitting(const struct advice *a, unsigned n)
{
	unsigned fitting = 0;

	while (fitting < n && a[fitting].fits)
		fitting++;
	return fitting;
}

void advise_say(const struct advise_needs *needs, const struct advise_sites *sites,
	const struct advise_runs *r, bool all)
{
	struct advice a[ADVISE_SYSTEMS_MAX];
	unsigned n = advise(needs, sites, a);
	unsigned fitting = count_fitting(a, n);
	char words[TEXT_MAX];

	printf("%s\n", needs->title);
	say_needs(needs);
	say_sites(sites);
	say_fitting(sites, r, a, fitting);
	for (unsigned i = fitting; all && i < n; i++) {
		(void)snprintf(words, sizeof words, "%s: %s", a[i].system->name, a[i].why);
		line(i == fitting ? "not" : "", words);
	}
	if (needs->lab) {
		(void)snprintf(words, sizeof words, "pacelab run %s%s%s", needs->lab,
			fitting ? " --store " : "", fitting ? a[0].system->name : "");
		line("see it", words);
	}
}

void advise_table(const struct advise_sites *sites, const struct advise_runs *r)
{
	const struct advise_needs *use;

	say_sites(sites);
	printf("\n  %-10s %-13s %-9s %-5s %-18s %-9s %-9s %-12s %s\n", "", "consistency",
		"minority", "", "", "reads at", "writes at", "", "");
	printf("  %-10s %-13s %-9s %-5s %-18s %-9s %-9s %-12s %s\n", "use", "needed", "writes",
		"loss", "take", "best", "best", "measured", "lab");
	for (unsigned i = 0; (use = advise_use(i)); i++) {
		struct advice a[ADVISE_SYSTEMS_MAX];
		bool fits = count_fitting(a, advise(use, sites, a)) > 0;
		int run = fits ? run_of(r, a[0].system) : -1;
		char n[2][32];

		printf("  %-10s %-13s %-9s %-5s %-18s %-9s %-9s %-12s %s\n", use->name,
			proto_model_names[use->model], use->minority ? "yes" : "no",
			use->lossless ? "none" : "some", fits ? a[0].system->name : "none",
			fits ? ms(a[0].read_ns, n[0], sizeof n[0]) : "-",
			fits ? ms(a[0].write_ns, n[1], sizeof n[1]) : "-",
			run < 0 ? "-" : r->run[run].s.verdict, use->lab ? use->lab : "-");
	}
}

/* --- for programs --- */

static void put_string(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_string(j, value);
}

static void put_ms(struct json *j, const char *key, uint64_t ns)
{
	json_key(j, key);
	json_double(j, ns == UINT64_MAX ? NAN : units_ms(ns));
}

static void put_advice(struct json *j, const struct advice *a, const struct advise_runs *r)
{
	int run = run_of(r, a->system);

	json_object(j);
	put_string(j, "store", a->system->name);
	json_key(j, "fits");
	json_bool(j, a->fits);
	put_string(j, "lacks", a->why);
	put_ms(j, "read_floor_ms", a->read_ns);
	put_ms(j, "write_floor_ms", a->write_ns);
	put_ms(j, "read_floor_worst_ms", a->read_worst_ns);
	put_ms(j, "write_floor_worst_ms", a->write_worst_ns);
	json_key(j, "measured");
	if (run < 0) {
		json_null(j);
	} else {
		json_object(j);
		put_string(j, "results", r->run[run].path);
		put_string(j, "verdict", r->run[run].s.verdict);
		json_key(j, "read_p50_ms");
		json_double(j, r->run[run].s.read.p50_ms);
		json_key(j, "write_p50_ms");
		json_double(j, r->run[run].s.write.p50_ms);
		json_object_end(j);
	}
	json_object_end(j);
}

static void put_use(struct json *j, const struct advise_needs *needs,
	const struct advise_sites *sites, const struct advise_runs *r)
{
	struct advice a[ADVISE_SYSTEMS_MAX];
	unsigned n = advise(needs, sites, a);

	json_object(j);
	put_string(j, "use", needs->name);
	put_string(j, "consistency", proto_model_names[needs->model]);
	json_key(j, "systems");
	json_array(j);
	for (unsigned i = 0; i < n; i++)
		put_advice(j, &a[i], r);
	json_array_end(j);
	json_object_end(j);
}

void advise_json(const struct advise_needs *needs, const struct advise_sites *sites,
	const struct advise_runs *r, bool all)
{
	const struct advise_needs *use;
	struct json j;

	json_init(&j, stdout);
	json_array(&j);
	for (unsigned i = 0; all && (use = advise_use(i)); i++)
		put_use(&j, use, sites, r);
	if (!all)
		put_use(&j, needs, sites, r);
	json_array_end(&j);
}

void advise_runs_fini(struct advise_runs *r)
{
	free(r->run);
}
