/* SPDX-License-Identifier: MIT */
/* keeper_check.c - can this machine run a real database, and do to it all that a plan does? */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "agent/lab/keeper.h"

/* One folder for each architecture; the variant for programs with threads. */
#define CLOCK_LIBRARY "/usr/lib/*/faketime/libfaketimeMT.so.1"

const char *keeper_clock(const struct real *real, struct err *err)
{
	static char path[128];
	glob_t found = {0};

	path[0] = '\0';
	if (!real->skew) {
		err_usage(err, "the clock of store %s cannot be set: its file does not say skew",
			real->name);
		return path;
	}
	if (glob(CLOCK_LIBRARY, 0, NULL, &found) == 0 && strlen(found.gl_pathv[0]) < sizeof path)
		(void)snprintf(path, sizeof path, "%s", found.gl_pathv[0]);
	globfree(&found);
	if (!path[0])
		err_set(err, -ENOENT, EXIT_CANNOT_RUN,
			"the clock of store %s is set by a library that is missing: apt-get "
			"install libfaketime",
			real->name);
	return path;
}

static int event_check(const struct real *real, const struct plan_phase *phase,
	const struct plan_event *e, const char *node, struct err *err)
{
	if (e->kind == PLAN_SKEW && !*keeper_clock(real, err))
		return err_wrap(err, "phase '%s', skew of %s", phase->name, node);
	if (e->kind == PLAN_PROMOTE && real->node[e->node].promote.n == 0)
		return err_usage(err,
			"phase '%s', promote of %s: store %s chooses its leader itself, or its "
			"file does not say how: leave promote() out",
			phase->name, node, real->name);
	return 0;
}

int keeper_check(const struct plan *plan, struct err *err)
{
	int rc = real_missing(plan->real, err);

	for (unsigned i = 0; i < plan->phases && !rc; i++) {
		const struct plan_phase *phase = &plan->phase[i];

		for (unsigned j = 0; j < phase->events && !rc; j++) {
			const struct plan_event *e = &phase->event[j];

			rc = event_check(plan->real, phase, e, plan->node[e->node].name, err);
		}
	}
	return rc;
}
