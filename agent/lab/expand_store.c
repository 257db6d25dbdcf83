/* SPDX-License-Identifier: MIT */
/* expand_store.c - from the statements of a script to a plan: the store, its levels and settings */
#include <stdio.h>
#include <string.h>

#include "agent/lab/expand.h"
#include "agent/lab/real.h"
#include "agent/lab/stores.h"
#include "agent/load/plugin.h"
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
	if (plan->real) {
		/* What it was set to its file has heard. */
		if (settings_read(&plan->proto, system->ops, plan->real->model, err) < 0)
			return err_wrap(err, "%s: 'like' of %s", plan->real->path, system->name);
		return 0;
	}
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

/* The row of the store that the script or the command line names. */
static int find_store(struct plan *plan, const struct script *s, const char *name,
	bool from_options, struct err *err)
{
	char why[ERR_TEXT_MAX];

	plan->system = stores_find(name, err);
	if (plan->system)
		return 0;
	if (from_options)
		return err_wrap(err, "--store");
	(void)snprintf(why, sizeof why, "%s", err->text);
	return script_fail(s, s->store.name.line, err, "%s", why);
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

/* A real database knows no levels, and no times of elections. */
static int check_real(const struct plan *plan, const struct script *s, struct err *err)
{
	const struct script_store *store = &s->store;

	if (!plan->foreign_store &&
		(store->read_level[0] || store->write_level[0] || store->election_min_ns ||
			store->heartbeat_ns || store->request_timeout_ns))
		return script_fail(s, store->name.line, err,
			"store: levels and times are of stores of ours; what '%s' can be told is "
			"`set`: %s",
			plan->system->name, plan->system->real->choices);
	return 0;
}

/* What its file makes of these nodes, with the knobs of the script and the command line. */
static int expand_real(struct plan *plan, const struct script *s,
	const struct plan_options *options, struct err *err)
{
	const struct system *row = plan->system;
	char set[REAL_SETTINGS_MAX];
	int rc = check_real(plan, s, err);

	if (rc < 0)
		return rc;
	if ((size_t)snprintf(set, sizeof set, "%s %s", plan->foreign_store ? "" : s->store.set,
		    options->set ? options->set : "") >= sizeof set)
		return err_usage(err, "--set: longer than %zu characters", sizeof set - 1);
	rc = real_expand(&plan->real, row, plan, set, err);
	if (rc < 0)
		return rc;
	plan->driver = plugin_find(plan->real->driver, err);
	if (!plan->driver && plugin_package(plan->real->driver))
		return real_missing(plan->real, err); /* and what else there is to install */
	if (!plan->driver)
		return err_wrap(err, "store %s", row->name);
	/* Other knobs may be like another system of ours. */
	plan->row = *plan->real->like;
	plan->row.name = row->name;
	plan->row.kept = row->kept;
	plan->row.left_out = row->left_out;
	plan->row.differs = row->differs;
	plan->row.real = plan->real;
	plan->system = &plan->row;
	return 0;
}

static int expand_levels(struct plan *plan, const struct script *s, struct err *err)
{
	/* Levels in the script were meant for the script's own store. */
	int rc = find_level(s, plan->foreign_store ? "" : s->store.read_level,
		plan->system->read_level, &plan->proto.read_level, err);

	if (rc < 0)
		return rc;
	return find_level(s, plan->foreign_store ? "" : s->store.write_level,
		plan->system->write_level, &plan->proto.write_level, err);
}

int expand_store(struct plan *plan, const struct script *s, const struct plan_options *options,
	struct err *err)
{
	const char *name = options->store ? options->store : s->store.name.text;
	const char *leader = options->leader ? options->leader : s->store.leader;
	int rc;

	if (name[0] == '\0')
		return script_fail(s, s->lines, err, "no store: add store \"raft\"");
	rc = find_store(plan, s, name, options->store != NULL, err);
	if (rc < 0)
		return rc;
	plan->foreign_store = strcmp(name, s->store.name.text) != 0;
	plan->proto.nodes = plan->replicas;
	plan->proto.leader = -1;
	plan->fsync = s->store.fsync;
	if (leader[0])
		rc = find_leader(plan, s, leader, options->leader != NULL, err);
	if (rc == 0 && plan->system->real)
		rc = expand_real(plan, s, options, err);
	if (rc == 0)
		rc = expand_levels(plan, s, err);
	if (rc == 0)
		rc = expand_settings(plan, s, options, err);
	return rc;
}
