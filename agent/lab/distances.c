/* SPDX-License-Identifier: MIT */
/* distances.c - distances that the command line names: profiles, and a file of round trips */
#include "agent/lab/distances.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lab/near.h"
#include "agent/lab/rtt_file.h"

#define PROFILES_TEXT_MAX 256

/* Its delay and jitter: what is lost on such links would be no latency. */
struct link_state distances_profile(const struct link_word *profile)
{
	struct link_change change;
	struct link_state state = {.delay_ns = 0};

	if (link_change_read(profile->args, &change, NULL) == 0)
		link_change_apply(&change, 0, &state);
	return (struct link_state){.delay_ns = state.delay_ns, .jitter_ns = state.jitter_ns};
}

static const struct link_word *find_profile(const char *name)
{
	const struct link_word *profile;

	for (unsigned i = 0; (profile = link_profiles_list(i)); i++)
		if (strcmp(profile->name, name) == 0)
			return profile;
	return NULL;
}

static int fail_profile(const char *name, struct err *err)
{
	struct near near = near_to(name);
	char hint[96];

	for (unsigned i = 0; link_profiles_list(i); i++)
		near_offer(&near, link_profiles_list(i)->name);
	return err_usage(err,
		"--profiles: no profile is called '%.40s'%s 'pacelab list profiles' has "
		"them all",
		name, near.best ? near_text(&near, hint, sizeof hint) : ":");
}

/* Names with commas between. */
int distances_profiles(struct script *s, const char *names, struct err *err)
{
	char copy[PROFILES_TEXT_MAX];
	char *at = copy;
	char *name;

	if (!names)
		return 0;
	if (strlen(names) >= sizeof copy)
		return err_usage(err, "--profiles: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", names);
	while ((name = strsep(&at, ", "))) {
		const struct link_word *profile = find_profile(name);

		if (!name[0])
			continue;
		if (!profile)
			return fail_profile(name, err);
		for (unsigned i = 0; i < s->profiles; i++)
			if (s->profile[i] == profile)
				return err_usage(err, "--profiles: '%s' is there twice", name);
		if (s->profiles == PLAN_PROFILES_MAX)
			return err_usage(err, "--profiles: more than %d", PLAN_PROFILES_MAX);
		s->profile[s->profiles++] = profile;
	}
	if (s->profiles == 0)
		return err_usage(err, "--profiles: no name of a profile: \"lan,region,wan\"");
	return 0;
}

/* Round trip under the slowest profile of the command line. */
uint64_t distances_longest_ns(const struct script *s)
{
	uint64_t longest = 0;

	for (unsigned i = 0; i < s->profiles; i++) {
		struct link_state state = distances_profile(s->profile[i]);

		longest = 2 * state.delay_ns > longest ? 2 * state.delay_ns : longest;
	}
	return longest;
}

/* Sites are as far apart as the first regions of a file, whatever the script says. */
int distances_matrix(struct plan *plan, const char *path, struct err *err)
{
	struct rtt_file *file = calloc(1, sizeof *file);
	int rc;

	assert(file);
	rc = rtt_file_read(file, path, err);
	if (rc < 0)
		(void)err_wrap(err, "--matrix");
	else if (file->regions < plan->sites)
		rc = err_usage(err, "--matrix %s: %u regions for the %u sites of lab %s: add some",
			path, file->regions, plan->sites, plan->name);
	for (unsigned a = 0; rc == 0 && a < plan->nodes; a++) {
		unsigned from = plan->node[a].site;

		(void)snprintf(plan->site[from].region, PLAN_REGION_MAX, "%s", file->name[from]);
		for (unsigned b = 0; b < plan->nodes; b++)
			if (plan->node[b].site != from)
				*link_matrix_at(&plan->base, a, b) = (struct link_state){
					.delay_ns = file->rtt_ns[from][plan->node[b].site] / 2};
	}
	free(file);
	return rc;
}
