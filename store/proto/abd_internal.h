/* SPDX-License-Identifier: MIT */
/* abd_internal.h - state of one replica of a shared register; for abd*.c only */
#ifndef PROTO_ABD_INTERNAL_H
#define PROTO_ABD_INTERNAL_H

#include "store/proto/entry.h"
#include "store/proto/heard.h"
#include "store/proto/ring.h"

#define ABD_OPERATIONS_MAX 65536 /* that one replica coordinates at a time */
#define ABD_OPERATION_BYTES_MAX (64u << 20)
/* Numbers that are set aside on disk at a time: so many writes cost one small record. */
#define ABD_RESERVE 65536u
/* What has no answer is sent again after so many heartbeats, then after twice as many, ... */
#define ABD_RESEND_HEARTBEATS 2u

enum { ABD_TIMER_TICK, ABD_TIMER_OPERATIONS };

enum abd_message {
	ABD_NOBODY, /* no message: nobody waits for this */
	ABD_PING,
	ABD_PONG,
	ABD_READ,  /* what is the value of this key? */
	ABD_ASK,   /* the same without the value: what is its newest timestamp? */
	ABD_FOUND, /* answers both */
	ABD_STORE,
	ABD_STORED
};

enum abd_record { ABD_RECORD_ENTRY = 1, ABD_RECORD_RESERVED };

/* RESERVING: the write has a timestamp that a restart could give again until a record is there. */
enum abd_phase { ABD_DONE, ABD_ASKING, ABD_RESERVING, ABD_STORING };

struct abd_operation {
	enum abd_phase phase;
	enum proto_op op;
	bool replied;
	bool existed; /* DEL: what a majority had was there */
	unsigned need;
	uint64_t ticket;
	uint64_t since_ns;
	uint64_t resend_ns;
	uint64_t wait_ns;         /* until it is sent once more after that */
	struct node_set answered; /* the question */
	struct node_set holders;  /* of ->entry, durably */
	struct table_entry top;   /* a write: the highest timestamp among the answers */
	uint8_t *key;             /* owned, with the value behind it */
	struct table_entry entry; /* a read: the newest of the answers; a write: what it writes */
};

/* A record on its way to the disk, and what follows when it is there. */
struct abd_write {
	uint64_t seq;
	uint64_t id; /* of the operation, at its coordinator */
	unsigned from;
	bool told;         /* @from waits for an answer */
	uint64_t reserved; /* > 0: it is no entry, but sets numbers up to this aside */
	uint8_t *key;      /* owned, with the value behind it */
	struct table_entry entry;
};

struct abd {
	struct proto proto;
	struct heard heard;
	uint64_t clock;     /* highest sequence number given, or set aside before the start */
	uint64_t reserved;  /* numbers up to this may be given: that is on disk */
	uint64_t reserving; /* ... or on its way there */
	struct ring ops;
	struct ring writes;
	uint64_t pending;
	size_t bytes;
	bool armed;
	uint64_t one_round; /* reads that found a majority of one mind */
	uint64_t two_rounds;
	uint64_t resent; /* messages */
};

static inline struct abd *abd_of(struct proto *p)
{
	return (struct abd *)p;
}

static inline unsigned abd_nodes(const struct abd *a)
{
	return a->proto.cfg.nodes;
}

/* abd_later() - order of timestamps; one never names two values. NULL is before all. */
static inline bool abd_later(const struct table_entry *a, const struct table_entry *b)
{
	if (!b)
		return a->version > 0;
	return a->version > b->version || (a->version == b->version && a->origin > b->origin);
}

/* abd.c */
void abd_send_entry(struct abd *a, unsigned to, enum abd_message type, uint64_t id,
	const struct table_entry *e);
void abd_send_key(
	struct abd *a, unsigned to, enum abd_message type, uint64_t id, struct proto_bytes key);

/* abd_operation.c: what clients ask. */
unsigned abd_need(const struct proto_config *cfg, enum proto_level level, bool write);
void abd_request(struct proto *p, const struct proto_request *req);
void abd_expire(struct abd *a);
void abd_resend(struct abd *a);

/* abd_found() - @by has @e, or nothing. abd_stored() - @by has what operation @id stores. */
void abd_found(struct abd *a, uint64_t id, unsigned by, const struct table_entry *e);
void abd_stored(struct abd *a, uint64_t id, unsigned by);

/* abd_reserved() - more numbers are set aside: some operations may go on. */
void abd_reserved(struct abd *a);

/* abd_records.c: the log and its snapshot. */

/* abd_store() - write @e to disk and then into the table; then @from hears of it, if @told. */
void abd_store(struct abd *a, const struct table_entry *e, unsigned from, uint64_t id, bool told);

/* abd_reserve() - set numbers up to @number and some more aside. */
void abd_reserve(struct abd *a, uint64_t number);

/* abd_merge() - what is on disk into the table, unless something newer is there. */
void abd_merge(struct abd *a, const struct table_entry *e);
int abd_restore(struct proto *p, const void *bytes, size_t len);
int abd_describe(const void *bytes, size_t len, struct buf *out);
bool abd_snapshot(struct proto *p, struct proto_snapshot *s);

#endif
