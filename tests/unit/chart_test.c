/* SPDX-License-Identifier: MIT */
/* chart_test.c - charts: what passes into a page, what is special to gnuplot, samples */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report/chart_svg.h"
#include "agent/report/gnuplot.h"
#include "tests/lib/test.h"

/* What becomes of a document; NULL if it is refused. To be freed. */
static char *filtered(const char *document)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int rc;

	assert_non_null(out);
	rc = chart_svg_print(out, document, strlen(document), "wide", "a \"label\"");
	assert_int_equal(fclose(out), 0);
	if (rc == 0)
		return text;
	assert_int_equal(rc, -EBADMSG);
	assert_int_equal(size, 0);
	free(text);
	return NULL;
}

static void assert_filtered(const char *inside, const char *want)
{
	char document[1024];
	char expected[1024];
	char *got;

	(void)snprintf(document, sizeof document,
		"<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 4 3\" "
		"xmlns:xlink=\"x\">%s</svg>",
		inside);
	(void)snprintf(expected, sizeof expected,
		"<svg class=\"wide\" viewBox=\"0 0 4 3\" role=\"img\" "
		"aria-label=\"a &quot;label&quot;\">\n%s</svg>\n",
		want);
	got = filtered(document);
	assert_non_null(got);
	assert_string_equal(got, expected);
	free(got);
}

static void chart_svg__lets_shapes_and_text_pass(void **state)
{
	(void)state;
	assert_filtered(
		"<path d='M1,2' stroke='none'/>", "<path d=\"M1,2\" stroke=\"none\"></path>\n");
	assert_filtered("<text x='1'>a&lt;b</text>", "<text x=\"1\">a&lt;b</text>\n");
}

static void chart_svg__lets_nothing_else_pass(void **state)
{
	(void)state;
	assert_filtered("<script>alert(1)</script>", "");
	assert_filtered("<defs><path d='M1,2'/></defs><title>t</title>", "");
	assert_filtered(
		"<g onclick='x()' id='a' class='b' style='fill:url(http://h/)'/>", "<g></g>\n");
	assert_filtered("<image xlink:href='http://h/'/><a xlink:href='http://h/'><g/></a>", "");
	assert_filtered("<foreignObject><svg viewBox='0 0 1 1'/></foreignObject>", "");
	assert_filtered("<svg viewBox='0 0 1 1'><path d='M0,0'/></svg>", "");
}

static void chart_svg__gives_colours_their_names(void **state)
{
	(void)state;
	assert_filtered("<g stroke='rgb(  1,   2,   6)' fill='rgb(1,2,5)'/>",
		"<g stroke=\"var(--read)\" fill=\"var(--cut)\"></g>\n");
	/* Those of gnuplot's own, and what looks like ours but is beyond it. */
	assert_filtered("<g fill='black' stroke='rgb(  1,   2, 200)'/>",
		"<g fill=\"currentColor\" stroke=\"currentColor\"></g>\n");
	assert_filtered("<g fill='url(http://h/)'/>", "<g fill=\"currentColor\"></g>\n");
}

static void chart_svg__refuses_what_is_no_picture(void **state)
{
	static const char *const bad[] = {"", "gnuplot: warning", "<svg viewBox='0 0 1 1'>",
		"<svg><path/></svg>", "<svg viewBox='0 0 1 1'><g></svg>",
		"<html viewBox='0 0 1 1'></html>"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(filtered(bad[i]));
}

static void assert_quoted(const char *text, unsigned chars, const char *want)
{
	struct buf b = {.len = 0};

	chart_quote(&b, text, chars);
	assert_int_equal(b.len, strlen(want));
	assert_memory_equal(b.p, want, b.len);
	buf_fini(&b);
}

static void chart_quote__leaves_nothing_special(void **state)
{
	(void)state;
	assert_quoted("fit-10ms", 40, "'fit-10ms'");
	assert_quoted("a'; system('x'); '", 40, "'a?; system(?x?); ?'");
	assert_quoted("two\nlines\xff", 40, "'two?lines?'");
	assert_quoted("s\xc3\xbc\xc3\x9f", 2, "'s\xc3\xbc'");
}

static void chart_stride__keeps_within_the_limit(void **state)
{
	(void)state;
	assert_int_equal(chart_stride(0, 10), 1);
	assert_int_equal(chart_stride(10, 10), 1);
	assert_int_equal(chart_stride(11, 10), 2);
	for (size_t count = 1; count < 5000; count += 7) {
		size_t stride = chart_stride(count, 100);

		assert_true((count + stride - 1) / stride <= 100);
		assert_true(stride == 1 || (count + stride - 2) / (stride - 1) > 100);
	}
}

static void chart_scale__reaches_around_all(void **state)
{
	struct chart_scale s = {0};

	(void)state;
	chart_scale_add(&s, 0);
	chart_scale_add(&s, 40);
	chart_scale_add(&s, 0.3);
	chart_scale_round(&s);
	assert_true(s.low > 0.1999 && s.low < 0.2001 && s.high > 49.9 && s.high < 50.1);
	/* Nothing, and one value that is a power of ten, still leave room. */
	s = (struct chart_scale){0};
	chart_scale_round(&s);
	assert_true(s.low > 0 && s.high > s.low);
	s = (struct chart_scale){0};
	chart_scale_add(&s, 1);
	chart_scale_round(&s);
	assert_true(s.low > 0 && s.high > s.low);
}

static void draw_line(struct buf *script, enum chart_size size, const void *ctx)
{
	(void)size;
	(void)ctx;
	buf_printf(script, "plot $d using 1:2 with lines lc rgb %s\n", chart_colour(CHART_BAD));
}

static void draw_nonsense(struct buf *script, enum chart_size size, const void *ctx)
{
	(void)size;
	(void)ctx;
	buf_printf(script, "plot nonsense from nowhere\n");
}

static void charts__are_drawn_by_one_gnuplot_in_both_sizes(void **state)
{
	struct err err = {0};
	struct charts c;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	charts_open(&c);
	charts_data(&c, "d");
	buf_printf(&c.script, "1 2\n2 3\n");
	charts_data_end(&c);
	assert_int_equal(charts_add(&c, draw_line, NULL), 0);
	assert_int_equal(charts_add(&c, draw_line, NULL), 1);
	if (charts_run(&c, &err) == -ENOENT) {
		charts_close(&c);
		(void)fclose(out);
		free(text);
		skip();
		return;
	}
	assert_int_equal(err.code, 0);
	assert_int_equal(charts_print(&c, 1, "label", out, &err), 0);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, "<svg class=\"wide\""));
	assert_non_null(strstr(text, "<svg class=\"narrow\""));
	assert_non_null(strstr(text, "stroke=\"var(--bad)\""));
	assert_null(strstr(text, "rgb("));
	free(text);
	charts_close(&c);
}

static void charts__say_what_gnuplot_did_not_like(void **state)
{
	struct err err = {0};
	struct charts c;
	int rc;

	(void)state;
	charts_open(&c);
	assert_int_equal(charts_add(&c, draw_nonsense, NULL), 0);
	rc = charts_run(&c, &err);
	charts_close(&c);
	if (rc == -ENOENT)
		skip();
	assert_int_equal(rc, -EIO);
	assert_non_null(strstr(err.text, "nonsense"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chart_svg__lets_shapes_and_text_pass),
		cmocka_unit_test(chart_svg__lets_nothing_else_pass),
		cmocka_unit_test(chart_svg__gives_colours_their_names),
		cmocka_unit_test(chart_svg__refuses_what_is_no_picture),
		cmocka_unit_test(chart_quote__leaves_nothing_special),
		cmocka_unit_test(chart_stride__keeps_within_the_limit),
		cmocka_unit_test(chart_scale__reaches_around_all),
		cmocka_unit_test(charts__are_drawn_by_one_gnuplot_in_both_sizes),
		cmocka_unit_test(charts__say_what_gnuplot_did_not_like),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
