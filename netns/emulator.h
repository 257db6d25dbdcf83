/* SPDX-License-Identifier: MIT */
/*
 * emulator.h - what makes a link slow: netem where the kernel has it, else our own wire process
 *
 * Both sides of the seam: the operations that an emulator must have, and what it may ask of the
 * fabric. Cuts are not its business, the matrix does them.
 */
#ifndef NETNS_EMULATOR_H
#define NETNS_EMULATOR_H

#include "netns/fabric.h"
#include "netns/matrix.h"
#include "netns/nlsock.h"

/**
 * struct emulator_host - what an emulator is given
 * @sw:		socket in the switch namespace
 * @switch_fd:	that namespace
 * @home_fd:	where the thread was and must be again
 * @node:	names, for messages to people
 */
struct emulator_host {
	struct nlsock *sw;
	int switch_fd;
	int home_fd;
	struct matrix *matrix;
	const struct fabric_node *node;
	unsigned nodes;
	uint64_t seed;
	int log_fd;
};

/**
 * struct emulator_ops - one emulator
 * @name:	as users write it
 * @matrix_bit:	rule with which slow links are marked in the matrix, 0 for none
 * @self_check_ns: how long every frame waits in it until @begin
 * @probe:	whether this kernel can do it, asked in the switch namespace while it has nothing
 *but lo; 0 or the errno of the kernel's refusal. Decided by errno, never by text.
 * @open:	before the ports exist; the thread is in the switch namespace and stays there
 * @start:	all links exist; the thread is at home
 * @begin:	the self-check is over: quality counts from here; may be NULL
 * @refuses: why this emulator on this kernel cannot do @state, in words for people with the cure,
 *		NULL if it can; the state has passed link_state_check()
 * @apply:	have the new values ready; the caller then flips the matrix. @next is the copy of
 *the matrix that is about to be in force. Return: 0 or a negative errno.
 * @applied:	the flip is done: bring the other copy up to date; may be NULL
 * @leaf:	the messages that make the leaf of one link what @delta->to says; @fresh: a new one.
 *For whoever has replaced a leaf; NULL where the emulator has none
 * @flush:	drop what is under way on these links: they were just cut, kind wire
 * @count:	fill the emulator's part of the counters of a link; may be NULL
 * @read_back:	what is in force on a link as the mechanism itself has it
 * @refresh:	fetch what read_back tells from, for all links into @dst; may be NULL
 * @quality:	add what is known; bias_ns is the caller's
 * @pid:	its process; may be NULL
 * @close:	stop; takes half-open ones
 */
struct emulator_ops {
	const char *name;
	uint32_t matrix_bit;
	uint64_t self_check_ns;
	int (*probe)(struct nlsock *sw, struct err *err);
	int (*open)(void **ret, const struct emulator_host *host, struct err *err);
	int (*start)(void *emulator, struct err *err);
	void (*begin)(void *emulator);
	const char *(*refuses)(void *emulator, const struct link_state *state);
	int (*apply)(void *emulator, const struct fabric_delta *delta, unsigned deltas,
		unsigned next, struct err *err);
	void (*applied)(
		void *emulator, const struct fabric_delta *delta, unsigned deltas, unsigned stale);
	void (*leaf)(
		void *emulator, struct nlbatch *b, const struct fabric_delta *delta, bool fresh);
	int (*flush)(
		void *emulator, const struct fabric_delta *delta, unsigned deltas, struct err *err);
	void (*count)(void *emulator, unsigned src, unsigned dst, struct fabric_counters *ret);
	int (*refresh)(void *emulator, unsigned dst, struct err *err);
	void (*read_back)(void *emulator, unsigned src, unsigned dst, struct link_state *ret);
	void (*quality)(void *emulator, struct fabric_quality *ret);
	pid_t (*pid)(void *emulator);
	void (*close)(void *emulator);
};

extern const struct emulator_ops netem_ops;
extern const struct emulator_ops wire_ops;

#define EMULATOR_TEXT_MAX 128

/**
 * emulator_choose() - by wish and by what the kernel answers
 * @ret_text:	EMULATOR_TEXT_MAX bytes: which one and why
 */
int emulator_choose(enum emulator_kind wish, struct nlsock *sw, const struct emulator_ops **ret,
	enum emulator_kind *ret_kind, char *ret_text, struct err *err);

#endif
