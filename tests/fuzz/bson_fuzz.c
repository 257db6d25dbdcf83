/* SPDX-License-Identifier: MIT */
/* bson_fuzz.c - documents of MongoDB: what was understood of one lies within its bytes */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/plugins/bson.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH_MAX 8

static void walk(struct cursor c, const uint8_t *p, size_t size, unsigned depth)
{
	const uint8_t *begin = c.p, *end = c.p + c.left;
	struct bson_field f;
	const char *name;

	if (c.bad)
		return;
	assert(begin >= p && end <= p + size);
	while (bson_next(&c, &name, &f)) {
		assert((const uint8_t *)name >= begin && (const uint8_t *)name < end);
		assert(memchr(name, '\0', (size_t)(end - (const uint8_t *)name)));
		assert(f.body.p >= begin && f.body.p + f.body.left <= end);
		(void)bson_number(f);
		(void)bson_text_is(&f, "v");
		if (bson_is_document(&f) && depth < DEPTH_MAX)
			walk(f.body, p, size, depth + 1);
	}
	assert(c.bad || c.left == 0);
	assert(bson_find(cursor_over(begin, 0), "ok").type == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p = malloc(size ? size : 1);
	struct cursor c;

	assert(p);
	if (size > 0)
		memcpy(p, data, size);
	c = cursor_over(p, size);
	walk(bson_take(&c), p, size, 0);
	free(p);
	return 0;
}
