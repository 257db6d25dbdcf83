/* SPDX-License-Identifier: MIT */
/* check.c - pacelab check: judge histories from files */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/json.h"
#include "agent/base/units.h"
#include "agent/check/check.h"
#include "agent/check/pool.h"
#include "agent/cmd/check_auto.h"
#include "agent/cmd/check_print.h"
#include "agent/cmd/check_svg.h"
#include "agent/cmd/check_watch.h"
#include "agent/cmd/cmd.h"
#include "agent/cmd/format_option.h"
#include "agent/history/history.h"

#define CHECK_AUTO "auto" /* in place of a model: all */
#define CHECK_TIME_DEFAULT "60s"
/* Of what the machine has left; the rest is for others. */
#define CHECK_MEMORY_SHARE 0.75
/* Operations of a history take at least so much more memory than their file has bytes. */
#define CHECK_BYTES_PER_BYTE 0.25
/* What a checker takes per operation beside its history and beside what it limits itself. */
#define CHECK_BYTES_PER_OPERATION 300

enum { OPT_MODEL, OPT_TIME, OPT_MEMORY, OPT_JOBS, OPT_MEASURES, OPT_SVG, OPT_JSON, OPT_FROM };

static const struct cmd_option check_options[] = {
	[OPT_MODEL] = {"--model", "NAME",
		"what to check for, see 'list models' (the strongest for the kind of objects); "
		"auto: find the strongest models that were kept and the next that were broken"},
	[OPT_TIME] = {"--time", "DURATION",
		"give up on a file after this long (" CHECK_TIME_DEFAULT "; 0: never)"},
	[OPT_MEMORY] = {"--memory", "SIZE",
		"take no more memory than this (three quarters of what is free; 0: any)"},
	[OPT_JOBS] = {"--jobs", "N",
		"threads to judge the keys of registers with that are to be linearizable; all else takes "
		"one (one for each processor)"},
	[OPT_MEASURES] = {"--measures", NULL,
		"also tell how stale reads were, how soon writes were visible, what was lost"},
	[OPT_SVG] = {"--svg", "OUT", "also draw the witness of a violation into OUT"},
	[OPT_JSON] = {"--json", NULL, "print an array of verdicts as JSON"},
	[OPT_FROM] = {"--from", "FORMAT",
		"what the files are: " FORMAT_OPTION_NAMES " (by content)"},
	{NULL, NULL, NULL},
};

/* Shared with the process that judges. */
struct check_run {
	struct watch watch;
	char **file;
	unsigned files;
	int rc; /* what reading or judging a file failed with, and why */
	struct err err;
	struct json json_before;       /* as it was before the present file */
	const char *name;              /* of the model; NULL: the strongest for the type */
	const struct check_ops *model; /* of the present file */
	enum check_type type;          /* likewise */
	struct check_auto models;      /* likewise, if all models are asked for */
	struct check_budget budget;
	struct json json;
	bool all; /* models */
	bool measures;
	bool as_json;
	enum history_format from; /* HISTORY_FORMAT_NR: told by the content */
	const char *svg;
	bool violated;
	bool unknown;
};

/* In text, or as the last member of the file's object. */
static void print_measures(
	struct check_run *run, const struct history_ops *h, const struct check_names *names)
{
	struct check_lost lost;
	struct measures m;

	if (!run->measures)
		return;
	measures_take(h, names, &m);
	check_lost(h, names, &lost);
	if (!run->as_json) {
		check_measures_print(&m, &lost);
		return;
	}
	json_key(&run->json, "measures");
	check_measures_json(&run->json, &m, &lost);
}

/* "linearizable, sequential", the models for a type of objects. */
static const char *models_of(enum check_type type, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; check_list(i) && len < size; i++)
		if (check_list(i)->type == type)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "",
				check_list(i)->name);
	return out;
}

/* The model of the name that was asked for, for the type of objects that @h is about. */
static int check_choose(struct check_run *run, const struct history_ops *h, struct err *err)
{
	char known[512];
	int r = check_type_of(h, &run->type, err);

	if (r)
		return r;
	run->model = run->name && !run->all ? check_find(run->name, run->type)
					    : check_strongest(run->type);
	if (run->model)
		return 0;
	return err_usage(err, "no model '%s' for objects of type %s; known: %s",
		run->name ? run->name : CHECK_AUTO, check_type_names[run->type],
		models_of(run->type, known, sizeof known));
}

static int check_judge(struct check_run *run, const struct history_ops *h,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	const struct check_auto_model *shown;
	int r;

	if (!run->all) {
		r = run->model->check(h, &run->budget, names, ret, err);
		run->violated |= !r && ret->verdict == CHECK_VIOLATION;
		run->unknown |= !r && ret->verdict == CHECK_UNKNOWN;
		return r;
	}
	r = check_auto(h, run->type, &run->budget, names, &run->models, err);
	shown = check_auto_shown(&run->models);
	run->model = shown->ops;
	*ret = shown->result;
	/* To find out is what was asked for: only not to is no answer. */
	run->unknown |= ret->verdict == CHECK_UNKNOWN;
	return r;
}

/* The witness as a picture, if there is one and it is wanted. */
static int check_draw(
	const char *path, const struct check_run *run, struct svg *svg, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char title[SVG_TITLE_MAX];

	if (!run->svg || svg->result->verdict != CHECK_VIOLATION)
		return 0;
	(void)snprintf(
		title, sizeof title, "%s: not %s", slash ? slash + 1 : path, run->model->name);
	svg->title = title;
	return check_svg_write(svg, path, run->svg, err);
}

static int check_history(
	const char *path, struct check_run *run, const struct history_ops *h, struct err *err)
{
	/* Without the run's own log, time begins with the first operation. */
	struct check_names names = {.t0_ns = h->count > 0 ? h->op[0].t_invoke_ns : 0};
	struct check_result result;
	int r;

	r = check_choose(run, h, err);
	if (r)
		return err_wrap(err, "%s", path);
	r = check_judge(run, h, &names, &result, err);
	if (r)
		return err_wrap(err, "%s", path);
	if (run->as_json)
		check_print_json(&run->json, path, run->model->name, h, &result);
	else
		check_print_text(path, run->model->name, h, &result, names.t0_ns);
	if (run->all && run->as_json)
		check_auto_json(&run->json, &run->models);
	else if (run->all)
		check_auto_text(&run->models);
	print_measures(run, h, &names);
	if (run->as_json)
		json_object_end(&run->json);
	return check_draw(
		path, run, &(struct svg){.h = h, .names = &names, .result = &result}, err);
}

/* What is left for the checker once the history is in memory. */
static void check_limit(struct check_run *run, const struct history_ops *h, uint64_t begin_ns)
{
	uint64_t took_ns = clock_now_ns() - begin_ns;
	uint64_t taken = watch_own_bytes(0) + h->count * CHECK_BYTES_PER_OPERATION;
	uint64_t memory = run->watch.memory_bytes;

	run->budget.progress = &run->watch.progress;
	run->budget.time_ns = run->watch.time_ns;
	if (run->budget.time_ns)
		run->budget.time_ns -=
			took_ns < run->budget.time_ns ? took_ns : run->budget.time_ns - 1;
	run->budget.memory_bytes = memory;
	if (memory)
		run->budget.memory_bytes -= taken < memory ? taken : memory - 1;
}

/* A file that nobody has judged, and why. */
static void check_not_known(struct check_run *run, const char *path, const char *why)
{
	struct json *j = &run->json;

	run->unknown = true;
	if (!run->as_json) {
		printf("%s: not known%s%s: %s\n", path, run->name ? " whether " : "",
			run->name ? run->name : "", why);
		return;
	}
	json_object(j);
	json_key(j, "file");
	json_string(j, path);
	json_key(j, "result");
	json_string(j, check_verdict_names[CHECK_UNKNOWN]);
	json_key(j, "words");
	json_string(j, why);
	json_object_end(j);
}

static void check_outgrown(struct check_run *run, const char *path)
{
	char why[64];
	char text[32];

	(void)snprintf(why, sizeof why, "it needs more than %s of memory",
		units_print_memory(run->watch.memory_bytes, text, sizeof text));
	check_not_known(run, path, why);
}

static int check_file(const char *path, struct check_run *run, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	struct history_ops h;
	int r = history_read_as(&h, path, run->from, err);

	if (r)
		return r;
	/* Whoever watches may have looked away. */
	if (run->watch.memory_bytes && watch_own_bytes(0) > run->watch.memory_bytes) {
		check_outgrown(run, path);
	} else {
		check_limit(run, &h, begin_ns);
		r = check_history(path, run, &h, err);
	}
	history_ops_fini(&h);
	return r;
}

/* Not even the operations would find room. */
static bool check_too_big(struct check_run *run, const char *path)
{
	uint64_t memory = run->watch.memory_bytes;
	struct stat st;
	char why[128];
	char a[32];
	char b[32];

	if (!memory || stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
		(double)st.st_blocks * 512 * CHECK_BYTES_PER_BYTE < (double)memory)
		return false;
	(void)snprintf(why, sizeof why, "a file of %s does not fit into %s of memory",
		units_print_memory((uint64_t)st.st_size, a, sizeof a),
		units_print_memory(memory, b, sizeof b));
	check_not_known(run, path, why);
	return true;
}

/* In a process of its own: all files from the present one on, until one fails. */
static void check_files(void *ctx)
{
	struct check_run *run = ctx;

	for (unsigned i = atomic_load(&run->watch.item); i < run->files && !run->rc; i++) {
		run->json_before = run->json;
		watch_begin(&run->watch, i);
		if (!check_too_big(run, run->file[i]))
			run->rc = check_file(run->file[i], run, &run->err);
		watch_done(&run->watch);
	}
	atomic_store(&run->watch.item, run->files);
}

/* The file at which the process was ended; the next process goes on behind it. */
static void check_ended(struct check_run *run, enum watch_end end)
{
	unsigned i = atomic_load(&run->watch.item);
	char why[128];
	char text[32];

	if (end == WATCH_TIME)
		(void)snprintf(why, sizeof why, "it took longer than %s",
			units_print_duration(run->watch.time_ns, text, sizeof text));
	else
		(void)snprintf(why, sizeof why, "the process that judged it was killed");
	run->json = run->json_before;
	if (end == WATCH_MEMORY)
		check_outgrown(run, run->file[i]);
	else
		check_not_known(run, run->file[i], why);
	atomic_store(&run->watch.item, i + 1);
}

static int check_all(struct check_run *run, struct err *err)
{
	while (!run->rc && atomic_load(&run->watch.item) < run->files) {
		enum watch_end end = watch_run(&run->watch, check_files, run, err);

		if (end == WATCH_FAILED)
			return err->code;
		if (end != WATCH_DONE)
			check_ended(run, end);
	}
	if (run->rc)
		*err = run->err;
	return run->rc;
}

static int check_options_bounds(struct check_run *run, const struct cmd_line *line, struct err *err)
{
	const char *time = line->value[OPT_TIME] ? line->value[OPT_TIME] : CHECK_TIME_DEFAULT;
	const char *memory = line->value[OPT_MEMORY];
	const char *jobs = line->value[OPT_JOBS];
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t n = processors > 0 ? (uint64_t)processors : 1;

	if (units_parse_duration(time, &run->watch.time_ns, err))
		return err_wrap(err, "--time");
	run->watch.memory_bytes = (uint64_t)((double)watch_available_bytes() * CHECK_MEMORY_SHARE);
	if (memory && units_parse_memory(memory, &run->watch.memory_bytes, err))
		return err_wrap(err, "--memory");
	if (jobs && units_parse_count(jobs, 1, POOL_JOBS_MAX, &n, err))
		return err_wrap(err, "--jobs");
	run->budget.jobs = n < POOL_JOBS_MAX ? (unsigned)n : POOL_JOBS_MAX;
	return 0;
}

static int check_prepare(struct check_run *run, const struct cmd_line *line, struct err *err)
{
	*run = (struct check_run){
		.watch.show = isatty(STDERR_FILENO),
		.file = line->arg,
		.files = line->args,
		.name = line->value[OPT_MODEL],
		.all = line->value[OPT_MODEL] && strcmp(line->value[OPT_MODEL], CHECK_AUTO) == 0,
		.measures = line->value[OPT_MEASURES] != NULL,
		.as_json = line->value[OPT_JSON] != NULL,
		.svg = line->value[OPT_SVG],
	};
	if (run->name && !run->all && !check_known(run->name))
		return err_usage(
			err, "--model: unknown model '%s': see 'pacelab list models'", run->name);
	if (run->svg && line->args > 1)
		return err_usage(err, "--svg: one witness can be drawn, not %u", line->args);
	if (format_option("--from", line->value[OPT_FROM], &run->from, err))
		return err->code;
	return check_options_bounds(run, line, err);
}

static int check_main(const struct cmd_line *line, struct err *err)
{
	struct check_run *run = watch_new(sizeof *run);
	int r = check_prepare(run, line, err);

	if (r)
		return err->status;
	json_init(&run->json, stdout);
	if (run->as_json)
		json_array(&run->json);
	r = check_all(run, err);
	if (run->as_json)
		json_array_end(&run->json);
	if (r)
		return err->status;
	return run->violated ? EXIT_VIOLATED : run->unknown ? EXIT_INCONCLUSIVE : EXIT_AS_EXPECTED;
}

const struct cmd check_cmd = {
	.name = "check",
	.args = "FILE...",
	.summary = "judge histories: history.bin, JSON lines, Jepsen's events",
	.help = "Prints for each file the verdict and, for a violation, the few operations that prove\n"
		"it. Times count from the first operation.\n"
		"Exit status: 0 all fit the model, 1 one does not, 2 one could not be judged. With\n"
		"--model auto no model is asked for: 0 whatever was broken, 2 if nothing was found out.\n",
	.args_min = 1,
	.args_max = CMD_ARGS_ANY,
	.option = check_options,
	.main = check_main,
};
