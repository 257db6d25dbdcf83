/* SPDX-License-Identifier: MIT */
/*
 * probe.c - frames of our own over the links, timed one way
 *
 * Every node has a UDP socket that was opened inside its namespace, all of them are ours: what
 * one sends and another receives crosses the same link as the lab's traffic, and both ends read
 * the same clock. The kernel stamps arrivals, so how late this process is scheduled does not
 * count. It stamps by the wall clock; a probe during which that clock is stepped is an outlier.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h> /* wants struct timespec */

#include "agent/base/clock.h"
#include "agent/base/crc32c.h"
#include "netns/probe_stream.h"

#define PROBE_MAGIC 0x70726f62u
#define PROBE_GAP_NS (150 * NS_PER_US) /* between rounds, so that they do not queue up */
#define PROBE_EVENTS_MAX 64
#define PROBE_LATE_PASSES_MAX 8 /* over all sockets twice; a flood of them holds nobody up */

#define BIAS_PROBES 25
#define BIAS_WAIT_NS (NS_PER_S / 4)
#define BIAS_NS_MAX (10 * NS_PER_S)

#define PORTS_WAIT_NS (5 * NS_PER_S)
#define PORTS_RETRY_NS (NS_PER_MS)

struct payload {
	uint32_t magic;
	uint32_t run;
	uint32_t index;
	uint32_t round;
	uint64_t sent_wall_ns;
	uint32_t crc; /* of all before it: a link may be asked to change payloads */
	uint32_t zero;
};
_Static_assert(STREAM_HEADERS + sizeof(struct payload) == PROBE_BYTES, "others count with it");

struct session {
	struct fabric *f;
	struct probe *probe;
	unsigned probes;
	unsigned missing; /* of those expected, over all rounds sent so far */
	unsigned gambled; /* of those that chance may keep: waited for while they may be due */
};

static void send_probe(struct session *s, unsigned index, uint32_t round)
{
	struct probe *probe = &s->probe[index];
	struct payload payload = {.magic = PROBE_MAGIC,
		.run = s->f->probe_run,
		.index = index,
		.round = round,
		.sent_wall_ns = clock_wall_ns()};
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(NODE_PROBE_PORT),
		.sin_addr.s_addr = s->f->name[probe->dst].addr_be};
	ssize_t n = -1;

	payload.crc = crc32c(0, &payload, offsetof(struct payload, crc));
	/* An error that a frame before this one brought back is told here, and only once. */
	for (int i = 0; i < 2 && n < 0; i++)
		n = sendto(s->f->node[probe->src].probe_fd, &payload, sizeof payload, MSG_DONTWAIT,
			(const struct sockaddr *)&to, sizeof to);
	if (n != sizeof payload)
		return;
	probe->sent++;
	if (probe->expect)
		s->missing++;
	s->gambled += probe->chance;
}

/* The answer that a refused frame had, and which one that was: where it was sent to, and by whom
 * is told by the socket. */
static void count_refusal(
	const struct fabric *f, struct msghdr *msg, int fd, struct probe *probe, unsigned probes)
{
	const struct sockaddr_in *to = msg->msg_name;
	struct sock_extended_err e = {0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
			memcpy(&e, CMSG_DATA(c), sizeof e);
	}
	if (e.ee_origin != SO_EE_ORIGIN_ICMP || e.ee_type != ICMP_DEST_UNREACH)
		return;
	for (unsigned i = 0; i < probes; i++) {
		if (f->node[probe[i].src].probe_fd == fd &&
			f->name[probe[i].dst].addr_be == to->sin_addr.s_addr)
			probe[i].refused++;
	}
}

void probe_errors(struct fabric *f, int fd, struct probe *probe, unsigned probes)
{
	for (;;) {
		struct sockaddr_in to = {0};
		char control[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof to) +
			     CMSG_SPACE(sizeof(struct timespec))];
		struct msghdr msg = {.msg_name = &to,
			.msg_namelen = sizeof to,
			.msg_control = control,
			.msg_controllen = sizeof control};

		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		count_refusal(f, &msg, fd, probe, probes);
	}
}

static void count_arrival(struct session *s, const struct payload *payload, uint64_t stamp_ns)
{
	struct probe *probe;
	uint64_t took_ns;

	if (payload->magic != PROBE_MAGIC || payload->run != s->f->probe_run ||
		payload->index >= s->probes ||
		payload->crc != crc32c(0, payload, offsetof(struct payload, crc)))
		return;
	probe = &s->probe[payload->index];
	took_ns = stamp_ns > payload->sent_wall_ns ? stamp_ns - payload->sent_wall_ns : 0;
	if (probe->received == 0 || took_ns < probe->min_ns)
		probe->min_ns = took_ns;
	if (took_ns > probe->max_ns)
		probe->max_ns = took_ns;
	probe->received++;
	if (probe->expect && s->missing)
		s->missing--;
	if (probe->chance && s->gambled)
		s->gambled--;
}

static void receive_all(struct session *s, int fd)
{
	for (;;) {
		struct payload payload;
		char control[CMSG_SPACE(sizeof(struct timespec))];
		struct iovec iov = {.iov_base = &payload, .iov_len = sizeof payload};
		struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control};
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

		if (n < 0)
			break;
		if (n == sizeof payload)
			count_arrival(s, &payload, probe_stamp_ns(&msg));
	}
	probe_errors(s->f, fd, s->probe, s->probes);
}

enum patience { WAIT_LONG, WAIT_CHANCE, WAIT_SURE };

static bool nothing_missing(const struct session *s, enum patience patience)
{
	return patience != WAIT_LONG && !s->missing && (patience == WAIT_SURE || !s->gambled);
}

/* Receive until @end_ns, or until nothing is missing that is waited for. What came in time is
 * received also when this process was kept from running until after that. */
static void receive_until(struct session *s, uint64_t end_ns, enum patience patience)
{
	struct epoll_event event[PROBE_EVENTS_MAX];
	unsigned late = 0;

	while (!nothing_missing(s, patience)) {
		uint64_t now = clock_now_ns();
		struct timespec wait = clock_timespec(end_ns > now ? end_ns - now : 0);
		int n = epoll_pwait2(s->f->probe_epoll, event, PROBE_EVENTS_MAX, &wait, NULL);

		for (int i = 0; i < n; i++)
			receive_all(s, event[i].data.fd);
		if (now >= end_ns && (n <= 0 || ++late == PROBE_LATE_PASSES_MAX))
			return;
	}
}

void probe_links(struct fabric *f, struct probe *probe, unsigned probes, unsigned rounds,
	uint64_t longest_ns, uint64_t slack_ns)
{
	struct session s = {.f = f, .probe = probe, .probes = probes};
	uint64_t end_ns;

	f->probe_run++;
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < probes; i++)
			send_probe(&s, i, round);
		receive_until(&s, clock_now_ns() + PROBE_GAP_NS, WAIT_LONG);
	}
	end_ns = clock_now_ns() + longest_ns;
	receive_until(&s, end_ns, WAIT_CHANCE);
	receive_until(&s, end_ns + slack_ns, WAIT_SURE);
}

/* The bridge begins to use a port a moment after its other end came up. */
static int wait_for_ports(struct fabric *f, struct err *err)
{
	struct probe probe[2 * FABRIC_NODES_MAX] = {0};
	uint64_t end_ns = clock_now_ns() + PORTS_WAIT_NS;
	unsigned n = 0;

	for (unsigned i = 1; i < f->nodes; i++) {
		probe[n++] = (struct probe){.src = 0, .dst = (uint16_t)i, .expect = true};
		probe[n++] = (struct probe){.src = (uint16_t)i, .dst = 0, .expect = true};
	}
	while (n) {
		unsigned left = 0;

		probe_links(f, probe, n, 1, 0, PORTS_RETRY_NS);
		for (unsigned i = 0; i < n; i++) {
			if (probe[i].received == 0)
				probe[left++] = probe[i];
		}
		n = left;
		if (n && clock_now_ns() > end_ns)
			return err_set(err, -ETIMEDOUT, EXIT_INTERNAL,
				"no frame gets from '%s' to '%s' on the new network",
				f->name[probe[0].src].name, f->name[probe[0].dst].name);
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Have the frames of a link take the way through the emulator without a delay, and no longer. */
static void to_emulator(struct fabric *f, const struct probe *probe, bool on)
{
	uint32_t *rule =
		&matrix_at(&f->matrix, probe->src, probe->dst)->rule[matrix_active(&f->matrix)];
	struct fabric_delta delta = {.src = probe->src, .dst = probe->dst};

	if (leafcut_needed(f) && f->ops->matrix_bit) {
		(on ? &delta.to : &delta.from)->delay_ns = 1;
		(void)leafcut_send(f, &delta, 1, NULL);
	}
	__atomic_store_n(rule, on ? f->ops->matrix_bit : 0, __ATOMIC_RELEASE);
}

/* Probes one by one over links of the emulator's, which delays them by self_check_ns. Where its
 * process gets no time, for others have real-time priority, too, more are sent until half of what
 * is wanted came. */
int probe_bias(struct fabric *f, struct err *err)
{
	const uint64_t end_ns = clock_now_ns() + BIAS_NS_MAX;
	uint64_t took[BIAS_PROBES];
	unsigned n = 0, sent = 0;
	int code;

	if (f->nodes < 2)
		return 0;
	code = wait_for_ports(f, err);
	if (code)
		return code;
	for (; sent < BIAS_PROBES || (n < BIAS_PROBES / 2 && clock_now_ns() < end_ns); sent++) {
		struct probe probe = {.src = (uint16_t)(sent % f->nodes),
			.dst = (uint16_t)((sent + 1) % f->nodes)};

		probe.expect = true;
		to_emulator(f, &probe, true);
		probe_links(f, &probe, 1, 1, 0, BIAS_WAIT_NS);
		to_emulator(f, &probe, false);
		if (probe.received)
			took[n++] = probe.min_ns > f->ops->self_check_ns
					    ? probe.min_ns - f->ops->self_check_ns
					    : 0;
	}
	if (n < BIAS_PROBES / 2)
		return err_set(err, -EIO, EXIT_INTERNAL,
			"self-check: the emulator %s gave back %u of %u frames in time",
			f->ops->name, n, sent);
	qsort(took, n, sizeof *took, compare);
	f->bias_ns = took[n / 2];
	return 0;
}
