/* SPDX-License-Identifier: MIT */
/* compare.c - a comparison of all keys with another replica: one question at a time, sums first */
#include "store/proto/compare.h"

#include <assert.h>

struct buf compare_question(struct compare *c, uint8_t type)
{
	struct buf b = {0};

	buf_u8(&b, type);
	buf_u64(&b, ++c->step);
	return b;
}

void compare_ask(struct compare *c, struct proto_io *io, unsigned phase, struct buf *question)
{
	buf_fini(&c->question);
	c->question = *question;
	c->phase = phase;
	c->tries = 1;
	c->asked_ns = io->now(io);
	io->send(io, c->peer, c->question.p, c->question.len);
}

static void ask_sums(
	struct compare *c, struct proto_io *io, uint8_t type, unsigned phase, uint64_t groups)
{
	struct buf b = compare_question(c, type);

	buf_u64(&b, groups);
	compare_ask(c, io, phase, &b);
}

void compare_ask_root(struct compare *c, struct proto_io *io, uint8_t type)
{
	ask_sums(c, io, type, COMPARE_ROOT, 0);
}

void compare_ask_groups(struct compare *c, struct proto_io *io, uint8_t type)
{
	assert(c->groups);
	ask_sums(c, io, type, COMPARE_GROUPS, c->groups);
}

void compare_end(struct compare *c)
{
	c->phase = COMPARE_IDLE;
	buf_fini(&c->question);
}

bool compare_again(struct compare *c, struct proto_io *io, uint64_t timeout_ns)
{
	if (c->phase == COMPARE_IDLE || c->storing || io->now(io) - c->asked_ns < timeout_ns)
		return false;
	if (c->tries++ >= COMPARE_TRIES)
		return true;
	c->asked_ns = io->now(io);
	io->send(io, c->peer, c->question.p, c->question.len);
	return false;
}

bool compare_expects(const struct compare *c, unsigned from, uint64_t step, unsigned phase)
{
	return c->phase == phase && c->peer == from && c->step == step && !c->storing;
}

static void add_sums(const struct merkle *m, unsigned group, struct buf *b)
{
	const uint64_t *sums = merkle_below(m, group);

	for (unsigned i = 0; i < MERKLE_WIDTH; i++)
		buf_u64(b, sums[i]);
}

void compare_sums(const struct merkle *m, uint64_t groups, struct buf *b)
{
	if (!groups)
		add_sums(m, MERKLE_ROOT, b);
	for (; groups; groups &= groups - 1)
		add_sums(m, (unsigned)__builtin_ctzll(groups), b);
}

static uint64_t differ(const struct merkle *m, unsigned group, struct cursor *sums)
{
	uint64_t theirs[MERKLE_WIDTH];

	for (unsigned i = 0; i < MERKLE_WIDTH; i++)
		theirs[i] = cursor_u64(sums);
	return merkle_differ(m, group, theirs);
}

bool compare_root(struct compare *c, const struct merkle *m, struct cursor *sums)
{
	c->groups = differ(m, MERKLE_ROOT, sums);
	return c->groups;
}

bool compare_groups(struct compare *c, const struct merkle *m, struct cursor *sums)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < MERKLE_WIDTH; i++) {
		c->leaves[i] = c->groups >> i & 1 ? differ(m, i, sums) : 0;
		any |= c->leaves[i];
	}
	return any;
}
