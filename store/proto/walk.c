/* SPDX-License-Identifier: MIT */
/* walk.c - a snapshot, part by part */
#include "store/proto/walk.h"

/* A step that shows nothing costs time, too. */
#define STEP_BYTES 64u

void walk_record(struct proto_snapshot *s, struct buf *b)
{
	s->record(s->arg, b->p, b->len);
	b->len = 0;
}

void walk_give(struct walk *w, struct buf *b)
{
	w->bytes += b->len;
	walk_record(w->s, b);
	buf_fini(b);
}

bool walk_steps(struct walk *w, unsigned end, void (*step)(struct walk *w))
{
	while (w->s->stage != end && w->bytes < PROTO_SNAPSHOT_PART) {
		step(w);
		w->bytes += STEP_BYTES;
	}
	return w->s->stage != end;
}

/* index[0] is the next, index[1] is behind the last. */
void walk_begin(struct walk *w, const struct ring *writes)
{
	w->s->index[0] = writes->first;
	w->s->index[1] = writes->next;
}

void *walk_pending(struct walk *w, const struct ring *writes)
{
	struct proto_snapshot *s = w->s;

	if (s->index[0] < writes->first)
		s->index[0] = writes->first;
	return s->index[0] < s->index[1] ? ring_at(writes, s->index[0]++) : NULL;
}

bool walk_table(
	struct walk *w, const struct table *t, void (*give)(void *w, const struct table_entry *e))
{
	w->s->cursor = table_scan(t, w->s->cursor, give, w);
	return w->s->cursor != 0;
}
