/* SPDX-License-Identifier: MIT */
/*
 * proto_fuzz.c - any bytes as records and messages of a protocol: no assertion of it may fail
 *
 * The first byte chooses the protocol and, by its highest three bits, settings that a seed of the
 * simulator draws; 0: as below. Then follow pieces: a byte that says what (0x80: a record, before
 * the first message; 0x40: a client's request; else the sender's number), a length of 16 bits, the
 * bytes. One of three replicas gets them; nobody hears it. Every fourth piece lets 100 ms pass.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "agent/base/buf.h"
#include "agent/sim/sim_load.h"
#include "tests/fuzz/fuzz.h"

#define REPLICAS 3
#define RECORD 0x80
#define REQUEST 0x40
#define PROTOCOLS_MAX 32u
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
			.secondaries = 1, /* and a cache */
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

/* Six bytes say what is asked, the rest is the value; the token is a client's, so it may be any. */
static void request(struct sim *sim, uint64_t ticket, struct cursor *piece)
{
	static const uint8_t key[] = "key";
	struct proto_request req = {.ticket = ticket, .key = {key, 3}};
	struct token token = {0};
	uint8_t shape;

	req.op = (enum proto_op)(cursor_u8(piece) % PROTO_OP_NR);
	req.cond = (enum proto_cond)(cursor_u8(piece) % PROTO_COND_NR);
	req.level = (enum proto_level)(cursor_u8(piece) % PROTO_LEVEL_NR);
	shape = cursor_u8(piece);
	req.key.len = 1 + shape % 3;
	req.get = (req.op == PROTO_SET || req.op == PROTO_DEL) && shape & 4;
	token.n = cursor_u8(piece) % TOKEN_MAX;
	for (uint32_t i = 0; i < token.n; i++)
		token.at[i] = shape & 8 ? UINT64_MAX - i : shape & 16 ? piece->left + i : 0;
	req.expires_ns = cursor_u8(piece) % 4 ? 0 : SIM_WALL_NS + 2 * NS_PER_S;
	if (piece->bad)
		return;
	if (shape & 32)
		req.token = &token;
	req.value = req.expected = (struct proto_bytes){piece->p, (uint32_t)piece->left};
	if (req.cond != PROTO_IFEQ || req.op != PROTO_SET)
		req.expected.len = 0;
	if (req.op != PROTO_SET) {
		req.cond = PROTO_ALWAYS;
		req.expires_ns = 0;
	}
	sim_request(sim, 0, &req);
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
		} else if (what & REQUEST) {
			request(sim, i + 1, &piece);
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
	assert(n <= PROTOCOLS_MAX);
	return n;
}

static void settings(struct sim_config *config, uint64_t seed)
{
	static const enum proto_level level[2] = {PROTO_QUORUM, PROTO_QUORUM};
	struct sim_plan plan;

	if (!seed)
		return;
	sim_plan_draw(&plan, config->ops, REPLICAS, seed, level);
	config->proto = plan.world.proto;
	/* Who gets the bytes leads, or another does. */
	config->proto.leader = (int)(seed % REPLICAS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_over(data, size);
	struct sim_config config = quiet;
	bool side[REPLICAS] = {true};
	struct sim *sim;
	uint8_t first;

	first = cursor_u8(&c);
	config.ops = proto_list(first % PROTOCOLS_MAX % protocols());
	settings(&config, first / PROTOCOLS_MAX);
	if (c.bad)
		return 0;
	sim = sim_open(&config);
	sim_cut(sim, side);
	feed(sim, &c);
	sim_close(sim);
	return 0;
}
