/* SPDX-License-Identifier: MIT */
/* svg_test.c - the picture of a witness: nothing overlaps, nothing is markup that should be text */
#include <stdlib.h>

#include "agent/base/prng.h"
#include "agent/report/svg_layout.h"
#include "tests/check/make.h"

#define PICTURES 2000

struct drawn {
	struct make m;
	struct history_ops h;
	struct check_result result;
	struct svg svg;
};

static void draw_all(struct drawn *d)
{
	d->h.op = d->m.op;
	d->h.count = d->m.count;
	d->result.witnesses = d->m.count;
	for (size_t i = 0; i < d->m.count; i++)
		d->result.witness[i] = i;
	if (!d->svg.title)
		d->svg.title = "history.bin: not linearizable";
	if (!d->svg.names)
		d->svg.names = &make_names;
	d->svg.h = &d->h;
	d->svg.result = &d->result;
}

/* The document, to be freed. */
static char *draw_print(struct drawn *d)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	draw_all(d);
	assert_non_null(out);
	svg_print(&d->svg, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* Every element that is opened is closed, in order. */
static void assert_balanced(const char *text)
{
	const char *open[16];
	unsigned depth = 0;

	for (const char *p = strchr(text, '<'); p; p = strchr(p + 1, '<')) {
		const char *end = strchr(p, '>');

		assert_non_null(end);
		if (p[1] == '/') {
			assert_in_range(depth, 1, 16);
			depth--;
			assert_memory_equal(p + 2, open[depth], (size_t)(end - p - 2));
		} else if (end[-1] != '/') {
			assert_in_range(depth, 0, 15);
			open[depth++] = p + 1;
		}
	}
	assert_int_equal(depth, 0);
}

static void svg__labels_each_kind_of_operation(void **state)
{
	static uint64_t list[] = {1, 2, 3, 4, 5, 6, 7, 8};
	static struct history_micro micro[] = {
		{.kind = HISTORY_READ, .key = 1, .first = 0, .count = 2},
		{.kind = HISTORY_APPEND, .key = 2, .value = 9}};
	const struct history_ops h = {.list = list, .lists = 8, .micro = micro, .micros = 2};
	static const struct {
		struct history_op op;
		const char *label;
	} cases[] = {
		{{.kind = HISTORY_READ, .outcome = HISTORY_OK, .key = 3, .value = 7},
			"read k3 → 7"},
		{{.kind = HISTORY_READ, .outcome = HISTORY_OK, .key = 3}, "read k3 → nothing"},
		{{.kind = HISTORY_READ, .outcome = HISTORY_OK, .key = 3, .many = true, .count = 3},
			"read k3 → [1 2 3]"},
		{{.kind = HISTORY_READ, .outcome = HISTORY_OK, .key = 3, .many = true, .count = 8},
			"read k3 → [1 … 5 6 7 8]"},
		{{.kind = HISTORY_READ,
			 .outcome = HISTORY_FAIL,
			 .key = 3,
			 .error = HISTORY_TIMEOUT},
			"read k3 (failed: timeout)"},
		{{.kind = HISTORY_WRITE, .outcome = HISTORY_UNKNOWN, .key = 3, .value = 7},
			"write k3 = 7 (outcome unknown)"},
		{{.kind = HISTORY_CAS, .outcome = HISTORY_OK, .key = 3, .old = 6, .value = 7},
			"compare-and-set k3 6 → 7 (not found)"},
		{{.kind = HISTORY_CAS, .outcome = HISTORY_OK, .key = 3, .value = 7, .met = true},
			"compare-and-set k3 nothing → 7"},
		{{.kind = HISTORY_APPEND, .outcome = HISTORY_OK, .key = 3, .value = 7},
			"append 7 to k3"},
		{{.kind = HISTORY_ADD, .outcome = HISTORY_OK, .key = 3, .value = 7}, "add 7 to k3"},
		{{.kind = HISTORY_INCREASE, .outcome = HISTORY_OK, .key = 3, .value = (uint64_t)-5},
			"increase k3 by -5"},
		{{.kind = HISTORY_TRANSFER, .outcome = HISTORY_OK, .value = 7, .old = 1, .to = 2},
			"transfer 7 from 1 to 2"},
		{{.kind = HISTORY_TRANSACTION, .outcome = HISTORY_OK, .op = 4, .count = 2},
			"T4: read k1 → [1 2]; append 9 to k2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char label[SVG_LABEL_MAX];

		svg_label(&h, &cases[i].op, label);
		assert_string_equal(label, cases[i].label);
	}
}

static void svg__shows_balances_below_0(void **state)
{
	static uint64_t balance[] = {105, (uint64_t)-5};
	struct history_op op[] = {
		{.kind = HISTORY_READ, .outcome = HISTORY_OK, .many = true, .count = 2},
		{.kind = HISTORY_TRANSFER, .outcome = HISTORY_OK, .value = 105, .old = 1}};
	const struct history_ops h = {.op = op, .count = 2, .list = balance, .lists = 2};
	char label[SVG_LABEL_MAX];

	(void)state;
	svg_label(&h, &op[0], label);
	assert_string_equal(label, "read k0 → [105 -5]");
}

static void svg__shows_what_came_before_and_what_was_seen(void **state)
{
	struct drawn d = {.m.count = 0};
	struct svg_layout l;

	(void)state;
	make_write(&d.m, 0, 7, 0, 1);
	make_write(&d.m, 1, 9, 10, 11);
	make_read(&d.m, 2, 7, 20, 21);
	draw_all(&d);
	svg_layout(&d.svg, &l);
	assert_int_equal(l.lanes, 3);
	assert_int_equal(l.arrows, 3);
	assert_false(l.arrow[0].saw); /* 7 before 9 */
	assert_true(l.arrow[1].saw);  /* 7 was read */
	assert_int_equal(l.arrow[1].to, 2);
	assert_false(l.arrow[2].saw); /* 9 before the read */
}

static void svg__never_takes_text_for_markup(void **state)
{
	struct drawn d = {.svg.title = "<script>alert(\"x\")</script> & \x01 \xff\xc3"};
	char *text;

	(void)state;
	make_write(&d.m, 0, 7, 0, 1);
	(void)snprintf(d.result.words, sizeof d.result.words, "a < b & \"c\" > d");
	text = draw_print(&d);
	assert_null(strstr(text, "<script"));
	assert_non_null(strstr(text, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; "));
	assert_non_null(strstr(text, "a &lt; b &amp; &quot;c&quot; &gt; d"));
	assert_null(strchr(text, '\x01'));
	assert_null(strstr(text, "\xff"));
	assert_balanced(text);
	free(text);
}

static void svg__draws_open_operations_to_the_edge(void **state)
{
	struct drawn d = {.m.count = 0};
	struct svg_layout l;

	(void)state;
	make_write(&d.m, 0, 7, 0, MAKE_NEVER);
	make_read(&d.m, 1, 7, 5, 6);
	draw_all(&d);
	svg_layout(&d.svg, &l);
	assert_true(l.lane[0].to == SVG_RIGHT);
	assert_true(l.lane[1].to < SVG_RIGHT);
}

/* Of the widest line. */
static double width_of(const char *text)
{
	double widest = 0;
	double n = 0;

	for (; *text != '\0'; text++) {
		n = *text == '\n' ? 0 : n + (((unsigned char)*text & 0xc0) != 0x80);
		widest = n > widest ? n : widest;
	}
	return widest * SVG_CHAR_WIDTH;
}

/* A transaction's steps are all there, on lines that fit, above the bar and below the other one. */
static void svg__breaks_long_labels_between_steps(void **state)
{
	static uint64_t list[] = {101, 102, 103, 104, 105, 106};
	static struct history_micro micro[] = {
		{.kind = HISTORY_READ, .key = 1, .first = 0, .count = 6},
		{.kind = HISTORY_APPEND, .key = 2, .value = 109},
		{.kind = HISTORY_READ, .key = 3, .first = 0, .count = 6},
		{.kind = HISTORY_APPEND, .key = 4, .value = 110}};
	struct drawn d = {.m.count = 0};
	struct svg_layout l;
	char *text;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make_write(&d.m, 0, 7, 10 * i, 10 * i + 1);
		d.m.op[i].kind = HISTORY_TRANSACTION;
		d.m.op[i].count = 4;
	}
	d.h.micro = micro;
	d.h.micros = 4;
	d.h.list = list;
	d.h.lists = 6;
	draw_all(&d);
	svg_layout(&d.svg, &l);
	for (unsigned i = 0; i < 2; i++) {
		const struct svg_lane *lane = &l.lane[i];

		assert_non_null(strstr(lane->label, "read k1 → [101 … 103 104 105 106]; append "
						    "109 to k2;\nread k3 → "));
		assert_non_null(strstr(lane->label, "append 110 to k4 · "));
		assert_null(strchr(strchr(lane->label, '\n') + 1, '\n'));
		assert_true(lane->label_x >= SVG_LEFT);
		assert_true(lane->label_x + width_of(lane->label) <= SVG_RIGHT + 1);
		assert_true(lane->bar_y > lane->label_y + SVG_LINE);
	}
	assert_true(l.lane[1].label_y > l.lane[0].bar_y);
	text = draw_print(&d);
	assert_balanced(text);
	assert_non_null(strstr(text, ">read k3 → [101 … 103 104 105 106]; append 110 to k4"));
	free(text);
}

static void assert_places_apart(const struct svg_place *p, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < i; k++) {
			if (p[i].label[0] == '\0' || p[k].label[0] == '\0' || p[i].row != p[k].row)
				continue;
			assert_true(p[i].label_x >= p[k].label_x + width_of(p[k].label) ||
				    p[k].label_x >= p[i].label_x + width_of(p[i].label));
		}
	}
}

/* Whatever the times are: order is kept, labels are apart and within the margins. */
static void svg__keeps_labels_apart(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= PICTURES; seed++) {
		struct drawn d = {.m.count = 0};
		struct svg_band band[5];
		struct svg_layout l;
		struct prng prng;
		char *text;

		prng_init(&prng, seed, 0);
		for (unsigned i = 0; i < 1 + seed % SVG_LANES_MAX; i++) {
			uint64_t begin = prng_below(&prng, prng_below(&prng, 2) ? 20 : 90000);

			make_read(&d.m, (unsigned)prng_below(&prng, 3), 7, begin,
				begin + prng_below(&prng, 40));
		}
		for (unsigned i = 0; i < 5; i++) {
			band[i] = (struct svg_band){
				.from_ns = i * 20000 * MAKE_MS, .to_ns = (i + 1) * 20000 * MAKE_MS};
			(void)snprintf(band[i].name, sizeof band[i].name, "phase number %u", i);
		}
		d.svg.band = band;
		d.svg.bands = 5;
		draw_all(&d);
		svg_layout(&d.svg, &l);
		for (unsigned i = 1; i < l.times; i++)
			assert_true(l.x[i] > l.x[i - 1]);
		for (unsigned i = 0; i < l.lanes; i++) {
			assert_true(l.lane[i].label_x >= SVG_LEFT);
			assert_true(l.lane[i].label_x + width_of(l.lane[i].label) <= SVG_RIGHT + 1);
			assert_true(l.lane[i].to > l.lane[i].from);
			if (i > 0)
				assert_true(l.lane[i].label_y > l.lane[i - 1].bar_y);
		}
		for (unsigned i = 0; i < l.ticks; i++)
			for (unsigned k = 0; k < i; k++)
				if (l.tick[i].labelled && l.tick[k].labelled &&
					l.tick[i].row == l.tick[k].row)
					assert_true(l.tick[i].label_x - l.tick[k].label_x >=
						    SVG_TICK_WIDTH - 8);
		assert_places_apart(l.band, l.bands);
		text = draw_print(&d);
		assert_balanced(text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(svg__labels_each_kind_of_operation),
		cmocka_unit_test(svg__shows_balances_below_0),
		cmocka_unit_test(svg__shows_what_came_before_and_what_was_seen),
		cmocka_unit_test(svg__never_takes_text_for_markup),
		cmocka_unit_test(svg__draws_open_operations_to_the_edge),
		cmocka_unit_test(svg__breaks_long_labels_between_steps),
		cmocka_unit_test(svg__keeps_labels_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
