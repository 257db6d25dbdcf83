/* SPDX-License-Identifier: MIT */
/*
 * weak.h - what the models without real time have in common: they are judged on a web
 *
 * A model's judge looks at a web in which every look with a choice (a value written twice, a
 * compare-and-set that was unmet) is left open, so that what it finds is a violation whatever was
 * seen. weak_check() does the rest: it tries what may have been seen, makes the witness small and
 * finds words.
 */
#ifndef CHECK_WEAK_H
#define CHECK_WEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/check/check.h"
#include "agent/check/past.h"
#include "agent/check/web.h"

enum flaw_kind {
	FLAW_NONE,
	FLAW_NOWHERE, /* look saw a value that nobody wrote */
	FLAW_NOTHING, /* look saw nothing, although missed came before */
	FLAW_OLD,     /* look saw seen, although missed had replaced it before */
	FLAW_CIRCLE,  /* what was seen puts some writes into a circle */
	FLAW_CHOICE,  /* whatever the looks with a choice saw, there is a flaw */
};

/* Numbers of operations and writes of the web. */
struct flaw {
	enum flaw_kind kind;
	uint32_t look;
	uint32_t seen;
	uint32_t missed;
};

/**
 * struct weak - a judgement on the way
 * @until_ns:	lab time at which to give up, 0: never
 * @memory_bytes: 0: no limit
 * @why:	of CHECK_UNKNOWN; static text
 * @flaw:	of CHECK_VIOLATION
 * @proof:	likewise: by operation of the web, whether the violation needs it
 * @complete:	the judge has made every choice itself
 */
struct weak {
	const struct web *w;
	struct past past;
	uint64_t until_ns;
	uint64_t memory_bytes;
	const char *why;
	struct flaw flaw;
	bool *proof;
	bool complete;
};

/* A judge says CHECK_OK, CHECK_VIOLATION with flaw and proof, or CHECK_UNKNOWN with why. */
typedef enum check_verdict weak_judge(struct weak *k);

int weak_check(weak_judge *judge, const struct history_ops *h, const struct check_budget *budget,
	const struct check_names *names, struct check_result *ret, struct err *err);

/* What judges are made of. */

/* weak_late() - whether time is up; says why. */
bool weak_late(struct weak *k);

/* weak_reach() - prove that write @from comes before operation @op in the clocks. */
void weak_reach(struct weak *k, uint32_t from, uint32_t op);

/* weak_circle() - prove that past_run() or past_acyclic() ended in a circle. */
enum check_verdict weak_circle(struct weak *k);

/* weak_flaw() - @look saw what it saw although write @missed came before it. */
enum check_verdict weak_flaw(struct weak *k, uint32_t look, uint32_t missed);

/* weak_steps() - how many operations a view of a chain has. weak_step() - number @i of them. */
uint32_t weak_steps(const struct web *w, uint32_t chain);
uint32_t weak_step(const struct web *w, uint32_t chain, uint32_t i);

/**
 * weak_scan() - go through one chain's view and hold what it saw against the clocks
 * @edges:	add an edge for each write that must come before the one that was seen
 *
 * Return: CHECK_OK or CHECK_VIOLATION.
 */
enum check_verdict weak_scan(struct weak *k, uint32_t chain, bool edges);

/*
 * weak_grow() - go through each chain's view, in which what comes before what it sees grows by the
 * past under @view of all that it saw, its own writes apart: nothing that it sees may be older than
 * the rest
 */
enum check_verdict weak_grow(struct weak *k, uint32_t view);

/* weak_saturate() - weak_scan() with edges until none is new: one order for one chain. */
enum check_verdict weak_saturate(struct weak *k, uint32_t chain, uint32_t view);

/*
 * weak_agree() - the same with one order for all chains. CHECK_VIOLATION says that there is none;
 * if there is a flaw in no chain after all, neither is there one with an order for each.
 */
enum check_verdict weak_agree(struct weak *k);

/* weak_forget() - edges and proof, to judge in another way. */
void weak_forget(struct weak *k);

#endif
