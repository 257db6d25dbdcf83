/* SPDX-License-Identifier: MIT */
/* janitor.c - the process that cleans up when the supervisor could not */
#include "agent/lab/janitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lab/names.h"

/* Longest wait for killed processes: they need what their own memory takes to be freed. */
#define DEATH_WAIT_MS 1500

enum gift { GIFT_LOCK = 'l', GIFT_PROCESS = 'p', GIFT_GOOD_BYE = 'q' };

/* The janitor's own side. */
struct keeper {
	int sock;
	int supervisor_fd;
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

/* Return: 1 for a gift, 0 when there is none waiting, -1 for good-bye, -2 at the end of file. */
static int gift_take(struct keeper *k)
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

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -2;
	if (n == 0)
		return -2;
	if (kind == GIFT_GOOD_BYE)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
		gift_keep(k, (enum gift)kind, fd);
	}
	return 1;
}

static void clean_up(struct keeper *k)
{
	for (unsigned i = 0; i < k->processes; i++)
		(void)pidfd_send_signal(k->process[i], SIGKILL, NULL, 0);
	for (unsigned i = 0; i < k->processes; i++) {
		struct pollfd p = {.fd = k->process[i], .events = POLLIN};

		(void)poll(&p, 1, DEATH_WAIT_MS);
		close(k->process[i]);
	}
	/* Now the lock is nobody's, and the lab is one of the dead that a sweep removes. */
	if (k->lock_fd >= 0)
		close(k->lock_fd);
	names_sweep();
}

static _Noreturn void janitor_body(struct keeper *k)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	struct rlimit files = {JANITOR_PROCESSES_MAX + 64, JANITOR_PROCESSES_MAX + 64};
	int keep[] = {k->sock, k->supervisor_fd};
	int rc;

	spawn_shield("pacelab-jan");
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		(void)signal(ignored[i], SIG_IGN);
	spawn_quiet(-1);
	spawn_close_others(keep, 2);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (chdir("/"))
		_exit(EXIT_INTERNAL);
	for (;;) {
		struct pollfd p[] = {{.fd = k->sock, .events = POLLIN},
			{.fd = k->supervisor_fd, .events = POLLIN}};

		(void)poll(p, 2, -1);
		do {
			rc = gift_take(k);
		} while (rc > 0);
		if (rc == -1)
			_exit(0);
		/* The socket may have copies in processes of the lab; the pidfd cannot lie. */
		if (rc == -2 || p[1].revents) {
			clean_up(k);
			_exit(0);
		}
	}
}

int janitor_start(struct janitor *j, struct spawner *sp, struct err *err)
{
	int pair[2];
	pid_t pid;

	*j = (struct janitor){.child = {.pid = -1, .pidfd = -1, .ready_fd = -1}, .sock = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(err, -errno, "socketpair");
	pid = fork();
	if (pid == 0) {
		/* On the heap: its stack is a copy of the supervisor's. */
		struct keeper *k = calloc(1, sizeof *k);

		if (!k)
			_exit(EXIT_INTERNAL);
		k->sock = pair[1];
		k->supervisor_fd = sp->self_fd;
		k->lock_fd = -1;
		janitor_body(k);
	}
	close(pair[1]);
	if (pid < 0) {
		int code = -errno;

		close(pair[0]);
		return err_sys(err, code, "fork the janitor");
	}
	j->sock = pair[0];
	j->child.pid = pid;
	j->child.pidfd = pidfd_open(pid, 0);
	return j->child.pidfd < 0 ? err_sys(err, -errno, "pidfd_open") : 0;
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

void janitor_stop(struct janitor *j)
{
	if (j->sock >= 0) {
		(void)give(j, GIFT_GOOD_BYE, -1, NULL);
		close(j->sock);
		j->sock = -1;
	}
	if (j->child.pid > 0) {
		while (waitpid(j->child.pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		j->child.pid = -1;
	}
	if (j->child.pidfd >= 0) {
		close(j->child.pidfd);
		j->child.pidfd = -1;
	}
}
