/* SPDX-License-Identifier: MIT */
/* ranks.c - one sweep through time with the highest place of all that has returned */
#include "agent/check/ranks.h"

#include <assert.h>
#include <stdlib.h>

static int by_return(const void *a, const void *b)
{
	const struct rank_op *x = *(const struct rank_op *const *)a;
	const struct rank_op *y = *(const struct rank_op *const *)b;

	return x->t_return_ns < y->t_return_ns ? -1 : x->t_return_ns > y->t_return_ns;
}

bool ranks_find(const struct rank_op *op, size_t count, const struct rank_op **ret_before,
	const struct rank_op **ret_after)
{
	const struct rank_op **returned = malloc((count + 1) * sizeof *returned);
	const struct rank_op *highest = NULL;
	uint64_t longest = 0;
	bool found = false;
	size_t over = 0;

	assert(returned);
	for (size_t i = 0; i < count; i++)
		returned[i] = &op[i];
	qsort(returned, count, sizeof *returned, by_return);
	for (size_t i = 0; i < count; i++) {
		for (; returned[over]->t_return_ns < op[i].t_invoke_ns; over++)
			if (!highest || returned[over]->low > highest->low)
				highest = returned[over];
		if (!highest || highest->low <= op[i].high ||
			(found && op[i].t_invoke_ns - highest->t_return_ns <= longest))
			continue;
		found = true;
		longest = op[i].t_invoke_ns - highest->t_return_ns;
		*ret_before = highest;
		*ret_after = &op[i];
	}
	free(returned);
	return found;
}
