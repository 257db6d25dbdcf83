/* SPDX-License-Identifier: MIT */
/* words_test.c - a link's state in words: read, refused with reason and range, printed, read back
 */
#include "netns/link_words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/prng.h"
#include "netns/dist.h"
#include "tests/lib/test.h"

#define STATES 20000

static struct link_state parse(const char *text, struct link_state s)
{
	struct err err = {0};

	if (link_words_parse(text, &s, &err))
		fail_msg("'%s' was refused: %s", text, err.text);
	return s;
}

static void assert_prints(const char *text, const char *printed)
{
	struct link_state s = parse(text, (struct link_state){0});
	char out[LINK_WORDS_TEXT_MAX];

	assert_string_equal(link_words_print(&s, out), printed);
}

static void link_words__are_printed_as_they_were_written(void **state)
{
	static const char long_text[] = "delay 20ms jitter 2ms loss 1% drop 1 duplicate 2% "
					"corrupt 3% reorder 4% rate 1gbit queue 1mb flap 1s 1s";
	static const char *const texts[] = {"clean", "delay 20ms", "delay 20ms jitter 2ms",
		"delay 20ms jitter 2ms correlation 25%", "delay 1.234567891s", "loss 1%",
		"loss 1% correlation 25%", "loss ge 1% 10%", "loss ge 1% 10% 90%",
		"loss ge 1% 10% 90% 0.1%", "loss state 1%", "loss state 1% 10% 5%", "drop 17",
		"drop 3,17,20-29", "drop 100-1000/100", "drop 100-/100", "duplicate 0.0001%",
		"corrupt 0.1%", "corrupt 0.1% silent", "delay 5ms reorder 25%", "rate 10mbit",
		"rate 1.6mbit queue 64kb", "flap 200ms 100ms", long_text};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_prints(texts[i], texts[i]);
}

static void link_words__mean_the_same_in_other_words(void **state)
{
	(void)state;
	assert_prints("loss 10000ppm", "loss 1%");
	assert_prints("loss 0%", "clean");
	assert_prints("  delay\t1000us ", "delay 1ms");
	assert_prints("jitter 0 delay 1500us", "delay 1.5ms");
	assert_prints("loss state 1% 99% 0% 100% 0%", "loss state 1%");
	assert_prints("drop 7-7,8-4294967295/1", "drop 7,8-");
}

static void link_words__replace_what_they_name_and_nothing_else(void **state)
{
	struct link_state s = parse("delay 20ms jitter 2ms loss 1% rate 1mbit queue 9kb",
		(struct link_state){.cut = CUT_WIRE});

	(void)state;
	s = parse("delay 30ms", s);
	assert_int_equal(s.delay_ns, 30000000);
	assert_int_equal(s.jitter_ns, 0);
	assert_int_equal(s.loss_ppm[0], 10000);
	s = parse("jitter 1ms", s);
	assert_int_equal(s.delay_ns, 30000000);
	assert_int_equal(s.jitter_ns, 1000000);
	s = parse("loss none rate 2mbit", s);
	assert_int_equal(s.loss, LOSS_NONE);
	assert_int_equal(s.loss_ppm[0], 0);
	assert_int_equal(s.queue_bytes, 0);
	s = parse("clean duplicate 1%", s);
	assert_int_equal(s.delay_ns, 0);
	assert_int_equal(s.rate_bps, 0);
	assert_int_equal(s.duplicate_ppm, 10000);
	assert_int_equal(s.cut, CUT_WIRE);
	s = parse("profile satellite loss none", s);
	assert_int_equal(s.delay_ns, 280000000);
	assert_int_equal(s.loss, LOSS_NONE);
	assert_int_equal(s.duplicate_ppm, 0);
}

static void link_words__are_refused_with_reason_and_range(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"", "no words: write like delay 20ms"},
		{"lag 20ms", "a link has no 'lag': delay, jitter,"},
		{"delay", "delay: write delay TIME"},
		{"delay 20", "delay: '20' is not a duration: write a number and ns, us, ms"},
		{"delay -1ms", "delay: '-1ms' is negative"},
		{"delay 11m", "delay: up to 600 s are possible"},
		{"delay 1ms delay 2ms", "delay is said twice"},
		{"delay 1ms jitter 2ms", "jitter is larger than the delay"},
		{"jitter 2ms", "jitter is larger than the delay"},
		{"delay 1ms correlation 5%", "correlation needs jitter"},
		{"rate 1mbit correlation 5%", "correlation: belongs behind"},
		{"loss ge 1% 1% correlation 5%", "correlation: belongs behind"},
		{"delay 9ms jitter 1ms distribution fat",
			"distribution: no distribution is called"},
		{"loss", "loss: write loss SHARE | ge"},
		{"loss 101%", "loss: '101%' is not a share: write 0% to 100%"},
		{"loss 1", "loss: '1' is not a share"},
		{"loss state", "loss: a share like 1% is wanted"},
		{"loss ge 1%", "loss: 2 to 4 shares"},
		{"loss ge 1% 1% 1% 1% 1%", "a link has no '1%'"},
		{"drop 0", "drop: '0' is no number of a packet from 1 to 4294967295"},
		{"drop 9-3", "drop: '9-3' is no number"},
		{"drop 1,,2", "drop: '' is no number"},
		{"drop 1-9/0", "drop: '1-9/0' is no number"},
		{"drop 4294967296", "drop: '4294967296' is no number"},
		{"drop 1,2,3,4,5", "drop: at most 4 entries"},
		{"reorder 25%", "reorder needs a delay"},
		{"rate 1bit", "rate: 1kbit to 100gbit are possible"},
		{"rate 101gbit", "rate: 1kbit to 100gbit are possible"},
		{"queue 64kb", "queue needs a rate"},
		{"rate 1mbit queue 1kb", "queue: 2 KiB to 256 MiB are possible"},
		{"rate 1mbit queue 64", "queue: '64' is not a size"},
		{"flap 1s", "flap: two times are wanted"},
		{"flap 1s 0", "flap: 1 ms to 10 min up"},
		{"flap 1us 1s", "flap: 1 ms to 10 min up"},
		{"profile", "no profile is called '': there are lan, region, wan"},
		{"profile moon", "no profile is called 'moon'"},
		{"loss 1% clean", "'clean' can only be the first word"},
		{"clean profile wan", "'profile' can only be the first word"},
		{"silent", "a link has no 'silent'"},
		{"cut", "a link has no 'cut'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct link_state was = {.delay_ns = 0, .duplicate_ppm = 7}, s = was;
		struct err err = {0};

		if (link_words_parse(bad[i].text, &s, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i].text);
		if (!strstr(err.text, bad[i].message))
			fail_msg(
				"'%s' said: %s\nwanted: %s", bad[i].text, err.text, bad[i].message);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_true(link_state_same(&was, &s));
	}
}

static void link_words__have_limits(void **state)
{
	char text[2 * LINK_WORDS_TEXT_MAX];
	struct link_state s = {0};
	struct err err = {0};

	(void)state;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_int_equal(link_words_parse(text, &s, &err), -EINVAL);
	for (size_t i = 0; i < 200; i++)
		text[i] = i % 2 ? ' ' : 'x';
	text[200] = '\0';
	assert_int_equal(link_words_parse(text, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "48 words at most"));
}

static uint32_t some_ppm(struct prng *p)
{
	return (uint32_t)prng_below(p, prng_below(p, 2) ? PPM_ONE + 1 : 20);
}

/* Any state that may be, half of its faults absent. */
static struct link_state draw(struct prng *p)
{
	struct link_state s = {0};

	if (prng_below(p, 2))
		s.delay_ns = prng_below(p, LINK_DELAY_NS_MAX + 1) >> prng_below(p, 40);
	if (prng_below(p, 2))
		s.jitter_ns = s.delay_ns ? prng_below(p, s.delay_ns + 1) : 0;
	for (unsigned i = DIST_UNIFORM; s.jitter_ns && i < DIST_TABLE; i++) {
		if (dist_known(i) && prng_below(p, 2))
			s.dist = (uint8_t)i;
	}
	if (s.jitter_ns && prng_below(p, 2))
		s.correlation_ppm = some_ppm(p);
	s.loss = (uint8_t)prng_below(p, LOSS_NR);
	for (unsigned i = 0; i < (unsigned[]){0, 2, 4, 5}[s.loss]; i++)
		s.loss_ppm[i] = some_ppm(p);
	if (s.loss == LOSS_RANDOM && !s.loss_ppm[0])
		s.loss_ppm[0] = 1;
	for (unsigned i = 0; i < prng_below(p, LINK_DROPS_MAX + 1); i++) {
		s.drop[i].first = 1 + (uint32_t)prng_below(p, UINT32_MAX);
		s.drop[i].last = s.drop[i].first;
		s.drop[i].every = 1;
		if (prng_below(p, 2))
			s.drop[i].last +=
				(uint32_t)prng_below(p, (uint64_t)UINT32_MAX - s.drop[i].first + 1);
		if (prng_below(p, 2))
			s.drop[i].every += (uint32_t)prng_below(p, UINT32_MAX);
		if (prng_below(p, 4) == 0)
			s.drop[i].last = UINT32_MAX;
	}
	s.duplicate_ppm = prng_below(p, 2) ? some_ppm(p) : 0;
	s.corrupt_ppm = prng_below(p, 2) ? some_ppm(p) : 0;
	s.corrupt_silent = s.corrupt_ppm && prng_below(p, 2);
	s.reorder_ppm = s.delay_ns && prng_below(p, 2) ? some_ppm(p) : 0;
	if (prng_below(p, 2)) {
		s.rate_bps = LINK_RATE_BPS_MIN + prng_below(p, LINK_RATE_BPS_MAX - 999);
		if (prng_below(p, 2))
			s.queue_bytes = LINK_QUEUE_BYTES_MIN +
					(uint32_t)(prng_below(p, LINK_QUEUE_BYTES_MAX - 2047) >>
						   prng_below(p, 18));
	}
	if (prng_below(p, 2)) {
		s.flap_up_ns = LINK_FLAP_NS_MIN + prng_below(p, LINK_DELAY_NS_MAX - 999999);
		s.flap_down_ns = LINK_FLAP_NS_MIN + prng_below(p, LINK_DELAY_NS_MAX - 999999);
	}
	return s;
}

/* Whatever a link can be, its words say it: alone, and as a change of any other state. */
static void link_words__of_any_state_read_back_the_same(void **state)
{
	struct link_state before = {0};
	struct prng p;

	(void)state;
	prng_init(&p, 20260101, 0);
	for (unsigned i = 0; i < STATES; i++) {
		struct link_state s = draw(&p), back, over;
		char out[LINK_WORDS_TEXT_MAX];
		char text[LINK_WORDS_TEXT_MAX + 8];
		struct err err = {0};

		if (link_words_check(&s, &err))
			fail_msg("state %u: %s", i, err.text);
		back = parse(link_words_print(&s, out), (struct link_state){0});
		if (!link_state_same(&s, &back))
			fail_msg("state %u: %s", i, out);
		(void)snprintf(text, sizeof text, "clean %s", strcmp(out, "clean") ? out : "");
		over = parse(text, before);
		assert_true(link_state_same(&s, &over));
		before = s;
	}
}

static void link_change__merges_by_field_in_any_order(void **state)
{
	static const char *const texts[] = {"delay 20ms", "jitter 2ms", "loss 1%"};
	static const unsigned orders[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	char out[LINK_WORDS_TEXT_MAX];

	(void)state;
	for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
		struct link_state s = {.delay_ns = 9, .jitter_ns = 8};
		uint32_t named = 0;

		for (unsigned i = 0; i < 3; i++) {
			struct link_change c;

			assert_int_equal(link_change_read(texts[orders[o][i]], &c, NULL), 0);
			assert_false(link_change_contradicts(&c, named, &s));
			link_change_apply(&c, named, &s);
			named |= c.named;
		}
		assert_string_equal(link_words_print(&s, out), "delay 20ms jitter 2ms loss 1%");
	}
}

static void link_change__contradicts_another_value_of_a_field(void **state)
{
	struct link_state s = parse("delay 20ms loss 1%", (struct link_state){0});
	struct link_change c;
	uint32_t named = 1u << LINK_DELAY | 1u << LINK_LOSS;

	(void)state;
	assert_int_equal(link_change_read("delay 20ms", &c, NULL), 0);
	assert_false(link_change_contradicts(&c, named, &s));
	assert_int_equal(link_change_read("delay 30ms", &c, NULL), 0);
	assert_true(link_change_contradicts(&c, named, &s));
	assert_false(link_change_contradicts(&c, 1u << LINK_LOSS, &s));
	assert_int_equal(link_change_read("loss none", &c, NULL), 0);
	assert_true(link_change_contradicts(&c, named, &s));
}

static void link_profiles__are_possible_and_listed(void **state)
{
	(void)state;
	for (unsigned i = 0; link_profiles_list(i); i++) {
		char text[64];

		(void)snprintf(text, sizeof text, "profile %s", link_profiles_list(i)->name);
		assert_prints(text, link_profiles_list(i)->args);
	}
	for (unsigned i = 0; link_words_list(i); i++)
		assert_true(link_words_list(i)->what[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_words__are_printed_as_they_were_written),
		cmocka_unit_test(link_words__mean_the_same_in_other_words),
		cmocka_unit_test(link_words__replace_what_they_name_and_nothing_else),
		cmocka_unit_test(link_words__are_refused_with_reason_and_range),
		cmocka_unit_test(link_words__have_limits),
		cmocka_unit_test(link_words__of_any_state_read_back_the_same),
		cmocka_unit_test(link_change__merges_by_field_in_any_order),
		cmocka_unit_test(link_change__contradicts_another_value_of_a_field),
		cmocka_unit_test(link_profiles__are_possible_and_listed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
