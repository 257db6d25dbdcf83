/* SPDX-License-Identifier: MIT */
/* comparison.c - one lab on several stores, one after the other, as a table */
#include "agent/cmd/comparison.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/units.h"
#include "agent/lab/near.h"
#include "agent/lab/plan.h"

#define RUN_ARGS_MAX 32
#define NUMBERED_MAX 1000
#define TRIES_MAX 10
#define EXIT_SIGNALLED 128
#define DIR_NAME_MAX 64
#define MISSING_WHY_MAX 512

/* A store without a result: the last line of its run. */
struct missing {
	const struct system *store;
	char why[MISSING_WHY_MAX];
};

/**
 * struct comparison - what is compared, and what is known so far
 * @dir:	of the comparison, as a person would type it
 * @rows:	of @store that have a result, in the same order
 */
struct comparison {
	const struct comparison_wish *wish;
	FILE *out;
	const struct system *store[COMPARISON_STORES_MAX];
	unsigned stores;
	char dir[OUTDIR_PATH_MAX];
	const struct system *of[COMPARISON_STORES_MAX];
	struct summary row[COMPARISON_STORES_MAX];
	unsigned rows;
	char dir_of[COMPARISON_STORES_MAX][DIR_NAME_MAX]; /* of each row, below the comparison's */
	struct missing missing_run[COMPARISON_STORES_MAX];
	uint64_t tries;
	unsigned missing; /* stores whose run has no result */
};

/* Signals come to the run, too, or are passed on; it cleans up, and then so do we. */
static volatile sig_atomic_t signalled;
static volatile sig_atomic_t run_pid;

static void on_signal(int sig)
{
	signalled = sig;
	if (run_pid > 0)
		(void)kill((pid_t)run_pid, sig);
}

static int take_store(struct comparison *c, const char *name, struct err *err)
{
	const struct system *system = system_find(name);
	struct near near = near_to(name);
	char hint[96];

	for (unsigned i = 0; i < c->stores; i++)
		if (c->store[i] == system)
			return err_usage(err, "--stores: '%s' is there twice", name);
	if (c->stores == COMPARISON_STORES_MAX)
		return err_usage(err, "--stores: more than %d", COMPARISON_STORES_MAX);
	if (system) {
		c->store[c->stores++] = system;
		return 0;
	}
	for (unsigned i = 0; system_list(i); i++)
		near_offer(&near, system_list(i)->name);
	return err_usage(err, "--stores: there is no store '%s'%s; 'pacelab list systems' has them",
		name, near_text(&near, hint, sizeof hint));
}

static int take_stores(struct comparison *c, const char *names, struct err *err)
{
	char copy[1024];
	char *at = copy;
	char *name;
	int rc = 0;

	if (!names)
		return err_usage(err, "which stores? --stores raft,cassandra-one, or --stores all");
	for (unsigned i = 0; strcmp(names, "all") == 0 && !rc && system_list(i); i++)
		rc = take_store(c, system_list(i)->name, err);
	if (strcmp(names, "all") == 0)
		return rc;
	if (strlen(names) >= sizeof copy)
		return err_usage(err, "--stores: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", names);
	while (!rc && (name = strsep(&at, ", ")))
		rc = name[0] ? take_store(c, name, err) : 0;
	if (!rc && c->stores == 0)
		return err_usage(err, "--stores: no name of a store");
	return rc;
}

/* What would fail in each run is said before the first one. */
static int try_plans(const struct comparison *c, struct err *err)
{
	for (unsigned i = 0; i < c->stores; i++) {
		struct plan_options wish = {.store = c->store[i]->name,
			.seed = c->wish->seed,
			.emulator = c->wish->emulator,
			.rate = c->wish->rate,
			.time_scale = c->wish->time_scale};
		struct plan *plan;

		if (plan_load(&plan, c->wish->lab, &wish, err))
			return err_wrap(err, "store %s", c->store[i]->name);
		plan_free(plan);
	}
	return 0;
}

static int make_dir(struct comparison *c, struct err *err)
{
	const char *want = c->wish->results;
	const char *lab = strrchr(c->wish->lab, '/');
	int len;

	lab = lab ? lab + 1 : c->wish->lab;
	len = (int)strcspn(lab, ".");
	if (!want && c->wish->resume)
		return err_usage(err, "--resume: which one? --results DIR says it");
	if (want) {
		(void)snprintf(c->dir, sizeof c->dir, "%s", want);
		if (mkdir(c->dir, 0700) == 0 || (errno == EEXIST && c->wish->resume))
			return 0;
		return err_set(err, -errno, EXIT_USAGE, "--results %s: %s%s", want, strerror(errno),
			errno == EEXIST ? "; --resume keeps the runs that are there" : "");
	}
	if (mkdir(OUTDIR_BASE, 0700) && errno != EEXIST)
		return err_sys(err, -errno, "make %s", OUTDIR_BASE);
	for (unsigned i = 1; i < NUMBERED_MAX; i++) {
		(void)snprintf(c->dir, sizeof c->dir, i > 1 ? "%s/%s-%.*s-%u" : "%s/%s-%.*s",
			OUTDIR_BASE, c->wish->name, len, lab, i);
		if (mkdir(c->dir, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return err_sys(err, -errno, "make %s", c->dir);
}

/* In the child: the run takes the place of this process. */
static void run_exec(const struct comparison *c, const struct system *store, const char *dir)
{
	const struct {
		const char *name;
		const char *value;
	} passed[] = {{"--seed", c->wish->seed}, {"--emulator", c->wish->emulator},
		{"--rate", c->wish->rate}, {"--time-scale", c->wish->time_scale},
		{"--name", c->wish->lab_name}, {"--costs", c->wish->costs}};
	const char *argv[RUN_ARGS_MAX] = {"pacelab", "run", c->wish->lab, "--store", store->name,
		"--results", dir, "--models", "--quiet"};
	char path[OUTDIR_FILE_MAX + 64];
	unsigned n = 9;
	int fd;

	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
		if (!passed[i].value)
			continue;
		argv[n++] = passed[i].name;
		argv[n++] = passed[i].value;
	}
	if (c->wish->simulate)
		argv[n++] = "--simulate";
	(void)snprintf(path, sizeof path, "%s.txt", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(EXIT_INTERNAL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)execv("/proc/self/exe", (char *const *)argv);
	_exit(EXIT_INTERNAL);
}

/* The run's last line of output: why it has no result. */
static void take_failure(struct comparison *c, const struct system *store, const char *dir)
{
	char line[MISSING_WHY_MAX] = "";
	struct missing *missing = &c->missing_run[c->missing++];
	char path[OUTDIR_FILE_MAX + 64];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s.txt", dir);
	*missing = (struct missing){.store = store, .why = "it said nothing"};
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (line[strspn(line, " \n")])
			(void)snprintf(missing->why, sizeof missing->why, "%s", line);
	if (f)
		(void)fclose(f);
	missing->why[strcspn(missing->why, "\n")] = '\0';
	(void)fprintf(c->out, "  %-18s no result: %s\n", store->name, missing->why);
}

static void take_row(
	struct comparison *c, const struct system *store, const char *dir, const struct summary *s)
{
	(void)snprintf(c->dir_of[c->rows], DIR_NAME_MAX, "%s", strrchr(dir, '/') + 1);
	c->of[c->rows] = store;
	c->row[c->rows++] = *s;
	c->wish->table->row(store, s, c->out);
	(void)fflush(c->out);
}

/*
 * The folder for the next run of @store; one that is there already, and from which something was
 * concluded, is taken as its result. Return: 1 if it was, 0, or a negative errno.
 */
static int find_dir(
	struct comparison *c, const struct system *store, char *ret, size_t size, struct err *err)
{
	char path[OUTDIR_FILE_MAX + 64];
	struct summary s;

	for (unsigned i = 1; i < NUMBERED_MAX; i++) {
		(void)snprintf(ret, size, i > 1 ? "%s/%s-%u" : "%s/%s", c->dir, store->name, i);
		if (access(ret, F_OK))
			return 0;
		(void)snprintf(path, sizeof path, "%s/results.json", ret);
		if (access(path, R_OK))
			continue;
		if (summary_read(&s, path, err))
			return -EBADMSG;
		if (s.status == EXIT_INCONCLUSIVE)
			continue;
		take_row(c, store, ret, &s);
		return 1;
	}
	return err_usage(err, "%s: %d runs without a conclusion", store->name, NUMBERED_MAX);
}

/* Return: 1 with the result in @ret, 0 if there is none, or a negative errno. */
static int run_in(struct comparison *c, const struct system *store, const char *dir,
	struct summary *ret, struct err *err)
{
	char path[OUTDIR_FILE_MAX + 64];
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return err_sys(err, -errno, "start a run");
	if (pid == 0)
		run_exec(c, store, dir);
	run_pid = pid;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	run_pid = 0;
	(void)snprintf(path, sizeof path, "%s/results.json", dir);
	if (signalled || access(path, R_OK))
		return 0;
	return summary_read(ret, path, err) ? -EBADMSG : 1;
}

static int run_store(struct comparison *c, const struct system *store, struct err *err)
{
	char dir[OUTDIR_FILE_MAX];
	struct summary s;
	int there = 0;

	for (uint64_t i = 0; i < c->tries && !signalled; i++) {
		int rc = find_dir(c, store, dir, sizeof dir, err);

		if (rc)
			return rc < 0 ? rc : 0;
		there = run_in(c, store, dir, &s, err);
		if (there <= 0 || s.status != EXIT_INCONCLUSIVE)
			break;
	}
	if (there > 0)
		take_row(c, store, dir, &s);
	else if (!there && !signalled)
		take_failure(c, store, dir);
	return there < 0 ? there : 0;
}

static int run_all(struct comparison *c, struct err *err)
{
	bool shown = isatty(STDERR_FILENO);
	int rc = 0;

	(void)fprintf(c->out, "lab %s, %u store%s, results in %s\n\n", c->wish->lab, c->stores,
		c->stores == 1 ? "" : "s", c->dir);
	c->wish->table->head(c->out);
	for (unsigned i = 0; i < c->stores && !rc && !signalled; i++) {
		if (shown)
			(void)fprintf(stderr, "  %s, %u of %u ...\r", c->store[i]->name, i + 1,
				c->stores);
		rc = run_store(c, c->store[i], err);
	}
	return rc;
}

/* What CI reads: of each run its own file, and what ended without one. */
static int tell_ci(const struct comparison *c, struct err *err)
{
	struct ci_store store[COMPARISON_STORES_MAX] = {{0}};
	const struct ci_comparison all = {.lab = c->wish->lab,
		.dir = c->dir,
		.system = c->of,
		.row = c->row,
		.rows = c->rows,
		.store = store,
		.stores = c->rows + c->missing};

	for (unsigned i = 0; i < c->rows; i++)
		store[i] = (struct ci_store){.name = c->of[i]->name, .dir = c->dir_of[i]};
	for (unsigned i = 0; i < c->missing; i++)
		store[c->rows + i] = (struct ci_store){
			.name = c->missing_run[i].store->name, .why = c->missing_run[i].why};
	return ci_compared(&c->wish->ci, &all, err);
}

static void tell_simulated(const struct comparison *c)
{
	(void)fputc('\n', c->out);
	compare_simulated.head(c->out);
	for (unsigned i = 0; i < c->rows; i++)
		compare_simulated.row(c->of[i], &c->row[i], c->out);
}

/* The sentences, and what programs want. */
static int conclude(const struct comparison *c, struct err *err)
{
	static const struct {
		const char *ending;
		void (*print)(const struct system *const *system, const struct summary *s,
			unsigned n, FILE *out);
	} kept[] = {{"json", compare_json}, {"csv", compare_csv}};

	(void)fputc('\n', c->out);
	for (unsigned i = 0; i < c->rows; i++)
		compare_note(c->of[i], &c->row[i], c->out);
	if (c->wish->simulate)
		tell_simulated(c);
	if (c->wish->json)
		compare_json(c->of, c->row, c->rows, stdout);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		char path[OUTDIR_FILE_MAX + 64];
		FILE *f;

		(void)snprintf(
			path, sizeof path, "%s/%s.%s", c->dir, c->wish->name, kept[i].ending);
		f = fopen(path, "we");
		if (!f)
			return err_sys(err, -errno, "write %s", path);
		kept[i].print(c->of, c->row, c->rows, f);
		if (fclose(f))
			return err_sys(err, -errno, "write %s", path);
	}
	return tell_ci(c, err);
}

/* The worst of all: a broken claim before no conclusion before as claimed. */
static int status_of(const struct comparison *c)
{
	bool open = c->missing > 0;

	for (unsigned i = 0; i < c->rows; i++) {
		if (c->row[i].status == EXIT_VIOLATED)
			return EXIT_VIOLATED;
		open = open || c->row[i].status != EXIT_AS_EXPECTED;
	}
	return open ? EXIT_INCONCLUSIVE : EXIT_AS_EXPECTED;
}

static int compare_stores(struct comparison *c, struct err *err)
{
	static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction act = {.sa_handler = on_signal};

	c->tries = 1;
	if (c->wish->tries && units_parse_count(c->wish->tries, 1, TRIES_MAX, &c->tries, err)) {
		(void)err_wrap(err, "--tries");
		return EXIT_USAGE;
	}
	if (ci_try(&c->wish->ci, err) || take_stores(c, c->wish->stores, err) || try_plans(c, err))
		return EXIT_USAGE;
	if (make_dir(c, err))
		return (int)err->status;
	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
		(void)sigaction(passed_on[i], &act, NULL);
	if (run_all(c, err) || conclude(c, err))
		return (int)err->status;
	if (signalled) {
		(void)fprintf(stderr,
			"pacelab: interrupted by SIG%s after %u of %u stores; go on with --resume "
			"--results %s\n",
			sigabbrev_np(signalled), c->rows, c->stores, c->dir);
		return EXIT_SIGNALLED + signalled;
	}
	return status_of(c);
}

int comparison(const struct comparison_wish *wish, struct err *err)
{
	struct comparison *c = calloc(1, sizeof *c);
	int status;

	if (!c) {
		(void)err_sys(err, -ENOMEM, "compare");
		return EXIT_INTERNAL;
	}
	c->wish = wish;
	c->out = wish->json ? stderr : stdout;
	status = compare_stores(c, err);
	free(c);
	return status;
}
