/* SPDX-License-Identifier: MIT */
/* edn.c - Clojure's extensible data notation, a form at a time, without a tree */
#include "agent/history/edn.h"

/* What ends a word: brackets, quotation marks, comments, space and the end. */
static const bool ends[256] = {['('] = true,
	[')'] = true,
	['['] = true,
	[']'] = true,
	['{'] = true,
	['}'] = true,
	['"'] = true,
	[';'] = true,
	[','] = true,
	[' '] = true,
	['\t'] = true,
	['\r'] = true,
	['\n'] = true,
	['\f'] = true,
	['\0'] = true};

static bool edn_ends(const struct text *t)
{
	return ends[(unsigned char)*t->p] || (t->json && *t->p == ':');
}

void edn_space(struct text *t)
{
	const char *p = t->p;

	for (;; p++) {
		if (*p == ' ' || *p == ',' || *p == '\n' || *p == '\r' || *p == '\t' || *p == '\f')
			continue;
		if (*p == ':' && t->json)
			continue;
		if (*p != ';')
			break;
		while (*p != '\n' && p < t->end)
			p++;
		if (p == t->end)
			break;
	}
	t->p = p;
}

static int edn_string(struct text *t, struct edn *ret)
{
	const char *from = t->p;

	ret->type = EDN_STRING;
	ret->p = ++t->p;
	while (*t->p != '\0' && *t->p != '"')
		t->p += *t->p == '\\' && t->p[1] != '\0' ? 2 : 1;
	if (*t->p == '\0' && t->p < t->end)
		return text_bad(t, "a zero byte in a string");
	if (*t->p == '\0') {
		t->p = from;
		return text_bad(t, "a string begins that does not end ('\"' was expected)");
	}
	ret->len = (size_t)(t->p++ - ret->p);
	return 0;
}

static void edn_word(struct text *t, struct edn *ret)
{
	const char *p = t->p;

	while (!ends[(unsigned char)*p] && !(*p == ':' && t->json))
		p++;
	t->p = p;
	ret->len = (size_t)(p - ret->p);
}

/* A number as it is usually written; any other spelling is an atom like others. */
static void edn_number(struct text *t, struct edn *ret)
{
	uint64_t max = UINT64_MAX;

	ret->negative = *t->p == '-';
	if (ret->negative) {
		max = 1ull << 63;
		t->p++;
	}
	ret->type = EDN_NUMBER;
	if (text_uint(t, max, &ret->number) != 0 || !edn_ends(t) ||
		(ret->negative && ret->number == 0))
		ret->type = EDN_OTHER;
	if (ret->negative)
		ret->number = -ret->number;
	edn_word(t, ret);
}

static int edn_bad(struct text *t)
{
	char here[16];

	return text_bad(t, "%s, a value was expected", text_here(t, here));
}

#define EDN_AGAIN 1  /* a form may follow */
#define EDN_TAGGED 2 /* a form must follow */

/* What begins with '#': a set (0), a form that was passed over, a tag. */
static int edn_dispatch(struct text *t, struct edn *ret)
{
	int r;

	if (t->p[1] == '{') {
		ret->p = t->p;
		t->p += 2;
		ret->type = EDN_SET;
		ret->close = '}';
		return 0;
	}
	if (t->p[1] == '_') {
		t->p += 2;
		if (++t->depth > EDN_DEPTH_MAX)
			return text_bad(t, "more than %d forms inside each other", EDN_DEPTH_MAX);
		r = edn_skip(t);
		t->depth--;
		return r ? r : EDN_AGAIN;
	}
	t->p++;
	if (edn_ends(t))
		return edn_bad(t);
	edn_word(t, ret);
	return EDN_TAGGED;
}

static int edn_open(struct text *t, struct edn *ret, enum edn_type type, char close)
{
	t->p++;
	ret->type = type;
	ret->close = close;
	return 0;
}

static void edn_name(struct text *t, struct edn *ret)
{
	ret->keyword = *t->p == ':';
	ret->type = *t->p == '\\' ? EDN_OTHER : EDN_WORD;
	t->p += ret->keyword;
	ret->p = t->p;
	if (*t->p == '\\' && t->p[1] != '\0')
		t->p += 2; /* a character, which may be one that ends words */
	edn_word(t, ret);
	if (!ret->keyword && (edn_is(ret, "nil") || edn_is(ret, "null")))
		ret->type = EDN_NIL;
}

int edn_next(struct text *t, struct edn *ret)
{
	int before = 0;

	*ret = (struct edn){.type = EDN_END};
	for (edn_space(t); *t->p == '#'; edn_space(t)) {
		before = edn_dispatch(t, ret);
		if (before <= 0)
			return before;
	}
	ret->p = t->p;
	ret->len = 0;
	switch (*t->p) {
	case '"':
		return edn_string(t, ret);
	case '[':
		return edn_open(t, ret, EDN_LIST, ']');
	case '(':
		return edn_open(t, ret, EDN_LIST, ')');
	case '{':
		return edn_open(t, ret, EDN_MAP, '}');
	case ']':
	case ')':
	case '}':
		return before == EDN_TAGGED ? edn_bad(t) : 0;
	case '\0':
		return t->p < t->end || before == EDN_TAGGED ? edn_bad(t) : 0;
	default:
		break;
	}
	if ((*t->p >= '0' && *t->p <= '9') || (*t->p == '-' && t->p[1] >= '0' && t->p[1] <= '9'))
		edn_number(t, ret);
	else
		edn_name(t, ret);
	return 0;
}

int edn_item(struct text *t, char close, struct edn *ret)
{
	char here[16];
	int r = edn_next(t, ret);

	if (r)
		return r;
	if (ret->type != EDN_END)
		return 1;
	if (*t->p != close)
		return text_bad(t, "%s, '%c' was expected", text_here(t, here), close);
	t->p++;
	return 0;
}

int edn_rest(struct text *t, const struct edn *form)
{
	char close[EDN_DEPTH_MAX];
	unsigned depth = 0;
	struct edn item = *form;
	int r;

	if (item.type == EDN_END)
		return edn_bad(t);
	for (;;) {
		if (item.close) {
			if (depth == EDN_DEPTH_MAX)
				return text_bad(
					t, "more than %d lists inside each other", EDN_DEPTH_MAX);
			close[depth++] = item.close;
		}
		r = 0;
		while (depth > 0 && (r = edn_item(t, close[depth - 1], &item)) == 0)
			depth--;
		if (r < 0 || depth == 0)
			return r < 0 ? r : 0;
	}
}

int edn_skip(struct text *t)
{
	struct edn form;
	int r = edn_next(t, &form);

	return r ? r : edn_rest(t, &form);
}
