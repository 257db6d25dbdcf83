/* SPDX-License-Identifier: MIT */
/*
 * serial.c - judging transactions on lists by the flaws and cycles that a model forbids
 *
 * An order of all transactions explains a history exactly if the graph of their dependencies has
 * no cycle: in an order that keeps to the edges, each read finds what stands before it, because
 * the order of the appends that were seen is known, and those that nobody saw come after every
 * read of their key. So cycles decide the strong models, and not only find suspects.
 */
#include "agent/check/serial.h"

#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/check/anomaly.h"

void serial_count(const struct lists *l, struct check_result *ret)
{
	for (size_t t = 0; t < l->txns; t++)
		ret->operations += l->txn[t].outcome != HISTORY_FAIL;
	ret->keys = l->keys;
}

bool serial_flaw(const struct lists *l, unsigned flaws, const struct check_names *names,
	struct check_result *ret)
{
	struct anomaly a = {.l = l};

	for (unsigned kind = 0; kind < LISTS_FLAW_NR; kind++) {
		if (!(flaws >> kind & 1) || l->flaw[kind].step == LISTS_NONE)
			continue;
		a.flaw = (enum lists_flaw_kind)kind;
		anomaly_tell(&a, names, ret);
		ret->verdict = CHECK_VIOLATION;
		return true;
	}
	return false;
}

/*
 * The cycle of the kind that is worst: of dependencies alone, with as few sorts of them as can be.
 * If the order of sessions or of real time is needed, the shorter cycle is easier to understand.
 */
static void serial_worst(const struct graph *g, const struct serial_model *model, struct anomaly *a)
{
	static const struct serial_model level[] = {
		{.kinds = GRAPH_BIT(GRAPH_WW)},
		{.kinds = GRAPH_BIT(GRAPH_WW) | GRAPH_BIT(GRAPH_WR)},
		{.kinds = GRAPH_DEPENDENCIES, .apart = true},
		{.kinds = GRAPH_DEPENDENCIES},
	};
	struct graph_cycle other;

	for (size_t i = 0; i < sizeof level / sizeof *level; i++)
		if ((level[i].kinds & model->kinds) == level[i].kinds &&
			graph_find(g, level[i].kinds, level[i].apart, &a->cycle))
			return;
	(void)graph_find(g, model->kinds, model->apart, &a->cycle);
	if (model->kinds & GRAPH_BIT(GRAPH_TIME) && a->cycle.count > 2 &&
		graph_find(g, GRAPH_DEPENDENCIES | GRAPH_BIT(GRAPH_SESSION), false, &other) &&
		other.count <= a->cycle.count)
		a->cycle = other;
}

static bool serial_spent(const struct check_budget *budget, const struct lists *l,
	uint64_t begin_ns, struct check_result *ret)
{
	const char *what = NULL;

	if (budget && budget->memory_bytes && graph_bytes(l) > budget->memory_bytes)
		what = "more memory than it may take";
	if (budget && budget->time_ns && clock_now_ns() - begin_ns > budget->time_ns)
		what = "more time than it may take";
	if (!what)
		return false;
	ret->verdict = CHECK_UNKNOWN;
	(void)snprintf(ret->words, sizeof ret->words, "%zu operations need %s", l->txns, what);
	return true;
}

/*
 * Appends to one key that nobody saw have no known order, which matters only where cycles are
 * allowed. Any order that leaves no forbidden cycle will do: one of all transactions, if there is
 * no cycle at all, or the one in which they began.
 */
static bool serial_has_order(
	const struct graph *g, const struct serial_model *model, const struct lists *l)
{
	struct graph_cycle cycle;
	struct graph guess;
	bool found;

	if (!model->apart || !graph_has_rivals(l) || !graph_find(g, model->kinds, false, &cycle))
		return true;
	graph_build(&guess, l, model->kinds | GRAPH_GUESS);
	found = graph_find(&guess, model->kinds, model->apart, &cycle);
	graph_destroy(&guess);
	return !found;
}

static void serial_cycles(const struct serial_model *model, const struct lists *l,
	const struct check_names *names, struct check_result *ret)
{
	struct anomaly a = {.l = l, .flaw = LISTS_FLAW_NR};
	struct graph g;

	graph_build(&g, l, model->kinds);
	if (graph_find(&g, model->kinds, model->apart, &a.cycle)) {
		serial_worst(&g, model, &a);
		anomaly_tell(&a, names, ret);
		ret->verdict = CHECK_VIOLATION;
	} else if (!serial_has_order(&g, model, l)) {
		ret->verdict = CHECK_UNKNOWN;
		(void)snprintf(ret->words, sizeof ret->words,
			"it depends on the order of appends that nobody saw");
	}
	graph_destroy(&g);
}

int serial_check(const struct serial_model *model, const struct history_ops *h,
	const struct check_budget *budget, const struct check_names *names,
	struct check_result *ret, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	struct lists l;
	int r = lists_build(&l, h, err);

	*ret = (struct check_result){.verdict = CHECK_OK};
	if (r)
		return r;
	serial_count(&l, ret);
	if (!serial_flaw(&l, model->flaws, names, ret) && !serial_spent(budget, &l, begin_ns, ret))
		serial_cycles(model, &l, names, ret);
	lists_destroy(&l);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}
