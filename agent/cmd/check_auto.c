/* SPDX-License-Identifier: MIT */
/* check_auto.c - what `pacelab check --model auto` says beside the model that was broken */
#include "agent/cmd/check_auto.h"

#include <stdio.h>

typedef bool among_fn(const struct check_auto_model *m);

static bool is_kept(const struct check_auto_model *m)
{
	return m->result.verdict == CHECK_OK && m->strongest;
}

static bool is_broken(const struct check_auto_model *m)
{
	return m->weakest;
}

static bool is_unknown(const struct check_auto_model *m)
{
	return m->result.verdict == CHECK_UNKNOWN;
}

const struct check_auto_model *check_auto_shown(const struct check_auto *a)
{
	if (a->broken)
		return a->broken;
	for (unsigned i = 0; i < a->models; i++)
		if (is_kept(&a->model[i]))
			return &a->model[i];
	return &a->model[0];
}

static void auto_line(const struct check_auto *a, const char *title, among_fn *among)
{
	const char *before = title;

	for (unsigned i = 0; i < a->models; i++) {
		if (!among(&a->model[i]))
			continue;
		printf("%s%s", before, a->model[i].ops->name);
		before = ", ";
	}
	if (before != title)
		printf("\n");
}

void check_auto_text(const struct check_auto *a)
{
	auto_line(a, "  strongest kept: ", is_kept);
	auto_line(a, "  weakest broken: ", is_broken);
	auto_line(a, "  not known: ", is_unknown);
}

static void auto_member(
	struct json *j, const struct check_auto *a, const char *name, among_fn *among)
{
	json_key(j, name);
	json_array(j);
	for (unsigned i = 0; i < a->models; i++)
		if (among(&a->model[i]))
			json_string(j, a->model[i].ops->name);
	json_array_end(j);
}

void check_auto_json(struct json *j, const struct check_auto *a)
{
	auto_member(j, a, "kept", is_kept);
	auto_member(j, a, "broken", is_broken);
	auto_member(j, a, "unknown", is_unknown);
}
