/* SPDX-License-Identifier: MIT */
/*
 * run.h - what the supervisor saw while a lab ran; with the history, all that a report needs
 */
#ifndef LAB_RUN_H
#define LAB_RUN_H

#include "agent/lab/plan.h"

#define RUN_FAULTS_MAX 2048
#define RUN_LEADERS_MAX 1024
#define RUN_KIND_MAX 24
#define RUN_ENDED "ended" /* kind of a fault: a real database's process did so by itself */

/* One change: of the matrix, or of a process (then the fields of the matrix are zero). */
struct run_fault {
	char kind[RUN_KIND_MAX]; /* "cut", "heal", "link" (all else that links do), "carrier";
				  * "kill", "restart", "pause", "resume", "skew",
				  * "promote", RUN_ENDED */
	unsigned phase;
	unsigned links; /* directed links that changed */
	unsigned downs; /* nodes that lost their carrier or got it back */
	unsigned cuts;  /* kinds of cut that began or ended, bits 1 << enum link_cut */
	int node;       /* for process faults, else -1 */
	uint64_t t_request_ns;
	uint64_t t_first_ns;
	uint64_t t_last_ns;
	bool atomic;
	struct evidence evidence; /* judged again at the end of the phase */
	bool judged;              /* process faults: confirmed by the process's state */
	int64_t skew_ns;          /* of a skew */
	uint64_t recovered;       /* records that a restarted replica found in its log */
	uint64_t caught_up_ns;    /* after t_last_ns, a restarted replica had all that the others
				   * had when it could answer again; UINT64_MAX: not seen. Of a
				   * real database: it said that it was ready again */
};

/* run_cut_name() - "edge", "wire", "reject"; "mixed" if there were several kinds. */
const char *run_cut_name(const struct run_fault *fault);

/* Who led from when on, as most replicas believed; -1: nobody. */
struct run_leader {
	uint64_t t_ns;
	int leader;
	uint64_t term;
};

struct run_phase {
	uint64_t t_begin_ns;
	uint64_t t_end_ns;
	uint64_t converged_ns; /* after t_begin_ns, all replicas have all that was acknowledged
				* before; UINT64_MAX: not within the phase */
};

/* What the check of the growing history saw; times from the return of the operation on. */
struct run_online {
	bool found;          /* a violation; it ended the run */
	uint64_t operations; /* that were looked at */
	uint64_t seen_ns;    /* until it was suspected */
	uint64_t told_ns;    /* until the whole history had been looked at */
	char words[1024];
};

/* What stands in place of evidence where there can be none. */
#define RUN_SIMULATED "simulated"

/* What a simulation says of itself, and what it added to messages, writes and operations. */
struct run_simulated {
	bool is; /* else this was a run on real packets, and the rest is zero */
	uint64_t hop_ns;
	uint64_t wire_ns;
	uint64_t disk_ns;
	uint64_t wake_ns;
	uint64_t messages; /* between replicas */
	uint64_t took_ns;  /* of the machine's time */
};

/* What it took to have a real database; all zero where a store of ours ran. */
struct run_database {
	uint64_t ready_ns;                  /* from the start of the lab until it served */
	uint64_t memory[PLAN_REPLICAS_MAX]; /* bytes of each node's processes, at most */
};

struct run_log {
	uint64_t t_start_ns; /* time 0 of all that is printed */
	uint64_t t_end_ns;
	uint64_t build_ns; /* network, processes not counted */
	char emulator[96];
	char kernel[96];
	struct fabric_quality quality;
	double cpu_busy; /* share of all cores that was busy, 0..1 */
	struct run_phase phase[PLAN_PHASES_MAX];
	unsigned phases; /* that were begun; fewer than planned after an interruption */
	struct run_fault fault[RUN_FAULTS_MAX];
	unsigned faults;
	struct run_leader leader[RUN_LEADERS_MAX];
	unsigned leaders;
	bool interrupted;
	struct run_online online;
	struct run_simulated simulated;
	struct run_database database;
};

#endif
