/* SPDX-License-Identifier: MIT */
/*
 * up.c - pacelab up: start a lab in the background and say how to use it
 *
 * The command forks the supervisor and waits at a pipe for its report: an exit status as one byte
 * and a text. If the command is interrupted meanwhile, the supervisor sees the pipe break and
 * undoes what it has built.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/units.h"
#include "agent/cmd/cmd.h"
#include "agent/lab/plan.h"
#include "agent/lab/real.h"
#include "agent/lab/status.h"
#include "agent/lab/supervisor.h"

#define REPORT_MAX 65536

enum {
	OPT_STORE,
	OPT_SET,
	OPT_LEADER,
	OPT_SEED,
	OPT_EMULATOR,
	OPT_NAME,
	OPT_RESULTS,
	OPT_KEEP,
	OPT_PCAP,
	OPT_SNAP,
	OPT_PARAM
};

static const struct cmd_option options[] = {
	[OPT_STORE] = {"--store", "NAME", "the store to run ('pacelab list stores')"},
	[OPT_SET] = {"--set", "SETTINGS",
		"of the store's protocol, \"name=value ...\" ('pacelab list settings')"},
	[OPT_LEADER] = {"--leader", "NODE", "who shall lead first; a site: its first replica"},
	[OPT_SEED] = {"--seed", "N", "of everything random"},
	[OPT_EMULATOR] = {"--emulator", "NAME", "netem or wire; default: what the kernel has"},
	[OPT_NAME] = {"--name", "NAME",
		"of this lab, to run it beside another; default: the script's"},
	[OPT_RESULTS] = {"--results", "DIR", "folder for logs and data"},
	[OPT_KEEP] = {"--keep", NULL, "keep that folder when the lab ends"},
	[OPT_PCAP] = {"--pcap", "LINKS", "capture frames: all, or nodes and pairs, n1-n2,n3"},
	[OPT_SNAP] = {"--snap", "BYTES", "to keep of each of these frames; default: 256"},
	[OPT_PARAM] = {"--param", "WORDS", "what param() gives in the script: \"name=value ...\""},
	{NULL, NULL, NULL},
};

static void report(int fd, int status, const char *text)
{
	char byte = (char)status;

	if (write(fd, &byte, 1) != 1 || write(fd, text, strlen(text)) < 0)
		log_warn("nobody waits for the lab any more");
	close(fd);
}

/* A request to the store, as a person may make it; to a real database as its clients do. */
static void print_request(const struct plan *plan, FILE *out)
{
	const struct real *real = plan->real;

	if (!real) {
		fprintf(out, "%s redis-cli -h 10.99.0.1 set k v\n", plan->node[0].name);
		return;
	}
	fprintf(out, "%s pacelab driver %s --port %u --nodes ",
		plan->node[plan->site[0].client].name, real->driver, real->port);
	for (unsigned i = 0; i < plan->replicas; i++) {
		char addr[INET_ADDRSTRLEN];

		fprintf(out, "%s%s", i ? "," : "",
			inet_ntop(AF_INET, &plan->node[i].addr_be, addr, sizeof addr));
	}
	fprintf(out, "%s%s%s write k1 5\n", real->settings[0] ? " --settings '" : "",
		real->settings, real->settings[0] ? "'" : "");
}

static void report_ready(const struct supervisor *s, int fd)
{
	const char *lab = s->names.lab;
	const char *first = s->plan->node[0].name;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	char network[32];
	char ready[32];

	if (!out) {
		report(fd, 0, "");
		return;
	}
	fprintf(out, "network of %u nodes built in %s, replicas ready after %s\n", s->plan->nodes,
		units_print_duration(fabric_build_ns(s->fabric), network, sizeof network),
		units_print_duration(s->ready_ns, ready, sizeof ready));
	status_text(s, out);
	fprintf(out, "  try   pacelab exec ");
	print_request(s->plan, out);
	fprintf(out,
		"        ip netns exec %s-%s ping -c 3 10.99.0.2\n"
		"        pacelab cut %s      pacelab heal      pacelab down %s\n",
		lab, first, first, lab);
	(void)fclose(out);
	report(fd, 0, text);
	free(text);
}

/* The supervisor's process: from here to the end of the lab. */
static _Noreturn void supervise(
	const struct plan *plan, const struct supervisor_options *o, bool keep, int report_fd)
{
	struct supervisor *s = calloc(1, sizeof *s);
	enum supervisor_leave leave = LEAVE_ALL;
	struct err err = {0};
	int rc;

	spawn_shield("pacelab-up");
	spawn_quiet(-1);
	if (!s)
		_exit(EXIT_INTERNAL);
	rc = supervisor_start(s, plan, o, &err);
	if (!rc)
		report_ready(s, report_fd);
	while (!rc)
		rc = supervisor_turn(s, UINT64_MAX, &err);
	if (err.code)
		log_error("%s", err.text);
	/* What went wrong can be read there later; a lab that ended well leaves nothing. */
	if (!keep)
		leave = s->ready_ns && (err.code || o->pcap) ? LEAVE_NO_DATA : LEAVE_NOTHING;
	supervisor_stop(s, leave);
	if (!s->ready_ns)
		report(report_fd, err.code ? (int)err.status : EXIT_INTERNAL,
			err.code ? err.text : "interrupted");
	_exit(err.code ? EXIT_INTERNAL : 0);
}

static int await(int fd, struct err *err)
{
	char text[REPORT_MAX];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof text - 1 - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, -errno, "wait for the lab");
		len += (size_t)n;
	}
	text[len] = '\0';
	if (!len)
		return err_sys(err, -ECHILD, "the lab's supervisor died while it was starting");
	if (text[0] != EXIT_AS_EXPECTED)
		return err_set(err, -ECANCELED, (enum exit_status)text[0], "%s", text + 1);
	fputs(text + 1, stdout);
	return 0;
}

static int up_main(const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	struct plan_options wish = {.store = v[OPT_STORE],
		.set = v[OPT_SET],
		.leader = v[OPT_LEADER],
		.seed = v[OPT_SEED],
		.emulator = v[OPT_EMULATOR],
		.param = v[OPT_PARAM]};
	struct supervisor_options o = {.name = v[OPT_NAME], .results = v[OPT_RESULTS]};
	struct capture_wish pcap;
	struct plan *plan;
	int fds[2];
	pid_t pid;
	int rc = cmd_need_root(line->cmd, err);

	if (!rc)
		rc = plan_load(&plan, line->arg[0], &wish, err);
	if (rc)
		return EXIT_USAGE;
	o.pcap = v[OPT_PCAP] ? &pcap : NULL;
	rc = capture_parse(plan, v[OPT_PCAP], v[OPT_SNAP], &pcap, err);
	if (rc) {
		plan_free(plan);
		return EXIT_USAGE;
	}
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(err, -errno, "pipe");
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		o.waiter_fd = fds[1];
		supervise(plan, &o, v[OPT_KEEP] != NULL, fds[1]);
	}
	close(fds[1]);
	rc = pid < 0 ? err_sys(err, -errno, "fork") : await(fds[0], err);
	plan_free(plan);
	return rc;
}

const struct cmd up_cmd = {
	.name = "up",
	.args = "LAB",
	.summary = "start a lab in the background, to play with",
	.help = "LAB is a script (*.lua) or the name of one ('pacelab list labs'). Its network\n"
		"and replicas are started, its phases and its load are not.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = up_main,
};
