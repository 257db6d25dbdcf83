/* SPDX-License-Identifier: MIT */
/* answer_fuzz.c - answers of a store, as the load's RESP driver reads them */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/drivers/resp_answer.h"
#include "tests/fuzz/fuzz.h"

static void session(const char *p, size_t size)
{
	struct resp_answer whole, part, token;
	int used = resp_session_parse(p, size, &whole, &token);

	assert(used == -EBADMSG || (used >= 0 && (size_t)used <= size));
	if (used > 0) {
		assert(resp_session_parse(p, (size_t)used, &part, &token) == used);
		assert(part.type == whole.type && part.len == whole.len);
		assert(resp_session_parse(p, (size_t)used - 1, &part, &token) == 0);
	}
}

/* A list has as many elements as it says, each a value. */
static void list(const struct resp_answer *answer)
{
	struct resp_answer left = *answer, element;
	uint64_t count = 0;

	if (answer->type != RESP_ANSWER_LIST)
		return;
	for (; resp_answer_next(&left, &element); count++)
		assert(element.type == RESP_ANSWER_VALUE);
	assert(count == answer->count && left.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *p = malloc(size ? size : 1);
	struct resp_answer whole;
	struct resp_answer part;
	int used;

	assert(p);
	if (size > 0)
		memcpy(p, data, size);
	session(p, size);
	used = resp_answer_parse(p, size, &whole);
	assert(used == -EBADMSG || (used >= 0 && (size_t)used <= size));
	/* What is whole is read the same whatever follows it, and no part of it is an answer. */
	if (used > 0) {
		assert(resp_answer_parse(p, (size_t)used, &part) == used);
		assert(part.type == whole.type && part.len == whole.len);
		list(&whole);
		assert(resp_answer_parse(p, (size_t)used - 1, &part) == 0);
	}
	free(p);
	return 0;
}
