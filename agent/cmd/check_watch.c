/* SPDX-License-Identifier: MIT */
/* check_watch.c - judging in a process of its own, that is ended before it takes too much */
#include "agent/cmd/check_watch.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"

/* How often memory is looked at: a fast process touches some 50 MB in this time. */
#define WATCH_TICK_MS 10
/* A worker that minds its time itself may be late by a fourth and this. */
#define WATCH_GRACE_NS (NS_PER_S / 2)
/* Nobody wants to be told about what takes no longer. */
#define WATCH_SILENT_NS NS_PER_S
#define WATCH_SHOW_NS (NS_PER_S / 5)
/* Asked to be killed first when memory is short: proc(5), oom_score_adj. */
#define WATCH_OOM_SCORE "1000"

struct watching {
	struct watch *w;
	int pid;
	int pid_fd;
	int output; /* of the worker, in memory */
	uint64_t copied;
	uint64_t shown_ns; /* 0: nothing was shown */
};

void *watch_new(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert(shared != MAP_FAILED);
	return shared;
}

void watch_begin(struct watch *w, unsigned item)
{
	atomic_store(&w->progress.judged, 0);
	atomic_store(&w->progress.of, 0);
	atomic_store(&w->begin_ns, clock_now_ns());
	atomic_store(&w->item, item);
}

void watch_done(struct watch *w)
{
	off_t end;

	(void)fflush(stdout);
	end = lseek(STDOUT_FILENO, 0, SEEK_CUR);
	if (end > 0)
		atomic_store(&w->printed, (uint64_t)end);
}

uint64_t watch_own_bytes(int pid)
{
	uint64_t resident = 0;
	uint64_t shared = 0;
	char path[32] = "/proc/self/statm";
	FILE *in;

	if (pid)
		(void)snprintf(path, sizeof path, "/proc/%d/statm", pid);
	in = fopen(path, "re");
	/* proc(5): size resident shared ..., in pages. Files that are mapped are shared. */
	if (!in)
		return 0;
	if (fscanf(in, "%*u %" SCNu64 " %" SCNu64, &resident, &shared) != 2)
		resident = shared;
	(void)fclose(in);
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A file of one number; @other if there is none. */
static uint64_t read_number(const char *path, uint64_t other)
{
	FILE *in = fopen(path, "re");
	uint64_t n = other;

	if (!in)
		return other;
	if (fscanf(in, "%" SCNu64, &n) != 1)
		n = other; /* "max" */
	(void)fclose(in);
	return n;
}

uint64_t watch_available_bytes(void)
{
	uint64_t limit = read_number("/sys/fs/cgroup/memory.max", UINT64_MAX);
	uint64_t used = read_number("/sys/fs/cgroup/memory.current", 0);
	uint64_t available = UINT64_MAX;
	FILE *in = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kib;

	while (in && fgets(line, sizeof line, in))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			available = kib * 1024;
	if (in)
		(void)fclose(in);
	if (limit != UINT64_MAX && limit - (used < limit ? used : limit) < available)
		available = limit - (used < limit ? used : limit);
	return available;
}

/* Output of items that are done goes out, in order. */
static void watching_copy(struct watching *g)
{
	uint64_t printed = atomic_load(&g->w->printed);
	char chunk[8192];

	while (g->copied < printed) {
		uint64_t left = printed - g->copied;
		ssize_t n = pread(g->output, chunk, left < sizeof chunk ? left : sizeof chunk,
			(off_t)g->copied);

		if (n <= 0)
			return;
		(void)fwrite(chunk, 1, (size_t)n, stdout);
		g->copied += (uint64_t)n;
	}
	(void)fflush(stdout);
}

static void watching_clear(struct watching *g)
{
	if (g->shown_ns)
		(void)fputs("\r\033[K", stderr);
	g->shown_ns = 0;
}

static void watching_show(struct watching *g, uint64_t took_ns)
{
	uint64_t judged = atomic_load(&g->w->progress.judged);
	uint64_t of = atomic_load(&g->w->progress.of);
	uint64_t now = clock_now_ns();
	char a[32];
	char b[32];

	if (!g->w->show || took_ns < WATCH_SILENT_NS || now < g->shown_ns + WATCH_SHOW_NS)
		return;
	g->shown_ns = now;
	if (of > 0)
		fprintf(stderr, "\r\033[K%s of %s operations judged (%.0f %%) after %.1f s",
			units_print_count(judged, a, sizeof a), units_print_count(of, b, sizeof b),
			100 * (double)judged / (double)of, units_s(took_ns));
	else
		fprintf(stderr, "\r\033[Kat work for %.1f s", units_s(took_ns));
}

/* Whether the worker has to be ended, and why. */
static bool watching_exceeds(const struct watching *g, uint64_t took_ns, enum watch_end *ret)
{
	const struct watch *w = g->w;

	if (w->time_ns && took_ns > w->time_ns + w->time_ns / 4 + WATCH_GRACE_NS) {
		*ret = WATCH_TIME;
		return true;
	}
	if (w->memory_bytes && watch_own_bytes(g->pid) > w->memory_bytes) {
		*ret = WATCH_MEMORY;
		return true;
	}
	return false;
}

/* Until it ends or has to be ended. */
static enum watch_end watching_wait(struct watching *g)
{
	struct pollfd fd = {.fd = g->pid_fd, .events = POLLIN};
	enum watch_end end = WATCH_DONE;
	int status = 0;

	while (poll(&fd, 1, WATCH_TICK_MS) <= 0) {
		uint64_t now = clock_now_ns();
		uint64_t begin = atomic_load(&g->w->begin_ns);
		uint64_t took_ns = begin && now > begin ? now - begin : 0;

		watching_copy(g);
		if (end == WATCH_DONE && watching_exceeds(g, took_ns, &end))
			(void)kill(g->pid, SIGKILL);
		watching_show(g, took_ns);
	}
	watching_clear(g);
	if (waitpid(g->pid, &status, 0) != g->pid)
		return WATCH_KILLED;
	watching_copy(g);
	if (end == WATCH_DONE && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return WATCH_KILLED;
	return end;
}

_Noreturn static void worker_main(int output, int parent, void (*work)(void *ctx), void *ctx)
{
	FILE *score = fopen("/proc/self/oom_score_adj", "we");

	if (score) {
		(void)fputs(WATCH_OOM_SCORE, score);
		(void)fclose(score);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || dup2(output, STDOUT_FILENO) < 0)
		_exit(1);
	work(ctx);
	(void)fflush(stdout);
	_exit(0);
}

enum watch_end watch_run(struct watch *w, void (*work)(void *ctx), void *ctx, struct err *err)
{
	struct watching g = {.w = w};
	enum watch_end end = WATCH_FAILED;
	int parent = getpid();

	atomic_store(&w->printed, 0);
	atomic_store(&w->begin_ns, 0);
	g.output = memfd_create("pacelab-check", MFD_CLOEXEC);
	if (g.output < 0) {
		(void)err_sys(err, -errno, "make room for the output");
		return WATCH_FAILED;
	}
	(void)fflush(stdout);
	g.pid = fork();
	if (g.pid == 0)
		worker_main(g.output, parent, work, ctx);
	/* pidfd_open(2): Linux 5.3. */
	g.pid_fd = g.pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, g.pid, 0);
	if (g.pid_fd < 0) {
		(void)err_sys(err, -errno, "start a process to judge in");
		if (g.pid > 0 && kill(g.pid, SIGKILL) == 0)
			(void)waitpid(g.pid, NULL, 0);
	} else {
		end = watching_wait(&g);
		(void)close(g.pid_fd);
	}
	(void)close(g.output);
	return end;
}
