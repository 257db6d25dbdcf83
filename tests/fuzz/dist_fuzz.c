/* SPDX-License-Identifier: MIT */
/* dist_fuzz.c - any bytes as a file of delays: refused with a reason, or drawn from within bounds
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "netns/dist.h"
#include "netns/link_state.h"
#include "tests/fuzz/fuzz.h"

#define MS 1000000ull

static void draw(unsigned dist)
{
	uint64_t max = dist_max_ns(dist, 10 * MS, MS);

	for (unsigned i = 0; i < 64; i++)
		assert(dist_draw_ns(dist, 10 * MS, MS, i * 0x04000001u) <= max);
	assert(max <= LINK_DELAY_NS_MAX);
	assert(!dist_replays(dist) || dist_nth_ns(dist, 12345) <= max);
}

/* The first byte says whether it is replayed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("dist", MFD_CLOEXEC), dist;
	struct err err = {0};
	char path[64];

	if (size == 0 || fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1) {
		close(fd);
		return 0;
	}
	(void)snprintf(path, sizeof path, "%s/proc/self/fd/%d", data[0] & 1 ? "replay:" : "", fd);
	dist = dist_load_file(path, &err);
	assert(dist >= DIST_TABLE || err.status == EXIT_USAGE);
	/* There is one name, and so one table that is kept; other values are refused. */
	if (dist >= DIST_TABLE)
		draw((unsigned)dist);
	close(fd);
	return 0;
}
