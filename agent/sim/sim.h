/* SPDX-License-Identifier: MIT */
/*
 * sim.h - replicas in virtual time: the protocol objects of the store on a simulated network
 *
 * One thread, one event at a time, all chance from one seed: the same configuration gives the same
 * run on every machine. The network delays, reorders, loses and duplicates messages and can be cut
 * link by link, in one direction or both. Disks take time, stall and fill up; a crash loses what
 * had not been reported as persisted, or only the end of it. Snapshots are taken in parts and cut
 * the log. Clocks may be skewed and run at wrong rates; a paused replica gets nothing, then all at
 * once. After every event the invariants of the replica that it touched are checked (sim_check.c).
 *
 * What becomes of a message is drawn from the seed, its link and its number on that link: a run in
 * which something else is left out draws the same for the others (sim_shrink.c).
 *
 * sim.c is the world, sim_queue.c what is still to come in it, sim_disk.c its disks, sim_data.c
 * what its tables were; sim_load.c adds clients, sim_faults.c faults.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/prng.h"
#include "agent/sim/sim_queue.h"
#include "store/proto.h"
#include "store/table.h"

#define SIM_START_NS NS_PER_S                  /* virtual time begins here: 0 is never a time */
#define SIM_WALL_NS (1700000000ull * NS_PER_S) /* wall clock at time 0 */
#define SIM_PPM 1000000u
#define SIM_VIOLATION_MAX 512

/* How delays are spread: all reorder messages if the spread is more than the gap between them. */
enum sim_spread {
	SIM_UNIFORM, /* up to jitter_ns more */
	SIM_NORMAL,  /* jitter_ns is a standard deviation, cut at four of them */
	SIM_PARETO,  /* a heavy tail: the mean is jitter_ns, the longest 100 times that */
	SIM_SPIKES,  /* one message in 64 takes ten times as long */
	SIM_SPREAD_NR
};

struct sim_link {
	uint64_t delay_ns;  /* one way */
	uint64_t jitter_ns; /* see sim_spread */
	uint64_t newest_ns; /* latest delivery of a message so far, to see reordering */
	uint32_t count;     /* messages sent so far */
	uint16_t cuts;      /* faults under way that cut it ... */
	uint16_t lossy;     /* ... lose SIM_LOSSY_PPM ... */
	uint16_t slow;      /* ... add SIM_SLOW_NS each */
	bool cut;           /* by hand, sim_cut() */
};

#define SIM_LOSSY_PPM 300000u
#define SIM_SLOW_NS (100 * NS_PER_MS)
#define SIM_SLOW_DISK 10u
#define SIM_STALL_NS NS_PER_S /* a slow disk takes so long for each write */

/* What the world did to the replicas; a simulator that does nothing proves nothing. */
enum sim_count {
	SIM_LOST,
	SIM_CUT,
	SIM_DUPLICATED,
	SIM_REORDERED,
	SIM_CRASHES,
	SIM_RECORDS_LOST,
	SIM_TORN,
	SIM_RESTARTS,
	SIM_PAUSES,
	SIM_STALLS,
	SIM_DISK_FULL,
	SIM_SNAPSHOTS,
	SIM_SNAPSHOTS_LOST,
	SIM_RESTORED,
	SIM_COMPARED,
	SIM_TABLES,
	SIM_HANDED,
	SIM_MEMBERS,
	SIM_AT_ONCE,
	SIM_ADDED,
	SIM_TAKEN,
	SIM_INCREASED,
	SIM_BESIDE,
	SIM_UNDECIDED,
	SIM_COUNT_NR
};
extern const char *const sim_count_names[SIM_COUNT_NR];

struct sim;

/* What the world is like; probabilities in parts per million. */
struct sim_config {
	const struct proto_ops *ops;
	struct proto_config proto; /* self is ignored */
	uint64_t seed;
	uint64_t delay_ns; /* of all links, before sim_link() changes some */
	uint64_t jitter_ns;
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint64_t duplicate_ns; /* a second copy comes up to so much later */
	uint64_t persist_ns_min;
	uint64_t persist_ns_max;
	unsigned slow_disk; /* replica + 1 whose disk takes SIM_SLOW_DISK times as long, 0: none */
	uint64_t grain_ns;  /* wall clocks are seen in steps of so much, 0: to the ns */
	enum sim_spread spread;
	uint64_t snapshot_ns; /* mean pause between snapshots of a replica, 0: none */
	bool archive;         /* keep all records, to compare with what a snapshot restores */
	uint32_t torn_ppm;    /* crashes whose log goes through the real log's recovery */
	FILE *trace;          /* NULL: none */
	void *ctx;            /* struct sim has it from the beginning */
	/* A network of somebody else's in place of ->link: when what is sent now arrives, 0: never;
	 * then, whether it does. NULL: by ->link. */
	uint64_t (*route)(struct sim *sim, unsigned from, unsigned to, size_t len);
	bool (*arrives)(struct sim *sim, unsigned from, unsigned to);
};

struct sim_log_check;
struct sim_data;
struct sim_votes;

struct sim_record {
	uint8_t *bytes; /* owned; NULL: forgotten, a snapshot has its place */
	size_t len;
};

/* Records of a snapshot that counts or is being taken. */
struct sim_snapshot {
	struct sim_record *record;
	size_t count;
	size_t cap;
	size_t from; /* the log's records up to this one are in it */
	size_t last; /* records numbered before its last part */
};

/* One begins, gives its parts, waits for the disk, counts. */
enum sim_snapping { SIM_SNAP_IDLE, SIM_SNAP_PARTS, SIM_SNAP_DISK, SIM_SNAP_WAIT };

/*
 * A timer that is armed anew before it fires, as most are, has one event in the queue all the same:
 * when that comes too early, it is put back to where arming would have put another one.
 */
struct sim_timer {
	uint64_t at_ns; /* when it fires, in the world's time; 0: disarmed */
	uint64_t order;
	uint64_t queued_ns; /* its event that counts; 0: there is none */
};

struct sim_node {
	struct proto_io io; /* first: the protocol's view */
	struct sim *sim;
	unsigned id;
	bool alive;
	uint64_t life; /* counts starts; events of an earlier life are void */
	struct proto *proto;
	struct table *table;
	struct sim_data *data; /* what is known of the table, also while it is down */
	struct prng prng;      /* what the protocol draws */
	struct prng chance;    /* of its disk */
	int64_t skew_ns;
	int32_t drift_ppm; /* the monotonic clock runs faster by so much */
	struct sim_timer timer[PROTO_TIMERS_MAX];
	struct sim_record *record; /* the log; [0] is record 1 */
	size_t records;
	size_t records_cap;
	size_t records_writing; /* part of the log that the disk is busy with */
	size_t records_durable; /* part that was reported as persisted */
	bool writing;
	unsigned stalled; /* faults under way: the disk is slow ... */
	unsigned full;    /* ... or full, the process ... */
	unsigned paused;  /* ... gets nothing */
	uint64_t resumed_ns;
	struct sim_event *held; /* what came while it was paused */
	size_t held_count;
	size_t held_cap;
	enum sim_snapping snapping;
	struct proto_snapshot walk;
	struct sim_snapshot taking;
	struct sim_snapshot snapshot; /* that counts */
};

struct sim {
	struct sim_config config;
	uint64_t now_ns;
	uint64_t steps;
	uint64_t messages; /* delivered */
	uint64_t replies;
	uint64_t count[SIM_COUNT_NR];
	struct prng prng;
	struct sim_node *node;
	struct sim_link *link; /* [from * nodes + to] */
	struct sim_queue queue;
	struct sim_log_check *check;
	struct sim_votes *votes;
	bool members_changed; /* an operator asked for it, once */
	bool forged;          /* sim_message() was used: what replicas say may not be theirs */
	char violation[SIM_VIOLATION_MAX]; /* "" while all is well; then the run stops */
	/* For who drives the world: replies, and events of its own (sim_call()). */
	void *ctx;
	void (*on_reply)(
		struct sim *sim, unsigned node, uint64_t ticket, const struct proto_reply *reply);
	void (*on_call)(struct sim *sim, unsigned who, unsigned what);
	void (*on_leads)(struct sim *sim, unsigned node); /* it was elected; may be NULL */
	/* Sees every message that is sent, also those that are lost then. May be NULL. */
	void (*on_send)(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len);
};

/* sim_open() - all replicas started for the first time, none of them has run yet. */
struct sim *sim_open(const struct sim_config *config);
void sim_close(struct sim *sim);

/* sim_step() - run the next event. Return: false if a violation was found or nothing is left. */
bool sim_step(struct sim *sim);

/* sim_run() - run all events up to time @until_ns, which it is then. Return: as sim_step(). */
bool sim_run(struct sim *sim, uint64_t until_ns);

/* sim_call() - have on_call(@who, @what) called at @at_ns. */
void sim_call(struct sim *sim, uint64_t at_ns, unsigned who, unsigned what);

/* sim_request() - give a request to a living replica. */
void sim_request(struct sim *sim, unsigned node, const struct proto_request *req);

/* sim_message() - give bytes to a replica, as if they came from @from. Return: its answer. */
int sim_message(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len);

struct sim_link *sim_link(struct sim *sim, unsigned from, unsigned to);

/* sim_cut() - cut both directions of all links between members of @side (a flag per replica) and
 * the others. sim_heal() - no link is cut. */
void sim_cut(struct sim *sim, const bool *side);
void sim_heal(struct sim *sim);

/* sim_pause() - from now on it gets nothing. sim_resume() - all of it at once. As often. */
void sim_pause(struct sim *sim, unsigned node);
void sim_resume(struct sim *sim, unsigned node);

/* sim_admin() - an operator's request; the protocol has ->admin. */
void sim_admin(struct sim *sim, unsigned at, uint64_t ticket, enum proto_admin what, unsigned node);

/* sim_crash() - what was not persisted may be lost. sim_restart() - from the log. */
void sim_crash(struct sim *sim, unsigned node);
void sim_restart(struct sim *sim, unsigned node);

/* sim_fail() - a violation; the first one counts. */
void sim_fail(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline void sim_status(const struct sim *sim, unsigned node, struct proto_status_view *ret)
{
	sim->config.ops->status(sim->node[node].proto, ret);
}

/* sim_leader() - living replica that leads in the highest term, -1 if none does. */
int sim_leader(const struct sim *sim);

/* sim_converged() - whether all tables are alike; if not, and @why is given, it says where. */
bool sim_converged(const struct sim *sim, char *why, size_t size);

/* sim_local_ns() - what the monotonic clock of a replica shows. */
uint64_t sim_local_ns(const struct sim_node *n);

/* sim.c for sim_disk.c: */
void sim_schedule(struct sim *sim, const struct sim_event *event);
void sim_checked(struct sim *sim, unsigned node, bool table_may_differ);

/* sim_disk.c: what a replica has on disk. */
uint64_t sim_disk_persist(struct sim_node *n, const void *bytes, size_t len);
void sim_disk_write(struct sim_node *n); /* if there is something to write and room */
void sim_disk_done(struct sim_node *n);
void sim_disk_snap(struct sim_node *n); /* the next step of a snapshot */
void sim_disk_crash(struct sim_node *n);
void sim_disk_boot(struct sim_node *n); /* restore() all that is there */
void sim_disk_fini(struct sim_node *n);

/* sim_check.c: after each event, on the replica that it touched. */
struct sim_log_check *sim_check_open(unsigned nodes);
void sim_check_close(struct sim_log_check *check);
void sim_check_step(struct sim *sim, unsigned node, bool table_may_differ);
void sim_check_restarted(struct sim *sim, unsigned node);

/* sim_check_restored() - @full was restored from all records, the replica from its snapshot. */
void sim_check_restored(struct sim *sim, unsigned node, struct proto *full, struct table *table);

/* sim_data.c: of one replica's table. sim_data_boot() - it has a new one. */
struct sim_data *sim_data_open(struct sim *sim, unsigned node);
void sim_data_close(struct sim_data *d);
void sim_data_boot(struct sim_data *d);

/* sim_data_versions() - all that is due has been looked at: no version of a key went back. */
void sim_data_versions(struct sim_data *d);

/* sim_data_digest() - of all living entries; never 0. */
uint64_t sim_data_digest(struct sim_data *d);

/* sim_check_acknowledged() - a write was answered with OK; judged when the step is over. */
void sim_check_acknowledged(struct sim *sim, const struct proto_reply *reply);

/* sim_votes.c: a message was sent, a replica has restarted, leads. */
struct sim_votes *sim_votes_open(unsigned nodes);
void sim_votes_close(struct sim_votes *votes);
void sim_votes_sent(struct sim *sim, unsigned from, unsigned to, const void *bytes, size_t len);
void sim_votes_restarted(struct sim *sim, unsigned node);
void sim_votes_leads(struct sim *sim, unsigned node, const struct proto_status_view *view);

#endif
