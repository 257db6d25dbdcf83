/* SPDX-License-Identifier: MIT */
/*
 * wal_fuzz.c - any bytes as a log: recovery refuses it untouched, or leaves a sound log
 *
 * The bytes follow a right header of the first segment, unless they begin with one byte of 0xff,
 * which is dropped. After 0xfe and a length of 16 bits come so many bytes behind the header of the
 * first segment, and the rest is the second one.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "store/proto.h"
#include "store/wal.h"
#include "tests/fuzz/fuzz.h"

static int dir = -1;
static char folder[64];

static void clear(void)
{
	static const char *const names[] = {WAL_FILE, WAL_FILE ".1"};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		(void)unlinkat(dir, names[i], 0);
}

static void finish(void)
{
	clear();
	(void)rmdir(folder);
}

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

static int recover(struct wal_report *ret, uint32_t *ret_sum)
{
	struct wal_source source = {
		.dir = dir, .name = "fuzz", .kind = 1, .restore = restore, .arg = ret_sum};
	struct err err = {0};
	int result = wal_recover(&source, ret, &err);

	*ret_sum = result < 0 ? 0 : *ret_sum;
	assert(result == 0 || (result == -EBADMSG && strstr(err.text, "offset")));
	return result;
}

static void begin(void)
{
	char path[] = "/dev/shm/pacelab-wal-fuzz.XXXXXX";

	if (dir >= 0)
		return;
	if (!mkdtemp(path))
		abort();
	dir = open(path, O_RDONLY | O_DIRECTORY);
	(void)snprintf(folder, sizeof folder, "%s", path);
	(void)atexit(finish);
}

/* A segment with, or without, the header that it should have. */
static void put_segment(const char *name, const uint8_t *header, const uint8_t *p, size_t n)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	size_t len = header ? WAL_HEADER : 0;

	assert(fd >= 0);
	assert(!header || pwrite(fd, header, len, 0) == (ssize_t)len);
	assert(pwrite(fd, p, n, (off_t)len) == (ssize_t)n);
	close(fd);
}

static off_t size_of(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) < 0 ? -1 : st.st_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bare = size > 0 && data[0] == 0xff;
	size_t split = size > 3 && data[0] == 0xfe ? 3u + data[1] + 256u * data[2] : 0;
	uint8_t header[WAL_HEADER];
	struct wal_report report, again;
	uint32_t sum = 0;
	uint32_t sum_again = 0;
	char name[WAL_NAME_MAX];
	off_t before;

	begin();
	describe(data, size); /* as one record, for which no checksum must be guessed */
	clear();
	wal_segment_header(1, 1, WAL_SEALS, header);
	if (split > 0 && split < size) {
		put_segment(WAL_FILE, header, data + 3, split - 3);
		put_segment(WAL_FILE ".1", NULL, data + split, size - split);
	} else {
		put_segment(WAL_FILE, bare ? NULL : header, data + bare, size - bare);
	}
	before = size_of(WAL_FILE);
	if (recover(&report, &sum) < 0) {
		assert(size_of(WAL_FILE) == before);
		return 0;
	}
	wal_name(report.segment, name);
	assert((uint64_t)size_of(name) == report.size && report.end <= report.size);
	if (recover(&again, &sum_again) < 0)
		abort();
	assert(again.torn_bytes == 0 && again.records == report.records);
	assert(again.end == report.end && sum_again == sum && again.segment == report.segment);
	assert(again.size == report.size);
	wal_report_fini(&report);
	wal_report_fini(&again);
	return 0;
}
