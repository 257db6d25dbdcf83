/* SPDX-License-Identifier: MIT */
/* script_fuzz.c - lab scripts: whatever is in one ends in a plan or in one line of error */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lab/expand.h"
#include "agent/lab/script.h"
#include "tests/fuzz/fuzz.h"

/* The second half of plan_load(): what the statements agree on. */
static void expand_it(struct script *script)
{
	struct plan *plan = calloc(1, sizeof *plan);
	struct err err = {0};

	assert(plan);
	if (expand(plan, script, NULL, &err) < 0)
		assert(err.status == EXIT_USAGE && strncmp(err.text, "lab.lua:", 8) == 0);
	plan_free(plan); /* and the script */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script *script = NULL;
	struct err err = {0};
	int rc = script_parse(&script,
		&(struct script_source){.path = "lab.lua", .text = (const char *)data, .len = size},
		&err);

	if (rc < 0) {
		assert(err.status == EXIT_USAGE && strncmp(err.text, "lab.lua:", 8) == 0);
		assert(!strchr(err.text, '\n') && !script);
	} else {
		expand_it(script);
	}
	return 0;
}
