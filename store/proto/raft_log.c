/* SPDX-License-Identifier: MIT */
/*
 * raft_log.c - the replicated log in memory, and its records on disk
 *
 * Two kinds of records; those of snapshots are in raft_snapshot.c. HARD holds term and vote.
 * ENTRIES holds entries from an index on and means that whatever stood at that index and after it
 * is gone: a truncation always comes with the entries that caused it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"
#include "store/proto/walk.h"

/* Entries of one record that a line for people shows. */
#define DESCRIBED_MAX 8u

struct mark {
	uint64_t seq;
	uint64_t last;
};

void raft_log_init(struct raft_log *log, unsigned batch)
{
	*log = (struct raft_log){.batch = RAFT_BATCH_ENTRIES};
	if (batch && batch < RAFT_BATCH_ENTRIES)
		log->batch = batch;
	ring_init(&log->entries, sizeof(struct raft_entry), 1);
	ring_init(&log->marks, sizeof(struct mark), 1);
}

void raft_log_fini(struct raft_log *log)
{
	for (uint64_t i = log->entries.first; i < log->entries.next; i++)
		free(raft_log_at(log, i)->bytes);
	ring_fini(&log->entries);
	ring_fini(&log->marks);
}

uint64_t raft_log_term(const struct raft_log *log, uint64_t index)
{
	const struct raft_entry *e = raft_log_at(log, index);

	if (e)
		return e->term;
	return index + 1 == log->entries.first ? log->base_term : 0;
}

uint64_t raft_log_append(struct raft_log *log, uint64_t term, struct proto_bytes bytes)
{
	const struct raft_entry *last = raft_log_at(log, raft_log_last(log));
	uint64_t offset = last ? last->offset + last->len : 0;
	struct raft_entry *e = ring_push(&log->entries);

	*e = (struct raft_entry){.term = term, .offset = offset, .len = bytes.len};
	if (bytes.len) {
		e->bytes = malloc(bytes.len);
		assert(e->bytes);
		memcpy(e->bytes, bytes.p, bytes.len);
	}
	return raft_log_last(log);
}

void raft_log_cut(struct raft_log *log, uint64_t index)
{
	for (uint64_t i = index; i < log->entries.next; i++)
		free(raft_log_at(log, i)->bytes);
	ring_cut(&log->entries, index);
	if (log->recorded >= index)
		log->recorded = index - 1;
	if (log->durable >= index)
		log->durable = index - 1;
	/* What these records say of later entries is void when they reach the disk. */
	for (uint64_t i = log->marks.first; i < log->marks.next; i++) {
		struct mark *m = ring_at(&log->marks, i);

		if (m->last >= index)
			m->last = index - 1;
	}
}

uint64_t raft_log_first_of_term(const struct raft_log *log, uint64_t index)
{
	uint64_t term = raft_log_term(log, index);

	while (index > log->entries.first && raft_log_term(log, index - 1) == term)
		index--;
	return index;
}

void raft_log_forget(struct raft_log *log, uint64_t index)
{
	log->base_term = raft_log_term(log, index);
	while (log->entries.first <= index) {
		free(raft_log_at(log, log->entries.first)->bytes);
		ring_pop(&log->entries);
	}
}

void raft_log_reset(struct raft_log *log, uint64_t index, uint64_t term)
{
	for (uint64_t i = log->entries.first; i < log->entries.next; i++)
		free(raft_log_at(log, i)->bytes);
	ring_fini(&log->entries);
	ring_init(&log->entries, sizeof(struct raft_entry), index + 1);
	log->base_term = term;
	log->recorded = index;
	log->durable = 0;
	for (uint64_t i = log->marks.first; i < log->marks.next; i++)
		((struct mark *)ring_at(&log->marks, i))->last = 0;
}

void raft_log_mark(struct raft_log *log, uint64_t seq, uint64_t index)
{
	struct mark *m = ring_push(&log->marks);

	*m = (struct mark){.seq = seq, .last = index};
}

size_t raft_log_cost(const struct raft_log *log, uint64_t first, uint64_t last)
{
	const struct raft_entry *a = raft_log_at(log, first);
	const struct raft_entry *z = raft_log_at(log, last);

	if (!a || !z || first > last)
		return 0;
	return (size_t)(z->offset + z->len - a->offset) +
	       (size_t)(last - first + 1) * sizeof(struct raft_entry);
}

uint32_t raft_batch_encode(struct buf *b, const struct raft_log *log, uint64_t first, uint64_t last)
{
	const struct raft_entry *e;
	uint32_t count = 0;
	size_t at = b->len;
	size_t bytes = 0;

	buf_u32(b, 0);
	while (count < log->batch && first + count <= last &&
		(e = raft_log_at(log, first + count))) {
		if (count && bytes + e->len > RAFT_BATCH_BYTES)
			break;
		bytes += e->len;
		buf_u64(b, e->term);
		buf_bytes(b, e->bytes, e->len);
		count++;
	}
	for (unsigned i = 0; i < 4; i++)
		b->p[at + i] = (uint8_t)(count >> (8 * i));
	return count;
}

struct cursor raft_batch_cursor(const struct raft_batch *batch)
{
	return cursor_over(batch->p, batch->len);
}

struct proto_bytes raft_batch_next(struct cursor *c, uint64_t *ret_term)
{
	struct proto_bytes bytes;

	*ret_term = cursor_u64(c);
	bytes.p = cursor_bytes(c, &bytes.len);
	return bytes;
}

static int check_entry(struct proto_bytes bytes, unsigned nodes)
{
	struct cursor c = cursor_over(bytes.p, bytes.len);
	struct raft_members members;
	struct command command;

	if (bytes.len == 0)
		return 0;
	if (raft_entry_is_members(bytes))
		return raft_entry_decode_members(bytes, nodes, &members);
	return command_decode(&c, &command) || command.op == PROTO_GET ? -EBADMSG : 0;
}

int raft_batch_decode(struct cursor *c, const struct raft_bounds *bounds, struct raft_batch *ret)
{
	*ret = (struct raft_batch){.count = cursor_u32(c), .term = bounds->prev_term};
	ret->p = c->p;
	ret->len = c->left;
	if (c->bad || ret->count > RAFT_BATCH_ENTRIES)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->count; i++) {
		uint64_t term;
		struct proto_bytes bytes = raft_batch_next(c, &term);

		if (c->bad || term < ret->term || term == 0 || term > bounds->term_max)
			return -EBADMSG;
		if (check_entry(bytes, bounds->nodes))
			return -EBADMSG;
		ret->term = term;
	}
	return cursor_done(c) ? 0 : -EBADMSG;
}

int raft_commands_decode(struct cursor *c, uint64_t prev, uint64_t max, struct raft_batch *ret)
{
	const struct raft_bounds bounds = {
		.prev_term = prev, .term_max = max, .nodes = PROTO_NODES_MAX};
	struct cursor at;

	if (raft_batch_decode(c, &bounds, ret))
		return -EBADMSG;
	at = raft_batch_cursor(ret);
	for (uint32_t i = 0; i < ret->count; i++) {
		uint64_t term;

		if (raft_entry_is_members(raft_batch_next(&at, &term)))
			return -EBADMSG;
	}
	return 0;
}

void raft_log_persist(struct raft_log *log, struct proto_io *io, uint8_t kind)
{
	while (log->recorded < raft_log_last(log)) {
		struct buf b = {0};

		buf_u8(&b, kind);
		buf_u64(&b, log->recorded + 1);
		log->recorded += raft_batch_encode(&b, log, log->recorded + 1, raft_log_last(log));
		raft_log_mark(log, io->persist(io, b.p, b.len), log->recorded);
		buf_fini(&b);
	}
}

void raft_log_give(
	const struct raft_log *log, struct proto_snapshot *s, uint8_t kind, uint64_t next)
{
	struct buf b = {0};

	while (next <= log->recorded) {
		buf_u8(&b, kind);
		buf_u64(&b, next);
		next += raft_batch_encode(&b, log, next, log->recorded);
		walk_record(s, &b);
	}
	buf_fini(&b);
}

void raft_log_record(struct raft *r)
{
	raft_log_persist(&r->log, r->proto.io, RAFT_RECORD_ENTRIES);
}

void raft_log_record_hard(struct raft *r)
{
	struct proto_io *io = r->proto.io;
	struct buf b = {0};

	/* Entries come first, so that records stand in the order of what happened. */
	raft_log_record(r);
	buf_u8(&b, RAFT_RECORD_HARD);
	buf_u64(&b, r->term);
	buf_u32(&b, (uint32_t)(r->vote + 1));
	r->hard_seq = io->persist(io, b.p, b.len);
	buf_fini(&b);
}

static int restore_hard(struct raft *r, struct cursor *c)
{
	uint64_t term = cursor_u64(c);
	uint32_t vote = cursor_u32(c);

	if (!cursor_done(c) || term < r->term || term > RAFT_NUMBER_MAX ||
		vote > r->proto.cfg.nodes)
		return -EBADMSG;
	r->term = term;
	r->vote = PROTO_BUG(BUG_RAFT_FORGETS_VOTE) ? -1 : (int)vote - 1;
	return 0;
}

static int restore_entries(struct raft *r, struct cursor *c)
{
	struct raft_log *log = &r->log;
	uint64_t first = cursor_u64(c);
	struct raft_bounds bounds = {.term_max = r->term, .nodes = r->proto.cfg.nodes};
	struct raft_batch batch;
	struct cursor at;

	/*
	 * A snapshot has no entries that were cut off while it was taken. What was recorded behind
	 * them before that was cut off, too, by the first record that goes on where it ends.
	 */
	if (r->gap && first > log->entries.next)
		return 0;
	if (first < log->entries.first || first > log->entries.next)
		return -EBADMSG;
	r->gap = false;
	bounds.prev_term = raft_log_term(log, first - 1);
	if (raft_batch_decode(c, &bounds, &batch))
		return -EBADMSG;
	raft_log_cut(log, first);
	raft_changes_cut(r, first);
	at = raft_batch_cursor(&batch);
	for (uint32_t i = 0; i < batch.count; i++) {
		uint64_t term;
		struct proto_bytes bytes = raft_batch_next(&at, &term);

		raft_changes_appended(r, raft_log_append(log, term, bytes));
	}
	log->recorded = raft_log_last(log);
	log->durable = log->recorded;
	return 0;
}

int raft_log_restore(struct raft *r, enum raft_record kind, struct cursor *c)
{
	return kind == RAFT_RECORD_HARD ? restore_hard(r, c) : restore_entries(r, c);
}

static int describe_hard(struct cursor *c, struct buf *out)
{
	uint64_t term = cursor_u64(c);
	uint32_t vote = cursor_u32(c);

	if (!cursor_done(c) || vote > PROTO_NODES_MAX)
		return -EBADMSG;
	buf_printf(out, "term %llu, ", (unsigned long long)term);
	if (vote)
		buf_printf(out, "vote for replica %u", vote - 1);
	else
		buf_printf(out, "no vote");
	return 0;
}

void raft_batch_describe(const struct raft_batch *batch, uint64_t first,
	void (*term)(struct buf *out, uint64_t term), struct buf *out)
{
	struct cursor at = raft_batch_cursor(batch);

	buf_printf(out, "entries from %llu, %u:", (unsigned long long)first, batch->count);
	for (uint32_t i = 0; i < batch->count && i < DESCRIBED_MAX; i++) {
		uint64_t number;
		struct proto_bytes bytes = raft_batch_next(&at, &number);
		struct cursor body = cursor_over(bytes.p, bytes.len);
		struct raft_members members;
		struct command command;

		buf_printf(out, "%s ", i ? ";" : "");
		term(out, number);
		buf_u8(out, ' ');
		if (raft_entry_is_members(bytes) &&
			!raft_entry_decode_members(bytes, PROTO_NODES_MAX, &members)) {
			buf_printf(out, "members ");
			raft_members_describe(out, &members);
		} else if (bytes.len && command_decode(&body, &command) == 0) {
			command_describe(out, &command);
		}
		if (!bytes.len)
			buf_printf(out, "begins");
	}
	if (batch->count > DESCRIBED_MAX)
		buf_printf(out, "; and %u more", batch->count - DESCRIBED_MAX);
}

static void describe_term(struct buf *out, uint64_t term)
{
	buf_printf(out, "term %llu", (unsigned long long)term);
}

static int describe_entries(struct cursor *c, struct buf *out)
{
	uint64_t first = cursor_u64(c);
	struct raft_bounds bounds = {.term_max = RAFT_NUMBER_MAX, .nodes = PROTO_NODES_MAX};
	struct raft_batch batch;

	if (raft_batch_decode(c, &bounds, &batch))
		return -EBADMSG;
	raft_batch_describe(&batch, first, describe_term, out);
	return 0;
}
int raft_log_describe(enum raft_record kind, struct cursor *c, struct buf *out)
{
	return kind == RAFT_RECORD_HARD ? describe_hard(c, out) : describe_entries(c, out);
}

bool raft_log_persisted(struct raft_log *log, uint64_t seq)
{
	uint64_t before = log->durable;
	struct mark *m;

	while ((m = ring_front(&log->marks)) && m->seq <= seq) {
		/* Marks rise, except that a truncation has lowered the older ones. */
		if (m->last > log->durable)
			log->durable = m->last;
		ring_pop(&log->marks);
	}
	return log->durable > before;
}
