/* SPDX-License-Identifier: MIT */
/* chart.c - charts of a page: drawn by gnuplot, in the page's colours, wide and narrow */
#include "agent/report/chart.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/base/utf8.h"
#include "agent/report/chart_svg.h"
#include "agent/report/gnuplot.h"

static const struct {
	const char *class;
	unsigned width;
	unsigned height;
} sizes[CHART_SIZES] = {
	[CHART_WIDE] = {"wide", 960, 340},
	[CHART_NARROW] = {"narrow", 380, 300},
};

const char *chart_colour(enum chart_colour colour)
{
	static const char *const quoted[CHART_COLOURS] = {
		[CHART_INK] = "\"#010201\"",
		[CHART_DIM] = "\"#010202\"",
		[CHART_RULE] = "\"#010203\"",
		[CHART_BAND] = "\"#010204\"",
		[CHART_CUT] = "\"#010205\"",
		[CHART_READ] = "\"#010206\"",
		[CHART_WRITE] = "\"#010207\"",
		[CHART_BAD] = "\"#010208\"",
		[CHART_WARN] = "\"#010209\"",
	};

	assert(colour < CHART_COLOURS);
	return quoted[colour];
}

const char *chart_faint(enum chart_colour colour)
{
	if (colour == CHART_READ)
		return "\"#80010206\"";
	if (colour == CHART_WRITE)
		return "\"#80010207\"";
	return chart_colour(colour);
}

void chart_quote(struct buf *script, const char *text, unsigned chars)
{
	const unsigned char *c = (const unsigned char *)text;

	/* Between single quotes gnuplot looks at nothing but these themselves. */
	buf_printf(script, "'");
	for (unsigned n = 0; *c && n < chars; n++) {
		unsigned len = utf8_length(c);

		if (len == 0 || *c < 0x20 || *c == 0x7f || *c == '\'')
			buf_printf(script, "?");
		else
			buf_add(script, c, len);
		c += len ? len : 1;
	}
	buf_printf(script, "'");
}

void charts_open(struct charts *c)
{
	*c = (struct charts){.count = 0};
	buf_printf(&c->script, "set encoding utf8\n");
}

void charts_close(struct charts *c)
{
	buf_fini(&c->script);
	buf_fini(&c->output);
}

void charts_data(struct charts *c, const char *name)
{
	buf_printf(&c->script, "$%s << EOD\n", name);
}

void charts_data_end(struct charts *c)
{
	buf_printf(&c->script, "EOD\n");
}

int charts_add(struct charts *c, chart_draw draw, const void *ctx)
{
	if (c->count == CHARTS_MAX)
		return -ENOSPC;
	for (unsigned size = 0; size < CHART_SIZES; size++) {
		buf_printf(&c->script,
			"reset\n"
			"set terminal svg size %u,%u dynamic rounded noenhanced "
			"font 'sans,13' name 'chart'\n"
			"set border 3 lc rgb %s\nset tics nomirror out scale 0.5\nset key off\n"
			"set grid ytics lc rgb %s\n",
			sizes[size].width, sizes[size].height, chart_colour(CHART_DIM),
			chart_colour(CHART_RULE));
		draw(&c->script, (enum chart_size)size, ctx);
	}
	return (int)c->count++;
}

/* Each document begins with the same words. */
static int charts_split(struct charts *c, struct err *err)
{
	static const char first[] = "<?xml ";
	const char *all = (const char *)c->output.p;
	unsigned found = 0;

	for (size_t i = 0; i + sizeof first - 1 <= c->output.len; i++) {
		if (memcmp(all + i, first, sizeof first - 1) != 0)
			continue;
		if (found == c->count * CHART_SIZES)
			return err_set(err, -EBADMSG, EXIT_INTERNAL, "gnuplot drew too much");
		c->at[found++] = i;
	}
	c->at[found] = c->output.len;
	if (found != c->count * CHART_SIZES)
		return err_set(err, -EBADMSG, EXIT_INTERNAL, "gnuplot drew %u pictures of %u",
			found, c->count * CHART_SIZES);
	return 0;
}

int charts_run(struct charts *c, struct err *err)
{
	int rc = gnuplot_run(&c->script, &c->output, err);

	return rc ? rc : charts_split(c, err);
}

int charts_print(const struct charts *c, unsigned n, const char *label, FILE *out, struct err *err)
{
	assert(n < c->count);
	for (unsigned size = 0; size < CHART_SIZES; size++) {
		size_t from = c->at[n * CHART_SIZES + size];
		size_t to = c->at[n * CHART_SIZES + size + 1];

		if (chart_svg_print(out, (const char *)c->output.p + from, to - from,
			    sizes[size].class, label))
			return err_set(err, -EBADMSG, EXIT_INTERNAL,
				"gnuplot wrote no picture that is known here");
	}
	return 0;
}

void chart_scale_add(struct chart_scale *s, double x)
{
	if (!(x > 0))
		return;
	s->low = s->low > 0 ? fmin(s->low, x) : x;
	s->high = fmax(s->high, x);
}

/* The next of 1, 2 and 5 times a power of ten, at or beyond @x. */
static double round_to(double x, bool up)
{
	static const double steps[] = {1, 2, 5, 10};
	double power = pow(10, floor(log10(x)));
	unsigned i = 0;

	while (i < 3 && steps[i + (up ? 0 : 1)] * power < x * (up ? 1 - 1e-9 : 1 + 1e-9))
		i++;
	return steps[i] * power;
}

void chart_scale_round(struct chart_scale *s)
{
	if (!(s->high > 0))
		*s = (struct chart_scale){.low = 1, .high = 10};
	s->low = round_to(s->low, false);
	s->high = round_to(s->high, true);
	if (s->high < 10 * s->low)
		s->high = 10 * s->low;
}

size_t chart_stride(size_t count, size_t max)
{
	return count <= max ? 1 : (count + max - 1) / max;
}
