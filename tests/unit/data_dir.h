/* SPDX-License-Identifier: MIT */
/* data_dir.h - folders of replicas that tests have made */
#ifndef TESTS_UNIT_DATA_DIR_H
#define TESTS_UNIT_DATA_DIR_H

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

/* data_remove() - a folder with the files in it; it may be gone. */
static inline void data_remove(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	(void)rmdir(path);
}

#endif
