/* SPDX-License-Identifier: MIT */
/*
 * junit.h - runs as JUnit XML, which services for continuous integration read
 *
 * A run is a test suite. What the store or the lab promised is a test each: not kept is a failure,
 * with the witness, and not judged is skipped. What a measurement rests on is a test each, too: the
 * evidence of every fault, a machine that was fast enough, a conclusion at all. Without it the test
 * is an error: nothing is known of the store then.
 */
#ifndef REPORT_JUNIT_H
#define REPORT_JUNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct json_t; /* of jansson */

/**
 * struct junit_suite - one run
 * @results:	its results.json; NULL: there is none, and @why says why
 */
struct junit_suite {
	const char *lab;
	const char *store;
	bool several; /* it is one of several of the store: its seed is part of its name */
	const struct json_t *results;
	const char *why;
};

/* junit_print() - @host and @when: where and until when they ran. */
void junit_print(
	const struct junit_suite *suite, unsigned n, const char *host, time_t when, FILE *out);

#endif
