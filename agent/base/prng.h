/* SPDX-License-Identifier: MIT */
/*
 * prng.h - the seeded generator of everything random in a lab
 *
 * xoshiro256** seeded by splitmix64 (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", ACM TOMS 2021). The same seed and stream give the same numbers on every machine.
 */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t s[4];
};

/* prng_init() - start stream number @stream of @seed; streams do not overlap in practice. */
void prng_init(struct prng *prng, uint64_t seed, uint64_t stream);

/* prng_next() - 64 uniform bits. */
uint64_t prng_next(struct prng *prng);

/* prng_below() - uniform in 0 .. @limit - 1; @limit > 0. */
uint64_t prng_below(struct prng *prng, uint64_t limit);

/* prng_unit() - uniform in [0, 1). */
double prng_unit(struct prng *prng);

/* prng_exp() - exponential with mean @mean. */
double prng_exp(struct prng *prng, double mean);

#endif
