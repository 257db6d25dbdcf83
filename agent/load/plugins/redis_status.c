/* SPDX-License-Identifier: MIT */
/* redis_status.c - what a server of Redis, its Sentinel and its cluster say of themselves */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/load/plugins/redis_internal.h"

/* Ask and wait. Return: whether it answered with text or a list. */
static bool told(struct redis *r, struct redis_line *l, const char *const word[],
	uint64_t deadline_ns, struct resp_answer *ret)
{
	int rc = redis_question(r, l, word, deadline_ns, ret);

	if (rc <= 0)
		redis_hang_up(l);
	return rc > 0 && ret->type != RESP_ANSWER_ERROR && ret->type != RESP_ANSWER_NIL;
}

static int index_of(const struct redis *r, uint32_t addr_be)
{
	for (unsigned i = 0; i < r->nodes; i++) {
		if (r->addr_be[i] == addr_be)
			return (int)i;
	}
	return -1;
}

static unsigned count(const struct resp_answer *text, const char *word)
{
	const char *p = text->text, *end = p + text->len;
	unsigned n = 0;

	while ((p = memmem(p, (size_t)(end - p), word, strlen(word))) != NULL) {
		p += strlen(word);
		n++;
	}
	return n;
}

/* From INFO replication; @replicas: that a master must have in step. */
static void take_replication(const struct redis *r, const struct resp_answer *info,
	unsigned replicas, struct driver_status *ret)
{
	char text[REDIS_TEXT_MAX];
	uint32_t addr_be;

	(void)snprintf(ret->role, sizeof ret->role, "%.*s", DRIVER_ROLE_MAX - 1,
		redis_field(info, "role", text));
	ret->leads = strcmp(ret->role, "master") == 0;
	if (ret->leads)
		ret->leader = (int)r->contact;
	else if (inet_pton(AF_INET, redis_field(info, "master_host", text), &addr_be) == 1)
		ret->leader = index_of(r, addr_be);
	ret->ready = ret->leads ? count(info, "state=online") >= replicas
				: redis_is(info, "master_link_status", "up");
}

/* The value after @name in a list of names and values, "" if it is not there. */
static const char *member(
	const struct resp_answer *list, const char *name, char out[REDIS_TEXT_MAX])
{
	struct resp_answer left = *list, key, value;

	out[0] = '\0';
	while (resp_answer_next(&left, &key) && resp_answer_next(&left, &value)) {
		if (key.len == strlen(name) && memcmp(key.text, name, key.len) == 0)
			(void)snprintf(out, REDIS_TEXT_MAX, "%.*s", (int)value.len, value.text);
	}
	return out;
}

/* Do all Sentinels know each other, all replicas and the leader that the server knows? */
static bool sentinel_agrees(struct redis *r, uint64_t deadline_ns, struct driver_status *ret)
{
	const char *const quorum[] = {"SENTINEL", "CKQUORUM", r->master, NULL};
	const char *const master[] = {"SENTINEL", "MASTER", r->master, NULL};
	char text[REDIS_TEXT_MAX], usable[REDIS_TEXT_MAX];
	struct resp_answer answer;
	uint32_t addr_be;
	uint64_t n;

	(void)snprintf(usable, sizeof usable, "OK %u usable", r->nodes);
	if (!told(r, &r->sentinel, quorum, deadline_ns, &answer) || !redis_begins(&answer, usable))
		return false;
	if (!told(r, &r->sentinel, master, deadline_ns, &answer) || answer.type != RESP_ANSWER_LIST)
		return false;
	(void)member(&answer, "config-epoch", text);
	ret->term = common_number(text, strlen(text), &n) ? n : 0;
	(void)member(&answer, "num-slaves", text);
	if (!common_number(text, strlen(text), &n) || n + 1 != r->nodes)
		return false;
	return strcmp(member(&answer, "flags", text), "master") == 0 &&
	       inet_pton(AF_INET, member(&answer, "ip", text), &addr_be) == 1 &&
	       index_of(r, addr_be) == ret->leader;
}

/* All slots have an owner, all servers are known, each owner on this node has a replica. */
static bool cluster_agrees(struct redis *r, uint64_t deadline_ns, struct driver_status *ret)
{
	static const char *const info[] = {"CLUSTER", "INFO", NULL};
	struct driver_status other = {.leader = -1};
	struct resp_answer answer;
	bool ready = ret->ready;

	if (!told(r, &r->near, info, deadline_ns, &answer) || answer.type != RESP_ANSWER_VALUE)
		return false;
	ret->term = redis_number(&answer, "cluster_current_epoch");
	ready = ready && redis_is(&answer, "cluster_state", "ok") &&
		redis_number(&answer, "cluster_slots_ok") == REDIS_SLOTS &&
		redis_number(&answer, "cluster_known_nodes") ==
			(uint64_t)r->nodes * r->servers_of_node;
	for (unsigned i = 1; i < r->servers_of_node && ready; i++) {
		struct redis_line l = {.asked = false};

		resp_link_init(&l.link, r->addr_be[r->contact], (uint16_t)(r->port + i));
		ready = told(r, &l, redis_ask_replication, deadline_ns, &answer) &&
			answer.type == RESP_ANSWER_VALUE;
		if (ready)
			take_replication(r, &answer, 1, &other);
		ready = ready && other.ready;
		resp_link_fini(&l.link);
	}
	return ready;
}

int redis_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct redis *r = redis_of(d);
	bool cluster = r->topology == REDIS_CLUSTER;
	unsigned replicas = cluster ? r->servers_of_node > 1 : r->nodes - 1;
	struct resp_answer info;

	*ret = (struct driver_status){.leader = -1};
	if (r->wrong)
		return -EINVAL;
	resp_link_look(&r->near.link);
	if (!told(r, &r->near, redis_ask_replication, deadline_ns, &info) ||
		info.type != RESP_ANSWER_VALUE)
		return -EAGAIN;
	take_replication(r, &info, r->topology == REDIS_SINGLE ? 0 : replicas, ret);
	if (r->topology == REDIS_SENTINEL)
		ret->ready = sentinel_agrees(r, deadline_ns, ret) && ret->ready;
	if (cluster) {
		ret->ready = cluster_agrees(r, deadline_ns, ret);
		/* There are as many as slots have owners. */
		ret->leads = false;
		ret->leader = -1;
	}
	return 0;
}
