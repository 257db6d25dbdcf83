/* SPDX-License-Identifier: MIT */
/* comparison.c - one lab on several stores, one after the other, as a table */
#include "agent/cmd/comparison.h"

#include <assert.h>
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

#include "agent/base/buf.h"
#include "agent/base/units.h"
#include "agent/lab/real.h"
#include "agent/lab/stores.h"
#include "agent/report/compare_html.h"
#include "agent/report/spread.h"
#include "agent/sim/lab.h"

#define RUN_ARGS_MAX 64
#define NUMBERED_MAX 1000
#define TRIES_MAX 10
#define EXIT_SIGNALLED 128
#define DIR_NAME_MAX 96
#define MISSING_WHY_MAX 512
#define STORES_TEXT_MAX 4096

/* A run, for CI: where it is below the comparison's folder, or why it has no result. */
struct told {
	const struct system *store;
	char dir[DIR_NAME_MAX];
	char why[MISSING_WHY_MAX];
};

/**
 * struct comparison - what is compared, and what is known so far
 * @dir:	of the comparison, as a person would type it
 * @costs:	of the machine, once store single has shown them; or ""
 * @seed:	of the first run of each store
 * @run:	results of the store at work
 * @rows:	of @store that have a result, in the same order; of several runs the median
 */
struct comparison {
	const struct comparison_wish *wish;
	FILE *out;
	const struct system *store[COMPARISON_STORES_MAX];
	unsigned stores;
	char dir[OUTDIR_PATH_MAX];
	char costs[SUMMARY_COSTS_MAX];
	uint64_t seed;
	uint64_t repeat;
	struct summary run[COMPARISON_REPEAT_MAX];
	unsigned runs;
	const struct system *of[COMPARISON_STORES_MAX];
	struct summary row[COMPARISON_STORES_MAX];
	struct spread spread[COMPARISON_STORES_MAX];
	unsigned rows;
	uint64_t tries;
	struct buf told;  /* of struct told */
	struct buf left;  /* of struct told: left out, since they cannot run here */
	unsigned missing; /* runs without a result */
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

static int take_store(struct comparison *c, const struct system *system, struct err *err)
{
	/* By name: their folders are called so. */
	for (unsigned i = 0; i < c->stores; i++)
		if (strcmp(c->store[i]->name, system->name) == 0)
			return err_usage(err, "--stores: '%s' is there twice", system->name);
	if (c->stores == COMPARISON_STORES_MAX)
		return err_usage(err, "--stores: more than %d", COMPARISON_STORES_MAX);
	c->store[c->stores++] = system;
	return 0;
}

static const char *time_scale_of(const struct comparison *c, const struct system *store)
{
	return c->wish->quick_scale && !store->real ? c->wish->quick_scale
						    : c->wish->plan.time_scale;
}

/* What would fail in each run is said before the first one. */
static int try_store(struct comparison *c, const struct system *system, struct err *err)
{
	struct plan_options wish = c->wish->plan;
	struct plan *plan = NULL;
	int rc = system->real ? real_missing(system->real, err) : 0;

	wish.store = stores_name(system);
	wish.time_scale = time_scale_of(c, system);
	if (!rc)
		rc = plan_load(&plan, c->wish->lab, &wish, err);
	if (!rc)
		rc = plan_refuse_real(plan, err);
	if (!rc && c->wish->simulate)
		rc = lab_refuse(plan, err);
	if (!rc)
		c->seed = plan->seed;
	plan_free(plan);
	return rc;
}

static int try_stores(struct comparison *c, struct err *err)
{
	for (unsigned i = 0; i < c->stores; i++)
		if (try_store(c, c->store[i], err))
			return err_wrap(err, "store %s", c->store[i]->name);
	return 0;
}

static void leave_out(struct comparison *c, const struct system *store, const struct err *why)
{
	struct told told = {.store = store};

	(void)snprintf(told.why, sizeof told.why, "%.*s", MISSING_WHY_MAX - 1, why->text);
	(void)fprintf(c->out, "left out: %s: %s\n", store->name, why->text);
	buf_add(&c->left, &told, sizeof told);
}

/* All real databases that this machine and this lab can run; of the others it is said why not. */
static int take_real(struct comparison *c, struct err *err)
{
	unsigned before = c->stores;
	struct err why = {.code = 0};
	const struct err *broken;
	const struct system *s;
	int rc = 0;

	for (unsigned i = 0; !rc && (s = real_list(i)); i++) {
		if (try_store(c, s, &why) == 0)
			rc = take_store(c, s, err);
		else
			leave_out(c, s, &why);
	}
	for (unsigned i = 0; !rc && (broken = real_broken(i)); i++)
		(void)fprintf(c->out, "left out: %s\n", broken->text);
	if (!rc && c->stores == before)
		return err_set(err, -ENOENT, EXIT_CANNOT_RUN,
			"--stores real: none of them can run here: 'pacelab doctor' says why");
	return rc;
}

/* A name, or one that stands for several. */
static int take_name(struct comparison *c, const char *name, struct err *err)
{
	const struct system *system;
	int rc = 0;

	if (strcmp(name, "real") == 0)
		return take_real(c, err);
	if (strcmp(name, "all") == 0) {
		for (unsigned i = 0; !rc && system_list(i); i++)
			rc = take_store(c, system_list(i), err);
		return rc;
	}
	system = stores_find(name, err);
	return system ? take_store(c, system, err) : err_wrap(err, "--stores");
}

static int take_stores(struct comparison *c, const char *names, struct err *err)
{
	char copy[STORES_TEXT_MAX];
	char *at = copy;
	char *name;
	int rc = 0;

	if (!names)
		return err_usage(err,
			"which stores? --stores raft,cassandra-one, --stores all, or --stores real");
	if (strlen(names) >= sizeof copy)
		return err_usage(err, "--stores: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", names);
	while (!rc && (name = strsep(&at, ", ")))
		rc = name[0] ? take_name(c, name, err) : 0;
	if (!rc && c->stores == 0)
		return err_usage(err, "--stores: no name of a store");
	return rc;
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

/* What the machine adds: as was said, or as was measured; NULL: as usual. */
static const char *costs_of(const struct comparison *c)
{
	if (c->wish->costs)
		return c->wish->costs;
	return c->costs[0] ? c->costs : NULL;
}

/* The words of `pacelab run` for it, ended by NULL. */
static void run_words(const struct comparison *c, const struct system *store, const char *seed,
	const char *dir, const char *argv[RUN_ARGS_MAX])
{
	const struct plan_options *plan = &c->wish->plan;
	const struct {
		const char *name;
		const char *value;
	} passed[] = {{"--store", stores_name(store)}, {"--results", dir}, {"--seed", seed},
		{"--set", plan->set}, {"--leader", plan->leader}, {"--emulator", plan->emulator},
		{"--rate", plan->rate}, {"--time-scale", time_scale_of(c, store)},
		{"--warmup", plan->warmup}, {"--profiles", plan->profiles},
		{"--matrix", plan->matrix}, {"--name", c->wish->lab_name},
		{"--costs", costs_of(c)}};
	unsigned n = 0;

	argv[n++] = "pacelab";
	argv[n++] = "run";
	argv[n++] = c->wish->lab;
	argv[n++] = "--models";
	argv[n++] = "--quiet";
	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
		if (!passed[i].value)
			continue;
		argv[n++] = passed[i].name;
		argv[n++] = passed[i].value;
	}
	if (c->wish->simulate)
		argv[n++] = "--simulate";
	for (unsigned i = 0; c->wish->pass && c->wish->pass[i] && n < RUN_ARGS_MAX - 1; i++)
		argv[n++] = c->wish->pass[i];
	argv[n] = NULL;
}

/* In the child: the run takes the place of this process. */
static void run_exec(
	const struct comparison *c, const struct system *store, const char *seed, const char *dir)
{
	const char *argv[RUN_ARGS_MAX];
	char path[OUTDIR_FILE_MAX + 64];
	int fd;

	run_words(c, store, seed, dir, argv);
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
	struct told told = {.store = store, .why = "it said nothing"};
	char path[OUTDIR_FILE_MAX + 64];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s.txt", dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (line[strspn(line, " \n")])
			(void)snprintf(told.why, sizeof told.why, "%s", line);
	if (f)
		(void)fclose(f);
	told.why[strcspn(told.why, "\n")] = '\0';
	(void)fprintf(c->out, "  %-18s no result: %s\n", store->name, told.why);
	buf_add(&c->told, &told, sizeof told);
	c->missing++;
}

static void take_run(struct comparison *c, const struct system *store, const char *dir)
{
	struct told told = {.store = store};

	c->runs++;
	(void)snprintf(told.dir, sizeof told.dir, "%s", dir + strlen(c->dir) + 1);
	buf_add(&c->told, &told, sizeof told);
}

/* What the runs of a store came to. */
static void take_row(struct comparison *c, const struct system *store)
{
	struct summary *row = &c->row[c->rows];

	if (c->runs == 0)
		return;
	c->of[c->rows] = store;
	if (c->repeat > 1)
		spread_of(c->run, c->runs, row, &c->spread[c->rows]);
	else
		*row = c->run[0];
	c->rows++;
	/* The stores that come next are simulated on the machine that this one has shown. */
	if (c->wish->simulate && c->run[0].local_costs[0])
		(void)snprintf(c->costs, sizeof c->costs, "%s", c->run[0].local_costs);
	c->wish->table->row(store, row, c->out);
	(void)fflush(c->out);
}

/* "dir/raft", of several runs "dir/raft/seed-7"; behind it stands which try it is. */
static int base_dir(struct comparison *c, const struct system *store, const char *seed, char *ret,
	size_t size, struct err *err)
{
	(void)snprintf(ret, size, "%s/%s", c->dir, store->name);
	if (c->repeat == 1)
		return 0;
	if (mkdir(ret, 0700) && errno != EEXIST)
		return err_sys(err, -errno, "make %s", ret);
	(void)snprintf(ret, size, "%s/%s/seed-%s", c->dir, store->name, seed);
	return 0;
}

/*
 * The folder for the next run in @base; one that is there already, and from which something was
 * concluded, is taken as its result. Return: 1 if it was, 0, or a negative errno.
 */
static int find_dir(struct comparison *c, const struct system *store, const char *base,
	char ret[OUTDIR_FILE_MAX], struct err *err)
{
	char path[OUTDIR_FILE_MAX + 64];

	for (unsigned i = 1; i < NUMBERED_MAX; i++) {
		struct summary *s = &c->run[c->runs];

		(void)snprintf(ret, OUTDIR_FILE_MAX, i > 1 ? "%s-%u" : "%s", base, i);
		if (access(ret, F_OK))
			return 0;
		(void)snprintf(path, sizeof path, "%s/results.json", ret);
		if (access(path, R_OK))
			continue;
		if (summary_read(s, path, err))
			return -EBADMSG;
		if (s->status == EXIT_INCONCLUSIVE)
			continue;
		take_run(c, store, ret);
		return 1;
	}
	return err_usage(err, "%s: %d runs without a conclusion", base, NUMBERED_MAX);
}

/* Return: 1 with the result in @ret, 0 if there is none, or a negative errno. */
static int run_in(struct comparison *c, const struct system *store, const char *seed,
	const char *dir, struct summary *ret, struct err *err)
{
	char path[OUTDIR_FILE_MAX + 64];
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return err_sys(err, -errno, "start a run");
	if (pid == 0)
		run_exec(c, store, seed, dir);
	run_pid = pid;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	run_pid = 0;
	(void)snprintf(path, sizeof path, "%s/results.json", dir);
	if (signalled || access(path, R_OK))
		return 0;
	return summary_read(ret, path, err) ? -EBADMSG : 1;
}

/* One run, or one for each try. */
static int run_seed(
	struct comparison *c, const struct system *store, uint64_t number, struct err *err)
{
	struct summary *s = &c->run[c->runs];
	char base[OUTDIR_FILE_MAX - 16];
	char dir[OUTDIR_FILE_MAX];
	char seed[24];
	int there = 0;

	(void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)number);
	if (base_dir(c, store, seed, base, sizeof base, err))
		return -EIO;
	for (uint64_t i = 0; i < c->tries && !signalled; i++) {
		int rc = find_dir(c, store, base, dir, err);

		if (rc)
			return rc < 0 ? rc : 0;
		there = run_in(c, store, seed, dir, s, err);
		if (there <= 0 || s->status != EXIT_INCONCLUSIVE)
			break;
	}
	if (there > 0)
		take_run(c, store, dir);
	else if (!there && !signalled)
		take_failure(c, store, dir);
	return there < 0 ? there : 0;
}

static int run_store(struct comparison *c, const struct system *store, struct err *err)
{
	int rc = 0;

	c->runs = 0;
	for (uint64_t i = 0; i < c->repeat && !rc && !signalled; i++)
		rc = run_seed(c, store, c->seed + i, err);
	/* A row of fewer runs than were asked for because of a signal would be taken for whole. */
	if (!rc && (!signalled || c->runs == c->repeat))
		take_row(c, store);
	return rc;
}

static int run_all(struct comparison *c, struct err *err)
{
	bool shown = isatty(STDERR_FILENO);
	int rc = 0;

	(void)fprintf(
		c->out, "lab %s, %u store%s", c->wish->lab, c->stores, c->stores == 1 ? "" : "s");
	if (c->repeat > 1)
		(void)fprintf(c->out, ", each %llu times", (unsigned long long)c->repeat);
	(void)fprintf(c->out, ", results in %s\n\n", c->dir);
	c->wish->table->head(c->out);
	for (unsigned i = 0; i < c->stores && !rc && !signalled; i++) {
		if (shown)
			(void)fprintf(stderr, "  %s, %u of %u ...\r", c->store[i]->name, i + 1,
				c->stores);
		rc = run_store(c, c->store[i], err);
	}
	return rc;
}

/* To be freed; they borrow the texts. */
static struct compare_run *runs_of(const struct buf *b, unsigned *ret_n)
{
	const struct told *told = (const struct told *)(const void *)b->p;
	size_t n = b->len / sizeof *told;
	struct compare_run *run = calloc(n + 1, sizeof *run);

	assert(run);
	for (size_t i = 0; i < n; i++)
		run[i] = (struct compare_run){.system = told[i].store,
			.dir = told[i].why[0] ? NULL : told[i].dir,
			.why = told[i].why[0] ? told[i].why : NULL};
	*ret_n = (unsigned)n;
	return run;
}

/* For programs and spreadsheets, the page, and what CI reads. */
static int keep(const struct comparison *c, const struct compare_page *page, struct err *err)
{
	static const struct {
		const char *ending;
		void (*print)(const struct compare_page *p, FILE *out);
	} kept[] = {{"json", compare_json}, {"csv", compare_csv}};
	int rc;

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		char path[OUTDIR_FILE_MAX + 64];
		FILE *f;

		(void)snprintf(
			path, sizeof path, "%s/%s.%s", c->dir, c->wish->name, kept[i].ending);
		f = fopen(path, "we");
		if (!f)
			return err_sys(err, -errno, "write %s", path);
		kept[i].print(page, f);
		if (fclose(f))
			return err_sys(err, -errno, "write %s", path);
	}
	rc = compare_html_write(page, err);
	if (!rc)
		rc = ci_compared(&c->wish->ci, page, err);
	if (!rc)
		(void)fprintf(c->out, "\n  report %s/" COMPARE_HTML_FILE "\n", c->dir);
	return rc;
}

static void tell_simulated(const struct comparison *c)
{
	(void)fputc('\n', c->out);
	if (costs_of(c))
		(void)fprintf(c->out, "  the simulations' --costs: %s%s\n", costs_of(c),
			c->wish->costs ? "" : ", measured with store single");
	compare_simulated.head(c->out);
	for (unsigned i = 0; i < c->rows; i++)
		compare_simulated.row(c->of[i], &c->row[i], c->out);
}

/* The sentences, and what programs want. */
static int conclude(const struct comparison *c, struct err *err)
{
	/* Its name, which its script says; only without any result its path has to do. */
	struct compare_page page = {.lab = c->rows ? c->row[0].lab : c->wish->lab,
		.dir = c->dir,
		.seed = c->seed,
		.system = c->of,
		.row = c->row,
		.rows = c->rows};
	struct compare_run *run = runs_of(&c->told, &page.runs);
	struct compare_run *left = runs_of(&c->left, &page.lefts);
	int rc;

	page.run = run;
	page.left = left;
	for (const struct compare_table *t = c->wish->table->more; t; t = t->more) {
		t->head(c->out);
		for (unsigned i = 0; i < c->rows; i++)
			t->row(c->of[i], &c->row[i], c->out);
	}
	if (compare_databases_in(c->of, c->rows)) {
		compare_databases.head(c->out);
		for (unsigned i = 0; i < c->rows; i++)
			compare_databases.row(c->of[i], &c->row[i], c->out);
	}
	(void)fputc('\n', c->out);
	for (unsigned i = 0; i < c->rows && c->repeat > 1; i++)
		spread_print(c->of[i]->name, &c->row[i], c->out);
	for (unsigned i = 0; i < c->rows; i++)
		compare_note(c->of[i], &c->row[i], c->out);
	if (c->wish->simulate)
		tell_simulated(c);
	if (c->wish->json)
		compare_json(&page, stdout);
	rc = keep(c, &page, err);
	free(run);
	free(left);
	return rc;
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
	c->repeat = 1;
	if (c->wish->tries && units_parse_count(c->wish->tries, 1, TRIES_MAX, &c->tries, err)) {
		(void)err_wrap(err, "--tries");
		return EXIT_USAGE;
	}
	if (c->wish->repeat &&
		units_parse_count(c->wish->repeat, 1, COMPARISON_REPEAT_MAX, &c->repeat, err)) {
		(void)err_wrap(err, "--repeat");
		return EXIT_USAGE;
	}
	if (ci_try(&c->wish->ci, err) || take_stores(c, c->wish->stores, err) || try_stores(c, err))
		return (int)err->status;
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
	buf_fini(&c->told);
	buf_fini(&c->left);
	free(c);
	return status;
}
