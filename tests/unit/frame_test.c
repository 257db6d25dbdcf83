/* SPDX-License-Identifier: MIT */
/* frame_test.c - a frame comes back as it was sent, or not at all */
#include "store/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/crc32c.h"
#include "tests/lib/test.h"

static const char payload[] = "append entries: term 3, index 17";

static void encode(struct buf *out)
{
	struct frame frame = {.type = FRAME_MESSAGE,
		.from = 2,
		.payload = {.p = (const uint8_t *)payload, .len = sizeof payload}};

	frame_encode(out, &frame);
}

static void frame__comes_back_as_it_was_sent(void **state)
{
	struct buf b = {0};
	struct frame frame;
	size_t used = 0;

	(void)state;
	encode(&b);
	encode(&b);
	assert_int_equal(b.len, 2 * (FRAME_HEADER + sizeof payload));
	assert_int_equal(frame_decode(b.p, b.len, &frame, &used), 0);
	assert_int_equal(used, b.len / 2);
	assert_int_equal(frame.type, FRAME_MESSAGE);
	assert_int_equal(frame.from, 2);
	assert_int_equal(frame.payload.len, sizeof payload);
	assert_memory_equal(frame.payload.p, payload, sizeof payload);
	buf_fini(&b);
}

static void frame__may_be_empty(void **state)
{
	struct frame frame = {.type = FRAME_PING, .from = 1};
	struct buf b = {0};
	size_t used = 0;

	(void)state;
	frame_encode(&b, &frame);
	assert_int_equal(frame_decode(b.p, b.len, &frame, &used), 0);
	assert_int_equal(used, FRAME_HEADER);
	assert_int_equal(frame.payload.len, 0);
	buf_fini(&b);
}

static void frame__waits_for_its_last_byte(void **state)
{
	struct buf b = {0};
	struct frame frame;
	size_t used;

	(void)state;
	encode(&b);
	for (size_t n = 0; n < b.len; n++) {
		/* Exactly n bytes, so that a sanitizer sees a read past them. */
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, b.p, n);
		assert_int_equal(frame_decode(copy, n, &frame, &used), -EAGAIN);
		free(copy);
	}
	buf_fini(&b);
}

static void frame__is_rejected_when_any_bit_is_flipped(void **state)
{
	struct buf b = {0};
	struct frame frame;
	size_t used;

	(void)state;
	encode(&b);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(frame_decode(b.p, b.len, &frame, &used), -EBADMSG);
		b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_fini(&b);
}

/* A header whose checksum is right but whose @at'th 32 bits are not those of this version. */
static void assert_header_refused(size_t at, uint32_t value)
{
	struct buf b = {0};
	struct buf checks = {0};
	struct frame frame;
	size_t used;

	encode(&b);
	buf_u32(&checks, value);
	memcpy(b.p + at, checks.p, 4);
	checks.len = 0;
	buf_u32(&checks, crc32c(0, b.p, 16));
	memcpy(b.p + 16, checks.p, 4);
	assert_int_equal(frame_decode(b.p, b.len, &frame, &used), -EBADMSG);
	buf_fini(&b);
	buf_fini(&checks);
}

static void frame__is_rejected_when_magic_version_type_or_length_are_not_ours(void **state)
{
	(void)state;
	assert_header_refused(0, 0x12345678);
	assert_header_refused(4, FRAME_VERSION + 1);
	assert_header_refused(4, FRAME_VERSION | FRAME_TYPE_NR << 8);
	assert_header_refused(8, FRAME_PAYLOAD_MAX + 1);
}

static void frame__carries_a_hello(void **state)
{
	struct frame_hello sent = {.to = 4, .nodes = 5, .proto = frame_proto_hash("raft")};
	struct frame_hello got;
	struct frame frame;
	struct buf b = {0};
	size_t used;

	(void)state;
	frame_hello_encode(&b, FRAME_HELLO, 3, &sent);
	assert_int_equal(frame_decode(b.p, b.len, &frame, &used), 0);
	assert_int_equal(frame.type, FRAME_HELLO);
	assert_int_equal(frame.from, 3);
	assert_int_equal(frame_hello_decode(frame.payload, &got), 0);
	assert_int_equal(got.to, 4);
	assert_int_equal(got.nodes, 5);
	assert_int_equal(got.proto, sent.proto);
	assert_int_not_equal(sent.proto, frame_proto_hash("quorum"));
	frame.payload.len--;
	assert_int_equal(frame_hello_decode(frame.payload, &got), -EBADMSG);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame__comes_back_as_it_was_sent),
		cmocka_unit_test(frame__may_be_empty),
		cmocka_unit_test(frame__waits_for_its_last_byte),
		cmocka_unit_test(frame__is_rejected_when_any_bit_is_flipped),
		cmocka_unit_test(frame__is_rejected_when_magic_version_type_or_length_are_not_ours),
		cmocka_unit_test(frame__carries_a_hello),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
