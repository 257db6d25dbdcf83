/* SPDX-License-Identifier: MIT */
/*
 * proto.h - the seam between a replication protocol and the world
 *
 * A protocol is a pure reaction: it is told of a request, a message, a durable record or a timer,
 * and answers by calls of struct proto_io. It has no clock, socket, file, thread or global, so the
 * same object code runs in pacelab-replica on real packets and in agent/sim in virtual time.
 *
 * Rules that both runners keep:
 *  1. Calls into a protocol never nest: no proto_io call re-enters the protocol.
 *  2. Messages may be lost, duplicated, delayed and reordered; never altered. A message to oneself
 *     is not allowed.
 *  3. persist() numbers records 1, 2, 3 ...; persisted(seq) says that all records up to seq are on
 *     disk. Records not yet reported may be lost in a crash, but only as a suffix.
 *  4. After a crash: init(), restore() once for each durable record in order, start().
 *     A first start has no records. Volatile state is gone; tickets of before are void.
 *  5. Each request gets at most one reply(), and a living replica gives exactly one, at the latest
 *     shortly after cfg.request_timeout_ns.
 *  6. A timer fires once at or after its time; arming again replaces it, arming at 0 disarms.
 *  7. A snapshot begins when the log is at some record number S: that of the last record before the
 *     first call of snapshot(). It is called until it has no more, with any other calls in between.
 *     What it gave, followed by the records after S, then restores to the same as all would. It
 * counts, and the records up to S are forgotten, only when it is on disk and so is every record
 * that was numbered before its last part; then snapshot_done(). A crash before that leaves the log
 * as it was.
 *
 * A protocol file exports one symbol: its struct proto_ops.
 */
#ifndef STORE_PROTO_H
#define STORE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/bugs.h"
#include "store/token.h"

struct buf;

/* More replicas than anybody votes among; a bit per replica must fit a small set (PROTO_SET). */
#define PROTO_NODES_MAX 1024
#define PROTO_TIMERS_MAX 8
#define PROTO_KEY_MAX 1024
#define PROTO_VALUE_MAX (1u << 20)
/* Longest message or log record: a value, a key and room for the protocol's own header. */
#define PROTO_MESSAGE_MAX (PROTO_VALUE_MAX + PROTO_KEY_MAX + 16384)
/* About so much is one part of a snapshot: what may delay a request. */
#define PROTO_SNAPSHOT_PART (64u << 10)

enum proto_op {
	PROTO_GET,
	PROTO_SET,
	PROTO_DEL,
	PROTO_APPEND,   /* the value grows by the request's; a missing key is empty */
	PROTO_INCREASE, /* the value, a decimal number, by the request's; a missing key is 0 */
	PROTO_ADD,      /* the value as an element, to a set; a missing key is the empty set */
	PROTO_REMOVE,   /* the value from a set */
	PROTO_MEMBERS,  /* read: all elements of a set */
	PROTO_VALUES,   /* read: the values that stand side by side, what GET gives first */
	PROTO_RESOLVE,  /* of these, the value given stands there no longer; NIL: it did not */
	PROTO_OP_NR
};

/* A set of operations is a bit for each. Who has APPEND orders writes by what was there. */
#define PROTO_DOES(op) (1u << (op))
#define PROTO_DOES_PLAIN (PROTO_DOES(PROTO_GET) | PROTO_DOES(PROTO_SET) | PROTO_DOES(PROTO_DEL))
#define PROTO_DOES_STRINGS \
	(PROTO_DOES_PLAIN | PROTO_DOES(PROTO_APPEND) | PROTO_DOES(PROTO_INCREASE))

/* Condition of a SET, as Redis has NX and XX and Valkey has IFEQ. */
enum proto_cond { PROTO_ALWAYS, PROTO_NX, PROTO_XX, PROTO_IFEQ, PROTO_COND_NR };

/*
 * How many replicas must have answered. Where a leader orders all (raft), a read at QUORUM and
 * above is confirmed by a majority, one at LEASE by the leader's clock, one at ONE by nobody.
 */
enum proto_level {
	PROTO_DEFAULT,
	PROTO_ONE,
	PROTO_TWO,
	PROTO_THREE,
	PROTO_QUORUM,
	PROTO_ALL,
	PROTO_LEASE,
	PROTO_LEVEL_NR
};

enum proto_status {
	PROTO_OK,          /* done; a GET found @value */
	PROTO_NIL,         /* GET or DEL: there is no such key */
	PROTO_UNMET,       /* the condition did not hold; nothing was changed */
	PROTO_UNAVAILABLE, /* refused: it had no effect and will have none */
	PROTO_UNCERTAIN,   /* may or may not take effect, now or later: outcome unknown */
	PROTO_UNSUPPORTED, /* this protocol has no such operation (CAS in a last-write-wins store)
			    */
	PROTO_UNFIT, /* INCREASE: no number there, or too large; APPEND: too long. No effect */
	PROTO_WRONG, /* the key has another type (a counter, a set, a register). No effect */
	PROTO_STATUS_NR
};

/* Names for reports and RESP; each is tied to its enum by a static assertion in proto.c. */
extern const char *const proto_op_names[PROTO_OP_NR];
extern const char *const proto_level_names[PROTO_LEVEL_NR]; /* "default" "one" ... "lease" */
extern const char *const proto_status_names[PROTO_STATUS_NR];

/* Bytes that belong to somebody else and are valid during the call only. */
struct proto_bytes {
	const uint8_t *p;
	uint32_t len;
};

/* Of a SET: the key's own time stays. */
#define PROTO_EXPIRES_KEEP UINT64_MAX

struct proto_request {
	uint64_t
		ticket; /* names the request in reply(); never 0, unique in this run of a replica */
	enum proto_op op;
	enum proto_cond cond; /* of a SET */
	enum proto_level level;
	struct proto_bytes key;
	struct proto_bytes value;    /* SET, APPEND, INCREASE, ADD, REMOVE, RESOLVE */
	struct proto_bytes expected; /* PROTO_IFEQ */
	uint64_t expires_ns;       /* SET: wall clock at which the key is gone, 0: never; or KEEP */
	bool get;                  /* SET, DEL: the reply has the value that stood there before */
	const struct token *token; /* what the session has seen so far; NULL: it does not say */
};

/**
 * struct proto_reply - what a client is told
 * @value:	of a GET that found something; of a SET or DEL with @get, when @found
 * @found:	SET, DEL with @get: there was a value
 * @expires_ns:	of a GET that found something: wall clock at which it is gone, 0: never
 * @list:	MEMBERS, VALUES: @listed of them; PROTO_NIL, with none, if there is no such key
 * @number:	APPEND: the length now; INCREASE: the value now, or why it is PROTO_UNFIT: 0 what is
 *		there or what is added is no number, 1 the sum would be none; ADD, REMOVE: whether
 *		the replica's set has changed
 * @version:	orders the versions of a key where the protocol has an order, else 0
 * @token:	what the session has seen then, this operation included; NULL: the protocol has none
 * @have:	replicas that answered or can be reached, for refusals
 * @need:	replicas that would have been needed, for refusals; 0: not a matter of counts
 * @why:	static text for refusals, NULL else: "no leader", "deposed", ...
 * @waited_ns:	how long the replica waited before it gave up
 */
struct proto_reply {
	enum proto_status status;
	struct proto_bytes value;
	bool found;
	uint64_t expires_ns;
	int64_t number;
	const struct proto_bytes *list;
	uint32_t listed;
	uint64_t version;
	const struct token *token;
	uint16_t have;
	uint16_t need;
	const char *why;
	uint64_t waited_ns;
};

struct proto_io {
	void (*send)(struct proto_io *io, unsigned to, const void *bytes, size_t len);
	/* Return: the record's sequence number. */
	uint64_t (*persist)(struct proto_io *io, const void *bytes, size_t len);
	void (*reply)(struct proto_io *io, uint64_t ticket, const struct proto_reply *reply);
	void (*arm)(struct proto_io *io, unsigned timer, uint64_t at_ns);
	uint64_t (*now)(struct proto_io *io);    /* monotonic, ns; one value during one call */
	uint64_t (*wall)(struct proto_io *io);   /* this replica's wall clock, ns; may be skewed */
	uint64_t (*random)(struct proto_io *io); /* 64 seeded bits */
};

/* A write is waited for before it is done, and nobody sees it; or after, and others may. */
enum proto_wait { PROTO_WAIT_BEFORE, PROTO_WAIT_AFTER, PROTO_WAIT_NR };
extern const char *const proto_wait_names[PROTO_WAIT_NR]; /* "before" "after" */

/* Of crdt: of writes that have not seen each other the last one wins, or all stay side by side. */
enum proto_register { PROTO_REGISTER_LWW, PROTO_REGISTER_MV, PROTO_REGISTER_NR };
extern const char *const proto_register_names[PROTO_REGISTER_NR]; /* "lww" "mv" */

/**
 * struct proto_config - what a replica is told at its start
 * @self:		index of this replica, 0 .. nodes - 1
 * @nodes:		replicas in all
 * @read_level:		what PROTO_DEFAULT means for a read; never PROTO_DEFAULT itself
 * @write_level:	the same for a write
 * @request_timeout_ns:	a request that has waited so long is given up
 * @election_min_ns:	election timeouts are drawn from election_min_ns .. election_max_ns
 * @heartbeat_ns:	interval of a leader's heartbeats, and of reachability pings
 * @leader:		replica that should lead first (no election delay at a first start), -1: any
 * @leases:		of raft: reads at LEASE are answered by the leader's clock. Voters then keep
 *			what they have promised a leader, also after a restart, which makes
 *elections slower; without, such reads are confirmed by a majority, unless read_level is LEASE
 * @voters:		of raft: replicas 0 .. voters - 1 are the first membership; 0: all nodes
 * @sessions:		of raft: sessions carry a token, with which reads at ONE go forward only
 * @unconfirmed:	of raft: the leader answers reads above ONE without asking a majority
 * @log_keep_kib:	of raft, zab and causal: so much of the log stays in memory when a snapshot
 * has taken its place, for replicas that are behind; 0: 16 MiB
 * @plain_elections:	of raft: as in the paper, without what the dissertation adds in 4.2.3, 6.2
 *			and 9.6
 * @batch_entries:	of raft: most entries in one message or record; 0: 1024
 * @sloppy:		of quorum: a hint at a living replica counts in place of one that is not
 * heard
 * @anti_entropy_ns:	of quorum: how often a replica compares its data with another's, 0: never
 * @hint_ns_max:	of quorum: no more hints for a replica that was not heard for so long, 0: no
 * end
 * @tombstone_ns:	of quorum and causal: a deleted key is forgotten after so long, 0: never
 * @copies:		of quorum: replicas 0 .. copies - 1 have the data, the others coordinate; 0:
 *all
 * @unrepaired:		of quorum: reads bring no replica up to date
 * @datagrams:		of quorum: messages go as datagrams; for the replica, no protocol needs it
 * @acks:		of primary: other replicas that must have a write on disk before it is
 * acknowledged; 0: none
 * @wait:		of primary: what others see of a write meanwhile
 * @fallback_ns:	of primary: no longer waited for them after so long, 0: never
 * @watcher_ns:		of primary: another takes over when it was not heard for so long, 0: never
 * @secondaries:	of zone: so many replicas behind the primary have a copy, the others are
 * caches
 * @notify:		of zone: secondaries are told of changes
 * @refresh_ns:		of zone: how often a secondary asks for the serial
 * @retry_ns:		of zone: ... and again, when it was not answered
 * @expire_ns:		of zone: it answers nothing when it was not answered for so long, 0: for
 * ever
 * @ttl_ns:		of zone: a cache keeps an answer so long
 * @negative_ttl_ns:	of zone: ... that there is no such key
 * @serve_stale_ns:	of zone: ... and so much longer when nobody answers, 0: never
 * @journal_kib:	of zone: changes that the primary keeps for secondaries, 0: 16 MiB
 * @registers:		of crdt: what becomes of writes that have not seen each other
 * @plain:		of crdt: it has registers only
 * @revs:		of multimaster: revisions of a key that are remembered, 0: 1000
 * @length:		of chain: so many members at most; 0: all
 * @reads:		of chain: who answers them
 */
struct proto_config {
	unsigned self;
	unsigned nodes;
	enum proto_level read_level;
	enum proto_level write_level;
	uint64_t request_timeout_ns;
	uint64_t election_min_ns;
	uint64_t election_max_ns;
	uint64_t heartbeat_ns;
	int leader;
	bool leases;
	bool sessions;
	bool unconfirmed;
	bool plain_elections;
	unsigned voters;
	unsigned log_keep_kib;
	unsigned batch_entries;
	bool sloppy;
	uint64_t anti_entropy_ns;
	uint64_t hint_ns_max;
	uint64_t tombstone_ns;
	unsigned copies;
	bool unrepaired;
	bool datagrams;
	unsigned acks;
	unsigned wait; /* enum proto_wait */
	uint64_t fallback_ns;
	uint64_t watcher_ns;
	unsigned secondaries;
	bool notify;
	uint64_t refresh_ns;
	uint64_t retry_ns;
	uint64_t expire_ns;
	uint64_t ttl_ns;
	uint64_t negative_ttl_ns;
	uint64_t serve_stale_ns;
	unsigned journal_kib;
	unsigned registers; /* enum proto_register */
	bool plain;
	unsigned revs;
	unsigned length;
	unsigned reads; /* enum proto_readers */
};

/* Of a chain: which replica answers a read. */
enum proto_readers { PROTO_READS_ANY, PROTO_READS_TAIL, PROTO_READS_HEAD, PROTO_READERS_NR };
extern const char *const proto_readers_names[PROTO_READERS_NR]; /* "any" "tail" "head" */

/* What an operator may ask of a protocol that has it. */
enum proto_admin { PROTO_ADMIN_TRANSFER, PROTO_ADMIN_ADD, PROTO_ADMIN_REMOVE, PROTO_ADMIN_NR };
extern const char *const proto_admin_names[PROTO_ADMIN_NR]; /* "transfer" "add" "remove" */

enum proto_role { PROTO_PEER, PROTO_FOLLOWER, PROTO_CANDIDATE, PROTO_LEADER, PROTO_ROLE_NR };
extern const char *const proto_role_names[PROTO_ROLE_NR];

/* What INFO, the supervisor and the simulator may know. Zero where it has no meaning. */
struct proto_status_view {
	enum proto_role role;
	int leader; /* as this replica believes, -1 unknown */
	uint64_t term;
	uint64_t log_first;     /* index of the first entry that is still there, if any is */
	uint64_t log_last;      /* index of the last entry of the replicated log */
	uint64_t committed;     /* index */
	uint64_t applied;       /* index that the data are as of, 0 while they are as of none */
	uint64_t hints;         /* writes kept for other replicas */
	uint64_t hints_refused; /* writes that a limit forbade to keep */
	uint64_t compared;      /* comparisons of data with another replica that came to an end */
	uint64_t fetched;       /* entries that they brought */
	uint64_t pending;       /* requests without a reply yet */
	const uint64_t
		*voters; /* a bit for each replica that votes, until the next call; or NULL */
	unsigned vote;   /* replica that it voted for in this term + 1, 0: nobody */
	bool ready;      /* can serve writes at its default level, as far as it knows */
};

/* What a message says of a vote, for the simulator's invariants. */
struct proto_vote_view {
	uint64_t term;
	unsigned whom;
};

/* One entry of a replicated log, for the simulator's invariants. */
struct proto_entry_view {
	uint64_t term;
	struct proto_bytes command; /* valid until the next call */
};

/*
 * A claim: what a protocol promises with these settings. The checkers test exactly this, and the
 * theory column of every table comes from it.
 */
enum proto_model {
	PROTO_LINEARIZABLE,
	PROTO_SEQUENTIAL,
	PROTO_CAUSAL_CONVERGENT, /* causal, and all agree on one order of the writes */
	PROTO_CAUSAL,
	PROTO_EVENTUAL,
	PROTO_MODEL_NR
};
extern const char *const proto_model_names[PROTO_MODEL_NR]; /* as the checkers call them */

/* Which sides of a cut go on; NONE: only a replica set without any cut answers (level ALL). */
enum proto_sides {
	PROTO_SIDES_MAJORITY,
	PROTO_SIDES_ALL,
	PROTO_SIDES_LEADER,
	PROTO_SIDES_NONE,
	PROTO_SIDES_NR
};
extern const char *const proto_sides_names[PROTO_SIDES_NR];

struct proto_claim {
	enum proto_model whole;      /* while every link works */
	enum proto_model cut;        /* while links are cut */
	enum proto_sides reads_cut;  /* which sides of a cut answer reads */
	enum proto_sides writes_cut; /* ... and writes */
	uint32_t does;               /* PROTO_DOES() of each operation it has */
	bool cas;                    /* compare-and-set is supported */
	bool loses_acked;            /* an acknowledged write may be lost, by design ... */
	uint32_t merges;             /* ... but none by these operations: they commute */
	bool needs_clocks;           /* the models hold while clocks run at about one rate */
	bool needs_wall;             /* all this while wall clocks agree */
	bool sessions;               /* it needs the token where a session changes replicas */
	bool contexts;               /* a write replaces what its session's token has seen */
	bool unforced;               /* all this while no operator has another lead by force */
	bool one_copy;               /* one replica has the data: there is nothing to converge */
	bool by_reads; /* who missed a write gets it by a read at ALL: nothing else converges */
	/* Tables need not be alike (caches); all read the same when nothing was written and no link
	 * was cut for so long. 0: tables become alike. */
	uint64_t alike_ns;
	unsigned copies;       /* tables of so many from cfg.leader on become alike; 0: of all */
	uint64_t reads_cut_ns; /* reads_cut ALL ends so long after the cut, then LEADER; 0: never */
	/* No read sees what was replaced longer before it, but for the time that messages take,
	 * while every link works; and at any time. 0: no bound. */
	uint64_t stale_ns;
	uint64_t stale_cut_ns;
};

/**
 * struct proto_floor_query - lowest latency that the link matrix allows for one operation
 * @cfg:	settings; self is ignored
 * @rtt_ns:	nodes x nodes, row-major: round-trip time between replicas
 * @contact:	replica that the client talks to
 * @client_ns:	round-trip time between the client and @contact
 * @leader:	who leads, -1 if nobody is known
 * @level:	PROTO_DEFAULT takes the one of @cfg
 */
struct proto_floor_query {
	const struct proto_config *cfg;
	const uint64_t *rtt_ns;
	unsigned contact;
	uint64_t client_ns;
	int leader;
	bool write;
	enum proto_level level;
};

struct proto {
	const struct proto_ops *ops;
	struct proto_io *io;
	struct table *table; /* where the replica's data stand; written by the protocol only */
	struct proto_config cfg;
	uint32_t does; /* as claimed with @cfg */
};

/**
 * struct proto_snapshot - one walk of snapshot() over what restore() would need
 * @record:	takes one record, as persist() does, for the snapshot
 * @arg:	of @record
 * @stage, @cursor, @index: the protocol's own; 0 before the first call
 */
struct proto_snapshot {
	void (*record)(void *arg, const void *bytes, size_t len);
	void *arg;
	unsigned stage;
	uint64_t cursor;
	uint64_t index[2];
};

/**
 * struct proto_ops - one replication protocol
 * @size:	of its state, which begins with a struct proto; allocated zeroed by the runner
 * @claim:	what it promises with @cfg
 * @floor_ns:	lowest latency the matrix allows
 * @init:	set up empty state; ->ops, ->io, ->table, ->cfg are filled in
 * @restore:	one durable record. Return: 0, or -EBADMSG if it is not one of its own
 * @start:	begin to act: arm timers, send
 * @message:	Return: 0, or -EBADMSG for bytes that no replica of this protocol sends; then
 *		nothing has been changed
 * @admin:	do @what to or for replica @node; answered as a request is. NULL: there is nothing
 * @snapshot:	give the next part, about PROTO_SNAPSHOT_PART (rule 7). Return: whether there is
 *		more; a part may be empty, to wait for persisted(). NULL: the log is never cut
 * @snapshot_done:	it counts; may be NULL
 * @hints:	of the writes kept for others, how many are for replica @node; NULL: none ever are
 * @invariant:	assert what must always hold inside one replica; called after each step in tests
 * @describe:	append what a record says, in one line for people. Return: 0, or -EBADMSG if it is
 *		not one of its own; may be NULL
 * @entry:	an entry of the replicated log. Return: 0, or -ENOENT; NULL without a log
 * @forks:	logs may part and be reconciled: no entry is there for ever
 * @info:	append what INFO tells beside status(), "name:value" and CR LF; may be NULL
 * @digest:	of all beside the table that is alike when replicas have converged; NULL: nothing
 * @memory:	bytes of clients' data beside the table; NULL: none
 * @kept:	whether @value, which was acknowledged, is there or was replaced by a write that had
 *		seen it; NULL: that is not known
 * @blurred:	lower bits of a table entry's version that have no order, but differ where data do
 * @vote:	whether a message from @from to @to tells a vote; NULL: nobody votes
 */
struct proto_ops {
	const char *name;
	size_t size;
	void (*claim)(const struct proto_config *cfg, struct proto_claim *ret);
	uint64_t (*floor_ns)(const struct proto_floor_query *q);
	void (*init)(struct proto *p);
	int (*restore)(struct proto *p, const void *bytes, size_t len);
	int (*describe)(const void *bytes, size_t len, struct buf *out);
	void (*start)(struct proto *p);
	void (*request)(struct proto *p, const struct proto_request *req);
	int (*message)(struct proto *p, unsigned from, const void *bytes, size_t len);
	void (*persisted)(struct proto *p, uint64_t seq);
	void (*timer)(struct proto *p, unsigned timer);
	void (*admin)(struct proto *p, uint64_t ticket, enum proto_admin what, unsigned node);
	bool (*snapshot)(struct proto *p, struct proto_snapshot *s);
	void (*snapshot_done)(struct proto *p, const struct proto_snapshot *s);
	void (*status)(const struct proto *p, struct proto_status_view *ret);
	uint64_t (*hints)(const struct proto *p, unsigned node);
	void (*invariant)(const struct proto *p);
	int (*entry)(const struct proto *p, uint64_t index, struct proto_entry_view *ret);
	bool forks;
	void (*info)(const struct proto *p, struct buf *out);
	uint64_t (*digest)(const struct proto *p);
	size_t (*memory)(const struct proto *p);
	bool (*kept)(const struct proto *p, struct proto_bytes key, struct proto_bytes value);
	unsigned blurred;
	bool (*vote)(unsigned from, unsigned to, const void *bytes, size_t len,
		struct proto_vote_view *ret);
	void (*fini)(struct proto *p);
};

extern const struct proto_ops single_ops;
extern const struct proto_ops quorum_ops;
extern const struct proto_ops raft_ops;
extern const struct proto_ops zab_ops;
extern const struct proto_ops primary_ops;
extern const struct proto_ops causal_ops;
extern const struct proto_ops abd_ops;
extern const struct proto_ops chain_ops;
extern const struct proto_ops zone_ops;
extern const struct proto_ops crdt_ops;
extern const struct proto_ops multimaster_ops;

/* proto_find() - by name, NULL if there is none. */
const struct proto_ops *proto_find(const char *name);

/* proto_list() - number @i, NULL after the last. */
const struct proto_ops *proto_list(unsigned i);

/* proto_open() - allocate and init(). Return: never NULL. proto_close() takes NULL, too. */
struct proto *proto_open(const struct proto_ops *ops, const struct proto_config *cfg,
	struct proto_io *io, struct table *table);
void proto_close(struct proto *p);

/* proto_request() - give it a request; one that it does not claim to do is PROTO_UNSUPPORTED. */
void proto_request(struct proto *p, const struct proto_request *req);

/* proto_memory() - bytes that clients' data take, in the table and beside it. */
size_t proto_memory(const struct proto *p);

/* proto_reads() - whether @op changes nothing. */
bool proto_reads(enum proto_op op);

/* proto_loses() - whether what was acknowledged of @op may be lost. */
bool proto_loses(const struct proto_claim *claim, enum proto_op op);

/* proto_has_copy() - whether the table of @node becomes like those of others that have one. */
bool proto_has_copy(const struct proto_config *cfg, const struct proto_claim *claim, unsigned node);

/* proto_kth_rtt() - round trip after which @k replicas incl. @from itself have answered @from. */
uint64_t proto_kth_rtt(const struct proto_floor_query *q, unsigned from, unsigned k);

#endif
