/* SPDX-License-Identifier: MIT */
/*
 * edn.h - Clojure's extensible data notation, a form at a time, without a tree
 *
 * https://github.com/edn-format/edn. With text.json set it reads JSON, too: a colon is space, and
 * strings stand where keywords would. null is nil in both.
 */
#ifndef HISTORY_EDN_H
#define HISTORY_EDN_H

#include "agent/history/text.h"

#define EDN_DEPTH_MAX 32

enum edn_type {
	EDN_NIL,
	EDN_WORD, /* a keyword, a symbol, true or false */
	EDN_STRING,
	EDN_NUMBER, /* a plain whole number of 64 bits */
	EDN_OTHER,  /* any other atom */
	EDN_LIST,   /* '[' or '(' was read */
	EDN_SET,    /* '#{' was read */
	EDN_MAP,    /* '{' was read */
	EDN_END     /* a closing bracket or the end of the file comes next */
};

struct edn {
	enum edn_type type;
	const char *p; /* as it is written, without colon or quotation marks */
	size_t len;
	uint64_t number; /* in two's complement if negative */
	bool negative;
	bool keyword; /* a colon stands before p */
	char close;   /* of a list, set or map */
};

/* edn_space() - pass over space and comments. */
void edn_space(struct text *t);

/* edn_next() - the next atom, or the opening of the next list, set or map. Tags are passed over.
 * Return: 0 or -EBADMSG. */
int edn_next(struct text *t, struct edn *ret);

/* edn_item() - the next of a list that is closed by @close. Return: 1, 0 after the last (which is
 * closed then), or -EBADMSG. */
int edn_item(struct text *t, char close, struct edn *ret);

/* edn_rest() - pass over what is left of @form, which was read. edn_skip() - pass over a form. */
int edn_rest(struct text *t, const struct edn *form);
int edn_skip(struct text *t);

/* edn_is() - whether an atom is a word or a string like @word. */
static inline bool edn_is(const struct edn *form, const char *word)
{
	size_t i = 0;

	if (form->type != EDN_WORD && form->type != EDN_STRING)
		return false;
	while (i < form->len && form->p[i] == word[i])
		i++;
	return i == form->len && word[i] == '\0';
}

#endif
