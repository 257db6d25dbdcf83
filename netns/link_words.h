/* SPDX-License-Identifier: MIT */
/*
 * link_words.h - the state of a link in words, as people write it and as it is printed
 *
 *	delay 20ms [jitter 2ms] [distribution NAME] [correlation 25%]
 *	loss 1% [correlation 25%] | loss ge P R [BAD [GOOD]] | loss state P13 [P31 [P32 [P23
 *[P14]]]] drop 17 | drop 3,17,20-29 | drop 100-1000/100 | drop 100-/100 duplicate 1%   corrupt 0.1%
 *[silent]   reorder 25% rate 10mbit [queue 64kb]   flap 200ms 100ms profile wan   clean
 *
 * A fault that is named replaces what the link had of it (a delay without "jitter" has none); all
 * others stay. "loss none" removes one; "clean" removes all, "profile" all but its own; both can
 * only come first. "jitter", "distribution" and "queue" may be named without what they belong to.
 * Cuts are not said with these words. link_words_list() is the same as data.
 */
#ifndef NETNS_LINK_WORDS_H
#define NETNS_LINK_WORDS_H

#include "netns/link_state.h"

#define LINK_WORDS_MAX 48       /* words of one change */
#define LINK_WORDS_TEXT_MAX 512 /* of a state in words, or of a change */

/* What a change can name, one bit each: 1u << LINK_DELAY ... */
enum link_field {
	LINK_DELAY,
	LINK_JITTER,
	LINK_DISTRIBUTION,
	LINK_CORRELATION,
	LINK_LOSS, /* with its own correlation */
	LINK_DROP,
	LINK_DUPLICATE,
	LINK_CORRUPT,
	LINK_REORDER,
	LINK_RATE,
	LINK_QUEUE,
	LINK_FLAP,
	LINK_FIELD_NR
};

/**
 * struct link_change - what a text of words does to a link
 * @named:	fields that the text gives a value, which may be nothing: "loss none"
 * @implied:	fields that go back to nothing because of others: "delay 20ms" ends the jitter
 * @to:		values of the fields in @named; zero in all others
 */
struct link_change {
	uint32_t named;
	uint32_t implied;
	struct link_state to;
};

/* link_change_read() - Return: 0, or -EINVAL with the word, the reason and the range (EXIT_USAGE).
 * Whether it is possible is known only of the state that results. */
int link_change_read(const char *text, struct link_change *ret, struct err *err);

/**
 * link_change_apply() - change @state, which must then pass link_words_check()
 * @keep:	fields that other changes at the same time have named: not set to nothing by this
 */
void link_change_apply(const struct link_change *change, uint32_t keep, struct link_state *state);

/* link_change_contradicts() - would one of the fields @named get another value than it has? */
bool link_change_contradicts(
	const struct link_change *change, uint32_t named, const struct link_state *state);

/* link_words_check() - link_state_check(), and that the words of @state fit together. */
int link_words_check(const struct link_state *state, struct err *err);

/**
 * link_words_parse() - read @text, apply, check
 * @state:	is not changed on failure
 */
int link_words_parse(const char *text, struct link_state *state, struct err *err);

/* link_words_print() - "delay 20ms jitter 2ms loss 1%", "clean"; reads back to the same state.
 * Return: @out. */
const char *link_words_print(const struct link_state *state, char out[LINK_WORDS_TEXT_MAX]);

/* link_field_print() - the value of one field, "1% correlation 25%", "" if it is nothing; a rate
 * with its queue. Return: @out. */
const char *link_field_print(
	enum link_field field, const struct link_state *state, char out[LINK_WORDS_TEXT_MAX]);

/* A word and its arguments, for help; a profile and its words. */
struct link_word {
	const char *name;
	const char *args;
	const char *what;
};

/* link_words_list(), link_profiles_list() - number @i, NULL after the last. */
const struct link_word *link_words_list(unsigned i);
const struct link_word *link_profiles_list(unsigned i);

#endif
