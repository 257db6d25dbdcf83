/* SPDX-License-Identifier: MIT */
/*
 * consul.c - driver for Consul's key-value store, by the HTTP API of the nearest server
 *
 * Sources: developer.hashicorp.com/consul/api-docs/kv, .../features/consistency, .../agent. The
 * server forwards what is the leader's. Settings: reads=default (the leader, which trusts its
 * lease), consistent (it asks a majority first) or stale (the nearest server, whatever it has).
 *
 * A compare-and-set names the index at which the key was last modified, so it reads first, always
 * consistently: two requests, one outcome. If somebody else was faster, the old value is gone:
 *unmet.
 *
 * Outcomes of a write:
 *	OK	200 and "true"
 *	FAIL	400 to 499; 500 with words by which a server of Raft says that it took no entry:
 *		"No cluster leader", "node is not the leader". Consul's servers themselves send a
 *		request once more after the first
 *	UNKNOWN	all other errors: "leadership lost while committing log", "rpc error ..."; silence
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/http.h"

const unsigned pacelab_driver_abi = PLUGIN_ABI;
extern const struct driver_ops pacelab_driver;

enum { FOUND = 200, REFUSED = 400, ABSENT = 404, SERVER_ERROR = 500 };

struct consul {
	struct driver driver;
	struct driver_target target;
	struct http *http;
	const char *query; /* of reads */
};

static struct consul *consul_of(struct driver *d)
{
	return (struct consul *)d;
}

static struct driver *consul_open(const struct driver_target *target)
{
	struct consul *c = calloc(1, sizeof *c);
	char reads[COMMON_SETTING_MAX];

	assert(c);
	c->driver.ops = &pacelab_driver;
	c->target = *target;
	c->target.settings = NULL;
	c->http = http_open(target->addr_be[target->contact], target->port);
	common_setting(target->settings, "reads", reads);
	c->query = "";
	if (strcmp(reads, "consistent") == 0)
		c->query = "?consistent";
	else if (strcmp(reads, "stale") == 0)
		c->query = "?stale";
	return &c->driver;
}

static void consul_close(struct driver *d)
{
	if (!d)
		return;
	http_close(consul_of(d)->http);
	free(d);
}

static void consul_connect(struct driver *d, uint64_t deadline_ns)
{
	http_connect(consul_of(d)->http, deadline_ns);
}

/* A list of one entry. */
static bool take_entry(
	const json_t *list, const char *key, uint64_t *ret_value, uint64_t *ret_index)
{
	const json_t *entry = json_array_get(list, 0);
	const json_t *index = json_object_get(entry, "ModifyIndex");
	const char *name = http_text(entry, "Key");

	*ret_index = (uint64_t)json_integer_value(index);
	return json_array_size(list) == 1 && name && strcmp(name, key) == 0 &&
	       json_integer_value(index) > 0 &&
	       http_base64_value(http_text(entry, "Value"), ret_value);
}

/* Return: the index of its last change, 0: there is no such key, or *ret says why it failed. */
static uint64_t fetch(struct consul *c, uint64_t key, const char *query, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char name[COMMON_KEY_MAX], path[HTTP_PATH_MAX];
	const struct http_request request = {"GET", path, NULL, true};
	uint64_t value, index;
	long status;
	json_t *list;

	(void)snprintf(path, sizeof path, "/v1/kv/%s%s", common_key(key, name), query);
	status = http_ask(c->http, &request, deadline_ns, ret);
	if (status == 0)
		return 0;
	list = status == FOUND ? http_json(c->http) : NULL;
	if (list && take_entry(list, name, &value, &index)) {
		json_decref(list);
		common_value(ret, value);
		return index;
	}
	json_decref(list);
	if (status == ABSENT && http_is(c->http, "")) /* of a path that it has not it says more */
		common_value(ret, 0);
	else if (status >= REFUSED && status != ABSENT)
		common_fail(ret, HISTORY_REFUSED);
	else
		http_nonsense(c->http, true, ret);
	return 0;
}

static bool had_no_effect(const struct http *h, long status)
{
	return (status >= REFUSED && status < SERVER_ERROR) ||
	       (status == SERVER_ERROR && (http_says(h, "No cluster leader") ||
						  http_says(h, "node is not the leader")));
}

/* Return: false if @query said at which index, and it was another. */
static bool store(struct consul *c, uint64_t key, const char *query, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX], path[HTTP_PATH_MAX], body[COMMON_KEY_MAX];
	const struct http_request request = {"PUT", path, body, false};
	long status;

	(void)snprintf(path, sizeof path, "/v1/kv/%s%s", common_key(key, name), query);
	(void)snprintf(body, sizeof body, "%llu", (unsigned long long)value);
	status = http_ask(c->http, &request, deadline_ns, ret);
	if (status == 0)
		return true;
	if (status == FOUND && http_is(c->http, "true"))
		common_ok(ret);
	else if (status == FOUND && *query && http_is(c->http, "false"))
		return false;
	else if (had_no_effect(c->http, status))
		common_fail(ret, HISTORY_REFUSED);
	else if (status > SERVER_ERROR || (status == SERVER_ERROR && !http_is(c->http, "")))
		common_unknown(ret, HISTORY_UNCERTAIN);
	else
		http_nonsense(c->http, false, ret);
	return true;
}

static void consul_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	(void)fetch(consul_of(d), key, consul_of(d)->query, deadline_ns, ret);
}

static void consul_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	(void)store(consul_of(d), key, "", value, deadline_ns, ret);
}

/* Index 0 is that of a key that is not there. */
static void consul_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	uint64_t index = fetch(consul_of(d), key, "?consistent", deadline_ns, ret);
	char query[COMMON_KEY_MAX + 8];

	if (ret->outcome != HISTORY_OK)
		return;
	(void)snprintf(query, sizeof query, "?cas=%llu", (unsigned long long)index);
	if (ret->value != old || !store(consul_of(d), key, query, value, deadline_ns, ret))
		common_unmet(ret);
}

/*
 * Status.
 */

/* @addr: of Raft, "10.1.0.1:8300" */
static int node_of(const struct consul *c, const char *addr)
{
	char text[COMMON_ADDR_MAX];
	size_t len = strcspn(addr, ":");

	for (unsigned i = 0; i < c->target.nodes; i++) {
		common_addr(c->target.addr_be[i], text);
		if (strlen(text) == len && strncmp(text, addr, len) == 0)
			return (int)i;
	}
	return -1;
}

static int take_status(const struct consul *c, const json_t *self, struct driver_status *ret)
{
	const json_t *stats = json_object_get(self, "Stats");
	const json_t *raft = json_object_get(stats, "raft");
	const char *addr = http_text(json_object_get(stats, "consul"), "leader_addr");
	const char *state = http_text(raft, "state");
	uint64_t peers, term;

	if (!addr || !state || !http_number(raft, "num_peers", &peers) ||
		!http_number(raft, "term", &term))
		return -EBADMSG;
	ret->leader = node_of(c, addr);
	ret->leads = strcmp(state, "Leader") == 0;
	ret->term = term;
	/* Voters but itself. */
	ret->ready = ret->leader >= 0 && peers + 1 >= c->target.nodes;
	(void)snprintf(ret->role, sizeof ret->role, "%s",
		ret->leads ? "leader"
			   : (strcmp(state, "Follower") == 0 ? "follower" : "candidate"));
	return 0;
}

static int consul_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	static const struct http_request request = {"GET", "/v1/agent/self", NULL, true};
	struct consul *c = consul_of(d);
	struct driver_result result;
	long status = http_ask(c->http, &request, deadline_ns, &result);
	json_t *self = status == FOUND ? http_json(c->http) : NULL;
	int rc = status == 0 ? -EIO : -EBADMSG;

	*ret = (struct driver_status){.leader = -1};
	if (self)
		rc = take_status(c, self, ret);
	json_decref(self);
	return rc;
}

const struct driver_ops pacelab_driver = {
	.name = "consul",
	.open = consul_open,
	.connect = consul_connect,
	.read = consul_read,
	.write = consul_write,
	.cas = consul_cas,
	.status = consul_status,
	.close = consul_close,
};
