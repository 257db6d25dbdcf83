/* SPDX-License-Identifier: MIT */
/* intern.h - one number for each spelling: how what is no number is kept in a history */
#ifndef HISTORY_INTERN_H
#define HISTORY_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/history/history.h"

#define INTERN_NONE UINT32_MAX

/* An all-zero one is empty and valid. */
struct intern {
	char *text; /* owned; one spelling after another, each with a NUL */
	size_t used;
	size_t cap;
	size_t *at;     /* owned; by number, where it begins */
	uint64_t *hash; /* owned; by number */
	size_t count;
	size_t room;    /* of at and hash */
	uint32_t *slot; /* owned; open addressing, number + 1 or 0 */
	size_t mask;
};

/**
 * intern_put() - the number of @len bytes, a new one from 0 if there was none
 * @quoted:	they stand between quotation marks, which are kept and are not in @p
 * Return: the number, or INTERN_NONE if 2^32 are taken.
 */
uint32_t intern_put(struct intern *in, const char *p, size_t len, bool quoted);

/* intern_find() - likewise, INTERN_NONE if there is none. */
uint32_t intern_find(const struct intern *in, const char *p, size_t len, bool quoted);

/* intern_text() - the spelling of a number, with its quotation marks. */
static inline const char *intern_text(const struct intern *in, uint32_t number)
{
	return in->text + in->at[number];
}

/* intern_move() - hand the spellings over; @in is empty afterwards. */
void intern_move(struct intern *in, struct history_ops *ret);

void intern_fini(struct intern *in);

#endif
