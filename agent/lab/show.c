/* SPDX-License-Identifier: MIT */
/* show.c - the link matrix in force, for people and as JSON: rows send, columns receive */
#include "agent/lab/show.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/base/units.h"
#include "netns/link_words.h"

#define TABLE_NODES_MAX \
	24 /* more columns than that nobody reads: then changed links are listed \
	    */

/* Letters behind a delay: what else the link does. */
static const struct mark {
	char letter;
	enum link_field field;
	const char *what;
} marks[] = {
	{'L', LINK_LOSS, "loss"},
	{'#', LINK_DROP, "drop"},
	{'D', LINK_DUPLICATE, "duplicate"},
	{'C', LINK_CORRUPT, "corrupt"},
	{'O', LINK_REORDER, "reorder"},
	{'R', LINK_RATE, "rate"},
	{'F', LINK_FLAP, "flap"},
};
#define MARKS (sizeof marks / sizeof *marks)

/* What the cells of a table show. */
struct view {
	const struct supervisor *s;
	const struct link_matrix *m;
	int field; /* enum link_field; -1: delays and marks */
	unsigned width;
};

static const char *node_name(const struct view *v, unsigned i)
{
	return v->s->plan->node[i].name;
}

static size_t cell_delay(const struct link_state *link, char *out, size_t size)
{
	if (link->jitter_ns)
		return (size_t)snprintf(out, size, "%.4g+-%.3g", units_ms(link->delay_ns),
			units_ms(link->jitter_ns));
	return (size_t)snprintf(out, size, "%.4g", units_ms(link->delay_ns));
}

void show_cell(const struct link_state *link, char out[SHOW_CELL_MAX])
{
	char words[LINK_WORDS_TEXT_MAX];
	size_t len;

	if (link->cut) {
		(void)snprintf(out, SHOW_CELL_MAX, "%s",
			link->cut == CUT_EDGE   ? "cut"
			: link->cut == CUT_WIRE ? "cut/w"
						: "cut/r");
		return;
	}
	len = cell_delay(link, out, SHOW_CELL_MAX);
	for (size_t i = 0; i < MARKS && len + 1 < SHOW_CELL_MAX; i++) {
		if (!*link_field_print(marks[i].field, link, words))
			continue;
		out[len++] = marks[i].letter;
		out[len] = '\0';
	}
}

static void cell(const struct view *v, unsigned a, unsigned b, char out[LINK_WORDS_TEXT_MAX])
{
	const struct link_state *link = link_matrix_at(v->m, a, b);

	if (a == b) {
		(void)snprintf(out, SHOW_CELL_MAX, "-");
	} else if (v->field >= 0) {
		link_field_print((enum link_field)v->field, link, out);
		if (!*out)
			(void)snprintf(out, SHOW_CELL_MAX, ".");
	} else {
		show_cell(link, out);
	}
}

static void measure_cells(struct view *v)
{
	char text[LINK_WORDS_TEXT_MAX];

	v->width = 5;
	for (unsigned a = 0; a < v->m->nodes; a++) {
		unsigned len = (unsigned)strlen(node_name(v, a));

		v->width = len > v->width ? len : v->width;
		for (unsigned b = 0; b < v->m->nodes; b++) {
			cell(v, a, b, text);
			len = (unsigned)strlen(text);
			v->width = len > v->width ? len : v->width;
		}
	}
}

static bool any_cut(const struct link_matrix *m, enum link_cut cut)
{
	for (size_t i = 0; i < (size_t)m->nodes * m->nodes; i++) {
		if (m->link[i].cut == cut)
			return true;
	}
	return false;
}

/* Only of what is there. */
static void print_legend(const struct view *v, FILE *out)
{
	char words[LINK_WORDS_TEXT_MAX];
	const char *glue = "  ";

	if (any_cut(v->m, CUT_WIRE)) {
		fprintf(out, "%scut/w: what was under way is lost, too", glue);
		glue = ", ";
	}
	if (any_cut(v->m, CUT_REJECT)) {
		fprintf(out, "%scut/r: the sender is told", glue);
		glue = ", ";
	}
	for (size_t k = 0; k < MARKS; k++) {
		for (size_t i = 0; i < (size_t)v->m->nodes * v->m->nodes; i++) {
			if (!*link_field_print(marks[k].field, &v->m->link[i], words))
				continue;
			fprintf(out, "%s%c %s", glue, marks[k].letter, marks[k].what);
			glue = ", ";
			break;
		}
	}
	if (*glue == ',')
		fprintf(out, " ('pacelab link --show all' has the values)\n");
}

static void print_downs(const struct view *v, FILE *out)
{
	for (unsigned i = 0; i < v->m->nodes; i++) {
		if (v->m->down[i])
			fprintf(out, "  %s is down: it has no carrier\n", node_name(v, i));
	}
}

static void print_table(struct view *v, FILE *out)
{
	char text[LINK_WORDS_TEXT_MAX];

	measure_cells(v);
	fprintf(out, "%-15s", "");
	for (unsigned b = 0; b < v->m->nodes; b++)
		fprintf(out, " %*s", (int)v->width, node_name(v, b));
	fprintf(out, "\n");
	for (unsigned a = 0; a < v->m->nodes; a++) {
		fprintf(out, "%-15s", node_name(v, a));
		for (unsigned b = 0; b < v->m->nodes; b++) {
			cell(v, a, b, text);
			fprintf(out, " %*s", (int)v->width, text);
		}
		fprintf(out, "\n");
	}
	if (v->field < 0)
		print_legend(v, out);
	print_downs(v, out);
}

/* One line a link: all that are not clean, or with @changed those that are not as the script has
 * them. */
static void print_list(const struct view *v, bool changed, FILE *out)
{
	char words[LINK_WORDS_TEXT_MAX];
	unsigned others = 0;

	for (unsigned a = 0; a < v->m->nodes; a++) {
		for (unsigned b = 0; b < v->m->nodes; b++) {
			const struct link_state *link = link_matrix_at(v->m, a, b);
			struct link_state otherwise = {0};

			if (a == b)
				continue;
			if (changed)
				otherwise = *link_matrix_at(&v->s->plan->base, a, b);
			if (link_state_same(link, &otherwise)) {
				others++;
				continue;
			}
			fprintf(out, "  %-15s > %-15s %s", node_name(v, a), node_name(v, b),
				link_words_print(link, words));
			if (link->cut)
				fprintf(out, ", cut (%s)", link_cut_names[link->cut]);
			fprintf(out, "\n");
		}
	}
	if (others)
		fprintf(out, "  %u links %s\n", others,
			changed ? "are as the script says" : "are clean");
	print_downs(v, out);
}

/* Counters that are seldom more than 0. */
static const struct {
	const char *name;
	size_t offset;
} rare[] = {
	{"queue_dropped", offsetof(struct fabric_counters, queue_dropped)},
	{"corrupted", offsetof(struct fabric_counters, corrupted)},
	{"reordered", offsetof(struct fabric_counters, reordered)},
	{"rejected", offsetof(struct fabric_counters, rejected)},
	{"flushed", offsetof(struct fabric_counters, flushed)},
};
#define RARE (sizeof rare / sizeof *rare)

static const uint64_t *rare_counter(const struct fabric_counters *c, size_t i)
{
	return (const uint64_t *)((const char *)c + rare[i].offset);
}

static void print_counters(const struct view *v, FILE *out)
{
	fprintf(out,
		"frames since the lab was built; passed + dropped (cut, flap) + lost = offered\n");
	fprintf(out, "  %-15s   %-15s %10s %10s %10s %10s %10s\n", "from", "to", "offered",
		"passed", "dropped", "lost", "doubled");
	for (unsigned a = 0; a < v->m->nodes; a++) {
		for (unsigned b = 0; b < v->m->nodes; b++) {
			struct fabric_counters c = {0};

			if (a == b)
				continue;
			fabric_counters(v->s->fabric, a, b, &c);
			if (!c.offered)
				continue;
			fprintf(out,
				"  %-15s > %-15s %10" PRIu64 " %10" PRIu64 " %10" PRIu64
				" %10" PRIu64 " %10" PRIu64,
				node_name(v, a), node_name(v, b), c.offered, c.passed, c.dropped,
				c.lost, c.doubled);
			for (size_t i = 0; i < RARE; i++) {
				if (*rare_counter(&c, i))
					fprintf(out, "  %s %" PRIu64, rare[i].name,
						*rare_counter(&c, i));
			}
			fprintf(out, "\n");
		}
	}
}

static int fail_what(const char *what, struct err *err)
{
	char all[256] = "";

	for (unsigned i = 0; i < LINK_FIELD_NR; i++) {
		size_t len = strlen(all);

		(void)snprintf(all + len, sizeof all - len, ", %s", link_words_list(i)->name);
	}
	return err_usage(err, "--show: there is no '%.32s': all, counters%s are", what, all);
}

int show_text(const struct supervisor *s, const char *what, FILE *out, struct err *err)
{
	struct view v = {.s = s, .field = -1};

	for (int i = 0; what && i < LINK_FIELD_NR; i++) {
		if (strcmp(link_words_list((unsigned)i)->name, what) == 0)
			v.field = i;
	}
	if (what && v.field < 0 && strcmp(what, "all") != 0 && strcmp(what, "counters") != 0)
		return fail_what(what, err);
	v.m = fabric_matrix(s->fabric);
	if (what && strcmp(what, "counters") == 0) {
		print_counters(&v, out);
	} else if (what && strcmp(what, "all") == 0) {
		fprintf(out, "links in words, one way\n");
		print_list(&v, false, out);
	} else if (v.m->nodes > TABLE_NODES_MAX) {
		fprintf(out, "links in words, one way\n");
		print_list(&v, true, out);
	} else {
		if (v.field < 0)
			fprintf(out, "one-way delay in ms from the row's node to the column's\n");
		else
			fprintf(out, "%s from the row's node to the column's\n", what);
		print_table(&v, out);
	}
	return 0;
}

static void link_json(const struct view *v, unsigned a, unsigned b, struct json *j)
{
	const struct link_state *link = link_matrix_at(v->m, a, b);
	char words[LINK_WORDS_TEXT_MAX];
	struct fabric_counters c = {0};

	fabric_counters(v->s->fabric, a, b, &c);
	json_object(j);
	json_key(j, "from");
	json_string(j, node_name(v, a));
	json_key(j, "to");
	json_string(j, node_name(v, b));
	json_key(j, "cut");
	json_bool(j, link->cut != CUT_NONE);
	json_key(j, "cut_kind");
	json_string(j, link_cut_names[link->cut]);
	json_key(j, "words");
	json_string(j, link_words_print(link, words));
	json_key(j, "delay_ms");
	json_double(j, units_ms(link->delay_ns));
	json_key(j, "jitter_ms");
	json_double(j, units_ms(link->jitter_ns));
	for (int i = LINK_DISTRIBUTION; i < LINK_FIELD_NR; i++) {
		json_key(j, link_words_list((unsigned)i)->name);
		if (*link_field_print((enum link_field)i, link, words))
			json_string(j, words);
		else
			json_null(j);
	}
	json_key(j, "from_down");
	json_bool(j, v->m->down[a]);
	json_key(j, "to_down");
	json_bool(j, v->m->down[b]);
	json_key(j, "offered");
	json_uint(j, c.offered);
	json_key(j, "passed");
	json_uint(j, c.passed);
	json_key(j, "dropped");
	json_uint(j, c.dropped);
	json_key(j, "lost");
	json_uint(j, c.lost);
	json_key(j, "doubled");
	json_uint(j, c.doubled);
	for (size_t i = 0; i < RARE; i++) {
		json_key(j, rare[i].name);
		json_uint(j, *rare_counter(&c, i));
	}
	json_object_end(j);
}

void show_json(const struct supervisor *s, FILE *out)
{
	struct view v = {.s = s, .m = fabric_matrix(s->fabric)};
	struct json j;

	json_init(&j, out);
	json_array(&j);
	for (unsigned a = 0; a < v.m->nodes; a++) {
		for (unsigned b = 0; b < v.m->nodes; b++) {
			if (a != b)
				link_json(&v, a, b, &j);
		}
	}
	json_array_end(&j);
	fprintf(out, "\n");
}
