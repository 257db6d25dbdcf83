/* SPDX-License-Identifier: MIT */
/* lab_sim_test.c - a lab in virtual time: its links, its clients, its phases */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/report/results.h"
#include "agent/sim/lab.h"
#include "tests/lib/test.h"

#define MS NS_PER_MS
#define T0 (10 * NS_PER_S)
#define HEAD \
	"lab \"test\"\n" \
	"site(\"a\", {\"n1\", \"n2\"})\n" \
	"site(\"b\", {\"n3\"})\n" \
	"rtt(\"a\", \"b\", \"20ms\")\n" \
	"load {clients_per_site = 4, rate = 200, keys = 5, read = 50, write = 50}\n"

static const struct lab_costs nothing;

static char folder[] = "/tmp/pacelab-lab-XXXXXX";

static const char *in_folder(const char *name)
{
	static char path[64];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static struct plan *plan_of(const char *script)
{
	const struct plan_options wish = {0};
	FILE *f = fopen(in_folder("test.lua"), "we");
	struct plan *plan = NULL;
	struct err err = {0};

	assert_non_null(f);
	assert_true(fputs(script, f) >= 0);
	assert_int_equal(fclose(f), 0);
	if (plan_load(&plan, in_folder("test.lua"), &wish, &err))
		fail_msg("%s", err.text);
	return plan;
}

struct run {
	struct plan *plan;
	struct run_log log;
	struct history_ops ops;
	struct results results;
};

static struct run *run_of(const char *script, const struct lab_costs *costs)
{
	struct run *r = calloc(1, sizeof *r);
	struct err err = {0};

	assert_non_null(r);
	r->plan = plan_of(script);
	(void)unlink(in_folder("history.bin"));
	if (lab_simulate(r->plan, costs, in_folder("history.bin"), &r->log, &err) ||
		history_read(&r->ops, in_folder("history.bin"), &err) ||
		measure(&r->results, r->plan, &r->log, &r->ops, &err))
		fail_msg("%s", err.text);
	verdict(&r->results);
	return r;
}

static void run_close(struct run *r)
{
	history_ops_fini(&r->ops);
	plan_free(r->plan);
	free(r);
}

static struct lab_net *net_of(struct plan *plan, const struct lab_costs *costs)
{
	static struct lab_net net;

	lab_net_init(&net, plan, costs);
	lab_net_set(&net, &plan->base, T0);
	return &net;
}

static void net__adds_what_a_machine_does(void **state)
{
	const struct lab_costs costs = {.hop_ns = 3, .wire_ns = 5};
	struct plan *plan = plan_of(HEAD "store \"raft\" phase(\"p\", \"1s\")\n");
	struct lab_net *net = net_of(plan, &costs);

	(void)state;
	assert_int_equal(lab_net_send(net, 0, 1, 100, T0), T0 + 3);
	assert_int_equal(lab_net_send(net, 0, 2, 100, T0), T0 + 10 * MS + 3 + 5);
	lab_net_fini(net);
	plan_free(plan);
}

static void net__keeps_the_order_whatever_the_jitter(void **state)
{
	struct plan *plan =
		plan_of(HEAD "store \"raft\" jitter(\"a\", \"b\", \"9ms\") phase(\"p\", \"1s\")\n");
	struct lab_net *net = net_of(plan, &nothing);
	uint64_t before = 0;
	uint64_t least = UINT64_MAX;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t at = lab_net_send(net, 0, 2, 100, T0 + i);

		assert_true(at >= before);
		before = at;
		least = at < least ? at : least;
	}
	assert_true(least < T0 + 8 * MS && before > T0 + 18 * MS);
	lab_net_fini(net);
	plan_free(plan);
}

/* Half of all are lost: an RTO and a round trip later they come, or twice that after it ... */
static void net__sends_again_what_is_lost(void **state)
{
	struct plan *plan = plan_of(HEAD
		"store \"raft\" phase(\"p\", \"1s\", link(\"a\", \"b\", \"delay 10ms loss 50%\"))\n");
	struct lab_net *net = net_of(plan, &nothing);
	unsigned late[3] = {0};

	(void)state;
	lab_net_set(net, &plan->phase[0].matrix, T0);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now = T0 + i * 1000 * NS_PER_S;
		uint64_t took = lab_net_send(net, 2, 0, 100, now) - now;

		late[0] += took == 10 * MS;
		late[1] += took == 10 * MS + LAB_RTO_NS + 20 * MS;
		late[2] += took == 10 * MS + 3 * (LAB_RTO_NS + 20 * MS);
	}
	assert_in_range(late[0], 450, 550);
	assert_in_range(late[1], 200, 300);
	assert_in_range(late[2], 80, 170);
	lab_net_fini(net);
	plan_free(plan);
}

/* 1 Mbit/s: 934 bytes and 66 of headers take 8 ms, one after the other; 6250 may wait. */
static void net__sends_one_after_the_other_behind_a_rate(void **state)
{
	struct plan *plan = plan_of(HEAD "store \"raft\" phase(\"p\", \"1s\", link(\"a\", \"b\", "
					 "\"delay 10ms rate 1mbit queue 6250b\"))\n");
	struct lab_net *net = net_of(plan, &nothing);

	(void)state;
	lab_net_set(net, &plan->phase[0].matrix, T0);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(lab_net_send(net, 0, 2, 934, T0), T0 + 10 * MS + (i + 1) * 8 * MS);
	/* The eighth finds no room, and comes again after an RTO. */
	assert_int_equal(lab_net_send(net, 0, 2, 934, T0), T0 + LAB_RTO_NS + 20 * MS + 18 * MS);
	lab_net_fini(net);
	plan_free(plan);
}

static void net__loses_all_on_a_cut_link_and_dials_after_the_heal(void **state)
{
	struct plan *plan = plan_of(HEAD "store \"raft\" phase(\"p\", \"1s\", isolate(\"n3\"))\n");
	struct lab_net *net = net_of(plan, &nothing);
	uint64_t healed = T0 + NS_PER_S;

	(void)state;
	lab_net_set(net, &plan->phase[0].matrix, T0);
	assert_int_equal(lab_net_send(net, 0, 2, 100, T0), 0);
	assert_int_equal(lab_net_send(net, 0, 1, 100, T0), T0);
	assert_true(lab_net_arrives(net, 0, 2)); /* what was under way */
	lab_net_set(net, &plan->base, healed);
	assert_int_equal(lab_net_send(net, 0, 2, 100, healed + 1), 0);
	assert_true(lab_net_send(net, 0, 2, 100, healed + LAB_DIAL_NS + 40 * MS) > 0);
	/* Shorter than silence is noticed: the connection lives. */
	lab_net_set(net, &plan->phase[0].matrix, healed + NS_PER_S);
	lab_net_set(net, &plan->base, healed + NS_PER_S + LAB_SILENT_NS - 1);
	assert_true(lab_net_send(net, 0, 2, 100, healed + NS_PER_S + LAB_SILENT_NS) > 0);
	lab_net_fini(net);
	plan_free(plan);
}

static void net__refuses_a_word_that_it_cannot_do(void **state)
{
	struct plan *plan = plan_of(HEAD
		"store \"raft\"\n\nphase(\"p\", \"1s\", link(\"a\", \"b\", \"corrupt 1%\"))\n");
	struct err err = {0};

	(void)state;
	assert_int_equal(lab_refuse(plan, &err), -EOPNOTSUPP);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_non_null(strstr(err.text, "test.lua:8: phase p"));
	assert_non_null(strstr(err.text, "'corrupt'"));
	plan_free(plan);
}

static void costs__are_read_by_name(void **state)
{
	struct lab_costs costs = {.hop_ns = 1, .wire_ns = 2, .disk_ns = 3};
	struct err err = {0};

	(void)state;
	assert_int_equal(lab_costs_parse(&costs, "disk=1ms  hop=0s", &err), 0);
	assert_int_equal(costs.hop_ns, 0);
	assert_int_equal(costs.wire_ns, 2);
	assert_int_equal(costs.disk_ns, MS);
	assert_int_equal(lab_costs_parse(&costs, "dish=1ms", &err), -EINVAL);
	assert_int_equal(lab_costs_parse(&costs, "disk=fast", &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
}

/* Of all operations at @node, from when they were meant to start. */
static uint64_t fastest_ns(const struct run *r, unsigned node, enum history_kind kind)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < r->ops.count; i++) {
		const struct history_op *op = &r->ops.op[i];
		uint64_t took = op->t_return_ns - op->t_intended_ns;

		if (op->node == node && op->kind == kind && !(op->flags & HISTORY_F_FINAL) &&
			took < least)
			least = took;
	}
	return least;
}

/* n1 leads, n2 is beside it, n3 is 20 ms away: a majority of two is n1 and n2. */
static void lab__takes_as_long_as_the_links_and_the_costs_say(void **state)
{
	static const char script[] = HEAD "store(\"raft\", {leader = \"n1\"})\n"
					  "phase(\"p\", \"5s\")\n";
	const struct lab_costs costs = {
		.hop_ns = MS / 4, .wire_ns = MS / 8, .disk_ns = MS, .wake_ns = MS / 16};
	struct run *r = run_of(script, &nothing);

	(void)state;
	assert_true(r->results.phase[0].read.count > 300);
	assert_int_equal(r->results.check.verdict, CHECK_OK);
	assert_int_equal(fastest_ns(r, 0, HISTORY_READ), 0);
	assert_int_equal(fastest_ns(r, 1, HISTORY_WRITE), 0);
	assert_int_equal(fastest_ns(r, 2, HISTORY_WRITE), 20 * MS);
	run_close(r);
	r = run_of(script, &costs);
	/* A client wakes; to n1 and back, from there to n2 and back. */
	assert_int_equal(fastest_ns(r, 0, HISTORY_READ), MS / 16 + 4 * MS / 4);
	/* To n3, from there to n1 over links with a delay. */
	assert_int_equal(
		fastest_ns(r, 2, HISTORY_READ), 20 * MS + MS / 16 + 6 * MS / 4 + 2 * MS / 8);
	/* n2 writes while n1 does. */
	assert_int_equal(fastest_ns(r, 0, HISTORY_WRITE), MS / 16 + 4 * MS / 4 + MS);
	run_close(r);
}

/* What a run of single tells of its machine is what the simulation was told. */
static void lab__of_single_gives_back_the_costs_that_it_was_given(void **state)
{
	const struct lab_costs costs = {
		.hop_ns = MS / 4, .wire_ns = MS / 8, .disk_ns = MS, .wake_ns = MS / 16};
	struct run *r = run_of(HEAD "store \"single\"\nphase(\"p\", \"10s\")\n", &costs);

	(void)state;
	assert_string_equal(r->results.local_costs, "hop=250us wire=125us disk=1000us wake=62us");
	run_close(r);
}

static void lab__is_the_same_each_time(void **state)
{
	static const char script[] =
		HEAD "store \"quorum\"\n"
		     "phase(\"p\", \"2s\", isolate(\"n3\"))\nphase(\"q\", \"2s\")\n";
	struct run *a = run_of(script, &lab_costs_usual);
	struct run *b = run_of(script, &lab_costs_usual);

	(void)state;
	assert_true(a->ops.count > 500);
	assert_int_equal(a->ops.count, b->ops.count);
	assert_memory_equal(a->ops.op, b->ops.op, a->ops.count * sizeof *a->ops.op);
	run_close(a);
	run_close(b);
}

/* What its clients ask is what they ask on real packets: the schedule is the plan's. */
static void lab__loses_no_operation_of_its_schedule(void **state)
{
	struct run *r = run_of(HEAD "store \"single\"\nphase(\"p\", \"10s\")\n", &lab_costs_usual);
	const struct results_phase *p = &r->results.phase[0];

	(void)state;
	assert_in_range(p->ok, 1900, 2100); /* 200 a second */
	assert_int_equal(p->failed, 0);
	assert_int_equal(p->unknown, 0);
	run_close(r);
}

static void lab__tells_who_was_not_answered_by_whom(void **state)
{
	struct run *r = run_of(HEAD "store(\"raft\", {leader = \"n1\"})\n"
				    "phase(\"base\", \"2s\")\n"
				    "phase(\"cut\", \"4s\", cut({\"a\"}, {\"b\"}))\n"
				    "phase(\"healed\", \"3s\")\n",
		&lab_costs_usual);
	const struct results *s = &r->results;

	(void)state;
	assert_int_equal(s->cut_phase, 1);
	assert_true(s->phase[1].side[0].ok == s->phase[1].side[0].attempts);
	assert_true(s->phase[1].side[1].attempts > 30 && s->phase[1].side[1].ok == 0);
	assert_true(s->recovered_s < 1 && s->converged_s < 1);
	assert_string_equal(s->verdict.cap_text, "PC");
	assert_false(s->tainted);
	assert_int_equal(s->lost.lost, 0);
	run_close(r);
}

/* A killed replica answers nobody, and has what it had when it is back. */
static void lab__kills_and_restarts(void **state)
{
	struct run *r =
		run_of(HEAD "store(\"raft\", {leader = \"n1\"})\n"
			    "phase(\"p\", \"6s\", kill(\"n1\", \"1s\"), restart(\"n1\", \"3s\"))\n",
			&lab_costs_usual);
	const struct run_log *log = &r->log;

	(void)state;
	assert_int_equal(log->faults, 2);
	assert_string_equal(log->fault[0].kind, "kill");
	assert_true(log->fault[1].recovered > 0);
	assert_true(log->fault[1].caught_up_ns < NS_PER_S);
	assert_true(log->leaders > 1 && log->leader[log->leaders - 1].leader != 0);
	assert_true(r->results.phase[0].failed + r->results.phase[0].unknown > 20);
	assert_int_equal(r->results.lost.lost, 0);
	assert_int_equal(r->results.check.verdict, CHECK_OK);
	run_close(r);
}

/* A paused one answers when it goes on; who asked it meanwhile has given up. */
static void lab__pauses_and_resumes(void **state)
{
	struct run *r =
		run_of(HEAD "store \"single\"\n"
			    "phase(\"p\", \"6s\", pause(\"n1\", \"1s\"), resume(\"n1\", \"4s\"))\n",
			&lab_costs_usual);
	size_t timed_out = 0;

	(void)state;
	for (size_t i = 0; i < r->ops.count; i++)
		timed_out += r->ops.op[i].error == HISTORY_TIMEOUT;
	assert_true(timed_out > 2); /* of the clients beside it */
	assert_true(r->results.phase[0].ok > 400);
	assert_int_equal(r->results.lost.lost, 0);
	run_close(r);
}

/* Some seconds ahead: what others write then is older, though it comes later. */
static void lab__sets_clocks_wrong(void **state)
{
	struct run *r = run_of(HEAD
		"store \"cassandra-quorum\"\nphase(\"p\", \"4s\", skew(\"n1\", \"5s\"))\n",
		&lab_costs_usual);

	(void)state;
	assert_int_equal(r->results.check.verdict, CHECK_VIOLATION);
	assert_true(r->results.lost.lost > 0);
	run_close(r);
}

static void lab__says_when_nobody_leads_that_a_phase_is_about(void **state)
{
	struct plan *plan =
		plan_of(HEAD "store \"cassandra-one\"\nphase(\"p\", \"1s\", isolate(leader()))\n");
	struct run_log *log = calloc(1, sizeof *log);
	struct err err = {0};

	(void)state;
	assert_non_null(log);
	(void)unlink(in_folder("history.bin"));
	assert_int_equal(
		lab_simulate(plan, &nothing, in_folder("history.bin"), log, &err), -ETIMEDOUT);
	assert_int_equal(err.status, EXIT_INCONCLUSIVE);
	assert_non_null(strstr(err.text, "nobody leads"));
	free(log);
	plan_free(plan);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(in_folder("test.lua"));
	(void)unlink(in_folder("history.bin"));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net__adds_what_a_machine_does),
		cmocka_unit_test(net__keeps_the_order_whatever_the_jitter),
		cmocka_unit_test(net__sends_again_what_is_lost),
		cmocka_unit_test(net__sends_one_after_the_other_behind_a_rate),
		cmocka_unit_test(net__loses_all_on_a_cut_link_and_dials_after_the_heal),
		cmocka_unit_test(net__refuses_a_word_that_it_cannot_do),
		cmocka_unit_test(costs__are_read_by_name),
		cmocka_unit_test(lab__takes_as_long_as_the_links_and_the_costs_say),
		cmocka_unit_test(lab__of_single_gives_back_the_costs_that_it_was_given),
		cmocka_unit_test(lab__is_the_same_each_time),
		cmocka_unit_test(lab__loses_no_operation_of_its_schedule),
		cmocka_unit_test(lab__tells_who_was_not_answered_by_whom),
		cmocka_unit_test(lab__kills_and_restarts),
		cmocka_unit_test(lab__pauses_and_resumes),
		cmocka_unit_test(lab__sets_clocks_wrong),
		cmocka_unit_test(lab__says_when_nobody_leads_that_a_phase_is_about),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
