/* SPDX-License-Identifier: MIT */
/* html.c - a page that stands by itself: head, style, sections, tables, figures */
#include "agent/report/html.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/version.h"
#include "agent/report/html_style.h"
#include "agent/report/markup.h"

/* A picture that is longer is none of ours. */
#define PICTURE_BYTES_MAX (16u << 20)

void html_text(FILE *out, const char *text)
{
	markup_text(out, text, strlen(text));
}

static void html_vtextf(FILE *out, const char *fmt, va_list args)
{
	char text[HTML_TEXT_MAX];

	(void)vsnprintf(text, sizeof text, fmt, args);
	html_text(out, text);
}

void html_textf(FILE *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	html_vtextf(out, fmt, args);
	va_end(args);
}

void html_begin(FILE *out, const char *title)
{
	(void)fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
		    "form-action 'none'\">\n"
		    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
		out);
	html_text(out, title);
	(void)fprintf(out,
		"</title>\n<style>%s</style>\n</head>\n<body>\n"
		"<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n",
		html_style);
}

void html_main(FILE *out)
{
	(void)fputs("</header>\n<main id=\"main\" tabindex=\"-1\">\n", out);
}

void html_end(FILE *out)
{
	(void)fputs("</main>\n<footer>\n<p>Made by pacelab ", out);
	html_text(out, version);
	(void)fputs(". This page asks no server for anything; every number in it comes from the "
		    "files that the run left.</p>\n</footer>\n</body>\n</html>\n",
		out);
}

static void html_open(FILE *out, const char *element, const char *class)
{
	if (class)
		(void)fprintf(out, "<%s class=\"%s\">", element, class);
	else
		(void)fprintf(out, "<%s>", element);
}

void html_line(FILE *out, const char *element, const char *class, const char *text)
{
	html_open(out, element, class);
	html_text(out, text);
	(void)fprintf(out, "</%s>\n", element);
}

void html_linef(FILE *out, const char *element, const char *class, const char *fmt, ...)
{
	va_list args;

	html_open(out, element, class);
	va_start(args, fmt);
	html_vtextf(out, fmt, args);
	va_end(args);
	(void)fprintf(out, "</%s>\n", element);
}

void html_section(FILE *out, const char *id, const char *heading)
{
	(void)fprintf(out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">", id, id);
	html_text(out, heading);
	(void)fputs("</h2>\n", out);
}

void html_section_end(FILE *out)
{
	(void)fputs("</section>\n", out);
}

void html_nav(FILE *out, const char *const (*links)[2])
{
	(void)fputs("<nav aria-label=\"Parts of this page\">\n<ul>\n", out);
	for (; (*links)[0]; links++) {
		(void)fprintf(out, "<li><a href=\"#%s\">", (*links)[0]);
		html_text(out, (*links)[1]);
		(void)fputs("</a></li>\n", out);
	}
	(void)fputs("</ul>\n</nav>\n", out);
}

void html_table(FILE *out, const char *caption, const char *const *head, unsigned heads)
{
	/* What scrolls must be reachable by keyboard, and then it needs a name. */
	(void)fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"", out);
	html_text(out, caption);
	(void)fputs("\">\n<table>\n<caption>", out);
	html_text(out, caption);
	(void)fputs("</caption>\n<thead>\n<tr>", out);
	for (unsigned i = 0; i < heads; i++) {
		bool left = head[i][0] == HTML_LEFT[0];

		(void)fputs(left ? "<th scope=\"col\" class=\"t\">" : "<th scope=\"col\">", out);
		html_text(out, head[i] + left);
		(void)fputs("</th>", out);
	}
	(void)fputs("</tr>\n</thead>\n", out);
}

void html_table_end(FILE *out)
{
	(void)fputs("</table>\n</div>\n", out);
}

void html_row(FILE *out, const char *head)
{
	(void)fputs("<tr><th scope=\"row\">", out);
	html_text(out, head);
	(void)fputs("</th>", out);
}

void html_row_end(FILE *out)
{
	(void)fputs("</tr>\n", out);
}

void html_cell(FILE *out, const char *fmt, ...)
{
	va_list args;

	(void)fputs("<td>", out);
	va_start(args, fmt);
	html_vtextf(out, fmt, args);
	va_end(args);
	(void)fputs("</td>", out);
}

void html_cell_text(FILE *out, const char *text)
{
	(void)fputs("<td class=\"t\">", out);
	html_text(out, text[0] ? text : "\xe2\x80\x93");
	(void)fputs("</td>", out);
}

void html_cell_ms(FILE *out, double ms)
{
	if (isnan(ms))
		(void)fputs("<td>\xe2\x80\x93</td>", out);
	else
		html_cell(out, "%.*f", ms < 9.995 ? 2 : 1, ms);
}

void html_figure(FILE *out, const char *caption)
{
	(void)fputs("<figure>\n<figcaption>", out);
	html_text(out, caption);
	(void)fputs("</figcaption>\n", out);
}

void html_figure_end(FILE *out, const char *words)
{
	html_line(out, "p", "note", words);
	(void)fputs("</figure>\n", out);
}

void html_mark(FILE *out, const char *class, const char *text)
{
	(void)fprintf(out, "<span class=\"%s\">", class);
	html_text(out, text);
	(void)fputs("</span> ", out);
}

/* All but letters and digits as %XX: then nothing in it ends the attribute, or is markup. */
static void html_percent(FILE *out, FILE *in)
{
	int c;

	for (size_t i = 0; i < PICTURE_BYTES_MAX && (c = fgetc(in)) != EOF; i++) {
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			(void)fputc(c, out);
		else
			(void)fprintf(out, "%%%02X", (unsigned)c);
	}
}

int html_picture(FILE *out, const char *path, const char *alt, struct err *err)
{
	FILE *in = fopen(path, "re");
	struct stat st;

	if (!in)
		return err_sys(err, -errno, "read %s", path);
	if (fstat(fileno(in), &st) || !S_ISREG(st.st_mode) || st.st_size > PICTURE_BYTES_MAX) {
		(void)fclose(in);
		return err_set(err, -EFBIG, EXIT_USAGE, "%s: no file of at most %u MiB", path,
			PICTURE_BYTES_MAX >> 20);
	}
	(void)fputs("<img alt=\"", out);
	html_text(out, alt);
	(void)fputs("\" src=\"data:image/svg+xml,", out);
	html_percent(out, in);
	(void)fputs("\">\n", out);
	(void)fclose(in);
	return 0;
}
