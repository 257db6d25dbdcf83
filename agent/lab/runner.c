/* SPDX-License-Identifier: MIT */
/*
 * runner.c - runs the phases of a plan on a lab that is ready, and notes what happened
 *
 * A phase, on the lab's clock:
 *
 *   change the matrix -> PHASE record, load is told -> (heal: watch convergence) -> evidence
 *     -> events at their times ... -> evidence once more, just before the end
 *
 * The load learns of a phase after the change, so an operation that is counted for a phase was
 * begun under that phase's network. Evidence is gathered with the loop standing still, for about
 * two of the longest round trips, and what chance does for longer: until half of the phase is over
 * at most, and the second time until its end. After a heal it waits until convergence has been
 * seen, so as not to hide it, or until half of the phase is over.
 */
#include "agent/lab/runner.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/history/history.h"
#include "agent/lab/nemesis.h"
#include "agent/lab/progress.h"
#include "agent/lab/real.h"
#include "agent/lab/vigil.h"
#include "agent/load/load.h"

/* A site's final reads are retried until they succeed; one that is cut off never will. */
#define FINAL_WAIT_NS (6 * NS_PER_S)
/* Load ends within a deadline of its own operations, and a bit. */
#define STOP_SLACK_NS (500 * NS_PER_MS)
/* An election takes a timeout or two; nobody leads for longer only where no majority can talk. */
#define LEADER_WAITS 4
/* A violation that was found while the run goes on is heard of after so long. */
#define VIGIL_HEAR_NS (20 * NS_PER_MS)
/* Between the second look at the evidence and the phase's end. */
#define JUDGE_SLACK_NS (10 * NS_PER_MS)
/* A look at the evidence of less is not worth having. */
#define LOOK_NS_MIN (300 * NS_PER_MS)

struct runner {
	struct supervisor *s;
	struct plan *plan; /* const but for leader-aware phases */
	struct run_log *log;
	struct history *history;
	struct load_shared *shared;
	struct progress progress;
	struct fabric_change change; /* of the phase that runs */
	struct run_fault *fault;     /* that describes it; NULL: nothing was changed */
	struct run_fault *restarted; /* whose replica is watched until it has caught up; or NULL */
	struct vigil *vigil;         /* NULL: the history is checked at the end only */
	uint64_t judge_took_ns;
	bool ended[PLAN_REPLICAS_MAX]; /* by itself, and that is noted */
	unsigned phase;
	uint64_t cpu_all; /* ticks at the start */
	uint64_t cpu_idle;
};

struct load_task {
	const struct plan *plan;
	unsigned site;
	struct history *history;
	struct load_shared *shared;
};

static int load_run(void *ctx)
{
	struct load_task *t = ctx;
	char who[64];

	(void)snprintf(who, sizeof who, "load-%s", t->plan->site[t->site].name);
	log_init(STDERR_FILENO, who, LOG_INFO);
	return load_main(t->plan, t->site, t->history, t->shared);
}

static int load_begin(struct runner *r, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < r->plan->sites && !rc; i++) {
		struct load_task task = {r->plan, i, r->history, r->shared};

		rc = supervisor_start_load(r->s, i, history_fd(r->history), load_run, &task, err);
	}
	return rc;
}

static void cpu_read(uint64_t *ret_all, uint64_t *ret_idle)
{
	FILE *f = fopen("/proc/stat", "re");
	uint64_t t[8] = {0};

	*ret_all = 0;
	*ret_idle = 0;
	if (!f)
		return;
	/* proc(5): user nice system idle iowait irq softirq steal. */
	if (fscanf(f,
		    "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		    " %" SCNu64 " %" SCNu64,
		    &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) == 8) {
		for (size_t i = 0; i < sizeof t / sizeof *t; i++)
			*ret_all += t[i];
		*ret_idle = t[3] + t[4];
	}
	(void)fclose(f);
}

static void leader_changed(void *ctx, uint64_t t_ns, int leader, uint64_t term)
{
	struct runner *r = ctx;

	if (r->log->leaders == RUN_LEADERS_MAX)
		return;
	r->log->leader[r->log->leaders++] =
		(struct run_leader){.t_ns = t_ns, .leader = leader, .term = term};
	log_info("leader %s, term %" PRIu64, leader < 0 ? "nobody" : r->plan->node[leader].name,
		term);
}

static void history_note(struct runner *r, enum history_type type, uint64_t key, uint64_t t_ns)
{
	const struct history_record record = {
		.type = (uint8_t)type, .phase = r->phase, .key = key, .t_ns = t_ns};

	(void)history_add(r->history, &record);
}

/* Keep a fault in the log and the history. Return: where it stands, NULL if there is no room. */
static struct run_fault *fault_note(struct runner *r, const struct run_fault *fault)
{
	struct run_fault *kept;

	if (r->log->faults == RUN_FAULTS_MAX) {
		log_warn("more than %d faults: the others are not recorded", RUN_FAULTS_MAX);
		return NULL;
	}
	kept = &r->log->fault[r->log->faults];
	*kept = *fault;
	kept->phase = r->phase;
	history_note(r, HISTORY_FAULT, r->log->faults, fault->t_first_ns);
	r->log->faults++;
	return kept;
}

/* @end_ns: when to be done with it. */
static int judge(struct runner *r, const struct fabric_change *change, uint64_t end_ns,
	struct run_fault *fault, struct err *err)
{
	uint64_t begin = clock_now_ns();
	int rc;

	if (!fault || change->deltas + change->downs == 0)
		return 0;
	rc = nemesis_judge(r->s, change, end_ns, fault, err);
	r->judge_took_ns = clock_now_ns() - begin;
	return rc;
}

/* The links as the lab was built are a fault, too: from no delay at all to the plan's. */
static int base_judge(struct runner *r, struct err *err)
{
	struct run_fault fault;

	if (r->s->base.deltas == 0)
		return 0;
	nemesis_describe(&r->s->base, &fault);
	return judge(r, &r->s->base, 0, fault_note(r, &fault), err);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What this kernel and emulator cannot do is said before the load begins, not in the middle. */
static int phases_check(struct runner *r, struct err *err)
{
	for (unsigned i = 0; i < r->plan->phases; i++) {
		const struct plan_phase *ph = &r->plan->phase[i];

		if (fabric_check(r->s->fabric, &ph->matrix, err))
			return err_wrap(err, "%s:%d: phase %s", r->plan->path, ph->line, ph->name);
	}
	return 0;
}

/* Who leads as the phase begins; the phase before goes on until there is somebody. */
static int leader_find(struct runner *r, struct err *err)
{
	struct plan_phase *ph = &r->plan->phase[r->phase];
	uint64_t deadline = clock_now_ns() + LEADER_WAITS * r->plan->proto.election_max_ns +
			    (r->plan->real ? r->plan->real->ready_ns : 0);
	uint64_t term;
	int leader;
	int rc = 0;

	while (!rc && (leader = watchers_leader(r->s->watchers, &term)) < 0) {
		uint64_t now = clock_now_ns();

		if (now >= deadline)
			return err_set(err, -ETIMEDOUT, EXIT_INCONCLUSIVE,
				"phase %s is about the leader, and nobody leads: has store %s one?",
				ph->name, r->plan->system->name);
		rc = supervisor_turn(r->s, earlier(deadline, now + WATCH_INTERVAL_NS), err);
	}
	if (!rc)
		rc = plan_resolve(r->plan, r->phase, (unsigned)leader, err);
	return rc;
}

static int phase_begin(struct runner *r, struct err *err)
{
	const struct plan_phase *ph = &r->plan->phase[r->phase];
	struct run_phase *seen = &r->log->phase[r->phase];
	struct run_fault fault;
	int rc;

	fabric_change_fini(&r->change);
	r->fault = NULL;
	rc = ph->leader_aware ? leader_find(r, err) : 0;
	if (!rc)
		rc = nemesis_shape(r->s, &ph->matrix, &fault, &r->change, err);
	if (rc)
		return err_wrap(err, "begin phase %s", ph->name);
	if (r->phase > 0)
		r->log->phase[r->phase - 1].t_end_ns = fault.t_request_ns;
	*seen = (struct run_phase){.t_begin_ns = r->change.deltas || r->change.downs
							 ? fault.t_last_ns
							 : clock_now_ns(),
		.converged_ns = UINT64_MAX};
	atomic_store(&r->shared->phase, r->phase);
	atomic_store(&r->shared->state, LOAD_RUN);
	r->s->phase = (int)r->phase;
	r->s->phase_begin_ns = seen->t_begin_ns;
	history_note(r, HISTORY_PHASE, r->phase, seen->t_begin_ns);
	r->log->phases = r->phase + 1;
	if (r->change.deltas || r->change.downs)
		r->fault = fault_note(r, &fault);
	watchers_converge_stop(r->s->watchers);
	r->restarted = NULL;
	if (r->change.heals)
		watchers_converge(r->s->watchers);
	log_info("phase %s begins: %u links changed", ph->name, r->change.deltas);
	return 0;
}

static bool heal_is_watched(const struct runner *r)
{
	return !r->plan->real && r->change.heals &&
	       r->log->phase[r->phase].converged_ns == UINT64_MAX;
}

/* One thing is watched at a time, and how a heal ends comes first. */
static void restart_watch(struct runner *r, struct run_fault *fault)
{
	if (!fault || heal_is_watched(r))
		return;
	r->restarted = fault;
	watchers_converge(r->s->watchers);
}

static int event_strike(struct runner *r, const struct plan_event *event, struct err *err)
{
	struct run_fault *kept;
	struct run_fault fault;
	int rc = nemesis_strike(r->s, event, &fault, err);

	if (rc)
		return err_wrap(err, "phase %s: %s %s", r->plan->phase[r->phase].name,
			plan_event_names[event->kind], r->plan->node[event->node].name);
	kept = fault_note(r, &fault);
	if (event->kind == PLAN_RESTART)
		restart_watch(r, kept);
	log_info("%s %s: %s", fault.kind, r->plan->node[event->node].name, fault.evidence.why);
	return 0;
}

/* A process of a real database that ended by itself is a fault, too: of its own making. */
static void ended_note(struct runner *r)
{
	for (unsigned i = 0; r->plan->real && i < r->plan->replicas; i++) {
		const struct member *m = &r->s->replica[i];
		struct run_fault fault = {.kind = RUN_ENDED,
			.node = (int)i,
			.t_request_ns = m->ended_ns,
			.t_first_ns = m->ended_ns,
			.t_last_ns = m->ended_ns,
			.caught_up_ns = UINT64_MAX,
			.judged = true,
			.evidence = {.result = EVIDENCE_CONFIRMED}};

		if (m->runs || m->asked || r->ended[i]) {
			r->ended[i] = r->ended[i] && !m->runs;
			continue;
		}
		r->ended[i] = true;
		outdir_last_line(
			&r->s->out, m->name, fault.evidence.why, sizeof fault.evidence.why);
		(void)fault_note(r, &fault);
	}
}

/* When to look at the evidence for the first time. */
static uint64_t first_look_ns(const struct runner *r)
{
	const struct run_phase *seen = &r->log->phase[r->phase];

	return heal_is_watched(r) ? seen->t_begin_ns + r->plan->phase[r->phase].duration_ns / 2
				  : seen->t_begin_ns;
}

/* The first look ends by half of the phase, or of what is left of it, and before the next event if
 * that leaves it some time. */
static uint64_t first_look_end_ns(const struct runner *r, uint64_t now, unsigned event)
{
	const struct plan_phase *ph = &r->plan->phase[r->phase];
	uint64_t begin = r->log->phase[r->phase].t_begin_ns;
	uint64_t middle = now + (begin + ph->duration_ns - now) / 2;
	uint64_t next = event < ph->events ? begin + ph->event[event].at_ns : UINT64_MAX;

	return next < middle && next > now + LOOK_NS_MIN ? next : middle;
}

/* Before the end by what the first one took and half as much; after the last event, if that leaves
 * some time. */
static uint64_t second_look_ns(const struct runner *r, uint64_t end)
{
	const struct plan_phase *ph = &r->plan->phase[r->phase];
	uint64_t at = end - r->judge_took_ns * 3 / 2 - JUDGE_SLACK_NS;
	uint64_t last = 0;

	if (ph->events)
		last = r->log->phase[r->phase].t_begin_ns + ph->event[ph->events - 1].at_ns;
	return at < last && last + LOOK_NS_MIN < end ? last : at;
}

/* What a real database has cannot be listed; a restarted node is back when it says so. */
static uint64_t converged_ns(const struct runner *r)
{
	const struct watch_view *view;

	if (!r->plan->real)
		return watchers_converged_ns(r->s->watchers);
	if (!r->restarted)
		return 0;
	view = watchers_view(r->s->watchers, (unsigned)r->restarted->node);
	return view->ready && view->t_ns > r->restarted->t_last_ns ? view->t_ns : 0;
}

static void convergence_note(struct runner *r)
{
	struct run_phase *seen = &r->log->phase[r->phase];
	uint64_t t_ns = converged_ns(r);

	if (!t_ns)
		return;
	if (r->restarted) {
		r->restarted->caught_up_ns = t_ns - r->restarted->t_last_ns;
		r->restarted->recovered =
			watchers_view(r->s->watchers, (unsigned)r->restarted->node)->recovered;
		r->restarted = NULL;
	} else if (heal_is_watched(r)) {
		seen->converged_ns = t_ns > seen->t_begin_ns ? t_ns - seen->t_begin_ns : 0;
	}
}

static int phase_run(struct runner *r, struct err *err)
{
	const struct plan_phase *ph = &r->plan->phase[r->phase];
	uint64_t begin = r->log->phase[r->phase].t_begin_ns;
	uint64_t end = begin + ph->duration_ns;
	bool looked = !r->fault;
	bool looked_again = !r->fault;
	unsigned event = 0;
	int rc = 0;

	while (!rc) {
		uint64_t now = clock_now_ns();
		uint64_t look_again = second_look_ns(r, end);
		uint64_t wake = earlier(end, progress_tick(&r->progress, r->phase, end, now));

		convergence_note(r);
		ended_note(r);
		if (vigil_found(r->vigil, &r->log->online))
			return -ECANCELED;
		if (r->vigil)
			wake = earlier(wake, now + VIGIL_HEAR_NS);
		if (event < ph->events && now >= begin + ph->event[event].at_ns) {
			rc = event_strike(r, &ph->event[event++], err);
			continue;
		}
		if (now >= end && looked)
			return 0;
		if (!looked && now >= first_look_ns(r)) {
			looked = true;
			rc = judge(r, &r->change, first_look_end_ns(r, earlier(now, end), event),
				r->fault, err);
			continue;
		}
		if (looked && !looked_again && now >= look_again) {
			looked_again = true;
			rc = judge(r, &r->change, end, r->fault, err);
			continue;
		}
		if (!looked)
			wake = earlier(wake, first_look_ns(r));
		if (!looked_again)
			wake = earlier(wake, look_again);
		if (event < ph->events)
			wake = earlier(wake, begin + ph->event[event].at_ns);
		rc = supervisor_turn(r->s, wake, err);
	}
	return rc;
}

static int phases_run(struct runner *r, struct err *err)
{
	int rc = 0;

	for (r->phase = 0; r->phase < r->plan->phases && !rc; r->phase++) {
		progress_phase_begin(&r->progress, r->phase);
		rc = phase_begin(r, err);
		if (rc)
			break;
		rc = phase_run(r, err);
		r->log->phase[r->phase].t_end_ns = clock_now_ns();
		progress_phase_end(&r->progress, r->phase,
			r->log->phase[r->phase].t_end_ns - r->log->phase[r->phase].t_begin_ns);
	}
	return rc;
}

static bool load_runs(const struct runner *r)
{
	for (unsigned i = 0; i < r->plan->sites; i++) {
		if (r->s->load[i].runs)
			return true;
	}
	return false;
}

/* Every key from every replica, once more; then the load is over. */
static int finals_run(struct runner *r, struct err *err)
{
	uint64_t deadline = clock_now_ns() + FINAL_WAIT_NS + plan_alike_ns(r->plan);
	int rc = 0;

	atomic_store(&r->shared->state, LOAD_FINAL);
	while (!rc && load_runs(r) && clock_now_ns() < deadline)
		rc = supervisor_turn(r->s, deadline, err);
	if (rc)
		return rc;
	if (atomic_load(&r->shared->finals_done) < r->plan->sites)
		log_warn("final reads of %u of %u sites were not answered in time",
			r->plan->sites - atomic_load(&r->shared->finals_done), r->plan->sites);
	atomic_store(&r->shared->state, LOAD_STOP);
	deadline = clock_now_ns() + r->plan->load.deadline_ns + STOP_SLACK_NS;
	while (!rc && load_runs(r) && clock_now_ns() < deadline)
		rc = supervisor_turn(r->s, deadline, err);
	return rc;
}

static void log_begin(struct runner *r)
{
	struct run_log *log = r->log;
	struct utsname name;

	memset(log, 0, sizeof *log);
	log->build_ns = fabric_build_ns(r->s->fabric);
	log->t_start_ns = clock_now_ns();
	(void)snprintf(
		log->emulator, sizeof log->emulator, "%s", fabric_emulator_text(r->s->fabric));
	if (uname(&name) == 0)
		(void)snprintf(
			log->kernel, sizeof log->kernel, "%.60s %.30s", name.release, name.machine);
	cpu_read(&r->cpu_all, &r->cpu_idle);
	watchers_on_leader(r->s->watchers, leader_changed, r);
}

static void log_end(struct runner *r)
{
	uint64_t all;
	uint64_t idle;

	r->log->t_end_ns = clock_now_ns();
	for (unsigned i = 0; r->plan->real && i < r->plan->replicas; i++)
		r->log->database.memory[i] = watchers_memory(r->s->watchers, i);
	if (r->plan->real)
		r->log->database.ready_ns = r->s->ready_ns;
	fabric_quality(r->s->fabric, &r->log->quality);
	cpu_read(&all, &idle);
	if (all > r->cpu_all)
		r->log->cpu_busy = 1 - (double)(idle - r->cpu_idle) / (double)(all - r->cpu_all);
	watchers_on_leader(r->s->watchers, NULL, NULL);
}

/* A file without a name, so that `watch` can be given it. */
static int shared_open(struct runner *r, struct err *err)
{
	int fd = memfd_create("pacelab-load", MFD_CLOEXEC);

	r->s->load_fd = fd;
	if (fd >= 0 && ftruncate(fd, sizeof *r->shared) == 0)
		r->shared =
			mmap(NULL, sizeof *r->shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!r->shared || r->shared == MAP_FAILED) {
		r->shared = NULL;
		return err_sys(err, -errno, "share memory with the load");
	}
	r->shared->version = LOAD_SHARED_VERSION;
	return 0;
}

static int runner_open(struct runner *r, FILE *progress, struct err *err)
{
	char path[OUTDIR_FILE_MAX];

	int rc = shared_open(r, err);

	if (rc)
		return rc;
	progress_open(&r->progress, progress, r->s, r->shared);
	outdir_file(&r->s->out, "history.bin", path);
	return history_create(&r->history, path, err);
}

/* Check what is written from now on, if it can be checked. */
static int vigil_begin(struct runner *r, struct err *err)
{
	const char *node[FABRIC_NODES_MAX];
	struct check_names names = {
		.node = node, .nodes = r->plan->nodes, .t0_ns = r->log->t_start_ns};
	char path[OUTDIR_FILE_MAX];

	for (unsigned i = 0; i < r->plan->nodes; i++)
		node[i] = r->plan->node[i].name;
	outdir_file(&r->s->out, "history.bin", path);
	return vigil_start(&r->vigil, path, &names, err);
}

int runner_run(struct supervisor *s, struct plan *plan, const struct runner_options *options,
	struct run_log *ret, struct err *err)
{
	struct runner r = {.s = s, .plan = plan, .log = ret};
	int rc = runner_open(&r, options->progress, err);

	assert(plan == s->plan);
	log_begin(&r);
	if (!rc && options->check_online)
		rc = vigil_begin(&r, err);
	if (!rc)
		rc = phases_check(&r, err);
	if (!rc) {
		progress_doing(&r.progress, "links", "are they as the lab wants them?");
		rc = base_judge(&r, err);
	}
	if (!rc)
		rc = load_begin(&r, err);
	if (!rc) {
		progress_say(&r.progress,
			"lab %s: network of %u nodes built in %.1f ms, replicas ready after %.2f s",
			s->names.lab, r.plan->nodes, (double)ret->build_ns / 1e6,
			(double)s->ready_ns / 1e9);
		rc = phases_run(&r, err);
	}
	s->phase = -1;
	if (!rc) {
		progress_doing(&r.progress, "final reads", "every key from every replica");
		rc = finals_run(&r, err);
	}
	progress_close(&r.progress);
	log_end(&r);
	if (rc == -ECANCELED && ret->online.found)
		rc = 0;
	if (rc == -EINTR && !err->code) {
		ret->interrupted = true;
		rc = 0;
	}
	if (r.shared)
		atomic_store(&r.shared->state, LOAD_STOP);
	supervisor_kill_load(s); /* before the file that they write is closed */
	vigil_stop(r.vigil, &ret->online);
	history_close(r.history);
	fabric_change_fini(&r.change);
	if (r.shared)
		(void)munmap(r.shared, sizeof *r.shared);
	return rc;
}
