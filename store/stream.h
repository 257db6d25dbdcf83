/* SPDX-License-Identifier: MIT */
/*
 * stream.h - one socket on the loop: bytes in as they come, bytes out once per turn
 *
 * Owners append to stream->out and call stream_touch(); what was appended in a turn leaves as one
 * send. Closing is never at once: the owner is told by ->closed() when the kernel has let go.
 */
#ifndef STORE_STREAM_H
#define STORE_STREAM_H

#include <netinet/in.h>
#include <stdbool.h>

#include "agent/base/buf.h"
#include "agent/base/list.h"
#include "agent/base/loop.h"

struct stream;

/* All streams of a process, and which of them have something to do at the end of the turn. */
struct stream_set {
	struct loop *loop;
	struct list dirty;
	size_t bytes; /* of all buffers of all streams, as last counted */
};

/**
 * struct stream_ops - what an owner does
 * @data:	look at @n bytes. Return: how many were used up; the rest comes again with more
 * @connected:	of stream_dial(): the connection stands; may be NULL
 * @ended:	the other side sends no more; NULL: send what is queued, then close
 * @closed:	the descriptor is closed, nothing is pending: the owner may free the stream
 */
struct stream_ops {
	size_t (*data)(struct stream *s, const uint8_t *p, size_t n);
	void (*connected)(struct stream *s);
	void (*ended)(struct stream *s);
	void (*closed)(struct stream *s);
};

/* Embedded. Owners read and append to @out; all else is stream.c's own. */
struct stream {
	struct stream_set *set;
	const struct stream_ops *ops;
	int fd;
	struct buf in;     /* received, not used up yet */
	struct buf out;    /* to be sent at the end of the turn */
	struct buf flight; /* being sent */
	size_t flight_done;
	struct loop_op recv;
	struct loop_op send;
	struct loop_op connect;
	struct sockaddr_in addr; /* of stream_dial() */
	size_t counted;          /* bytes of its buffers that are in set->bytes */
	struct list dirty;
	bool paused;
	bool ended;   /* the other side sends no more */
	bool drain;   /* close when all is sent */
	bool closing; /* close now */
	bool cancelled;
};

void stream_set_init(struct stream_set *set, struct loop *loop);

/* stream_set_flush() - once per turn: send what was appended, go on with closing. */
void stream_set_flush(struct stream_set *set);

/* stream_init() - take @fd, a connected socket, and receive from it. */
void stream_init(struct stream *s, struct stream_set *set, const struct stream_ops *ops, int fd);

/* stream_dial() - take @fd, a fresh socket, and connect it; failure is told by ->closed(). */
void stream_dial(struct stream *s, struct stream_set *set, const struct stream_ops *ops, int fd,
	const struct sockaddr_in *addr);

/* stream_fini() - free buffers and close; only after ->closed() or after loop_close(). */
void stream_fini(struct stream *s);

/* stream_touch() - something was appended to s->out. */
void stream_touch(struct stream *s);

/* stream_queued() - bytes appended that the kernel has not taken yet. */
size_t stream_queued(const struct stream *s);

/* stream_memory() - bytes that its buffers take, empty or not. */
size_t stream_memory(const struct stream *s);

/* stream_count() - bring set->bytes up to date with what was appended to s->out in this turn. */
void stream_count(struct stream *s);

/* stream_pause() - take no more bytes; stream_resume() - go on, with what is left over first. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* stream_close() - soon; stream_drain() - when all that was appended has been sent. */
void stream_close(struct stream *s);
void stream_drain(struct stream *s);

/* stream_ending() - whether one of these two was called. */
bool stream_ending(const struct stream *s);

#endif
