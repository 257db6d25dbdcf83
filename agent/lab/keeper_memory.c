/* SPDX-License-Identifier: MIT */
/* keeper_memory.c - the memory of a node's processes */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/lab/keeper_priv.h"

/* Where the kernel does not say what is shared. */
static uint64_t resident_bytes(long pid)
{
	char path[64];
	uint64_t pages = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%ld/statm", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*u %" SCNu64, &pages) != 1)
		pages = 0;
	if (f)
		(void)fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* proc(5): what is shared is divided among those who share it. 0: gone, or not ours. */
static uint64_t process_bytes(long pid)
{
	char path[64];
	char line[160];
	uint64_t kib = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", pid);
	f = fopen(path, "re");
	if (!f && errno == ENOENT)
		return resident_bytes(pid);
	while (f && kib == 0 && fgets(line, sizeof line, f)) {
		if (sscanf(line, "Pss: %" SCNu64 " kB", &kib) != 1)
			kib = 0;
	}
	if (f)
		(void)fclose(f);
	return kib * 1024;
}

uint64_t keeper_memory(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	uint64_t sum = 0;

	while (dir && (e = readdir(dir))) {
		long pid = strtol(e->d_name, NULL, 10);

		if (pid > 1 && pid != (long)getpid())
			sum += process_bytes(pid);
	}
	if (dir)
		(void)closedir(dir);
	return sum;
}
