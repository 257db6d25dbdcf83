/* SPDX-License-Identifier: MIT */
/* requests_test.c - what a lab that is up is told wrongly: refused with a cure, before any effect
 */
#include "agent/lab/requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lab/supervisor.h"
#include "tests/lib/test.h"

#define WORDS_MAX 16

/* No fabric: a request that got as far as touching the network would crash. */
static struct supervisor *lab;
static struct plan *plan;

static int setup(void **state)
{
	static const char *const names[] = {"n1", "n2", "n3", "c1"};

	(void)state;
	lab = calloc(1, sizeof *lab);
	plan = calloc(1, sizeof *plan);
	assert_non_null(lab);
	assert_non_null(plan);
	plan->sites = 1;
	(void)snprintf(plan->site[0].name, sizeof plan->site[0].name, "east");
	for (unsigned i = 0; i < 4; i++)
		(void)snprintf(plan->node[i].name, sizeof plan->node[i].name, "%s", names[i]);
	plan->nodes = 4;
	plan->replicas = 3;
	lab->plan = plan;
	(void)snprintf(lab->names.lab, sizeof lab->names.lab, "cap");
	lab->ready_ns = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(plan);
	free(lab);
	return 0;
}

/* Words that stand in one text; what was printed in @out. */
static int serve(const char *words, char out[256], struct err *err)
{
	char text[256];
	char *word[WORDS_MAX];
	char *rest = text;
	unsigned n = 0;
	FILE *f = fmemopen(out, 256, "w");
	int fd = -1;
	int rc;

	assert_non_null(f);
	(void)snprintf(text, sizeof text, "%s", words);
	while (*words && rest && n < WORDS_MAX)
		word[n++] = strsep(&rest, " ");
	*err = (struct err){0};
	memset(out, 0, 256);
	rc = requests_serve(lab, word, n, f, &fd, err);
	(void)fclose(f);
	assert_int_equal(fd, -1);
	return rc;
}

static void refuse(const char *words, const char *message)
{
	struct err err;
	char out[256];

	assert_int_equal(serve(words, out, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_string_equal(out, "");
	if (!strstr(err.text, message))
		fail_msg("'%s' said: %s\nwanted: %s", words, err.text, message);
}

static void requests_serve__refuses_what_is_no_request(void **state)
{
	(void)state;
	refuse("", "malformed");
	refuse("status", "malformed");
	refuse("fly text", "unknown request 'fly'");
	refuse(" text", "unknown request ''");
	refuse("STATUS text", "unknown request");
	refuse("statu text", "unknown request");
	refuse("\xff%s%n text", "unknown request");
}

static void requests_serve__wants_nodes_to_cut(void **state)
{
	(void)state;
	refuse("cut text", "cut whom?");
	refuse("cut text both edge groups", "cut whom?");
	refuse("cut text both edge groups n9", "there is no node or site 'n9'");
	refuse("cut text both edge groups n1/", "a side has no nodes");
	refuse("cut text both edge groups n1/n1", "stands on both sides");
	refuse("cut text both edge groups east,c1,n1", "nothing is cut");
	refuse("cut json one-way edge groups n1/n2/n3", "--one-way is from one side to one other");
	refuse("cut text both saw groups n1", "--kind: 'saw' is none: edge, wire and reject are");
	refuse("cut text both open groups n1", "--kind: 'open' is none");
	refuse("cut text both edge star n1", "unknown shape of a cut 'star'");
	refuse("cut text both edge bridge n9", "there is no node 'n9'");
	refuse("cut text both edge bridge c1", "'c1' is a client node: a bridge is a replica");
	refuse("cut text one-way edge bridge n1", "--one-way is from one side");
	refuse("cut text both edge ring -", "a ring of majorities needs 4 replicas or more");
}

static void requests_serve__wants_all_or_two_to_heal(void **state)
{
	(void)state;
	refuse("heal text", "heal all, or between two");
	refuse("heal text links n1 n2", "heal all, or between two");
	refuse("heal text links n9", "there is no node or site 'n9'");
	refuse("heal text cuts n1/n1", "stands on both sides");
	refuse("heal text cuts n1/,", "a side has no nodes");
}

static void requests_serve__wants_words_of_a_link(void **state)
{
	static const char *const halves[] = {"link text", "link text both", "link text both n1",
		"link text both n1 n2", "link text both n1 n2 delay 20ms"};

	(void)state;
	for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
		refuse(halves[i], "write it like: link n1 n2 delay 20ms");
	refuse("link text both n1 n2 lag", "a link has no 'lag'");
	refuse("link text both n1 n2 delay", "delay: write delay TIME");
	refuse("link text both n1 n2 delay\t20", "delay: '20' is not a duration");
	refuse("link text both n1 n2 loss\t101%", "write 0% to 100%");
	refuse("link text both n1 n2 delay\t99999999h", "delay: ");
	refuse("link text one-way n1 n9 clean", "there is no node or site 'n9'");
	refuse("link text both n1 east clean", "n1 stands on both sides");
	refuse("link text both n1 , clean", "a side has no nodes");
}

static void requests_serve__wants_nodes_to_take_down(void **state)
{
	(void)state;
	refuse("carrier text", "write it like: link n1 down");
	refuse("carrier text n1", "write it like: link n1 down");
	refuse("carrier text n1 away", "write it like: link n1 down");
	refuse("carrier text n9 down", "there is no node or site 'n9'");
	refuse("carrier text , up", "a side has no nodes");
	refuse("matrix text weight", "--show: there is no 'weight': all, counters, delay");
}

static void requests_serve__wants_one_node_to_strike_or_enter(void **state)
{
	static const char *const verbs[] = {"kill", "restart", "pause", "resume", "enter"};

	(void)state;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		char words[64];

		(void)snprintf(words, sizeof words, "%s text", verbs[i]);
		refuse(words, "name one node");
		(void)snprintf(words, sizeof words, "%s text n1 n2", verbs[i]);
		refuse(words, "name one node");
		(void)snprintf(words, sizeof words, "%s json n9", verbs[i]);
		refuse(words, "there is no node 'n9'");
		(void)snprintf(words, sizeof words, "%s text east", verbs[i]);
		refuse(words, "there is no node 'east'");
	}
}

static void requests_serve__wants_a_node_and_a_time_to_skew(void **state)
{
	(void)state;
	refuse("skew text n1", "how far?");
	refuse("skew text n1 1s 2s", "how far?");
	refuse("skew text n9 1s", "there is no node 'n9'");
	refuse("skew text n1 1", "'1' is not a duration");
	refuse("skew text n1 -25h", "'25h' is longer than a day");
}

static void requests_serve__harms_no_lab_that_runs_a_script_or_starts(void **state)
{
	static const char *const harms[] = {"cut text n1", "link text both n1 n2 delay 1ms",
		"heal text links", "kill text n1", "restart text n1", "pause text n1",
		"resume text n1"};

	(void)state;
	lab->ready_ns = 0;
	for (size_t i = 0; i < sizeof harms / sizeof *harms; i++)
		refuse(harms[i], "lab 'cap' is still starting");
	lab->ready_ns = 1;
	lab->options.scripted = true;
	for (size_t i = 0; i < sizeof harms / sizeof *harms; i++)
		refuse(harms[i], "lab 'cap' runs a script");
}

static void requests_serve__ends_a_lab_at_any_time(void **state)
{
	struct err err;
	char out[256];

	(void)state;
	lab->ready_ns = 0;
	lab->options.scripted = true;
	assert_int_equal(serve("down text", out, &err), 0);
	assert_string_equal(out, "cap");
	assert_true(lab->down);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			requests_serve__refuses_what_is_no_request, setup, teardown),
		cmocka_unit_test_setup_teardown(
			requests_serve__wants_nodes_to_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
			requests_serve__wants_all_or_two_to_heal, setup, teardown),
		cmocka_unit_test_setup_teardown(
			requests_serve__wants_words_of_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(
			requests_serve__wants_nodes_to_take_down, setup, teardown),
		cmocka_unit_test_setup_teardown(
			requests_serve__wants_one_node_to_strike_or_enter, setup, teardown),
		cmocka_unit_test_setup_teardown(
			requests_serve__wants_a_node_and_a_time_to_skew, setup, teardown),
		cmocka_unit_test_setup_teardown(
			requests_serve__harms_no_lab_that_runs_a_script_or_starts, setup, teardown),
		cmocka_unit_test_setup_teardown(
			requests_serve__ends_a_lab_at_any_time, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
