/* SPDX-License-Identifier: MIT */
/*
 * gen.h - what one client does and when: a seeded schedule without clock or I/O
 *
 * Arrivals are Poisson: exponential gaps of mean clients / rate. The schedule depends on seed and
 * client only, never on how fast the store answers.
 *
 * Lists and sets would grow with the run, and their reads with them: after GEN_LIFE operations on
 * each, by the clock of the schedule, the clients go on to new ones, of the next generation.
 *
 * Where a client's session is, at which replica, is drawn by a generator of its own: what clients
 * do and when is the same whether they roam or not.
 */
#ifndef LOAD_GEN_H
#define LOAD_GEN_H

#include <stdint.h>

#include "agent/base/prng.h"
#include "agent/history/history.h"
#include "agent/lab/plan.h"

#define GEN_STEPS_MAX 4

struct gen_op {
	uint64_t t_intended_ns;
	enum plan_workload workload;
	enum history_kind kind;
	uint64_t key;
	uint64_t value; /* unique in the run, never 0; INCREASE and TRANSFER: the amount */
	uint64_t old;   /* CAS: what it expects, 0: what the site knows */
	uint16_t from;  /* TRANSFER */
	uint16_t to;
	uint16_t replica; /* where the session is */
	unsigned steps;   /* TRANSACTION */
	struct history_micro step[GEN_STEPS_MAX];
};

struct gen {
	struct prng prng;
	struct prng way; /* of a session that roams */
	double mean_ns;  /* gap between two operations of this client */
	double at_ns;    /* of the last operation, after start_ns */
	uint64_t start_ns;
	uint64_t number; /* of this client in the lab */
	uint64_t clients;
	uint64_t writes; /* so far */
	enum plan_workload workload;
	double life_ns; /* of a generation of keys, 0: for ever */
	unsigned keys;
	uint64_t writer;  /* number among the clients that write, where each key has one writer, */
	uint64_t writers; /* of so many; 0: anybody writes any key */
	unsigned read;
	unsigned write;
	unsigned roam;
	unsigned replicas;
	unsigned replica; /* where the session is */
};

#define GEN_LIFE 100

/* gen_keys() - how many keys a schedule of @span_ns uses: 0 .. keys - 1. */
uint64_t gen_keys(const struct plan *plan, uint64_t span_ns);

/* gen_init() - the schedule of client @client of @site, its time 0 at @start_ns. */
void gen_init(
	struct gen *g, const struct plan *plan, unsigned site, unsigned client, uint64_t start_ns);

/* gen_next() - the next operation; there is no last one. */
void gen_next(struct gen *g, struct gen_op *ret);

#endif
