/* SPDX-License-Identifier: MIT */
/* nemesis.c - does harm: changes links, hits processes, and records what was seen of it */
#include "agent/lab/nemesis.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/lab/call.h"
#include "agent/lab/keeper.h"
#include "agent/lab/orders.h"

/* A killed process is gone after some scheduling rounds; freeing its memory takes the longest. */
#define STRIKE_WAIT_NS (2 * NS_PER_S)
#define STOP_LOOKS_MAX 1000
#define STOP_LOOK_EVERY_NS (NS_PER_MS)

static void fault_kind(struct run_fault *fault, const char *kind)
{
	(void)snprintf(fault->kind, sizeof fault->kind, "%s", kind);
}

const char *run_cut_name(const struct run_fault *fault)
{
	for (int i = CUT_EDGE; i < CUT_NR; i++) {
		if (fault->cuts == 1u << i)
			return link_cut_names[i];
	}
	return fault->cuts ? "mixed" : link_cut_names[CUT_NONE];
}

/* Kinds of the cuts that began; if none did, of those that ended. */
static unsigned cuts_of(const struct fabric_change *change)
{
	unsigned begun = 0;
	unsigned ended = 0;

	for (unsigned i = 0; i < change->deltas; i++) {
		const struct fabric_delta *d = &change->delta[i];

		if (d->to.cut && d->to.cut != d->from.cut)
			begun |= 1u << d->to.cut;
		if (d->from.cut && !d->to.cut)
			ended |= 1u << d->from.cut;
	}
	return begun ? begun : ended;
}

static const char *kind_of(const struct fabric_change *change)
{
	if (change->cuts)
		return "cut";
	if (change->heals)
		return "heal";
	return change->deltas || !change->downs ? "link" : "carrier";
}

void nemesis_describe(const struct fabric_change *change, struct run_fault *fault)
{
	*fault = (struct run_fault){.links = change->deltas,
		.downs = change->downs,
		.cuts = cuts_of(change),
		.node = -1,
		.caught_up_ns = UINT64_MAX,
		.t_request_ns = change->t_request_ns,
		.t_first_ns = change->t_first_ns,
		.t_last_ns = change->t_last_ns,
		.atomic = change->atomic,
		.evidence = {.result = EVIDENCE_INCONCLUSIVE, .why = "not looked at yet"}};
	fault_kind(fault, kind_of(change));
}

int nemesis_shape(struct supervisor *s, const struct link_matrix *want, struct run_fault *fault,
	struct fabric_change *change, struct err *err)
{
	int rc = fabric_apply(s->fabric, want, change, err);

	if (rc)
		return rc;
	s->harmed = s->harmed || change->deltas || change->downs;
	nemesis_describe(change, fault);
	capture_note_change(s->capture, s->plan, fault->kind, change);
	return 0;
}

int nemesis_judge(struct supervisor *s, const struct fabric_change *change, uint64_t end_ns,
	struct run_fault *fault, struct err *err)
{
	int rc = evidence_gather(s->fabric, change, end_ns, &fault->evidence, err);

	if (rc)
		return err_wrap(err, "gather evidence of the %s", fault->kind);
	fault->judged = true;
	return 0;
}

/* What a helper inside the node is to do there, and what it saw: its exit status. */
struct stop_task {
	int sig; /* SIGSTOP, SIGCONT or SIGKILL */
};

/* 'T', 'Z' ... of proc(5); 0: it is gone. Its name may have any byte: the last ')' ends it. */
static char process_state(long pid)
{
	char path[64];
	char text[1024];
	const char *end = NULL;
	ssize_t n = -1;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
	}
	if (n > 0) {
		text[n] = '\0';
		end = strrchr(text, ')');
	}
	return end && end[1] == ' ' ? end[2] : '\0';
}

/* Counted from /proc of the node: how many are stopped, of how many but the first and us. */
static void stopped_count(unsigned *ret_stopped, unsigned *ret_all)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;

	*ret_stopped = 0;
	*ret_all = 0;
	while (dir && (e = readdir(dir))) {
		long pid = strtol(e->d_name, NULL, 10);
		char state;

		if (pid <= 1 || pid == (long)getpid())
			continue;
		state = process_state(pid);
		*ret_all += state && state != 'Z';
		*ret_stopped += state == 'T';
	}
	if (dir)
		closedir(dir);
}

static int stop_run(void *ctx)
{
	const struct stop_task *task = ctx;
	const struct timespec pause = {.tv_nsec = STOP_LOOK_EVERY_NS};
	unsigned stopped;
	unsigned all;

	/* All of this pid namespace, but its first process and the caller: kill(2). */
	if (kill(-1, task->sig) && errno != ESRCH)
		return EXIT_INTERNAL;
	for (int i = 0; i < STOP_LOOKS_MAX; i++) {
		stopped_count(&stopped, &all);
		if (task->sig == SIGKILL ? all == 0 : stopped == (task->sig == SIGSTOP ? all : 0))
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return EXIT_INCONCLUSIVE;
}

static void helper_ended(struct member *m)
{
	struct supervisor *s = m->owner;

	poller_close(&s->poller, &m->source);
}

/* Stop, continue or kill all of a node. Return: 0 if that was seen, 1 if not, or a negative errno.
 */
static int node_stop(struct supervisor *s, unsigned node, int sig, struct err *err)
{
	struct stop_task stop = {.sig = sig};
	struct spawn_task task = {.comm = "pacelab-stop",
		.node_fd = s->node[node].source.fd,
		.log_fd = -1,
		.root = true,
		.run = stop_run,
		.ctx = &stop};
	struct member helper = {.source = {.fd = -1}, .ended = helper_ended, .owner = s};
	struct child child;
	int rc = spawn_task(&s->spawner, &task, &child, err);

	if (rc)
		return rc;
	rc = member_adopt(&helper, &s->poller, &child, err);
	if (spawn_wait(&child, rc ? NULL : err))
		rc = err ? err->code : -EIO;
	if (!member_wait(&helper, clock_now_ns() + STRIKE_WAIT_NS)) {
		member_signal(&helper, SIGKILL);
		(void)member_wait(&helper, clock_now_ns() + STRIKE_WAIT_NS);
	}
	member_forget(&helper, &s->poller);
	if (rc)
		return rc;
	return helper.code == CLD_EXITED && helper.status == 0 ? 0 : 1;
}

static void paused_set(struct supervisor *s, unsigned node, bool paused)
{
	s->node[node].paused = paused;
	if (node < s->plan->replicas)
		s->replica[node].paused = paused && s->replica[node].runs;
}

static int strike_kill(struct supervisor *s, unsigned node, struct err *err)
{
	struct member *m = &s->replica[node];

	if (!m->runs && !s->plan->real)
		return err_usage(err, "replica %s does not run", m->name);
	m->asked = m->asked || m->runs;
	if (s->plan->real) { /* the database's processes, too, and first of all */
		int rc = node_stop(s, node, SIGKILL, err);

		if (rc)
			return rc;
	}
	if (!m->runs)
		return 0; /* it had ended by itself, perhaps without them */
	member_signal(m, SIGKILL);
	if (!member_wait(m, clock_now_ns() + STRIKE_WAIT_NS))
		return 1;
	return m->code == CLD_KILLED && m->status == SIGKILL ? 0 : 1;
}

static int strike_restart(struct supervisor *s, unsigned node, struct err *err)
{
	if (s->node[node].paused)
		return err_usage(err, "node %s is paused; resume it first", s->node[node].name);
	if (s->replica[node].runs) {
		int rc = strike_kill(s, node, err);

		if (rc)
			return rc;
	}
	/* What a database that ended by itself has left behind. */
	if (s->plan->real && node_stop(s, node, SIGKILL, err) < 0)
		return err ? err->code : -EIO;
	return supervisor_start_replica(s, node, err);
}

/* One that does not run has it from its next start on. */
static int strike_skew(struct supervisor *s, unsigned node, int64_t skew_ns, struct err *err)
{
	if (s->node[node].paused)
		return err_usage(err, "node %s is paused; resume it first", s->node[node].name);
	if (s->plan->real && skew_ns && !*s->clock_library) {
		const char *library = keeper_clock(s->plan->real, err);

		if (!*library)
			return err ? err->code : -ENOENT;
		return err_usage(err,
			"store %s was started before %s was installed: 'pacelab "
			"down' and up again",
			s->plan->real->name, library);
	}
	s->skew_ns[node] = skew_ns;
	if (!s->replica[node].runs)
		return 0;
	return call_skew(s->admin_path[node], skew_ns, err);
}

static int strike_stop(struct supervisor *s, unsigned node, bool pause, struct err *err)
{
	int rc;

	if (s->node[node].paused == pause)
		return err_usage(err, "node %s is %s", s->node[node].name,
			pause ? "paused already" : "not paused");
	rc = node_stop(s, node, pause ? SIGSTOP : SIGCONT, err);
	if (rc >= 0)
		paused_set(s, node, pause);
	return rc;
}

static void note_strike(struct supervisor *s, const struct run_fault *fault)
{
	char note[RUN_KIND_MAX + FABRIC_NAME_MAX + 8];

	(void)snprintf(note, sizeof note, "%s %s", fault->kind, s->node[fault->node].name);
	capture_note(s->capture, fault->t_first_ns, note);
}

/* Whether it leads then is for the watchers to see. */
static int strike_promote(
	struct supervisor *s, unsigned node, struct run_fault *fault, struct err *err)
{
	char *why = fault->evidence.why;

	if (s->orders && !s->replica[node].runs) {
		(void)snprintf(why, sizeof fault->evidence.why, "it had ended by itself");
		return 1;
	}
	if (s->node[node].paused || !s->replica[node].runs)
		return err_usage(err, "replica %s does not run", s->node[node].name);
	if (s->orders)
		return orders_promote(s->orders, node, why, sizeof fault->evidence.why);
	return call_lead(s->admin_path[node], node, why, sizeof fault->evidence.why, err);
}

/* What was looked at, and what was seen there. */
static void strike_evidence(
	const struct supervisor *s, enum plan_event_kind kind, bool seen, struct run_fault *fault)
{
	char ahead[48];
	char *why = fault->evidence.why;
	size_t size = sizeof fault->evidence.why;

	fault->judged = seen;
	fault->evidence.result = seen ? EVIDENCE_CONFIRMED : EVIDENCE_MISMATCH;
	if (kind == PLAN_PROMOTE && seen && !s->orders)
		(void)snprintf(why, size, "it said that it leads");
	else if (kind == PLAN_PROMOTE)
		return; /* it has said why not, or what it did */
	else if (kind != PLAN_SKEW)
		(void)snprintf(why, size, "%s",
			seen ? "seen in the processes' state"
			     : "the processes were not seen in that state");
	else if (!s->replica[fault->node].runs)
		(void)snprintf(why, size, "the replica does not run: from its next start on");
	else if (seen && fault->skew_ns == 0)
		(void)snprintf(why, size, "its clock was read, and is right");
	else
		(void)snprintf(why, size, "its clock was read, and is %s%s",
			seen ? "ahead by " : "not ahead by ",
			units_print_offset(fault->skew_ns, ahead, sizeof ahead));
}

int nemesis_strike(struct supervisor *s, const struct plan_event *event, struct run_fault *fault,
	struct err *err)
{
	enum plan_event_kind kind = event->kind;
	unsigned node = event->node;
	int rc;

	*fault = (struct run_fault){.node = (int)node,
		.skew_ns = event->skew_ns,
		.caught_up_ns = UINT64_MAX,
		.t_request_ns = clock_now_ns()};
	fault_kind(fault, plan_event_names[kind]);
	if (node >= s->plan->replicas && kind != PLAN_PAUSE && kind != PLAN_RESUME)
		return err_usage(err, "node %s has no replica to %s", s->node[node].name,
			plan_event_names[kind]);
	fault->t_first_ns = clock_now_ns();
	s->harmed = true;
	if (kind == PLAN_KILL)
		rc = strike_kill(s, node, err);
	else if (kind == PLAN_RESTART)
		rc = strike_restart(s, node, err);
	else if (kind == PLAN_SKEW)
		rc = strike_skew(s, node, event->skew_ns, err);
	else if (kind == PLAN_PROMOTE)
		rc = strike_promote(s, node, fault, err);
	else
		rc = strike_stop(s, node, kind == PLAN_PAUSE, err);
	fault->t_last_ns = clock_now_ns();
	if (rc < 0)
		return rc;
	note_strike(s, fault);
	strike_evidence(s, kind, rc == 0, fault);
	return 0;
}
