/* SPDX-License-Identifier: MIT */
/*
 * real.c - the table of real databases: found, listed, evaluated, looked for on this machine
 *
 * The table is filled at its first use from the folder of systems. Files that are named by their
 * paths come to it later and are not listed. Rows stay for the life of the process, as those of
 * store/systems.c do.
 */
#include "agent/lab/real.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/lab/folders.h"
#include "agent/lab/near.h"
#include "agent/lab/plan.h"
#include "agent/lab/real_script.h"
#include "agent/load/plugin.h"

#define TABLE_MAX 256 /* rows of all files */
#define BROKEN_MAX 32
#define MISSING_MAX 400

static struct {
	const struct system *row[TABLE_MAX];
	unsigned rows;
	unsigned listed; /* of these, from the folder */
	struct err broken[BROKEN_MAX];
	unsigned brokens;
	bool loaded;
} table;

/* --- rows --- */

/* As the system that it is like, but for what is its own. */
static const struct system *make_row(struct real *r)
{
	struct system *s = malloc(sizeof *s);

	assert(s);
	*s = *r->like;
	s->name = r->name;
	s->kept = r->kept;
	s->left_out = ""; /* it is the real one */
	s->differs = r->differs;
	s->real = r;
	return s;
}

static const struct system *find_row(const char *name, bool path)
{
	for (unsigned i = 0; i < table.rows; i++) {
		const struct system *s = table.row[i];

		if (strcmp(path ? s->real->store : s->name, name) == 0)
			return s;
	}
	return NULL;
}

/* What --store takes: of a listed file the name, else its path and, of a variant, the name. */
static char *store_text(const struct real *r, bool listed, bool variant)
{
	char text[PLAN_PATH_MAX + REAL_NAME_MAX + 2];

	if (listed)
		return real_copy(r->name);
	(void)snprintf(text, sizeof text, variant ? "%s:%s" : "%s", r->path, r->name);
	return real_copy(text);
}

static int add_row(struct real_script *script, unsigned i, bool listed, struct err *err)
{
	const struct system *twin;
	struct real *r;
	int rc = real_script_row(script, i, NULL, &r, err);

	if (rc < 0)
		return rc;
	twin = find_row(r->name, false);
	if (listed && twin)
		rc = err_usage(err, "%s:%d: '%s' is in %s already: give it another name",
			script->path, script->row[i].line, r->name, twin->real->path);
	else if (table.rows == TABLE_MAX)
		rc = err_usage(err, "%s: more than %d systems", script->path, TABLE_MAX);
	if (rc < 0) {
		real_free(r);
		return rc;
	}
	r->store = store_text(r, listed, i > 0);
	table.row[table.rows++] = make_row(r);
	return 0;
}

static int add_file(const char *path, bool listed, struct err *err)
{
	struct real_script *script;
	unsigned before = table.rows;
	int rc = real_script_open(&script, path, err);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < script->rows && rc == 0; i++)
		rc = add_row(script, i, listed, err);
	/* All of a file or nothing. Nobody has seen these rows yet. */
	while (rc < 0 && table.rows > before) {
		const struct system *s = table.row[--table.rows];

		real_free((struct real *)s->real);
		free((void *)s);
	}
	real_script_close(script);
	return rc;
}

static int is_script(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".lua") == 0;
}

static void load(void)
{
	char folder[PLAN_PATH_MAX];
	char path[PLAN_PATH_MAX + 256];
	struct dirent **entries;
	struct err err;
	int count;

	if (table.loaded)
		return;
	table.loaded = true;
	if (!folders_find("systems", folder, sizeof folder))
		return;
	count = scandir(folder, &entries, is_script, alphasort);
	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
		err = (struct err){.code = 0};
		if (add_file(path, true, &err) < 0 && table.brokens < BROKEN_MAX)
			table.broken[table.brokens++] = err;
	}
	if (count >= 0)
		free(entries);
	table.listed = table.rows;
}

/* Where ":name" begins behind ".lua"; where @name ends, if it is a path alone. NULL: no path. */
static const char *path_end(const char *name)
{
	static const char ending[] = ".lua";
	const char *colon = strrchr(name, ':');
	const char *end = colon ? colon : name + strlen(name);

	if (strchr(name, '/') || (end - name > 4 && !memcmp(end - 4, ending, 4)))
		return colon && end - name > 4 && !memcmp(end - 4, ending, 4) ? colon
									      : name + strlen(name);
	return NULL;
}

static const struct system *find_path(const char *name, const char *end, struct err *err)
{
	const struct system *s = find_row(name, true);
	char path[PLAN_PATH_MAX];

	if (s)
		return s;
	if ((size_t)(end - name) >= sizeof path) {
		err_usage(err, "the path of the system file has more than %zu bytes: move it",
			sizeof path - 1);
		return NULL;
	}
	(void)snprintf(path, sizeof path, "%.*s", (int)(end - name), name);
	if (!find_row(path, true) && add_file(path, false, err) < 0)
		return NULL;
	s = find_row(name, true);
	if (!s)
		err_usage(err, "%s has no variant '%.40s': write variant(\"%.40s\", {...})", path,
			end + 1, end + 1);
	return s;
}

const struct system *real_find(const char *name, struct err *err)
{
	const char *end = path_end(name);
	struct near near = near_to(name);
	const struct system *s;
	char hint[96];

	if (end)
		return find_path(name, end, err);
	load();
	for (unsigned i = 0; i < table.listed; i++) {
		if (strcmp(table.row[i]->name, name) == 0)
			return table.row[i];
		near_offer(&near, table.row[i]->name);
	}
	for (unsigned i = 0; (s = system_list(i)); i++)
		near_offer(&near, s->name);
	/* It may be in the file that could not be read. */
	if (!near.best && table.brokens > 0) {
		if (err)
			*err = table.broken[0];
		return NULL;
	}
	near_text(&near, hint, sizeof hint);
	err_usage(err, "no store is called '%.64s'%s `pacelab list systems` has them all", name,
		near.best ? hint : ":");
	return NULL;
}

const struct system *real_list(unsigned i)
{
	load();
	return i < table.listed ? table.row[i] : NULL;
}

const struct err *real_broken(unsigned i)
{
	load();
	return i < table.brokens ? &table.broken[i] : NULL;
}

/* --- for a lab --- */

int real_expand(struct real **ret, const struct system *row, const struct plan *plan,
	const char *set, struct err *err)
{
	struct real_script *script;
	struct real *r;
	unsigned i = 0;
	int rc = real_script_open(&script, row->real->path, err);

	if (rc < 0)
		return rc;
	while (i < script->rows && strcmp(script->row[i].name, row->name) != 0)
		i++;
	if (i == script->rows)
		rc = err_usage(err, "%s: '%s' is gone from it", script->path, row->name);
	if (rc == 0)
		rc = real_script_row(script, i, set, &r, err);
	if (rc == 0) {
		r->store = real_copy(row->real->store);
		rc = real_script_nodes(script, i, plan, r, err);
		if (rc == 0)
			*ret = r;
		else
			real_free(r);
	}
	real_script_close(script);
	return rc;
}

static void free_commands(struct real_commands *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		char **argv = c->command[i].argv;

		for (unsigned k = 0; argv && argv[k]; k++)
			free(argv[k]);
		free(argv);
	}
	free(c->command);
}

static void free_node(struct real_node *node)
{
	for (unsigned i = 0; i < node->files; i++) {
		free(node->file[i].path);
		free(node->file[i].text);
	}
	free_commands(&node->prepare);
	free_commands(&node->run);
	free_commands(&node->after);
	free_commands(&node->promote);
	free_commands(&node->follow);
	for (unsigned i = 0; node->env && node->env[i]; i++)
		free(node->env[i]);
	free(node->env);
}

static void free_words(char **word, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(word[i]);
}

void real_free(struct real *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->nodes; i++)
		free_node(&r->node[i]);
	free(r->node);
	free_words(r->package, r->packages);
	free_words(r->program, r->programs);
	free_words(r->folder, r->folders);
	free(r->install);
	free(r->path);
	free(r->store);
	free(r->driver);
	free(r->settings);
	free(r->model);
	free(r->knobs);
	free(r->choices);
	free(r->kept);
	free(r->differs);
	free(r->not_run);
	free(r);
}

/* --- on this machine --- */

char *real_path(const struct real *r)
{
	struct buf path = {0};
	char *text;

	buf_printf(&path, "%s", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (unsigned i = 0; i < r->folders; i++)
		buf_printf(&path, ":%s", r->folder[i]);
	buf_u8(&path, '\0');
	text = real_copy((char *)path.p);
	buf_fini(&path);
	return text;
}

bool real_program(const struct real *r, const char *program, char *ret, size_t size)
{
	char *path, *at, *folder;
	bool found = false;

	if (strchr(program, '/')) {
		(void)snprintf(ret, size, "%s", program);
		return strlen(program) < size && access(program, R_OK) == 0;
	}
	at = path = real_path(r);
	while (!found && (folder = strsep(&at, ":")))
		found = (size_t)snprintf(ret, size, "%s/%s", folder, program) < size &&
			access(ret, X_OK) == 0;
	free(path);
	return found;
}

__attribute__((format(printf, 2, 3))) static void add_text(
	char text[MISSING_MAX], const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text + len, MISSING_MAX - len, fmt, args);
	va_end(args);
}

int real_missing(const struct real *r, struct err *err)
{
	const char *library = plugin_package(r->driver);
	struct err why = {.code = 0};
	bool driver = plugin_find(r->driver, &why) != NULL;
	char what[MISSING_MAX] = "";
	char cure[MISSING_MAX] = "";
	char path[PLAN_PATH_MAX];

	for (unsigned i = 0; i < r->programs; i++) {
		if (!real_program(r, r->program[i], path, sizeof path))
			add_text(what, "%s%s", what[0] ? ", " : "", r->program[i]);
	}
	if (!what[0] && driver)
		return 0;
	if (!what[0])
		return err_set(err, -ENOENT, EXIT_CANNOT_RUN, "%s: %s", r->name, why.text);
	for (unsigned i = 0; i < r->packages; i++)
		add_text(cure, "%s %s", i ? "" : "apt-get install", r->package[i]);
	if (cure[0] && !driver && library)
		add_text(cure, " %s, then make builds its driver", library);
	if (r->install[0])
		add_text(cure, "%s%s", cure[0] ? ", then " : "", r->install);
	if (!cure[0])
		add_text(cure, "%s",
			r->not_run[0] ? r->not_run : "its file names no package that has it");
	return err_set(err, -ENOENT, EXIT_CANNOT_RUN, "%s needs %s: %s", r->name, what, cure);
}
