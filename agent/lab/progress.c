/* SPDX-License-Identifier: MIT */
/* progress.c - what a run does just now: a picture on a terminal, else one line per phase */
#include "agent/lab/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/units.h"
#include "agent/base/wrap.h"
#include "agent/lab/harm.h"

#define SAY_INDENT 2

void progress_open(
	struct progress *p, FILE *out, const struct supervisor *s, struct load_shared *shared)
{
	struct term term;

	*p = (struct progress){.out = out, .s = s, .shared = shared};
	if (!out)
		return;
	(void)fflush(out);
	term_open(&term, fileno(out));
	if (term.terminal)
		p->painter = painter_start(fileno(out), shared, s->plan);
}

void progress_close(struct progress *p)
{
	painter_stop(p->painter);
	p->painter = NULL;
}

/* From now on plain lines: the process that draws is gone. */
static void painter_lost(struct progress *p, bool there)
{
	if (!there)
		progress_close(p);
}

static void emit(struct progress *p, const char *text, size_t len)
{
	if (p->painter) {
		painter_lost(p, painter_print(p->painter, text, len));
		return;
	}
	(void)fwrite(text, 1, len, p->out);
	(void)fflush(p->out);
}

void progress_say(struct progress *p, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	if (!p->out)
		return;
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	emit(p, line, strlen(line));
	emit(p, "\n", 1);
}

/* "east+west 1,993 ok, far 0 ok 488 failed": who could and who could not. */
static void sides_add(struct buf *line, const struct progress *p, unsigned phase)
{
	const struct plan *plan = p->s->plan;
	const struct plan_phase *ph = &plan->phase[phase];

	for (unsigned side = 0; side < ph->sides; side++) {
		struct pulse_tally sum = {0};
		char number[32];

		if (!ph->side[side].clients)
			continue;
		for (unsigned site = 0; site < plan->sites; site++) {
			struct pulse_tally t = pulse_tally(p->shared, phase, site);

			if (ph->side_of[plan->site[site].client] != side)
				continue;
			sum.ok += t.ok;
			sum.failed += t.failed;
			sum.unknown += t.unknown;
		}
		buf_printf(line, "   %s %s ok", ph->side[side].name,
			units_print_count(sum.ok, number, sizeof number));
		if (sum.failed)
			buf_printf(line, " %s failed",
				units_print_count(sum.failed, number, sizeof number));
		if (sum.unknown)
			buf_printf(line, " %s unknown",
				units_print_count(sum.unknown, number, sizeof number));
	}
}

static void scene_leader(struct progress *p, char out[SCENE_WORDS_MAX])
{
	uint64_t term;
	int leader = watchers_leader(p->s->watchers, &term);

	p->led = p->led || leader >= 0;
	if (leader < 0)
		(void)snprintf(out, SCENE_WORDS_MAX, "%s", p->led ? "nobody" : "");
	else if (term)
		(void)snprintf(out, SCENE_WORDS_MAX, "%s, term %" PRIu64,
			p->s->plan->node[leader].name, term);
	else
		(void)snprintf(out, SCENE_WORDS_MAX, "%s", p->s->plan->node[leader].name);
}

/* What cannot differ within a phase is not compared. */
static bool scene_same(const struct scene *a, const struct scene *b)
{
	return a->phase == b->phase && a->begin_ns == b->begin_ns && a->end_ns == b->end_ns &&
	       strcmp(a->label, b->label) == 0 && strcmp(a->leader, b->leader) == 0 &&
	       strcmp(a->harm, b->harm) == 0;
}

/* The painter hears of it only if it is another one. */
static void scene_send(struct progress *p, const struct scene *scene)
{
	if (!p->painter || scene_same(scene, &p->scene))
		return;
	p->scene = *scene;
	painter_lost(p, painter_scene(p->painter, scene));
}

static void scene_of(struct progress *p, unsigned phase, uint64_t end_ns, struct scene *ret)
{
	const struct plan *plan = p->s->plan;
	const struct plan_phase *ph = &plan->phase[phase];

	memset(ret, 0, sizeof *ret);
	(void)snprintf(ret->label, sizeof ret->label, "%s", ph->name);
	(void)snprintf(ret->what, sizeof ret->what, "%s", ph->what);
	scene_leader(p, ret->leader);
	harm_words(p->s, ret->harm, sizeof ret->harm);
	ret->phase = phase;
	ret->begin_ns = end_ns - ph->duration_ns;
	ret->end_ns = end_ns;
	ret->run_end_ns = end_ns;
	for (unsigned i = phase + 1; i < plan->phases; i++)
		ret->run_end_ns += plan->phase[i].duration_ns;
	ret->sides = ph->sides;
	for (unsigned i = 0; i < ph->sides; i++)
		(void)snprintf(ret->side[i], sizeof ret->side[i], "%s", ph->side[i].name);
	for (unsigned i = 0; i < plan->sites; i++)
		ret->side_of[i] = ph->side_of[plan->site[i].client];
}

void progress_doing(struct progress *p, const char *label, const char *what)
{
	struct scene scene;

	if (!p->painter)
		return;
	memset(&scene, 0, sizeof scene);
	(void)snprintf(scene.label, sizeof scene.label, "%s", label);
	(void)snprintf(scene.doing, sizeof scene.doing, "%s", what);
	scene_send(p, &scene);
}

uint64_t progress_tick(struct progress *p, unsigned phase, uint64_t end_ns, uint64_t now_ns)
{
	struct scene scene;

	if (!p->painter)
		return UINT64_MAX;
	if (now_ns < p->due_ns)
		return p->due_ns;
	p->due_ns = now_ns + PROGRESS_EVERY_NS;
	scene_of(p, phase, end_ns, &scene);
	scene_send(p, &scene);
	return p->due_ns;
}

void progress_phase_begin(struct progress *p, unsigned phase)
{
	const struct plan_phase *ph = &p->s->plan->phase[phase];
	char took[32];
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	p->due_ns = 0;
	if (!p->out || !ph->say)
		return;
	f = open_memstream(&text, &len);
	if (!f)
		return;
	fprintf(f, "\n%s, %s%s%s\n", ph->fit_rtt_ns ? "round trips" : ph->name,
		units_print_duration(ph->duration_ns, took, sizeof took),
		ph->what[0]      ? ": "
		: ph->fit_rtt_ns ? " for each distance"
				 : "",
		ph->what);
	wrap_text(f, SAY_INDENT, wrap_columns(p->out) - SAY_INDENT, ph->say);
	(void)fclose(f);
	emit(p, text, len);
	free(text);
}

void progress_phase_end(struct progress *p, unsigned phase, uint64_t took_ns)
{
	struct buf line = {0};

	if (!p->out)
		return;
	buf_printf(&line, "  %-12s %4.1f s", p->s->plan->phase[phase].name, units_s(took_ns));
	sides_add(&line, p, phase);
	buf_u8(&line, '\n');
	emit(p, (const char *)line.p, line.len);
	buf_fini(&line);
}
