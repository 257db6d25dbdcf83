/* SPDX-License-Identifier: MIT */
/*
 * proto_fuzz.c - any bytes as records and messages of a protocol: no assertion of it may fail
 *
 * The first byte chooses the protocol. Then follow pieces: a byte that says what (0x80: a record,
 * before the first message; else the sender's number), a length of 16 bits, the bytes. One of
 * three replicas gets them; nobody hears it. Every fourth piece lets 100 ms pass.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "agent/base/buf.h"
#include "agent/sim/sim.h"
#include "tests/fuzz/fuzz.h"

#define REPLICAS 3
#define RECORD 0x80
#define PIECE_NS (100 * NS_PER_MS)

static const struct sim_config quiet = {
	.seed = 1,
	.delay_ns = NS_PER_MS,
	.proto =
		{
			.nodes = REPLICAS,
			.read_level = PROTO_QUORUM,
			.write_level = PROTO_QUORUM,
			.request_timeout_ns = 800 * NS_PER_MS,
			.election_min_ns = 300 * NS_PER_MS,
			.election_max_ns = 600 * NS_PER_MS,
			.heartbeat_ns = 50 * NS_PER_MS,
			.leader = 0,
		},
};

/* A record goes to a replica of its own, which never starts: that is when records are read. */
static void restore(struct sim *sim, struct proto **p, struct table *table, struct cursor *piece)
{
	struct proto_config cfg = sim->config.proto;
	int rc;

	if (!*p)
		*p = proto_open(sim->config.ops, &cfg, &sim->node[0].io, table);
	rc = sim->config.ops->restore(*p, piece->p, piece->left);
	assert(rc == 0 || rc == -EBADMSG);
}

static void feed(struct sim *sim, struct cursor *c)
{
	struct table *table = table_open();
	struct proto *restored = NULL;

	for (unsigned i = 0; c->left; i++) {
		uint8_t what = cursor_u8(c);
		size_t len = cursor_u16(c);
		struct cursor piece;
		int rc;

		if (c->bad)
			break;
		if (len > c->left)
			len = c->left;
		piece = cursor_over(cursor_take(c, len), len);
		if (what & RECORD) {
			restore(sim, &restored, table, &piece);
		} else {
			rc = sim_message(sim, what % (REPLICAS + 1), 0, piece.p, piece.left);
			assert(rc == 0 || rc == -EBADMSG);
		}
		if (i % 4 == 3)
			sim_run(sim, sim->now_ns + PIECE_NS);
	}
	proto_close(restored);
	table_close(table);
}

static unsigned protocols(void)
{
	unsigned n = 1;

	while (proto_list(n))
		n++;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_over(data, size);
	struct sim_config config = quiet;
	bool side[REPLICAS] = {true};
	struct sim *sim;

	config.ops = proto_list(cursor_u8(&c) % protocols());
	if (c.bad)
		return 0;
	sim = sim_open(&config);
	sim_cut(sim, side);
	feed(sim, &c);
	sim_close(sim);
	return 0;
}
