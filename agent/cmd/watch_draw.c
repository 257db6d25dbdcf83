/* SPDX-License-Identifier: MIT */
/* watch_draw.c - a lab just now as a picture for a terminal */
#include "agent/cmd/watch_draw.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/lab/picture.h"

#define ROWS_MAX FABRIC_NODES_MAX
#define FAULT_LINES_MAX 4
#define NAME_MIN 4
#define NAME_MAX_SHOWN 15
#define STATE_WIDTH 10
#define TEXT_MAX 24
/* An answer that is late by more than usual is said to be late. */
#define SILENT_NS NS_PER_S

/* What a row may tell, in the order in which it stands there. */
enum column {
	COLUMN_SITE,
	COLUMN_TERM,
	COLUMN_COMMITTED,
	COLUMN_LAG,
	COLUMN_CLOCK,
	COLUMN_OUT,
	COLUMN_IN,
	COLUMN_LOST,
	COLUMN_NR
};

static const char *const titles[COLUMN_NR] = {
	[COLUMN_SITE] = "site",
	[COLUMN_TERM] = "term",
	[COLUMN_COMMITTED] = "commit",
	[COLUMN_LAG] = "lag",
	[COLUMN_CLOCK] = "clock",
	[COLUMN_OUT] = "out/s",
	[COLUMN_IN] = "in/s",
	[COLUMN_LOST] = "lost/s",
};

/* Where there is no room for all of them, the first ones are shown. */
static const enum column wanted[COLUMN_NR] = {COLUMN_CLOCK, COLUMN_LAG, COLUMN_OUT, COLUMN_IN,
	COLUMN_LOST, COLUMN_TERM, COLUMN_COMMITTED, COLUMN_SITE};

/* The links of the 61 rows of a table have these names. */
static const char numbers[] = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
_Static_assert(sizeof numbers - 1 == LIVE_LETTERS_MAX, "a number for each row");

struct row {
	const char *name;
	char state[TEXT_MAX];
	enum style style;
	char text[COLUMN_NR][TEXT_MAX]; /* "": it has no such thing */
};

struct table {
	struct row row[ROWS_MAX];
	unsigned rows;
	bool sites;
	bool waits; /* some replica is not ready */
	unsigned name_width;
	unsigned width[COLUMN_NR]; /* 0: not shown */
	unsigned cell_width;       /* of a link; 0: not shown; 1: a letter */
};

static double per_s(uint64_t now, uint64_t before, uint64_t span_ns)
{
	return now > before && span_ns ? (double)(now - before) / units_s(span_ns) : 0;
}

/* Frames of a node by second: offered by it, let through to it, lost. */
struct flow {
	double out;
	double in;
	double lost;
};

static struct flow flow_of(const struct watch_picture *p, unsigned i)
{
	const struct watch_node *now = &p->view->node[i];
	const struct watch_node *before = p->before ? &p->before->node[i] : NULL;
	uint64_t span = before ? p->view->t_ns - p->before->t_ns : 0;

	if (!before)
		return (struct flow){0};
	return (struct flow){.out = per_s(now->sent, before->sent, span),
		.in = per_s(now->got, before->got, span),
		.lost = per_s(now->lost, before->lost, span)};
}

static uint64_t committed_max(const struct watch_lab *v)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < v->nodes; i++)
		most = v->node[i].committed > most ? v->node[i].committed : most;
	return most;
}

static void flow_text(const struct watch_picture *p, const struct flow *f, struct row *row)
{
	if (!p->before)
		return;
	(void)snprintf(row->text[COLUMN_OUT], TEXT_MAX, "%.0f", f->out);
	(void)snprintf(row->text[COLUMN_IN], TEXT_MAX, "%.0f", f->in);
	if (f->lost > 0)
		(void)snprintf(row->text[COLUMN_LOST], TEXT_MAX, "%.0f", f->lost);
}

/* "leader", "follower*" where it is not ready, "paused", "no carrier". */
static void node_state(const struct watch_lab *v, const struct watch_node *n, struct row *row)
{
	bool up = n->state == WATCH_UP;

	row->style = n->state == WATCH_DOWN || !n->carrier ? STYLE_BAD
		     : n->state == WATCH_PAUSED            ? STYLE_WARN
		     : n->state == WATCH_CLIENT            ? STYLE_DIM
		     : up && !n->ready                     ? STYLE_WARN
		     : strcmp(n->name, v->leader) == 0     ? STYLE_COOL
							   : STYLE_PLAIN;
	if (!n->carrier && n->state != WATCH_DOWN)
		(void)snprintf(row->state, TEXT_MAX, "no carrier");
	else if (up)
		(void)snprintf(row->state, TEXT_MAX, "%.20s%s", *n->role ? n->role : "up",
			n->ready ? "" : "*");
	else
		(void)snprintf(row->state, TEXT_MAX, "%s", watch_state_names[n->state]);
}

static void replica_text(const struct watch_node *n, uint64_t most, struct row *row)
{
	char offset[32];

	if (n->skew_ns)
		(void)snprintf(row->text[COLUMN_CLOCK], TEXT_MAX, "%s%.20s",
			n->skew_ns > 0 ? "+" : "",
			units_print_offset(n->skew_ns, offset, sizeof offset));
	if (n->state != WATCH_UP && n->state != WATCH_PAUSED)
		return;
	if (n->term)
		(void)snprintf(row->text[COLUMN_TERM], TEXT_MAX, "%" PRIu64, n->term);
	if (!most)
		return;
	units_print_count(n->committed, row->text[COLUMN_COMMITTED], TEXT_MAX);
	units_print_count(most - n->committed, row->text[COLUMN_LAG], TEXT_MAX);
}

static void rows_of_nodes(const struct watch_picture *p, struct table *t)
{
	const struct watch_lab *v = p->view;
	uint64_t most = committed_max(v);

	t->rows = v->nodes;
	for (unsigned i = 0; i < v->nodes; i++) {
		const struct watch_node *n = &v->node[i];
		struct flow flow = flow_of(p, i);
		struct row *row = &t->row[i];

		row->name = n->name;
		node_state(v, n, row);
		(void)snprintf(row->text[COLUMN_SITE], TEXT_MAX, "%.23s", v->site[n->site]);
		if (n->replica)
			replica_text(n, most, row);
		flow_text(p, &flow, row);
		t->waits = t->waits || (n->state == WATCH_UP && !n->ready);
	}
}

/* "9 up", "7 of 9 up". */
static void site_state(unsigned up, unsigned replicas, struct row *row)
{
	row->style = up == replicas ? STYLE_PLAIN : up ? STYLE_WARN : STYLE_BAD;
	if (up == replicas)
		(void)snprintf(row->state, TEXT_MAX, "%u up", up);
	else
		(void)snprintf(row->state, TEXT_MAX, "%u/%u up", up, replicas);
}

static void rows_of_sites(const struct watch_picture *p, struct table *t)
{
	const struct watch_lab *v = p->view;
	uint64_t most = committed_max(v);

	t->sites = true;
	t->rows = v->sites;
	for (unsigned site = 0; site < v->sites; site++) {
		struct flow sum = {0};
		uint64_t least = most;
		unsigned replicas = 0;
		unsigned up = 0;
		struct row *row = &t->row[site];

		for (unsigned i = 0; i < v->nodes; i++) {
			const struct watch_node *n = &v->node[i];
			struct flow flow = flow_of(p, i);

			if (n->site != site)
				continue;
			sum.out += flow.out;
			sum.in += flow.in;
			sum.lost += flow.lost;
			replicas += n->replica;
			up += n->state == WATCH_UP && n->carrier;
			if (n->state == WATCH_UP && n->committed < least)
				least = n->committed;
		}
		row->name = v->site[site];
		site_state(up, replicas, row);
		if (most && up)
			units_print_count(most - least, row->text[COLUMN_LAG], TEXT_MAX);
		flow_text(p, &sum, row);
	}
}

static void columns_choose(struct table *t, unsigned room)
{
	for (unsigned k = 0; k < COLUMN_NR; k++) {
		enum column i = wanted[k];
		unsigned width = 0;

		for (unsigned r = 0; r < t->rows; r++) {
			unsigned len = (unsigned)strlen(t->row[r].text[i]);

			width = len > width ? len : width;
		}
		if (width == 0)
			continue;
		if (strlen(titles[i]) > width)
			width = (unsigned)strlen(titles[i]);
		if (width + 1 > room)
			continue;
		t->width[i] = width + 1;
		room -= width + 1;
	}
}

static char letter_at(const struct watch_lab *v, const struct table *t, unsigned a, unsigned b)
{
	return t->sites ? v->site_letter[a][b] : v->letter[a][b];
}

/* Delays in words need more room than a letter, and are of nodes only. */
static unsigned cells_width(const struct watch_lab *v, const struct table *t)
{
	unsigned width = 3;

	if (t->sites || !v->celled)
		return 0;
	for (unsigned a = 0; a < t->rows; a++) {
		unsigned len = (unsigned)strlen(t->row[a].name);

		width = len > width && len < 8 ? len : width;
		for (unsigned b = 0; b < t->rows; b++) {
			len = (unsigned)strlen(v->cell[a][b]);
			width = len > width ? len : width;
		}
	}
	return width;
}

/* Name and state always; then the links by letter, columns, and delays if there is room left. */
static void table_measure(const struct watch_lab *v, struct table *t, unsigned room)
{
	unsigned links = 0;
	unsigned cells = cells_width(v, t);

	t->name_width = NAME_MIN;
	for (unsigned r = 0; r < t->rows; r++) {
		unsigned len = term_width(t->row[r].name, strlen(t->row[r].name));

		t->name_width = len > t->name_width ? len : t->name_width;
	}
	if (t->name_width > NAME_MAX_SHOWN)
		t->name_width = NAME_MAX_SHOWN;
	links = 4 + t->name_width + 1 + STATE_WIDTH + 1 + 2 * t->rows;
	if (links <= room && (t->sites || v->lettered))
		t->cell_width = 1;
	else
		links -= 2 * t->rows;
	columns_choose(t, links < room ? room - links : 0);
	for (unsigned i = 0; i < COLUMN_NR; i++)
		links += t->width[i];
	if (t->cell_width && cells && links + (cells - 1) * t->rows <= room)
		t->cell_width = cells;
}

static enum style letter_style(char letter)
{
	return letter == LIVE_AS_WANTED || letter == ' '   ? STYLE_DIM
	       : letter == LIVE_CUT || letter == LIVE_DOWN ? STYLE_BAD
							   : STYLE_WARN;
}

static void draw_titles(struct canvas *c, const struct table *t)
{
	char number[2] = "";

	canvas_to(c, 4);
	canvas_label(c, STYLE_DIM, t->name_width + 1, t->sites ? "site" : "node");
	canvas_label(c, STYLE_DIM, STATE_WIDTH + 1, t->sites ? "replicas" : "is");
	for (unsigned i = 0; i < COLUMN_NR; i++) {
		if (t->width[i])
			canvas_put(c, STYLE_DIM, "%*s", (int)t->width[i], titles[i]);
	}
	if (t->cell_width)
		canvas_put(c, STYLE_PLAIN, "  ");
	for (unsigned b = 0; t->cell_width && b < t->rows; b++) {
		number[0] = numbers[b];
		canvas_put(c, STYLE_DIM, "%s%*.*s", b ? " " : "", (int)t->cell_width,
			(int)t->cell_width, t->cell_width > 1 ? t->row[b].name : number);
	}
	canvas_end(c);
}

static void draw_links(
	struct canvas *c, const struct watch_lab *v, const struct table *t, unsigned a)
{
	if (t->cell_width)
		canvas_put(c, STYLE_PLAIN, "  ");
	for (unsigned b = 0; t->cell_width && b < t->rows; b++) {
		char letter = letter_at(v, t, a, b);
		char one[] = {letter, '\0'};

		canvas_put(c, STYLE_PLAIN, "%s", b ? " " : "");
		if (t->cell_width > 1)
			canvas_put(c, letter == LIVE_AS_WANTED ? STYLE_PLAIN : letter_style(letter),
				"%*s", (int)t->cell_width, v->cell[a][b]);
		else if (letter == LIVE_AS_WANTED)
			canvas_pick(c, STYLE_DIM, "·", ".");
		else
			canvas_put(c, letter_style(letter), "%s", one);
	}
}

static void draw_row(struct canvas *c, const struct watch_lab *v, const struct table *t, unsigned r)
{
	const struct row *row = &t->row[r];

	canvas_to(c, 2);
	if (t->cell_width == 1)
		canvas_put(c, STYLE_DIM, "%c", numbers[r]);
	canvas_to(c, 4);
	canvas_label(c, STYLE_PLAIN, t->name_width, row->name);
	canvas_put(c, STYLE_PLAIN, " ");
	canvas_label(c, row->style, STATE_WIDTH, row->state);
	canvas_put(c, STYLE_PLAIN, " ");
	for (unsigned i = 0; i < COLUMN_NR; i++) {
		enum style style = i == COLUMN_LOST || i == COLUMN_CLOCK ? STYLE_WARN : STYLE_PLAIN;

		if (t->width[i])
			canvas_put(c, style, "%*s", (int)t->width[i], row->text[i]);
	}
	draw_links(c, v, t, r);
	canvas_end(c);
}

/* The letters that stand in the table, and what they mean. */
static void draw_legend(struct canvas *c, const struct watch_lab *v, const struct table *t)
{
	const struct live_letter *l;
	const char *glue = "";

	canvas_to(c, 4);
	for (unsigned i = 0; t->cell_width && (l = live_letters(i)); i++) {
		bool there = false;

		for (unsigned a = 0; a < t->rows && !there; a++) {
			for (unsigned b = 0; b < t->rows && !there; b++)
				there = letter_at(v, t, a, b) == l->letter;
		}
		if (!there || t->cell_width > 1)
			continue;
		canvas_put(c, STYLE_DIM, "%s%c %s", glue, l->letter, l->what);
		glue = ", ";
	}
	if (t->cell_width > 1) {
		canvas_put(c, STYLE_DIM, "links: one way in ms, from the row to the column");
		glue = ", ";
	}
	if (t->waits)
		canvas_put(c, STYLE_DIM, "%s* is not ready to serve", glue);
	canvas_end(c);
}

static unsigned lines_of(const struct canvas *c)
{
	unsigned lines = 0;

	for (size_t i = 0; i < c->text.len; i++)
		lines += c->text.p[i] == '\n';
	return lines;
}

static void draw_table(struct canvas *c, const struct watch_picture *p)
{
	const struct watch_lab *v = p->view;
	struct table t = {.rows = 0};
	unsigned room = c->look.rows ? c->look.rows - lines_of(c) : ROWS_MAX + 2;
	unsigned shown;

	if (c->look.rows && lines_of(c) + 3 > c->look.rows)
		return;
	if (v->lettered && v->nodes + 1 <= room)
		rows_of_nodes(p, &t);
	else
		rows_of_sites(p, &t);
	table_measure(v, &t, c->look.columns > 1 ? c->look.columns - 1 : 1);
	draw_titles(c, &t);
	shown = t.rows + 1 <= room ? t.rows : room - 2;
	for (unsigned r = 0; r < shown; r++)
		draw_row(c, v, &t, r);
	if (shown < t.rows) {
		canvas_to(c, 4);
		canvas_put(c, STYLE_DIM, "and %u more %s", t.rows - shown,
			t.sites ? "sites" : "nodes");
		canvas_end(c);
	} else if (t.rows + 2 <= room) {
		draw_legend(c, v, &t);
	}
}

static void draw_head(struct canvas *c, const struct watch_picture *p)
{
	const struct watch_lab *v = p->view;
	char up[32];

	canvas_put(c, STYLE_BOLD, "lab %s", v->lab);
	canvas_put(c, STYLE_PLAIN, "  %s, up %s, emulator %s", v->store,
		picture_span(v->up_ns, up, sizeof up), v->emulator);
	if (p->silent_ns > SILENT_NS)
		canvas_put(c, STYLE_WARN, "  no answer for %s",
			picture_span(p->silent_ns, up, sizeof up));
	if (p->keys && canvas_left(c) >= 9) {
		canvas_to(c, c->look.columns - 8);
		canvas_put(c, STYLE_DIM, "q quits");
	}
	canvas_end(c);
}

static void draw_network(struct canvas *c, const struct watch_picture *p)
{
	const struct watch_lab *v = p->view;
	struct flow sum = {0};

	for (unsigned i = 0; i < v->nodes; i++) {
		struct flow flow = flow_of(p, i);

		sum.out += flow.out;
		sum.lost += flow.lost;
	}
	picture_label(c, STYLE_DIM, "network");
	if (v->links_cut)
		canvas_put(c, STYLE_BAD, "%u of %u links cut", v->links_cut, v->links);
	else
		canvas_put(c, STYLE_PLAIN, "%u links, none cut", v->links);
	if (p->before)
		canvas_put(c, STYLE_PLAIN, ", %.0f frames/s", sum.out);
	if (sum.lost > 0)
		canvas_put(c, STYLE_WARN, ", %.0f/s lost", sum.lost);
	canvas_end(c);
}

static void draw_faults(struct canvas *c, const struct watch_lab *v)
{
	picture_words(c, "phase's", STYLE_WARN, v->phase.what);
	for (unsigned i = 0; i < v->faults && i < FAULT_LINES_MAX; i++) {
		const struct watch_fault *f = &v->fault[i];

		picture_label(c, STYLE_DIM, i ? "" : "faults");
		canvas_put(c, STYLE_WARN, "%s", f->words);
		if (f->links == 1)
			canvas_put(c, STYLE_PLAIN, ": %s > %s", f->from, f->to);
		else
			canvas_put(c, STYLE_PLAIN, ": %u links, first %s > %s", f->links, f->from,
				f->to);
		canvas_end(c);
	}
	if (v->faults > FAULT_LINES_MAX || v->faults_more) {
		picture_label(c, STYLE_DIM, "");
		canvas_put(c, STYLE_PLAIN, "and more, see 'pacelab link --show all'");
		canvas_end(c);
	}
	picture_words(c, "replicas", STYLE_WARN, v->harm);
}

void watch_draw(struct canvas *c, const struct watch_picture *p)
{
	const struct watch_lab *v = p->view;
	char leader[WATCH_WORDS_MAX];

	draw_head(c, p);
	if (v->phase.number)
		picture_phase(c, v->phase.name, v->phase.number, v->phase.phases,
			(const uint64_t[]){v->phase.begin_ns, v->phase.end_ns}, 0, p->now_ns);
	if (p->load)
		picture_load(c, p->load);
	else
		picture_words(c, "load", STYLE_DIM,
			v->scripted ? "has not begun"
				    : "none: so no latencies; 'pacelab run' has one");
	draw_network(c, p);
	draw_faults(c, v);
	(void)snprintf(leader, sizeof leader, "%s, term %" PRIu64, v->leader, v->term);
	if (!v->term)
		(void)snprintf(leader, sizeof leader, "%s", v->leader);
	picture_words(c, "leader", STYLE_COOL, *v->leader ? leader : "");
	canvas_end(c);
	draw_table(c, p);
}
