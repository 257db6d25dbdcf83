/* SPDX-License-Identifier: MIT */
/* script_words.h - the words of lab scripts, internal to the script */
#ifndef LAB_SCRIPT_WORDS_H
#define LAB_SCRIPT_WORDS_H

#include "agent/lab/script_args.h"

/* Name of the type that faults have in Lua. */
#define WORDS_FAULT_TYPE "pacelab.fault"

/* word_distribution() - in script_dist.c; word_expect(), word_stores() - in script_expect.c. */
int word_distribution(lua_State *L);
int word_expect(lua_State *L);
int word_stores(lua_State *L);

/* words_faults_list() - those that make faults; in script_faults.c. */
const struct word *words_faults_list(unsigned i);

/* words_list() - number @i, NULL after the last. */
const struct word *words_list(unsigned i);

#endif
