/* SPDX-License-Identifier: MIT */
/*
 * poller.h - the supervisor's loop: one event of one descriptor at a time
 *
 * One event is taken per wait on purpose: its callback may remove any source, and none can be
 * left over in a list. The supervisor sees some hundred events a second.
 */
#ifndef LAB_POLLER_H
#define LAB_POLLER_H

#include <stdint.h>
#include <sys/epoll.h>

#include "agent/base/err.h"

/* Embedded in what waits; fd < 0: not in use. */
struct source {
	int fd;
	void (*ready)(struct source *source, uint32_t events);
};

struct poller {
	int fd;
};

int poller_init(struct poller *p, struct err *err);
void poller_fini(struct poller *p);

/* poller_add() - wait for EPOLL... @events on source->fd. Return: 0 or a negative errno. */
int poller_add(struct poller *p, struct source *source, uint32_t events);
void poller_change(struct poller *p, struct source *source, uint32_t events);

/* poller_close() - stop waiting and close the descriptor; takes an unused source. */
void poller_close(struct poller *p, struct source *source);

/* poller_turn() - wait until @deadline_ns for one event and run its callback. */
void poller_turn(struct poller *p, uint64_t deadline_ns);

#endif
