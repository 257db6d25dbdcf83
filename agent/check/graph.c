/* SPDX-License-Identifier: MIT */
/* graph.c - the edges between transactions, generated twice: to be counted, then to be stored */
#include "agent/check/graph.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/history/pairs.h"

/*
 * Transactions whose appends to one key nobody saw, in order: u[0 .. count - 1]. Link P(i) leads to
 * u[i] and P(i - 1), link S(i) to u[i] and S(i + 1), so that what is before all of them but u[i]
 * is before P(i - 1) and S(i + 1).
 */
struct rest {
	uint32_t first; /* of maker.unseen */
	uint32_t count;
	uint32_t node; /* P(0); S(0) is count later */
};

struct maker {
	struct graph *g;
	struct rest *rest;  /* owned; by key */
	uint32_t *unseen;   /* owned; transactions */
	uint32_t *returned; /* owned; transactions that returned, by time of return */
	size_t returns;
	uint32_t instants; /* node of the first link of real time */
	bool storing;      /* else counting */
};

static void edge_add(
	struct maker *m, uint32_t from, uint32_t to, enum graph_kind kind, uint32_t key)
{
	struct graph *g = m->g;

	if (kind != GRAPH_PASS && (!(g->kinds & GRAPH_BIT(kind)) || from == to))
		return;
	if (m->storing)
		g->edge[g->start[from]] =
			(struct graph_edge){.to = to, .key = key & GRAPH_KEY_MASK, .kind = kind};
	g->start[from]++;
}

/* From a transaction to all whose appends to the key nobody saw, but itself. */
static void edges_to_rest(struct maker *m, uint32_t from, enum graph_kind kind, uint32_t key)
{
	const struct rest *r = &m->rest[key];
	const uint32_t *u = m->unseen + r->first;
	uint32_t low = 0;
	uint32_t high = r->count;

	if (r->count == 0)
		return;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (u[mid] < from)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == r->count || u[low] != from) {
		edge_add(m, from, r->node + r->count - 1, kind, key);
		return;
	}
	if (low > 0)
		edge_add(m, from, r->node + low - 1, kind, key);
	if (low + 1 < r->count)
		edge_add(m, from, r->node + r->count + low + 1, kind, key);
}

static void edges_in_rest(struct maker *m, uint32_t key)
{
	const struct rest *r = &m->rest[key];
	uint32_t p = r->node;
	uint32_t s = r->node + r->count;

	for (uint32_t i = 0; i < r->count; i++) {
		edge_add(m, p + i, m->unseen[r->first + i], GRAPH_PASS, 0);
		edge_add(m, s + i, m->unseen[r->first + i], GRAPH_PASS, 0);
		if (i > 0)
			edge_add(m, p + i, p + i - 1, GRAPH_PASS, 0);
		if (i + 1 < r->count)
			edge_add(m, s + i, s + i + 1, GRAPH_PASS, 0);
		if (i + 1 < r->count && m->g->kinds & GRAPH_GUESS)
			edge_add(m, m->unseen[r->first + i], m->unseen[r->first + i + 1], GRAPH_WW,
				key);
	}
}

static uint32_t writer(const struct lists *l, uint32_t item)
{
	return l->step[l->item[item].step].txn;
}

/* Appends in the order in which they were seen, and then those that nobody saw. */
static void edges_of_key(struct maker *m, uint32_t k)
{
	const struct lists *l = m->g->l;
	const struct lists_key *key = &l->key[k];
	uint32_t last = LISTS_NONE;

	for (uint32_t i = 0; i < key->count; i++) {
		uint32_t item = l->order[key->first + i];
		uint32_t txn = item == LISTS_NONE ? LISTS_NONE : writer(l, item);

		if (txn == LISTS_NONE || !l->txn[txn].kept)
			continue;
		if (last != LISTS_NONE)
			edge_add(m, last, txn, GRAPH_WW, k);
		last = txn;
	}
	if (last != LISTS_NONE)
		edges_to_rest(m, last, GRAPH_WW, k);
	edges_in_rest(m, k);
}

static void edges_of_read(struct maker *m, const struct lists_step *read)
{
	const struct lists *l = m->g->l;
	const struct lists_key *key = &l->key[read->key];
	const uint32_t *order = l->order + key->first;

	if (read->base > 0 && order[read->base - 1] != LISTS_NONE)
		edge_add(m, writer(l, order[read->base - 1]), read->txn, GRAPH_WR, read->key);
	if (read->base == key->count)
		edges_to_rest(m, read->txn, GRAPH_RW, read->key);
	else if (order[read->base] != LISTS_NONE)
		edge_add(m, read->txn, writer(l, order[read->base]), GRAPH_RW, read->key);
}

/* What comes after an operation of unknown outcome need not come after its effect. */
static void edges_of_sessions(struct maker *m)
{
	const struct lists *l = m->g->l;
	struct pairs sessions = {0};

	for (uint32_t t = 0; t < l->txns; t++) {
		uint32_t before;

		if (!l->txn[t].kept)
			continue;
		before = pairs_get(&sessions, l->txn[t].session, 0);
		if (before != PAIRS_NONE)
			edge_add(m, before, t, GRAPH_SESSION, 0);
		if (l->txn[t].t_return_ns != UINT64_MAX)
			pairs_set(&sessions, l->txn[t].session, 0, t);
	}
	pairs_fini(&sessions);
}

/* Return: how many instants there are. */
static uint32_t edges_of_time(struct maker *m)
{
	const struct lists *l = m->g->l;
	uint32_t instants = 0;
	size_t over = 0;

	for (uint32_t t = 0; t < l->txns; t++) {
		uint64_t begin = l->txn[t].t_invoke_ns;

		if (!l->txn[t].kept)
			continue;
		if (over < m->returns && l->txn[m->returned[over]].t_return_ns < begin) {
			uint32_t node = m->instants + instants++;

			if (instants > 1)
				edge_add(m, node - 1, node, GRAPH_PASS, 0);
			for (; over < m->returns && l->txn[m->returned[over]].t_return_ns < begin;
				over++)
				edge_add(m, m->returned[over], node, GRAPH_TIME, 0);
		}
		if (instants > 0)
			edge_add(m, m->instants + instants - 1, t, GRAPH_PASS, 0);
	}
	return instants;
}

static void edges(struct maker *m)
{
	const struct lists *l = m->g->l;

	if (m->g->kinds & GRAPH_DEPENDENCIES)
		for (uint32_t k = 0; k < l->keys; k++)
			edges_of_key(m, k);
	if (m->g->kinds & GRAPH_DEPENDENCIES)
		for (size_t i = 0; i < l->steps; i++)
			if (l->step[i].item == LISTS_NONE)
				edges_of_read(m, &l->step[i]);
	if (m->g->kinds & GRAPH_BIT(GRAPH_SESSION))
		edges_of_sessions(m);
	if (m->g->kinds & GRAPH_BIT(GRAPH_TIME))
		(void)edges_of_time(m);
}

/* Acknowledged appends that nobody saw. */
static bool is_unseen(const struct lists *l, const struct lists_step *step)
{
	return step->item != LISTS_NONE && l->item[step->item].place == LISTS_NONE &&
	       l->txn[step->txn].kept;
}

bool graph_has_rivals(const struct lists *l)
{
	uint32_t *first = malloc((l->keys + 1) * sizeof *first);
	bool found = false;

	assert(first);
	for (size_t k = 0; k < l->keys; k++)
		first[k] = LISTS_NONE;
	for (size_t i = 0; i < l->steps && !found; i++) {
		const struct lists_step *step = &l->step[i];

		if (!is_unseen(l, step))
			continue;
		if (first[step->key] == LISTS_NONE)
			first[step->key] = step->txn;
		found = first[step->key] != step->txn;
	}
	free(first);
	return found;
}

static void rest_build(struct maker *m)
{
	const struct lists *l = m->g->l;
	uint32_t at = 0;

	m->rest = calloc(l->keys + 1, sizeof *m->rest);
	assert(m->rest);
	for (size_t i = 0; i < l->steps; i++)
		m->rest[l->step[i].key].count += is_unseen(l, &l->step[i]);
	for (size_t k = 0; k < l->keys; k++) {
		m->rest[k].first = at;
		at += m->rest[k].count;
		m->rest[k].count = 0;
	}
	m->unseen = malloc((at + 1) * sizeof *m->unseen);
	assert(m->unseen);
	for (size_t i = 0; i < l->steps; i++) {
		struct rest *r = &m->rest[l->step[i].key];

		if (!is_unseen(l, &l->step[i]))
			continue;
		if (r->count == 0 || m->unseen[r->first + r->count - 1] != l->step[i].txn)
			m->unseen[r->first + r->count++] = l->step[i].txn;
	}
	for (size_t k = 0; k < l->keys; k++) {
		m->rest[k].node = (uint32_t)m->g->nodes;
		m->g->nodes += 2 * (size_t)m->rest[k].count;
	}
}

static int by_return(const void *a, const void *b, void *arg)
{
	const struct lists *l = arg;
	uint64_t x = l->txn[*(const uint32_t *)a].t_return_ns;
	uint64_t y = l->txn[*(const uint32_t *)b].t_return_ns;

	return x < y ? -1 : x > y;
}

static void returns_sort(struct maker *m)
{
	const struct lists *l = m->g->l;

	m->returned = malloc((l->txns + 1) * sizeof *m->returned);
	assert(m->returned);
	for (uint32_t t = 0; t < l->txns; t++)
		if (l->txn[t].kept && l->txn[t].t_return_ns != UINT64_MAX)
			m->returned[m->returns++] = t;
	qsort_r(m->returned, m->returns, sizeof *m->returned, by_return, (void *)(uintptr_t)l);
}

size_t graph_bytes(const struct lists *l)
{
	size_t nodes = 2 * l->txns + 2 * l->items;

	return nodes * 32 + (3 * l->steps + 5 * l->txns + 4 * l->items) * sizeof(struct graph_edge);
}

void graph_build(struct graph *g, const struct lists *l, unsigned kinds)
{
	struct maker m = {.g = g};
	size_t sum = 0;

	*g = (struct graph){.l = l, .kinds = kinds, .nodes = l->txns};
	rest_build(&m);
	if (kinds & GRAPH_BIT(GRAPH_TIME)) {
		returns_sort(&m);
		m.instants = (uint32_t)g->nodes;
		g->nodes += m.returns;
	}
	assert(g->nodes < UINT32_MAX / 2 && l->keys <= GRAPH_KEY_MASK);
	g->start = calloc(g->nodes + 2, sizeof *g->start);
	assert(g->start);
	edges(&m);
	for (size_t n = 0; n <= g->nodes; n++) {
		size_t count = g->start[n];

		g->start[n] = (uint32_t)sum;
		sum += count;
	}
	assert(sum < UINT32_MAX);
	g->edge = malloc((sum + 1) * sizeof *g->edge);
	assert(g->edge);
	m.storing = true;
	edges(&m);
	/* Storing moved each start to the next one's. */
	for (size_t n = g->nodes + 1; n > 0; n--)
		g->start[n] = g->start[n - 1];
	g->start[0] = 0;
	free(m.rest);
	free(m.unseen);
	free(m.returned);
}

void graph_destroy(struct graph *g)
{
	free(g->start);
	free(g->edge);
	*g = (struct graph){0};
}
