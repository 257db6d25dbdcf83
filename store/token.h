/* SPDX-License-Identifier: MIT */
/*
 * token.h - what a session has seen and done, carried by its client from replica to replica
 *
 * A token is a list of numbers, each of which only grows: one per replica (a vector clock, causal)
 * or a single one (a place in a total order, zab). So two tokens of one session are joined by
 * taking the greater of each number. Clients are shown it as decimal numbers with commas between
 * them, "0,17,4"; the empty one is "-".
 */
#ifndef STORE_TOKEN_H
#define STORE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct proto_bytes;

/* Numbers in one; protocols with a number per replica run on no more replicas than that. */
#define TOKEN_MAX 128u
/* As text. */
#define TOKEN_TEXT_MAX (21u * TOKEN_MAX)

struct token {
	uint32_t n;
	uint64_t at[TOKEN_MAX];
};

/* token_join() - make @t the greater of both, number by number. */
void token_join(struct token *t, const struct token *other);

/* token_print() - append as text. token_parse() - the other way. Return: 0, or -EBADMSG. */
void token_print(struct buf *out, const struct token *t);
int token_parse(struct proto_bytes text, struct token *ret);

#endif
