/* SPDX-License-Identifier: MIT */
/*
 * serve.h - a folder of results in a browser: read only, on this machine only
 *
 * What is served: a page that lists the runs and comparisons of the folder, newest first, and of
 * each its files by their names in serve_kind(). Everything else is not there, links are not
 * followed, and no path leads out of the folder (openat2, RESOLVE_BENEATH).
 *
 * Who is served: whoever can reach 127.0.0.1 here, all users of this machine included. A page from
 * elsewhere cannot read along by a name of its own for 127.0.0.1: the Host of each request has to
 * be this machine.
 */
#ifndef REPORT_SERVE_H
#define REPORT_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/err.h"

/* Of a request, its headers included. */
#define SERVE_REQUEST_BYTES_MAX 16384
#define SERVE_CONNECTIONS_MAX 64
/* Without a byte for so long, a connection is closed. */
#define SERVE_IDLE_SECONDS_MAX 10
/* A folder of a folder of a folder, and a file. */
#define SERVE_DEPTH_MAX 4
/* Of the runs in a folder; those that are older are counted. */
#define SERVE_RUNS_MAX 500

struct serve;

/**
 * serve_start() - begin, in a thread of the library
 * @dir:	the folder
 * @port:	0: any that is free
 *
 * Return: 0, or a negative errno; EXIT_CANNOT_RUN if the library is missing.
 */
int serve_start(struct serve **ret, const char *dir, uint16_t port, struct err *err);
uint16_t serve_port(const struct serve *s);
/* serve_stop() - and close all connections. */
void serve_stop(struct serve *s);

/* serve_kind() - of a file that is served: its media type; NULL: it is not. */
const char *serve_kind(const char *name);

/* serve_open() - @path below @dir for reading, by no link. Return: descriptor or negative errno. */
int serve_open(int dir, const char *path);

/* serve_index() - the page of the folder @dir, called @name; @below: there is one above it. */
void serve_index(int dir, const char *name, bool below, FILE *out);

#endif
