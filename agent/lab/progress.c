/* SPDX-License-Identifier: MIT */
/* progress.c - what a run does just now: one line that changes on a terminal, else one per phase */
#include "agent/lab/progress.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/base/wrap.h"

#define SAY_INDENT 2

struct tally {
	uint64_t ok;
	uint64_t failed;
	uint64_t unknown;
};

static struct tally tally_of(const struct progress *p, unsigned phase, unsigned site)
{
	const struct load_tally *t = &p->shared->tally[phase][site];

	return (struct tally){.ok = t->ok, .failed = t->failed, .unknown = t->unknown};
}

void progress_init(
	struct progress *p, FILE *out, const struct plan *plan, struct load_shared *shared)
{
	*p = (struct progress){
		.out = out, .terminal = out && isatty(fileno(out)), .plan = plan, .shared = shared};
}

void progress_clear(struct progress *p)
{
	if (p->terminal)
		fprintf(p->out, "\r\033[K");
	if (p->out)
		(void)fflush(p->out);
}

void progress_say(struct progress *p, const char *fmt, ...)
{
	va_list args;

	if (!p->out)
		return;
	progress_clear(p);
	va_start(args, fmt);
	(void)vfprintf(p->out, fmt, args);
	va_end(args);
	fprintf(p->out, "\n");
	(void)fflush(p->out);
}

/* "east+west 1,993 ok, far 0 ok 488 failed": who could and who could not. */
static void sides_add(struct buf *line, const struct progress *p, unsigned phase)
{
	const struct plan_phase *ph = &p->plan->phase[phase];

	for (unsigned side = 0; side < ph->sides; side++) {
		struct tally sum = {0};
		char number[32];

		if (!ph->side[side].clients)
			continue;
		for (unsigned site = 0; site < p->plan->sites; site++) {
			struct tally t = tally_of(p, phase, site);

			if (ph->side_of[p->plan->site[site].client] != side)
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

static double rate(struct progress *p, unsigned phase, uint64_t now_ns)
{
	uint64_t operations = 0;
	double per_s = 0;

	for (unsigned ph = 0; ph <= phase; ph++) {
		for (unsigned site = 0; site < p->plan->sites; site++) {
			struct tally t = tally_of(p, ph, site);

			operations += t.ok + t.failed + t.unknown;
		}
	}
	if (p->last_ns && now_ns > p->last_ns)
		per_s = (double)(operations - p->last_operations) / units_s(now_ns - p->last_ns);
	p->last_ns = now_ns;
	p->last_operations = operations;
	return per_s;
}

/* A longer line would wrap, and the next one would not replace it. Bytes of UTF-8 go together. */
static size_t cut_to_width(const char *text, size_t len, size_t width)
{
	size_t columns = 0;

	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80 && ++columns > width)
			return i;
	}
	return len;
}

uint64_t progress_tick(struct progress *p, unsigned phase, uint64_t end_ns, uint64_t now_ns)
{
	struct buf line = {0};
	size_t len;

	if (!p->terminal)
		return UINT64_MAX;
	if (now_ns < p->due_ns)
		return p->due_ns;
	p->due_ns = now_ns + PROGRESS_EVERY_NS;
	buf_printf(&line, "  %-12s %4.1f s left %6.0f/s", p->plan->phase[phase].name,
		end_ns > now_ns ? units_s(end_ns - now_ns) : 0.0, rate(p, phase, now_ns));
	sides_add(&line, p, phase);
	len = cut_to_width((const char *)line.p, line.len, (size_t)wrap_columns(p->out) - 1);
	fprintf(p->out, "\r\033[K%.*s", (int)len, (const char *)line.p);
	(void)fflush(p->out);
	buf_fini(&line);
	return p->due_ns;
}

void progress_phase_begin(struct progress *p, unsigned phase)
{
	const struct plan_phase *ph = &p->plan->phase[phase];
	char took[32];

	if (!p->out || !ph->say)
		return;
	progress_clear(p);
	fprintf(p->out, "\n%s, %s%s%s\n", ph->fit_rtt_ns ? "round trips" : ph->name,
		units_print_duration(ph->duration_ns, took, sizeof took),
		ph->what[0]      ? ": "
		: ph->fit_rtt_ns ? " for each distance"
				 : "",
		ph->what);
	wrap_text(p->out, SAY_INDENT, wrap_columns(p->out) - SAY_INDENT, ph->say);
	(void)fflush(p->out);
}

void progress_phase_end(struct progress *p, unsigned phase, uint64_t took_ns)
{
	struct buf line = {0};

	if (!p->out)
		return;
	buf_printf(&line, "  %-12s %4.1f s", p->plan->phase[phase].name, units_s(took_ns));
	sides_add(&line, p, phase);
	buf_u8(&line, 0);
	progress_say(p, "%s", (const char *)line.p);
	buf_fini(&line);
}
