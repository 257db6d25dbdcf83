/* SPDX-License-Identifier: MIT */
/* resp_link.c - one connection to a server that speaks RESP */
#include "agent/load/drivers/resp_link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"

#define RECEIVE_BYTES 4096

void resp_link_init(struct resp_link *l, uint32_t addr_be, uint16_t port)
{
	*l = (struct resp_link){.fd = -1,
		.addr = {.sin_family = AF_INET,
			.sin_addr.s_addr = addr_be,
			.sin_port = htons(port)}};
}

void resp_link_fini(struct resp_link *l)
{
	resp_link_hang_up(l);
	buf_fini(&l->in);
}

void resp_link_hang_up(struct resp_link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->state = RESP_LINK_CLOSED;
	l->in.len = 0;
}

/* Wait for @events. Return: revents, 0 when the deadline has passed. */
static short wait_for(const struct resp_link *l, short events, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = l->fd, .events = events};

	for (;;) {
		uint64_t now = clock_now_ns();
		uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
		struct timespec t = clock_timespec(left);
		int n = ppoll(&p, 1, &t, NULL);

		if (n > 0)
			return p.revents;
		if (n == 0 && clock_now_ns() >= deadline_ns)
			return 0;
		if (n < 0 && errno != EINTR)
			return POLLERR;
	}
}

static void begin_connect(struct resp_link *l)
{
	int one = 1;

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return;
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	l->state = RESP_LINK_CONNECTING;
	if (connect(l->fd, (struct sockaddr *)&l->addr, sizeof l->addr) < 0 && errno != EINPROGRESS)
		resp_link_hang_up(l);
}

/*
 * recv() blocks by itself, which spares a system call in each operation, but for less than the
 * usual deadline, so that it never overshoots one; poll() does the rest.
 */
static void finish_connect(struct resp_link *l, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();
	struct timeval t;

	l->wait_ns = deadline_ns > now ? (deadline_ns - now) / 2 : 0;
	t.tv_sec = (time_t)(l->wait_ns / NS_PER_S);
	t.tv_usec = (suseconds_t)(l->wait_ns % NS_PER_S / NS_PER_US);
	if (t.tv_sec == 0 && t.tv_usec == 0)
		t.tv_usec = 1; /* 0 would be for ever */
	(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	l->state = RESP_LINK_OPEN;
}

bool resp_link_open(struct resp_link *l, uint64_t deadline_ns)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (l->state == RESP_LINK_OPEN)
		return true;
	if (l->state == RESP_LINK_CLOSED)
		begin_connect(l);
	if (l->state != RESP_LINK_CONNECTING || !wait_for(l, POLLOUT, deadline_ns))
		return false;
	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
		resp_link_hang_up(l);
		return false;
	}
	finish_connect(l, deadline_ns);
	return true;
}

void resp_link_look(struct resp_link *l)
{
	if (l->state == RESP_LINK_OPEN && wait_for(l, POLLIN, 0))
		resp_link_hang_up(l);
}

bool resp_link_send(
	struct resp_link *l, const void *p, size_t len, uint64_t deadline_ns, bool *ret_all)
{
	size_t sent = 0;

	*ret_all = false;
	while (sent < len) {
		ssize_t n = send(
			l->fd, (const char *)p + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno == EAGAIN && !wait_for(l, POLLOUT, deadline_ns))
			return sent > 0;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return sent > 0;
	}
	*ret_all = true;
	return true;
}

ssize_t resp_link_receive(struct resp_link *l, uint64_t deadline_ns)
{
	void *to = buf_grow(&l->in, RECEIVE_BYTES);
	uint64_t now = clock_now_ns();
	bool block = now < deadline_ns && l->wait_ns < deadline_ns - now;

	for (;;) {
		ssize_t n = recv(l->fd, to, RECEIVE_BYTES, block ? 0 : MSG_DONTWAIT);

		if (n >= 0) {
			l->in.len += (size_t)n;
			return n;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		block = false;
		if (!wait_for(l, POLLIN, deadline_ns))
			return -EAGAIN;
	}
}
