/* SPDX-License-Identifier: MIT */
/* remote.c - what all commands for a lab that is up have in common */
#include "agent/cmd/remote.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lab/control.h"
#include "agent/lab/names.h"
#include "agent/lab/spawn.h"

#define EXIT_SIGNALLED 128 /* plus the signal, as shells say it */
#define EXIT_NO_PROGRAM 127

static int request(const struct cmd_line *line, const char *lab, const char *const *word,
	char **ret_text, int *ret_fd, struct err *err)
{
	int status = cmd_need_root(line->cmd, err);

	if (status)
		return status;
	names_sweep();
	status = control_call(lab, word, ret_text, ret_fd, err);
	if (status >= 0 && status != EXIT_AS_EXPECTED && status != EXIT_VIOLATED &&
		status != EXIT_INCONCLUSIVE) {
		err_set(err, -EREMOTEIO, (enum exit_status)status, "%s", *ret_text);
		free(*ret_text);
		*ret_text = NULL;
		return -EREMOTEIO;
	}
	return status;
}

int remote_join(char *const *arg, unsigned args, char ret[REMOTE_TEXT_MAX], struct err *err)
{
	size_t len = 0;

	ret[0] = '\0';
	for (unsigned i = 0; i < args; i++) {
		len += (size_t)snprintf(
			ret + len, REMOTE_TEXT_MAX - len, "%s%s", i ? " " : "", arg[i]);
		if (len >= REMOTE_TEXT_MAX)
			return err_usage(
				err, "too many words: %d bytes are the most", REMOTE_TEXT_MAX - 1);
	}
	return 0;
}

int remote_do(const struct cmd_line *line, const char *lab, const char *json, const char *verb,
	const char *const *arg, struct err *err)
{
	const char *word[CONTROL_WORDS_MAX + 1] = {verb, json ? "json" : "text"};
	unsigned words = 2;
	char *text;
	int status;

	for (; *arg; arg++) {
		if (words == CONTROL_WORDS_MAX)
			return err_usage(err, "too many arguments");
		word[words++] = *arg;
	}
	status = request(line, lab, word, &text, NULL, err);
	if (status < 0)
		return EXIT_INTERNAL; /* err has the status that counts */
	fputs(text, stdout);
	free(text);
	return status;
}

int remote_enter(const struct cmd_line *line, const char *lab, const char *node, char ret_lab[33],
	struct err *err)
{
	const char *word[] = {"enter", "text", node, NULL};
	char *text;
	int fd;
	int status = request(line, lab, word, &text, &fd, err);

	if (status < 0)
		return status;
	(void)snprintf(ret_lab, NAMES_LAB_MAX, "%s", text);
	free(text);
	return fd >= 0 ? fd : err_sys(err, -EBADF, "enter node %s", node);
}

static _Noreturn void child_exec(int node_fd, char *const *argv)
{
	char here[PATH_MAX];
	bool known = getcwd(here, sizeof here) != NULL;

	if (setns(node_fd, SPAWN_NAMESPACES)) {
		fprintf(stderr, "pacelab: enter the node: %s\n", strerror(errno));
		_exit(EXIT_INTERNAL);
	}
	/* The mount namespace brought its own root along. */
	if (!known || chdir(here))
		(void)!chdir("/");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(argv[0], argv);
	fprintf(stderr, "pacelab: run %s: %s\n", argv[0], strerror(errno));
	_exit(EXIT_NO_PROGRAM);
}

int remote_exec(int node_fd, const char *node, char *const *argv, struct err *err)
{
	int own_fd = pidfd_open(getpid(), 0);
	int status;
	pid_t pid;

	/* This process stays outside, so that it pins nothing of the node. */
	if (own_fd < 0 || setns(node_fd, CLONE_NEWPID))
		return err_sys(err, -errno, "enter node %s", node);
	pid = fork();
	if (pid < 0)
		return err_sys(err, -errno, "fork in node %s", node);
	if (pid == 0)
		child_exec(node_fd, argv);
	close(node_fd);
	/* Whatever else this process starts, as a leak checker does at its end, is not the node's.
	 */
	if (setns(own_fd, CLONE_NEWPID))
		return err_sys(err, -errno, "leave node %s", node);
	close(own_fd);
	/* The terminal's signals are for the program; what it makes of them is passed on. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_sys(err, -errno, "wait for %s", argv[0]);
	}
	return WIFSIGNALED(status) ? EXIT_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}
