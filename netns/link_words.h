/* SPDX-License-Identifier: MIT */
/*
 * link_words.h - the state of a link in words, as people write it and as it is printed
 *
 *	delay 20ms [jitter 2ms] [distribution NAME] [correlation 25%]
 *	loss 1% [correlation 25%] | loss ge P R [BAD [GOOD]] | loss state P13 [P31 [P32 [P23
 *[P14]]]] drop 17 | drop 3,17,20-29 | drop 100-1000/100	at most LINK_DROPS_MAX of them
 *	duplicate 1%   corrupt 0.1% [silent]   reorder 25%
 *	rate 10mbit [queue 64kb]   flap 200ms 100ms	up and down
 *
 * A fault that is named replaces what the link had of it (without "jitter" there is none); all
 * others stay. "loss none" removes one; "clean" removes all. Cuts are not said with these words.
 */
#ifndef NETNS_LINK_WORDS_H
#define NETNS_LINK_WORDS_H

#include "netns/link_state.h"

#define LINK_WORDS_MAX 48       /* words of one change */
#define LINK_WORDS_TEXT_MAX 512 /* of a state in words */

/**
 * link_words_parse() - change @state by @words
 * @state:	is not changed on failure
 *
 * Return: 0, or -EINVAL with the word, the reason and the range in @err (EXIT_USAGE). The result
 * has passed link_state_check().
 */
int link_words_parse(
	const char *const *word, unsigned words, struct link_state *state, struct err *err);

/* link_words_print() - "delay 20ms jitter 2ms loss 1%", "clean"; reads back to the same state.
 * Return: @out. */
const char *link_words_print(const struct link_state *state, char out[LINK_WORDS_TEXT_MAX]);

#endif
