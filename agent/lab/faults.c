/* SPDX-License-Identifier: MIT */
/*
 * faults.c - the faults of a phase, folded into its link matrix
 *
 * For each link is kept what the phase's faults have named of it, and the line of the last one: so
 * faults merge field by field in any order, a contradiction is found at the fault that makes it,
 * and what results is judged once, at the end.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lab/expand.h"
#include "agent/lab/shapes.h"

#define NAMED_CUT (1u << LINK_FIELD_NR) /* beside the bits of link_words.h */

struct fold {
	const struct plan *plan;
	const struct script *s;
	struct plan_phase *phase;
	unsigned leader;
	struct said {
		uint32_t named;
		int line;
	} * said; /* by link, as the matrix */
};

static struct said *said_of(const struct fold *f, unsigned from, unsigned to)
{
	return &f->said[from * f->plan->nodes + to];
}

/* The groups that a fault names, one after the other. */
static int find_groups(
	struct fold *f, const struct script_fault *fault, struct shape *ret, struct err *err)
{
	const struct plan *plan = f->plan;

	*ret = (struct shape){.one_way = fault->kind == SCRIPT_ONE_WAY || fault->one_way};
	for (unsigned w = 0; w < fault->words; w++) {
		bool in[FABRIC_NODES_MAX] = {false};
		int rc = 1;

		if (strcmp(fault->word[w], SCRIPT_LEADER) == 0) {
			in[f->leader] = true;
			f->phase->leader_aware = true;
		} else {
			rc = expand_select(plan, f->s, fault->line, fault->word[w], in, err);
		}
		if (rc < 0)
			return rc;
		for (unsigned i = 0; i < plan->nodes; i++) {
			if (!in[i])
				continue;
			if (ret->group_of[i])
				return script_fail(f->s, fault->line, err,
					"%s() names node '%s' twice: a node is in one group, once",
					script_fault_names[fault->kind], plan->node[i].name);
			ret->group_of[i] = (uint16_t)(fault->group[w] + 1);
		}
	}
	return 0;
}

/* The one replica that a bridge goes over. */
static int find_bridge(struct fold *f, const struct script_fault *fault, const struct shape *named,
	struct shape *ret, struct err *err)
{
	struct err why = {0};
	unsigned node = 0;

	while (!named->group_of[node])
		node++;
	for (unsigned i = node + 1; i < f->plan->nodes; i++) {
		if (named->group_of[i])
			return script_fail(
				f->s, fault->line, err, "bridge() goes over one replica: name one");
	}
	if (shape_bridge(f->plan, node, ret, &why))
		return script_fail(f->s, fault->line, err, "bridge(): %s", why.text);
	return 0;
}

static int find_shape(
	struct fold *f, const struct script_fault *fault, struct shape *ret, struct err *err)
{
	struct shape named;
	struct err why = {0};
	int rc = find_groups(f, fault, &named, err);

	if (rc < 0)
		return rc;
	*ret = named;
	if (fault->kind == SCRIPT_BRIDGE)
		return find_bridge(f, fault, &named, ret, err);
	if (fault->kind == SCRIPT_ISOLATE)
		(void)shape_rest(f->plan, ret);
	if (fault->kind == SCRIPT_RING && shape_ring(f->plan, ret, &why))
		return script_fail(f->s, fault->line, err, "ring(): %s", why.text);
	return 0;
}

static int cut_link(struct fold *f, const struct script_fault *fault, unsigned from, unsigned to,
	struct err *err)
{
	struct link_state *link = link_matrix_at(&f->phase->matrix, from, to);
	struct said *said = said_of(f, from, to);

	if ((said->named & NAMED_CUT) && link->cut != fault->cut)
		return script_fail(f->s, fault->line, err,
			"%s() cuts '%s' > '%s' with kind %s, line %d with kind %s: take one",
			script_fault_names[fault->kind], f->plan->node[from].name,
			f->plan->node[to].name, link_cut_names[fault->cut], said->line,
			link_cut_names[link->cut]);
	link->cut = (uint8_t)fault->cut;
	said->named |= NAMED_CUT;
	said->line = fault->line;
	f->phase->cut = true;
	return 0;
}

static int change_link(struct fold *f, const struct script_fault *fault,
	const struct link_change *change, unsigned from, unsigned to, struct err *err)
{
	struct link_state *link = link_matrix_at(&f->phase->matrix, from, to);
	struct said *said = said_of(f, from, to);

	if (link_change_contradicts(change, said->named, link))
		return script_fail(f->s, fault->line, err,
			"link() says another thing of '%s' > '%s' than line %d in the same phase: "
			"say it once",
			f->plan->node[from].name, f->plan->node[to].name, said->line);
	link_change_apply(change, said->named, link);
	said->named |= change->named;
	said->line = fault->line;
	return 0;
}

static int apply_fault(struct fold *f, const struct script_fault *fault, struct err *err)
{
	unsigned nodes = f->plan->nodes;
	struct link_change change = {0};
	struct shape shape;
	int rc = find_shape(f, fault, &shape, err);

	if (rc == 0 && fault->kind == SCRIPT_LINK)
		rc = link_change_read(fault->change, &change, err);
	for (unsigned i = 0; rc == 0 && fault->kind == SCRIPT_DOWN && i < nodes; i++) {
		if (!shape.group_of[i])
			continue;
		f->phase->matrix.down[i] = true;
		f->phase->cut = true;
	}
	if (rc < 0 || fault->kind == SCRIPT_DOWN)
		return rc;
	for (unsigned a = 0; a < nodes; a++) {
		for (unsigned b = 0; b < nodes && rc == 0; b++) {
			if (!shape_cuts(&shape, a, b))
				continue;
			if (fault->kind == SCRIPT_LINK)
				rc = change_link(f, fault, &change, a, b, err);
			else
				rc = cut_link(f, fault, a, b, err);
		}
	}
	return rc;
}

/* Only of links that were changed: the base was judged before. */
static int check_links(const struct fold *f, struct err *err)
{
	const struct plan *plan = f->plan;

	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			struct err why = {0};

			if (said_of(f, a, b)->named &&
				link_words_check(link_matrix_at(&f->phase->matrix, a, b), &why))
				return script_fail(f->s, said_of(f, a, b)->line, err,
					"link '%s' > '%s' in phase '%s': %s", plan->node[a].name,
					plan->node[b].name, f->phase->name, why.text);
		}
	}
	return 0;
}

int faults_apply(const struct plan *plan, const struct script *script,
	const struct script_phase *from, unsigned leader, struct plan_phase *phase, struct err *err)
{
	struct fold f = {.plan = plan, .s = script, .phase = phase, .leader = leader};
	int rc = 0;

	f.said = calloc((size_t)plan->nodes * plan->nodes, sizeof *f.said);
	assert(f.said);
	link_matrix_copy(&phase->matrix, &plan->base);
	phase->cut = false;
	phase->leader_aware = false;
	for (unsigned i = 0; i < from->faults && rc == 0; i++) {
		const struct script_fault *fault = &script->fault[from->first + i];

		if (fault->kind < SCRIPT_KILL)
			rc = apply_fault(&f, fault, err);
	}
	if (rc == 0)
		rc = check_links(&f, err);
	free(f.said);
	return rc;
}

__attribute__((format(printf, 3, 4))) static void add(char *out, size_t size, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(out + len, size - len, fmt, args);
	va_end(args);
}

/* "east+west | far": the words of a fault as they were written. */
static void add_groups(const struct script_fault *fault, const char *leader, const char *between,
	char *out, size_t size)
{
	for (unsigned i = 0; i < fault->words; i++) {
		const char *glue = "";

		if (i > 0)
			glue = fault->group[i] == fault->group[i - 1] ? "+" : between;
		if (strcmp(fault->word[i], SCRIPT_LEADER) == 0)
			add(out, size, "%sleader%s%s", glue, *leader ? " " : "", leader);
		else
			add(out, size, "%s%s", glue, fault->word[i]);
	}
}

void faults_words(const struct script_fault *fault, const char *leader, char *out, size_t size)
{
	static const char *const between[] = {[SCRIPT_CUT] = " | ",
		[SCRIPT_ONE_WAY] = " -/-> ",
		[SCRIPT_ISOLATE] = "",
		[SCRIPT_BRIDGE] = "",
		[SCRIPT_RING] = "",
		[SCRIPT_LINK] = " -- ",
		[SCRIPT_DOWN] = "+"};

	out[0] = '\0';
	if (fault->kind == SCRIPT_BRIDGE)
		add(out, size, "bridge over ");
	if (fault->kind == SCRIPT_RING)
		add(out, size, "ring of majorities");
	add_groups(fault, leader, fault->one_way ? " -> " : between[fault->kind], out, size);
	if (fault->kind == SCRIPT_ISOLATE)
		add(out, size, " | rest");
	if (fault->kind == SCRIPT_DOWN)
		add(out, size, " down");
	if (fault->kind == SCRIPT_LINK)
		add(out, size, " %s", fault->change);
	else if (fault->kind != SCRIPT_DOWN && fault->cut != CUT_EDGE)
		add(out, size, " (%s)", link_cut_names[fault->cut]);
}
