/* SPDX-License-Identifier: MIT */
/* keeper_process.c - one process of a real database: started, heard, reaped */
#include "agent/lab/keeper_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"

#define EXIT_NO_PROGRAM 127
#define READ_CHUNK 4096
/* A process that floods its output is read no faster than others get their turn. */
#define READS_MAX 16

void process_name(char out[PROCESS_NAME_MAX], char *const *argv, unsigned number)
{
	static const char *const shells[] = {"sh", "bash", "python3", "perl"};
	const char *name = argv[0];
	char behind[12] = "";

	for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
		if (strcmp(argv[0], shells[i]) == 0 && argv[1] && argv[1][0] != '-')
			name = argv[1];
	}
	if (strrchr(name, '/'))
		name = strrchr(name, '/') + 1;
	if (number)
		(void)snprintf(behind, sizeof behind, "-%u", number);
	(void)snprintf(out, PROCESS_NAME_MAX, "%.18s%s", name, behind);
}

/* There may be other threads: nothing between fork and exec may take a lock. */
static void say(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n; /* there is nowhere else to say it */
}

static _Noreturn void child_run(int out_fd, pid_t parent, char *const *argv)
{
	const char *why;
	sigset_t none;

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_NO_PROGRAM);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)dup2(out_fd, STDOUT_FILENO);
	(void)dup2(out_fd, STDERR_FILENO);
	(void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	(void)execvp(argv[0], argv);
	why = strerrordesc_np(errno);
	say("cannot run ");
	say(argv[0]);
	say(": ");
	say(why ? why : "?");
	say("\n");
	_exit(EXIT_NO_PROGRAM);
}

int process_start(struct keeper_process *p, char *const *argv, struct err *err)
{
	pid_t parent = getpid();
	int pipe_fd[2];

	if (pipe2(pipe_fd, O_CLOEXEC))
		return err_sys(err, -errno, "pipe");
	(void)fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
	p->pid = fork();
	if (p->pid == 0)
		child_run(pipe_fd[1], parent, argv);
	close(pipe_fd[1]);
	if (p->pid < 0) {
		int code = -errno;

		p->pid = 0;
		close(pipe_fd[0]);
		return err_sys(err, code, "start %s", argv[0]);
	}
	process_fini(p);
	p->out_fd = pipe_fd[0];
	p->last[0] = '\0';
	return 0;
}

/* One write for each line: so lines of several processes do not mix. */
static void line_log(struct keeper_process *p, const char *line, size_t len)
{
	char text[PROCESS_LINE_MAX + PROCESS_NAME_MAX + 48];
	const struct timespec t = clock_timespec(clock_now_ns());
	int n = snprintf(text, sizeof text, "%lld.%06ld %s: %.*s\n", (long long)t.tv_sec,
		t.tv_nsec / 1000, p->name, (int)len, line);
	ssize_t written = write(STDERR_FILENO, text, (size_t)n);

	(void)written; /* a full disk is noticed by who fills it */
	p->logged += (size_t)n;
}

static void line_end(struct keeper_process *p)
{
	static const char more[] = "(it says too much: nothing more of it is kept)";

	if (p->len && p->line[p->len - 1] == '\r')
		p->len--;
	if (p->len) {
		memcpy(p->last, p->line, p->len);
		p->last[p->len] = '\0';
	}
	if (!p->captured && p->logged < PROCESS_LOG_MAX) {
		line_log(p, p->line, p->len);
		if (p->logged >= PROCESS_LOG_MAX)
			line_log(p, more, sizeof more - 1);
	}
	p->len = 0;
}

static void bytes_add(struct keeper_process *p, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || p->len == sizeof p->line - 1)
			line_end(p);
		if (bytes[i] != '\n' && bytes[i] != '\0')
			p->line[p->len++] = bytes[i];
	}
}

void process_hear(struct keeper_process *p)
{
	char bytes[READ_CHUNK];

	for (int i = 0; i < READS_MAX && p->out_fd >= 0; i++) {
		ssize_t n = read(p->out_fd, bytes, sizeof bytes);

		if (n > 0) {
			bytes_add(p, bytes, (size_t)n);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			close(p->out_fd);
			p->out_fd = -1;
		} else {
			break;
		}
	}
	if (p->out_fd < 0 && p->len)
		line_end(p);
}

bool process_reap(struct keeper_process *p)
{
	if (!p->pid || waitpid(p->pid, &p->status, WNOHANG) != p->pid)
		return false;
	p->pid = 0;
	process_hear(p);
	if (p->len)
		line_end(p);
	return true;
}

void process_signal(const struct keeper_process *p, int sig)
{
	if (p->pid)
		(void)kill(p->pid, sig); /* not reaped yet: the number is its own */
}

bool process_succeeded(const struct keeper_process *p)
{
	return WIFEXITED(p->status) && WEXITSTATUS(p->status) == 0;
}

const char *process_words(const struct keeper_process *p, char out[PROCESS_WORDS_MAX])
{
	int sig = WTERMSIG(p->status);

	if (WIFEXITED(p->status))
		(void)snprintf(out, PROCESS_WORDS_MAX, "exited with %d", WEXITSTATUS(p->status));
	else
		(void)snprintf(out, PROCESS_WORDS_MAX, "was killed by SIG%s",
			sigabbrev_np(sig) ? sigabbrev_np(sig) : "?");
	return out;
}

void process_fini(struct keeper_process *p)
{
	if (p->out_fd >= 0)
		close(p->out_fd);
	p->out_fd = -1;
	p->len = 0;
}
