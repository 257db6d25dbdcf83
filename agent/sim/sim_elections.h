/* SPDX-License-Identifier: MIT */
/*
 * sim_elections.h - how long a cluster is without a leader, many times, in virtual time
 *
 * After Ongaro, "Consensus: Bridging Theory and Practice", 2014, section 9.3: a leader that has
 * just told all of itself is crashed at a moment drawn uniformly from its heartbeat interval; until
 * another one is elected. In the worst case of the dissertation two of the four others are not
 * eligible: they lack the last entry of the log. The protocol is the one of the replicas.
 */
#ifndef SIM_SIM_ELECTIONS_H
#define SIM_SIM_ELECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define ELECTIONS_TRIALS_MAX 100000u
/* A trial without a leader for so long ends: then this is its time. */
#define ELECTIONS_GIVE_UP_NS (60ull * 1000000000ull)

/**
 * struct elections_wish - what is tried
 * @jitter_ns:	of the one-way delay, which is half of @rtt_ns
 * @persist_ns:	to write a term and a vote to disk
 * @plain:	elections as in the paper: no pre-vote, no sticky leader, no check-quorum
 * @uneven:	of the followers so many lack the last entry
 */
struct elections_wish {
	unsigned replicas;
	uint64_t election_min_ns;
	uint64_t election_max_ns;
	uint64_t heartbeat_ns;
	uint64_t rtt_ns;
	uint64_t jitter_ns;
	uint64_t persist_ns;
	bool plain;
	unsigned uneven;
	uint64_t seed;
};

/* elections_trial() - number @trial. Return: from the crash to the election, in ns. */
uint64_t elections_trial(const struct elections_wish *wish, unsigned trial);

#endif
