/* SPDX-License-Identifier: MIT */
/*
 * expand.h - from the statements of a script to a plan: who there is, and what happens when
 *
 * Internal to the plan. Each function fails with "path:line: what is wrong: cure" in @err.
 */
#ifndef LAB_EXPAND_H
#define LAB_EXPAND_H

#include "agent/lab/plan.h"
#include "agent/lab/script.h"

/* expand() - fill the zeroed @plan from @script, with what the command line says instead. The plan
 * keeps the script: plan_free() closes it, whatever is returned. */
int expand(struct plan *plan, struct script *script, const struct plan_options *options,
	struct err *err);

/* expand_name() - check that @name can name a @what; at most @max bytes. */
int expand_name(const struct script *script, const struct script_text *name, const char *what,
	size_t max, struct err *err);

/**
 * expand_select() - the nodes that @word names: one node, or a site with its client node
 * @in:		by node index: set to true for each of them, else left alone
 * Return: how many it names, or -EINVAL for an unknown name.
 */
int expand_select(const struct plan *plan, const struct script *script, int line, const char *word,
	bool *in, struct err *err);

/* expand_store() - the store, its levels and settings; needs nodes. */
int expand_store(struct plan *plan, const struct script *s, const struct plan_options *options,
	struct err *err);

/*
 * What a real database asks of a lab; plan->suited says what became other than it was said.
 * suit_load() - rate, unless the command line says it, and deadline. suit_clients() - how many.
 * suit_workload() - refuse what its driver cannot do. suit_warmup() - @script's warm-up, before
 * phases_expand(). suit_phases() - how long it takes to notice a fault, and to be whole again.
 */
void suit_load(struct plan *plan, bool rate_said);
void suit_clients(struct plan *plan);
int suit_workload(const struct plan *plan, const struct script *s, struct err *err);
void suit_warmup(struct plan *plan, struct script *script);
void suit_phases(struct plan *plan);

/* expect_expand() - what is expected of the plan's store, and the stores that it is meant for. */
int expect_expand(struct plan *plan, const struct script *script, struct err *err);

/* phases_expand() - phases of the fit and of the script; needs nodes, base matrix and load. */
int phases_expand(
	struct plan *plan, const struct script *script, double time_scale, struct err *err);

/* phases_resolve() - phase @phase anew, with @leader as who leads. */
int phases_resolve(struct plan *plan, const struct script *script, unsigned phase, unsigned leader,
	struct err *err);

/**
 * faults_apply() - fill @phase's matrix from the base and the faults of @from
 * @leader:	the replica that SCRIPT_LEADER names; sets leader_aware if one is named
 *
 * Faults of one link merge field by field; where two say different things, that is an error.
 */
int faults_apply(const struct plan *plan, const struct script *script,
	const struct script_phase *from, unsigned leader, struct plan_phase *phase,
	struct err *err);

/* faults_words() - what a fault of a matrix does: "east+west | far (wire)"; @leader: "" if it is
 * not known yet. */
void faults_words(const struct script_fault *fault, const char *leader, char *out, size_t size);

/**
 * sides_find() - which nodes can reach each other in @phase, from its matrix
 *
 * Replicas are on one side if they are connected by links that work in both directions, perhaps
 * through other replicas. A client node is on the side of the first replica, of those that its
 * clients contact, that it can talk to; the client nodes that can talk to none of theirs are a
 * side of their own without replicas. Sides stand in order of size, the largest first.
 *
 * Return: 0, or -E2BIG: more than PLAN_SIDES_MAX.
 */
int sides_find(const struct plan *plan, struct plan_phase *phase);

#endif
