/* SPDX-License-Identifier: MIT */
/*
 * list_sessions.c - the four session guarantees, on lists (Terry et al., "Session Guarantees for
 * Weakly Consistent Replicated Data", PDIS 1994)
 *
 * A read shows which appends the replica had, and in which order, so all four can be observed:
 *
 *	read-your-writes	what the session had appended before, acknowledged, is there
 *	monotonic-reads		all that the session had read before is there
 *	monotonic-writes	where an element is, what its session had appended before is
 *				there, and in front of it
 *	writes-follow-reads	where an element is, what its session had read before it appended
 *				it is there, and in front of it
 *
 * Each speaks about one key. Nothing is said about elements that nobody appended, nor about
 * appends that failed. Where all reads of a key are beginnings of the longest one, that one tells
 * about all of them, and it takes linear time; where they are not, each is looked at.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/check/anomaly.h"
#include "agent/check/models.h"
#include "agent/check/serial.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

/* What the session of a step had done to its key before. */
struct before {
	uint32_t item; /* acknowledged append, the latest */
	uint32_t read; /* step of the latest read */
	uint32_t most; /* step of the longest read */
};

struct sessions {
	struct lists l;
	struct before *before; /* owned; by step */
	struct pairs number;   /* (number of the key, element) to a number, on torn keys */
	uint32_t *place;       /* owned; by number: in the read that is looked at */
	uint32_t *stamp;       /* owned; by number: read in which it has that place */
	uint64_t until_ns;     /* 0: no limit */
};

/* Two or three steps that show a violation: what came first, what followed, where it shows. */
struct breach {
	uint32_t first;  /* step of the session */
	uint32_t second; /* step of the session, LISTS_NONE: none */
	uint32_t look;   /* the read */
	uint64_t value;  /* the element that is not there, or not in front */
};

typedef bool sessions_rule(struct sessions *s, uint32_t read, struct breach *ret);

static void sessions_chain(struct sessions *s)
{
	const struct lists *l = &s->l;
	struct pairs owns = {0};
	struct before *own = malloc((l->steps + 1) * sizeof *own);
	size_t count = 0;

	s->before = malloc((l->steps + 1) * sizeof *s->before);
	assert(s->before && own);
	for (uint32_t i = 0; i < l->steps; i++) {
		const struct lists_step *step = &l->step[i];
		const struct lists_txn *txn = &l->txn[step->txn];
		uint32_t n = pairs_put(&owns, txn->session, step->key, (uint32_t)count);

		if (n == count)
			own[count++] = (struct before){LISTS_NONE, LISTS_NONE, LISTS_NONE};
		s->before[i] = own[n];
		if (txn->outcome != HISTORY_OK)
			continue;
		if (step->item != LISTS_NONE) {
			own[n].item = step->item;
			continue;
		}
		own[n].read = i;
		if (own[n].most == LISTS_NONE || step->count > l->step[own[n].most].count)
			own[n].most = i;
	}
	free(own);
	pairs_fini(&owns);
}

/* Elements of torn keys get numbers: items their own, those from nowhere the next ones. */
static void sessions_number(struct sessions *s)
{
	struct lists *l = &s->l;
	size_t numbers = l->items;

	/* Nor can places tell about a list with an element from nowhere or twice. */
	for (size_t k = 0; k < l->keys; k++)
		l->key[k].torn |= l->key[k].bad != LISTS_NONE;
	for (uint32_t i = 0; i < l->steps; i++) {
		const struct lists_step *step = &l->step[i];

		if (!l->key[step->key].torn)
			continue;
		if (step->item != LISTS_NONE && l->txn[step->txn].outcome != HISTORY_FAIL)
			pairs_set(&s->number, step->key, l->item[step->item].value, step->item);
		else if (step->item != LISTS_NONE)
			(void)pairs_put(
				&s->number, step->key, l->item[step->item].value, step->item);
	}
	for (uint32_t i = 0; i < l->steps; i++) {
		const struct lists_step *step = &l->step[i];

		for (uint32_t k = 0; l->key[step->key].torn && k < step->count; k++)
			numbers += pairs_put(&s->number, step->key, step->value[k],
					   (uint32_t)numbers) == numbers;
	}
	s->place = malloc((numbers + 1) * sizeof *s->place);
	s->stamp = malloc((numbers + 1) * sizeof *s->stamp);
	assert(s->place && s->stamp);
	for (size_t i = 0; i < numbers; i++)
		s->stamp[i] = LISTS_NONE;
}

static uint32_t number_of(const struct sessions *s, const struct lists_step *read, uint32_t i)
{
	const struct lists *l = &s->l;

	if (l->key[read->key].torn)
		return pairs_get(&s->number, read->key, read->value[i]);
	return l->order[l->key[read->key].first + i];
}

/* Make place_of() answer for a read. */
static void look_at(struct sessions *s, uint32_t read)
{
	const struct lists_step *step = &s->l.step[read];

	if (!s->l.key[step->key].torn)
		return;
	for (uint32_t i = step->count; i-- > 0;) {
		uint32_t n = number_of(s, step, i);

		s->place[n] = i;
		s->stamp[n] = read;
	}
}

/* Where an element is in the read that is looked at, LISTS_NONE if it is not. */
static uint32_t place_of(const struct sessions *s, uint32_t read, uint32_t number)
{
	const struct lists_step *step = &s->l.step[read];

	if (s->l.key[step->key].torn)
		return s->stamp[number] == read ? s->place[number] : LISTS_NONE;
	return s->l.item[number].place < step->count ? s->l.item[number].place : LISTS_NONE;
}

static bool breaks_own_writes(struct sessions *s, uint32_t read, struct breach *ret)
{
	uint32_t own = s->before[read].item;

	for (; own != LISTS_NONE; own = s->before[s->l.item[own].step].item) {
		if (place_of(s, read, own) != LISTS_NONE)
			continue;
		*ret = (struct breach){s->l.item[own].step, LISTS_NONE, read, s->l.item[own].value};
		return true;
	}
	return false;
}

static bool breaks_own_reads(struct sessions *s, uint32_t read, struct breach *ret)
{
	uint32_t before = s->before[read].read;
	const struct lists_step *was = &s->l.step[before];
	const struct lists_step *now = &s->l.step[read];

	if (before == LISTS_NONE || (!s->l.key[now->key].torn && was->count <= now->count))
		return false;
	for (uint32_t i = s->l.key[now->key].torn ? 0 : now->count; i < was->count; i++) {
		if (s->l.key[now->key].torn &&
			place_of(s, read, number_of(s, was, i)) != LISTS_NONE)
			continue;
		*ret = (struct breach){before, LISTS_NONE, read, was->value[i]};
		return true;
	}
	return false;
}

/* An element of the read that some transaction appended and that did not fail. */
static bool is_appended(const struct sessions *s, uint32_t number)
{
	return number != LISTS_NONE && number < s->l.items &&
	       lists_writer(&s->l, number)->outcome != HISTORY_FAIL;
}

static bool breaks_order(struct sessions *s, uint32_t read, struct breach *ret)
{
	const struct lists_step *step = &s->l.step[read];

	for (uint32_t i = 0; i < step->count; i++) {
		uint32_t n = number_of(s, step, i);
		uint32_t was;

		if (!is_appended(s, n))
			continue;
		was = s->before[s->l.item[n].step].item;
		if (was == LISTS_NONE || place_of(s, read, was) < place_of(s, read, n))
			continue;
		*ret = (struct breach){
			s->l.item[was].step, s->l.item[n].step, read, s->l.item[was].value};
		return true;
	}
	return false;
}

/* What was read in step @was, against element @n at @place of the read that is looked at. */
static bool breaks_reason(
	struct sessions *s, uint32_t read, uint32_t was, uint32_t n, struct breach *ret)
{
	const struct lists_step *reason = &s->l.step[was];
	uint32_t place = place_of(s, read, n);
	bool torn = s->l.key[reason->key].torn;

	if (!torn && reason->count <= place)
		return false;
	for (uint32_t i = torn ? 0 : place; i < reason->count; i++) {
		if (torn && place_of(s, read, number_of(s, reason, i)) < place)
			continue;
		*ret = (struct breach){was, s->l.item[n].step, read, reason->value[i]};
		return true;
	}
	return false;
}

static bool breaks_reasons(struct sessions *s, uint32_t read, struct breach *ret)
{
	const struct lists_step *step = &s->l.step[read];
	bool torn = s->l.key[step->key].torn;

	for (uint32_t i = 0; i < step->count; i++) {
		uint32_t n = number_of(s, step, i);
		const struct before *before;
		uint32_t was;

		if (!is_appended(s, n))
			continue;
		before = &s->before[s->l.item[n].step];
		was = torn ? before->read : before->most;
		for (; was != LISTS_NONE; was = torn ? s->before[was].read : LISTS_NONE)
			if (breaks_reason(s, read, was, n, ret))
				return true;
	}
	return false;
}

/* Return: whether a read breaks the rule, in @ret; or time is over, with nothing in @ret. */
static bool sessions_find(
	struct sessions *s, sessions_rule *rule, bool of_reader, struct breach *ret)
{
	const struct lists *l = &s->l;

	for (uint32_t i = 0; i < l->steps; i++) {
		const struct lists_key *key = &l->key[l->step[i].key];

		if (l->step[i].item != LISTS_NONE ||
			(!of_reader && !key->torn && key->longest != i))
			continue;
		look_at(s, i);
		if (rule(s, i, ret))
			return true;
		if (s->until_ns && key->torn && clock_now_ns() > s->until_ns) {
			ret->look = LISTS_NONE;
			return true;
		}
	}
	return false;
}

/* Which words tell a rule's breach. */
enum sessions_words { SAY_OWN_WRITE, SAY_OWN_READ, SAY_ORDER, SAY_REASON };

static void sessions_tell(const struct sessions *s, const struct breach *b,
	enum sessions_words what, const struct check_names *names, struct check_result *ret)
{
	const struct lists *l = &s->l;
	const struct lists_step *look = &l->step[b->look];
	const struct history_op *op = &l->h->op[l->txn[look->txn].index];
	const struct history_op *first = &l->h->op[l->txn[l->step[b->first].txn].index];
	struct words w;

	words_init(&w, l->h, names, ret->words, sizeof ret->words);
	anomaly_witness(ret, l->h, l->txn[l->step[b->first].txn].index);
	if (b->second != LISTS_NONE)
		anomaly_witness(ret, l->h, l->txn[l->step[b->second].txn].index);
	anomaly_witness(ret, l->h, l->txn[look->txn].index);
	words_node(&w, op);
	words_say(&w, " answered %u elements of %s at %.3f s without %s", look->count,
		words_key(l->h, l->key[look->key].key).text, words_seconds(&w, op->t_return_ns),
		words_number(l->h, b->value).text);
	if (b->second != LISTS_NONE)
		words_say(&w, " in front of %s",
			words_number(l->h, l->item[l->step[b->second].item].value).text);
	words_say(&w, what == SAY_OWN_WRITE  ? ", which it had itself appended through "
		      : what == SAY_OWN_READ ? ", which it had itself read from "
		      : what == SAY_ORDER
			      ? "; one session had appended both in this order, the first through "
			      : "; the session that appended the second had read the first from ");
	words_node(&w, first);
	words_say(&w, " at %.3f s (session %u)", words_seconds(&w, first->t_return_ns),
		first->session);
}

static void sessions_fini(struct sessions *s)
{
	free(s->before);
	free(s->place);
	free(s->stamp);
	pairs_fini(&s->number);
	lists_destroy(&s->l);
}

/* One guarantee: its rule, whether each read must be looked at, and its words. */
struct guarantee {
	sessions_rule *rule;
	bool of_reader;
	enum sessions_words words;
};

static int sessions_check(const struct guarantee *g, const struct history_ops *h,
	const struct check_budget *budget, const struct check_names *names,
	struct check_result *ret, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	struct sessions s = {0};
	struct breach breach;
	int r = lists_build(&s.l, h, err);

	*ret = (struct check_result){.verdict = CHECK_OK};
	if (r)
		return r;
	if (budget && budget->time_ns)
		s.until_ns = begin_ns + budget->time_ns;
	serial_count(&s.l, ret);
	sessions_chain(&s);
	sessions_number(&s);
	if (sessions_find(&s, g->rule, g->of_reader, &breach)) {
		ret->verdict = breach.look == LISTS_NONE ? CHECK_UNKNOWN : CHECK_VIOLATION;
		if (ret->verdict == CHECK_VIOLATION)
			sessions_tell(&s, &breach, g->words, names, ret);
		else
			(void)snprintf(ret->words, sizeof ret->words,
				"more time is needed to compare reads that do not go together");
	}
	sessions_fini(&s);
	ret->seconds = (double)(clock_now_ns() - begin_ns) / 1e9;
	return 0;
}

static int own_writes(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	static const struct guarantee g = {breaks_own_writes, true, SAY_OWN_WRITE};

	return sessions_check(&g, h, budget, names, ret, err);
}

static int own_reads(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	static const struct guarantee g = {breaks_own_reads, true, SAY_OWN_READ};

	return sessions_check(&g, h, budget, names, ret, err);
}

static int write_order(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	static const struct guarantee g = {breaks_order, false, SAY_ORDER};

	return sessions_check(&g, h, budget, names, ret, err);
}

static int write_reasons(const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err)
{
	static const struct guarantee g = {breaks_reasons, false, SAY_REASON};

	return sessions_check(&g, h, budget, names, ret, err);
}

static const char *const none_implied[] = {NULL};

const struct check_ops list_read_your_writes_ops = {
	.name = "read-your-writes",
	.summary = "a session finds what it has appended itself",
	.type = CHECK_LIST,
	.implies = none_implied,
	.check = own_writes,
};

const struct check_ops list_monotonic_reads_ops = {
	.name = "monotonic-reads",
	.summary = "a session finds all that it has read before",
	.type = CHECK_LIST,
	.implies = none_implied,
	.check = own_reads,
};

const struct check_ops list_monotonic_writes_ops = {
	.name = "monotonic-writes",
	.summary = "what a session has appended is seen in its order, without holes",
	.type = CHECK_LIST,
	.implies = none_implied,
	.check = write_order,
};

const struct check_ops list_writes_follow_reads_ops = {
	.name = "writes-follow-reads",
	.summary = "what a session has appended is seen behind what it had read before",
	.type = CHECK_LIST,
	.implies = none_implied,
	.check = write_reasons,
};
