/* SPDX-License-Identifier: MIT */
/* admin_fuzz.c - any bytes as a replica's answer: measured the same whole, cut and element by
 * element; what is read of it lies in it */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "agent/lab/admin.h"
#include "agent/lab/versions.h"
#include "tests/fuzz/fuzz.h"

/* What is not all there in the first half is not garbage, nor is what was whole a moment ago. */
static void skip_split(const char *p, size_t size, long whole)
{
	long half = resp_skip(p, size / 2);

	assert(whole == -EBADMSG || (whole >= 0 && (size_t)whole <= size));
	if (half > 0 || half == -EBADMSG)
		assert(half == whole);
	if (whole > 0) {
		assert(resp_skip(p, (size_t)whole) == whole);
		assert(resp_skip(p, (size_t)whole - 1) == 0);
	}
}

/* An array of which every element is text is as long as its elements. */
static void elements_read(const char *p, size_t size, long whole)
{
	const char *at = p;
	size_t left = size;
	long n = admin_array(&at, &left);

	assert(n == -EBADMSG || (n >= 0 && (size_t)n <= size));
	for (long i = 0; i < n; i++) {
		size_t len = 0;
		const char *text = admin_text(&at, &left, &len);

		assert(at + left == p + size);
		if (!text)
			return;
		assert(text > p && text + len + 2 <= at);
	}
	if (n >= 0)
		assert(whole == at - p);
}

static void versions_read(const char *p, size_t size, long whole)
{
	struct versions twice = {.n = 0};
	struct versions v;

	if (versions_parse(&v, p, size) < 0) {
		assert(v.n == 0 && !v.v);
		return;
	}
	assert((size_t)whole == size);
	for (size_t i = 1; i < v.n; i++)
		assert(strcmp((const char *)v.text.p + v.v[i - 1].key,
			       (const char *)v.text.p + v.v[i].key) < 0);
	versions_raise(&twice, &v);
	versions_raise(&twice, &v);
	assert(twice.n == v.n && versions_cover(&twice, &v) && versions_cover(&v, &twice));
	versions_fini(&twice);
	versions_fini(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	long whole = resp_skip(p, size);

	skip_split(p, size, whole);
	elements_read(p, size, whole);
	versions_read(p, size, whole);
	return 0;
}
