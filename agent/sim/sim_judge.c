/* SPDX-License-Identifier: MIT */
/* sim_judge.c - the one place where a simulated history meets the checkers, see sim_judge.h */
#include "agent/sim/sim_judge.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/check/check.h"

#define DECIDE_NS (20 * NS_PER_S)  /* of a model that is decided */
#define SESSIONS_NS (2 * NS_PER_S) /* of one that may be left undecided */

bool sim_judge_sessions(enum proto_model model)
{
	return model != PROTO_LINEARIZABLE && model != PROTO_EVENTUAL;
}

bool sim_judge_keeps(uint64_t key)
{
	return key % 2 == 0;
}

/* Return: whether a model of sessions is told of it, as @ret. */
static bool told(const struct history_op *op, struct history_op *ret)
{
	*ret = *op;
	if (op->kind == HISTORY_CAS)
		return op->outcome != HISTORY_OK || op->met;
	if (op->value != SIM_DELETED)
		return true;
	ret->value = 0;
	return op->kind == HISTORY_READ && sim_judge_keeps(op->key);
}

static void judge(struct sim *sim, const char *name, const struct history_ops *h, bool decides)
{
	const struct check_budget budget = {.time_ns = decides ? DECIDE_NS : SESSIONS_NS};
	const struct check_names names = {.t0_ns = SIM_START_NS};
	const struct check_ops *model = check_find(name, CHECK_REGISTER);
	struct check_result result = {0};
	struct err err = {0};

	if (!model)
		sim_fail(sim, "nothing checks %s", name);
	else if (model->check(h, &budget, &names, &result, &err))
		sim_fail(sim, "checker: %s", err.text);
	else if (result.verdict == CHECK_UNKNOWN && !decides)
		sim->count[SIM_UNDECIDED]++;
	else if (result.verdict != CHECK_OK)
		sim_fail(sim, "%s %s: %s", result.verdict == CHECK_UNKNOWN ? "not judged" : "not",
			model->name, result.words);
}

void sim_judge(
	struct sim *sim, const struct proto_claim *claim, const struct history_op *op, size_t count)
{
	bool sessions = sim_judge_sessions(claim->cut);
	struct history_op *some = NULL;
	const struct check_names names = {.t0_ns = SIM_START_NS};
	char deleted[] = "nothing";
	size_t at = 0;
	struct history_ops h = {.op = (struct history_op *)(uintptr_t)op,
		.count = count,
		.text = deleted,
		.text_at = &at,
		.texts = 1};
	struct check_lost lost = {0};

	if (sim->violation[0] || !count)
		return;
	if (sessions) {
		some = calloc(count + 1, sizeof(*some));
		assert(some);
		h.op = some;
		h.count = 0;
		for (size_t i = 0; i < count; i++)
			h.count += told(&op[i], &some[h.count]);
	}
	judge(sim, proto_model_names[claim->cut], &h, !sessions);
	if (!claim->loses_acked) {
		check_lost(&h, &names, &lost);
		if (lost.lost)
			sim_fail(sim, "acknowledged and lost: %s", lost.words);
	}
	free(some);
}
