/* SPDX-License-Identifier: MIT */
/* watch_draw_test.c - a lab that is up as a picture of any size, and as lines of what changes */
#include "agent/cmd/watch_draw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "tests/lib/test.h"

static struct watch_lab *now;
static struct watch_lab *before;
static struct canvas canvas;

static struct watch_node *add_node(const char *name, unsigned site, bool replica)
{
	struct watch_node *n = &now->node[now->nodes++];

	(void)snprintf(n->name, sizeof n->name, "%s", name);
	n->site = site;
	n->carrier = true;
	n->replica = replica;
	n->state = replica ? WATCH_UP : WATCH_CLIENT;
	if (!replica)
		return n;
	n->ready = true;
	n->term = 4;
	n->committed = 1203;
	(void)snprintf(n->role, sizeof n->role, "follower");
	return n;
}

static void links_open(void)
{
	memset(now->letter, LIVE_AS_WANTED, sizeof now->letter);
	memset(now->site_letter, LIVE_AS_WANTED, sizeof now->site_letter);
	now->lettered = now->nodes <= LIVE_LETTERS_MAX;
	now->celled = now->nodes <= LIVE_CELLS_MAX;
	for (unsigned a = 0; a < now->nodes && now->lettered; a++) {
		now->letter[a][a] = ' ';
		for (unsigned b = 0; b < now->nodes && now->celled; b++)
			(void)snprintf(now->cell[a][b], WATCH_CELL_MAX, "%s",
				a == b                                   ? "-"
				: now->node[a].site == now->node[b].site ? "0"
									 : "10");
	}
}

static void cut(unsigned a, unsigned b)
{
	now->letter[a][b] = now->letter[b][a] = LIVE_CUT;
	(void)snprintf(now->cell[a][b], WATCH_CELL_MAX, "cut");
	(void)snprintf(now->cell[b][a], WATCH_CELL_MAX, "cut");
}

/* Two sites with a client each; n3 is cut off. */
static int setup(void **state)
{
	(void)state;
	now = calloc(1, sizeof *now);
	before = calloc(1, sizeof *before);
	assert_non_null(now);
	assert_non_null(before);
	(void)snprintf(now->lab, sizeof now->lab, "cap");
	(void)snprintf(now->store, sizeof now->store, "raft");
	(void)snprintf(now->emulator, sizeof now->emulator, "wire");
	(void)snprintf(now->leader, sizeof now->leader, "n1");
	(void)snprintf(now->site[0], sizeof now->site[0], "east");
	(void)snprintf(now->site[1], sizeof now->site[1], "far");
	now->sites = 2;
	now->term = 4;
	now->up_ns = 130 * NS_PER_S;
	now->t_ns = 500 * NS_PER_S;
	add_node("n1", 0, true);
	add_node("n2", 0, true);
	add_node("n3", 1, true);
	add_node("c-east", 0, false);
	add_node("c-far", 1, false);
	(void)snprintf(now->node[0].role, sizeof now->node[0].role, "leader");
	now->links = 20;
	links_open();
	*before = *now;
	before->t_ns -= NS_PER_S;
	now->node[0].sent = 1000;
	now->node[1].got = 600;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	canvas_fini(&canvas);
	free(now);
	free(before);
	return 0;
}

static void cut_n3(void)
{
	cut(0, 2);
	cut(1, 2);
	now->links_cut = 4;
	now->node[2].ready = false;
	now->node[2].committed = 1100;
	now->fault[0] =
		(struct watch_fault){.words = "cut (edge)", .links = 4, .from = "n1", .to = "n3"};
	now->faults = 1;
}

static const char *drawn(unsigned columns, unsigned rows, bool utf8)
{
	const struct look look = {.columns = columns, .rows = rows, .utf8 = utf8};
	const struct watch_picture p = {
		.view = now, .before = before, .now_ns = now->t_ns, .keys = true};

	canvas_fini(&canvas);
	canvas_init(&canvas, &look);
	watch_draw(&canvas, &p);
	return canvas_text(&canvas);
}

static void watch_draw__of_a_cut_at_80_columns(void **state)
{
	(void)state;
	cut_n3();
	assert_string_equal(drawn(80, 24, false),
		"lab cap  raft, up 2:10 min, emulator wire                               q quits\n"
		"  load         none: so no latencies; 'pacelab run' has one\n"
		"  network      4 of 20 links cut, 1000 frames/s\n"
		"  faults       cut (edge): 4 links, first n1 > n3\n"
		"  leader       n1, term 4\n"
		"\n"
		"    node   is          site term commit lag out/s in/s  1 2 3 4 5\n"
		"  1 n1     leader      east    4  1,203   0  1000    0    . X . .\n"
		"  2 n2     follower    east    4  1,203   0     0  600  .   X . .\n"
		"  3 n3     follower*    far    4  1,100 103     0    0  X X   . .\n"
		"  4 c-east client      east                     0    0  . . .   .\n"
		"  5 c-far  client       far                     0    0  . . . .  \n"
		"    X cut, * is not ready to serve\n");
}

static void watch_draw__has_delays_where_there_is_room(void **state)
{
	(void)state;
	cut_n3();
	assert_non_null(strstr(drawn(120, 40, true),
		"\n    n3     follower*    far    4  1,100 103     0    0     cut    cut      -     10"
		"      0\n"));
	assert_non_null(strstr(drawn(120, 40, true), "links: one way in ms, from the row"));
}

static void watch_draw__leaves_out_columns_at_40(void **state)
{
	(void)state;
	cut_n3();
	assert_non_null(strstr(drawn(40, 24, true), "\n  3 n3     follower*   103  X X   · ·\n"));
}

/* As many nodes and sites as a lab may have. */
static void make_large(void)
{
	now->nodes = 0;
	now->faults = 0;
	now->sites = PLAN_SITES_MAX;
	for (unsigned i = 0; i < PLAN_REPLICAS_MAX + PLAN_SITES_MAX; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "node-%u", i);
		add_node(name, i % PLAN_SITES_MAX, i < PLAN_REPLICAS_MAX);
	}
	for (unsigned i = 0; i < now->sites; i++)
		(void)snprintf(now->site[i], WATCH_NAME_MAX, "a-site-with-a-long-name-%u", i);
	for (unsigned i = 0; i < LIVE_FAULTS_MAX; i++)
		now->fault[now->faults++] = (struct watch_fault){.words = "loss 1%", .links = i};
	now->node[5].state = WATCH_DOWN;
	now->node[6].skew_ns = -1000000000;
	now->node[7].carrier = false;
	now->phase = (struct watch_phase){.name = "phase",
		.what = "all | nothing",
		.number = 3,
		.phases = 4,
		.begin_ns = now->t_ns - NS_PER_S,
		.end_ns = now->t_ns + NS_PER_S};
	links_open();
	now->site_letter[0][31] = LIVE_SOME_CUT;
	*before = *now;
	before->t_ns--; /* the largest rates that there can be */
	now->node[0].sent = INT64_MAX;
}

static void assert_fits(const char *text, unsigned columns, unsigned rows)
{
	unsigned lines = 0;

	for (; *text; lines++) {
		size_t len = strcspn(text, "\n");

		if (term_width(text, len) > columns - 1)
			fail_msg("%u of %u columns: %.*s", term_width(text, len), columns, (int)len,
				text);
		assert_int_equal(text[len], '\n');
		text += len + 1;
	}
	if (lines > rows)
		fail_msg("%u lines of %u, %u columns", lines, rows, columns);
}

static void watch_draw__never_is_larger_than_the_terminal(void **state)
{
	(void)state;
	for (unsigned large = 0; large < 2; large++) {
		for (unsigned columns = 20; columns <= 200; columns++) {
			for (unsigned rows = 18; rows <= 60; rows += 6)
				assert_fits(drawn(columns, rows, columns % 2), columns, rows);
		}
		make_large();
	}
}

static void watch_draw__of_many_nodes_is_about_sites(void **state)
{
	const char *text;

	(void)state;
	make_large();
	text = drawn(120, 24, true);
	assert_non_null(strstr(text, "a-site-with-a-…"));
	assert_non_null(strstr(text, "more sites\n"));
	assert_non_null(strstr(text, "3/4 up"));
	assert_null(strstr(text, "node-0"));
	assert_non_null(strstr(drawn(120, 0, true), "x some cut"));
}

static void watch_draw__says_that_the_lab_does_not_answer(void **state)
{
	const struct look look = {.columns = 80, .rows = 24};
	const struct watch_picture p = {.view = now, .silent_ns = 3400 * NS_PER_MS};

	(void)state;
	canvas_init(&canvas, &look);
	watch_draw(&canvas, &p);
	assert_non_null(strstr(canvas_text(&canvas), "no answer for 3.4 s"));
	/* No rates are made up before there are two views. */
	assert_null(strstr(canvas_text(&canvas), "frames/s"));
}

static char *changes(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	watch_changes(before, now, f);
	(void)fclose(f);
	return text;
}

static void assert_changes(const char *want)
{
	char *text = changes();

	assert_string_equal(text, want);
	free(text);
}

static void watch_changes__are_only_what_is_new(void **state)
{
	(void)state;
	assert_changes("");
	cut_n3();
	assert_changes("    130.0 s  fault cut (edge): 4 links, first n1 > n3\n"
		       "    130.0 s  n3 is not ready\n");
	*before = *now;
	now->faults = 0;
	now->node[0].state = WATCH_DOWN;
	now->node[1].skew_ns = -500000000;
	now->node[2].carrier = false;
	now->leader[0] = '\0';
	assert_changes("    130.0 s  no more cut (edge): 4 links, first n1 > n3\n"
		       "    130.0 s  n1 is down\n"
		       "    130.0 s  clock of n2 is off by -500 ms\n"
		       "    130.0 s  n3 has no carrier\n"
		       "    130.0 s  nobody leads\n");
}

static void watch_changes__begin_with_how_it_all_is(void **state)
{
	struct watch_lab *keep = before;

	(void)state;
	cut_n3();
	before = NULL;
	assert_changes("    130.0 s  lab cap, store raft, emulator wire: 5 nodes in 2 sites, "
		       "4 of 20 links cut\n"
		       "    130.0 s  leader n1, term 4\n"
		       "    130.0 s  fault cut (edge): 4 links, first n1 > n3\n");
	before = keep;
}

static void live_letter__says_what_is_worst(void **state)
{
	const struct link_state base = {.delay_ns = 5000000, .loss = LOSS_RANDOM, .loss_ppm = {1}};
	struct link_state link = base;

	(void)state;
	/* What the lab has without faults is none, be it loss. */
	assert_int_equal(live_letter(&link, &base, false), LIVE_AS_WANTED);
	link.delay_ns++;
	assert_int_equal(live_letter(&link, &base, false), '~');
	link.rate_bps = 1000000;
	assert_int_equal(live_letter(&link, &base, false), 'R');
	link.loss_ppm[0] = 2;
	assert_int_equal(live_letter(&link, &base, false), 'L');
	link.cut = CUT_EDGE;
	assert_int_equal(live_letter(&link, &base, false), LIVE_CUT);
	assert_int_equal(live_letter(&link, &base, true), LIVE_DOWN);
	for (unsigned i = 0; live_letters(i); i++)
		assert_true(live_letters(i)->letter != LIVE_AS_WANTED);
}

static const char answer[] =
	"{\"lab\": \"cap\", \"store\": \"raft\", \"emulator\": \"wire\", \"scripted\": false,"
	"\"t_ns\": 5, \"up_ns\": 4, \"leader\": \"n1\", \"term\": 2, \"harm\": \"\","
	"\"phase\": null, \"sites\": [\"east\"], \"links\": 2, \"links_cut\": 0,"
	"\"faults\": [], \"faults_more\": 0, \"site_letters\": [\".\"],"
	"\"letters\": [\" X\", \". \"], \"cells\": [[\"-\", \"cut\"], [\"10\", \"-\"]],"
	"\"nodes\": [{\"name\": \"n1\", \"site\": 0, \"state\": \"up\", \"carrier\": true,"
	"\"role\": \"leader\", \"ready\": true, \"term\": 2, \"committed\": 7, \"applied\": 7,"
	"\"skew_ns\": -3, \"sent\": 1, \"got\": 2, \"lost\": 3},"
	"{\"name\": \"c1\", \"site\": 0, \"state\": \"client\", \"carrier\": true,"
	"\"sent\": 1, \"got\": 2, \"lost\": 3}]}";

static void watch_read__takes_what_a_lab_says(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(watch_read(answer, now, &err), 0);
	assert_int_equal(now->nodes, 2);
	assert_true(now->node[0].replica && !now->node[1].replica);
	assert_int_equal(now->node[0].skew_ns, -3);
	assert_int_equal(now->node[1].lost, 3);
	assert_true(now->lettered && now->celled);
	assert_int_equal(now->letter[0][1], LIVE_CUT);
	assert_string_equal(now->cell[0][1], "cut");
}

/* Whatever is left out or turned over: an error, no crash and no half of a picture. */
static void watch_read__refuses_what_no_lab_says(void **state)
{
	struct err err;
	char text[sizeof answer];
	unsigned refused = 0;

	(void)state;
	assert_int_equal(watch_read("", now, &err), -EBADMSG);
	assert_int_equal(watch_read("[1, 2]", now, &err), -EBADMSG);
	assert_int_equal(watch_read("{\"nodes\": [], \"sites\": []}", now, &err), -EBADMSG);
	for (size_t i = 0; i < sizeof answer - 1; i++) {
		memcpy(text, answer, sizeof answer);
		text[i] = text[i] == '"' ? '1' : '"';
		if (watch_read(text, now, &err))
			refused++;
		(void)drawn(80, 24, true);
		memcpy(text, answer, sizeof answer);
		text[i] = '\0';
		assert_int_equal(watch_read(text, now, &err), -EBADMSG);
	}
	assert_true(refused > sizeof answer / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			watch_draw__of_a_cut_at_80_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(
			watch_draw__has_delays_where_there_is_room, setup, teardown),
		cmocka_unit_test_setup_teardown(
			watch_draw__leaves_out_columns_at_40, setup, teardown),
		cmocka_unit_test_setup_teardown(
			watch_draw__never_is_larger_than_the_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(
			watch_draw__of_many_nodes_is_about_sites, setup, teardown),
		cmocka_unit_test_setup_teardown(
			watch_draw__says_that_the_lab_does_not_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(
			watch_changes__are_only_what_is_new, setup, teardown),
		cmocka_unit_test_setup_teardown(
			watch_changes__begin_with_how_it_all_is, setup, teardown),
		cmocka_unit_test(live_letter__says_what_is_worst),
		cmocka_unit_test_setup_teardown(watch_read__takes_what_a_lab_says, setup, teardown),
		cmocka_unit_test_setup_teardown(
			watch_read__refuses_what_no_lab_says, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
