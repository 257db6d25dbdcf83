/* SPDX-License-Identifier: MIT */
/*
 * zone_primary.c - the primary: takes updates, counts serials, tells secondaries, gives transfers
 *
 * An update is recorded, and done when it is on disk: each takes the next serial (RFC 2136, 3.6),
 * also one whose condition fails then, which changes nothing. What a serial changed is kept in a
 * journal of a limited size; who is further behind gets the whole zone.
 *
 * A whole zone is given in parts, each as it is at that moment, and not frozen meanwhile: the
 * changes since the first part, which the secondary asks for next, make it exact (raft_copy.c). The
 * primary keeps nothing of a transfer.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/zone_internal.h"

/* --- updates --- */

void zone_write(struct zone *z, unsigned origin, const struct forward_attempt *a)
{
	struct proto_io *io = z->proto.io;
	struct zone_write *w = ring_push(&z->writes);
	struct buf command = {0}, record = {0};

	buf_add(&command, a->bytes.p, a->bytes.len);
	command_stamp(command.p, io->wall(io));
	buf_u8(&record, ZONE_KEPT_WRITE);
	buf_add(&record, command.p, command.len);
	*w = (struct zone_write){
		.slot = a->slot,
		.attempt = a->attempt,
		.origin = origin,
		.bytes = command.p,
		.len = (uint32_t)command.len,
	};
	z->recorded++;
	w->seq = io->persist(io, record.p, record.len);
	buf_fini(&record);
}

static void journal_pop(struct zone *z)
{
	struct zone_change *change = ring_front(&z->journal);

	z->journal_bytes -= change->len;
	free(change->bytes);
	ring_pop(&z->journal);
}

static void journal_push(struct zone *z, struct buf *bytes)
{
	unsigned kib = z->proto.cfg.journal_kib;
	size_t limit = kib ? (size_t)kib << 10 : ZONE_JOURNAL_BYTES;
	struct zone_change *change = ring_push(&z->journal);

	*change = (struct zone_change){.bytes = bytes->p, .len = (uint32_t)bytes->len};
	z->journal_bytes += bytes->len;
	/* An empty change takes room, too. */
	while (z->journal_bytes + ring_count(&z->journal) * sizeof(*change) > limit &&
		ring_count(&z->journal))
		journal_pop(z);
}

void zone_journal_fini(struct zone *z)
{
	while (ring_count(&z->journal))
		journal_pop(z);
	ring_fini(&z->journal);
}

void zone_journal_reset(struct zone *z)
{
	zone_journal_fini(z);
	ring_init(&z->journal, sizeof(struct zone_change), z->index + 1);
}

/* What is there now, whatever led to it (RFC 1995, 2: a deletion and what is there instead). */
static void journal_add(struct zone *z, const struct command *c, bool changed)
{
	struct command change = {.stamp_ns = z->state.clock_ns, .op = PROTO_DEL, .key = c->key};
	const struct table_entry *e = table_get(z->proto.table, c->key);
	struct buf bytes = {0};

	if (e) {
		change.op = PROTO_SET;
		change.value = e->value;
		change.expires_ns = e->expires_ns;
	}
	if (changed)
		command_encode(&bytes, &change);
	journal_push(z, &bytes);
}

void zone_write_apply(struct zone *z, const struct command *c, struct proto_reply *ret)
{
	z->index++;
	*ret = (struct proto_reply){.status = PROTO_OK};
	/* restore(): a part of the snapshot that was written later has seen it. */
	if (z->index > raft_copy_at(&z->copy, c->key)) {
		command_apply(z->proto.table, &z->state, c, z->index, ret);
		/* A transfer says what is gone: nobody needs a tombstone. */
		if (c->op == PROTO_DEL && ret->status == PROTO_OK)
			table_remove(z->proto.table, c->key);
	} else if (c->stamp_ns > z->state.clock_ns) {
		z->state.clock_ns = c->stamp_ns;
	}
	if (z->index <= z->copy.exact)
		zone_journal_reset(z);
	else
		journal_add(z, c, ret->status == PROTO_OK);
}

/* --- NOTIFY --- */

static void notify(struct zone *z, unsigned number)
{
	struct zone_notice *n = &z->notice[number];
	struct buf b = {0};

	n->told = z->index;
	n->owed = true;
	buf_u8(&b, ZONE_NOTIFY);
	buf_u32(&b, zone_serial(z->index));
	z->proto.io->send(z->proto.io, zone_server(&z->proto.cfg, number), b.p, b.len);
	buf_fini(&b);
}

/* RFC 1996, 3.5: one at a time; who has not answered is told of the newest serial later. */
static void notify_all(struct zone *z)
{
	for (unsigned i = 1; z->proto.cfg.notify && i < zone_servers(&z->proto.cfg); i++) {
		struct zone_notice *n = &z->notice[i];

		if (n->owed || n->told == z->index)
			continue;
		n->tries = 1;
		notify(z, i);
	}
}

void zone_notify_again(struct zone *z)
{
	for (unsigned i = 1; i < zone_servers(&z->proto.cfg); i++) {
		struct zone_notice *n = &z->notice[i];

		if (n->owed && n->tries++ < ZONE_NOTIFY_TRIES)
			notify(z, i);
		else
			n->owed = false; /* its refresh will find it */
	}
	notify_all(z);
}

int zone_on_notified(struct zone *z, unsigned from, struct cursor *c)
{
	unsigned number = zone_number(&z->proto.cfg, from);
	uint32_t serial = cursor_u32(c);

	if (!cursor_done(c) || !zone_is_primary(z) || number >= zone_servers(&z->proto.cfg))
		return -EBADMSG;
	if (serial == zone_serial(z->notice[number].told))
		z->notice[number].owed = false;
	notify_all(z);
	return 0;
}

void zone_writes_persisted(struct zone *z, uint64_t seq)
{
	struct zone_write *w;
	bool more = false;

	while ((w = ring_front(&z->writes)) && w->seq <= seq) {
		struct forward_answer a = {.slot = w->slot, .attempt = w->attempt};
		struct cursor c = cursor_over(w->bytes, w->len);
		struct command command;
		int bad = command_decode(&c, &command);
		unsigned origin = w->origin;
		uint8_t *bytes = w->bytes;

		assert(!bad); /* it was decoded or encoded here before */
		ring_pop(&z->writes);
		zone_write_apply(z, &command, &a.reply);
		zone_answer(z, origin, &a);
		free(bytes);
		more = true;
	}
	if (more)
		notify_all(z);
}

/* --- what secondaries ask --- */

/* Of @ret_id: which question it is. Return: whether a secondary may have asked it here. */
static bool asked(struct zone *z, unsigned from, struct cursor *c, uint64_t *ret_id)
{
	unsigned number = zone_number(&z->proto.cfg, from);

	*ret_id = cursor_u64(c);
	return zone_is_primary(z) && number < zone_servers(&z->proto.cfg);
}

int zone_on_soa_ask(struct zone *z, unsigned from, struct cursor *c)
{
	struct buf b = {0};
	uint64_t id;

	if (!asked(z, from, c, &id) || !cursor_done(c))
		return -EBADMSG;
	buf_u8(&b, ZONE_SOA);
	buf_u64(&b, id);
	buf_u32(&b, zone_serial(z->index));
	z->proto.io->send(z->proto.io, from, b.p, b.len);
	buf_fini(&b);
	return 0;
}

/* The changes after @index, so many as fit a message. */
static void send_changes(struct zone *z, unsigned to, uint64_t id, uint64_t index)
{
	struct buf changes = {0}, b = {0};
	const struct zone_change *change;
	uint32_t count = 0;

	while ((change = ring_at(&z->journal, index + 1 + count)) &&
		(!count || changes.len + change->len <= ZONE_CHANGES_BYTES)) {
		buf_bytes(&changes, change->bytes, change->len);
		count++;
	}
	buf_u8(&b, ZONE_IXFR);
	buf_u64(&b, id);
	buf_u32(&b, zone_serial(index));
	buf_u32(&b, zone_serial(z->index));
	buf_u32(&b, count);
	buf_add(&b, changes.p, changes.len);
	z->proto.io->send(z->proto.io, to, b.p, b.len);
	buf_fini(&changes);
	buf_fini(&b);
}

/* Parts of the table from @cursor on, of which @parts were before: they grow with their number. */
static void send_parts(struct zone *z, unsigned to, uint64_t id, uint64_t cursor, uint64_t parts)
{
	struct raft_part part = {.at = z->index};

	for (unsigned i = 0; i < ZONE_BURST_PARTS && (i == 0 || cursor); i++) {
		struct buf all = {0};
		struct cursor c;
		uint16_t piece = 0;

		part.from = cursor;
		cursor = part.to = raft_part_collect(z->proto.table, cursor, parts++, &all);
		c = cursor_over(all.p, all.len);
		do {
			struct buf b = {0};

			part.entries = raft_part_piece(&c);
			part.more = c.left > 0;
			buf_u8(&b, ZONE_AXFR);
			buf_u64(&b, id);
			buf_u64(&b, z->state.clock_ns);
			buf_u16(&b, piece++);
			raft_part_encode(&b, &part);
			z->proto.io->send(z->proto.io, to, b.p, b.len);
			buf_fini(&b);
		} while (part.more);
		buf_fini(&all);
	}
}

int zone_on_ixfr_ask(struct zone *z, unsigned from, struct cursor *c)
{
	uint64_t id, index;
	uint32_t serial;

	if (!asked(z, from, c, &id))
		return -EBADMSG;
	serial = cursor_u32(c);
	if (!cursor_done(c))
		return -EBADMSG;
	/* RFC 1982: the one that is meant is at most 2^31 serials away. */
	index = z->index - (uint32_t)(zone_serial(z->index) - serial);
	if (!zone_serial_after(zone_serial(z->index), serial))
		index = z->index;
	if (index <= z->index && index + 1 >= z->journal.first) {
		z->transfers_changes++;
		send_changes(z, from, id, index);
	} else {
		/* RFC 1995, 4: the whole zone in answer, if the journal does not go back so far. */
		z->transfers_whole++;
		send_parts(z, from, id, 0, 0);
	}
	return 0;
}

int zone_on_axfr_ask(struct zone *z, unsigned from, struct cursor *c)
{
	uint64_t id, cursor, parts;

	if (!asked(z, from, c, &id))
		return -EBADMSG;
	cursor = cursor_u64(c);
	parts = cursor_u64(c);
	if (!cursor_done(c) || parts >= RAFT_PARTS_MAX)
		return -EBADMSG;
	send_parts(z, from, id, cursor, parts);
	return 0;
}
