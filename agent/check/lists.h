/* SPDX-License-Identifier: MIT */
/*
 * lists.h - what happened to lists: appends of unique elements, and reads that show the whole order
 *
 * Single operations are transactions of one step here. A list is only appended to, so the longest
 * read of a key shows the order of all appends before it, and every other read must be the
 * beginning of it ("traceable" objects: Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies
 * from Experimental Observations", VLDB 2020). Appends of unknown outcome that nobody saw, reads
 * without an answer and failed transactions constrain nothing; they are there, but not kept.
 */
#ifndef CHECK_LISTS_H
#define CHECK_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/history/history.h"

#define LISTS_NONE UINT32_MAX

struct lists_txn {
	uint64_t t_invoke_ns;
	uint64_t t_return_ns; /* UINT64_MAX: its outcome is unknown */
	uint32_t index;       /* in the history */
	uint32_t session;
	uint32_t first; /* of lists.step */
	uint32_t count;
	uint8_t outcome; /* enum history_type */
	bool kept;       /* it had its effect: acknowledged, or seen */
};

struct lists_step {
	const uint64_t *value; /* READ: what was read; borrowed from the history */
	uint32_t count;        /* READ: how much */
	uint32_t base; /* READ: how much of it without what its own transaction had appended */
	uint32_t item; /* APPEND: number of the element; READ: LISTS_NONE */
	uint32_t key;  /* number */
	uint32_t txn;
};

struct lists_item {
	uint64_t value;
	uint32_t step;
	uint32_t place;  /* in the longest read of its key, LISTS_NONE if it is not there */
	uint32_t before; /* what the same transaction appended to the key just before, or NONE */
	bool last;       /* the transaction appended nothing more to the key */
};

struct lists_key {
	uint64_t key;
	uint32_t longest; /* step that read most of it, LISTS_NONE if none read it */
	uint32_t first;   /* lists.order[first ...] are the items in the longest read, NONE for */
	uint32_t count;   /*   elements that nobody appended */
	uint32_t bad;     /* first place of an element from nowhere or for the second time */
	uint32_t aborted; /* first place of an element whose transaction failed */
	uint32_t mixed;   /* first place of an element that should come after one not there yet */
	uint32_t tail;    /* the latest item; scratch of lists_build() */
	uint32_t look;    /* the latest read; scratch of lists_build() */
	bool torn;        /* there is a read that is not the beginning of the longest */
};

/* What is wrong with single reads; the order is that in which they are told. */
enum lists_flaw_kind {
	LISTS_THIN_AIR,     /* an element that nobody appended */
	LISTS_DUPLICATE,    /* an element that was appended once and is there twice */
	LISTS_INCOMPATIBLE, /* two reads, of which none is the beginning of the other */
	LISTS_MIXED,        /* a transaction's appends in another order than its own, or in part */
	LISTS_OWN,          /* the transaction's own append is not at the end */
	LISTS_ABORTED,      /* G1a: an element whose transaction failed */
	LISTS_INTERMEDIATE, /* G1b: not all that one transaction appended, or its own before it did
			     */
	LISTS_UNREPEATABLE, /* two reads of one transaction differ by what others did */
	LISTS_FLAW_NR
};

struct lists_flaw {
	uint32_t step; /* the read, LISTS_NONE: there is no such flaw */
	uint32_t
		other; /* INCOMPATIBLE, UNREPEATABLE: another read; else item, if it has a number */
	uint64_t value; /* the element, where one is at fault */
};

struct lists {
	const struct history_ops *h;
	struct lists_txn *txn; /* owned; sorted by invocation */
	size_t txns;
	struct lists_step *step; /* owned; sorted by transaction */
	size_t steps;
	struct lists_item *item; /* owned; in order of steps */
	size_t items;
	struct lists_key *key; /* owned */
	size_t keys;
	uint32_t *order; /* owned; items by place, see lists_key */
	struct lists_flaw flaw[LISTS_FLAW_NR];
};

/**
 * lists_build() - from a history of APPEND and READ, or of TRANSACTION
 *
 * Return: 0, or -EINVAL and EXIT_USAGE if an element is appended to one list twice; nothing is to
 * be destroyed then.
 */
int lists_build(struct lists *l, const struct history_ops *h, struct err *err);
void lists_destroy(struct lists *l);

static inline const struct lists_txn *lists_writer(const struct lists *l, uint32_t item)
{
	return &l->txn[l->step[l->item[item].step].txn];
}

#endif
