/* SPDX-License-Identifier: MIT */
/* oracle.c - the models of registers, decided by trying everything */
#include "tests/check/oracle.h"

#include <assert.h>
#include <string.h>

#define NOTHING ORACLE_OPS_MAX /* in place of a write: none yet */
#define NOT_A_LOOK (ORACLE_OPS_MAX + 1)

const char *const oracle_names[ORACLE_NR] = {
	[ORACLE_SEQUENTIAL] = "sequential",
	[ORACLE_CM] = "causal-cm",
	[ORACLE_CCV] = "causal-ccv",
	[ORACLE_CC] = "causal-cc",
	[ORACLE_PRAM] = "pram",
	[ORACLE_WFR] = "writes-follow-reads",
	[ORACLE_MW] = "monotonic-writes",
	[ORACLE_MR] = "monotonic-reads",
	[ORACLE_RYW] = "read-your-writes",
	[ORACLE_EVENTUAL] = "eventual",
};

/* Sets of operations are bits. @po, @co: what comes before each operation. */
struct oracle {
	const struct history_op *op[ORACLE_OPS_MAX];
	unsigned count;
	unsigned in;    /* operations that took effect */
	unsigned wrote; /* of them, those that wrote */
	unsigned saw[ORACLE_OPS_MAX];
	unsigned po[ORACLE_OPS_MAX];
	unsigned co[ORACLE_OPS_MAX];
	unsigned base[ORACLE_OPS_MAX]; /* sessions, and compare-and-set after what it replaced */
	unsigned want;                 /* bits of models not yet known to fit */
	unsigned fits;
};

static bool is_write(const struct history_op *op)
{
	return op->kind == HISTORY_WRITE ||
	       (op->kind == HISTORY_CAS && (op->outcome == HISTORY_UNKNOWN || op->met));
}

static bool is_unmet(const struct history_op *op)
{
	return op->kind == HISTORY_CAS && op->outcome == HISTORY_OK && !op->met;
}

static bool accepts(const struct history_op *look, uint64_t value)
{
	if (look->kind == HISTORY_READ)
		return look->value == value;
	return (look->old == value) != is_unmet(look);
}

/* Close a relation. Return: whether it has no circle. */
static bool close_over(unsigned before[], unsigned count)
{
	bool again = true;

	while (again) {
		again = false;
		for (unsigned i = 0; i < count; i++) {
			for (unsigned k = 0; k < count; k++) {
				unsigned was = before[i];

				if (before[i] >> k & 1)
					before[i] |= before[k];
				again |= was != before[i];
			}
		}
	}
	for (unsigned i = 0; i < count; i++)
		if (before[i] >> i & 1)
			return false;
	return true;
}

/* A search for one order of @set that keeps to @before, and explains what @legal saw. */
struct order {
	const struct oracle *o;
	const unsigned *before;
	unsigned set;
	unsigned legal;
};

#define LASTS ((ORACLE_OPS_MAX + 1) * (ORACLE_OPS_MAX + 1) * (ORACLE_OPS_MAX + 1))
static unsigned tried[1u << ORACLE_OPS_MAX][LASTS]; /* which search was here last */
static unsigned search_number;

static bool order_from(const struct order *s, unsigned done, unsigned last[])
{
	unsigned *was =
		&tried[done]
		      [(last[0] * (ORACLE_OPS_MAX + 1) + last[1]) * (ORACLE_OPS_MAX + 1) + last[2]];

	if (done == s->set)
		return true;
	if (*was == search_number)
		return false;
	*was = search_number;
	for (unsigned i = 0; i < s->o->count; i++) {
		unsigned key = (unsigned)s->o->op[i]->key;
		unsigned kept = last[key];

		if (!(s->set >> i & 1) || done >> i & 1 || (s->before[i] & s->set) & ~done)
			continue;
		if (s->legal >> i & 1 && s->o->saw[i] != NOT_A_LOOK && s->o->saw[i] != kept)
			continue;
		if (s->o->wrote >> i & 1)
			last[key] = i;
		if (order_from(s, done | 1u << i, last))
			return true;
		last[key] = kept;
	}
	return false;
}

static bool has_order(const struct oracle *o, const unsigned *before, unsigned set, unsigned legal)
{
	unsigned last[ORACLE_KEYS_MAX] = {NOTHING, NOTHING, NOTHING};
	struct order s = {.o = o, .before = before, .set = set, .legal = legal};

	search_number++;
	return order_from(&s, 0, last);
}

static bool fits_cc(const struct oracle *o)
{
	for (unsigned i = 0; i < o->count; i++)
		if (o->in >> i & 1 && !has_order(o, o->co, o->co[i] | 1u << i, 1u << i))
			return false;
	return true;
}

static bool fits_cm(const struct oracle *o)
{
	for (unsigned i = 0; i < o->count; i++)
		if (o->in >> i & 1 && !has_order(o, o->co, o->co[i] | 1u << i, o->po[i] | 1u << i))
			return false;
	return true;
}

static bool fits_pram(const struct oracle *o)
{
	for (unsigned i = 0; i < o->count; i++) {
		unsigned mine = o->po[i] | 1u << i;

		if (o->in >> i & 1 && !has_order(o, o->base, o->wrote | mine, mine))
			return false;
	}
	return true;
}

/* Put all operations into one order; each saw the last of its causal past in it. */
static bool ccv_from(const struct oracle *o, unsigned done, unsigned *sequence, unsigned length)
{
	if (done == o->in)
		return true;
	for (unsigned i = 0; i < o->count; i++) {
		unsigned last = NOTHING;

		if (!(o->in >> i & 1) || done >> i & 1 || o->co[i] & ~done)
			continue;
		for (unsigned k = 0; k < length; k++)
			if (o->co[i] >> sequence[k] & 1 && o->wrote >> sequence[k] & 1 &&
				o->op[sequence[k]]->key == o->op[i]->key)
				last = sequence[k];
		if (o->saw[i] != NOT_A_LOOK && o->saw[i] != last)
			continue;
		sequence[length] = i;
		if (ccv_from(o, done | 1u << i, sequence, length + 1))
			return true;
	}
	return false;
}

/* What a session knows when it looks, other than what it sees; by operation. */
typedef unsigned knows_fn(const struct oracle *o, unsigned look);

static unsigned knows_own(const struct oracle *o, unsigned look)
{
	return o->po[look];
}

/* The looks of the session up to this one. */
static unsigned looks_until(const struct oracle *o, unsigned look)
{
	unsigned looks = 0;

	for (unsigned i = 0; i < o->count; i++)
		if ((o->po[look] | 1u << look) >> i & 1 && o->saw[i] < o->count)
			looks |= 1u << i;
	return looks;
}

static unsigned knows_seen(const struct oracle *o, unsigned look)
{
	unsigned known = 0;

	for (unsigned i = 0; i < o->count; i++)
		if (looks_until(o, look) >> i & 1 && o->op[i]->key == o->op[look]->key)
			known |= 1u << o->saw[i];
	return known;
}

static unsigned knows_sessions(const struct oracle *o, unsigned look)
{
	unsigned known = 0;

	for (unsigned i = 0; i < o->count; i++)
		if (looks_until(o, look) >> i & 1)
			known |= 1u << o->saw[i] | o->base[o->saw[i]];
	return known;
}

static unsigned knows_causes(const struct oracle *o, unsigned look)
{
	unsigned known = 0;

	for (unsigned i = 0; i < o->count; i++)
		if (looks_until(o, look) >> i & 1)
			known |= 1u << o->saw[i] | o->co[o->saw[i]];
	return known;
}

/* Whether each of @looks saw the last of what was known in the order @sequence of its key. */
static bool all_saw_last(const struct oracle *o, unsigned looks, uint64_t key, knows_fn *knows,
	const unsigned *sequence, unsigned length)
{
	for (unsigned i = 0; i < o->count; i++) {
		unsigned known;
		unsigned last = NOTHING;

		if (!(looks >> i & 1) || o->op[i]->key != key || o->saw[i] == NOT_A_LOOK)
			continue;
		known = knows(o, i);
		if (o->saw[i] != NOTHING)
			known |= 1u << o->saw[i];
		for (unsigned k = 0; k < length; k++)
			if (known >> sequence[k] & 1)
				last = sequence[k];
		if (last != o->saw[i])
			return false;
	}
	return true;
}

static bool session_from(const struct oracle *o, const unsigned *before, unsigned looks,
	uint64_t key, knows_fn *knows, unsigned left, unsigned *sequence, unsigned length)
{
	if (left == 0)
		return all_saw_last(o, looks, key, knows, sequence, length);
	for (unsigned i = 0; i < o->count; i++) {
		if (!(left >> i & 1) || before[i] & left)
			continue;
		sequence[length] = i;
		if (session_from(
			    o, before, looks, key, knows, left & ~(1u << i), sequence, length + 1))
			return true;
	}
	return false;
}

/* For each session and key an order of the key's writes that explains what the session saw. */
static bool fits_session(const struct oracle *o, const unsigned *before, knows_fn *knows)
{
	for (unsigned i = 0; i < o->count; i++) {
		for (uint64_t key = 0; o->in >> i & 1 && key < ORACLE_KEYS_MAX; key++) {
			unsigned sequence[ORACLE_OPS_MAX];
			unsigned writes = 0;

			for (unsigned k = 0; k < o->count; k++)
				if (o->wrote >> k & 1 && o->op[k]->key == key)
					writes |= 1u << k;
			if (!session_from(
				    o, before, o->po[i] | 1u << i, key, knows, writes, sequence, 0))
				return false;
		}
	}
	return true;
}

static bool oracle_fits_chosen(const struct oracle *o, enum oracle_model model, bool base, bool co)
{
	unsigned sequence[ORACLE_OPS_MAX];

	switch (model) {
	case ORACLE_CM:
		return co && fits_cm(o);
	case ORACLE_CCV:
		return co && ccv_from(o, 0, sequence, 0);
	case ORACLE_CC:
		return co && fits_cc(o);
	case ORACLE_PRAM:
		return base && fits_pram(o);
	case ORACLE_WFR:
		return co && fits_session(o, o->co, knows_causes);
	case ORACLE_MW:
		return base && fits_session(o, o->base, knows_sessions);
	case ORACLE_MR:
		return base && fits_session(o, o->base, knows_seen);
	case ORACLE_RYW:
		return base && fits_session(o, o->base, knows_own);
	case ORACLE_SEQUENTIAL:
	case ORACLE_EVENTUAL:
	case ORACLE_NR:
		break;
	}
	return false;
}

/* All is chosen: who took effect, who saw what. */
static void oracle_chosen(struct oracle *o)
{
	bool base;
	bool co;

	for (unsigned i = 0; i < o->count; i++) {
		o->po[i] = o->base[i] = 0;
		for (unsigned k = 0; k < i && o->in >> i & 1; k++)
			if (o->in >> k & 1 && o->op[k]->session == o->op[i]->session &&
				o->op[k]->outcome == HISTORY_OK)
				o->po[i] |= 1u << k;
		o->co[i] = o->base[i] = o->po[i];
		if (!(o->in >> i & 1) || o->saw[i] >= o->count)
			continue;
		o->co[i] |= 1u << o->saw[i];
		if (o->wrote >> i & 1)
			o->base[i] |= 1u << o->saw[i];
	}
	base = close_over(o->base, o->count);
	co = close_over(o->co, o->count);
	for (unsigned m = 0; m < ORACLE_NR; m++)
		if (o->want >> m & 1 && oracle_fits_chosen(o, (enum oracle_model)m, base, co))
			o->fits |= 1u << m;
	o->want &= ~o->fits;
}

/* Choose what operation @i and all after it saw. */
static void oracle_choose(struct oracle *o, unsigned i)
{
	const struct history_op *op = i < o->count ? o->op[i] : NULL;

	if (!o->want)
		return;
	if (!op) {
		oracle_chosen(o);
		return;
	}
	if (!(o->in >> i & 1) || op->kind == HISTORY_WRITE) {
		o->saw[i] = NOT_A_LOOK;
		oracle_choose(o, i + 1);
		return;
	}
	if (accepts(op, 0)) {
		o->saw[i] = NOTHING;
		oracle_choose(o, i + 1);
	}
	for (unsigned k = 0; k < o->count; k++) {
		if (k == i || !(o->wrote >> k & 1) || o->op[k]->key != op->key ||
			!accepts(op, o->op[k]->value))
			continue;
		o->saw[i] = k;
		oracle_choose(o, i + 1);
	}
}

/* One order of all, by values, that keeps to each session. */
static bool sequential_from(const struct oracle *o, unsigned done, uint64_t value[])
{
	bool all = true;

	for (unsigned i = 0; i < o->count; i++)
		all &= done >> i & 1 || o->op[i]->outcome == HISTORY_UNKNOWN;
	if (all)
		return true;
	for (unsigned i = 0; i < o->count; i++) {
		const struct history_op *op = o->op[i];
		uint64_t was = value[op->key];
		bool waits = done >> i & 1;

		for (unsigned k = 0; k < i; k++)
			waits |= !(done >> k & 1) && o->op[k]->session == op->session &&
				 o->op[k]->outcome == HISTORY_OK;
		if (waits || (op->kind != HISTORY_WRITE && !accepts(op, was)))
			continue;
		if (is_write(op))
			value[op->key] = op->value;
		if (sequential_from(o, done | 1u << i, value))
			return true;
		value[op->key] = was;
	}
	return false;
}

/* Final reads of a key agree, unless a write was still on its way; and they saw what was written.
 */
static bool fits_eventual(const struct oracle *o)
{
	for (unsigned i = 0; i < o->count; i++) {
		bool written = o->op[i]->value == 0;

		if (!(o->op[i]->flags & HISTORY_F_FINAL) || o->op[i]->kind != HISTORY_READ)
			continue;
		for (unsigned k = 0; k < o->count; k++) {
			const struct history_op *a = o->op[i];
			const struct history_op *b = o->op[k];
			uint64_t begin =
				a->t_invoke_ns < b->t_invoke_ns ? a->t_invoke_ns : b->t_invoke_ns;
			bool late = false;

			written |= is_write(b) && b->key == a->key && b->value == a->value;
			if (!(b->flags & HISTORY_F_FINAL) || b->kind != HISTORY_READ ||
				b->key != a->key || b->value == a->value)
				continue;
			for (unsigned n = 0; n < o->count; n++) {
				const struct history_op *w = o->op[n];

				late |= is_write(w) && w->key == a->key &&
					(w->value == a->value || w->value == b->value) &&
					(w->outcome == HISTORY_UNKNOWN || w->t_return_ns >= begin);
			}
			if (!late)
				return false;
		}
		if (!written)
			return false;
	}
	return true;
}

static void oracle_want(const struct history_ops *h, unsigned want, bool ret[])
{
	struct oracle o = {.count = 0, .want = want};
	uint64_t value[ORACLE_KEYS_MAX] = {0};
	unsigned open = 0;
	unsigned must = 0;

	for (size_t i = 0; i < h->count; i++) {
		const struct history_op *op = &h->op[i];

		if (op->outcome == HISTORY_FAIL ||
			(op->outcome == HISTORY_UNKNOWN && op->kind == HISTORY_READ))
			continue;
		assert(o.count < ORACLE_OPS_MAX && op->key < ORACLE_KEYS_MAX);
		if (op->outcome == HISTORY_UNKNOWN)
			open |= 1u << o.count;
		else
			must |= 1u << o.count;
		o.op[o.count++] = op;
	}
	if (want >> ORACLE_SEQUENTIAL & 1 && sequential_from(&o, 0, value))
		o.fits |= 1u << ORACLE_SEQUENTIAL;
	if (want >> ORACLE_EVENTUAL & 1 && fits_eventual(&o))
		o.fits |= 1u << ORACLE_EVENTUAL;
	o.want &= ~(1u << ORACLE_SEQUENTIAL | 1u << ORACLE_EVENTUAL);
	/* All subsets of the open ones, the empty one last. */
	for (unsigned some = open;; some = (some - 1) & open) {
		o.in = must | some;
		o.wrote = 0;
		for (unsigned i = 0; i < o.count; i++)
			if (o.in >> i & 1 && is_write(o.op[i]))
				o.wrote |= 1u << i;
		oracle_choose(&o, 0);
		if (some == 0)
			break;
	}
	for (unsigned m = 0; m < ORACLE_NR; m++)
		ret[m] = o.fits >> m & 1;
}

void oracle(const struct history_ops *h, bool ret[ORACLE_NR])
{
	oracle_want(h, (1u << ORACLE_NR) - 1, ret);
}

bool oracle_fits(const struct history_ops *h, enum oracle_model model)
{
	bool fits[ORACLE_NR];

	oracle_want(h, 1u << model, fits);
	return fits[model];
}
