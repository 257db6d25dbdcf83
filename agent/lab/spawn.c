/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - the processes of a lab: node, replica, load, each a direct child of the supervisor
 *
 * Theory of operation: the supervisor points its "pid namespace for children" at the node, forks,
 * and points it back, so that even a process inside a node is its own child and it learns of the
 * death at once. Everything else is entered by the child: network, mount, UTS and IPC namespace.
 *
 * The parent-death signal is lost when credentials change, so it is set after them; the parent
 * may have died before it was set, and getppid() is always 0 across a pid namespace, so the
 * supervisor's pidfd is asked once more afterwards. Whoever passes that is killed with it.
 *
 * A child reports over a pipe: a struct err if it fails, end of file when it is set up (a program
 * closes the pipe by being executed).
 */
#include "agent/lab/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOFILE_WANTED 65536

int spawner_init(struct spawner *sp, struct err *err)
{
	sp->self_fd = pidfd_open(getpid(), 0);
	sp->pidns_fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (sp->self_fd < 0 || sp->pidns_fd < 0)
		return err_sys(err, -errno, "open the supervisor's own pidfd and pid namespace");
	return 0;
}

void spawner_fini(struct spawner *sp)
{
	if (sp->self_fd >= 0)
		close(sp->self_fd);
	if (sp->pidns_fd >= 0)
		close(sp->pidns_fd);
	*sp = (struct spawner){.self_fd = -1, .pidns_fd = -1};
}

void spawn_shield(const char *comm)
{
	static const int defaults[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGQUIT};
	sigset_t none;

	(void)prctl(PR_SET_NAME, comm);
	(void)setsid();
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		(void)signal(defaults[i], SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void spawn_quiet(int log_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)dup2(null, STDIN_FILENO);
	(void)dup2(log_fd >= 0 ? log_fd : null, STDOUT_FILENO);
	(void)dup2(log_fd >= 0 ? log_fd : null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void spawn_close_others(const int *keep, unsigned n)
{
	unsigned from = STDERR_FILENO + 1;
	int sorted[8];

	assert(n <= sizeof sorted / sizeof *sorted);
	for (unsigned i = 0; i < n; i++)
		sorted[i] = keep[i];
	qsort(sorted, n, sizeof *sorted, by_number);
	for (unsigned i = 0; i < n; i++) {
		if (sorted[i] < (int)from)
			continue;
		if (sorted[i] > (int)from)
			(void)close_range(from, (unsigned)sorted[i] - 1, 0);
		from = (unsigned)sorted[i] + 1;
	}
	(void)close_range(from, ~0u, 0);
}

/* From here on this process dies with the supervisor, or is dead already. */
static void die_with_supervisor(int self_fd)
{
	struct pollfd gone = {.fd = self_fd, .events = POLLIN};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&gone, 1, 0) != 0)
		_exit(EXIT_INTERNAL);
}

static _Noreturn void report_and_exit(int pipe_fd, const struct err *err)
{
	ssize_t n = write(pipe_fd, err, sizeof *err);

	_exit(n < 0 ? EXIT_INTERNAL : (int)err->status);
}

struct plan_of_child {
	struct spawner *sp;
	int report_fd;
	int netns_fd;
	const char *name;
	const struct mounts *mounts;
	const struct spawn_replica *replica;
	const struct spawn_task *task;
};

static void child_init(struct child *ret)
{
	*ret = (struct child){.pid = -1, .pidfd = -1, .ready_fd = -1};
}

/* Fork; the child runs @body and does not return. Where it goes was set by the caller. */
static int fork_child(struct plan_of_child *plan, void (*body)(struct plan_of_child *),
	struct child *ret, struct err *err)
{
	int report[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC))
		return err_sys(err, -errno, "pipe");
	plan->report_fd = report[1];
	pid = fork();
	if (pid == 0) {
		body(plan);
		_exit(EXIT_INTERNAL);
	}
	close(report[1]);
	if (pid < 0) {
		int code = -errno;

		close(report[0]);
		return err_sys(err, code, "fork");
	}
	ret->pid = pid;
	ret->ready_fd = report[0];
	ret->pidfd = pidfd_open(pid, 0);
	if (ret->pidfd < 0) {
		int code = -errno;

		(void)kill(pid, SIGKILL); /* not reaped yet: the number is still its own */
		(void)waitpid(pid, NULL, 0);
		close(report[0]);
		return err_sys(err, code, "pidfd_open");
	}
	return 0;
}

/* Children are to be born in the pid namespace of @node_fd. */
static int fork_in_node(int node_fd, struct plan_of_child *plan,
	void (*body)(struct plan_of_child *), struct child *ret, struct err *err)
{
	int rc;

	child_init(ret);
	if (setns(node_fd, CLONE_NEWPID))
		return err_sys(err, -errno, "enter the node's pid namespace");
	rc = fork_child(plan, body, ret, err);
	if (setns(plan->sp->pidns_fd, CLONE_NEWPID))
		return err_sys(err, -errno, "return to the supervisor's pid namespace");
	return rc;
}

static int node_enter(const struct plan_of_child *plan, struct err *err)
{
	if (setns(plan->netns_fd, CLONE_NEWNET))
		return err_sys(err, -errno, "enter the network namespace");
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC))
		return err_sys(err, -errno, "unshare mount, UTS and IPC namespace");
	if (mounts_make(plan->mounts, err))
		return err->code;
	if (sethostname(plan->name, strlen(plan->name)))
		return err_sys(err, -errno, "set the node's host name");
	if (chdir("/"))
		return err_sys(err, -errno, "enter /");
	return 0;
}

/* The first process of a pid namespace reaps what is orphaned in it, and does nothing else. */
static void node_body(struct plan_of_child *plan)
{
	struct err err = {0};
	sigset_t chld;
	int sig;

	spawn_shield("pacelab-node");
	spawn_quiet(-1);
	die_with_supervisor(plan->sp->self_fd);
	if (node_enter(plan, &err))
		report_and_exit(plan->report_fd, &err);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, NULL);
	spawn_close_others(NULL, 0);
	for (;;) {
		(void)sigwait(&chld, &sig);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	}
}

int spawn_node(struct spawner *sp, const char *name, int netns_fd, const struct mounts *mounts,
	struct child *ret, struct err *err)
{
	struct plan_of_child plan = {
		.sp = sp, .name = name, .netns_fd = netns_fd, .mounts = mounts};
	int rc;

	child_init(ret);
	if (unshare(CLONE_NEWPID))
		return err_sys(err, -errno, "unshare pid namespace");
	rc = fork_child(&plan, node_body, ret, err);
	if (setns(sp->pidns_fd, CLONE_NEWPID))
		return err_sys(err, -errno, "return to the supervisor's pid namespace");
	return rc;
}

static int drop_root(unsigned uid, struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	struct rlimit files = {NOFILE_WANTED, NOFILE_WANTED};
	struct rlimit memory = {RLIM_INFINITY, RLIM_INFINITY};

	/* Both are for the replica's ring and its clients; without them it says what it lacks. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)setrlimit(RLIMIT_MEMLOCK, &memory);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap);
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return err_sys(err, -errno, "become user %u", uid);
	if (syscall(SYS_capset, &head, none) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(err, -errno, "give up capabilities");
	return 0;
}

static void replica_body(struct plan_of_child *plan)
{
	const struct spawn_replica *what = plan->replica;
	struct err err = {0};
	int binary_fd;
	int admin_fd;

	spawn_shield("pacelab-replica");
	if (setns(what->node_fd, SPAWN_NAMESPACES)) {
		err_sys(&err, -errno, "enter the node");
	} else if (chdir(what->dir)) {
		err_sys(&err, -errno, "enter %s", what->dir);
	} else if (!drop_root(what->uid, &err)) {
		die_with_supervisor(plan->sp->self_fd);
		spawn_quiet(what->log_fd);
		/* Descriptor 3 may be one of those still needed: move them out of its way. */
		plan->report_fd = fcntl(plan->report_fd, F_DUPFD_CLOEXEC, SPAWN_ADMIN_FD + 1);
		binary_fd = fcntl(what->binary_fd, F_DUPFD_CLOEXEC, SPAWN_ADMIN_FD + 1);
		admin_fd = fcntl(what->admin_fd, F_DUPFD_CLOEXEC, SPAWN_ADMIN_FD + 1);
		(void)dup2(admin_fd, SPAWN_ADMIN_FD);
		(void)close_range(SPAWN_ADMIN_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
		fexecve(binary_fd, what->argv, environ);
		err_sys(&err, -errno, "execute %s as user %u", what->argv[0], what->uid);
	}
	report_and_exit(plan->report_fd, &err);
}

int spawn_replica(
	struct spawner *sp, const struct spawn_replica *what, struct child *ret, struct err *err)
{
	struct plan_of_child plan = {.sp = sp, .replica = what};

	return fork_in_node(what->node_fd, &plan, replica_body, ret, err);
}

static void task_body(struct plan_of_child *plan)
{
	const struct spawn_task *what = plan->task;
	int flags = what->root ? CLONE_NEWNS : SPAWN_NAMESPACES;
	struct err err = {0};

	spawn_shield(what->comm);
	if (setns(what->node_fd, flags))
		err_sys(&err, -errno, "enter the node");
	else if (what->dir && chdir(what->dir))
		err_sys(&err, -errno, "enter %s", what->dir);
	else if (!what->root)
		drop_root(SPAWN_UID, &err);
	if (err.code)
		report_and_exit(plan->report_fd, &err);
	die_with_supervisor(plan->sp->self_fd);
	if (what->root) {
		close(plan->report_fd);
	} else {
		spawn_quiet(what->log_fd);
		spawn_close_others(&what->keep_fd, 1);
	}
	_exit(what->run(what->ctx));
}

int spawn_task(
	struct spawner *sp, const struct spawn_task *what, struct child *ret, struct err *err)
{
	struct plan_of_child plan = {.sp = sp, .task = what};

	return fork_in_node(what->node_fd, &plan, task_body, ret, err);
}

int spawn_wait(struct child *child, struct err *err)
{
	struct err said;
	ssize_t n;

	do {
		n = read(child->ready_fd, &said, sizeof said);
	} while (n < 0 && errno == EINTR);
	close(child->ready_fd);
	child->ready_fd = -1;
	if (n == 0)
		return 0;
	if (n != sizeof said)
		return err_sys(err, -EIO, "a child died while it was set up");
	if (err)
		*err = said;
	return said.code;
}
