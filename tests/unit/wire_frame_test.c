/* SPDX-License-Identifier: MIT */
/* wire_frame_test.c - damaged and refused frames, judged by a receiver that is written here */
#include "netns/wire_frame.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/prng.h"
#include "tests/lib/test.h"

#define ETH 14
#define IP 20
#define PAYLOAD_MAX 1400

enum { ICMP = 1, TCP = 6, UDP = 17 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* RFC 1071, by its definition: the sum of all words, modulo 65535. */
static unsigned modulo(const uint8_t *bytes, unsigned len, unsigned from)
{
	uint64_t sum = from;

	for (unsigned i = 0; i < len; i++)
		sum += (uint64_t)bytes[i] << (i % 2 ? 0 : 8);
	return (unsigned)(sum % 65535);
}

/* Of a whole packet whose checksum field holds what it should, the sum is 0 (modulo 65535). */
static bool upper_sum_is_right(const uint8_t *frame)
{
	unsigned total = get16(frame + ETH + 2), header = (frame[ETH] & 15u) * 4;
	unsigned len = total - header, protocol = frame[ETH + 9], from = 0;

	if (protocol == UDP && get16(frame + ETH + header + 6) == 0)
		return true;
	if (protocol != ICMP)
		from = modulo(frame + ETH + 12, 8, protocol + len);
	return modulo(frame + ETH + header, len, from) == 0;
}

static bool ip_sum_is_right(const uint8_t *frame)
{
	return modulo(frame + ETH, (frame[ETH] & 15u) * 4, 0) == 0;
}

static unsigned check_at(unsigned protocol)
{
	return protocol == TCP ? 16 : protocol == UDP ? 6 : 2;
}

static unsigned header_of(unsigned protocol)
{
	return protocol == TCP ? 20 : 8;
}

static void fill_sums(uint8_t *frame)
{
	unsigned total = get16(frame + ETH + 2), header = (frame[ETH] & 15u) * 4;
	unsigned protocol = frame[ETH + 9], len = total - header, from = 0;
	uint8_t *check = frame + ETH + header + check_at(protocol);

	put16(frame + ETH + 10, 0);
	put16(frame + ETH + 10, 65535 - modulo(frame + ETH, header, 0));
	put16(check, 0);
	if (protocol != ICMP)
		from = modulo(frame + ETH + 12, 8, protocol + len);
	put16(check, 65535 - modulo(frame + ETH + header, len, from));
}

/* From node 1, 10.99.0.2, to node 2, 10.99.0.3. Return: its length. */
static uint32_t make(uint8_t *frame, unsigned protocol, unsigned payload)
{
	static const uint8_t ethernet[ETH] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
	unsigned upper = header_of(protocol);

	memset(frame, 0, ETH + IP + upper);
	memcpy(frame, ethernet, ETH);
	frame[ETH] = 0x45;
	put16(frame + ETH + 2, IP + upper + payload);
	frame[ETH + 8] = 64;
	frame[ETH + 9] = (uint8_t)protocol;
	put32(frame + ETH + 12, 0x0a630002);
	put32(frame + ETH + 16, 0x0a630003);
	if (protocol != ICMP)
		put32(frame + ETH + IP, 40000u << 16 | 7000);
	if (protocol == TCP)
		frame[ETH + IP + 12] = 0x50;
	if (protocol == UDP)
		put16(frame + ETH + IP + 4, upper + payload);
	if (protocol == ICMP)
		frame[ETH + IP] = 8;
	for (unsigned i = 0; i < payload; i++)
		frame[ETH + IP + upper + i] = (uint8_t)(i * 7 + 1);
	fill_sums(frame);
	return ETH + IP + upper + payload;
}

/* Bits in which two frames differ, and the first byte that does. */
static unsigned differing(const uint8_t *a, const uint8_t *b, uint32_t len, uint32_t *ret_first)
{
	unsigned bits = 0;

	*ret_first = len;
	for (uint32_t i = 0; i < len; i++) {
		if (a[i] != b[i] && *ret_first == len)
			*ret_first = i;
		bits += (unsigned)__builtin_popcount(a[i] ^ b[i]);
	}
	return bits;
}

static void wire_frame_corrupt__turns_one_bit_that_a_receiver_sees(void **state)
{
	uint8_t frame[2048], was[2048];
	unsigned seen[8] = {0};
	struct prng prng;

	(void)state;
	prng_init(&prng, 3, 0);
	for (unsigned i = 0; i < 4000; i++) {
		uint32_t len = make(frame, i % 2 ? TCP : UDP, i % 64), first;

		memcpy(was, frame, len);
		assert_true(wire_frame_corrupt(frame, len, (uint32_t)prng_next(&prng), false));
		assert_int_equal(differing(frame, was, len, &first), 1);
		assert_true(first >= ETH);
		assert_true(!ip_sum_is_right(frame) || first >= ETH + IP);
		if (first >= ETH + IP && (i % 2 || get16(frame + ETH + IP + 6)))
			assert_false(upper_sum_is_right(frame));
		seen[(first - ETH) * 8 / (len - ETH)]++;
	}
	for (unsigned i = 0; i < 8; i++)
		assert_in_range(seen[i], 300, 700); /* all of the frame */
}

static void wire_frame_corrupt__reaches_the_first_and_the_last_bit(void **state)
{
	uint8_t frame[ETH + 1] = {0};

	(void)state;
	assert_false(wire_frame_corrupt(frame, ETH, 0, false));
	assert_true(wire_frame_corrupt(frame, ETH + 1, 0, false));
	assert_int_equal(frame[ETH], 1);
	assert_true(wire_frame_corrupt(frame, ETH + 1, UINT32_MAX, false));
	assert_int_equal(frame[ETH], 0x81);
}

static void wire_frame_corrupt__silent_is_believed_by_the_receiver(void **state)
{
	static const unsigned protocols[] = {TCP, UDP, ICMP};
	uint8_t frame[2048], was[2048];
	struct prng prng;

	(void)state;
	prng_init(&prng, 4, 0);
	for (unsigned i = 0; i < 30000; i++) {
		unsigned protocol = protocols[i % 3], upper = header_of(protocol);
		uint32_t len = make(frame, protocol, 1 + i % 50), first;
		unsigned at = ETH + IP + check_at(protocol);

		memcpy(was, frame, len);
		assert_true(wire_frame_corrupt(frame, len, (uint32_t)prng_next(&prng), true));
		assert_true(ip_sum_is_right(frame));
		assert_true(upper_sum_is_right(frame));
		if (protocol == UDP)
			assert_int_not_equal(get16(frame + at), 0);
		memcpy(frame + at, was + at, 2);
		assert_int_equal(differing(frame, was, len, &first), 1);
		assert_true(first >= ETH + IP + upper);
	}
}

static void wire_frame_corrupt__silent_leaves_a_missing_checksum_missing(void **state)
{
	uint8_t frame[2048];
	uint32_t len = make(frame, UDP, 100);

	(void)state;
	put16(frame + ETH + IP + 6, 0);
	assert_true(wire_frame_corrupt(frame, len, 12345, true));
	assert_int_equal(get16(frame + ETH + IP + 6), 0);
}

static void wire_frame_corrupt__silent_needs_a_payload_with_its_checksum(void **state)
{
	uint8_t frame[2048], was[2048];
	uint32_t len = make(frame, TCP, 0);

	(void)state;
	assert_false(wire_frame_corrupt(frame, len, 5, true));
	len = make(frame, UDP, 8);
	put16(frame + ETH + 6, 0x2000); /* more fragments */
	fill_sums(frame);
	assert_false(wire_frame_corrupt(frame, len, 5, true));
	len = make(frame, UDP, 8);
	frame[ETH + 9] = 132; /* not a protocol whose checksum we know */
	put16(frame + ETH + 10, 0);
	put16(frame + ETH + 10, 65535 - modulo(frame + ETH, IP, 0));
	memcpy(was, frame, len);
	assert_false(wire_frame_corrupt(frame, len, 5, true));
	assert_memory_equal(frame, was, len);
}

/* What every answer has in common. */
static void assert_answers(const uint8_t *answer, uint32_t len, unsigned protocol)
{
	static const uint8_t ethernet[ETH] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};

	assert_memory_equal(answer, ethernet, ETH);
	assert_int_equal(answer[ETH], 0x45);
	assert_int_equal(get16(answer + ETH + 2), len - ETH);
	assert_int_equal(answer[ETH + 9], protocol);
	assert_int_equal(get32(answer + ETH + 12), 0x0a630003);
	assert_int_equal(get32(answer + ETH + 16), 0x0a630002);
	assert_true(ip_sum_is_right(answer));
	assert_true(upper_sum_is_right(answer));
}

static uint32_t reject_tcp(unsigned flags, unsigned payload, uint8_t *answer)
{
	uint8_t frame[2048];
	uint32_t len = make(frame, TCP, payload);

	put32(frame + ETH + IP + 4, 0xfffffff0u);
	put32(frame + ETH + IP + 8, flags & ACK ? 5000 : 0);
	frame[ETH + IP + 13] = (uint8_t)flags;
	fill_sums(frame);
	return wire_frame_reject(frame, len, answer);
}

static void wire_frame_reject__resets_tcp_with_numbers_that_are_accepted(void **state)
{
	static const struct {
		unsigned flags;
		unsigned payload;
		unsigned out_flags;
		uint32_t seq;
		uint32_t ack;
	} cases[] = {
		{SYN, 0, RST | ACK, 0, 0xfffffff1u},
		{SYN, 20, RST | ACK, 0, 5}, /* with data, and over the end of the numbers */
		{ACK, 0, RST, 5000, 0},
		{ACK | PSH, 100, RST, 5000, 0},
		{ACK | FIN, 0, RST, 5000, 0},
		{FIN, 3, RST | ACK, 0, 0xfffffff4u},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t answer[WIRE_ANSWER_MAX];
		const uint8_t *tcp = answer + ETH + IP;
		uint32_t len = reject_tcp(cases[i].flags, cases[i].payload, answer);

		assert_int_equal(len, ETH + IP + 20);
		assert_answers(answer, len, TCP);
		assert_int_equal(get16(tcp), 7000);
		assert_int_equal(get16(tcp + 2), 40000);
		assert_int_equal(get32(tcp + 4), cases[i].seq);
		assert_int_equal(get32(tcp + 8), cases[i].ack);
		assert_int_equal(tcp[12], 0x50);
		assert_int_equal(tcp[13], cases[i].out_flags);
	}
}

static void wire_frame_reject__never_answers_a_reset(void **state)
{
	uint8_t answer[WIRE_ANSWER_MAX];

	(void)state;
	assert_int_equal(reject_tcp(RST, 0, answer), 0);
	assert_int_equal(reject_tcp(RST | ACK, 0, answer), 0);
}

static void wire_frame_reject__quotes_what_it_refuses(void **state)
{
	static const unsigned payloads[] = {0, 1, 9, 519, 520, 521, PAYLOAD_MAX};

	(void)state;
	for (unsigned i = 0; i < sizeof payloads / sizeof *payloads; i++) {
		uint8_t frame[2048], answer[WIRE_ANSWER_MAX];
		uint32_t len = make(frame, UDP, payloads[i]);
		uint32_t quoted = len - ETH < 548 ? len - ETH : 548;
		uint32_t n = wire_frame_reject(frame, len, answer);

		assert_int_equal(n, ETH + IP + 8 + quoted);
		assert_answers(answer, n, ICMP);
		assert_int_equal(answer[ETH + IP], 3);
		assert_int_equal(answer[ETH + IP + 1], 13);
		assert_memory_equal(answer + ETH + IP + 8, frame + ETH, quoted);
	}
}

static void wire_frame_reject__answers_a_ping_but_no_icmp_error(void **state)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12};
	uint8_t frame[2048], answer[WIRE_ANSWER_MAX];
	uint32_t len = make(frame, ICMP, 56);

	(void)state;
	assert_true(wire_frame_reject(frame, len, answer) > 0);
	for (unsigned i = 0; i < sizeof errors; i++) {
		frame[ETH + IP] = errors[i];
		fill_sums(frame);
		assert_int_equal(wire_frame_reject(frame, len, answer), 0);
	}
}

static void wire_frame_reject__is_silent_where_rfc_1122_says_so(void **state)
{
	static const struct {
		unsigned at;
		uint32_t value;
	} cases[] = {
		{ETH + 16, 0xffffffff}, /* to all */
		{ETH + 16, 0xe0000001}, /* to a group */
		{ETH + 12, 0xe0000001}, /* from a group */
		{ETH + 12, 0},          /* from nobody */
		{ETH + 12, 0x7f000001}, /* from loopback */
		{ETH + 4, 0x00002000},  /* the first fragment */
		{ETH + 4, 0x00000010},  /* a later one */
	};
	uint8_t frame[2048], answer[WIRE_ANSWER_MAX];
	uint32_t len;

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		len = make(frame, UDP, 20);
		put32(frame + cases[i].at, cases[i].value);
		fill_sums(frame);
		assert_int_equal(wire_frame_reject(frame, len, answer), 0);
	}
	len = make(frame, UDP, 20);
	frame[0] |= 1; /* a group of Ethernet's */
	assert_int_equal(wire_frame_reject(frame, len, answer), 0);
}

static void wire_frame_to_port__knows_a_probe(void **state)
{
	uint8_t frame[2048];
	uint32_t len = make(frame, UDP, 0);

	(void)state;
	assert_true(wire_frame_to_port(frame, len, 7000));
	assert_false(wire_frame_to_port(frame, len, 40000));
	assert_false(wire_frame_to_port(frame, len - 1, 7000));
	frame[12] = 0x86;
	assert_false(wire_frame_to_port(frame, len, 7000));
	len = make(frame, TCP, 0);
	assert_false(wire_frame_to_port(frame, len, 7000));
}

/* Every prefix of good frames, and every byte of them broken: it reads only what is there (the
 * sanitizers see the rest) and its answers stay answers. */
static void wire_frame__takes_any_bytes(void **state)
{
	static const unsigned protocols[] = {TCP, UDP, ICMP};
	uint8_t answer[WIRE_ANSWER_MAX];
	struct prng prng;

	(void)state;
	prng_init(&prng, 6, 0);
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t frame[128];
		uint32_t len = make(frame, protocols[i % 3], i % 40), n;
		uint8_t exact[128];

		for (unsigned k = 0; k < i % 4; k++)
			frame[prng_below(&prng, len)] = (uint8_t)prng_next(&prng);
		if (i % 2) /* so that it gets further than the checksum of the header */
			put16(frame + ETH + 10, 0),
				put16(frame + ETH + 10, 65535 - modulo(frame + ETH, IP, 0));
		len = i % 5 ? len : (uint32_t)prng_below(&prng, len + 1);
		memcpy(exact, frame, len);
		memset(exact + len, 0xa5, sizeof exact - len);
		n = wire_frame_reject(exact, len, answer);
		assert_true(n <= WIRE_ANSWER_MAX);
		assert_true(n == 0 || (ip_sum_is_right(answer) && upper_sum_is_right(answer)));
		(void)wire_frame_corrupt(exact, len, (uint32_t)prng_next(&prng), i % 7 != 0);
		for (uint32_t k = len; k < sizeof exact; k++)
			assert_int_equal(exact[k], 0xa5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_frame_corrupt__turns_one_bit_that_a_receiver_sees),
		cmocka_unit_test(wire_frame_corrupt__reaches_the_first_and_the_last_bit),
		cmocka_unit_test(wire_frame_corrupt__silent_is_believed_by_the_receiver),
		cmocka_unit_test(wire_frame_corrupt__silent_leaves_a_missing_checksum_missing),
		cmocka_unit_test(wire_frame_corrupt__silent_needs_a_payload_with_its_checksum),
		cmocka_unit_test(wire_frame_reject__resets_tcp_with_numbers_that_are_accepted),
		cmocka_unit_test(wire_frame_reject__never_answers_a_reset),
		cmocka_unit_test(wire_frame_reject__quotes_what_it_refuses),
		cmocka_unit_test(wire_frame_reject__answers_a_ping_but_no_icmp_error),
		cmocka_unit_test(wire_frame_reject__is_silent_where_rfc_1122_says_so),
		cmocka_unit_test(wire_frame_to_port__knows_a_probe),
		cmocka_unit_test(wire_frame__takes_any_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire_frame", tests, NULL, NULL);
}
