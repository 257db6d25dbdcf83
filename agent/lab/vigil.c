/* SPDX-License-Identifier: MIT */
/* vigil.c - a process that checks the history of a run while it is written */
#include "agent/lab/vigil.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/check/models.h"
#include "agent/check/online.h"
#include "agent/history/follow.h"
#include "agent/lab/spawn.h"

/* Between two looks at what was written. */
#define VIGIL_PAUSE_NS (5 * NS_PER_MS)
/* A client may be held up for so long between reading the clock and writing it down. */
#define VIGIL_MARGIN_NS (200 * NS_PER_MS)
/* The second look may take so long. */
#define VIGIL_CHECK_NS (20 * NS_PER_S)

/* What the process tells; everything but the flag is only looked at once that is set. */
struct vigil_shared {
	_Atomic bool found;
	_Atomic uint64_t operations; /* that have ended */
	struct run_online online;
};

struct vigil {
	pid_t pid;
	struct vigil_shared *shared;
};

struct vigilant {
	struct vigil_shared *shared;
	struct follow *follow;
	struct online *online;
	const char *path;
	const struct check_names *names;
};

/* Only what the check of the whole calls a violation is one. */
static bool vigil_confirm(struct vigilant *v, const struct history_record *r)
{
	const struct check_budget budget = {.time_ns = VIGIL_CHECK_NS};
	struct run_online *to = &v->shared->online;
	struct check_result result = {.verdict = CHECK_UNKNOWN};
	uint64_t t_ns = r->t_ns;
	struct history_ops h;

	to->seen_ns = clock_now_ns() - t_ns;
	if (history_read(&h, v->path, NULL))
		return false;
	(void)linearizable_ops.check(&h, &budget, v->names, &result, NULL);
	history_ops_fini(&h);
	if (result.verdict != CHECK_VIOLATION)
		return false;
	(void)snprintf(to->words, sizeof to->words, "%s", result.words);
	to->told_ns = clock_now_ns() - t_ns;
	return true;
}

/* Return: whether a violation was found. */
static bool vigil_read(struct vigilant *v)
{
	const struct history_record *r;

	while (follow_next(v->follow, clock_now_ns(), &r) == 1) {
		if (r->type >= HISTORY_OK && r->type <= HISTORY_UNKNOWN)
			atomic_fetch_add(&v->shared->operations, 1);
		if (online_feed(v->online, r) && vigil_confirm(v, r))
			return true;
	}
	return false;
}

_Noreturn static void vigil_main(struct vigilant *v, pid_t parent)
{
	const struct timespec pause = clock_timespec(VIGIL_PAUSE_NS);

	spawn_shield("pacelab-check");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	spawn_quiet(-1);
	spawn_close_others(NULL, 0);
	if (getppid() != parent || follow_open(&v->follow, v->path, NULL))
		_exit(1);
	v->online = online_open(VIGIL_MARGIN_NS);
	while (!vigil_read(v))
		(void)nanosleep(&pause, NULL);
	atomic_store(&v->shared->found, true);
	_exit(0);
}

int vigil_start(
	struct vigil **ret, const char *path, const struct check_names *names, struct err *err)
{
	struct vigil *v = calloc(1, sizeof *v);
	pid_t parent = getpid();
	struct vigilant child = {.path = path, .names = names};
	int rc;

	assert(v);
	v->shared = mmap(
		NULL, sizeof *v->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(v->shared != MAP_FAILED);
	child.shared = v->shared;
	v->pid = fork();
	if (v->pid == 0)
		vigil_main(&child, parent);
	if (v->pid < 0) {
		rc = err_sys(err, -errno, "start the check of the growing history");
		(void)munmap(v->shared, sizeof *v->shared);
		free(v);
		return rc;
	}
	*ret = v;
	return 0;
}

bool vigil_found(const struct vigil *v, struct run_online *ret)
{
	if (!v || !atomic_load(&v->shared->found))
		return false;
	*ret = v->shared->online;
	ret->found = true;
	return true;
}

void vigil_stop(struct vigil *v, struct run_online *ret)
{
	if (!v)
		return;
	if (kill(v->pid, SIGKILL) == 0 || errno == ESRCH)
		(void)waitpid(v->pid, NULL, 0);
	ret->operations = atomic_load(&v->shared->operations);
	(void)munmap(v->shared, sizeof *v->shared);
	free(v);
}
