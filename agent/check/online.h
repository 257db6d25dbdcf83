/* SPDX-License-Identifier: MIT */
/* online.h - linearizability of registers with unique values, while the history grows */
#ifndef CHECK_ONLINE_H
#define CHECK_ONLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/history/history.h"

struct online;

/**
 * online_open() - nothing has happened yet; never NULL
 * @margin_ns:	a record may be added so much later than its time says
 */
struct online *online_open(uint64_t margin_ns);
void online_close(struct online *o);

/**
 * online_feed() - the next record of the history
 * Invocations come before what they cause; between records that do not cause each other the order
 * may differ from that of their times by the margin.
 *
 * Return: whether the history up to here cannot be linearizable. The key of the operation is then
 * not looked at any more. Unmet compare-and-set constrain nothing here; everything else that
 * linearizable_ops finds in a history of unique values is found as soon as it shows.
 */
bool online_feed(struct online *o, const struct history_record *r);

/* online_values() - that are kept, of all keys: what the memory that is needed grows with. */
size_t online_values(const struct online *o);

/* online_bytes() - of memory that is kept. */
size_t online_bytes(const struct online *o);

#endif
