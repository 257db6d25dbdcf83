/* SPDX-License-Identifier: MIT */
/*
 * nlsock.c - rtnetlink in batches
 *
 * One sendmsg carries up to NLSOCK_CHUNK bytes of messages. The sequence number of a message is
 * its position, so an error report is traced to the message and described by name. What to do
 * about an error is decided by errno; the kernel's text is for people only.
 */
#include "nlsock.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NLSOCK_CHUNK (512u << 10)
#define NLSOCK_SNDBUF (2 * (int)NLSOCK_CHUNK) /* one chunk and the kernel's own bookkeeping */
#define NLSOCK_RCVBUF (8 << 20)               /* an error report for each message of a chunk */
#define NLSOCK_ANSWER_MAX (64u << 10)

struct nlmsghdr *nlbatch_begin(struct nlbatch *b, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf_grow(&b->bytes, NLBATCH_MESSAGE_MAX));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	return nlh;
}

void nlbatch_end(struct nlbatch *b, const struct nlmsghdr *nlh)
{
	assert((const uint8_t *)nlh == b->bytes.p + b->bytes.len);
	assert(nlh->nlmsg_len <= NLBATCH_MESSAGE_MAX);
	b->bytes.len += NLMSG_ALIGN(nlh->nlmsg_len);
	b->messages++;
}

void nlbatch_add(struct nlbatch *b, const struct nlmsghdr *nlh)
{
	size_t len = NLMSG_ALIGN(nlh->nlmsg_len);
	uint8_t *to = buf_grow(&b->bytes, len);

	memset(to, 0, len);
	memcpy(to, nlh, nlh->nlmsg_len);
	/* libnl would set it while sending; a message without it is ignored, without an answer. */
	((struct nlmsghdr *)to)->nlmsg_flags |= NLM_F_REQUEST;
	b->bytes.len += len;
	b->messages++;
}

void nlbatch_clear(struct nlbatch *b)
{
	b->bytes.len = 0;
	b->messages = 0;
}

void nlbatch_fini(struct nlbatch *b)
{
	buf_fini(&b->bytes);
	b->messages = 0;
}

int nlsock_open(struct nlsock *s, struct err *err)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	int one = 1, sndbuf = NLSOCK_SNDBUF, rcvbuf = NLSOCK_RCVBUF;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return err_sys(err, -errno, "open a netlink socket");
	/* Without these only the text of errors is lost. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof sndbuf) ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf) ||
		bind(fd, (struct sockaddr *)&addr, sizeof addr)) {
		int code = -errno;

		close(fd);
		return err_sys(err, code, "set up a netlink socket");
	}
	*s = (struct nlsock){.fd = fd};
	return 0;
}

void nlsock_close(struct nlsock *s)
{
	if (s->fd > 0)
		close(s->fd);
	s->fd = 0;
}

static const char *type_name(uint16_t type)
{
	switch (type) {
	case RTM_NEWLINK:
		return "RTM_NEWLINK";
	case RTM_SETLINK:
		return "RTM_SETLINK";
	case RTM_GETLINK:
		return "RTM_GETLINK";
	case RTM_DELLINK:
		return "RTM_DELLINK";
	case RTM_NEWADDR:
		return "RTM_NEWADDR";
	case RTM_NEWROUTE:
		return "RTM_NEWROUTE";
	case RTM_NEWNEIGH:
		return "RTM_NEWNEIGH";
	case RTM_NEWQDISC:
		return "RTM_NEWQDISC";
	case RTM_DELQDISC:
		return "RTM_DELQDISC";
	case RTM_GETQDISC:
		return "RTM_GETQDISC";
	case RTM_NEWTCLASS:
		return "RTM_NEWTCLASS";
	case RTM_GETTCLASS:
		return "RTM_GETTCLASS";
	case RTM_NEWTFILTER:
		return "RTM_NEWTFILTER";
	case RTM_DELTFILTER:
		return "RTM_DELTFILTER";
	default:
		return "rtnetlink message";
	}
}

/* The word by which a person knows what a message is about: interface name or kind of tc. */
static const char *subject_of(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;
	size_t header;
	uint16_t want;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_SETLINK:
		header = sizeof(struct ifinfomsg);
		want = IFLA_IFNAME;
		break;
	case RTM_NEWQDISC:
	case RTM_NEWTCLASS:
	case RTM_NEWTFILTER:
		header = sizeof(struct tcmsg);
		want = TCA_KIND;
		break;
	default:
		return "";
	}
	nlsock_for_each(attr, nlh, header)
	{
		if (mnl_attr_get_type(attr) == want)
			return mnl_attr_get_str(attr);
	}
	return "";
}

/* The kernel's own words, which follow the error as an attribute (NETLINK_EXT_ACK). */
static const char *words_of(const struct nlmsghdr *answer)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);
	size_t header = sizeof *e;
	const struct nlattr *attr;

	if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(answer->nlmsg_flags & NLM_F_CAPPED))
		header += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof e->msg;
	nlsock_for_each(attr, answer, header)
	{
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
			mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(attr);
	}
	return NULL;
}

static int answer_error(
	const struct nlmsghdr *answer, const struct nlmsghdr *asked, struct err *err)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);
	const char *words = words_of(answer);
	const char *subject = asked ? subject_of(asked) : "";
	enum exit_status status = EXIT_INTERNAL;

	if (e->error == -EPERM || e->error == -EOPNOTSUPP)
		status = EXIT_CANNOT_RUN;
	return err_set(err, e->error, status, "%s%s%s: %s%s%s%s", type_name(e->msg.nlmsg_type),
		*subject ? " " : "", subject, strerror(-e->error), words ? " (kernel: " : "",
		words ? words : "", words ? ")" : "");
}

static void note_refusal(struct nlsock *s, const struct nlmsghdr *asked)
{
	struct tcmsg tc = {0};
	struct ifinfomsg ifi = {0};

	if (!asked || s->refusal.ifindex)
		return;
	switch (asked->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_SETLINK:
		memcpy(&ifi, mnl_nlmsg_get_payload(asked), sizeof ifi);
		s->refusal.ifindex = ifi.ifi_index;
		break;
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
	case RTM_NEWTCLASS:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		memcpy(&tc, mnl_nlmsg_get_payload(asked), sizeof tc);
		s->refusal = (struct nlsock_refusal){.ifindex = tc.tcm_ifindex,
			.parent = tc.tcm_parent,
			.handle = tc.tcm_handle};
		break;
	default:
		break;
	}
}

/* Messages of a chunk, numbered from @first; finds number @seq. */
static const struct nlmsghdr *message_at(const uint8_t *p, size_t len, uint32_t seq)
{
	for (size_t at = 0; at < len;) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(p + at);

		if (nlh->nlmsg_seq == seq)
			return nlh;
		at += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	return NULL;
}

static ssize_t receive(const struct nlsock *s, void *answer, size_t size)
{
	ssize_t n;

	do {
		n = recv(s->fd, answer, size, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Read answers until that of message @last came; keep the first failure. */
static int collect(
	struct nlsock *s, const uint8_t *sent, size_t sent_len, uint32_t last, struct err *err)
{
	static _Thread_local uint8_t answer[NLSOCK_ANSWER_MAX] __attribute__((aligned(8)));
	int code = 0;

	for (;;) {
		ssize_t got = receive(s, answer, sizeof answer);
		int left = (int)got;

		if (got < 0)
			return err_sys(err, (int)got, "read netlink answers");
		for (const struct nlmsghdr *nlh = (void *)answer; mnl_nlmsg_ok(nlh, left);
			nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			if (e->error && !code) {
				const struct nlmsghdr *asked =
					message_at(sent, sent_len, nlh->nlmsg_seq);

				note_refusal(s, asked);
				code = answer_error(nlh, asked, err);
			}
			if (nlh->nlmsg_seq == last)
				return code;
		}
	}
}

/* Send the messages from @p on that fit into a chunk: @ret_len bytes. */
static int send_chunk(struct nlsock *s, uint8_t *p, size_t left, size_t *ret_len, struct err *err)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)p, *last;
	size_t len = 0;

	do {
		nlh->nlmsg_seq = ++s->seq;
		nlh->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
		len += NLMSG_ALIGN(nlh->nlmsg_len);
		last = nlh;
		nlh = (struct nlmsghdr *)(p + len);
	} while (len < left && len + nlh->nlmsg_len <= NLSOCK_CHUNK);
	last->nlmsg_flags |= NLM_F_ACK;
	*ret_len = len;
	if (send(s->fd, p, len, 0) != (ssize_t)len)
		return err_sys(err, -errno, "send %zu bytes of netlink messages", len);
	return collect(s, p, len, s->seq, err);
}

int nlsock_send(struct nlsock *s, struct nlbatch *b, struct err *err)
{
	int first = 0;

	for (size_t at = 0, len; at < b->bytes.len; at += len) {
		int code =
			send_chunk(s, b->bytes.p + at, b->bytes.len - at, &len, first ? NULL : err);

		if (!first)
			first = code;
	}
	return first;
}

int nlsock_dump(struct nlsock *s, struct nlbatch *b,
	void (*each)(const struct nlmsghdr *nlh, void *ctx), void *ctx, struct err *err)
{
	static _Thread_local uint8_t answer[NLSOCK_ANSWER_MAX] __attribute__((aligned(8)));
	struct nlmsghdr *asked = (struct nlmsghdr *)b->bytes.p;

	assert(b->messages == 1);
	asked->nlmsg_seq = ++s->seq;
	if (!(asked->nlmsg_flags & NLM_F_DUMP))
		asked->nlmsg_flags |= NLM_F_ACK;
	if (send(s->fd, asked, b->bytes.len, 0) != (ssize_t)b->bytes.len)
		return err_sys(err, -errno, "send %s", type_name(asked->nlmsg_type));
	for (;;) {
		ssize_t got = receive(s, answer, sizeof answer);
		int left = (int)got;

		if (got < 0)
			return err_sys(err, (int)got, "read netlink answers");
		for (const struct nlmsghdr *nlh = (void *)answer; mnl_nlmsg_ok(nlh, left);
			nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_seq != s->seq)
				continue;
			if (nlh->nlmsg_type == NLMSG_DONE)
				return 0;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return e->error ? answer_error(nlh, asked, err) : 0;
			each(nlh, ctx);
		}
	}
}
