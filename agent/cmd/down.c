/* SPDX-License-Identifier: MIT */
/* down.c - pacelab down: end a lab; to end what is not there is no error */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/cmd/cmd.h"
#include "agent/lab/control.h"
#include "agent/lab/names.h"

#define ASK_WAIT_NS (10 * NS_PER_S)
#define FORCE_WAIT_NS (3 * NS_PER_S)
#define LOOK_EVERY_NS (5 * NS_PER_MS)

enum { OPT_LAB, OPT_ALL };

static const struct cmd_option options[] = {
	[OPT_LAB] = {"--lab", "NAME", "the lab; only needed if several are up"},
	[OPT_ALL] = {"--all", NULL, "end all labs"},
	{NULL, NULL, NULL},
};

static bool gone_within(const char *lab, uint64_t wait_ns)
{
	uint64_t deadline = clock_now_ns() + wait_ns;
	const struct timespec pause = clock_timespec(LOOK_EVERY_NS);

	while (names_held(lab)) {
		if (clock_now_ns() > deadline)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

struct find {
	const char *lab;
	pid_t pid;
};

static void find_pid(void *ctx, const char *lab, pid_t supervisor)
{
	struct find *find = ctx;

	if (strcmp(find->lab, lab) == 0)
		find->pid = supervisor;
}

/* A supervisor that does not answer: its janitor cleans up after it. */
static void force(const char *lab)
{
	struct find before = {.lab = lab};
	struct find after = {.lab = lab};
	int fd;

	names_list(find_pid, &before);
	if (before.pid <= 0)
		return;
	fd = pidfd_open(before.pid, 0);
	/* If the lab still has this supervisor now, the descriptor is of it and of nobody later. */
	names_list(find_pid, &after);
	if (fd >= 0 && after.pid == before.pid)
		(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
	if (fd >= 0)
		close(fd);
}

static int end_lab(const char *lab, struct err *err)
{
	const char *word[] = {"down", "text", NULL};
	struct err asked = {0};
	char *text = NULL;
	int status = control_call(lab, word, &text, NULL, &asked);

	free(text);
	if ((status < 0 || !gone_within(lab, ASK_WAIT_NS)) && names_held(lab)) {
		force(lab);
		if (!gone_within(lab, FORCE_WAIT_NS))
			return err_set(err, -ETIMEDOUT, EXIT_INTERNAL,
				"lab '%s' does not end: see 'ps -e | grep pacelab'", lab);
	}
	printf("lab %s is down\n", lab);
	return 0;
}

struct all {
	struct err *err;
	unsigned labs;
};

static void end_each(void *ctx, const char *lab, pid_t supervisor)
{
	struct all *all = ctx;

	(void)supervisor;
	all->labs++;
	(void)end_lab(lab, all->err);
}

static int down_main(const struct cmd_line *line, struct err *err)
{
	const char *want = line->args ? line->arg[0] : line->value[OPT_LAB];
	struct all all = {.err = err};
	char lab[NAMES_LAB_MAX];
	int rc = cmd_need_root(line->cmd, err);

	if (rc)
		return EXIT_CANNOT_RUN;
	names_sweep();
	if (line->value[OPT_ALL]) {
		names_list(end_each, &all);
		if (!all.labs)
			printf("no lab is up\n");
		return 0;
	}
	rc = control_lab(want, lab, err);
	if (rc == -ENOENT) {
		*err = (struct err){0};
		if (want)
			printf("lab %s is not up\n", want);
		else
			printf("no lab is up\n");
		return 0;
	}
	return rc ? EXIT_USAGE : end_lab(lab, err);
}

const struct cmd down_cmd = {
	.name = "down",
	.args = "[LAB]",
	.summary = "end a lab and remove everything of it",
	.args_max = 1,
	.option = options,
	.main = down_main,
};
