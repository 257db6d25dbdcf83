/* SPDX-License-Identifier: MIT */
/* sim_torn.c - a crash in the middle of a write, seen by the real log's recovery */
#include "agent/sim/sim_torn.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/crc32c.h"
#include "store/wal.h"

#define SECTOR 512u   /* what a disk writes as a whole or not at all */
#define SOUND_MAX 16u /* records of before that go into the file, too */
#define SPACE (64u << 10)

struct reader {
	struct sim_node *n;
	size_t next; /* index of the record that should come */
};

static int take(void *arg, const void *bytes, size_t len)
{
	struct reader *r = arg;
	const struct sim_record *want = &r->n->record[r->next];

	if (r->next == r->n->records || want->len != len || memcmp(want->bytes, bytes, len) != 0)
		sim_fail(r->n->sim, "r%u: the log gives back another record %zu", r->n->id,
			r->next + 1);
	else
		r->next++;
	return 0;
}

static void put(int fd, const void *bytes, size_t len, uint64_t at)
{
	ssize_t done = pwrite(fd, bytes, len, (off_t)at);

	assert(done == (ssize_t)len);
}

/* As wal.h describes it; that recovery reads it is seen here. */
static void encode(struct buf *b, uint64_t seq, uint64_t durable_end, const struct sim_record *r)
{
	size_t begin = b->len;

	buf_u32(b, (uint32_t)r->len);
	buf_u64(b, seq);
	buf_u64(b, durable_end);
	buf_u32(b, crc32c(0, r->bytes, r->len));
	buf_u32(b, crc32c(0, b->p + begin, WAL_RECORD_CHECKED));
	buf_add(b, r->bytes, r->len);
	buf_u8(b, WAL_RECORD_END);
}

/* All sectors up to some place, some of those after it: as a disk with a queue leaves them. */
static void put_torn(struct sim_node *n, int fd, const struct buf *b, uint64_t at)
{
	size_t whole = (size_t)((at + prng_below(&n->chance, b->len + 1)) / SECTOR * SECTOR);
	uint64_t end = at + b->len;

	for (uint64_t from = at; from < end;) {
		uint64_t to = (from / SECTOR + 1) * SECTOR;

		if (to > end)
			to = end;
		if (to <= whole || prng_below(&n->chance, 4) == 0)
			put(fd, b->p + (from - at), (size_t)(to - from), from);
		from = to;
	}
}

static void write_log(struct sim_node *n, int fd, uint32_t kind, size_t first)
{
	uint8_t header[WAL_HEADER];
	struct buf sound = {0}, torn = {0};
	uint64_t end;

	wal_segment_header(kind, first + 1, 0, header);
	put(fd, header, sizeof(header), 0);
	for (size_t i = first; i < n->records_durable; i++)
		encode(&sound, i + 1, WAL_HEADER, &n->record[i]);
	if (sound.len)
		put(fd, sound.p, sound.len, WAL_HEADER);
	end = WAL_HEADER + sound.len;
	for (size_t i = n->records_durable; i < n->records; i++)
		encode(&torn, i + 1, end, &n->record[i]);
	if (torn.len)
		put_torn(n, fd, &torn, end);
	/* Space is prepared in advance. */
	if (ftruncate(fd, (off_t)((end + torn.len) / SPACE + 1) * SPACE) < 0)
		assert(false);
	buf_fini(&sound);
	buf_fini(&torn);
}

static int folder_open(char *path)
{
	int dir;

	if (!mkdtemp(path))
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(dir >= 0);
	return dir;
}

static void folder_close(int dir, const char *path)
{
	DIR *d = fdopendir(dir);
	const struct dirent *e;

	assert(d);
	rewinddir(d);
	while ((e = readdir(d)))
		(void)unlinkat(dir, e->d_name, 0);
	closedir(d);
	(void)rmdir(path);
}

static void recover(struct reader *r, int dir, const char *path, uint32_t kind)
{
	const struct wal_source source = {
		.dir = dir,
		.name = path,
		.kind = kind,
		.after = r->next,
		.restore = take,
		.arg = r,
	};
	struct wal_report report = {0};
	struct err err = {0};

	if (wal_recover(&source, &report, &err))
		sim_fail(r->n->sim, "r%u: a torn write is refused: %s", r->n->id, err.text);
	wal_report_fini(&report);
}

size_t sim_torn(struct sim_node *n)
{
	size_t sound = n->records_durable - n->snapshot.from;
	struct reader r = {.n = n};
	uint32_t kind = wal_kind(n->sim->config.ops->name, n->id);
	char path[] = "/dev/shm/pacelab-sim-XXXXXX";
	int dir, fd;

	assert(n->records_durable >= n->snapshot.from);
	r.next = n->records_durable - (sound < SOUND_MAX ? sound : SOUND_MAX);
	dir = folder_open(path);
	if (dir < 0) /* there is no memory for files here: as any other crash */
		return n->records_durable;
	n->sim->count[SIM_TORN]++;
	fd = openat(dir, WAL_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert(fd >= 0);
	write_log(n, fd, kind, r.next);
	close(fd);
	recover(&r, dir, path, kind);
	folder_close(dir, path);
	if (r.next < n->records_durable) {
		sim_fail(n->sim, "r%u: the log lost record %zu, which was reported", n->id,
			r.next + 1);
		return n->records_durable;
	}
	return r.next;
}
