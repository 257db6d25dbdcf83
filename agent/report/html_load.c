/* SPDX-License-Identifier: MIT */
/* html_load.c - what a run left in its folder, read back for its page */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check/measures.h"
#include "agent/report/html_parts.h"
#include "agent/report/look.h"
#include "agent/report/summary.h"

static int odd(const char *path, const char *what, struct err *err)
{
	return err_set(
		err, -EBADMSG, EXIT_USAGE, "%s: %s: not the results.json of a run", path, what);
}

static unsigned site_number(struct html_run *r, const char *name)
{
	unsigned i = 0;

	while (i < r->sites && strcmp(r->site[i], name) != 0)
		i++;
	if (i < PLAN_SITES_MAX && i == r->sites)
		r->site[r->sites++] = name;
	return i;
}

static int load_nodes(struct html_run *r, const char *path, struct err *err)
{
	const json_t *nodes = json_object_get(r->top, "nodes");
	const json_t *node;
	size_t i;

	if (json_array_size(nodes) == 0 || json_array_size(nodes) > FABRIC_NODES_MAX)
		return odd(path, "'nodes' has none or too many", err);
	json_array_foreach(nodes, i, node)
	{
		r->node[i] = look_text(node, "name");
		r->client[i] = strcmp(look_text(node, "role"), "client") == 0;
		r->site_of[i] = site_number(r, look_text(node, "site"));
		if (r->site_of[i] == PLAN_SITES_MAX)
			return odd(path, "'nodes' has too many sites", err);
		r->nodes++;
	}
	return 0;
}

static int load_phases(struct html_run *r, const char *path, struct err *err)
{
	const json_t *phases = json_object_get(r->top, "phases");
	const json_t *json;
	size_t i;

	if (json_array_size(phases) == 0 || json_array_size(phases) > PLAN_PHASES_MAX)
		return odd(path, "'phases' has none or too many", err);
	json_array_foreach(phases, i, json)
	{
		struct html_phase *p = &r->phase[r->phases++];
		double seconds = look_number(json, "seconds");

		*p = (struct html_phase){.json = json,
			.name = look_text(json, "name"),
			.from_s = (double)look_int(json, "t_begin_ns") / 1e9,
			.cut = look_true(json, "cut"),
			.changed = json_array_size(json_object_get(json, "links")) > 0 ||
				   json_array_size(json_object_get(json, "down")) > 0,
			.warmup = look_true(json, "warmup"),
			.fit_rtt_ms = look_number(json, "fit_rtt_ms")};
		if (!(seconds >= 0 && seconds < 1e6) || (i > 0 && p->from_s < p[-1].from_s))
			return odd(path, "'phases' are not in order", err);
		p->to_s = p->from_s + seconds;
		if (i > 0)
			p[-1].to_s = p->from_s;
	}
	r->from_s = r->phase[0].from_s;
	r->to_s = r->phase[r->phases - 1].to_s;
	return r->to_s > r->from_s ? 0 : odd(path, "'phases' take no time", err);
}

/* Whatever the history names must be there: it is another file, and may be of another run. */
static int load_history(struct html_run *r, const char *path, struct err *err)
{
	int rc = history_read(&r->h, path, err);

	for (size_t i = 0; i < r->h.count && !rc; i++) {
		const struct history_op *op = &r->h.op[i];

		if (op->client >= r->nodes || op->node >= r->nodes)
			rc = err_set(err, -EBADMSG, EXIT_USAGE,
				"%s: operation %u names node %u, and results.json beside it has "
				"%u: not of the same run",
				path, op->op, op->client >= r->nodes ? op->client : op->node,
				r->nodes);
	}
	if (rc)
		return rc;
	r->age_ns = calloc(r->h.count + 1, sizeof *r->age_ns);
	assert(r->age_ns);
	measures_ages(&r->h, r->age_ns);
	return 0;
}

/* All else may be missing: folders of older versions have pages, too. */
static int load_top(struct html_run *r, const char *path, struct err *err)
{
	static const char *const texts[] = {"lab", "store"};
	int rc = summary_load(&r->top, path, err);

	if (rc == -ENOENT || rc == -ENOTDIR)
		(void)err_set(err, rc, EXIT_USAGE,
			"%s: %s: the folder of a run is asked for, with results.json in it", path,
			strerror(-rc));
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (!json_is_string(json_object_get(r->top, texts[i])))
			return odd(path, "has no 'lab' or no 'store'", err);
	}
	if (!json_is_string(json_object_get(json_object_get(r->top, "verdict"), "pacelc")))
		return odd(path, "has no 'verdict'", err);
	if (!json_is_integer(json_object_get(r->top, "t_start_ns")))
		return odd(path, "has no 't_start_ns'", err);
	r->t0_ns = look_count(r->top, "t_start_ns");
	return 0;
}

int html_load(struct html_run *r, const char *dir, struct err *err)
{
	char path[PATH_MAX];
	int rc;

	*r = (struct html_run){.dir = dir};
	(void)snprintf(path, sizeof path, "%s/results.json", dir);
	rc = load_top(r, path, err);
	if (!rc)
		rc = load_nodes(r, path, err);
	if (!rc)
		rc = load_phases(r, path, err);
	(void)snprintf(path, sizeof path, "%s/history.bin", dir);
	if (!rc)
		rc = load_history(r, path, err);
	if (rc == -ENOENT)
		err->status = EXIT_USAGE;
	return rc;
}

void html_unload(struct html_run *r)
{
	json_decref(r->top);
	history_ops_fini(&r->h);
	free(r->age_ns);
}

double html_op_s(const struct html_run *r, const struct history_op *op)
{
	return (double)(int64_t)(op->t_intended_ns - r->t0_ns) / 1e9;
}

double html_op_ms(const struct history_op *op)
{
	return (double)(op->t_return_ns - op->t_intended_ns) / 1e6;
}

bool html_measured(const struct html_run *r, const struct history_op *op)
{
	double s = html_op_s(r, op);

	/* A return before the start would be no time; the file is not ours alone. */
	return !(op->flags & HISTORY_F_FINAL) && s >= r->from_s && s < r->to_s &&
	       op->t_return_ns >= op->t_intended_ns;
}

const struct html_phase *html_calm(const struct html_run *r)
{
	for (unsigned i = 0; i < r->phases; i++) {
		const struct html_phase *p = &r->phase[i];

		if (isnan(p->fit_rtt_ms) && !p->cut && !p->changed && !p->warmup)
			return p;
	}
	return NULL;
}

const struct html_phase *html_cut(const struct html_run *r)
{
	for (unsigned i = 0; i < r->phases; i++) {
		if (r->phase[i].cut)
			return &r->phase[i];
	}
	return NULL;
}
