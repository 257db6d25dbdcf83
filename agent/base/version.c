/* SPDX-License-Identifier: MIT */
/* version.c - which state of the source this program was built from; the Makefile says it */
#include "version.h"

#ifndef PACELAB_VERSION
#define PACELAB_VERSION "unknown"
#endif

const char version[] = PACELAB_VERSION;
