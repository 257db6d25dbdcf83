/* SPDX-License-Identifier: MIT */
/* simulator_test.c - the simulator itself: it repeats itself, it notices, it shrinks */
#include <stdlib.h>

#include "agent/sim/sim_script.h"
#include "tests/sim/hold.h"

static const struct sim_seeds usual = {
	.ops = &raft_ops,
	.level = {PROTO_QUORUM, PROTO_QUORUM},
	.first = 1,
	.count = 1,
};

/* All that a run prints, for comparison. */
static char *trace_of(const struct sim_seeds *seeds, size_t *ret_size)
{
	struct sim_seeds s = *seeds;
	struct sim_outcome out;
	char *text = NULL;
	uint64_t seed;

	s.trace = open_memstream(&text, ret_size);
	assert_non_null(s.trace);
	sim_seeds_run(&s, &out, &seed);
	fclose(s.trace);
	return text;
}

static void sim__the_same_seed_gives_the_same_trace(void **state)
{
	struct sim_seeds seeds = usual;
	size_t size_a, size_b;

	(void)state;
	for (seeds.first = 1; seeds.first < 6; seeds.first++) {
		char *a = trace_of(&seeds, &size_a);
		char *b = trace_of(&seeds, &size_b);

		assert_int_equal(size_a, size_b);
		assert_memory_equal(a, b, size_a);
		assert_true(size_a > 20000);
		free(a);
		free(b);
	}
}

static void sim__many_processes_do_what_one_does(void **state)
{
	struct sim_seeds seeds = usual;
	struct sim_outcome one, many;
	uint64_t seed;

	(void)state;
	seeds.count = 7;
	assert_int_equal(sim_seeds_run(&seeds, &one, &seed), 0);
	seeds.jobs = 3;
	assert_int_equal(sim_seeds_run(&seeds, &many, &seed), 0);
	assert_memory_equal(&one, &many, sizeof(one));
}

/* A simulator that injects nothing proves nothing. */
static void sim__does_every_fault_and_counts_it(void **state)
{
	struct sim_seeds seeds = usual;
	struct sim_outcome out;
	uint64_t seed;

	(void)state;
	seeds.ops = &quorum_ops;
	seeds.count = 150;
	seeds.jobs = 2;
	assert_int_equal(sim_seeds_run(&seeds, &out, &seed), 0);
	for (unsigned i = 0; i < SIM_ACT_NR; i++)
		if (i < SIM_ACT_TRANSFER && i != SIM_ACT_COUP) /* nobody leads there */
			assert_true(out.acts[i] > 0);
	for (unsigned i = 0; i < SIM_COUNT_NR; i++)
		if (i < SIM_TABLES && !out.count[i]) /* from there on a leader does them */
			fail_msg("no %s", sim_count_names[i]);
	assert_true(out.deleted > 0);
}

/* Planted: a store whose replicas lie in one way or another. */

static struct proto_ops liar;

static void lies_about_its_term(const struct proto *p, struct proto_status_view *ret)
{
	raft_ops.status(p, ret);
	if (ret->role == PROTO_LEADER || ret->log_last > 40)
		ret->role = PROTO_LEADER;
}

static void takes_back_a_commit(const struct proto *p, struct proto_status_view *ret)
{
	raft_ops.status(p, ret);
	if (ret->committed > 50 && ret->committed % 2)
		ret->committed -= 2;
}

static void loses_an_entry(const struct proto *p, struct proto_status_view *ret)
{
	raft_ops.status(p, ret);
	if (ret->log_last > 30)
		ret->log_last++;
}

static int takes_each_for_another(
	const struct proto *p, uint64_t index, struct proto_entry_view *ret)
{
	int rc = raft_ops.entry(p, index, ret);

	if (index == 20)
		ret->command.len -= p->cfg.self;
	return rc;
}

static void expect(const char *what)
{
	struct sim_seeds seeds = usual;
	struct sim_outcome out;
	uint64_t seed;

	seeds.ops = &liar;
	seeds.count = 3;
	assert_int_equal(sim_seeds_run(&seeds, &out, &seed), 1);
	if (!strstr(out.violation, what))
		fail_msg("'%s' has no '%s'", out.violation, what);
	assert_true(out.steps > 0);
}

static void sim__notices_each_lie(void **state)
{
	(void)state;
	liar = raft_ops;
	liar.status = lies_about_its_term;
	expect("majority");
	liar.vote = NULL;
	expect("election safety");
	liar.vote = raft_ops.vote;
	liar.status = takes_back_a_commit;
	expect("takes back its commit index");
	liar.status = loses_an_entry;
	expect("has no entry");
	liar = raft_ops;
	liar.entry = takes_each_for_another;
	expect("another entry 20");
}

/* A store that forgets one key's writes when it is asked by another replica for it. */
static void forgets_deletions(struct proto *p, const struct proto_request *req)
{
	struct proto_reply nil = {.status = PROTO_NIL};

	if (req->op == PROTO_DEL)
		p->io->reply(p->io, req->ticket, &nil);
	else
		raft_ops.request(p, req);
}

static void sim__notices_a_deleted_key_that_is_back(void **state)
{
	(void)state;
	liar = raft_ops;
	liar.request = forgets_deletions;
	expect("was deleted and is back");
}

/* What a snapshot leaves out is missed when a replica is restored from it. */
static bool leaves_out_the_snapshot(struct proto *p, struct proto_snapshot *s)
{
	(void)p;
	(void)s;
	return false;
}

static void sim__notices_a_snapshot_that_lacks_something(void **state)
{
	struct sim_seeds seeds = usual;
	struct sim_outcome out;
	uint64_t seed;

	(void)state;
	liar = quorum_ops;
	liar.snapshot = leaves_out_the_snapshot;
	seeds.ops = &liar;
	seeds.count = 40;
	assert_int_equal(sim_seeds_run(&seeds, &out, &seed), 1);
}

/* A store of another claim than it keeps: local reads do not even see the own writes. */
static enum proto_model claimed;

static void claims_more(const struct proto_config *cfg, struct proto_claim *ret)
{
	raft_ops.claim(cfg, ret);
	ret->whole = ret->cut = claimed;
}

static void sim__judges_by_the_model_that_is_claimed(void **state)
{
	static const enum proto_model models[] = {
		PROTO_SEQUENTIAL, PROTO_CAUSAL_CONVERGENT, PROTO_CAUSAL};
	struct sim_seeds seeds = usual;
	struct sim_outcome out;
	uint64_t seed;
	char not [64];

	(void)state;
	liar = raft_ops;
	liar.claim = claims_more;
	seeds.ops = &liar;
	seeds.count = 10;
	for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
		claimed = models[i];
		seeds.level[0] = PROTO_QUORUM;
		assert_int_equal(sim_seeds_run(&seeds, &out, &seed), 0);
		/* What cannot be decided is no proof. */
		assert_true(out.count[SIM_UNDECIDED] < seeds.count / 2);
		seeds.level[0] = PROTO_ONE;
		assert_int_equal(sim_seeds_run(&seeds, &out, &seed), 1);
		snprintf(not, sizeof not, "not %s", proto_model_names[claimed]);
		assert_non_null(strstr(out.violation, not ));
	}
}

/* Sets and counters of a store that does not do some of what it acknowledges. */
static enum proto_op dropped;

static void drops_some(struct proto *p, const struct proto_request *req)
{
	struct proto_reply done = {.status = PROTO_OK, .number = 1};

	if (req->op == dropped && req->ticket >> 16 & 1)
		p->io->reply(p->io, req->ticket, &done);
	else
		crdt_ops.request(p, req);
}

static void sim__notices_what_sets_and_counters_lose(void **state)
{
	static const struct {
		enum proto_op op;
		const char *violation;
	} lies[] = {
		{PROTO_ADD, "whose addition was acknowledged"},
		{PROTO_REMOVE, "which was removed"},
		{PROTO_INCREASE, "counter k2 is"},
	};
	struct sim_seeds seeds = usual;
	struct sim_outcome out;
	uint64_t seed;

	(void)state;
	liar = crdt_ops;
	liar.request = drops_some;
	seeds.ops = &liar;
	seeds.level[0] = seeds.level[1] = PROTO_ONE;
	seeds.count = 10;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		dropped = lies[i].op;
		assert_int_equal(sim_seeds_run(&seeds, &out, &seed), 1);
		if (!strstr(out.violation, lies[i].violation))
			fail_msg("'%s' has no '%s'", out.violation, lies[i].violation);
	}
}

static size_t lines_with(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* Of a whole run only the one operation is left that makes the violation, and it repeats it. */
static void shrink__leaves_only_what_matters(void **state)
{
	struct sim_seeds seeds = usual;
	size_t size;
	char *text = NULL;
	const char *keep;
	FILE *out;

	(void)state;
	liar = raft_ops;
	liar.request = forgets_deletions;
	seeds.ops = &liar;
	out = open_memstream(&text, &size);
	assert_int_equal(sim_shrink(&seeds, 1, out), 0);
	fclose(out);
	assert_int_equal(lines_with(text, " ms  "), 1);
	assert_int_equal(lines_with(text, "set, then delete"), 1);
	assert_int_equal(lines_with(text, "fault:"), 0);
	keep = strstr(text, "--keep ");
	assert_non_null(keep);
	{
		size_t number = strtoul(keep + strlen("--keep "), NULL, 10);
		bool *kept = calloc(number + 1, sizeof(*kept));
		struct sim_outcome again;
		uint64_t seed;

		kept[number] = true;
		seeds.keep = kept;
		seeds.keep_count = number + 1;
		seeds.without = (1u << SIM_WITHOUT_NR) - 1;
		assert_int_equal(sim_seeds_run(&seeds, &again, &seed), 1);
		assert_non_null(strstr(again.violation, "was deleted and is back"));
		free(kept);
	}
	free(text);
}

static void shrink__has_nothing_to_say_about_a_sound_seed(void **state)
{
	(void)state;
	assert_int_equal(sim_shrink(&usual, 1, stdout), 1);
}

/* The local clock and the world's agree about when a timer fires, however wrong the clock is. */
static void sim__a_timer_never_fires_before_its_local_time(void **state)
{
	struct sim_seeds seeds = usual;
	struct sim_outcome out;
	struct sim_plan plan;

	(void)state;
	for (uint64_t seed = 1; seed < 20; seed++) {
		sim_seeds_plan(&seeds, seed, &plan);
		plan.drift_ppm = 20000;
		plan.duration_ns = 2 * NS_PER_S;
		if (sim_plan_run(&plan, &out))
			fail_msg("seed %" PRIu64 ": %s", seed, out.violation);
	}
}

/* Time-outs are a tenth longer or shorter than they say: that is no reason to call one late. */
static void sim__bears_clocks_that_are_wrong_by_a_tenth(void **state)
{
	static const struct proto_ops *const all[] = {&raft_ops, &quorum_ops, &single_ops};
	struct sim_seeds seeds = usual;
	struct sim_outcome out;
	struct sim_plan plan;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (uint64_t seed = 1; seed < 15; seed++) {
			seeds.ops = all[i];
			sim_seeds_plan(&seeds, seed, &plan);
			plan.drift_ppm = SIM_PPM / 10;
			if (sim_plan_run(&plan, &out))
				fail_msg("%s seed %" PRIu64 ": %s", all[i]->name, seed,
					out.violation);
		}
}

static void sim__runs_with_hundreds_of_replicas(void **state)
{
	static const struct proto_ops *const all[] = {&raft_ops, &quorum_ops, &single_ops};
	struct sim_seeds seeds = usual;
	struct sim_outcome out;
	uint64_t seed;

	(void)state;
	seeds.nodes = 300;
	for (unsigned i = 0; i < 3; i++) {
		seeds.ops = all[i];
		if (sim_seeds_run(&seeds, &out, &seed))
			fail_msg("%s: %s", all[i]->name, out.violation);
		assert_true(out.ok > 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sim__the_same_seed_gives_the_same_trace),
		cmocka_unit_test(sim__many_processes_do_what_one_does),
		cmocka_unit_test(sim__does_every_fault_and_counts_it),
		cmocka_unit_test(sim__notices_each_lie),
		cmocka_unit_test(sim__notices_a_deleted_key_that_is_back),
		cmocka_unit_test(sim__notices_a_snapshot_that_lacks_something),
		cmocka_unit_test(sim__judges_by_the_model_that_is_claimed),
		cmocka_unit_test(sim__notices_what_sets_and_counters_lose),
		cmocka_unit_test(shrink__leaves_only_what_matters),
		cmocka_unit_test(shrink__has_nothing_to_say_about_a_sound_seed),
		cmocka_unit_test(sim__a_timer_never_fires_before_its_local_time),
		cmocka_unit_test(sim__bears_clocks_that_are_wrong_by_a_tenth),
		cmocka_unit_test(sim__runs_with_hundreds_of_replicas),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
