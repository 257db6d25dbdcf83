/* SPDX-License-Identifier: MIT */
/*
 * probe_stream.h - rows of numbered frames over links, and what became of each of them
 *
 * Sent and received by the sockets of probe.c. The kernel stamps arrivals; a checksum of our own
 * tells a payload that was changed on its way although all other checksums are right.
 */
#ifndef NETNS_PROBE_STREAM_H
#define NETNS_PROBE_STREAM_H

#include "netns/fabric_priv.h"

#define STREAM_HEADERS 42     /* Ethernet, IPv4, UDP */
#define STREAM_TAIL 8         /* of so many last frames one is enough to call a row complete */
#define STREAM_BYTES_MIN 64   /* of a frame: headers, number, checksum */
#define STREAM_BYTES_MAX 1514 /* MTU 1500 */

/* Times are CLOCK_REALTIME, as the kernel's stamps are. */
struct stream_frame {
	uint64_t sent_ns; /* just before the call that sent it, */
	uint64_t gone_ns; /* and just after */
	uint64_t came_ns; /* its first copy */
	uint32_t order;   /* its place among the first copies that came */
	uint32_t copies;  /* that came: 0 is missing */
};

/**
 * struct probe_stream - a row over one link
 * @bytes:	of each Ethernet frame
 * @frames:	to be sent, @gap_ns apart; nearer where this process was late
 * @usual_ns:	after one of the last STREAM_TAIL frames came, the others of them may come so late
 * @longest_ns:	that one may be under way at all
 * @frame:	the caller's, @frames of them
 * @wrong:	came with another payload; not among the copies
 */
struct probe_stream {
	uint16_t src;
	uint16_t dst;
	uint32_t bytes;
	uint32_t frames;
	uint64_t gap_ns;
	uint64_t usual_ns;
	uint64_t longest_ns;
	struct stream_frame *frame;
	uint32_t sent;
	uint32_t arrived; /* at least one copy of them */
	uint32_t wrong;
	uint32_t last; /* highest number that came, from 1; 0: none */
	uint64_t next_ns;
};

/**
 * probe_streams() - all side by side; returns when no more of them can be on their way
 * @limit_ns:	what is not sent by then is not sent: @frames becomes @sent
 * @slack_ns:	a row whose end is missing is waited for so much longer
 */
void probe_streams(struct fabric *f, struct probe_stream *stream, unsigned streams,
	uint64_t limit_ns, uint64_t slack_ns);

/* probe_stamp_ns() - when a message arrived. */
struct msghdr;
uint64_t probe_stamp_ns(struct msghdr *msg);

#endif
