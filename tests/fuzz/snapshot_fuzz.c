/* SPDX-License-Identifier: MIT */
/*
 * snapshot_fuzz.c - any bytes as a snapshot: it is whole, or refused with its place
 *
 * The bytes follow a right header, unless they begin with one byte of 0xff, which is dropped. After
 * 0xfe come records, each behind a length of 16 bits: they are put into a snapshot that is whole.
 * What is read goes to each protocol as after a start: it knows it, or says that it does not.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "store/snapshot.h"
#include "store/table.h"
#include "tests/fuzz/fuzz.h"

#define PROTOCOLS_MAX 32u

struct seen {
	uint64_t records;
	uint64_t end;
	struct table *table[PROTOCOLS_MAX];
	struct proto *proto[PROTOCOLS_MAX]; /* NULL: it has refused a record */
};

static uint64_t no_random(struct proto_io *io)
{
	(void)io;
	return 7;
}

static uint64_t no_time(struct proto_io *io)
{
	(void)io;
	return 1;
}

/* Records are read before anything is sent or written. */
static struct proto_io silent = {.now = no_time, .wall = no_time, .random = no_random};

static const struct proto_config config = {
	.nodes = 3,
	.read_level = PROTO_QUORUM,
	.write_level = PROTO_QUORUM,
	.request_timeout_ns = 1000000000,
	.election_min_ns = 300000000,
	.election_max_ns = 600000000,
	.heartbeat_ns = 50000000,
	.leader = 0,
};

static void begin(struct seen *seen)
{
	*seen = (struct seen){.end = SNAPSHOT_HEADER};
	for (unsigned i = 0; proto_list(i); i++) {
		assert(i < PROTOCOLS_MAX);
		seen->table[i] = table_open();
		seen->proto[i] = proto_open(proto_list(i), &config, &silent, seen->table[i]);
	}
}

static void end(struct seen *seen)
{
	for (unsigned i = 0; proto_list(i); i++) {
		proto_close(seen->proto[i]);
		table_close(seen->table[i]);
	}
}

static void restore(struct seen *seen, unsigned i, const struct wal_record *record)
{
	int rc;

	if (!seen->proto[i])
		return;
	rc = proto_list(i)->restore(seen->proto[i], record->bytes, record->len);
	assert(rc == 0 || rc == -EBADMSG);
	if (rc == 0)
		return;
	proto_close(seen->proto[i]);
	seen->proto[i] = NULL;
}

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
		restore(seen, i, record);
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

static uint32_t put_record(struct buf *b, uint64_t number, const void *p, size_t n, uint32_t sum)
{
	size_t at = b->len;

	buf_u32(b, (uint32_t)n);
	buf_u64(b, number);
	buf_u64(b, 0);
	buf_u32(b, crc32c(0, p, n));
	buf_u32(b, crc32c(0, b->p + at, WAL_RECORD_CHECKED));
	sum = crc32c(sum, b->p + at, WAL_RECORD_HEADER);
	buf_add(b, p, n);
	buf_u8(b, WAL_RECORD_END);
	return sum;
}

static void put_records(int fd, const uint8_t *data, size_t size)
{
	struct cursor c = cursor_over(data, size);
	struct buf b = {0}, last = {0};
	uint64_t records = 0;
	uint32_t sum = 0;

	while (c.left >= 2) {
		size_t n = cursor_u16(&c);

		n = n < c.left ? n : c.left;
		sum = put_record(&b, ++records, cursor_take(&c, n), n, sum);
	}
	buf_u64(&last, records);
	buf_u64(&last, 9);
	buf_u32(&last, sum);
	(void)put_record(&b, 0, last.p, last.len, 0);
	assert(pwrite(fd, b.p, b.len, SNAPSHOT_HEADER) == (ssize_t)b.len);
	buf_fini(&b);
	buf_fini(&last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bare = size > 0 && data[0] == 0xff;
	bool whole = size > 0 && data[0] == 0xfe;
	struct seen seen;
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
	if (whole)
		put_records(file.fd, data + 1, size - 1);
	else
		assert(pwrite(file.fd, data + bare, size - bare, bare ? 0 : SNAPSHOT_HEADER) ==
			(ssize_t)(size - bare));
	begin(&seen);
	ret = snapshot_walk(&file, &report, &err);
	assert(ret == 0 || (ret == -EBADMSG && strstr(err.text, "offset")));
	if (ret == 0)
		assert(report.records == seen.records && report.bytes > seen.end);
	assert(ret == 0 || !whole);
	end(&seen);
	close(file.fd);
	return 0;
}
