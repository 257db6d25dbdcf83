/* SPDX-License-Identifier: MIT */
/* html_test.c - pages: what comes from elsewhere is text, what is opened is closed */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/report/html.h"
#include "tests/lib/test.h"

struct page {
	char *text;
	size_t size;
	FILE *out;
};

static void page_open(struct page *p)
{
	p->out = open_memstream(&p->text, &p->size);
	assert_non_null(p->out);
}

static void assert_page(struct page *p, const char *want)
{
	assert_int_equal(fclose(p->out), 0);
	assert_string_equal(p->text, want);
	free(p->text);
}

static void markup__is_text_whatever_it_says(void **state)
{
	static const struct {
		const char *in;
		const char *want;
	} cases[] = {
		{"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
		{"\" onload='x'", "&quot; onload=&#39;x&#39;"},
		{"a & b", "a &amp; b"},
		{"s\xc3\xbc\xc3\x9f", "s\xc3\xbc\xc3\x9f"},
		/* Not UTF-8, an overlong '<', a surrogate, cut off at the end, control characters.
		 */
		{"\xff", "\xef\xbf\xbd"},
		{"\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
		{"a\x01\x1b\n", "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct page p;

		page_open(&p);
		html_text(p.out, cases[i].in);
		assert_page(&p, cases[i].want);
	}
}

static void html__escapes_what_a_format_gives(void **state)
{
	struct page p;

	(void)state;
	page_open(&p);
	html_linef(p.out, "p", "note", "%s: %d", "<b>", 7);
	html_cell(p.out, "%s", "<i>");
	html_cell_text(p.out, "\"");
	assert_page(&p, "<p class=\"note\">&lt;b&gt;: 7</p>\n<td>&lt;i&gt;</td>"
			"<td class=\"t\">&quot;</td>");
}

static void html__says_what_was_not_measured(void **state)
{
	struct page p;

	(void)state;
	page_open(&p);
	html_cell_ms(p.out, 0.0 / 0.0);
	html_cell_ms(p.out, 1.234);
	html_cell_ms(p.out, 40.06);
	html_cell_text(p.out, "");
	assert_page(&p, "<td>\xe2\x80\x93</td><td>1.23</td><td>40.1</td>"
			"<td class=\"t\">\xe2\x80\x93</td>");
}

static void html__cuts_a_long_text(void **state)
{
	char text[2 * HTML_TEXT_MAX];
	struct page p;

	(void)state;
	memset(text, '<', sizeof text);
	text[sizeof text - 1] = '\0';
	page_open(&p);
	html_textf(p.out, "%s", text);
	assert_int_equal(fclose(p.out), 0);
	assert_int_equal(p.size, strlen("&lt;") * (HTML_TEXT_MAX - 1));
	free(p.text);
}

static void html__gives_a_table_a_name_and_heads(void **state)
{
	static const char *const head[] = {"phase", "p<50"};
	struct page p;

	(void)state;
	page_open(&p);
	html_table(p.out, "By \"phase\"", head, 2);
	html_row(p.out, "calm");
	html_cell(p.out, "%d", 1);
	html_row_end(p.out);
	html_table_end(p.out);
	assert_page(&p, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
			"aria-label=\"By &quot;phase&quot;\">\n"
			"<table>\n<caption>By &quot;phase&quot;</caption>\n<thead>\n"
			"<tr><th scope=\"col\">phase</th><th scope=\"col\">p&lt;50</th></tr>\n"
			"</thead>\n"
			"<tr><th scope=\"row\">calm</th><td>1</td></tr>\n"
			"</table>\n</div>\n");
}

static void html__takes_a_picture_as_data(void **state)
{
	char path[] = "/tmp/pacelab-html-XXXXXX";
	int fd = mkstemp(path);
	struct err err = {0};
	struct page p;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(dprintf(fd, "<a b=\"'\">"), 9);
	page_open(&p);
	assert_int_equal(html_picture(p.out, path, "a \"b\"", &err), 0);
	assert_page(&p, "<img alt=\"a &quot;b&quot;\" "
			"src=\"data:image/svg+xml,%3Ca%20b%3D%22%27%22%3E\">\n");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(close(fd), 0);
	page_open(&p);
	assert_true(html_picture(p.out, path, "gone", &err) < 0);
	assert_non_null(strstr(err.text, path));
	assert_page(&p, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markup__is_text_whatever_it_says),
		cmocka_unit_test(html__escapes_what_a_format_gives),
		cmocka_unit_test(html__says_what_was_not_measured),
		cmocka_unit_test(html__cuts_a_long_text),
		cmocka_unit_test(html__gives_a_table_a_name_and_heads),
		cmocka_unit_test(html__takes_a_picture_as_data),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
