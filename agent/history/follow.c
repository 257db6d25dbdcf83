/* SPDX-License-Identifier: MIT */
/*
 * follow.c - the records of a binary history one after another, while it is written
 *
 * Slots are claimed in order, but committed in any: the reader waits at the first one that is not.
 * If a later one is committed, it was claimed, and its writer is about to commit it or is dead.
 * A record is taken when its checksum is right: reading it may have met its writer half way.
 */
#include "agent/history/follow.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/history/format.h"

#define FOLLOW_CHUNK 256

struct follow {
	int fd;
	struct history_record record[FOLLOW_CHUNK];
	uint64_t first;     /* slot of record[0] */
	unsigned count;     /* records that were read */
	unsigned at;        /* the next of them */
	uint64_t waited_ns; /* since when for the one at @at, 0: not yet */
	uint64_t left_out;
};

int follow_open(struct follow **ret, const char *path, struct err *err)
{
	struct follow *f = calloc(1, sizeof *f);

	assert(f);
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0) {
		int rc = err_sys(err, -errno, "open '%s'", path);

		free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

void follow_close(struct follow *f)
{
	if (!f)
		return;
	(void)close(f->fd);
	free(f);
}

static bool follow_committed(const struct history_record *r)
{
	return r->type != HISTORY_NONE && r->crc == format_record_crc(r);
}

/* Read on from the present slot. */
static int follow_fill(struct follow *f)
{
	ssize_t n;

	f->first += f->at;
	f->at = 0;
	f->count = 0;
	n = pread(f->fd, f->record, sizeof f->record, (off_t)format_offset(f->first));
	if (n < 0)
		return -errno;
	f->count = (unsigned)((size_t)n / sizeof *f->record);
	return 0;
}

/* Whether a slot behind the present one is committed. */
static bool follow_passed(const struct follow *f)
{
	for (unsigned i = f->at + 1; i < f->count; i++)
		if (follow_committed(&f->record[i]))
			return true;
	return false;
}

static int follow_take(struct follow *f, const struct history_record **ret)
{
	f->waited_ns = 0;
	*ret = &f->record[f->at++];
	return 1;
}

int follow_next(struct follow *f, uint64_t now_ns, const struct history_record **ret)
{
	for (;;) {
		int rc;

		if (f->at < f->count && follow_committed(&f->record[f->at]))
			return follow_take(f, ret);
		rc = follow_fill(f);
		if (rc)
			return rc;
		if (f->count > 0 && follow_committed(&f->record[0]))
			return follow_take(f, ret);
		if (!follow_passed(f))
			return 0;
		if (f->waited_ns == 0)
			f->waited_ns = now_ns;
		if (now_ns - f->waited_ns < FOLLOW_WAIT_NS)
			return 0;
		f->waited_ns = 0;
		f->left_out++;
		f->at = 1;
	}
}

uint64_t follow_left_out(const struct follow *f)
{
	return f->left_out;
}
