/* SPDX-License-Identifier: MIT */
/*
 * frame_fuzz.c - any bytes as frames of a replica: what is accepted encodes to the same bytes
 *
 * No fuzzer guesses a CRC, so the bytes are read as they are and once more with right checksums:
 * then what is behind them is reached, too, as by a replica that means harm.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/crc32c.h"
#include "store/frame.h"
#include "store/hello.h"
#include "tests/fuzz/fuzz.h"

#define HEADER_SUMMED 16u

static void hear(const struct frame *frame)
{
	static const char own[] = "cluster=a proto=raft nodes=3";
	const struct proto_bytes here = {.p = (const uint8_t *)own, .len = sizeof own - 1};
	struct frame_hello hello;
	struct buf again = {0};
	char why[64];
	int ret = frame_hello_decode(frame->payload, &hello);

	assert(ret == 0 || ret == -EBADMSG);
	if (ret < 0)
		return;
	frame_hello_encode(&again, frame->type, frame->from, &hello);
	assert(again.len == FRAME_HEADER + frame->payload.len);
	assert(memcmp(again.p + FRAME_HEADER, frame->payload.p, frame->payload.len) == 0);
	buf_fini(&again);
	if (hello_differ(hello.words, here, why, sizeof why))
		for (const char *c = why; *c; c++)
			assert(*c >= ' ' && *c <= '~');
	assert(!hello_differ(hello.words, hello.words, why, sizeof why));
}

/* Return: how many bytes were frames. */
static size_t read_all(const uint8_t *data, size_t size, size_t payload_max)
{
	struct frame frame;
	size_t used = 0;
	size_t at = 0;
	int ret;

	while ((ret = frame_decode(data + at, size - at, payload_max, &frame, &used)) == 0) {
		struct buf again = {0};

		assert(used == FRAME_HEADER + frame.payload.len && used <= size - at);
		assert(frame.payload.len <= payload_max);
		frame_encode(&again, &frame);
		assert(again.len == used && memcmp(again.p, data + at, used) == 0);
		buf_fini(&again);
		hear(&frame);
		at += used;
	}
	assert(ret == -EAGAIN || ret == -EBADMSG || ret == -EPROTONOSUPPORT || ret == -EMSGSIZE);
	return at;
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* Wherever a frame would begin: give it its magic and its checksums, cut its length if need be. */
static void repair(uint8_t *p, size_t size)
{
	while (size >= FRAME_HEADER) {
		uint32_t length = p[8] | (uint32_t)p[9] << 8 | (uint32_t)p[10] << 16;

		put_u32(p, FRAME_MAGIC);
		if (p[4] % 8) /* mostly ours */
			p[4] = FRAME_VERSION;
		if (length > size - FRAME_HEADER)
			length = (uint32_t)(size - FRAME_HEADER);
		put_u32(p + 8, length);
		put_u32(p + 12, crc32c(0, p + FRAME_HEADER, length));
		put_u32(p + HEADER_SUMMED, crc32c(0, p, HEADER_SUMMED));
		p += FRAME_HEADER + length;
		size -= FRAME_HEADER + length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	assert(copy);
	memcpy(copy, data, size);
	(void)read_all(data, size, FRAME_PAYLOAD_MAX);
	repair(copy, size);
	assert(read_all(copy, size, FRAME_HELLO_MAX) <= read_all(copy, size, FRAME_PAYLOAD_MAX));
	free(copy);
	return 0;
}
