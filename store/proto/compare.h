/* SPDX-License-Identifier: MIT */
/*
 * compare.h - a comparison of all keys with another replica: one question at a time, sums first
 *
 *   root --groups differ--> groups --leaves differ--> what the protocol asks of them --> over
 *     \-> over                \-> over
 *
 * A question has a number; an answer with another one is late or a duplicate and is ignored. One
 * that is lost is asked again, COMPARE_TRIES times in all. What was fetched must be on disk before
 * the next one. Sums are those of merkle.h, as they are at the moment: writes may go on meanwhile.
 */
#ifndef PROTO_COMPARE_H
#define PROTO_COMPARE_H

#include "agent/base/buf.h"
#include "store/proto.h"
#include "store/proto/merkle.h"

#define COMPARE_TRIES 3u

/* What has been asked; a protocol's own phases follow. */
enum compare_phase { COMPARE_IDLE, COMPARE_ROOT, COMPARE_GROUPS, COMPARE_PHASE_NR };

struct compare {
	unsigned phase;
	unsigned peer;
	uint64_t step;       /* number of the open question */
	struct buf question; /* to be asked again */
	uint64_t asked_ns;
	unsigned tries;
	uint64_t groups;               /* that differ */
	uint64_t leaves[MERKLE_WIDTH]; /* of each that differ */
	uint64_t storing;              /* fetched, on their way to the disk */
};

/* compare_question() - the beginning of the next one: a message of @type. */
struct buf compare_question(struct compare *c, uint8_t type);

/* compare_ask() - ask @question, which is taken. */
void compare_ask(struct compare *c, struct proto_io *io, unsigned phase, struct buf *question);

/* compare_ask_root() - begin: for the sums of all. compare_ask_groups() - for those that differ. */
void compare_ask_root(struct compare *c, struct proto_io *io, uint8_t type);
void compare_ask_groups(struct compare *c, struct proto_io *io, uint8_t type);

/* compare_end() - for whatever reason; nothing is open then. */
void compare_end(struct compare *c);

/* compare_again() - ask again, if no answer came for @timeout_ns. Return: whether that was done
 * often enough. */
bool compare_again(struct compare *c, struct proto_io *io, uint64_t timeout_ns);

/* compare_expects() - whether that is the answer to the open question. */
bool compare_expects(const struct compare *c, unsigned from, uint64_t step, unsigned phase);

/* compare_sums() - what is below each of @groups, or of none: below the root. */
void compare_sums(const struct merkle *m, uint64_t groups, struct buf *b);

/* compare_root(), compare_groups() - the answers: where do they differ? Return: anywhere. */
bool compare_root(struct compare *c, const struct merkle *m, struct cursor *sums);
bool compare_groups(struct compare *c, const struct merkle *m, struct cursor *sums);

#endif
