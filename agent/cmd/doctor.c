/* SPDX-License-Identifier: MIT */
/* doctor.c - pacelab doctor: what this kernel and machine lack, and the cure */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/cmd/cmd.h"
#include "agent/lab/names.h"
#include "agent/lab/real.h"
#include "agent/lab/spawn.h"
#include "netns/fabric.h"

#define CORES_WANTED 2
#define RING_ENTRIES 8
#define MEMLOCK_WANTED (8u << 20)

struct findings {
	unsigned missing;
};

static void say(void *ctx, bool good, const char *what, const char *cure)
{
	struct findings *f = ctx;

	if (good) {
		printf("ok       %s\n", what);
		return;
	}
	f->missing++;
	printf("missing  %s%s%s\n", what, cure && *cure ? ": " : "", cure ? cure : "");
}

static void look_ring(struct findings *f)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
	long fd = syscall(SYS_io_uring_setup, RING_ENTRIES, &params);
	int code = errno;
	char what[128];

	if (fd >= 0) {
		close((int)fd);
		say(f, true, "io_uring with single issuer and deferred task run", NULL);
		return;
	}
	(void)snprintf(what, sizeof what, "io_uring with single issuer and deferred task run (%s)",
		strerror(code));
	say(f, false, what,
		code == EPERM ? "sysctl kernel.io_uring_disabled=0, or allow it in this container"
			      : "a kernel of 6.1 or later");
}

static void look_limits(struct findings *f)
{
	struct rlimit limit = {0, 0};

	(void)getrlimit(RLIMIT_MEMLOCK, &limit);
	say(f, geteuid() == 0 || limit.rlim_max >= MEMLOCK_WANTED, "memory that may be locked",
		"raise ulimit -l, or run as root");
}

static void look_user(struct findings *f)
{
	const struct passwd *p = getpwuid(SPAWN_UID);
	char what[96];

	(void)snprintf(what, sizeof what, "user %d without rights, for replicas%s%s", SPAWN_UID,
		p ? ": " : " (has no name, which does no harm)", p ? p->pw_name : "");
	say(f, true, what, NULL);
}

static long sysctl_read(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%ld", &value) != 1)
		value = 0;
	(void)fclose(file);
	return value;
}

static void look_scheduler(struct findings *f)
{
	long runtime = sysctl_read("/proc/sys/kernel/sched_rt_runtime_us");
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	char what[96];

	(void)snprintf(what, sizeof what, "real-time throttling leaves room (%ld us in a second)",
		runtime);
	say(f, runtime < 0 || runtime >= 500000, what, "sysctl kernel.sched_rt_runtime_us=950000");
	(void)snprintf(what, sizeof what, "%ld cores (%d keep load and delays apart)", cores,
		CORES_WANTED);
	say(f, cores >= CORES_WANTED, what, "give this machine another core");
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	char *rest = copy;
	char *dir;
	bool found = false;

	while (rest && !found && (dir = strsep(&rest, ":"))) {
		char file[512];

		(void)snprintf(file, sizeof file, "%s/%s", dir, program);
		found = access(file, X_OK) == 0;
	}
	free(copy);
	return found;
}

static void look_witnesses(struct findings *f)
{
	static const struct {
		const char *program;
		const char *package;
	} tool[] = {{"ip", "iproute2"}, {"tc", "iproute2"}, {"ping", "iputils-ping"},
		{"tcpdump", "tcpdump"}, {"redis-cli", "redis-tools"}};

	for (size_t i = 0; i < sizeof tool / sizeof *tool; i++) {
		char what[64];
		char cure[64];

		(void)snprintf(what, sizeof what, "%s, to look for oneself", tool[i].program);
		(void)snprintf(cure, sizeof cure, "apt-get install %s", tool[i].package);
		say(f, in_path(tool[i].program), what, cure);
	}
}

/* Nothing of pacelab's own needs them, so what is absent here is not counted as missing. */
static void look_systems(struct findings *f)
{
	const struct system *s, *last = NULL;
	const struct err *broken;
	struct err why;
	unsigned absent = 0;

	for (unsigned i = 0; (broken = real_broken(i)); i++)
		say(f, false, broken->text, NULL);
	for (unsigned i = 0; (s = real_list(i)); last = s, i++) {
		if (last && strcmp(last->real->path, s->real->path) == 0)
			continue; /* a variant needs what its system needs */
		if (real_missing(s->real, &why) == 0) {
			printf("ok       %s, a real database\n", s->name);
			continue;
		}
		printf("absent   %s\n", why.text);
		absent += s->real->packages > 0;
	}
	if (absent > 0)
		printf("         scripts/deps.sh --systems installs what real databases need, and "
		       "starts none\n");
}

static void look_replica(struct findings *f)
{
	struct utsname name;
	char what[512];

	if (uname(&name) == 0) {
		(void)snprintf(what, sizeof what, "Linux %s %s", name.release, name.machine);
		say(f, strtol(name.release, NULL, 10) >= 6, what, "a kernel of 6.1 or later");
	}
}

static int doctor_main(const struct cmd_line *line, struct err *err)
{
	struct findings f = {.missing = 0};
	unsigned swept;

	(void)line;
	(void)err;
	say(&f, geteuid() == 0, "root", "sudo pacelab doctor");
	look_replica(&f);
	if (geteuid() == 0) {
		swept = names_sweep();
		if (swept)
			printf("swept    what %u dead lab%s had left\n", swept,
				swept > 1 ? "s" : "");
		fabric_probe_features(say, &f);
		look_scheduler(&f);
	}
	look_ring(&f);
	look_limits(&f);
	look_user(&f);
	look_witnesses(&f);
	look_systems(&f);
	return f.missing ? EXIT_CANNOT_RUN : EXIT_AS_EXPECTED;
}

const struct cmd doctor_cmd = {
	.name = "doctor",
	.args = "",
	.summary = "what this kernel and machine lack, and the cure",
	.help = "A real database that is absent here is said with what it needs; pacelab itself needs none.\n"
		"Exit status: 0 if nothing is missing, else 77.\n",
	.args_max = 0,
	.main = doctor_main,
};
