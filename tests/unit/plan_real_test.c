/* SPDX-License-Identifier: MIT */
/* plan_real_test.c - what a lab becomes when its store is a real database */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/lab/plan.h"
#include "agent/lab/real.h"
#include "agent/load/plugin.h"
#include "tests/unit/data_dir.h"

#define SITES "lab 'x' site('east', {'n1'}) site('west', {'n2'}) site('far', {'n3'})\n"
#define PHASES \
	"phase('well', '1s') phase('cut', '5s', cut({'east', 'west'}, 'far')) " \
	"phase('dead', '2s', kill('n1')) phase('whole', '1s', restart('n1')) " \
	"phase('after', '1s')"
#define LAB SITES "store './s.lua' load {rate = 500, read = 50, write = 40, cas = 10}\n" PHASES

/* Its driver is built in, so that no library is needed. */
#define SYSTEM_FIELDS(more) \
	"{driver = 'resp', port = 7000, nodes = {3, 5}, kept = 'k', differs = 'd',\n" \
	"knobs = {reads = {'all', 'any'}}, client = function(k) return 'reads=' .. k.reads end,\n" \
	"like = function(k) return k.reads == 'all' and 'etcd' or 'etcd-serializable' end,\n" more \
	"node = function(n) return {run = {{'server', n.name}}} end}"
#define SYSTEM(more) \
	"system('mine', " SYSTEM_FIELDS(more) ")\nvariant('mine-any', {reads = 'any'})\n"
#define TIMES "rate = 100, deadline = '3s', cut = '20s', settle = '6s', leader = true,\n"

static char folder[] = "/tmp/pacelab-plan-real-XXXXXX";

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static struct plan *must_load(const struct plan_options *options)
{
	struct plan *plan = NULL;
	struct err err;

	if (plan_load(&plan, "lab.lua", options, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

static uint64_t lasts(const struct plan *plan, const char *phase)
{
	for (unsigned i = 0; i < plan->phases; i++)
		if (strcmp(plan->phase[i].name, phase) == 0)
			return plan->phase[i].duration_ns;
	fail_msg("no phase %s", phase);
	return 0;
}

static void plan__of_a_real_database_has_its_nodes_and_its_driver(void **state)
{
	struct plan *plan;

	(void)state;
	write_file("s.lua", SYSTEM(TIMES));
	write_file("lab.lua", LAB);
	plan = must_load(NULL);
	assert_non_null(plan->real);
	assert_string_equal(plan->system->name, "mine");
	assert_ptr_equal(plan->system->ops, &raft_ops);
	assert_ptr_equal(plan->driver, &resp_driver);
	assert_int_equal(plan->real->nodes, 3);
	assert_string_equal(plan->real->node[2].run.command[0].argv[1], "n3");
	assert_string_equal(plan->real->settings, "reads=all");
	assert_int_equal(plan->proto.read_level, PROTO_QUORUM);
	assert_int_equal(plan_alike_ns(plan), 6 * NS_PER_S);
	plan_free(plan);
}

static void plan__takes_what_a_real_database_is_like_from_its_knobs(void **state)
{
	static const struct plan_options set = {
		.set = "reads=any reads=all,reads=any reads=all reads=any reads=all reads=any "
		       "reads=all reads=any reads=all reads=any reads=all reads=any reads=all "
		       "reads=any"};
	static const struct plan_options variant = {.store = "./s.lua:mine-any"};
	struct plan *plan;

	(void)state;
	write_file("s.lua", SYSTEM(TIMES));
	write_file("lab.lua", LAB);
	plan = must_load(&set);
	assert_string_equal(plan->system->name, "mine");
	assert_string_equal(plan->real->like->name, "etcd-serializable");
	assert_int_equal(plan->proto.read_level, PROTO_ONE);
	plan_free(plan);
	plan = must_load(&variant);
	assert_string_equal(plan->system->name, "mine-any");
	assert_string_equal(plan->real->settings, "reads=any");
	assert_true(plan->foreign_store);
	plan_free(plan);
	/* The script's own, and the command line's after it. */
	write_file("lab.lua", SITES "store('./s.lua', {set = 'reads=any'})\n" PHASES);
	plan = must_load(NULL);
	assert_string_equal(plan->real->settings, "reads=any");
	plan_free(plan);
}

#define LIKE(text) \
	"system('mine', {driver = 'resp', port = 7000, kept = 'k', differs = 'd', like = '" text \
	"', node = function(n) return {run = {{'server'}}} end})\n"

static void plan__takes_settings_of_what_it_is_like(void **state)
{
	struct proto_claim claim;
	struct plan *plan = NULL;
	struct err err;

	(void)state;
	write_file("s.lua", LIKE("dns ttl=7s refresh=2s retry=1s"));
	write_file("lab.lua", LAB);
	plan = must_load(NULL);
	assert_string_equal(plan->real->like->name, "dns");
	assert_int_equal(plan->proto.ttl_ns, 7 * NS_PER_S);
	plan->system->ops->claim(&plan->proto, &claim);
	assert_int_equal(claim.stale_ns, 11 * NS_PER_S);
	plan_free(plan);
	write_file("s.lua", LIKE("dns tll=7s"));
	assert_int_equal(plan_load(&plan, "lab.lua", NULL, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_non_null(
		strstr(err.text, "s.lua: 'like' of mine: zone has no setting 'tll': it has "));
}

static void plan__expects_what_is_said_of_the_file(void **state)
{
	static const struct plan_options variant = {.store = "./s.lua:mine-any"};
	struct plan *plan;

	(void)state;
	write_file("s.lua", SYSTEM(TIMES));
	write_file("lab.lua", SITES "store './s.lua'\nexpect {lost = 0}\n"
				    "expect('./s.lua:mine-any', {lost = 'some'})\n" PHASES);
	plan = must_load(NULL);
	assert_true(plan->expect.lost.said && plan->expect.lost.high == 0);
	plan_free(plan);
	plan = must_load(&variant);
	assert_true(plan->expect.lost.said && plan->expect.lost.low == 1);
	plan_free(plan);
}

static void plan__suits_load_and_phases_to_a_real_database(void **state)
{
	static const struct plan_options said = {.rate = "400", .time_scale = "1"};
	struct plan *plan;

	(void)state;
	write_file("s.lua", SYSTEM(TIMES));
	write_file("lab.lua", LAB);
	plan = must_load(NULL);
	assert_true(plan->load.rate == 100);
	assert_int_equal(plan->load.deadline_ns, 3 * NS_PER_S);
	assert_int_equal(plan->load.cas, 10);
	assert_int_equal(lasts(plan, "well"), NS_PER_S);
	assert_int_equal(lasts(plan, "cut"), 20 * NS_PER_S);
	assert_int_equal(lasts(plan, "dead"), 20 * NS_PER_S);
	assert_int_equal(lasts(plan, "whole"), NS_PER_S);
	assert_int_equal(lasts(plan, "after"), 6 * NS_PER_S);
	assert_string_equal(plan->suited,
		"100 operations/s, not 500; deadline 3 s, not 1 s; 2 phases with a "
		"cut, kill or pause last 20 s; phase after lasts 6 s");
	plan_free(plan);
	plan = must_load(&said);
	assert_true(plan->load.rate == 400);
	assert_int_equal(lasts(plan, "cut"), 5 * NS_PER_S);
	assert_int_equal(lasts(plan, "after"), NS_PER_S);
	assert_string_equal(plan->suited, "deadline 3 s, not 1 s");
	plan_free(plan);
	/* Whose file says nothing of it takes labs as they are. */
	write_file("s2.lua", SYSTEM(""));
	write_file("lab.lua", SITES "store './s2.lua' load {rate = 500}\n" PHASES);
	plan = must_load(NULL);
	assert_string_equal(plan->suited, "");
	assert_true(plan->load.rate == 500);
	plan_free(plan);
}

static void plan__gives_a_real_database_no_more_clients_than_it_serves(void **state)
{
	struct plan *plan;

	(void)state;
	write_file("c.lua", SYSTEM("clients = 4,"));
	write_file("lab.lua", SITES "store './c.lua' load {clients_per_site = 5}\n" PHASES);
	plan = must_load(NULL);
	assert_int_equal(plan->load.clients_per_site, 4);
	assert_string_equal(plan->suited, "4 clients in each site, not 5");
	plan_free(plan);
	write_file("lab.lua", SITES "store './c.lua' load {clients_per_site = 3}\n" PHASES);
	plan = must_load(NULL);
	assert_int_equal(plan->load.clients_per_site, 3);
	assert_string_equal(plan->suited, "");
	plan_free(plan);
}

/* How long it warms up; 0: not at all. */
static uint64_t warms_up(const struct plan *plan)
{
	return plan->phase[0].warmup ? plan->phase[0].duration_ns : 0;
}

static void plan__warms_a_real_database_up(void **state)
{
	static const struct plan_options none = {.warmup = "0"};
	static const struct plan_options half = {.time_scale = "0.5"};
	struct plan *plan;

	(void)state;
	write_file("w.lua", SYSTEM("warmup = '5s',"));
	write_file("lab.lua", SITES "store './w.lua'\n" PHASES);
	plan = must_load(NULL);
	assert_string_equal(plan->phase[0].name, "warmup");
	assert_int_equal(warms_up(plan), 5 * NS_PER_S);
	assert_string_equal(plan->suited, "5 s of warm-up first");
	plan_free(plan);
	plan = must_load(&none);
	assert_int_equal(warms_up(plan), 0);
	assert_string_equal(plan->suited, "");
	plan_free(plan);
	write_file("lab.lua", SITES "store './w.lua' warmup '200ms'\n" PHASES);
	plan = must_load(&half);
	assert_int_equal(warms_up(plan), 2500 * NS_PER_MS);
	assert_string_equal(plan->suited, "2.5 s of warm-up, not 100 ms");
	plan_free(plan);
	/* Long enough for it. */
	write_file("lab.lua", SITES "store './w.lua' warmup '6s'\n" PHASES);
	plan = must_load(NULL);
	assert_int_equal(warms_up(plan), 6 * NS_PER_S);
	assert_string_equal(plan->suited, "");
	plan_free(plan);
}

static void plan__refuses_what_a_real_database_cannot(void **state)
{
	static const struct {
		const char *lab;
		const char *system;
		const char *words;
	} bad[] = {
		{SITES "store('./b1.lua', {read_level = 'one'})\n" PHASES, SYSTEM(""),
			"lab.lua:2: store: levels and times are of stores of ours"},
		{SITES "store './b2.lua'\n" PHASES,
			"system('mine', " SYSTEM_FIELDS("rate = 'many',") ")",
			"lab.lua:2: ./b2.lua:"},
		{"lab 'x' site('east', {'n1', 'n2'})\nstore './b3.lua'\n" PHASES, SYSTEM(""),
			"mine has 3 to 5 nodes, and the lab has 2"},
		{SITES "store('./b4.lua', {set = 'reads=most'})\n" PHASES, SYSTEM(""),
			"mine: knob 'reads' has no value 'most'"},
	};
	struct plan *plan = NULL;
	struct err err;
	char name[16];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		(void)snprintf(name, sizeof name, "b%zu.lua", i + 1);
		write_file(name, bad[i].system);
		write_file("lab.lua", bad[i].lab);
		assert_true(plan_load(&plan, "lab.lua", NULL, &err) < 0);
		assert_int_equal(err.status, EXIT_USAGE);
		if (strncmp(err.text, bad[i].words, strlen(bad[i].words)) != 0)
			fail_msg("said %s, not %s", err.text, bad[i].words);
	}
}

/* A driver that reads and writes numbers, and has nothing else. */
static void make_driver(void)
{
	FILE *f = fopen("plain.sh", "w");

	assert_non_null(f);
	(void)fputs("#!/bin/sh\necho pacelab 1 read write\nread line\n", f);
	(void)fclose(f);
	assert_int_equal(chmod("plain.sh", 0755), 0);
}

static void plan__moves_and_refuses_what_a_driver_has_not(void **state)
{
	static const char system[] =
		"system('plain', {driver = 'program:plain.sh', port = 7000, kept = 'k', differs = 'd',\n"
		"like = 'etcd', node = function(n) return {run = {{'server'}}} end})";
	struct plan *plan = NULL;
	struct err err;

	(void)state;
	make_driver();
	write_file("p.lua", system);
	write_file(
		"lab.lua", SITES "store './p.lua' load {read = 50, write = 40, cas = 10}\n" PHASES);
	plan = must_load(NULL);
	assert_int_equal(plan->cas_moved, 10);
	assert_int_equal(plan->load.write, 50);
	assert_int_equal(plan->load.cas, 0);
	plan_free(plan);
	plan = NULL;
	write_file("lab.lua", SITES "store './p.lua' load {workload = 'list'}\n" PHASES);
	assert_true(plan_load(&plan, "lab.lua", NULL, &err) < 0);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_non_null(strstr(err.text, "lab.lua:2: load: the driver of store 'plain' reads and "
					 "writes numbers, a list is more"));
}

static void plan__names_all_that_a_machine_lacks_at_once(void **state)
{
	struct plan *plan = NULL;
	struct err err;

	(void)state;
	assert_int_equal(unsetenv("PACELAB_DRIVERS"), 0);
	write_file("n.lua",
		"system('none', {driver = 'etcd', port = 7000, kept = 'k', differs = 'd',\n"
		"packages = {'no-such-server'}, programs = {'no-such-program'},\n"
		"like = 'etcd', node = function(n) return {run = {{'server'}}} end})");
	write_file("lab.lua", SITES "store './n.lua'\n" PHASES);
	assert_true(plan_load(&plan, "lab.lua", NULL, &err) < 0);
	assert_int_equal(err.status, EXIT_CANNOT_RUN);
	assert_string_equal(err.text, "none needs no-such-program: apt-get install no-such-server "
				      "libcurl4-openssl-dev, then make builds its driver");
}

static int enter_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && chmod(folder, 0755) == 0 && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	(void)state;
	data_remove(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan__of_a_real_database_has_its_nodes_and_its_driver),
		cmocka_unit_test(plan__takes_what_a_real_database_is_like_from_its_knobs),
		cmocka_unit_test(plan__takes_settings_of_what_it_is_like),
		cmocka_unit_test(plan__expects_what_is_said_of_the_file),
		cmocka_unit_test(plan__suits_load_and_phases_to_a_real_database),
		cmocka_unit_test(plan__gives_a_real_database_no_more_clients_than_it_serves),
		cmocka_unit_test(plan__warms_a_real_database_up),
		cmocka_unit_test(plan__refuses_what_a_real_database_cannot),
		cmocka_unit_test(plan__moves_and_refuses_what_a_driver_has_not),
		cmocka_unit_test(plan__names_all_that_a_machine_lacks_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
