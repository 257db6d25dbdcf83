/* SPDX-License-Identifier: MIT */
/*
 * causal_bury.c - forgetting what was deleted, when nobody can bring it back
 *
 *   SEARCH     gathers tombstones, and what has expired, older than the setting
 *   HELD       waits until every replica has told that it has all that was visible here then
 *   CAUGHT_UP  waits until all is here that these replicas had made by that time
 *
 * Whoever had the tombstone when it wrote the key wrote something newer, for its clock had seen the
 * tombstone. Who had it not had written, by HELD, all that it ever will without it; by CAUGHT_UP
 * that is here, under the tombstone, or newer. So nothing older can come any more, but
 * from a copy of a table: none is forgotten while one is under way. While a replica is away, none
 * is forgotten at all. Each replica forgets in its own time.
 */
#include <errno.h>

#include "store/proto/causal_internal.h"

static void gather(void *arg, const struct table_entry *e)
{
	struct causal *c = arg;
	struct causal_bury *b = &c->bury;
	uint64_t wall = c->proto.io->wall(c->proto.io);
	uint64_t died = e->deleted ? e->version : e->expires_ns;
	struct buf one = {0};

	if (!died || died > ENTRY_VERSION_MAX || died + c->proto.cfg.tombstone_ns > wall ||
		b->graves.count >= CAUSAL_GRAVES_MAX)
		return;
	entry_encode(&one, e);
	causal_list_add(&b->graves, one.p, one.len);
	buf_fini(&one);
}

static void search(struct causal *c)
{
	struct causal_bury *b = &c->bury;
	uint64_t now = c->proto.io->now(c->proto.io);
	unsigned steps = CAUSAL_BURY_STEPS;

	if (now < b->next_ns)
		return;
	do {
		b->cursor = table_scan(c->proto.table, b->cursor, gather, c);
	} while (b->cursor && --steps && b->graves.count < CAUSAL_GRAVES_MAX);
	if (!b->cursor)
		b->next_ns = now + c->proto.cfg.tombstone_ns / 4;
	if (b->graves.count == 0)
		return;
	b->mark = c->have;
	b->phase = CAUSAL_BURY_HELD;
}

static bool all_hold(const struct causal *c, const struct token *mark)
{
	for (unsigned i = 0; i < causal_nodes(c); i++)
		if (i != c->proto.cfg.self && !vclock_covers(&c->peer[i].told, mark) &&
			!PROTO_BUG(BUG_CAUSAL_FORGETS_TOO_EARLY))
			return false;
	return true;
}

static void forget_all(struct causal *c)
{
	struct causal_bury *b = &c->bury;

	causal_list_end(&b->graves, &b->list);
	b->record = causal_persist(
		c, CAUSAL_RECORD_FORGET, (struct proto_bytes){b->list.p, (uint32_t)b->list.len});
}

void causal_bury_tick(struct causal *c)
{
	struct causal_bury *b = &c->bury;

	if (!c->proto.cfg.tombstone_ns || b->record || c->copy.active)
		return;
	switch (b->phase) {
	case CAUSAL_BURY_SEARCH:
		search(c);
		break;
	case CAUSAL_BURY_HELD:
		if (!all_hold(c, &b->mark))
			break;
		b->need = (struct token){.n = causal_nodes(c)};
		for (unsigned i = 0; i < causal_nodes(c); i++)
			b->need.at[i] = vclock_at(&c->peer[i].told, i);
		b->phase = CAUSAL_BURY_CAUGHT_UP;
		break;
	case CAUSAL_BURY_CAUGHT_UP:
		if (vclock_covers(&c->have, &b->need))
			forget_all(c);
		break;
	}
}

static void check(void *arg, const struct table_entry *e)
{
	bool *bad = arg;

	*bad = *bad || (!e->deleted && !e->expires_ns);
}

static void forget(void *arg, const struct table_entry *e)
{
	struct causal *c = arg;
	const struct table_entry *there = table_get(c->proto.table, e->key);

	if (there && !causal_newer(there, e))
		table_remove(c->proto.table, e->key);
	c->forgotten++;
}

int causal_forget(struct causal *c, struct cursor m)
{
	bool bad = false;

	if (causal_entries(causal_nodes(c), m, check, &bad) < 0 || bad)
		return -EBADMSG;
	(void)causal_entries(causal_nodes(c), m, forget, c);
	return 0;
}

void causal_buried(struct causal *c)
{
	struct causal_bury *b = &c->bury;

	(void)causal_forget(c, cursor_over(b->list.p, b->list.len)); /* of this replica's making */
	b->phase = CAUSAL_BURY_SEARCH;
	b->list.len = 0;
	b->record = 0;
}
