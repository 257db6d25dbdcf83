/* SPDX-License-Identifier: MIT */
/* search.h - linearizability of one register by search: any values, compare-and-set, open ends */
#ifndef CHECK_SEARCH_H
#define CHECK_SEARCH_H

#include "agent/check/check.h"
#include "agent/check/reg.h"

/* Why a search gave up that would have gone on with more memory. */
extern const char search_no_memory[];

/* Operations pending at one time, and observed operations of unknown outcome, on one key. */
#define SEARCH_PENDING_MAX 1024
#define SEARCH_OPEN_MAX 8192

/**
 * struct search - one question and its answer
 * @r:		the operations; slots are written
 * @rank:	by operation: which of several to try first (lowest); NULL: in order of return
 * @until_ns:	lab time at which to give up, 0: never
 * @memory_bytes: of memo and stack at which to give up, 0: never
 * @progress:	told of returns that were passed for the first time, beyond the first @told;
 *		or NULL
 * @stop:	the question is settled elsewhere as soon as this is below @number; or NULL
 * @ret_deepest: for a violation, the operation before whose return every order failed
 * @ret_why:	for CHECK_UNKNOWN, the reason; static text
 * @ret_visited: configurations looked at
 */
struct search {
	struct reg *r;
	const uint64_t *rank;
	uint64_t until_ns;
	uint64_t memory_bytes;
	struct check_progress *progress;
	size_t told;
	const _Atomic size_t *stop;
	size_t number;
	uint32_t ret_deepest;
	const char *ret_why;
	uint64_t ret_visited;
};

enum check_verdict search_run(struct search *s);

#endif
