/* SPDX-License-Identifier: MIT */
/* keeper_text.h - texts of a real database's node: words in braces, files, what INFO says */
#ifndef LAB_KEEPER_TEXT_H
#define LAB_KEEPER_TEXT_H

#include "agent/base/buf.h"
#include "agent/lab/real.h"
#include "agent/load/drivers/driver.h"

/* What the words in braces stand for; see real.h. */
struct keeper_words {
	const char *dir;
	const char *cluster;
	const char *leader;
	const char *name;
};

/* keeper_expand() - @text with these in it; other braces stay. Return: to be freed; not NULL. */
char *keeper_expand(const char *text, const struct keeper_words *words);

/* keeper_argv() - the arguments of a command likewise; keeper_argv_free() takes NULL. */
char **keeper_argv(char *const *argv, const struct keeper_words *words);
void keeper_argv_free(char **argv);

/* keeper_files() - write the files of @node, at the @first start also those that are for that only.
 * The data folder is the working directory. */
int keeper_files(const struct real_node *node, const struct keeper_words *words, bool first,
	struct err *err);

/**
 * keeper_info() - append the answer to INFO, a RESP2 string
 * @self:	number of the node
 * @memory:	bytes of all processes of the node
 */
void keeper_info(
	struct buf *out, const struct driver_status *status, unsigned self, uint64_t memory);

/* keeper_clock_print() - a skew as libfaketime reads it, "+1.500000000". */
#define KEEPER_CLOCK_MAX 32
const char *keeper_clock_print(int64_t skew_ns, char out[KEEPER_CLOCK_MAX]);

#endif
