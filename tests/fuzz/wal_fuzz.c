/* SPDX-License-Identifier: MIT */
/*
 * wal_fuzz.c - any bytes as a log: recovery refuses it untouched, or leaves a sound log
 *
 * The bytes follow a right file header, unless they begin with one byte of 0xff, which is dropped.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "store/proto.h"
#include "store/wal.h"
#include "tests/fuzz/fuzz.h"

/* Whoever wrote a record, no reader of people's lines may stumble over it. */
static void describe(const void *bytes, size_t len)
{
	for (unsigned i = 0; proto_list(i); i++) {
		struct buf text = {0};

		if (proto_list(i)->describe(bytes, len, &text) == 0)
			for (size_t k = 0; k < text.len; k++)
				assert(text.p[k] >= ' ' && text.p[k] < 0x7f);
		buf_fini(&text);
	}
}

static int restore(void *arg, const void *bytes, size_t len)
{
	uint32_t *sum = arg;

	*sum = crc32c(*sum, bytes, len);
	describe(bytes, len);
	*sum = crc32c(*sum, &len, sizeof len);
	return 0;
}

static int recover(int fd, struct wal_report *ret, uint32_t *ret_sum)
{
	struct wal_source source = {
		.fd = fd, .name = "fuzz", .kind = 1, .restore = restore, .arg = ret_sum};
	struct err err = {0};
	int result = wal_recover(&source, ret, &err);

	*ret_sum = result < 0 ? 0 : *ret_sum;
	assert(result == 0 || (result == -EBADMSG && strstr(err.text, "offset")));
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bare = size > 0 && data[0] == 0xff;
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct wal_report report, again;
	uint32_t sum = 0;
	uint32_t sum_again = 0;
	off_t before;

	assert(fd >= 0);
	describe(data, size); /* as one record, for which no checksum must be guessed */
	if (!bare && recover(fd, &report, &sum) < 0) /* makes the header */
		abort();
	assert(pwrite(fd, data + bare, size - bare, bare ? 0 : WAL_HEADER) ==
		(ssize_t)(size - bare));
	before = lseek(fd, 0, SEEK_END);
	sum = 0;
	if (recover(fd, &report, &sum) < 0) {
		assert(lseek(fd, 0, SEEK_END) == before);
	} else {
		assert((uint64_t)lseek(fd, 0, SEEK_END) == report.size);
		assert(report.end <= report.size);
		if (recover(fd, &again, &sum_again) < 0)
			abort();
		assert(again.torn_bytes == 0 && again.records == report.records);
		assert(again.end == report.end && sum_again == sum);
		assert(again.size == report.size);
	}
	close(fd);
	return 0;
}
