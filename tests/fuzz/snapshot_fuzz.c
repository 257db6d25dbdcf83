/* SPDX-License-Identifier: MIT */
/*
 * snapshot_fuzz.c - any bytes as a snapshot: it is whole, or refused with its place
 *
 * The bytes follow a right header, unless they begin with one byte of 0xff, which is dropped.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "store/snapshot.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	uint64_t records;
	uint64_t end;
};

static void each(void *arg, const struct wal_record *record)
{
	struct seen *seen = arg;

	assert(record->seq == seen->records + 1 && record->offset == seen->end);
	seen->records++;
	seen->end += record->whole;
	for (unsigned i = 0; proto_list(i); i++) {
		struct buf text = {0};

		(void)proto_list(i)->describe(record->bytes, record->len, &text);
		buf_fini(&text);
	}
}

static void put_header(int fd)
{
	struct buf b = {0};

	buf_add(&b, SNAPSHOT_MAGIC, 8);
	buf_u32(&b, SNAPSHOT_VERSION);
	buf_u32(&b, 1);
	buf_u64(&b, 7);
	buf_u32(&b, 0);
	buf_u32(&b, crc32c(0, b.p, b.len));
	assert(b.len == SNAPSHOT_HEADER && pwrite(fd, b.p, b.len, 0) == (ssize_t)b.len);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bare = size > 0 && data[0] == 0xff;
	struct seen seen = {.end = SNAPSHOT_HEADER};
	struct snapshot_report report;
	struct err err = {0};
	struct wal_file file = {.fd = memfd_create("snapshot", MFD_CLOEXEC),
		.name = "fuzz",
		.each = each,
		.arg = &seen};
	int ret;

	assert(file.fd >= 0);
	if (!bare)
		put_header(file.fd);
	assert(pwrite(file.fd, data + bare, size - bare, bare ? 0 : SNAPSHOT_HEADER) ==
		(ssize_t)(size - bare));
	ret = snapshot_walk(&file, &report, &err);
	assert(ret == 0 || (ret == -EBADMSG && strstr(err.text, "offset")));
	if (ret == 0)
		assert(report.records == seen.records && report.bytes > seen.end);
	close(file.fd);
	return 0;
}
