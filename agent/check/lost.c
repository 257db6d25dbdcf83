/* SPDX-License-Identifier: MIT */
/*
 * lost.c - acknowledged writes that are gone
 *
 * Judged from the final reads only. A final read is evidence against a write if it began after the
 * write was acknowledged and what it returned is surely older: nothing at all, or a value all of
 * whose writers had returned before the write was invoked. Anything else may have replaced the
 * write and clears it. So a write is lost if it was acknowledged before the last final read of its
 * key began, and invoked after the last return of the writers of each value that was read at the
 * end: one time per key, the latest of those returns over all final reads, decides for all its
 * writes.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/check/check.h"
#include "agent/check/words.h"
#include "agent/history/pairs.h"

/* What the final reads of a key say. */
struct lost_key {
	uint64_t lost_from_ns; /* writes that were invoked then or later are lost, */
	uint64_t asked_ns;     /* if they were acknowledged before: the last final read began */
	uint64_t value;        /* of the first final read */
	uint32_t final; /* history index of the read that decided, PAIRS_NONE: no final read */
	bool diverged;
	bool written;
};

struct lost {
	const struct history_ops *h;
	struct pairs keys;    /* key -> number in key[] */
	struct pairs writers; /* key, value -> the writer that returned last */
	struct lost_key *key; /* owned */
};

static bool lost_may_write(const struct history_op *op)
{
	return op->kind != HISTORY_READ && op->outcome != HISTORY_FAIL &&
	       (op->kind == HISTORY_WRITE || op->outcome == HISTORY_UNKNOWN || op->met);
}

static bool lost_is_acknowledged(const struct history_op *op)
{
	return lost_may_write(op) && op->outcome == HISTORY_OK;
}

static bool lost_is_final(const struct history_op *op)
{
	return op->kind == HISTORY_READ && op->outcome == HISTORY_OK &&
	       (op->flags & HISTORY_F_FINAL);
}

static uint64_t lost_returned(const struct history_op *op)
{
	return op->outcome == HISTORY_OK ? op->t_return_ns : UINT64_MAX;
}

static struct lost_key *lost_key_of(const struct lost *l, uint64_t key)
{
	return &l->key[pairs_get(&l->keys, key, 0)];
}

static void lost_gather(struct lost *l)
{
	for (size_t i = 0; i < l->h->count; i++) {
		const struct history_op *op = &l->h->op[i];
		uint32_t was;

		(void)pairs_put(&l->keys, op->key, 0, (uint32_t)l->keys.count);
		if (!lost_may_write(op))
			continue;
		was = pairs_put(&l->writers, op->key, op->value, (uint32_t)i);
		if (lost_returned(&l->h->op[was]) < lost_returned(op))
			pairs_set(&l->writers, op->key, op->value, (uint32_t)i);
	}
	l->key = malloc((l->keys.count + 1) * sizeof *l->key);
	assert(l->key);
	for (size_t i = 0; i < l->keys.count; i++)
		l->key[i] = (struct lost_key){.final = PAIRS_NONE};
}

/* From when on an invoked write is newer than what a final read returned. */
static uint64_t lost_from(const struct lost *l, const struct history_op *read)
{
	uint32_t writer;
	uint64_t returned;

	if (read->value == 0)
		return 0;
	writer = pairs_get(&l->writers, read->key, read->value);
	/* A value from nowhere: whether it is older than anything is not known. */
	returned = writer == PAIRS_NONE ? UINT64_MAX : lost_returned(&l->h->op[writer]);
	return returned == UINT64_MAX ? UINT64_MAX : returned + 1;
}

static void lost_hear_finals(struct lost *l)
{
	for (size_t i = 0; i < l->h->count; i++) {
		const struct history_op *op = &l->h->op[i];
		struct lost_key *key = lost_key_of(l, op->key);
		uint64_t from;

		key->written |= lost_is_acknowledged(op);
		if (!lost_is_final(op))
			continue;
		from = lost_from(l, op);
		if (key->final == PAIRS_NONE) {
			key->value = op->value;
			key->final = (uint32_t)i;
			key->lost_from_ns = from;
		}
		key->diverged |= op->value != key->value;
		if (op->t_invoke_ns > key->asked_ns)
			key->asked_ns = op->t_invoke_ns;
		if (from > key->lost_from_ns) {
			key->final = (uint32_t)i;
			key->lost_from_ns = from;
		}
	}
}

static void lost_node(char *out, size_t size, const struct check_names *names, unsigned node)
{
	if (names && names->node && node < names->nodes && names->node[node])
		(void)snprintf(out, size, "%s", names->node[node]);
	else
		(void)snprintf(out, size, "node %u", node);
}

static void lost_words(const struct lost *l, const struct check_names *names,
	const struct history_op *op, const struct lost_key *key, struct check_lost *ret)
{
	const struct history_op *read = &l->h->op[key->final];
	uint64_t t0 = names ? names->t0_ns : 0;
	char writer[32];
	char reader[32];
	char seen[64] = "nothing";

	lost_node(writer, sizeof writer, names, op->node);
	lost_node(reader, sizeof reader, names, read->node);
	if (read->value != 0)
		(void)snprintf(
			seen, sizeof seen, "the older %s", words_number(l->h, read->value).text);
	(void)snprintf(ret->words, sizeof ret->words,
		"%s acknowledged %s for %s at %.3f s; at the end %s answered %s%s", writer,
		words_number(l->h, op->value).text, words_key(l->h, op->key).text,
		(double)(int64_t)(op->t_return_ns - t0) / 1e9, reader, seen,
		key->diverged ? ", and the other replicas nothing newer" : "");
}

void check_lost(
	const struct history_ops *h, const struct check_names *names, struct check_lost *ret)
{
	struct lost l = {.h = h};

	*ret = (struct check_lost){0};
	lost_gather(&l);
	lost_hear_finals(&l);
	for (size_t i = 0; i < h->count; i++) {
		const struct history_op *op = &h->op[i];
		const struct lost_key *key = lost_key_of(&l, op->key);

		if (!lost_is_acknowledged(op))
			continue;
		ret->acknowledged++;
		if (key->final == PAIRS_NONE || op->t_invoke_ns < key->lost_from_ns ||
			op->t_return_ns >= key->asked_ns)
			continue;
		if (ret->lost++ == 0)
			lost_words(&l, names, op, key, ret);
	}
	for (size_t n = 0; n < l.keys.count; n++) {
		ret->keys_without_final_read += l.key[n].written && l.key[n].final == PAIRS_NONE;
		ret->diverged_keys += l.key[n].diverged;
	}
	free(l.key);
	pairs_fini(&l.keys);
	pairs_fini(&l.writers);
}
