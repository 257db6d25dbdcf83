/* SPDX-License-Identifier: MIT */
/*
 * models_test.c - the models of registers against the oracle, on small random histories
 *
 * Histories come from a few replicas that hear of each other's writes late and in any order, so
 * that some fit and some do not, and are damaged at random. The number of histories is
 * MODELS_HISTORIES in the environment, if it is set.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/prng.h"
#include "tests/check/make.h"
#include "tests/check/oracle.h"

#define MODELS_HISTORIES 12000
#define SESSIONS_MAX 4

/* A replica for each session: what it has for each key. */
struct world {
	struct prng prng;
	struct make m;
	uint64_t value[SESSIONS_MAX][ORACLE_KEYS_MAX];
	uint64_t free_ms[SESSIONS_MAX];
	unsigned sessions;
	unsigned keys;
	unsigned domain; /* 0: values are unique */
};

static uint64_t below(struct world *w, uint64_t limit)
{
	return prng_below(&w->prng, limit);
}

static void world_serve(struct world *w, struct history_op *op, unsigned replica)
{
	uint64_t *value = &w->value[replica][op->key];

	if (op->kind == HISTORY_READ)
		op->value = *value;
	else if (op->kind == HISTORY_WRITE)
		*value = op->value;
	else if (op->old == *value) {
		op->met = true;
		*value = op->value;
	} else {
		op->error = HISTORY_UNMET;
	}
}

static void world_operate(struct world *w)
{
	unsigned session = (unsigned)below(w, w->sessions);
	uint64_t key = below(w, w->keys);
	uint64_t begin = w->free_ms[session] + 1 + below(w, 8);
	uint64_t end = begin + 1 + below(w, 12);
	enum history_kind kind = (enum history_kind)(below(w, 5) * 3 / 5);
	struct history_op *op = make_op(&w->m, session, kind, key, begin, end);
	unsigned dice = (unsigned)below(w, 24);

	if (kind == HISTORY_CAS && below(w, 3))
		op->kind = (uint8_t)below(w, 2);
	op->session = session;
	w->free_ms[session] = end;
	if (op->kind != HISTORY_READ)
		op->value = w->domain ? 1 + below(w, w->domain) : w->m.count;
	if (op->kind == HISTORY_CAS)
		op->old = below(w, 3) ? w->value[session][key] : below(w, 6);
	if (dice > 1 || below(w, 2))
		world_serve(w, op, session);
	if (dice > 1)
		return;
	op->outcome = dice || op->kind != HISTORY_READ ? HISTORY_UNKNOWN : HISTORY_FAIL;
	op->met = false;
	op->error = HISTORY_TIMEOUT;
	if (below(w, 6) == 0)
		op->outcome = HISTORY_FAIL; /* a lie now and then: failed, yet perhaps visible */
	else
		op->t_return_ns = UINT64_MAX;
}

/* Some replica hears of what another one has, or of any write. */
static void world_talk(struct world *w)
{
	const struct history_op *op = &w->m.op[below(w, w->m.count)];
	unsigned to = (unsigned)below(w, w->sessions);
	unsigned from = (unsigned)below(w, w->sessions);
	uint64_t key = below(w, w->keys);

	w->value[to][key] = w->value[from][key];
	if (op->kind == HISTORY_WRITE && op->outcome == HISTORY_OK)
		w->value[to][op->key] = op->value;
}

static void world_damage(struct world *w)
{
	struct history_op *op = &w->m.op[below(w, w->m.count)];

	const struct history_op *other = &w->m.op[below(w, w->m.count)];

	if (op->kind == HISTORY_READ)
		op->value = other->key == op->key ? other->value : below(w, 7);
	else if (op->kind == HISTORY_CAS && op->outcome == HISTORY_OK)
		op->met = !op->met;
	else if (below(w, 8) == 0)
		op->session = (uint32_t)below(w, w->sessions);
}

static int by_invocation(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	if (x->t_invoke_ns != y->t_invoke_ns)
		return x->t_invoke_ns < y->t_invoke_ns ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

static void world_draw(struct world *w, uint64_t seed)
{
	size_t count;

	memset(w, 0, sizeof *w);
	prng_init(&w->prng, seed, 0);
	w->sessions = 1 + (unsigned)below(w, SESSIONS_MAX);
	w->keys = 1 + (unsigned)below(w, 2);
	w->domain = below(w, 4) ? 0 : 1 + (unsigned)below(w, 4);
	count = 2 + below(w, ORACLE_OPS_MAX - 1);
	while (w->m.count < count) {
		world_operate(w);
		for (uint64_t n = below(w, 4); n > 0; n--)
			world_talk(w);
	}
	for (size_t i = count - count / 3; i < count; i++)
		if (w->m.op[i].kind == HISTORY_READ && below(w, 2))
			w->m.op[i].flags = HISTORY_F_FINAL;
	for (uint64_t n = below(w, 4) / 2; n > 0; n--)
		world_damage(w);
	qsort(w->m.op, count, sizeof *w->m.op, by_invocation);
	for (size_t i = 0; i < count; i++)
		w->m.op[i].op = (uint32_t)i + 1;
}

static void world_print(const struct world *w)
{
	for (size_t i = 0; i < w->m.count; i++) {
		const struct history_op *op = &w->m.op[i];

		print_message("#   %zu session %u k%llu %s old %llu value %llu met %d outcome %d  "
			      "%llu .. %lld ms%s\n",
			i, op->session, (unsigned long long)op->key, history_kind_names[op->kind],
			(unsigned long long)op->old, (unsigned long long)op->value, op->met,
			op->outcome, (unsigned long long)(op->t_invoke_ns / MAKE_MS),
			op->t_return_ns == UINT64_MAX ? -1 : (long long)(op->t_return_ns / MAKE_MS),
			op->flags ? " final" : "");
	}
}

static const struct check_ops *model_of(enum oracle_model m)
{
	return check_find(oracle_names[m], CHECK_REGISTER);
}

/* The witness by itself is a violation, and stays one whatever part of the rest is added. */
static void witness_holds(
	const struct world *w, enum oracle_model m, const struct check_result *result, bool all)
{
	unsigned witness = 0;

	assert_true(result->witnesses > 0);
	assert_true(result->words[0] != '\0');
	for (size_t i = 0; i < result->witnesses; i++)
		witness |= 1u << result->witness[i];
	for (unsigned set = witness; set < 1u << w->m.count; set = (set + 1) | witness) {
		struct make part = {.count = 0};
		struct history_ops h;

		for (size_t i = 0; i < w->m.count; i++)
			if (set >> i & 1)
				part.op[part.count++] = w->m.op[i];
		h = make_history(&part);
		if (oracle_fits(&h, m)) {
			world_print(w);
			fail_msg("%s: the witness %x is explained by %x: %s", oracle_names[m],
				witness, set, result->words);
		}
		if (!all)
			return;
	}
}

struct tally {
	unsigned judged;
	unsigned bad;
	unsigned unknown;
};

static void compare(
	const struct world *w, uint64_t seed, enum oracle_model m, bool fits, struct tally *tally)
{
	struct history_ops h = {.op = (struct history_op *)w->m.op, .count = w->m.count};
	struct check_result result;
	struct err err = {0};
	int r;

	r = model_of(m)->check(&h, NULL, &make_names, &result, &err);
	if (r) {
		assert_int_equal(err.status, EXIT_USAGE);
		return;
	}
	tally->judged++;
	tally->bad += !fits;
	if (result.verdict == CHECK_UNKNOWN) {
		tally->unknown++;
		return;
	}
	if (result.verdict != (fits ? CHECK_OK : CHECK_VIOLATION)) {
		world_print(w);
		fail_msg("seed %llu, %s: the checker says %s %s", (unsigned long long)seed,
			oracle_names[m], check_verdict_names[result.verdict], result.words);
	}
	if (!fits)
		witness_holds(w, m, &result, seed % 16 == 0);
}

/* What the table says that a model implies, it does. */
static void implied(const struct world *w, uint64_t seed, const bool fits[])
{
	for (unsigned m = 0; m < ORACLE_NR; m++) {
		const char *const *weaker = model_of((enum oracle_model)m)->implies;

		for (; fits[m] && *weaker; weaker++) {
			for (unsigned k = 0; k < ORACLE_NR; k++) {
				if (strcmp(oracle_names[k], *weaker) != 0 || fits[k])
					continue;
				world_print(w);
				fail_msg("seed %llu: %s, but not %s", (unsigned long long)seed,
					oracle_names[m], *weaker);
			}
		}
	}
}

static uint64_t histories(void)
{
	const char *count = getenv("MODELS_HISTORIES");

	return count ? strtoull(count, NULL, 10) : MODELS_HISTORIES;
}

static void models__agree_with_the_oracle(void **state)
{
	struct tally tally[ORACLE_NR] = {{0}};
	uint64_t count = histories();

	(void)state;
	for (uint64_t seed = 1; seed <= count; seed++) {
		bool fits[ORACLE_NR];
		struct world w;
		struct history_ops h;

		world_draw(&w, seed);
		h = make_history(&w.m);
		oracle(&h, fits);
		implied(&w, seed, fits);
		for (unsigned m = 0; m < ORACLE_NR; m++)
			compare(&w, seed, (enum oracle_model)m, fits[m], &tally[m]);
	}
	for (unsigned m = 0; m < ORACLE_NR; m++) {
		print_message("# %-20s %u histories, %u do not fit, %u unknown\n", oracle_names[m],
			tally[m].judged, tally[m].bad, tally[m].unknown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models__agree_with_the_oracle),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
