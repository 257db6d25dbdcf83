/* SPDX-License-Identifier: MIT */
/*
 * resp_fuzz.c - any bytes as commands of a client: whole and split they give the same
 *
 * What the straight line of plain.c takes for a GET or a SET is that command to resp.c, too.
 */
#include <assert.h>
#include <errno.h>

#include "agent/base/crc32c.h"
#include "store/plain.h"
#include "store/resp.h"
#include "tests/fuzz/fuzz.h"

static struct resp_command command;

static bool inside(const struct proto_bytes *arg, const uint8_t *p, size_t len)
{
	return arg->p >= p && arg->p + arg->len <= p + len;
}

static bool same(struct proto_bytes a, struct proto_bytes b)
{
	return a.p == b.p && a.len == b.len;
}

/* Of the first command of @p, which resp.c has just read into `command`: @ret, @used. */
static void check_plain(const uint8_t *p, size_t len, int ret, size_t used)
{
	struct plain plain;

	if (plain_parse(p, len, &plain, 1) == 0)
		return;
	assert(ret == 0 && plain.used == used);
	assert(plain.key.len <= PROTO_KEY_MAX && same(plain.key, command.args[1]));
	if (plain.op == PROTO_GET) {
		assert(command.n == 2 && resp_is(command.args[0], "get"));
	} else {
		assert(plain.op == PROTO_SET && command.n == 3);
		assert(resp_is(command.args[0], "set") && same(plain.value, command.args[2]));
	}
}

/* Continue @sum, a checksum of commands, over all that the bytes hold; *ret_last: how they end. */
static uint32_t read_all(
	const uint8_t *p, size_t len, uint32_t sum, size_t *ret_used, int *ret_last)
{
	size_t used = 0;

	*ret_used = 0;
	for (;;) {
		*ret_last = resp_parse(p + *ret_used, len - *ret_used, &command, &used);
		check_plain(p + *ret_used, len - *ret_used, *ret_last, used);
		if (*ret_last < 0)
			break;
		assert(used > 0 && used <= len - *ret_used);
		assert(command.n <= RESP_ARGS_MAX);
		for (unsigned i = 0; i < command.n; i++) {
			const struct proto_bytes *arg = &command.args[i];

			assert(inside(arg, p + *ret_used, used) ||
				inside(arg, command.unquoted, sizeof command.unquoted));
			sum = crc32c(sum, arg->p, arg->len);
			/* Bytes of a client are patterns, too. */
			(void)resp_match(*arg, command.args[0], true);
		}
		sum = crc32c(sum, &command.n, sizeof command.n);
		*ret_used += used;
	}
	assert(*ret_last == -EAGAIN || (*ret_last == -EBADMSG && command.error));
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t used, first_used, rest_used;
	int last, first_last, rest_last;
	uint32_t whole = read_all(data, size, 0, &used, &last);
	uint32_t split;

	/* A command that is whole in the first half is the same command in all of it. */
	split = read_all(data, size / 2, 0, &first_used, &first_last);
	assert(first_used <= used);
	if (first_last == -EBADMSG)
		assert(last == -EBADMSG && used == first_used);
	split = read_all(data + first_used, size - first_used, split, &rest_used, &rest_last);
	assert(rest_last == last && first_used + rest_used == used && split == whole);
	return 0;
}
