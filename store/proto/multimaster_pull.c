/* SPDX-License-Identifier: MIT */
/*
 * multimaster_pull.c - a multi-master replica as the target that replicates from others
 *
 *   asking --changes, nothing lacks--> asking (from the end of these)
 *   asking --changes--> fetching --all that lacks is durable here--> asking
 *
 * One question is open per source; it is asked again until it is answered, and an answer to an
 * earlier one is known by its round. The checkpoint goes to the end of a batch when the last of
 * its revisions is on this disk, never before: what was skipped would not be offered again.
 * The next question tells the source, so both have it.
 *
 * A source that has restarted has another life. Then both begin from the lower of their two
 * checkpoints ("CouchDB Replication Protocol", "Find Common Ancestry").
 */
#include <assert.h>
#include <errno.h>

#include "store/proto/multimaster_internal.h"

static void ask(struct multimaster *m, unsigned source)
{
	struct multimaster_pull *pull = &m->pull[source];
	struct proto_io *io = m->proto.io;
	struct buf b = {0};

	pull->asked_ns = io->now(io);
	buf_u8(&b, MULTIMASTER_ASK);
	buf_u64(&b, pull->round);
	buf_u64(&b, pull->life);
	buf_u64(&b, pull->since);
	io->send(io, source, b.p, b.len);
	buf_fini(&b);
}

static void ask_anew(struct multimaster *m, unsigned source)
{
	m->pull[source].phase = MULTIMASTER_ASKING;
	m->pull[source].round = ++m->round;
	ask(m, source);
}

static struct proto_bytes key_of(
	const struct multimaster_pull *pull, const struct multimaster_wanted *w)
{
	return (struct proto_bytes){pull->keys.p + w->key_at, w->key_len};
}

/* For what is not here yet, or the first of it. */
static void want(struct multimaster *m, unsigned source)
{
	struct multimaster_pull *pull = &m->pull[source];
	struct proto_io *io = m->proto.io;
	const struct multimaster_wanted *w;
	struct buf b = {0};

	pull->asked_ns = io->now(io);
	buf_u8(&b, MULTIMASTER_WANT);
	buf_u64(&b, pull->round);
	for (uint64_t i = pull->wanted.first;
		b.len < MULTIMASTER_BATCH_BYTES && (w = ring_at(&pull->wanted, i)); i++) {
		struct proto_bytes key = key_of(pull, w);

		if (w->here)
			continue;
		buf_bytes(&b, key.p, key.len);
		buf_u64(&b, w->generation);
		buf_u64(&b, w->id);
	}
	io->send(io, source, b.p, b.len);
	buf_fini(&b);
}

static void forget_wanted(struct multimaster_pull *pull)
{
	ring_cut(&pull->wanted, pull->wanted.first);
	pull->keys.len = 0;
	pull->missing = 0;
	pull->next = 0;
}

static void batch_done(struct multimaster *m, unsigned source)
{
	struct multimaster_pull *pull = &m->pull[source];

	if (pull->phase != MULTIMASTER_FETCHING || pull->missing || pull->storing)
		return;
	pull->since = pull->to;
	forget_wanted(pull);
	ask_anew(m, source);
}

void multimaster_stored(struct multimaster *m, unsigned from)
{
	assert(m->pull[from].storing > 0);
	m->pull[from].storing--;
	m->fetched++;
	batch_done(m, from);
}

void multimaster_pull_start(struct multimaster *m)
{
	/* Above those of an earlier life, answers to which may be under way. */
	m->round = m->proto.io->now(m->proto.io);
	for (unsigned i = 0; i < m->proto.cfg.nodes; i++) {
		ring_init(&m->pull[i].wanted, sizeof(struct multimaster_wanted), 0);
		if (multimaster_pulls(&m->proto.cfg, m->proto.cfg.self, i))
			ask_anew(m, i);
	}
}

void multimaster_pull_tick(struct multimaster *m)
{
	uint64_t now = m->proto.io->now(m->proto.io);
	uint64_t patience = MULTIMASTER_RETRY_HEARTBEATS * m->proto.cfg.heartbeat_ns;

	for (unsigned i = 0; i < m->proto.cfg.nodes; i++) {
		struct multimaster_pull *pull = &m->pull[i];

		if (!multimaster_pulls(&m->proto.cfg, m->proto.cfg.self, i) ||
			now - pull->asked_ns < patience)
			continue;
		if (PROTO_BUG(BUG_MULTIMASTER_CHECKPOINT_EARLY))
			pull->missing = 0;
		if (pull->phase == MULTIMASTER_ASKING)
			ask(m, i);
		else if (pull->missing)
			want(m, i);
		else
			batch_done(m, i);
	}
}

int multimaster_on_begin(struct multimaster *m, unsigned from, struct cursor *c)
{
	struct multimaster_pull *pull = &m->pull[from];
	uint64_t round = cursor_u64(c);
	uint64_t life = cursor_u64(c);
	uint64_t since = cursor_u64(c);

	if (!cursor_done(c) || !life)
		return -EBADMSG;
	if (round != pull->round || pull->phase != MULTIMASTER_ASKING)
		return 0;
	pull->life = life;
	if (since < pull->since)
		pull->since = since;
	ask_anew(m, from);
	return 0;
}

static void note_wanted(
	struct multimaster_pull *pull, struct proto_bytes key, uint64_t generation, uint64_t id)
{
	struct multimaster_wanted *w = ring_push(&pull->wanted);

	*w = (struct multimaster_wanted){.key_at = (uint32_t)pull->keys.len,
		.key_len = key.len,
		.generation = generation,
		.id = id};
	buf_add(&pull->keys, key.p, key.len);
	pull->missing++;
}

/*
 * The source has passed what was told of the document, and does not have it: it did when it was
 * told, and has lost it since, which only stemming does (a leaf that it had was followed by one
 * that was followed, and so on, beyond what is remembered). Nobody would ever tell it again.
 */
static bool forgotten_there(const struct multimaster *m, unsigned source,
	const struct multimaster_doc *doc, uint32_t same)
{
	bool stemmed = false;

	for (uint32_t i = 0; i < doc->leaves; i++)
		stemmed = stemmed || doc->leaf[i].known < doc->leaf[i].generation;
	return stemmed && same < doc->leaves && m->push[source].told >= doc->seq;
}

/* The leaves of one document: what lacks here is noted. */
static int walk_change(struct multimaster *m, unsigned source, struct cursor *c, bool noting)
{
	struct multimaster_pull *pull = &m->pull[source];
	const struct multimaster_leaf *l;
	const struct multimaster_doc *doc;
	uint32_t leaves, at, same = 0, lacks = 0;
	struct proto_bytes key;

	if (multimaster_decode_key(c, &key))
		return -EBADMSG;
	leaves = cursor_u16(c);
	if (!leaves || c->left / 16 < leaves)
		return -EBADMSG;
	doc = noting ? multimaster_doc(m, key) : NULL;
	for (uint32_t i = 0; i < leaves; i++) {
		uint64_t generation = cursor_u64(c);
		uint64_t id = cursor_u64(c);

		if (!generation || generation > MULTIMASTER_GENERATION_MAX)
			return -EBADMSG;
		if (!noting)
			continue;
		l = doc ? multimaster_leaf_with(doc, generation, id, &at) : NULL;
		same += l && at == l->known - 1;
		lacks += !l;
		if (!l && (doc ? doc->leaves : 0) + lacks <= MULTIMASTER_LEAVES_MAX) {
			note_wanted(pull, key, generation, id);
		} else if (!l) {
			pull->refused = true;
			m->refused++;
		}
	}
	if (doc && !lacks && forgotten_there(m, source, doc, same))
		multimaster_again(m, key);
	return 0;
}

static int walk_changes(struct multimaster *m, unsigned source, struct cursor c, bool noting)
{
	int bad = 0;

	while (c.left && !bad)
		bad = walk_change(m, source, &c, noting);
	return bad;
}

int multimaster_on_changes(struct multimaster *m, unsigned from, struct cursor *c)
{
	struct multimaster_pull *pull = &m->pull[from];
	uint64_t round = cursor_u64(c);
	uint64_t to = cursor_u64(c);

	if (c->bad || !c->left || walk_changes(m, from, *c, false))
		return -EBADMSG;
	if (round != pull->round || pull->phase != MULTIMASTER_ASKING || to <= pull->since)
		return 0;
	(void)walk_changes(m, from, *c, true);
	pull->phase = MULTIMASTER_FETCHING;
	pull->to = to;
	if (pull->missing)
		want(m, from);
	else
		batch_done(m, from);
	return 0;
}

/* They come in the order in which they were asked for, but for what the network did. */
static struct multimaster_wanted *find_wanted(
	struct multimaster_pull *pull, const struct multimaster_revision *r, uint64_t id)
{
	uint64_t n = ring_count(&pull->wanted);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = pull->wanted.first + (pull->next + i) % n;
		struct multimaster_wanted *w = ring_at(&pull->wanted, at);
		struct proto_bytes key = key_of(pull, w);

		if (w->generation != r->generation || w->id != id || key.len != r->key.len ||
			(key.len && memcmp(key.p, r->key.p, key.len) != 0))
			continue;
		pull->next = (pull->next + i + 1) % n;
		return w->here ? NULL : w;
	}
	return NULL;
}

static void take(struct multimaster *m, unsigned from, const struct multimaster_revision *r,
	uint64_t id, bool gone)
{
	struct multimaster_pull *pull = &m->pull[from];
	struct multimaster_wanted *w = find_wanted(pull, r, id);

	if (!w)
		return;
	w->here = true;
	pull->missing--;
	if (gone)
		return;
	pull->storing++;
	multimaster_store(m, from, r);
}

/* Revisions, walked to see that they are such, and to take those that are waited for. */
static int walk_revisions(struct multimaster *m, unsigned from, struct cursor c, bool taking)
{
	uint64_t path[MULTIMASTER_REVS_MAX];

	while (c.left) {
		struct multimaster_revision r = {0};
		uint64_t generation, id;
		uint8_t there;

		if (multimaster_decode_key(&c, &r.key))
			return -EBADMSG;
		r.generation = generation = cursor_u64(&c);
		id = cursor_u64(&c);
		there = cursor_u8(&c);
		if (c.bad || there > 1)
			return -EBADMSG;
		if (there && (multimaster_decode_history(&c, path, &r) ||
				     r.generation != generation || path[r.known - 1] != id))
			return -EBADMSG;
		if (taking)
			take(m, from, &r, id, !there);
	}
	return 0;
}

int multimaster_on_revisions(struct multimaster *m, unsigned from, struct cursor *c)
{
	struct multimaster_pull *pull = &m->pull[from];
	uint64_t round = cursor_u64(c);
	uint8_t last = cursor_u8(c);

	if (c->bad || last > 1 || !c->left || walk_revisions(m, from, *c, false))
		return -EBADMSG;
	if (round != pull->round || pull->phase != MULTIMASTER_FETCHING)
		return 0;
	(void)walk_revisions(m, from, *c, true);
	if (last && pull->missing)
		want(m, from);
	batch_done(m, from);
	return 0;
}

void multimaster_pull_fini(struct multimaster *m)
{
	for (unsigned i = 0; i < m->proto.cfg.nodes; i++) {
		ring_fini(&m->pull[i].wanted);
		buf_fini(&m->pull[i].keys);
	}
}
