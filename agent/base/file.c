/* SPDX-License-Identifier: MIT */
/* file.c - the end of a file that was written: whole, or not there */
#include "file.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

int file_keep(FILE *f, const char *path, struct err *err)
{
	struct stat st;
	bool ours = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode); /* and no device */
	int rc = fflush(f) ? -errno : ferror(f) ? -EIO : 0;

	if (fclose(f) && !rc)
		rc = -errno;
	if (!rc)
		return 0;
	if (ours)
		(void)unlink(path);
	return err_sys(err, rc, "write %s", path);
}
