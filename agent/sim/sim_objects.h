/* SPDX-License-Identifier: MIT */
/*
 * sim_objects.h - sets and counters in a simulated run: what is asked of them, and what must hold
 *
 * Where a store has sets or counters of its own (it claims ADD, or INCREASE without APPEND), a
 * key's number says what it is. No order is claimed of what is done to them, so these hold in any:
 *
 *  1. What is listed was added, and nothing is listed twice.
 *  2. At the end an element is there of which an addition was acknowledged, if it was removed by
 *     nobody, or if that addition began when all removals of it had returned (added again).
 *  3. At the end an element is not there that was added once and of which a removal has said that
 *     it was there and is gone.
 *  4. A counter is between what was acknowledged, all that may have been below it, and all above.
 *  5. At the end all replicas list and count the same.
 *
 * 2 to 4 unless the store claims that it may lose what it has acknowledged of these operations.
 */
#ifndef SIM_SIM_OBJECTS_H
#define SIM_SIM_OBJECTS_H

#include "agent/sim/sim_script.h"

#define SIM_OBJECTS_MAX 64  /* keys */
#define SIM_AMOUNT_TEXT 24u /* an amount as text; more than a number as bytes */

enum sim_object { SIM_REGISTER, SIM_SET, SIM_COUNTER };

/* One request to a set or a counter. */
struct sim_object_ask {
	enum proto_op op;
	unsigned key;
	uint64_t element;
	int64_t amount;
	uint64_t asked_ns;
};

struct sim_objects;
struct sim_objects *sim_objects_open(
	struct sim *sim, const struct proto_claim *claim, const struct sim_script *script);
void sim_objects_close(struct sim_objects *o);

enum sim_object sim_objects_type(const struct sim_objects *o, unsigned key);

/* sim_objects_draw() - what action @number asks of its key, which is no register. */
struct sim_object_ask sim_objects_draw(struct sim_objects *o, size_t number);

/* sim_objects_asked() - it was given to a replica. */
void sim_objects_asked(struct sim_objects *o, struct sim_object_ask *ask);

/**
 * sim_objects_answered() - the answer; for one that never came, PROTO_UNCERTAIN
 * @pad:	a value that was written is a number and so many bytes
 * @node:	replica that has answered
 * @final:	a read of the end: all must be as it will stay
 */
void sim_objects_answered(struct sim_objects *o, const struct sim_object_ask *ask,
	const struct proto_reply *reply, uint32_t pad, unsigned node, bool final);

#endif
