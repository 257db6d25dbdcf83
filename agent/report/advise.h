/* SPDX-License-Identifier: MIT */
/*
 * advise.h - which of the systems fits what is needed, and what it costs at best
 *
 * Nothing here is an opinion: a system fits if its claim with its own settings has all that is
 * needed, and those that fit are in the order of the latency that the link matrix allows them.
 */
#ifndef REPORT_ADVISE_H
#define REPORT_ADVISE_H

#include "store/systems.h"

#define ADVISE_SITES_MAX 8
#define ADVISE_REPLICAS_MAX 32
#define ADVISE_WHY_MAX 256
#define ADVISE_SYSTEMS_MAX 64

/**
 * struct advise_needs - what a use asks of a store
 * @name, @title:	"lock", "a lock, or the election of a leader"
 * @model:	weakest that is enough, also while the network is cut
 * @minority:	every side of a cut must go on writing; else the majority's is enough
 * @lossless:	no acknowledged write may be lost
 * @clocks:	it may hold only while clocks run alike
 * @cas:	it needs compare-and-set
 * @does:	operations that it needs, PROTO_DOES()
 * @reads:	per cent of its operations
 * @lab:	of scripts/labs that shows it; NULL: none
 * @why:	the needs in a sentence
 */
struct advise_needs {
	const char *name;
	const char *title;
	enum proto_model model;
	bool minority;
	bool lossless;
	bool clocks;
	bool cas;
	uint32_t does;
	unsigned reads;
	const char *lab;
	const char *why;
};

/* advise_use() - use case number @i of the seven, NULL after the last. advise_find() - by name. */
const struct advise_needs *advise_use(unsigned i);
const struct advise_needs *advise_find(const char *name);

/**
 * struct advise_sites - where replicas and their clients are
 * @rtt_ns:	between two sites; inside one on the diagonal
 */
struct advise_sites {
	unsigned sites;
	char name[ADVISE_SITES_MAX][32];
	unsigned replicas[ADVISE_SITES_MAX];
	uint64_t rtt_ns[ADVISE_SITES_MAX][ADVISE_SITES_MAX];
};

/**
 * struct advice - one system, and whether it fits
 * @why:	what it lacks, if it does not
 * @leader:	site from which it should be led for this; -1: it makes no difference
 * @read_ns, @write_ns:	least latency, mean over the sites; UINT64_MAX: it cannot be had
 * @read_worst_ns ..:	of the site that is worst off
 * @cost_ns:	of reads and writes as they are mixed
 */
struct advice {
	const struct system *system;
	bool fits;
	char why[ADVISE_WHY_MAX];
	int leader;
	uint64_t read_ns;
	uint64_t write_ns;
	uint64_t read_worst_ns;
	uint64_t write_worst_ns;
	uint64_t cost_ns;
};

/* advise() - all systems: those that fit first, the fastest of them first. Return: how many. */
unsigned advise(const struct advise_needs *needs, const struct advise_sites *sites,
	struct advice ret[ADVISE_SYSTEMS_MAX]);

#endif
