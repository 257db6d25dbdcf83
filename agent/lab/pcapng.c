/* SPDX-License-Identifier: MIT */
/* pcapng.c - one capture file in the PCAP Next Generation format */
#include "agent/lab/pcapng.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_STATISTICS 5u
#define BLOCK_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHERNET 1u

#define OPT_END 0
#define OPT_COMMENT 1
#define OPT_IF_NAME 2
#define OPT_IF_TSRESOL 9
#define OPT_PACKET_FLAGS 2
#define OPT_STAT_RECEIVED 4
#define OPT_STAT_DROPPED 5

#define INBOUND 1u
#define OUTBOUND 2u
#define ETHERNET_HEADER 14

/* A block is built in place: it begins at @at and is as long as all that was put. */
static void put(struct pcapng *p, const void *bytes, size_t len)
{
	static const uint8_t zero[4];
	size_t pad = -len & 3;

	assert(p->used + len + pad <= sizeof p->buf);
	memcpy(p->buf + p->used, bytes, len);
	memcpy(p->buf + p->used + len, zero, pad);
	p->used += len + pad;
}

static void put_u32(struct pcapng *p, uint32_t value)
{
	put(p, &value, sizeof value);
}

/* Times stand as upper and lower half, in this order on every machine. */
static void put_time(struct pcapng *p, uint64_t t_ns)
{
	put_u32(p, (uint32_t)(t_ns >> 32));
	put_u32(p, (uint32_t)t_ns);
}

static void put_option(struct pcapng *p, uint16_t code, const void *bytes, size_t len)
{
	const uint16_t head[2] = {code, (uint16_t)len};

	put(p, head, sizeof head);
	put(p, bytes, len);
}

static void put_text(struct pcapng *p, uint16_t code, const char *text)
{
	put_option(p, code, text, strlen(text));
}

static size_t block_begin(struct pcapng *p, uint32_t type)
{
	size_t at = p->used;

	put_u32(p, type);
	put_u32(p, 0);
	return at;
}

static void block_end(struct pcapng *p, size_t at)
{
	uint32_t len = (uint32_t)(p->used - at + sizeof len);

	put_u32(p, len);
	memcpy(p->buf + at + sizeof len, &len, sizeof len);
	p->written += len;
}

int pcapng_flush(struct pcapng *p)
{
	size_t done = 0;

	while (done < p->used) {
		ssize_t n = write(p->fd, p->buf + done, p->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	p->used = 0;
	return 0;
}

/* Room for the longest block. */
static int make_room(struct pcapng *p)
{
	const size_t longest = PCAPNG_SNAP_MAX + 2 * PCAPNG_NOTE_MAX + 256;

	return p->used + longest > sizeof p->buf ? pcapng_flush(p) : 0;
}

static void put_interface(struct pcapng *p, uint32_t snap, const char *name)
{
	const uint16_t link[2] = {LINKTYPE_ETHERNET, 0};
	const uint8_t resolution = 9; /* nanoseconds */
	size_t at = block_begin(p, BLOCK_INTERFACE);

	put(p, link, sizeof link);
	put_u32(p, snap);
	put_text(p, OPT_IF_NAME, name);
	put_option(p, OPT_IF_TSRESOL, &resolution, sizeof resolution);
	put_u32(p, OPT_END);
	block_end(p, at);
}

int pcapng_begin(
	struct pcapng *p, int fd, uint64_t max, uint32_t snap, const char *name, const char *about)
{
	const uint16_t version[2] = {1, 0};
	const int64_t unknown = -1;
	size_t at;

	assert(snap <= PCAPNG_SNAP_MAX);
	p->fd = fd;
	p->max = max;
	p->snap = snap;
	p->used = 0;
	p->written = 0;
	p->left_out = 0;
	at = block_begin(p, BLOCK_SECTION);
	put_u32(p, BYTE_ORDER_MAGIC);
	put(p, version, sizeof version);
	put(p, &unknown, sizeof unknown);
	put_text(p, OPT_COMMENT, about);
	put_u32(p, OPT_END);
	block_end(p, at);
	put_interface(p, snap, name);
	/* libpcap wants the same of all interfaces. */
	put_interface(p, snap, "pacelab");
	return pcapng_flush(p);
}

static size_t begin_packet(
	struct pcapng *p, uint32_t interface, uint64_t t_ns, const void *bytes, uint32_t len)
{
	size_t at = block_begin(p, BLOCK_PACKET);
	uint32_t captured = len < p->snap ? len : p->snap;

	put_u32(p, interface);
	put_time(p, t_ns);
	put_u32(p, captured);
	put_u32(p, len);
	put(p, bytes, captured);
	return at;
}

int pcapng_frame(struct pcapng *p, const struct pcapng_frame *frame)
{
	const uint32_t flags = frame->outbound ? OUTBOUND : INBOUND;
	int code = make_room(p);
	size_t at;

	if (code)
		return code;
	if (p->written >= p->max) {
		p->left_out++;
		return 0;
	}
	at = begin_packet(p, 0, frame->t_ns, frame->bytes, frame->len);
	put_option(p, OPT_PACKET_FLAGS, &flags, sizeof flags);
	put_u32(p, OPT_END);
	block_end(p, at);
	return 0;
}

int pcapng_note(struct pcapng *p, uint64_t t_ns, const char *text)
{
	uint8_t frame[ETHERNET_HEADER + PCAPNG_NOTE_MAX] = {
		[12] = PCAPNG_NOTE_TYPE >> 8, [13] = PCAPNG_NOTE_TYPE & 0xff};
	size_t len = strnlen(text, PCAPNG_NOTE_MAX);
	int code = make_room(p);
	size_t at;

	if (code)
		return code;
	memcpy(frame + ETHERNET_HEADER, text, len);
	len += ETHERNET_HEADER;
	at = begin_packet(p, 1, t_ns, frame, (uint32_t)len);
	put_option(p, OPT_COMMENT, frame + ETHERNET_HEADER, len - ETHERNET_HEADER);
	put_u32(p, OPT_END);
	block_end(p, at);
	return 0;
}

int pcapng_end(struct pcapng *p, uint64_t t_ns, uint64_t received, uint64_t dropped)
{
	char text[96];
	int code;
	size_t at;

	if (p->fd < 0)
		return 0;
	code = make_room(p);
	if (!code) {
		at = block_begin(p, BLOCK_STATISTICS);
		put_u32(p, 0);
		put_time(p, t_ns);
		if (p->left_out) {
			(void)snprintf(text, sizeof text,
				"the file was full: %llu later frames are not in it",
				(unsigned long long)p->left_out);
			put_text(p, OPT_COMMENT, text);
		}
		put_option(p, OPT_STAT_RECEIVED, &received, sizeof received);
		put_option(p, OPT_STAT_DROPPED, &dropped, sizeof dropped);
		put_u32(p, OPT_END);
		block_end(p, at);
		code = pcapng_flush(p);
	}
	if (close(p->fd) && !code)
		code = -errno;
	p->fd = -1;
	return code;
}
