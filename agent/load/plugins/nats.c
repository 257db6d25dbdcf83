/* SPDX-License-Identifier: MIT */
/*
 * nats.c - driver for NATS JetStream as a key-value store, by libnats
 *
 * Key 7 is the last message on the subject $KV.lab.k7 of the stream KV_lab, which keeps one of
 * each; its value is the message's text. Settings: reads=leader (default) asks the stream's leader,
 * reads=direct whoever has a copy and is nearest.
 *
 * The connection is with the nearest server alone, which passes requests on. The library may not
 * connect again by itself: it would send what it had kept. It waits for answers under names of
 * their own, in milliseconds, so a late one meets nobody and the connection goes on after a
 * timeout.
 *
 * What came of a write that was not acknowledged:
 *  1. There was no connection, or the server knew nobody who takes it ("no responders"): FAIL.
 *  2. The stream said no before it gave the message a number (no leader): FAIL.
 *  3. Any other error, or none: UNKNOWN.
 *
 * A compare-and-set looks up the value and the number of the message that has it, and publishes on
 * condition that this number still is the last. So it costs two requests, and "unmet" is as old as
 * what the stream's leader reads. The condition itself is the stream's to check.
 *
 * The libraries's calls to connect block, so that idle time is used for them only if it is long.
 */
#include <assert.h>
#include <errno.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define NATS_STREAM "KV_lab"
#define NATS_SUBJECT_MAX 48
#define NATS_URL_MAX 40
#define NATS_SERVER "n" /* a server's name is this and its number, from 1 */
/* No shorter span of idle time is used to connect. */
#define NATS_CONNECT_NS (50 * NS_PER_MS)

struct nats {
	struct driver driver;
	struct driver_target target;
	bool direct;
	natsConnection *connection; /* NULL: none */
	jsCtx *stream;
};

extern const unsigned pacelab_driver_abi;
extern const struct driver_ops pacelab_driver;

static struct nats *nats_of(struct driver *d)
{
	return (struct nats *)d;
}

static void hang_up(struct nats *n)
{
	jsCtx_Destroy(n->stream);
	natsConnection_Destroy(n->connection);
	n->stream = NULL;
	n->connection = NULL;
}

/* 0 would be the library's own default. */
static int64_t wait_ms(uint64_t deadline_ns)
{
	int ms = common_left_ms(deadline_ns);

	return ms > 0 ? ms : 1;
}

static void dial(struct nats *n, uint64_t deadline_ns)
{
	natsOptions *options = NULL;
	char addr[COMMON_ADDR_MAX];
	char url[NATS_URL_MAX];

	(void)snprintf(url, sizeof url, "nats://%s:%u",
		common_addr(n->target.addr_be[n->target.contact], addr), n->target.port);
	if (natsOptions_Create(&options) != NATS_OK)
		abort();
	if (natsOptions_SetURL(options, url) != NATS_OK ||
		natsOptions_SetTimeout(options, wait_ms(deadline_ns)) != NATS_OK ||
		natsOptions_SetAllowReconnect(options, false) != NATS_OK ||
		natsOptions_SetIgnoreDiscoveredServers(options, true) != NATS_OK ||
		natsOptions_SetSendAsap(options, true) != NATS_OK ||
		natsConnection_Connect(&n->connection, options) != NATS_OK ||
		natsConnection_JetStream(&n->stream, n->connection, NULL) != NATS_OK)
		hang_up(n);
	natsOptions_Destroy(options);
}

static bool have_connection(struct nats *n, uint64_t deadline_ns)
{
	if (n->connection && natsConnection_Status(n->connection) != NATS_CONN_STATUS_CONNECTED)
		hang_up(n);
	if (!n->connection)
		dial(n, deadline_ns);
	return n->connection != NULL;
}

static struct driver *nats_open(const struct driver_target *target)
{
	struct nats *n = calloc(1, sizeof *n);
	char reads[COMMON_SETTING_MAX];

	assert(n);
	n->driver.ops = &pacelab_driver;
	n->target = *target;
	n->direct = strcmp(common_setting(target->settings, "reads", reads), "direct") == 0;
	n->target.settings = NULL; /* it may be gone later */
	return &n->driver;
}

static void nats_driver_close(struct driver *d)
{
	if (!d)
		return;
	hang_up(nats_of(d));
	free(d);
}

static void nats_connect(struct driver *d, uint64_t deadline_ns)
{
	if (deadline_ns > clock_now_ns() + NATS_CONNECT_NS)
		(void)have_connection(nats_of(d), deadline_ns);
}

static const char *subject_of(uint64_t key, char out[NATS_SUBJECT_MAX])
{
	char name[COMMON_KEY_MAX];

	(void)snprintf(out, NATS_SUBJECT_MAX, "$KV.lab.%s", common_key(key, name));
	return out;
}

/*
 * Reading.
 */

/* The last message of a key; *ret_seq 0: there is none. */
static natsStatus look_up(struct nats *n, bool direct, uint64_t key, uint64_t deadline_ns,
	uint64_t *ret_value, uint64_t *ret_seq)
{
	jsDirectGetMsgOptions last;
	char subject[NATS_SUBJECT_MAX];
	jsErrCode code = 0;
	natsMsg *msg = NULL;
	jsOptions options;
	natsStatus status;

	*ret_value = *ret_seq = 0;
	subject_of(key, subject);
	(void)jsOptions_Init(&options);
	options.Wait = wait_ms(deadline_ns);
	if (direct) {
		(void)jsDirectGetMsgOptions_Init(&last);
		last.LastBySubject = subject;
		status = js_DirectGetMsg(&msg, n->stream, NATS_STREAM, &options, &last);
	} else {
		status = js_GetLastMsg(&msg, n->stream, NATS_STREAM, subject, &options, &code);
	}
	if (status == NATS_NOT_FOUND && (code == 0 || code == JSNoMessageFoundErr))
		return NATS_OK;
	if (status == NATS_OK) {
		*ret_seq = natsMsg_GetSequence(msg);
		if (!common_number(
			    natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), ret_value))
			status = NATS_PROTOCOL_ERROR;
	}
	natsMsg_Destroy(msg);
	return status;
}

static enum history_error why(natsStatus status)
{
	if (status == NATS_TIMEOUT)
		return HISTORY_TIMEOUT;
	if (status == NATS_NO_RESPONDERS || status == NATS_ERR || status == NATS_NOT_FOUND)
		return HISTORY_REFUSED;
	if (status == NATS_CONNECTION_CLOSED || status == NATS_CONNECTION_DISCONNECTED ||
		status == NATS_IO_ERROR || status == NATS_STALE_CONNECTION)
		return HISTORY_CLOSED;
	return HISTORY_OTHER;
}

static void nats_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct nats *n = nats_of(d);
	uint64_t value, seq;
	natsStatus status;

	if (!have_connection(n, deadline_ns)) {
		common_fail(ret, HISTORY_CONNECT);
		return;
	}
	status = look_up(n, n->direct, key, deadline_ns, &value, &seq);
	if (status == NATS_OK)
		common_value(ret, value);
	else
		common_fail(ret, why(status));
}

/*
 * Writing.
 */

/*
 * The stream said so before the message had a number. That it is short of memory or disk it also
 * says of what its replicas have agreed on: others may have had room.
 */
static bool no_effect(jsErrCode code)
{
	switch ((int)code) {
	case JSClusterNoPeersErr:
	case JSClusterNotActiveErr:
	case JSClusterNotAssignedErr:
	case JSClusterNotAvailErr:
	case JSClusterNotLeaderErr:
	case JSNotEnabledForAccountErr:
	case JSStreamNotFoundErr:
	case JSStreamNotMatchErr:
	case JSStreamWrongLastSequenceErr:
	case JSNotEnabledErr:
	case JSStreamOfflineErr:
		return true;
	default:
		return false;
	}
}

/* @only: on what condition; NULL: on none. */
static void publish(struct nats *n, uint64_t key, uint64_t value, jsPubOptions *only,
	uint64_t deadline_ns, struct driver_result *ret)
{
	char subject[NATS_SUBJECT_MAX];
	char text[COMMON_KEY_MAX];
	jsPubOptions options;
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	natsStatus status;
	int len = snprintf(text, sizeof text, "%llu", (unsigned long long)value);

	if (!only) {
		only = &options;
		(void)jsPubOptions_Init(only);
	}
	only->MaxWait = wait_ms(deadline_ns);
	status = js_Publish(&ack, n->stream, subject_of(key, subject), text, len, only, &code);
	jsPubAck_Destroy(ack);
	if (status == NATS_OK)
		common_ok(ret);
	else if (status == NATS_ERR && code == JSStreamWrongLastSequenceErr)
		common_unmet(ret);
	else if (status == NATS_NO_RESPONDERS || (status == NATS_ERR && no_effect(code)))
		common_fail(ret, HISTORY_REFUSED);
	else
		common_unknown(ret, status == NATS_ERR ? HISTORY_UNCERTAIN : why(status));
}

static void nats_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct nats *n = nats_of(d);

	if (!have_connection(n, deadline_ns))
		common_fail(ret, HISTORY_CONNECT);
	else
		publish(n, key, value, NULL, deadline_ns, ret);
}

static void nats_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct nats *n = nats_of(d);
	uint64_t is, seq;
	jsPubOptions only;
	natsStatus status;

	if (!have_connection(n, deadline_ns)) {
		common_fail(ret, HISTORY_CONNECT);
		return;
	}
	status = look_up(n, false, key, deadline_ns, &is, &seq);
	if (status != NATS_OK) {
		common_fail(ret, why(status)); /* nothing but a question was sent */
		return;
	}
	if (is != old) {
		common_unmet(ret);
		return;
	}
	(void)jsPubOptions_Init(&only);
	only.ExpectLastSubjectSeq = seq;
	only.ExpectNoMessage = seq == 0;
	publish(n, key, value, &only, deadline_ns, ret);
}

/*
 * What is said of the stream. Its leader answers, whoever is asked.
 */
static int index_of(const struct nats *n, const char *server)
{
	uint64_t number;

	if (!server || strncmp(server, NATS_SERVER, sizeof NATS_SERVER - 1) != 0)
		return -1;
	server += sizeof NATS_SERVER - 1;
	return common_number(server, strlen(server), &number) && number > 0 &&
			       number <= n->target.nodes
		       ? (int)number - 1
		       : -1;
}

static void take_info(const struct nats *n, const jsStreamInfo *info, struct driver_status *ret)
{
	const jsClusterInfo *cluster = info->Cluster;
	int64_t copies = info->Config ? info->Config->Replicas : 0;

	/* A server alone has no cluster. */
	ret->leader = cluster ? index_of(n, cluster->Leader) : (int)n->target.contact;
	ret->leads = ret->leader == (int)n->target.contact;
	ret->ready = ret->leader >= 0 && (!cluster || cluster->ReplicasLen + 1 >= copies);
	for (int i = 0; cluster && i < cluster->ReplicasLen; i++)
		ret->ready = ret->ready && cluster->Replicas[i]->Current &&
			     !cluster->Replicas[i]->Offline;
	(void)snprintf(ret->role, sizeof ret->role, "%s", ret->leads ? "leader" : "follower");
}

static int nats_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct nats *n = nats_of(d);
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	jsOptions options;
	natsStatus status;

	*ret = (struct driver_status){.leader = -1};
	if (!have_connection(n, deadline_ns))
		return -ENOTCONN;
	(void)jsOptions_Init(&options);
	options.Wait = wait_ms(deadline_ns);
	status = js_GetStreamInfo(&info, n->stream, NATS_STREAM, &options, &code);
	if (status == NATS_OK)
		take_info(n, info, ret);
	else
		(void)snprintf(ret->role, sizeof ret->role, "%s",
			status == NATS_NOT_FOUND ? "without a stream" : "without a leader");
	jsStreamInfo_Destroy(info);
	return 0;
}

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver = {
	.name = "nats",
	.open = nats_open,
	.connect = nats_connect,
	.read = nats_read,
	.write = nats_write,
	.cas = nats_cas,
	.status = nats_status,
	.close = nats_driver_close,
};
