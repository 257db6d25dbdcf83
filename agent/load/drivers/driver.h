/* SPDX-License-Identifier: MIT */
/*
 * driver.h - the seam between a client of the load and the protocol that a store speaks
 *
 * A driver is one connection, opened when it is needed. It never retries: what it says is the
 * outcome of one request. The outcome is HISTORY_FAIL only if the request surely had no effect and
 * will have none: nothing was sent, it only read, or the store said so. A write that was sent and
 * not answered is HISTORY_UNKNOWN. After such an answer, and after bytes that are no answer, the
 * connection is closed, so that a late answer is never taken for another request's.
 */
#ifndef LOAD_DRIVER_H
#define LOAD_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/history/history.h"

/**
 * struct driver_result - what came of one request
 * @outcome:	HISTORY_OK, HISTORY_FAIL or HISTORY_UNKNOWN
 * @error:	why it is not OK; HISTORY_UNMET with HISTORY_OK for a CAS whose old value was
 *		not there
 * @value:	that was read, 0 if there is none
 * @found:	get(): there was one
 */
struct driver_result {
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	bool found;
};

struct driver {
	const struct driver_ops *ops;
};

/**
 * struct driver_target - the store that a driver talks to
 * @addr_be:	address of each of the @nodes replicas, valid as long as the driver is open
 * @port:	of each of them
 * @contact:	the one that is nearest: requests go to it, unless the store's rules want another
 * @settings:	what its system says to its clients, "reads=serializable ..."; "": nothing
 * @world:	the network of a simulation, else NULL
 */
struct driver_target {
	const uint32_t *addr_be;
	unsigned nodes;
	uint16_t port;
	unsigned contact;
	const char *settings;
	void *world;
};

#define DRIVER_ROLE_MAX 24

/**
 * struct driver_status - what one server says of itself
 * @ready:	it serves requests, and has all members that it was started with
 * @leads:	it takes itself for the one that orders writes
 * @leader:	index of the one that it takes for the leader; -1: it does not say, or has none
 * @term:	epoch, term or timeline of that; 0: there is none
 * @role:	in its own words, "leader", "replica"
 */
struct driver_status {
	bool ready;
	bool leads;
	int leader;
	uint64_t term;
	char role[DRIVER_ROLE_MAX];
};

/**
 * struct driver_ops - one protocol
 * @now:	the clock of all deadlines; NULL: CLOCK_MONOTONIC
 * @sleep:	until that clock shows @t_ns; NULL where @now is
 * @open:	a driver for the store at @target, which need not outlive the call but for what it
 *		points at; connects nowhere yet. Return: never NULL
 * @connect:	have a connection by @deadline_ns if possible, notice one that broke; for idle time
 * @read:	@deadline_ns is absolute; all that take @ret fill it completely
 * @get:	the value as text, whatever it is, in the place of what is in @ret_text
 * @put:	set it to text
 * @append:	make the text longer, all at once
 * @increase:	the number that it is, all at once
 * @add, @remove: one element to or from the set that it is
 * @members:	of that set, as decimals with a comma behind each, in any order
 * @values:	that stand side by side, likewise, what read() gives first; of texts that end with a
 *		comma, all of them one behind the other
 * @session:	from now on each request says what the session that @token (text) is of has seen,
 *		and each answer brings it up to date; NULL: requests are of no session. May be NULL
 *		itself: the protocol has no such thing
 * @level:	of each read and write from now on, by its name; NULL: the store's. May be NULL
 *		itself
 * @status:	ask the server target.contact, and only that one, what it is. Return: 0, or a
 *		negative errno if it did not say. May be NULL: it cannot be asked
 * @close:	also frees
 */
struct driver_ops {
	const char *name;
	uint64_t (*now)(const struct driver *d);
	void (*sleep)(struct driver *d, uint64_t t_ns);
	struct driver *(*open)(const struct driver_target *target);
	void (*connect)(struct driver *d, uint64_t deadline_ns);
	void (*read)(
		struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret);
	void (*write)(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
		struct driver_result *ret);
	void (*cas)(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
		uint64_t deadline_ns, struct driver_result *ret);
	void (*get)(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
		struct driver_result *ret);
	void (*put)(struct driver *d, uint64_t key, const struct buf *text, uint64_t deadline_ns,
		struct driver_result *ret);
	void (*append)(struct driver *d, uint64_t key, const struct buf *text, uint64_t deadline_ns,
		struct driver_result *ret);
	void (*increase)(struct driver *d, uint64_t key, int64_t by, uint64_t deadline_ns,
		struct driver_result *ret);
	void (*add)(struct driver *d, uint64_t key, uint64_t element, uint64_t deadline_ns,
		struct driver_result *ret);
	void (*remove)(struct driver *d, uint64_t key, uint64_t element, uint64_t deadline_ns,
		struct driver_result *ret);
	void (*members)(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
		struct driver_result *ret);
	void (*values)(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
		struct driver_result *ret);
	void (*session)(struct driver *d, struct buf *token);
	void (*level)(struct driver *d, const char *name);
	int (*status)(struct driver *d, uint64_t deadline_ns, struct driver_status *ret);
	void (*close)(struct driver *d);
};

extern const struct driver_ops resp_driver;

static inline uint64_t driver_now_ns(const struct driver *d)
{
	return d->ops->now ? d->ops->now(d) : clock_now_ns();
}

static inline void driver_sleep(struct driver *d, uint64_t t_ns)
{
	const struct timespec t = clock_timespec(t_ns);

	if (d->ops->sleep)
		d->ops->sleep(d, t_ns);
	else
		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

#endif
