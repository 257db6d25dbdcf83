/* SPDX-License-Identifier: MIT */
/* watch_view.h - a lab just now, as its supervisor told (agent/lab/live.h), checked */
#ifndef CMD_WATCH_VIEW_H
#define CMD_WATCH_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/lab/live.h"

#define WATCH_NAME_MAX 48
#define WATCH_WORDS_MAX 256
#define WATCH_CELL_MAX 16

enum watch_state {
	WATCH_UP,
	WATCH_STARTING,
	WATCH_PAUSED,
	WATCH_DOWN,
	WATCH_CLIENT,
	WATCH_STATE_NR
};
extern const char *const watch_state_names[WATCH_STATE_NR];

struct watch_node {
	char name[WATCH_NAME_MAX];
	unsigned site;
	enum watch_state state;
	bool replica;
	bool carrier;
	char role[WATCH_NAME_MAX];
	bool ready;
	uint64_t term;
	uint64_t committed; /* 0: has no meaning with this store */
	uint64_t applied;
	int64_t skew_ns;
	uint64_t sent; /* frames since the lab was built */
	uint64_t got;
	uint64_t lost; /* of those that it sent: by cuts, loss, drop, flap */
};

struct watch_fault {
	char words[WATCH_WORDS_MAX];
	unsigned links;
	char from[WATCH_NAME_MAX]; /* of the first */
	char to[WATCH_NAME_MAX];
};

struct watch_phase {
	char name[WATCH_NAME_MAX];
	char what[PLAN_WHAT_MAX];
	unsigned number; /* from 1; 0: none runs */
	unsigned phases;
	uint64_t begin_ns;
	uint64_t end_ns;
};

struct watch_lab {
	char lab[WATCH_NAME_MAX];
	char store[WATCH_NAME_MAX];
	char emulator[WATCH_NAME_MAX];
	bool scripted;
	uint64_t t_ns;
	uint64_t up_ns;
	char leader[WATCH_NAME_MAX]; /* "": nobody */
	uint64_t term;
	char harm[WATCH_WORDS_MAX]; /* processes that are not as they should be */
	struct watch_phase phase;
	char site[PLAN_SITES_MAX][WATCH_NAME_MAX];
	unsigned sites;
	struct watch_node node[FABRIC_NODES_MAX];
	unsigned nodes;
	unsigned links;
	unsigned links_cut;
	struct watch_fault fault[LIVE_FAULTS_MAX];
	unsigned faults;
	unsigned faults_more; /* links with faults that are not told */
	char site_letter[PLAN_SITES_MAX][PLAN_SITES_MAX];
	bool lettered; /* there are letters of nodes */
	char letter[LIVE_LETTERS_MAX][LIVE_LETTERS_MAX];
	bool celled; /* and cells */
	char cell[LIVE_CELLS_MAX][LIVE_CELLS_MAX][WATCH_CELL_MAX];
};

/* watch_read() - Return: 0, or -EBADMSG: the lab is not of this version. */
int watch_read(const char *json, struct watch_lab *ret, struct err *err);

#endif
