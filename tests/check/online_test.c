/* SPDX-License-Identifier: MIT */
/*
 * online_test.c - the check of a growing history against the one of a whole history
 *
 * Registers of a few clients whose histories are often wrong at some point, with operations of
 * unknown outcome that may take effect much later. Settling happens all the time: a history has
 * many more values than are kept.
 */
#include <stdlib.h>

#include "agent/base/prng.h"
#include "agent/check/models.h"
#include "agent/check/online.h"
#include "tests/lib/test.h"

#define GROWN_HISTORIES 100000
#define GROWN_OPS_MAX 60
#define GROWN_CLIENTS_MAX 5
#define LONG_OPS 5000000
#define LONG_CLIENTS 10

struct grown {
	struct history_op op[GROWN_OPS_MAX];
	struct history_record record[2 * GROWN_OPS_MAX];
	size_t count;
	size_t records;
};

static int by_time(const void *a, const void *b)
{
	const struct history_record *x = a;
	const struct history_record *y = b;
	bool ends_x = x->type != HISTORY_INVOKE;
	bool ends_y = y->type != HISTORY_INVOKE;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	return ends_x != ends_y ? (ends_x ? 1 : -1) : x->op < y->op ? -1 : x->op > y->op;
}

static int by_effect(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_intended_ns < y->t_intended_ns ? -1 : x->t_intended_ns > y->t_intended_ns;
}

static int by_invocation(const void *a, const void *b)
{
	const struct history_op *x = a;
	const struct history_op *y = b;

	return x->t_invoke_ns < y->t_invoke_ns ? -1 : x->t_invoke_ns > y->t_invoke_ns;
}

/* When each operation begins, takes effect (t_intended_ns) and ends. */
static void grown_times(struct grown *g, struct prng *prng)
{
	unsigned clients = 1 + (unsigned)prng_below(prng, GROWN_CLIENTS_MAX);
	uint64_t free_at[GROWN_CLIENTS_MAX] = {0};
	unsigned unknown = (unsigned)prng_below(prng, 20);

	g->count = 10 + prng_below(prng, GROWN_OPS_MAX - 9);
	for (size_t i = 0; i < g->count; i++) {
		unsigned c = (unsigned)prng_below(prng, clients);
		uint64_t begin = free_at[c] + 1 + prng_below(prng, 5);
		uint64_t effect = begin + prng_below(prng, 6);
		uint64_t end = effect + prng_below(prng, 6);
		bool lost = prng_below(prng, 100) < unknown;

		g->op[i] = (struct history_op){
			.t_invoke_ns = begin,
			.t_intended_ns = lost ? effect + prng_below(prng, 80) : effect,
			.t_return_ns = end,
			.op = (uint32_t)i + 1,
			.session = (uint32_t)i,
			.key = 1,
			.outcome = lost ? HISTORY_UNKNOWN : HISTORY_OK,
			.kind = (uint8_t)(prng_below(prng, 2)   ? HISTORY_READ
					  : prng_below(prng, 3) ? HISTORY_WRITE
								: HISTORY_CAS),
		};
		free_at[c] = end;
	}
}

/* What a register answers; compare-and-set that it would not do become reads. */
static void grown_effects(struct grown *g, struct prng *prng)
{
	uint64_t value = 0;

	qsort(g->op, g->count, sizeof *g->op, by_effect);
	for (size_t i = 0; i < g->count; i++) {
		struct history_op *op = &g->op[i];
		bool drops = op->outcome != HISTORY_OK && prng_below(prng, 2);

		if (op->kind == HISTORY_READ) {
			op->value = value;
			continue;
		}
		op->value = op->op;
		op->old = op->kind == HISTORY_CAS ? value : 0;
		op->met = op->kind == HISTORY_CAS && op->outcome == HISTORY_OK;
		if (!drops)
			value = op->value;
	}
}

/* Old values, values from nowhere, refused writes that had an effect. */
static void grown_damage(struct grown *g, struct prng *prng)
{
	for (uint64_t n = prng_below(prng, 3); n > 0; n--) {
		struct history_op *op = &g->op[prng_below(prng, g->count)];

		if (op->kind == HISTORY_READ)
			op->value = prng_below(prng, g->count + 2);
		else if (prng_below(prng, 3) == 0 && !op->met)
			op->outcome = HISTORY_FAIL;
		else if (op->kind == HISTORY_CAS)
			op->old = prng_below(prng, g->count + 1);
	}
}

static void grown_record(struct grown *g, struct prng *prng)
{
	g->records = 0;
	for (size_t i = 0; i < g->count; i++) {
		struct history_op *op = &g->op[i];
		struct history_record r = {.type = HISTORY_INVOKE,
			.kind = op->kind,
			.op = op->op,
			.session = op->session,
			.key = op->key,
			.value = op->kind == HISTORY_READ ? 0 : op->value,
			.old = op->old,
			.t_ns = op->t_invoke_ns};

		g->record[g->records++] = r;
		r.type = op->outcome;
		r.t_ns = op->t_return_ns;
		r.value = op->value;
		if (op->outcome == HISTORY_OK || op->outcome == HISTORY_FAIL || prng_below(prng, 2))
			g->record[g->records++] = r;
		if (op->outcome == HISTORY_UNKNOWN)
			op->t_return_ns = UINT64_MAX;
	}
	qsort(g->record, g->records, sizeof *g->record, by_time);
	qsort(g->op, g->count, sizeof *g->op, by_invocation);
}

static bool grown_is_found(const struct grown *g, size_t *ret_kept)
{
	struct online *o = online_open(0);
	bool found = false;

	for (size_t i = 0; i < g->records && !found; i++)
		found = online_feed(o, &g->record[i]);
	*ret_kept = online_values(o);
	online_close(o);
	return found;
}

static void grown_print(const struct grown *g)
{
	for (size_t i = 0; i < g->records; i++) {
		const struct history_record *r = &g->record[i];

		print_message("# %llu type %u op %u kind %u value %llu old %llu\n",
			(unsigned long long)r->t_ns, r->type, r->op, r->kind,
			(unsigned long long)r->value, (unsigned long long)r->old);
	}
}

static void online__agrees_with_the_check_of_the_whole(void **state)
{
	unsigned bad = 0;
	size_t kept_max = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= GROWN_HISTORIES; seed++) {
		struct check_result result;
		struct history_ops h;
		struct prng prng;
		struct grown g;
		size_t kept;
		bool found;

		prng_init(&prng, seed, 2);
		grown_times(&g, &prng);
		grown_effects(&g, &prng);
		grown_damage(&g, &prng);
		grown_record(&g, &prng);
		h = (struct history_ops){.op = g.op, .count = g.count};
		assert_int_equal(linearizable_ops.check(&h, NULL, NULL, &result, NULL), 0);
		found = grown_is_found(&g, &kept);
		if (found != (result.verdict == CHECK_VIOLATION)) {
			grown_print(&g);
			fail_msg("seed %llu: online %d, whole %s: %s", (unsigned long long)seed,
				found, check_verdict_names[result.verdict], result.words);
		}
		bad += found;
		if (!found && kept > kept_max)
			kept_max = kept;
	}
	print_message("# %u histories, %u of them not linearizable; at most %zu values kept\n",
		GROWN_HISTORIES, bad, kept_max);
	assert_in_range(bad, GROWN_HISTORIES / 10, GROWN_HISTORIES * 9 / 10);
}

/* A client of a long history: what it does next, and when. */
struct long_client {
	struct history_record r;
	uint64_t at;
	unsigned step; /* 0: begins, 1: takes effect, 2: ends */
};

struct long_run {
	struct long_client client[LONG_CLIENTS];
	struct prng prng;
	uint64_t *value; /* by key */
	unsigned keys;
	uint32_t op;
};

static struct long_client *long_next(struct long_run *l)
{
	struct long_client *next = &l->client[0];

	for (unsigned i = 1; i < LONG_CLIENTS; i++)
		if (l->client[i].at < next->at)
			next = &l->client[i];
	return next;
}

static void long_begin(struct long_run *l, struct long_client *c)
{
	uint64_t dice = prng_below(&l->prng, 6);
	uint32_t op = ++l->op;

	c->r = (struct history_record){.type = HISTORY_INVOKE,
		.kind = dice < 3   ? HISTORY_READ
			: dice < 5 ? HISTORY_WRITE
				   : HISTORY_CAS,
		.op = op,
		.key = prng_below(&l->prng, l->keys),
		.t_ns = c->at};
	if (c->r.kind != HISTORY_READ)
		c->r.value = op;
	if (c->r.kind == HISTORY_CAS)
		c->r.old = l->value[c->r.key];
}

static void long_effect(struct long_run *l, struct long_client *c)
{
	uint64_t *value = &l->value[c->r.key];

	if (c->r.kind == HISTORY_READ)
		c->r.value = *value;
	else if (c->r.kind == HISTORY_CAS && c->r.old != *value)
		c->r.error = HISTORY_UNMET;
	else
		*value = c->r.value;
}

/* Return: whether online found something. */
static bool long_step(struct long_run *l, struct online *o)
{
	struct long_client *c = long_next(l);
	bool found = false;

	if (c->step == 0) {
		long_begin(l, c);
		found = online_feed(o, &c->r);
	} else if (c->step == 1) {
		long_effect(l, c);
	} else {
		c->r.type = HISTORY_OK;
		c->r.t_ns = c->at;
		found = online_feed(o, &c->r);
	}
	c->step = (c->step + 1) % 3;
	c->at += 1 + prng_below(&l->prng, 1000);
	return found;
}

static size_t long_run(struct long_run *l, struct online *o, uint32_t ops)
{
	size_t most = 0;

	while (l->op < ops) {
		assert_false(long_step(l, o));
		if (online_values(o) > most)
			most = online_values(o);
	}
	return most;
}

static void long_measure(unsigned keys, size_t values_max)
{
	struct long_run l = {.keys = keys, .value = calloc(keys, sizeof(uint64_t))};
	struct online *o = online_open(0);
	size_t early;
	size_t most;

	assert_non_null(l.value);
	prng_init(&l.prng, keys, 0);
	(void)long_run(&l, o, LONG_OPS / 10);
	early = online_bytes(o);
	most = long_run(&l, o, LONG_OPS);
	print_message("# %u keys: at most %zu values in %zu bytes over %u operations\n", keys, most,
		online_bytes(o), LONG_OPS);
	assert_int_equal(online_bytes(o), early);
	assert_true(most <= values_max);
	online_close(o);
	free(l.value);
}

static void online__needs_no_more_memory_for_a_longer_history(void **state)
{
	(void)state;
	long_measure(1, 100);
	long_measure(20, 20 * 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(online__agrees_with_the_check_of_the_whole),
		cmocka_unit_test(online__needs_no_more_memory_for_a_longer_history),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
