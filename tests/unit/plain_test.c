/* SPDX-License-Identifier: MIT */
/* plain_test.c - the straight-line reader of GET and SET never disagrees with the full one */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/prng.h"
#include "store/plain.h"
#include "store/resp.h"

#define MAX 8

static unsigned parse(const char *text, struct plain *ret)
{
	return plain_parse((const uint8_t *)text, strlen(text), ret, MAX);
}

static void plain__reads_gets_and_sets_in_a_row(void **state)
{
	struct plain p[MAX];

	(void)state;
	assert_int_equal(
		parse("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nset\r\n$0\r\n\r\n$2\r\nvw\r\n"
		      "*1\r\n$4\r\nPING\r\n",
			p),
		2);
	assert_int_equal(p[0].op, PROTO_GET);
	assert_memory_equal(p[0].key.p, "k", 1);
	assert_int_equal(p[1].op, PROTO_SET);
	assert_int_equal(p[1].key.len, 0);
	assert_int_equal(p[1].value.len, 2);
	assert_memory_equal(p[1].value.p, "vw", 2);
}

static void plain__leaves_what_is_not_exactly_that(void **state)
{
	static const char *const others[] = {"", "*", "GET k\r\n", "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n",
		"*3\r\n$3\r\nGET\r\n$1\r\nk\r\n$1\r\nv\r\n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r",
		"*2\r\n$3\r\nGET\r\n$-1\r\n", "*2\r\n$3\r\nGET\r\n$\r\nk\r\n",
		"*2\r\n$3\r\nGET\r\n$1025\r\n", "*2\r\n$3\r\nGET\r\n$00000001\r\nk\r\n",
		"*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nNX\r\n",
		"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n"};
	struct plain p[MAX];

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_equal(parse(others[i], p), 0);
}

/* A command now and then damaged, cut off or repeated. */
static void some_bytes(struct buf *b, struct prng *prng)
{
	static const char *const names[] = {"GET", "set", "Set", "DEL", "GETX"};

	b->len = 0;
	for (uint64_t n = prng_below(prng, 5); n > 0; n--) {
		const char *name = names[prng_below(prng, 5)];
		unsigned args = 2 + (unsigned)prng_below(prng, 2);

		buf_printf(b, "*%u\r\n$%zu\r\n%s\r\n", args, strlen(name), name);
		for (unsigned i = 1; i < args; i++) {
			int len = (int)prng_below(prng, 12);

			buf_printf(b, "$%d\r\n%.*s\r\n", len, len, "abcdefghijkl");
		}
	}
	if (b->len > 0 && prng_below(prng, 2))
		b->p[prng_below(prng, b->len)] = (uint8_t)prng_next(prng);
	if (b->len > 0 && prng_below(prng, 3) == 0)
		b->len = prng_below(prng, b->len);
}

static void plain__agrees_with_the_full_reader(void **state)
{
	struct resp_command *command = malloc(sizeof *command);
	struct buf b = {0};
	struct prng prng;
	unsigned taken = 0;

	(void)state;
	prng_init(&prng, 1, 1);
	for (unsigned round = 0; round < 200000; round++) {
		struct plain p[MAX];
		size_t at = 0, used = 0;
		unsigned n;

		some_bytes(&b, &prng);
		n = plain_parse(b.p, b.len, p, MAX);
		for (unsigned i = 0; i < n; i++, taken++) {
			assert_int_equal(resp_parse(b.p + at, b.len - at, command, &used), 0);
			assert_int_equal(used, p[i].used);
			assert_int_equal(command->n, p[i].op == PROTO_GET ? 2 : 3);
			assert_true(
				resp_is(command->args[0], p[i].op == PROTO_GET ? "GET" : "SET"));
			assert_ptr_equal(command->args[1].p, p[i].key.p);
			assert_int_equal(command->args[1].len, p[i].key.len);
			if (p[i].op == PROTO_SET)
				assert_int_equal(command->args[2].len, p[i].value.len);
			at += used;
		}
	}
	assert_true(taken > 20000);
	buf_fini(&b);
	free(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain__reads_gets_and_sets_in_a_row),
		cmocka_unit_test(plain__leaves_what_is_not_exactly_that),
		cmocka_unit_test(plain__agrees_with_the_full_reader),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
