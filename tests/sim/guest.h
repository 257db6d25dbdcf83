/* SPDX-License-Identifier: MIT */
/*
 * guest.h - one client that goes from replica to replica, and expects there what is claimed
 *
 * Where a store claims to be linearizable, or the session of a client to know what it has seen,
 * every replica shows at once what this client was told. Where less is claimed, the world runs
 * until it does, or GUEST_AGREE_NS have passed; and a write is waited for at all replicas, so that
 * nothing that comes later is concurrent with it.
 */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

#include "tests/sim/world.h"

#define GUEST_AGREE_NS (120 * NS_PER_S)

struct guest {
	struct world *w;
	struct proto_claim claim;
	struct token token;
};

/* guest_open() - in a world of its own, which has settled; world_close() ends it. */
struct guest guest_open(const struct sim_config *config);

/* guest_does() - whether the operation is claimed. */
bool guest_does(const struct guest *g, enum proto_op op);

/* guest_ask() - ask and wait, with the session's token. guest_change() - of the usual fields. */
struct world_asked *guest_ask(struct guest *g, unsigned node, struct world_ask what);
struct world_asked *guest_change(
	struct guest *g, unsigned node, enum proto_op op, const char *key, const char *value);

/* guest_set(), guest_del() - the write, until it is seen everywhere. */
enum proto_status guest_set(struct guest *g, unsigned node, const char *key, const char *value);
enum proto_status guest_del(struct guest *g, unsigned node, const char *key);

/* guest_reads() - assert that the replica reads @expected, or comes to; "" for no such key. */
void guest_reads(struct guest *g, unsigned node, const char *key, const char *expected);
void guest_all_read(struct guest *g, const char *key, const char *expected);

/* guest_later() - let some time pass. Return: false if what is looked for must be there now. */
bool guest_later(struct guest *g, uint64_t since_ns);

#endif
