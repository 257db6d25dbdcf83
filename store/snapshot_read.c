/* SPDX-License-Identifier: MIT */
/* snapshot_read.c - a replica's snapshot read back: recovery, and for people */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "store/snapshot.h"

#define READ_CHUNK (1u << 20)
#define END_PAYLOAD 20u

/* A window over the file that slides forward. */
struct reader {
	int fd;
	const char *name;
	struct buf window;
	uint64_t window_at;
	uint64_t at; /* of the record that is read */
	uint64_t records;
	uint32_t sum;
};

struct record {
	uint32_t len;
	uint64_t number;
	const uint8_t *header;
	const uint8_t *payload;
};

uint64_t snapshot_after(const char *name)
{
	const size_t base = sizeof SNAPSHOT_FILE - 1;
	char again[SNAPSHOT_NAME_MAX];
	uint64_t after;

	if (strncmp(name, SNAPSHOT_FILE, base) != 0 || name[base] != '.')
		return 0;
	after = strtoull(name + base + 1, NULL, 10);
	/* One way to write a number. */
	snapshot_name(after, again);
	return strcmp(again, name) == 0 ? after : 0;
}

/* At least @want bytes in the window. Return: 0, -ENODATA: the file ends, another errno. */
static int look(struct reader *r, size_t want)
{
	while (r->window.len < want) {
		ssize_t n = pread(r->fd, buf_grow(&r->window, READ_CHUNK), READ_CHUNK,
			(off_t)(r->window_at + r->window.len));

		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		r->window.len += (size_t)n;
	}
	return 0;
}

static int damaged(const struct reader *r, const char *what, uint64_t found, uint64_t expected,
	struct err *err)
{
	return err_set(err, -EBADMSG, EXIT_INTERNAL,
		"%s: damaged at offset %llu (record %llu): %s 0x%llx found, 0x%llx expected",
		r->name, (unsigned long long)r->at, (unsigned long long)r->records + 1, what,
		(unsigned long long)found, (unsigned long long)expected);
}

static int unread(const struct reader *r, int code, struct err *err)
{
	if (code == -ENODATA)
		return damaged(r, "end of the file", r->window_at + r->window.len, 0, err);
	return err_sys(err, code, "read %s", r->name);
}

static int read_header(struct reader *r, uint32_t *ret_kind, uint64_t *ret_after, struct err *err)
{
	int code = look(r, SNAPSHOT_HEADER);
	struct cursor c;
	uint32_t version, found, check;

	if (code < 0)
		return unread(r, code, err);
	c = cursor_over(r->window.p, SNAPSHOT_HEADER);
	if (memcmp(cursor_take(&c, 8), SNAPSHOT_MAGIC, 8) != 0)
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: damaged at offset 0: no snapshot found, \"" SNAPSHOT_MAGIC
			"\" expected",
			r->name);
	version = cursor_u32(&c);
	*ret_kind = cursor_u32(&c);
	*ret_after = cursor_u64(&c);
	(void)cursor_u32(&c);
	check = cursor_u32(&c);
	found = crc32c(0, r->window.p, SNAPSHOT_HEADER - 4);
	if (found != check)
		return damaged(r, "header checksum", found, check, err);
	if (version != SNAPSHOT_VERSION)
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: format version %u found at offset 8, %d expected: start it with the "
			"program that wrote it, or with an empty folder",
			r->name, version, SNAPSHOT_VERSION);
	buf_drop(&r->window, SNAPSHOT_HEADER);
	r->window_at = r->at = SNAPSHOT_HEADER;
	return 0;
}

/* The record at the window's front. */
static int read_record(struct reader *r, size_t from, struct record *ret, struct err *err)
{
	int code = look(r, from + WAL_RECORD_HEADER);
	uint32_t crc, check, found;
	struct cursor c;

	if (code < 0)
		return unread(r, code, err);
	c = cursor_over(r->window.p + from, WAL_RECORD_HEADER);
	ret->len = cursor_u32(&c);
	ret->number = cursor_u64(&c);
	(void)cursor_u64(&c);
	crc = cursor_u32(&c);
	check = cursor_u32(&c);
	found = crc32c(0, r->window.p + from, WAL_RECORD_CHECKED);
	if (found != check)
		return damaged(r, "header checksum", found, check, err);
	if (ret->len > PROTO_MESSAGE_MAX)
		return damaged(r, "length", ret->len, PROTO_MESSAGE_MAX, err);
	code = look(r, from + WAL_RECORD_FRAME + ret->len);
	if (code < 0)
		return unread(r, code, err);
	ret->header = r->window.p + from;
	ret->payload = ret->header + WAL_RECORD_HEADER;
	found = crc32c(0, ret->payload, ret->len);
	if (found != crc)
		return damaged(r, "payload checksum", found, crc, err);
	if (ret->payload[ret->len] != WAL_RECORD_END)
		return damaged(r, "end of the record", ret->payload[ret->len], WAL_RECORD_END, err);
	return 0;
}

static int read_end(
	const struct reader *r, const struct record *end, uint64_t *ret_last, struct err *err)
{
	struct cursor c = cursor_over(end->payload, end->len);
	uint64_t records = cursor_u64(&c);
	uint32_t sum;

	*ret_last = cursor_u64(&c);
	sum = cursor_u32(&c);
	if (end->len != END_PAYLOAD)
		return damaged(r, "length of the end", end->len, END_PAYLOAD, err);
	if (records != r->records)
		return damaged(r, "records", r->records, records, err);
	if (sum != r->sum)
		return damaged(r, "checksum of all", r->sum, sum, err);
	return 0;
}

/* Every record of the file, through @each. Return: 0 or negative errno. */
static int read_all(struct reader *r, int (*each)(void *arg, const struct wal_record *record),
	void *arg, struct snapshot_report *ret, struct err *err)
{
	struct record record = {0};
	size_t used = 0;
	int code;

	for (;;) {
		/* The window moves seldom: moving costs as much as what stays in it. */
		if (used >= READ_CHUNK / 2 || r->window.len == used) {
			buf_drop(&r->window, used);
			r->window_at += used;
			used = 0;
		}
		code = read_record(r, used, &record, err);
		if (code < 0)
			return code;
		if (record.number == 0)
			break;
		if (record.number != r->records + 1)
			return damaged(r, "record number", record.number, r->records + 1, err);
		code = each(arg, &(struct wal_record){.seq = record.number,
					 .offset = r->at,
					 .whole = WAL_RECORD_FRAME + record.len,
					 .bytes = record.payload,
					 .len = record.len});
		if (code < 0)
			return err_set(err, -EBADMSG, EXIT_INTERNAL,
				"%s: damaged at offset %llu (record %llu): the protocol does not "
				"know this record",
				r->name, (unsigned long long)r->at,
				(unsigned long long)record.number);
		r->sum = crc32c(r->sum, record.header, WAL_RECORD_HEADER);
		r->records++;
		r->at += WAL_RECORD_FRAME + record.len;
		used += WAL_RECORD_FRAME + record.len;
	}
	ret->records = r->records;
	ret->bytes = r->at + WAL_RECORD_FRAME + record.len;
	return read_end(r, &record, &ret->last, err);
}

/* --- at a start --- */

static int each_file(const struct wal_source *source, bool remove, uint64_t keep,
	uint64_t *ret_newest, struct err *err)
{
	int fd = openat(source->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		int code = err_sys(err, -errno, "list %s", source->name);

		if (fd >= 0)
			close(fd);
		return code;
	}
	*ret_newest = 0;
	while ((entry = readdir(dir))) {
		uint64_t after = snapshot_after(entry->d_name);
		bool rest = strcmp(entry->d_name, SNAPSHOT_TEMPORARY) == 0;

		if (after > *ret_newest)
			*ret_newest = after;
		if (remove && (rest || (after > 0 && after != keep)))
			(void)unlinkat(source->dir, entry->d_name, 0);
	}
	closedir(dir);
	return 0;
}

static int restore_record(void *arg, const struct wal_record *record)
{
	const struct wal_source *source = arg;

	return source->restore(source->arg, record->bytes, record->len);
}

static int recover(struct reader *r, const struct wal_source *source, struct snapshot_report *ret,
	struct err *err)
{
	uint64_t after = ret->after;
	struct stat st;
	uint32_t kind;
	int code = read_header(r, &kind, &ret->after, err);

	if (code < 0)
		return code;
	if (kind != source->kind)
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: the snapshot of another protocol or replica (kind 0x%08x at offset "
			"12, 0x%08x expected): give each replica a folder of its own",
			r->name, kind, source->kind);
	if (ret->after != after)
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: damaged at offset 16: record %llu found, %llu expected as in its name",
			r->name, (unsigned long long)ret->after, (unsigned long long)after);
	if (fstat(r->fd, &st) == 0)
		ret->wall_ns =
			(uint64_t)st.st_mtim.tv_sec * NS_PER_S + (uint64_t)st.st_mtim.tv_nsec;
	(void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return read_all(r, restore_record, (void *)(uintptr_t)source, ret, err);
}

int snapshot_recover(const struct wal_source *source, struct snapshot_report *ret, struct err *err)
{
	char path[NAME_MAX + SNAPSHOT_NAME_MAX + 2];
	char name[SNAPSHOT_NAME_MAX];
	struct reader r = {.name = path};
	int code;

	*ret = (struct snapshot_report){0};
	code = each_file(source, false, 0, &ret->after, err);
	if (code < 0 || ret->after == 0)
		return code;
	snapshot_name(ret->after, name);
	(void)snprintf(path, sizeof path, "%.*s/%s", NAME_MAX, source->name, name);
	r.fd = openat(source->dir, name, O_RDONLY | O_CLOEXEC);
	if (r.fd < 0)
		return err_sys(err, -errno, "open %s", path);
	code = recover(&r, source, ret, err);
	close(r.fd);
	buf_fini(&r.window);
	return code;
}

int snapshot_clean(const struct wal_source *source, uint64_t after, struct err *err)
{
	uint64_t newest;

	return each_file(source, true, after, &newest, err);
}

/* --- for people --- */

bool snapshot_is(const struct wal_file *file, uint32_t *ret_kind)
{
	struct reader r = {.fd = file->fd, .name = file->name};
	struct err ignored = {0};
	uint64_t after;
	int code = read_header(&r, ret_kind, &after, &ignored);

	buf_fini(&r.window);
	return code == 0;
}

static int show_record(void *arg, const struct wal_record *record)
{
	const struct wal_file *file = arg;

	file->each(file->arg, record);
	return 0;
}

int snapshot_walk(const struct wal_file *file, struct snapshot_report *ret, struct err *err)
{
	struct reader r = {.fd = file->fd, .name = file->name};
	uint32_t kind;
	int code;

	*ret = (struct snapshot_report){0};
	code = read_header(&r, &kind, &ret->after, err);
	if (code == 0)
		code = read_all(&r, show_record, (void *)(uintptr_t)file, ret, err);
	buf_fini(&r.window);
	return code;
}
