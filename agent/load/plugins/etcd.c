/* SPDX-License-Identifier: MIT */
/*
 * etcd.c - driver for etcd 3.4 and later, by its JSON gateway: range, put, txn, status
 *
 * Requests go to the nearest member: it forwards what only the leader may do. Settings:
 * reads=linearizable (the default) or reads=serializable, which a member answers alone.
 *
 * Outcomes. An answer that is no error is OK. An error of a read is FAIL. A write's is FAIL only
 * where etcd's source returns it before it hands the request to Raft, and UNKNOWN else:
 *
 *	FAIL	code 3 (INVALID_ARGUMENT)	checks of the request, api/v3rpc/key.go
 *		request is too large		processInternalRaftRequestOnce(), before Propose()
 *		too many requests		the same: applying lags behind committing
 *		no leader, not capable,		newUnaryInterceptor(), before the handler
 *		rpc not supported for learner
 *		raft proposal dropped		raft.ErrProposalDropped: this member's own Raft
 *						took no entry and forwarded none
 *	UNKNOWN	request timed out ...		parseProposeCtxErr(), after Propose()
 *		server stopped			the same
 *		leader changed			only said of reads, but nothing promises that
 *		database space exceeded		quotaApplierV3 says it of puts that it did apply
 *		anything else, of the gateway, of gRPC, or in no words that we know
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/http.h"

const unsigned pacelab_driver_abi = PLUGIN_ABI;
extern const struct driver_ops pacelab_driver;

#define MEMBERS_MAX 16
#define REQUEST_MAX 512
#define INVALID_ARGUMENT 3

struct etcd {
	struct driver driver;
	struct http *http;
	bool serializable;
	struct driver_target target;
	uint64_t member[MEMBERS_MAX]; /* id of each node, 0: not known yet */
};

static struct etcd *etcd_of(struct driver *d)
{
	return (struct etcd *)d;
}

/*
 * Connection.
 */

static struct driver *etcd_open(const struct driver_target *target)
{
	struct etcd *e = calloc(1, sizeof *e);
	char reads[COMMON_SETTING_MAX];

	assert(e && target->nodes <= MEMBERS_MAX);
	e->driver.ops = &pacelab_driver;
	e->target = *target;
	e->http = http_open(target->addr_be[target->contact], target->port);
	common_setting(target->settings, "reads", reads);
	e->serializable = strcmp(reads, "serializable") == 0;
	return &e->driver;
}

static void etcd_close(struct driver *d)
{
	if (!d)
		return;
	http_close(etcd_of(d)->http);
	free(d);
}

static void etcd_connect(struct driver *d, uint64_t deadline_ns)
{
	http_connect(etcd_of(d)->http, deadline_ns);
}

/*
 * Request and answer.
 */
static bool had_no_effect(uint64_t code, const char *message)
{
	static const char *const refusals[] = {
		"etcdserver: request is too large",
		"etcdserver: too many requests",
		"etcdserver: no leader",
		"etcdserver: not capable",
		"etcdserver: rpc not supported for learner",
		"raft proposal dropped",
	};

	if (code == INVALID_ARGUMENT)
		return true;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		if (strcmp(message, refusals[i]) == 0)
			return true;
	return false;
}

/* The gateway's errors are {"error": text, "message": text, "code": number of gRPC}. */
static void take_error(const json_t *answer, bool reads, struct driver_result *ret)
{
	const json_t *code = json_object_get(answer, "code");
	const char *message = http_text(answer, "message");

	if (!message)
		message = http_text(answer, "error");
	if (!message || !json_is_integer(code))
		common_lost(ret, reads, HISTORY_OTHER);
	else if (reads || had_no_effect((uint64_t)json_integer_value(code), message))
		common_fail(ret, HISTORY_REFUSED);
	else
		common_unknown(ret, HISTORY_UNCERTAIN);
}

/* Return: what it said, to be freed; NULL: nothing that is OK, then *ret says why. */
static json_t *ask(struct etcd *e, const char *path, const char *body, bool reads,
	uint64_t deadline_ns, struct driver_result *ret)
{
	const struct http_request request = {"POST", path, body, reads};
	long status = http_ask(e->http, &request, deadline_ns, ret);
	json_t *answer;

	if (status == 0)
		return NULL;
	answer = http_json(e->http);
	if (status == 200 && json_is_object(json_object_get(answer, "header"))) {
		common_ok(ret);
		return answer;
	}
	if (status == 200 || !answer)
		http_nonsense(e->http, reads, ret);
	else
		take_error(answer, reads, ret);
	json_decref(answer);
	return NULL;
}

/* Return: false if the answer is not one about @key. A key that is not there has no kvs. */
static bool take_value(const json_t *answer, const char *key, struct driver_result *ret)
{
	const json_t *kvs = json_object_get(answer, "kvs");
	const json_t *kv = json_array_get(kvs, 0);
	const char *name = http_text(kv, "key");
	uint64_t value = 0;

	if (kvs && (json_array_size(kvs) != 1 || !name || strcmp(name, key) != 0 ||
			   !http_base64_value(http_text(kv, "value"), &value)))
		return false;
	common_value(ret, value);
	return true;
}

static void etcd_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct etcd *e = etcd_of(d);
	char name[COMMON_KEY_MAX], key64[HTTP_BASE64_MAX], body[REQUEST_MAX];
	json_t *answer;

	http_base64(common_key(key, name), key64);
	(void)snprintf(body, sizeof body, "{\"key\":\"%s\"%s}", key64,
		e->serializable ? ",\"serializable\":true" : "");
	answer = ask(e, "/v3/kv/range", body, true, deadline_ns, ret);
	if (answer && !take_value(answer, key64, ret))
		http_nonsense(e->http, true, ret);
	json_decref(answer);
}

static void etcd_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char name[COMMON_KEY_MAX], key64[HTTP_BASE64_MAX], value64[HTTP_BASE64_MAX],
		body[REQUEST_MAX];

	http_base64(common_key(key, name), key64);
	http_base64_number(value, value64);
	(void)snprintf(body, sizeof body, "{\"key\":\"%s\",\"value\":\"%s\"}", key64, value64);
	json_decref(ask(etcd_of(d), "/v3/kv/put", body, false, deadline_ns, ret));
}

/* A transaction. A key that is not there has version 0; its value compares with none. */
static void etcd_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct etcd *e = etcd_of(d);
	char name[COMMON_KEY_MAX], key64[HTTP_BASE64_MAX], value64[HTTP_BASE64_MAX],
		old64[HTTP_BASE64_MAX];
	char body[REQUEST_MAX];
	const json_t *succeeded;
	json_t *answer;

	http_base64(common_key(key, name), key64);
	http_base64_number(value, value64);
	http_base64_number(old, old64);
	(void)snprintf(body, sizeof body,
		"{\"compare\":[{\"key\":\"%s\",\"result\":\"EQUAL\",\"target\":\"%s\",\"%s\":\"%s\"}],"
		"\"success\":[{\"requestPut\":{\"key\":\"%s\",\"value\":\"%s\"}}]}",
		key64, old ? "VALUE" : "VERSION", old ? "value" : "version", old ? old64 : "0",
		key64, value64);
	answer = ask(e, "/v3/kv/txn", body, false, deadline_ns, ret);
	succeeded = json_object_get(answer, "succeeded"); /* false is left out */
	if (answer && succeeded && !json_is_boolean(succeeded))
		http_nonsense(e->http, false, ret);
	else if (answer && !json_is_true(succeeded))
		common_unmet(ret);
	json_decref(answer);
}

/*
 * Status. Members have ids; which node that is tell the addresses that they announce to clients.
 */
static unsigned node_of(const struct etcd *e, const char *url)
{
	char mine[64], addr[COMMON_ADDR_MAX];
	unsigned i = 0;

	for (; i < e->target.nodes; i++) {
		(void)snprintf(mine, sizeof mine, "http://%s:%u",
			common_addr(e->target.addr_be[i], addr), e->target.port);
		if (strcmp(mine, url) == 0)
			break;
	}
	return i;
}

static void learn_members(struct etcd *e, uint64_t deadline_ns)
{
	struct driver_result ret;
	json_t *answer = ask(e, "/v3/cluster/member/list", "{}", true, deadline_ns, &ret);
	const json_t *member, *url;
	size_t i, j;

	json_array_foreach(json_object_get(answer, "members"), i, member)
	{
		uint64_t id;

		if (!http_number(member, "ID", &id))
			continue;
		json_array_foreach(json_object_get(member, "clientURLs"), j, url)
		{
			const char *text = json_string_value(url);
			unsigned node = text ? node_of(e, text) : e->target.nodes;

			if (node < e->target.nodes)
				e->member[node] = id;
		}
	}
	json_decref(answer);
}

static unsigned members_known(const struct etcd *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->target.nodes; i++)
		n += e->member[i] != 0;
	return n;
}

static int etcd_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct etcd *e = etcd_of(d);
	struct driver_result result;
	json_t *answer = ask(e, "/v3/maintenance/status", "{}", true, deadline_ns, &result);
	uint64_t self = 0, leader = 0;
	const char *role = "follower";
	int status = answer ? 0 : -EIO;

	*ret = (struct driver_status){.leader = -1};
	if (answer && !http_number(json_object_get(answer, "header"), "member_id", &self))
		status = -EBADMSG;
	/* What is 0 is left out. */
	(void)http_number(answer, "leader", &leader);
	(void)http_number(answer, "raftTerm", &ret->term);
	if (json_is_true(json_object_get(answer, "isLearner")))
		role = "learner";
	json_decref(answer);
	if (status < 0)
		return status;
	if (members_known(e) < e->target.nodes)
		learn_members(e, deadline_ns);
	for (unsigned i = 0; leader && i < e->target.nodes; i++)
		if (e->member[i] == leader)
			ret->leader = (int)i;
	ret->leads = leader && leader == self;
	ret->ready = leader && members_known(e) == e->target.nodes;
	if (ret->leads)
		role = "leader";
	else if (!leader)
		role = "leaderless";
	(void)snprintf(ret->role, sizeof ret->role, "%s", role);
	return 0;
}

const struct driver_ops pacelab_driver = {
	.name = "etcd",
	.open = etcd_open,
	.connect = etcd_connect,
	.read = etcd_read,
	.write = etcd_write,
	.cas = etcd_cas,
	.status = etcd_status,
	.close = etcd_close,
};
