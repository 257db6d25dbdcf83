/* SPDX-License-Identifier: MIT */
/*
 * svg_layout.c - where everything of a witness's picture stands
 *
 * Each operation has a lane of its own, so nothing can overlap in it: lanes of one session stand
 * together. Across, each instant at which something begins or ends has a place; the room between
 * two neighbours grows with the logarithm of the time between them, so that their order is seen
 * whatever the times are. What needs a label on one line (times, phases, faults) is put on the
 * first of several rows where it does not touch the one before it.
 */
#include "agent/report/svg_layout.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"

#define LANE_HEIGHT 40
#define ROW_HEIGHT 20
#define GAP_LEAST 1.0 /* of the room between two instants, as a share before scaling */
#define BAR_LEAST 4   /* so narrow a bar can still be seen */
/* The plot leaves room for what is open at the right, and for what came before at the left. */
#define PLOT_LEFT (SVG_LEFT + 10)
#define PLOT_RIGHT (SVG_RIGHT - 16)

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void layout_time(struct svg_layout *l, uint64_t t_ns)
{
	if (l->times < SVG_TIMES_MAX)
		l->time[l->times++] = t_ns;
}

static uint64_t layout_first(const struct svg_layout *l)
{
	uint64_t t = UINT64_MAX;

	for (unsigned i = 0; i < l->lanes; i++)
		if (l->lane[i].op->t_invoke_ns < t)
			t = l->lane[i].op->t_invoke_ns;
	return t;
}

static uint64_t layout_last(const struct svg_layout *l)
{
	uint64_t t = 0;

	for (unsigned i = 0; i < l->lanes; i++) {
		const struct history_op *op = l->lane[i].op;
		uint64_t end = op->t_return_ns == UINT64_MAX ? op->t_invoke_ns : op->t_return_ns;

		if (end > t)
			t = end;
	}
	return t;
}

static void layout_collect_times(struct svg_layout *l)
{
	uint64_t first = layout_first(l);
	uint64_t last = layout_last(l);
	unsigned kept = 0;

	for (unsigned i = 0; i < l->lanes; i++) {
		layout_time(l, l->lane[i].op->t_invoke_ns);
		if (l->lane[i].op->t_return_ns != UINT64_MAX)
			layout_time(l, l->lane[i].op->t_return_ns);
	}
	for (size_t i = 0; i < l->svg->bands; i++)
		if (l->svg->band[i].from_ns > first && l->svg->band[i].from_ns < last)
			layout_time(l, l->svg->band[i].from_ns);
	for (size_t i = 0; i < l->svg->marks; i++)
		if (l->svg->mark[i].t_ns > first && l->svg->mark[i].t_ns < last)
			layout_time(l, l->svg->mark[i].t_ns);
	qsort(l->time, l->times, sizeof *l->time, by_time);
	for (unsigned i = 0; i < l->times; i++)
		if (kept == 0 || l->time[kept - 1] != l->time[i])
			l->time[kept++] = l->time[i];
	l->times = kept;
}

static void layout_scale(struct svg_layout *l)
{
	double all = 0;

	l->x[0] = 0;
	for (unsigned i = 1; i < l->times; i++) {
		uint64_t gap = l->time[i] - l->time[i - 1];

		all += GAP_LEAST + log10(1 + (double)gap / 1e3) / 2;
		l->x[i] = all;
	}
	for (unsigned i = 0; i < l->times; i++)
		l->x[i] = PLOT_LEFT + (all > 0 ? l->x[i] / all : 0.5) * (PLOT_RIGHT - PLOT_LEFT);
}

/* Where a time stands; the ends of the plot for what is beyond it. */
static double layout_x(const struct svg_layout *l, uint64_t t_ns)
{
	for (unsigned i = 0; i < l->times; i++)
		if (t_ns <= l->time[i])
			return t_ns == l->time[i] || i > 0 ? l->x[i] : SVG_LEFT;
	return SVG_RIGHT;
}

/* By node, then by session, then by time: an insertion, for there are few. */
static bool lane_before(const struct history_op *a, const struct history_op *b)
{
	if (a->node != b->node)
		return a->node < b->node;
	if (a->session != b->session)
		return a->session < b->session;
	return a->t_invoke_ns < b->t_invoke_ns;
}

static void layout_sort_lanes(struct svg_layout *l)
{
	const struct check_result *r = l->svg->result;

	size_t cut = r->witnesses > SVG_LANES_MAX ? r->witnesses - SVG_LANES_MAX : 0;

	for (size_t i = cut; i < r->witnesses; i++) {
		const struct history_op *op = &l->svg->h->op[r->witness[i]];
		unsigned at = l->lanes++;

		for (; at > 0 && lane_before(op, l->lane[at - 1].op); at--)
			l->lane[at].op = l->lane[at - 1].op;
		l->lane[at].op = op;
	}
}

static void layout_row_name(const struct svg_layout *l, const struct history_op *op, char *out)
{
	const struct check_names *n = l->svg->names;

	if (n && n->node && op->node < n->nodes && n->node[op->node])
		(void)snprintf(out, SVG_NAME_MAX, "%s, session %u", n->node[op->node], op->session);
	else
		(void)snprintf(out, SVG_NAME_MAX, "node %u, session %u", op->node, op->session);
}

/* Characters, not bytes: labels have arrows in them. */
static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* Of the widest line. */
static double text_width(const char *text)
{
	size_t widest = 0;
	size_t n = 0;

	for (; *text != '\0'; text++) {
		n = *text == '\n' ? 0 : n + begins_character(*text);
		widest = n > widest ? n : widest;
	}
	return (double)widest * SVG_CHAR_WIDTH;
}

/*
 * Lines that fit between the margins, cut between steps if possible, else between words. Return:
 * how many.
 */
static unsigned text_wrap(char *text)
{
	const size_t fit = (size_t)((SVG_RIGHT - SVG_LEFT) / SVG_CHAR_WIDTH);
	char *step = NULL;
	char *word = NULL;
	size_t chars = 0;
	unsigned lines = 1;

	for (char *c = text; *c != '\0'; c++) {
		if (*c == '\n') /* names come from files */
			*c = ' ';
		if (*c == ' ')
			word = c;
		if (*c == ' ' && c > text && c[-1] == ';')
			step = c;
		chars += begins_character(*c);
		if (chars <= fit || !word)
			continue;
		c = step ? step : word;
		*c = '\n';
		step = word = NULL;
		chars = 0;
		lines++;
	}
	return lines;
}

/* As near to @x as the margins allow. */
static double text_start(double x, double width)
{
	if (x + width > SVG_RIGHT)
		x = SVG_RIGHT - width;
	return x < SVG_LEFT ? SVG_LEFT : x;
}

static void lane_add_duration(struct svg_lane *lane)
{
	size_t len = strlen(lane->label);
	char text[32];

	if (lane->op->t_return_ns == UINT64_MAX)
		return;
	(void)units_print_duration(
		lane->op->t_return_ns - lane->op->t_invoke_ns, text, sizeof text);
	if (len + strlen(text) + sizeof " · " <= sizeof lane->label)
		(void)snprintf(lane->label + len, sizeof lane->label - len, " · %s", text);
}

static void layout_lanes(struct svg_layout *l, double y)
{
	for (unsigned i = 0; i < l->lanes; i++) {
		struct svg_lane *lane = &l->lane[i];
		const struct history_op *op = lane->op;
		const struct history_op *above = i > 0 ? l->lane[i - 1].op : NULL;
		unsigned lines;

		if (!above || above->node != op->node || above->session != op->session) {
			layout_row_name(l, op, lane->row);
			lane->row_y = y + ROW_HEIGHT - 5;
			y += ROW_HEIGHT;
		}
		svg_label(l->svg->h, op, lane->label);
		lane_add_duration(lane);
		lines = text_wrap(lane->label);
		lane->from = layout_x(l, op->t_invoke_ns);
		lane->to = op->t_return_ns == UINT64_MAX ? SVG_RIGHT : layout_x(l, op->t_return_ns);
		if (lane->to < lane->from + BAR_LEAST)
			lane->to = lane->from + BAR_LEAST;
		lane->label_x = text_start(lane->from, text_width(lane->label));
		lane->label_y = y + 13;
		y += (lines - 1) * SVG_LINE;
		lane->bar_y = y + 25;
		y += LANE_HEIGHT;
	}
	l->axis_y = y + 2;
}

static unsigned row_for(double *row_end, unsigned rows, double from, double to)
{
	for (unsigned i = 0; i < rows; i++) {
		if (from < row_end[i])
			continue;
		row_end[i] = to + 8;
		return i;
	}
	return rows;
}

#define PLACE_ROWS_MAX 4

/* A name that finds no room on any row goes; its band or line stays. */
static unsigned place_name(struct svg_place *p, double *row_end, unsigned used)
{
	double width = text_width(p->name);
	double from = text_start(p->from + 3, width);

	p->label_x = from;
	(void)snprintf(p->label, sizeof p->label, "%s", p->name);
	p->row = row_for(row_end, PLACE_ROWS_MAX, from, from + width);
	if (p->row == PLACE_ROWS_MAX) {
		p->label[0] = '\0';
		p->row = 0;
	}
	return p->row + 1 > used ? p->row + 1 : used;
}

static void layout_bands(struct svg_layout *l)
{
	double row_end[PLACE_ROWS_MAX] = {0};
	uint64_t first = layout_first(l);
	uint64_t last = layout_last(l);

	for (size_t i = 0; i < l->svg->bands && l->bands < SVG_BANDS_MAX; i++) {
		const struct svg_band *b = &l->svg->band[i];
		struct svg_place *p = &l->band[l->bands];

		if (b->from_ns > last || b->to_ns < first)
			continue;
		*p = (struct svg_place){
			.from = b->from_ns <= first ? SVG_LEFT : layout_x(l, b->from_ns),
			.to = b->to_ns >= last ? SVG_RIGHT : layout_x(l, b->to_ns),
			.name = b->name};
		l->band_rows = place_name(p, row_end, l->band_rows);
		l->bands++;
	}
}

static void layout_marks(struct svg_layout *l)
{
	double row_end[PLACE_ROWS_MAX] = {0};
	uint64_t first = layout_first(l);
	uint64_t last = layout_last(l);

	for (size_t i = 0; i < l->svg->marks && l->marks < SVG_MARKS_MAX; i++) {
		const struct svg_mark *m = &l->svg->mark[i];
		struct svg_place *p = &l->mark[l->marks];

		if (m->t_ns < first || m->t_ns > last)
			continue;
		*p = (struct svg_place){.from = layout_x(l, m->t_ns), .name = m->name};
		l->mark_rows = place_name(p, row_end, l->mark_rows);
		l->marks++;
	}
}

/* Ends of operations have their times at the axis. */
static bool time_is_labelled(const struct svg_layout *l, uint64_t t_ns)
{
	for (unsigned i = 0; i < l->lanes; i++)
		if (l->lane[i].op->t_invoke_ns == t_ns || l->lane[i].op->t_return_ns == t_ns)
			return true;
	return false;
}

/* Milliseconds, or finer if two labelled times are nearer to each other than that. */
static unsigned layout_decimals(const struct svg_layout *l)
{
	uint64_t least = 1000000;
	uint64_t last = 0;
	unsigned decimals = 3;

	for (unsigned i = 0; i < l->times; i++) {
		if (!time_is_labelled(l, l->time[i]))
			continue;
		if (last > 0 && l->time[i] - last < least)
			least = l->time[i] - last;
		last = l->time[i];
	}
	for (uint64_t step = 1000000; step > least && decimals < 9; step /= 10)
		decimals++;
	return decimals;
}

static void layout_ticks(struct svg_layout *l)
{
	double row_end[SVG_TICK_ROWS_MAX] = {0};
	double width;

	l->decimals = layout_decimals(l);
	width = SVG_TICK_WIDTH + SVG_CHAR_WIDTH * (l->decimals - 3);
	for (unsigned i = 0; i < l->times; i++) {
		struct svg_tick *t = &l->tick[l->ticks];

		if (!time_is_labelled(l, l->time[i]))
			continue;
		*t = (struct svg_tick){.x = l->x[i], .t_ns = l->time[i]};
		t->label_x = text_start(t->x - width / 2, width);
		t->row = row_for(row_end, SVG_TICK_ROWS_MAX, t->label_x, t->label_x + width - 8);
		t->labelled = t->row < SVG_TICK_ROWS_MAX;
		t->label_x += width / 2;
		if (t->labelled && t->row + 1 > l->tick_rows)
			l->tick_rows = t->row + 1;
		l->ticks++;
	}
}

static bool op_is_over_before(const struct history_op *a, const struct history_op *b)
{
	return a->t_return_ns < b->t_invoke_ns;
}

/* No third one lies in between: what follows from two arrows needs none. */
static bool arrow_is_direct(const struct svg_layout *l, unsigned a, unsigned b)
{
	for (unsigned c = 0; c < l->lanes; c++)
		if (op_is_over_before(l->lane[a].op, l->lane[c].op) &&
			op_is_over_before(l->lane[c].op, l->lane[b].op))
			return false;
	return true;
}

static bool list_has(const struct history_ops *h, uint32_t first, uint32_t count, uint64_t value)
{
	for (uint32_t i = first; i < first + count; i++)
		if (h->list[i] == value)
			return true;
	return false;
}

/* Whether @op saw that @value was in @key. */
static bool op_saw(
	const struct history_ops *h, const struct history_op *op, uint64_t key, uint64_t value)
{
	if (op->outcome != HISTORY_OK)
		return false;
	for (uint32_t i = 0; op->kind == HISTORY_TRANSACTION && i < op->count; i++) {
		const struct history_micro *m = &h->micro[op->first + i];

		if (m->kind == HISTORY_READ && m->key == key &&
			list_has(h, m->first, m->count, value))
			return true;
	}
	if (op->key != key)
		return false;
	if (op->kind == HISTORY_READ)
		return op->many ? list_has(h, op->first, op->count, value) : op->value == value;
	return op->kind == HISTORY_CAS && op->met && op->old == value;
}

static bool op_saw_effect_of(
	const struct history_ops *h, const struct history_op *op, const struct history_op *of)
{
	for (uint32_t i = 0; of->kind == HISTORY_TRANSACTION && i < of->count; i++) {
		const struct history_micro *m = &h->micro[of->first + i];

		if (m->kind != HISTORY_READ && op_saw(h, op, m->key, m->value))
			return true;
	}
	if (of->kind != HISTORY_WRITE && of->kind != HISTORY_CAS && of->kind != HISTORY_APPEND &&
		of->kind != HISTORY_ADD)
		return false;
	return op_saw(h, op, of->key, of->value);
}

static void layout_arrows(struct svg_layout *l)
{
	for (unsigned a = 0; a < l->lanes; a++) {
		for (unsigned b = 0; b < l->lanes; b++) {
			const struct history_op *x = l->lane[a].op;
			const struct history_op *y = l->lane[b].op;
			bool saw = a != b && op_saw_effect_of(l->svg->h, y, x);

			if (saw)
				l->arrow[l->arrows++] =
					(struct svg_arrow){.from = a, .to = b, .saw = true};
			if (!saw && op_is_over_before(x, y) && arrow_is_direct(l, a, b))
				l->arrow[l->arrows++] = (struct svg_arrow){.from = a, .to = b};
		}
	}
}

void svg_layout(const struct svg *svg, struct svg_layout *ret)
{
	*ret = (struct svg_layout){.svg = svg};
	layout_sort_lanes(ret);
	layout_collect_times(ret);
	layout_scale(ret);
	layout_bands(ret);
	layout_marks(ret);
	ret->plot_y = SVG_MARGIN + SVG_LINE + 10;
	layout_lanes(ret, ret->plot_y + (ret->band_rows + ret->mark_rows) * SVG_LINE + 4);
	layout_ticks(ret);
	layout_arrows(ret);
	ret->words_y = ret->axis_y + (ret->tick_rows + 1) * (SVG_LINE - 2) + 22;
}
