/* SPDX-License-Identifier: MIT */
/*
 * causal.c - causal consistency with convergence: every replica answers alone, nobody sees an
 * effect before its cause
 *
 * After COPS (W. Lloyd, M. Freedman, M. Kaminsky, D. Andersen, "Don't Settle for Eventual", SOSP
 * 2011) with the vectors of causal memory (M. Ahamad, G. Neiger, J. Burns, P. Kohli, P. Hutto,
 * "Causal Memory: Definitions, Implementation, and Programming", 1995). A replica has a count of
 * writes for each replica: its vector says what is visible here.
 *
 *  - A write is on this replica's disk, then visible, then acknowledged, then sent to all others.
 *    Nobody is waited for, so every side of a cut goes on (COPS, section 2: ALPS).
 *  - It depends on all that was visible where it was made. Elsewhere it becomes visible when that
 *    is (COPS, section 4.3: dep_check); until then it waits (causal_write.c).
 *  - Concurrent writes of a key: the last writer wins, by a hybrid logical clock and the replica's
 *    number. The clock has seen all that the write depends on, so this one order of all writes
 *    extends the causal order: the store is causal+ (COPS, section 3.2), which the checkers call
 *    causal-ccv. It needs no clocks for that; with clocks that differ, "last" is as wrong as they
 *    are: of two writes that do not know of each other the later one may lose.
 *  - A session's token is the vector of the last replica that answered it. Another replica serves
 *    it when it has all that; at the time-out it refuses. With a token per session the four session
 *    guarantees (D. Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", 1994)
 *    hold wherever it goes; without one, while it stays.
 *  - What is missing is asked for, of anybody who says that it has it (causal_peer.c). The log in
 *    memory goes back to what all have, at most CAUSAL_LOG_BYTES_MAX; who needs more gets the
 *    table with its vector (causal_copy.c).
 *  - Deleted keys are tombstones until nobody can bring them back (causal_bury.c).
 *
 * A token says more than a session has read: all that was visible where it read it. So it may wait
 * for what it does not know of, where COPS names the versions that were read; that takes a version
 * per key and session, this a number per replica.
 *
 * Invariants: taken covers have; have never goes back, also over a crash; the log in memory has
 * everything between cut and have; versions that one replica gives rise.
 *
 * A write of a time more than CAUSAL_AHEAD_NS_MAX in the future is not taken until then, nor what
 * depends on it. A disk that lost the end of a log that was told (fsync interval or none, and the
 * machine died) is not noticed: its numbers may be given twice.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/causal_internal.h"

/* That no acknowledged write is lost supposes that wall clocks agree; the models do not. */
static void causal_claim(const struct proto_config *cfg, struct proto_claim *ret)
{
	*ret = (struct proto_claim){
		.whole = PROTO_CAUSAL_CONVERGENT,
		.cut = PROTO_CAUSAL_CONVERGENT,
		.reads_cut = PROTO_SIDES_ALL,
		.writes_cut = PROTO_SIDES_ALL,
		.does = causal_fits(cfg) ? PROTO_DOES_PLAIN : 0,
		.sessions = true,
	};
}

/* The replica that is asked asks nobody. */
static uint64_t causal_floor_ns(const struct proto_floor_query *q)
{
	return q->client_ns;
}

static void causal_init(struct proto *p)
{
	struct causal *c = causal_of(p);

	ring_init(&c->log, sizeof(struct causal_entry), 1);
	ring_init(&c->requests, sizeof(struct causal_request), 1);
	ring_init(&c->parked, sizeof(uint64_t), 1);
	c->visible = 1;
	c->told_last = p->cfg.self;
	if (!causal_fits(&p->cfg))
		return;
	c->have.n = c->taken.n = c->told.n = c->cut.n = p->cfg.nodes;
	c->peer = calloc(p->cfg.nodes, sizeof(*c->peer));
	assert(c->peer);
	for (unsigned i = 0; i < p->cfg.nodes; i++)
		list_init(&c->peer[i].early);
}

static void causal_fini(struct proto *p)
{
	struct causal *c = causal_of(p);

	causal_write_fini(c);
	causal_request_fini(c);
	causal_copy_drop(c);
	buf_fini(&c->bury.graves.items);
	buf_fini(&c->bury.list);
	free(c->peer);
}

static void tick(struct causal *c)
{
	struct proto_io *io = c->proto.io;

	causal_tell(c);
	causal_drain(c);
	causal_copy_tick(c);
	causal_bury_tick(c);
	io->arm(io, CAUSAL_TIMER_TICK, io->now(io) + c->proto.cfg.heartbeat_ns);
}

static void causal_start(struct proto *p)
{
	struct causal *c = causal_of(p);

	if (!causal_fits(&p->cfg))
		return;
	/* A copy that the crash interrupted begins again. */
	causal_copy_drop(c);
	/* Above all numbers of an earlier life, whose answers may still be under way. */
	c->numbers = p->io->now(p->io);
	c->patience_ns = CAUSAL_RETRY_HEARTBEATS * p->cfg.heartbeat_ns;
	c->requests.first = c->requests.next = c->numbers + 1;
	tick(c);
}

static void causal_timer(struct proto *p, unsigned timer)
{
	if (timer == CAUSAL_TIMER_TICK)
		tick(causal_of(p));
	else
		causal_expire(causal_of(p));
}

static int causal_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	struct causal *c = causal_of(p);
	struct cursor m = cursor_over(bytes, len);

	if (from >= p->cfg.nodes || from == p->cfg.self || !causal_fits(&p->cfg))
		return -EBADMSG;
	switch (cursor_u8(&m)) {
	case CAUSAL_STATE:
		return causal_on_state(c, from, &m);
	case CAUSAL_WRITES:
		return causal_on_writes(c, &m);
	case CAUSAL_ASK:
		return causal_on_ask(c, from, &m);
	case CAUSAL_GIVEN:
		return causal_on_given(c, from, &m);
	case CAUSAL_COPY:
		return causal_on_copy(c, from, &m);
	case CAUSAL_PART:
		return causal_on_part(c, from, &m);
	default:
		return -EBADMSG;
	}
}

/* In the order of the records: writes, the copy's end between them, what is forgotten. */
static void causal_persisted(struct proto *p, uint64_t seq)
{
	struct causal *c = causal_of(p);

	c->durable = seq;
	if (c->copy.ending && c->copy.end <= seq) {
		causal_show(c, c->copy.end);
		causal_copy_show(c);
	}
	causal_show(c, seq);
	if (c->bury.record && c->bury.record <= seq)
		causal_buried(c);
	/* There is room for what had to wait for the disk. */
	causal_drain(c);
	causal_wake(c);
}

static void causal_status(const struct proto *p, struct proto_status_view *ret)
{
	const struct causal *c = (const struct causal *)p;

	*ret = (struct proto_status_view){.role = PROTO_PEER, .leader = -1, .pending = c->pending};
	ret->ready = causal_fits(&p->cfg);
}

static void causal_info(const struct proto *p, struct buf *out)
{
	const struct causal *c = (const struct causal *)p;
	unsigned long long early = 0;

	for (unsigned i = 0; c->peer && i < causal_nodes(c); i++)
		early += c->peer[i].early_count;
	buf_printf(out, "visible:");
	token_print(out, &c->have);
	buf_printf(out, "\r\nwrites_kept:%zu\r\nwrites_kept_bytes:%zu\r\nwrites_early:%llu\r\n",
		ring_count(&c->log), c->log_bytes, early);
	buf_printf(out, "writes_put_off:%llu\r\nsessions_waiting:%zu\r\n",
		(unsigned long long)c->ahead, ring_count(&c->parked));
	buf_printf(out, "copies:%llu\r\ntombstones_forgotten:%llu\r\n",
		(unsigned long long)c->replaced, (unsigned long long)c->forgotten);
}

static void causal_invariant(const struct proto *p)
{
	const struct causal *c = (const struct causal *)p;
	const struct causal_request *r = ring_front(&c->requests);

	assert(vclock_covers(&c->taken, &c->have));
	assert(vclock_covers(&c->have, &c->cut));
	assert(c->visible >= c->log.first && c->visible <= c->log.next);
	assert(c->disk_bytes <= c->log_bytes);
	assert((c->visible == c->log.next) == (c->disk_bytes == 0));
	assert(c->pending <= ring_count(&c->requests));
	assert(c->request_bytes == 0 || ring_count(&c->parked) > 0);
	assert(!r || c->armed);
	assert(c->copy.active == (c->copy.table != NULL));
	assert(c->durable <= c->record);
}

const struct proto_ops causal_ops = {
	.name = "causal",
	.size = sizeof(struct causal),
	.claim = causal_claim,
	.floor_ns = causal_floor_ns,
	.init = causal_init,
	.restore = causal_restore,
	.describe = causal_describe,
	.snapshot = causal_snapshot,
	.start = causal_start,
	.request = causal_request,
	.message = causal_message,
	.persisted = causal_persisted,
	.timer = causal_timer,
	.status = causal_status,
	.invariant = causal_invariant,
	.info = causal_info,
	.fini = causal_fini,
};
