/* SPDX-License-Identifier: MIT */
/*
 * distances.h - distances that the command line names: profiles, and a file of round trips
 *
 * Internal to the plan.
 */
#ifndef LAB_DISTANCES_H
#define LAB_DISTANCES_H

#include "agent/lab/plan.h"
#include "agent/lab/script.h"

/* distances_profiles() - keep those that "lan,wan" names in @s; NULL names none.
 * Return: 0, or -EINVAL with the name and the cure in @err. */
int distances_profiles(struct script *s, const char *names, struct err *err);

/* distances_profile() - a link under a profile: its delay and its jitter. */
struct link_state distances_profile(const struct link_word *profile);

/* distances_longest_ns() - round trip under the slowest of @s's profiles, 0 without one. */
uint64_t distances_longest_ns(const struct script *s);

/* distances_matrix() - the file at @path into the base matrix of @plan. Return: 0, or a negative
 * errno. */
int distances_matrix(struct plan *plan, const char *path, struct err *err);

#endif
