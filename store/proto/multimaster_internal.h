/* SPDX-License-Identifier: MIT */
/* multimaster_internal.h - state of one multi-master replica; for multimaster*.c only */
#ifndef PROTO_MULTIMASTER_INTERNAL_H
#define PROTO_MULTIMASTER_INTERNAL_H

#include "agent/base/buf.h"
#include "store/proto.h"
#include "store/proto/ring.h"
#include "store/table.h"

/* As CouchDB's revs_limit; at eight bytes each, a history fits the header of a message. */
#define MULTIMASTER_REVS_MAX 1000u
/* Revisions side by side; one more is not taken, and stays where it is. */
#define MULTIMASTER_LEAVES_MAX 1000u
#define MULTIMASTER_GENERATION_MAX (1ull << 39)
/* The lower bits of a version tell which revisions there are, those above how many followed. */
#define MULTIMASTER_VERSION_BITS 24u

#define MULTIMASTER_WRITES_MAX 65536u /* on the way to the disk, of clients */
#define MULTIMASTER_WRITE_BYTES_MAX (64u << 20)
/* A replica that has more others than that replicates from those at distances 1, 2, 4, 8 ... */
#define MULTIMASTER_PULLS_MAX 16u
#define MULTIMASTER_RETRY_HEARTBEATS 4u     /* until a question is asked again */
#define MULTIMASTER_BATCH_BYTES (64u << 10) /* of a list of changes, or of revisions, about */
#define MULTIMASTER_ANSWER_BYTES (1u << 20) /* of all messages with revisions, for one question */
#define MULTIMASTER_CHECKPOINT_NS 1000000000ull /* how often they are saved */

enum { MULTIMASTER_TIMER_TICK, MULTIMASTER_TIMER_WRITES };

enum multimaster_message {
	MULTIMASTER_ASK = 1,  /* for what has changed since */
	MULTIMASTER_BEGIN,    /* that was another life of mine: begin anew, from there */
	MULTIMASTER_CHANGES,  /* keys and their leaves: GET /db/_changes */
	MULTIMASTER_WANT,     /* of these I lack those: POST /db/_revs_diff */
	MULTIMASTER_REVISIONS /* with their history: open_revs and revs=true */
};

enum multimaster_record {
	MULTIMASTER_RECORD_EDIT = 1,   /* a write made here */
	MULTIMASTER_RECORD_REVISION,   /* one with its history: made elsewhere, or of a snapshot */
	MULTIMASTER_RECORD_CHECKPOINT, /* two numbers */
	MULTIMASTER_RECORD_AGAIN       /* a key that is to be told again, as if it had changed */
};

/* A leaf of a key's tree of revisions, with the path to the root as far as it is known. */
struct multimaster_leaf {
	uint64_t generation;
	bool deleted;
	uint32_t known;           /* of its path, itself included */
	uint64_t *path;           /* owned: the oldest first, its own last */
	struct proto_bytes value; /* owned; the winner's is in the table instead */
};

struct multimaster_doc {
	struct proto_bytes key; /* of the table of documents */
	uint64_t seq;           /* number of its last change */
	uint32_t leaves;
	struct multimaster_leaf *leaf; /* the winner first */
};

/* A place in the order of changes; it is void if the document has changed since. */
struct multimaster_change {
	uint64_t seq;
	struct multimaster_doc *doc;
};

/* A record on its way to the disk. */
struct multimaster_write {
	uint64_t record; /* its number */
	uint64_t ticket; /* 0: nobody waits for it, or no longer */
	uint64_t since_ns;
	uint8_t *bytes; /* owned; NULL: it only waits for those before it */
	uint32_t len;
	uint32_t from; /* who it was pulled from; self: a client */
	uint64_t seq;
	bool nil;
};

/* A revision that another replica has and this one does not. */
struct multimaster_wanted {
	uint32_t key_at; /* in ->keys of the pull */
	uint32_t key_len;
	uint64_t generation;
	uint64_t id;
	bool here; /* it has come, or is nowhere any more */
};

enum multimaster_phase { MULTIMASTER_ASKING, MULTIMASTER_FETCHING };

/* Replication from another replica to this one. */
struct multimaster_pull {
	enum multimaster_phase phase;
	uint64_t life;  /* of the source, as it told; 0: it has not yet */
	uint64_t since; /* the checkpoint: of its changes all up to this one are durable here */
	uint64_t saved; /* as the log has it */
	uint64_t round; /* number of the open question */
	uint64_t to;    /* where this batch ends */
	uint64_t asked_ns;
	bool refused;    /* something did not fit: no checkpoint from here on */
	struct buf keys; /* of what is wanted */
	struct ring wanted;
	uint64_t next;    /* of these, is expected next */
	uint64_t missing; /* not here yet */
	uint64_t storing; /* on their way to the disk */
};

/* Replication from this replica to another one: it asks, this one remembers little. */
struct multimaster_push {
	uint64_t since; /* the checkpoint, as it told last */
	uint64_t saved;
	uint64_t round;
	uint64_t told; /* changes up to this one, at least once */
	bool waiting;  /* for a change to come */
};

struct multimaster {
	struct proto proto;
	uint64_t life;      /* of this start */
	uint64_t seq;       /* last number given to a change */
	struct table *docs; /* key to struct multimaster_doc * */
	size_t count;
	size_t conflicts;    /* keys with more than one value */
	size_t beside;       /* bytes of documents: losers, tombstones and histories */
	struct table *ahead; /* last write of a key that is not on disk yet */
	struct multimaster_change *order;
	size_t changes;
	size_t changes_cap;
	struct ring writes;
	size_t bytes;      /* of those that clients wait for */
	uint64_t pending;  /* clients that wait */
	uint64_t expiring; /* the first of writes whose client may still wait */
	uint64_t records;  /* the last one's number */
	bool armed;
	bool started;
	uint64_t saved_ns; /* checkpoints */
	uint64_t round;
	struct multimaster_pull *pull; /* by replica */
	struct multimaster_push *push;
	uint64_t refused; /* revisions that did not fit */
	uint64_t fetched; /* revisions */
};

static inline struct multimaster *multimaster_of(struct proto *p)
{
	return (struct multimaster *)p;
}

static inline uint32_t multimaster_revs(const struct multimaster *m)
{
	return m->proto.cfg.revs ? m->proto.cfg.revs : MULTIMASTER_REVS_MAX;
}

/* multimaster_pulls() - whether @target replicates from @source. */
bool multimaster_pulls(const struct proto_config *cfg, unsigned target, unsigned source);

/* multimaster_tree.c: revisions of a key. */

/* A revision as it comes: from a client, a message or a record. */
struct multimaster_revision {
	struct proto_bytes key;
	uint64_t generation;
	bool deleted;
	uint32_t known;       /* of its path, itself included */
	const uint64_t *path; /* the oldest first */
	struct proto_bytes value;
};

/* multimaster_id() - names a revision by its history and what it is. */
uint64_t multimaster_id(
	uint64_t generation, uint64_t parent, bool deleted, struct proto_bytes value);

struct multimaster_doc *multimaster_doc(const struct multimaster *m, struct proto_bytes key);

/* multimaster_memory() - what the table does not count: documents and the order of changes. */
size_t multimaster_memory(const struct proto *p);

/* multimaster_leaf_with() - the leaf on whose path a revision is, @ret_at: where; or NULL. */
const struct multimaster_leaf *multimaster_leaf_with(
	const struct multimaster_doc *doc, uint64_t generation, uint64_t id, uint32_t *ret_at);

static inline uint64_t multimaster_leaf_id(const struct multimaster_leaf *l)
{
	return l->path[l->known - 1];
}

/* multimaster_value() - of leaf @i; empty if it is deleted. */
struct proto_bytes multimaster_value(
	const struct multimaster *m, const struct multimaster_doc *doc, uint32_t i);

/* multimaster_take() - a durable revision, number @seq of the changes here, into its tree. */
void multimaster_take(struct multimaster *m, uint64_t seq, const struct multimaster_revision *r);

/* multimaster_edit() - the same for one whose history is that of @parent, which is here. */
void multimaster_edit(
	struct multimaster *m, uint64_t seq, uint64_t parent, const struct multimaster_revision *r);

uint64_t multimaster_digest(const struct proto *p);
bool multimaster_kept(const struct proto *p, struct proto_bytes key, struct proto_bytes value);
void multimaster_check_doc(const struct multimaster *m, const struct multimaster_doc *doc);
void multimaster_tree_fini(struct multimaster *m);

/* multimaster_order.c: documents in the order of their last changes. */
void multimaster_changed(struct multimaster *m, struct multimaster_doc *doc, uint64_t seq);

/* multimaster_after() - where the first change above @seq is in ->order. */
size_t multimaster_after(const struct multimaster *m, uint64_t seq);

/* multimaster_last() - the highest number of a change that is there to be told. */
uint64_t multimaster_last(const struct multimaster *m);

/* multimaster_order() - after all was restored. */
void multimaster_order(struct multimaster *m);

/* multimaster_write.c: what clients ask, and the way to the disk. */
void multimaster_request(struct proto *p, const struct proto_request *req);
void multimaster_expire(struct multimaster *m);
void multimaster_persisted(struct proto *p, uint64_t seq);

/* multimaster_again() - tell all of @key again. */
void multimaster_again(struct multimaster *m, struct proto_bytes key);

/* multimaster_store() - write a pulled revision to disk; it is taken when it is there. */
void multimaster_store(struct multimaster *m, unsigned from, const struct multimaster_revision *r);

/* multimaster_records.c: the log and its snapshot. */
void multimaster_encode_revision(struct buf *b, uint64_t seq, const struct multimaster_revision *r);
void multimaster_encode_again(struct buf *b, uint64_t seq, struct proto_bytes key);
void multimaster_encode_edit(
	struct buf *b, uint64_t seq, uint64_t parent, const struct multimaster_revision *r);
void multimaster_save_checkpoints(struct multimaster *m);
int multimaster_restore(struct proto *p, const void *bytes, size_t len);
int multimaster_describe(const void *bytes, size_t len, struct buf *out);
bool multimaster_snapshot(struct proto *p, struct proto_snapshot *s);

/* multimaster_encode_history() - generation, flags, path and value; and back: bytes of @c, and a
 * path in @path, which has room for MULTIMASTER_REVS_MAX. Return: 0, -EBADMSG. */
void multimaster_encode_history(struct buf *b, const struct multimaster_revision *r);
int multimaster_decode_history(struct cursor *c, uint64_t *path, struct multimaster_revision *ret);

/* multimaster_decode_key() - Return: 0, -EBADMSG. */
int multimaster_decode_key(struct cursor *c, struct proto_bytes *ret);

/* multimaster_push.c: this replica as a source. */
int multimaster_on_ask(struct multimaster *m, unsigned from, struct cursor *c);
int multimaster_on_want(struct multimaster *m, unsigned from, struct cursor *c);
void multimaster_tell(struct multimaster *m); /* changes, to those who wait */

/* multimaster_pull.c: this replica as a target. */
void multimaster_pull_start(struct multimaster *m);
void multimaster_pull_tick(struct multimaster *m);
int multimaster_on_begin(struct multimaster *m, unsigned from, struct cursor *c);
int multimaster_on_changes(struct multimaster *m, unsigned from, struct cursor *c);
int multimaster_on_revisions(struct multimaster *m, unsigned from, struct cursor *c);
void multimaster_stored(struct multimaster *m, unsigned from);
void multimaster_pull_fini(struct multimaster *m);

#endif
