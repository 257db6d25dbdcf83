/* SPDX-License-Identifier: MIT */
/*
 * rabbitmq.c - driver for RabbitMQ, by librabbitmq: a key is a queue, its value the last message
 *
 * write() and append() publish a message and wait for the broker's confirm. Queues have no read
 * that leaves them as they were, so one is made of what they have: a queue has a single active
 * consumer, the others wait for it. Who reads publishes a mark of its own, consumes until the mark
 * comes, takes the mark away, and closes its channel: the broker then puts all other messages back
 * where they were, and lets the next consumer have them. What was confirmed before the read began
 * stands before its mark, so the read sees it.
 *
 *	queue   7  8  ?other  9  ?mine  10
 *	read() consumes up to ?mine: 9; get(): "789". Taken away: ?mine, and by read() also 7, whose
 *	place 8 has taken for everybody, a reader with ?other included.
 *
 * One connection, to the nearest node. Channel 1 publishes, one of the others is opened for each
 * read; the library may still hold frames of the one before.
 * The confirm of a message that no queue has taken is preceded by its return: nothing was done.
 */
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define RABBITMQ_USER "pacelab"
#define RABBITMQ_FRAME_MAX 131072
#define RABBITMQ_BODY_MAX 65536 /* of one message */
#define RABBITMQ_KNOWN_MAX 1024 /* keys whose queue need not be declared again */
#define RABBITMQ_MARK_MAX 48
#define RABBITMQ_MARK_ID 18 /* bytes of a mark that all of a driver have: "?", 16 digits, "." */
#define RABBITMQ_IDLE_FRAMES 8

/* Channels. */
enum { PUBLISHES = 1, READS_FIRST = 2, READS = 16 };

struct rabbitmq {
	struct driver driver;
	struct driver_target target;
	bool quorum;
	amqp_connection_state_t conn; /* NULL: there is none */
	uint64_t published;           /* on this connection: the confirm's number */
	uint64_t id;                  /* of all marks of this driver */
	uint64_t marks;
	bool known[RABBITMQ_KNOWN_MAX];
};

extern const unsigned pacelab_driver_abi;
extern const struct driver_ops pacelab_driver;

static struct rabbitmq *rabbitmq_of(struct driver *d)
{
	return (struct rabbitmq *)d;
}

/*
 * Connection.
 */
static void hang_up(struct rabbitmq *r)
{
	if (r->conn)
		(void)amqp_destroy_connection(r->conn);
	r->conn = NULL;
}

static struct timeval time_left(uint64_t deadline_ns)
{
	int ms = common_left_ms(deadline_ns);

	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* Before each call that waits for its answer, which must be there by the deadline of them all. */
static bool may_call(struct rabbitmq *r, uint64_t deadline_ns)
{
	struct timeval left = time_left(deadline_ns);

	return common_left_ms(deadline_ns) > 0 &&
	       amqp_set_rpc_timeout(r->conn, &left) == AMQP_STATUS_OK;
}

static bool called(struct rabbitmq *r)
{
	return amqp_get_rpc_reply(r->conn).reply_type == AMQP_RESPONSE_NORMAL;
}

static bool open_channel(struct rabbitmq *r, amqp_channel_t channel, uint64_t deadline_ns)
{
	if (!may_call(r, deadline_ns))
		return false;
	(void)amqp_channel_open(r->conn, channel);
	return called(r);
}

static bool log_in(struct rabbitmq *r, uint64_t deadline_ns)
{
	amqp_socket_t *socket = amqp_tcp_socket_new(r->conn);
	struct timeval left = time_left(deadline_ns);
	char addr[COMMON_ADDR_MAX];

	if (!socket || amqp_socket_open_noblock(socket,
			       common_addr(r->target.addr_be[r->target.contact], addr),
			       r->target.port, &left))
		return false;
	left = time_left(deadline_ns);
	if (amqp_set_handshake_timeout(r->conn, &left) ||
		amqp_login(r->conn, "/", 0, RABBITMQ_FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN,
			RABBITMQ_USER, RABBITMQ_USER)
				.reply_type != AMQP_RESPONSE_NORMAL ||
		!open_channel(r, PUBLISHES, deadline_ns) || !may_call(r, deadline_ns))
		return false;
	(void)amqp_confirm_select(r->conn, PUBLISHES);
	return called(r);
}

/* Return: a status of the library; the frame's memory lasts until the next operation. */
static int next_frame(struct rabbitmq *r, uint64_t deadline_ns, amqp_frame_t *ret)
{
	struct timeval left = time_left(deadline_ns);

	return amqp_simple_wait_frame_noblock(r->conn, ret, &left);
}

static bool closes(const amqp_frame_t *f)
{
	return f->frame_type == AMQP_FRAME_METHOD &&
	       (f->payload.method.id == AMQP_CHANNEL_CLOSE_METHOD ||
		       f->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD);
}

/* Nothing is outstanding: the broker may have said that it is short of memory, or closed. */
static bool still_open(struct rabbitmq *r)
{
	struct pollfd fd = {.fd = amqp_get_sockfd(r->conn), .events = POLLIN};
	amqp_frame_t f;

	for (unsigned i = 0; i < RABBITMQ_IDLE_FRAMES; i++) {
		if (!amqp_frames_enqueued(r->conn) && !amqp_data_in_buffer(r->conn) &&
			poll(&fd, 1, 0) <= 0)
			return true;
		if (next_frame(r, 0, &f) != AMQP_STATUS_OK || closes(&f))
			return false;
	}
	return true;
}

static bool have_connection(struct rabbitmq *r, uint64_t deadline_ns)
{
	if (r->conn && !still_open(r))
		hang_up(r);
	if (!r->conn) {
		r->conn = amqp_new_connection();
		r->published = 0;
		memset(r->known, 0, sizeof r->known);
		if (!r->conn || !log_in(r, deadline_ns))
			hang_up(r);
	}
	if (r->conn)
		amqp_maybe_release_buffers(r->conn);
	return r->conn != NULL;
}

/* The queue of a key is made by whoever needs it first; again is no error. */
static bool have_queue(struct rabbitmq *r, uint64_t key, const char *name, uint64_t deadline_ns)
{
	amqp_table_entry_t entry[] = {
		{amqp_cstring_bytes("x-queue-type"),
			{.kind = AMQP_FIELD_KIND_UTF8,
				.value.bytes =
					amqp_cstring_bytes(r->quorum ? "quorum" : "classic")}},
		{amqp_cstring_bytes("x-single-active-consumer"),
			{.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}},
	};
	amqp_table_t arguments = {2, entry};

	if (!have_connection(r, deadline_ns))
		return false;
	if (key < RABBITMQ_KNOWN_MAX && r->known[key])
		return true;
	if (!may_call(r, deadline_ns))
		return false;
	(void)amqp_queue_declare(
		r->conn, PUBLISHES, amqp_cstring_bytes(name), 0, 1, 0, 0, arguments);
	if (!called(r))
		return false;
	if (key < RABBITMQ_KNOWN_MAX)
		r->known[key] = true;
	return true;
}

static struct driver *rabbitmq_open(const struct driver_target *target)
{
	struct rabbitmq *r = calloc(1, sizeof *r);
	char queue[COMMON_SETTING_MAX];

	assert(r);
	r->driver.ops = &pacelab_driver;
	r->target = *target;
	r->quorum = strcmp(common_setting(target->settings, "queue", queue), "mirrored") != 0;
	if (getrandom(&r->id, sizeof r->id, 0) != sizeof r->id)
		r->id = clock_now_ns() ^ (uint64_t)(uintptr_t)r;
	return &r->driver;
}

static void rabbitmq_close(struct driver *d)
{
	if (!d)
		return;
	hang_up(rabbitmq_of(d));
	free(d);
}

static void rabbitmq_connect(struct driver *d, uint64_t deadline_ns)
{
	(void)have_connection(rabbitmq_of(d), deadline_ns);
}

/*
 * Publishing.
 */
static int send_message(
	struct rabbitmq *r, amqp_channel_t channel, const char *queue, const void *body, size_t len)
{
	const amqp_basic_properties_t durable = {
		._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};

	return amqp_basic_publish(r->conn, channel, amqp_empty_bytes, amqp_cstring_bytes(queue), 1,
		0, &durable, (amqp_bytes_t){len, (void *)(uintptr_t)body});
}

/* Return: whether the answer to what was published has come; *ret is then filled. */
static bool take_confirm(
	struct rabbitmq *r, const amqp_frame_t *f, bool *returned, struct driver_result *ret)
{
	const amqp_basic_ack_t *ack = f->payload.method.decoded;

	if (closes(f)) {
		common_unknown(ret, HISTORY_CLOSED);
		return true;
	}
	if (f->frame_type != AMQP_FRAME_METHOD || f->channel != PUBLISHES)
		return false;
	if (f->payload.method.id == AMQP_BASIC_RETURN_METHOD)
		*returned = true;
	/* Not taken by the queue; some copies may have it nevertheless. */
	if (f->payload.method.id == AMQP_BASIC_NACK_METHOD) {
		common_unknown(ret, HISTORY_UNCERTAIN);
		return true;
	}
	if (f->payload.method.id != AMQP_BASIC_ACK_METHOD || ack->delivery_tag < r->published)
		return false;
	if (*returned)
		common_fail(ret, HISTORY_REFUSED);
	else
		common_ok(ret);
	return true;
}

static void await_confirm(struct rabbitmq *r, uint64_t deadline_ns, struct driver_result *ret)
{
	bool returned = false;
	amqp_frame_t f;
	int status;

	do {
		status = next_frame(r, deadline_ns, &f);
		if (status == AMQP_STATUS_OK)
			continue;
		common_unknown(
			ret, status == AMQP_STATUS_TIMEOUT ? HISTORY_TIMEOUT : HISTORY_CLOSED);
		return;
	} while (status != AMQP_STATUS_OK || !take_confirm(r, &f, &returned, ret));
}

static void publish(struct rabbitmq *r, uint64_t key, const struct buf *body, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];

	if (!have_queue(r, key, common_key(key, name), deadline_ns)) {
		hang_up(r);
		common_fail(ret, HISTORY_CONNECT);
		return;
	}
	if (send_message(r, PUBLISHES, name, body->p, body->len) == AMQP_STATUS_OK) {
		r->published++;
		await_confirm(r, deadline_ns, ret);
	} else {
		common_unknown(ret, HISTORY_CLOSED);
	}
	/* After a message that no queue took all have to be declared again. */
	if (ret->outcome != HISTORY_OK)
		hang_up(r);
}

static void rabbitmq_append(struct driver *d, uint64_t key, const struct buf *text,
	uint64_t deadline_ns, struct driver_result *ret)
{
	publish(rabbitmq_of(d), key, text, deadline_ns, ret);
}

static void rabbitmq_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct buf text = {0};

	buf_printf(&text, "%llu", (unsigned long long)value);
	publish(rabbitmq_of(d), key, &text, deadline_ns, ret);
	buf_fini(&text);
}

/*
 * Reading.
 */

/**
 * struct look - one read
 * @channel:	of this read
 * @all:	keep all texts; else the last one
 * @held:	delivery tag of the last value, 0 once a mark stands behind it
 * @tag:	of the message that is coming in
 * @left:	bytes of it that are not here yet
 */
struct look {
	char mark[RABBITMQ_MARK_MAX];
	amqp_channel_t channel;
	bool all;
	uint64_t held;
	uint64_t tag;
	uint64_t left;
	struct buf body;
	struct buf *text;
};

/* A whole message is here. Return: whether it is the mark. */
static bool take_message(struct rabbitmq *r, struct look *l)
{
	const char *body = (const char *)l->body.p;
	size_t len = l->body.len;

	if (len == strlen(l->mark) && memcmp(body, l->mark, len) == 0) {
		(void)amqp_basic_ack(r->conn, l->channel, l->tag, 0);
		return true;
	}
	if (len > 0 && body[0] == '?') {
		/* Mine, of a read that was given up: nobody waits for it. */
		if (len > RABBITMQ_MARK_ID && memcmp(body, l->mark, RABBITMQ_MARK_ID) == 0)
			(void)amqp_basic_ack(r->conn, l->channel, l->tag, 0);
		else
			l->held = 0;
		return false;
	}
	if (!l->all) {
		if (l->held)
			(void)amqp_basic_ack(r->conn, l->channel, l->held, 0);
		l->text->len = 0;
	}
	l->held = l->tag;
	buf_add(l->text, body, len);
	return false;
}

/* Return: 1 the mark has come, 0 go on, -1 this is no delivery. */
static int take_frame(struct rabbitmq *r, struct look *l, const amqp_frame_t *f)
{
	bool whole = false;

	if (closes(f))
		return -1;
	if (f->channel != l->channel)
		return 0;
	if (f->frame_type == AMQP_FRAME_METHOD) {
		const amqp_basic_deliver_t *deliver = f->payload.method.decoded;

		/* A mark that came back: no queue has taken it. */
		if (f->payload.method.id != AMQP_BASIC_DELIVER_METHOD)
			return -1;
		l->tag = deliver->delivery_tag;
		l->body.len = 0;
	} else if (f->frame_type == AMQP_FRAME_HEADER) {
		l->left = f->payload.properties.body_size;
		if (l->tag == 0 || l->left > RABBITMQ_BODY_MAX)
			return -1;
		whole = l->left == 0;
	} else if (f->frame_type == AMQP_FRAME_BODY) {
		if (l->tag == 0 || f->payload.body_fragment.len > l->left)
			return -1;
		buf_add(&l->body, f->payload.body_fragment.bytes, f->payload.body_fragment.len);
		l->left -= f->payload.body_fragment.len;
		whole = l->left == 0;
	}
	return whole && take_message(r, l) ? 1 : 0;
}

static bool begin_look(struct rabbitmq *r, const char *queue, struct look *l, uint64_t deadline_ns)
{
	l->channel = (amqp_channel_t)(READS_FIRST + r->marks % READS);
	if (!open_channel(r, l->channel, deadline_ns))
		return false;
	(void)snprintf(l->mark, sizeof l->mark, "?%016llx.%llu", (unsigned long long)r->id,
		(unsigned long long)++r->marks);
	if (send_message(r, l->channel, queue, l->mark, strlen(l->mark)) != AMQP_STATUS_OK ||
		!may_call(r, deadline_ns))
		return false;
	(void)amqp_basic_consume(r->conn, l->channel, amqp_cstring_bytes(queue), amqp_empty_bytes,
		0, 0, 0, amqp_empty_table);
	return called(r);
}

static bool await_mark(struct rabbitmq *r, struct look *l, uint64_t deadline_ns, int *ret_status)
{
	amqp_frame_t f;
	int taken = 0;

	while (taken == 0) {
		*ret_status = next_frame(r, deadline_ns, &f);
		if (*ret_status != AMQP_STATUS_OK)
			return false;
		taken = take_frame(r, l, &f);
	}
	return taken > 0;
}

static bool look(struct rabbitmq *r, uint64_t key, struct look *l, uint64_t deadline_ns,
	struct driver_result *ret)
{
	int status = AMQP_STATUS_OK;
	char name[COMMON_KEY_MAX];

	if (!have_queue(r, key, common_key(key, name), deadline_ns)) {
		hang_up(r);
		common_fail(ret, HISTORY_CONNECT);
		return false;
	}
	if (!begin_look(r, name, l, deadline_ns) || !await_mark(r, l, deadline_ns, &status)) {
		hang_up(r); /* which puts back all messages, too */
		common_fail(ret, status == AMQP_STATUS_TIMEOUT || common_left_ms(deadline_ns) == 0
					 ? HISTORY_TIMEOUT
					 : HISTORY_CLOSED);
		return false;
	}
	/* Of what it read it is sure, whatever comes of this. */
	if (!may_call(r, deadline_ns) ||
		amqp_channel_close(r->conn, l->channel, AMQP_REPLY_SUCCESS).reply_type !=
			AMQP_RESPONSE_NORMAL)
		hang_up(r);
	return true;
}

static void rabbitmq_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct buf text = {0};
	struct look l = {.text = &text};
	uint64_t value = 0;

	if (look(rabbitmq_of(d), key, &l, deadline_ns, ret)) {
		if (text.len == 0 || common_number((const char *)text.p, text.len, &value))
			common_value(ret, value);
		else
			common_fail(ret, HISTORY_OTHER);
	}
	buf_fini(&l.body);
	buf_fini(&text);
}

static void rabbitmq_get(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	struct look l = {.text = ret_text, .all = true};

	ret_text->len = 0;
	if (look(rabbitmq_of(d), key, &l, deadline_ns, ret)) {
		common_ok(ret);
		ret->found = ret_text->len > 0;
	}
	buf_fini(&l.body);
}

/* A broker says nothing of the others to its clients. */
static int rabbitmq_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct rabbitmq *r = rabbitmq_of(d);

	if (!have_connection(r, deadline_ns)) {
		hang_up(r);
		return -ENOTCONN;
	}
	*ret = (struct driver_status){.ready = true, .leader = -1, .role = "broker"};
	return 0;
}

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver = {
	.name = "rabbitmq",
	.open = rabbitmq_open,
	.connect = rabbitmq_connect,
	.read = rabbitmq_read,
	.write = rabbitmq_write,
	.get = rabbitmq_get,
	.append = rabbitmq_append,
	.status = rabbitmq_status,
	.close = rabbitmq_close,
};
