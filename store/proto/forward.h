/* SPDX-License-Identifier: MIT */
/*
 * forward.h - requests that one replica serves for all: taken here, executed there, answered once
 *
 * Shared by the protocols with a leader (single, raft). The replica that a client talks to keeps
 * each request in a slot until it has answered. A request is *held* while it is known that nobody
 * executed it, and *sent* once a leader may have. When its time is over, a held one and every read
 * is UNAVAILABLE, a sent write UNCERTAIN.
 *
 * The network may deliver a message twice, but a write must not happen twice. So each attempt to
 * send has a number of its own, rising also over restarts of the sender (it starts at the sender's
 * clock), and a receiver admits each number once: struct forward_window, the sliding window of
 * IPsec (RFC 4303, 3.4.3). A receiver's window does not survive its restart; therefore an attempt
 * also names the receiver's term of office (raft: the term, single: the time of its start), and is
 * not executed in any other.
 */
#ifndef PROTO_FORWARD_H
#define PROTO_FORWARD_H

#include "store/proto/command.h"
#include "store/proto/ring.h"

#define FORWARD_REQUESTS_MAX 65536    /* slots of one replica, answered or not */
#define FORWARD_BYTES_MAX (64u << 20) /* held for them */
#define FORWARD_WINDOW 4096           /* attempts of one sender that may overtake each other */

/* Why a request was refused; the numbers travel between replicas. */
enum forward_why {
	FORWARD_COUNTS, /* not enough replicas answered: have, need and waited say it */
	FORWARD_BUSY,
	FORWARD_NO_LEADER,
	FORWARD_NOT_LEADER, /* only between replicas: never executed, ask another */
	FORWARD_DEPOSED,
	FORWARD_LEADER_SILENT,
	FORWARD_HOLDER_GONE,
	FORWARD_TOO_LARGE,
	FORWARD_NO_REPLICA,
	FORWARD_CHANGING,
	FORWARD_LAST_VOTER,
	FORWARD_BEHIND,
	FORWARD_NO_VOTER,
	FORWARD_NOT_HANDED,
	FORWARD_ASK_ITSELF,
	FORWARD_UNSEEN,
	FORWARD_EXPIRED,
	FORWARD_NO_SERVER,
	FORWARD_WHY_NR
};
extern const char *const forward_why_text[FORWARD_WHY_NR];

enum forward_state { FORWARD_DONE, FORWARD_HELD, FORWARD_SENT };

struct forward_request {
	enum forward_state state;
	bool write;
	bool order;             /* of an operator, not a command */
	bool here;              /* waits for data of this replica, is never sent */
	enum proto_level level; /* of a read; never PROTO_DEFAULT */
	uint64_t ticket;
	uint64_t attempt; /* number of the last one sent */
	uint64_t since_ns;
	uint8_t *bytes; /* owned: the command, to send it again; NULL if it is not needed */
	uint32_t len;
};

struct forward {
	struct proto *p;
	struct ring slots; /* struct forward_request by slot number, in the order of arrival */
	uint64_t attempt_next;
	size_t bytes;
	uint64_t pending;
	unsigned timer; /* of the protocol, for time-outs */
	bool armed;
	struct forward_window **window; /* by sender, NULL: nothing came from it yet */
};

/* forward_init() - no requests; @timer is armed when one waits. forward_start() - from now on. */
void forward_init(struct forward *f, struct proto *p, unsigned timer);
void forward_start(struct forward *f);
void forward_fini(struct forward *f);

/**
 * forward_add() - take a request, held
 * @keep:	keep its bytes, to be sent (again) later
 * Return: its slot number, or 0 if there is no room; then the request has been answered.
 */
uint64_t forward_add(struct forward *f, const struct proto_request *req, bool keep);

/* forward_add_order() - the same for an operator's order, which is @bytes to the protocol. */
uint64_t forward_add_order(struct forward *f, uint64_t ticket, const void *bytes, size_t len);

static inline struct forward_request *forward_at(const struct forward *f, uint64_t slot)
{
	struct forward_request *r = ring_at(&f->slots, slot);

	return r && r->state != FORWARD_DONE ? r : NULL;
}

/* forward_finish() - answer; a slot that is answered already is left alone. */
void forward_finish(struct forward *f, uint64_t slot, struct proto_reply *reply);

/* forward_send() - one attempt to have the request executed by @to in its term of office @term. */
void forward_send(struct forward *f, uint64_t slot, unsigned to, uint8_t type, uint64_t term);

/* forward_expire() - answer what is overdue, arm the timer for the next; on the timer. */
void forward_expire(struct forward *f, const struct proto_reply *refusal);

/* forward_refuse() - a refusal in words, with counts where @need > 0. */
struct proto_reply forward_refuse(enum forward_why why, unsigned have, unsigned need);

/* Receiver's side. */
struct forward_window {
	uint64_t top; /* highest number admitted */
	uint64_t seen[FORWARD_WINDOW / 64];
};

/* forward_admit() - whether attempt @number of @from is seen for the first time; it is now seen. */
bool forward_admit(struct forward *f, unsigned from, uint64_t number);

/* An attempt and an answer as they travel, without the type byte in front. */
struct forward_attempt {
	uint64_t term;
	uint64_t slot;
	uint64_t attempt;
	enum proto_level level; /* does not travel here */
	unsigned node;          /* neither: of an order */
	struct command command;
	struct proto_bytes bytes; /* the command, encoded */
};

struct forward_answer {
	uint64_t slot;
	uint64_t attempt;
	enum forward_why why;
	uint64_t index; /* of the log, that it is as of; does not travel here */
	struct proto_reply reply;
};

int forward_decode_attempt(struct cursor *c, struct forward_attempt *ret);
void forward_encode_answer(struct buf *b, const struct forward_answer *a);
int forward_decode_answer(struct cursor *c, struct forward_answer *ret);

/* forward_answered() - an answer came for one of this replica's requests. Stale ones are ignored.
 */
void forward_answered(struct forward *f, struct forward_answer *a);

#endif
