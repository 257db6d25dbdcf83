/* SPDX-License-Identifier: MIT */
/*
 * primary_replica.c - what a replica does with what its primary sends
 *
 * Entries go to its disk, then it does them and acknowledges. It takes nothing that does not fit
 * on what it has: then it says where it stands, and the primary decides what it needs. What it has
 * of an older epoch beyond the primary's end, or in conflict with it, no primary will ever have.
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/primary_internal.h"

struct append {
	uint64_t epoch;
	uint64_t prev;
	uint64_t prev_epoch;
	uint64_t last; /* of the primary's log */
	struct raft_batch batch;
};

static int decode_append(struct cursor *c, struct append *ret)
{
	ret->epoch = cursor_u64(c);
	ret->prev = cursor_u64(c);
	ret->prev_epoch = cursor_u64(c);
	ret->last = cursor_u64(c);
	if (ret->epoch == 0 || ret->epoch > RAFT_NUMBER_MAX || ret->last > RAFT_NUMBER_MAX ||
		ret->prev > ret->last || ret->prev_epoch > ret->epoch ||
		(!ret->prev && ret->prev_epoch))
		return -EBADMSG;
	if (primary_entries_decode(c, ret->prev_epoch, ret->epoch, &ret->batch) ||
		ret->batch.count > ret->last - ret->prev)
		return -EBADMSG;
	return 0;
}

static bool fits(const struct primary *p, const struct append *a)
{
	struct cursor c = raft_batch_cursor(&a->batch);
	uint64_t mine = primary_last(p);

	if (a->prev > mine || primary_epoch_at(p, a->prev) != a->prev_epoch)
		return false;
	if (mine > a->last && primary_epoch_at(p, a->last + 1) < a->epoch &&
		!PROTO_BUG(BUG_PRIMARY_KEEPS_TAIL))
		return false;
	for (uint32_t i = 0; i < a->batch.count && a->prev + i < mine; i++) {
		uint64_t epoch;

		raft_batch_next(&c, &epoch);
		if (primary_epoch_at(p, a->prev + i + 1) != epoch)
			return false;
	}
	return true;
}

static void send_position(struct primary *p, unsigned to)
{
	struct buf b = {0};

	if (!primary_known(p))
		return;
	buf_u8(&b, PRIMARY_POSITION);
	buf_u64(&b, p->epoch);
	buf_u64(&b, primary_last(p));
	primary_runs_encode(&b, &p->runs, primary_last(p));
	p->proto.io->send(p->proto.io, to, b.p, b.len);
	buf_fini(&b);
}

void primary_send_appended(struct primary *p)
{
	uint64_t match = p->agreed < p->log.durable ? p->agreed : p->log.durable;
	struct buf b = {0};

	if (PROTO_BUG(BUG_PRIMARY_ACKS_BEFORE_DURABLE))
		match = p->agreed;
	p->answer_owed = match < p->agreed;
	buf_u8(&b, PRIMARY_APPENDED);
	buf_u64(&b, p->epoch);
	buf_u64(&b, p->done);
	buf_u64(&b, match);
	p->proto.io->send(p->proto.io, primary_owner(p, p->epoch), b.p, b.len);
	buf_fini(&b);
}

static void add_entries(struct primary *p, const struct append *a)
{
	struct cursor c = raft_batch_cursor(&a->batch);

	for (uint32_t i = 0; i < a->batch.count; i++) {
		uint64_t epoch;
		struct proto_bytes bytes = raft_batch_next(&c, &epoch);

		if (a->prev + 1 + i > primary_last(p))
			primary_append(p, epoch, bytes);
	}
	primary_record(p);
}

int primary_hear(struct primary *p, unsigned from, uint64_t epoch)
{
	if (epoch == 0 || epoch > RAFT_NUMBER_MAX || primary_owner(p, epoch) != from)
		return -EBADMSG;
	if (epoch < p->epoch) {
		primary_ping(p, from);
		return 0;
	}
	if (epoch > p->epoch)
		primary_adopt(p, epoch);
	p->heard_ns = primary_now(p);
	primary_watch_from_now(p);
	primary_admin_heard(p);
	primary_pass_held(p);
	return 1;
}

int primary_on_append(struct primary *p, unsigned from, struct cursor *c)
{
	struct append a;
	uint64_t end;
	int rc;

	if (decode_append(c, &a))
		return -EBADMSG;
	rc = primary_hear(p, from, a.epoch);
	if (rc <= 0)
		return rc;
	if (!fits(p, &a)) {
		send_position(p, from);
		return 0;
	}
	add_entries(p, &a);
	end = a.prev + a.batch.count;
	if (end > p->agreed)
		p->agreed = end;
	p->answer_owed = true;
	/* A heartbeat is answered at once, with what is on disk so far. */
	if (primary_known(p) && (a.batch.count == 0 || p->log.durable >= p->agreed ||
					PROTO_BUG(BUG_PRIMARY_ACKS_BEFORE_DURABLE)))
		primary_send_appended(p);
	return 0;
}
