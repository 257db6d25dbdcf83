/* SPDX-License-Identifier: MIT */
/*
 * walk.h - a snapshot, part by part
 *
 * What protocols share whose records may be restored in any order: first comes what had been given
 * to the disk but was not there yet when the snapshot began, since its records may be forgotten
 * and it is not in the table; then the table. Who has other stages takes walk_record() only.
 */
#ifndef PROTO_WALK_H
#define PROTO_WALK_H

#include "agent/base/buf.h"
#include "store/proto.h"
#include "store/proto/ring.h"
#include "store/table.h"

/* One part of it. */
struct walk {
	struct proto *p;
	struct proto_snapshot *s;
	size_t bytes;
};

/* walk_record() - @b is a record; it is empty then, and the caller's. */
void walk_record(struct proto_snapshot *s, struct buf *b);

/* walk_give() - the same, counted; and @b is freed. */
void walk_give(struct walk *w, struct buf *b);

/* walk_steps() - @step again and again, until the part is large enough or the stage is @end.
 * Return: whether there is more. */
bool walk_steps(struct walk *w, unsigned end, void (*step)(struct walk *w));

/* walk_begin() - what is in @writes now is to be walked: ->index is for that. */
void walk_begin(struct walk *w, const struct ring *writes);

/* walk_pending() - the next of these that is not yet on disk, NULL: no more. Those that have
 * arrived meanwhile are in the table, which is walked later. */
void *walk_pending(struct walk *w, const struct ring *writes);

/* walk_table() - some entries of @t, each to @give with @w. Return: whether there are more. */
bool walk_table(
	struct walk *w, const struct table *t, void (*give)(void *w, const struct table_entry *e));

#endif
