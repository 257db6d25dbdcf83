/* SPDX-License-Identifier: MIT */
/*
 * raft_members.c - who votes
 *
 * The membership in force is the latest in the log, committed or not (dissertation, 4.1). An entry
 * may be cut off again, and a snapshot needs the membership at its own index, so all of them are
 * kept from the one at the applied index on, which comes first.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/raft_internal.h"

/* Stands where a command has its operation. */
#define ENTRY_MEMBERS 0xffu
#define ENTRY_STAMP 8u

struct change {
	uint64_t index; /* of its entry; 0: there from the beginning */
	struct raft_members members;
};

void raft_members_set(struct raft_members *m, unsigned node, bool in)
{
	uint64_t bit = 1ull << (node % 64);

	if (raft_members_have(m, node) == in)
		return;
	m->set[node / 64] ^= bit;
	if (in)
		m->count++;
	else
		m->count--;
}

void raft_members_encode(struct buf *b, const struct raft_members *m)
{
	buf_u16(b, (uint16_t)m->count);
	for (unsigned i = 0; i < PROTO_NODES_MAX; i++)
		if (raft_members_have(m, i))
			buf_u16(b, (uint16_t)i);
}

int raft_members_decode(struct cursor *c, unsigned nodes, struct raft_members *ret)
{
	unsigned count = cursor_u16(c);
	unsigned next = 0;

	*ret = (struct raft_members){0};
	for (unsigned i = 0; i < count; i++) {
		unsigned node = cursor_u16(c);

		if (c->bad || node < next || node >= nodes)
			return -EBADMSG;
		raft_members_set(ret, node, true);
		next = node + 1;
	}
	return c->bad || count == 0 ? -EBADMSG : 0;
}

void raft_members_describe(struct buf *out, const struct raft_members *m)
{
	const char *sep = "";

	for (unsigned i = 0; i < PROTO_NODES_MAX; i++) {
		if (!raft_members_have(m, i))
			continue;
		buf_printf(out, "%s%u", sep, i);
		sep = " ";
	}
}

bool raft_entry_is_members(struct proto_bytes bytes)
{
	return bytes.len > ENTRY_STAMP && bytes.p[ENTRY_STAMP] == ENTRY_MEMBERS;
}

void raft_entry_encode_members(struct buf *b, const struct raft_members *m)
{
	buf_u64(b, 0);
	buf_u8(b, ENTRY_MEMBERS);
	raft_members_encode(b, m);
}

int raft_entry_decode_members(struct proto_bytes bytes, unsigned nodes, struct raft_members *ret)
{
	struct cursor c = cursor_over(bytes.p, bytes.len);

	(void)cursor_take(&c, ENTRY_STAMP + 1);
	if (raft_members_decode(&c, nodes, ret) || !cursor_done(&c))
		return -EBADMSG;
	return 0;
}

/* The latest is in force. */
static void in_force(struct raft *r)
{
	const struct change *last = ring_at(&r->changes, r->changes.next - 1);

	r->members = last->members;
	if (!PROTO_BUG(BUG_RAFT_OLD_MAJORITY) || !r->majority)
		r->majority = raft_majority(&r->members);
}

static void push(struct raft *r, uint64_t index, const struct raft_members *m)
{
	struct change *change = ring_push(&r->changes);

	change->index = index;
	change->members = *m;
	in_force(r);
}

void raft_changes_init(struct raft *r)
{
	const struct proto_config *cfg = &r->proto.cfg;
	struct raft_members first = {0};

	for (unsigned i = 0; i < (cfg->voters ? cfg->voters : cfg->nodes) && i < cfg->nodes; i++)
		raft_members_set(&first, i, true);
	ring_init(&r->changes, sizeof(struct change), 1);
	push(r, 0, &first);
}

void raft_changes_reset(struct raft *r, uint64_t index, const struct raft_members *m)
{
	ring_cut(&r->changes, r->changes.first);
	push(r, index, m);
}

void raft_changes_appended(struct raft *r, uint64_t index)
{
	const struct raft_entry *e = raft_log_at(&r->log, index);
	struct raft_members m;
	int bad;

	if (!raft_entry_is_members((struct proto_bytes){e->bytes, e->len}))
		return;
	bad = raft_entry_decode_members(
		(struct proto_bytes){e->bytes, e->len}, r->proto.cfg.nodes, &m);
	assert(!bad); /* checked when it came */
	push(r, index, &m);
}

void raft_changes_cut(struct raft *r, uint64_t index)
{
	while (ring_count(&r->changes) > 1) {
		const struct change *last = ring_at(&r->changes, r->changes.next - 1);

		if (last->index < index)
			break;
		ring_cut(&r->changes, r->changes.next - 1);
	}
	in_force(r);
}

void raft_changes_applied(struct raft *r)
{
	const struct change *second;

	while ((second = ring_at(&r->changes, r->changes.first + 1)) && second->index <= r->applied)
		ring_pop(&r->changes);
}

const struct raft_members *raft_members_applied(const struct raft *r)
{
	const struct change *first = ring_front(&r->changes);

	return &first->members;
}

uint64_t raft_members_index(const struct raft *r)
{
	const struct change *last = ring_at(&r->changes, r->changes.next - 1);

	return last->index;
}

/*
 * Dissertation, 4.2.2: one whose removal is not known to be committed may still be needed as a
 * leader, for nobody else may have the entry; but it counts no vote of its own.
 */
bool raft_may_stand(const struct raft *r)
{
	for (uint64_t i = r->changes.first; i < r->changes.next; i++) {
		const struct change *change = ring_at(&r->changes, i);

		if (raft_members_have(&change->members, r->proto.cfg.self))
			return true;
	}
	return false;
}

void raft_members_invariant(const struct raft *r)
{
	uint64_t before = 0;

	assert(ring_count(&r->changes) > 0 && r->members.count > 0);
	for (uint64_t i = r->changes.first; i < r->changes.next; i++) {
		const struct change *change = ring_at(&r->changes, i);

		assert((change->index <= r->applied) == (i == r->changes.first));
		assert(i == r->changes.first || change->index > before);
		assert(change->index <= raft_log_last(&r->log));
		before = change->index;
	}
}
