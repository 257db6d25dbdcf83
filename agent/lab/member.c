/* SPDX-License-Identifier: MIT */
/* member.c - a process of the lab as the supervisor knows it */
#include "agent/lab/member.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"

const char *const member_kind_names[] = {"janitor", "wire emulator", "capture",
	"first process of node", "replica", "load process at"};
_Static_assert(
	sizeof member_kind_names / sizeof *member_kind_names == MEMBER_KIND_NR, "a name per kind");
_Static_assert(offsetof(struct member, source) == 0, "member_ready() relies on it");

static void member_ready(struct source *source, uint32_t events)
{
	struct member *m = (struct member *)source;
	siginfo_t info = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)source->fd, &info, WEXITED | WNOHANG) == 0) {
		if (info.si_pid == 0)
			return; /* not yet */
		m->code = info.si_code;
		m->status = info.si_status;
	}
	/* Else it was reaped by whoever made it: it is gone all the same. */
	m->runs = false;
	m->paused = false;
	m->ended_ns = clock_now_ns();
	m->ended(m);
}

int member_adopt(struct member *m, struct poller *p, const struct child *child, struct err *err)
{
	int rc;

	m->source = (struct source){.fd = child->pidfd, .ready = member_ready};
	m->pid = child->pid;
	m->runs = true;
	m->asked = false;
	m->paused = false;
	m->code = 0;
	m->status = 0;
	rc = poller_add(p, &m->source, EPOLLIN);
	return rc ? err_sys(err, rc, "watch pid %d", (int)child->pid) : 0;
}

void member_signal(const struct member *m, int sig)
{
	if (m->runs)
		(void)pidfd_send_signal(m->source.fd, sig, NULL, 0);
}

bool member_wait(struct member *m, uint64_t deadline_ns)
{
	struct pollfd end = {.fd = m->source.fd, .events = POLLIN};

	/* Not a turn of the loop: this is called from its callbacks. */
	while (m->runs) {
		uint64_t now = clock_now_ns();
		struct timespec wait = clock_timespec(deadline_ns > now ? deadline_ns - now : 0);

		if (ppoll(&end, 1, &wait, NULL) > 0)
			member_ready(&m->source, EPOLLIN);
		else if (now >= deadline_ns)
			break;
	}
	return !m->runs;
}

void member_forget(struct member *m, struct poller *p)
{
	if (m->pid > 0)
		poller_close(p, &m->source);
	m->pid = 0;
	m->runs = false;
}

void member_words(const struct member *m, char *out, size_t size)
{
	char how[64];

	if (m->code == CLD_EXITED)
		(void)snprintf(how, sizeof how, "exited with %d", m->status);
	else if (m->code == 0)
		(void)snprintf(how, sizeof how, "is gone");
	else
		(void)snprintf(how, sizeof how, "was killed by SIG%s",
			sigabbrev_np(m->status) ? sigabbrev_np(m->status) : "?");
	(void)snprintf(out, size, "%s%s%s (pid %d) %s", member_kind_names[m->kind],
		*m->name ? " " : "", m->name, (int)m->pid, how);
}
