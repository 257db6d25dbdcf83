/* SPDX-License-Identifier: MIT */
/*
 * record.c - writing a history: a sparse file, mapped by all load processes
 *
 * The counters (next slot, operation, session) live in an anonymous shared mapping, not in the
 * file: what is in the file never changes once it is committed, so a reader needs no lock.
 *
 *   claim     slot = next++             the slot is this writer's alone
 *   fill      all bytes but the type    a killed writer leaves type HISTORY_NONE: uncommitted
 *   commit    type, with release        the record is whole for every reader that sees its type
 *
 * Disk space is allocated before it is written: a store into a hole of a full disk would kill the
 * writer with SIGBUS, where an error can be reported instead.
 */
#include "agent/history/history.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/history/format.h"

#define RECORD_CHUNK_SLOTS (64u << 10) /* disk space is allocated 4 MiB at a time */
#define RECORD_FILE_BYTES (format_offset(HISTORY_RECORDS_MAX))

struct record_counters {
	_Atomic uint64_t slot;
	_Atomic uint64_t allocated; /* slots that have disk space */
	_Atomic uint32_t op;
	_Atomic uint32_t session;
};

struct history {
	int fd;
	uint8_t *map;
	struct record_counters *counters;
};

static struct history_record *record_slot(const struct history *h, uint64_t slot)
{
	return (struct history_record *)(void *)(h->map + format_offset(slot));
}

static void record_header(struct history *h, uint64_t slots, uint64_t uncommitted, uint8_t flags)
{
	struct format_header header;

	memcpy(&header, h->map, sizeof header);
	header.slots = slots;
	header.uncommitted = uncommitted;
	header.flags |= flags;
	header.crc = format_header_crc(&header);
	memcpy(h->map, &header, sizeof header);
}

/* Allocate the chunk that @slot is in; the others before it are or will be by their writers. */
static int record_allocate(struct history *h, uint64_t slot)
{
	uint64_t from = slot / RECORD_CHUNK_SLOTS * RECORD_CHUNK_SLOTS;
	uint64_t to = from + RECORD_CHUNK_SLOTS;

	if (fallocate(h->fd, FALLOC_FL_KEEP_SIZE, (off_t)format_offset(from),
		    (off_t)(format_offset(to) - format_offset(from))) != 0 &&
		errno != EOPNOTSUPP)
		return -errno;
	if (atomic_load(&h->counters->allocated) < to)
		atomic_store(&h->counters->allocated, to);
	return 0;
}

static int record_map(struct history *h, const char *path, struct err *err)
{
	int r;

	if (ftruncate(h->fd, (off_t)RECORD_FILE_BYTES) != 0)
		return err_sys(err, -errno, "create '%s': size", path);
	r = fallocate(h->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)sizeof(struct format_header));
	if (r != 0 && errno != EOPNOTSUPP)
		return err_sys(err, -errno, "create '%s'", path);
	r = record_allocate(h, 0);
	if (r)
		return err_sys(err, r, "create '%s': space for records", path);
	h->map = mmap(NULL, RECORD_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
	if (h->map == MAP_FAILED) {
		h->map = NULL;
		return err_sys(err, -errno, "map '%s'", path);
	}
	*(struct format_header *)(void *)h->map = (struct format_header){
		.version = FORMAT_VERSION,
		.record_size = sizeof(struct history_record),
		.wall_ns = clock_wall_ns(),
		.mono_ns = clock_now_ns(),
	};
	memcpy(h->map, FORMAT_MAGIC, sizeof((struct format_header *)0)->magic);
	record_header(h, FORMAT_UNSEALED, FORMAT_UNSEALED, 0);
	return 0;
}

static void record_free(struct history *h)
{
	if (h->map)
		(void)munmap(h->map, RECORD_FILE_BYTES);
	if (h->counters)
		(void)munmap(h->counters, sizeof *h->counters);
	if (h->fd >= 0)
		(void)close(h->fd);
	free(h);
}

int history_create(struct history **ret, const char *path, struct err *err)
{
	struct history *h = calloc(1, sizeof *h);
	int r;

	assert(h);
	h->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (h->fd < 0) {
		r = err_sys(err, -errno, "create '%s'", path);
		record_free(h);
		return r;
	}
	h->counters = mmap(NULL, sizeof *h->counters, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h->counters == MAP_FAILED) {
		h->counters = NULL;
		r = err_sys(err, -errno, "create '%s': counters", path);
	} else {
		atomic_store(&h->counters->op, 1);
		atomic_store(&h->counters->session, 1);
		r = record_map(h, path, err);
	}
	if (r) {
		(void)unlink(path);
		record_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void history_repeats(struct history *h)
{
	record_header(h, FORMAT_UNSEALED, FORMAT_UNSEALED, FORMAT_F_REPEATS);
}

int history_fd(const struct history *h)
{
	return h->fd;
}

static uint8_t record_type(const struct history *h, uint64_t slot)
{
	return __atomic_load_n(&record_slot(h, slot)->type, __ATOMIC_ACQUIRE);
}

void history_close(struct history *h)
{
	uint64_t slots;
	uint64_t uncommitted = 0;

	if (!h)
		return;
	/* Whoever still wants to write finds the file full. */
	slots = atomic_exchange(&h->counters->slot, HISTORY_RECORDS_MAX);
	if (slots > HISTORY_RECORDS_MAX)
		slots = HISTORY_RECORDS_MAX;
	for (uint64_t i = 0; i < slots; i++)
		uncommitted += record_type(h, i) == HISTORY_NONE;
	record_header(h, slots, uncommitted, 0);
	/*
	 * A reader who has the file mapped holds a lock on it: then, as when cutting fails, the
	 * file stays long, and the header says how much of it is meant.
	 */
	if (flock(h->fd, LOCK_EX | LOCK_NB) == 0)
		(void)!ftruncate(h->fd, (off_t)format_offset(slots));
	record_free(h);
}

uint32_t history_op_number(struct history *h)
{
	return atomic_fetch_add(&h->counters->op, 1);
}

uint32_t history_session_number(struct history *h)
{
	return atomic_fetch_add(&h->counters->session, 1);
}

int history_add(struct history *h, const struct history_record *record)
{
	uint64_t slot = atomic_fetch_add(&h->counters->slot, 1);
	struct history_record r = *record;
	struct history_record *to;
	int ret;

	assert(r.type > HISTORY_NONE && r.type < HISTORY_TYPE_NR);
	if (slot >= HISTORY_RECORDS_MAX)
		return -ENOSPC;
	if (slot >= atomic_load(&h->counters->allocated)) {
		ret = record_allocate(h, slot);
		if (ret)
			return ret;
	}
	to = record_slot(h, slot);
	r.crc = format_record_crc(&r);
	r.type = HISTORY_NONE;
	*to = r;
	__atomic_store_n(&to->type, record->type, __ATOMIC_RELEASE);
	return 0;
}

/* MORE records being filled. */
struct more {
	struct history *h;
	struct format_more record;
	int error;
};

static void more_flush(struct more *m)
{
	struct history_record r;

	if (m->error || m->record.count == 0)
		return;
	memcpy(&r, &m->record, sizeof r);
	m->error = history_add(m->h, &r);
	m->record.part++;
	m->record.count = 0;
	memset(m->record.word, 0, sizeof m->record.word);
}

static void more_word(struct more *m, uint64_t word)
{
	m->record.word[m->record.count++] = word;
	if (m->record.count == FORMAT_MORE_WORDS)
		more_flush(m);
}

static struct more more_begin(struct history *h, const struct history_record *of)
{
	return (struct more){
		.h = h, .record = {.type = HISTORY_MORE, .of = of->type, .op = of->op}};
}

/* The record that all of it belongs to, and that says how much of it there is. */
static int more_end(struct more *m, const struct history_record *of, size_t value, uint8_t flags)
{
	struct history_record r = *of;

	more_flush(m);
	if (m->error)
		return m->error;
	r.value = value;
	r.flags |= flags;
	return history_add(m->h, &r);
}

int history_add_many(struct history *h, const struct history_record *record,
	const uint64_t *element, size_t count)
{
	struct more m = more_begin(h, record);

	assert(record->type == HISTORY_OK && record->kind == HISTORY_READ);
	if (count > HISTORY_MANY_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++)
		more_word(&m, element[i]);
	return more_end(&m, record, count, HISTORY_F_MANY);
}

int history_add_steps(struct history *h, const struct history_record *record,
	const struct history_micro *step, size_t count)
{
	struct more m = more_begin(h, record);

	assert(record->type == HISTORY_INVOKE && record->kind == HISTORY_TRANSACTION);
	if (count > HISTORY_STEPS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		assert(step[i].kind == HISTORY_READ || step[i].kind == HISTORY_APPEND);
		more_word(&m, step[i].kind);
		more_word(&m, step[i].key);
		more_word(&m, step[i].kind == HISTORY_READ ? 0 : step[i].value);
	}
	return more_end(&m, record, count, 0);
}

int history_add_results(struct history *h, const struct history_record *record,
	const struct history_micro *step, size_t count, const uint64_t *list)
{
	struct more m = more_begin(h, record);
	size_t words = 0;

	assert(record->type == HISTORY_OK && record->kind == HISTORY_TRANSACTION);
	for (size_t i = 0; i < count; i++)
		if (step[i].kind == HISTORY_READ)
			words += 1 + (size_t)step[i].count;
	if (words > HISTORY_MANY_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		if (step[i].kind != HISTORY_READ)
			continue;
		more_word(&m, step[i].count);
		for (uint32_t k = 0; k < step[i].count; k++)
			more_word(&m, list[step[i].first + k]);
	}
	return more_end(&m, record, words, 0);
}
