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
 * Of libnats up to 3.4 the call to connect does not end, and spins, when a server says who it is
 * and then nothing. So a thread of its own makes it, and is left to itself if it takes too long:
 *
 *	begin() --> under way --over--> take()
 *	               '--too long, close()--> abandoned: ends when the server hangs up or goes on
 */
#include <assert.h>
#include <errno.h>
#include <nats/nats.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define NATS_STREAM "KV_lab"
#define NATS_SUBJECT_MAX 48
#define NATS_URL_MAX 40
#define NATS_SERVER "n"                 /* a server's name is this and its number, from 1 */
#define NATS_PATIENCE_NS (2 * NS_PER_S) /* for an attempt to connect */
#define NATS_ABANDONED_MAX 8            /* of a process; with more no attempt is begun */

/* Whoever comes last, its thread or the driver that abandons it, frees it. */
struct attempt {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool over;
	bool abandoned;
	pid_t thread; /* 0: not there yet */
	uint64_t begin_ns;
	natsConnection *connection; /* NULL, once it is over: there is none */
	char url[NATS_URL_MAX];
};

struct nats {
	struct driver driver;
	struct driver_target target;
	bool direct;
	struct attempt *attempt;    /* NULL: none is under way */
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

/*
 * Attempts to connect.
 */
static _Atomic unsigned abandoned;

static void free_attempt(struct attempt *a)
{
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static natsConnection *connect_to(const char *url)
{
	natsConnection *connection = NULL;
	natsOptions *options = NULL;

	if (natsOptions_Create(&options) != NATS_OK)
		abort();
	if (natsOptions_SetURL(options, url) == NATS_OK &&
		natsOptions_SetTimeout(options, NATS_PATIENCE_NS / NS_PER_MS) == NATS_OK &&
		natsOptions_SetAllowReconnect(options, false) == NATS_OK &&
		natsOptions_SetIgnoreDiscoveredServers(options, true) == NATS_OK &&
		natsOptions_SetSendAsap(options, true) == NATS_OK &&
		natsConnection_Connect(&connection, options) != NATS_OK)
		connection = NULL;
	natsOptions_Destroy(options);
	return connection;
}

static void *attempt_main(void *arg)
{
	struct attempt *a = arg;
	natsConnection *connection;
	bool mine;

	pthread_mutex_lock(&a->lock);
	a->thread = gettid();
	pthread_mutex_unlock(&a->lock);
	connection = connect_to(a->url);
	pthread_mutex_lock(&a->lock);
	a->connection = connection;
	a->over = true;
	mine = a->abandoned;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	if (mine) {
		natsConnection_Destroy(connection);
		free_attempt(a);
		abandoned--;
	}
	nats_ReleaseThreadMemory();
	return NULL;
}

static void begin(struct nats *n)
{
	struct attempt *a = calloc(1, sizeof *a);
	pthread_condattr_t monotonic;
	pthread_attr_t detached;
	char addr[COMMON_ADDR_MAX];
	pthread_t thread;

	assert(a);
	(void)snprintf(a->url, sizeof a->url, "nats://%s:%u",
		common_addr(n->target.addr_be[n->target.contact], addr), n->target.port);
	a->begin_ns = clock_now_ns();
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&a->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, attempt_main, a) == 0)
		n->attempt = a;
	else
		free_attempt(a);
	pthread_attr_destroy(&detached);
}

/* It may go on for long: but only with what nobody else wants of the processors. */
static void abandon(struct nats *n)
{
	const struct sched_param none = {0};
	struct attempt *a = n->attempt;
	bool over;

	n->attempt = NULL;
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	over = a->over;
	a->abandoned = true;
	if (!over)
		abandoned++;
	if (!over && a->thread)
		(void)sched_setscheduler(a->thread, SCHED_IDLE, &none);
	pthread_mutex_unlock(&a->lock);
	if (!over)
		return;
	natsConnection_Destroy(a->connection);
	free_attempt(a);
}

/* Wait for the attempt that is under way. */
static void take(struct nats *n, uint64_t deadline_ns)
{
	const struct timespec t = clock_timespec(deadline_ns);
	struct attempt *a = n->attempt;
	bool over;

	pthread_mutex_lock(&a->lock);
	while (!a->over && pthread_cond_timedwait(&a->changed, &a->lock, &t) == 0)
		;
	over = a->over;
	pthread_mutex_unlock(&a->lock);
	if (!over)
		return;
	n->connection = a->connection;
	n->attempt = NULL;
	free_attempt(a);
	if (n->connection && natsConnection_JetStream(&n->stream, n->connection, NULL) != NATS_OK)
		hang_up(n);
}

static bool have_connection(struct nats *n, uint64_t deadline_ns)
{
	if (n->connection && natsConnection_Status(n->connection) != NATS_CONN_STATUS_CONNECTED)
		hang_up(n);
	if (n->connection)
		return true;
	if (n->attempt && clock_now_ns() > n->attempt->begin_ns + NATS_PATIENCE_NS)
		abandon(n);
	if (!n->attempt && abandoned < NATS_ABANDONED_MAX)
		begin(n);
	if (n->attempt)
		take(n, deadline_ns);
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
	abandon(nats_of(d));
	hang_up(nats_of(d));
	free(d);
}

static void nats_connect(struct driver *d, uint64_t deadline_ns)
{
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
