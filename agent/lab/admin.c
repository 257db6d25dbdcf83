/* SPDX-License-Identifier: MIT */
/* admin.c - one question at a time to a replica, over its admin socket, without blocking */
#include "agent/lab/admin.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RESP_DEPTH_MAX 4
#define RESP_VALUE_MIN 3 /* "+\r\n" */
#define READ_CHUNK 65536

/*
 * The line "$<number>\r\n" or "*<number>\r\n", where -1 stands for nothing: its length, 0 if it is
 * not all there, -EBADMSG. strtol() alone would also take blanks, a plus and what follows a NUL.
 */
static long resp_number(const char *p, size_t len, long *ret)
{
	const char *end = memchr(p, '\n', len);
	char text[24];
	size_t digits;
	char *stop;

	if (!end)
		return len > sizeof text ? -EBADMSG : 0;
	if (end - p < 3 || end[-1] != '\r')
		return -EBADMSG;
	digits = (size_t)(end - p) - 2;
	if (digits >= sizeof text || !(p[1] == '-' || isdigit((unsigned char)p[1])))
		return -EBADMSG;
	memcpy(text, p + 1, digits);
	text[digits] = '\0';
	errno = 0;
	*ret = strtol(text, &stop, 10);
	return stop != text + digits || errno || *ret < -1 ? -EBADMSG : end - p + 1;
}

static long resp_skip_deep(const char *p, size_t len, unsigned depth)
{
	long used;
	long n;

	if (len == 0)
		return 0;
	if (*p == '+' || *p == '-' || *p == ':') {
		const char *end = memchr(p, '\n', len);

		if (!end)
			return 0;
		return end[-1] == '\r' ? end - p + 1 : -EBADMSG;
	}
	if (*p != '$' && *p != '*')
		return -EBADMSG;
	used = resp_number(p, len, &n);
	if (used <= 0 || n < 0)
		return used;
	if (n > (long)ADMIN_ANSWER_MAX)
		return -EBADMSG;
	if (*p == '$') {
		if (len < (size_t)(used + n + 2))
			return 0;
		return memcmp(p + used + n, "\r\n", 2) == 0 ? used + n + 2 : -EBADMSG;
	}
	for (long i = 0; i < n; i++) {
		long one =
			depth ? resp_skip_deep(p + used, len - (size_t)used, depth - 1) : -EBADMSG;

		if (one <= 0)
			return one;
		used += one;
	}
	return used;
}

long resp_skip(const char *p, size_t len)
{
	return resp_skip_deep(p, len, RESP_DEPTH_MAX);
}

long admin_array(const char **p, size_t *left)
{
	long used;
	long n;

	if (*left == 0 || **p != '*')
		return -EBADMSG;
	used = resp_number(*p, *left, &n);
	if (used <= 0 || n < 0 || (size_t)n > (*left - (size_t)used) / RESP_VALUE_MIN)
		return -EBADMSG;
	*p += used;
	*left -= (size_t)used;
	return n;
}

const char *admin_text(const char **p, size_t *left, size_t *ret_len)
{
	long used = resp_skip(*p, *left);
	const char *text = *p;
	long n;

	if (used <= 0 || *text == '*' || *text == '-')
		return NULL;
	*p += used;
	*left -= (size_t)used;
	if (*text == '$') {
		long line = resp_number(text, (size_t)used, &n);

		if (n < 0)
			return NULL;
		*ret_len = (size_t)n;
		return text + line;
	}
	*ret_len = (size_t)used - 3;
	return text + 1;
}

void admin_drop(struct admin *a)
{
	poller_close(a->poller, &a->source);
	buf_fini(&a->in);
	a->asked = false;
}

static void admin_ready(struct source *source, uint32_t events)
{
	struct admin *a = (struct admin *)source;
	ssize_t n;
	long whole;

	(void)events;
	n = read(source->fd, buf_grow(&a->in, READ_CHUNK), READ_CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || a->in.len + (size_t)n > ADMIN_ANSWER_MAX) {
		admin_drop(a);
		return;
	}
	a->in.len += (size_t)n;
	whole = resp_skip((const char *)a->in.p, a->in.len);
	if (whole == 0)
		return;
	if (whole < 0 || !a->asked || (size_t)whole != a->in.len) {
		admin_drop(a);
		return;
	}
	a->asked = false;
	a->answered(a, (const char *)a->in.p, (size_t)whole);
	/* The callback may have asked again, or dropped the connection. */
	a->in.len = 0;
}

void admin_init(struct admin *a, struct poller *p, const char *path)
{
	_Static_assert(offsetof(struct admin, source) == 0, "admin_ready() relies on it");
	*a = (struct admin){.source = {.fd = -1, .ready = admin_ready}, .poller = p, .path = path};
}

static int admin_connect(struct admin *a)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int rc = 0;

	if (strlen(a->path) >= sizeof addr.sun_path)
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, a->path, strlen(a->path) + 1);
	a->source.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->source.fd < 0)
		return -errno;
	if (connect(a->source.fd, (struct sockaddr *)&addr, sizeof addr))
		rc = -errno;
	if (!rc)
		rc = poller_add(a->poller, &a->source, EPOLLIN);
	if (rc) {
		close(a->source.fd);
		a->source.fd = -1;
	}
	return rc;
}

int admin_ask(struct admin *a, const char *command)
{
	char line[128];
	int len = snprintf(line, sizeof line, "%s\r\n", command);
	int rc;

	if (a->asked)
		return -EBUSY;
	if (a->source.fd < 0) {
		rc = admin_connect(a);
		if (rc)
			return rc;
	}
	if (send(a->source.fd, line, (size_t)len, MSG_NOSIGNAL) != len) {
		rc = -errno;
		admin_drop(a);
		return rc ? rc : -EAGAIN;
	}
	a->asked = true;
	return 0;
}
