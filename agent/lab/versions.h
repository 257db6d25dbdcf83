/* SPDX-License-Identifier: MIT */
/* versions.h - which version of each key a replica has, and whether that is enough */
#ifndef LAB_VERSIONS_H
#define LAB_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"

struct version {
	size_t key; /* offset into text: keys end with NUL */
	uint64_t version;
};

/* All zero is empty and valid. */
struct versions {
	struct buf text;
	struct version *v; /* owned; sorted by key */
	size_t n;
};

/* versions_parse() - from an answer to PACELAB VERSIONS. Return: 0 or -EBADMSG, @ret then empty. */
int versions_parse(struct versions *ret, const char *answer, size_t len);

/* versions_raise() - make @v the larger of both, key by key. */
void versions_raise(struct versions *v, const struct versions *by);

/* versions_cover() - has @v each key of @want in at least that version? */
bool versions_cover(const struct versions *v, const struct versions *want);

void versions_fini(struct versions *v);

#endif
