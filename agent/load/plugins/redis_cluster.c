/* SPDX-License-Identifier: MIT */
/*
 * redis_cluster.c - who owns a key's slot in Redis Cluster
 *
 * Owners are learnt from MOVED, and forgotten when they do not answer.
 */
#include <stdio.h>
#include <string.h>

#include "agent/load/plugins/redis_internal.h"

/* CRC-16/XMODEM of the key, https://redis.io/docs/reference/cluster-spec, "Key distribution". */
unsigned redis_slot_of(uint64_t key)
{
	char name[COMMON_KEY_MAX];
	unsigned crc = 0;

	for (const char *p = common_key(key, name); *p; p++) {
		crc ^= (unsigned)(unsigned char)*p << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
	}
	return crc % REDIS_SLOTS;
}

unsigned redis_server_at(struct redis *r, uint32_t addr_be, uint16_t port)
{
	for (unsigned i = 0; i < r->servers; i++) {
		const struct sockaddr_in *a = &r->server[i].link.addr;

		if (a->sin_addr.s_addr == addr_be && a->sin_port == htons(port))
			return i;
	}
	if (r->servers == REDIS_SERVERS_MAX)
		return REDIS_SERVERS_MAX;
	resp_link_init(&r->server[r->servers].link, addr_be, port);
	return r->servers++;
}

unsigned redis_first_server(struct redis *r)
{
	return redis_server_at(r, r->addr_be[r->at], r->port);
}

void redis_forget(struct redis *r, unsigned server)
{
	redis_hang_up(&r->server[server]);
	for (unsigned i = 0; i < REDIS_SLOTS; i++) {
		if (r->slot[i] == server + 1)
			r->slot[i] = 0;
	}
	if (server == redis_first_server(r))
		r->at = (r->at + 1) % r->nodes;
}

/* "MOVED 3999 10.1.0.2:6379" or "ASK 3999 10.1.0.2:6379" */
unsigned redis_redirected(struct redis *r, const struct resp_answer *answer, bool *ret_asking)
{
	char text[REDIS_TEXT_MAX], word[8], addr[16], port[6];
	uint32_t addr_be;
	uint16_t port_n;
	unsigned slot, server;

	if (answer->type != RESP_ANSWER_ERROR)
		return REDIS_SERVERS_MAX;
	(void)snprintf(text, sizeof text, "%.*s",
		(int)(answer->len < sizeof text ? answer->len : sizeof text - 1), answer->text);
	if (sscanf(text, "%7s %5u %15[0-9.]:%5[0-9]", word, &slot, addr, port) != 4 ||
		slot >= REDIS_SLOTS || !redis_parse_addr(addr, port, &addr_be, &port_n))
		return REDIS_SERVERS_MAX;
	*ret_asking = strcmp(word, "ASK") == 0;
	if (!*ret_asking && strcmp(word, "MOVED") != 0)
		return REDIS_SERVERS_MAX;
	server = redis_server_at(r, addr_be, port_n);
	if (!*ret_asking && server < REDIS_SERVERS_MAX)
		r->slot[slot] = (uint8_t)(server + 1);
	return server;
}
