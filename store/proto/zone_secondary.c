/* SPDX-License-Identifier: MIT */
/*
 * zone_secondary.c - a secondary: refresh, retry, expire (RFC 1034, 4.3.5), and what it transfers
 *
 *            refresh, or NOTIFY of a later serial
 *   IDLE ------------------------------------------> ASKS_SOA / ASKS_IXFR
 *   ASKS_SOA   the serial is later            -----> ASKS_IXFR
 *   ASKS_IXFR  the journal does not reach     -----> ASKS_AXFR, into a table beside the own one
 *   ASKS_AXFR  all parts are here             -----> ASKS_IXFR, for the changes since the first
 *   any        the copy is as of the primary's serial -----> IDLE
 *   any        no answer within retry         -----> asks again
 *
 * The *contact* is the moment at which the last question was asked that was answered with a serial
 * which the copy now has. Reads are refused when that is longer ago than expire. So no answer is
 * older than that, however long a transfer takes. The contact is kept on disk as wall clock time: a
 * restart does not make a copy younger.
 *
 * Changes are done when they are on disk: what was read stays.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/zone_internal.h"

/* --- changes --- */

int zone_changes_check(struct cursor c, uint32_t count)
{
	for (uint32_t i = 0; i < count && !c.bad; i++) {
		struct proto_bytes bytes;
		struct command command;
		struct cursor one;

		bytes.p = cursor_bytes(&c, &bytes.len);
		one = cursor_over(bytes.p, bytes.len);
		if (bytes.len == 0)
			continue;
		if (command_decode(&one, &command) || command.get || command.cond != PROTO_ALWAYS ||
			(command.op != PROTO_SET && command.op != PROTO_DEL))
			return -EBADMSG;
	}
	return cursor_done(&c) ? 0 : -EBADMSG;
}

void zone_change_apply(struct table *t, struct command_state *state, const struct raft_copy *copy,
	struct cursor *c, uint64_t index)
{
	struct proto_bytes bytes;
	struct command command;
	struct proto_reply ignored;
	struct cursor one;
	int bad;

	bytes.p = cursor_bytes(c, &bytes.len);
	if (bytes.len == 0)
		return;
	one = cursor_over(bytes.p, bytes.len);
	bad = command_decode(&one, &command);
	assert(!bad); /* it was checked */
	if (index <= raft_copy_at(copy, command.key)) {
		if (command.stamp_ns > state->clock_ns)
			state->clock_ns = command.stamp_ns;
		return;
	}
	command_apply(t, state, &command, index, &ignored);
	if (command.op == PROTO_DEL)
		table_remove(t, command.key);
}

/* --- contact --- */

bool zone_expired(const struct zone *z)
{
	uint64_t expire_ns = z->proto.cfg.expire_ns;

	if (!zone_is_secondary(z))
		return false;
	if (!z->contact_ns || !zone_exact(z))
		return true;
	if (PROTO_BUG(BUG_ZONE_SERVES_EXPIRED))
		return false;
	return expire_ns && zone_now(z) - z->contact_ns > expire_ns;
}

/* That @at_ns was @z's contact, by the wall clock. */
static uint64_t wall_at(const struct zone *z, uint64_t at_ns)
{
	uint64_t wall = z->proto.io->wall(z->proto.io);
	uint64_t ago = zone_now(z) - at_ns;

	return wall > ago ? wall - ago : 1;
}

static void contact(struct zone *z, uint64_t at_ns, uint64_t wall_ns)
{
	if (!at_ns || at_ns <= z->contact_ns)
		return;
	z->contact_ns = at_ns;
	z->contact_wall_ns = wall_ns;
}

/* Not every time: what is kept may be older than what is so, by a refresh. */
static void keep_contact(struct zone *z)
{
	struct buf b = {0};

	if (z->contact_wall_ns < z->contact_kept_ns + zone_span(z, z->proto.cfg.refresh_ns) / 2)
		return;
	z->contact_kept_ns = z->contact_wall_ns;
	buf_u8(&b, ZONE_KEPT_CONTACT);
	buf_u64(&b, z->contact_wall_ns);
	(void)z->proto.io->persist(z->proto.io, b.p, b.len);
	buf_fini(&b);
}

/* --- questions --- */

static void arm(struct zone *z, uint64_t ns)
{
	z->proto.io->arm(z->proto.io, ZONE_TIMER_REFRESH, zone_now(z) + ns);
}

/* The number of a question is when it was asked, or a little more; the answer has it. */
static void send_question(struct zone *z)
{
	const struct zone_staging *s = &z->staging;
	enum zone_question question = z->question;
	struct proto_io *io = z->proto.io;
	uint64_t now = io->now(io);
	struct buf b = {0};

	z->question_id = now > z->question_id ? now : z->question_id + 1;
	if (question == ZONE_ASKS_SOA) {
		buf_u8(&b, ZONE_SOA_ASK);
		buf_u64(&b, z->question_id);
	} else if (question == ZONE_ASKS_IXFR) {
		buf_u8(&b, ZONE_IXFR_ASK);
		buf_u64(&b, z->question_id);
		buf_u32(&b, zone_serial(s->table ? s->index : z->recorded));
	} else {
		buf_u8(&b, ZONE_AXFR_ASK);
		buf_u64(&b, z->question_id);
		buf_u64(&b, s->copy.cursor);
		buf_u64(&b, ring_count(&s->copy.ranges));
	}
	io->send(io, zone_primary(&z->proto.cfg), b.p, b.len);
	buf_fini(&b);
	arm(z, zone_span(z, z->proto.cfg.retry_ns));
}

static void ask(struct zone *z, enum zone_question question)
{
	z->question = question;
	z->question_first = z->question_id + 1;
	send_question(z);
}

/* Whether it is the question, or one of its repetitions: the answer may take longer than retry. */
static bool is_answer(const struct zone *z, uint64_t id)
{
	return id >= z->question_first && id <= z->question_id;
}

static uint64_t asked_at(const struct zone *z, uint64_t id)
{
	return id < zone_now(z) ? id : zone_now(z);
}

static void ask_for_more(struct zone *z)
{
	ask(z, z->staging.table && !z->staging.copy.complete ? ZONE_ASKS_AXFR : ZONE_ASKS_IXFR);
}

/* The copy is complete; a NOTIFY may have come meanwhile. */
static void idle(struct zone *z)
{
	z->question = ZONE_IDLE;
	arm(z, zone_span(z, z->proto.cfg.refresh_ns));
	if (z->notified_any && zone_serial_after(z->notified, zone_serial(z->recorded)))
		ask(z, ZONE_ASKS_IXFR);
}

/* Both timers of RFC 1034: refresh when nothing was asked, else retry. */
void zone_refresh(struct zone *z)
{
	if (z->question != ZONE_IDLE)
		send_question(z);
	else if (z->staging.table && !z->staging.swap_seq)
		ask_for_more(z);
	else
		ask(z, ZONE_ASKS_SOA);
}

void zone_secondary_start(struct zone *z)
{
	uint64_t wall = z->proto.io->wall(z->proto.io);
	uint64_t now = zone_now(z);

	zone_staging_drop(z);
	/* What the clock cannot tell the age of is too old. */
	if (z->contact_wall_ns && wall >= z->contact_wall_ns && wall - z->contact_wall_ns < now)
		z->contact_ns = now - (wall - z->contact_wall_ns);
	z->contact_kept_ns = z->contact_wall_ns;
	ask(z, ZONE_ASKS_SOA);
}

int zone_on_notify(struct zone *z, unsigned from, struct cursor *c)
{
	uint32_t serial = cursor_u32(c);
	struct buf b = {0};

	if (!cursor_done(c) || !zone_is_secondary(z) || from != zone_primary(&z->proto.cfg))
		return -EBADMSG;
	buf_u8(&b, ZONE_NOTIFIED);
	buf_u32(&b, serial);
	z->proto.io->send(z->proto.io, from, b.p, b.len);
	buf_fini(&b);
	if (z->notified_any && !zone_serial_after(serial, z->notified))
		return 0;
	z->notified = serial;
	z->notified_any = true;
	/* RFC 1996, 3.11: its serial is a hint that saves a question. */
	if (z->question == ZONE_IDLE && zone_serial_after(serial, zone_serial(z->recorded)))
		ask(z, ZONE_ASKS_IXFR);
	return 0;
}

int zone_on_soa(struct zone *z, unsigned from, struct cursor *c)
{
	uint64_t id = cursor_u64(c);
	uint32_t serial = cursor_u32(c);

	if (!cursor_done(c) || !zone_is_secondary(z) || from != zone_primary(&z->proto.cfg))
		return -EBADMSG;
	if (z->question != ZONE_ASKS_SOA || !is_answer(z, id))
		return 0;
	if (zone_serial_after(serial, zone_serial(z->recorded))) {
		ask(z, ZONE_ASKS_IXFR);
		return 0;
	}
	if (serial == zone_serial(z->index)) {
		contact(z, asked_at(z, id), wall_at(z, asked_at(z, id)));
		keep_contact(z);
	}
	idle(z);
	return 0;
}

/* --- changes (IXFR) --- */

struct changes {
	uint64_t id;
	uint32_t from;
	uint32_t current;
	uint32_t count;
	struct proto_bytes bytes;
};

static int decode_changes(struct cursor *c, struct changes *ret)
{
	ret->id = cursor_u64(c);
	ret->from = cursor_u32(c);
	ret->current = cursor_u32(c);
	ret->count = cursor_u32(c);
	ret->bytes = (struct proto_bytes){.p = c->p, .len = (uint32_t)c->left};
	if (c->bad || zone_changes_check(*c, ret->count))
		return -EBADMSG;
	return ret->current - ret->from >= ret->count ? 0 : -EBADMSG;
}

static uint64_t record_changes(struct zone *z, enum zone_kept kind, uint64_t index,
	uint64_t contact_wall, const struct changes *m)
{
	struct buf b = {0};
	uint64_t seq;

	buf_u8(&b, (uint8_t)kind);
	buf_u64(&b, index);
	buf_u64(&b, contact_wall);
	buf_u32(&b, m->count);
	buf_add(&b, m->bytes.p, m->bytes.len);
	seq = z->proto.io->persist(z->proto.io, b.p, b.len);
	buf_fini(&b);
	return seq;
}

/* The copy that was made beside is as of one serial: it takes over when it is on disk. */
static void finish_staging(struct zone *z, uint64_t contact_ns)
{
	uint8_t kind = ZONE_KEPT_SWAP;

	z->staging.contact_ns = contact_ns;
	z->staging.swap_seq = z->proto.io->persist(z->proto.io, &kind, 1);
	z->recorded = z->staging.index;
}

static void stage_changes(struct zone *z, const struct changes *m)
{
	struct zone_staging *s = &z->staging;
	struct cursor c = cursor_over(m->bytes.p, m->bytes.len);

	if (m->count)
		(void)record_changes(z, ZONE_KEPT_STAGE_CHANGES, s->index, 0, m);
	for (uint32_t i = 0; i < m->count; i++)
		zone_change_apply(s->table, &s->state, &s->copy, &c, ++s->index);
	s->moved_ns = zone_now(z);
	if (zone_serial(s->index) != m->current) {
		ask(z, ZONE_ASKS_IXFR);
		return;
	}
	if (s->index >= s->copy.exact)
		finish_staging(z, asked_at(z, m->id));
	idle(z);
}

static void take_changes(struct zone *z, const struct changes *m)
{
	bool all = m->from + m->count == m->current;
	uint64_t asked_ns = asked_at(z, m->id);
	uint64_t at_ns = all ? asked_ns : 0;
	struct zone_batch *batch;
	struct buf copy = {0};

	if (m->count == 0 && z->index == z->recorded) {
		contact(z, at_ns, wall_at(z, asked_ns));
		keep_contact(z);
	} else if (m->count) {
		buf_add(&copy, m->bytes.p, m->bytes.len);
		batch = ring_push(&z->batches);
		*batch = (struct zone_batch){.contact_ns = at_ns,
			.bytes = copy.p,
			.len = (uint32_t)copy.len,
			.count = m->count};
		batch->seq = record_changes(
			z, ZONE_KEPT_CHANGES, z->recorded, all ? wall_at(z, asked_ns) : 0, m);
		z->recorded += m->count;
	}
	if (all)
		idle(z);
	else
		ask(z, ZONE_ASKS_IXFR);
}

int zone_on_ixfr(struct zone *z, unsigned from, struct cursor *c)
{
	const struct zone_staging *s = &z->staging;
	struct changes m;
	bool fits;

	if (!zone_is_secondary(z) || from != zone_primary(&z->proto.cfg) || decode_changes(c, &m))
		return -EBADMSG;
	/* RFC 1995, 4: changes are for the serial that they begin with, and no other. */
	fits = z->question == ZONE_ASKS_IXFR && is_answer(z, m.id) &&
	       m.from == zone_serial(s->table ? s->index : z->recorded);
	if (!fits && !PROTO_BUG(BUG_ZONE_CHANGES_ON_ANY_SERIAL))
		return 0;
	if (s->table && !s->swap_seq)
		stage_changes(z, &m);
	else if (!s->table)
		take_changes(z, &m);
	return 0;
}

void zone_batches_persisted(struct zone *z, uint64_t seq)
{
	struct zone_batch *batch;

	while ((batch = ring_front(&z->batches)) && batch->seq <= seq) {
		struct cursor c = cursor_over(batch->bytes, batch->len);

		for (uint32_t i = 0; i < batch->count; i++)
			zone_change_apply(z->proto.table, &z->state, &z->copy, &c, ++z->index);
		if (batch->contact_ns)
			contact(z, batch->contact_ns, wall_at(z, batch->contact_ns));
		free(batch->bytes);
		ring_pop(&z->batches);
	}
	if (z->staging.swap_seq && z->staging.swap_seq <= seq) {
		uint64_t at_ns = z->staging.contact_ns;

		zone_staging_swap(z);
		contact(z, at_ns, wall_at(z, at_ns));
		keep_contact(z);
	}
}

/* --- the whole (AXFR) --- */

void zone_staging_drop(struct zone *z)
{
	struct zone_staging *s = &z->staging;

	table_close(s->table);
	command_state_fini(&s->state);
	raft_copy_fini(&s->copy);
	*s = (struct zone_staging){.copy = s->copy};
}

void zone_staging_begin(struct zone *z, uint64_t index, uint64_t clock_ns)
{
	zone_staging_drop(z);
	z->staging.table = table_open();
	z->staging.partial_at = RAFT_NUMBER_MAX;
	z->staging.index = index;
	z->staging.state.clock_ns = clock_ns;
}

void zone_staging_swap(struct zone *z)
{
	struct zone_staging *s = &z->staging;
	uint64_t clock_ns = s->state.clock_ns;

	table_swap(z->proto.table, s->table);
	z->index = z->recorded = s->index;
	command_state_fini(&z->state);
	z->state = (struct command_state){.clock_ns = clock_ns};
	raft_copy_fini(&z->copy);
	zone_staging_drop(z);
}

static void record_stage(struct zone *z)
{
	struct buf b = {0};

	buf_u8(&b, ZONE_KEPT_STAGE);
	buf_u64(&b, z->staging.index);
	buf_u64(&b, z->staging.state.clock_ns);
	(void)z->proto.io->persist(z->proto.io, b.p, b.len);
	buf_fini(&b);
}

static void record_piece(struct zone *z, const struct raft_part *part)
{
	struct buf b = {0};

	buf_u8(&b, ZONE_KEPT_STAGE_PIECE);
	raft_part_encode(&b, part);
	(void)z->proto.io->persist(z->proto.io, b.p, b.len);
	buf_fini(&b);
}

/* The next piece, of the first attempt or a later one at a part. */
static bool next_piece(struct zone_staging *s, const struct raft_part *part, uint16_t piece)
{
	if (!s->table || s->copy.complete || part->from != s->copy.cursor || part->at < s->index)
		return false;
	if (piece == 0)
		s->piece = 0;
	else if (part->at != s->partial_at)
		return false;
	return piece == s->piece;
}

int zone_staging_put(struct zone_staging *s, const struct raft_part *part)
{
	/* Begun anew, as of another index: a key may have gone since. */
	if (s->partial_at != RAFT_NUMBER_MAX && s->partial_at != part->at)
		raft_part_clear(s->table, s->copy.cursor);
	raft_part_put(s->table, part);
	s->partial_at = part->more ? part->at : RAFT_NUMBER_MAX;
	return part->more ? 0 : raft_copy_add(&s->copy, part->from, part->to, part->at);
}

/*
 * In answer to a question for changes: the journal does not go back so far. Whatever was staged is
 * of no use then.
 */
static void whole_zone(struct zone *z, const struct raft_part *part, uint64_t clock_ns)
{
	zone_staging_begin(z, part->at, clock_ns);
	record_stage(z);
	z->question = ZONE_ASKS_AXFR;
}

static void take_piece(struct zone *z, const struct raft_part *part)
{
	struct zone_staging *s = &z->staging;

	record_piece(z, part);
	s->piece = part->more ? (uint16_t)(s->piece + 1) : 0;
	s->moved_ns = zone_now(z);
	if (zone_staging_put(s, part)) {
		zone_staging_drop(z); /* too many parts: it will never be complete */
		idle(z);
		return;
	}
	if (s->copy.complete)
		ask(z, ZONE_ASKS_IXFR);
	else if (!part->more && ring_count(&s->copy.ranges) % ZONE_BURST_PARTS == 0)
		ask(z, ZONE_ASKS_AXFR);
	else
		arm(z, zone_span(z, z->proto.cfg.retry_ns));
}

int zone_on_axfr(struct zone *z, unsigned from, struct cursor *c)
{
	struct zone_staging *s = &z->staging;
	uint64_t id = cursor_u64(c);
	uint64_t clock_ns = cursor_u64(c);
	uint16_t piece = cursor_u16(c);
	struct raft_part part;

	if (!zone_is_secondary(z) || from != zone_primary(&z->proto.cfg) ||
		raft_part_decode(c, &part))
		return -EBADMSG;
	/* What is on its way to the disk would be done upon what takes its place. */
	if (!is_answer(z, id) || ring_count(&z->batches) || s->swap_seq)
		return 0;
	if (z->question == ZONE_ASKS_IXFR && part.from == 0 && piece == 0 && part.at >= z->index)
		whole_zone(z, &part, clock_ns);
	if (z->question != ZONE_ASKS_AXFR || !next_piece(s, &part, piece))
		return 0;
	take_piece(z, &part);
	return 0;
}
