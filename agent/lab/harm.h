/* SPDX-License-Identifier: MIT */
/* harm.h - what is wrong with the processes of a lab, in words */
#ifndef LAB_HARM_H
#define LAB_HARM_H

#include "agent/lab/supervisor.h"

/* harm_words() - "n3 down, n4 paused, clock of n2 500 ms ahead"; "" if nothing is. What does not
 * fit is counted: "... and 12 more". Return: @out. */
const char *harm_words(const struct supervisor *s, char *out, size_t size);

#endif
