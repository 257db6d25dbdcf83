/* SPDX-License-Identifier: MIT */
/*
 * wal_read.c - a replica's log read back: recovery, and for people
 *
 * Theory of operation
 *
 * Records are read from the front. The first place where none stands is the end, a torn write or
 * damage. What can be told apart there:
 *
 *	zeros to the end of the file            the end: space that was prepared
 *	a record behind it that was written     damage: what stood here was durable, so it may
 *	when the log was durable beyond here    have been acknowledged
 *	the file, or all but zeros, ends in     torn: a write that did not end
 *	the record
 *	a sector of the record is zeros         torn: sectors reach a disk in any order, and whole
 *	anything else                           damage: no write leaves this
 *
 * A record cannot end in zeros (WAL_RECORD_END), so the last record is never taken for torn because
 * of its content alone. One case is left in which nothing can be told: a lost sector of the very
 * last batch looks the same whether the disk never had it or has lost it since. It is cut. The
 * other side of it: a flipped bit in a last record whose payload has a whole sector of zeros
 * elsewhere is cut, too.
 *
 * Invariant: recovery changes the file only when all of it has been found sound, and returns only
 * after a fdatasync of its own.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "store/frame.h"
#include "store/proto.h"
#include "store/wal.h"

#define KIND_AT 12u /* in the file's header */
#define CHECKED 16u /* of the file's header, by its checksum */
#define READ_CHUNK (1u << 20)
/* What a disk writes as a whole or not at all. */
#define SECTOR 512u
/* How many complete records BUG_LOG_DROPS_ACKED forgets. */
#define BUG_FORGETS 3u

uint32_t wal_kind(const char *proto, unsigned id)
{
	const uint8_t byte[] = {(uint8_t)id, (uint8_t)(id >> 8)};

	_Static_assert(PROTO_NODES_MAX <= UINT16_MAX, "an id is two bytes");
	/* As it was when an id was one byte. */
	return crc32c(frame_proto_hash(proto), byte, byte[1] ? 2 : 1);
}

/* A window over the file that slides forward. */
struct scan {
	const struct wal_source *source;
	uint64_t size;
	uint64_t at; /* of the record to be read next */
	struct buf window;
	uint64_t window_at;
	uint64_t seq;                 /* of the last record read */
	uint64_t torn;                /* bytes of a torn write behind it */
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
	/* Of an empty file there is no window yet. */
	*ret = want > 0 ? s->window.p + (s->at - s->window_at) : NULL;
	return (int64_t)want;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* What stands before a payload. */
struct header {
	uint32_t length;
	uint64_t seq;
	uint64_t durable;
	uint32_t crc;
	uint32_t check;
	bool sound;
};

static void header_of(const uint8_t *p, struct header *ret)
{
	struct cursor c = cursor_over(p, WAL_RECORD_HEADER);

	ret->length = cursor_u32(&c);
	ret->seq = cursor_u64(&c);
	ret->durable = cursor_u64(&c);
	ret->crc = cursor_u32(&c);
	ret->check = cursor_u32(&c);
}

/* What stands behind a place where there is no sound record. */
struct behind {
	uint64_t data_end; /* after the last byte that is not zero; the place itself if there is
			      none */
	uint64_t witness;  /* where a record stands that was written when it was durable; 0: none */
};

/* Cheap questions first: this is asked of every byte. */
static bool is_witness(const struct scan *s, uint64_t place, uint64_t at, const uint8_t *p)
{
	struct header h;

	header_of(p, &h);
	return h.durable > place && h.durable <= at && h.length <= PROTO_MESSAGE_MAX &&
	       h.seq > s->seq && h.seq - s->seq <= at - place &&
	       h.check == crc32c(0, p, WAL_RECORD_CHECKED);
}

/* Return: 0 or negative errno. */
static int scan_behind(struct scan *s, struct behind *ret)
{
	uint64_t place = s->at;
	const uint8_t *p;
	int64_t n = 0;

	*ret = (struct behind){.data_end = place};
	while (!ret->witness && (n = scan_look(s, READ_CHUNK + WAL_RECORD_HEADER, &p)) > 0) {
		size_t step = n < READ_CHUNK ? (size_t)n : READ_CHUNK;
		size_t data = step;

		while (data > 0 && p[data - 1] == 0)
			data--;
		if (data > 0)
			ret->data_end = s->at + data;
		for (size_t i = 0; i < data && i + WAL_RECORD_HEADER <= (size_t)n; i++)
			if (!ret->witness && is_witness(s, place, s->at + i, p + i))
				ret->witness = s->at + i;
		s->at += step;
	}
	s->at = place;
	s->window.len = 0; /* the window may have moved past s->at */
	s->window_at = place;
	return n < 0 ? (int)n : 0;
}

/* Is a sector lost that the @len bytes at s->at lie in? Return: 1, 0 or negative errno. */
static int sector_lost(struct scan *s, uint64_t len)
{
	uint64_t end = (s->at + len + SECTOR - 1) / SECTOR * SECTOR;
	const uint8_t *p;
	int64_t n = scan_look(s, (size_t)(end - s->at), &p);
	uint64_t from = s->at;

	if (n < 0)
		return (int)n;
	end = s->at + (uint64_t)n;
	while (from < end) {
		uint64_t next = (from / SECTOR + 1) * SECTOR;

		if (next > end)
			next = end;
		if (all_zero(p + (from - s->at), (size_t)(next - from)))
			return 1;
		from = next;
	}
	return 0;
}

static int damaged(
	const struct scan *s, struct err *err, const char *what, uint64_t found, uint64_t expected)
{
	return err_set(err, -EBADMSG, EXIT_INTERNAL,
		"%s: damaged at offset %llu (record %llu): %s 0x%llx found, 0x%llx expected",
		s->source->name, (unsigned long long)s->at, (unsigned long long)s->seq + 1, what,
		(unsigned long long)found, (unsigned long long)expected);
}

/* What is wrong with the bytes at a place, and how many a write that did not end may have torn. */
struct fault {
	uint64_t len;
	const char *what;
	uint64_t found;
	uint64_t expected;
};

/* There is no record at s->at. Return: 0: the log ends here, or negative errno: it is damaged. */
static int no_record(struct scan *s, const struct fault *f, struct err *err)
{
	bool cut_short = s->at + f->len > s->size;
	struct behind behind;
	int torn;
	int ret = scan_behind(s, &behind);

	if (ret < 0)
		return err_sys(err, ret, "read %s", s->source->name);
	if (behind.witness)
		return damaged(s, err, f->what, f->found, f->expected);
	if (behind.data_end == s->at)
		return 0;
	torn = cut_short || behind.data_end < s->at + f->len ? 1 : sector_lost(s, f->len);
	if (torn < 0)
		return err_sys(err, torn, "read %s", s->source->name);
	if (!torn)
		return damaged(s, err, f->what, f->found, f->expected);
	s->torn = (cut_short ? s->size : behind.data_end) - s->at;
	return 0;
}

/* The header at s->at. Return: as scan_record(). */
static int scan_header(struct scan *s, struct header *ret, struct err *err)
{
	const uint8_t *p = NULL;
	int64_t n = scan_look(s, WAL_RECORD_HEADER, &p);
	uint32_t found;

	if (n < 0)
		return err_sys(err, (int)n, "read %s", s->source->name);
	if (n < WAL_RECORD_HEADER)
		return no_record(s, &(struct fault){.len = WAL_RECORD_HEADER}, err);
	header_of(p, ret);
	found = crc32c(0, p, WAL_RECORD_CHECKED);
	if (found != ret->check)
		return no_record(s,
			&(struct fault){WAL_RECORD_HEADER, "header checksum", found, ret->check},
			err);
	if (ret->length > PROTO_MESSAGE_MAX)
		return damaged(s, err, "length", ret->length, PROTO_MESSAGE_MAX);
	if (ret->seq != s->seq + 1)
		return damaged(s, err, "sequence number", ret->seq, s->seq + 1);
	if (ret->durable > s->at)
		return damaged(s, err, "durable end", ret->durable, s->at);
	return 1;
}

/* One record. Return: 1, 0 at the end of the sound part, or negative errno. */
static int scan_record(struct scan *s, struct proto_bytes *ret, struct err *err)
{
	const uint8_t *p = NULL;
	struct header h;
	struct fault f;
	size_t whole;
	int64_t n;
	int more = scan_header(s, &h, err);

	if (more <= 0)
		return more;
	whole = WAL_RECORD_HEADER + (size_t)h.length + 1;
	f = (struct fault){.len = whole, .what = "payload checksum", .expected = h.crc};
	n = scan_look(s, whole, &p);
	if (n < 0)
		return err_sys(err, (int)n, "read %s", s->source->name);
	if (n < (int64_t)whole)
		return no_record(s, &f, err);
	f.found = crc32c(0, p + WAL_RECORD_HEADER, h.length);
	if (f.found != h.crc)
		return no_record(s, &f, err);
	if (p[whole - 1] != WAL_RECORD_END) {
		f.what = "end of the record";
		f.found = p[whole - 1];
		f.expected = WAL_RECORD_END;
		return no_record(s, &f, err);
	}
	*ret = (struct proto_bytes){.p = p + WAL_RECORD_HEADER, .len = h.length};
	return 1;
}

static void scan_step(struct scan *s, const struct proto_bytes *payload)
{
	memmove(s->recent + 1, s->recent, sizeof s->recent - sizeof *s->recent);
	s->recent[0] = s->at;
	s->seq++;
	s->at += WAL_RECORD_HEADER + payload->len + 1;
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
	ret->torn_bytes = s->torn;
	if (PROTO_BUG(BUG_LOG_DROPS_ACKED) && s->seq > BUG_FORGETS) {
		s->at = s->recent[BUG_FORGETS - 1];
		s->seq -= BUG_FORGETS;
		s->size = s->at;
	}
	ret->records = s->seq;
	ret->end = s->at;
	/* Prepared space stays. */
	ret->size = s->torn ? s->at : s->size;
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
static int settle(const struct wal_source *source, uint64_t size, uint64_t kept, struct err *err)
{
	if (kept < size && ftruncate(source->fd, (off_t)kept) < 0)
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
		*ret = (struct wal_report){
			.end = WAL_HEADER, .size = WAL_HEADER, .torn_bytes = s->size};
		return header_write(s->source, header, err);
	}
	err_code = check_all(s, ret, err);
	if (err_code == 0)
		err_code = restore_all(s, ret, err);
	if (err_code == 0)
		err_code = settle(s->source, size, ret->size, err);
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

int wal_whose(int fd, const char *name, uint32_t *ret_kind, struct err *err)
{
	struct wal_source source = {.fd = fd, .name = name};
	struct buf expected = {0};
	uint8_t p[WAL_HEADER];
	ssize_t n = pread(fd, p, sizeof p, 0);
	bool ours;

	if (n < 0)
		return err_sys(err, -errno, "read %s", name);
	if (n == (ssize_t)sizeof p)
		source.kind = word_at(p, KIND_AT);
	header_encode(&source, &expected);
	ours = n == (ssize_t)sizeof p && memcmp(p, expected.p, sizeof p) == 0;
	buf_fini(&expected);
	if (!ours)
		return err_set(err, -EBADMSG, EXIT_USAGE,
			"%s: no log of a replica: damaged header at offset 0 (version %d is read)",
			name, WAL_VERSION);
	*ret_kind = source.kind;
	return 0;
}

int wal_walk(const struct wal_source *source,
	void (*each)(void *arg, const struct wal_record *record), struct wal_report *ret,
	struct err *err)
{
	struct scan s = {.source = source, .at = WAL_HEADER, .window_at = WAL_HEADER};
	struct proto_bytes payload;
	struct stat st;
	int more;

	*ret = (struct wal_report){0};
	if (fstat(source->fd, &st) < 0)
		return err_sys(err, -errno, "stat %s", source->name);
	s.size = (uint64_t)st.st_size;
	while ((more = scan_record(&s, &payload, err)) > 0) {
		struct wal_record record = {.seq = s.seq + 1,
			.offset = s.at,
			.whole = WAL_RECORD_FRAME + payload.len,
			.bytes = payload.p,
			.len = payload.len};

		each(source->arg, &record);
		scan_step(&s, &payload);
	}
	*ret = (struct wal_report){
		.records = s.seq, .end = s.at, .size = s.size, .torn_bytes = s.torn};
	buf_fini(&s.window);
	return more;
}
