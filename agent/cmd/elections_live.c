/* SPDX-License-Identifier: MIT */
/* elections_live.c - a cluster on packets whose leader is killed many times */
#include "agent/cmd/elections_live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/cmd/child.h"
#include "agent/lab/control.h"
#include "agent/lab/names.h"
#include "agent/lab/outdir.h"

#define REPLICAS 5
#define INFO_MAX 16384
#define ASK_WAIT_US 300000
#define LOOK_EVERY_NS (2 * NS_PER_MS)
#define WELL_WAIT_NS (20 * NS_PER_S)
#define PARAM_MAX 256

/* What a replica says of itself. */
struct look {
	bool answered;
	bool leads;
	int leader;
	unsigned peers_up;
	uint64_t elected_ns;
};

static void pause_ns(uint64_t ns)
{
	struct timespec t = clock_timespec(ns);

	(void)nanosleep(&t, NULL);
}

/* The number behind "\nname:" of INFO; @otherwise if it is not there. */
static long long field(const char *text, const char *name, long long otherwise)
{
	size_t len = strlen(name);

	for (const char *at = text; (at = strstr(at, name)); at += len)
		if (at > text && at[-1] == '\n' && at[len] == ':')
			return strtoll(at + len + 1, NULL, 10);
	return otherwise;
}

static bool read_info(int fd, char text[INFO_MAX])
{
	size_t len = 0, want = 1;

	while (len < want && len + 1 < INFO_MAX) {
		ssize_t n = read(fd, text + len, INFO_MAX - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
		/* "$1234\r\n", so many bytes, "\r\n" */
		if (strchr(text, '\n'))
			want = strtoul(text + 1, NULL, 10) + (size_t)(strchr(text, '\n') - text) +
			       3;
	}
	return text[0] == '$' && len >= want;
}

static void ask(const struct elections_live *l, unsigned replica, struct look *ret)
{
	const struct timeval wait = {.tv_usec = ASK_WAIT_US};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char path[NAMES_PATH_MAX], file[16], text[INFO_MAX];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = (struct look){.leader = -1};
	(void)snprintf(file, sizeof file, "n%u.sock", replica + 1);
	names_path(path, l->lab, file);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0 &&
		send(fd, "INFO\r\n", 6, MSG_NOSIGNAL) == 6 && read_info(fd, text)) {
		ret->answered = true;
		ret->leads = strstr(text, "\nrole:leader") != NULL;
		ret->leader = (int)field(text, "leader", -1);
		ret->peers_up = (unsigned)field(text, "peers_up", 0);
		ret->elected_ns = (uint64_t)field(text, "elected_ns", 0);
	}
	close(fd);
}

/* Who leads, if all know it and hear each other; else -1. */
static int well(const struct elections_live *l)
{
	int leader = -1;

	for (unsigned i = 0; i < REPLICAS; i++) {
		struct look look;

		ask(l, i, &look);
		if (!look.answered || look.peers_up != REPLICAS - 1 || look.leader < 0 ||
			(leader >= 0 && look.leader != leader) ||
			look.leads != (look.leader == (int)i))
			return -1;
		leader = look.leader;
	}
	return leader;
}

static int wait_well(const struct elections_live *l, struct err *err)
{
	uint64_t until = clock_now_ns() + WELL_WAIT_NS;
	int leader;

	while ((leader = well(l)) < 0) {
		if (child_signalled())
			return err_set(err, -EINTR, EXIT_INTERNAL, "interrupted");
		if (clock_now_ns() > until)
			return err_set(err, -ETIMEDOUT, EXIT_INCONCLUSIVE,
				"lab %s: no leader that all know for %d s", l->lab,
				(int)(WELL_WAIT_NS / NS_PER_S));
		pause_ns(LOOK_EVERY_NS);
	}
	return leader;
}

static int order(const struct elections_live *l, const char *verb, unsigned replica,
	uint64_t *ret_ns, struct err *err)
{
	char node[16];
	const char *const word[] = {verb, "json", node, NULL};
	char *text = NULL;
	const char *at;
	int rc;

	(void)snprintf(node, sizeof node, "n%u", replica + 1);
	rc = control_call(l->lab, word, &text, NULL, err);
	if (rc < 0)
		return rc;
	at = rc == EXIT_AS_EXPECTED ? strstr(text, "\"t_first_ns\":") : NULL;
	if (!at)
		rc = err_set(err, -EREMOTEIO, EXIT_INTERNAL, "%s %s: %.200s", verb, node, text);
	else
		*ret_ns = strtoull(at + strlen("\"t_first_ns\":"), NULL, 10);
	free(text);
	return rc < 0 ? rc : 0;
}

/* Return: when the first was elected after @crashed_ns, 0 if nobody was in time. */
static uint64_t wait_elected(const struct elections_live *l, unsigned dead, uint64_t crashed_ns)
{
	uint64_t elected = 0;

	while (!elected && !child_signalled() &&
		clock_now_ns() < crashed_ns + ELECTIONS_LIVE_GIVE_UP_NS) {
		for (unsigned i = 0; i < REPLICAS; i++) {
			struct look look = {0};

			if (i != dead)
				ask(l, i, &look);
			if (look.elected_ns > crashed_ns && (!elected || look.elected_ns < elected))
				elected = look.elected_ns;
		}
		pause_ns(LOOK_EVERY_NS);
	}
	return elected;
}

int elections_crash(
	const struct elections_live *l, uint64_t wait_ns, uint64_t *ret_ns, struct err *err)
{
	int leader = wait_well(l, err);
	uint64_t crashed = 0, elected, ignored;
	int rc;

	if (leader < 0)
		return leader;
	pause_ns(wait_ns);
	if (well(l) != leader)
		return 1;
	rc = order(l, "kill", (unsigned)leader, &crashed, err);
	if (rc < 0)
		return rc;
	elected = wait_elected(l, (unsigned)leader, crashed);
	*ret_ns = elected ? elected - crashed : ELECTIONS_LIVE_GIVE_UP_NS;
	return order(l, "restart", (unsigned)leader, &ignored, err);
}

int elections_up(const struct elections_live *l, struct err *err)
{
	const struct elections_wish *w = l->wish;
	char param[PARAM_MAX], log[OUTDIR_FILE_MAX], results[OUTDIR_FILE_MAX], why[512];
	const char *argv[] = {"pacelab", "up", "elections", "--name", l->lab, "--results", results,
		"--param", param, l->emulator ? "--emulator" : NULL, l->emulator, NULL};
	int status;

	(void)snprintf(param, sizeof param,
		"rtt=%" PRIu64 "ns election=%" PRIu64 "ns-%" PRIu64 "ns heartbeat=%" PRIu64
		"ns plain=%s leader=%s",
		w->rtt_ns, w->election_min_ns, w->election_max_ns, w->heartbeat_ns,
		w->plain ? "yes" : "no",
		/* With equal timeouts nobody would ever be the first. */
		w->election_min_ns == w->election_max_ns ? "n1" : "any");
	(void)snprintf(results, sizeof results, "%.3000s/%s", l->dir, l->lab);
	(void)snprintf(log, sizeof log, "%.3000s/%s.txt", l->dir, l->lab);
	status = child_run(argv, log, err);
	if (status == 0)
		return 0;
	if (status < 0)
		return status;
	child_last_line(log, why, sizeof why);
	return err_set(err, -ECANCELED, (enum exit_status)status, "lab %s: %s", l->lab, why);
}

int elections_down(const struct elections_live *l, struct err *err)
{
	char log[OUTDIR_FILE_MAX];
	const char *argv[] = {"pacelab", "down", l->lab, NULL};
	int status;

	(void)snprintf(log, sizeof log, "%.3000s/%s.txt", l->dir, l->lab);
	status = child_run(argv, log, err);
	return status == 0  ? 0
	       : status < 0 ? status
			    : err_set(err, -EBUSY, EXIT_INTERNAL, "pacelab down %s failed", l->lab);
}
