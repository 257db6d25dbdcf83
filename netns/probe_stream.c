/* SPDX-License-Identifier: MIT */
/*
 * probe_stream.c - rows of numbered frames over links, and what became of each of them
 *
 * A row is over when its last frame has come and the time that any of them may be under way has
 * passed; a row whose end is missing is waited for a little longer.
 */
#include "netns/probe_stream.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "agent/base/crc32c.h"

#define STREAM_MAGIC 0x73747231u
#define STREAM_PAYLOAD_MAX (STREAM_BYTES_MAX - STREAM_HEADERS)
#define STREAM_EVENTS_MAX 64
#define STREAM_DRAIN_EVERY 32 /* frames: what has come is not left to fill the sockets */
#define STREAM_LAG_NS NS_PER_MS
#define STREAM_SETTLE_NS (10 * NS_PER_MS)
#define STREAM_LATE_PASSES_MAX 8

struct head {
	uint32_t magic;
	uint32_t run;
	uint32_t stream;
	uint32_t number; /* from 0 */
};

struct session {
	struct fabric *f;
	struct probe_stream *stream;
	unsigned streams;
	uint8_t out[STREAM_PAYLOAD_MAX];
	uint8_t in[STREAM_PAYLOAD_MAX + 1]; /* one more: longer ones are seen to be longer */
};

static void send_frame(struct session *s, unsigned index)
{
	struct probe_stream *stream = &s->stream[index];
	struct stream_frame *frame = &stream->frame[stream->sent];
	const struct head head = {.magic = STREAM_MAGIC,
		.run = s->f->probe_run,
		.stream = index,
		.number = stream->sent};
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(NODE_PROBE_PORT),
		.sin_addr.s_addr = s->f->name[stream->dst].addr_be};
	int fd = s->f->node[stream->src].probe_fd;
	size_t len = stream->bytes - STREAM_HEADERS;
	uint32_t crc;

	memcpy(s->out, &head, sizeof head);
	crc = crc32c(0, s->out, len - sizeof crc);
	memcpy(s->out + len - sizeof crc, &crc, sizeof crc);
	*frame = (struct stream_frame){.sent_ns = clock_wall_ns()};
	/* A socket with a full buffer waits for the port to be free, some microseconds; an error
	 * that a frame before this one brought back is told only once. */
	for (int i = 0; i < 2; i++) {
		if (sendto(fd, s->out, len, 0, (const struct sockaddr *)&to, sizeof to) ==
			(ssize_t)len)
			break;
	}
	frame->gone_ns = clock_wall_ns();
	stream->sent++;
}

uint64_t probe_stamp_ns(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct timespec t;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof t);
		return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	}
	return clock_wall_ns();
}

/*
 * Whose payload it is, nobody knows: the link by which it came is told by its ends. A frame of
 * another length is none of these: the second copy of a probe comes when its round trip is over.
 */
static void count_wrong(struct session *s, size_t len, int fd, uint32_t from_be)
{
	for (unsigned i = 0; i < s->streams; i++) {
		struct probe_stream *stream = &s->stream[i];

		if (s->f->node[stream->dst].probe_fd == fd &&
			len == stream->bytes - STREAM_HEADERS &&
			s->f->name[stream->src].addr_be == from_be) {
			stream->wrong++;
			return;
		}
	}
}

static void count_arrival(struct session *s, size_t len, int fd, uint32_t from_be, uint64_t ns)
{
	struct probe_stream *stream;
	struct stream_frame *frame;
	struct head head;
	uint32_t crc;

	if (len < sizeof head + sizeof crc || len > STREAM_PAYLOAD_MAX)
		return;
	memcpy(&head, s->in, sizeof head);
	memcpy(&crc, s->in + len - sizeof crc, sizeof crc);
	if (crc != crc32c(0, s->in, len - sizeof crc)) {
		/* Also what another process sends to this port; it does not do that. */
		count_wrong(s, len, fd, from_be);
		return;
	}
	if (head.magic != STREAM_MAGIC || head.run != s->f->probe_run || head.stream >= s->streams)
		return;
	stream = &s->stream[head.stream];
	if (head.number >= stream->sent || len != stream->bytes - STREAM_HEADERS)
		return;
	frame = &stream->frame[head.number];
	if (frame->copies++)
		return;
	frame->came_ns = ns;
	frame->order = stream->arrived++;
	if (head.number + 1 > stream->last)
		stream->last = head.number + 1;
}

static void receive_all(struct session *s, int fd)
{
	for (;;) {
		struct sockaddr_in from = {0};
		char control[CMSG_SPACE(sizeof(struct timespec))];
		struct iovec iov = {.iov_base = s->in, .iov_len = sizeof s->in};
		struct msghdr msg = {.msg_name = &from,
			.msg_namelen = sizeof from,
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control};
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

		if (n < 0)
			break;
		count_arrival(s, (size_t)n, fd, from.sin_addr.s_addr, probe_stamp_ns(&msg));
	}
	probe_errors(s->f, fd, NULL, 0);
}

static int receive_some(struct session *s, uint64_t wait_ns)
{
	struct epoll_event event[STREAM_EVENTS_MAX];
	struct timespec wait = clock_timespec(wait_ns);
	int n = epoll_pwait2(s->f->probe_epoll, event, STREAM_EVENTS_MAX, &wait, NULL);

	for (int i = 0; i < n; i++)
		receive_all(s, event[i].data.fd);
	return n;
}

static void send_until(struct session *s, uint64_t end_ns)
{
	unsigned sent = 0;

	for (;;) {
		struct probe_stream *next = NULL;
		uint64_t now = clock_now_ns();

		for (unsigned i = 0; i < s->streams; i++) {
			struct probe_stream *stream = &s->stream[i];

			if (stream->sent < stream->frames &&
				(!next || stream->next_ns < next->next_ns))
				next = stream;
		}
		if (!next || now > end_ns)
			return;
		if (next->next_ns > now) {
			(void)receive_some(s, next->next_ns - now);
			continue;
		}
		send_frame(s, (unsigned)(next - s->stream));
		next->next_ns += next->gap_ns;
		if (next->next_ns + STREAM_LAG_NS < now)
			next->next_ns = now - STREAM_LAG_NS;
		if (++sent % STREAM_DRAIN_EVERY == 0)
			(void)receive_some(s, 0);
	}
}

/* Has one of the last @tail frames come, of each row? */
static bool all_complete(const struct session *s, uint32_t tail)
{
	for (unsigned i = 0; i < s->streams; i++) {
		const struct probe_stream *stream = &s->stream[i];

		if (stream->last + tail <= stream->frames || stream->last == 0)
			return false;
	}
	return true;
}

/* How long after the last frame was sent. The end of a row may be lost, or this machine's work. */
static uint64_t patience_ns(
	const struct session *s, uint64_t usual_ns, uint64_t longest_ns, uint64_t slack_ns)
{
	if (all_complete(s, 1))
		return usual_ns + STREAM_SETTLE_NS;
	return (all_complete(s, STREAM_TAIL + 1) ? usual_ns : longest_ns) + slack_ns;
}

/* Rows that this machine is too slow for are as long as they got. */
static void cut_short(struct session *s)
{
	for (unsigned i = 0; i < s->streams; i++)
		s->stream[i].frames = s->stream[i].sent;
}

void probe_streams(struct fabric *f, struct probe_stream *stream, unsigned streams,
	uint64_t limit_ns, uint64_t slack_ns)
{
	struct session s = {.f = f, .stream = stream, .streams = streams};
	uint64_t now = clock_now_ns(), sent_ns, usual_ns = 0, longest_ns = 0;
	unsigned late = 0;

	f->probe_run++;
	for (unsigned i = 0; i < streams; i++) {
		stream[i].sent = stream[i].arrived = stream[i].wrong = stream[i].last = 0;
		/* Not all at the same instant. */
		stream[i].next_ns = now + stream[i].gap_ns * i / streams;
		if (stream[i].usual_ns > usual_ns)
			usual_ns = stream[i].usual_ns;
		if (stream[i].longest_ns > longest_ns)
			longest_ns = stream[i].longest_ns;
	}
	send_until(&s, now + limit_ns);
	cut_short(&s);
	sent_ns = clock_now_ns();
	/* What came in time counts also when this process was kept from running until now. */
	for (;;) {
		uint64_t end_ns = sent_ns + patience_ns(&s, usual_ns, longest_ns, slack_ns);
		int n;

		now = clock_now_ns();
		n = receive_some(&s, end_ns > now ? end_ns - now : 0);
		if (now >= end_ns && (n <= 0 || ++late == STREAM_LATE_PASSES_MAX))
			return;
	}
}
