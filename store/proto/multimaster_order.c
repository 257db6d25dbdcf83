/* SPDX-License-Identifier: MIT */
/*
 * multimaster_order.c - documents in the order of their last changes, CouchDB's index by sequence
 *
 * An array in that order: a change appends, which makes an earlier place of the same document void.
 * When most places are void they are left out. So it takes constant time per change, amortised, and
 * never more than twice the places that there are documents, and a few.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/proto/multimaster_internal.h"

#define FEW 64

static void leave_out_void(struct multimaster *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->changes; i++)
		if (m->order[i].doc->seq == m->order[i].seq)
			m->order[n++] = m->order[i];
	m->changes = n;
}

void multimaster_changed(struct multimaster *m, struct multimaster_doc *doc, uint64_t seq)
{
	assert(seq >= doc->seq);
	doc->seq = seq;
	if (!m->started)
		return;
	if (m->changes == m->changes_cap && m->changes > 2 * m->count + FEW)
		leave_out_void(m);
	if (m->changes == m->changes_cap) {
		m->changes_cap = m->changes_cap ? 2 * m->changes_cap : FEW;
		m->order = realloc(m->order, m->changes_cap * sizeof(*m->order));
		assert(m->order);
	}
	m->order[m->changes++] = (struct multimaster_change){seq, doc};
}

size_t multimaster_after(const struct multimaster *m, uint64_t seq)
{
	size_t low = 0, high = m->changes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->order[middle].seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t multimaster_last(const struct multimaster *m)
{
	return m->changes ? m->order[m->changes - 1].seq : 0;
}

static int by_seq(const void *a, const void *b)
{
	const struct multimaster_change *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

void multimaster_order(struct multimaster *m)
{
	const struct table_entry *e;
	size_t at = 0;

	m->changes_cap = m->count + FEW;
	m->order = calloc(m->changes_cap, sizeof(*m->order));
	assert(m->order);
	while ((e = table_next(m->docs, &at))) {
		struct multimaster_doc *doc = multimaster_doc(m, e->key);

		m->order[m->changes++] = (struct multimaster_change){doc->seq, doc};
	}
	qsort(m->order, m->changes, sizeof(*m->order), by_seq);
	m->started = true;
}
