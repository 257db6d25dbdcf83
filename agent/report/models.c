/* SPDX-License-Identifier: MIT */
/* models.c - a history judged by every model: the strongest kept, the weakest broken */
#include <errno.h>
#include <stdlib.h>

#include "agent/report/parts.h"

#define MODELS_TIME_NS_MAX 30000000000ull
#define MODELS_MEMORY_BYTES_MAX (1ull << 30)

static void add(char *text, const char *name)
{
	words_add(text, RESULTS_MODELS_TEXT_MAX, "%s%s", text[0] ? ", " : "", name);
}

int measure_models(const struct history_ops *ops, enum check_type type,
	const struct check_names *names, struct results_models *ret, struct err *err)
{
	struct check_budget budget = {
		.time_ns = MODELS_TIME_NS_MAX, .memory_bytes = MODELS_MEMORY_BYTES_MAX};
	struct check_auto *a = calloc(1, sizeof *a);
	int rc;

	if (!a)
		return err_sys(err, -ENOMEM, "judge by all models");
	rc = check_auto(ops, type, &budget, names, a, err);
	*ret = (struct results_models){.judged = rc == 0};
	for (unsigned i = 0; rc == 0 && i < a->models; i++) {
		const struct check_auto_model *m = &a->model[i];

		if (m->result.verdict == CHECK_OK && m->strongest)
			add(ret->kept, m->ops->name);
		if (m->weakest)
			add(ret->broken, m->ops->name);
		if (m->result.verdict == CHECK_UNKNOWN)
			add(ret->unknown, m->ops->name);
	}
	free(a);
	return rc;
}
