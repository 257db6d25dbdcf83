/* SPDX-License-Identifier: MIT */
/*
 * crdt_laws_test.c - joining states of crdt is commutative, associative and idempotent
 *
 * States are drawn: three replicas, which now and then cannot hear each other, do what a seed says
 * to one key, and what they wrote to their logs, deltas and states, is what is joined.
 */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>

#include "store/proto/crdt_internal.h"
#include "tests/sim/world.h"

#define NODES 3
#define PIECES_MAX 600
#define TRIPLES 2000 /* of each seed */

struct pieces {
	struct buf piece[PIECES_MAX]; /* encoded states */
	size_t count;
};

static struct proto_bytes bytes_of(const struct buf *b)
{
	return (struct proto_bytes){b->p, (uint32_t)b->len};
}

static void join(const struct buf *a, const struct buf *b, struct buf *ret)
{
	struct crdt_state x, y, joined;

	assert_int_equal(crdt_decode(NODES, bytes_of(a), &x), 0);
	assert_int_equal(crdt_decode(NODES, bytes_of(b), &y), 0);
	crdt_join(&x, &y, &joined);
	ret->len = 0;
	crdt_encode(ret, &joined);
	assert_int_equal(ret->len, crdt_encoded(&joined));
	crdt_state_fini(&x);
	crdt_state_fini(&y);
	crdt_state_fini(&joined);
}

static void same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->p, b->p, a->len);
}

static void collect(struct world *w, struct pieces *p)
{
	for (unsigned i = 0; i < NODES; i++) {
		const struct sim_node *n = &w->sim->node[i];

		for (size_t k = 0; k < n->records && p->count < PIECES_MAX; k++) {
			struct cursor c = cursor_over(n->record[k].bytes, n->record[k].len);
			uint32_t len;
			const uint8_t *state;

			if (cursor_u8(&c) == CRDT_RECORD_SEEN)
				continue;
			cursor_bytes(&c, &len);
			state = cursor_bytes(&c, &len);
			assert_true(cursor_done(&c));
			buf_add(&p->piece[p->count++], state, len);
		}
	}
}

static void draw(uint64_t seed, enum proto_register registers, struct pieces *p)
{
	static const char *const values[] = {"1", "2", "3", "-4"};
	struct sim_config config = world_config(&crdt_ops, NODES);
	const struct token nothing = {0};
	struct prng prng;
	struct world *w;

	config.proto.registers = registers;
	config.proto.anti_entropy_ns = 300 * NS_PER_MS;
	prng_init(&prng, seed, 0);
	w = world_open(&config);
	for (unsigned i = 0; i < 300; i++) {
		struct world_ask ask = {.key = "k",
			.op = (enum proto_op)prng_below(&prng, PROTO_OP_NR),
			.value = values[prng_below(&prng, 4)],
			.token = prng_below(&prng, 3) ? NULL : &nothing};

		world_ask(w, (unsigned)prng_below(&prng, NODES), &ask);
		world_run(w, prng_below(&prng, 20 * NS_PER_MS));
		if (i % 20 == 5)
			world_isolate(w, (unsigned)prng_below(&prng, NODES));
		if (i % 20 == 18)
			sim_heal(w->sim);
	}
	collect(w, p);
	world_close(w);
}

/* Some pieces in one. */
static void draw_one(const struct pieces *p, struct prng *prng, struct buf *ret)
{
	struct buf sum = {0};

	ret->len = 0;
	for (uint64_t n = 1 + prng_below(prng, 4); n > 0; n--) {
		const struct buf *one = &p->piece[prng_below(prng, p->count)];

		if (ret->len == 0) {
			buf_add(ret, one->p, one->len);
			continue;
		}
		join(ret, one, &sum);
		ret->len = 0;
		buf_add(ret, sum.p, sum.len);
	}
	buf_fini(&sum);
}

static void check_laws(const struct pieces *p, struct prng *prng)
{
	struct buf a = {0}, b = {0}, c = {0}, ab = {0}, ba = {0}, bc = {0}, x = {0}, y = {0};

	for (unsigned i = 0; i < TRIPLES; i++) {
		draw_one(p, prng, &a);
		draw_one(p, prng, &b);
		draw_one(p, prng, &c);
		join(&a, &b, &ab);
		join(&b, &a, &ba);
		same(&ab, &ba);
		join(&b, &c, &bc);
		join(&ab, &c, &x);
		join(&a, &bc, &y);
		same(&x, &y);
		join(&a, &a, &x);
		same(&x, &a);
		join(&ab, &b, &x);
		same(&x, &ab);
	}
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&c);
	buf_fini(&ab);
	buf_fini(&ba);
	buf_fini(&bc);
	buf_fini(&x);
	buf_fini(&y);
}

static void crdt_join__is_commutative_associative_and_idempotent(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct pieces *p = calloc(1, sizeof(*p));
		struct prng prng;

		assert_non_null(p);
		prng_init(&prng, seed, 1);
		draw(seed, seed % 2 ? PROTO_REGISTER_LWW : PROTO_REGISTER_MV, p);
		assert_true(p->count > 40);
		check_laws(p, &prng);
		for (size_t i = 0; i < p->count; i++)
			buf_fini(&p->piece[i]);
		free(p);
	}
}

static void crdt_join__of_all_in_any_order_is_one_state(void **state)
{
	(void)state;
	for (uint64_t seed = 21; seed <= 26; seed++) {
		struct pieces *p = calloc(1, sizeof(*p));
		struct buf first = {0};
		struct prng prng;

		assert_non_null(p);
		prng_init(&prng, seed, 1);
		draw(seed, seed % 2 ? PROTO_REGISTER_LWW : PROTO_REGISTER_MV, p);
		for (unsigned round = 0; round < 50; round++) {
			struct buf sum = {0}, next = {0};

			for (size_t i = p->count - 1; i > 0; i--) {
				size_t k = (size_t)prng_below(&prng, i + 1);
				struct buf moved = p->piece[i];

				p->piece[i] = p->piece[k];
				p->piece[k] = moved;
			}
			buf_add(&sum, p->piece[0].p, p->piece[0].len);
			for (size_t i = 1; i < p->count; i++) {
				join(&sum, &p->piece[i], &next);
				sum.len = 0;
				buf_add(&sum, next.p, next.len);
			}
			if (round == 0)
				buf_add(&first, sum.p, sum.len);
			same(&sum, &first);
			buf_fini(&sum);
			buf_fini(&next);
		}
		for (size_t i = 0; i < p->count; i++)
			buf_fini(&p->piece[i]);
		buf_fini(&first);
		free(p);
	}
}

static void crdt_state__refuses_what_no_replica_writes(void **state)
{
	struct pieces *p = calloc(1, sizeof(*p));
	struct prng prng;

	(void)state;
	assert_non_null(p);
	prng_init(&prng, 31, 0);
	draw(31, PROTO_REGISTER_MV, p);
	for (size_t i = 0; i < p->count; i++) {
		struct buf *b = &p->piece[i];
		struct crdt_state s;

		for (size_t len = 0; len < b->len; len++)
			assert_int_equal(
				crdt_decode(NODES, (struct proto_bytes){b->p, (uint32_t)len}, &s),
				-EBADMSG);
		/* What is taken nevertheless is written back as it was. */
		for (unsigned k = 0; k < 200; k++) {
			size_t at = (size_t)prng_below(&prng, b->len);
			uint8_t flip = (uint8_t)(1u << prng_below(&prng, 8));
			struct buf again = {0};

			b->p[at] ^= flip;
			if (crdt_decode(NODES, bytes_of(b), &s) == 0) {
				crdt_encode(&again, &s);
				same(&again, b);
				crdt_state_fini(&s);
			}
			buf_fini(&again);
			b->p[at] ^= flip;
		}
		buf_fini(b);
	}
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crdt_join__is_commutative_associative_and_idempotent),
		cmocka_unit_test(crdt_join__of_all_in_any_order_is_one_state),
		cmocka_unit_test(crdt_state__refuses_what_no_replica_writes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
