/* SPDX-License-Identifier: MIT */
/* more.h - what stands in MORE records, put together for the record that it belongs to */
#ifndef HISTORY_MORE_H
#define HISTORY_MORE_H

#include "agent/history/format.h"
#include "agent/history/gather.h"

/**
 * struct more - the MORE records that nothing has referred to yet
 * @slot:	of the file
 * @slots:	how many there are
 * @ops:	largest number of an operation
 */
struct more {
	const struct history_record *slot;
	uint64_t slots;
	uint32_t ops;
	uint32_t *last;   /* owned; by operation: its latest MORE record's slot + 1, 0: none */
	uint32_t *before; /* owned; by slot: likewise the one before it; both NULL until needed */
	struct err *err;
};

/* more_add() - the record in slot @i; its checksum and type are right. Return: 0 or -EBADMSG. */
int more_add(struct more *m, uint64_t i);

/* more_none() - Return: 0, or -EBADMSG if @r has MORE records and should not. */
int more_none(struct more *m, const struct history_record *r);

/* more_list() - the elements of a read, appended to ops.list. Return: 0 or -EBADMSG. */
int more_list(struct more *m, const struct history_record *r, struct gather *g);

/* more_steps() - the steps of an invoked transaction, appended to ops.micro. Likewise. */
int more_steps(struct more *m, const struct history_record *r, struct gather *g);

/* more_results() - what the steps of transaction @op read, appended to ops.list. Likewise. */
int more_results(struct more *m, const struct history_record *r, struct gather *g,
	const struct history_op *op);

void more_fini(struct more *m);

#endif
