/* SPDX-License-Identifier: MIT */
/* control.c - the socket at which a lab that is up takes commands */
#include "agent/lab/control.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/list.h"
#include "agent/lab/names.h"

#define BACKLOG 16
#define ANSWER_MAX (16u << 20)

struct client {
	struct source source;
	struct list link;
	struct control *control;
	char request[CONTROL_REQUEST_MAX];
	size_t request_len;
	struct buf answer;
	size_t sent;
	int send_fd; /* borrowed, goes with the first byte; -1: none */
};

struct control {
	struct source source;
	struct poller *poller;
	control_serve serve;
	void *ctx;
	struct list clients;
	unsigned client_count;
};

static void client_close(struct client *c)
{
	poller_close(c->control->poller, &c->source);
	list_del(&c->link);
	c->control->client_count--;
	buf_fini(&c->answer);
	free(c);
}

/* Send bytes and, with the first of them, a descriptor. */
static ssize_t send_with_fd(int sock, const void *bytes, size_t len, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {(void *)bytes, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The answer, as far as the client takes it now; closes when all is sent. */
static void client_send(struct client *c)
{
	ssize_t n = send_with_fd(c->source.fd, c->answer.p + c->sent, c->answer.len - c->sent,
		c->sent ? -1 : c->send_fd);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		poller_change(c->control->poller, &c->source, EPOLLOUT);
		return;
	}
	if (n < 0) {
		client_close(c);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent == c->answer.len)
		client_close(c);
	else
		poller_change(c->control->poller, &c->source, EPOLLOUT);
}

/* Return: number of words, 0 if this is not a request. */
static unsigned request_split(struct client *c, char *word[CONTROL_WORDS_MAX + 1])
{
	unsigned words = 0;

	if (c->request_len == 0 || c->request[c->request_len - 1] != '\0')
		return 0;
	for (size_t at = 0; at < c->request_len; at += strlen(c->request + at) + 1) {
		if (words == CONTROL_WORDS_MAX)
			return 0;
		word[words++] = c->request + at;
	}
	word[words] = NULL;
	return words;
}

static void client_serve(struct client *c)
{
	char *word[CONTROL_WORDS_MAX + 1];
	unsigned words = request_split(c, word);
	struct err err = {0};
	int status = EXIT_USAGE;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		client_close(c);
		return;
	}
	if (words)
		status = c->control->serve(c->control->ctx, word, words, out, &c->send_fd, &err);
	else
		err_usage(&err, "malformed request");
	(void)fclose(out);
	if (err.code)
		status = (int)err.status;
	buf_u8(&c->answer, (uint8_t)status);
	if (err.code)
		buf_add(&c->answer, err.text, strlen(err.text));
	else
		buf_add(&c->answer, text, len);
	free(text);
	client_send(c);
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *c = (struct client *)source;
	size_t room = sizeof c->request - c->request_len;
	ssize_t n;

	if (c->answer.len) {
		if (events & EPOLLERR)
			client_close(c);
		else
			client_send(c);
		return;
	}
	n = read(source->fd, c->request + c->request_len, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_close(c);
	} else if (n > 0 && (size_t)n < room) {
		c->request_len += (size_t)n;
	} else {
		if (n > 0) /* full: no request is so long */
			c->request_len = 0;
		client_serve(c);
	}
}

static void control_ready(struct source *source, uint32_t events)
{
	struct control *control = (struct control *)source;
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;

	(void)events;
	if (fd < 0)
		return;
	c = control->client_count < CONTROL_CLIENTS_MAX ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->source = (struct source){.fd = fd, .ready = client_ready};
	c->control = control;
	c->send_fd = -1;
	list_push(&control->clients, &c->link);
	control->client_count++;
	if (poller_add(control->poller, &c->source, EPOLLIN))
		client_close(c);
}

int control_open(struct control **ret, struct poller *p, const char *path, control_serve serve,
	void *ctx, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct control *c = calloc(1, sizeof *c);
	int rc = 0;

	if (!c)
		return err_sys(err, -ENOMEM, "open the control socket");
	*c = (struct control){.poller = p, .serve = serve, .ctx = ctx};
	list_init(&c->clients);
	(void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
	c->source.ready = control_ready;
	c->source.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->source.fd < 0 || bind(c->source.fd, (struct sockaddr *)&addr, sizeof addr) ||
		chmod(path, 0600) || listen(c->source.fd, BACKLOG))
		rc = -errno;
	if (!rc)
		rc = poller_add(p, &c->source, EPOLLIN);
	if (rc) {
		control_close(c);
		return err_sys(err, rc, "listen at %s", path);
	}
	*ret = c;
	return 0;
}

void control_close(struct control *c)
{
	struct list *pos;
	struct list *tmp;

	if (!c)
		return;
	list_for_each(pos, tmp, &c->clients) client_close(list_entry(pos, struct client, link));
	poller_close(c->poller, &c->source);
	free(c);
}

struct only {
	char lab[NAMES_LAB_MAX];
	char all[256];
	unsigned labs;
};

static void only_add(void *ctx, const char *lab, pid_t supervisor)
{
	struct only *only = ctx;
	size_t len = strlen(only->all);

	(void)supervisor;
	(void)snprintf(only->lab, sizeof only->lab, "%s", lab);
	(void)snprintf(only->all + len, sizeof only->all - len, "%s%s", len ? ", " : "", lab);
	only->labs++;
}

int control_lab(const char *lab, char ret[33], struct err *err)
{
	struct only only = {.labs = 0};

	if (lab) {
		if (names_check(lab, err))
			return err->code;
		if (!names_held(lab))
			return err_set(err, -ENOENT, EXIT_USAGE,
				"no lab '%s' is up; 'pacelab status' lists those that are", lab);
		(void)snprintf(ret, NAMES_LAB_MAX, "%s", lab);
		return 0;
	}
	names_list(only_add, &only);
	if (only.labs == 0)
		return err_set(err, -ENOENT, EXIT_USAGE, "no lab is up; try: pacelab up cap");
	if (only.labs > 1)
		return err_usage(err, "%u labs are up (%s): choose one with --lab NAME", only.labs,
			only.all);
	(void)snprintf(ret, NAMES_LAB_MAX, "%s", only.lab);
	return 0;
}

/* Read one chunk; a descriptor may come along. Return: as read(2). */
static ssize_t receive(int sock, void *bytes, size_t len, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {bytes, len};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int fd;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
		if (ret_fd && *ret_fd < 0)
			*ret_fd = fd;
		else
			close(fd);
	}
	return n;
}

int control_talk_begin(struct control_talk *t, const char *name, const char *const *word)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int rc = 0;

	*t = (struct control_talk){.fd = -1};
	names_path(addr.sun_path, name, CONTROL_SOCKET);
	t->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->sock < 0 || connect(t->sock, (struct sockaddr *)&addr, sizeof addr))
		rc = -errno;
	for (; !rc && *word; word++) {
		if (send(t->sock, *word, strlen(*word) + 1, MSG_NOSIGNAL) < 0)
			rc = -errno;
	}
	if (!rc && shutdown(t->sock, SHUT_WR))
		rc = -errno;
	if (rc)
		control_talk_end(t);
	return rc;
}

int control_talk_step(struct control_talk *t)
{
	ssize_t n = receive(t->sock, buf_grow(&t->answer, 65536), 65536, &t->fd);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return t->answer.len ? 1 : -ECONNRESET;
	t->answer.len += (size_t)n;
	return t->answer.len > ANSWER_MAX ? -EMSGSIZE : 0;
}

void control_talk_end(struct control_talk *t)
{
	if (t->sock >= 0)
		close(t->sock);
	if (t->fd >= 0)
		close(t->fd);
	buf_fini(&t->answer);
	t->sock = -1;
	t->fd = -1;
}

int control_call(
	const char *lab, const char *const *word, char **ret_text, int *ret_fd, struct err *err)
{
	char name[NAMES_LAB_MAX];
	struct control_talk talk;
	int status;
	int rc = control_lab(lab, name, err);

	*ret_text = NULL;
	if (ret_fd)
		*ret_fd = -1;
	if (rc)
		return rc;
	rc = control_talk_begin(&talk, name, word);
	if (!rc) {
		while ((rc = control_talk_step(&talk)) == 0)
			continue;
	}
	if (rc < 0) {
		control_talk_end(&talk);
		return err_sys(err, rc, "ask lab '%s' (is it just starting or ending?)", name);
	}
	assert(talk.answer.p); /* an answer without a byte is none */
	status = talk.answer.p[0];
	buf_drop(&talk.answer, 1);
	buf_u8(&talk.answer, 0);
	*ret_text = (char *)talk.answer.p; /* ownership moves */
	talk.answer = (struct buf){0};
	if (ret_fd) {
		*ret_fd = talk.fd;
		talk.fd = -1;
	}
	control_talk_end(&talk);
	return status;
}
