/* SPDX-License-Identifier: MIT */
/* check.c - pacelab check: judge histories from files */
#include <stdio.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/base/units.h"
#include "agent/check/check.h"
#include "agent/cmd/check_print.h"
#include "agent/cmd/check_svg.h"
#include "agent/cmd/cmd.h"
#include "agent/cmd/format_option.h"
#include "agent/history/history.h"

#define CHECK_MEMORY_BYTES (4ull << 30)
#define CHECK_TIME_DEFAULT "60s"

enum { OPT_MODEL, OPT_TIME, OPT_MEASURES, OPT_SVG, OPT_JSON, OPT_FROM };

static const struct cmd_option check_options[] = {
	[OPT_MODEL] = {"--model", "NAME",
		"what to check for (the strongest model for the kind of objects)"},
	[OPT_TIME] = {"--time", "DURATION",
		"give up on a file after this long (" CHECK_TIME_DEFAULT "; 0: never)"},
	[OPT_MEASURES] = {"--measures", NULL,
		"also tell how stale reads were, how soon writes were visible, what was lost"},
	[OPT_SVG] = {"--svg", "OUT", "also draw the witness of a violation into OUT"},
	[OPT_JSON] = {"--json", NULL, "print an array of verdicts as JSON"},
	[OPT_FROM] = {"--from", "FORMAT",
		"what the files are: " FORMAT_OPTION_NAMES " (by content)"},
	{NULL, NULL, NULL},
};

struct check_run {
	const char *name;              /* of the model; NULL: the strongest for the type */
	const struct check_ops *model; /* of the present file */
	struct check_budget budget;
	struct json json;
	bool measures;
	bool as_json;
	enum history_format from; /* HISTORY_FORMAT_NR: told by the content */
	const char *svg;
	bool violated;
	bool unknown;
};

static void print_value(uint64_t value)
{
	if (value == 0)
		printf("nothing");
	else
		printf("%llu", (unsigned long long)value);
}

static const char *outcome_name(const struct history_op *op)
{
	if (op->outcome == HISTORY_FAIL)
		return "failed";
	return op->kind == HISTORY_CAS && !op->met ? "unmet" : "ok";
}

static void print_operation(const struct history_op *op, uint64_t t0_ns)
{
	printf("    %9.3f s  node %u  %s k%llu ", units_s(op->t_invoke_ns - t0_ns), op->node,
		history_kind_names[op->kind], (unsigned long long)op->key);
	if (op->kind == HISTORY_CAS)
		print_value(op->old);
	if (op->kind != HISTORY_WRITE)
		printf("%s-> ", op->kind == HISTORY_CAS ? " " : "");
	print_value(op->value);
	if (op->outcome == HISTORY_UNKNOWN)
		printf("  outcome unknown\n");
	else
		printf("  %s at %.3f s\n", outcome_name(op), units_s(op->t_return_ns - t0_ns));
}

static void print_text(const char *path, const struct check_run *run, const struct history_ops *h,
	const struct check_result *r, uint64_t t0_ns)
{
	char operations[32];
	char keys[32];

	(void)units_print_count(r->operations, operations, sizeof operations);
	(void)units_print_count(r->keys, keys, sizeof keys);
	printf("%s: %s%s, %s operation%s on %s key%s, checked in %.2f s\n", path,
		r->verdict == CHECK_VIOLATION ? "not "
		: r->verdict == CHECK_UNKNOWN ? "not known whether "
					      : "",
		run->model->name, operations, r->operations == 1 ? "" : "s", keys,
		r->keys == 1 ? "" : "s", r->seconds);
	if (h->damaged > 0)
		printf("  %zu records were left unfinished by writers that were killed\n",
			h->damaged);
	if (r->words[0] != '\0')
		printf("  %s\n", r->words);
	for (size_t i = 0; i < r->witnesses; i++)
		print_operation(&h->op[r->witness[i]], t0_ns);
}

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

static void print_json(const char *path, struct check_run *run, const struct history_ops *h,
	const struct check_result *r)
{
	struct json *j = &run->json;

	json_object(j);
	json_key(j, "file");
	json_string(j, path);
	json_key(j, "model");
	json_string(j, run->model->name);
	json_key(j, "result");
	json_string(j, check_verdict_names[r->verdict]);
	json_key(j, "operations");
	json_uint(j, r->operations);
	json_key(j, "keys");
	json_uint(j, r->keys);
	json_key(j, "seconds");
	json_double(j, r->seconds);
	json_key(j, "damaged");
	json_uint(j, h->damaged);
	json_key(j, "words");
	json_string(j, r->words);
	json_key(j, "witness");
	json_array(j);
	for (size_t i = 0; i < r->witnesses; i++)
		json_uint(j, h->op[r->witness[i]].op);
	json_array_end(j);
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
	char known[256];
	enum check_type type;
	int r = check_type_of(h, &type, err);

	if (r)
		return r;
	run->model = run->name ? check_find(run->name, type) : check_strongest(type);
	if (run->model)
		return 0;
	return err_usage(err, "no model '%s' for objects of type %s; known: %s",
		run->name ? run->name : "auto", check_type_names[type],
		models_of(type, known, sizeof known));
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
	r = run->model->check(h, &run->budget, &names, &result, err);
	if (r)
		return err_wrap(err, "%s", path);
	run->violated |= result.verdict == CHECK_VIOLATION;
	run->unknown |= result.verdict == CHECK_UNKNOWN;
	if (run->as_json)
		print_json(path, run, h, &result);
	else
		print_text(path, run, h, &result, names.t0_ns);
	print_measures(run, h, &names);
	if (run->as_json)
		json_object_end(&run->json);
	return check_draw(
		path, run, &(struct svg){.h = h, .names = &names, .result = &result}, err);
}

static int check_file(const char *path, struct check_run *run, struct err *err)
{
	struct history_ops h;
	int r = history_read_as(&h, path, run->from, err);

	if (r)
		return r;
	r = check_history(path, run, &h, err);
	history_ops_fini(&h);
	return r;
}

static int check_prepare(struct check_run *run, const struct cmd_line *line, struct err *err)
{
	const char *time = line->value[OPT_TIME] ? line->value[OPT_TIME] : CHECK_TIME_DEFAULT;

	*run = (struct check_run){
		.name = line->value[OPT_MODEL],
		.budget.memory_bytes = CHECK_MEMORY_BYTES,
		.measures = line->value[OPT_MEASURES] != NULL,
		.as_json = line->value[OPT_JSON] != NULL,
		.svg = line->value[OPT_SVG],
	};
	if (run->name && !check_known(run->name))
		return err_usage(
			err, "--model: unknown model '%s'; 'linearizable' is known", run->name);
	if (run->svg && line->args > 1)
		return err_usage(err, "--svg: one witness can be drawn, not %u", line->args);
	if (format_option("--from", line->value[OPT_FROM], &run->from, err))
		return err->code;
	if (units_parse_duration(time, &run->budget.time_ns, err))
		return err_wrap(err, "--time");
	return 0;
}

static int check_main(const struct cmd_line *line, struct err *err)
{
	struct check_run run;
	int r = check_prepare(&run, line, err);

	if (r)
		return err->status;
	json_init(&run.json, stdout);
	if (run.as_json)
		json_array(&run.json);
	for (unsigned i = 0; i < line->args && !r; i++)
		r = check_file(line->arg[i], &run, err);
	if (run.as_json)
		json_array_end(&run.json);
	if (r)
		return err->status;
	return run.violated ? EXIT_VIOLATED : run.unknown ? EXIT_INCONCLUSIVE : EXIT_AS_EXPECTED;
}

const struct cmd check_cmd = {
	.name = "check",
	.args = "FILE...",
	.summary = "judge histories: history.bin, JSON lines, Jepsen's events",
	.help = "Prints for each file the verdict and, for a violation, the few operations that prove\n"
		"it. Times count from the first operation.\n"
		"Exit status: 0 all fit the model, 1 one does not, 2 one could not be judged.\n",
	.args_min = 1,
	.args_max = CMD_ARGS_ANY,
	.option = check_options,
	.main = check_main,
};
