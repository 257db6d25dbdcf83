/* SPDX-License-Identifier: MIT */
/* watch_changes.c - a lab as it changes, in lines: for logs, pipes and terminals that cannot move
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/cmd/watch_draw.h"

static void say(const struct watch_lab *now, FILE *out, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Each line begins with the age of the lab. */
static void say(const struct watch_lab *now, FILE *out, const char *fmt, ...)
{
	va_list args;

	fprintf(out, "%9.1f s  ", units_s(now->up_ns));
	va_start(args, fmt);
	(void)vfprintf(out, fmt, args);
	va_end(args);
	fprintf(out, "\n");
}

static bool same_fault(const struct watch_fault *a, const struct watch_fault *b)
{
	return a->links == b->links && strcmp(a->words, b->words) == 0 &&
	       strcmp(a->from, b->from) == 0 && strcmp(a->to, b->to) == 0;
}

/* Of those in @of that @others has not. */
static void say_faults(const struct watch_lab *now, const struct watch_lab *of,
	const struct watch_lab *others, const char *how, FILE *out)
{
	for (unsigned i = 0; i < of->faults; i++) {
		const struct watch_fault *f = &of->fault[i];
		bool there = false;

		for (unsigned k = 0; k < others->faults; k++)
			there = there || same_fault(f, &others->fault[k]);
		if (!there)
			say(now, out, "%s %s: %u link%s, first %s > %s", how, f->words, f->links,
				f->links == 1 ? "" : "s", f->from, f->to);
	}
}

static void say_node(const struct watch_lab *now, const struct watch_node *before,
	const struct watch_node *n, FILE *out)
{
	char offset[32];

	if (n->state != before->state)
		say(now, out, "%s is %s", n->name, watch_state_names[n->state]);
	if (n->carrier != before->carrier)
		say(now, out, "%s has %s carrier", n->name, n->carrier ? "its" : "no");
	if (n->skew_ns != before->skew_ns)
		say(now, out, "clock of %s is off by %s", n->name,
			units_print_offset(n->skew_ns, offset, sizeof offset));
	if (n->state == WATCH_UP && before->state == WATCH_UP && n->ready != before->ready)
		say(now, out, "%s is %s", n->name, n->ready ? "ready" : "not ready");
}

static void say_leader(const struct watch_lab *now, FILE *out)
{
	if (!*now->leader)
		say(now, out, "nobody leads");
	else if (now->term)
		say(now, out, "leader %s, term %" PRIu64, now->leader, now->term);
	else
		say(now, out, "leader %s", now->leader);
}

static void say_phase(const struct watch_lab *now, FILE *out)
{
	const struct watch_phase *p = &now->phase;

	if (p->number)
		say(now, out, "phase %s begins (%u of %u)%s%s", p->name, p->number, p->phases,
			*p->what ? ": " : "", p->what);
	else
		say(now, out, "the last phase is over");
}

static void say_all(const struct watch_lab *now, FILE *out)
{
	static const struct watch_lab none;

	say(now, out, "lab %s, store %s, emulator %s: %u nodes in %u sites, %u of %u links cut",
		now->lab, now->store, now->emulator, now->nodes, now->sites, now->links_cut,
		now->links);
	if (now->phase.number)
		say_phase(now, out);
	if (*now->leader)
		say_leader(now, out);
	if (*now->harm)
		say(now, out, "%s", now->harm);
	say_faults(now, now, &none, "fault", out);
}

void watch_changes(const struct watch_lab *before, const struct watch_lab *now, FILE *out)
{
	if (!before) {
		say_all(now, out);
		return;
	}
	if (now->phase.number != before->phase.number)
		say_phase(now, out);
	say_faults(now, before, now, "no more", out);
	say_faults(now, now, before, "fault", out);
	for (unsigned i = 0; i < now->nodes; i++)
		say_node(now, &before->node[i], &now->node[i], out);
	if (strcmp(now->leader, before->leader) != 0 || (*now->leader && now->term != before->term))
		say_leader(now, out);
}
