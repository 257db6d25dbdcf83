/* SPDX-License-Identifier: MIT */
/*
 * suit.c - what a real database asks of a lab: a load that it sustains and has time to get used to,
 * deadlines and cuts that fit its failure detector
 *
 * Labs are written for stores that notice a cut within a second. Their files say how long real ones
 * take; what that changes is told in one line, and nothing of it if the command line says it.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/lab/expand.h"
#include "agent/lab/real.h"
#include "agent/load/drivers/driver.h"

__attribute__((format(printf, 2, 3))) static void tell(struct plan *plan, const char *fmt, ...)
{
	size_t len = strlen(plan->suited);
	va_list args;

	if (len > 0) {
		(void)snprintf(plan->suited + len, sizeof plan->suited - len, "; ");
		len = strlen(plan->suited);
	}
	va_start(args, fmt);
	(void)vsnprintf(plan->suited + len, sizeof plan->suited - len, fmt, args);
	va_end(args);
}

static uint64_t scaled_ns(const struct plan *plan, uint64_t ns)
{
	return (uint64_t)((double)ns * plan->time_scale);
}

void suit_load(struct plan *plan, bool rate_said)
{
	const struct real *real = plan->real;
	struct plan_load *load = &plan->load;
	char now[32];
	char was[32];

	assert(real);
	if (real->rate > 0 && load->rate > real->rate && !rate_said) {
		tell(plan, "%g operations/s, not %g", real->rate, load->rate);
		load->rate = real->rate;
	}
	if (real->deadline_ns > load->deadline_ns) {
		tell(plan, "deadline %s, not %s",
			units_print_duration(real->deadline_ns, now, sizeof now),
			units_print_duration(load->deadline_ns, was, sizeof was));
		load->deadline_ns = real->deadline_ns;
	}
}

void suit_clients(struct plan *plan)
{
	unsigned most = plan->real->clients;

	if (most == 0 || plan->load.clients_per_site <= most)
		return;
	tell(plan, "%u client%s in each site, not %u", most, most > 1 ? "s" : "",
		plan->load.clients_per_site);
	plan->load.clients_per_site = most;
}

void suit_warmup(struct plan *plan, struct script *script)
{
	uint64_t was_ns = script->warmup.ns;
	char now[32];
	char was[32];

	if (plan->real->warmup_ns <= was_ns)
		return;
	script->warmup.ns = plan->real->warmup_ns;
	units_print_duration(scaled_ns(plan, script->warmup.ns), now, sizeof now);
	if (was_ns > 0)
		tell(plan, "%s of warm-up, not %s", now,
			units_print_duration(scaled_ns(plan, was_ns), was, sizeof was));
	else
		tell(plan, "%s of warm-up first", now);
}

/* Registers, and what is made of them, need no more than numbers that are read and written. */
static bool needs_text(enum plan_workload workload)
{
	static const bool needs[PLAN_WORKLOAD_NR] = {
		[PLAN_LIST] = true,
		[PLAN_SET] = true,
		[PLAN_COUNTER] = true,
		[PLAN_BANK] = true,
		[PLAN_TRANSACTIONS] = true,
	};

	return needs[workload];
}

int suit_workload(const struct plan *plan, const struct script *s, struct err *err)
{
	const struct driver_ops *ops = plan->driver;
	enum plan_workload workload = plan->load.workload;

	if (!needs_text(workload) || (ops->get && ops->put))
		return 0;
	return script_fail(s, s->load.line, err,
		"load: the driver of store '%s' reads and writes numbers, a %s is more: take the "
		"workload register, lock, inventory or purse",
		plan->system->name, plan_workload_names[workload]);
}

/* Somebody has to notice: a link is cut, a process is dead or does not answer. */
static bool must_notice(const struct plan_phase *phase)
{
	bool harmed = phase->cut;

	for (unsigned i = 0; i < phase->events && !harmed; i++)
		harmed = phase->event[i].kind == PLAN_KILL || phase->event[i].kind == PLAN_PAUSE;
	return harmed;
}

static bool stretch(struct plan_phase *phase, uint64_t least_ns)
{
	if (phase->duration_ns >= least_ns)
		return false;
	phase->duration_ns = least_ns;
	return true;
}

void suit_phases(struct plan *plan)
{
	const struct real *real = plan->real;
	unsigned last = plan->phases;
	unsigned stretched = 0;
	char least[32];

	assert(real);
	for (unsigned i = 0; i < plan->phases; i++) {
		struct plan_phase *phase = &plan->phase[i];

		if (must_notice(phase))
			stretched += stretch(phase, real->cut_ns);
		if (phase->what[0])
			last = i;
	}
	if (stretched > 0)
		tell(plan, "%u phase%s with a cut, kill or pause last%s %s", stretched,
			stretched > 1 ? "s" : "", stretched > 1 ? "" : "s",
			units_print_duration(real->cut_ns, least, sizeof least));
	if (last + 1 < plan->phases && stretch(&plan->phase[last + 1], real->settle_ns))
		tell(plan, "phase %s lasts %s", plan->phase[last + 1].name,
			units_print_duration(real->settle_ns, least, sizeof least));
}
