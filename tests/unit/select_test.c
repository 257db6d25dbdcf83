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

/* The groups by node: "12.1." says n1 in 1, n2 in 2, n3 in none ... */
static void assert_groups(const struct shape *shape, const char *want)
{
	char got[FABRIC_NODES_MAX + 1] = "";

	for (unsigned i = 0; i < plan.nodes; i++)
		got[i] = shape->group_of[i] ? (char)('0' + shape->group_of[i]) : '.';
	assert_string_equal(got, want);
}

static void select_shape__reads_nodes_and_sites(void **state)
{
	static const struct {
		const char *text;
		unsigned groups;
		const char *want;
	} cases[] = {
		{"n1 / n2", 2, "12..."},
		{"n1|n2", 2, "12..."},
		{"n1,n3/n2", 2, "121.."},
		{" n1 , n3 / n2 ", 2, "121.."},
		{"n1 n3 / n2", 2, "121.."},
		{"n1,n1 / n2", 2, "12..."},
		{"east / far", 2, "11212"},
		{"n1 / far / c1", 3, "1.232"},
		{"n1,east / n3", 2, "1121."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shape shape;
		struct err err = {0};

		assert_int_equal(select_shape(&plan, cases[i].text, &shape, &err), 0);
		assert_int_equal(select_sides(&plan, &shape), cases[i].groups);
		assert_groups(&shape, cases[i].want);
	}
}

static void select_shape__sets_one_side_against_all_others(void **state)
{
	struct shape shape;
	struct err err = {0};

	(void)state;
	assert_int_equal(select_shape(&plan, "n2", &shape, &err), 0);
	assert_int_equal(select_sides(&plan, &shape), 2);
	assert_groups(&shape, "21222");
	assert_int_equal(select_shape(&plan, "far", &shape, &err), 0);
	assert_groups(&shape, "22121");
}

static void refuse(const char *text, const char *words)
{
	struct shape shape;
	struct err err = {0};

	assert_int_equal(select_shape(&plan, text, &shape, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	if (!strstr(err.text, words))
		fail_msg("'%.80s' said: %s\nwanted: %s", text, err.text, words);
}

static void select_shape__refuses_empty_sides(void **state)
{
	static const char *const bad[] = {
		"", " ", ",", "/", "n1/", "/n1", "n1//n2", "n1 / , / n2", "|", "n1 /  "};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuse(bad[i], "a side has no nodes");
}

static void select_shape__says_what_there_is_instead(void **state)
{
	static const char *const bad[] = {
		"n9", "n1 / n", "n1;n2", "N1", "n1\n", "n1/../n2", "\xff", "%s%n"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuse(bad[i], "there are n1, n2, n3, c1, c2 and sites east, far");
	refuse("n1,nosuch/n2", "no node or site 'nosuch'");
}

static void select_shape__lets_nobody_stand_on_both_sides(void **state)
{
	(void)state;
	refuse("n1 / n1", "n1 stands on both sides");
	refuse("n1 / east", "n1 stands on both sides");
	refuse("east / n2,far", "n2 stands on both sides");
	refuse("far / n1 / c2", "c2 stands on both sides");
}

static void select_shape__refuses_a_cut_of_nothing(void **state)
{
	(void)state;
	refuse("east,far", "nothing is cut");
	refuse("n1,n2,n3,c1,c2", "nothing is cut");
}

static void select_shape__counts_its_sides(void **state)
{
	struct plan *wide = calloc(1, sizeof *wide);
	struct shape shape;
	struct err err = {0};
	char text[256] = "";

	(void)state;
	assert_non_null(wide);
	wide->nodes = SELECT_GROUPS_MAX + 1;
	for (unsigned i = 0; i < wide->nodes; i++) {
		size_t len = strlen(text);

		(void)snprintf(wide->node[i].name, sizeof wide->node[i].name, "n%u", i);
		(void)snprintf(text + len, sizeof text - len, "%sn%u", i ? "/" : "", i);
		if (i == SELECT_GROUPS_MAX - 1) {
			assert_int_equal(select_shape(wide, text, &shape, &err), 0);
			assert_int_equal(select_sides(wide, &shape), SELECT_GROUPS_MAX);
		}
	}
	assert_int_equal(select_shape(wide, text, &shape, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most 8 sides"));
	free(wide);
}

static void select_shape__refuses_more_than_it_can_hold(void **state)
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

static void select_shape__survives_every_beginning(void **state)
{
	const char text[] = "n1, east | far / c1,,c2//n9";
	struct shape shape;

	(void)state;
	for (size_t len = 0; len < sizeof text; len++) {
		char part[sizeof text] = "";
		struct err err = {0};

		memcpy(part, text, len);
		if (select_shape(&plan, part, &shape, &err) == 0)
			assert_true(select_sides(&plan, &shape) >= 2 && !err.code);
		else
			assert_int_equal(err.code, -EINVAL);
	}
}

/* What replica @i can talk to in both directions, as bits, itself among them. */
static uint64_t sees(const struct plan *p, const struct shape *shape, unsigned i)
{
	uint64_t set = 1ull << i;

	for (unsigned k = 0; k < p->replicas; k++) {
		if (k != i && !shape_cuts(shape, i, k) && !shape_cuts(shape, k, i))
			set |= 1ull << k;
	}
	return set;
}

static void shape_ring__shows_each_a_majority_and_no_two_the_same(void **state)
{
	struct plan *p = calloc(1, sizeof *p);
	struct err err = {0};
	struct shape ring;

	(void)state;
	assert_non_null(p);
	for (p->replicas = 1; p->replicas < SHAPE_RING_MIN; p->replicas++)
		assert_int_equal(shape_ring(p, &ring, &err), -EINVAL);
	for (; p->replicas <= 63; p->replicas++) {
		p->nodes = p->replicas + 2;
		assert_int_equal(shape_ring(p, &ring, &err), 0);
		for (unsigned a = 0; a < p->replicas; a++) {
			uint64_t set = sees(p, &ring, a);

			assert_true(2 * (unsigned)__builtin_popcountll(set) > p->replicas);
			for (unsigned b = 0; b < a; b++)
				assert_true(set != sees(p, &ring, b));
			assert_false(shape_cuts(&ring, a, p->replicas));
			assert_false(shape_cuts(&ring, p->replicas + 1, a));
		}
	}
	free(p);
}

static void shape_bridge__connects_two_halves(void **state)
{
	struct plan *p = calloc(1, sizeof *p);
	struct err err = {0};
	struct shape bridge;

	(void)state;
	assert_non_null(p);
	p->replicas = 2;
	p->nodes = 4;
	assert_int_equal(shape_bridge(p, 0, &bridge, &err), -EINVAL);
	assert_int_equal(shape_bridge(p, 3, &bridge, &err), -EINVAL);
	for (p->replicas = 3; p->replicas <= 9; p->replicas++) {
		p->nodes = p->replicas + 1;
		for (unsigned node = 0; node < p->replicas; node++) {
			unsigned size[3] = {0};

			assert_int_equal(shape_bridge(p, node, &bridge, &err), 0);
			for (unsigned a = 0; a < p->nodes; a++) {
				size[bridge.group_of[a]] += a < p->replicas;
				assert_false(shape_cuts(&bridge, a, node));
				assert_false(shape_cuts(&bridge, p->replicas, a));
			}
			assert_int_equal(size[0], 1);
			assert_true(size[1] - size[2] <= 1 && size[2] > 0);
		}
	}
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(select_shape__reads_nodes_and_sites),
		cmocka_unit_test(select_shape__sets_one_side_against_all_others),
		cmocka_unit_test(select_shape__refuses_empty_sides),
		cmocka_unit_test(select_shape__says_what_there_is_instead),
		cmocka_unit_test(select_shape__lets_nobody_stand_on_both_sides),
		cmocka_unit_test(select_shape__refuses_a_cut_of_nothing),
		cmocka_unit_test(select_shape__counts_its_sides),
		cmocka_unit_test(select_shape__refuses_more_than_it_can_hold),
		cmocka_unit_test(select_shape__survives_every_beginning),
		cmocka_unit_test(shape_ring__shows_each_a_majority_and_no_two_the_same),
		cmocka_unit_test(shape_bridge__connects_two_halves),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
