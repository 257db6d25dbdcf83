/* SPDX-License-Identifier: MIT */
/*
 * janitor.c - the process that cleans up when the supervisor could not
 *
 * Theory of operation: it knows the lab only by descriptors that it was given, a pidfd for each
 * process and the lock, and by being its reaper. The supervisor ends in one of two ways:
 *
 *   it said "done" before   -> nothing is left; exit with its status
 *   it did not              -> kill what is known; reap until no child is left, which includes one
 *                              that was born in the supervisor's last moment; drop the lock; sweep
 *
 * When it is the janitor that is killed, the supervisor ends the lab.
 */
#include "agent/lab/janitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/lab/names.h"
#include "agent/lab/spawn.h"

/* Longest wait for killed processes: they need what their own memory takes to be freed. */
#define DEATH_WAIT_NS (1500 * NS_PER_MS)
#define REAP_EVERY_MS 2
#define EXIT_SIGNALLED 128 /* plus the signal, as shells say it */

enum gift { GIFT_LOCK = 'l', GIFT_PROCESS = 'p', GIFT_DONE = 'q' };

/* The janitor's own side. */
struct keeper {
	int sock;
	int signals;
	pid_t supervisor;
	int supervisor_fd;
	bool ended; /* the supervisor, and how: */
	int status;
	bool done;
	int lock_fd;
	int process[JANITOR_PROCESSES_MAX];
	unsigned processes;
};

static bool process_dead(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

/* Forget the dead, so that restarts do not fill the list. */
static void processes_compact(struct keeper *k)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < k->processes; i++) {
		if (process_dead(k->process[i]))
			close(k->process[i]);
		else
			k->process[kept++] = k->process[i];
	}
	k->processes = kept;
}

static void gift_keep(struct keeper *k, enum gift gift, int fd)
{
	if (gift == GIFT_LOCK && k->lock_fd < 0) {
		k->lock_fd = fd;
		return;
	}
	if (k->processes == JANITOR_PROCESSES_MAX)
		processes_compact(k);
	if (gift == GIFT_PROCESS && k->processes < JANITOR_PROCESSES_MAX)
		k->process[k->processes++] = fd;
	else
		close(fd);
}

/* Return: whether there was one. */
static bool gift_take(struct keeper *k)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char kind = 0;
	struct iovec iov = {&kind, 1};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	ssize_t n = recvmsg(k->sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	int fd;

	if (n <= 0)
		return false;
	if (kind == GIFT_DONE)
		k->done = true;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
		gift_keep(k, (enum gift)kind, fd);
	}
	return true;
}

/* Reap whoever is dead. Return: whether any child is left. */
static bool reap(struct keeper *k)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->supervisor) {
			k->ended = true;
			k->status = status;
		}
	}
	return pid == 0;
}

static void clean_up(struct keeper *k)
{
	uint64_t deadline = clock_now_ns() + DEATH_WAIT_NS;
	struct pollfd child = {.fd = k->signals, .events = POLLIN};

	for (unsigned i = 0; i < k->processes; i++)
		(void)pidfd_send_signal(k->process[i], SIGKILL, NULL, 0);
	while (reap(k) && clock_now_ns() < deadline)
		(void)poll(&child, 1, REAP_EVERY_MS);
	/* Now the lock is nobody's, and the lab is one of the dead that a sweep removes. */
	if (k->lock_fd >= 0)
		close(k->lock_fd);
	names_sweep();
}

/* A signal of the terminal has reached the supervisor, too; one that was sent has not. */
static void signal_pass_on(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
			(void)pidfd_send_signal(k->supervisor_fd, (int)info.ssi_signo, NULL, 0);
	}
}

static _Noreturn void leave(const struct keeper *k)
{
	if (k->done && WIFSIGNALED(k->status))
		_exit(EXIT_SIGNALLED + WTERMSIG(k->status));
	if (WIFEXITED(k->status))
		_exit(WEXITSTATUS(k->status));
	fprintf(stderr, "pacelab: the supervisor was killed by SIG%s; its lab was removed\n",
		sigabbrev_np(WTERMSIG(k->status)));
	_exit(EXIT_INTERNAL);
}

static _Noreturn void janitor_run(struct keeper *k)
{
	struct rlimit files = {JANITOR_PROCESSES_MAX + 64, JANITOR_PROCESSES_MAX + 64};
	int keep[] = {k->sock, k->signals, k->supervisor_fd};

	(void)prctl(PR_SET_NAME, "pacelab-jan");
	spawn_close_others(keep, 3);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	while (!k->ended) {
		struct pollfd p[] = {{.fd = k->done ? -1 : k->sock, .events = POLLIN},
			{.fd = k->signals, .events = POLLIN}};

		(void)poll(p, 2, -1);
		signal_pass_on(k);
		(void)reap(k);
		/* What it gave before it ended is still to be read. */
		while (gift_take(k))
			continue;
		if (k->done && k->lock_fd >= 0) {
			close(k->lock_fd);
			k->lock_fd = -1;
		}
		if ((p[0].revents & POLLHUP) && !k->done && !k->ended)
			(void)waitid(P_PIDFD, (id_t)k->supervisor_fd, &(siginfo_t){0},
				WEXITED | WNOWAIT);
	}
	if (!k->done)
		clean_up(k);
	leave(k);
}

/* All before the fork, so that nothing can fail when there are two. */
static int keeper_init(struct keeper *k, struct janitor *j, sigset_t *ret_before, struct err *err)
{
	sigset_t watched;
	int pair[2];

	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &watched, ret_before);
	k->lock_fd = -1;
	k->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	j->pid = getpid();
	j->pidfd = pidfd_open(j->pid, 0);
	if (k->signals < 0 || j->pidfd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(err, -errno, "prepare the janitor");
	j->sock = pair[0];
	k->sock = pair[1];
	return 0;
}

int janitor_split(struct janitor *j, struct err *err)
{
	struct keeper *k = calloc(1, sizeof *k);
	sigset_t before;
	pid_t pid;
	int rc;

	*j = (struct janitor){.pidfd = -1, .sock = -1};
	if (!k)
		return err_sys(err, -ENOMEM, "prepare the janitor");
	rc = keeper_init(k, j, &before, err);
	if (rc) {
		free(k);
		return rc;
	}
	(void)fflush(NULL); /* or it would be printed twice */
	pid = fork();
	if (pid > 0) {
		k->supervisor = pid;
		k->supervisor_fd = pidfd_open(pid, 0);
		janitor_run(k);
	}
	close(k->sock);
	close(k->signals);
	free(k);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_sys(err, -errno, "fork the supervisor");
	(void)prctl(PR_SET_NAME, "pacelab-sup");
	return 0;
}

static int give(struct janitor *j, enum gift gift, int fd, struct err *err)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	char kind = (char)gift;
	struct iovec iov = {&kind, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	if (sendmsg(j->sock, &m, MSG_NOSIGNAL) < 0)
		return err_sys(err, -errno, "tell the janitor");
	return 0;
}

int janitor_give_lock(struct janitor *j, int lock_fd, struct err *err)
{
	return give(j, GIFT_LOCK, lock_fd, err);
}

int janitor_give_process(struct janitor *j, int pidfd, struct err *err)
{
	return give(j, GIFT_PROCESS, pidfd, err);
}

void janitor_done(struct janitor *j)
{
	if (j->sock >= 0) {
		(void)give(j, GIFT_DONE, -1, NULL);
		close(j->sock);
		j->sock = -1;
	}
	if (j->pidfd >= 0) {
		close(j->pidfd);
		j->pidfd = -1;
	}
}
