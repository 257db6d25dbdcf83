/* SPDX-License-Identifier: MIT */
/* causal_internal.h - state of one causal replica; for causal*.c only */
#ifndef PROTO_CAUSAL_INTERNAL_H
#define PROTO_CAUSAL_INTERNAL_H

#include "agent/base/list.h"
#include "store/proto/command.h"
#include "store/proto/entry.h"
#include "store/proto/hlc.h"
#include "store/proto/ring.h"
#include "store/proto/vclock.h"

/* Writes of one replica; more are believed of nobody. */
#define CAUSAL_COUNT_MAX (1ull << 62)
/* A write from further in the future waits until then: a broken clock must not drag all along. */
#define CAUSAL_AHEAD_NS_MAX (60ull * 1000 * 1000 * 1000)
/* Of the log in memory, unless log_keep_kib says otherwise; who needs more gets the table. */
#define CAUSAL_LOG_BYTES_MAX (16u << 20)
#define CAUSAL_WRITE_OVERHEAD 64u /* counted for each write in memory beside its bytes */
/* Writes that came before what they depend on; what is beyond is asked for again. */
#define CAUSAL_EARLY_BYTES_MAX (16u << 20)
#define CAUSAL_EARLY_MAX 4096 /* of one origin */
/* Writes of others on their way to the disk; what is beyond is asked for again. */
#define CAUSAL_DISK_BYTES_MAX (64u << 20)
#define CAUSAL_REQUESTS_MAX 16384   /* without an answer yet */
#define CAUSAL_SLOTS_MAX (1u << 20) /* with those answered behind one that waits */
#define CAUSAL_REQUEST_BYTES_MAX (64u << 20)
#define CAUSAL_STATES_MAX 16u           /* others who are told, per heartbeat, what is here */
#define CAUSAL_BATCH_BYTES (64u << 10)  /* of writes in one message, about */
#define CAUSAL_GIVEN_BYTES (256u << 10) /* in one answer to a question */
#define CAUSAL_PIECES_MAX 32u           /* messages that are one turn of a copy */
/* A question is asked again after so long at first, then after half as much more each time. */
#define CAUSAL_RETRY_HEARTBEATS 4u
#define CAUSAL_RETRY_HEARTBEATS_MAX 64u
#define CAUSAL_COPY_TRIES 6u    /* questions without an answer that end a copy */
#define CAUSAL_GRAVES_MAX 256u  /* tombstones forgotten at a time */
#define CAUSAL_BURY_STEPS 1024u /* of a walk over the table, per heartbeat */

enum { CAUSAL_TIMER_TICK, CAUSAL_TIMER_REQUESTS };

enum causal_message {
	CAUSAL_STATE = 1, /* what is visible at the sender */
	CAUSAL_WRITES,    /* new ones of the sender */
	CAUSAL_ASK,       /* for what the sender lacks */
	CAUSAL_GIVEN,     /* the answer: writes of anybody */
	CAUSAL_COPY,      /* causal_copy.c: question and answer */
	CAUSAL_PART
};

enum causal_record {
	CAUSAL_RECORD_WRITE = 1,
	CAUSAL_RECORD_STATE, /* of a snapshot: what is visible, and the clock */
	CAUSAL_RECORD_ENTRY, /* of a snapshot: one of the table's */
	CAUSAL_RECORD_STAGE_BEGIN,
	CAUSAL_RECORD_STAGE,     /* entries of a copy that is not visible yet ... */
	CAUSAL_RECORD_STAGE_END, /* ... and now is */
	CAUSAL_RECORD_FORGET     /* tombstones */
};

/* Writes or entries under way: how many, then each with its length. */
struct causal_list {
	struct buf items;
	uint32_t count;
};

static inline void causal_list_add(struct causal_list *l, const void *bytes, size_t len)
{
	buf_bytes(&l->items, bytes, (uint32_t)len);
	l->count++;
}

/* causal_list_end() - append all of it to @out; it is empty then. */
static inline void causal_list_end(struct causal_list *l, struct buf *out)
{
	buf_u32(out, l->count);
	buf_add(out, l->items.p, l->items.len);
	buf_fini(&l->items);
	*l = (struct causal_list){0};
}

/* A write as its bytes say; they belong to somebody else. */
struct causal_write {
	uint64_t seq; /* among those of its origin: 1, 2, 3 ... */
	unsigned pairs;
	const uint8_t *pair; /* what it depends on beside the write before it: replica, count */
	struct table_entry entry;
	struct proto_bytes bytes; /* all of it */
};

/* One in the log: in an order that extends causal order, that of the disk. */
struct causal_entry {
	uint64_t seq;
	uint64_t record;
	uint64_t request; /* who waits for it here, 0: nobody */
	uint8_t *bytes;   /* owned */
	uint32_t len;
	uint16_t origin;
};

/* One that came too early. */
struct causal_early {
	struct list link;
	uint64_t seq;
	uint32_t len;
	uint8_t bytes[];
};

struct causal_peer {
	struct token told; /* was visible there, as it said last */
	uint64_t heard_ns;
	struct list early; /* writes that began there, by number */
	unsigned early_count;
};

enum causal_phase { CAUSAL_DONE, CAUSAL_WAITING, CAUSAL_WRITING };

struct causal_request {
	enum causal_phase phase;
	enum proto_op op;
	bool existed; /* the key, when it was deleted */
	uint64_t ticket;
	uint64_t since_ns;
	uint64_t expires_ns;
	uint8_t *block; /* of one that waits for its session: token, key, value; owned */
	uint32_t key_len;
	uint32_t value_len;
};

/* A question that has no answer yet. */
struct causal_asking {
	bool open;
	uint64_t number;
	uint64_t since_ns;
};

/* A table that is fetched from another replica. */
struct causal_copy {
	bool active;
	bool first;  /* nothing is here yet */
	bool ending; /* all is here; it counts when record ->end is on disk */
	unsigned from;
	unsigned tries;
	uint64_t begun; /* number of this copy */
	uint64_t step;  /* number of the open question */
	uint64_t asked_ns;
	uint64_t cursor;
	uint64_t answer; /* number of the answer ... */
	uint32_t pieces; /* ... and of its pieces that have arrived: a bit each */
	uint64_t end;
	struct token have; /* what ->table is as of, together with the own one */
	struct table *table;
};

enum causal_bury_phase { CAUSAL_BURY_SEARCH, CAUSAL_BURY_HELD, CAUSAL_BURY_CAUGHT_UP };

struct causal_bury {
	enum causal_bury_phase phase;
	uint64_t next_ns; /* of the next search */
	uint64_t cursor;
	struct causal_list graves; /* found */
	struct buf list;           /* the same in the record */
	struct token mark;         /* who has that has the tombstones */
	struct token need;         /* what the others had made when they had them */
	uint64_t record;           /* that forgets them, on its way to the disk; 0: none */
};

struct causal {
	struct proto proto;
	struct hlc clock;
	struct token have;  /* visible here, and on disk */
	struct token taken; /* and what is on its way to the disk */
	struct token told;  /* dependencies that own writes have named so far */
	struct token cut;   /* the log begins behind that */
	struct ring log;
	uint64_t visible; /* number of the first in the log that is not visible yet */
	size_t log_bytes;
	size_t disk_bytes; /* of those that are not visible yet */
	struct causal_peer *peer;
	size_t early_bytes;
	unsigned told_last; /* whom, where not all are told at once */
	struct ring requests;
	size_t request_bytes;
	struct ring parked; /* numbers of those that wait for their session */
	unsigned pending;   /* without an answer yet */
	bool armed;
	struct causal_asking asking;
	struct causal_copy copy;
	struct causal_bury bury;
	uint64_t patience_ns; /* that a question has for its answer */
	uint64_t numbers;     /* of questions */
	uint64_t record;      /* last, since the start */
	uint64_t durable;     /* the same of those on disk */
	uint64_t replaced;    /* times that a copy came into the table */
	uint64_t forgotten;
	uint64_t ahead; /* writes that were put off since their time is in the future */
};

static inline struct causal *causal_of(struct proto *p)
{
	return (struct causal *)p;
}

static inline unsigned causal_nodes(const struct causal *c)
{
	return c->proto.cfg.nodes;
}

/* causal_fits() - a number per replica must fit a token; else nothing is claimed and done. */
static inline bool causal_fits(const struct proto_config *cfg)
{
	return cfg->nodes <= TOKEN_MAX;
}

/* causal_write.c: writes as bytes, in the log, in the table. */

/* causal_decode() - from one of @nodes. Return: 0, -EBADMSG. */
int causal_decode(unsigned nodes, struct proto_bytes bytes, struct causal_write *ret);

/* causal_persist() - a record. Return: its number. */
uint64_t causal_persist(struct causal *c, enum causal_record kind, struct proto_bytes rest);

/* causal_make() - a write of this replica; @request waits for it. */
void causal_make(struct causal *c, const struct table_entry *e, uint64_t request);

/* causal_take() - another replica's, in whatever order it comes. */
void causal_take(struct causal *c, const struct causal_write *w);

/* causal_drain() - take those that were too early and are not any more. */
void causal_drain(struct causal *c);

/* causal_newer() - whether @a is the later write of its key; NULL @b is older than all. */
bool causal_newer(const struct table_entry *a, const struct table_entry *b);

/* causal_merge() - into @t, unless something newer is there. */
void causal_merge(struct table *t, const struct table_entry *e);

/* causal_log_add() - behind all others. causal_log_trim() - what is not needed or too much. */
struct causal_entry *causal_log_add(struct causal *c, const struct causal_write *w);
void causal_log_trim(struct causal *c);

/* causal_show() - what is on disk up to @record becomes visible. */
void causal_show(struct causal *c, uint64_t record);
void causal_write_fini(struct causal *c);

/* causal_request.c: what clients ask. */
void causal_request(struct proto *p, const struct proto_request *req);
void causal_request_done(struct causal *c, uint64_t request, uint64_t version);

/* causal_wake() - more is visible: who waited for that is served. */
void causal_wake(struct causal *c);
void causal_expire(struct causal *c);
void causal_request_fini(struct causal *c);

/* causal_peer.c: what replicas tell and ask each other. */
void causal_announce(struct causal *c, uint64_t from, uint64_t to);
void causal_tell(struct causal *c);
void causal_ask_tick(struct causal *c);
int causal_on_state(struct causal *c, unsigned from, struct cursor *m);
int causal_on_writes(struct causal *c, struct cursor *m);
int causal_on_ask(struct causal *c, unsigned from, struct cursor *m);
int causal_on_given(struct causal *c, unsigned from, struct cursor *m);

/* causal_vector() - read one with a count per replica. Return: 0, -EBADMSG. */
int causal_vector(const struct causal *c, struct cursor *m, struct token *ret);

/* causal_late() - whether a question of @since_ns has waited for its answer long enough; then the
 * next one will wait longer. causal_answered() - it has not: the next one waits as it should have.
 */
bool causal_late(struct causal *c, uint64_t since_ns);
void causal_answered(struct causal *c, uint64_t since_ns);

/* causal_copy.c: the whole table. */
void causal_copy_begin(struct causal *c, unsigned from);
void causal_copy_drop(struct causal *c);
void causal_copy_tick(struct causal *c);
int causal_on_copy(struct causal *c, unsigned from, struct cursor *m);
int causal_on_part(struct causal *c, unsigned from, struct cursor *m);

/* causal_copy_show() - its last record is on disk. */
void causal_copy_show(struct causal *c);

/* causal_stage_begin(), ... - the same from records. Return: 0, -EBADMSG. */
int causal_stage_begin(struct causal *c, struct cursor *m);
int causal_stage(struct causal *c, struct cursor *m);
int causal_stage_end(struct causal *c, struct cursor *m);

/* causal_entries() - have @each see all of @m, which is a list of entries; NULL: only check it.
 * Return: how many, -EBADMSG. */
int causal_entries(unsigned nodes, struct cursor m,
	void (*each)(void *arg, const struct table_entry *e), void *arg);

/* causal_bury.c: forgetting what was deleted. */
void causal_bury_tick(struct causal *c);
void causal_buried(struct causal *c);

/* causal_forget() - the rest of a record: what is not newer goes. Return: 0, -EBADMSG. */
int causal_forget(struct causal *c, struct cursor m);

/* causal_records.c: the log on disk and its snapshot. */
int causal_restore(struct proto *p, const void *bytes, size_t len);
int causal_describe(const void *bytes, size_t len, struct buf *out);
bool causal_snapshot(struct proto *p, struct proto_snapshot *s);

#endif
