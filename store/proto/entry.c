/* SPDX-License-Identifier: MIT */
/* entry.c - versions of keys where no leader orders them: as bytes, in memory, by age */
#include "store/proto/entry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/command.h"

enum { FLAG_DELETED = 1, FLAG_EXPIRES = 2 };

void entry_encode(struct buf *b, const struct table_entry *e)
{
	buf_u64(b, e->version);
	buf_u16(b, e->origin);
	buf_u8(b, (uint8_t)((e->deleted ? FLAG_DELETED : 0) | (e->expires_ns ? FLAG_EXPIRES : 0)));
	if (e->expires_ns)
		buf_u64(b, e->expires_ns);
	buf_bytes(b, e->key.p, e->key.len);
	buf_bytes(b, e->value.p, e->value.len);
}

/* The rest of @c; version 0 means that there is nothing, and only an answer says so. */
int entry_decode(unsigned nodes, struct cursor *c, struct table_entry *ret)
{
	uint8_t flags;

	memset(ret, 0, sizeof(*ret));
	ret->version = cursor_u64(c);
	ret->origin = cursor_u16(c);
	flags = cursor_u8(c);
	ret->expires_ns = flags & FLAG_EXPIRES ? cursor_u64(c) : 0;
	ret->key.p = cursor_bytes(c, &ret->key.len);
	ret->value.p = cursor_bytes(c, &ret->value.len);
	ret->deleted = flags & FLAG_DELETED;
	if (!cursor_done(c) || flags > FLAG_EXPIRES || ret->key.len > PROTO_KEY_MAX ||
		ret->value.len > PROTO_VALUE_MAX || ret->origin >= nodes ||
		ret->version > ENTRY_VERSION_MAX || (ret->deleted && ret->value.len) ||
		(flags == FLAG_EXPIRES && !ret->expires_ns) ||
		(!ret->version && (flags || ret->value.len)))
		return -EBADMSG;
	return 0;
}

int entry_describe(struct cursor *c, const char *version, struct buf *out)
{
	struct table_entry e;

	if (entry_decode(PROTO_NODES_MAX, c, &e) || !e.version)
		return -EBADMSG;
	buf_printf(out, "%s ", e.deleted ? "tombstone" : "entry");
	command_describe_key(out, e.key);
	if (!e.deleted)
		buf_printf(out, ", %u bytes", e.value.len);
	if (e.expires_ns)
		buf_printf(out, ", expires %llu", (unsigned long long)e.expires_ns);
	buf_printf(
		out, ", %s %llu of replica %u", version, (unsigned long long)e.version, e.origin);
	return 0;
}

/* A copy that owns its bytes: one block, to be freed by its key. */
uint8_t *entry_copy(struct table_entry *to, const struct table_entry *from)
{
	size_t len = (size_t)from->key.len + from->value.len;
	uint8_t *block = malloc(len + 1);

	assert(block);
	*to = *from;
	if (from->key.len)
		memcpy(block, from->key.p, from->key.len);
	if (from->value.len)
		memcpy(block + from->key.len, from->value.p, from->value.len);
	to->key.p = block;
	to->value.p = block + from->key.len;
	return block;
}

/* One coordinator gave the same version twice: by its content, as Cassandra does. */
static bool newer_by_content(const struct table_entry *a, const struct table_entry *b)
{
	uint32_t len = a->value.len < b->value.len ? a->value.len : b->value.len;
	int order = len ? memcmp(a->value.p, b->value.p, len) : 0;

	if (a->deleted != b->deleted)
		return a->deleted;
	if (a->expires_ns != b->expires_ns)
		return a->expires_ns > b->expires_ns;
	return order > 0 || (order == 0 && a->value.len > b->value.len);
}

/*
 * Order of the versions of a key; NULL is older than everything. Versions of one coordinator differ
 * unless it crashed before one was on its disk and its clock went back: then content decides, so
 * that all agree nevertheless.
 */
bool entry_newer(const struct table_entry *a, const struct table_entry *b)
{
	if (!b || !a)
		return a && a->version;
	if (a->version != b->version || PROTO_BUG(BUG_QUORUM_TIE_LOST))
		return a->version > b->version;
	if (a->origin != b->origin)
		return a->origin > b->origin;
	return newer_by_content(a, b);
}

bool entry_gone(const struct table_entry *e, uint64_t wall_ns)
{
	return !e || !e->version || e->deleted || (e->expires_ns && e->expires_ns <= wall_ns);
}

bool entry_depends(const struct proto_request *req)
{
	return req->cond != PROTO_ALWAYS || req->get ||
	       (req->op == PROTO_SET && req->expires_ns == PROTO_EXPIRES_KEEP);
}
