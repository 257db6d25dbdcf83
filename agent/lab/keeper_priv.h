/* SPDX-License-Identifier: MIT */
/*
 * keeper_priv.h - what the files of the keeper share
 *
 *	prepare --all succeeded--> after --all succeeded--> up <--> order (promote, follow)
 *	   |                         |                       |
 *	   +-------- a command failed, or one of run ended --+--> end: all are killed
 *
 * While an order is carried out one of run may end; it is started again when the order has ended.
 */
#ifndef LAB_KEEPER_PRIV_H
#define LAB_KEEPER_PRIV_H

#include "agent/lab/keeper.h"
#include "agent/lab/keeper_process.h"
#include "agent/lab/keeper_status.h"
#include "agent/lab/keeper_text.h"

#define KEEPER_CLIENTS_MAX 8
#define KEEPER_LINE_MAX 256
#define KEEPER_WHY_MAX 1200
#define KEEPER_CLOCK_FILE ".pacelab-clock" /* below the data folder; libfaketime reads it */

enum keeper_wait { WAIT_NOTHING, WAIT_CLOCK, WAIT_ORDER };

struct keeper_client {
	int fd; /* -1: free */
	enum keeper_wait wait;
	size_t len;
	char line[KEEPER_LINE_MAX];
};

/* Commands, one after the other. */
struct keeper_job {
	const char *what;
	const struct real_commands *list; /* NULL: nothing to do */
	unsigned at;
	uint64_t retry_end_ns; /* of the command at hand */
	uint64_t end_ns;       /* of all; UINT64_MAX: they may take what they need */
	uint64_t again_ns;     /* when it is started (again) */
	uint64_t begin_ns;     /* it was started (again) then */
	bool ended;            /* it has, and nobody has looked */
	bool hung;             /* there was no more time for it, so it was killed */
	struct keeper_process process;
};

enum keeper_state { KEEPER_PREPARE, KEEPER_AFTER, KEEPER_UP };

struct keeper {
	const struct keeper_task *task;
	const struct real_node *node;
	struct keeper_words words;
	enum keeper_state state;
	struct keeper_process run[REAL_COMMANDS_MAX];
	struct keeper_job job;
	struct keeper_process clock; /* tells the time as the database sees it */
	struct keeper_status *status;
	struct keeper_client client[KEEPER_CLIENTS_MAX];
	char leader[16]; /* of the order at hand: address and name */
	char leader_name[FABRIC_NAME_MAX];
	uint64_t memory; /* of all processes */
	uint64_t memory_due_ns;
	int signal_fd;
	bool asked;               /* to end */
	char why[KEEPER_WHY_MAX]; /* it ends; "" while it does not */
};

/* keeper_order() - begin promote, or follow if @leader is an address. Return: NULL, or why not. */
const char *keeper_order(struct keeper *k, const char *leader, const char *name);

/* keeper_ready() - the database answers, and all commands were carried out. */
bool keeper_ready(const struct keeper *k, const struct driver_status *status);

/* keeper_clock_set() - from now on. Return: 0 or a negative errno. */
int keeper_clock_set(int64_t skew_ns);

/* keeper_admin_accept() - a new client. keeper_admin_hear() - what one asks. */
void keeper_admin_accept(struct keeper *k);
void keeper_admin_hear(struct keeper *k, struct keeper_client *c);

/* keeper_admin_tell() - answer all that wait for @what with one line, "+OK". */
void keeper_admin_tell(struct keeper *k, enum keeper_wait what, const char *line);

/* keeper_memory() - bytes of all processes of the node but its first and this one; what they share
 * counts once. */
uint64_t keeper_memory(void);

#endif
