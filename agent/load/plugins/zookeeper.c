/* SPDX-License-Identifier: MIT */
/*
 * zookeeper.c - driver for ZooKeeper, by the asynchronous calls of its own library
 *
 * A driver is a session with the contact and with no other server: a list of one host leaves the
 * library nowhere to turn to. The library connects again by itself and keeps the session until the
 * servers have let it expire; then the driver begins another one.
 *
 *	NONE --begin()--> CONNECTING <--> CONNECTED
 *	  ^---- end() ---- EXPIRED <---------'
 *
 * Threads of the library call back.
 *  1. Each call has a slot, which the driver keeps as long as the session lasts. The answer to a
 *     call whose deadline has passed frees its slot and goes to nobody, whenever it comes.
 *  2. zookeeper_close() joins those threads. After it, and only then, slots that never got an
 *     answer are free again, and the driver's memory may go.
 *  3. The lock is not held while the library is called.
 *
 * So a session outlives calls without an answer. It should: a new one needs a majority, and what a
 * server that is cut off answers to the sessions that it has is what one wants to see. A session's
 * requests are answered in order: reads wait behind a write that waits for a majority.
 *
 * Outcomes. Nothing was sent: there is no session by the deadline, or the library does not take
 * the call. No effect: the server's errors of the request, and ZSESSIONEXPIRED, which the leader
 * says instead of proposing and the library to calls that still waited for a connection. All else
 * may have taken effect: ZCONNECTIONLOSS, ZOPERATIONTIMEOUT, ZCLOSING and whatever is not known.
 *
 * Settings: reads=local (the default) answers from the contact's own data, reads=sync first lets it
 * catch up with the leader, both as one request without waiting in between; session=4000 is its
 * timeout in ms, of which the library waits two thirds for a silent server.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zookeeper/zookeeper.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define CALLS_MAX 64 /* without an answer, of one session */
#define SESSION_MS_DEFAULT 4000
#define SESSION_MS_MAX 600000
#define NUMBER_MAX 24
#define ANY_VERSION (-1)
#define SRVR_MAX 2048 /* bytes that a server says of itself */

/* Beside the library's codes, which are not above 0. */
enum { NOT_SENT = 1, NO_ANSWER };

enum session { CONNECTING, CONNECTED, EXPIRED };

struct call {
	struct zookeeper *owner;
	bool busy;   /* the library has it */
	bool waited; /* somebody waits for it */
	bool done;
	int rc;
	bool number; /* the data were one */
	uint64_t value;
	int32_t version;
};

struct zookeeper {
	struct driver driver;
	struct sockaddr_in contact;
	int leader; /* what the contact is if it leads */
	unsigned nodes;
	bool sync;
	int session_ms;
	zhandle_t *handle; /* NULL: no session */

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	enum session session;
	struct call call[CALLS_MAX];
};

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver;

static struct zookeeper *zookeeper_of(struct driver *d)
{
	return (struct zookeeper *)d;
}

/*
 * What the library calls, on a thread of its own.
 */
static void watch(zhandle_t *handle, int type, int state, const char *path, void *context)
{
	struct zookeeper *z = (struct zookeeper *)zoo_get_context(handle);

	(void)path;
	(void)context;
	if (type != ZOO_SESSION_EVENT)
		return;
	pthread_mutex_lock(&z->lock);
	if (state == ZOO_CONNECTED_STATE)
		z->session = CONNECTED;
	else if (state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE)
		z->session = EXPIRED;
	else
		z->session = CONNECTING;
	pthread_cond_broadcast(&z->changed);
	pthread_mutex_unlock(&z->lock);
}

static void complete(const void *data, int rc, const char *value, int len, const struct Stat *stat)
{
	struct call *c = (struct call *)data;
	struct zookeeper *z = c->owner;

	pthread_mutex_lock(&z->lock);
	c->rc = rc > 0 ? ZSYSTEMERROR : rc;
	c->version = stat ? stat->version : ANY_VERSION;
	c->number = value && len > 0 && common_number(value, (size_t)len, &c->value);
	c->done = true;
	c->busy = false;
	if (c->waited)
		pthread_cond_broadcast(&z->changed);
	pthread_mutex_unlock(&z->lock);
}

static void on_data(int rc, const char *value, int len, const struct Stat *stat, const void *data)
{
	complete(data, rc, value, len, stat);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
	complete(data, rc, NULL, 0, stat);
}

static void on_path(int rc, const char *path, const void *data)
{
	(void)path;
	complete(data, rc, NULL, 0, NULL);
}

/*
 * The session.
 */
static struct driver *zk_open(const struct driver_target *target)
{
	struct zookeeper *z = calloc(1, sizeof *z);
	char text[COMMON_SETTING_MAX];
	pthread_condattr_t attr;
	uint64_t ms;

	assert(z);
	z->driver.ops = &pacelab_driver;
	z->contact.sin_family = AF_INET;
	z->contact.sin_addr.s_addr = target->addr_be[target->contact];
	z->contact.sin_port = htons(target->port);
	z->leader = (int)target->contact;
	z->nodes = target->nodes;
	z->sync = strcmp(common_setting(target->settings, "reads", text), "sync") == 0;
	common_setting(target->settings, "session", text);
	z->session_ms = common_number(text, strlen(text), &ms) && ms > 0 && ms <= SESSION_MS_MAX
				? (int)ms
				: SESSION_MS_DEFAULT;
	for (unsigned i = 0; i < CALLS_MAX; i++)
		z->call[i].owner = z;
	pthread_mutex_init(&z->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&z->changed, &attr);
	pthread_condattr_destroy(&attr);
	return &z->driver;
}

static void be_quiet(void)
{
	zoo_set_debug_level((ZooLogLevel)0); /* of all sessions; what is wrong is in the outcomes */
}

static bool begin(struct zookeeper *z)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char host[COMMON_ADDR_MAX + 8], addr[COMMON_ADDR_MAX];

	pthread_once(&once, be_quiet);
	(void)snprintf(host, sizeof host, "%s:%u", common_addr(z->contact.sin_addr.s_addr, addr),
		ntohs(z->contact.sin_port));
	z->session = CONNECTING;
	z->handle = zookeeper_init(host, watch, z->session_ms, NULL, z, ZOO_NO_LOG_CLIENTENV);
	return z->handle != NULL;
}

static void end(struct zookeeper *z)
{
	if (z->handle)
		(void)zookeeper_close(z->handle);
	z->handle = NULL;
	for (unsigned i = 0; i < CALLS_MAX; i++)
		z->call[i].busy = false;
}

static void zk_close(struct driver *d)
{
	struct zookeeper *z = zookeeper_of(d);

	if (!d)
		return;
	end(z);
	pthread_cond_destroy(&z->changed);
	pthread_mutex_destroy(&z->lock);
	free(z);
}

/* Return: false at the deadline. */
static bool wait_change(struct zookeeper *z, uint64_t deadline_ns)
{
	const struct timespec t = clock_timespec(deadline_ns);

	return pthread_cond_timedwait(&z->changed, &z->lock, &t) == 0;
}

static enum session wait_session(struct zookeeper *z, uint64_t deadline_ns)
{
	enum session now;

	pthread_mutex_lock(&z->lock);
	while (z->session == CONNECTING && wait_change(z, deadline_ns))
		;
	now = z->session;
	pthread_mutex_unlock(&z->lock);
	return now;
}

static bool be_connected(struct zookeeper *z, uint64_t deadline_ns)
{
	for (;;) {
		enum session now;

		if (!z->handle && !begin(z))
			return false;
		now = wait_session(z, deadline_ns);
		if (now != EXPIRED)
			return now == CONNECTED;
		end(z);
	}
}

static void zk_connect(struct driver *d, uint64_t deadline_ns)
{
	(void)be_connected(zookeeper_of(d), deadline_ns);
}

/*
 * Calls.
 */
enum what { GET, SET, CREATE, SYNC };

struct request {
	enum what what;
	char path[COMMON_KEY_MAX + 1];
	uint64_t value;
	int32_t version;
};

static struct request request(enum what what, uint64_t key, uint64_t value, int32_t version)
{
	struct request r = {.what = what, .value = value, .version = version};
	char name[COMMON_KEY_MAX];

	(void)snprintf(r.path, sizeof r.path, "/%s", common_key(key, name));
	return r;
}

static int issue(zhandle_t *handle, const struct request *r, struct call *c)
{
	char text[NUMBER_MAX];
	int len = snprintf(text, sizeof text, "%llu", (unsigned long long)r->value);

	switch (r->what) {
	case GET:
		return zoo_aget(handle, r->path, 0, on_data, c);
	case SET:
		return zoo_aset(handle, r->path, text, len, r->version, on_stat, c);
	case CREATE:
		return zoo_acreate(handle, r->path, text, len, &ZOO_OPEN_ACL_UNSAFE, 0, on_path, c);
	case SYNC:
		return zoo_async(handle, r->path, on_path, c);
	}
	return ZBADARGUMENTS;
}

static struct call *take_slot(struct zookeeper *z)
{
	struct call *c = NULL;

	pthread_mutex_lock(&z->lock);
	for (unsigned i = 0; i < CALLS_MAX && !c; i++) {
		if (!z->call[i].busy && !z->call[i].waited)
			c = &z->call[i];
	}
	if (c) {
		c->busy = c->waited = true;
		c->done = false;
	}
	pthread_mutex_unlock(&z->lock);
	return c;
}

/* Return: NULL if nothing will be sent. */
static struct call *begin_call(struct zookeeper *z, const struct request *r)
{
	struct call *c = take_slot(z);

	if (!c || issue(z->handle, r, c) == ZOK)
		return c;
	pthread_mutex_lock(&z->lock);
	c->busy = c->waited = false;
	pthread_mutex_unlock(&z->lock);
	return NULL;
}

/* Return: the library's code, NOT_SENT, or NO_ANSWER at the deadline; *ret_answer is a copy. */
static int end_call(
	struct zookeeper *z, struct call *c, uint64_t deadline_ns, struct call *ret_answer)
{
	int rc = NO_ANSWER;

	if (!c)
		return NOT_SENT;
	pthread_mutex_lock(&z->lock);
	while (!c->done && wait_change(z, deadline_ns))
		;
	c->waited = false;
	if (c->done)
		rc = c->rc;
	*ret_answer = *c;
	pthread_mutex_unlock(&z->lock);
	return rc;
}

static int call(struct zookeeper *z, const struct request *r, uint64_t deadline_ns)
{
	struct call answer;

	if (!be_connected(z, deadline_ns))
		return NOT_SENT;
	return end_call(z, begin_call(z, r), deadline_ns, &answer);
}

/*
 * Outcomes.
 */
static void take_error(int rc, bool reads, struct driver_result *ret)
{
	switch (rc) {
	case NOT_SENT:
		common_fail(ret, HISTORY_CONNECT);
		break;
	case NO_ANSWER:
		common_lost(ret, reads, HISTORY_TIMEOUT);
		break;
	case ZCONNECTIONLOSS:
	case ZOPERATIONTIMEOUT:
	case ZCLOSING:
		common_lost(ret, reads, HISTORY_CLOSED);
		break;
	case ZSESSIONEXPIRED:
	case ZSESSIONMOVED:
	case ZNOTREADONLY:
	case ZTHROTTLEDOP:
		common_fail(ret, HISTORY_REFUSED);
		break;
	case ZNONODE:
	case ZNODEEXISTS:
	case ZBADVERSION:
	case ZNOAUTH:
	case ZINVALIDACL:
	case ZUNIMPLEMENTED:
		common_fail(ret, HISTORY_OTHER);
		break;
	default:
		common_lost(ret, reads, HISTORY_OTHER);
	}
}

/* What is at a key: value 0 and ANY_VERSION if nothing is. */
struct seen {
	uint64_t value;
	int32_t version;
};

/*
 * A session's requests are answered in order, so sync and read go out together. What matters is
 * the read: it is only looked at if the sync before it succeeded.
 */
static bool look(struct zookeeper *z, uint64_t key, bool sync, uint64_t deadline_ns,
	struct seen *ret_seen, struct driver_result *ret)
{
	const struct request syncs = request(SYNC, key, 0, 0), gets = request(GET, key, 0, 0);
	struct call *first = NULL, answer = {.number = false}, ignored;
	int rc = NOT_SENT, synced = ZOK;

	*ret_seen = (struct seen){.version = ANY_VERSION};
	if (be_connected(z, deadline_ns)) {
		first = sync ? begin_call(z, &syncs) : NULL;
		if (first || !sync)
			rc = end_call(z, begin_call(z, &gets), deadline_ns, &answer);
		if (first)
			synced = end_call(z, first, deadline_ns, &ignored);
	}
	if (rc == ZNONODE && synced == ZOK)
		return true;
	if (rc != ZOK || synced != ZOK) {
		take_error(rc != ZOK ? rc : synced, true, ret);
		return false;
	}
	if (!answer.number) { /* whoever wrote that, it was none of us */
		common_fail(ret, HISTORY_OTHER);
		return false;
	}
	*ret_seen = (struct seen){answer.value, answer.version};
	return true;
}

static void zk_read(struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct zookeeper *z = zookeeper_of(d);
	struct seen seen;

	if (look(z, key, z->sync, deadline_ns, &seen, ret))
		common_value(ret, seen.value);
}

/* Each step but the last surely had no effect: no node to set, or one that is already there. */
static void zk_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	const struct request set = request(SET, key, value, ANY_VERSION);
	const struct request create = request(CREATE, key, value, ANY_VERSION);
	struct zookeeper *z = zookeeper_of(d);
	int rc = call(z, &set, deadline_ns);

	if (rc == ZNONODE)
		rc = call(z, &create, deadline_ns);
	if (rc == ZNODEEXISTS)
		rc = call(z, &set, deadline_ns);
	if (rc == ZOK)
		common_ok(ret);
	else
		take_error(rc, false, ret);
}

/*
 * Whether the value that was looked at is still there is decided by the leader, by its version.
 * That another one is there may be old news: it is asked for once more behind a sync.
 */
static void zk_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct zookeeper *z = zookeeper_of(d);
	struct request change;
	struct seen seen;
	int rc;

	if (!look(z, key, z->sync, deadline_ns, &seen, ret))
		return;
	if (seen.value != old && !z->sync && !look(z, key, true, deadline_ns, &seen, ret))
		return;
	if (seen.value != old) {
		common_unmet(ret);
		return;
	}
	change = request(old == 0 ? CREATE : SET, key, value, seen.version);
	rc = call(z, &change, deadline_ns);
	if (rc == ZOK)
		common_ok(ret);
	else if (rc == ZBADVERSION || rc == ZNODEEXISTS)
		common_unmet(ret);
	else
		take_error(rc, false, ret);
}

/*
 * Status: the four letters "srvr" to the contact, on a connection of their own.
 */
static bool wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do
		n = poll(&p, 1, common_left_ms(deadline_ns));
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/* Return: bytes in @text, which ends with a zero, or a negative errno. */
static int say_srvr(int fd, const struct zookeeper *z, uint64_t deadline_ns, char text[SRVR_MAX])
{
	size_t len = 0;
	ssize_t n;

	if (connect(fd, (const struct sockaddr *)&z->contact, sizeof z->contact) < 0 &&
		errno != EINPROGRESS)
		return -errno;
	if (!wait_for(fd, POLLOUT, deadline_ns))
		return -ETIMEDOUT;
	if (send(fd, "srvr", 4, MSG_NOSIGNAL) != 4)
		return -ECONNREFUSED;
	do {
		if (!wait_for(fd, POLLIN, deadline_ns))
			return -ETIMEDOUT;
		n = recv(fd, text + len, SRVR_MAX - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len < SRVR_MAX - 1);
	text[len] = '\0';
	return n < 0 ? -errno : (int)len;
}

/* "Mode: leader": what stands behind @name, up to the end of the line. */
static const char *field(const char *text, const char *name, char out[DRIVER_ROLE_MAX])
{
	const char *p = strstr(text, name);

	out[0] = '\0';
	if (p) {
		p += strlen(name);
		(void)snprintf(out, DRIVER_ROLE_MAX, "%.*s", (int)strcspn(p, "\r\n"), p);
	}
	return out;
}

/*
 * The upper half of the last transaction's number is the epoch of the leader who ordered it: with
 * those who follow a new one, that of the old until its first transaction.
 */
static int read_srvr(const struct zookeeper *z, const char *text, struct driver_status *ret)
{
	char zxid[DRIVER_ROLE_MAX];

	*ret = (struct driver_status){.leader = -1};
	field(text, "\nMode: ", ret->role);
	if (!ret->role[0]) {
		(void)snprintf(ret->role, sizeof ret->role, "not serving");
		return strstr(text, "not currently serving") ? 0 : -EPROTO;
	}
	ret->term = strtoull(field(text, "\nZxid: ", zxid), NULL, 16) >> 32;
	ret->leads = strcmp(ret->role, "leader") == 0 ||
		     (strcmp(ret->role, "standalone") == 0 && z->nodes == 1);
	ret->leader = ret->leads ? z->leader : -1;
	ret->ready = ret->leads || strcmp(ret->role, "follower") == 0 ||
		     strcmp(ret->role, "observer") == 0;
	return 0;
}

static int zk_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	const struct zookeeper *z = zookeeper_of(d);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[SRVR_MAX];
	int n;

	if (fd < 0)
		return -errno;
	n = say_srvr(fd, z, deadline_ns, text);
	close(fd);
	return n < 0 ? n : read_srvr(z, text, ret);
}

const struct driver_ops pacelab_driver = {
	.name = "zookeeper",
	.open = zk_open,
	.connect = zk_connect,
	.read = zk_read,
	.write = zk_write,
	.cas = zk_cas,
	.status = zk_status,
	.close = zk_close,
};
