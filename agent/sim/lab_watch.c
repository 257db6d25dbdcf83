/* SPDX-License-Identifier: MIT */
/*
 * lab_watch.c - who leads in a simulated lab, and when its replicas have the same
 *
 * What lab/watchers.c asks the replicas for is looked up here, as often: so times have the same
 * grain.
 */
#include <assert.h>

#include "agent/sim/lab_world.h"
#include "store/table.h"

static bool answers(const struct lab *lab, unsigned i)
{
	return lab->sim->node[i].alive && !lab->sim->node[i].paused;
}

int lab_watch_leader(const struct lab *lab, uint64_t *ret_term)
{
	unsigned votes[PLAN_REPLICAS_MAX] = {0};
	unsigned n = lab->plan->replicas;

	*ret_term = 0;
	for (unsigned i = 0; i < n; i++) {
		struct proto_status_view view;

		if (!answers(lab, i))
			continue;
		sim_status(lab->sim, i, &view);
		if (view.leader < 0 || (unsigned)view.leader >= n)
			continue;
		if (++votes[view.leader] > n / 2) {
			*ret_term = view.term;
			return view.leader;
		}
	}
	return -1;
}

bool lab_ready(const struct lab *lab)
{
	bool led = false;
	uint64_t term;
	int leader;

	for (unsigned i = 0; i < lab->plan->replicas; i++) {
		struct proto_status_view view;

		sim_status(lab->sim, i, &view);
		led = led || view.leader >= 0;
		if (!view.ready)
			return false;
	}
	leader = lab_watch_leader(lab, &term);
	return !led ||
	       (leader >= 0 && (lab->plan->proto.leader < 0 || leader == lab->plan->proto.leader));
}

static void leader_look(struct lab *lab)
{
	struct run_log *log = lab->log;
	uint64_t term;
	int leader = lab_watch_leader(lab, &term);

	if (leader == lab->leader && (leader < 0 || term == lab->term))
		return;
	lab->leader = leader;
	lab->term = term;
	if (log->leaders < RUN_LEADERS_MAX)
		log->leader[log->leaders++] = (struct run_leader){
			.t_ns = lab->sim->now_ns, .leader = leader, .term = term};
}

static bool has_copy(const struct lab *lab, unsigned i)
{
	struct proto_claim claim;

	lab->plan->system->ops->claim(&lab->plan->proto, &claim);
	return proto_has_copy(&lab->plan->proto, &claim, i);
}

/* The largest version of each key that somebody has. */
static void raise(struct table *target, const struct table *have)
{
	const struct table_entry *e;

	for (size_t at = 0; (e = table_next(have, &at));) {
		const struct table_entry *is = table_get(target, e->key);

		if (!is || is->version < e->version)
			table_put(target,
				&(struct table_entry){.key = e->key, .version = e->version});
	}
}

static bool covers(const struct table *have, const struct table *target)
{
	const struct table_entry *e;

	for (size_t at = 0; (e = table_next(target, &at));) {
		const struct table_entry *is = table_get(have, e->key);

		if (!is || is->version < e->version)
			return false;
	}
	return true;
}

void lab_watch_end(struct lab *lab)
{
	table_close(lab->watch.target);
	lab->watch = (struct lab_watch){0};
}

void lab_watch_begin(struct lab *lab, struct run_fault *restarted)
{
	struct lab_watch *w = &lab->watch;

	lab_watch_end(lab);
	w->target = table_open();
	w->begun_ns = lab->sim->now_ns;
	w->restarted = restarted;
	for (unsigned i = 0; i < lab->plan->replicas; i++) {
		w->reached[i] = !has_copy(lab, i);
		if (!w->reached[i] && answers(lab, i))
			raise(w->target, lab->sim->node[i].table);
	}
}

static void converge_look(struct lab *lab)
{
	struct lab_watch *w = &lab->watch;
	bool all = true;

	if (!w->target || w->converged_ns)
		return;
	for (unsigned i = 0; i < lab->plan->replicas; i++) {
		if (!w->reached[i] && answers(lab, i))
			w->reached[i] = covers(lab->sim->node[i].table, w->target);
		all = all && w->reached[i];
	}
	if (!all)
		return;
	w->converged_ns = lab->sim->now_ns;
	if (w->restarted)
		w->restarted->caught_up_ns = w->converged_ns - w->restarted->t_last_ns;
	else
		lab->log->phase[lab->phase].converged_ns = w->converged_ns - w->begun_ns;
}

void lab_watch_tick(struct lab *lab)
{
	leader_look(lab);
	converge_look(lab);
}
