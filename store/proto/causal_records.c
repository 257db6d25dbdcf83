/* SPDX-License-Identifier: MIT */
/*
 * causal_records.c - the log of a causal replica on disk, and its snapshot
 *
 * Writes are restored in the order in which they were taken. A snapshot has the table as it was at
 * several moments, and a vector from before the first of them: what the log has behind that is
 * merged again, which changes nothing that is there. A tombstone that was forgotten meanwhile is
 * missing from the table, but what it deleted may be merged again: the record that forgets it
 * comes behind that (see causal_bury.c) and takes it out, too.
 *
 * What a copy has gathered so far is in the snapshot, for the record that ends it may come later.
 * If that becomes true while the table is walked, the walk begins again.
 */
#include <errno.h>

#include "store/proto/causal_internal.h"
#include "store/proto/walk.h"

enum stage { STAGE_BEGIN, STAGE_WAIT, STAGE_TABLE, STAGE_COPY, STAGE_END };

/* A step of a walk that shows nothing costs time, too. */
#define STEP_BYTES 64u

static int restore_write(struct causal *c, struct proto_bytes bytes)
{
	struct causal_entry *e;
	struct causal_write w;

	if (causal_decode(causal_nodes(c), bytes, &w))
		return -EBADMSG;
	if (w.seq > c->have.at[w.entry.origin] + 1)
		return -EBADMSG;
	hlc_seen(&c->clock, w.entry.version);
	causal_merge(c->proto.table, &w.entry);
	if (w.seq <= c->have.at[w.entry.origin])
		return 0;
	e = causal_log_add(c, &w);
	c->have.at[e->origin] = c->taken.at[e->origin] = e->seq;
	c->visible = c->log.next;
	causal_log_trim(c);
	return 0;
}

static int decode_state(const struct causal *c, struct cursor *m, uint64_t *clock, struct token *v)
{
	*clock = cursor_u64(m);
	if (causal_vector(c, m, v) || !cursor_done(m) || *clock > ENTRY_VERSION_MAX)
		return -EBADMSG;
	return 0;
}

static int restore_state(struct causal *c, struct cursor *m)
{
	struct token have;
	uint64_t clock;

	if (decode_state(c, m, &clock, &have))
		return -EBADMSG;
	hlc_seen(&c->clock, clock);
	token_join(&c->have, &have);
	token_join(&c->taken, &have);
	token_join(&c->cut, &have);
	return 0;
}

static int restore_entry(struct causal *c, struct cursor *m)
{
	struct table_entry e;

	if (entry_decode(causal_nodes(c), m, &e) || !e.version)
		return -EBADMSG;
	hlc_seen(&c->clock, e.version);
	causal_merge(c->proto.table, &e);
	return 0;
}

int causal_restore(struct proto *p, const void *bytes, size_t len)
{
	struct causal *c = causal_of(p);
	struct cursor m = cursor_over(bytes, len);

	if (!causal_fits(&p->cfg))
		return -EBADMSG;
	switch (cursor_u8(&m)) {
	case CAUSAL_RECORD_WRITE:
		return restore_write(c, (struct proto_bytes){m.p, (uint32_t)m.left});
	case CAUSAL_RECORD_STATE:
		return restore_state(c, &m);
	case CAUSAL_RECORD_ENTRY:
		return restore_entry(c, &m);
	case CAUSAL_RECORD_STAGE_BEGIN:
		return causal_stage_begin(c, &m);
	case CAUSAL_RECORD_STAGE:
		return causal_stage(c, &m);
	case CAUSAL_RECORD_STAGE_END:
		return causal_stage_end(c, &m);
	case CAUSAL_RECORD_FORGET:
		return causal_forget(c, m);
	default:
		return -EBADMSG;
	}
}

/* --- for people --- */

static void describe_entry(struct buf *out, const struct table_entry *e)
{
	buf_printf(out, "%s ", e->deleted ? "tombstone" : "entry");
	command_describe_key(out, e->key);
	if (!e->deleted)
		buf_printf(out, ", %u bytes", e->value.len);
	if (e->expires_ns)
		buf_printf(out, ", expires %llu", (unsigned long long)e->expires_ns);
	buf_printf(out, ", version %llu of replica %u", (unsigned long long)e->version, e->origin);
}

static int describe_write(struct proto_bytes bytes, struct buf *out)
{
	struct causal_write w;

	if (causal_decode(TOKEN_MAX, bytes, &w))
		return -EBADMSG;
	buf_printf(out, "write %llu of replica %u", (unsigned long long)w.seq, w.entry.origin);
	for (unsigned i = 0; i < w.pairs; i++) {
		struct cursor pair = cursor_over(w.pair + 9 * (size_t)i, 9);
		unsigned origin = cursor_u8(&pair);

		buf_printf(out, "%s %llu of %u", i ? "," : " after",
			(unsigned long long)cursor_u64(&pair), origin);
	}
	buf_printf(out, ": ");
	describe_entry(out, &w.entry);
	return 0;
}

static int describe_vector(struct cursor *m, struct buf *out)
{
	struct token v;

	if (vclock_read(m, &v) || !cursor_done(m))
		return -EBADMSG;
	token_print(out, &v);
	return 0;
}

static int describe_one(struct cursor *m, struct buf *out)
{
	struct table_entry e;

	if (entry_decode(TOKEN_MAX, m, &e) || !e.version)
		return -EBADMSG;
	describe_entry(out, &e);
	return 0;
}

static int describe_entries(const char *what, struct cursor *m, struct buf *out)
{
	int count = causal_entries(TOKEN_MAX, *m, NULL, NULL);

	if (count < 0)
		return -EBADMSG;
	buf_printf(out, "%s %d entries", what, count);
	return 0;
}

int causal_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor m = cursor_over(bytes, len);

	switch (cursor_u8(&m)) {
	case CAUSAL_RECORD_WRITE:
		return describe_write((struct proto_bytes){m.p, (uint32_t)m.left}, out);
	case CAUSAL_RECORD_STATE:
		buf_printf(out, "clock %llu, has ", (unsigned long long)cursor_u64(&m));
		return describe_vector(&m, out);
	case CAUSAL_RECORD_ENTRY:
		return describe_one(&m, out);
	case CAUSAL_RECORD_STAGE_BEGIN:
		buf_printf(out, "a copy begins");
		return cursor_done(&m) ? 0 : -EBADMSG;
	case CAUSAL_RECORD_STAGE:
		return describe_entries("of a copy", &m, out);
	case CAUSAL_RECORD_STAGE_END:
		buf_printf(out, "the copy counts, has ");
		return describe_vector(&m, out);
	case CAUSAL_RECORD_FORGET:
		return describe_entries("forget", &m, out);
	default:
		return -EBADMSG;
	}
}

/* --- the snapshot --- */

static void give(struct walk *w, enum causal_record kind, const struct buf *rest)
{
	struct buf b = {0};

	buf_u8(&b, (uint8_t)kind);
	buf_add(&b, rest->p, rest->len);
	walk_give(w, &b);
}

static void give_entry(void *arg, const struct table_entry *e)
{
	struct buf b = {0};

	entry_encode(&b, e);
	give(arg, CAUSAL_RECORD_ENTRY, &b);
	buf_fini(&b);
}

static void give_staged(void *arg, const struct table_entry *e)
{
	struct causal_list list = {0};
	struct buf one = {0}, b = {0};

	entry_encode(&one, e);
	causal_list_add(&list, one.p, one.len);
	causal_list_end(&list, &b);
	give(arg, CAUSAL_RECORD_STAGE, &b);
	buf_fini(&one);
	buf_fini(&b);
}

static void give_state(struct walk *w)
{
	const struct causal *c = causal_of(w->p);
	struct buf b = {0};

	buf_u64(&b, c->clock.last);
	vclock_write(&b, &c->have);
	give(w, CAUSAL_RECORD_STATE, &b);
	buf_fini(&b);
}

/* What is in the log so far, and only there, will be forgotten: it must be in the table. */
static bool step_wait(struct walk *w)
{
	const struct causal *c = causal_of(w->p);
	struct proto_snapshot *s = w->s;

	if (c->durable < s->index[0])
		return false;
	give_state(w);
	s->index[1] = c->replaced;
	s->cursor = 0;
	s->stage = STAGE_TABLE;
	return true;
}

static void step_table(struct walk *w)
{
	const struct causal *c = causal_of(w->p);
	struct proto_snapshot *s = w->s;

	if (s->index[1] != c->replaced) {
		s->stage = STAGE_WAIT;
		return;
	}
	if (walk_table(w, w->p->table, give_entry))
		return;
	s->stage = STAGE_END;
	if (c->copy.active) {
		give(w, CAUSAL_RECORD_STAGE_BEGIN, &(struct buf){0});
		s->index[0] = c->copy.begun;
		s->stage = STAGE_COPY;
	}
}

static void step_copy(struct walk *w)
{
	const struct causal *c = causal_of(w->p);
	struct proto_snapshot *s = w->s;

	if (s->index[1] != c->replaced) {
		s->index[0] = 0;
		s->stage = STAGE_WAIT;
		return;
	}
	/* One that was given up, or begun again, will be forgotten or has records of its own. */
	if (c->copy.active && s->index[0] == c->copy.begun)
		(void)walk_table(w, c->copy.table, give_staged);
	else
		s->cursor = 0;
	if (!s->cursor)
		s->stage = STAGE_END;
}

bool causal_snapshot(struct proto *p, struct proto_snapshot *s)
{
	struct walk walk = {.p = p, .s = s};
	bool go = true;

	if (s->stage == STAGE_BEGIN) {
		s->index[0] = causal_of(p)->record;
		s->stage = STAGE_WAIT;
	}
	while (go && s->stage != STAGE_END && walk.bytes < PROTO_SNAPSHOT_PART) {
		if (s->stage == STAGE_WAIT)
			go = step_wait(&walk);
		else if (s->stage == STAGE_TABLE)
			step_table(&walk);
		else
			step_copy(&walk);
		walk.bytes += STEP_BYTES;
	}
	return s->stage != STAGE_END;
}
