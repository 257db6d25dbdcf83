/* SPDX-License-Identifier: MIT */
/* groups.c - links of a matrix that do the same, for plans and reports */
#include "agent/lab/groups.h"

static bool as_before(
	const struct link_matrix *m, const struct link_matrix *base, unsigned from, unsigned to)
{
	static const struct link_state clean;

	return link_state_same(
		link_matrix_at(m, from, to), base ? link_matrix_at(base, from, to) : &clean);
}

unsigned link_groups(const struct link_matrix *m, const struct link_matrix *base,
	struct link_group ret[GROUPS_MAX], unsigned *ret_others)
{
	unsigned n = 0;

	*ret_others = 0;
	for (unsigned a = 0; a < m->nodes; a++) {
		for (unsigned b = 0; b < m->nodes; b++) {
			const struct link_state *state = link_matrix_at(m, a, b);
			unsigned i = 0;

			if (a == b || as_before(m, base, a, b))
				continue;
			while (i < n && !link_state_same(&ret[i].state, state))
				i++;
			if (i == GROUPS_MAX) {
				(*ret_others)++;
				continue;
			}
			if (i == n)
				ret[n++] = (struct link_group){
					.state = *state, .from = (uint16_t)a, .to = (uint16_t)b};
			ret[i].links++;
		}
	}
	return n;
}
