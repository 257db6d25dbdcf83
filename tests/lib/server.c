/* SPDX-License-Identifier: MIT */
/* server.c - a server on loopback that says what a test wrote down for it */
#include "tests/lib/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test.h"

#define CONNECTIONS_MAX 4

static bool readable(const struct server *s, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};

	return poll(p, 2, -1) > 0 && !p[1].revents;
}

static void answer(const struct server *s, int fd, const struct play *play)
{
	size_t len = play->answer ? (s->length ? s->length : strlen)(play->answer) : 0;

	for (size_t i = 0; i < len;) {
		size_t n = play->crumbs ? 1 : len;

		if (send(fd, play->answer + i, n, MSG_NOSIGNAL) < 0)
			return;
		i += n;
	}
}

/* Return: 1 for a request, 0 if the client hung up, -1 if the test is over. */
static int receive(struct server *s, int fd)
{
	size_t len = 0;

	do {
		ssize_t n;

		if (!readable(s, fd))
			return -1;
		n = recv(fd, s->request + len, sizeof s->request - 1 - len, 0);
		if (n <= 0)
			return 0;
		len += (size_t)n;
		s->request[len] = '\0';
	} while (s->whole && !s->whole(s->request));
	return 1;
}

/* Return: whether the server goes on. */
static bool serve(struct server *s, int fd, unsigned *at)
{
	while (*at < s->plays) {
		const struct play *play = &s->play[*at];
		int got = receive(s, fd);

		if (got <= 0)
			return got == 0; /* the next play is for another one */
		(*at)++;
		answer(s, fd, play);
		if (play->hang_up)
			return true;
	}
	return readable(s, fd);
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	unsigned at = 0;
	bool more = true;

	while (more && readable(s, s->fd)) {
		int fd = accept(s->fd, NULL, NULL);

		s->connections++;
		answer(s, fd, &(struct play){.answer = s->greeting});
		more = serve(s, fd, &at);
		close(fd);
	}
	return NULL;
}

void server_start(struct server *s, const struct play *play, unsigned plays)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;

	*s = (struct server){.play = play,
		.plays = plays,
		.whole = s->whole,
		.length = s->length,
		.greeting = s->greeting};
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(s->fd, CONNECTIONS_MAX), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(pipe2(s->stop, O_CLOEXEC), 0); /* a program that is a driver has it not */
	s->port = ntohs(addr.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

void server_stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->fd);
}
