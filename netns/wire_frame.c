/* SPDX-License-Identifier: MIT */
/* wire_frame.c - frames damaged and refused */
#include "netns/wire_frame.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>

#define ANSWER_TTL 64

/* An IPv4 packet that lies in a frame in full: where its parts are, from the frame's begin. */
struct packet {
	struct iphdr ip;
	uint32_t upper; /* the header behind that of IP */
	uint32_t end;
};

/* The ones' complement sum of RFC 1071, of 16-bit words in network order. */
static uint32_t sum(const uint8_t *bytes, uint32_t len, uint32_t from)
{
	uint32_t at;

	for (at = 0; at + 1 < len; at += 2)
		from += (uint32_t)bytes[at] << 8 | bytes[at + 1];
	if (at < len)
		from += (uint32_t)bytes[at] << 8;
	while (from >> 16)
		from = (from & 0xffff) + (from >> 16);
	return from;
}

static uint16_t checksum(const uint8_t *bytes, uint32_t len, uint32_t from)
{
	return htons((uint16_t)~sum(bytes, len, from));
}

static bool parse(const uint8_t *frame, uint32_t len, struct packet *ret)
{
	uint32_t header, total;

	if (len < ETH_HLEN + sizeof ret->ip || frame[12] != ETH_P_IP >> 8 ||
		frame[13] != (ETH_P_IP & 0xff))
		return false;
	memcpy(&ret->ip, frame + ETH_HLEN, sizeof ret->ip);
	header = ret->ip.ihl * 4u;
	total = ntohs(ret->ip.tot_len);
	if (ret->ip.version != 4 || header < sizeof ret->ip || total < header ||
		total > len - ETH_HLEN || sum(frame + ETH_HLEN, header, 0) != 0xffff)
		return false;
	ret->upper = ETH_HLEN + header;
	ret->end = ETH_HLEN + total;
	return true;
}

static bool fragment(const struct packet *p)
{
	return ntohs(p->ip.frag_off) & (IP_MF | IP_OFFMASK);
}

static uint32_t tcp_header(const uint8_t *frame, const struct packet *p)
{
	struct tcphdr tcp;

	if (p->end - p->upper < sizeof tcp)
		return 0;
	memcpy(&tcp, frame + p->upper, sizeof tcp);
	if (tcp.doff * 4u < sizeof tcp || tcp.doff * 4u > p->end - p->upper)
		return 0;
	return tcp.doff * 4u;
}

/* Where the payload begins and the checksum stands, from the upper header; 0 if there is none. */
static uint32_t payload_at(const uint8_t *frame, const struct packet *p, uint32_t *ret_check)
{
	switch (p->ip.protocol) {
	case IPPROTO_TCP:
		*ret_check = offsetof(struct tcphdr, check);
		return tcp_header(frame, p);
	case IPPROTO_UDP:
		*ret_check = offsetof(struct udphdr, check);
		return sizeof(struct udphdr);
	case IPPROTO_ICMP:
		*ret_check = offsetof(struct icmphdr, checksum);
		return sizeof(struct icmphdr);
	default:
		return 0;
	}
}

/* RFC 1624: the checksum after one 16-bit word, @was, has become another. */
static uint16_t mended(uint16_t check, uint16_t was, uint16_t is)
{
	uint32_t s = (uint32_t)(uint16_t)~check + (uint16_t)~was + is;

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static uint16_t word_at(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t pick(uint32_t place, uint32_t bits)
{
	return (uint32_t)(((uint64_t)place * bits) >> 32);
}

static bool corrupt_silently(uint8_t *frame, uint32_t len, uint32_t place)
{
	uint8_t word[2] = {0}, *check;
	uint32_t check_at, payload, bit, at, even;
	uint16_t was, old, new;
	struct packet p;

	if (!parse(frame, len, &p) || fragment(&p))
		return false;
	payload = payload_at(frame, &p, &check_at);
	if (payload == 0 || payload >= p.end - p.upper)
		return false;
	bit = pick(place, (p.end - p.upper - payload) * 8);
	at = p.upper + payload + bit / 8;
	check = frame + p.upper + check_at;
	old = word_at(check);
	/* The word of the sum in which the byte is; the last one may be filled up by a zero. */
	even = p.upper + ((at - p.upper) & ~1u);
	memcpy(word, frame + even, even + 1 < p.end ? 2 : 1);
	was = word_at(word);
	frame[at] ^= (uint8_t)(1u << bit % 8);
	if (p.ip.protocol == IPPROTO_UDP && old == 0)
		return true; /* it has none */
	memcpy(word, frame + even, even + 1 < p.end ? 2 : 1);
	new = mended(old, was, word_at(word));
	if (p.ip.protocol == IPPROTO_UDP && new == 0)
		new = 0xffff; /* RFC 768: the same in this arithmetic, and zero means none */
	check[0] = (uint8_t)(new >> 8);
	check[1] = (uint8_t) new;
	return true;
}

bool wire_frame_corrupt(uint8_t *frame, uint32_t len, uint32_t place, bool silent)
{
	uint32_t bit;

	if (silent)
		return corrupt_silently(frame, len, place);
	if (len <= ETH_HLEN)
		return false;
	bit = pick(place, (len - ETH_HLEN) * 8);
	frame[ETH_HLEN + bit / 8] ^= (uint8_t)(1u << bit % 8);
	return true;
}

/* Ethernet and IPv4 back to the sender. Return: where the next header begins. */
static uint32_t head(const uint8_t *frame, const struct packet *p, uint8_t protocol,
	uint32_t payload, uint8_t *answer)
{
	struct iphdr ip = {.version = 4,
		.ihl = sizeof ip / 4,
		.tot_len = htons((uint16_t)(sizeof ip + payload)),
		.frag_off = htons(IP_DF),
		.ttl = ANSWER_TTL,
		.protocol = protocol,
		.saddr = p->ip.daddr,
		.daddr = p->ip.saddr};

	memcpy(answer, frame + ETH_ALEN, ETH_ALEN);
	memcpy(answer + ETH_ALEN, frame, ETH_ALEN);
	memcpy(answer + 2ul * ETH_ALEN, frame + 2ul * ETH_ALEN, 2);
	ip.check = checksum((const uint8_t *)&ip, sizeof ip, 0);
	memcpy(answer + ETH_HLEN, &ip, sizeof ip);
	return ETH_HLEN + sizeof ip;
}

static uint32_t reset(const uint8_t *frame, const struct packet *p, uint8_t *answer)
{
	uint32_t header = tcp_header(frame, p), at, from;
	struct tcphdr in, out = {.doff = sizeof out / 4, .rst = 1};

	if (header == 0)
		return 0;
	memcpy(&in, frame + p->upper, sizeof in);
	if (in.rst)
		return 0;
	out.source = in.dest;
	out.dest = in.source;
	/* RFC 9293 3.10.7.1: "If the ACK bit is off, sequence number zero is used,
	 * <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>".
	 * SYN and FIN count in SEG.LEN. */
	if (in.ack) {
		out.seq = in.ack_seq;
	} else {
		out.ack = 1;
		out.ack_seq = htonl(ntohl(in.seq) + (p->end - p->upper - header) + in.syn + in.fin);
	}
	at = head(frame, p, IPPROTO_TCP, sizeof out, answer);
	from = sum((const uint8_t *)&p->ip + offsetof(struct iphdr, saddr), 8,
		IPPROTO_TCP + sizeof out);
	out.check = checksum((const uint8_t *)&out, sizeof out, from);
	memcpy(answer + at, &out, sizeof out);
	return at + sizeof out;
}

static bool icmp_error(const uint8_t *frame, const struct packet *p)
{
	if (p->end == p->upper)
		return true; /* it cannot be told */
	switch (frame[p->upper]) {
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return true;
	default:
		return false;
	}
}

static uint32_t unreachable(const uint8_t *frame, const struct packet *p, uint8_t *answer)
{
	struct icmphdr icmp = {.type = ICMP_DEST_UNREACH, .code = ICMP_PKT_FILTERED};
	uint32_t room = WIRE_ANSWER_MAX - ETH_HLEN - sizeof(struct iphdr) - sizeof icmp;
	uint32_t quoted = p->end - ETH_HLEN, at;

	if (p->ip.protocol == IPPROTO_ICMP && icmp_error(frame, p))
		return 0;
	if (quoted > room)
		quoted = room;
	at = head(frame, p, IPPROTO_ICMP, sizeof icmp + quoted, answer);
	icmp.checksum =
		checksum(frame + ETH_HLEN, quoted, sum((const uint8_t *)&icmp, sizeof icmp, 0));
	memcpy(answer + at, &icmp, sizeof icmp);
	memcpy(answer + at + sizeof icmp, frame + ETH_HLEN, quoted);
	return at + (uint32_t)sizeof icmp + quoted;
}

static bool one_host(uint32_t addr_be)
{
	uint32_t addr = ntohl(addr_be);

	/* Not "this network", loopback, multicast, reserved or broadcast. */
	return addr >> 24 != 0 && addr >> 24 != IN_LOOPBACKNET && addr >> 28 < 0xe;
}

uint32_t wire_frame_reject(const uint8_t *frame, uint32_t len, uint8_t answer[WIRE_ANSWER_MAX])
{
	struct packet p;

	if (!parse(frame, len, &p) || frame[0] & 1 || fragment(&p) || !one_host(p.ip.saddr) ||
		!one_host(p.ip.daddr))
		return 0;
	if (p.ip.protocol == IPPROTO_TCP)
		return reset(frame, &p, answer);
	return unreachable(frame, &p, answer);
}

bool wire_frame_to_port(const uint8_t *frame, uint32_t len, uint16_t port)
{
	const uint32_t at = ETH_HLEN + sizeof(struct iphdr);

	/* Without options, as Linux sends it; it is asked for every frame and must be quick. */
	return len >= at + sizeof(struct udphdr) && word_at(frame + 12) == ETH_P_IP &&
	       frame[ETH_HLEN] == 0x45 &&
	       frame[ETH_HLEN + offsetof(struct iphdr, protocol)] == IPPROTO_UDP &&
	       word_at(frame + at + offsetof(struct udphdr, dest)) == port;
}
