/* SPDX-License-Identifier: MIT */
/* datagrams.c - messages between replicas that wait for no other: UDP beside the connections */
#include "store/datagrams.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "store/peers.h"
#include "store/replica.h"

/* Taken in one turn; others of the loop come next. */
#define DATAGRAMS_AT_ONCE 64

static const struct replica_config *config_of(const struct datagrams *d)
{
	return &d->peers->replica->config;
}

static bool is_known(const struct datagrams *d, const struct frame *frame, size_t used, size_t len,
	const struct sockaddr_in *from)
{
	const struct peers *peers = d->peers;

	return used == len && frame->type == FRAME_MESSAGE && frame->from < peers->nodes &&
	       frame->from != config_of(d)->proto.self && peers->peer[frame->from].up &&
	       from->sin_addr.s_addr == config_of(d)->peers[frame->from].s_addr &&
	       from->sin_port == htons(config_of(d)->peer_port);
}

static void take(
	struct datagrams *d, const uint8_t *bytes, size_t len, const struct sockaddr_in *from)
{
	struct peers *peers = d->peers;
	struct frame frame;
	size_t used = 0;

	if (frame_decode(bytes, len, DATAGRAMS_BYTES_MAX, &frame, &used) ||
		!is_known(d, &frame, used, len, from)) {
		peers->frames_bad++;
		return;
	}
	peers->received++;
	if (replica_message(peers->replica, frame.from, frame.payload.p, frame.payload.len) < 0)
		peers->frames_bad++;
}

static void readable(struct loop_op *op, const struct loop_event *event)
{
	struct datagrams *d = list_entry(op, struct datagrams, readable);
	uint8_t bytes[DATAGRAMS_BYTES_MAX + 1];

	if (event->res == -ECANCELED)
		return;
	for (unsigned i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		struct sockaddr_in from = {0};
		socklen_t len = sizeof from;
		ssize_t n = recvfrom(
			d->fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		/* Other errors are of what was sent before: that no port was open there. */
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n >= 0)
			take(d, bytes, (size_t)n, &from);
	}
	loop_poll(d->peers->replica->loop, op, d->fd);
}

void datagrams_init(struct datagrams *d, struct peers *peers, int fd)
{
	*d = (struct datagrams){.peers = peers, .fd = fd, .readable = {.done = readable}};
}

void datagrams_start(struct datagrams *d)
{
	if (d->fd >= 0)
		loop_poll(d->peers->replica->loop, &d->readable, d->fd);
}

void datagrams_fini(struct datagrams *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	buf_fini(&d->out);
}

bool datagrams_send(struct datagrams *d, unsigned to, const void *bytes, size_t len)
{
	const struct replica_config *config = config_of(d);
	const struct frame frame = {.type = FRAME_MESSAGE,
		.from = (uint16_t)config->proto.self,
		.payload = {.p = bytes, .len = (uint32_t)len}};
	const struct sockaddr_in addr = {.sin_family = AF_INET,
		.sin_addr = config->peers[to],
		.sin_port = htons(config->peer_port)};

	if (d->fd < 0 || len + FRAME_HEADER > DATAGRAMS_BYTES_MAX)
		return false;
	d->out.len = 0;
	frame_encode(&d->out, &frame);
	if (sendto(d->fd, d->out.p, d->out.len, MSG_DONTWAIT, (const struct sockaddr *)&addr,
		    sizeof addr) < 0)
		d->peers->dropped++;
	else
		d->peers->sent++;
	return true;
}
