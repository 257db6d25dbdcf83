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
	assert_int_equal(frame_decode(b.p, b.len, FRAME_PAYLOAD_MAX, &frame, &used), 0);
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
	assert_int_equal(frame_decode(b.p, b.len, FRAME_PAYLOAD_MAX, &frame, &used), 0);
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
		assert_int_equal(frame_decode(copy, n, FRAME_PAYLOAD_MAX, &frame, &used), -EAGAIN);
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
		assert_int_equal(
			frame_decode(b.p, b.len, FRAME_PAYLOAD_MAX, &frame, &used), -EBADMSG);
		b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_fini(&b);
}

/* A header whose checksum is right but whose @at'th 32 bits are not those of this version. */
static void assert_header_gives(size_t at, uint32_t value, int expected)
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
	assert_int_equal(frame_decode(b.p, b.len, FRAME_PAYLOAD_MAX, &frame, &used), expected);
	if (expected == -EPROTONOSUPPORT)
		assert_int_equal(frame.version, value & 0xff);
	buf_fini(&b);
	buf_fini(&checks);
}

static void frame__is_rejected_when_magic_type_or_length_are_not_ours(void **state)
{
	(void)state;
	assert_header_gives(0, 0x12345678, -EBADMSG);
	assert_header_gives(4, FRAME_VERSION | FRAME_TYPE_NR << 8, -EBADMSG);
	assert_header_gives(8, FRAME_PAYLOAD_MAX + 1, -EBADMSG);
	assert_header_gives(8, UINT32_MAX, -EBADMSG);
}

static void frame__of_another_version_says_which(void **state)
{
	(void)state;
	assert_header_gives(4, FRAME_VERSION + 1, -EPROTONOSUPPORT);
	assert_header_gives(4, FRAME_VERSION - 1, -EPROTONOSUPPORT);
	/* Its types and lengths are its own business. */
	assert_header_gives(4, 99 | 0xee00, -EPROTONOSUPPORT);
}

static void frame__is_not_waited_for_when_it_is_longer_than_allowed(void **state)
{
	struct buf b = {0};
	struct frame frame;
	size_t used;

	(void)state;
	encode(&b);
	assert_int_equal(
		frame_decode(b.p, FRAME_HEADER, sizeof payload - 1, &frame, &used), -EMSGSIZE);
	assert_int_equal(frame_decode(b.p, FRAME_HEADER, sizeof payload, &frame, &used), -EAGAIN);
	assert_int_equal(frame_decode(b.p, b.len, sizeof payload, &frame, &used), 0);
	buf_fini(&b);
}

static void frame__that_begins_like_none_is_rejected_at_its_first_byte(void **state)
{
	struct frame frame;
	size_t used;

	(void)state;
	assert_int_equal(
		frame_decode((const uint8_t *)"G", 1, FRAME_PAYLOAD_MAX, &frame, &used), -EBADMSG);
	assert_int_equal(
		frame_decode((const uint8_t *)"PC", 2, FRAME_PAYLOAD_MAX, &frame, &used), -EAGAIN);
}

static struct proto_bytes text_of(const char *text)
{
	return (struct proto_bytes){.p = (const uint8_t *)text, .len = (uint32_t)strlen(text)};
}

static void frame__carries_a_hello(void **state)
{
	struct frame_hello sent = {
		.to = 4, .words = text_of("cluster=a nodes=5"), .why = text_of("because")};
	struct frame_hello got;
	struct frame frame;
	struct buf b = {0};
	size_t used;

	(void)state;
	frame_hello_encode(&b, FRAME_REFUSAL, 3, &sent);
	assert_int_equal(frame_decode(b.p, b.len, FRAME_HELLO_MAX, &frame, &used), 0);
	assert_int_equal(frame.type, FRAME_REFUSAL);
	assert_int_equal(frame.from, 3);
	assert_int_equal(frame_hello_decode(frame.payload, &got), 0);
	assert_int_equal(got.to, 4);
	assert_int_equal(got.words.len, sent.words.len);
	assert_memory_equal(got.words.p, sent.words.p, got.words.len);
	assert_int_equal(got.why.len, 7);
	assert_memory_equal(got.why.p, "because", 7);
	buf_fini(&b);
}

/* A hello's payload with @words_len in it, @words and @rest bytes 'x' behind them. */
static int decode_hello(uint16_t words_len, const char *words, size_t rest)
{
	struct frame_hello hello;
	struct buf b = {0};
	int ret;

	buf_u16(&b, 1);
	buf_u16(&b, words_len);
	buf_add(&b, words, strlen(words));
	for (size_t i = 0; i < rest; i++)
		buf_u8(&b, 'x');
	ret = frame_hello_decode((struct proto_bytes){.p = b.p, .len = (uint32_t)b.len}, &hello);
	buf_fini(&b);
	return ret;
}

static void frame__takes_no_hello_that_is_cut_too_long_or_unprintable(void **state)
{
	struct frame_hello hello;

	(void)state;
	assert_int_equal(decode_hello(3, "a=b", 0), 0);
	assert_int_equal(decode_hello(4, "a=b", 0), -EBADMSG);
	assert_int_equal(decode_hello(UINT16_MAX, "a=b", 0), -EBADMSG);
	assert_int_equal(decode_hello(3, "a=b", FRAME_WHY_MAX), 0);
	assert_int_equal(decode_hello(3, "a=b", FRAME_WHY_MAX + 1), -EBADMSG);
	assert_int_equal(decode_hello(FRAME_WORDS_MAX, "", FRAME_WORDS_MAX), 0);
	assert_int_equal(decode_hello(FRAME_WORDS_MAX + 1, "", FRAME_WORDS_MAX + 1), -EBADMSG);
	assert_int_equal(decode_hello(3, "a\nb", 0), -EBADMSG);
	assert_int_equal(decode_hello(1, "a\x1b[2J", 0), -EBADMSG);
	assert_int_equal(frame_hello_decode(text_of("\1"), &hello), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame__comes_back_as_it_was_sent),
		cmocka_unit_test(frame__may_be_empty),
		cmocka_unit_test(frame__waits_for_its_last_byte),
		cmocka_unit_test(frame__is_rejected_when_any_bit_is_flipped),
		cmocka_unit_test(frame__is_rejected_when_magic_type_or_length_are_not_ours),
		cmocka_unit_test(frame__of_another_version_says_which),
		cmocka_unit_test(frame__is_not_waited_for_when_it_is_longer_than_allowed),
		cmocka_unit_test(frame__that_begins_like_none_is_rejected_at_its_first_byte),
		cmocka_unit_test(frame__carries_a_hello),
		cmocka_unit_test(frame__takes_no_hello_that_is_cut_too_long_or_unprintable),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
