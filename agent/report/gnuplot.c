/* SPDX-License-Identifier: MIT */
/*
 * gnuplot.c - the program gnuplot as a child: a script in, what it draws out
 *
 * No shell, no files with names: the script is an unnamed file that becomes the child's input, its
 * complaints go to another. The child dies with us, and with its limits.
 */
#include "agent/report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CPU_S_MAX 30
#define MEMORY_MAX (2ul << 30)
#define EXIT_NOT_THERE 127
#define CHUNK 65536

struct run {
	pid_t pid;
	int script;
	int complaints;
	int pipe[2];
};

static void run_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void run_fini(struct run *r)
{
	run_close(&r->script);
	run_close(&r->complaints);
	run_close(&r->pipe[0]);
	run_close(&r->pipe[1]);
}

static int run_init(struct run *r, const struct buf *script, struct err *err)
{
	size_t done = 0;

	*r = (struct run){.script = memfd_create("gnuplot-script", MFD_CLOEXEC),
		.complaints = memfd_create("gnuplot-complaints", MFD_CLOEXEC),
		.pipe = {-1, -1}};
	if (r->script < 0 || r->complaints < 0 || pipe2(r->pipe, O_CLOEXEC))
		return err_sys(err, -errno, "run gnuplot");
	while (done < script->len) {
		ssize_t n = write(r->script, script->p + done, script->len - done);

		if (n < 0)
			return err_sys(err, -errno, "write gnuplot's script");
		done += (size_t)n;
	}
	return lseek(r->script, 0, SEEK_SET) < 0 ? err_sys(err, -errno, "run gnuplot") : 0;
}

/* -d: no settings of whoever calls us. */
static void run_child(const struct run *r, pid_t parent)
{
	const struct rlimit cpu = {CPU_S_MAX, CPU_S_MAX};
	const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};
	char *argv[] = {"gnuplot", "-d", "-", NULL};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || dup2(r->script, STDIN_FILENO) < 0 ||
		dup2(r->pipe[1], STDOUT_FILENO) < 0 || dup2(r->complaints, STDERR_FILENO) < 0)
		_exit(EXIT_INTERNAL);
	(void)setenv("LC_ALL", "C.UTF-8", 1);
	(void)unsetenv("GNUTERM");
	/* Last: under a sanitizer we have more memory than this already. */
	(void)setrlimit(RLIMIT_CPU, &cpu);
	(void)setrlimit(RLIMIT_AS, &memory);
	(void)execvp(argv[0], argv);
	_exit(errno == ENOENT ? EXIT_NOT_THERE : EXIT_INTERNAL);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Return: 0 at the end of its output. */
static int run_collect(struct run *r, struct buf *ret, struct err *err)
{
	int64_t end = now_ms() + GNUPLOT_TIME_MS_MAX;

	for (;;) {
		struct pollfd p = {.fd = r->pipe[0], .events = POLLIN};
		int64_t left = end - now_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return err_set(err, -ETIMEDOUT, EXIT_INTERNAL,
				"gnuplot took more than %d s", GNUPLOT_TIME_MS_MAX / 1000);
		if (ret->len > GNUPLOT_BYTES_MAX)
			return err_set(err, -EFBIG, EXIT_INTERNAL, "gnuplot wrote more than %u MiB",
				GNUPLOT_BYTES_MAX >> 20);
		n = read(r->pipe[0], buf_grow(ret, CHUNK), CHUNK);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return err_sys(err, -errno, "read from gnuplot");
		ret->len += n > 0 ? (size_t)n : 0;
	}
}

/* Its last words: the first ones quote the script. */
static void run_complain(const struct run *r, int code, struct err *err)
{
	char text[256] = "";
	off_t size = lseek(r->complaints, 0, SEEK_END);
	off_t from = size > (off_t)sizeof text - 1 ? size - (off_t)sizeof text + 1 : 0;
	ssize_t n = pread(r->complaints, text, sizeof text - 1, from);

	text[n > 0 ? n : 0] = '\0';
	for (char *c = text; *c; c++)
		*c = *c == '\n' || *c == '\t' ? ' ' : *c;
	(void)err_set(err, code, EXIT_INTERNAL, "gnuplot failed: %s", text);
}

static int run_end(const struct run *r, int rc, struct err *err)
{
	int status = 0;

	if (rc)
		(void)kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc)
		return rc;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_THERE)
		return err_set(err, -ENOENT, EXIT_CANNOT_RUN,
			"gnuplot is not installed; the package %s brings it", GNUPLOT_PACKAGE);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		run_complain(r, -EIO, err);
		return -EIO;
	}
	return 0;
}

int gnuplot_run(const struct buf *script, struct buf *ret, struct err *err)
{
	pid_t parent = getpid();
	struct run r;
	int rc = run_init(&r, script, err);

	if (!rc) {
		r.pid = fork();
		if (r.pid < 0)
			rc = err_sys(err, -errno, "run gnuplot");
		else if (r.pid == 0)
			run_child(&r, parent);
	}
	if (!rc) {
		run_close(&r.pipe[1]);
		rc = run_end(&r, run_collect(&r, ret, err), err);
	}
	run_fini(&r);
	if (rc)
		buf_fini(ret);
	return rc;
}
