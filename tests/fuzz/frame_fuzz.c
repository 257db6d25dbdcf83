/* SPDX-License-Identifier: MIT */
/* frame_fuzz.c - any bytes as frames of a replica: what is accepted encodes to the same bytes */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "store/frame.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_hello hello;
	struct frame frame;
	size_t used = 0;
	size_t at = 0;
	int ret;

	while ((ret = frame_decode(data + at, size - at, &frame, &used)) == 0) {
		struct buf again = {0};

		assert(used == FRAME_HEADER + frame.payload.len && used <= size - at);
		frame_encode(&again, &frame);
		assert(again.len == used && memcmp(again.p, data + at, used) == 0);
		buf_fini(&again);
		ret = frame_hello_decode(frame.payload, &hello);
		assert(ret == 0 || ret == -EBADMSG);
		at += used;
	}
	assert(ret == -EAGAIN || ret == -EBADMSG);
	return 0;
}
