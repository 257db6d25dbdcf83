/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - the process in a node that starts a real database there and speaks for it
 *
 * Theory of operation: one loop over signals, the admin socket and the output of all processes;
 * what the database is asked about itself waits in a thread of its own (keeper_status.c). All
 * processes die with the keeper's main thread; what they have forked themselves dies with the node,
 * or by the keeper as it ends. States: keeper_priv.h.
 *
 * Two empty files in the data folder say what was done already when the node is started again.
 */
#include "agent/lab/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/lab/keeper_priv.h"

#define PREPARED_FILE ".pacelab-prepared"
#define STARTED_FILE ".pacelab-started"
#define RETRY_EVERY_NS (200 * NS_PER_MS)
#define MEMORY_EVERY_NS NS_PER_S
/* The supervisor kills the node soon after. */
#define STOP_WAIT_NS (250 * NS_PER_MS)
#define KILL_WAIT_NS NS_PER_S
#define POLL_MAX (2 + KEEPER_CLIENTS_MAX + REAL_COMMANDS_MAX + 2)

/* The first cause is the one that is told. */
static void keeper_end(struct keeper *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void keeper_end(struct keeper *k, const char *fmt, ...)
{
	va_list args;

	if (k->why[0])
		return;
	va_start(args, fmt);
	(void)vsnprintf(k->why, sizeof k->why, fmt, args);
	va_end(args);
}

static void end_how(const struct keeper_process *p, const char *how, char out[KEEPER_WHY_MAX])
{
	(void)snprintf(
		out, KEEPER_WHY_MAX, "%s %s%s%s", p->name, how, p->last[0] ? ": " : "", p->last);
}

/* "exited with 1: last line" */
static const char *end_words(const struct keeper_process *p, char out[KEEPER_WHY_MAX])
{
	char how[PROCESS_WORDS_MAX];

	end_how(p, process_words(p, how), out);
	return out;
}

bool keeper_ready(const struct keeper *k, const struct driver_status *status)
{
	return k->state == KEEPER_UP && !k->why[0] && status->ready;
}

int keeper_clock_set(int64_t skew_ns)
{
	char text[KEEPER_CLOCK_MAX];
	int fd = open(KEEPER_CLOCK_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t len;
	int rc = 0;

	if (fd < 0)
		return -errno;
	keeper_clock_print(skew_ns, text);
	len = strlen(text);
	text[len++] = '\n';
	if (write(fd, text, len) != (ssize_t)len)
		rc = -EIO;
	close(fd);
	if (!rc && rename(KEEPER_CLOCK_FILE ".new", KEEPER_CLOCK_FILE))
		rc = -errno;
	return rc;
}

static void job_begin(
	struct keeper_job *job, const char *what, const struct real_commands *list, uint64_t end_ns)
{
	job->what = what;
	job->list = list;
	job->at = 0;
	job->end_ns = end_ns;
	job->again_ns = clock_now_ns();
	job->retry_end_ns = 0;
	job->ended = false;
}

/* Start the command at hand. */
static int job_start(struct keeper *k, struct keeper_job *job, uint64_t now, struct err *err)
{
	const struct real_command *c = &job->list->command[job->at];
	char **argv = keeper_argv(c->argv, &k->words);
	int rc;

	if (!job->retry_end_ns) {
		log_info("%s: %s", job->what, argv[0]);
		job->retry_end_ns = now + c->retry_ns;
	}
	process_name(job->process.name, argv, 0);
	job->begin_ns = now;
	job->hung = false;
	rc = process_start(&job->process, argv, err);
	keeper_argv_free(argv);
	job->again_ns = UINT64_MAX;
	return rc;
}

enum job_state { JOB_BUSY, JOB_DONE, JOB_FAILED };

static enum job_state job_look(struct keeper_job *job, uint64_t now)
{
	job->ended = false;
	if (process_succeeded(&job->process)) {
		job->at++;
		job->retry_end_ns = 0;
		job->again_ns = now;
	} else if (now >= job->retry_end_ns || now >= job->end_ns) {
		return JOB_FAILED;
	} else {
		job->again_ns = now + RETRY_EVERY_NS;
	}
	return JOB_BUSY;
}

static void hung_words(const struct keeper_job *job, uint64_t now, char why[KEEPER_WHY_MAX])
{
	char how[64];

	(void)snprintf(how, sizeof how, "was not done %.1f s after its last start",
		(double)(now - job->begin_ns) / (double)NS_PER_S);
	end_how(&job->process, how, why);
}

/* Go on with it as far as it goes now; @why if it has failed. */
static enum job_state job_step(struct keeper *k, uint64_t now, char why[KEEPER_WHY_MAX])
{
	struct keeper_job *job = &k->job;
	bool retried =
		job->list && job->at < job->list->n && job->list->command[job->at].retry_ns > 0;
	struct err err;

	if (job->ended && job_look(job, now) == JOB_FAILED) {
		if (job->hung)
			hung_words(job, now, why);
		else
			end_words(&job->process, why);
		return JOB_FAILED;
	}
	if (job->process.pid) {
		/* One that hangs is not left to do so for ever if there is an end. */
		if (now >= job->end_ns || (retried && now >= job->retry_end_ns)) {
			job->hung = true;
			process_signal(&job->process, SIGKILL);
		}
		return JOB_BUSY;
	}
	if (!job->list || job->at == job->list->n)
		return JOB_DONE;
	if (now >= job->again_ns && job_start(k, job, now, &err)) {
		(void)snprintf(why, KEEPER_WHY_MAX, "%s", err.text);
		return JOB_FAILED;
	}
	return JOB_BUSY;
}

/* When job_step() wants to be called again. */
static uint64_t job_due(const struct keeper_job *job)
{
	if (!job->list)
		return UINT64_MAX;
	if (!job->process.pid)
		return job->again_ns;
	if (job->list->command[job->at].retry_ns && job->retry_end_ns < job->end_ns)
		return job->retry_end_ns;
	return job->end_ns;
}

static bool done_before(const char *file)
{
	struct stat st;

	return lstat(file, &st) == 0;
}

static void done_now(struct keeper *k, const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		keeper_end(k, "make %s/%s: %s", k->words.dir, file, strerror(errno));
	else
		close(fd);
}

/* All that do not run. */
static void run_start(struct keeper *k)
{
	const struct real_commands *list = &k->node->run;

	for (unsigned i = 0; i < list->n && !k->why[0]; i++) {
		char **argv;
		struct err err;

		if (k->run[i].pid)
			continue;
		argv = keeper_argv(list->command[i].argv, &k->words);
		process_name(k->run[i].name, argv, list->n > 1 ? i + 1 : 0);
		if (process_start(&k->run[i], argv, &err))
			keeper_end(k, "%s", err.text);
		else
			log_info("%s runs, pid %d", k->run[i].name, (int)k->run[i].pid);
		keeper_argv_free(argv);
	}
}

static void prepared(struct keeper *k)
{
	struct err err;

	if (!done_before(PREPARED_FILE))
		done_now(k, PREPARED_FILE);
	run_start(k);
	k->state = KEEPER_AFTER;
	job_begin(&k->job, "after", done_before(STARTED_FILE) ? NULL : &k->node->after, UINT64_MAX);
	k->status = keeper_status_open(k->task, &err);
	if (!k->status)
		keeper_end(k, "%s", err.text);
}

static void order_ended(struct keeper *k, const char *why)
{
	char line[KEEPER_WHY_MAX + 8] = "+OK";

	if (why) {
		log_warn("%s failed: %.900s", k->job.what, why);
		(void)snprintf(line, sizeof line, "-ERR %s", why);
	} else {
		log_info("%s is done", k->job.what);
	}
	k->job.list = NULL;
	k->words.leader = NULL;
	k->words.name = NULL;
	run_start(k);
	keeper_admin_tell(k, WAIT_ORDER, line);
}

const char *keeper_order(struct keeper *k, const char *leader, const char *name)
{
	const struct real_commands *list = leader ? &k->node->follow : &k->node->promote;

	if (k->asked || k->why[0])
		return "the database ends";
	if (k->state != KEEPER_UP)
		return "the database is still starting";
	if (k->job.list)
		return "another promote or follow is under way";
	if (list->n == 0 && !leader)
		return "this system has no commands that make a node the leader";
	/* Commands that a server refuses would be taken for its last word. */
	if (!keeper_status_heard(k->status))
		return "the database is still starting";
	if (!leader) {
		const unsigned char *a = (const unsigned char *)&k->task->addr_be[k->task->self];

		(void)snprintf(k->leader, sizeof k->leader, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
		name = k->task->name;
	} else {
		(void)snprintf(k->leader, sizeof k->leader, "%s", leader);
	}
	(void)snprintf(k->leader_name, sizeof k->leader_name, "%s", name);
	k->words.leader = k->leader;
	k->words.name = k->leader_name;
	job_begin(&k->job, leader ? "follow" : "promote", list,
		clock_now_ns() + KEEPER_ORDER_WAIT_NS);
	return NULL;
}

static void keeper_step(struct keeper *k)
{
	uint64_t now = clock_now_ns();
	char why[KEEPER_WHY_MAX];
	enum job_state job;

	if (k->state == KEEPER_UP && !k->job.list)
		return;
	job = job_step(k, now, why);
	if (job == JOB_BUSY)
		return;
	if (k->state == KEEPER_UP) {
		order_ended(k, job == JOB_FAILED ? why : NULL);
	} else if (job == JOB_FAILED) {
		keeper_end(k, "%s: %s", k->job.what, why);
	} else if (k->state == KEEPER_PREPARE) {
		prepared(k);
	} else {
		if (!done_before(STARTED_FILE))
			done_now(k, STARTED_FILE);
		k->job.list = NULL;
		k->state = KEEPER_UP;
	}
}

static void children_look(struct keeper *k)
{
	bool ordered = k->state == KEEPER_UP && k->job.list;
	char words[KEEPER_WHY_MAX];

	if (process_reap(&k->job.process))
		k->job.ended = true;
	for (unsigned i = 0; i < k->node->run.n; i++) {
		if (!process_reap(&k->run[i]))
			continue;
		end_words(&k->run[i], words);
		if (ordered)
			log_info("%.900s; it is started again after %s", words, k->job.what);
		else
			keeper_end(k, "%s", words);
	}
	if (process_reap(&k->clock)) {
		char line[PROCESS_LINE_MAX + 1];

		(void)snprintf(line, sizeof line, ":%s", k->clock.last);
		keeper_admin_tell(k, WAIT_CLOCK,
			process_succeeded(&k->clock) ? line : "-ERR the clock cannot be read");
	}
}

static void signals_read(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signal_fd, &info, sizeof info) == sizeof info)
		k->asked = k->asked || info.ssi_signo == SIGTERM;
}

static int wait_ms(const struct keeper *k, uint64_t end_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t due = job_due(&k->job);

	due = due < k->memory_due_ns ? due : k->memory_due_ns;
	due = due < end_ns ? due : end_ns;
	return due <= now ? 0 : (int)((due - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* One event, at the latest until @end_ns. */
static void keeper_turn(struct keeper *k, uint64_t end_ns)
{
	struct pollfd fd[POLL_MAX];
	struct keeper_process *process[POLL_MAX];
	unsigned n = 0;

	fd[n++] = (struct pollfd){.fd = k->signal_fd, .events = POLLIN};
	fd[n++] = (struct pollfd){.fd = k->task->admin_fd, .events = POLLIN};
	for (unsigned i = 0; i < KEEPER_CLIENTS_MAX; i++)
		fd[n++] = (struct pollfd){.fd = k->client[i].fd, .events = POLLIN};
	for (unsigned i = 0; i < k->node->run.n; i++)
		process[n + i] = &k->run[i];
	process[n + k->node->run.n] = &k->job.process;
	process[n + k->node->run.n + 1] = &k->clock;
	for (unsigned i = 0; i < k->node->run.n + 2; i++, n++)
		fd[n] = (struct pollfd){.fd = process[n]->out_fd, .events = POLLIN};
	if (poll(fd, n, wait_ms(k, end_ns)) > 0) {
		for (unsigned i = 2 + KEEPER_CLIENTS_MAX; i < n; i++) {
			if (fd[i].revents)
				process_hear(process[i]);
		}
		if (fd[0].revents)
			signals_read(k);
		for (unsigned i = 0; i < KEEPER_CLIENTS_MAX; i++) {
			if (fd[2 + i].revents)
				keeper_admin_hear(k, &k->client[i]);
		}
		if (fd[1].revents)
			keeper_admin_accept(k);
	}
	children_look(k);
	if (clock_now_ns() >= k->memory_due_ns) {
		k->memory_due_ns = clock_now_ns() + MEMORY_EVERY_NS;
		k->memory = keeper_memory();
	}
}

static bool any_runs(const struct keeper *k)
{
	for (unsigned i = 0; i < k->node->run.n; i++) {
		if (k->run[i].pid)
			return true;
	}
	return k->job.process.pid != 0;
}

static void all_wait(struct keeper *k, uint64_t wait_ns)
{
	uint64_t end_ns = clock_now_ns() + wait_ns;

	while (any_runs(k) && clock_now_ns() < end_ns)
		keeper_turn(k, end_ns);
}

/* Is this pid namespace a node's? Then all others in it are the database's, or root's. */
static bool in_node(void)
{
	char name[32] = "";
	FILE *f = fopen("/proc/1/comm", "re");

	if (f && !fgets(name, sizeof name, f))
		name[0] = '\0';
	if (f)
		(void)fclose(f);
	return strcmp(name, "pacelab-node\n") == 0;
}

static void keeper_stop(struct keeper *k)
{
	k->job.list = NULL;
	keeper_admin_tell(k, WAIT_ORDER, "-ERR the database ends");
	for (unsigned i = 0; i < k->node->run.n; i++)
		process_signal(&k->run[i], SIGTERM);
	process_signal(&k->job.process, SIGKILL);
	all_wait(k, STOP_WAIT_NS);
	if (in_node())
		(void)kill(-1, SIGKILL);
	for (unsigned i = 0; i < k->node->run.n; i++)
		process_signal(&k->run[i], SIGKILL);
	all_wait(k, KILL_WAIT_NS);
}

/* Whatever the supervisor's environment is, these are the database's. */
static int environment_set(const struct keeper *k, struct err *err)
{
	char *path = real_path(k->task->real);
	char file[REAL_WORD_MAX + 64];
	int rc;

	(void)clearenv();
	rc = setenv("PATH", path, 1) || setenv("HOME", k->words.dir, 1) || setenv("LANG", "C", 1) ||
	     setenv("LC_ALL", "C", 1) || setenv("USER", "nobody", 1) ||
	     setenv("LOGNAME", "nobody", 1) || setenv("SHELL", "/bin/sh", 1) ||
	     setenv("TZ", "UTC", 1);
	free(path);
	for (char **env = k->node->env; !rc && env && *env; env++)
		rc = putenv(keeper_expand(*env, &k->words)); /* keeps the text */
	if (!rc && *k->task->clock_library) {
		(void)snprintf(file, sizeof file, "%s/" KEEPER_CLOCK_FILE, k->words.dir);
		/* Timers are not to be faked, and one second is the shortest that it can cache. */
		rc = setenv("LD_PRELOAD", k->task->clock_library, 1) ||
		     setenv("FAKETIME_TIMESTAMP_FILE", file, 1) ||
		     setenv("FAKETIME_CACHE_DURATION", "1", 1) ||
		     setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1) ||
		     keeper_clock_set(k->task->skew_ns);
	}
	return rc ? err_sys(err, -ENOMEM, "set the environment") : 0;
}

static int keeper_open(struct keeper *k, struct err *err)
{
	bool first = !done_before(PREPARED_FILE);
	sigset_t ours;
	int rc;

	for (unsigned i = 0; i < KEEPER_CLIENTS_MAX; i++)
		k->client[i].fd = -1;
	for (unsigned i = 0; i < REAL_COMMANDS_MAX; i++)
		k->run[i].out_fd = -1;
	k->job.process.out_fd = -1;
	k->clock = (struct keeper_process){.name = "date", .out_fd = -1, .captured = true};
	k->memory_due_ns = clock_now_ns() + MEMORY_EVERY_NS;
	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &ours, NULL);
	k->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k->signal_fd < 0)
		return err_sys(err, -errno, "signalfd");
	(void)fcntl(k->task->admin_fd, F_SETFL, O_NONBLOCK);
	rc = environment_set(k, err);
	if (!rc)
		rc = keeper_files(k->node, &k->words, first, err);
	job_begin(&k->job, "prepare", first ? &k->node->prepare : NULL, UINT64_MAX);
	return rc;
}

int keeper_main(void *ctx)
{
	const struct keeper_task *task = ctx;
	struct keeper *k = calloc(1, sizeof *k);
	struct err err = {0};
	bool failed;

	if (!k)
		abort();
	log_init(STDERR_FILENO, task->name, LOG_INFO);
	k->task = task;
	k->node = &task->real->node[task->self];
	k->words = (struct keeper_words){.dir = task->dir, .cluster = task->cluster};
	log_info("%s starts in %s", task->real->name, task->dir);
	if (keeper_open(k, &err)) {
		log_error("%s", err.text);
		return EXIT_INTERNAL;
	}
	while (!k->why[0] && !k->asked) {
		keeper_step(k);
		if (!k->why[0])
			keeper_turn(k, UINT64_MAX);
	}
	failed = k->why[0] != '\0';
	keeper_stop(k); /* what ends then was asked to */
	if (failed)
		log_error("%.900s", k->why);
	else
		log_info("%s was stopped", task->real->name);
	return failed ? EXIT_CANNOT_RUN : EXIT_AS_EXPECTED;
}
