/* SPDX-License-Identifier: MIT */
/* roundtrip_test.c - histories of all kinds through all formats and back, equal afterwards */
#include "agent/base/prng.h"
#include "tests/check/files.h"
#include "tests/check/same.h"

#define ROUNDS 200
#define OPS 60
#define SESSIONS 7
#define LIST_MAX 9 /* elements of a read */
#define STEPS_MAX 5

/* Objects of one type each, so that a format may tell the type of a history by its operations. */
enum objects { REGISTERS, LISTS, SETS, COUNTERS, BANKS, TRANSACTIONS, OBJECTS_NR };

static const enum history_kind kinds[OBJECTS_NR][2] = {
	[REGISTERS] = {HISTORY_WRITE, HISTORY_CAS},
	[LISTS] = {HISTORY_APPEND, HISTORY_APPEND},
	[SETS] = {HISTORY_ADD, HISTORY_ADD},
	[COUNTERS] = {HISTORY_INCREASE, HISTORY_INCREASE},
	[BANKS] = {HISTORY_TRANSFER, HISTORY_TRANSFER},
	[TRANSACTIONS] = {HISTORY_TRANSACTION, HISTORY_TRANSACTION},
};

struct maker {
	struct history_ops ops;
	struct prng prng;
	enum objects objects;
	uint64_t free_at[SESSIONS];
	uint32_t session[SESSIONS];
	uint32_t sessions;
};

/* Small, large, and never 0. */
static uint64_t value_of(struct maker *m)
{
	uint64_t value =
		prng_below(&m->prng, 2) ? 1 + prng_below(&m->prng, 9) : prng_next(&m->prng);

	return value ? value : 1;
}

static uint64_t amount_of(struct maker *m)
{
	return prng_below(&m->prng, 9) - 4;
}

static uint32_t elements_of(struct maker *m, uint32_t *ret_first)
{
	uint32_t count = (uint32_t)prng_below(&m->prng, LIST_MAX);

	*ret_first = (uint32_t)m->ops.lists;
	for (uint32_t i = 0; i < count; i++)
		m->ops.list[m->ops.lists++] = m->objects == BANKS ? amount_of(m) : value_of(m);
	return count;
}

static void make_steps(struct maker *m, struct history_op *op)
{
	op->first = (uint32_t)m->ops.micros;
	op->count = (uint32_t)prng_below(&m->prng, STEPS_MAX);
	for (uint32_t i = 0; i < op->count; i++) {
		struct history_micro *step = &m->ops.micro[m->ops.micros++];

		*step = (struct history_micro){.key = prng_below(&m->prng, 3),
			.kind = prng_below(&m->prng, 2) ? HISTORY_READ : HISTORY_APPEND};
		if (step->kind == HISTORY_APPEND)
			step->value = value_of(m);
		else if (op->outcome == HISTORY_OK)
			step->count = elements_of(m, &step->first);
	}
}

static void make_read(struct maker *m, struct history_op *op)
{
	bool many = m->objects == LISTS || m->objects == SETS || m->objects == BANKS;

	if (op->outcome != HISTORY_OK)
		return;
	op->many = many;
	if (many)
		op->count = elements_of(m, &op->first);
	else
		op->value = m->objects == COUNTERS    ? amount_of(m)
			    : prng_below(&m->prng, 4) ? value_of(m)
						      : 0;
}

static void make_value(struct maker *m, struct history_op *op)
{
	bool amount = m->objects == COUNTERS || m->objects == BANKS;

	if (op->kind == HISTORY_TRANSACTION) {
		make_steps(m, op);
		return;
	}
	op->key = prng_below(&m->prng, 4);
	if (op->kind == HISTORY_READ) {
		make_read(m, op);
		return;
	}
	op->value = amount ? amount_of(m) : value_of(m);
	if (op->kind == HISTORY_CAS) {
		op->old = prng_below(&m->prng, 3) ? value_of(m) : 0;
		op->met = op->outcome == HISTORY_OK && prng_below(&m->prng, 2);
		if (op->outcome == HISTORY_OK && !op->met)
			op->error = HISTORY_UNMET;
	}
	if (op->kind == HISTORY_TRANSFER) {
		op->old = prng_below(&m->prng, 65536);
		op->to = (uint16_t)prng_below(&m->prng, 65536);
	}
}

/* In the order of invocations; times are close together, so that many are equal. */
static void make_op(struct maker *m, uint64_t now)
{
	unsigned client = (unsigned)prng_below(&m->prng, SESSIONS);
	struct history_op *op = &m->ops.op[m->ops.count];
	enum history_type outcome = HISTORY_OK + (unsigned)(prng_below(&m->prng, 5) % 3);

	if (m->free_at[client] > now)
		return;
	*op = (struct history_op){
		.t_invoke_ns = now,
		.t_return_ns = now + prng_below(&m->prng, 4),
		.t_intended_ns = prng_next(&m->prng),
		.op = (uint32_t)++m->ops.count,
		.session = m->session[client],
		.phase = (uint32_t)prng_below(&m->prng, 3),
		.node = (uint16_t)prng_next(&m->prng),
		.client = (uint16_t)prng_next(&m->prng),
		.kind = prng_below(&m->prng, 2)
				? HISTORY_READ
				: (uint8_t)kinds[m->objects][prng_below(&m->prng, 2)],
		.outcome = (uint8_t)outcome,
		.flags = prng_below(&m->prng, 9) ? 0 : HISTORY_F_FINAL,
	};
	if (outcome == HISTORY_UNKNOWN) {
		op->t_return_ns = UINT64_MAX;
		op->error = prng_below(&m->prng, 2) ? HISTORY_TIMEOUT : HISTORY_NO_ERROR;
		m->session[client] = m->sessions++;
	} else {
		m->free_at[client] = op->t_return_ns;
	}
	if (outcome == HISTORY_FAIL)
		op->error = HISTORY_REFUSED;
	make_value(m, op);
}

static struct history_ops make_history(enum objects objects, uint64_t seed)
{
	struct maker m = {.objects = objects, .sessions = SESSIONS};
	uint64_t now = 0;

	m.ops.op = calloc(OPS, sizeof *m.ops.op);
	m.ops.micro = calloc(OPS * STEPS_MAX, sizeof *m.ops.micro);
	m.ops.list = calloc(OPS * STEPS_MAX * LIST_MAX, sizeof *m.ops.list);
	assert_true(m.ops.op && m.ops.micro && m.ops.list);
	prng_init(&m.prng, seed, objects);
	for (uint32_t i = 0; i < SESSIONS; i++)
		m.session[i] = i;
	while (m.ops.count < OPS) {
		make_op(&m, now);
		now += prng_below(&m.prng, 2);
	}
	return m.ops;
}

static void comes_back(const struct files *f, const struct history_ops *ops,
	enum history_format format, uint64_t seed)
{
	struct history_ops again;
	struct err err = {0};
	size_t at;

	(void)unlink(f->path);
	if (history_write(ops, f->path, format, &err) || history_read(&again, f->path, &err))
		fail_msg("seed %llu: %s", (unsigned long long)seed, err.text);
	at = same_history(ops, &again);
	if (at != SIZE_MAX)
		fail_msg("seed %llu, %s: operation %zu of %zu differs", (unsigned long long)seed,
			history_format_names[format], at, ops->count);
	history_ops_fini(&again);
}

static void comes_back_often(const struct files *f, enum history_format format)
{
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct history_ops ops = make_history(seed % OBJECTS_NR, seed);

		comes_back(f, &ops, format, seed);
		history_ops_fini(&ops);
	}
}

static void roundtrip__binary_gives_equal_histories(void **state)
{
	comes_back_often(*state, HISTORY_BINARY);
}

static void roundtrip__json_lines_give_equal_histories(void **state)
{
	comes_back_often(*state, HISTORY_JSONL);
}

static void roundtrip__edn_gives_equal_histories(void **state)
{
	comes_back_often(*state, HISTORY_EDN);
}

static void roundtrip__one_format_after_the_other(void **state)
{
	static const enum history_format way[] = {HISTORY_EDN, HISTORY_BINARY, HISTORY_JSONL};
	const struct files *f = *state;

	for (uint64_t seed = ROUNDS; seed < ROUNDS + 2 * OBJECTS_NR; seed++) {
		struct history_ops first = make_history(seed % OBJECTS_NR, seed);
		struct history_ops now = make_history(seed % OBJECTS_NR, seed);
		struct err err = {0};

		for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
			(void)unlink(f->path);
			assert_int_equal(history_write(&now, f->path, way[i], &err), 0);
			history_ops_fini(&now);
			assert_int_equal(history_read(&now, f->path, &err), 0);
		}
		assert_true(same_history(&first, &now) == SIZE_MAX);
		history_ops_fini(&first);
		history_ops_fini(&now);
	}
}

static void roundtrip__notices_a_difference(void **state)
{
	struct history_ops a = make_history(TRANSACTIONS, 1);
	struct history_ops b = make_history(TRANSACTIONS, 1);

	(void)state;
	assert_true(same_history(&a, &b) == SIZE_MAX);
	for (size_t i = 0; i < b.lists; i++)
		b.list[i]++;
	assert_true(same_history(&a, &b) < a.count);
	for (size_t i = 0; i < b.lists; i++)
		b.list[i]--;
	b.op[7].node++;
	assert_int_equal(same_history(&a, &b), 7);
	history_ops_fini(&a);
	history_ops_fini(&b);
}

static void roundtrip__numbers_that_binary_has_not_are_given_anew(void **state)
{
	const struct files *f = *state;
	struct history_ops ops = make_history(REGISTERS, 1);
	struct history_ops again;
	struct err err = {0};

	ops.op[3].op = ops.op[4].op;
	assert_int_equal(history_write(&ops, f->path, HISTORY_BINARY, &err), 0);
	assert_int_equal(history_read(&again, f->path, &err), 0);
	for (size_t i = 0; i < again.count; i++)
		assert_int_equal(again.op[i].op, i + 1);
	history_ops_fini(&again);
	history_ops_fini(&ops);
}

static void roundtrip__says_where_it_cannot_write(void **state)
{
	struct history_ops ops = {0};

	(void)state;
	for (enum history_format i = 0; i < HISTORY_JSON; i++) {
		struct err err = {0};

		assert_int_equal(history_write(&ops, "/nonexistent/out", i, &err), -ENOENT);
		assert_non_null(strstr(err.text, "/nonexistent/out"));
	}
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_file(roundtrip__binary_gives_equal_histories),
		with_file(roundtrip__json_lines_give_equal_histories),
		with_file(roundtrip__edn_gives_equal_histories),
		with_file(roundtrip__one_format_after_the_other),
		cmocka_unit_test(roundtrip__notices_a_difference),
		with_file(roundtrip__numbers_that_binary_has_not_are_given_anew),
		cmocka_unit_test(roundtrip__says_where_it_cannot_write),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
