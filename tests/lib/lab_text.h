/* SPDX-License-Identifier: MIT */
/* lab_text.h - labs as texts, for tests of the plan: a group's set-up is lab_text_enter() */
#ifndef TESTS_LAB_TEXT_H
#define TESTS_LAB_TEXT_H

#include "agent/lab/plan.h"

#define HEAD "lab 'x'\nsite('east', {'n1', 'n2'})\nsite('far', {'n3'})\nstore 'raft'\n"
#define HEAD_LINES 4

/* The lab of the README, shorter. */
extern const char cap[];

/* load_with() - Labs are files: write @text to one, with a short name in errors. */
int load_with(
	const char *text, const struct plan_options *options, struct plan **ret, struct err *err);

struct plan *must_load(const char *text, const struct plan_options *options);

struct bad {
	const char *text;
	const char *message; /* how the error begins */
};

/* assert_bad() - each is refused with its message. */
void assert_bad(const struct bad *bad, size_t count);

#define ASSERT_BAD(list) assert_bad(list, sizeof(list) / sizeof *(list))

/* Set up and tear down of a group: a folder of its own for these files. */
int lab_text_enter(void **state);
int lab_text_leave(void **state);

#endif
