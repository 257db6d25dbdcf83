/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the event loop of a replica: one thread, one io_uring ring, no locks
 *
 * An operation is started on a struct loop_op that its owner embeds; when the kernel is done, the
 * op's callback runs. Nothing is allocated after loop_open(). A callback never blocks and never
 * runs the loop.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/base/err.h"

/* One for each client that is to go, and those of protocol, peers and log. */
#define LOOP_TIMERS_MAX 8192u

struct loop;
struct loop_op;

/**
 * struct loop_event - one completion
 * @res:	what the system call would have returned: a count, a descriptor, or negative errno
 * @more:	this operation will complete again (accept and recv are multishot)
 * @data:	of loop_recv(): @res bytes, valid during the callback only; NULL else
 */
struct loop_event {
	int res;
	bool more;
	const uint8_t *data;
};

/**
 * struct loop_op - an operation that the kernel works on; embed it, set @done, keep it in place
 * @pending:	operations started on it and not over yet; it must be 0 before the owner goes
 */
struct loop_op {
	void (*done)(struct loop_op *op, const struct loop_event *event);
	unsigned pending;
};

/* A timer fires once. Embed it, set @fire; all else belongs to the loop. */
struct loop_timer {
	void (*fire)(struct loop_timer *timer);
	uint64_t at_ns;
	unsigned place; /* 1 + index in the heap, 0 while disarmed */
};

/**
 * struct loop_config - sizes; 0 takes the default
 * @recv_buffers:	in the ring that all recv operations share, a power of two
 * @refuse_submits:	of tests: so many submissions of a full queue fail as with EAGAIN
 * @turn_end:		called once per turn before the loop submits and waits; may be NULL
 */
struct loop_config {
	unsigned recv_buffers;
	unsigned recv_buffer_size;
	unsigned refuse_submits;
	void (*turn_end)(void *arg);
	void *arg;
};

/**
 * loop_open() - make a loop
 *
 * Return: 0, or -ENOSYS, -EPERM (io_uring is missing or forbidden: status EXIT_CANNOT_RUN) or
 * another negative errno, with @err filled.
 */
int loop_open(struct loop **ret, const struct loop_config *config, struct err *err);

/* loop_close() - cancel what is under way, wait for it, call nobody. Takes NULL. */
void loop_close(struct loop *l);

/* loop_turn() - one turn. Return: 0, or negative errno if the ring itself failed. */
int loop_turn(struct loop *l);

/* loop_run() - turns until loop_stop(). Return: 0, or negative errno of a turn. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* loop_now() - CLOCK_MONOTONIC as read once in this turn. */
uint64_t loop_now(const struct loop *l);

/* loop_refresh() - read the clock anew, outside of a turn: after a start that took its time. */
void loop_refresh(struct loop *l);

/* loop_features() - what of io_uring is in use, for the log. */
const char *loop_features(const struct loop *l);

/* Since loop_open(): what a turn costs and what it brings. */
struct loop_counts {
	uint64_t turns; /* each is one system call, or one more for every full queue of submissions
			 */
	uint64_t completions;
	uint64_t syncs; /* fdatasyncs begun */
};
const struct loop_counts *loop_counts(const struct loop *l);

/* loop_arm() - fire @t at or after @at_ns; arming again replaces. loop_disarm() may come twice. */
void loop_arm(struct loop *l, struct loop_timer *t, uint64_t at_ns);
void loop_disarm(struct loop *l, struct loop_timer *t);

/* loop_accept() - each completion is a new descriptor (close-on-exec), until one without ->more. */
void loop_accept(struct loop *l, struct loop_op *op, int fd);

/* loop_recv() - bytes as they come; 0 is the end of the stream; -ENOBUFS: start it again. */
void loop_recv(struct loop *l, struct loop_op *op, int fd);

/*
 * loop_file_add() - use @fd for long: its sends, writes and syncs find it in a table of the ring's,
 * where the kernel has one that lets go again. loop_file_drop() - before it is closed, with none of
 * these under way; takes a file that was not added.
 */
void loop_file_add(struct loop *l, int fd);
void loop_file_drop(struct loop *l, int fd);

/* loop_send() - @bytes must stay until completion; may send less. */
void loop_send(struct loop *l, struct loop_op *op, int fd, const void *bytes, size_t n);

/* loop_connect() - @addr must stay until completion. */
void loop_connect(
	struct loop *l, struct loop_op *op, int fd, const struct sockaddr *addr, socklen_t len);

/* loop_poll() - complete once when @fd can be read. */
void loop_poll(struct loop *l, struct loop_op *op, int fd);

/**
 * struct loop_write - bytes for a file, at a place; they must stay until completion
 */
struct loop_write {
	int fd;
	const void *bytes;
	size_t n;
	uint64_t offset;
};

/**
 * loop_write() - write, and when all of it was written, fdatasync
 * @write:	its result may be short: then @sync completes with -ECANCELED
 * @sync:	NULL: no fdatasync
 */
void loop_write(
	struct loop *l, struct loop_op *write, struct loop_op *sync, const struct loop_write *what);

/* loop_sync() - fdatasync of what was written before. */
void loop_sync(struct loop *l, struct loop_op *op, int fd);

/* loop_fsync() - as loop_sync(), with all that is known about the file; of a folder, its names. */
void loop_fsync(struct loop *l, struct loop_op *op, int fd);

/*
 * Names in the folder @dir; they must stay until completion. The result of loop_open_at() is a
 * descriptor, close-on-exec, mode 0600.
 */
void loop_open_at(struct loop *l, struct loop_op *op, int dir, const char *name, int flags);
void loop_rename_at(struct loop *l, struct loop_op *op, int dir, const char *from, const char *to);
void loop_unlink_at(struct loop *l, struct loop_op *op, int dir, const char *name);

/* loop_cancel() - ask the kernel to end @op; it still completes, often with -ECANCELED. */
void loop_cancel(struct loop *l, struct loop_op *op);

#endif
