/* SPDX-License-Identifier: MIT */
/*
 * plan.h - a lab as data: what the script said, expanded and checked, before anything is built
 *
 * The plan is the one thing that script, supervisor, load and report share. Nodes stand in it as
 * replicas first (so a replica's index is its node index), then one client node for each site.
 */
#ifndef LAB_PLAN_H
#define LAB_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/err.h"
#include "netns/fabric.h"
#include "store/systems.h"
#include "store/wal.h"

#define PLAN_NAME_MAX 32
#define PLAN_PATH_MAX 256
#define PLAN_SITES_MAX 32
#define PLAN_REPLICAS_MAX \
	128 /* with their clients they fill a fabric; a simulation may have more */
#define PLAN_PHASES_MAX 64
#define PLAN_EVENTS_MAX 1024
#define PLAN_SIDES_MAX 8
#define PLAN_SIDE_NAME_MAX 96
#define PLAN_WHAT_MAX 512
#define PLAN_CLIENTS_PER_SITE_MAX 256
#define PLAN_KEYS_MAX 100000
#define PLAN_VERDICT_MAX 8
#define PLAN_STOCK_MAX 1000000 /* of one item */
#define PLAN_EXPECT_MODELS_MAX 8
#define PLAN_STORES_MAX 32  /* that a lab names */
#define PLAN_PROFILES_MAX 8 /* that a command line names */
#define PLAN_REGION_MAX 48
#define PLAN_SUITED_MAX 256

enum plan_role { PLAN_REPLICA, PLAN_CLIENT };

struct plan_node {
	char name[FABRIC_NAME_MAX];
	enum plan_role role;
	uint16_t site;
	uint32_t addr_be;
};

struct plan_site {
	char name[PLAN_NAME_MAX];
	uint16_t client;              /* node index of its client node */
	char region[PLAN_REGION_MAX]; /* of the file of round trips; "": there is none */
	/* What the script says of its clients by clients(); else they do as all others. */
	bool own;
	double share; /* of the lab's rate, 0 to 1 */
	unsigned read;
	unsigned write;
	enum proto_level level; /* of each operation; PROTO_DEFAULT: the store's */
};

/* What is done to a process during a phase. */
enum plan_event_kind {
	PLAN_KILL,
	PLAN_RESTART,
	PLAN_PAUSE,
	PLAN_RESUME,
	PLAN_SKEW,
	PLAN_PROMOTE,
	PLAN_EVENT_KIND_NR
};
extern const char *const plan_event_names[PLAN_EVENT_KIND_NR];

struct plan_event {
	enum plan_event_kind kind;
	uint16_t node;
	uint64_t at_ns;  /* after the phase's beginning, before its end */
	int64_t skew_ns; /* PLAN_SKEW: the wall clock is so much ahead from then on */
};

/* A group of nodes that can reach each other; one side of all nodes when nothing is cut. */
struct plan_side {
	char name[PLAN_SIDE_NAME_MAX]; /* "east+west", "far"; "all" when there is one side */
	uint16_t replicas;
	uint16_t clients; /* client nodes */
};

struct plan_phase {
	char name[PLAN_NAME_MAX];
	int line;                 /* of the script; 0: a phase of the fit */
	const char *say;          /* what is told when it begins, of the script; or NULL */
	char what[PLAN_WHAT_MAX]; /* faults in words: "east+west | far", "" if none */
	uint64_t duration_ns;
	struct link_matrix matrix; /* in force during the phase */
	bool cut;                  /* at least one link is cut, or one node down */
	bool leader_aware;         /* its matrix is that of who leads when it begins; until then
				    * of a replica that may: see plan_resolve() */
	uint64_t fit_rtt_ns;       /* > 0: phase of the fit, all sites this far apart */
	const char *profile;       /* all links between sites are such; NULL: not under one */
	bool warmup;               /* what is done in it is checked, but is in no figure */
	struct plan_side side[PLAN_SIDES_MAX];
	unsigned sides;
	uint8_t side_of[FABRIC_NODES_MAX]; /* by node index */
	struct plan_event event[PLAN_EVENTS_MAX];
	unsigned events; /* sorted by time */
};

/* What the clients work on; see enum history_kind. */
enum plan_workload {
	PLAN_REGISTER,
	PLAN_LIST,
	PLAN_SET,
	PLAN_COUNTER,
	PLAN_BANK, /* keys are its accounts */
	PLAN_TRANSACTIONS,
	PLAN_LOCK,
	PLAN_INVENTORY,
	PLAN_PURSE, /* a bank whose accounts stand in one value */
	PLAN_WORKLOAD_NR
};
extern const char *const plan_workload_names[PLAN_WORKLOAD_NR];
/* The model that a workload is about; NULL: none of its own. */
extern const char *const plan_workload_models[PLAN_WORKLOAD_NR];

/* Accounts of a bank are read one after the other, all in one operation. */
#define PLAN_ACCOUNTS_MAX 16
/* Accounts that fit one value. */
#define PLAN_PURSE_MAX 4

/* Open-loop load. Shares are per cent and add up to 100. */
struct plan_load {
	enum plan_workload workload;
	unsigned clients_per_site;
	double rate; /* operations per second, all clients together */
	unsigned keys;
	unsigned read;
	unsigned write;
	unsigned cas;
	unsigned stock;  /* PLAN_INVENTORY: of each item at first */
	bool one_writer; /* each key is written by one client only, who writes its keys by turns */
	unsigned roam;   /* per cent of operations before which a session goes to another replica */
	uint64_t deadline_ns;
};

/* A model that the run must keep, or break. */
struct plan_expect_model {
	char name[PLAN_NAME_MAX];
	bool broken;
};

/* Requests of which clients: of the side with a majority of the replicas, or of the others. */
enum plan_expect_share {
	PLAN_MAJORITY,
	PLAN_MAJORITY_READS,
	PLAN_MAJORITY_WRITES,
	PLAN_MINORITY,
	PLAN_MINORITY_READS,
	PLAN_MINORITY_WRITES,
	PLAN_EXPECT_SHARE_NR
};
extern const char *const plan_expect_share_names[PLAN_EXPECT_SHARE_NR];

/* From the first to the last, both included. */
struct plan_range {
	bool said;
	double low;
	double high; /* INFINITY: no end */
};

/**
 * struct plan_expect - what the run must show
 * @verdict:	"PC/EC", "" if not given
 * @lost:	acknowledged writes
 * @stale:	reads
 * @available:	per cent answered while the network was first cut
 * @converged:	{0, 0} not, {1, 1} yes
 */
struct plan_expect {
	struct plan_expect_model model[PLAN_EXPECT_MODELS_MAX];
	unsigned models;
	char verdict[PLAN_VERDICT_MAX];
	struct plan_range lost;
	struct plan_range stale;
	struct plan_range available[PLAN_EXPECT_SHARE_NR];
	struct plan_range converged;
};

/* plan_expects() - whether anything is expected. */
bool plan_expects(const struct plan_expect *e);

struct script;
struct real;
struct driver_ops;

struct plan {
	char name[PLAN_NAME_MAX];
	char path[PLAN_PATH_MAX]; /* of the script */
	uint64_t seed;
	const struct system *system;
	struct real *real; /* owned; a real database for these nodes; NULL: a store of ours */
	struct system row; /* of @real as its knobs have it: what @system then points to */
	const struct driver_ops *driver; /* of @real */
	char suited[PLAN_SUITED_MAX];    /* to @real: what is other than the script says; or "" */
	struct proto_config proto;       /* self is set per replica */
	enum wal_sync fsync;             /* WAL_SYNC_ALWAYS: acknowledged means on disk */
	bool simulated_only;             /* more than one machine can run, says the script */
	bool foreign_store;              /* --store named another one than the script */
	bool all_models;    /* judge the history by every model, not only by what is claimed */
	unsigned cas_moved; /* share of CAS that became writes: the store has no CAS */
	enum emulator_kind emulator;
	struct plan_site site[PLAN_SITES_MAX];
	unsigned sites;
	struct plan_node node[FABRIC_NODES_MAX];
	unsigned nodes;
	unsigned replicas;
	struct link_matrix base;  /* without faults */
	struct plan_phase *phase; /* owned; PLAN_PHASES_MAX of them */
	unsigned phases;
	struct plan_load load;
	struct plan_expect expect;                   /* of this store */
	const struct system *store[PLAN_STORES_MAX]; /* that the lab is meant for, one by one */
	unsigned stores;
	const char *closing;   /* what is told behind the results, of the script; or NULL */
	struct script *script; /* owned; for plan_resolve() */
	double time_scale;
};

/* What the command line says instead of the script; NULL or 0 where it says nothing. */
struct plan_options {
	const char *store;
	const char *set;    /* settings of the protocol, see settings_read() */
	const char *leader; /* node name, or site name: its first replica */
	const char *seed;
	const char *emulator;
	const char *rate;
	const char *time_scale; /* "0.5": every phase takes half as long */
	const char *warmup;     /* "1s" before all phases; "0": none */
	const char *profiles;   /* "lan,wan": after the fit a phase under each */
	const char *matrix;     /* file: sites are as far apart as regions in it */
	const char *param;      /* what param() gives in the script: "name=value name=value" */
};

/**
 * plan_load() - run a lab script and check what it says
 * @lab:	path of a .lua file, or the name of a lab in scripts/labs or the installed folder
 *
 * Return: 0, or a negative errno with file, line, field and cure in @err (EXIT_USAGE).
 */
int plan_load(
	struct plan **ret, const char *lab, const struct plan_options *options, struct err *err);
void plan_free(struct plan *plan);

/* plan_folder() - the folder of the labs that have names. Return: false if there is none. */
bool plan_folder(char *ret, size_t size);

/* plan_print() - the whole plan for people: `run --plan`, and plan.txt beside the results. */
void plan_print(const struct plan *plan, FILE *out);

/* plan_node_find() - node index by name, -1 if there is none. plan_site_find() likewise. */
int plan_node_find(const struct plan *plan, const char *name);
int plan_site_find(const struct plan *plan, const char *name);

/* plan_site_share() - of the lab's rate, what the clients of @site ask for together. */
double plan_site_share(const struct plan *plan, unsigned site);

/* plan_site_writes() - whether clients of @site write. */
bool plan_site_writes(const struct plan *plan, unsigned site);

/* plan_contact() - replica that client number @client of site @site talks to. */
unsigned plan_contact(const struct plan *plan, unsigned site, unsigned client);

/**
 * plan_resolve() - replica @leader leads as leader-aware phase @phase begins: its matrix, words and
 * sides become those that the script means
 */
int plan_resolve(struct plan *plan, unsigned phase, unsigned leader, struct err *err);

/* plan_refuse_real() - Return: 0, or -EOPNOTSUPP with EXIT_USAGE if the lab says simulated(). */
int plan_refuse_real(const struct plan *plan, struct err *err);

/* plan_closed() - does nothing pass from @from to @to? It is cut, or one of them is down. */
static inline bool plan_closed(const struct link_matrix *m, unsigned from, unsigned to)
{
	return link_matrix_at(m, from, to)->cut || m->down[from] || m->down[to];
}

/* plan_alike_ns() - how long nothing may be written until all replicas surely read the same. */
uint64_t plan_alike_ns(const struct plan *plan);

/* plan_rtt_ns() - round trip between two nodes under @matrix; the median where delays vary. */
uint64_t plan_rtt_ns(const struct link_matrix *matrix, unsigned a, unsigned b);

#endif
