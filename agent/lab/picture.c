/* SPDX-License-Identifier: MIT */
/* picture.c - what a run shows of itself while it goes on, as lines for a terminal */
#include "agent/lab/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"

#define INDENT 2
#define LABEL 13 /* with a blank behind it, where text begins */
#define TEXT (INDENT + LABEL)
/* A shorter bar or strip says nothing: then there are words alone. */
#define BAR_MIN 10
#define TAIL_MAX 96
/* What is called a second. */
#define SECOND_NS_MAX (1500 * NS_PER_MS)

void strips_begin(struct strips *s, unsigned phase, uint64_t begin_ns, uint64_t end_ns)
{
	unsigned sites = s->sites;

	memset(s, 0, sizeof *s);
	s->sites = sites;
	s->phase = phase;
	s->begin_ns = begin_ns;
	s->end_ns = end_ns;
	s->seen_ns = begin_ns;
}

static unsigned bin_of(const struct strips *s, uint64_t t_ns)
{
	uint64_t span = s->end_ns > s->begin_ns ? s->end_ns - s->begin_ns : 1;
	uint64_t at = t_ns > s->begin_ns ? t_ns - s->begin_ns : 0;

	/* A phase lasts a day at most: no overflow. What comes behind its end is in the last. */
	return at >= span ? STRIP_BINS - 1 : (unsigned)(at * STRIP_BINS / span);
}

/* All that ended since the last look, in each bin since then: more is not known. */
void strips_add(struct strips *s, const struct pulse_tally *tally, uint64_t now_ns)
{
	unsigned first = bin_of(s, s->seen_ns);
	unsigned last = bin_of(s, now_ns);

	for (unsigned site = 0; site < s->sites; site++) {
		struct pulse_tally *seen = &s->tally[site];
		uint64_t ok = tally[site].ok - seen->ok;
		uint64_t bad =
			tally[site].failed - seen->failed + tally[site].unknown - seen->unknown;

		for (unsigned i = first; i <= last; i++) {
			s->ok[site][i] += (uint32_t)ok;
			s->all[site][i] += (uint32_t)(ok + bad);
		}
		*seen = tally[site];
	}
	s->seen_ns = now_ns;
}

const char *picture_span(uint64_t ns, char *out, size_t size)
{
	uint64_t s = ns / NS_PER_S;

	if (s < 60)
		(void)snprintf(out, size, "%.1f s", units_s(ns - ns % (NS_PER_S / 10)));
	else if (s < 3600)
		(void)snprintf(out, size, "%" PRIu64 ":%02" PRIu64 " min", s / 60, s % 60);
	else
		(void)snprintf(out, size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " h", s / 3600,
			s / 60 % 60, s % 60);
	return out;
}

void picture_label(struct canvas *c, enum style style, const char *text)
{
	canvas_to(c, INDENT);
	canvas_label(c, style, LABEL - 1, text);
	canvas_to(c, TEXT);
}

static uint64_t left_ns(uint64_t end_ns, uint64_t now_ns)
{
	return end_ns > now_ns ? end_ns - now_ns : 0;
}

/* Bars and strips of one picture end in the same column: they are about the same time. */
static unsigned bar_width(const struct canvas *c)
{
	unsigned room = c->look.columns > TEXT + 1 ? c->look.columns - 1 - TEXT : 0;

	return room / 2 >= BAR_MIN ? room / 2 : 0;
}

/* Words, as many as there is room for: the first choice is the longest. */
static void put_fitting(struct canvas *c, char (*words)[TAIL_MAX], unsigned choices)
{
	unsigned pick = 0;

	while (pick + 1 < choices && strlen(words[pick]) > canvas_left(c))
		pick++;
	canvas_put(c, STYLE_PLAIN, "%s", words[pick]);
}

void picture_phase(struct canvas *c, const char *name, unsigned phase, unsigned phases,
	const uint64_t span_ns[2], uint64_t run_end_ns, uint64_t now_ns)
{
	char words[4][TAIL_MAX];
	char left[32];
	char run[32];
	double done = now_ns > span_ns[0] ? (double)(now_ns - span_ns[0]) : 0;
	unsigned bar = bar_width(c);

	picture_span(left_ns(span_ns[1], now_ns), left, sizeof left);
	picture_span(left_ns(run_end_ns, now_ns), run, sizeof run);
	(void)snprintf(words[0], TAIL_MAX, "%s left, %s of the run, phase %u of %u", left, run,
		phase, phases);
	(void)snprintf(words[1], TAIL_MAX, "%s left, run %s, %u of %u", left, run, phase, phases);
	if (!run_end_ns)
		(void)snprintf(words[1], TAIL_MAX, "%s left, phase %u of %u", left, phase, phases);
	(void)snprintf(words[2], TAIL_MAX, "%s left, %u of %u", left, phase, phases);
	(void)snprintf(words[3], TAIL_MAX, "%s left", left);
	picture_label(c, STYLE_BOLD, name);
	canvas_bar(c, bar, done / (double)(span_ns[1] - span_ns[0]));
	canvas_put(c, STYLE_PLAIN, "%s", bar ? "  " : "");
	put_fitting(c, words + (run_end_ns ? 0 : 1), run_end_ns ? 4 : 3);
	canvas_end(c);
}

/* "2.59", "20.6", "154": always three digits, so that what stands behind stays where it is. */
static const char *ms_words(uint64_t ns, char out[32])
{
	double ms = units_ms(ns);

	(void)snprintf(out, 32, "%.*f", ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0, ms);
	return out;
}

/* "  read p50 20.6 p99 30.1 ms  write ...", of what was answered. */
static void latency_words(const struct pulse_rates *rates, bool p99, char out[TAIL_MAX])
{
	static const char *const names[LOAD_KIND_NR] = {"read", "write"};
	char ms[32];
	size_t len = 0;

	*out = '\0';
	for (unsigned k = 0; k < LOAD_KIND_NR && len < TAIL_MAX; k++) {
		if (!rates->answers[k])
			continue;
		len += (size_t)snprintf(out + len, TAIL_MAX - len, "  %s p50 %s", names[k],
			ms_words(rates->p50_ns[k], ms));
		if (p99 && len < TAIL_MAX)
			len += (size_t)snprintf(out + len, TAIL_MAX - len, " p99 %s",
				ms_words(rates->p99_ns[k], ms));
		if (len < TAIL_MAX)
			len += (size_t)snprintf(out + len, TAIL_MAX - len, " ms");
	}
}

void picture_load(struct canvas *c, const struct pulse_rates *r)
{
	char words[3][TAIL_MAX] = {"", "", ""}; /* the last choice: nothing */
	char span[32];
	char label[40];

	if (!r->known)
		return;
	latency_words(r, true, words[0]);
	latency_words(r, false, words[1]);
	(void)snprintf(label, sizeof label, "last %s", picture_span(r->span_ns, span, sizeof span));
	picture_label(c, STYLE_DIM, r->span_ns < SECOND_NS_MAX ? "last second" : label);
	canvas_put(c, STYLE_PLAIN, "%.0f/s", r->ok_per_s);
	if (r->failed_per_s > 0)
		canvas_put(c, STYLE_BAD, ", %.0f/s failed", r->failed_per_s);
	put_fitting(c, words, 3);
	canvas_end(c);
}

static struct pulse_tally tally_of(const struct scene *scene, const struct strips *s, unsigned side)
{
	struct pulse_tally sum = {0};

	for (unsigned site = 0; site < s->sites; site++) {
		if (scene->side_of[site] != side)
			continue;
		sum.ok += s->tally[site].ok;
		sum.failed += s->tally[site].failed;
		sum.unknown += s->tally[site].unknown;
	}
	return sum;
}

/* " 99.8 %  993 ok, 2 failed" */
static void tail_words(const struct pulse_tally *t, char out[TAIL_MAX])
{
	uint64_t all = t->ok + t->failed + t->unknown;
	char number[32];
	size_t len;

	/* Not all is never 100 %. */
	if (!all)
		(void)snprintf(out, TAIL_MAX, "    - %%");
	else
		(void)snprintf(out, TAIL_MAX, "%5.*f %%", t->ok == all ? 0 : 1,
			floor(1000 * (double)t->ok / (double)all) / 10);
	len = strlen(out);
	len += (size_t)snprintf(out + len, TAIL_MAX - len, "  %s ok",
		units_print_count(t->ok, number, sizeof number));
	if (t->failed)
		len += (size_t)snprintf(out + len, TAIL_MAX - len, ", %s failed",
			units_print_count(t->failed, number, sizeof number));
	if (t->unknown)
		(void)snprintf(out + len, TAIL_MAX - len, ", %s unknown",
			units_print_count(t->unknown, number, sizeof number));
}

static void draw_strip(struct canvas *c, const struct scene *scene, const struct strips *s,
	unsigned side, unsigned width)
{
	unsigned filled = bin_of(s, s->seen_ns) + 1;

	for (unsigned cell = 0; cell < width; cell++) {
		unsigned first = cell * STRIP_BINS / width;
		unsigned end = (cell + 1) * STRIP_BINS / width;
		uint64_t ok = 0;
		uint64_t all = 0;

		if (first >= filled)
			break;
		for (unsigned i = first; i < end || i == first; i++) {
			for (unsigned site = 0; site < s->sites; site++) {
				if (scene->side_of[site] != side)
					continue;
				ok += s->ok[site][i];
				all += s->all[site][i];
			}
		}
		canvas_share(c, all ? (double)ok / (double)all : -1);
	}
}

static bool has_clients(const struct scene *scene, const struct strips *s, unsigned side)
{
	for (unsigned site = 0; site < s->sites; site++) {
		if (scene->side_of[site] == side)
			return true;
	}
	return false;
}

static void draw_sides(struct canvas *c, const struct scene *scene, const struct strips *s)
{
	unsigned width = bar_width(c);

	for (unsigned side = 0; side < scene->sides && side < PLAN_SIDES_MAX; side++) {
		struct pulse_tally t = tally_of(scene, s, side);
		char tail[TAIL_MAX];

		if (!has_clients(scene, s, side))
			continue;
		tail_words(&t, tail);
		picture_label(c, STYLE_PLAIN, scene->side[side]);
		draw_strip(c, scene, s, side, width);
		canvas_to(c, TEXT + width);
		canvas_put(c, STYLE_PLAIN, "%s%s", width ? "  " : "", tail);
		canvas_end(c);
	}
}

void picture_words(struct canvas *c, const char *name, enum style style, const char *words)
{
	if (!*words)
		return;
	picture_label(c, STYLE_DIM, name);
	canvas_put(c, style, "%s", words);
	canvas_end(c);
}

void picture_draw(struct canvas *c, const struct scene *scene, const struct strips *strips,
	const struct pulse_rates *rates, unsigned phases, uint64_t now_ns)
{
	canvas_end(c); /* apart from what was printed before */
	if (*scene->doing) {
		picture_label(c, STYLE_BOLD, scene->label);
		canvas_put(c, STYLE_PLAIN, "%s", scene->doing);
		canvas_end(c);
	} else {
		picture_phase(c, scene->label, scene->phase + 1, phases,
			(const uint64_t[]){scene->begin_ns, scene->end_ns}, scene->run_end_ns,
			now_ns);
	}
	picture_words(c, "faults", STYLE_WARN, scene->what);
	picture_words(c, "replicas", STYLE_WARN, scene->harm);
	picture_words(c, "leader", STYLE_COOL, scene->leader);
	picture_load(c, rates);
	if (!*scene->doing)
		draw_sides(c, scene, strips);
}
