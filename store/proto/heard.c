/* SPDX-License-Identifier: MIT */
/* heard.c - which other replicas answer, as far as one knows */
#include "store/proto/heard.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void heard_init(struct heard *h, struct proto *p)
{
	*h = (struct heard){.p = p, .pinged = p->cfg.self};
	h->at_ns = calloc(p->cfg.nodes, sizeof(*h->at_ns));
	assert(h->at_ns);
}

void heard_start(struct heard *h)
{
	uint64_t now = h->p->io->now(h->p->io);

	for (unsigned i = 0; i < h->p->cfg.nodes; i++)
		h->at_ns[i] = now;
}

void heard_fini(struct heard *h)
{
	free(h->at_ns);
}

static void send_number(struct heard *h, unsigned to, uint8_t type, uint64_t number)
{
	struct proto_io *io = h->p->io;
	struct buf b = {0};

	buf_u8(&b, type);
	buf_u64(&b, number);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* In a large cluster not all at once: whose turn it is. */
unsigned heard_turns(const struct heard *h)
{
	unsigned others = h->p->cfg.nodes - 1;

	return others < HEARD_PINGS_MAX ? others : HEARD_PINGS_MAX;
}

unsigned heard_next(struct heard *h)
{
	unsigned nodes = h->p->cfg.nodes;

	h->pinged = (h->pinged + 1) % nodes;
	if (h->pinged == h->p->cfg.self)
		h->pinged = (h->pinged + 1) % nodes;
	return h->pinged;
}

void heard_ping(struct heard *h, uint8_t type)
{
	uint64_t now = h->p->io->now(h->p->io);

	for (unsigned n = heard_turns(h); n > 0; n--)
		send_number(h, heard_next(h), type, now);
}

int heard_answer(struct heard *h, unsigned from, uint8_t type, struct cursor *c)
{
	uint64_t number = cursor_u64(c);

	if (!cursor_done(c))
		return -EBADMSG;
	send_number(h, from, type, number);
	return 0;
}

void heard_from(struct heard *h, unsigned from)
{
	h->at_ns[from] = h->p->io->now(h->p->io);
}

uint64_t heard_silent_ns(const struct heard *h, unsigned i)
{
	return i == h->p->cfg.self ? 0 : h->p->io->now(h->p->io) - h->at_ns[i];
}

uint64_t heard_deaf_ns(const struct heard *h)
{
	unsigned others = h->p->cfg.nodes - 1;
	unsigned rounds = (others + HEARD_PINGS_MAX - 1) / HEARD_PINGS_MAX;

	return HEARD_DEAF_HEARTBEATS * h->p->cfg.heartbeat_ns * (rounds ? rounds : 1);
}

bool heard_alive(const struct heard *h, unsigned i)
{
	return heard_silent_ns(h, i) <= heard_deaf_ns(h);
}

unsigned heard_count(const struct heard *h)
{
	unsigned count = 0;

	for (unsigned i = 0; i < h->p->cfg.nodes; i++)
		count += heard_alive(h, i);
	return count;
}
