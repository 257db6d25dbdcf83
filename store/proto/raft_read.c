/* SPDX-License-Identifier: MIT */
/*
 * raft_read.c - reads at a leader: confirmed by a majority, or by the leader's clock
 *
 * ReadIndex (dissertation, 6.4): a read waits until a majority has answered a heartbeat that was
 * sent after it came, and until what was committed then is applied.
 *
 * Lease (dissertation, 6.4.1): a follower that heard the leader elects nobody else for
 * election_min_ns by its clock, across a restart, too. So the leader of a majority that answered a
 * heartbeat is the only one until that long after the heartbeat was *sent*, less RAFT_DRIFT_PPM of
 * it, and answers from its table. The clocks need not agree, but must run at about the same rate:
 * where one of them runs faster than that (a *rate* fault), or stands still while others run, a
 * read by lease may be stale; nothing here would notice. Leases are a setting, for a restarted
 * voter pays for them: it waits before it helps to elect anybody. A leader that hands over its
 * leadership gives up the lease for the rest of its term, for then others vote at once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/proto/raft_internal.h"

/* The k-th largest of n numbers, k from 0 (Hoare's FIND, 1961); they are moved about. */
static uint64_t kth_largest(uint64_t *v, size_t n, size_t k)
{
	size_t low = 0, high = n - 1;

	while (low < high) {
		uint64_t pivot = v[low + (high - low) / 2];
		size_t i = low, j = high;

		for (;; i++, j--) {
			uint64_t x;

			while (v[i] > pivot)
				i++;
			while (v[j] < pivot)
				j--;
			if (i >= j)
				break;
			x = v[i];
			v[i] = v[j];
			v[j] = x;
		}
		if (k <= j)
			high = j;
		else
			low = j + 1;
	}
	return v[k];
}

uint64_t raft_majority_of(
	const struct raft *r, uint64_t (*number)(const struct raft *r, unsigned node))
{
	uint64_t v[PROTO_NODES_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		if (raft_votes(r, i))
			v[n++] = number(r, i);
	return kth_largest(v, n, r->majority ? r->majority - 1 : 0);
}

bool raft_majority_from(const struct raft *r,
	uint64_t (*number)(const struct raft *r, unsigned node), uint64_t least)
{
	unsigned missing = r->majority, left = r->members.count;

	/* Of many, most answers change nothing: as soon as that is certain, it is over. */
	for (unsigned i = 0; i < r->proto.cfg.nodes && missing && missing <= left; i++) {
		if (!raft_votes(r, i))
			continue;
		left--;
		missing -= number(r, i) >= least;
	}
	return missing == 0;
}

void raft_round_begin(struct raft *r)
{
	const struct raft_round *last = &r->begun[(r->rounds + RAFT_ROUNDS - 1) % RAFT_ROUNDS];
	uint64_t now = raft_now(r);

	r->round++;
	/* Reads begin rounds as fast as they come; what is remembered must reach over a lease. */
	if (last->round && now - last->at_ns < r->proto.cfg.election_min_ns / RAFT_ROUNDS)
		return;
	r->begun[r->rounds++ % RAFT_ROUNDS] = (struct raft_round){r->round, now};
}

uint64_t raft_round_began(const struct raft *r, uint64_t round)
{
	for (uint64_t i = r->rounds; i > 0 && r->rounds - i < RAFT_ROUNDS; i--) {
		const struct raft_round *begun = &r->begun[(i - 1) % RAFT_ROUNDS];

		if (begun->round <= round)
			return begun->at_ns;
	}
	return 0;
}

static uint64_t round_answered(const struct raft *r, unsigned node)
{
	return node == r->proto.cfg.self ? r->round : r->peer[node].round;
}

static uint64_t answered_since(const struct raft *r, unsigned node)
{
	return node == r->proto.cfg.self ? raft_now(r) : r->peer[node].lease_ns;
}

bool raft_lease_holds(struct raft *r)
{
	uint64_t span = r->proto.cfg.election_min_ns;
	uint64_t now = raft_now(r);

	if (!raft_leases(&r->proto.cfg) || r->lease_void || r->applied < r->term_start)
		return false;
	if (now < r->lease_until)
		return true;
	span -= span / 1000000 * RAFT_DRIFT_PPM;
	r->lease_until = raft_majority_of(r, answered_since);
	if (r->lease_until)
		r->lease_until += span;
	return now < r->lease_until;
}

void raft_reads_forget_lease(struct raft *r)
{
	r->lease_until = 0;
	r->rounds = 0;
	memset(r->begun, 0, sizeof(r->begun));
	for (unsigned i = 0; i < r->proto.cfg.nodes; i++)
		r->peer[i].lease_ns = 0;
}

static void answer_read(
	struct raft *r, unsigned origin, const struct forward_attempt *at, struct proto_bytes key)
{
	struct forward_answer a = {.slot = at->slot, .attempt = at->attempt, .index = r->applied};

	/* Of zab's sync, who asks reads its own table, as of what was committed here. */
	if (!r->kind || origin == r->proto.cfg.self)
		command_read(r->proto.table, key,
			command_now(&r->state, r->proto.io->wall(r->proto.io)), &a.reply);
	raft_answer(r, origin, &a);
}

void raft_reads_serve(struct raft *r)
{
	struct raft_read *read;

	while ((read = ring_front(&r->reads)) && read->round <= r->confirmed &&
		read->index <= r->applied) {
		struct forward_attempt at = {.slot = read->slot, .attempt = read->attempt};
		struct proto_bytes key = {.p = read->key, .len = read->len};

		answer_read(r, read->origin, &at, key);
		r->reads_bytes -= read->len;
		free(read->key);
		ring_pop(&r->reads);
	}
}

void raft_reads_refuse(struct raft *r, struct forward_answer *a)
{
	struct raft_read *read;

	for (; (read = ring_front(&r->reads)); ring_pop(&r->reads)) {
		a->slot = read->slot;
		a->attempt = read->attempt;
		raft_answer(r, read->origin, a);
		free(read->key);
	}
	r->reads_bytes = 0;
}

void raft_reads_add(struct raft *r, unsigned origin, const struct forward_attempt *a)
{
	struct raft_read *read;
	struct proto_bytes key = a->command.key;
	/* Dissertation, 6.4 step 2: the commit index now, and not before the term's first entry. */
	uint64_t index = r->commit > r->term_start ? r->commit : r->term_start;

	if (PROTO_BUG(BUG_RAFT_STALE_LEADER_READ) ||
		(r->proto.cfg.unconfirmed && r->applied >= r->term_start) ||
		(a->level == PROTO_LEASE && raft_lease_holds(r))) {
		answer_read(r, origin, a, key);
		return;
	}
	if (PROTO_BUG(BUG_RAFT_READS_BEFORE_OWN_TERM))
		index = r->commit;
	read = ring_push(&r->reads);
	*read = (struct raft_read){
		.round = r->round + 1,
		.index = index,
		.slot = a->slot,
		.attempt = a->attempt,
		.origin = origin,
		.key = malloc(key.len + 1),
		.len = key.len,
	};
	assert(read->key);
	if (key.len)
		memcpy(read->key, key.p, key.len);
	r->reads_bytes += key.len;
	r->round_wanted = true;
	raft_want_flush(r);
}

void raft_reads_confirm(struct raft *r)
{
	const struct raft_read *first = ring_front(&r->reads);

	if (!first || !raft_majority_from(r, round_answered, first->round))
		return;
	/* Dissertation, 6.4 step 3: a majority has answered a heartbeat sent after the read came.
	 */
	r->confirmed = raft_majority_of(r, round_answered);
	raft_reads_serve(r);
}
