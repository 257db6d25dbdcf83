/* SPDX-License-Identifier: MIT */
/*
 * datagrams.h - messages between replicas that wait for no other: UDP beside the connections
 *
 * On a connection a message that is delayed delays all that come behind it. Protocols bear
 * messages that are lost or overtake each other (proto.h, rule 2), so as a setting those that fit
 * one datagram go by themselves, from and to the ports on which replicas listen. Connections stay:
 * they tell who is there and that both sides agree. What comes from whom no connection is up with,
 * or from elsewhere than its address, is dropped and counted.
 */
#ifndef STORE_DATAGRAMS_H
#define STORE_DATAGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/loop.h"

/* Longest frame that is sent so: what fits an Ethernet frame without fragments. */
#define DATAGRAMS_BYTES_MAX 1400u

struct peers;

struct datagrams {
	struct peers *peers;
	int fd; /* -1: messages go by connections */
	struct loop_op readable;
	struct buf out;
};

/* datagrams_init() - @fd: a bound UDP socket that does not block, or -1. */
void datagrams_init(struct datagrams *d, struct peers *peers, int fd);
void datagrams_start(struct datagrams *d);

/* datagrams_fini() - after loop_close(). */
void datagrams_fini(struct datagrams *d);

/* datagrams_send() - Return: false if the message is for a connection: too long, or not wanted so.
 */
bool datagrams_send(struct datagrams *d, unsigned to, const void *bytes, size_t len);

#endif
