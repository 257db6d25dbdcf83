/* SPDX-License-Identifier: MIT */
/*
 * supervisor.h - a lab while it lives: its network, its processes, its names, and their end
 *
 * One process, one thread. All other processes of the lab are its children, but for the janitor,
 * its parent, who cleans up what it cannot because it was killed.
 */
#ifndef LAB_SUPERVISOR_H
#define LAB_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lab/capture.h"
#include "agent/lab/control.h"
#include "agent/lab/janitor.h"
#include "agent/lab/member.h"
#include "agent/lab/names.h"
#include "agent/lab/outdir.h"
#include "agent/lab/plan.h"
#include "agent/lab/poller.h"
#include "agent/lab/spawn.h"
#include "agent/lab/watchers.h"
#include "netns/fabric.h"

#define SUPERVISOR_CLUSTER_MAX 24

struct orders;

/**
 * struct supervisor_options - how this lab is run
 * @name:	NULL: the script's
 * @results:	folder for everything that is kept; NULL: a new one below results/
 * @scripted:	phases decide what happens: a replica that ends unasked ends the lab, and nobody
 *		else may change links
 * @pcap:	frames to capture; NULL: none
 * @waiter_fd:	pipe whose reader waits for the lab to be ready; if it goes away before, so does
 *		the lab; -1: nobody waits
 */
struct supervisor_options {
	const char *name;
	const char *results;
	bool scripted;
	const struct capture_wish *pcap;
	int waiter_fd;
};

struct supervisor {
	const struct plan *plan;
	struct supervisor_options options;
	struct outdir out;
	struct names names;
	struct spawner spawner;
	struct poller poller;
	struct janitor janitor;
	struct source signals;
	struct source waiter;
	struct fabric *fabric;
	struct fabric_change base; /* from healthy links to the plan's */
	struct member janitor_member;
	struct member wire;
	struct member pcap;
	struct capture *capture;       /* NULL: nothing is captured */
	struct capture_count captured; /* in all, once the lab is stopped */
	struct member node[FABRIC_NODES_MAX];
	struct member replica[PLAN_REPLICAS_MAX];
	struct member load[PLAN_SITES_MAX];
	char admin_path[PLAN_REPLICAS_MAX][NAMES_PATH_MAX];
	int admin_fd[PLAN_REPLICAS_MAX];
	int64_t skew_ns[PLAN_REPLICAS_MAX]; /* of the wall clock, now and after a restart */
	int binary_fd;
	char cluster[SUPERVISOR_CLUSTER_MAX]; /* drawn for this run, so that no two labs mix */
	int phase;                            /* that runs; -1: none */
	uint64_t phase_begin_ns;
	int load_fd; /* memory that the load counts in, struct load_shared; -1: no load */
	int wire_log_fd;
	int log_fd;
	bool harmed; /* links were changed or processes hit since it was ready */
	struct watchers *watchers;
	struct control *control;
	struct orders *orders;     /* NULL: the store is one of ours */
	const char *clock_library; /* that its processes are started with; or "" */
	uint64_t t_start_ns;
	uint64_t ready_ns; /* time from the start until all replicas were ready; 0: not yet */
	int signal;        /* SIGINT, SIGTERM or SIGHUP, once it came */
	bool down;         /* `pacelab down` asked for the end */
	struct err fatal;  /* why the lab cannot go on */
};

/**
 * supervisor_start() - build all up to replicas that are ready to serve
 * Forks: the calling process becomes the janitor and waits, its child goes on (janitor.h).
 *
 * @s:	a zeroed object that does not move; whatever happens, supervisor_stop() is the caller's
 *
 * Return: 0; a negative errno with @err; -EINTR if a signal came.
 */
int supervisor_start(struct supervisor *s, const struct plan *plan,
	const struct supervisor_options *options, struct err *err);

/* What stays of the results folder. */
enum supervisor_leave { LEAVE_ALL, LEAVE_NO_DATA, LEAVE_NOTHING };

/* supervisor_stop() - end all processes, undo the network, clear the folder, give back the names:
 * when the lab is no longer up, its folder is what it will be. */
void supervisor_stop(struct supervisor *s, enum supervisor_leave leave);

/**
 * supervisor_turn() - let one event happen, at the latest until @deadline_ns
 * Return: 0; -EINTR when a signal or `down` wants the end; else why the lab cannot go on, in @err.
 */
int supervisor_turn(struct supervisor *s, uint64_t deadline_ns, struct err *err);

/* supervisor_start_replica() - in its node, which must live; for the start and for restarts. */
int supervisor_start_replica(struct supervisor *s, unsigned replica, struct err *err);

/* supervisor_start_load() - a process of @run, with @keep_fd, on the client node of @site. */
int supervisor_start_load(struct supervisor *s, unsigned site, int keep_fd, int (*run)(void *ctx),
	void *ctx, struct err *err);

/* supervisor_kill_load() - end all load processes now. */
void supervisor_kill_load(struct supervisor *s);

#endif
