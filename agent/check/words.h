/* SPDX-License-Identifier: MIT */
/* words.h - a line of text for people that grows and is cut where the space ends */
#ifndef CHECK_WORDS_H
#define CHECK_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/check/check.h"

#define WORDS_NAME_MAX 48

/* What is told is @h, with its nodes called as in @names, which may be NULL. */
struct words {
	const struct history_ops *h;
	const struct check_names *names;
	char *out;
	size_t size;
	size_t len;
};

/* A value or a key as a word; a long one is cut. */
struct words_name {
	char text[WORDS_NAME_MAX];
};

/* words_number() - a value as the history's file writes it. words_key() - "k7", or likewise. */
struct words_name words_number(const struct history_ops *h, uint64_t value);
struct words_name words_key(const struct history_ops *h, uint64_t key);

/* words_init() - begin an empty line of at most @size > 0 bytes in @out. */
void words_init(struct words *w, const struct history_ops *h, const struct check_names *names,
	char *out, size_t size);

void words_say(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* words_node() - "n1", the replica that an operation went to. */
void words_node(struct words *w, const struct history_op *op);

/* words_span() - "1.1 s". */
void words_span(struct words *w, uint64_t ns);

/* words_when() - "1.000 to 1.010 s", or "1.000 s or later" if no answer came. */
void words_when(struct words *w, const struct history_op *op);

/* words_elements() - "[1 2 3]", or "[... 4 5 6 7 8]", the last of many elements. */
void words_elements(struct words *w, const uint64_t *element, size_t count);

/*
 * words_operation() - what was asked and answered: "write k3 7", "read k3 -> [1 2]",
 * "transaction read k1 -> [], append k2 1"; what was not answered is left out.
 */
void words_operation(struct words *w, const struct history_op *op);

/* words_seconds() - a time as people count it. */
double words_seconds(const struct words *w, uint64_t t_ns);

/* words_value() - a value as the history's file writes it; "nothing" for 0. */
void words_value(struct words *w, uint64_t value);

#endif
