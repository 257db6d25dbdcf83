/* SPDX-License-Identifier: MIT */
/* child.c - this program once more, as a child with its output in a file */
#include "agent/cmd/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_SIGNALLED 128

static volatile sig_atomic_t signalled;
static volatile sig_atomic_t child_pid;

static void on_signal(int sig)
{
	signalled = sig;
	if (child_pid > 0)
		(void)kill((pid_t)child_pid, sig);
}

void child_signals(void)
{
	static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction act = {.sa_handler = on_signal};

	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
		(void)sigaction(passed_on[i], &act, NULL);
}

int child_signalled(void)
{
	return signalled;
}

static void become(const char *const *argv, const char *log)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(EXIT_INTERNAL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)execv("/proc/self/exe", (char *const *)argv);
	_exit(EXIT_INTERNAL);
}

int child_run(const char *const *argv, const char *log, struct err *err)
{
	int status = 0;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return err_sys(err, -errno, "start pacelab %s", argv[1]);
	if (pid == 0)
		become(argv, log);
	child_pid = pid;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	child_pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNALLED + WTERMSIG(status);
}

void child_last_line(const char *log, char *ret, size_t size)
{
	char line[512];
	FILE *f = fopen(log, "re");

	ret[0] = '\0';
	while (f && fgets(line, sizeof line, f))
		if (line[strspn(line, " \n")])
			(void)snprintf(ret, size, "%s", line);
	if (f)
		(void)fclose(f);
	ret[strcspn(ret, "\n")] = '\0';
}
