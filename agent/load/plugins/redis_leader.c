/* SPDX-License-Identifier: MIT */
/*
 * redis_leader.c - who leads, found as client libraries do it
 *
 * https://redis.io/docs/reference/sentinel-clients
 *
 *	GUIDE --its answer--> LEADER --"role:master"--> FOUND
 *	  ^ next guide -'        |                        |
 *	  '--- refused, silent, a replica ----- broken, late, READONLY
 *
 * The guide is a Sentinel, or a server, on the nearest node that is reached. Nobody asks again
 * while all goes well. A client beside a primary that was replaced meanwhile, but not where its
 * own Sentinel sees it, goes on with that primary; what that acknowledges may be lost.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/load/plugins/redis_internal.h"

void redis_ask_at(struct redis *r, unsigned node)
{
	r->at = node % r->nodes;
	r->step = REDIS_GUIDE;
	redis_aim(&r->guide, r->addr_be[r->at],
		r->topology == REDIS_SENTINEL ? r->sentinel_port : r->port);
}

void redis_lose_leader(struct redis *r)
{
	redis_hang_up(&r->leader);
	if (r->topology == REDIS_SINGLE)
		r->step = REDIS_FOUND;
	else if (r->step != REDIS_GUIDE)
		redis_ask_at(r, r->at);
}

/* "10.1.0.1", "6379" */
static bool sentinel_says(const struct resp_answer *answer, uint32_t *ret_addr, uint16_t *ret_port)
{
	struct resp_answer list = *answer, a, p;
	char addr[REDIS_TEXT_MAX], port[REDIS_TEXT_MAX];

	if (answer->type != RESP_ANSWER_LIST || !resp_answer_next(&list, &a) ||
		!resp_answer_next(&list, &p))
		return false;
	(void)snprintf(addr, sizeof addr, "%.*s", (int)a.len, a.text);
	(void)snprintf(port, sizeof port, "%.*s", (int)p.len, p.text);
	return redis_parse_addr(addr, port, ret_addr, ret_port);
}

static bool server_says(const struct redis *r, const struct resp_answer *info, uint32_t *ret_addr,
	uint16_t *ret_port)
{
	char addr[REDIS_TEXT_MAX], port[REDIS_TEXT_MAX];

	if (info->type != RESP_ANSWER_VALUE)
		return false;
	*ret_addr = r->addr_be[r->at];
	*ret_port = r->port;
	return redis_is(info, "role", "master") ||
	       redis_parse_addr(redis_field(info, "master_host", addr),
		       redis_field(info, "master_port", port), ret_addr, ret_port);
}

/* Return: as redis_question(). */
static int ask_guide(struct redis *r, uint64_t deadline_ns)
{
	const char *const who[] = {"SENTINEL", "get-master-addr-by-name", r->master, NULL};
	bool sentinel = r->topology == REDIS_SENTINEL;
	struct resp_answer answer;
	uint32_t addr_be;
	uint16_t port;
	int rc = redis_question(
		r, &r->guide, sentinel ? who : redis_ask_replication, deadline_ns, &answer);

	if (rc <= 0)
		return rc;
	if (!(sentinel ? sentinel_says(&answer, &addr_be, &port)
		       : server_says(r, &answer, &addr_be, &port)))
		return -ENOENT;
	redis_hang_up(&r->guide);
	redis_aim(&r->leader, addr_be, port);
	r->step = REDIS_LEADER;
	return 1;
}

/* What the guide knows may be old: only one that takes itself for the leader is talked to. */
static int check_leader(struct redis *r, uint64_t deadline_ns)
{
	struct resp_answer info;
	int rc = redis_question(r, &r->leader, redis_ask_replication, deadline_ns, &info);

	if (rc <= 0)
		return rc;
	if (info.type != RESP_ANSWER_VALUE || !redis_is(&info, "role", "master"))
		return -ESTALE;
	r->step = REDIS_FOUND;
	return 1;
}

bool redis_seek(struct redis *r, uint64_t deadline_ns)
{
	unsigned silent = 0;

	while (r->step != REDIS_FOUND) {
		bool leader = r->step == REDIS_LEADER;
		int rc = leader ? check_leader(r, deadline_ns) : ask_guide(r, deadline_ns);

		if (rc > 0)
			continue;
		if (rc < 0 && leader)
			redis_lose_leader(r);
		else if (rc < 0)
			redis_ask_at(r, r->at + 1);
		if (rc == 0 || leader || ++silent == r->nodes)
			return false;
	}
	return redis_be_open(&r->leader, deadline_ns);
}
