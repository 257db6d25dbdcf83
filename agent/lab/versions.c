/* SPDX-License-Identifier: MIT */
/* versions.c - which version of each key a replica has, and whether that is enough */
#include "agent/lab/versions.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lab/admin.h"

static const char *key_of(const struct versions *v, size_t i)
{
	return (const char *)v->text.p + v->v[i].key;
}

static int by_key(const void *a, const void *b, void *text)
{
	const struct version *x = a;
	const struct version *y = b;

	return strcmp((const char *)text + x->key, (const char *)text + y->key);
}

static void add(struct versions *v, const char *key, size_t len, uint64_t version)
{
	v->v[v->n++] = (struct version){.key = v->text.len, .version = version};
	buf_add(&v->text, key, len);
	buf_u8(&v->text, 0);
}

static void room_for(struct versions *v, size_t n)
{
	v->v = reallocarray(v->v, n ? n : 1, sizeof *v->v);
	if (!v->v)
		abort(); /* some kilobytes: there is nothing left to run with */
}

/* Digits and nothing else. Return: false if it is something else, or too large. */
static bool number_parse(const char *text, size_t len, uint64_t *ret)
{
	uint64_t number = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return false;
	}
	*ret = number;
	return len > 0;
}

/* A replica has a key once. */
static bool sorted(const struct versions *v)
{
	for (size_t i = 1; i < v->n; i++) {
		if (strcmp(key_of(v, i - 1), key_of(v, i)) >= 0)
			return false;
	}
	return true;
}

/* Keys and numbers in turn, to the end of the answer. */
static bool pairs_read(struct versions *v, size_t pairs, const char *answer, size_t len)
{
	while (v->n < pairs) {
		size_t key_len = 0;
		size_t number_len = 0;
		const char *key = admin_text(&answer, &len, &key_len);
		const char *number = admin_text(&answer, &len, &number_len);
		uint64_t version;

		if (!key || !number || memchr(key, '\0', key_len) ||
			!number_parse(number, number_len, &version))
			return false;
		add(v, key, key_len, version);
	}
	return len == 0;
}

int versions_parse(struct versions *ret, const char *answer, size_t len)
{
	long n = admin_array(&answer, &len);

	*ret = (struct versions){.n = 0};
	if (n < 0 || n % 2)
		return -EBADMSG;
	room_for(ret, (size_t)n / 2);
	if (pairs_read(ret, (size_t)n / 2, answer, len)) {
		if (ret->n)
			qsort_r(ret->v, ret->n, sizeof *ret->v, by_key, ret->text.p);
		if (sorted(ret))
			return 0;
	}
	versions_fini(ret);
	return -EBADMSG;
}

void versions_raise(struct versions *v, const struct versions *by)
{
	struct versions sum = {.n = 0};
	size_t i = 0;
	size_t j = 0;

	room_for(&sum, v->n + by->n);
	while (i < v->n || j < by->n) {
		int order = i == v->n ? 1 : j == by->n ? -1 : strcmp(key_of(v, i), key_of(by, j));
		const char *key = order <= 0 ? key_of(v, i) : key_of(by, j);
		uint64_t version = 0;

		if (order <= 0)
			version = v->v[i++].version;
		if (order >= 0 && by->v[j].version > version)
			version = by->v[j].version;
		j += order >= 0;
		add(&sum, key, strlen(key), version);
	}
	versions_fini(v);
	*v = sum;
}

bool versions_cover(const struct versions *v, const struct versions *want)
{
	size_t i = 0;

	for (size_t j = 0; j < want->n; j++) {
		while (i < v->n && strcmp(key_of(v, i), key_of(want, j)) < 0)
			i++;
		if (i == v->n || strcmp(key_of(v, i), key_of(want, j)) != 0 ||
			v->v[i].version < want->v[j].version)
			return false;
	}
	return true;
}

void versions_fini(struct versions *v)
{
	buf_fini(&v->text);
	free(v->v);
	*v = (struct versions){.n = 0};
}
