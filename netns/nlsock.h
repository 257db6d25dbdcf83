/* SPDX-License-Identifier: MIT */
/*
 * nlsock.h - rtnetlink: many messages in one sendmsg, one answer, errors with the kernel's words
 *
 * A batch is filled with messages and sent whole. Only its last message asks for an answer; the
 * kernel reports every message that fails without being asked. A batch is not atomic: the kernel
 * carries the messages out one after the other, and one that fails does not stop the rest.
 */
#ifndef NETNS_NLSOCK_H
#define NETNS_NLSOCK_H

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/err.h"

/* Room for one message while it is built; the largest is a netem leaf with a table of 8 KiB. */
#define NLBATCH_MESSAGE_MAX 10240

struct nlbatch {
	struct buf bytes;
	unsigned messages;
};

/**
 * nlbatch_begin() - start a message; attributes follow with mnl_attr_put_*()
 * @type:	RTM_*
 * @flags:	NLM_F_*; NLM_F_REQUEST is added
 *
 * Return: its header, valid until the next nlbatch_begin().
 */
struct nlmsghdr *nlbatch_begin(struct nlbatch *b, uint16_t type, uint16_t flags);

/* nlbatch_end() - the message is complete. */
void nlbatch_end(struct nlbatch *b, const struct nlmsghdr *nlh);

/* nlbatch_add() - append a copy of a message that was built elsewhere, by libnl for example. */
void nlbatch_add(struct nlbatch *b, const struct nlmsghdr *nlh);

void nlbatch_clear(struct nlbatch *b);
void nlbatch_fini(struct nlbatch *b);

/* What the first message was about that the kernel refused. */
struct nlsock_refusal {
	int ifindex; /* 0: none was refused, or it was about no interface */
	uint32_t parent;
	uint32_t handle; /* of tc messages */
};

/* A netlink socket acts in the namespace in which its thread was when it was opened, for ever. */
struct nlsock {
	int fd; /* 0: closed, an all-zero struct is valid */
	uint32_t seq;
	struct nlsock_refusal refusal; /* the caller clears it */
};

int nlsock_open(struct nlsock *s, struct err *err);
void nlsock_close(struct nlsock *s);

/**
 * nlsock_send() - have the kernel carry out all messages of @b, which stays as it is
 * A message that fails does not keep those after it from being carried out.
 *
 * Return: 0 or the first failure; @err then says which message it was and what the kernel said.
 */
int nlsock_send(struct nlsock *s, struct nlbatch *b, struct err *err);

/* nlsock_dump() - send the one message of @b, a NLM_F_DUMP or a get; @each sees every answer. */
int nlsock_dump(struct nlsock *s, struct nlbatch *b,
	void (*each)(const struct nlmsghdr *nlh, void *ctx), void *ctx, struct err *err);

/* The attributes of a message after @header bytes; libmnl's own loop does not compile silently. */
#define nlsock_for_each(attr, nlh, header) \
	for ((attr) = mnl_nlmsg_get_payload_offset(nlh, header); mnl_attr_ok((attr), \
		     (int)((const char *)mnl_nlmsg_get_payload_tail(nlh) - (const char *)(attr))); \
		(attr) = mnl_attr_next(attr))

#endif
