/* SPDX-License-Identifier: MIT */
/* rtt_file_fuzz.c - any bytes as a file of round trips: refused with a reason, or a whole matrix */
#include <assert.h>
#include <string.h>

#include "agent/lab/rtt_file.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rtt_file file;
	struct err err = {0};

	if (rtt_file_parse(&file, "m", (const char *)data, size, &err) < 0) {
		assert(err.status == EXIT_USAGE && strncmp(err.text, "m:", 2) == 0);
		return 0;
	}
	assert(file.regions >= 2 && file.regions <= RTT_FILE_REGIONS_MAX);
	for (unsigned a = 0; a < file.regions; a++) {
		assert(file.name[a][0] && file.rtt_ns[a][a] == 0);
		for (unsigned b = 0; b < file.regions; b++) {
			assert(file.rtt_ns[a][b] == file.rtt_ns[b][a]);
			assert((double)file.rtt_ns[a][b] <= RTT_FILE_MS_MAX * 1e6);
		}
	}
	return 0;
}
