/* SPDX-License-Identifier: MIT */
/* crc32c_test.c - published vectors, and the instruction gives what the table gives */

/* The two ways are private to the file: the test takes all of it. */
#include "agent/base/crc32c.c"

#include "agent/base/prng.h"
#include "tests/lib/test.h"

static void crc32c__gives_the_published_values(void **state)
{
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
	/* RFC 3720, appendix B.4. */
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
	memset(bytes, 0xff, sizeof bytes);
	assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x46dd794e);
}

static void crc32c__continues_over_pieces(void **state)
{
	static const char text[] = "a record comes in as many pieces as the network likes";
	uint32_t whole = crc32c(0, text, sizeof text);

	(void)state;
	for (size_t cut = 0; cut <= sizeof text; cut++)
		assert_int_equal(
			crc32c(crc32c(0, text, cut), text + cut, sizeof text - cut), whole);
}

static void crc32c__is_the_same_by_instruction_and_by_table(void **state)
{
	uint8_t bytes[512];
	struct prng prng;

	(void)state;
	prng_init(&prng, 1, 0);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)prng_next(&prng);
	for (size_t from = 0; from < 9; from++)
		for (size_t len = 0; from + len <= sizeof bytes; len++)
			assert_int_equal(crc32c(0, bytes + from, len),
				~crc32c_table(UINT32_MAX, bytes + from, len));
}

static void crc32c__notices_every_flipped_bit(void **state)
{
	uint8_t bytes[64] = "no single bit goes unnoticed";
	uint32_t whole = crc32c(0, bytes, sizeof bytes);

	(void)state;
	for (unsigned bit = 0; bit < sizeof bytes * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(crc32c(0, bytes, sizeof bytes) != whole);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c__gives_the_published_values),
		cmocka_unit_test(crc32c__continues_over_pieces),
		cmocka_unit_test(crc32c__is_the_same_by_instruction_and_by_table),
		cmocka_unit_test(crc32c__notices_every_flipped_bit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
