/* SPDX-License-Identifier: MIT */
/* version.h - which state of the source this program was built from */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

/* As git describes it, "-dirty" behind it if there were changes; "unknown" without git. */
extern const char version[];

#endif
