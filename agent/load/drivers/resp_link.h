/* SPDX-License-Identifier: MIT */
/*
 * resp_link.h - one connection to a server that speaks RESP
 *
 *	CLOSED --open()--> CONNECTING --writable--> OPEN
 *	  ^---- refused, broken, hang_up() -----------'
 *
 * Nothing waits longer than its deadline, which is absolute, of CLOCK_MONOTONIC.
 */
#ifndef LOAD_DRIVERS_RESP_LINK_H
#define LOAD_DRIVERS_RESP_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/buf.h"

enum resp_link_state { RESP_LINK_CLOSED, RESP_LINK_CONNECTING, RESP_LINK_OPEN };

/**
 * struct resp_link - the connection
 * @wait_ns:	SO_RCVTIMEO of the socket: how long recv() may block
 * @in:		what was received; emptied by who has read it
 */
struct resp_link {
	struct sockaddr_in addr;
	enum resp_link_state state;
	int fd;
	uint64_t wait_ns;
	struct buf in;
};

/* resp_link_init() - to that server; connects nowhere yet. fini() also hangs up. */
void resp_link_init(struct resp_link *l, uint32_t addr_be, uint16_t port);
void resp_link_fini(struct resp_link *l);

/**
 * resp_link_open() - be connected; an attempt that is under way is waited for, not begun again
 * Return: false if there is no connection: refused (CLOSED), or not yet (CONNECTING).
 */
bool resp_link_open(struct resp_link *l, uint64_t deadline_ns);

/* resp_link_look() - nothing is outstanding: what can be read now is the connection's end or
 * garbage, and ends it. */
void resp_link_look(struct resp_link *l);

/* resp_link_send() - Return: whether anything was sent; then *@ret_all says whether all was. */
bool resp_link_send(
	struct resp_link *l, const void *p, size_t len, uint64_t deadline_ns, bool *ret_all);

/* resp_link_receive() - append to l->in what there is. Return: bytes, 0 at the end of the
 * connection, -EAGAIN at the deadline, or another negative errno. */
ssize_t resp_link_receive(struct resp_link *l, uint64_t deadline_ns);

void resp_link_hang_up(struct resp_link *l);

#endif
