/* SPDX-License-Identifier: MIT */
/*
 * sim_check.c - what must hold after every event, across all replicas
 *
 * For a replicated log (Ongaro and Ousterhout, "In Search of an Understandable Consensus
 * Algorithm", figure 3):
 *  - election safety: at most one leader in a term;
 *  - log matching: entries with the same index and term are the same, and so are all before them.
 *    Checked entry by entry: whoever has (index, term) has the same command and the same term
 *    before it; the rest is induction;
 *  - leader completeness: a leader has every entry that was ever committed;
 *  - state machine safety: what one replica commits at an index, every other one commits there.
 *  - state machines are alike: two replicas that have applied the same number of entries have the
 *    same data, whether these came one by one or in a snapshot.
 * Where logs may part and be reconciled (proto_ops->forks), the first two of these.
 * For tables: the version of a key never goes back, not even by a crash.
 *
 * Everything is incremental: a step costs what it changed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/crc32c.h"
#include "agent/sim/sim.h"

/* Of an entry that a snapshot has taken the place of. */
#define TERM_UNKNOWN UINT64_MAX
#define FORGED_MAX (1u << 20) /* entries: a log that was not forged is shorter */
#define ELECTORATE_MAX 9u     /* replicas: a check of each pair is cheap */

/* What is known of an entry (index, term), or of a term's leader (index 0). */
struct known {
	uint64_t index;
	uint64_t term;
	uint64_t prev_term;
	uint32_t digest;
	uint32_t leader; /* + 1; 0: none */
};

struct shadow {
	uint64_t *term; /* of each entry; [0] is 0 */
	size_t last;
	size_t cap;
	uint64_t committed;
	uint64_t applied;
	uint64_t led_term; /* last term in which it was seen leading */
};

struct committed {
	uint64_t term;
	uint32_t digest;
	uint64_t by;   /* term of who was the first to commit it */
	uint64_t data; /* digest of the table of who has applied so much, 0: nobody yet */
};

struct sim_log_check {
	unsigned nodes;
	struct known *known; /* open addressing */
	size_t known_count;
	size_t known_cap;
	struct committed *committed; /* [index - 1] */
	size_t committed_count;
	size_t committed_cap;
	uint64_t acknowledged; /* highest index that a client was told of */
	struct shadow *shadow;
};

struct sim_log_check *sim_check_open(unsigned nodes)
{
	struct sim_log_check *check = calloc(1, sizeof(*check));

	assert(check);
	check->nodes = nodes;
	check->shadow = calloc(nodes, sizeof(*check->shadow));
	assert(check->shadow);
	return check;
}

void sim_check_close(struct sim_log_check *check)
{
	for (unsigned i = 0; i < check->nodes; i++)
		free(check->shadow[i].term);
	free(check->shadow);
	free(check->known);
	free(check->committed);
	free(check);
}

static struct known *slot_of(struct known *known, size_t cap, uint64_t index, uint64_t term)
{
	size_t i = (size_t)((index * 0x9e3779b97f4a7c15ull ^ term * 0xbf58476d1ce4e5b9ull) >> 20);

	for (;; i++) {
		struct known *k = &known[i & (cap - 1)];

		if (k->term == 0 || (k->index == index && k->term == term))
			return k;
	}
}

/* The place for (index, term); ->term is 0 if it is new. */
static struct known *find(struct sim_log_check *check, uint64_t index, uint64_t term)
{
	if (2 * (check->known_count + 1) > check->known_cap) {
		size_t cap = check->known_cap ? 2 * check->known_cap : 1024;
		struct known *known = calloc(cap, sizeof(*known));

		assert(known);
		for (size_t i = 0; i < check->known_cap; i++) {
			const struct known *k = &check->known[i];

			if (k->term)
				*slot_of(known, cap, k->index, k->term) = *k;
		}
		free(check->known);
		check->known = known;
		check->known_cap = cap;
	}
	return slot_of(check->known, check->known_cap, index, term);
}

static uint32_t digest_of(const struct proto_entry_view *view)
{
	return crc32c(0, view->command.p, view->command.len);
}

static void check_entry(struct sim *sim, unsigned node, uint64_t index, uint64_t prev_term)
{
	struct sim_log_check *check = sim->check;
	struct proto_entry_view view;
	uint32_t digest;
	struct known *k;

	if (sim->config.ops->entry(sim->node[node].proto, index, &view)) {
		sim_fail(sim, "r%u has no entry %llu of its log", node, (unsigned long long)index);
		return;
	}
	k = find(check, index, view.term);
	digest = digest_of(&view);
	if (!k->term) {
		*k = (struct known){index, view.term, prev_term, digest, 0};
		check->known_count++;
	} else if (k->prev_term == TERM_UNKNOWN) {
		k->prev_term = prev_term;
	}
	if (k->digest != digest || (prev_term != TERM_UNKNOWN && k->prev_term != prev_term)) {
		sim_fail(sim, "log matching: r%u has another entry %llu of term %llu than others",
			node, (unsigned long long)index, (unsigned long long)view.term);
	}
	check->shadow[node].term[index] = view.term;
}

static uint64_t term_of(struct sim *sim, unsigned node, uint64_t index)
{
	struct proto_entry_view view;

	if (index == 0 || sim->config.ops->entry(sim->node[node].proto, index, &view))
		return 0;
	return view.term;
}

/* Entries that are new or replaced, from the first one that differs from the shadow. */
static void check_log(struct sim *sim, unsigned node, uint64_t first, uint64_t last)
{
	struct shadow *s = &sim->check->shadow[node];
	uint64_t from = last < s->last ? last : s->last;

	if (last >= s->cap) {
		s->cap = 2 * (last + 1);
		s->term = realloc(s->term, s->cap * sizeof(*s->term));
		assert(s->term);
		s->term[0] = 0;
	}
	while (from >= first && term_of(sim, node, from) != s->term[from])
		from--;
	if (from < first) {
		from = first - 1;
		s->term[from] = from ? TERM_UNKNOWN : 0;
	}
	for (uint64_t i = from + 1; i <= last; i++)
		check_entry(sim, node, i, s->term[i - 1]);
	s->last = last;
}

static void add_committed(struct sim *sim, unsigned node, const struct proto_entry_view *view)
{
	struct sim_log_check *check = sim->check;
	struct proto_status_view status;

	if (check->committed_count == check->committed_cap) {
		check->committed_cap = check->committed_cap ? 2 * check->committed_cap : 256;
		check->committed =
			realloc(check->committed, check->committed_cap * sizeof(*check->committed));
		assert(check->committed);
	}
	sim_status(sim, node, &status);
	check->committed[check->committed_count++] =
		(struct committed){view->term, digest_of(view), status.term, 0};
}

static bool has(const struct shadow *s, uint64_t index, uint64_t term)
{
	return index <= s->last && (s->term[index] == term || s->term[index] == TERM_UNKNOWN);
}

/* Paper, 5.4.1: whether @a would get the vote of @b. */
static bool up_to_date(const struct shadow *a, const struct shadow *b)
{
	uint64_t a_term = a->last ? a->term[a->last] : 0;
	uint64_t b_term = b->last ? b->term[b->last] : 0;

	if (a_term == TERM_UNKNOWN || b_term == TERM_UNKNOWN)
		return false;
	return a_term > b_term || (a_term == b_term && a->last >= b->last);
}

/*
 * Leader completeness before it is too late: nobody who lacks the entry that was just committed
 * has a log for which a majority would vote (paper, figure 8 shows how that may be). Memberships
 * are not known here, so only while they are as in the beginning.
 */
static void check_commit_lasts(struct sim *sim, unsigned node, uint64_t index)
{
	const struct sim_log_check *check = sim->check;
	uint64_t term = check->committed[index - 1].term;

	if (sim->forged || !sim->config.ops->vote || sim->members_changed ||
		sim->config.proto.voters || check->nodes > ELECTORATE_MAX)
		return;
	for (unsigned x = 0; x < check->nodes; x++) {
		unsigned votes = 0;

		if (has(&check->shadow[x], index, term))
			continue;
		for (unsigned y = 0; y < check->nodes; y++)
			votes += up_to_date(&check->shadow[x], &check->shadow[y]);
		if (votes > check->nodes / 2)
			sim_fail(sim,
				"r%u commits entry %llu of term %llu, and r%u could be elected "
				"without it",
				node, (unsigned long long)index, (unsigned long long)term, x);
	}
}

static void check_committed(struct sim *sim, unsigned node, uint64_t first, uint64_t committed)
{
	struct sim_log_check *check = sim->check;
	struct shadow *s = &check->shadow[node];
	uint64_t from = s->committed + 1 > first ? s->committed + 1 : first;
	size_t known = check->committed_count;
	struct proto_entry_view view;

	if (committed < s->committed)
		sim_fail(sim, "r%u takes back its commit index, %llu to %llu", node,
			(unsigned long long)s->committed, (unsigned long long)committed);
	if (from > check->committed_count + 1) {
		sim_fail(sim, "r%u has a snapshot up to entry %llu, which nobody has committed",
			node, (unsigned long long)first - 1);
		return;
	}
	for (uint64_t i = from; i <= committed; i++) {
		if (sim->config.ops->entry(sim->node[node].proto, i, &view)) {
			sim_fail(sim, "r%u committed entry %llu and lacks it", node,
				(unsigned long long)i);
			return;
		}
		if (i > check->committed_count)
			add_committed(sim, node, &view);
		else if (check->committed[i - 1].term != view.term ||
			 check->committed[i - 1].digest != digest_of(&view))
			sim_fail(sim, "state machine safety: r%u commits another entry %llu", node,
				(unsigned long long)i);
	}
	s->committed = committed;
	if (check->committed_count > known)
		check_commit_lasts(sim, node, check->committed_count);
}

static void check_leader(struct sim *sim, unsigned node, const struct proto_status_view *view)
{
	uint64_t first = view->log_first, term = view->term;
	struct sim_log_check *check = sim->check;
	struct known *k = find(check, 0, term);
	uint64_t last = check->committed_count;

	check->shadow[node].led_term = view->term;
	sim_votes_leads(sim, node, view);
	if (sim->on_leads)
		sim->on_leads(sim, node);
	if (!k->term) {
		*k = (struct known){.term = term, .leader = node + 1};
		check->known_count++;
	} else if (k->leader != node + 1) {
		sim_fail(sim, "election safety: r%u and r%u lead in term %llu", k->leader - 1, node,
			(unsigned long long)term);
	}
	/* A late leader, who was paused when it was elected, need not know of later terms. */
	while (last && check->committed[last - 1].by >= term)
		last--;
	/* By log matching, the last committed entry stands for all before it. */
	if (last >= first && term_of(sim, node, last) != check->committed[last - 1].term)
		sim_fail(sim, "leader completeness: r%u leads in term %llu without entry %llu",
			node, (unsigned long long)term, (unsigned long long)last);
}

/* A snapshot is taken while writes go on: a replica says so as long as its data are of no moment.
 */
static void check_data(struct sim *sim, unsigned node, uint64_t applied)
{
	struct sim_log_check *check = sim->check;
	uint64_t data, *seen;

	check->shadow[node].applied = applied;
	if (!applied || applied > check->committed_count)
		return;
	data = sim_data_digest(sim->node[node].data);
	seen = &check->committed[applied - 1].data;
	if (!*seen)
		*seen = data;
	else if (*seen != data)
		sim_fail(sim, "r%u has other data than others had after entry %llu", node,
			(unsigned long long)applied);
}

void sim_check_step(struct sim *sim, unsigned node, bool table_may_differ)
{
	struct sim_node *n = &sim->node[node];
	struct shadow *s = &sim->check->shadow[node];
	struct proto_status_view view;
	bool came;

	sim->config.ops->invariant(n->proto);
	if (!sim->config.ops->entry) {
		if (table_may_differ)
			sim_data_versions(n->data);
		return;
	}
	sim->config.ops->status(n->proto, &view);
	/* A forged message may say that a table is as of any entry. */
	if (sim->forged && view.log_last > FORGED_MAX)
		return;
	/* Another leader's snapshot may have replaced the last entry. */
	if (s->last && s->last < view.log_first)
		s->term[s->last] = TERM_UNKNOWN;
	if (view.log_last != s->last ||
		(s->last >= view.log_first && term_of(sim, node, s->last) != s->term[s->last]))
		check_log(sim, node, view.log_first, view.log_last);
	came = !sim->config.ops->forks && view.committed > s->committed &&
	       view.log_first > s->committed + 1;
	if (view.committed != s->committed && !sim->config.ops->forks)
		check_committed(sim, node, view.log_first, view.committed);
	sim->count[SIM_TABLES] += came;
	if (view.applied != s->applied && !sim->config.ops->forks)
		check_data(sim, node, view.applied);
	if (view.role == PROTO_LEADER && view.term != s->led_term)
		check_leader(sim, node, &view);
	if (sim->check->acknowledged > sim->check->committed_count && !sim->config.ops->forks)
		sim_fail(sim, "entry %llu was acknowledged and is not committed",
			(unsigned long long)sim->check->acknowledged);
}

void sim_check_restarted(struct sim *sim, unsigned node)
{
	struct shadow *s = &sim->check->shadow[node];
	uint64_t tables = sim->count[SIM_TABLES];

	/* Entries are checked again, what it knew to be committed it has to learn again. */
	s->last = 0;
	s->committed = 0;
	s->applied = 0;
	s->led_term = 0;
	sim_check_step(sim, node, true);
	sim->count[SIM_TABLES] = tables; /* that one is its own */
	sim_votes_restarted(sim, node);
}

/* Tombstones may have been forgotten on one side, and hints that were delivered on the other. */
static void compare_tables(struct sim *sim, unsigned node, const struct table *a,
	const struct table *b, const char *which)
{
	const struct table_entry *e, *f;
	size_t at = 0;

	while ((e = table_next(a, &at))) {
		f = table_get(b, e->key);
		if (e->deleted && (!f || f->deleted))
			continue;
		if (!f || f->version != e->version || f->deleted != e->deleted ||
			f->origin != e->origin || f->expires_ns != e->expires_ns ||
			f->value.len != e->value.len ||
			memcmp(f->value.p, e->value.p, e->value.len) != 0)
			sim_fail(sim, "r%u: key %.*s is other %s", node, (int)e->key.len, e->key.p,
				which);
	}
}

void sim_check_restored(struct sim *sim, unsigned node, struct proto *full, struct table *table)
{
	const struct proto_ops *ops = sim->config.ops;
	const struct proto *p = sim->node[node].proto;
	struct proto_status_view a, b;
	struct proto_entry_view x, y;

	ops->status(p, &a);
	ops->status(full, &b);
	if (a.term != b.term || a.log_last != b.log_last)
		sim_fail(sim,
			"r%u: its snapshot restores term %llu and entry %llu, all records %llu "
			"and %llu",
			node, (unsigned long long)a.term, (unsigned long long)a.log_last,
			(unsigned long long)b.term, (unsigned long long)b.log_last);
	if (!ops->entry) {
		compare_tables(sim, node, sim->node[node].table, table, "without the snapshot");
		compare_tables(sim, node, table, sim->node[node].table, "from the snapshot");
		if (ops->digest && ops->digest(p) != ops->digest(full))
			sim_fail(sim, "r%u: its snapshot restores other data", node);
		return;
	}
	/* A log's data come with what is committed, which each learns in its own time. */
	for (uint64_t i = a.log_last; i && i >= a.log_first && i >= b.log_first; i--)
		if (ops->entry(p, i, &x) || ops->entry(full, i, &y) || x.term != y.term ||
			digest_of(&x) != digest_of(&y))
			sim_fail(sim, "r%u: its snapshot restores another entry %llu", node,
				(unsigned long long)i);
}

void sim_check_acknowledged(struct sim *sim, const struct proto_reply *reply)
{
	if (reply->version > sim->check->acknowledged)
		sim->check->acknowledged = reply->version;
}
