/* SPDX-License-Identifier: MIT */
/*
 * check_watch.h - judging in a process of its own, that is ended before it takes too much
 *
 * Whatever a checker does, and whatever is in a file: a process that outgrows the memory it may
 * have, or goes on for much longer than it may, is killed here and its file is not known, long
 * before the kernel would have to kill anybody.
 */
#ifndef CMD_CHECK_WATCH_H
#define CMD_CHECK_WATCH_H

#include "agent/check/check.h"

enum watch_end {
	WATCH_DONE,   /* the work returned */
	WATCH_TIME,   /* it was killed: it took too long, */
	WATCH_MEMORY, /* or too much memory */
	WATCH_KILLED, /* by somebody else, as the kernel does when memory is short */
	WATCH_FAILED, /* there is no process: see the err */
};

/**
 * struct watch - one worker; in memory shared with it
 * @time_ns:	for each item, 0: no limit; a worker that minds it itself is not killed
 * @memory_bytes: of its own, that the worker may have; 0: no limit
 * @show:	how far it is, on the terminal that is standard error, if it is one
 * @progress:	of the present item; for the worker to fill in
 * @item:	that it is at, for the watcher to go on behind it
 */
struct watch {
	uint64_t time_ns;
	uint64_t memory_bytes;
	bool show;
	struct check_progress progress;
	_Atomic unsigned item;
	_Atomic uint64_t begin_ns;
	_Atomic uint64_t printed; /* bytes of output of the items that are done */
};

/* watch_new() - shared memory of @size bytes, all zero, never NULL; it lives as long as we do. */
void *watch_new(size_t size);

/*
 * watch_run() - @work in a process of its own
 * What it prints on standard output comes out there in whole items: not at all of one that was
 * begun and not ended.
 */
enum watch_end watch_run(struct watch *w, void (*work)(void *ctx), void *ctx, struct err *err);

/* watch_begin(), watch_done() - called by the worker around each item. */
void watch_begin(struct watch *w, unsigned item);
void watch_done(struct watch *w);

/* watch_own_bytes() - memory that process @pid has to itself, 0: our own process. */
uint64_t watch_own_bytes(int pid);

/* watch_available_bytes() - that the machine, or our control group, could give us now. */
uint64_t watch_available_bytes(void);

#endif
