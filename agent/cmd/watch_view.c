/* SPDX-License-Identifier: MIT */
/* watch_view.c - a lab just now, as its supervisor told (agent/lab/live.h), checked */
#include "agent/cmd/watch_view.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

const char *const watch_state_names[WATCH_STATE_NR] = {
	[WATCH_UP] = "up",
	[WATCH_STARTING] = "starting",
	[WATCH_PAUSED] = "paused",
	[WATCH_DOWN] = "down",
	[WATCH_CLIENT] = "client",
};

/* What is not there or of another kind is noted, and read as nothing. */
struct reader {
	const char *bad;
};

static const json_t *member(struct reader *r, const json_t *from, const char *key)
{
	const json_t *value = json_object_get(from, key);

	if (!value)
		r->bad = key;
	return value;
}

static void text(struct reader *r, const json_t *from, const char *key, char *ret, size_t size)
{
	const char *is = json_string_value(member(r, from, key));

	if (!is)
		r->bad = key;
	(void)snprintf(ret, size, "%s", is ? is : "");
}

static uint64_t count(struct reader *r, const json_t *from, const char *key)
{
	const json_t *value = member(r, from, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		r->bad = key;
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

static bool yes(struct reader *r, const json_t *from, const char *key)
{
	return json_is_true(member(r, from, key));
}

/* An array of @min to @max elements. */
static const json_t *array(
	struct reader *r, const json_t *from, const char *key, size_t min, size_t max)
{
	const json_t *value = member(r, from, key);

	if (json_is_array(value) && json_array_size(value) >= min && json_array_size(value) <= max)
		return value;
	r->bad = key;
	return NULL;
}

static void read_head(struct reader *r, const json_t *top, struct watch_lab *v)
{
	text(r, top, "lab", v->lab, sizeof v->lab);
	text(r, top, "store", v->store, sizeof v->store);
	text(r, top, "emulator", v->emulator, sizeof v->emulator);
	text(r, top, "leader", v->leader, sizeof v->leader);
	text(r, top, "harm", v->harm, sizeof v->harm);
	v->scripted = yes(r, top, "scripted");
	v->t_ns = count(r, top, "t_ns");
	v->up_ns = count(r, top, "up_ns");
	v->term = count(r, top, "term");
	v->links = (unsigned)count(r, top, "links");
	v->links_cut = (unsigned)count(r, top, "links_cut");
	v->faults_more = (unsigned)count(r, top, "faults_more");
}

static void read_phase(struct reader *r, const json_t *top, struct watch_phase *p)
{
	const json_t *from = member(r, top, "phase");

	if (!from || json_is_null(from))
		return;
	text(r, from, "name", p->name, sizeof p->name);
	text(r, from, "what", p->what, sizeof p->what);
	p->number = (unsigned)count(r, from, "number");
	p->phases = (unsigned)count(r, from, "phases");
	p->begin_ns = count(r, from, "begin_ns");
	p->end_ns = count(r, from, "end_ns");
	if (p->end_ns <= p->begin_ns)
		r->bad = "phase";
}

static void read_replica(struct reader *r, const json_t *from, struct watch_node *n)
{
	n->replica = true;
	text(r, from, "role", n->role, sizeof n->role);
	n->ready = yes(r, from, "ready");
	n->term = count(r, from, "term");
	n->committed = count(r, from, "committed");
	n->applied = count(r, from, "applied");
	n->skew_ns = json_integer_value(member(r, from, "skew_ns"));
}

static void read_node(struct reader *r, const json_t *from, struct watch_lab *v)
{
	struct watch_node *n = &v->node[v->nodes++];
	char state[WATCH_NAME_MAX];

	text(r, from, "name", n->name, sizeof n->name);
	text(r, from, "state", state, sizeof state);
	while (n->state < WATCH_STATE_NR && strcmp(watch_state_names[n->state], state) != 0)
		n->state++;
	if (n->state == WATCH_STATE_NR) {
		n->state = WATCH_STARTING;
		r->bad = "state";
	}
	n->site = (unsigned)count(r, from, "site");
	if (n->site >= v->sites) {
		n->site = 0;
		r->bad = "site";
	}
	n->carrier = yes(r, from, "carrier");
	n->sent = count(r, from, "sent");
	n->got = count(r, from, "got");
	n->lost = count(r, from, "lost");
	if (json_object_get(from, "role"))
		read_replica(r, from, n);
}

static void read_faults(struct reader *r, const json_t *top, struct watch_lab *v)
{
	const json_t *faults = array(r, top, "faults", 0, LIVE_FAULTS_MAX);
	const json_t *from;
	size_t i;

	json_array_foreach(faults, i, from)
	{
		struct watch_fault *f = &v->fault[v->faults++];

		text(r, from, "words", f->words, sizeof f->words);
		text(r, from, "from", f->from, sizeof f->from);
		text(r, from, "to", f->to, sizeof f->to);
		f->links = (unsigned)count(r, from, "links");
	}
}

/* @n rows of as many letters; @row: how far apart they are to stand. */
static bool read_letters(
	struct reader *r, const json_t *top, const char *key, unsigned n, char *ret, size_t row)
{
	const json_t *rows = json_object_get(top, key);
	const json_t *from;
	size_t i;

	if (!rows)
		return false;
	rows = array(r, top, key, n, n);
	json_array_foreach(rows, i, from)
	{
		if (json_string_length(from) != n)
			r->bad = key;
		else
			memcpy(ret + i * row, json_string_value(from), n);
	}
	return rows && !r->bad;
}

static void read_cells(struct reader *r, const json_t *top, struct watch_lab *v)
{
	const json_t *rows = json_object_get(top, "cells");
	const json_t *cells;
	const json_t *cell;
	size_t a;
	size_t b;

	v->celled = rows && v->nodes <= LIVE_CELLS_MAX;
	if (!v->celled)
		return;
	rows = array(r, top, "cells", v->nodes, v->nodes);
	json_array_foreach(rows, a, cells)
	{
		if (json_array_size(cells) != v->nodes)
			r->bad = "cells";
		json_array_foreach(cells, b, cell)
		{
			const char *is = json_string_value(cell);

			if (b < v->nodes)
				(void)snprintf(v->cell[a][b], WATCH_CELL_MAX, "%s", is ? is : "?");
		}
	}
}

static void read_all(struct reader *r, const json_t *top, struct watch_lab *v)
{
	const json_t *sites = array(r, top, "sites", 1, PLAN_SITES_MAX);
	const json_t *nodes = array(r, top, "nodes", 1, FABRIC_NODES_MAX);
	const json_t *from;
	size_t i;

	read_head(r, top, v);
	read_phase(r, top, &v->phase);
	json_array_foreach(sites, i, from)
	{
		const char *name = json_string_value(from);

		(void)snprintf(v->site[v->sites++], WATCH_NAME_MAX, "%s", name ? name : "?");
	}
	for (i = 0; i < json_array_size(nodes); i++)
		read_node(r, json_array_get(nodes, i), v);
	read_faults(r, top, v);
	(void)read_letters(
		r, top, "site_letters", v->sites, v->site_letter[0], sizeof v->site_letter[0]);
	if (v->nodes <= LIVE_LETTERS_MAX)
		v->lettered = read_letters(
			r, top, "letters", v->nodes, v->letter[0], sizeof v->letter[0]);
	read_cells(r, top, v);
}

int watch_read(const char *json, struct watch_lab *ret, struct err *err)
{
	struct reader r = {.bad = NULL};
	json_error_t why;
	json_t *top = json_loads(json, 0, &why);

	memset(ret, 0, sizeof *ret);
	if (!top)
		r.bad = "JSON";
	else
		read_all(&r, top, ret);
	json_decref(top);
	if (!r.bad)
		return 0;
	return err_set(err, -EBADMSG, EXIT_INTERNAL,
		"the lab's answer is not what this version of pacelab knows (%s): watch it with the "
		"program that started it",
		r.bad);
}
