/* SPDX-License-Identifier: MIT */
/* system_fuzz.c - system files: whatever is in one ends in data or in one line of error */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lab/real_script.h"
#include "tests/fuzz/fuzz.h"

#define NODES 3

static struct plan *make_plan(void)
{
	struct plan *plan = calloc(1, sizeof *plan);

	assert(plan);
	plan->sites = 1;
	(void)snprintf(plan->site[0].name, sizeof plan->site[0].name, "east");
	plan->nodes = plan->replicas = NODES;
	plan->proto.leader = -1;
	for (unsigned i = 0; i < NODES; i++) {
		(void)snprintf(plan->node[i].name, sizeof plan->node[i].name, "n%u", i + 1);
		plan->node[i].addr_be = htonl(0x0a630001 + i);
	}
	return plan;
}

static void check_error(const struct err *err)
{
	assert(err->status == EXIT_USAGE && err->text[0] && !strchr(err->text, '\n'));
}

/* What those who run it rely on. */
static void check_node(const struct real_node *node)
{
	assert(node->run.n > 0 && node->env);
	for (unsigned i = 0; i < node->files; i++)
		assert(node->file[i].path[0] != '/' && strncmp(node->file[i].path, "../", 3) != 0 &&
			!strstr(node->file[i].path, "/../") && node->file[i].text);
	for (unsigned i = 0; i < node->run.n; i++)
		assert(node->run.command[i].argv[0][0]);
}

static void look_at(struct real_script *script, unsigned i, const struct plan *plan)
{
	struct err err = {0};
	struct real *r;

	if (real_script_row(script, i, NULL, &r, &err) < 0) {
		check_error(&err);
		return;
	}
	assert(r->like && r->settings && r->driver[0] && r->port > 0);
	if (real_script_nodes(script, i, plan, r, &err) < 0)
		check_error(&err);
	else
		for (unsigned k = 0; k < r->nodes; k++)
			check_node(&r->node[k]);
	real_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct real_script *script = NULL;
	struct plan *plan = make_plan();
	struct err err = {0};

	if (real_script_parse(&script, "my.lua", (const char *)data, size, &err) < 0) {
		check_error(&err);
		assert(!strncmp(err.text, "my.lua:", 7) && !script);
	} else {
		for (unsigned i = 0; i < script->rows && i < 3; i++)
			look_at(script, i, plan);
		real_script_close(script);
	}
	free(plan);
	return 0;
}
