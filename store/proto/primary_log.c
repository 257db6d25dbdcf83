/* SPDX-License-Identifier: MIT */
/*
 * primary_log.c - the log of a primary and its replicas: epochs, records, what is done
 *
 * An epoch belongs to one primary, which appends its entries one after the other. So two logs that
 * have entries of one epoch are the same up to the end of the shorter of these two runs, and where
 * two logs part follows from where their epochs begin (as in Kafka's KIP-101). The beginnings are
 * kept for the whole log: its entries may be long forgotten.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/primary_internal.h"

static const struct primary_run *run_at(const struct ring *runs, uint64_t number)
{
	return ring_at(runs, number);
}

uint64_t primary_epoch_at(const struct primary *p, uint64_t index)
{
	if (index == 0 || index > primary_last(p))
		return 0;
	for (uint64_t i = p->runs.next; i-- > p->runs.first;)
		if (run_at(&p->runs, i)->first <= index)
			return run_at(&p->runs, i)->epoch;
	return 0;
}

void primary_runs_push(struct ring *runs, uint64_t epoch, uint64_t first)
{
	struct primary_run *run;

	if (ring_count(runs) == PRIMARY_RUNS_MAX)
		ring_pop(runs);
	run = ring_push(runs);
	*run = (struct primary_run){.epoch = epoch, .first = first};
}

void primary_runs_copy(struct ring *to, const struct ring *from, uint64_t index)
{
	ring_fini(to);
	ring_init(to, sizeof(struct primary_run), 0);
	for (uint64_t i = from->first; i < from->next && run_at(from, i)->first <= index; i++)
		primary_runs_push(to, run_at(from, i)->epoch, run_at(from, i)->first);
}

void primary_runs_encode(struct buf *b, const struct ring *runs, uint64_t index)
{
	uint16_t count = 0;

	for (uint64_t i = runs->first; i < runs->next; i++)
		count = (uint16_t)(count + (run_at(runs, i)->first <= index));
	buf_u16(b, count);
	for (uint64_t i = runs->first; i < runs->first + count; i++) {
		buf_u64(b, run_at(runs, i)->epoch);
		buf_u64(b, run_at(runs, i)->first);
	}
}

static int decode_runs(struct cursor *c, uint64_t last, struct ring *ret)
{
	uint16_t count = cursor_u16(c);
	struct primary_run before = {0};

	if (c->bad || count > PRIMARY_RUNS_MAX || !count != !last)
		return -EBADMSG;
	for (uint16_t i = 0; i < count; i++) {
		struct primary_run run = {.epoch = cursor_u64(c)};

		run.first = cursor_u64(c);
		if (c->bad || run.epoch <= before.epoch || run.first <= before.first ||
			run.first > last || run.epoch > RAFT_NUMBER_MAX)
			return -EBADMSG;
		primary_runs_push(ret, run.epoch, run.first);
		before = run;
	}
	return 0;
}

int primary_runs_decode(struct cursor *c, uint64_t last, struct ring *ret)
{
	ring_init(ret, sizeof(struct primary_run), 0);
	if (last <= RAFT_NUMBER_MAX && decode_runs(c, last, ret) == 0)
		return 0;
	ring_fini(ret);
	return -EBADMSG;
}

/* Index of the last entry of run number @i in a log that ends with @last. */
static uint64_t run_end(const struct ring *runs, uint64_t i, uint64_t last)
{
	return i + 1 < runs->next ? run_at(runs, i + 1)->first - 1 : last;
}

uint64_t primary_common(const struct primary *p, const struct ring *runs, uint64_t last)
{
	uint64_t a = p->runs.next, b = runs->next;

	/* The newest epoch of which both have entries. */
	while (a > p->runs.first && b > runs->first) {
		const struct primary_run *x = run_at(&p->runs, a - 1);
		const struct primary_run *y = run_at(runs, b - 1);

		if (x->epoch == y->epoch) {
			uint64_t x_end = run_end(&p->runs, a - 1, primary_last(p));
			uint64_t y_end = run_end(runs, b - 1, last);

			return x_end < y_end ? x_end : y_end;
		}
		if (x->epoch > y->epoch)
			a--;
		else
			b--;
	}
	return 0;
}

void primary_append(struct primary *p, uint64_t epoch, struct proto_bytes bytes)
{
	uint64_t index = raft_log_append(&p->log, epoch, bytes);
	const struct primary_run *run = run_at(&p->runs, p->runs.next - 1);

	assert(!run || run->epoch <= epoch);
	if (!run || run->epoch < epoch)
		primary_runs_push(&p->runs, epoch, index);
}

void primary_record(struct primary *p)
{
	raft_log_persist(&p->log, p->proto.io, PRIMARY_RECORD_ENTRIES);
}

void primary_record_epoch(struct primary *p)
{
	struct proto_io *io = p->proto.io;
	struct buf b = {0};

	/* Entries come first, so that records stand in the order of what happened. */
	primary_record(p);
	buf_u8(&b, PRIMARY_RECORD_EPOCH);
	buf_u64(&b, p->epoch);
	buf_u64(&b, p->lost);
	buf_u64(&b, p->lost_all);
	buf_u64(&b, p->done);
	p->epoch_seq = io->persist(io, b.p, b.len);
	buf_fini(&b);
}

int primary_entries_decode(
	struct cursor *c, uint64_t prev_epoch, uint64_t epoch_max, struct raft_batch *ret)
{
	struct cursor at;

	if (raft_commands_decode(c, prev_epoch, epoch_max, ret))
		return -EBADMSG;
	at = raft_batch_cursor(ret);
	for (uint32_t i = 0; i < ret->count; i++) {
		uint64_t epoch;

		if (!raft_batch_next(&at, &epoch).len)
			return -EBADMSG; /* nobody begins with an empty one here */
	}
	return 0;
}

void primary_apply_next(struct primary *p, struct proto_reply *ret)
{
	const struct raft_entry *e = raft_log_at(&p->log, p->applied + 1);
	struct cursor c = cursor_over(e->bytes, e->len);
	struct command command;
	int bad = command_decode(&c, &command);

	assert(!bad); /* checked when it came */
	*ret = (struct proto_reply){.status = PROTO_OK};
	p->applied++;
	/* A part of a copy that was made later has seen it already. */
	if (p->applied > raft_copy_at(&p->copy, command.key)) {
		command_apply(p->proto.table, &p->state, &command, p->applied, ret);
		/* All do the same commands in one order: nobody needs a tombstone. */
		if (command.op == PROTO_DEL && ret->status == PROTO_OK)
			table_remove(p->proto.table, command.key);
	} else if (command.stamp_ns > p->state.clock_ns) {
		p->state.clock_ns = command.stamp_ns;
	}
	if (primary_exact(p) && ring_count(&p->copy.ranges))
		raft_copy_fini(&p->copy);
}

void primary_apply(struct primary *p, uint64_t index)
{
	struct proto_reply ignored;

	while (p->applied < index)
		primary_apply_next(p, &ignored);
}

void primary_trim(struct primary *p)
{
	const struct proto_config *cfg = &p->proto.cfg;
	size_t keep = cfg->log_keep_kib ? (size_t)cfg->log_keep_kib << 10 : RAFT_KEEP_BYTES;
	struct raft_log *log = &p->log;
	uint64_t limit = p->applied < log->durable ? p->applied : log->durable;
	uint64_t hold = limit;

	/* Who gets the table goes on after its base. */
	for (unsigned i = 0; primary_leads(p) && i < cfg->nodes; i++)
		if (p->peer[i].transfer && p->peer[i].transfer->index < hold)
			hold = p->peer[i].transfer->index;
	while (log->entries.first <= limit &&
		raft_log_cost(log, log->entries.first, primary_last(p)) >
			(log->entries.first <= hold ? keep : RAFT_HOLD_BYTES))
		raft_log_forget(log, log->entries.first);
}
