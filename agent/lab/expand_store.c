/* SPDX-License-Identifier: MIT */
/* expand_store.c - from the statements of a script to a plan: the store, its levels and settings */
#include <stdio.h>
#include <string.h>

#include "agent/lab/expand.h"
#include "agent/lab/near.h"
#include "store/settings.h"

static int find_level(const struct script *s, const char *name, enum proto_level otherwise,
	enum proto_level *ret, struct err *err)
{
	*ret = otherwise;
	if (name[0] == '\0')
		return 0;
	for (int i = PROTO_DEFAULT + 1; i < PROTO_LEVEL_NR; i++) {
		if (strcmp(proto_level_names[i], name) == 0) {
			*ret = (enum proto_level)i;
			return 0;
		}
	}
	return script_fail(s, s->store.name.line, err,
		"store: '%s' is not a level: one, two, three, quorum, all and lease are", name);
}

/* What the system sets, then the script if it is its own store, then the command line. */
static int expand_settings(struct plan *plan, const struct script *s,
	const struct plan_options *options, struct err *err)
{
	const struct system *system = plan->system;
	int rc = 0;

	settings_defaults(&plan->proto);
	if (system->settings)
		rc = settings_read(&plan->proto, system->ops, system->settings, err);
	if (rc < 0)
		return err_wrap(err, "settings of '%s'", system->name);
	if (!plan->foreign_store &&
		settings_read(&plan->proto, system->ops, s->store.set, err) < 0) {
		char why[ERR_TEXT_MAX];

		(void)snprintf(why, sizeof why, "%s", err->text);
		return script_fail(s, s->store.name.line, err, "store: %s", why);
	}
	if (options->set && settings_read(&plan->proto, system->ops, options->set, err) < 0)
		return err_wrap(err, "--set");
	return 0;
}

/* An unknown store, from the script or from the command line. */
static int fail_store(const struct script *s, const char *name, bool from_options, struct err *err)
{
	struct near near = near_to(name);
	char all[400] = "";
	char hint[96];

	for (unsigned i = 0; system_list(i); i++) {
		size_t len = strlen(all);

		near_offer(&near, system_list(i)->name);
		(void)snprintf(
			all + len, sizeof all - len, "%s%s", i ? ", " : "", system_list(i)->name);
	}
	near_text(&near, hint, sizeof hint);
	if (from_options)
		return err_usage(err, "--store: no store is called '%s'%s there are %s", name,
			near.best ? hint : ":", all);
	return script_fail(s, s->store.name.line, err, "no store is called '%s'%s there are %s",
		name, near.best ? hint : ":", all);
}

/* A node, or a site: its first replica. */
static int find_leader(struct plan *plan, const struct script *s, const char *name,
	bool from_options, struct err *err)
{
	bool in[FABRIC_NODES_MAX] = {false};
	int rc;

	rc = expand_select(plan, s, s->store.name.line, name, in, err);
	if (rc < 0 && from_options)
		return err_usage(err, "--leader: no site or node is called '%s'", name);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < plan->replicas; i++) {
		if (in[i]) {
			plan->proto.leader = (int)i;
			return 0;
		}
	}
	if (from_options)
		return err_usage(err, "--leader: '%s' is a client node: name a replica", name);
	return script_fail(s, s->store.name.line, err,
		"store: leader '%s' is a client node: name a replica", name);
}

int expand_store(struct plan *plan, const struct script *s, const struct plan_options *options,
	struct err *err)
{
	const char *name = options->store ? options->store : s->store.name.text;
	const char *leader = options->leader ? options->leader : s->store.leader;
	int rc;

	if (name[0] == '\0')
		return script_fail(s, s->lines, err, "no store: add store \"raft\"");
	plan->system = system_find(name);
	if (!plan->system)
		return fail_store(s, name, options->store != NULL, err);
	/* Levels in the script were meant for the script's own store. */
	plan->foreign_store = strcmp(name, s->store.name.text) != 0;
	plan->proto.nodes = plan->replicas;
	plan->proto.leader = -1;
	plan->fsync = s->store.fsync;
	rc = find_level(s, plan->foreign_store ? "" : s->store.read_level, plan->system->read_level,
		&plan->proto.read_level, err);
	if (rc == 0)
		rc = find_level(s, plan->foreign_store ? "" : s->store.write_level,
			plan->system->write_level, &plan->proto.write_level, err);
	if (rc == 0)
		rc = expand_settings(plan, s, options, err);
	if (rc == 0 && leader[0])
		rc = find_leader(plan, s, leader, options->leader != NULL, err);
	return rc;
}
