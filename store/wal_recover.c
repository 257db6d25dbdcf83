/* SPDX-License-Identifier: MIT */
/*
 * wal_recover.c - a replica's log after a start: its segments in order, the rest removed
 *
 * Theory of operation
 *
 * Segments are read in the order of their numbers, from the last one that begins at or before the
 * first record that is needed. The log goes on from one to the next as long as the next begins with
 * the record after the last. Where it does not, or a write did not end, the log ends, unless a
 * later segment vouches for what is missing (WAL_SEALS, or a record's durable end): then it was on
 * disk, so it may have been acknowledged, and recovery refuses. With WAL_SYNC_ALWAYS each segment
 * vouches for all before it, so only the last may be torn.
 *
 * Every record is checked and restored in one pass: a log is as large as the memory may be, and
 * reading it twice would double the time to start.
 *
 * Invariants:
 *  1. A file is changed only when all that is needed has been found sound; then the tail is cut,
 *     what was read is synced (a writer that was killed between write and fdatasync has left
 *     records that only the kernel has), and only then files are removed, so that a crash meanwhile
 *     leaves what can be recovered again.
 *  2. Removed are segments behind the end, which hold nothing that counts, and those that hold only
 *     records of the snapshot.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/wal_read.h"

/* The one that was prepared, the one in use, the one before it: all others were synced by then. */
#define UNSURE_FILES 3u
/* How many complete records BUG_LOG_DROPS_ACKED forgets. */
#define BUG_FORGETS 3u

struct file {
	unsigned number;
	int fd;
	char name[NAME_MAX + WAL_NAME_MAX + 2]; /* with the folder's */
	struct wal_scan scan;
};

struct recovery {
	const struct wal_source *source;
	struct file *file; /* owned, by number */
	unsigned count;
	unsigned first; /* the one to begin with */
	unsigned used;  /* after the last one that the log reaches */
	uint64_t limit; /* restore no record beyond this */
	bool dry;       /* restore none at all */
};

int wal_number(const char *name)
{
	const size_t base = sizeof WAL_FILE - 1;
	char again[WAL_NAME_MAX];
	unsigned long n;

	if (strncmp(name, WAL_FILE, base) != 0)
		return -1;
	if (name[base] == '\0')
		return 0;
	n = name[base] == '.' ? strtoul(name + base + 1, NULL, 10) : 0;
	if (n == 0 || n > INT_MAX)
		return -1;
	/* One way to write a number: no sign, no leading zero, nothing behind it. */
	wal_name((unsigned)n, again);
	return strcmp(again, name) == 0 ? (int)n : -1;
}

void wal_report_fini(struct wal_report *report)
{
	free(report->older.p);
	report->older = (struct wal_segments){0};
}

static int by_number(const void *a, const void *b)
{
	const struct file *x = a;
	const struct file *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static void add(struct recovery *r, unsigned number)
{
	struct file *f;
	char name[WAL_NAME_MAX];

	r->file = realloc(r->file, (r->count + 1) * sizeof *r->file);
	assert(r->file);
	f = &r->file[r->count++];
	*f = (struct file){.number = number, .fd = -1};
	wal_name(number, name);
	(void)snprintf(f->name, sizeof f->name, "%.*s/%s", NAME_MAX, r->source->name, name);
}

static int list_files(struct recovery *r, struct err *err)
{
	int fd = openat(r->source->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		int ret = err_sys(err, -errno, "list %s", r->source->name);

		if (fd >= 0)
			close(fd);
		return ret;
	}
	while ((entry = readdir(dir))) {
		int number = wal_number(entry->d_name);

		if (number >= 0)
			add(r, (unsigned)number);
	}
	closedir(dir);
	if (r->count > 0)
		qsort(r->file, r->count, sizeof *r->file, by_number);
	return 0;
}

/*
 * What a writer that was killed has left may be in the kernel only, or, where a disk has refused
 * it, as a page that the kernel calls clean: it could be read, a sync would succeed, and a loss of
 * power would take it (Rebello et al., USENIX ATC 2020). So it is written and then read from the
 * disk itself.
 */
static int read_from_disk(const struct file *f, struct err *err)
{
	if (fdatasync(f->fd) < 0)
		return err_sys(err, -errno, "fdatasync %s", f->name);
	(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int open_files(struct recovery *r, struct err *err)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct file *f = &r->file[i];
		char name[WAL_NAME_MAX];
		int ret;

		wal_name(f->number, name);
		f->fd = openat(r->source->dir, name, O_RDWR | O_CLOEXEC);
		if (f->fd < 0)
			return err_sys(err, -errno, "open %s", f->name);
		ret = i + UNSURE_FILES >= r->count ? read_from_disk(f, err) : 0;
		if (ret < 0)
			return ret;
		(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		ret = wal_scan_open(&f->scan, f->fd, f->name, err);
		if (ret < 0)
			return ret;
		if (f->scan.begun && f->scan.kind != r->source->kind)
			return err_set(err, -EBADMSG, EXIT_INTERNAL,
				"%s: the log of another protocol or replica (kind 0x%08x at offset "
				"12, 0x%08x expected): give each replica a folder of its own",
				f->name, f->scan.kind, r->source->kind);
	}
	return 0;
}

/* Where to begin: the last segment of those that begin early enough. */
static int choose_first(struct recovery *r, struct err *err)
{
	uint64_t needed = r->source->after + 1;
	const struct file *earliest = NULL;

	r->first = r->count;
	for (unsigned i = 0; i < r->count; i++) {
		const struct wal_scan *s = &r->file[i].scan;

		if (s->begun && !earliest)
			earliest = &r->file[i];
		if (s->begun && s->first <= needed)
			r->first = i;
	}
	if (r->first < r->count || (!earliest && r->source->after == 0))
		return 0;
	if (!earliest)
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: there is a snapshot up to record %llu, but no log after it",
			r->source->name, (unsigned long long)r->source->after);
	return err_set(err, -EBADMSG, EXIT_INTERNAL,
		"%s: damaged at offset 16: first record %llu found, %llu expected: those before are "
		"in no other file",
		earliest->name, (unsigned long long)earliest->scan.first,
		(unsigned long long)needed);
}

static int restore_file(struct recovery *r, struct file *f, struct wal_report *ret, struct err *err)
{
	struct wal_scan *s = &f->scan;
	struct proto_bytes payload;
	int more = 0;

	if (f + 1 < r->file + r->count)
		(void)posix_fadvise(f[1].fd, 0, 0, POSIX_FADV_WILLNEED);
	while (s->seq < r->limit && (more = wal_scan_next(s, &payload, err)) > 0) {
		uint64_t seq = s->seq + 1;

		if (seq > r->source->after && !r->dry) {
			if (r->source->restore(r->source->arg, payload.p, payload.len) < 0)
				return err_set(err, -EBADMSG, EXIT_INTERNAL,
					"%s: damaged at offset %llu (record %llu): the protocol "
					"does not know this record",
					f->name, (unsigned long long)s->at,
					(unsigned long long)seq);
			ret->restored++;
			ret->new_bytes += WAL_RECORD_FRAME + payload.len;
		}
		wal_scan_step(s, &payload);
	}
	wal_scan_close(s); /* what it holds; the rest is looked at later */
	return more < 0 ? more : 0;
}

/* The log ends in front of segment @i: does none behind it know better? */
static int nothing_behind(struct recovery *r, unsigned i, struct err *err)
{
	const struct file *end = &r->file[i - 1];

	for (unsigned k = i; k < r->count; k++)
		if (wal_scan_vouches(&r->file[k].scan))
			return err_set(err, -EBADMSG, EXIT_INTERNAL,
				"%s: damaged at offset %llu: record %llu expected, and %s says that "
				"it was on disk",
				end->name, (unsigned long long)end->scan.at,
				(unsigned long long)end->scan.seq + 1, r->file[k].name);
	return 0;
}

static int restore_all(struct recovery *r, struct wal_report *ret, struct err *err)
{
	for (r->used = r->first; r->used < r->count; r->used++) {
		struct file *f = &r->file[r->used];
		const struct wal_scan *before = r->used > r->first ? &f[-1].scan : NULL;
		int code;

		if (before && (!f->scan.begun || f->number != f[-1].number + 1 || before->torn ||
				      f->scan.first != before->seq + 1))
			break;
		code = restore_file(r, f, ret, err);
		if (code < 0)
			return code;
	}
	if (PROTO_BUG(BUG_LOG_DROPS_ACKED) && r->limit < UINT64_MAX)
		return 0;
	return r->used > 0 ? nothing_behind(r, r->used, err) : 0;
}

static void report_of(const struct recovery *r, struct wal_report *ret)
{
	const struct file *last = &r->file[r->used - 1];
	unsigned older = r->used - 1 - r->first;

	ret->records = last->scan.seq;
	ret->segment = last->number;
	ret->end = last->scan.at;
	ret->torn_bytes = last->scan.torn;
	/* Prepared space stays. */
	ret->size = ret->torn_bytes || r->limit < UINT64_MAX ? ret->end : last->scan.size;
	if (older == 0)
		return;
	ret->older.p = calloc(older, sizeof *ret->older.p);
	assert(ret->older.p);
	ret->older.count = older;
	for (unsigned i = 0; i < older; i++) {
		const struct file *f = &r->file[r->first + i];

		ret->older.p[i] = (struct wal_segment){
			.number = f->number, .last = f->scan.seq, .bytes = f->scan.at};
	}
}

/* From here on what was found counts as durable. */
static int settle(const struct recovery *r, const struct wal_report *report, struct err *err)
{
	const struct file *last = &r->file[r->used - 1];

	if (report->size < last->scan.size && ftruncate(last->fd, (off_t)report->size) < 0)
		return err_sys(err, -errno, "cut %s", last->name);
	for (unsigned i = r->first; i < r->used; i++)
		if (fdatasync(r->file[i].fd) < 0)
			return err_sys(err, -errno, "fdatasync %s", r->file[i].name);
	return 0;
}

/* The newest first: a log without its last segments is one that ended earlier. */
static int remove_rest(const struct recovery *r, struct err *err)
{
	char name[WAL_NAME_MAX];
	bool removed = false;

	for (unsigned i = r->count; i-- > 0;) {
		if (i >= r->first && i < r->used)
			continue;
		wal_name(r->file[i].number, name);
		if (unlinkat(r->source->dir, name, 0) < 0)
			return err_sys(err, -errno, "remove %s", r->file[i].name);
		removed = true;
	}
	if (removed && fsync(r->source->dir) < 0)
		return err_sys(err, -errno, "fsync %s", r->source->name);
	return 0;
}

/* A header and zeros; nothing can be lost by it, for there is no record yet. */
static int make_first(const struct recovery *r, struct wal_report *ret, struct err *err)
{
	static uint8_t bytes[WAL_SEGMENT_MIN];
	int fd = openat(r->source->dir, WAL_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int code = 0;
	ssize_t n;

	if (fd < 0)
		return err_sys(err, -errno, "open %s/" WAL_FILE, r->source->name);
	wal_segment_header(r->source->kind, 1, WAL_SEALS, bytes);
	n = pwrite(fd, bytes, sizeof bytes, 0);
	if (n < (ssize_t)WAL_HEADER)
		code = err_sys(
			err, n < 0 ? -errno : -ENOSPC, "write %s/" WAL_FILE, r->source->name);
	else if (fdatasync(fd) < 0)
		code = err_sys(err, -errno, "fdatasync %s/" WAL_FILE, r->source->name);
	else if (fsync(r->source->dir) < 0)
		code = err_sys(err, -errno, "fsync %s", r->source->name);
	ret->end = WAL_HEADER;
	ret->size = n > 0 ? (uint64_t)n : 0;
	close(fd);
	return code;
}

static int recover(struct recovery *r, struct wal_report *ret, struct err *err)
{
	int code = list_files(r, err);

	if (code == 0)
		code = open_files(r, err);
	if (code == 0)
		code = choose_first(r, err);
	if (code == 0)
		code = restore_all(r, ret, err);
	if (code < 0)
		return code;
	if (r->used == r->first) {
		for (unsigned i = 0; i < r->count; i++)
			ret->torn_bytes += r->file[i].scan.torn;
		r->first = r->used = r->count;
		if (r->count > 0) {
			r->first = r->used = 0;
			code = remove_rest(r, err);
		}
		return code < 0 ? code : make_first(r, ret, err);
	}
	report_of(r, ret);
	if (ret->records < r->source->after || ret->records < r->source->reach)
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: damaged at offset %llu: the log ends with record %llu, the snapshot "
			"relies on record %llu",
			r->file[r->used - 1].name, (unsigned long long)ret->end,
			(unsigned long long)ret->records, (unsigned long long)r->source->reach);
	code = settle(r, ret, err);
	return code < 0 ? code : remove_rest(r, err);
}

static void close_files(struct recovery *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		wal_scan_close(&r->file[i].scan);
		if (r->file[i].fd >= 0)
			close(r->file[i].fd);
	}
	free(r->file);
}

/* As if the last records had never been: what the tests of the checkers must notice. */
static uint64_t bug_limit(const struct wal_source *source)
{
	struct recovery r = {.source = source, .limit = UINT64_MAX, .dry = true};
	struct wal_report report = {0};
	struct err ignored = {0};
	uint64_t seq = 0;

	if (list_files(&r, &ignored) == 0 && open_files(&r, &ignored) == 0 &&
		choose_first(&r, &ignored) == 0 && restore_all(&r, &report, &ignored) == 0 &&
		r.used > r.first)
		seq = r.file[r.used - 1].scan.seq;
	close_files(&r);
	return seq > source->after + BUG_FORGETS ? seq - BUG_FORGETS : UINT64_MAX;
}

int wal_recover(const struct wal_source *source, struct wal_report *ret, struct err *err)
{
	struct recovery r = {.source = source, .limit = UINT64_MAX};
	int code;

	*ret = (struct wal_report){0};
	if (PROTO_BUG(BUG_LOG_DROPS_ACKED))
		r.limit = bug_limit(source);
	code = recover(&r, ret, err);
	close_files(&r);
	if (code < 0)
		wal_report_fini(ret);
	return code;
}
