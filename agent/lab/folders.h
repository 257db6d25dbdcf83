/* SPDX-License-Identifier: MIT */
/* folders.h - where scripts/labs and scripts/systems are, in the source tree or installed */
#ifndef LAB_FOLDERS_H
#define LAB_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

/* folders_list() - folder number @i in which files of @what, "labs", are looked for: below the
 * working directory, above this program, installed. Return: false after the last. */
bool folders_list(const char *what, unsigned i, char *ret, size_t size);

/* folders_find() - the first of them that is there. Return: false if there is none. */
bool folders_find(const char *what, char *ret, size_t size);

/* folders_own() - the folder of the running program, "." if the kernel does not tell. */
void folders_own(char *ret, size_t size);

#endif
