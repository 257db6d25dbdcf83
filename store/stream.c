/* SPDX-License-Identifier: MIT */
/*
 * stream.c - one socket on the loop: bytes in as they come, bytes out once per turn
 *
 * Theory of operation
 *
 *	init --> receiving <--> paused        dial --> connecting --> receiving
 *	any state --close--> closing --(nothing pending)--> closed()
 *	any state --drain--> sends the rest --> closing
 *
 * Received bytes are shown to the owner in the kernel's own buffer; only what it does not use up
 * is copied to `in`. Two output buffers change places: `out` fills while `flight` is sent, so a
 * byte is never moved and no buffer is allocated per request.
 *
 * A stream with something to do at the end of the turn is on the set's dirty list, once.
 * data() may close, pause or touch any stream, its own too, since none of these acts at once.
 */
#include "store/stream.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

/* A buffer that one large value has blown up is given back above this. */
#define KEEP_MAX (1u << 20)

void stream_set_init(struct stream_set *set, struct loop *loop)
{
	set->loop = loop;
	list_init(&set->dirty);
}

void stream_touch(struct stream *s)
{
	if (list_empty(&s->dirty))
		list_push(&s->set->dirty, &s->dirty);
}

size_t stream_queued(const struct stream *s)
{
	return s->out.len + s->flight.len - s->flight_done;
}

bool stream_ending(const struct stream *s)
{
	return s->closing || s->drain;
}

size_t stream_memory(const struct stream *s)
{
	return s->in.cap + s->out.cap + s->flight.cap;
}

void stream_count(struct stream *s)
{
	size_t bytes = stream_memory(s);

	s->set->bytes += bytes - s->counted;
	s->counted = bytes;
}

void stream_close(struct stream *s)
{
	s->closing = true;
	stream_touch(s);
}

void stream_drain(struct stream *s)
{
	s->drain = true;
	stream_touch(s);
}

/* Show bytes to the owner, keep what it leaves. */
static void deliver(struct stream *s, const uint8_t *p, size_t n)
{
	size_t used;

	if (s->in.len > 0 || s->paused) {
		buf_add(&s->in, p, n);
		stream_count(s);
		if (s->paused)
			return;
		used = s->ops->data(s, s->in.p, s->in.len);
		buf_drop(&s->in, used);
	} else {
		used = s->ops->data(s, p, n);
		buf_add(&s->in, p + used, n - used);
	}
	if (s->in.len == 0 && s->in.cap > KEEP_MAX)
		buf_fini(&s->in);
	stream_count(s);
}

static void end(struct stream *s)
{
	s->ended = true;
	if (s->ops->ended)
		s->ops->ended(s);
	else
		stream_drain(s);
}

static void recv_done(struct loop_op *op, const struct loop_event *event)
{
	struct stream *s = list_entry(op, struct stream, recv);

	if (event->res > 0 && !stream_ending(s))
		deliver(s, event->data, (size_t)event->res);
	else if (event->res == 0 && !stream_ending(s))
		end(s);
	else if (event->res < 0 && event->res != -ENOBUFS && event->res != -ECANCELED)
		stream_close(s);
	if (!event->more)
		stream_touch(s);
}

static void send_done(struct loop_op *op, const struct loop_event *event)
{
	struct stream *s = list_entry(op, struct stream, send);

	if (event->res < 0) {
		stream_close(s);
		return;
	}
	s->flight_done += (size_t)event->res;
	if (s->flight_done == s->flight.len) {
		s->flight.len = 0;
		s->flight_done = 0;
		if (s->flight.cap > KEEP_MAX)
			buf_fini(&s->flight);
	}
	if (s->out.len > 0 || s->flight.len > 0 || stream_ending(s))
		stream_touch(s);
}

static void connect_done(struct loop_op *op, const struct loop_event *event)
{
	struct stream *s = list_entry(op, struct stream, connect);

	if (event->res < 0)
		stream_close(s);
	else if (!stream_ending(s) && s->ops->connected)
		s->ops->connected(s);
	stream_touch(s);
}

static void prepare(struct stream *s, struct stream_set *set, const struct stream_ops *ops, int fd)
{
	loop_file_add(set->loop, fd);
	*s = (struct stream){
		.set = set,
		.ops = ops,
		.fd = fd,
		.recv = {.done = recv_done},
		.send = {.done = send_done},
		.connect = {.done = connect_done},
	};
	list_init(&s->dirty);
}

void stream_init(struct stream *s, struct stream_set *set, const struct stream_ops *ops, int fd)
{
	prepare(s, set, ops, fd);
	loop_recv(set->loop, &s->recv, fd);
}

void stream_dial(struct stream *s, struct stream_set *set, const struct stream_ops *ops, int fd,
	const struct sockaddr_in *addr)
{
	prepare(s, set, ops, fd);
	s->addr = *addr;
	loop_connect(set->loop, &s->connect, fd, (struct sockaddr *)&s->addr, sizeof s->addr);
}

void stream_fini(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	list_del(&s->dirty);
	buf_fini(&s->in);
	buf_fini(&s->out);
	buf_fini(&s->flight);
	stream_count(s);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	/* A multishot recv has no other brake; what is under way goes to `in`. */
	loop_cancel(s->set->loop, &s->recv);
}

void stream_resume(struct stream *s)
{
	size_t used;

	s->paused = false;
	if (s->in.len > 0 && !stream_ending(s)) {
		used = s->ops->data(s, s->in.p, s->in.len);
		buf_drop(&s->in, used);
	}
	stream_touch(s);
}

static void flush_closing(struct stream *s)
{
	if (!s->cancelled) {
		s->cancelled = true;
		loop_cancel(s->set->loop, &s->recv);
		loop_cancel(s->set->loop, &s->send);
		loop_cancel(s->set->loop, &s->connect);
	}
	if (s->recv.pending || s->send.pending || s->connect.pending)
		return; /* their completions touch the stream again */
	loop_file_drop(s->set->loop, s->fd);
	close(s->fd);
	s->fd = -1;
	s->ops->closed(s);
}

static void flush(struct stream *s)
{
	stream_count(s);
	if (s->drain && stream_queued(s) == 0)
		s->closing = true;
	if (s->closing) {
		flush_closing(s);
		return;
	}
	if (s->connect.pending)
		return;
	if (!s->paused && !s->drain && !s->ended && !s->recv.pending)
		loop_recv(s->set->loop, &s->recv, s->fd);
	if (s->send.pending)
		return;
	if (s->flight.len == 0 && s->out.len > 0) {
		struct buf empty = s->flight;

		s->flight = s->out;
		s->out = empty;
		s->flight_done = 0;
	}
	if (s->flight.len > 0)
		loop_send(s->set->loop, &s->send, s->fd, s->flight.p + s->flight_done,
			s->flight.len - s->flight_done);
}

void stream_set_flush(struct stream_set *set)
{
	while (!list_empty(&set->dirty)) {
		struct stream *s = list_entry(set->dirty.next, struct stream, dirty);

		list_del(&s->dirty);
		flush(s);
	}
}
