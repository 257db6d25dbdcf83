/* SPDX-License-Identifier: MIT */
/*
 * live.c - a lab just now, as JSON for `pacelab watch`: processes, links and counters
 *
 * Asked for some times a second while measurements go on: so nothing is said of the single links
 * of a large lab, and counters are added up here. Links are told by a letter, in a string a row.
 */
#include "agent/lab/live.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/json.h"
#include "agent/base/units.h"
#include "agent/lab/groups.h"
#include "agent/lab/harm.h"
#include "agent/lab/show.h"
#include "netns/link_words.h"

#define WORDS_MAX 160

static const struct live_letter letters[] = {
	{LIVE_DOWN, "no carrier"},
	{LIVE_CUT, "cut"},
	{LIVE_SOME_CUT, "some cut"},
	{'F', "flap"},
	{'L', "loss"},
	{'#', "drop"},
	{'R', "rate"},
	{'C', "corrupt"},
	{'D', "duplicate"},
	{'O', "reorder"},
	{'~', "another delay"},
};
#define LETTERS (sizeof letters / sizeof *letters)

const struct live_letter *live_letters(unsigned i)
{
	return i < LETTERS ? &letters[i] : NULL;
}

static bool field_differs(
	enum link_field field, const struct link_state *link, const struct link_state *base)
{
	char now[LINK_WORDS_TEXT_MAX];
	char before[LINK_WORDS_TEXT_MAX];

	return strcmp(link_field_print(field, link, now), link_field_print(field, base, before)) !=
	       0;
}

char live_letter(const struct link_state *link, const struct link_state *base, bool down)
{
	static const struct {
		enum link_field field;
		char letter;
	} fields[] = {{LINK_FLAP, 'F'}, {LINK_LOSS, 'L'}, {LINK_DROP, '#'}, {LINK_RATE, 'R'},
		{LINK_CORRUPT, 'C'}, {LINK_DUPLICATE, 'D'}, {LINK_REORDER, 'O'}};

	if (down)
		return LIVE_DOWN;
	if (link->cut)
		return LIVE_CUT;
	if (link_state_same(link, base))
		return LIVE_AS_WANTED;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (field_differs(fields[i].field, link, base))
			return fields[i].letter;
	}
	return '~';
}

/* What a link is compared with. */
struct view {
	const struct supervisor *s;
	const struct plan *plan;
	const struct link_matrix *m;
	struct json *j;
};

static char letter_of(const struct view *v, unsigned a, unsigned b)
{
	if (a == b)
		return ' ';
	return live_letter(link_matrix_at(v->m, a, b), link_matrix_at(&v->plan->base, a, b),
		v->m->down[a] || v->m->down[b]);
}

/* The worse of two comes first in the table; all cut is worse than some. */
static unsigned rank_of(char letter)
{
	unsigned i = 0;

	while (i < LETTERS && letters[i].letter != letter)
		i++;
	return i;
}

static void row_begin(const struct view *v, const char *key)
{
	json_key(v->j, key);
	json_array(v->j);
}

static void node_letters(const struct view *v)
{
	char row[LIVE_LETTERS_MAX + 1] = "";

	row_begin(v, "letters");
	for (unsigned a = 0; a < v->m->nodes; a++) {
		for (unsigned b = 0; b < v->m->nodes; b++)
			row[b] = letter_of(v, a, b);
		json_string(v->j, row);
	}
	json_array_end(v->j);
}

/* The worst of all links from one site to another. */
static void site_letters(const struct view *v)
{
	char worst[PLAN_SITES_MAX][PLAN_SITES_MAX + 1] = {{0}};
	bool open[PLAN_SITES_MAX][PLAN_SITES_MAX] = {{false}};

	for (unsigned a = 0; a < v->m->nodes; a++) {
		for (unsigned b = 0; b < v->m->nodes; b++) {
			unsigned from = v->plan->node[a].site;
			unsigned to = v->plan->node[b].site;
			char letter = letter_of(v, a, b);
			char *known = &worst[from][to];

			if (!*known || *known == ' ' ||
				(letter != ' ' && rank_of(letter) < rank_of(*known)))
				*known = letter;
			open[from][to] = open[from][to] || (letter != LIVE_CUT && letter != ' ');
		}
	}
	row_begin(v, "site_letters");
	for (unsigned from = 0; from < v->plan->sites; from++) {
		for (unsigned to = 0; to < v->plan->sites; to++) {
			if (worst[from][to] == LIVE_CUT && open[from][to])
				worst[from][to] = LIVE_SOME_CUT;
		}
		json_string(v->j, worst[from]);
	}
	json_array_end(v->j);
}

static void cells_json(const struct view *v)
{
	char cell[SHOW_CELL_MAX];

	json_key(v->j, "cells");
	json_array(v->j);
	for (unsigned a = 0; a < v->m->nodes; a++) {
		json_array(v->j);
		for (unsigned b = 0; b < v->m->nodes; b++) {
			show_cell(link_matrix_at(v->m, a, b), cell);
			json_string(v->j, a == b ? "-" : cell);
		}
		json_array_end(v->j);
	}
	json_array_end(v->j);
}

static const char *state_of(const struct supervisor *s, unsigned i)
{
	const struct member *m = i < s->plan->replicas ? &s->replica[i] : NULL;

	if (m && !m->runs)
		return m->pid ? "down" : "starting";
	if (s->node[i].paused)
		return "paused";
	if (!m)
		return "client";
	return watchers_view(s->watchers, i)->t_ns ? "up" : "starting";
}

static void replica_json(const struct view *v, unsigned i)
{
	const struct watch_view *w = watchers_view(v->s->watchers, i);

	json_key(v->j, "role");
	json_string(v->j, w->role);
	json_key(v->j, "ready");
	json_bool(v->j, w->ready);
	json_key(v->j, "term");
	json_uint(v->j, w->term);
	json_key(v->j, "committed");
	json_uint(v->j, w->committed);
	json_key(v->j, "applied");
	json_uint(v->j, w->applied);
	json_key(v->j, "skew_ns");
	json_int(v->j, v->s->skew_ns[i]);
}

/* What a node offered, what was let through to it, and what it lost by faults. */
static void frames_json(const struct view *v, unsigned i)
{
	uint64_t sent = 0;
	uint64_t got = 0;
	uint64_t lost = 0;

	for (unsigned b = 0; b < v->plan->nodes; b++) {
		struct fabric_counters to;
		struct fabric_counters from;

		if (b == i)
			continue;
		fabric_counters(v->s->fabric, i, b, &to);
		fabric_counters(v->s->fabric, b, i, &from);
		sent += to.offered;
		got += from.passed;
		lost += to.dropped + to.lost;
	}
	json_key(v->j, "sent");
	json_uint(v->j, sent);
	json_key(v->j, "got");
	json_uint(v->j, got);
	json_key(v->j, "lost");
	json_uint(v->j, lost);
}

static void nodes_json(const struct view *v)
{
	const struct plan *plan = v->plan;

	json_key(v->j, "nodes");
	json_array(v->j);
	for (unsigned i = 0; i < plan->nodes; i++) {
		json_object(v->j);
		json_key(v->j, "name");
		json_string(v->j, plan->node[i].name);
		json_key(v->j, "site");
		json_uint(v->j, plan->node[i].site);
		json_key(v->j, "state");
		json_string(v->j, state_of(v->s, i));
		json_key(v->j, "carrier");
		json_bool(v->j, !v->m->down[i]);
		if (i < plan->replicas)
			replica_json(v, i);
		frames_json(v, i);
		json_object_end(v->j);
	}
	json_array_end(v->j);
}

/* A fault of links in words, and of how many; cuts of links with all kinds of delays are one. */
struct fault {
	char words[WORDS_MAX];
	unsigned links;
	uint16_t from;
	uint16_t to;
};

static unsigned faults_find(
	const struct view *v, struct fault ret[GROUPS_MAX], unsigned *ret_others)
{
	struct link_group group[GROUPS_MAX];
	unsigned groups = link_groups(v->m, &v->plan->base, group, ret_others);
	unsigned n = 0;

	for (unsigned i = 0; i < groups; i++) {
		const struct link_group *g = &group[i];
		char words[LINK_WORDS_TEXT_MAX];
		unsigned k = 0;

		if (g->state.cut)
			(void)snprintf(
				words, sizeof words, "cut (%s)", link_cut_names[g->state.cut]);
		else
			link_words_print(&g->state, words);
		words[WORDS_MAX - 1] = '\0';
		while (k < n && strcmp(ret[k].words, words) != 0)
			k++;
		if (k == n) {
			ret[n] = (struct fault){.from = g->from, .to = g->to};
			memcpy(ret[n++].words, words, strlen(words) + 1);
		}
		ret[k].links += g->links;
	}
	return n;
}

static void links_json(const struct view *v)
{
	struct fault fault[GROUPS_MAX];
	unsigned others;
	unsigned n = faults_find(v, fault, &others);
	unsigned cut = 0;

	for (size_t i = 0; i < (size_t)v->m->nodes * v->m->nodes; i++)
		cut += v->m->link[i].cut != CUT_NONE;
	json_key(v->j, "links");
	json_uint(v->j, v->m->nodes * (v->m->nodes - 1));
	json_key(v->j, "links_cut");
	json_uint(v->j, cut);
	json_key(v->j, "faults");
	json_array(v->j);
	for (unsigned i = 0; i < n; i++) {
		json_object(v->j);
		json_key(v->j, "words");
		json_string(v->j, fault[i].words);
		json_key(v->j, "links");
		json_uint(v->j, fault[i].links);
		json_key(v->j, "from");
		json_string(v->j, v->plan->node[fault[i].from].name);
		json_key(v->j, "to");
		json_string(v->j, v->plan->node[fault[i].to].name);
		json_object_end(v->j);
	}
	json_array_end(v->j);
	json_key(v->j, "faults_more");
	json_uint(v->j, others);
}

static void phase_json(const struct view *v)
{
	const struct supervisor *s = v->s;
	const struct plan_phase *ph;

	json_key(v->j, "phase");
	if (s->phase < 0) {
		json_null(v->j);
		return;
	}
	ph = &v->plan->phase[s->phase];
	json_object(v->j);
	json_key(v->j, "name");
	json_string(v->j, ph->name);
	json_key(v->j, "what");
	json_string(v->j, ph->what);
	json_key(v->j, "number");
	json_uint(v->j, (unsigned)s->phase + 1);
	json_key(v->j, "phases");
	json_uint(v->j, v->plan->phases);
	json_key(v->j, "begin_ns");
	json_uint(v->j, s->phase_begin_ns);
	json_key(v->j, "end_ns");
	json_uint(v->j, s->phase_begin_ns + ph->duration_ns);
	json_object_end(v->j);
}

static void head_json(const struct view *v)
{
	const struct supervisor *s = v->s;
	uint64_t now = clock_now_ns();
	uint64_t term = 0;
	int leader = s->watchers ? watchers_leader(s->watchers, &term) : -1;
	char words[256];

	json_key(v->j, "lab");
	json_string(v->j, s->names.lab);
	json_key(v->j, "store");
	json_string(v->j, v->plan->system->name);
	json_key(v->j, "emulator");
	json_string(v->j, emulator_kind_names[fabric_emulator(s->fabric)]);
	json_key(v->j, "scripted");
	json_bool(v->j, s->options.scripted);
	json_key(v->j, "t_ns");
	json_uint(v->j, now);
	json_key(v->j, "up_ns");
	json_uint(v->j, now - s->t_start_ns);
	json_key(v->j, "leader");
	json_string(v->j, leader < 0 ? "" : v->plan->node[leader].name);
	json_key(v->j, "term");
	json_uint(v->j, term);
	json_key(v->j, "harm");
	json_string(v->j, harm_words(s, words, sizeof words));
	phase_json(v);
}

void live_json(const struct supervisor *s, FILE *out)
{
	struct json j;
	const struct view v = {.s = s, .plan = s->plan, .m = fabric_matrix(s->fabric), .j = &j};

	json_init(&j, out);
	json_object(&j);
	head_json(&v);
	json_key(&j, "sites");
	json_array(&j);
	for (unsigned i = 0; i < v.plan->sites; i++)
		json_string(&j, v.plan->site[i].name);
	json_array_end(&j);
	nodes_json(&v);
	links_json(&v);
	site_letters(&v);
	if (v.m->nodes <= LIVE_LETTERS_MAX)
		node_letters(&v);
	if (v.m->nodes <= LIVE_CELLS_MAX)
		cells_json(&v);
	json_object_end(&j);
	fprintf(out, "\n");
}
