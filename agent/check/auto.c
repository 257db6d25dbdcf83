/* SPDX-License-Identifier: MIT */
/*
 * auto.c - the strongest models that a history kept, and the next ones that it broke
 *
 * Models are judged from the strongest to the weakest. One that is implied by a model that was kept
 * is kept and not judged; one that implies a model that was broken is broken.
 */
#include <assert.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/check/check.h"

/* Part of the time left that one model may take; others come after it. */
#define AUTO_TIME_SHARE 3

static struct check_auto_model *auto_find(struct check_auto *a, const char *name)
{
	for (unsigned i = 0; i < a->models; i++)
		if (strcmp(a->model[i].ops->name, name) == 0)
			return &a->model[i];
	return NULL;
}

static void auto_keep(struct check_auto *a, const struct check_auto_model *m)
{
	for (const char *const *name = m->ops->implies; *name; name++) {
		struct check_auto_model *weaker = auto_find(a, *name);

		if (!weaker)
			continue;
		weaker->strongest = false;
		weaker->result.verdict = CHECK_OK;
		if (weaker->follows)
			continue;
		weaker->follows = true;
		auto_keep(a, weaker);
	}
}

static bool auto_breaks(struct check_auto *a, const struct check_auto_model *m)
{
	for (const char *const *name = m->ops->implies; *name; name++) {
		struct check_auto_model *weaker = auto_find(a, *name);

		if (weaker && (weaker->result.verdict == CHECK_VIOLATION || auto_breaks(a, weaker)))
			return true;
	}
	return false;
}

/* What can be said of the models together. */
static void auto_conclude(struct check_auto *a)
{
	for (unsigned i = 0; i < a->models; i++) {
		struct check_auto_model *m = &a->model[i];
		bool breaks = auto_breaks(a, m);

		if (m->result.verdict == CHECK_UNKNOWN && breaks) {
			m->result.verdict = CHECK_VIOLATION;
			m->follows = true;
		}
		m->weakest = m->result.verdict == CHECK_VIOLATION && !breaks;
		if (m->weakest && !a->broken)
			a->broken = m;
	}
}

int check_auto(const struct history_ops *h, enum check_type type, const struct check_budget *budget,
	const struct check_names *names, struct check_auto *ret, struct err *err)
{
	uint64_t until_ns = budget->time_ns ? clock_now_ns() + budget->time_ns : 0;

	*ret = (struct check_auto){.models = 0};
	for (unsigned i = 0; check_list(i); i++) {
		if (check_list(i)->type != type || check_list(i)->asked)
			continue;
		assert(ret->models < CHECK_MODELS_MAX);
		ret->model[ret->models++].ops = check_list(i);
	}
	for (unsigned i = 0; i < ret->models; i++) {
		struct check_auto_model *m = &ret->model[i];
		struct check_budget part = *budget;
		uint64_t now = clock_now_ns();
		int r;

		if (m->follows)
			continue;
		if (until_ns)
			part.time_ns = until_ns > now ? (until_ns - now) / AUTO_TIME_SHARE + 1 : 1;
		r = m->ops->check(h, &part, names, &m->result, err);
		if (r)
			return r;
		if (m->result.verdict != CHECK_OK)
			continue;
		m->strongest = true;
		auto_keep(ret, m);
	}
	auto_conclude(ret);
	return 0;
}
