/* SPDX-License-Identifier: MIT */
/* sequence.h - a search for one order of all operations that keeps to each session's */
#ifndef CHECK_SEQUENCE_H
#define CHECK_SEQUENCE_H

#include "agent/check/check.h"
#include "agent/check/past.h"

/**
 * struct sequence - one question and its answer
 * @w:		what it is about; values are taken from its history, so choices do not matter
 * @p:		edges that every order keeps to
 * @rank:	by history index: of several writes the lowest is tried first
 * @timed:	only orders in which a write that had ended before another began comes before it
 * @steps:	after so many to give up, 0: as many as there may be
 * @until_ns:	lab time at which to give up, 0: never
 * @memory_bytes: of memo and stack at which to give up, 0: never
 * @ret_why:	for CHECK_UNKNOWN, the reason; static text
 */
struct sequence {
	const struct web *w;
	const struct past *p;
	const uint64_t *rank;
	bool timed;
	uint64_t steps;
	uint64_t until_ns;
	uint64_t memory_bytes;
	const char *ret_why;
};

/* sequence_find() - CHECK_OK if there is one, CHECK_VIOLATION if there is none. */
enum check_verdict sequence_find(struct sequence *s);

#endif
