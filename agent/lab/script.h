/* SPDX-License-Identifier: MIT */
/*
 * script.h - a lab script as it was written: its statements with their lines, not yet a plan
 *
 * Whatever one statement can get wrong by itself (types, units, unknown fields) is found here; what
 * statements must agree on (names, partitions, sums) is found when the plan is expanded from it.
 */
#ifndef LAB_SCRIPT_H
#define LAB_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/lab/plan.h"
#include "netns/link_words.h"

#define SCRIPT_BYTES_MAX (1u << 20)
#define SCRIPT_MEMORY_MAX (32u << 20)    /* of the Lua state */
#define SCRIPT_INSTRUCTIONS_MAX 20000000 /* about 0.2 s: more is an endless loop */
#define SCRIPT_TEXT_MAX 64               /* of any name, with its NUL */
#define SCRIPT_EXPECTS_MAX 32            /* expect() statements */
#define SCRIPT_SAY_MAX 2048              /* bytes said about one phase */
#define SCRIPT_RULES_MAX 4096            /* rtt(), delay(), jitter() and profile() statements */
#define SCRIPT_WORDS_MAX 320             /* names in one fault: all nodes and sites */
#define SCRIPT_FAULTS_MAX 2048           /* in the whole script */
#define SCRIPT_PARAMS_MAX 16
#define SCRIPT_RTTS_MAX 16                    /* points of a fit */
#define SCRIPT_DURATION_NS_MIN 1000000ull     /* shortest phase: a millisecond */
#define SCRIPT_DEADLINE_NS_MAX 60000000000ull /* longest deadline of an operation */
#define SCRIPT_RATE_MAX 1e6                   /* operations per second of a lab */

struct script_text {
	char text[SCRIPT_TEXT_MAX];
	int line; /* of the statement; 0: there was none */
};

struct script_site {
	struct script_text name;
	int region;     /* regions.h; -1: not said */
	unsigned first; /* of script.node */
	unsigned nodes;
};

enum script_rule_kind {
	SCRIPT_RTT,
	SCRIPT_DELAY,
	SCRIPT_JITTER,
	SCRIPT_PROFILE,
	SCRIPT_RULE_KIND_NR
};
extern const char *const script_rule_names[SCRIPT_RULE_KIND_NR];

/* What two sites or nodes are apart; a and b name one each, or are "" for all links. */
struct script_rule {
	enum script_rule_kind kind;
	int line;
	char a[SCRIPT_TEXT_MAX];
	char b[SCRIPT_TEXT_MAX];
	uint64_t ns;
	char profile[SCRIPT_TEXT_MAX];
};

enum script_fault_kind {
	SCRIPT_CUT,
	SCRIPT_ONE_WAY,
	SCRIPT_ISOLATE,
	SCRIPT_BRIDGE,
	SCRIPT_RING,
	SCRIPT_LINK,
	SCRIPT_DOWN,
	SCRIPT_KILL, /* from here on: things done to a process, in the order of plan_event_kind */
	SCRIPT_RESTART,
	SCRIPT_PAUSE,
	SCRIPT_RESUME,
	SCRIPT_SKEW,
	SCRIPT_PROMOTE,
	SCRIPT_FAULT_KIND_NR
};
extern const char *const script_fault_names[SCRIPT_FAULT_KIND_NR];

/* Stands for the node that leads when the phase begins; no node can be called so. */
#define SCRIPT_LEADER "leader()"

/**
 * struct script_fault - one call of cut(), kill() ...
 * @word:	sites, nodes and SCRIPT_LEADER; @group says to which argument of the call each
 * belongs
 * @groups:	arguments that name groups
 * @cut:	kind of a cut, enum link_cut
 * @one_way:	of link()
 * @change:	of link(): words that link_change_read() takes
 * @at_ns:	of a process fault, after the beginning of the phase
 * @skew_ns:	of skew(): how far the clock is ahead
 */
struct script_fault {
	enum script_fault_kind kind;
	int line;
	unsigned number; /* in order of creation */
	unsigned words;
	unsigned groups;
	char word[SCRIPT_WORDS_MAX][SCRIPT_TEXT_MAX];
	uint16_t group[SCRIPT_WORDS_MAX];
	enum link_cut cut;
	bool one_way;
	char change[LINK_WORDS_TEXT_MAX];
	uint64_t at_ns;
	int64_t skew_ns;
};

struct script_phase {
	struct script_text name;
	uint64_t duration_ns;
	unsigned first; /* of script.fault */
	unsigned faults;
	char say[SCRIPT_SAY_MAX]; /* what is told when it begins; lines' ends part paragraphs */
};

struct script_store {
	struct script_text name;
	char leader[SCRIPT_TEXT_MAX]; /* these are "" or 0 where the script does not say */
	char read_level[SCRIPT_TEXT_MAX];
	char write_level[SCRIPT_TEXT_MAX];
	char set[SCRIPT_TEXT_MAX];
	uint64_t election_min_ns;
	uint64_t election_max_ns;
	uint64_t heartbeat_ns;
	uint64_t request_timeout_ns;
	enum wal_sync fsync;
};

struct script_load {
	int line;
	char workload[SCRIPT_TEXT_MAX];
	uint64_t clients_per_site;
	double rate;
	uint64_t keys;
	uint64_t read; /* UINT64_MAX: not given */
	uint64_t write;
	uint64_t cas;
	uint64_t stock; /* 0: not given */
	bool one_writer;
	uint64_t roam;
	uint64_t deadline_ns;
};

struct script_warmup {
	int line;
	uint64_t ns;
};

struct script_clients {
	int line;
	char site[SCRIPT_TEXT_MAX];
	uint64_t share;
	uint64_t read;
	uint64_t write;
	char level[SCRIPT_TEXT_MAX];
};

struct script_fit {
	int line;
	uint64_t rtt_ns[SCRIPT_RTTS_MAX];
	unsigned rtts;
	uint64_t duration_ns;
	char say[SCRIPT_SAY_MAX];
};

struct script_expect {
	int line;
	char store[SCRIPT_TEXT_MAX]; /* "": the script's own */
	char verdict[SCRIPT_TEXT_MAX];
	struct plan_expect what; /* all but the verdict */
};

/* What the command line gives the script by param(). */
struct script_param {
	char name[SCRIPT_TEXT_MAX];
	char value[SCRIPT_TEXT_MAX];
	bool used;
};

struct script {
	char path[PLAN_PATH_MAX];
	struct script_param param[SCRIPT_PARAMS_MAX];
	unsigned params;
	int lines;
	struct script_text lab;
	uint64_t seed;
	int seed_line;
	bool simulated_only;
	struct script_site site[PLAN_SITES_MAX];
	unsigned sites;
	struct script_text node[FABRIC_NODES_MAX];
	unsigned nodes;
	struct script_rule rule[SCRIPT_RULES_MAX];
	unsigned rules;
	struct script_store store;
	struct script_load load;
	struct script_warmup warmup;
	struct script_clients clients[PLAN_SITES_MAX];
	unsigned client_sites;
	struct script_fit fit;
	const struct link_word *profile[PLAN_PROFILES_MAX]; /* of the command line */
	unsigned profiles;
	struct script_expect expect[SCRIPT_EXPECTS_MAX];
	unsigned expects;
	struct script_text stores[PLAN_STORES_MAX];
	unsigned store_count;
	struct script_phase phase[PLAN_PHASES_MAX];
	unsigned phases;
	/* What was said for the phase or fit that comes next; in the end, what follows the results.
	 */
	char say[SCRIPT_SAY_MAX];
	struct script_fault *fault; /* owned; of all phases, in order */
	unsigned faults;
	struct { /* every fault that was made, to find one that is in no phase */
		enum script_fault_kind kind;
		int line;
		bool used;
	} made[SCRIPT_FAULTS_MAX];
	unsigned mades;
};

/**
 * script_open() - run the lab script @path in a sandbox and keep what it said
 * @params:	"name=value ..." for param(), or NULL
 *
 * Return: 0; else a negative errno with EXIT_USAGE and "path:line: what is wrong: cure" in @err.
 */
int script_open(struct script **ret, const char *path, const char *params, struct err *err);

/* A text, and what errors call it. */
struct script_source {
	const char *path;
	const char *text;
	size_t len;
	const char *params; /* as of script_open() */
};

/* script_parse() - the same for a text. */
int script_parse(struct script **ret, const struct script_source *from, struct err *err);
void script_close(struct script *script);

/* script_fail() - err_usage() with "path:line: " in front. */
int script_fail(const struct script *s, int line, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
