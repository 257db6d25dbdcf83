/* SPDX-License-Identifier: MIT */
/* wire_frame_fuzz.c - any bytes as a frame: damaging it keeps its length, an answer gets no answer
 */
#include <assert.h>
#include <string.h>

#include "netns/wire_frame.h"
#include "tests/fuzz/fuzz.h"

#define FRAME_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t frame[FRAME_MAX], answer[WIRE_ANSWER_MAX], again[WIRE_ANSWER_MAX];
	uint32_t len = size < FRAME_MAX ? (uint32_t)size : FRAME_MAX, n;
	unsigned bits = 0;

	memcpy(frame, data, len);
	n = wire_frame_reject(frame, len, answer);
	assert(n <= WIRE_ANSWER_MAX && memcmp(frame, data, len) == 0);
	assert(n == 0 || wire_frame_reject(answer, n, again) == 0);
	for (uint32_t i = 0; i < 8; i++)
		(void)wire_frame_corrupt(frame, len, i * 0x20000000u + i, true);
	memcpy(frame, data, len);
	assert(wire_frame_corrupt(frame, len, len * 0x9e3779b9u, false) == (len > 14));
	for (uint32_t i = 0; i < len; i++)
		bits += (unsigned)__builtin_popcount(frame[i] ^ data[i]);
	assert(bits == (len > 14));
	return 0;
}
