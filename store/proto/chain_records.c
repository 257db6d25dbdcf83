/* SPDX-License-Identifier: MIT */
/*
 * chain_records.c - records on disk: snapshots, and all of restore
 *
 * CONFIG   what was promised, which epoch is installed, the configuration that was accepted
 * ENTRIES  of the log, from an index on; what stood there and after it is gone
 * BASE     the table and the log begin anew after this index
 * PART     of the table, as of some later index: a copy from the tail, or a snapshot
 *
 * A snapshot is CONFIG, BASE at the applied index, the ENTRIES after it, the table in PARTs, END.
 * It does not begin while the table is of no moment, so the records of the log that follow may be
 * older than it: those before the MARK that was written with BASE are skipped.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/chain_internal.h"
#include "store/proto/walk.h"

enum stage { STAGE_BEGIN, STAGE_TABLE, STAGE_END };

static void snapshot_begin(struct chain *c, struct proto_snapshot *s)
{
	const struct raft_base base = {.index = c->applied,
		.term = raft_log_term(&c->log, c->applied),
		.clock_ns = c->state.clock_ns};
	struct proto_io *io = c->proto.io;
	uint64_t mark = io->random(io) | 1;
	struct buf b = {0};

	buf_u8(&b, CHAIN_RECORD_MARK);
	buf_u64(&b, mark);
	(void)io->persist(io, b.p, b.len);
	b.len = 0;
	buf_u8(&b, CHAIN_RECORD_CONFIG);
	buf_u64(&b, c->promised);
	buf_u64(&b, c->installed);
	chain_config_encode(&b, &c->config);
	walk_record(s, &b);
	buf_u8(&b, CHAIN_RECORD_BASE);
	buf_u64(&b, mark);
	chain_base_encode(&b, &base);
	walk_record(s, &b);
	buf_fini(&b);
	raft_log_give(&c->log, s, CHAIN_RECORD_ENTRIES, c->applied + 1);
	s->stage = STAGE_TABLE;
}

static void give_part(struct chain *c, struct proto_snapshot *s)
{
	struct raft_part part = {.from = s->cursor, .at = c->applied};
	struct buf all = {0}, b = {0};
	bool first = true;
	struct cursor at;

	part.to = raft_part_collect(c->proto.table, s->cursor, s->index[1]++, &all);
	at = cursor_over(all.p, all.len);
	do {
		part.entries = raft_part_piece(&at);
		part.more = at.left > 0;
		buf_u8(&b, CHAIN_RECORD_PART);
		chain_part_encode(&b, &part, first);
		walk_record(s, &b);
		first = false;
	} while (part.more);
	buf_fini(&all);
	buf_fini(&b);
	s->cursor = part.to;
	if (!part.to)
		s->stage = STAGE_END;
}

bool chain_snapshot(struct proto *p, struct proto_snapshot *s)
{
	struct chain *c = chain_of(p);
	uint8_t end = CHAIN_RECORD_END;

	/* While the table is of no moment there is nothing to give: the copy ends, or begins anew.
	 */
	if (!chain_exact(c))
		return true;
	if (s->stage == STAGE_BEGIN)
		snapshot_begin(c, s);
	else if (s->stage == STAGE_TABLE)
		give_part(c, s);
	if (s->stage == STAGE_END)
		s->record(s->arg, &end, sizeof(end));
	return s->stage != STAGE_END;
}

/* --- restore --- */

static int restore_config(struct chain *c, struct cursor *at)
{
	uint64_t promised = cursor_u64(at);
	uint64_t installed = cursor_u64(at);
	struct chain_config config;

	if (chain_config_decode(at, chain_nodes(c), &config) || !cursor_done(at) ||
		promised < c->promised || promised > RAFT_NUMBER_MAX || installed > promised ||
		config.epoch > promised)
		return -EBADMSG;
	c->promised = promised;
	c->installed = installed;
	c->config = config;
	c->boot_epoch = config.epoch;
	return 0;
}

static int restore_entries(struct chain *c, struct cursor *at)
{
	uint64_t first = cursor_u64(at);
	struct raft_log *log = &c->log;
	struct raft_batch batch;
	struct cursor walk;

	if (first <= c->applied || first > chain_last(c) + 1 ||
		raft_commands_decode(at, raft_log_term(log, first - 1), RAFT_NUMBER_MAX, &batch))
		return -EBADMSG;
	if (first <= chain_last(c)) {
		raft_log_cut(log, first);
		ring_cut(&c->waiters, first);
	}
	walk = raft_batch_cursor(&batch);
	for (uint32_t i = 0; i < batch.count; i++) {
		uint64_t epoch;
		struct proto_bytes bytes = raft_batch_next(&walk, &epoch);

		raft_log_append(log, epoch, bytes);
		(void)ring_push(&c->waiters);
	}
	log->recorded = log->durable = chain_last(c);
	/* It may have been acknowledged before the record that says so was on disk. */
	if (batch.count && batch.term == c->config.epoch &&
		chain_place(&c->config, chain_self(c)) >= 0)
		c->installed = c->config.epoch;
	return 0;
}

static int restore_base(struct chain *c, struct cursor *at)
{
	uint64_t mark = cursor_u64(at);
	struct raft_base base;

	/* With a mark it begins a snapshot, and that is at the beginning. */
	if (chain_base_decode(at, &base) || !cursor_done(at) ||
		(mark && (chain_last(c) || c->unfinished)))
		return -EBADMSG;
	c->unfinished = mark;
	c->skip_to = mark;
	chain_base_take(c, &base);
	c->log.durable = base.index;
	return 0;
}

static int restore_part(struct chain *c, struct cursor *at)
{
	struct raft_part part;
	bool first;

	if (chain_part_decode(at, &part, &first))
		return -EBADMSG;
	return chain_part_take(c, &part, first);
}

static int restore_mark(struct chain *c, struct cursor *at)
{
	uint64_t mark = cursor_u64(at);

	if (!cursor_done(at) || !mark || c->unfinished)
		return -EBADMSG;
	if (mark == c->skip_to)
		c->skip_to = 0;
	return 0;
}

static int restore_end(struct chain *c, const struct cursor *at)
{
	if (!cursor_done(at) || !c->unfinished || c->lacking)
		return -EBADMSG;
	c->unfinished = false;
	return 0;
}

int chain_restore(struct proto *p, const void *bytes, size_t len)
{
	struct chain *c = chain_of(p);
	struct cursor at = cursor_over(bytes, len);
	uint8_t kind = cursor_u8(&at);
	int rc = -EBADMSG;

	if (c->skip_to && !c->unfinished && kind > 0 && kind < CHAIN_RECORD_END)
		return 0;
	switch (kind) {
	case CHAIN_RECORD_CONFIG:
		rc = restore_config(c, &at);
		break;
	case CHAIN_RECORD_ENTRIES:
		rc = restore_entries(c, &at);
		break;
	case CHAIN_RECORD_BASE:
		rc = restore_base(c, &at);
		break;
	case CHAIN_RECORD_PART:
		rc = restore_part(c, &at);
		break;
	case CHAIN_RECORD_END:
		rc = restore_end(c, &at);
		break;
	case CHAIN_RECORD_MARK:
		rc = restore_mark(c, &at);
		break;
	default:
		break;
	}
	return rc;
}

/* --- for people --- */

static int describe_config(struct cursor *at, struct buf *out)
{
	uint64_t promised = cursor_u64(at);
	uint64_t installed = cursor_u64(at);
	struct chain_config config;

	if (chain_config_decode(at, PROTO_NODES_MAX, &config) || !cursor_done(at))
		return -EBADMSG;
	buf_printf(out, "epoch %llu is promised, %llu installed; of %llu the chain is",
		(unsigned long long)promised, (unsigned long long)installed,
		(unsigned long long)config.epoch);
	for (unsigned i = 0; i < config.count; i++)
		buf_printf(out, " %u", config.list[i]);
	return 0;
}

static void describe_epoch(struct buf *out, uint64_t epoch)
{
	buf_printf(out, "epoch %llu", (unsigned long long)epoch);
}

static int describe_entries(struct cursor *at, struct buf *out)
{
	uint64_t first = cursor_u64(at);
	struct raft_batch batch;

	if (raft_commands_decode(at, 0, RAFT_NUMBER_MAX, &batch))
		return -EBADMSG;
	raft_batch_describe(&batch, first, describe_epoch, out);
	return 0;
}

int chain_describe(const void *bytes, size_t len, struct buf *out)
{
	struct cursor at = cursor_over(bytes, len);
	struct raft_base base;
	struct raft_part part;
	bool first;

	switch (cursor_u8(&at)) {
	case CHAIN_RECORD_CONFIG:
		return describe_config(&at, out);
	case CHAIN_RECORD_ENTRIES:
		return describe_entries(&at, out);
	case CHAIN_RECORD_BASE:
		(void)cursor_u64(&at);
		if (chain_base_decode(&at, &base) || !cursor_done(&at))
			return -EBADMSG;
		buf_printf(out, "the table as after entry %llu of epoch %llu begins",
			(unsigned long long)base.index, (unsigned long long)base.term);
		return 0;
	case CHAIN_RECORD_PART:
		if (chain_part_decode(&at, &part, &first))
			return -EBADMSG;
		buf_printf(out, "table%s, %u keys as they were after entry %llu",
			part.more ? " (a piece)" : "", part.count, (unsigned long long)part.at);
		return 0;
	case CHAIN_RECORD_END:
		return raft_word_describe(&at, "snapshot ends", out);
	case CHAIN_RECORD_MARK:
		(void)cursor_u64(&at);
		return raft_word_describe(&at, "a snapshot begins here", out);
	default:
		return -EBADMSG;
	}
}
