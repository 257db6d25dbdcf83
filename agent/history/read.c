/* SPDX-License-Identifier: MIT */
/*
 * read.c - reading a history: what is committed counts, what is damaged is named
 *
 * A slot that was claimed but not committed belongs to a writer that was killed in between (or, in
 * a file that is still written, that is about to commit): it is counted and left out. Everything
 * else that is not as it should be is refused with its offset: a history that is silently read
 * wrongly makes a wrong verdict.
 *
 * A file may be read while it is written. The slots are looked at from the last to the first: a
 * session commits its invocation before it claims the slot of its completion, so a completion that
 * was seen implies that its invocation is seen later. Only what was seen then is read afterwards.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/history/format.h"
#include "agent/history/formats.h"
#include "agent/history/gather.h"
#include "agent/history/more.h"

struct reader {
	const char *path;
	int fd;
	uint64_t size;
	struct format_header header;
	const struct history_record *slot; /* mapped; the first record */
	uint64_t slots;                    /* to look at */
	uint8_t *committed;                /* owned; a bit per slot */
	uint32_t op_max;                   /* largest operation number that may be one */
	uint32_t *begun;                   /* owned; by operation number: index in gather + 1 */
	struct gather gather;
	struct more more;
	struct err *err;
};

/* @offset and the rest of the sentence. */
#define reader_bad(rd, offset, fmt, ...) \
	err_set((rd)->err, -EBADMSG, EXIT_USAGE, "%s: offset %llu: " fmt, (rd)->path, \
		(unsigned long long)(offset), ##__VA_ARGS__)

static int reader_bad_slot(struct reader *rd, uint64_t slot)
{
	return err_wrap(rd->err, "%s: offset %llu (record %llu)", rd->path,
		(unsigned long long)format_offset(slot), (unsigned long long)slot);
}

static int reader_header(struct reader *rd)
{
	struct format_header *h = &rd->header;
	ssize_t n = pread(rd->fd, h, sizeof *h, 0);

	if (n < 0)
		return err_sys(rd->err, -errno, "read '%s'", rd->path);
	if ((size_t)n < sizeof *h)
		return reader_bad(
			rd, n, "the file ends; a header of %zu bytes was expected", sizeof *h);
	if (memcmp(h->magic, FORMAT_MAGIC, sizeof h->magic) != 0)
		return reader_bad(
			rd, 0, "this is no binary history; '" FORMAT_MAGIC "' was expected");
	if (h->crc != format_header_crc(h))
		return reader_bad(rd, offsetof(struct format_header, crc),
			"the header's checksum is %08x, but its contents have %08x", h->crc,
			format_header_crc(h));
	if (h->version < FORMAT_VERSION_MIN || h->version > FORMAT_VERSION ||
		h->record_size != sizeof(struct history_record))
		return reader_bad(rd, offsetof(struct format_header, version),
			"version %u with records of %u bytes; version %u to %u with %zu was "
			"expected",
			h->version, h->record_size, FORMAT_VERSION_MIN, FORMAT_VERSION,
			sizeof(struct history_record));
	if (h->flags & ~FORMAT_F_REPEATS)
		return reader_bad(rd, offsetof(struct format_header, flags),
			"unknown flags %02x, %02x were expected", h->flags, FORMAT_F_REPEATS);
	rd->gather.unique = !(h->flags & FORMAT_F_REPEATS);
	return 0;
}

/* Bytes from the beginning that may hold something; what comes after is a hole. */
static uint64_t reader_extent(const struct reader *rd)
{
	off_t end = 0;
	off_t data = 0;

	while ((data = lseek(rd->fd, end, SEEK_DATA)) >= 0) {
		end = lseek(rd->fd, data, SEEK_HOLE);
		if (end < 0)
			return rd->size;
	}
	return errno == ENXIO ? (uint64_t)end : rd->size;
}

static bool reader_sealed(const struct reader *rd)
{
	return rd->header.slots != FORMAT_UNSEALED;
}

static int reader_size(struct reader *rd)
{
	uint64_t bytes = rd->size;
	uint64_t want = format_offset(rd->header.slots);

	if (reader_sealed(rd)) {
		if (rd->header.slots > HISTORY_RECORDS_MAX)
			return reader_bad(rd, offsetof(struct format_header, slots),
				"%llu records, at most %u were expected",
				(unsigned long long)rd->header.slots, HISTORY_RECORDS_MAX);
		if (rd->size < want)
			return reader_bad(rd, rd->size,
				"the file ends; %llu records, %llu bytes, were expected",
				(unsigned long long)rd->header.slots, (unsigned long long)want);
		if (rd->size > want && rd->size != format_offset(HISTORY_RECORDS_MAX))
			return reader_bad(rd, want,
				"the file goes on; %llu records and no more were expected",
				(unsigned long long)rd->header.slots);
		rd->slots = rd->header.slots;
		return 0;
	}
	if (rd->size > format_offset(HISTORY_RECORDS_MAX))
		return reader_bad(rd, format_offset(HISTORY_RECORDS_MAX),
			"the file goes on; at most %u records were expected", HISTORY_RECORDS_MAX);
	if ((bytes - sizeof rd->header) % sizeof *rd->slot != 0)
		return reader_bad(rd, bytes, "the file ends inside record %llu",
			(unsigned long long)((bytes - sizeof rd->header) / sizeof *rd->slot));
	if (reader_extent(rd) < bytes)
		bytes = reader_extent(rd);
	if (bytes > sizeof rd->header)
		rd->slots = (bytes - sizeof rd->header) / sizeof *rd->slot;
	return 0;
}

static bool reader_is_zero(const struct history_record *record)
{
	static const struct history_record zero;

	return memcmp(record, &zero, sizeof zero) == 0;
}

/* Find what is committed, from the last slot to the first; cut what was never claimed. */
static int reader_find(struct reader *rd)
{
	size_t damaged = 0;
	bool written = reader_sealed(rd);

	rd->committed = calloc(rd->slots / 8 + 1, 1);
	assert(rd->committed);
	for (uint64_t i = rd->slots; i-- > 0;) {
		uint8_t type = __atomic_load_n(&rd->slot[i].type, __ATOMIC_ACQUIRE);

		if (type != HISTORY_NONE) {
			rd->committed[i / 8] |= (uint8_t)(1u << (i % 8));
			if (rd->slot[i].op > rd->op_max && rd->slot[i].op <= HISTORY_RECORDS_MAX)
				rd->op_max = rd->slot[i].op;
		} else if (!written && reader_is_zero(&rd->slot[i])) {
			continue;
		} else {
			damaged++;
		}
		written = true;
	}
	rd->gather.ops.damaged = damaged;
	if (reader_sealed(rd) && damaged != rd->header.uncommitted)
		return reader_bad(rd, offsetof(struct format_header, uncommitted),
			"%llu uncommitted records were expected, but there are %zu",
			(unsigned long long)rd->header.uncommitted, damaged);
	return 0;
}

static int reader_invoke(struct reader *rd, const struct history_record *r)
{
	struct history_op op = {
		.t_invoke_ns = r->t_ns,
		.t_intended_ns = r->t_intended_ns,
		.key = r->key,
		.value = r->value,
		.old = r->old,
		.op = r->op,
		.session = r->session,
		.phase = r->phase,
		.node = r->node,
		.client = r->client,
		.kind = r->kind,
		.flags = r->flags,
	};
	int ret = 0;

	if (rd->begun[r->op] != 0)
		return err_set(
			rd->err, -EBADMSG, EXIT_USAGE, "operation %u is invoked twice", r->op);
	if (r->kind == HISTORY_TRANSACTION) {
		op.first = (uint32_t)rd->gather.ops.micros;
		op.count = (uint32_t)r->value;
		ret = more_steps(&rd->more, r, &rd->gather);
	} else {
		ret = more_none(&rd->more, r);
	}
	if (r->kind == HISTORY_TRANSFER) {
		op.old = r->old & UINT16_MAX;
		op.to = (uint16_t)(r->old >> 32);
	}
	if (ret)
		return ret;
	rd->begun[r->op] = (uint32_t)rd->gather.ops.count + 1;
	return gather_invoke(&rd->gather, &op, rd->err);
}

#define READER_ENDED UINT32_MAX

/* Whether completion @r of @op is one of it. */
static int reader_fits(
	struct reader *rd, const struct history_record *r, const struct history_op *op)
{
	if (op->session == r->session && op->kind == r->kind &&
		(op->key == r->key || op->kind == HISTORY_TRANSACTION))
		return 0;
	return err_set(rd->err, -EBADMSG, EXIT_USAGE,
		"operation %u ends as a %s of key %llu in session %u, but began as a %s of key "
		"%llu in session %u",
		r->op, history_kind_names[r->kind], (unsigned long long)r->key, r->session,
		history_kind_names[op->kind], (unsigned long long)op->key, op->session);
}

static int reader_complete(struct reader *rd, const struct history_record *r)
{
	struct gather_end end = {
		.outcome = r->type,
		.error = r->error,
		.t_ns = r->t_ns,
		.value = r->value,
		.many = r->flags & HISTORY_F_MANY,
		.first = (uint32_t)rd->gather.ops.lists,
		.count = (uint32_t)r->value,
	};
	uint32_t begun = rd->begun[r->op];
	const struct history_op *op;
	int ret;

	if (begun == READER_ENDED)
		return err_set(rd->err, -EBADMSG, EXIT_USAGE, "operation %u ends twice", r->op);
	if (begun == 0)
		return err_set(rd->err, -EBADMSG, EXIT_USAGE,
			"operation %u ends without having been invoked", r->op);
	op = &rd->gather.ops.op[begun - 1];
	ret = reader_fits(rd, r, op);
	if (ret)
		return ret;
	rd->begun[r->op] = READER_ENDED;
	if (end.many)
		ret = more_list(&rd->more, r, &rd->gather);
	else if (r->kind == HISTORY_TRANSACTION && r->type == HISTORY_OK)
		ret = more_results(&rd->more, r, &rd->gather, op);
	else
		ret = more_none(&rd->more, r);
	return ret ? ret : gather_complete(&rd->gather, begun - 1, &end, rd->err);
}

/* Flags that a record of this type and kind may have. */
static uint8_t reader_flags(const struct history_record *r)
{
	bool many = r->type == HISTORY_OK && r->kind == HISTORY_READ;

	return many ? HISTORY_F_FINAL | HISTORY_F_MANY : HISTORY_F_FINAL;
}

static int reader_fields(struct reader *rd, const struct history_record *r)
{
	if (r->crc != format_record_crc(r))
		return err_set(rd->err, -EBADMSG, EXIT_USAGE,
			"the checksum is %08x, but the contents have %08x", r->crc,
			format_record_crc(r));
	if (r->type >= HISTORY_TYPE_NR)
		return err_set(rd->err, -EBADMSG, EXIT_USAGE,
			"unknown type %u, 1 to %u were expected", r->type, HISTORY_TYPE_NR - 1);
	if (r->type == HISTORY_MORE)
		return 0;
	if (r->kind >= HISTORY_KIND_NR)
		return err_set(rd->err, -EBADMSG, EXIT_USAGE,
			"unknown kind %u, 0 to %u were expected", r->kind, HISTORY_KIND_NR - 1);
	if (r->error >= HISTORY_ERROR_NR)
		return err_set(rd->err, -EBADMSG, EXIT_USAGE,
			"unknown error %u, 0 to %u were expected", r->error, HISTORY_ERROR_NR - 1);
	if (r->flags & ~reader_flags(r))
		return err_set(rd->err, -EBADMSG, EXIT_USAGE,
			"unknown flags %02x, %02x were expected", r->flags, reader_flags(r));
	if (r->kind == HISTORY_TRANSFER && r->old & ~history_accounts(UINT16_MAX, UINT16_MAX))
		return err_set(rd->err, -EBADMSG, EXIT_USAGE,
			"a transfer between accounts %016llx, two of 16 bits were expected",
			(unsigned long long)r->old);
	return 0;
}

static int reader_record(struct reader *rd, const struct history_record *r)
{
	int ret = reader_fields(rd, r);

	if (ret)
		return ret;
	if (r->type == HISTORY_PHASE || r->type == HISTORY_FAULT)
		return 0;
	if (r->op == 0 || r->op > HISTORY_RECORDS_MAX)
		return err_set(rd->err, -EBADMSG, EXIT_USAGE,
			"operation number %u, 1 to %u were expected", r->op, HISTORY_RECORDS_MAX);
	if (r->type == HISTORY_MORE)
		return more_add(&rd->more, (uint64_t)(r - rd->slot));
	return r->type == HISTORY_INVOKE ? reader_invoke(rd, r) : reader_complete(rd, r);
}

static int reader_records(struct reader *rd)
{
	int r = 0;

	rd->begun = calloc((size_t)rd->op_max + 1, sizeof *rd->begun);
	assert(rd->begun);
	rd->more = (struct more){
		.slot = rd->slot, .slots = rd->slots, .ops = rd->op_max, .err = rd->err};
	for (uint64_t i = 0; i < rd->slots && !r; i++) {
		if (!(rd->committed[i / 8] >> (i % 8) & 1))
			continue;
		r = reader_record(rd, &rd->slot[i]);
		if (r)
			r = reader_bad_slot(rd, i);
	}
	return r;
}

static int reader_run(struct reader *rd)
{
	size_t bytes;
	uint8_t *map;
	int r = reader_header(rd);

	if (!r)
		r = reader_size(rd);
	if (r)
		return r;
	bytes = format_offset(rd->slots);
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, rd->fd, 0);
	if (map == MAP_FAILED)
		return err_sys(rd->err, -errno, "map '%s'", rd->path);
	rd->slot = (const struct history_record *)(const void *)(map + format_offset(0));
	r = reader_find(rd);
	if (!r)
		r = reader_records(rd);
	(void)munmap(map, bytes);
	return r;
}

int binary_read(struct history_ops *ret, int fd, const char *path, struct err *err)
{
	struct reader rd = {.path = path, .fd = fd, .err = err};
	struct stat st;
	int r;

	/* Keeps history_close() from cutting off what is mapped here; never waits for long. */
	(void)flock(fd, LOCK_SH);
	if (fstat(fd, &st) != 0)
		return err_sys(err, -errno, "read '%s'", path);
	rd.size = (uint64_t)st.st_size;
	r = reader_run(&rd);
	free(rd.committed);
	free(rd.begun);
	more_fini(&rd.more);
	if (r)
		gather_fini(&rd.gather);
	else
		gather_finish(&rd.gather, ret);
	return r;
}
