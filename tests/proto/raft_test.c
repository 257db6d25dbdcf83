/* SPDX-License-Identifier: MIT */
/* raft_test.c - Raft by its rules: votes, logs, commitment, leadership, reads */
#include "tests/lib/test.h"

#include <errno.h>

#include "store/proto/raft_internal.h"
#include "tests/sim/world.h"

static struct world *open_raft(unsigned nodes)
{
	struct sim_config config = world_config(&raft_ops, nodes);

	return world_open(&config);
}

/* One replica whose messages nobody gets, to be talked to by hand; disks take 1 ms. */
static struct world *open_alone(unsigned nodes)
{
	struct sim_config config = world_config(&raft_ops, nodes);
	struct world *w;

	config.persist_ns_min = config.persist_ns_max = NS_PER_MS;
	config.proto.leader = -1;
	w = world_open(&config);
	for (unsigned i = 0; i < nodes; i++)
		world_isolate(w, i);
	return w;
}

static struct proto_status_view status(const struct world *w, unsigned node)
{
	struct proto_status_view view;

	sim_status(w->sim, node, &view);
	return view;
}

static void give(struct world *w, unsigned from, struct buf *b, int rc)
{
	assert_int_equal(sim_message(w->sim, from, 0, b->p, b->len), rc);
	buf_fini(b);
}

static void ask_vote(
	struct world *w, unsigned from, bool pre, uint64_t term, uint64_t last, uint64_t last_term)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_ASK_VOTE);
	buf_u8(&b, pre);
	buf_u64(&b, term);
	buf_u64(&b, last);
	buf_u64(&b, last_term);
	give(w, from, &b, 0);
}

static void grant(struct world *w, unsigned from, bool pre, uint64_t asked)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_VOTE);
	buf_u8(&b, pre);
	buf_u8(&b, true);
	buf_u64(&b, asked);
	buf_u64(&b, pre ? asked - 1 : asked);
	give(w, from, &b, 0);
}

/* Whether replica 0 has sent @to a vote since world_forget(), and what it says. */
static bool voted(const struct world *w, unsigned to, bool *ret_granted)
{
	const struct world_sent *s = world_last_sent(w, 0, to, RAFT_VOTE);

	if (s)
		*ret_granted = s->bytes.p[2];
	return s;
}

struct entries {
	uint64_t term; /* of the leader */
	uint64_t prev;
	uint64_t prev_term;
	uint64_t commit;
	unsigned count;
	uint64_t entry_term; /* of each entry; none has bytes */
};

static void append(struct world *w, unsigned from, const struct entries *e, int rc)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_APPEND);
	buf_u64(&b, e->term);
	buf_u64(&b, e->prev);
	buf_u64(&b, e->prev_term);
	buf_u64(&b, e->commit);
	buf_u64(&b, 0);
	buf_u32(&b, e->count);
	for (unsigned i = 0; i < e->count; i++) {
		buf_u64(&b, e->entry_term);
		buf_u32(&b, 0);
	}
	give(w, from, &b, rc);
}

static void appended(struct world *w, unsigned from, uint64_t term, uint64_t match)
{
	struct buf b = {0};

	buf_u8(&b, RAFT_APPENDED);
	buf_u64(&b, term);
	buf_u64(&b, 0);
	buf_u64(&b, 0);
	buf_u64(&b, match);
	buf_u64(&b, match);
	give(w, from, &b, 0);
}

/* The last answer of replica 0 to an append: term, what was refused, what is on disk. */
struct answer {
	uint64_t term;
	uint64_t refused;
	uint64_t agreed;
	uint64_t match;
};

static bool answered(const struct world *w, unsigned to, struct answer *ret)
{
	const struct world_sent *s = world_last_sent(w, 0, to, RAFT_APPENDED);
	struct cursor c;

	if (!s)
		return false;
	c = cursor_over(s->bytes.p + 1, s->bytes.len - 1);
	ret->term = cursor_u64(&c);
	cursor_u64(&c);
	ret->refused = cursor_u64(&c);
	ret->agreed = cursor_u64(&c);
	ret->match = cursor_u64(&c);
	assert_true(cursor_done(&c));
	return true;
}

static void raft_follower__rejects_an_older_term(void **state)
{
	struct world *w = open_alone(3);
	struct entries new = {.term = 5, .count = 1, .entry_term = 5};
	struct entries old = {.term = 4, .count = 2, .entry_term = 4};
	struct answer a;

	(void)state;
	append(w, 1, &new, 0);
	world_run(w, 5 * NS_PER_MS);
	append(w, 2, &old, 0);
	assert_int_equal(status(w, 0).log_last, 1);
	assert_int_equal(status(w, 0).leader, 1);
	assert_true(answered(w, 2, &a));
	assert_int_equal(a.term, 5);
	assert_int_equal(a.match, 0);
	world_close(w);
}

static void raft_follower__acknowledges_entries_when_they_are_on_disk(void **state)
{
	struct world *w = open_alone(3);
	struct entries e = {.term = 1, .count = 3, .entry_term = 1};
	struct answer a;

	(void)state;
	append(w, 1, &e, 0);
	assert_int_equal(status(w, 0).log_last, 3);
	assert_false(answered(w, 1, &a));
	world_run(w, 5 * NS_PER_MS);
	assert_true(answered(w, 1, &a));
	assert_int_equal(a.match, 3);
	world_close(w);
}

static void raft_follower__refuses_entries_after_a_gap_and_says_where_it_ends(void **state)
{
	struct world *w = open_alone(3);
	struct entries first = {.term = 1, .count = 2, .entry_term = 1};
	struct entries gap = {.term = 1, .prev = 7, .prev_term = 1, .count = 1, .entry_term = 1};
	struct answer a;

	(void)state;
	append(w, 1, &first, 0);
	world_run(w, 5 * NS_PER_MS);
	append(w, 1, &gap, 0);
	assert_int_equal(status(w, 0).log_last, 2);
	assert_true(answered(w, 1, &a));
	assert_int_equal(a.refused, 7);
	assert_int_equal(a.agreed, 2);
	world_close(w);
}

static void raft_follower__replaces_entries_that_conflict_but_no_committed_ones(void **state)
{
	struct world *w = open_alone(3);
	struct entries first = {.term = 1, .count = 4, .entry_term = 1, .commit = 2};
	struct entries other = {.term = 2, .prev = 2, .prev_term = 1, .count = 1, .entry_term = 2};
	struct entries wrong = {.term = 3, .count = 1, .entry_term = 3};
	struct proto_entry_view view;

	(void)state;
	append(w, 1, &first, 0);
	assert_int_equal(status(w, 0).committed, 2);
	append(w, 2, &other, 0);
	assert_int_equal(status(w, 0).log_last, 3);
	assert_int_equal(raft_ops.entry(w->sim->node[0].proto, 3, &view), 0);
	assert_int_equal(view.term, 2);
	append(w, 1, &wrong, -EBADMSG);
	assert_int_equal(status(w, 0).log_last, 3);
	assert_int_equal(status(w, 0).term, 2);
	world_close(w);
}

static void raft_follower__does_not_truncate_for_a_late_shorter_append(void **state)
{
	struct world *w = open_alone(3);
	struct entries longer = {.term = 1, .count = 4, .entry_term = 1};
	struct entries late = {.term = 1, .count = 2, .entry_term = 1};

	(void)state;
	append(w, 1, &longer, 0);
	append(w, 1, &late, 0);
	assert_int_equal(status(w, 0).log_last, 4);
	world_close(w);
}

static void raft_voter__answers_when_its_vote_is_on_disk(void **state)
{
	struct world *w = open_alone(3);
	bool granted = false;

	(void)state;
	ask_vote(w, 1, false, 3, 0, 0);
	assert_false(voted(w, 1, &granted));
	world_run(w, 5 * NS_PER_MS);
	assert_true(voted(w, 1, &granted));
	assert_true(granted);
	world_close(w);
}

static void raft_voter__votes_once_per_term_across_a_restart(void **state)
{
	struct world *w = open_alone(3);
	bool granted = false;

	(void)state;
	ask_vote(w, 1, false, 3, 0, 0);
	world_run(w, 5 * NS_PER_MS);
	assert_true(voted(w, 1, &granted) && granted);
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	ask_vote(w, 2, false, 3, 0, 0);
	world_run(w, 5 * NS_PER_MS);
	assert_true(voted(w, 2, &granted));
	assert_false(granted);
	world_forget(w);
	ask_vote(w, 1, false, 3, 0, 0);
	world_run(w, 5 * NS_PER_MS);
	assert_true(voted(w, 1, &granted) && granted);
	world_close(w);
}

static void raft_voter__refuses_a_candidate_whose_log_is_older(void **state)
{
	struct world *w = open_alone(3);
	struct entries e = {.term = 2, .count = 2, .entry_term = 2};
	bool granted = true;

	(void)state;
	append(w, 1, &e, 0);
	world_run(w, NS_PER_S); /* the leader falls silent */
	ask_vote(w, 2, true, 9, 1, 2);
	assert_true(voted(w, 2, &granted) && !granted);
	ask_vote(w, 2, false, 9, 5, 1);
	world_run(w, 5 * NS_PER_MS);
	assert_true(voted(w, 2, &granted) && !granted);
	ask_vote(w, 2, false, 9, 2, 2);
	world_run(w, 5 * NS_PER_MS);
	assert_true(voted(w, 2, &granted) && granted);
	world_close(w);
}

static void raft_voter__that_hears_a_leader_takes_on_no_newer_term(void **state)
{
	struct world *w = open_alone(3);
	struct entries e = {.term = 2, .count = 1, .entry_term = 2};
	bool granted = true;

	(void)state;
	append(w, 1, &e, 0);
	ask_vote(w, 2, true, 3, 9, 2);
	assert_true(voted(w, 2, &granted) && !granted);
	ask_vote(w, 2, false, 9, 9, 2);
	world_run(w, 5 * NS_PER_MS);
	assert_true(voted(w, 2, &granted) && !granted);
	assert_int_equal(status(w, 0).term, 2);
	world_close(w);
}

static void raft_pre_candidate__begins_no_term_alone(void **state)
{
	struct world *w = open_alone(3);

	(void)state;
	world_run(w, 10 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(status(w, i).term, 0);
		assert_int_equal(w->sim->node[i].records, 0);
	}
	world_close(w);
}

static void raft_replica__that_was_cut_off_disturbs_nobody(void **state)
{
	struct world *w = open_raft(5);
	uint64_t term;

	(void)state;
	world_settle(w);
	term = status(w, 0).term;
	world_isolate(w, 4);
	world_run(w, 5 * NS_PER_S);
	sim_heal(w->sim);
	world_run(w, 5 * NS_PER_S);
	assert_int_equal(sim_leader(w->sim), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(status(w, i).term, term);
	world_close(w);
}

/* Make replica 0 of three the leader of term @term, with votes of replica 1 only. */
static void elect(struct world *w, uint64_t term)
{
	for (unsigned i = 0; i < 100 && status(w, 0).role != PROTO_CANDIDATE; i++)
		world_run(w, 10 * NS_PER_MS);
	grant(w, 1, true, term);
	assert_int_equal(status(w, 0).term, term);
	world_run(w, 5 * NS_PER_MS);
	grant(w, 1, false, term);
	world_run(w, 5 * NS_PER_MS);
	assert_int_equal(status(w, 0).role, PROTO_LEADER);
}

static void raft_candidate__counts_votes_once_its_own_is_on_disk(void **state)
{
	struct world *w = open_alone(3);

	(void)state;
	for (unsigned i = 0; i < 100 && status(w, 0).role != PROTO_CANDIDATE; i++)
		world_run(w, 10 * NS_PER_MS);
	grant(w, 1, true, 1);
	grant(w, 1, false, 1);
	grant(w, 2, false, 1);
	assert_int_equal(status(w, 0).role, PROTO_CANDIDATE);
	world_run(w, 5 * NS_PER_MS);
	assert_int_equal(status(w, 0).role, PROTO_CANDIDATE);
	grant(w, 1, false, 1);
	assert_int_equal(status(w, 0).role, PROTO_LEADER);
	world_close(w);
}

/* The last request for a vote that replica 0 sent @to; whether it was a real one. */
static bool asked_in_earnest(const struct world *w, unsigned to)
{
	const struct world_sent *s = world_last_sent(w, 0, to, RAFT_ASK_VOTE);

	return s && !s->bytes.p[1];
}

/*
 * Else it could stand again in the same term after a crash, with a log that has lost its end, and
 * count votes that were given to the longer one.
 */
static void raft_candidate__asks_for_votes_when_term_and_log_are_on_disk(void **state)
{
	struct world *w = open_alone(3);
	struct entries e = {.term = 1, .count = 1, .entry_term = 1};

	(void)state;
	append(w, 2, &e, 0);
	for (unsigned i = 0; i < 100 && status(w, 0).role != PROTO_CANDIDATE; i++)
		world_run(w, 10 * NS_PER_MS);
	grant(w, 1, true, 2);
	assert_int_equal(status(w, 0).term, 2);
	assert_false(asked_in_earnest(w, 1));
	assert_false(asked_in_earnest(w, 2));
	world_run(w, 5 * NS_PER_MS);
	assert_true(asked_in_earnest(w, 1));
	assert_true(asked_in_earnest(w, 2));
	world_close(w);
}

static void raft_candidate__counts_a_repeated_vote_once(void **state)
{
	struct world *w = open_alone(5);

	(void)state;
	for (unsigned i = 0; i < 100 && status(w, 0).role != PROTO_CANDIDATE; i++)
		world_run(w, 10 * NS_PER_MS);
	for (unsigned i = 0; i < 5; i++)
		grant(w, 1, true, 1);
	assert_int_equal(status(w, 0).term, 0);
	grant(w, 2, true, 1);
	assert_int_equal(status(w, 0).term, 1);
	world_run(w, 5 * NS_PER_MS);
	for (unsigned i = 0; i < 5; i++)
		grant(w, 1, false, 1);
	world_run(w, 5 * NS_PER_MS);
	assert_int_equal(status(w, 0).role, PROTO_CANDIDATE);
	world_close(w);
}

/* Nobody leads so; it must not bring the follower down either. */
static void raft_follower__refuses_a_leader_that_takes_back_its_own_entries(void **state)
{
	struct world *w = open_alone(3);
	struct entries e = {.term = 2, .count = 3, .entry_term = 1};
	struct entries back = {.term = 2, .count = 1, .entry_term = 2};
	struct entries beat = {.term = 2, .commit = 3};

	(void)state;
	append(w, 1, &e, 0);
	append(w, 1, &back, -EBADMSG);
	append(w, 1, &beat, 0);
	assert_int_equal(status(w, 0).log_last, 3);
	assert_int_equal(status(w, 0).committed, 3);
	world_close(w);
}

/* The paper's figure 8: an entry of an earlier term on a majority may still be replaced. */
static void raft_leader__does_not_commit_an_older_terms_entry_by_counting(void **state)
{
	struct world *w = open_alone(3);
	struct entries e = {.term = 2, .count = 1, .entry_term = 2};

	(void)state;
	append(w, 1, &e, 0);
	elect(w, 3);
	assert_int_equal(status(w, 0).log_last, 2);
	appended(w, 1, 3, 1);
	appended(w, 2, 3, 1);
	assert_int_equal(status(w, 0).committed, 0);
	appended(w, 1, 3, 2);
	assert_int_equal(status(w, 0).committed, 2);
	world_close(w);
}

static void raft_leader__counts_its_own_disk_only_when_it_has_written(void **state)
{
	struct world *w = open_alone(3);
	struct world_ask ask = {.op = PROTO_SET, .key = "k", .value = "v"};
	struct world_asked *a;

	(void)state;
	elect(w, 1);
	appended(w, 1, 1, 1);
	a = world_ask(w, 0, &ask);
	world_run(w, 0);
	appended(w, 1, 1, 2);
	assert_int_equal(status(w, 0).committed, 1);
	assert_int_equal(a->replies, 0);
	world_run(w, 2 * NS_PER_MS);
	assert_int_equal(status(w, 0).committed, 2);
	assert_int_equal(a->replies, 1);
	world_close(w);
}

static void raft_leader__steps_down_for_a_newer_term(void **state)
{
	struct world *w = open_alone(3);

	(void)state;
	elect(w, 1);
	appended(w, 1, 7, 0);
	assert_int_equal(status(w, 0).role, PROTO_FOLLOWER);
	assert_int_equal(status(w, 0).term, 7);
	world_close(w);
}

static void raft_leader__without_a_majority_steps_down_and_answers(void **state)
{
	struct world *w = open_raft(5);
	struct world_ask set = {.op = PROTO_SET, .key = "k", .value = "v"};
	struct world_ask get = {.op = PROTO_GET, .key = "k"};
	struct world_asked *write, *read;

	(void)state;
	world_settle(w);
	assert_int_equal(sim_leader(w->sim), 0);
	world_isolate(w, 0);
	write = world_ask(w, 0, &set);
	read = world_ask(w, 0, &get);
	world_run(w, 400 * NS_PER_MS);
	assert_int_equal(status(w, 0).role, PROTO_FOLLOWER);
	assert_int_equal(write->reply.status, PROTO_UNCERTAIN);
	assert_int_equal(read->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(read->reply.need, 3);
	world_close(w);
}

static void raft_leader__that_is_heard_by_nobody_steps_down(void **state)
{
	struct world *w = open_raft(3);

	(void)state;
	world_settle(w);
	assert_int_equal(sim_leader(w->sim), 0);
	sim_link(w->sim, 0, 1)->cut = true;
	sim_link(w->sim, 0, 2)->cut = true;
	/* It hears a majority all the time: requests, but no answers. */
	for (unsigned i = 0; i < 8; i++) {
		struct world_ask get = {.op = PROTO_GET, .key = "k"};

		world_ask(w, 1, &get);
		world_run(w, 40 * NS_PER_MS);
	}
	world_run(w, 80 * NS_PER_MS);
	assert_int_equal(status(w, 0).term, 1);
	assert_int_equal(status(w, 0).role, PROTO_FOLLOWER);
	world_close(w);
}

static void raft_leader__deposed_refuses_reads(void **state)
{
	struct world *w = open_raft(5);
	struct world_ask get = {.op = PROTO_GET, .key = "k"};
	struct world_asked *at_once, *later;

	(void)state;
	world_settle(w);
	assert_int_equal(world_set(w, 0, "k", "old"), PROTO_OK);
	world_isolate(w, 0);
	/* It does not know yet that it is alone. */
	at_once = world_ask(w, 0, &get);
	world_run(w, 2 * NS_PER_S);
	assert_int_equal(world_set(w, 1, "k", "new"), PROTO_OK);
	later = world_ask(w, 0, &get);
	world_run(w, NS_PER_S);
	assert_int_equal(at_once->reply.status, PROTO_UNAVAILABLE);
	assert_int_equal(later->reply.status, PROTO_UNAVAILABLE);
	sim_heal(w->sim);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 0, "k"), "new");
	world_close(w);
}

static void raft_replica__long_without_leader_refuses_at_once_and_says_why(void **state)
{
	struct world *w = open_raft(5);
	struct world_ask set = {.op = PROTO_SET, .key = "k", .value = "v"};
	struct world_asked *a;

	(void)state;
	world_settle(w);
	world_isolate(w, 4);
	world_run(w, 3 * NS_PER_S);
	a = world_ask(w, 4, &set);
	assert_int_equal(a->replies, 1);
	assert_int_equal(a->reply.status, PROTO_UNAVAILABLE);
	assert_string_equal(a->reply.why, "no leader");
	assert_int_equal(a->reply.have, 1);
	assert_int_equal(a->reply.need, 3);
	world_close(w);
}

static void raft_replica__waits_a_little_for_a_leader(void **state)
{
	struct world *w = open_raft(3);
	struct world_ask set = {.op = PROTO_SET, .key = "k", .value = "v"};
	struct world_asked *a;

	(void)state;
	a = world_ask(w, 2, &set); /* before the first election */
	assert_int_equal(a->replies, 0);
	assert_int_equal(world_wait(w, a)->reply.status, PROTO_OK);
	world_close(w);
}

static void raft_first_start__is_led_by_the_replica_that_was_named(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct sim_config config = world_config(&raft_ops, 5);
		struct world *w;

		config.proto.leader = i;
		w = world_open(&config);
		/* Two rounds, pre-vote and vote, and no time-out. */
		world_run(w, 50 * NS_PER_MS);
		assert_int_equal(sim_leader(w->sim), i);
		world_close(w);
	}
}

static void raft_write__sent_to_a_leader_that_is_gone_is_uncertain(void **state)
{
	struct world *w = open_raft(5);
	struct world_ask set = {.op = PROTO_SET, .key = "k", .value = "v"};
	struct world_ask get = {.op = PROTO_GET, .key = "k"};
	struct world_asked *write, *read;

	(void)state;
	world_settle(w);
	write = world_ask(w, 1, &set);
	read = world_ask(w, 1, &get);
	sim_crash(w->sim, 0);
	world_run(w, NS_PER_S);
	assert_int_equal(write->reply.status, PROTO_UNCERTAIN);
	/* The read has no effect: it was asked again when there was a new leader. */
	assert_true(read->reply.status == PROTO_NIL || read->reply.status == PROTO_UNAVAILABLE);
	world_close(w);
}

static void raft_write__delivered_twice_happens_once(void **state)
{
	struct world *w = open_raft(3);
	struct world_ask first = {.op = PROTO_SET, .key = "k", .value = "1"};
	const struct world_sent *s;

	(void)state;
	world_settle(w);
	world_forget(w);
	assert_int_equal(world_wait(w, world_ask(w, 1, &first))->reply.status, PROTO_OK);
	assert_int_equal(world_set(w, 0, "k", "2"), PROTO_OK);
	s = world_last_sent(w, 1, 0, RAFT_ATTEMPT);
	assert_non_null(s);
	assert_int_equal(sim_message(w->sim, 1, 0, s->bytes.p, s->bytes.len), 0);
	world_run(w, NS_PER_S);
	assert_string_equal(world_get(w, 2, "k"), "2");
	world_close(w);
}

/* It may have been done in an earlier life: only silence is true. */
static void raft_write__for_a_term_before_a_restart_is_neither_done_nor_denied(void **state)
{
	struct world *w = open_raft(3);
	const struct world_sent *s;
	struct buf attempt = {0};

	(void)state;
	world_settle(w);
	world_set(w, 1, "k", "1");
	world_set(w, 0, "k", "2");
	s = world_last_sent(w, 1, 0, RAFT_ATTEMPT);
	assert_non_null(s);
	buf_add(&attempt, s->bytes.p, s->bytes.len);
	sim_crash(w->sim, 0);
	sim_restart(w->sim, 0);
	world_forget(w);
	assert_int_equal(sim_message(w->sim, 1, 0, attempt.p, attempt.len), 0);
	assert_null(world_last_sent(w, 0, 1, RAFT_ANSWER));
	buf_fini(&attempt);
	world_run(w, 2 * NS_PER_S);
	assert_string_equal(world_get(w, 0, "k"), "2");
	world_close(w);
}

static void raft_leader__gathers_the_requests_of_a_turn(void **state)
{
	struct world *w = open_raft(3);
	struct world_ask set = {.op = PROTO_SET, .key = "k", .value = "v"};
	struct world_ask get = {.op = PROTO_GET, .key = "k"};
	uint64_t records;

	(void)state;
	world_settle(w);
	world_forget(w);
	records = w->sim->node[0].records;
	for (unsigned i = 0; i < 100; i++) {
		world_ask(w, 0, &set);
		world_ask(w, 0, &get);
	}
	world_run(w, 0);
	assert_int_equal(w->sent_count, 2); /* one message for each follower */
	assert_int_equal(w->sim->node[0].records, records + 1);
	world_run(w, 20 * NS_PER_MS);
	/* The reads may stand before the writes: they came at the same time. */
	for (size_t i = 0; i < w->asked_count; i++) {
		assert_int_equal(w->asked[i].replies, 1);
		assert_true(w->asked[i].reply.status == PROTO_OK ||
			    w->asked[i].reply.status == PROTO_NIL);
	}
	world_close(w);
}

static void raft_follower__behind_by_much_catches_up(void **state)
{
	struct world *w = open_raft(3);
	char value[16];

	(void)state;
	world_settle(w);
	sim_crash(w->sim, 2);
	for (unsigned i = 0; i < 3000; i++) {
		struct world_ask set = {.op = PROTO_SET, .key = "k", .value = value};

		snprintf(value, sizeof(value), "%u", i);
		world_ask(w, 0, &set);
		if (i % 100 == 0)
			world_run(w, 30 * NS_PER_MS);
	}
	world_run(w, 100 * NS_PER_MS);
	sim_restart(w->sim, 2);
	world_run(w, NS_PER_S);
	assert_string_equal(world_local(w, 2, "k"), "2999");
	assert_int_equal(status(w, 2).applied, status(w, 0).applied);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raft_follower__rejects_an_older_term),
		cmocka_unit_test(raft_follower__acknowledges_entries_when_they_are_on_disk),
		cmocka_unit_test(raft_follower__refuses_entries_after_a_gap_and_says_where_it_ends),
		cmocka_unit_test(
			raft_follower__replaces_entries_that_conflict_but_no_committed_ones),
		cmocka_unit_test(raft_follower__does_not_truncate_for_a_late_shorter_append),
		cmocka_unit_test(raft_follower__refuses_a_leader_that_takes_back_its_own_entries),
		cmocka_unit_test(raft_follower__behind_by_much_catches_up),
		cmocka_unit_test(raft_voter__answers_when_its_vote_is_on_disk),
		cmocka_unit_test(raft_voter__votes_once_per_term_across_a_restart),
		cmocka_unit_test(raft_voter__refuses_a_candidate_whose_log_is_older),
		cmocka_unit_test(raft_voter__that_hears_a_leader_takes_on_no_newer_term),
		cmocka_unit_test(raft_pre_candidate__begins_no_term_alone),
		cmocka_unit_test(raft_replica__that_was_cut_off_disturbs_nobody),
		cmocka_unit_test(raft_candidate__counts_votes_once_its_own_is_on_disk),
		cmocka_unit_test(raft_candidate__asks_for_votes_when_term_and_log_are_on_disk),
		cmocka_unit_test(raft_candidate__counts_a_repeated_vote_once),
		cmocka_unit_test(raft_leader__does_not_commit_an_older_terms_entry_by_counting),
		cmocka_unit_test(raft_leader__counts_its_own_disk_only_when_it_has_written),
		cmocka_unit_test(raft_leader__steps_down_for_a_newer_term),
		cmocka_unit_test(raft_leader__without_a_majority_steps_down_and_answers),
		cmocka_unit_test(raft_leader__that_is_heard_by_nobody_steps_down),
		cmocka_unit_test(raft_leader__deposed_refuses_reads),
		cmocka_unit_test(raft_leader__gathers_the_requests_of_a_turn),
		cmocka_unit_test(raft_replica__long_without_leader_refuses_at_once_and_says_why),
		cmocka_unit_test(raft_replica__waits_a_little_for_a_leader),
		cmocka_unit_test(raft_first_start__is_led_by_the_replica_that_was_named),
		cmocka_unit_test(raft_write__sent_to_a_leader_that_is_gone_is_uncertain),
		cmocka_unit_test(raft_write__delivered_twice_happens_once),
		cmocka_unit_test(
			raft_write__for_a_term_before_a_restart_is_neither_done_nor_denied),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
