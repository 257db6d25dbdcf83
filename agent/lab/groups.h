/* SPDX-License-Identifier: MIT */
/* groups.h - links of a matrix that do the same, for plans and reports: there are too many links */
#ifndef LAB_GROUPS_H
#define LAB_GROUPS_H

#include "netns/fabric.h"

#define GROUPS_MAX 32 /* what is beyond it is counted as one */

/* Links in one state; from and to are the first of them. */
struct link_group {
	struct link_state state;
	unsigned links;
	uint16_t from;
	uint16_t to;
};

/**
 * link_groups() - links of @m that are not as in @base, or with @base NULL not clean
 * @ret_others:	links that no group had room for
 *
 * Return: how many groups; each state once, in the order of their first links.
 */
unsigned link_groups(const struct link_matrix *m, const struct link_matrix *base,
	struct link_group ret[GROUPS_MAX], unsigned *ret_others);

#endif
