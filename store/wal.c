/* SPDX-License-Identifier: MIT */
/*
 * wal.c - a replica's log on disk: append-only, checksummed, group commit
 *
 * Theory of operation
 *
 * Two buffers. Records are appended to `fill`. At the end of a turn, if no batch is under way, the
 * buffers change places and `flight` goes out as one write linked to one fdatasync. While that
 * runs, `fill` takes what comes; all of it is the next batch. So the number of fdatasyncs adapts
 * to the disk, and nobody waits for a timer.
 *
 *	append --> fill --(turn ends, no batch)--> flight --write, fdatasync--> durable(seq)
 *	                                              |
 *	                                              +-- any failure --> failed(), for good
 *
 * Invariants:
 *  1. durable(seq) is called only after a fdatasync that began after the last byte of record seq
 *     was written, and with rising seq.
 *  2. A failed write or fdatasync is never retried: after it the kernel may have dropped the dirty
 *     pages and a second fdatasync would lie (Rebello et al., "Can Applications Recover from fsync
 *     Failures?", USENIX ATC 2020). A short write is no failure: the rest is sent.
 *  3. Recovery changes the file only when all of it has been found sound, and returns only
 *     after a fdatasync of its own.
 */
#include "store/wal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "agent/base/list.h"
#include "store/proto.h"

/* The record's header up to its own checksum; the file's header likewise. */
#define CHECKED 16u
#define KIND_AT 12u /* in the file's header */
#define READ_CHUNK (1u << 20)
/* Buffers that one large batch has blown up are given back above this. */
#define KEEP_MAX (4u << 20)
/* How many complete records BUG_LOG_DROPS_ACKED forgets. */
#define BUG_FORGETS 3u

/* --- recovery --- */

/* A window over the file that slides forward. */
struct scan {
	const struct wal_source *source;
	uint64_t size;
	uint64_t at; /* of the record to be read next */
	struct buf window;
	uint64_t window_at;
	uint64_t seq;                 /* of the last record read */
	uint64_t recent[BUG_FORGETS]; /* where the last records began, newest first */
};

/* Bytes at s->at. Return: how many of @want the file has, or negative errno. */
static int64_t scan_look(struct scan *s, size_t want, const uint8_t **ret)
{
	if (s->at + want > s->size)
		want = (size_t)(s->size - s->at);
	while (s->window_at + s->window.len < s->at + want) {
		uint64_t end;
		ssize_t n;

		buf_drop(&s->window, (size_t)(s->at - s->window_at));
		s->window_at = s->at;
		end = s->window_at + s->window.len;
		n = pread(s->source->fd, buf_grow(&s->window, READ_CHUNK), READ_CHUNK, (off_t)end);
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* shorter than it was a moment ago */
		s->window.len += (size_t)n;
	}
	*ret = s->window.p + (s->at - s->window_at);
	return (int64_t)want;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Whether the file holds only zeros from s->at on. Return: 1, 0, or negative errno. */
static int zeros_to_end(struct scan *s)
{
	const uint8_t *p;
	uint64_t began = s->at;
	int64_t n = 1;
	bool zero = true;

	while (zero && n > 0) {
		n = scan_look(s, READ_CHUNK, &p);
		if (n > 0)
			zero = all_zero(p, (size_t)n);
		if (n > 0)
			s->at += (uint64_t)n;
	}
	s->at = began;
	s->window.len = 0; /* the window may have moved past s->at */
	s->window_at = began;
	return n < 0 ? (int)n : zero;
}

static int damaged(
	const struct scan *s, struct err *err, const char *what, uint64_t found, uint64_t expected)
{
	return err_set(err, -EBADMSG, EXIT_INTERNAL,
		"%s: damaged at offset %llu (record %llu): %s 0x%llx found, 0x%llx expected",
		s->source->name, (unsigned long long)s->at, (unsigned long long)s->seq + 1, what,
		(unsigned long long)found, (unsigned long long)expected);
}

/* One record. Return: 1, 0 at the end of the sound part, or negative errno. */
static int scan_record(struct scan *s, struct proto_bytes *ret, struct err *err)
{
	const uint8_t *p = NULL;
	int64_t n = scan_look(s, WAL_RECORD_HEADER, &p);
	struct cursor c = cursor_over(p, n > 0 ? (size_t)n : 0);
	uint32_t length, crc, check, found;
	uint64_t seq;

	if (n < 0)
		return err_sys(err, (int)n, "read %s", s->source->name);
	if (n < WAL_RECORD_HEADER)
		return 0;
	length = cursor_u32(&c);
	seq = cursor_u64(&c);
	crc = cursor_u32(&c);
	check = cursor_u32(&c);
	found = crc32c(0, p, CHECKED);
	if (found != check) {
		int zero = all_zero(p, WAL_RECORD_HEADER) ? zeros_to_end(s) : 0;

		if (zero < 0)
			return err_sys(err, zero, "read %s", s->source->name);
		return zero ? 0 : damaged(s, err, "header checksum", found, check);
	}
	if (length > PROTO_MESSAGE_MAX)
		return damaged(s, err, "length", length, PROTO_MESSAGE_MAX);
	if (seq != s->seq + 1)
		return damaged(s, err, "sequence number", seq, s->seq + 1);
	n = scan_look(s, WAL_RECORD_HEADER + (size_t)length, &p);
	if (n < 0)
		return err_sys(err, (int)n, "read %s", s->source->name);
	if (n < (int64_t)(WAL_RECORD_HEADER + (size_t)length))
		return 0;
	found = crc32c(0, p + WAL_RECORD_HEADER, length);
	if (found != crc)
		return damaged(s, err, "payload checksum", found, crc);
	*ret = (struct proto_bytes){.p = p + WAL_RECORD_HEADER, .len = length};
	return 1;
}

static void scan_step(struct scan *s, const struct proto_bytes *payload)
{
	memmove(s->recent + 1, s->recent, sizeof s->recent - sizeof *s->recent);
	s->recent[0] = s->at;
	s->seq++;
	s->at += WAL_RECORD_HEADER + payload->len;
}

static void header_encode(const struct wal_source *source, struct buf *out)
{
	buf_add(out, WAL_MAGIC, 8);
	buf_u32(out, WAL_VERSION);
	buf_u32(out, source->kind);
	buf_u32(out, crc32c(0, out->p, CHECKED));
	assert(out->len == WAL_HEADER);
}

static uint32_t word_at(const uint8_t *p, size_t at)
{
	struct cursor c = cursor_over(p + at, sizeof(uint32_t));

	return cursor_u32(&c);
}

/* A sound header that differs in its kind only. */
static bool header_foreign(const uint8_t *p, const uint8_t *expected)
{
	return memcmp(p, expected, KIND_AT) == 0 &&
	       word_at(p, KIND_AT) != word_at(expected, KIND_AT) &&
	       word_at(p, CHECKED) == crc32c(0, p, CHECKED);
}

/* Return: 1: a whole and right header; 0: none or a torn one; negative errno. */
static int header_check(struct scan *s, const struct buf *expected, struct err *err)
{
	const uint8_t *p = NULL;
	int64_t n = scan_look(s, WAL_HEADER, &p);

	if (n < 0)
		return err_sys(err, (int)n, "read %s", s->source->name);
	if (n == WAL_HEADER && header_foreign(p, expected->p))
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: the log of another protocol or replica (kind 0x%08x at offset %u, "
			"0x%08x expected): give each replica a folder of its own",
			s->source->name, word_at(p, KIND_AT), KIND_AT, s->source->kind);
	for (int64_t i = 0; i < n; i++)
		if (p[i] != expected->p[i] && !(n < WAL_HEADER && all_zero(p, (size_t)n)))
			return err_set(err, -EBADMSG, EXIT_INTERNAL,
				"%s: damaged at offset %lld: header byte 0x%02x found, 0x%02x "
				"expected (version %d, kind 0x%08x)",
				s->source->name, (long long)i, p[i], expected->p[i], WAL_VERSION,
				s->source->kind);
	s->at = n == WAL_HEADER ? WAL_HEADER : 0;
	return n == WAL_HEADER;
}

static int header_write(const struct wal_source *source, const struct buf *header, struct err *err)
{
	ssize_t n;

	if (ftruncate(source->fd, 0) < 0)
		return err_sys(err, -errno, "truncate %s", source->name);
	n = pwrite(source->fd, header->p, header->len, 0);
	if (n != (ssize_t)header->len)
		return err_sys(err, n < 0 ? -errno : -ENOSPC, "write %s", source->name);
	if (fdatasync(source->fd) < 0)
		return err_sys(err, -errno, "fdatasync %s", source->name);
	return 0;
}

/* Everything is looked at before anything is restored: invariant 3. */
static int check_all(struct scan *s, struct wal_report *ret, struct err *err)
{
	struct proto_bytes payload;
	int more;

	while ((more = scan_record(s, &payload, err)) > 0)
		scan_step(s, &payload);
	if (more < 0)
		return more;
	ret->torn_bytes = s->size - s->at;
	if (PROTO_BUG(BUG_LOG_DROPS_ACKED) && s->seq > BUG_FORGETS) {
		s->at = s->recent[BUG_FORGETS - 1];
		s->seq -= BUG_FORGETS;
		s->size = s->at;
	}
	ret->records = s->seq;
	ret->end = s->at;
	return 0;
}

static int restore_all(struct scan *s, const struct wal_report *report, struct err *err)
{
	struct proto_bytes payload;
	int ret;

	s->at = WAL_HEADER;
	s->seq = 0;
	s->window.len = 0;
	s->window_at = WAL_HEADER;
	while (s->seq < report->records) {
		ret = scan_record(s, &payload, err);
		if (ret <= 0)
			return ret < 0 ? ret : err_sys(err, -EIO, "read %s", s->source->name);
		ret = s->source->restore(s->source->arg, payload.p, payload.len);
		if (ret < 0)
			return err_set(err, -EBADMSG, EXIT_INTERNAL,
				"%s: damaged at offset %llu (record %llu): the protocol does not "
				"know this record",
				s->source->name, (unsigned long long)s->at,
				(unsigned long long)s->seq + 1);
		scan_step(s, &payload);
	}
	return 0;
}

/*
 * From here on what was found counts as durable. A writer that was killed between its write and its
 * fdatasync has left records that only the kernel has.
 */
static int settle(const struct wal_source *source, uint64_t size, uint64_t end, struct err *err)
{
	if (end < size && ftruncate(source->fd, (off_t)end) < 0)
		return err_sys(err, -errno, "cut %s", source->name);
	if (fdatasync(source->fd) < 0)
		return err_sys(err, -errno, "fdatasync %s", source->name);
	return 0;
}

static int recover(
	struct scan *s, const struct buf *header, struct wal_report *ret, struct err *err)
{
	uint64_t size = s->size;
	int err_code = header_check(s, header, err);

	if (err_code < 0)
		return err_code;
	if (err_code == 0) {
		*ret = (struct wal_report){.end = WAL_HEADER, .torn_bytes = s->size};
		return header_write(s->source, header, err);
	}
	err_code = check_all(s, ret, err);
	if (err_code == 0)
		err_code = restore_all(s, ret, err);
	if (err_code == 0)
		err_code = settle(s->source, size, ret->end, err);
	return err_code;
}

int wal_recover(const struct wal_source *source, struct wal_report *ret, struct err *err)
{
	struct scan s = {.source = source};
	struct buf header = {0};
	struct stat st;
	int err_code;

	*ret = (struct wal_report){0};
	if (fstat(source->fd, &st) < 0)
		return err_sys(err, -errno, "stat %s", source->name);
	s.size = (uint64_t)st.st_size;
	header_encode(source, &header);
	err_code = recover(&s, &header, ret, err);
	buf_fini(&header);
	buf_fini(&s.window);
	return err_code;
}

/* --- appending --- */

static void flight_send(struct wal *w)
{
	struct loop_write what = {
		.fd = w->config.fd,
		.bytes = w->flight.p + w->flight_done,
		.n = w->flight.len - w->flight_done,
		.offset = w->offset + w->flight_done,
	};

	w->sync_result = 0;
	loop_write(w->config.loop, &w->write, w->config.sync ? &w->sync : NULL, &what);
}

static void fail(struct wal *w, const char *what, int error)
{
	w->failed = true;
	w->config.failed(w->config.arg, what, error);
}

/* The write, and where there is one the fdatasync, are over. */
static void flight_settle(struct wal *w)
{
	if (w->write.pending || w->sync.pending || w->failed)
		return;
	if (w->write_result <= 0) {
		fail(w, "write", w->write_result ? w->write_result : -ENOSPC);
		return;
	}
	w->flight_done += (size_t)w->write_result;
	if (w->flight_done < w->flight.len) {
		flight_send(w);
		return;
	}
	if (w->sync_result < 0) {
		fail(w, "fdatasync", w->sync_result);
		return;
	}
	w->offset += w->flight.len;
	w->flight.len = 0;
	if (w->flight.cap > KEEP_MAX)
		buf_fini(&w->flight);
	w->config.durable(w->config.arg, w->flight_seq);
}

static void write_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, write);

	w->write_result = event->res;
	flight_settle(w);
}

static void sync_done(struct loop_op *op, const struct loop_event *event)
{
	struct wal *w = list_entry(op, struct wal, sync);

	w->sync_result = event->res;
	flight_settle(w);
}

void wal_init(struct wal *w, const struct wal_config *config)
{
	*w = (struct wal){
		.config = *config,
		.seq = config->last_seq,
		.offset = config->offset,
		.write = {.done = write_done},
		.sync = {.done = sync_done},
	};
}

void wal_fini(struct wal *w)
{
	buf_fini(&w->fill);
	buf_fini(&w->flight);
}

uint64_t wal_append(struct wal *w, const void *bytes, size_t len)
{
	size_t begin = w->fill.len;

	assert(len <= PROTO_MESSAGE_MAX);
	buf_u32(&w->fill, (uint32_t)len);
	buf_u64(&w->fill, ++w->seq);
	buf_u32(&w->fill, crc32c(0, bytes, len));
	buf_u32(&w->fill, crc32c(0, w->fill.p + begin, CHECKED));
	buf_add(&w->fill, bytes, len);
	return w->seq;
}

void wal_flush(struct wal *w)
{
	struct buf empty = w->flight;

	if (w->failed || w->flight.len > 0 || w->fill.len == 0)
		return;
	w->flight = w->fill;
	w->fill = empty;
	w->flight_done = 0;
	w->flight_seq = w->seq;
	flight_send(w);
}

uint64_t wal_bytes(const struct wal *w)
{
	return w->offset + w->flight.len + w->fill.len;
}

bool wal_full(const struct wal *w)
{
	return w->fill.len > WAL_QUEUE_MAX;
}
