/* SPDX-License-Identifier: MIT */
/* weak_test.c - models without real time: known histories, their words, and --model auto */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "tests/check/make.h"

#define X 1
#define Y 2

/* Operations of sessions, 100 ms each, one after the other; a session is on the node before it. */
static struct history_op *does(
	struct make *m, unsigned session, enum history_kind kind, uint64_t key, uint64_t value)
{
	uint64_t at = 1000 + m->count * 100;
	struct history_op *op = make_op(m, session - 1, kind, key, at, at + 50);

	op->session = session;
	op->value = value;
	return op;
}

static void writes(struct make *m, unsigned session, uint64_t key, uint64_t value)
{
	(void)does(m, session, HISTORY_WRITE, key, value);
}

static void reads(struct make *m, unsigned session, uint64_t key, uint64_t value)
{
	(void)does(m, session, HISTORY_READ, key, value);
}

static void judge(struct make *m, struct check_auto *ret)
{
	const struct check_budget budget = {.time_ns = 0};
	struct history_ops h = make_history(m);
	struct err err = {0};

	assert_int_equal(check_auto(&h, CHECK_REGISTER, &budget, &make_names, ret, &err), 0);
}

static const struct check_auto_model *about(const struct check_auto *a, const char *name)
{
	for (unsigned i = 0; i < a->models; i++)
		if (strcmp(a->model[i].ops->name, name) == 0)
			return &a->model[i];
	fail_msg("no model %s", name);
	return NULL;
}

static void is_kept(const struct check_auto *a, const char *name)
{
	assert_int_equal(about(a, name)->result.verdict, CHECK_OK);
	assert_true(about(a, name)->strongest);
}

static void is_broken(const struct check_auto *a, const char *name)
{
	assert_int_equal(about(a, name)->result.verdict, CHECK_VIOLATION);
	assert_true(about(a, name)->weakest);
}

static void auto__all_is_kept_by_a_register(void **state)
{
	struct make m = {.count = 0};
	struct check_auto a;

	(void)state;
	writes(&m, 1, X, 9);
	reads(&m, 2, X, 9);
	judge(&m, &a);
	is_kept(&a, "linearizable");
	assert_null(a.broken);
	assert_true(about(&a, "sequential")->follows);
	assert_false(about(&a, "sequential")->strongest);
}

static void auto__a_read_that_comes_late_is_sequential(void **state)
{
	struct make m = {.count = 0};
	struct check_auto a;

	(void)state;
	writes(&m, 1, X, 9);
	reads(&m, 2, X, 0);
	judge(&m, &a);
	is_kept(&a, "sequential");
	is_broken(&a, "linearizable");
	assert_ptr_equal(a.broken, about(&a, "linearizable"));
}

/* Bouajjani and others, POPL 2017, figure 3(a): CM but not CCv. */
static void auto__two_orders_of_two_writes_are_causal_memory(void **state)
{
	struct make m = {.count = 0};
	struct check_auto a;

	(void)state;
	writes(&m, 1, X, 1);
	writes(&m, 2, X, 2);
	reads(&m, 1, X, 2);
	reads(&m, 2, X, 1);
	judge(&m, &a);
	is_kept(&a, "causal-cm");
	is_broken(&a, "causal-ccv");
}

/* Likewise, figure 3(b): CCv but not CM; it is not PRAM either. */
static void auto__a_write_that_wins_late_is_causal_convergence(void **state)
{
	struct make m = {.count = 0};
	struct check_auto a;

	(void)state;
	writes(&m, 1, 3, 1);
	writes(&m, 1, X, 1);
	writes(&m, 1, Y, 1);
	writes(&m, 2, X, 2);
	reads(&m, 2, 3, 0);
	reads(&m, 2, Y, 1);
	reads(&m, 2, X, 2);
	judge(&m, &a);
	is_kept(&a, "causal-ccv");
	is_broken(&a, "pram");
	assert_int_equal(about(&a, "causal-cm")->result.verdict, CHECK_VIOLATION);
}

/* Likewise, figure 3(c): weakly causal only, since a session changes its mind. */
static void auto__a_session_that_changes_its_mind_is_weakly_causal(void **state)
{
	struct make m = {.count = 0};
	struct check_auto a;

	(void)state;
	writes(&m, 1, X, 1);
	writes(&m, 2, X, 2);
	reads(&m, 2, X, 1);
	reads(&m, 2, X, 2);
	reads(&m, 2, X, 1);
	judge(&m, &a);
	is_kept(&a, "causal-cc");
	is_broken(&a, "monotonic-reads");
}

static void told(struct make *m, const char *model, size_t witnesses, const char *words)
{
	struct history_ops h = make_history(m);
	struct check_result result;

	assert_int_equal(
		check_find(model, CHECK_REGISTER)->check(&h, NULL, &make_names, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
	assert_string_equal(result.words, words);
	assert_int_equal(result.witnesses, witnesses);
}

static void told__own_write_is_missed(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	writes(&m, 1, X, 3);
	reads(&m, 2, X, 3);
	writes(&m, 2, Y, 5);
	writes(&m, 1, X, 9);
	reads(&m, 1, X, 3);
	told(&m, "read-your-writes", 3,
		"session 1 read 3 of k1 on n1 at 1.450 s, although it had itself written 9 to k1 on "
		"n1 at 1.350 s");
}

static void told__what_was_seen_is_missed(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	writes(&m, 1, X, 3);
	writes(&m, 1, X, 9);
	reads(&m, 2, X, 9);
	reads(&m, 2, X, 0);
	told(&m, "monotonic-reads", 3,
		"session 2 read nothing of k1 on n2 at 1.350 s, although it had seen 9 of k1 on n2 at "
		"1.250 s");
}

static void told__the_cause_is_missed(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	writes(&m, 1, X, 3);
	reads(&m, 2, X, 3);
	writes(&m, 2, Y, 5);
	reads(&m, 3, Y, 5);
	reads(&m, 3, X, 0);
	told(&m, "causal-cc", 5,
		"session 3 read nothing of k1 on n3 at 1.450 s, although it knew what followed 3, "
		"written by session 1; session 1 wrote 3 to k1 on n1 at 1.050 s, session 2 read 3 of "
		"k1 on n2 at 1.150 s, session 2 wrote 5 to k2 on n2 at 1.250 s, session 3 read 5 of "
		"k2 on n3 at 1.350 s, session 3 read nothing of k1 on n3 at 1.450 s");
}

static void told__replicas_that_did_not_converge(void **state)
{
	struct make m = {.count = 0};

	(void)state;
	writes(&m, 1, X, 3);
	writes(&m, 2, X, 9);
	does(&m, 3, HISTORY_READ, X, 3)->flags = HISTORY_F_FINAL;
	does(&m, 4, HISTORY_READ, X, 9)->flags = HISTORY_F_FINAL;
	told(&m, "eventual", 4,
		"the replicas did not converge on k1: in the end n3 has 3 (read at 1.250 s) and n4 "
		"has 9 (read at 1.350 s); the last write of these had ended at 1.150 s");
}

static void weak__two_operations_of_one_session_at_once_are_refused(void **state)
{
	struct make m = {.count = 0};
	struct check_result result;
	struct history_ops h;
	struct err err = {0};

	(void)state;
	writes(&m, 1, X, 3);
	writes(&m, 1, X, 9);
	m.op[1].t_invoke_ns = m.op[0].t_return_ns - 1;
	h = make_history(&m);
	assert_int_not_equal(
		check_find("pram", CHECK_REGISTER)->check(&h, NULL, &make_names, &result, &err), 0);
	assert_int_equal(err.status, EXIT_USAGE);
}

static void weak__beyond_the_memory_allowed_nothing_is_known(void **state)
{
	const struct check_budget budget = {.memory_bytes = 16};
	struct make m = {.count = 0};
	struct check_result result;
	struct history_ops h;

	(void)state;
	writes(&m, 1, X, 3);
	reads(&m, 2, X, 3);
	h = make_history(&m);
	assert_int_equal(check_find("causal-cc", CHECK_REGISTER)
				 ->check(&h, &budget, &make_names, &result, NULL),
		0);
	assert_int_equal(result.verdict, CHECK_UNKNOWN);
}

/* What was read in between is many operations, each of which keeps what it read. */
static void witness__of_a_choice_is_found_in_a_long_session(void **state)
{
	struct history_ops h = {.count = 60000};
	struct check_result result;

	(void)state;
	h.op = calloc(h.count, sizeof *h.op);
	assert(h.op);
	for (size_t i = 0; i < h.count; i++)
		h.op[i] = (struct history_op){.op = (uint32_t)i + 1,
			.t_invoke_ns = i * 10,
			.t_return_ns = i * 10 + 5,
			.kind = i % 2 ? HISTORY_READ : HISTORY_WRITE,
			.outcome = HISTORY_OK,
			.value = 1 + i / 2};
	h.op[0].key = h.op[1].key = h.op[h.count - 1].key = 1;
	h.op[h.count - 1].kind = HISTORY_CAS;
	h.op[h.count - 1].error = HISTORY_UNMET;
	h.op[h.count - 1].old = 1;
	assert_int_equal(sequential_ops.check(&h, NULL, NULL, &result, NULL), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
	assert_in_range(result.witnesses, 2, 100);
	free(h.op);
}

/*
 * A log that five replicas apply late, each as late as it is far, and sessions beside them: reads
 * are local, writes wait until they are applied there. Times of concurrent writes say little of
 * their order in the log.
 */
#define LOG_OPS 6000u
#define LOG_SESSIONS 300u
#define LOG_REPLICAS 5u
#define LOG_KEYS 10u

struct log_write {
	uint64_t at_ns;
	uint64_t key;
	uint64_t value;
};

struct log_world {
	struct prng prng;
	struct history_op *op;
	size_t count;
	struct log_write write[LOG_OPS];
	size_t writes;
	uint64_t free_ns[LOG_SESSIONS];
};

static uint64_t far_ns(unsigned replica)
{
	return (1 + 9 * replica) * MAKE_MS;
}

/* What @replica has of @key at @now_ns. */
static uint64_t local(const struct log_world *w, unsigned replica, uint64_t key, uint64_t now_ns)
{
	for (size_t i = w->writes; i-- > 0;)
		if (w->write[i].key == key && w->write[i].at_ns + far_ns(replica) <= now_ns)
			return w->write[i].value;
	return 0;
}

static void log_step(struct log_world *w, uint64_t now_ns)
{
	unsigned session = (unsigned)prng_below(&w->prng, LOG_SESSIONS);
	unsigned replica = session % LOG_REPLICAS;
	struct history_op *op = &w->op[w->count];

	if (w->free_ns[session] > now_ns)
		return;
	*op = (struct history_op){
		.op = (uint32_t)w->count + 1,
		.session = session + 1,
		.client = 9,
		.node = (uint16_t)replica,
		.key = prng_below(&w->prng, LOG_KEYS) + 1,
		.outcome = HISTORY_OK,
		.error = HISTORY_NO_ERROR,
		.t_intended_ns = now_ns,
		.t_invoke_ns = now_ns,
		.t_return_ns = now_ns + MAKE_MS / 10,
	};
	w->count++;
	if (prng_below(&w->prng, 3) == 0) {
		op->kind = HISTORY_READ;
		op->value = local(w, replica, op->key, now_ns);
	} else {
		/* A majority takes as long as it takes. */
		uint64_t at_ns = now_ns + far_ns(replica) + prng_below(&w->prng, 40 * MAKE_MS);

		op->kind = HISTORY_WRITE;
		op->value = w->count;
		op->t_return_ns = at_ns + far_ns(replica) + prng_below(&w->prng, 40 * MAKE_MS);
		w->write[w->writes++] = (struct log_write){at_ns, op->key, op->value};
		for (size_t i = w->writes - 1; i > 0 && w->write[i - 1].at_ns > at_ns; i--) {
			struct log_write later = w->write[i - 1];

			w->write[i - 1] = w->write[i];
			w->write[i] = later;
		}
	}
	w->free_ns[session] = op->t_return_ns + 1;
}

static void sequential__order_of_a_log_is_found_in_a_long_history_of_late_reads(void **state)
{
	struct log_world *w = calloc(1, sizeof *w);
	const struct check_budget budget = {.time_ns = 20 * NS_PER_S};
	struct check_result result;
	struct history_ops h;
	struct err err = {0};

	(void)state;
	assert_non_null(w);
	w->op = calloc(LOG_OPS, sizeof *w->op);
	assert_non_null(w->op);
	prng_init(&w->prng, 5, 0);
	for (uint64_t now_ns = NS_PER_S; w->count < LOG_OPS; now_ns += MAKE_MS)
		log_step(w, now_ns);
	h = (struct history_ops){.op = w->op, .count = w->count};
	assert_int_equal(sequential_ops.check(&h, &budget, NULL, &result, &err), 0);
	assert_int_equal(result.verdict, CHECK_OK);
	/* One session sees two values in the other order. */
	for (size_t i = w->count; i-- > 0;)
		if (w->op[i].kind == HISTORY_READ && w->op[i].value > 1000) {
			w->op[i].value = 0;
			break;
		}
	assert_int_equal(sequential_ops.check(&h, &budget, NULL, &result, &err), 0);
	assert_int_equal(result.verdict, CHECK_VIOLATION);
	free(w->op);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(witness__of_a_choice_is_found_in_a_long_session),
		cmocka_unit_test(
			sequential__order_of_a_log_is_found_in_a_long_history_of_late_reads),
		cmocka_unit_test(auto__all_is_kept_by_a_register),
		cmocka_unit_test(auto__a_read_that_comes_late_is_sequential),
		cmocka_unit_test(auto__two_orders_of_two_writes_are_causal_memory),
		cmocka_unit_test(auto__a_write_that_wins_late_is_causal_convergence),
		cmocka_unit_test(auto__a_session_that_changes_its_mind_is_weakly_causal),
		cmocka_unit_test(told__own_write_is_missed),
		cmocka_unit_test(told__what_was_seen_is_missed),
		cmocka_unit_test(told__the_cause_is_missed),
		cmocka_unit_test(told__replicas_that_did_not_converge),
		cmocka_unit_test(weak__two_operations_of_one_session_at_once_are_refused),
		cmocka_unit_test(weak__beyond_the_memory_allowed_nothing_is_known),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
