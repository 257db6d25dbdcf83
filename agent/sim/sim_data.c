/* SPDX-License-Identifier: MIT */
/*
 * sim_data.c - what a replica's table was, to see that it does not go back and is like the others'
 *
 * The table tells of every change (table_watch()), so a step costs what it changed and not what
 * there is. Once in a while, and whenever everything may be other, all of it is looked at: a change
 * of which nobody was told is a violation, too.
 */
#include <assert.h>
#include <stdlib.h>

#include "agent/base/crc32c.h"
#include "agent/sim/sim.h"

#define DIGESTED 64u /* bytes of a value: padding says nothing */
#define ALL_EVERY 256u

struct sim_data {
	struct sim *sim;
	unsigned node;
	struct table_watch watch;
	bool all;             /* anything may have changed */
	unsigned asks;        /* since all was looked at */
	uint64_t sum;         /* where there is a log: of the digests of all living entries */
	struct table *newest; /* where there is none: highest version of each key so far */
};

static uint64_t digest_of(const struct table_entry *e)
{
	uint64_t h;

	if (!e || e->deleted)
		return 0; /* tombstones may be dropped, each replica at its time */
	h = (uint64_t)crc32c(0, e->key.p, e->key.len) << 32;
	h |= crc32c(e->value.len, e->value.p, e->value.len < DIGESTED ? e->value.len : DIGESTED);
	return (h ^ e->version * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;
}

static void check_version(struct sim_data *d, const struct table_entry *e)
{
	const struct table_entry *old = table_get(d->newest, e->key);
	unsigned blurred = d->sim->config.ops->blurred;
	struct table_entry seen = *e;

	if (old && (old->version >> blurred > e->version >> blurred ||
			   (old->version == e->version && old->origin > e->origin)))
		sim_fail(d->sim, "r%u: the version of key %.*s went back", d->node, (int)e->key.len,
			e->key.p);
	seen.value.len = 0;
	if (!old || old->version != e->version || old->origin != e->origin)
		table_put(d->newest, &seen);
}

static void changed(void *arg, const struct table_entry *old, const struct table_entry *e)
{
	struct sim_data *d = arg;

	if (!old && !e)
		d->all = true;
	if (d->all)
		return;
	if (d->sim->config.ops->entry)
		d->sum += digest_of(e) - digest_of(old);
	else if (e)
		check_version(d, e);
}

struct sim_data *sim_data_open(struct sim *sim, unsigned node)
{
	struct sim_data *d = calloc(1, sizeof(*d));

	assert(d);
	*d = (struct sim_data){.sim = sim, .node = node, .watch = {changed, d}};
	if (!sim->config.ops->entry)
		d->newest = table_open();
	return d;
}

void sim_data_close(struct sim_data *d)
{
	if (!d)
		return;
	table_close(d->newest);
	free(d);
}

void sim_data_boot(struct sim_data *d)
{
	table_watch(d->sim->node[d->node].table, &d->watch);
}

/* Return: whether it is time to look at everything. */
static bool all_due(struct sim_data *d)
{
	if (!d->all && ++d->asks < ALL_EVERY)
		return false;
	d->asks = 0;
	return true;
}

void sim_data_versions(struct sim_data *d)
{
	const struct table_entry *e;
	size_t at = 0;

	if (!all_due(d))
		return;
	while ((e = table_next(d->sim->node[d->node].table, &at)))
		check_version(d, e);
	d->all = false;
}

uint64_t sim_data_digest(struct sim_data *d)
{
	const struct table_entry *e;
	uint64_t sum = 0;
	size_t at = 0;

	if (all_due(d)) {
		while ((e = table_next(d->sim->node[d->node].table, &at)))
			sum += digest_of(e); /* in any order: a table has none */
		if (!d->all && d->sum != sum)
			sim_fail(d->sim, "r%u: its table changed behind everybody's back", d->node);
		d->sum = sum;
		d->all = false;
	}
	return d->sum + 1 ? d->sum + 1 : 1;
}
