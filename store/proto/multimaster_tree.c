/* SPDX-License-Identifier: MIT */
/*
 * multimaster_tree.c - the revisions of a key: which there are, which is shown, which are forgotten
 *
 * A tree is kept as its leaves, each with the path from it towards the root. What is on a path has
 * been replaced by somebody who had seen it; its value is gone. A revision that is on no path is a
 * leaf: nobody who wrote later had seen it. So taking one in is: is it on a path already? If not,
 * it is a leaf, and those leaves that are on its own path are none any more. That does not depend
 * on the order in which they come, and neither does the order of leaves; the first is the winner.
 *
 * Of each path the last ->revs revisions are kept (CouchDB: stemming). The path of a leaf is made
 * where it is written and goes with it everywhere; only of one edit made on two replicas (a
 * deletion, say) one may remember less, if what it followed had been followed there already. Who
 * was away for more generations than are kept comes back with a leaf that is on no path any more: a
 * conflict that was none, as in CouchDB.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/proto/mix.h"
#include "store/proto/multimaster_internal.h"

uint64_t multimaster_id(
	uint64_t generation, uint64_t parent, bool deleted, struct proto_bytes value)
{
	uint64_t id;

	if (PROTO_BUG(BUG_MULTIMASTER_NO_HISTORY))
		parent = 0;
	id = mix_bytes(mix(mix(generation, deleted), parent), value);
	return id ? id : 1; /* 0 is the parent of the first */
}

struct multimaster_doc *multimaster_doc(const struct multimaster *m, struct proto_bytes key)
{
	const struct table_entry *e = table_get(m->docs, key);
	struct multimaster_doc *doc;

	if (!e)
		return NULL;
	memcpy(&doc, e->value.p, sizeof(doc));
	return doc;
}

static size_t doc_bytes(const struct multimaster_doc *doc)
{
	size_t bytes = sizeof(*doc) + doc->leaves * sizeof(*doc->leaf);

	for (uint32_t i = 0; i < doc->leaves; i++)
		bytes += doc->leaf[i].known * sizeof(*doc->leaf[i].path) + doc->leaf[i].value.len;
	return bytes;
}

size_t multimaster_memory(const struct proto *p)
{
	const struct multimaster *m = (const struct multimaster *)p;

	return m->beside + table_memory(m->docs) + m->changes_cap * sizeof(*m->order);
}

static struct multimaster_doc *doc_new(struct multimaster *m, struct proto_bytes key)
{
	struct multimaster_doc *doc = calloc(1, sizeof(*doc));
	struct table_entry e = {
		.key = key, .version = 1, .value = {(const uint8_t *)&doc, sizeof(doc)}};

	assert(doc);
	table_put(m->docs, &e);
	doc->key = table_get(m->docs, key)->key; /* it is never put again */
	m->count++;
	m->beside += doc_bytes(doc);
	return doc;
}

const struct multimaster_leaf *multimaster_leaf_with(
	const struct multimaster_doc *doc, uint64_t generation, uint64_t id, uint32_t *ret_at)
{
	for (uint32_t i = 0; i < doc->leaves; i++) {
		const struct multimaster_leaf *l = &doc->leaf[i];
		uint64_t back = l->generation - generation;

		if (generation > l->generation || back >= l->known)
			continue;
		*ret_at = l->known - 1 - (uint32_t)back;
		if (l->path[*ret_at] == id)
			return l;
	}
	return NULL;
}

struct proto_bytes multimaster_value(
	const struct multimaster *m, const struct multimaster_doc *doc, uint32_t i)
{
	return i ? doc->leaf[i].value : table_get(m->proto.table, doc->key)->value;
}

/* Which of two leaves wins: CouchDB, "Replication and conflict model", "Working with conflicting
 * documents": not deleted, then the longer history, then the higher name. */
static bool better(const struct multimaster_leaf *a, const struct multimaster_leaf *b)
{
	if (PROTO_BUG(BUG_MULTIMASTER_FIRST_WINS))
		return false;
	if (a->deleted != b->deleted)
		return b->deleted;
	if (a->generation != b->generation)
		return a->generation > b->generation;
	return multimaster_leaf_id(a) > multimaster_leaf_id(b);
}

static uint32_t values(const struct multimaster_doc *doc)
{
	uint32_t n = 0;

	while (n < doc->leaves && !doc->leaf[n].deleted)
		n++;
	return n;
}

static struct proto_bytes copy_of(struct proto_bytes b)
{
	uint8_t *p = malloc((size_t)b.len + 1);

	assert(p);
	if (b.len)
		memcpy(p, b.p, b.len);
	return (struct proto_bytes){p, b.len};
}

static void value_free(struct proto_bytes *value)
{
	free((void *)(uintptr_t)value->p);
	*value = (struct proto_bytes){0};
}

static void leaf_free(struct multimaster_leaf *l)
{
	free(l->path);
	value_free(&l->value);
}

static bool on_path(const struct multimaster_revision *r, const struct multimaster_leaf *l)
{
	uint64_t back = r->generation - l->generation;

	return l->generation <= r->generation && back < r->known &&
	       r->path[r->known - 1 - back] == multimaster_leaf_id(l);
}

/* Leaves that @r has followed are leaves no more. */
static void drop_followed(struct multimaster_doc *doc, const struct multimaster_revision *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < doc->leaves; i++) {
		if (on_path(r, &doc->leaf[i]))
			leaf_free(&doc->leaf[i]);
		else
			doc->leaf[n++] = doc->leaf[i];
	}
	doc->leaves = n;
}

/* Return: its place. Its value is the caller's. */
static uint32_t insert(
	struct multimaster *m, struct multimaster_doc *doc, const struct multimaster_revision *r)
{
	uint32_t known = r->known < multimaster_revs(m) ? r->known : multimaster_revs(m);
	struct multimaster_leaf l = {
		.generation = r->generation,
		.deleted = r->deleted,
		.known = known,
		.path = malloc(known * sizeof(*l.path)),
		.value = r->value,
	};
	uint32_t at = doc->leaves;

	doc->leaf = realloc(doc->leaf, (doc->leaves + 1u) * sizeof(*doc->leaf));
	assert(doc->leaf && l.path);
	memcpy(l.path, r->path + r->known - known, known * sizeof(*l.path));
	for (; at > 0 && better(&l, &doc->leaf[at - 1]); at--)
		doc->leaf[at] = doc->leaf[at - 1];
	doc->leaf[at] = l;
	doc->leaves++;
	return at;
}

/* What the table shows of it: the winner, and a version that tells one tree from another. */
static void show(struct multimaster *m, const struct multimaster_doc *doc)
{
	const struct multimaster_leaf *winner = &doc->leaf[0];
	struct table_entry e = {
		.key = doc->key, .value = winner->value, .deleted = winner->deleted};
	uint64_t generation = 0, all = 0;

	for (uint32_t i = 0; i < doc->leaves; i++) {
		if (doc->leaf[i].generation > generation)
			generation = doc->leaf[i].generation;
		all = mix(all, multimaster_leaf_id(&doc->leaf[i]));
	}
	e.version = generation << MULTIMASTER_VERSION_BITS | all >> (64 - MULTIMASTER_VERSION_BITS);
	table_put(m->proto.table, &e);
	if (PROTO_BUG(BUG_MULTIMASTER_NO_TOMBSTONE) && e.deleted)
		table_remove(m->proto.table, e.key);
}

void multimaster_take(struct multimaster *m, uint64_t seq, const struct multimaster_revision *r)
{
	struct multimaster_doc *doc = multimaster_doc(m, r->key);
	bool had_conflict = doc && values(doc) > 1;
	uint32_t at;

	/* A snapshot may be newer than a record that follows it, and have stemmed what that is. */
	if (doc && (seq < doc->seq ||
			   multimaster_leaf_with(doc, r->generation, r->path[r->known - 1], &at)))
		return;
	if (!doc)
		doc = doc_new(m, r->key);
	m->beside -= doc_bytes(doc);
	if (doc->leaves && !on_path(r, &doc->leaf[0]))
		doc->leaf[0].value = copy_of(multimaster_value(m, doc, 0));
	drop_followed(doc, r);
	at = insert(m, doc, r);
	show(m, doc);
	/* The winner's value is in the table now, those of the others are here. */
	if (at > 0) {
		doc->leaf[at].value = copy_of(r->value);
		value_free(&doc->leaf[0].value);
	}
	doc->leaf[0].value = (struct proto_bytes){0};
	m->conflicts += (size_t)(values(doc) > 1) - had_conflict;
	m->beside += doc_bytes(doc);
	if (PROTO_BUG(BUG_MULTIMASTER_NO_TOMBSTONE) && doc->leaf[0].deleted) {
		doc->leaves = 0;
		doc->seq = seq;
		return;
	}
	multimaster_changed(m, doc, seq);
}

void multimaster_edit(
	struct multimaster *m, uint64_t seq, uint64_t parent, const struct multimaster_revision *r)
{
	const struct multimaster_doc *doc = multimaster_doc(m, r->key);
	struct multimaster_revision whole = *r;
	uint64_t path[MULTIMASTER_REVS_MAX + 1];
	const struct multimaster_leaf *l = NULL;
	uint32_t at = 0;

	whole.known = 0;
	if (doc && parent)
		l = multimaster_leaf_with(doc, r->generation - 1, parent, &at);
	if (l) {
		memcpy(path, l->path, (at + 1u) * sizeof(*path));
		whole.known = at + 1;
	} else if (parent) {
		path[whole.known++] = parent; /* stemmed since the client asked */
	}
	path[whole.known++] = multimaster_id(r->generation, parent, r->deleted, r->value);
	whole.path = path;
	if (PROTO_BUG(BUG_MULTIMASTER_DROPS_LOSERS) && doc && doc->leaves > 1)
		((struct multimaster_doc *)(uintptr_t)doc)->leaves = 1;
	multimaster_take(m, seq, &whole);
}

/* --- for tests and the simulator --- */

uint64_t multimaster_digest(const struct proto *p)
{
	const struct multimaster *m = (const struct multimaster *)p;
	const struct table_entry *e;
	uint64_t sum = 0;
	size_t at = 0;

	while ((e = table_next(m->docs, &at))) {
		const struct multimaster_doc *doc = multimaster_doc(m, e->key);
		uint64_t h = mix_bytes(0, e->key);

		for (uint32_t i = 0; i < doc->leaves; i++) {
			const struct multimaster_leaf *l = &doc->leaf[i];

			h = mix(h, l->generation << 1 | l->deleted);
			h = mix(h, multimaster_leaf_id(l));
		}
		sum += h;
	}
	return sum;
}

/* Whether @value was written at some place of the path. */
static bool leaf_kept(const struct multimaster_leaf *l, struct proto_bytes value)
{
	uint64_t first = l->generation - l->known + 1;

	for (uint32_t i = 0; i < l->known; i++) {
		/* Stemmed: it may have been there, or before. */
		if (i == 0 && first > 1)
			return true;
		if (l->path[i] == multimaster_id(first + i, i ? l->path[i - 1] : 0, false, value))
			return true;
	}
	return false;
}

bool multimaster_kept(const struct proto *p, struct proto_bytes key, struct proto_bytes value)
{
	const struct multimaster_doc *doc = multimaster_doc((const struct multimaster *)p, key);

	for (uint32_t i = 0; doc && i < doc->leaves; i++)
		if (leaf_kept(&doc->leaf[i], value))
			return true;
	return false;
}

void multimaster_check_doc(const struct multimaster *m, const struct multimaster_doc *doc)
{
	const struct table_entry *e = table_get(m->proto.table, doc->key);
	const struct multimaster_leaf *one;
	uint32_t at;

	if (PROTO_BUG(BUG_MULTIMASTER_NO_TOMBSTONE) || PROTO_BUG(BUG_MULTIMASTER_FIRST_WINS) ||
		PROTO_BUG(BUG_MULTIMASTER_DROPS_LOSERS))
		return; /* the simulator is to find them from outside */
	assert(doc->leaves && e && e->deleted == doc->leaf[0].deleted);
	for (uint32_t i = 0; i < doc->leaves; i++) {
		const struct multimaster_leaf *l = &doc->leaf[i];

		assert(l->known >= 1 && l->known <= multimaster_revs(m));
		assert(l->known <= l->generation && (!l->deleted || !l->value.len));
		assert(i == 0 || better(&doc->leaf[i - 1], l));
	}
	/* No leaf is on the path of another one: one of them per call, they may be many. */
	one = &doc->leaf[(m->seq + m->records) % doc->leaves];
	assert(multimaster_leaf_with(doc, one->generation, multimaster_leaf_id(one), &at) == one);
	assert(at == one->known - 1);
}

void multimaster_tree_fini(struct multimaster *m)
{
	const struct table_entry *e;
	size_t at = 0;

	while ((e = table_next(m->docs, &at))) {
		struct multimaster_doc *doc = multimaster_doc(m, e->key);

		for (uint32_t i = 0; i < doc->leaves; i++)
			leaf_free(&doc->leaf[i]);
		free(doc->leaf);
		free(doc);
	}
	table_close(m->docs);
}
