/* SPDX-License-Identifier: MIT */
/*
 * round.h - one request to a driver that speaks HTTP, and what a scripted server answers
 *
 * A request of the driver's client may be several of its own: each has the next answer.
 */
#ifndef TESTS_ROUND_H
#define TESTS_ROUND_H

#include "agent/load/drivers/driver.h"

#define ROUND_ANSWERS_MAX 3
#define ROUND_PATIENCE_NS (5 * NS_PER_S)

enum round_request { ROUND_READ, ROUND_WRITE, ROUND_CAS, ROUND_CREATE };

/**
 * struct round - read k7, write 42, replace 41 by 42, create it as 42
 * @driver:	its name, or "name setting=value ..."
 * @answer:	of status 0: none; then the connection ends
 * @last:	of the last request; NULL: not looked at
 */
struct round {
	const char *driver;
	enum round_request what;
	struct {
		unsigned status;
		const char *body;
	} answer[ROUND_ANSWERS_MAX];
	unsigned answers;
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
	const char *last;
};

/* round_dial() - @driver, as above, for one node on loopback, or the test is skipped. */
struct driver *round_dial(const char *driver, uint16_t port);

struct driver_result round_ask(struct driver *d, enum round_request what, uint64_t timeout_ns);

/* round_assert() - one of its own driver and server; as expected, or the test fails. */
void round_assert(const struct round *o);

#define ROUNDS_ASSERT(table) \
	for (size_t i = 0; i < sizeof(table) / sizeof *(table); i++) \
	round_assert(&(table)[i])

#endif
