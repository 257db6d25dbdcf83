/* SPDX-License-Identifier: MIT */
/*
 * mix.h - a digest of numbers and bytes, 64 bits: wyhash's folded multiplication (Wang Yi, 2019)
 *
 * Two things that differ have the same digest once in 2^64, unless somebody works at it.
 */
#ifndef PROTO_MIX_H
#define PROTO_MIX_H

#include <stdint.h>
#include <string.h>

#include "store/proto.h"

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product =
		(unsigned __int128)(a ^ 0xa0761d6478bd642full) * (b ^ 0xe7037ed1a0b428dbull);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t mix_bytes(uint64_t h, struct proto_bytes b)
{
	uint64_t word;
	uint32_t i = 0;

	h = mix(h, b.len);
	for (; b.len - i >= 8; i += 8) {
		memcpy(&word, b.p + i, 8);
		h = mix(h, word);
	}
	word = 0;
	if (i < b.len)
		memcpy(&word, b.p + i, b.len - i);
	return mix(h, word);
}

#endif
