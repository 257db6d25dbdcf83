/* SPDX-License-Identifier: MIT */
/* command.c - a client's operation as bytes, and what it does to a table */
#include "store/proto/command.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "agent/base/clock.h"

/* Of a key, in a line for people. */
#define SHOWN_MAX 48u
/* Homes of the table that one command sweeps. */
#define SWEEP_HOMES 4

/* The third byte of a command. */
enum { FLAG_GET = 1, FLAG_EXPIRES = 2, FLAGS_ALL = 3 };

struct sweep {
	uint64_t clock_ns;
	bool seen;
	bool found;
	uint32_t len;
	uint8_t key[PROTO_KEY_MAX];
};

bool command_fits(const struct command *c)
{
	return c->key.len <= PROTO_KEY_MAX && c->value.len <= PROTO_VALUE_MAX &&
	       c->expected.len <= PROTO_VALUE_MAX - c->value.len;
}

void command_encode(struct buf *b, const struct command *c)
{
	assert(command_fits(c));
	buf_u64(b, c->stamp_ns);
	buf_u8(b, (uint8_t)c->op);
	buf_u8(b, (uint8_t)c->cond);
	buf_u8(b, (uint8_t)((c->get ? FLAG_GET : 0) | (c->expires_ns ? FLAG_EXPIRES : 0)));
	if (c->expires_ns)
		buf_u64(b, c->expires_ns);
	buf_bytes(b, c->key.p, c->key.len);
	buf_bytes(b, c->value.p, c->value.len);
	buf_bytes(b, c->expected.p, c->expected.len);
}

void command_stamp(uint8_t *bytes, uint64_t stamp_ns)
{
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(stamp_ns >> (8 * i));
}

int command_decode(struct cursor *c, struct command *ret)
{
	uint8_t op, cond, flags;

	ret->stamp_ns = cursor_u64(c);
	op = cursor_u8(c);
	cond = cursor_u8(c);
	flags = cursor_u8(c);
	ret->op = (enum proto_op)op;
	ret->cond = (enum proto_cond)cond;
	ret->get = flags & FLAG_GET;
	ret->expires_ns = flags & FLAG_EXPIRES ? cursor_u64(c) : 0;
	ret->key.p = cursor_bytes(c, &ret->key.len);
	ret->value.p = cursor_bytes(c, &ret->value.len);
	ret->expected.p = cursor_bytes(c, &ret->expected.len);
	if (!cursor_done(c) || op > PROTO_INCREASE || cond >= PROTO_COND_NR)
		return -EBADMSG;
	if (flags & ~FLAGS_ALL || !(flags & FLAG_EXPIRES) != !ret->expires_ns)
		return -EBADMSG;
	if (ret->op != PROTO_SET && (ret->cond != PROTO_ALWAYS || ret->expires_ns))
		return -EBADMSG;
	if (ret->get && ret->op != PROTO_SET && ret->op != PROTO_DEL)
		return -EBADMSG;
	return command_fits(ret) ? 0 : -EBADMSG;
}

static bool met(const struct command *c, const struct table_entry *old)
{
	switch (c->cond) {
	case PROTO_NX:
		return !old;
	case PROTO_XX:
		return old;
	case PROTO_IFEQ:
		return old && (command_same(old->value, c->expected) ||
				      PROTO_BUG(BUG_CAS_COMPARES_NOTHING));
	case PROTO_ALWAYS:
	case PROTO_COND_NR:
		break;
	}
	return true;
}

bool command_number(struct proto_bytes text, int64_t *ret)
{
	bool minus = text.len > 0 && text.p[0] == '-';
	uint32_t at = minus;
	int64_t n = 0;

	if (text.len == at || (text.p[at] == '0' && text.len > 1))
		return false;
	/* Downwards: the smallest number has no positive counterpart. */
	for (; at < text.len; at++) {
		if (text.p[at] < '0' || text.p[at] > '9' || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_sub_overflow(n, text.p[at] - '0', &n))
			return false;
	}
	if (!minus && n == INT64_MIN)
		return false;
	*ret = minus ? n : -n;
	return true;
}

static enum proto_status apply_increase(struct table *t, const struct command *c,
	const struct table_entry *old, struct table_entry entry, int64_t *ret)
{
	char text[24];
	int64_t by;

	*ret = 0;
	if (!command_number(c->value, &by) || (old && !command_number(old->value, ret))) {
		*ret = 0;
		return PROTO_UNFIT;
	}
	if (__builtin_add_overflow(*ret, by, ret)) {
		*ret = 1;
		return PROTO_UNFIT;
	}
	entry.value.len = (uint32_t)snprintf(text, sizeof text, "%lld", (long long)*ret);
	entry.value.p = (const uint8_t *)text;
	table_put(t, &entry);
	return PROTO_OK;
}

static enum proto_status apply_append(struct table *t, const struct command *c,
	const struct table_entry *old, struct table_entry entry, int64_t *ret)
{
	struct buf whole = {0};

	if (old && old->value.len > PROTO_VALUE_MAX - c->value.len)
		return PROTO_UNFIT;
	if (old)
		buf_add(&whole, old->value.p, old->value.len);
	buf_add(&whole, c->value.p, c->value.len);
	entry.value = (struct proto_bytes){.p = whole.p, .len = (uint32_t)whole.len};
	*ret = (int64_t)whole.len;
	table_put(t, &entry);
	buf_fini(&whole);
	return PROTO_OK;
}

static enum proto_status apply_set(struct table *t, const struct command *c,
	const struct table_entry *old, struct table_entry *entry)
{
	if (!met(c, old))
		return PROTO_UNMET;
	entry->value = c->value;
	entry->expires_ns = c->expires_ns;
	if (c->expires_ns == PROTO_EXPIRES_KEEP)
		entry->expires_ns = old ? old->expires_ns : 0;
	table_put(t, entry);
	return PROTO_OK;
}

static enum proto_status apply_del(
	struct table *t, const struct table_entry *old, struct table_entry *entry)
{
	if (!old)
		return PROTO_NIL;
	entry->deleted = true;
	entry->expires_ns = 0;
	table_put(t, entry);
	return PROTO_OK;
}

static bool gone(const struct table_entry *e, uint64_t now_ns)
{
	return e->deleted || (e->expires_ns && e->expires_ns <= now_ns);
}

static void sweep_entry(void *arg, const struct table_entry *e)
{
	struct sweep *sweep = arg;

	if (e->deleted || !e->expires_ns)
		return;
	sweep->seen = true;
	if (sweep->found || !gone(e, sweep->clock_ns))
		return;
	sweep->found = true;
	sweep->len = e->key.len;
	memcpy(sweep->key, e->key.p, e->key.len);
}

/* Redis's active expiry, in small steps. Costs nothing while no entry expires. */
static void sweep(struct table *t, struct command_state *s)
{
	struct sweep sweep;

	for (unsigned i = 0; i < SWEEP_HOMES && !s->swept; i++) {
		uint64_t next;

		sweep.clock_ns = s->clock_ns;
		sweep.seen = sweep.found = false;
		next = table_scan(t, s->sweep, sweep_entry, &sweep);
		s->seen |= sweep.seen;
		if (sweep.found) {
			/* One at a time; there may be more at this home. */
			table_remove(t, (struct proto_bytes){.p = sweep.key, .len = sweep.len});
			continue;
		}
		s->sweep = next;
		if (next)
			continue;
		s->swept = !s->seen;
		s->seen = false;
	}
}

void command_state_fini(struct command_state *s)
{
	buf_fini(&s->before);
}

static void keep_before(
	struct command_state *s, const struct table_entry *old, struct proto_reply *ret)
{
	if (!old)
		return;
	s->before.len = 0;
	buf_add(&s->before, old->value.p, old->value.len);
	ret->found = true;
	ret->value = (struct proto_bytes){.p = s->before.p, .len = (uint32_t)s->before.len};
}

static void apply(struct table *t, const struct command *c, const struct table_entry *old,
	struct table_entry *entry, struct proto_reply *ret)
{
	switch (c->op) {
	case PROTO_SET:
		ret->status = apply_set(t, c, old, entry);
		return;
	case PROTO_DEL:
		ret->status = apply_del(t, old, entry);
		return;
	case PROTO_APPEND:
		ret->status = apply_append(t, c, old, *entry, &ret->number);
		return;
	case PROTO_INCREASE:
		ret->status = apply_increase(t, c, old, *entry, &ret->number);
		return;
	case PROTO_GET:
	case PROTO_ADD:
	case PROTO_REMOVE:
	case PROTO_MEMBERS:
	case PROTO_VALUES:
	case PROTO_RESOLVE:
	case PROTO_OP_NR:
		break;
	}
	assert(0 && "a write of strings");
}

void command_apply(struct table *t, struct command_state *s, const struct command *c,
	uint64_t version, struct proto_reply *ret)
{
	struct table_entry entry = {.key = c->key, .version = version};
	const struct table_entry *old;

	*ret = (struct proto_reply){.version = version};
	if (c->stamp_ns > s->clock_ns)
		s->clock_ns = c->stamp_ns;
	if (c->expires_ns)
		s->swept = false;
	sweep(t, s);
	old = table_get(t, c->key);
	if (old && gone(old, s->clock_ns))
		old = NULL;
	if (c->get)
		keep_before(s, old, ret);
	/* APPEND and INCREASE leave a key its time, as Redis does. */
	if (old && c->op != PROTO_SET)
		entry.expires_ns = old->expires_ns;
	apply(t, c, old, &entry, ret);
}

void command_read(
	const struct table *t, struct proto_bytes key, uint64_t now_ns, struct proto_reply *ret)
{
	const struct table_entry *e = table_get(t, key);

	*ret = (struct proto_reply){.status = PROTO_NIL};
	if (!e)
		return;
	ret->version = e->version;
	if (gone(e, now_ns))
		return;
	ret->status = PROTO_OK;
	ret->value = e->value;
	ret->expires_ns = e->expires_ns;
}

void command_describe_key(struct buf *out, struct proto_bytes key)
{
	for (uint32_t i = 0; i < key.len && i < SHOWN_MAX; i++) {
		uint8_t c = key.p[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			buf_u8(out, c);
		else
			buf_printf(out, "\\x%02x", c);
	}
	if (key.len > SHOWN_MAX)
		buf_printf(out, "... (%u bytes)", key.len);
	else if (key.len == 0)
		buf_printf(out, "(empty key)");
}

/* Seconds since 1970, as date(1) reads them: date -d @1700000000.5 */
static void describe_time(struct buf *out, const char *word, uint64_t wall_ns)
{
	buf_printf(out, "%s@%llu.%03llu", word, (unsigned long long)(wall_ns / NS_PER_S),
		(unsigned long long)(wall_ns % NS_PER_S / NS_PER_MS));
}

void command_describe(struct buf *out, const struct command *c)
{
	static const char *const conditions[PROTO_COND_NR] = {
		[PROTO_NX] = " NX", [PROTO_XX] = " XX", [PROTO_IFEQ] = " IFEQ"};

	buf_printf(out, "%s ", proto_op_names[c->op]);
	command_describe_key(out, c->key);
	if (c->op != PROTO_DEL)
		buf_printf(out, ", %u bytes%s", c->value.len,
			c->cond == PROTO_ALWAYS ? "" : conditions[c->cond]);
	if (c->expires_ns == PROTO_EXPIRES_KEEP)
		buf_printf(out, " KEEPTTL");
	else if (c->expires_ns)
		describe_time(out, " until ", c->expires_ns);
	if (c->get)
		buf_printf(out, " GET");
	if (c->stamp_ns)
		describe_time(out, " at ", c->stamp_ns);
}
