/* SPDX-License-Identifier: MIT */
/* crdt_state.c - what a key of crdt is: a join semilattice of a register, a counter and a set */
#include "store/proto/crdt_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/command.h"

#define HEAD_BYTES (8 + 2 + 1 + 2 + 2 + 4)
#define LAST_BYTES (8 + 2 + 1 + 8 + 4)
#define RANGE_BYTES (2 + 8 + 8)
#define COUNT_BYTES (2 + 8 + 8 + 8 + 8)
#define ITEM_BYTES (1 + 2 + 8 + 8 + 4)

enum { FLAG_LAST = 1 };

const char *const crdt_type_names[CRDT_TYPE_NR] = {
	[CRDT_NOTHING] = "nothing",
	[CRDT_REGISTER] = "register",
	[CRDT_COUNTER] = "counter",
	[CRDT_SET] = "set",
};

void crdt_state_fini(struct crdt_state *s)
{
	free(s->range);
	free(s->count);
	free(s->item);
	*s = (struct crdt_state){0};
}

/* Room for one more; lists double at powers of two. */
static void *grown(void *list, uint32_t n, size_t size)
{
	if (n & (n - 1))
		return list;
	list = realloc(list, (n ? 2 * (size_t)n : 1) * size);
	assert(list);
	return list;
}

void crdt_add_item(struct crdt_state *s, const struct crdt_item *item)
{
	s->item = grown(s->item, s->items, sizeof(*s->item));
	s->item[s->items++] = *item;
}

void crdt_add_range(struct crdt_state *s, const struct crdt_range *range)
{
	s->range = grown(s->range, s->ranges, sizeof(*s->range));
	s->range[s->ranges++] = *range;
}

void crdt_add_count(struct crdt_state *s, const struct crdt_count *count)
{
	s->count = grown(s->count, s->counts, sizeof(*s->count));
	s->count[s->counts++] = *count;
}

void crdt_see(struct crdt_state *s, struct crdt_dot dot)
{
	crdt_add_range(s, &(struct crdt_range){dot.node, dot.time - 1, dot.time});
}

/* --- order --- */

static int order_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int crdt_dot_order(struct crdt_dot a, struct crdt_dot b)
{
	int order = order_u64(a.time, b.time);

	return order ? order : order_u64(a.node, b.node);
}

static int order_bytes(struct proto_bytes a, struct proto_bytes b)
{
	uint32_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.p, b.p, len) : 0;

	return order ? order : order_u64(a.len, b.len);
}

static int order_items(const void *x, const void *y)
{
	const struct crdt_item *a = x, *b = y;
	int order = order_u64(a->kind, b->kind);

	if (!order)
		order = order_bytes(a->bytes, b->bytes);
	if (!order)
		order = crdt_dot_order(a->dot, b->dot);
	return order ? order : order_u64(a->expires_ns, b->expires_ns);
}

static int order_ranges(const void *x, const void *y)
{
	const struct crdt_range *a = x, *b = y;
	int order = order_u64(a->node, b->node);

	if (!order)
		order = order_u64(a->from, b->from);
	return order ? order : order_u64(a->to, b->to);
}

static int order_counts(const void *x, const void *y)
{
	const struct crdt_count *a = x, *b = y;

	return order_u64(a->node, b->node);
}

static void sort(void *list, uint32_t n, size_t size, int (*order)(const void *, const void *))
{
	if (n > 1)
		qsort(list, n, size, order);
}

/* What two ranges have seen, one has if they touch. */
static void unite_ranges(struct crdt_state *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->ranges; i++) {
		const struct crdt_range *r = &s->range[i];
		struct crdt_range *before = n ? &s->range[n - 1] : NULL;

		if (!before || before->node != r->node || before->to < r->from)
			s->range[n++] = *r;
		else if (before->to < r->to)
			before->to = r->to;
	}
	s->ranges = n;
}

static void drop_same_items(struct crdt_state *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->items; i++)
		if (!n || order_items(&s->item[n - 1], &s->item[i]) != 0)
			s->item[n++] = s->item[i];
	s->items = n;
}

void crdt_order(struct crdt_state *s)
{
	sort(s->range, s->ranges, sizeof(*s->range), order_ranges);
	sort(s->count, s->counts, sizeof(*s->count), order_counts);
	sort(s->item, s->items, sizeof(*s->item), order_items);
	unite_ranges(s);
	drop_same_items(s);
}

/* --- bytes --- */

static void encode_dot(struct buf *b, struct crdt_dot dot)
{
	buf_u64(b, dot.time);
	buf_u16(b, dot.node);
}

void crdt_encode(struct buf *b, const struct crdt_state *s)
{
	encode_dot(b, s->stamp);
	buf_u8(b, s->last.dot.time ? FLAG_LAST : 0);
	if (s->last.dot.time) {
		encode_dot(b, s->last.dot);
		buf_u8(b, s->last.deleted);
		buf_u64(b, s->last.expires_ns);
		buf_bytes(b, s->last.bytes.p, s->last.bytes.len);
	}
	buf_u16(b, (uint16_t)s->ranges);
	for (uint32_t i = 0; i < s->ranges; i++) {
		buf_u16(b, s->range[i].node);
		buf_u64(b, s->range[i].from);
		buf_u64(b, s->range[i].to);
	}
	buf_u16(b, (uint16_t)s->counts);
	for (uint32_t i = 0; i < s->counts; i++) {
		buf_u16(b, s->count[i].node);
		buf_u64(b, s->count[i].time);
		buf_u64(b, (uint64_t)s->count[i].sum);
		buf_u64(b, s->count[i].reset_time);
		buf_u64(b, (uint64_t)s->count[i].reset_sum);
	}
	buf_u32(b, s->items);
	for (uint32_t i = 0; i < s->items; i++) {
		buf_u8(b, (uint8_t)s->item[i].kind);
		encode_dot(b, s->item[i].dot);
		buf_u64(b, s->item[i].expires_ns);
		buf_bytes(b, s->item[i].bytes.p, s->item[i].bytes.len);
	}
}

size_t crdt_encoded(const struct crdt_state *s)
{
	size_t len = HEAD_BYTES + (s->last.dot.time ? LAST_BYTES + s->last.bytes.len : 0) +
		     (size_t)s->ranges * RANGE_BYTES + (size_t)s->counts * COUNT_BYTES;

	for (uint32_t i = 0; i < s->items; i++)
		len += ITEM_BYTES + s->item[i].bytes.len;
	return len;
}

/* @max: the time of the stamp. */
static bool bad_dot(unsigned nodes, struct crdt_dot dot, uint64_t max)
{
	return dot.node >= nodes || dot.time == 0 || dot.time > max;
}

static struct crdt_dot decode_dot(struct cursor *c)
{
	struct crdt_dot dot = {.time = cursor_u64(c)};

	dot.node = cursor_u16(c);
	return dot;
}

static bool decode_last(unsigned nodes, struct cursor *c, struct crdt_state *s)
{
	uint8_t flags = cursor_u8(c);
	uint8_t deleted;

	if (!flags)
		return !c->bad;
	s->last.dot = decode_dot(c);
	deleted = cursor_u8(c);
	s->last.deleted = deleted;
	s->last.expires_ns = cursor_u64(c);
	s->last.bytes.p = cursor_bytes(c, &s->last.bytes.len);
	return flags == FLAG_LAST && deleted <= 1 && !bad_dot(nodes, s->last.dot, s->stamp.time) &&
	       s->last.bytes.len <= PROTO_VALUE_MAX &&
	       !(deleted && (s->last.bytes.len || s->last.expires_ns));
}

static bool decode_ranges(unsigned nodes, struct cursor *c, struct crdt_state *s)
{
	uint16_t n = cursor_u16(c);

	for (uint32_t i = 0; i < n && !c->bad; i++) {
		struct crdt_range r = {.node = cursor_u16(c)};
		const struct crdt_range *before = i ? &s->range[i - 1] : NULL;

		r.from = cursor_u64(c);
		r.to = cursor_u64(c);
		if (c->bad || r.node >= nodes || r.from >= r.to || r.to > s->stamp.time)
			return false;
		if (before &&
			(before->node > r.node || (before->node == r.node && before->to >= r.from)))
			return false;
		crdt_add_range(s, &r);
	}
	return !c->bad;
}

static bool decode_counts(unsigned nodes, struct cursor *c, struct crdt_state *s)
{
	uint16_t n = cursor_u16(c);

	for (uint32_t i = 0; i < n && !c->bad; i++) {
		struct crdt_count k = {.node = cursor_u16(c)};

		k.time = cursor_u64(c);
		k.sum = (int64_t)cursor_u64(c);
		k.reset_time = cursor_u64(c);
		k.reset_sum = (int64_t)cursor_u64(c);
		if (c->bad || bad_dot(nodes, (struct crdt_dot){k.time, k.node}, s->stamp.time) ||
			k.reset_time > k.time || (i && s->count[i - 1].node >= k.node))
			return false;
		crdt_add_count(s, &k);
	}
	return !c->bad;
}

static bool decode_items(unsigned nodes, struct cursor *c, struct crdt_state *s)
{
	uint32_t n = cursor_u32(c);

	for (uint32_t i = 0; i < n && !c->bad; i++) {
		struct crdt_item item = {.kind = (enum crdt_kind)cursor_u8(c)};

		item.dot = decode_dot(c);
		item.expires_ns = cursor_u64(c);
		item.bytes.p = cursor_bytes(c, &item.bytes.len);
		if (c->bad || item.kind < CRDT_SIBLING || item.kind >= CRDT_KIND_NR ||
			bad_dot(nodes, item.dot, s->stamp.time) ||
			item.bytes.len > PROTO_VALUE_MAX ||
			(item.kind == CRDT_MEMBER && item.expires_ns) ||
			(i && order_items(&s->item[i - 1], &item) >= 0))
			return false;
		crdt_add_item(s, &item);
	}
	return !c->bad;
}

int crdt_decode(unsigned nodes, struct proto_bytes bytes, struct crdt_state *ret)
{
	struct cursor c = cursor_over(bytes.p, bytes.len);

	*ret = (struct crdt_state){0};
	ret->stamp = decode_dot(&c);
	if (bytes.len <= CRDT_STATE_MAX && !bad_dot(nodes, ret->stamp, CRDT_TIME_MAX) &&
		decode_last(nodes, &c, ret) && decode_ranges(nodes, &c, ret) &&
		decode_counts(nodes, &c, ret) && decode_items(nodes, &c, ret) && cursor_done(&c))
		return 0;
	crdt_state_fini(ret);
	return -EBADMSG;
}

/* --- join --- */

bool crdt_covers(const struct crdt_state *s, struct crdt_dot dot)
{
	uint32_t low = 0, high = s->ranges;

	/* The first range behind which or in which it is: the last that begins before it. */
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		const struct crdt_range *r = &s->range[mid];

		if (r->node < dot.node || (r->node == dot.node && r->from < dot.time))
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && s->range[low - 1].node == dot.node && s->range[low - 1].to >= dot.time;
}

uint64_t crdt_seen_of(const struct crdt_state *s, uint16_t node)
{
	for (uint32_t i = 0; i < s->ranges; i++)
		if (s->range[i].node == node && s->range[i].from == 0)
			return s->range[i].to;
	return 0;
}

struct crdt_count crdt_count_of(const struct crdt_state *s, uint16_t node)
{
	for (uint32_t i = 0; i < s->counts; i++)
		if (s->count[i].node == node)
			return s->count[i];
	return (struct crdt_count){.node = node};
}

/* The items of @a that @b has, too, or has not seen; both are sorted. */
static void keep_items(
	const struct crdt_state *a, const struct crdt_state *b, struct crdt_state *ret)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < a->items; i++) {
		int order = -1;

		while (k < b->items && (order = order_items(&b->item[k], &a->item[i])) < 0)
			k++;
		if ((k < b->items && order == 0) || !crdt_covers(b, a->item[i].dot))
			crdt_add_item(ret, &a->item[i]);
	}
}

/* One replica has written both, so the later one has all of the earlier one (Shapiro et al., 3.1.1:
 * the entry-wise maximum). Equal times with other sums no replica gives; they, too, have an order.
 */
static void later(uint64_t *time, int64_t *sum, uint64_t other_time, int64_t other_sum)
{
	if (PROTO_BUG(BUG_CRDT_ADDS_SUMS) && other_time != *time && *time) {
		*time = *time > other_time ? *time : other_time;
		if (__builtin_add_overflow(*sum, other_sum, sum))
			*sum = INT64_MAX;
		return;
	}
	if (other_time > *time || (other_time == *time && other_sum > *sum)) {
		*time = other_time;
		*sum = other_sum;
	}
}

static void join_counts(
	const struct crdt_state *a, const struct crdt_state *b, struct crdt_state *ret)
{
	uint32_t i = 0, k = 0;

	while (i < a->counts || k < b->counts) {
		struct crdt_count c;

		if (k == b->counts || (i < a->counts && a->count[i].node < b->count[k].node)) {
			c = a->count[i++];
		} else if (i == a->counts || b->count[k].node < a->count[i].node) {
			c = b->count[k++];
		} else {
			const struct crdt_count *other = &b->count[k++];

			c = a->count[i++];
			later(&c.time, &c.sum, other->time, other->sum);
			later(&c.reset_time, &c.reset_sum, other->reset_time, other->reset_sum);
		}
		crdt_add_count(ret, &c);
	}
}

/* Of two with one dot, which no replica makes, all must agree on one nevertheless. */
static bool newer(const struct crdt_last *a, const struct crdt_last *b)
{
	int order = crdt_dot_order(a->dot, b->dot);

	if (!order)
		order = (int)a->deleted - (int)b->deleted;
	if (!order)
		order = order_bytes(a->bytes, b->bytes);
	return order ? order > 0 : a->expires_ns > b->expires_ns;
}

void crdt_join(const struct crdt_state *a, const struct crdt_state *b, struct crdt_state *ret)
{
	*ret = (struct crdt_state){0};
	ret->stamp = crdt_dot_order(a->stamp, b->stamp) >= 0 ? a->stamp : b->stamp;
	ret->last = newer(&b->last, &a->last) ? b->last : a->last;
	for (uint32_t i = 0; i < a->ranges; i++)
		crdt_add_range(ret, &a->range[i]);
	for (uint32_t i = 0; i < b->ranges; i++)
		crdt_add_range(ret, &b->range[i]);
	join_counts(a, b, ret);
	keep_items(a, b, ret);
	keep_items(b, a, ret);
	crdt_order(ret);
}

/* --- what is seen of it --- */

static bool gone(uint64_t expires_ns, uint64_t wall_ns)
{
	return expires_ns && expires_ns <= wall_ns;
}

static bool has_register(const struct crdt_state *s, uint64_t wall_ns)
{
	for (uint32_t i = 0; i < s->items; i++)
		if (s->item[i].kind == CRDT_SIBLING && !gone(s->item[i].expires_ns, wall_ns))
			return true;
	return s->last.dot.time && !s->last.deleted && !gone(s->last.expires_ns, wall_ns);
}

enum crdt_type crdt_type(const struct crdt_state *s, uint64_t wall_ns)
{
	/* Items are sorted by kind. */
	if (s->items && s->item[s->items - 1].kind == CRDT_MEMBER)
		return CRDT_SET;
	for (uint32_t i = 0; i < s->counts; i++)
		if (s->count[i].time > s->count[i].reset_time)
			return CRDT_COUNTER;
	return has_register(s, wall_ns) ? CRDT_REGISTER : CRDT_NOTHING;
}

int64_t crdt_sum(const struct crdt_state *s)
{
	__int128 sum = 0;

	for (uint32_t i = 0; i < s->counts; i++)
		sum += (__int128)s->count[i].sum - s->count[i].reset_sum;
	if (sum > INT64_MAX)
		return INT64_MAX;
	return sum < INT64_MIN ? INT64_MIN : (int64_t)sum;
}

static int latest_first(const void *x, const void *y)
{
	const struct crdt_item *a = x, *b = y;
	int order = crdt_dot_order(b->dot, a->dot);

	return order ? order : order_items(a, b);
}

uint32_t crdt_values(const struct crdt_state *s, uint64_t wall_ns, struct crdt_item *ret)
{
	uint32_t n = 0;

	if (s->last.dot.time && !s->last.deleted && !gone(s->last.expires_ns, wall_ns))
		ret[n++] = (struct crdt_item){
			CRDT_SIBLING, s->last.dot, s->last.expires_ns, s->last.bytes};
	for (uint32_t i = 0; i < s->items; i++)
		if (s->item[i].kind == CRDT_SIBLING && !gone(s->item[i].expires_ns, wall_ns))
			ret[n++] = s->item[i];
	sort(ret, n, sizeof(*ret), latest_first);
	return n;
}

uint64_t crdt_expires_ns(const struct crdt_state *s)
{
	uint64_t expires_ns = 0;

	if (crdt_type(s, 0) != CRDT_REGISTER)
		return 0;
	if (s->last.dot.time && !s->last.deleted) {
		expires_ns = s->last.expires_ns;
		if (!expires_ns)
			return 0;
	}
	for (uint32_t i = 0; i < s->items; i++) {
		if (!s->item[i].expires_ns)
			return 0;
		if (s->item[i].expires_ns > expires_ns)
			expires_ns = s->item[i].expires_ns;
	}
	return expires_ns;
}
