/* SPDX-License-Identifier: MIT */
/* list.c - pacelab list: what has a name: labs, stores, models, faults ... */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/wrap.h"
#include "agent/check/check.h"
#include "agent/cmd/cmd.h"
#include "agent/lab/near.h"
#include "agent/lab/plan.h"
#include "agent/lab/real.h"
#include "agent/lab/regions.h"
#include "agent/report/parts.h"
#include "netns/fabric.h"
#include "netns/link_words.h"
#include "store/settings.h"
#include "store/systems.h"

#define LIST_LINE_MAX 200
/* Column of a system's claim. */
#define SYSTEMS_INDENT 40
/* Column of what is said about a real database. */
#define REAL_INDENT 6

static int is_lab(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 4 && strcmp(entry->d_name + len - 4, ".lua") == 0;
}

/* The first comment line of a lab says what it is for. */
static void print_lab(const char *folder, const char *file)
{
	char path[PLAN_PATH_MAX + 256];
	char line[LIST_LINE_MAX] = "";
	const char *text = line;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", folder, file);
	f = fopen(path, "re");
	if (f && !fgets(line, sizeof line, f))
		line[0] = '\0';
	if (f)
		(void)fclose(f);
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "--", 2) == 0)
		text += 2 + strspn(line + 2, " ");
	else
		text = "";
	printf("  %-16.*s %s\n", (int)strlen(file) - 4, file, text);
}

static int list_labs(struct err *err)
{
	char folder[PLAN_PATH_MAX];
	struct dirent **entries;
	int count;

	if (!plan_folder(folder, sizeof folder))
		return err_set(err, -ENOENT, EXIT_CANNOT_RUN,
			"no folder of labs: run from the source tree, or `make install`");
	count = scandir(folder, &entries, is_lab, alphasort);
	if (count < 0)
		return err_sys(err, -errno, "read %s", folder);
	printf("labs (%s)\n", folder);
	for (int i = 0; i < count; i++) {
		print_lab(folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static int list_stores(struct err *err)
{
	(void)err;
	printf("stores\n");
	for (unsigned i = 0; system_list(i); i++) {
		const struct system *s = system_list(i);

		printf("  %-16s %-6s %-8s keeps: %s\n", s->name, s->textbook[0] ? s->textbook : "-",
			s->ops->name, s->kept);
		if (s->left_out[0])
			printf("  %-16s %-6s %-8s leaves out: %s\n", "", "", "", s->left_out);
	}
	return 0;
}

static void print_real_line(const char *what, const char *text, int columns)
{
	int at = printf("%*s%s", REAL_INDENT, "", what);

	wrap_words(stdout, at, columns, text);
	printf("\n");
}

/* Settings that are not those of the system that it is a variant of: both lists have the same knobs
 * in the same order. */
static void print_knobs(const char *knobs, const char *of)
{
	bool first = true;

	while (*knobs && *of) {
		size_t len = strcspn(knobs, " ");
		size_t of_len = strcspn(of, " ");

		if (len != of_len || memcmp(knobs, of, len) != 0) {
			printf("%s%.*s", first ? ", " : " ", (int)len, knobs);
			first = false;
		}
		knobs += len + (knobs[len] == ' ');
		of += of_len + (of[of_len] == ' ');
	}
}

/* A variant says what it has of its own. */
static void print_real(const struct system *s, const struct system *of, int columns)
{
	const struct real *r = s->real;
	char what[REAL_NAME_MAX + 32];
	struct err why;

	printf("  %-36s like %s", s->name, r->like->name);
	if (of)
		print_knobs(r->knobs, of->real->knobs);
	printf("\n");
	if (!of || strcmp(of->kept, s->kept) != 0)
		print_real_line("keeps ", s->kept, columns);
	(void)snprintf(what, sizeof what, "differs from %s: ", r->like->name);
	if (!of || strcmp(of->differs, s->differs) != 0)
		print_real_line(what, s->differs, columns);
	if (of)
		return;
	if (r->choices[0])
		print_real_line("--set ", r->choices, columns);
	if (r->not_run[0])
		print_real_line("not run here: ", r->not_run, columns);
	else if (real_missing(r, &why) < 0)
		print_real_line("cannot run here: ", why.text, columns);
}

/* A system and its variants stand together. */
static void list_real(int columns)
{
	const struct system *s, *of = NULL;

	if (real_list(0) || real_broken(0))
		printf("real databases, in place of the protocol that each is like\n");
	for (unsigned i = 0; (s = real_list(i)); i++) {
		if (of && strcmp(of->real->path, s->real->path) != 0)
			of = NULL;
		print_real(s, of, columns);
		of = of ? of : s;
	}
	for (unsigned i = 0; real_broken(i); i++)
		printf("  %s\n", real_broken(i)->text);
}

/* What each claims on three nodes, beside the class that the literature gives it. */
static int list_systems(struct err *err)
{
	int columns = wrap_columns(stdout);

	(void)err;
	printf("systems: protocol, class in the literature, claim on three nodes\n");
	for (unsigned i = 0; system_list(i); i++) {
		const struct system *s = system_list(i);
		struct proto_config config;
		struct proto_claim claim;
		char words[512] = "";

		system_config(s, 3, &config);
		s->ops->claim(&config, &claim);
		claim_words(words, sizeof words, &claim);
		printf("  %-18s %-11s %-6s ", s->name, s->ops->name,
			s->textbook[0] ? s->textbook : "-");
		wrap_words(stdout, SYSTEMS_INDENT, columns, words);
		if (s->textbook[0]) {
			printf("\n%*s", SYSTEMS_INDENT, "");
			(void)snprintf(words, sizeof words, "%s: %s", s->textbook, s->source);
			wrap_words(stdout, SYSTEMS_INDENT, columns, words);
		}
		printf("\n");
	}
	list_real(columns);
	return 0;
}

static int list_settings(struct err *err)
{
	struct proto_config defaults = {0};

	(void)err;
	settings_defaults(&defaults);
	printf("settings of protocols, for --set and store(\"...\", {set = \"name=value ...\"})\n");
	for (unsigned i = 0; settings_list(i); i++) {
		const struct setting *s = settings_list(i);
		struct buf value = {0};

		settings_print_value(&value, s, &defaults);
		printf("  %-16s %-8s %s (%.*s)\n", s->name, s->protocols, s->help, (int)value.len,
			(const char *)value.p);
		buf_fini(&value);
	}
	return 0;
}

static int list_models(struct err *err)
{
	(void)err;
	printf("models\n");
	for (unsigned i = 0; check_list(i); i++)
		printf("  %-26s %-12s %s\n", check_list(i)->name,
			check_type_names[check_list(i)->type], check_list(i)->summary);
	return 0;
}

static int list_emulators(struct err *err)
{
	(void)err;
	printf("emulators\n");
	for (int i = 0; i < EMULATOR_KIND_NR; i++)
		printf("  %s\n", emulator_kind_names[i]);
	return 0;
}

static int list_faults(struct err *err)
{
	(void)err;
	printf("faults of a link, as `pacelab link` and link() take them; one way\n");
	for (unsigned i = 0; link_words_list(i); i++) {
		const struct link_word *w = link_words_list(i);

		printf("  %-12s %-24s %s\n", w->name, strlen(w->args) > 24 ? "" : w->args, w->what);
		if (strlen(w->args) > 24)
			printf("  %-12s %s\n", "", w->args);
	}
	return 0;
}

static int list_profiles(struct err *err)
{
	(void)err;
	printf("profiles of links\n");
	for (unsigned i = 0; link_profiles_list(i); i++) {
		const struct link_word *p = link_profiles_list(i);

		printf("  %-12s %-52s %s\n", p->name, p->args, p->what);
	}
	return 0;
}

static int list_regions(struct err *err)
{
	const struct region_source *source;
	const struct region_source *last = NULL;
	const struct region *region;

	(void)err;
	printf("regions for site(), a cloud's all as far apart as was measured\n");
	for (unsigned i = 0; (region = regions_list(i, &source)); i++) {
		if (source != last)
			printf("  %s: %s, %s\n", source->cloud, source->source, source->date);
		printf("    %-16s %s\n", region->name, region->place);
		last = source;
	}
	return 0;
}

static const struct {
	const char *name;
	int (*list)(struct err *err);
} lists[] = {
	{"labs", list_labs},
	{"stores", list_stores},
	{"systems", list_systems},
	{"settings", list_settings},
	{"models", list_models},
	{"emulators", list_emulators},
	{"faults", list_faults},
	{"profiles", list_profiles},
	{"regions", list_regions},
};

#define LISTS (sizeof lists / sizeof *lists)

static int list_main(const struct cmd_line *line, struct err *err)
{
	struct near near;
	char hint[96];

	for (size_t i = 0; i < LISTS; i++) {
		int rc;

		if (line->args > 0 && strcmp(line->arg[0], lists[i].name) != 0)
			continue;
		rc = lists[i].list(err);
		if (rc < 0 || line->args > 0)
			return rc < 0 ? (int)err->status : EXIT_AS_EXPECTED;
	}
	if (line->args == 0)
		return EXIT_AS_EXPECTED;
	near = near_to(line->arg[0]);
	for (size_t i = 0; i < LISTS; i++)
		near_offer(&near, lists[i].name);
	near_text(&near, hint, sizeof hint);
	(void)err_usage(err,
		"nothing to list is called '%s'%s labs, stores, systems, settings, models, emulators, faults, "
		"profiles and regions are",
		line->arg[0], near.best ? hint : ":");
	return EXIT_USAGE;
}

static const struct cmd_option list_options[] = {{NULL, NULL, NULL}};

const struct cmd list_cmd = {
	.name = "list",
	.args = "[labs|stores|systems|settings|models|emulators|faults|profiles|regions]",
	.summary = "show what has a name: labs, stores, models, emulators, faults",
	.help = "A store is a protocol with the settings of a real system; the class beside it is the "
		"one of the\nliterature, to compare with what is measured. Real databases (list "
		"systems) are files of\nscripts/systems, whose README says how to write one.\n",
	.args_max = 1,
	.option = list_options,
	.main = list_main,
};
