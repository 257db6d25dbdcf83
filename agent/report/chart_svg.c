/* SPDX-License-Identifier: MIT */
/*
 * chart_svg.c - what gnuplot drew, as a part of a page
 *
 * A parser of XML reads it, so what comes out is well-formed whatever comes in. Lists say what may
 * pass; all else is left out with everything in it.
 */
#include "agent/report/chart_svg.h"

#include <errno.h>
#include <expat.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report/gnuplot.h"
#include "agent/report/html.h"

#define VIEW_BOX_MAX 64

static const char *const elements[] = {"g", "path", "polygon", "polyline", "line", "rect", "circle",
	"ellipse", "text", "tspan", NULL};

static const char *const attributes[] = {"transform", "d", "points", "x", "y", "x1", "y1", "x2",
	"y2", "cx", "cy", "r", "rx", "ry", "dx", "dy", "width", "height", "fill-opacity",
	"stroke-width", "stroke-opacity", "stroke-linecap", "stroke-linejoin", "stroke-dasharray",
	"font-size", "font-weight", "font-style", "text-anchor", "shape-rendering", NULL};

static const char *const colours[CHART_COLOURS] = {
	[CHART_INK] = "var(--ink)",
	[CHART_DIM] = "var(--dim)",
	[CHART_RULE] = "var(--rule)",
	[CHART_BAND] = "var(--band)",
	[CHART_CUT] = "var(--cut)",
	[CHART_READ] = "var(--read)",
	[CHART_WRITE] = "var(--write)",
	[CHART_BAD] = "var(--bad)",
	[CHART_WARN] = "var(--warn)",
};

struct filter {
	FILE *out;
	const char *class;
	const char *label;
	unsigned depth;
	unsigned left_out; /* depth of what is left out, 0: nothing is */
	bool whole;
};

static bool one_of(const char *const *list, const char *name)
{
	while (*list && strcmp(*list, name) != 0)
		list++;
	return *list != NULL;
}

/* "rgb(  1,   2,   1)" as gnuplot 5 and 6 write it; all that is not ours is ink. */
static const char *colour_of(const char *value)
{
	unsigned red;
	unsigned green;
	unsigned blue;
	unsigned number;

	if (strcmp(value, "none") == 0)
		return "none";
	if (sscanf(value, "rgb(%u,%u,%u)", &red, &green, &blue) != 3)
		return "currentColor";
	number = (red << 16 | green << 8 | blue) - CHART_SVG_RGB_FIRST;
	return number < CHART_COLOURS ? colours[number] : "currentColor";
}

static void attribute_print(FILE *out, const char *name, const char *value)
{
	(void)fprintf(out, " %s=\"", name);
	html_text(out, value);
	(void)fputc('"', out);
}

static void document_begin(struct filter *f, const char **attribute)
{
	const char *box = NULL;

	for (; *attribute; attribute += 2) {
		if (strcmp(attribute[0], "viewBox") == 0)
			box = attribute[1];
	}
	f->whole = box && strlen(box) < VIEW_BOX_MAX;
	(void)fputs("<svg", f->out);
	attribute_print(f->out, "class", f->class);
	attribute_print(f->out, "viewBox", box ? box : "");
	attribute_print(f->out, "role", "img");
	attribute_print(f->out, "aria-label", f->label);
	(void)fputs(">\n", f->out);
}

static void element_begin(void *ctx, const char *name, const char **attribute)
{
	struct filter *f = ctx;

	f->depth++;
	if (f->left_out > 0)
		return;
	if (f->depth == 1 && strcmp(name, "svg") == 0) {
		document_begin(f, attribute);
		return;
	}
	if (!one_of(elements, name)) {
		f->left_out = f->depth;
		return;
	}
	(void)fprintf(f->out, "<%s", name);
	for (; *attribute; attribute += 2) {
		if (one_of(attributes, attribute[0]))
			attribute_print(f->out, attribute[0], attribute[1]);
		else if (strcmp(attribute[0], "fill") == 0 || strcmp(attribute[0], "stroke") == 0)
			attribute_print(f->out, attribute[0], colour_of(attribute[1]));
	}
	(void)fputc('>', f->out);
}

static void element_end(void *ctx, const char *name)
{
	struct filter *f = ctx;

	if (f->left_out == 0)
		(void)fprintf(f->out, "</%s>\n", name);
	if (f->left_out == f->depth)
		f->left_out = 0;
	f->depth--;
}

static void characters(void *ctx, const char *text, int size)
{
	struct filter *f = ctx;
	char part[256];

	/* In pieces of whole characters: the parser gives no half ones, and few are long. */
	if (f->left_out > 0 || size >= (int)sizeof part)
		return;
	memcpy(part, text, (size_t)size);
	part[size] = '\0';
	if (strcmp(part, "\n") != 0 && strspn(part, "\t") != (size_t)size)
		html_text(f->out, part);
}

int chart_svg_print(FILE *out, const char *text, size_t size, const char *class, const char *label)
{
	XML_Parser parser = XML_ParserCreate("UTF-8");
	struct filter f = {.class = class, .label = label};
	char *printed = NULL;
	size_t printed_size = 0;
	bool parsed;

	if (!parser)
		return -ENOMEM;
	f.out = open_memstream(&printed, &printed_size);
	if (!f.out) {
		XML_ParserFree(parser);
		return -ENOMEM;
	}
	XML_SetUserData(parser, &f);
	XML_SetElementHandler(parser, element_begin, element_end);
	XML_SetCharacterDataHandler(parser, characters);
	parsed =
		size <= GNUPLOT_BYTES_MAX && XML_Parse(parser, text, (int)size, 1) == XML_STATUS_OK;
	XML_ParserFree(parser);
	(void)fclose(f.out);
	if (parsed && f.whole)
		(void)fwrite(printed, 1, printed_size, out);
	free(printed);
	return parsed && f.whole ? 0 : -EBADMSG;
}
