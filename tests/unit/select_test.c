/* SPDX-License-Identifier: MIT */
/* select_test.c - sides of a cut as people write them, and what is refused */
#include "agent/lab/select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

/* Replicas n1 and n2 in east, n3 in far; client nodes c1 and c2. */
static struct plan plan = {
	.site = {{.name = "east", .client = 3}, {.name = "far", .client = 4}},
	.sites = 2,
	.node = {{.name = "n1"}, {.name = "n2"}, {.name = "n3", .site = 1},
		{.name = "c1", .role = PLAN_CLIENT},
		{.name = "c2", .role = PLAN_CLIENT, .site = 1}},
	.nodes = 5,
	.replicas = 3,
};

/* The groups by node: "01.0." says n1 in 0, n2 in 1, n3 in none ... */
static void assert_groups(const uint8_t *group_of, const char *want)
{
	char got[FABRIC_NODES_MAX + 1] = "";

	for (unsigned i = 0; i < plan.nodes; i++)
		got[i] = group_of[i] == SELECT_NONE ? '.' : (char)('0' + group_of[i]);
	assert_string_equal(got, want);
}

static void select_groups__reads_nodes_and_sites(void **state)
{
	static const struct {
		const char *text;
		unsigned groups;
		const char *want;
	} cases[] = {
		{"n1 / n2", 2, "01..."},
		{"n1|n2", 2, "01..."},
		{"n1,n3/n2", 2, "010.."},
		{" n1 , n3 / n2 ", 2, "010.."},
		{"n1 n3 / n2", 2, "010.."},
		{"n1,n1 / n2", 2, "01..."},
		{"east / far", 2, "00101"},
		{"n1 / far / c1", 3, "0.121"},
		{"n1,east / n3", 2, "0010."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t group_of[FABRIC_NODES_MAX];
		struct err err = {0};
		unsigned groups = 0;

		assert_int_equal(select_groups(&plan, cases[i].text, group_of, &groups, &err), 0);
		assert_int_equal(groups, cases[i].groups);
		assert_groups(group_of, cases[i].want);
	}
}

static void select_groups__sets_one_side_against_all_others(void **state)
{
	uint8_t group_of[FABRIC_NODES_MAX];
	struct err err = {0};
	unsigned groups = 0;

	(void)state;
	assert_int_equal(select_groups(&plan, "n2", group_of, &groups, &err), 0);
	assert_int_equal(groups, 2);
	assert_groups(group_of, "10111");
	assert_int_equal(select_groups(&plan, "far", group_of, &groups, &err), 0);
	assert_groups(group_of, "11010");
}

static void refuse(const char *text, const char *words)
{
	uint8_t group_of[FABRIC_NODES_MAX];
	struct err err = {0};
	unsigned groups = 77;

	assert_int_equal(select_groups(&plan, text, group_of, &groups, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_int_equal(groups, 77);
	if (!strstr(err.text, words))
		fail_msg("'%.80s' said: %s\nwanted: %s", text, err.text, words);
}

static void select_groups__refuses_empty_sides(void **state)
{
	static const char *const bad[] = {
		"", " ", ",", "/", "n1/", "/n1", "n1//n2", "n1 / , / n2", "|", "n1 /  "};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuse(bad[i], "a side has no nodes");
}

static void select_groups__says_what_there_is_instead(void **state)
{
	static const char *const bad[] = {
		"n9", "n1 / n", "n1;n2", "N1", "n1\n", "n1/../n2", "\xff", "%s%n"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuse(bad[i], "there are n1, n2, n3, c1, c2 and sites east, far");
	refuse("n1,nosuch/n2", "no node or site 'nosuch'");
}

static void select_groups__lets_nobody_stand_on_both_sides(void **state)
{
	(void)state;
	refuse("n1 / n1", "n1 stands on both sides");
	refuse("n1 / east", "n1 stands on both sides");
	refuse("east / n2,far", "n2 stands on both sides");
	refuse("far / n1 / c2", "c2 stands on both sides");
}

static void select_groups__refuses_a_cut_of_nothing(void **state)
{
	(void)state;
	refuse("east,far", "nothing is cut");
	refuse("n1,n2,n3,c1,c2", "nothing is cut");
}

static void select_groups__counts_its_sides(void **state)
{
	struct plan *wide = calloc(1, sizeof *wide);
	uint8_t group_of[FABRIC_NODES_MAX];
	struct err err = {0};
	char text[256] = "";
	unsigned groups;

	(void)state;
	assert_non_null(wide);
	wide->nodes = SELECT_GROUPS_MAX + 1;
	for (unsigned i = 0; i < wide->nodes; i++) {
		size_t len = strlen(text);

		(void)snprintf(wide->node[i].name, sizeof wide->node[i].name, "n%u", i);
		(void)snprintf(text + len, sizeof text - len, "%sn%u", i ? "/" : "", i);
		if (i == SELECT_GROUPS_MAX - 1) {
			assert_int_equal(select_groups(wide, text, group_of, &groups, &err), 0);
			assert_int_equal(groups, SELECT_GROUPS_MAX);
		}
	}
	assert_int_equal(select_groups(wide, text, group_of, &groups, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most 8 sides"));
	free(wide);
}

static void select_groups__refuses_more_than_it_can_hold(void **state)
{
	static char text[1 << 16];

	(void)state;
	for (size_t i = 0; i + 3 < sizeof text; i += 3)
		(void)snprintf(text + i, 4, "n1,");
	refuse(text, "too many names");
	text[1023] = '\0'; /* the longest that is read */
	text[1022] = '2';
	refuse(text, "no node or site");
	(void)memset(text, 'x', 1023);
	refuse(text, "no node or site 'xxxx");
}

static void select_groups__survives_every_beginning(void **state)
{
	const char text[] = "n1, east | far / c1,,c2//n9";
	uint8_t group_of[FABRIC_NODES_MAX];

	(void)state;
	for (size_t len = 0; len < sizeof text; len++) {
		char part[sizeof text] = "";
		struct err err = {0};
		unsigned groups = 0;

		memcpy(part, text, len);
		if (select_groups(&plan, part, group_of, &groups, &err) == 0)
			assert_true(groups >= 2 && !err.code);
		else
			assert_int_equal(err.code, -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(select_groups__reads_nodes_and_sites),
		cmocka_unit_test(select_groups__sets_one_side_against_all_others),
		cmocka_unit_test(select_groups__refuses_empty_sides),
		cmocka_unit_test(select_groups__says_what_there_is_instead),
		cmocka_unit_test(select_groups__lets_nobody_stand_on_both_sides),
		cmocka_unit_test(select_groups__refuses_a_cut_of_nothing),
		cmocka_unit_test(select_groups__counts_its_sides),
		cmocka_unit_test(select_groups__refuses_more_than_it_can_hold),
		cmocka_unit_test(select_groups__survives_every_beginning),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
