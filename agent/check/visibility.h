/* SPDX-License-Identifier: MIT */
/* visibility.h - how soon after its acknowledgement a write is seen */
#ifndef CHECK_VISIBILITY_H
#define CHECK_VISIBILITY_H

#include "agent/check/measures.h"
#include "agent/check/versions.h"

/* A read and how long after the latest acknowledgement it began. */
struct visibility_sample {
	uint64_t t_ns;
	bool fresh;
};

/* All-zero is empty and valid. */
struct visibility {
	struct visibility_sample *sample; /* owned */
	size_t count;
	size_t cap;
};

/* visibility_add() - the reads of one key that began after an acknowledgement. */
void visibility_add(struct visibility *v, const struct versions *versions);

/* visibility_curve() - bins and times of visibility into @ret; @v is sorted. */
void visibility_curve(struct visibility *v, struct measures *ret);

void visibility_fini(struct visibility *v);

#endif
