/* SPDX-License-Identifier: MIT */
/* summary_test.c - a run's results.json read back, refused if it is none, and compared */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "agent/lab/real.h"
#include "agent/report/compare.h"
#include "tests/unit/make_run.h"

#define PATH "/tmp/pacelab-summary-XXXXXX"

/* Forty writes each: before a cut, during it on both sides, of which far's are refused. */
static struct make_run *cut_run(void)
{
	struct make_run *m = make_run_open("single");

	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	for (unsigned i = 0; i < 40; i++) {
		make_write(m, MAKE_EAST, i * 20, i * 20 + 5);
		make_write(m, MAKE_EAST, 1010 + i * 20, 1015 + i * 20);
		make_refused(make_write(m, MAKE_FAR, 1010 + i * 20, 1015 + i * 20));
	}
	m->plan.all_models = true;
	return m;
}

static int read_text(const char *text, struct summary *ret, struct err *err)
{
	char path[] = PATH;
	int fd = mkstemp(path);
	int rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
	rc = summary_read(ret, path, err);
	assert_int_equal(unlink(path), 0);
	return rc;
}

static char *print_of(const struct make_run *m)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	results_json_print(&m->results, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static char *json_of(struct make_run *m)
{
	make_measure(m);
	verdict(&m->results);
	return print_of(m);
}

/* Beside the run stands another one, as if it had been simulated. */
static void summary__has_the_medians_of_a_simulation_beside_it(void **state)
{
	struct make_run *m = cut_run();
	struct make_run *sim = cut_run();
	struct summary s;
	struct err err = {0};
	char *text;

	(void)state;
	make_measure(sim);
	verdict(&sim->results);
	sim->results.phase[0].write.p50_ms = 4.5;
	make_measure(m);
	m->results.simulated = &sim->results;
	verdict(&m->results);
	text = print_of(m);
	assert_int_equal(read_text(text, &s, &err), 0);
	assert_near(s.write.p50_ms, 5);
	assert_near(s.write_simulated_ms, 4.5);
	assert_true(isnan(s.read_simulated_ms)); /* nobody read */
	free(text);
	text = json_of(sim);
	assert_int_equal(read_text(text, &s, &err), 0);
	assert_true(isnan(s.write_simulated_ms));
	free(text);
	make_run_close(sim);
	make_run_close(m);
}

static void summary__is_what_the_run_measured(void **state)
{
	struct make_run *m = cut_run();
	char *text = json_of(m);
	struct err err = {0};
	struct summary s;

	(void)state;
	if (read_text(text, &s, &err))
		fail_msg("%s", err.text);
	assert_string_equal(s.lab, "cap");
	assert_string_equal(s.store, "single");
	assert_int_equal(s.seed, 7);
	assert_true(s.majority == 1.0);
	assert_true(s.minority == 0.0);
	assert_string_equal(s.cut, "linearizable");
	assert_true(s.write.p50_ms == 5.0);
	assert_true(isnan(s.read.p50_ms));
	assert_true(isnan(s.read_trips.paid));
	assert_int_equal(s.acknowledged, 80);
	assert_int_equal(s.lost, 0);
	assert_string_equal(s.verdict, m->results.verdict.pacelc_text);
	assert_int_equal(s.status, m->results.status);
	assert_string_equal(s.why, m->results.why);
	free(text);
	make_run_close(m);
}

/* As results.json of a real database has it. */
static void summary__has_what_a_real_database_took(void **state)
{
	struct make_run *m = cut_run();
	char *text = json_of(m);
	json_t *top = json_loads(text, 0, NULL);
	json_t *database = json_pack("{s:s, s:s, s:s, s:f, s:[{s:i}, {s:i}]}", "like", "etcd",
		"knobs", "reads=any", "suited", "a cut lasts 20 s", "ready_s", 1.5, "nodes",
		"memory_bytes", 30000000, "memory_bytes", 29000000);
	struct err err = {0};
	struct summary s;

	(void)state;
	assert_int_equal(read_text(text, &s, &err), 0);
	assert_string_equal(s.like, "");
	assert_true(isnan(s.ready_s) && isnan(s.memory_bytes));
	free(text);
	assert_non_null(database);
	assert_int_equal(json_object_set_new(top, "database", database), 0);
	text = json_dumps(top, 0);
	json_decref(top);
	if (read_text(text, &s, &err))
		fail_msg("%s", err.text);
	assert_string_equal(s.like, "etcd");
	assert_string_equal(s.knobs, "reads=any");
	assert_string_equal(s.suited, "a cut lasts 20 s");
	assert_near(s.ready_s, 1.5);
	assert_near(s.memory_bytes, 30000000);
	free(text);
	make_run_close(m);
}

static void summary__of_what_is_no_run_names_file_and_member(void **state)
{
	static const char *const texts[][2] = {{"", "end of file"}, {"{", "end of file"},
		{"[]", "no object"}, {"{\"lab\": 1}", "'lab' is no text"},
		{"{\"lab\": \"x\"}", "'store' is missing"},
		{"{\"lab\": 1, \"lab\": 2}", "duplicate"}};
	struct err err;
	struct summary s;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		err = (struct err){0};
		assert_int_equal(read_text(texts[i][0], &s, &err), -EBADMSG);
		assert_int_equal(err.status, EXIT_USAGE);
		if (!strstr(err.text, "/tmp/pacelab-summary-") || !strstr(err.text, texts[i][1]))
			fail_msg("%s: %s", texts[i][0], err.text);
	}
	assert_int_equal(summary_read(&s, "/nowhere/results.json", &err), -ENOENT);
}

static void compare__says_how_a_real_database_differs_from_its_model(void **state)
{
	const struct summary s = {.verdict = "PC/EC", .claim_kept = true, .claim = "kept: all"};
	const struct real real = {.like = system_find("etcd")};
	struct system row = *real.like;
	char why[COMPARE_WHY_MAX];

	(void)state;
	row.real = &real;
	row.differs = "it elects later";
	compare_why(&row, &s, why);
	assert_non_null(strstr(why, "as the textbook says"));
	assert_non_null(strstr(why, "; beside our etcd: it elects later"));
}

static void why_is(const char *store, const struct summary *s, const char *want)
{
	char why[COMPARE_WHY_MAX];

	compare_why(system_find(store), s, why);
	if (!strstr(why, want))
		fail_msg("'%s' is not in: %s", want, why);
}

static void compare__says_where_textbook_and_measurement_differ(void **state)
{
	struct summary s = {.verdict = "PC/EC", .claim_kept = true, .claim = "kept: all"};

	(void)state;
	why_is("etcd", &s, "as the textbook says");
	why_is("single", &s, "no class in the literature");
	why_is("cassandra-one", &s, "the textbook says PA/EL, measured is PC/EC");
	(void)snprintf(s.verdict, sizeof s.verdict, "PA/EC+EL");
	why_is("cassandra-one", &s, "as the textbook says");
	(void)snprintf(s.verdict, sizeof s.verdict, "PC/E-");
	why_is("redis-replicas", &s, "as the textbook says");
	why_is("etcd", &s, "measured is PC/E-");
	s.status = EXIT_INCONCLUSIVE;
	(void)snprintf(s.why, sizeof s.why, "inconclusive: busy");
	why_is("etcd", &s, "inconclusive: busy");
	s.status = EXIT_VIOLATED;
	s.claim_kept = false;
	(void)snprintf(s.claim, sizeof s.claim, "broken: not linearizable when cut");
	(void)snprintf(s.witness, sizeof s.witness, "n5 answered 7");
	why_is("etcd", &s, "claim broken: not linearizable when cut; witness: n5 answered 7");
}

/* Line @number, from 0, of @text, from the models' columns on. */
static const char *models_in(const char *text, unsigned number)
{
	while (number-- > 0) {
		text = strchr(text, '\n');
		assert_non_null(text);
		text++;
	}
	assert_true(strlen(text) > 28);
	return text + 28;
}

static void starts(const char *text, const char *want)
{
	if (strncmp(text, want, strlen(want)) != 0)
		fail_msg("'%s' does not begin with '%s'", text, want);
}

static void compare__prints_all_of_the_strongest_models(void **state)
{
	struct summary s = {.verdict = "PA/EL",
		.whole = "causal 2/3",
		.cut = "monotonic-reads, monotonic-writes, read-your-writes",
		.majority = NAN};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	compare_models.row(system_find("single"), &s, out);
	(void)snprintf(s.whole, sizeof s.whole, "pram, read-your-writes");
	s.cut[0] = 0;
	compare_models.row(system_find("single"), &s, out);
	assert_int_equal(fclose(out), 0);
	starts(models_in(text, 0), "causal 2/3      monotonic-reads ");
	starts(models_in(text, 1), "                monotonic-writes\n");
	starts(models_in(text, 2), "                read-your-writes\n");
	starts(models_in(text, 3), "pram            none ");
	assert_string_equal(models_in(text, 4), "read-your-writes\n");
	free(text);
}

/* One has a result, one broke, one was left out. */
static const struct real missing_real = {
	.driver = "etcd", .knobs = "reads=linearizable", .name = "etcd-real"};

static struct system missing_row(struct real *real)
{
	struct system row;

	*real = missing_real;
	real->like = system_find("etcd");
	row = *real->like;
	row.name = real->name;
	row.differs = "it elects later";
	row.real = real;
	return row;
}

static char *print_page(void (*print)(const struct compare_page *p, FILE *out))
{
	struct real real;
	const struct system etcd = missing_row(&real);
	const struct system *row = system_find("raft");
	const struct summary s = {.lab = "cap", .claim_kept = true, .acknowledged = 7};
	const struct compare_run run[] = {{.system = row, .dir = "raft"},
		{.system = system_find("zab"), .why = "it \"broke\""},
		{.system = system_find("zab"), .why = "again"}};
	const struct compare_run left[] = {{.system = &etcd, .why = "no server"}};
	const struct compare_page page = {.lab = "cap",
		.seed = 9,
		.system = &row,
		.row = &s,
		.rows = 1,
		.run = run,
		.runs = 3,
		.left = left,
		.lefts = 1};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	print(&page, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static const char *text_at(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	if (!text)
		fail_msg("%s is no text", key);
	return text;
}

static void compare__says_what_a_real_database_takes(void **state)
{
	struct summary s = {.like = "etcd-serializable", .ready_s = 1.26, .memory_bytes = 35.4e6};
	struct real real;
	const struct system etcd = missing_row(&real);
	const struct system *both[] = {system_find("raft"), &etcd};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_false(compare_databases_in(both, 1));
	assert_true(compare_databases_in(both, 2));
	assert_non_null(out);
	compare_databases.row(both[0], &s, out);
	assert_int_equal(fflush(out), 0);
	assert_int_equal(size, 0);
	compare_databases.row(both[1], &s, out);
	s.ready_s = NAN;
	(void)snprintf(s.suited, sizeof s.suited, "a cut lasts 20 s");
	compare_databases.row(both[1], &s, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text,
		"  etcd-real                    etcd-serializable       1.3        35  nothing\n"
		"  etcd-real                    etcd-serializable         -        35  "
		"a cut lasts 20 s\n");
	free(text);
}

static void compare_json__has_a_row_for_a_store_without_a_result(void **state)
{
	char *text = print_page(compare_json);
	json_t *rows = json_loads(text, 0, NULL);
	const json_t *raft = json_array_get(rows, 0);
	const json_t *zab = json_array_get(rows, 1);
	const json_t *etcd = json_array_get(rows, 2);
	const json_t *database = json_object_get(etcd, "database");
	const char *key;
	json_t *value;

	(void)state;
	assert_int_equal(json_array_size(rows), 3);
	assert_string_equal(text_at(zab, "store"), "zab");
	assert_string_equal(text_at(zab, "why"), "it \"broke\"");
	assert_string_equal(text_at(zab, "lab"), "cap");
	assert_string_equal(text_at(zab, "claim"), "open");
	assert_int_equal(json_integer_value(json_object_get(zab, "runs")), 0);
	assert_int_equal(json_integer_value(json_object_get(zab, "seed")), 9);
	assert_int_equal(json_integer_value(json_object_get(raft, "runs")), 1);
	assert_true(json_is_null(json_object_get(zab, "database")));
	assert_string_equal(text_at(etcd, "why"), "no server");
	assert_string_equal(text_at(etcd, "protocol"), "");
	assert_string_equal(text_at(database, "like"), "etcd");
	assert_string_equal(text_at(database, "knobs"), "reads=linearizable");
	assert_string_equal(text_at(database, "differs"), "it elects later");
	/* The same members as any row, no number among them. */
	json_object_foreach((json_t *)raft, key, value)
	{
		json_t *same = json_object_get(zab, key);

		assert_non_null(same);
		assert_true(!json_is_real(same));
	}
	assert_int_equal(json_object_size(raft), json_object_size(zab));
	assert_true(json_is_integer(json_object_get(raft, "acknowledged")) ||
		    json_is_real(json_object_get(raft, "acknowledged")));
	assert_true(json_is_null(json_object_get(zab, "acknowledged")));
	json_decref(rows);
	free(text);
}

static void compare_csv__has_as_many_cells_without_a_result(void **state)
{
	char *text = print_page(compare_csv);
	unsigned commas[4] = {0};
	unsigned line = 0;
	bool quoted = false;

	(void)state;
	for (const char *c = text; *c; c++) {
		assert_true(line < 4);
		quoted = quoted != (*c == '"');
		commas[line] += *c == ',' && !quoted;
		line += *c == '\n';
	}
	assert_int_equal(line, 4);
	assert_non_null(strstr(text, "9,\"cap\",\"zab\""));
	assert_non_null(strstr(text, "\"it \"\"broke\"\"\",,,"));
	assert_int_equal(commas[2], commas[0]);
	assert_int_equal(commas[3], commas[0]);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(summary__is_what_the_run_measured),
		cmocka_unit_test(summary__has_the_medians_of_a_simulation_beside_it),
		cmocka_unit_test(summary__has_what_a_real_database_took),
		cmocka_unit_test(summary__of_what_is_no_run_names_file_and_member),
		cmocka_unit_test(compare__prints_all_of_the_strongest_models),
		cmocka_unit_test(compare__says_what_a_real_database_takes),
		cmocka_unit_test(compare_json__has_a_row_for_a_store_without_a_result),
		cmocka_unit_test(compare_csv__has_as_many_cells_without_a_result),
		cmocka_unit_test(compare__says_where_textbook_and_measurement_differ),
		cmocka_unit_test(compare__says_how_a_real_database_differs_from_its_model),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
