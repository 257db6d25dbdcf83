/* SPDX-License-Identifier: MIT */
/* text_test.c - what a run prints: what must stand there, and what must never */
#include <ctype.h>

#include "tests/unit/make_run.h"

#define TEXT_COLUMNS 100

/* A whole run of the lab cap: fit, baseline, cut, heal. */
static struct make_run *whole_run(void)
{
	struct make_run *m = make_run_open("raft");
	uint64_t at = 0;

	for (unsigned i = 0; i < 3; i++)
		make_fit_phase(m, (uint64_t[]){1, 10, 40}[i]);
	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	m->log.phase[5].converged_ns = 351 * MAKE_MS;
	for (; at < 6000; at += 20) {
		for (unsigned s = 0; s < MAKE_SITES; s++) {
			struct history_op *write = make_write(m, s, at, at + 5 + 3 * s);

			if (s == MAKE_FAR && at >= 4000 && at < 5000)
				make_refused(write);
			make_read(m, s, at + 1, at + 4 + 3 * s);
		}
	}
	return m;
}

/* What text_print() says, with the character set of @locale. The caller frees. */
static char *print(struct make_run *m, const char *locale)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(setenv("LC_ALL", locale, 1), 0);
	make_measure(m);
	verdict(&m->results);
	text_print(&m->results, "results/cap-raft-7", out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* cmocka cuts long messages off: the text goes to stderr. */
static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part))
		return;
	(void)fputs(text, stderr);
	fail_msg("no '%s'", part);
}

static void assert_has_not(const char *text, const char *part)
{
	if (!strstr(text, part))
		return;
	(void)fputs(text, stderr);
	fail_msg("'%s'", part);
}

static void text__prints_a_block_for_each_phase(void **state)
{
	struct make_run *m = whole_run();
	char *text = print(m, "C");

	(void)state;
	assert_has(text, "lab cap - 5 replicas in 3 sites - store raft - seed 7 - emulator wire");
	assert_has(text, "\n  baseline    1.0 s  300 ok");
	assert_has(text, "read p50  6.00 p99  9.00 ms");
	assert_has(text, "\n                                          floor     40.0");
	assert_has(text, "\n  partition   1.0 s  east+west | far");
	assert_has(text, "12 links cut (edge) in 1 ms - confirmed: 0 packets crossed");
	assert_has(text, "majority 198 ok, 100.0 %    writes went on, with gaps of up to 0.02 s");
	assert_has(text, "minority 50 ok, 50.5 %      49 of 99 not answered");
	assert_has(text, "writes again 0.01 s after the heal, converged after 0.35 s");
	free(text);
	make_run_close(m);
}

static void text__prints_what_follows_from_all_phases(void **state)
{
	struct make_run *m = whole_run();
	char *text = print(m, "C");

	(void)state;
	assert_has(text, "\n  consistency linearizable");
	assert_has(text, "\n  lost writes 0 of ");
	assert_has(text, "\n  round trips read 0.00, write 0.00");
	assert_has(text, "theory 2.00 and 2.00, fitted over RTT 1, 10, 40 ms");
	assert_has(text, "\n  verdict     ");
	assert_has(text, "\n  claim       ");
	assert_has(text, "\n  result      ");
	assert_has(text, "\n  report      results/cap-raft-7\n");
	free(text);
	make_run_close(m);
}

static void text__prints_a_phase_of_the_fit_in_one_line(void **state)
{
	struct make_run *m = whole_run();
	char *text = print(m, "C");
	const char *fit = strstr(text, "\n  fit ");
	unsigned lines = 0;

	(void)state;
	assert_non_null(fit);
	for (const char *p = fit + 1; strncmp(p, "  baseline", strlen("  baseline")) != 0; p++) {
		assert_true(*p);
		lines += *p == '\n';
	}
	assert_int_equal(lines, 3);
	free(text);
	make_run_close(m);
}

static void text__is_ascii_unless_the_locale_is_utf8(void **state)
{
	struct make_run *m = whole_run();
	char *text = print(m, "C");

	(void)state;
	for (const char *p = text; *p; p++)
		assert_true(isascii((unsigned char)*p));
	free(text);
	m->count = m->value = 0;
	text = print(m, "C.UTF-8");
	assert_has(text, "lab cap \xc2\xb7 5 replicas");
	free(text);
	make_run_close(m);
}

static void text__wraps_the_witness(void **state)
{
	struct make_run *m = whole_run();
	char *text = NULL;
	size_t size = 0;
	size_t column = 0;
	FILE *out;

	(void)state;
	free(print(m, "C"));
	m->results.check.verdict = CHECK_VIOLATION;
	for (unsigned i = 0; i < 30; i++)
		words_add(m->results.check.words, CHECK_WORDS_MAX, "witness%u ", i);
	out = open_memstream(&text, &size);
	verdict(&m->results);
	text_print(&m->results, NULL, out);
	assert_int_equal(fclose(out), 0);
	assert_has(text, "not linearizable");
	assert_has(text, "witness29");
	for (const char *p = text; *p; p++) {
		column = *p == '\n' ? 0 : column + 1;
		if (column > TEXT_COLUMNS)
			fail_msg("more than %d columns in\n%s", TEXT_COLUMNS, text);
	}
	assert_has_not(text, "report  ");
	free(text);
	make_run_close(m);
}

static void text__has_no_number_where_there_is_none(void **state)
{
	struct make_run *m = make_run_open("raft");
	char *text;

	(void)state;
	make_phase(m, "baseline", 1000);
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	text = print(m, "C");
	assert_has_not(text, "nan");
	assert_has(text, "read p50     - p99     - ms");
	assert_has(text, "majority was not asked      no write acknowledged for 1.00 s");
	assert_has(text, "minority was not asked");
	assert_has(text, "not converged");
	free(text);
	make_run_close(m);
}

static void text__does_not_speak_of_convergence_of_one_copy(void **state)
{
	struct make_run *m = make_run_open("single");
	char *text;

	(void)state;
	make_cut_phase(m, 1000);
	make_heal_phase(m, 1000);
	m->log.phase[1].converged_ns = 500 * MAKE_MS;
	text = print(m, "C");
	assert_has(text, "links healed");
	assert_has_not(text, "converged");
	free(text);
	make_run_close(m);
}

static void text__says_that_a_run_was_interrupted(void **state)
{
	struct make_run *m = whole_run();
	char *text;

	(void)state;
	m->log.phases = 4;
	m->log.faults = 0;
	m->log.interrupted = true;
	text = print(m, "C");
	assert_has(text, "interrupted after 4 of 6 phases");
	assert_has_not(text, "partition ");
	free(text);
	make_run_close(m);
}

static void text__names_every_change_that_was_not_confirmed(void **state)
{
	struct make_run *m = whole_run();
	struct run_fault *f = make_fault(m, 3, "delay");
	char *text;

	(void)state;
	f->evidence.result = EVIDENCE_MISMATCH;
	(void)snprintf(f->evidence.why, sizeof f->evidence.why, "n1 n3: 25 ms for 20 ms");
	text = print(m, "C");
	assert_has(text, "12 links changed in 1 ms - mismatch, n1 n3: 25 ms for");
	assert_has(text, "\n  tainted     delay in phase baseline is not confirmed: n1 n3");
	free(text);
	make_run_close(m);
}

static void text__names_process_faults(void **state)
{
	struct make_run *m = whole_run();
	struct run_fault *f = make_fault(m, 3, "kill");
	char *text;

	(void)state;
	f->node = MAKE_N2;
	f->t_first_ns += 250 * MAKE_MS;
	text = print(m, "C");
	assert_has(text, "kill n2 after 0.25 s - confirmed");
	free(text);
	make_run_close(m);
}

static void text__counts_process_faults_when_there_are_many(void **state)
{
	struct make_run *m = whole_run();
	char *text;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct run_fault *f = make_fault(m, 3, "kill");

		f->node = MAKE_N2;
		f->t_first_ns += (i + 1) * 10 * MAKE_MS;
		if (i == 30)
			f->judged = false;
	}
	text = print(m, "C");
	assert_has(text, "kill n2 after 0.16 s - confirmed");
	assert_has_not(text, "kill n2 after 0.17 s");
	assert_has(text, "kill n2 after 0.31 s - not confirmed");
	assert_has(text, "and 23 more such faults - confirmed");
	free(text);
	make_run_close(m);
}

static void text__tells_how_a_restarted_replica_caught_up(void **state)
{
	struct make_run *m = whole_run();
	struct run_fault *f = make_fault(m, 3, "restart");
	char *text;

	(void)state;
	f->node = MAKE_N2;
	text = print(m, "C");
	assert_has(text, "restart n2 after 0.00 s - confirmed");
	assert_has_not(text, "caught up");
	free(text);
	f->recovered = 3225;
	f->caught_up_ns = 280 * MAKE_MS;
	text = print(m, "C");
	assert_has(text, "confirmed: 3,225 records in its");
	assert_has(text, "caught up after 0.28 s");
	free(text);
	make_run_close(m);
}

static void text__gives_long_phase_names_their_room(void **state)
{
	struct make_run *m = whole_run();
	char *text;

	(void)state;
	(void)snprintf(m->plan.phase[3].name, PLAN_NAME_MAX, "a-baseline-with-a-long-name");
	text = print(m, "C");
	assert_has(text, "\n  a-baseline-with-a-long-name 1.0 s  300 ok");
	free(text);
	make_run_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text__prints_a_block_for_each_phase),
		cmocka_unit_test(text__prints_what_follows_from_all_phases),
		cmocka_unit_test(text__prints_a_phase_of_the_fit_in_one_line),
		cmocka_unit_test(text__is_ascii_unless_the_locale_is_utf8),
		cmocka_unit_test(text__wraps_the_witness),
		cmocka_unit_test(text__has_no_number_where_there_is_none),
		cmocka_unit_test(text__does_not_speak_of_convergence_of_one_copy),
		cmocka_unit_test(text__says_that_a_run_was_interrupted),
		cmocka_unit_test(text__names_every_change_that_was_not_confirmed),
		cmocka_unit_test(text__names_process_faults),
		cmocka_unit_test(text__counts_process_faults_when_there_are_many),
		cmocka_unit_test(text__tells_how_a_restarted_replica_caught_up),
		cmocka_unit_test(text__gives_long_phase_names_their_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
