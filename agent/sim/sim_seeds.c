/* SPDX-License-Identifier: MIT */
/* sim_seeds.c - what a seed makes of a run, and many of them, on one core or on several */
#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/err.h"
#include "agent/sim/sim_script.h"
#include "store/settings.h"

#define LARGE 100         /* replicas: from here on heartbeats are fewer and the run is shorter */
#define APART_S 600       /* a run that takes longer does not end */
#define DRIFT_PPM_MAX 500 /* what a bad quartz does; leases must bear it */

const char *const sim_without_names[SIM_WITHOUT_NR] = {
	[SIM_WITHOUT_LOSS] = "loss",
	[SIM_WITHOUT_DUPLICATES] = "duplicates",
	[SIM_WITHOUT_JITTER] = "jitter",
	[SIM_WITHOUT_DRIFT] = "drift",
	[SIM_WITHOUT_SNAPSHOTS] = "snapshots",
	[SIM_WITHOUT_TORN] = "torn",
};

void sim_outcome_add(struct sim_outcome *sum, const struct sim_outcome *out)
{
	sum->steps += out->steps;
	sum->messages += out->messages;
	sum->ok += out->ok;
	sum->failed += out->failed;
	sum->unknown += out->unknown;
	sum->deleted += out->deleted;
	sum->admin_ok += out->admin_ok;
	sum->admin_failed += out->admin_failed;
	for (unsigned i = 0; i < SIM_ACTS_MAX; i++)
		sum->acts[i] += out->acts[i];
	for (unsigned i = 0; i < SIM_COUNT_NR; i++)
		sum->count[i] += out->count[i];
}

static void draw_world(struct sim_plan *plan, struct prng *prng)
{
	static const uint64_t delay_us[] = {50, 500, 2000, 10000, 20000};
	struct sim_config *world = &plan->world;

	world->delay_ns = delay_us[prng_below(prng, 5)] * NS_PER_US;
	world->loss_ppm = prng_below(prng, 2) ? (uint32_t)prng_below(prng, 50000) : 0;
	world->duplicate_ppm = prng_below(prng, 2) ? (uint32_t)prng_below(prng, 50000) : 0;
	world->duplicate_ns = 2 * NS_PER_S;
	world->spread = (enum sim_spread)prng_below(prng, SIM_SPREAD_NR);
	world->jitter_ns = prng_below(prng, 3) ? world->delay_ns * 2 : 0;
	if (world->spread == SIM_NORMAL || world->spread == SIM_PARETO)
		world->jitter_ns /= 4;
	world->persist_ns_min = 50 * NS_PER_US;
	world->persist_ns_max = (1 + prng_below(prng, 10)) * NS_PER_MS;
	world->snapshot_ns = prng_below(prng, 4) ? (100 + prng_below(prng, 1500)) * NS_PER_MS : 0;
	world->archive = prng_below(prng, 4) == 0;
	world->torn_ppm = prng_below(prng, 4) == 0 ? SIM_PPM / 2 : 0;
	plan->pad = prng_below(prng, 64) ? 0 : (uint32_t)prng_below(prng, 30000);
	plan->drift_ppm = prng_below(prng, 2) ? (uint32_t)prng_below(prng, DRIFT_PPM_MAX) + 1 : 0;
}

static void draw_proto(struct sim_plan *plan, struct prng *prng)
{
	struct proto_config *cfg = &plan->world.proto;

	cfg->request_timeout_ns = 800 * NS_PER_MS;
	cfg->election_min_ns = 300 * NS_PER_MS;
	cfg->election_max_ns = 600 * NS_PER_MS;
	cfg->heartbeat_ns = 50 * NS_PER_MS;
	cfg->leader = (int)prng_below(prng, cfg->nodes + 1) - 1;
	cfg->log_keep_kib = prng_below(prng, 2) ? 1 : 0;
	/* Whoever keeps little of a log shall find little of it: then a whole table is sent. */
	if (cfg->log_keep_kib && plan->world.ops->entry)
		plan->world.snapshot_ns /= 4;
	cfg->anti_entropy_ns = prng_below(prng, 2) ? (200 + prng_below(prng, 2000)) * NS_PER_MS : 0;
	/* Short, so that all of it happens within the run. */
	cfg->tombstone_ns = prng_below(prng, 2) ? (1 + prng_below(prng, 500)) * NS_PER_MS : 0;
	cfg->hint_ns_max = prng_below(prng, 4) ? 0 : (1 + prng_below(prng, 2000)) * NS_PER_MS;
	if (cfg->tombstone_ns && plan->world.ops == &quorum_ops)
		cfg->request_timeout_ns = (200 + prng_below(prng, 600)) * NS_PER_MS;
	if (cfg->nodes < LARGE)
		return;
	/* An operation takes as many messages as there are replicas: fewer of them, as much work.
	 */
	plan->think_ns = plan->think_ns * cfg->nodes / (LARGE / 4);
	plan->duration_ns = 4 * NS_PER_S;
	cfg->heartbeat_ns = 500 * NS_PER_MS;
	cfg->election_min_ns = 3 * NS_PER_S;
	cfg->election_max_ns = 6 * NS_PER_S;
	cfg->request_timeout_ns = 4 * NS_PER_S;
	cfg->leader = 0;
}

/* As what the plan reads with, while clocks run at about one rate: they do. */
static bool leases_are_as_good(const struct sim_plan *plan)
{
	struct proto_config cfg = plan->world.proto;
	struct proto_claim claim, lease;

	plan->world.ops->claim(&cfg, &claim);
	cfg.read_level = PROTO_LEASE;
	plan->world.ops->claim(&cfg, &lease);
	return lease.needs_clocks && lease.cut == claim.cut;
}

void sim_plan_draw(struct sim_plan *plan, const struct proto_ops *ops, unsigned nodes,
	uint64_t seed, const enum proto_level level[2])
{
	struct prng prng;

	prng_init(&prng, seed, UINT64_MAX);
	*plan = (struct sim_plan){
		.clients = nodes < 5                 ? 5
			   : nodes < SIM_CLIENTS_MAX ? nodes
						     : SIM_CLIENTS_MAX,
		.keys = 2 + (unsigned)prng_below(&prng, 4),
		.duration_ns = 8 * NS_PER_S,
		.think_ns = (5 + prng_below(&prng, 40)) * NS_PER_MS,
		.fault_ns = (80 + prng_below(&prng, 600)) * NS_PER_MS,
		.cuts = prng_below(&prng, 8) != 0,
		.crashes = prng_below(&prng, 3) != 0,
		.faults = (uint32_t)prng_next(&prng),
		.world = {.ops = ops, .seed = seed},
	};
	plan->world.proto.nodes = nodes;
	plan->world.proto.read_level = level[0];
	plan->world.proto.write_level = level[1];
	draw_world(plan, &prng);
	draw_proto(plan, &prng);
	plan->world.proto.leases = prng_below(&prng, 3) == 0 && leases_are_as_good(plan);
	sim_profile_draw(plan);
}

void sim_plan_without(struct sim_plan *plan, unsigned without)
{
	struct sim_config *world = &plan->world;

	if (without >> SIM_WITHOUT_LOSS & 1)
		world->loss_ppm = 0;
	if (without >> SIM_WITHOUT_DUPLICATES & 1)
		world->duplicate_ppm = 0;
	if (without >> SIM_WITHOUT_JITTER & 1) {
		world->jitter_ns = 0;
		world->spread = SIM_UNIFORM;
	}
	if (without >> SIM_WITHOUT_DRIFT & 1)
		plan->drift_ppm = 0;
	if (without >> SIM_WITHOUT_SNAPSHOTS & 1)
		world->snapshot_ns = 0;
	if (without >> SIM_WITHOUT_TORN & 1)
		world->torn_ppm = 0;
}

void sim_seeds_plan(const struct sim_seeds *s, uint64_t seed, struct sim_plan *ret)
{
	struct err err = {0};

	sim_plan_draw(ret, s->ops, s->nodes ? s->nodes : seed % 2 ? 3 : 5, seed, s->level);
	sim_plan_without(ret, s->without);
	/* Who asks has seen that they can be read. */
	if (s->settings && settings_read(&ret->world.proto, s->ops, s->settings, &err))
		assert(false);
	ret->skew_ns = s->skew_ns;
	ret->world.trace = s->trace;
	ret->keep = s->keep;
	ret->keep_count = s->keep_count;
}

/* Numbers as "3,7-9". */
static void print_kept(const bool *keep, size_t count, FILE *out)
{
	const char *sep = "";

	for (size_t i = 0, end; i < count; i = end) {
		end = i + 1;
		if (!keep[i])
			continue;
		while (end < count && keep[end])
			end++;
		fprintf(out, end - i > 1 ? "%s%zu-%zu" : "%s%zu", sep, i, end - 1);
		sep = ",";
	}
}

void sim_seeds_again(const struct sim_seeds *s, uint64_t seed, FILE *out)
{
	const char *sep = " --without ";

	fprintf(out,
		"again: pacelab simulate --store %s --seed %" PRIu64
		" --read-level %s --write-level %s",
		s->name ? s->name : s->ops->name, seed, proto_level_names[s->level[0]],
		proto_level_names[s->level[1]]);
	if (s->nodes)
		fprintf(out, " --nodes %u", s->nodes);
	if (s->settings)
		fprintf(out, " --set '%s'", s->settings);
	if (s->skew_ns)
		fprintf(out, " --skew %" PRIu64 "ns", s->skew_ns);
	for (unsigned i = 0; i < SIM_WITHOUT_NR; i++) {
		if (!(s->without >> i & 1))
			continue;
		fprintf(out, "%s%s", sep, sim_without_names[i]);
		sep = ",";
	}
	if (s->keep) {
		fprintf(out, " --keep ");
		print_kept(s->keep, s->keep_count, out);
	}
	fprintf(out, " --trace\n");
}

/* If an assertion fails, this is said; formatted before, for a handler may call little. */
static char announced[512];
static size_t announced_len;

static void on_abort(int sig)
{
	(void)sig;
	if (write(STDERR_FILENO, announced, announced_len) < 0)
		_exit(EXIT_INTERNAL);
}

static void announce(const struct sim_seeds *s, uint64_t seed)
{
	FILE *f = fmemopen(announced, sizeof(announced), "w");

	assert(f);
	sim_seeds_again(s, seed, f);
	announced_len = (size_t)ftell(f);
	fclose(f);
	signal(SIGABRT, on_abort);
}

/* What processes share. */
struct job {
	uint64_t seed;
	bool violated;
	struct sim_outcome sum;
	struct sim_outcome last;
};

struct shared {
	_Atomic bool stop;
	struct job job[SIM_JOBS_MAX];
};

static void run_job(const struct sim_seeds *s, struct shared *shared, unsigned number, unsigned of)
{
	struct job *job = &shared->job[number];

	for (uint64_t i = number; i < s->count && !shared->stop; i += of) {
		struct sim_plan plan;

		job->seed = s->first + i;
		sim_seeds_plan(s, job->seed, &plan);
		announce(s, job->seed);
		job->violated = sim_plan_run(&plan, &job->last);
		sim_outcome_add(&job->sum, &job->last);
		if (!job->violated)
			continue;
		shared->stop = true;
		break;
	}
}

static void *shared_open(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert(p != MAP_FAILED);
	return p;
}

/* The process @pid did not end by itself: an assertion failed, or it took too long. */
static void died(int status, struct sim_outcome *ret)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(ret->violation, sizeof(ret->violation), "the run does not end");
	else if (WIFSIGNALED(status))
		snprintf(ret->violation, sizeof(ret->violation), "an assertion failed: %s",
			strsignal(WTERMSIG(status)));
	else
		snprintf(ret->violation, sizeof(ret->violation), "ended with status %d",
			WEXITSTATUS(status));
}

static void run_jobs(const struct sim_seeds *s, struct shared *shared)
{
	pid_t pid[SIM_JOBS_MAX];

	fflush(stdout);
	for (unsigned i = 0; i < s->jobs; i++) {
		pid[i] = fork();
		assert(pid[i] >= 0);
		if (pid[i])
			continue;
		run_job(s, shared, i, s->jobs);
		_exit(0);
	}
	for (unsigned i = 0; i < s->jobs; i++) {
		int status;

		if (waitpid(pid[i], &status, 0) != pid[i] || status == 0)
			continue;
		shared->stop = true;
		shared->job[i].violated = true;
		died(status, &shared->job[i].last);
	}
}

int sim_seeds_run(const struct sim_seeds *s, struct sim_outcome *ret, uint64_t *ret_seed)
{
	struct shared *shared = shared_open(sizeof(*shared));
	unsigned jobs = s->jobs ? s->jobs : 1;
	int rc = 0;

	assert(jobs <= SIM_JOBS_MAX);
	memset(ret, 0, sizeof(*ret));
	*ret_seed = 0;
	if (s->jobs)
		run_jobs(s, shared);
	else
		run_job(s, shared, 0, 1);
	for (unsigned i = 0; i < jobs; i++) {
		const struct job *job = &shared->job[i];

		sim_outcome_add(ret, &job->sum);
		if (!job->violated || (rc && *ret_seed < job->seed))
			continue;
		rc = 1;
		*ret_seed = job->seed;
		memcpy(ret->violation, job->last.violation, sizeof(ret->violation));
	}
	/* Of a violation the step is asked for, not how many there were. */
	for (unsigned i = 0; i < jobs && rc; i++)
		if (shared->job[i].seed == *ret_seed)
			ret->steps = shared->job[i].last.steps;
	munmap(shared, sizeof(*shared));
	return rc;
}

int sim_apart(const struct sim_plan *plan, struct sim_outcome *ret)
{
	struct sim_outcome *out = shared_open(sizeof(*out));
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		struct sim_plan quiet = *plan;

		quiet.world.trace = NULL;
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(EXIT_INTERNAL);
		alarm(APART_S);
		sim_plan_run(&quiet, out);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		died(status, out);
	*ret = *out;
	munmap(out, sizeof(*out));
	return ret->violation[0] != 0;
}
