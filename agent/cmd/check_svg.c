/* SPDX-License-Identifier: MIT */
/* check_svg.c - the picture of a witness, from a history's file */
#include "agent/cmd/check_svg.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/base/file.h"
#include "agent/history/marks.h"

struct surroundings {
	struct svg_band band[SVG_BANDS_MAX];
	size_t bands;
	struct svg_mark mark[SVG_MARKS_MAX];
	size_t marks;
};

static void phase_begins(struct surroundings *s, uint32_t phase, uint64_t t_ns)
{
	struct svg_band *b = &s->band[s->bands];

	if (s->bands == SVG_BANDS_MAX)
		return;
	if (s->bands > 0)
		s->band[s->bands - 1].to_ns = t_ns;
	*b = (struct svg_band){.from_ns = t_ns, .to_ns = UINT64_MAX};
	(void)snprintf(b->name, sizeof b->name, "phase %u", phase + 1);
	s->bands++;
}

static void fault_strikes(struct surroundings *s, uint32_t fault, uint64_t t_ns)
{
	struct svg_mark *m = &s->mark[s->marks];

	if (s->marks == SVG_MARKS_MAX)
		return;
	*m = (struct svg_mark){.t_ns = t_ns};
	(void)snprintf(m->name, sizeof m->name, "fault %u", fault + 1);
	s->marks++;
}

/* Operations, which stand by invocation, know their phase, too. */
static void phases_of(const struct history_ops *h, struct surroundings *s)
{
	uint32_t last = 0;

	for (size_t i = 0; i < h->count; i++) {
		if (h->op[i].phase <= last)
			continue;
		if (s->bands == 0)
			phase_begins(s, last, h->op[0].t_invoke_ns);
		last = h->op[i].phase;
		phase_begins(s, last, h->op[i].t_invoke_ns);
	}
}

static void surroundings_find(const char *path, const struct history_ops *h, struct surroundings *s)
{
	struct history_mark mark[HISTORY_MARKS_MAX];
	size_t count = history_marks(path, mark);

	*s = (struct surroundings){.bands = 0};
	for (size_t i = 0; i < count; i++) {
		if (mark[i].fault)
			fault_strikes(s, mark[i].number, mark[i].t_ns);
		else
			phase_begins(s, mark[i].number, mark[i].t_ns);
	}
	if (count == 0)
		phases_of(h, s);
}

int svg_keep(const struct svg *svg, const char *out, struct err *err)
{
	FILE *f = fopen(out, "we");

	if (!f)
		return err_sys(err, -errno, "write %s", out);
	svg_print(svg, f);
	return file_keep(f, out, err);
}

int check_svg_write(struct svg *svg, const char *path, const char *out, struct err *err)
{
	struct surroundings s;

	surroundings_find(path, svg->h, &s);
	svg->band = s.band;
	svg->bands = s.bands;
	svg->mark = s.mark;
	svg->marks = s.marks;
	return svg_keep(svg, out, err);
}
