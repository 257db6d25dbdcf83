/* SPDX-License-Identifier: MIT */
/* lines_fuzz.c - what a driver that is a program may say: a first line, answers, a status */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/drivers/lines.h"
#include "tests/fuzz/fuzz.h"

#define NODES 3

/* What was understood is printed so that it is understood as the same. */
static void answer(enum lines_op op, const char *p, size_t size)
{
	struct driver_result first = {.outcome = HISTORY_NONE};
	struct driver_result again;
	struct buf out = {0};

	if (!lines_answer(op, p, size, &first)) {
		assert(first.outcome == HISTORY_NONE);
		return;
	}
	assert(first.outcome != HISTORY_UNKNOWN || op == LINES_WRITE || op == LINES_CAS);
	assert(first.error != HISTORY_UNMET || op == LINES_CAS);
	assert(first.value == 0 || op == LINES_READ);
	lines_print(op, &first, &out);
	assert(lines_answer(op, (const char *)out.p, out.len, &again));
	assert(again.outcome == first.outcome && again.error == first.error);
	assert(again.value == first.value && again.found == first.found);
	buf_fini(&out);
}

static void status(const char *p, size_t size)
{
	struct driver_status first = {.leader = NODES};
	struct driver_status again;
	struct buf out = {0};

	if (!lines_status(p, size, NODES, &first)) {
		assert(first.leader == NODES);
		return;
	}
	assert(first.leader >= -1 && first.leader < NODES);
	assert(memchr(first.role, '\0', sizeof first.role) && first.role[0]);
	lines_print_status(&first, &out);
	assert(lines_status((const char *)out.p, out.len, NODES, &again));
	assert(again.ready == first.ready && again.leads == first.leads);
	assert(again.leader == first.leader && again.term == first.term);
	assert(strcmp(again.role, first.role) == 0);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned needed = LINES_DOES(LINES_READ) | LINES_DOES(LINES_WRITE);
	char *p = malloc(size ? size : 1);
	unsigned does = 0;

	assert(p);
	if (size > 0)
		memcpy(p, data, size);
	if (lines_hello(p, size, &does))
		assert((does & needed) == needed && does < LINES_DOES(LINES_OPEN));
	answer(LINES_READ, p, size);
	answer(LINES_WRITE, p, size);
	answer(LINES_CAS, p, size);
	answer(LINES_OPEN, p, size);
	status(p, size);
	free(p);
	return 0;
}
