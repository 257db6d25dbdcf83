/* SPDX-License-Identifier: MIT */
/* staleness.h - Delta, Gamma and versions behind, of one key */
#ifndef CHECK_STALENESS_H
#define CHECK_STALENESS_H

#include "agent/check/versions.h"

/**
 * staleness_times() - by value, the Delta and the Gamma of it
 * @pairs:	how many pairs may still be compared; less what was compared
 * @ret_delta_ns, @ret_gamma_ns: of @v->count numbers each
 *
 * Return: whether all pairs that matter were compared.
 */
bool staleness_times(
	const struct versions *v, uint64_t *pairs, uint64_t *ret_delta_ns, uint64_t *ret_gamma_ns);

/* staleness_behind() - by read, the versions that had surely replaced the one it saw. */
void staleness_behind(const struct versions *v, uint64_t *ret_behind);

/* staleness_ages() - by read, the time since what it saw had surely been replaced; 0: it had not.
 */
void staleness_ages(const struct versions *v, uint64_t *ret_ns);

/* staleness_oldest() - the longest of these times. */
uint64_t staleness_oldest(const struct versions *v);

#endif
