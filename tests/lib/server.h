/* SPDX-License-Identifier: MIT */
/*
 * server.h - a server on loopback that says what a test wrote down for it
 *
 * A thread that serves one connection after the other; each request, over all of them, is the next
 * play. What it read last and how many connections it had is for the test to look at.
 */
#ifndef TESTS_SERVER_H
#define TESTS_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVER_REQUEST_MAX 2048

/**
 * struct play - what the server does with one request
 * @answer:	NULL: none
 * @hang_up:	after the answer
 * @crumbs:	one byte at a time
 */
struct play {
	const char *answer;
	bool hang_up;
	bool crumbs;
};

/**
 * struct server - all of it
 * @whole:	is this a whole request? NULL: whatever was received at once
 * @length:	of an answer; NULL: up to its NUL
 * @greeting:	is said first on each connection; NULL: nothing is
 * @request:	the last one, ends with a NUL
 */
struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	const struct play *play;
	unsigned plays;
	bool (*whole)(const char *request);
	size_t (*length)(const char *answer);
	const char *greeting;
	char request[SERVER_REQUEST_MAX];
	_Atomic unsigned connections;
	int stop[2];
};

/* server_start() - listen on a free port, with what stands in @s of whole, length, greeting.
 * server_stop() waits. */
void server_start(struct server *s, const struct play *play, unsigned plays);
void server_stop(struct server *s);

#endif
