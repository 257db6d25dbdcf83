/* SPDX-License-Identifier: MIT */
/*
 * script.c - runs a lab script in a sandbox and keeps what it said
 *
 * Theory of operation
 *
 * A lab is a Lua 5.4 program whose global functions are the words of the lab language
 * (script_words.c, script_faults.c); each call of one adds a statement, with the line it was called
 * from, to a struct script. sandbox.c runs it. Of files only distribution() reads numbers, from one
 * below the lab's own folder.
 *
 * All that the script says is copied into the struct script, which outlives the Lua state; a fault
 * lives in a userdata until phase() copies it.
 */
#include "agent/lab/script.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lab/sandbox.h"
#include "agent/lab/script_words.h"

const char *const script_rule_names[] = {"rtt", "delay", "jitter", "profile"};
_Static_assert(sizeof script_rule_names / sizeof *script_rule_names == SCRIPT_RULE_KIND_NR, "");

const char *const script_fault_names[] = {"cut", "one_way", "isolate", "bridge", "ring", "link",
	"down", "kill", "restart", "pause", "resume", "skew", "promote"};
_Static_assert(sizeof script_fault_names / sizeof *script_fault_names == SCRIPT_FAULT_KIND_NR, "");

static const struct sandbox_words lab_words = {
	.list = words_list,
	.all = "a lab has lab, site, rtt, delay, jitter, profile, distribution, store, stores, load, "
	       "clients, param, fit, phase, expect, seed, say, simulated, the faults",
};

int script_fail(const struct script *s, int line, struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return err_usage(err, "%s:%d: %s", s->path, line, text);
}

static int check_used(const struct script *s, struct err *err)
{
	for (unsigned i = 0; i < s->mades; i++) {
		if (!s->made[i].used)
			return script_fail(s, s->made[i].line, err,
				"this %s() is in no phase: write phase(\"name\", \"5s\", %s(...))",
				script_fault_names[s->made[i].kind],
				script_fault_names[s->made[i].kind]);
	}
	return 0;
}

static int run_script(struct script *s, const char *text, size_t len, struct err *err)
{
	struct sandbox sandbox;
	int rc;

	sandbox_open(&sandbox, s->path, &lab_words, s);
	rc = sandbox_run(&sandbox, text, len, err);
	sandbox_close(&sandbox);
	return rc < 0 ? rc : check_used(s, err);
}

static int read_param(struct script *s, char *word, struct err *err)
{
	struct script_param *p = &s->param[s->params];
	char *value = strchr(word, '=');

	if (!value || value == word)
		return err_usage(err, "--param: '%s' is not NAME=VALUE", word);
	if (s->params == SCRIPT_PARAMS_MAX)
		return err_usage(err, "--param: more than %d", SCRIPT_PARAMS_MAX);
	*value++ = '\0';
	(void)snprintf(p->name, sizeof p->name, "%s", word);
	(void)snprintf(p->value, sizeof p->value, "%s", value);
	s->params++;
	return 0;
}

static int read_params(struct script *s, const char *text, struct err *err)
{
	char copy[SCRIPT_PARAMS_MAX * SCRIPT_TEXT_MAX];
	char *at = copy;
	char *word;

	if (!text)
		return 0;
	if (strlen(text) >= sizeof copy)
		return err_usage(err, "--param: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", text);
	while ((word = strsep(&at, " "))) {
		if (strlen(word) >= SCRIPT_TEXT_MAX)
			return err_usage(err, "--param: '%.20s...' has more than %d characters",
				word, SCRIPT_TEXT_MAX - 1);
		if (word[0] && read_param(s, word, err) < 0)
			return -EINVAL;
	}
	return 0;
}

/* What the script never asked for was probably meant otherwise. */
static int check_params(const struct script *s, struct err *err)
{
	for (unsigned i = 0; i < s->params; i++) {
		if (!s->param[i].used)
			return err_usage(
				err, "--param: %s has no param(\"%s\")", s->path, s->param[i].name);
	}
	return 0;
}

int script_parse(struct script **ret, const struct script_source *from, struct err *err)
{
	struct script *s = calloc(1, sizeof *s);
	int rc;

	assert(s);
	if ((size_t)snprintf(s->path, sizeof s->path, "%s", from->path) >= sizeof s->path) {
		free(s);
		return err_usage(err, "the path of the lab has more than %zu bytes: move it",
			sizeof s->path - 1);
	}
	s->lines = 1;
	for (size_t i = 0; i + 1 < from->len; i++)
		s->lines += from->text[i] == '\n';
	s->load.read = s->load.write = s->load.cas = UINT64_MAX;
	rc = read_params(s, from->params, err);
	if (rc == 0)
		rc = run_script(s, from->text, from->len, err);
	if (rc == 0)
		rc = check_params(s, err);
	if (rc < 0) {
		err_one_line(err);
		script_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

int script_open(struct script **ret, const char *path, const char *params, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc = sandbox_read(path, "lab", &text, &len, err);

	if (rc == 0)
		rc = script_parse(ret,
			&(struct script_source){
				.path = path, .text = text, .len = len, .params = params},
			err);
	free(text);
	return rc;
}

void script_close(struct script *script)
{
	if (!script)
		return;
	free(script->fault);
	free(script);
}
