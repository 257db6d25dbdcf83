/* SPDX-License-Identifier: MIT */
/* plan.c - finds a lab by its name, loads it, and answers questions about it */
#include "agent/lab/plan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/lab/expand.h"
#include "agent/lab/folders.h"
#include "agent/lab/real.h"
#include "agent/lab/script.h"
#include "netns/dist.h"

const char *const plan_workload_names[] = {
	"register", "list", "set", "counter", "bank", "transactions", "lock", "inventory", "purse"};
_Static_assert(sizeof plan_workload_names / sizeof *plan_workload_names == PLAN_WORKLOAD_NR, "");

const char *const plan_workload_models[PLAN_WORKLOAD_NR] = {
	[PLAN_LOCK] = "mutual-exclusion",
	[PLAN_INVENTORY] = "no-overselling",
};

const char *const plan_event_names[] = {"kill", "restart", "pause", "resume", "skew", "promote"};
_Static_assert(sizeof plan_event_names / sizeof *plan_event_names == PLAN_EVENT_KIND_NR, "");

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool plan_folder(char *ret, size_t size)
{
	return folders_find("labs", ret, size);
}

static int find_lab(const char *lab, char *ret, size_t size, struct err *err)
{
	size_t len = strlen(lab);
	char folder[PLAN_PATH_MAX];

	if (strchr(lab, '/') || (len > 4 && strcmp(lab + len - 4, ".lua") == 0)) {
		if ((size_t)snprintf(ret, size, "%s", lab) >= size)
			return err_usage(err, "the path of the lab has more than %zu bytes", size);
		return 0;
	}
	for (unsigned i = 0; folders_list("labs", i, folder, sizeof folder); i++) {
		if ((size_t)snprintf(ret, size, "%s/%s.lua", folder, lab) < size && is_file(ret))
			return 0;
	}
	return err_set(err, -ENOENT, EXIT_USAGE,
		"no lab is called '%s': see `pacelab list labs`, or give the path of a .lua file",
		lab);
}

int plan_load(
	struct plan **ret, const char *lab, const struct plan_options *options, struct err *err)
{
	struct script *script = NULL;
	char path[PLAN_PATH_MAX];
	struct plan *plan;
	int rc = find_lab(lab, path, sizeof path, err);

	if (rc == 0)
		rc = script_open(&script, path, options ? options->param : NULL, err);
	if (rc < 0)
		return rc;
	plan = calloc(1, sizeof *plan);
	assert(plan);
	rc = expand(plan, script, options, err);
	if (rc < 0) {
		plan_free(plan);
		return rc;
	}
	*ret = plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (unsigned i = 0; i < plan->phases; i++)
		link_matrix_fini(&plan->phase[i].matrix);
	link_matrix_fini(&plan->base);
	script_close(plan->script);
	real_free(plan->real);
	free(plan->phase);
	free(plan);
}

int plan_node_find(const struct plan *plan, const char *name)
{
	for (unsigned i = 0; i < plan->nodes; i++) {
		if (strcmp(plan->node[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

int plan_site_find(const struct plan *plan, const char *name)
{
	for (unsigned i = 0; i < plan->sites; i++) {
		if (strcmp(plan->site[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

double plan_site_share(const struct plan *plan, unsigned site)
{
	double rest = 1;
	unsigned others = 0;

	if (plan->site[site].own)
		return plan->site[site].share;
	for (unsigned i = 0; i < plan->sites; i++) {
		others += !plan->site[i].own;
		rest -= plan->site[i].own ? plan->site[i].share : 0;
	}
	return rest > 0 ? rest / others : 0;
}

bool plan_site_writes(const struct plan *plan, unsigned site)
{
	const struct plan_site *s = &plan->site[site];

	return plan_site_share(plan, site) > 0 && (s->own ? s->write : plan->load.write) > 0;
}

unsigned plan_contact(const struct plan *plan, unsigned site, unsigned client)
{
	unsigned first = 0;
	unsigned count = 0;

	/* The replicas of a site stand together: sites were expanded one after the other. */
	for (unsigned i = 0; i < plan->replicas; i++) {
		if (plan->node[i].site == site && count++ == 0)
			first = i;
	}
	assert(count > 0);
	return first + client % count;
}

int plan_resolve(struct plan *plan, unsigned phase, unsigned leader, struct err *err)
{
	assert(phase < plan->phases && plan->phase[phase].leader_aware && plan->script);
	return phases_resolve(plan, plan->script, phase, leader, err);
}

int plan_refuse_real(const struct plan *plan, struct err *err)
{
	if (!plan->simulated_only)
		return 0;
	return err_set(err, -EOPNOTSUPP, EXIT_USAGE,
		"lab %s, of %u replicas, is for a simulation, its script says: pacelab simulate %s",
		plan->name, plan->replicas, plan->path);
}

static uint64_t median_ns(const struct link_state *link)
{
	return dist_quantile_ns(link->dist, link->delay_ns, link->jitter_ns, 0.5);
}

uint64_t plan_alike_ns(const struct plan *plan)
{
	struct proto_claim claim;

	if (plan->real)
		return plan->real->settle_ns;
	plan->system->ops->claim(&plan->proto, &claim);
	return claim.alike_ns;
}

uint64_t plan_rtt_ns(const struct link_matrix *matrix, unsigned a, unsigned b)
{
	if (a == b)
		return 0;
	return median_ns(link_matrix_at(matrix, a, b)) + median_ns(link_matrix_at(matrix, b, a));
}
