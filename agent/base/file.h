/* SPDX-License-Identifier: MIT */
/* file.h - the end of a file that was written: whole, or not there */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdio.h>

#include "err.h"

/*
 * file_keep() - flush and close @f, which was opened for writing at @path
 * What could not be written whole is not left behind: it would be taken for whole. Return: 0 or a
 * negative errno.
 */
int file_keep(FILE *f, const char *path, struct err *err);

#endif
