/* SPDX-License-Identifier: MIT */
/*
 * sim_votes.c - what replicas have said of their votes, from the messages that they sent
 *
 * Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 5.2 and figure 2:
 *  - a replica votes for one candidate in a term, in all its lives together;
 *  - what it has told of its vote is on its disk: after a restart it still knows term and vote;
 *  - who leads has the votes of a majority in that very term, each of another replica.
 *
 * Two leaders of a term, or a lost write, may need many things to come together; a vote that was
 * told twice or counted twice is seen at once. Only what was sent counts: a vote that nobody has
 * heard of may be forgotten.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/sim/sim.h"

struct vote {
	uint64_t term;
	unsigned whom;
};

struct voter {
	struct vote *vote; /* all that it told, by term; owned */
	size_t count;
	size_t cap;
};

struct sim_votes {
	unsigned nodes;
	struct voter voter[];
};

struct sim_votes *sim_votes_open(unsigned nodes)
{
	struct sim_votes *votes = calloc(1, sizeof(*votes) + (size_t)nodes * sizeof(*votes->voter));

	assert(votes);
	votes->nodes = nodes;
	return votes;
}

void sim_votes_close(struct sim_votes *votes)
{
	for (unsigned i = 0; i < votes->nodes; i++)
		free(votes->voter[i].vote);
	free(votes);
}

/* The last vote that it told in a term up to @term, NULL: none. */
static const struct vote *told(const struct voter *v, uint64_t term)
{
	for (size_t i = v->count; i > 0; i--)
		if (v->vote[i - 1].term <= term)
			return &v->vote[i - 1];
	return NULL;
}

static void add(struct voter *v, uint64_t term, unsigned whom)
{
	if (v->count == v->cap) {
		v->cap = v->cap ? 2 * v->cap : 16;
		v->vote = realloc(v->vote, v->cap * sizeof(*v->vote));
		assert(v->vote);
	}
	v->vote[v->count++] = (struct vote){term, whom};
}

void sim_votes_sent(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len)
{
	struct voter *v = &sim->votes->voter[from];
	struct proto_vote_view view;
	const struct vote *last;

	if (sim->forged || !sim->config.ops->vote ||
		!sim->config.ops->vote(from, to, bytes, len, &view))
		return;
	last = told(v, UINT64_MAX);
	if (last && last->term == view.term && last->whom == view.whom)
		return;
	if (last && last->term > view.term)
		sim_fail(sim, "one vote: r%u votes in term %llu after it voted in term %llu", from,
			(unsigned long long)view.term, (unsigned long long)last->term);
	else if (last && last->term == view.term)
		sim_fail(sim, "one vote: r%u votes for r%u and r%u in term %llu", from, last->whom,
			view.whom, (unsigned long long)view.term);
	else
		add(v, view.term, view.whom);
}

void sim_votes_restarted(struct sim *sim, unsigned node)
{
	const struct vote *last = told(&sim->votes->voter[node], UINT64_MAX);
	struct proto_status_view view;

	if (sim->forged || !last)
		return;
	sim_status(sim, node, &view);
	if (view.term < last->term || (view.term == last->term && view.vote != last->whom + 1))
		sim_fail(sim, "durable votes: r%u has forgotten that it voted for r%u in term %llu",
			node, last->whom, (unsigned long long)last->term);
}

void sim_votes_leads(struct sim *sim, unsigned node, const struct proto_status_view *view)
{
	unsigned count = 0, voters = 0;

	if (sim->forged || !sim->config.ops->vote || !view->voters)
		return;
	for (unsigned i = 0; i < sim->votes->nodes; i++) {
		const struct vote *vote = told(&sim->votes->voter[i], view->term);

		if (!(view->voters[i / 64] >> (i % 64) & 1))
			continue;
		voters++;
		/* Alone, it has told nobody. */
		count += i == node || (vote && vote->term == view->term && vote->whom == node);
	}
	if (count < voters / 2 + 1)
		sim_fail(sim, "majority: r%u leads in term %llu with the votes of %u of %u", node,
			(unsigned long long)view->term, count, voters);
}
