/* SPDX-License-Identifier: MIT */
/*
 * wal_read.c - one segment of a replica's log read back, record by record
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
 */
#include "store/wal_read.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/crc32c.h"
#include "store/bugs.h"
#include "store/frame.h"

#define READ_CHUNK (1u << 20)
/* What a disk writes as a whole or not at all. */
#define SECTOR 512u

uint32_t wal_kind(const char *proto, unsigned id)
{
	const uint8_t byte[] = {(uint8_t)id, (uint8_t)(id >> 8)};

	_Static_assert(PROTO_NODES_MAX <= UINT16_MAX, "an id is two bytes");
	/* As it was when an id was one byte. */
	return crc32c(frame_proto_hash(proto), byte, byte[1] ? 2 : 1);
}

/* Bytes at s->at. Return: how many of @want the file has, or negative errno. */
static int64_t scan_look(struct wal_scan *s, size_t want, const uint8_t **ret)
{
	static const uint8_t nothing;

	if (s->at + want > s->size)
		want = (size_t)(s->size - s->at);
	while (s->window_at + s->window.len < s->at + want) {
		uint64_t end;
		size_t chunk;
		ssize_t n;

		buf_drop(&s->window, (size_t)(s->at - s->window_at));
		s->window_at = s->at;
		end = s->window_at + s->window.len;
		chunk = want > s->chunk ? want : s->chunk;
		n = pread(s->fd, buf_grow(&s->window, chunk), chunk, (off_t)end);
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* shorter than it was a moment ago */
		s->window.len += (size_t)n;
	}
	/* Of an empty file there is no window yet; not even no bytes may be read at NULL. */
	*ret = want > 0 ? s->window.p + (s->at - s->window_at) : &nothing;
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
static bool is_witness(const struct wal_scan *s, uint64_t place, uint64_t at, const uint8_t *p)
{
	struct header h;

	header_of(p, &h);
	return h.durable > place && h.durable <= at && h.length <= PROTO_MESSAGE_MAX &&
	       (!s->begun || (h.seq > s->seq && h.seq - s->seq <= at - place)) &&
	       h.check == crc32c(0, p, WAL_RECORD_CHECKED);
}

/* Return: 0 or negative errno. */
static int scan_behind(struct wal_scan *s, struct behind *ret)
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
static int sector_lost(struct wal_scan *s, uint64_t len)
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

static int damaged(const struct wal_scan *s, struct err *err, const char *what, uint64_t found,
	uint64_t expected)
{
	return err_set(err, -EBADMSG, EXIT_INTERNAL,
		"%s: damaged at offset %llu (record %llu): %s 0x%llx found, 0x%llx expected",
		s->name, (unsigned long long)s->at, (unsigned long long)s->seq + 1, what,
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
static int no_record(struct wal_scan *s, const struct fault *f, struct err *err)
{
	bool cut_short = s->at + f->len > s->size;
	struct behind behind;
	int torn;
	int ret = scan_behind(s, &behind);

	if (ret < 0)
		return err_sys(err, ret, "read %s", s->name);
	if (behind.witness)
		return damaged(s, err, f->what, f->found, f->expected);
	if (behind.data_end == s->at)
		return 0;
	torn = cut_short || behind.data_end < s->at + f->len ? 1 : sector_lost(s, f->len);
	if (torn < 0)
		return err_sys(err, torn, "read %s", s->name);
	if (!torn)
		return damaged(s, err, f->what, f->found, f->expected);
	s->torn = (cut_short ? s->size : behind.data_end) - s->at;
	return 0;
}

/* The header at s->at. Return: as wal_scan_next(). */
static int scan_header(struct wal_scan *s, struct header *ret, struct err *err)
{
	const uint8_t *p = NULL;
	int64_t n = scan_look(s, WAL_RECORD_HEADER, &p);
	uint32_t found;

	if (n < 0)
		return err_sys(err, (int)n, "read %s", s->name);
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

int wal_scan_next(struct wal_scan *s, struct proto_bytes *ret, struct err *err)
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
		return err_sys(err, (int)n, "read %s", s->name);
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
	s->durable = h.durable;
	*ret = (struct proto_bytes){.p = p + WAL_RECORD_HEADER, .len = h.length};
	return 1;
}

void wal_scan_step(struct wal_scan *s, const struct proto_bytes *payload)
{
	s->seq++;
	s->at += WAL_RECORD_FRAME + payload->len;
}

static uint32_t word_at(const uint8_t *p, size_t at)
{
	struct cursor c = cursor_over(p + at, sizeof(uint32_t));

	return cursor_u32(&c);
}

/*
 * No header stands there. Never begun; or the first write into the file did not end, when the
 * header's sector was lost or not even the header is whole.
 */
static int no_header(struct wal_scan *s, const uint8_t *p, size_t n, struct err *err)
{
	static const uint8_t magic[] = WAL_MAGIC;
	struct behind behind;
	size_t known = n < sizeof magic - 1 ? n : sizeof magic - 1;
	int ret;

	s->begun = false;
	s->torn = s->size < WAL_HEADER ? s->size : 0;
	if (n < WAL_HEADER_OLD && memcmp(p, magic, known) == 0)
		return 0;
	if (!all_zero(p, n < SECTOR ? n : SECTOR))
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: damaged at offset 0: no log of a replica found, \"" WAL_MAGIC
			"\" expected (format version %d)",
			s->name, WAL_VERSION);
	/* As if it stood there: who vouches for more than the header vouches for it. */
	s->at = WAL_HEADER;
	ret = s->size > WAL_HEADER ? scan_behind(s, &behind) : 0;
	s->at = 0;
	if (ret < 0)
		return err_sys(err, ret, "read %s", s->name);
	if (s->size > WAL_HEADER && behind.witness)
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: damaged at offset 0: zeros found, header of a log expected", s->name);
	if (s->size > WAL_HEADER)
		s->torn = behind.data_end - WAL_HEADER;
	return 0;
}

static int other_version(const struct wal_scan *s, uint32_t version, struct err *err)
{
	return err_set(err, -EBADMSG, EXIT_INTERNAL,
		"%s: format version %u found at offset 8, %d expected: start it with the program "
		"that wrote it, or with an empty folder",
		s->name, version, WAL_VERSION);
}

/* At least a header of the old length stands there. */
static int header_read(struct wal_scan *s, const uint8_t *p, size_t n, struct err *err)
{
	const size_t checked = WAL_HEADER - 4;
	uint32_t version = word_at(p, 8);
	struct cursor c = cursor_over(p + 16, n - 16);
	uint32_t found;

	if (version < WAL_VERSION &&
		word_at(p, WAL_HEADER_OLD - 4) == crc32c(0, p, WAL_HEADER_OLD - 4))
		return other_version(s, version, err);
	if (n < WAL_HEADER)
		return no_header(s, p, 0, err);
	found = crc32c(0, p, checked);
	if (found != word_at(p, checked))
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: damaged at offset 0: header checksum 0x%x found, 0x%x expected",
			s->name, found, word_at(p, checked));
	if (version != WAL_VERSION)
		return other_version(s, version, err);
	s->begun = true;
	s->at = WAL_HEADER;
	s->kind = word_at(p, 12);
	s->first = cursor_u64(&c);
	s->seals = cursor_u32(&c) & WAL_SEALS;
	s->seq = s->first - 1;
	if (s->first == 0)
		return err_set(err, -EBADMSG, EXIT_INTERNAL,
			"%s: damaged at offset 16: first record 0x0 found, 0x1 or more expected",
			s->name);
	return 0;
}

int wal_scan_open(struct wal_scan *s, int fd, const char *name, struct err *err)
{
	const uint8_t *p = NULL;
	struct stat st;
	int64_t n;

	*s = (struct wal_scan){.fd = fd, .name = name, .chunk = SECTOR};
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "stat %s", name);
	s->size = (uint64_t)st.st_size;
	n = scan_look(s, SECTOR, &p);
	s->chunk = READ_CHUNK;
	if (n < 0)
		return err_sys(err, (int)n, "read %s", name);
	if (n < WAL_HEADER_OLD || memcmp(p, WAL_MAGIC, 8) != 0)
		return no_header(s, p, (size_t)n, err);
	return header_read(s, p, (size_t)n, err);
}

void wal_scan_close(struct wal_scan *s)
{
	buf_fini(&s->window);
}

int wal_scan_vouches(struct wal_scan *s)
{
	struct proto_bytes payload;
	struct err ignored = {0};

	if (!s->begun)
		return 0;
	if (s->seals)
		return 1;
	while (wal_scan_next(s, &payload, &ignored) > 0) {
		if (s->durable >= WAL_HEADER)
			return 1;
		wal_scan_step(s, &payload);
	}
	return 0;
}

/* --- for people --- */

int wal_whose(const struct wal_file *file, uint32_t *ret_kind, struct err *err)
{
	struct wal_scan s;
	int ret = wal_scan_open(&s, file->fd, file->name, err);

	*ret_kind = s.kind;
	if (ret == 0 && !s.begun)
		ret = err_set(err, -EBADMSG, EXIT_USAGE, "%s: no log of a replica, or an empty one",
			file->name);
	wal_scan_close(&s);
	return ret;
}

int wal_walk(const struct wal_file *file, struct wal_report *ret, struct err *err)
{
	struct proto_bytes payload;
	struct wal_scan s;
	int more = wal_scan_open(&s, file->fd, file->name, err);

	*ret = (struct wal_report){0};
	while (more >= 0 && s.begun && (more = wal_scan_next(&s, &payload, err)) > 0) {
		struct wal_record record = {.seq = s.seq + 1,
			.offset = s.at,
			.whole = WAL_RECORD_FRAME + payload.len,
			.bytes = payload.p,
			.len = payload.len};

		file->each(file->arg, &record);
		wal_scan_step(&s, &payload);
	}
	ret->records = s.seq;
	ret->end = s.at;
	ret->size = s.size;
	ret->torn_bytes = s.torn;
	wal_scan_close(&s);
	return more;
}
