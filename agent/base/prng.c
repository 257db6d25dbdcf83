/* SPDX-License-Identifier: MIT */
/* prng.c - the seeded generator of everything random in a lab */
#include "prng.h"

#include <assert.h>
#include <math.h>

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, unsigned k)
{
	return (x << k) | (x >> (64 - k));
}

void prng_init(struct prng *prng, uint64_t seed, uint64_t stream)
{
	uint64_t x = stream;

	x = seed ^ splitmix64(&x);
	for (int i = 0; i < 4; i++)
		prng->s[i] = splitmix64(&x);
}

uint64_t prng_next(struct prng *prng)
{
	uint64_t *s = prng->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t prng_below(struct prng *prng, uint64_t limit)
{
	assert(limit > 0);
	/* Lemire's multiplication; the bias is below 2^-64 * limit and limits are small. */
	return (uint64_t)(((unsigned __int128)prng_next(prng) * limit) >> 64);
}

double prng_unit(struct prng *prng)
{
	return (double)(prng_next(prng) >> 11) * 0x1.0p-53;
}

double prng_exp(struct prng *prng, double mean)
{
	return -mean * log1p(-prng_unit(prng));
}
