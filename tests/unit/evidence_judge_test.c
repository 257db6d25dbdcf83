/* SPDX-License-Identifier: MIT */
/* evidence_judge_test.c - what is said of a row of frames that was made by hand */
#include <stdlib.h>

#include "agent/base/clock.h"
#include "netns/evidence_priv.h"
#include "netns/fabric_priv.h"
#include "tests/lib/test.h"

#define ROW 100
#define GAP_NS (NS_PER_MS / 10)

/* What is found if frame i comes @took(i) after it was sent over a link with @delay_ns. */
static enum evidence_result judge(uint64_t delay_ns, uint64_t (*took)(unsigned i))
{
	static const struct emulator_ops ops = {.matrix_bit = MATRIX_WIRE};
	struct fabric_node nodes[2] = {{.name = "n1"}, {.name = "n2"}};
	struct matrix_map *map = calloc(1, sizeof *map + 4 * sizeof(struct matrix_link));
	struct fabric f = {
		.nodes = 2, .name = nodes, .ops = &ops, .matrix = {.nodes = 2, .map = map}};
	struct fabric_delta delta = {.src = 0, .dst = 1, .to = {.delay_ns = delay_ns}};
	struct stream_frame frame[ROW];
	struct stats_frame row[ROW];
	char seen[EVIDENCE_SEEN_MAX] = "";
	struct evidence found = {.result = EVIDENCE_CONFIRMED};
	struct trial_court court = {.f = &f, .row = row, .ret = &found, .seen = seen};
	struct trial x = {.delta = &delta,
		.stream = {.dst = 1, .bytes = 128, .frames = ROW, .sent = ROW, .arrived = ROW},
		.number = TRIAL_NUMBER_UNKNOWN,
		.after = {.offered = ROW}};

	assert_non_null(map);
	for (unsigned i = 0; i < ROW; i++)
		frame[i] = (struct stream_frame){.sent_ns = NS_PER_S + i * GAP_NS,
			.came_ns = NS_PER_S + i * GAP_NS + took(i),
			.order = i,
			.copies = 1};
	x.stream.frame = frame;
	x.stream.last = ROW;
	trial_judge(&court, &x);
	free(map);
	return found.result;
}

static uint64_t on_time(unsigned i)
{
	return 5 * NS_PER_MS + i % 7 * NS_PER_US;
}

static uint64_t four_more(unsigned i)
{
	return on_time(i) + 4 * NS_PER_MS;
}

static uint64_t first_on_time(unsigned i)
{
	return on_time(i) + (i ? 3 * NS_PER_MS : 0);
}

/* More of them than the machine can handle: each waits for those before it. */
static uint64_t ever_later(unsigned i)
{
	return on_time(i) + NS_PER_MS + i * GAP_NS;
}

static void judge__believes_a_delay_that_all_have(void **state)
{
	(void)state;
	assert_int_equal(judge(5 * NS_PER_MS, on_time), EVIDENCE_CONFIRMED);
	assert_int_equal(judge(5 * NS_PER_MS, four_more), EVIDENCE_MISMATCH);
	assert_int_equal(judge(7 * NS_PER_MS, on_time), EVIDENCE_MISMATCH);
	assert_int_equal(judge(0, on_time), EVIDENCE_MISMATCH);
}

static void judge__blames_the_machine_for_delays_that_differ(void **state)
{
	(void)state;
	assert_int_equal(judge(5 * NS_PER_MS, first_on_time), EVIDENCE_INCONCLUSIVE);
	assert_int_equal(judge(5 * NS_PER_MS, ever_later), EVIDENCE_INCONCLUSIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judge__believes_a_delay_that_all_have),
		cmocka_unit_test(judge__blames_the_machine_for_delays_that_differ),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("evidence_judge", tests, NULL, NULL);
}
