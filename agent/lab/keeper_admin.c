/* SPDX-License-Identifier: MIT */
/* keeper_admin.c - the keeper's admin socket: a few commands, a line each, answered in RESP2 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/lab/keeper_priv.h"

#define WORDS_MAX 6

static void client_close(struct keeper_client *c)
{
	close(c->fd);
	*c = (struct keeper_client){.fd = -1};
}

/* Who does not take an answer of some hundred bytes at once is gone. */
static void answer(struct keeper_client *c, const char *bytes, size_t len)
{
	if (send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		client_close(c);
}

static void answer_line(struct keeper_client *c, const char *line)
{
	char out[KEEPER_WHY_MAX + 16];

	/* What a database said may have any byte in it but the end of its line. */
	(void)snprintf(out, sizeof out, "%.*s\r\n", (int)strcspn(line, "\r\n"), line);
	answer(c, out, strlen(out));
}

void keeper_admin_accept(struct keeper *k)
{
	int fd = accept4(k->task->admin_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (unsigned i = 0; i < KEEPER_CLIENTS_MAX; i++) {
		if (k->client[i].fd < 0) {
			k->client[i] = (struct keeper_client){.fd = fd};
			return;
		}
	}
	close(fd);
}

static void serve_info(struct keeper *k, struct keeper_client *c)
{
	struct driver_status status;
	struct buf out = {0};

	keeper_status_read(k->status, &status);
	status.ready = keeper_ready(k, &status);
	keeper_info(&out, &status, k->task->self, k->memory);
	answer(c, (const char *)out.p, out.len);
	buf_fini(&out);
}

/* The clock is read by a program that sees it as the database does. */
static void serve_clock(struct keeper *k, struct keeper_client *c, const char *value)
{
	static char *const argv[] = {"date", "+%s%N", NULL};
	bool fake = *k->task->clock_library;
	int64_t skew_ns = 0;
	char text[64];
	struct err err;
	char *end;

	if (value) {
		errno = 0;
		skew_ns = strtoll(value, &end, 10);
		if (errno || *end || end == value) {
			answer_line(c, "-ERR PACELAB CLOCK: nanoseconds, please");
			return;
		}
		if (fake ? keeper_clock_set(skew_ns) != 0 : skew_ns != 0) {
			answer_line(c, "-ERR the clock of this database cannot be set");
			return;
		}
	}
	if (fake && !value) {
		if (!k->clock.pid && process_start(&k->clock, argv, &err)) {
			answer_line(c, "-ERR the clock cannot be read");
			return;
		}
		c->wait = WAIT_CLOCK;
		return;
	}
	(void)snprintf(text, sizeof text, ":%" PRIu64, clock_wall_ns() + (uint64_t)skew_ns);
	answer_line(c, text);
}

static void serve_order(
	struct keeper *k, struct keeper_client *c, const char *leader, const char *name)
{
	const char *why = keeper_order(k, leader, name);
	char text[KEEPER_LINE_MAX];

	if (!why) {
		c->wait = WAIT_ORDER;
		return;
	}
	(void)snprintf(text, sizeof text, "-ERR %s", why);
	answer_line(c, text);
}

static void serve(struct keeper *k, struct keeper_client *c)
{
	char *word[WORDS_MAX] = {NULL};
	unsigned n = 0;
	char *save;

	for (char *w = strtok_r(c->line, " \r", &save); w && n < WORDS_MAX;
		w = strtok_r(NULL, " \r", &save))
		word[n++] = w;
	if (n == 1 && strcmp(word[0], "INFO") == 0)
		serve_info(k, c);
	else if (n >= 2 && n <= 3 && strcmp(word[0], "PACELAB") == 0 &&
		 strcmp(word[1], "CLOCK") == 0)
		serve_clock(k, c, word[2]);
	else if (n == 2 && strcmp(word[0], "PACELAB") == 0 && strcmp(word[1], "LEAD") == 0)
		serve_order(k, c, NULL, NULL);
	else if (n == 4 && strcmp(word[0], "PACELAB") == 0 && strcmp(word[1], "FOLLOW") == 0)
		serve_order(k, c, word[2], word[3]);
	else /* PACELAB VERSIONS, too: what a real database has cannot be listed */
		answer_line(c, "-ERR INFO, PACELAB CLOCK, LEAD or FOLLOW address name");
}

void keeper_admin_hear(struct keeper *k, struct keeper_client *c)
{
	ssize_t n = recv(c->fd, c->line + c->len, sizeof c->line - 1 - c->len, 0);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Nobody asks again before the answer. */
	if (n <= 0 || c->wait != WAIT_NOTHING) {
		client_close(c);
		return;
	}
	c->len += (size_t)n;
	c->line[c->len] = '\0';
	end = strchr(c->line, '\n');
	if (end) {
		*end = '\0';
		c->len = 0;
		serve(k, c);
	} else if (c->len == sizeof c->line - 1) {
		client_close(c);
	}
}

void keeper_admin_tell(struct keeper *k, enum keeper_wait what, const char *line)
{
	for (unsigned i = 0; i < KEEPER_CLIENTS_MAX; i++) {
		if (k->client[i].fd < 0 || k->client[i].wait != what)
			continue;
		k->client[i].wait = WAIT_NOTHING;
		answer_line(&k->client[i], line);
	}
}
