/* SPDX-License-Identifier: MIT */
/*
 * mongo.c - driver for MongoDB 4.4.2 and later, a replica set without authentication
 *
 * Its protocol by hand: libmongoc 1.23, Debian's, gives a time limit to a connection and not to a
 * request (mongoc_client_set_sockettimeoutms() came with 1.27) and sleeps for up to half a second
 * where it looks for a server. Sources: https://bsonspec.org/spec.html, and of MongoDB's manual
 *"OP_MSG", "hello", "find", "update", "insert", "Write Concern"; codes of errors: error_codes.yml.
 *
 * Keys are documents {_id: "k7", v: "42"} of lab.kv. Settings: w=1|2|majority and journal=yes of
 * writes; readconcern=local|majority|linearizable; reads=primary|nearest.
 *
 * The primary is who says so to "hello", asked of all nodes at once. It is kept until its
 *connection ends or it says that it is none: a primary that is cut off steps down after
 *electionTimeoutMillis.
 *
 *	SHUT --bson_begin()--> OPENING --connected--> ASKED --answered--> KNOWN
 *	 ^--- refused, lost, out of step -----------'
 *
 * Outcomes of a write:
 *	OK	ok: 1, n: 1, nothing else
 *	FAIL	ok: 0 with a code of those in no_effect(); n: 0 with writeErrors, which are of
 *		statements that were not carried out
 *	UNKNOWN	writeConcernError: done here, perhaps nowhere else, and undone if another one takes
 *		over; any other code, as of an operation that was interrupted; silence
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/drivers/resp_link.h"
#include "agent/load/plugin.h"
#include "agent/load/plugins/bson.h"
#include "agent/load/plugins/common.h"

#define MONGO_NODES_MAX 16
#define MONGO_ANSWER_MAX 65536
#define MONGO_HEAD 16  /* of each message */
#define MONGO_FRAME 21 /* up to the document: head, flags, kind of the only section */
#define MONGO_ROUND_NS \
	(200 * NS_PER_MS)     /* who is no primary, or was not reached, is asked again \
			       */
#define MONGO_SYN_NS NS_PER_S /* an attempt begins anew after so long */
#define OP_MSG 2013

enum state { SHUT, OPENING, ASKED, KNOWN };

struct line {
	struct resp_link link;
	enum state state;
	uint64_t begin_ns;
	uint32_t id; /* of the last request */
};

struct mongo {
	struct driver driver;
	struct driver_target target;
	bool nearest; /* reads */
	bool journal;
	char w[COMMON_SETTING_MAX];
	char readconcern[COMMON_SETTING_MAX];
	int primary;       /* index of a KNOWN line, -1: not known */
	uint64_t again_ns; /* all that are not under way are asked again */
	uint64_t lost_ns;  /* no primary was known since; 0: it is */
	struct line line[MONGO_NODES_MAX];
	struct line local; /* to the nearest node, for reads there and for status() */
	struct buf out;
	uint32_t id;
};

extern const unsigned pacelab_driver_abi;
extern const struct driver_ops pacelab_driver;

static struct mongo *mongo_of(struct driver *d)
{
	return (struct mongo *)d;
}

/*
 * One message: a document.
 */

/* Return: where the document begins. A command's own name comes first. */
static size_t begin_request(struct mongo *m)
{
	struct buf *b = &m->out;

	b->len = 0;
	buf_u32(b, 0);
	buf_u32(b, ++m->id);
	buf_u32(b, 0);
	buf_u32(b, OP_MSG);
	buf_u32(b, 0);
	buf_u8(b, 0);
	return bson_begin(b, BSON_DOCUMENT, NULL);
}

static void end_request(struct mongo *m, size_t at, const char *database)
{
	bson_text(&m->out, "$db", database);
	bson_end(&m->out, at);
	bson_patch(&m->out, 0, m->out.len);
}

static void encode_command(struct mongo *m, const char *command, const char *database)
{
	size_t at = begin_request(m);

	bson_int(&m->out, command, 1);
	end_request(m, at, database);
}

/* Return: 1: it is all there, in *@ret, as long as nothing else is received; 0: not yet; or
 * -EBADMSG. */
static int decode(const struct line *l, struct cursor *ret)
{
	struct cursor c = cursor_over(l->link.in.p, l->link.in.len);
	uint32_t size = cursor_u32(&c), to, op, flags;
	uint8_t kind;

	if (l->link.in.len < MONGO_HEAD)
		return 0;
	(void)cursor_u32(&c);
	to = cursor_u32(&c);
	op = cursor_u32(&c);
	if (op != OP_MSG || to != l->id || size < MONGO_FRAME || size > MONGO_ANSWER_MAX ||
		l->link.in.len > size)
		return -EBADMSG;
	if (l->link.in.len < size)
		return 0;
	flags = cursor_u32(&c);
	kind = cursor_u8(&c);
	*ret = bson_take(&c);
	return flags == 0 && kind == 0 && !ret->bad && cursor_done(&c) ? 1 : -EBADMSG;
}

/*
 * Connections.
 */
static void hang_up(struct line *l)
{
	resp_link_hang_up(&l->link);
	l->state = SHUT;
}

/* Return: 0: the request has been sent; -ENOTCONN: nothing of it was; -EAGAIN: a part. */
static int send_request(struct mongo *m, struct line *l, uint64_t deadline_ns)
{
	bool all;

	l->id = m->id;
	l->link.in.len = 0;
	if (!resp_link_send(&l->link, m->out.p, m->out.len, deadline_ns, &all))
		return -ENOTCONN;
	return all ? 0 : -EAGAIN;
}

/* Return: 0, with *@ret_answer good until the next request, or a negative errno; -EAGAIN at the
 * deadline, -EBADMSG: it is no answer. */
static int receive(struct line *l, uint64_t deadline_ns, struct cursor *ret_answer)
{
	int rc = decode(l, ret_answer);

	while (rc == 0) {
		ssize_t n = resp_link_receive(&l->link, deadline_ns);

		if (n <= 0)
			return n < 0 ? (int)n : -ECONNRESET;
		rc = decode(l, ret_answer);
	}
	return rc < 0 ? rc : 0;
}

static bool still_open(struct line *l)
{
	resp_link_look(&l->link);
	if (l->link.state != RESP_LINK_OPEN)
		hang_up(l);
	return l->state == KNOWN;
}

static bool have_local(struct mongo *m, uint64_t deadline_ns)
{
	struct line *l = &m->local;

	if (l->state == KNOWN && still_open(l))
		return true;
	l->state = resp_link_open(&l->link, deadline_ns) ? KNOWN : SHUT;
	if (l->state == SHUT) /* a new attempt sends a SYN at once, this one would wait longer */
		hang_up(l);
	return l->state == KNOWN;
}

static bool says_primary(struct cursor hello)
{
	return bson_number(bson_find(hello, "ok")) == 1 &&
	       bson_number(bson_find(hello, "isWritablePrimary")) == 1;
}

/* Go on as far as is possible without waiting. Return: whether this is the primary. */
static bool go_on(struct mongo *m, struct line *l)
{
	struct cursor answer;
	int rc;

	if (l->state == OPENING && resp_link_open(&l->link, 0)) {
		encode_command(m, "hello", "admin");
		if (send_request(m, l, 0) < 0) /* it is short, the connection new: no room is odd */
			hang_up(l);
		else
			l->state = ASKED;
	} else if (l->state == OPENING && l->link.state == RESP_LINK_CLOSED) {
		hang_up(l);
	}
	if (l->state != ASKED)
		return false;
	rc = receive(l, 0, &answer);
	if (rc == -EAGAIN)
		return false;
	if (rc < 0)
		hang_up(l);
	else
		l->state = KNOWN;
	return rc == 0 && says_primary(answer);
}

static bool under_way(const struct line *l)
{
	return l->state == OPENING || l->state == ASKED;
}

static void ask_again(struct mongo *m, uint64_t now_ns)
{
	for (unsigned i = 0; i < m->target.nodes; i++) {
		struct line *l = &m->line[i];

		if (under_way(l) && now_ns < l->begin_ns + MONGO_SYN_NS)
			continue;
		hang_up(l);
		l->state = OPENING;
		l->begin_ns = now_ns;
	}
	m->again_ns = now_ns + MONGO_ROUND_NS;
}

/* Return: false if nobody is under way. */
static bool wait_for_any(const struct mongo *m, uint64_t until_ns)
{
	struct pollfd fd[MONGO_NODES_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < m->target.nodes; i++) {
		const struct line *l = &m->line[i];

		if (under_way(l))
			fd[n++] = (struct pollfd){
				.fd = l->link.fd, .events = l->state == ASKED ? POLLIN : POLLOUT};
	}
	if (n > 0)
		(void)poll(fd, n, common_left_ms(until_ns));
	return n > 0;
}

static void forget_primary(struct mongo *m)
{
	if (m->primary >= 0)
		hang_up(&m->line[m->primary]);
	m->primary = -1;
}

/* The nearest one first, if several say so. */
static int look_round(struct mongo *m)
{
	int found = -1;

	for (unsigned i = 0; i < m->target.nodes; i++) {
		unsigned node = (m->target.contact + i) % m->target.nodes;

		if (go_on(m, &m->line[node]) && found < 0)
			found = (int)node;
	}
	return found;
}

/* Return: whether the primary is known; false at the deadline, or once all have said no. */
static bool have_primary(struct mongo *m, uint64_t deadline_ns)
{
	if (m->primary >= 0 && !still_open(&m->line[m->primary]))
		forget_primary(m);
	while (m->primary < 0) {
		uint64_t now = clock_now_ns();

		m->lost_ns = m->lost_ns ? m->lost_ns : now;
		if (now >= m->again_ns)
			ask_again(m, now);
		m->primary = look_round(m);
		if (m->primary >= 0)
			break;
		if (now >= deadline_ns ||
			!wait_for_any(m, deadline_ns < m->again_ns ? deadline_ns : m->again_ns))
			return false;
	}
	for (unsigned i = 0; i < m->target.nodes; i++) {
		if ((int)i != m->primary)
			hang_up(&m->line[i]);
	}
	m->lost_ns = m->again_ns = 0;
	return true;
}

/* No longer than if the primary had been lost as the operation began: when nobody could be reached
 * for as long as one may take, it fails at once, and the client can go on with others. */
static uint64_t patience_ns(const struct mongo *m, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t until = deadline_ns > now ? m->lost_ns + (deadline_ns - now) : deadline_ns;

	return m->lost_ns && until < deadline_ns ? until : deadline_ns;
}

static struct driver *mongo_open(const struct driver_target *target)
{
	struct mongo *m = calloc(1, sizeof *m);
	char text[COMMON_SETTING_MAX];

	assert(m && target->nodes <= MONGO_NODES_MAX);
	m->driver.ops = &pacelab_driver;
	m->target = *target;
	m->target.settings = NULL;
	m->nearest = strcmp(common_setting(target->settings, "reads", text), "nearest") == 0;
	m->journal = strcmp(common_setting(target->settings, "journal", text), "yes") == 0;
	common_setting(target->settings, "w", m->w);
	common_setting(target->settings, "readconcern", m->readconcern);
	m->primary = -1;
	for (unsigned i = 0; i < target->nodes; i++)
		resp_link_init(&m->line[i].link, target->addr_be[i], target->port);
	resp_link_init(&m->local.link, target->addr_be[target->contact], target->port);
	return &m->driver;
}

static void mongo_close(struct driver *d)
{
	struct mongo *m;

	if (!d)
		return;
	m = mongo_of(d);
	for (unsigned i = 0; i < m->target.nodes; i++)
		resp_link_fini(&m->line[i].link);
	resp_link_fini(&m->local.link);
	buf_fini(&m->out);
	free(m);
}

static void mongo_connect(struct driver *d, uint64_t deadline_ns)
{
	struct mongo *m = mongo_of(d);

	if (m->nearest)
		(void)have_local(m, deadline_ns);
	(void)have_primary(m, deadline_ns);
}

/*
 * Request and answer.
 */
static void leave(struct mongo *m, struct line *l)
{
	if (l == &m->local)
		hang_up(l);
	else
		forget_primary(m);
}

/* The one to ask, with time left for it; NULL with *ret filled: there is none. */
static struct line *line_for(
	struct mongo *m, bool reads, uint64_t deadline_ns, struct driver_result *ret)
{
	bool local = reads && m->nearest;
	bool have =
		local ? have_local(m, deadline_ns) : have_primary(m, patience_ns(m, deadline_ns));

	common_fail(ret, have ? HISTORY_TIMEOUT : HISTORY_CONNECT);
	if (!have || common_left_ms(deadline_ns) == 0)
		return NULL;
	return local ? &m->local : &m->line[m->primary];
}

static bool no_effect(int64_t code)
{
	static const int64_t codes[] = {
		2,     /* BadValue */
		9,     /* FailedToParse */
		13,    /* Unauthorized */
		24,    /* LockTimeout */
		59,    /* CommandNotFound */
		72,    /* InvalidOptions */
		112,   /* WriteConflict: its transaction was aborted */
		10058, /* LegacyNotPrimary */
		10107, /* NotWritablePrimary */
		11000, /* DuplicateKey */
		13435, /* NotPrimaryNoSecondaryOk */
		13436, /* NotPrimaryOrSecondary */
	};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

static bool is_no_primary(int64_t code)
{
	return code == 10058 || code == 10107 || code == 13435 || code == 13436;
}

/*
 * What is in m->out. Return: whether the server says that it is well, ok: 1; else *ret is filled.
 */
static bool ask(struct mongo *m, struct line *l, bool reads, uint64_t deadline_ns,
	struct cursor *ret_answer, struct driver_result *ret)
{
	int rc = send_request(m, l, deadline_ns);
	int64_t code;

	if (rc == 0)
		rc = receive(l, deadline_ns, ret_answer);
	if (rc < 0) {
		if (rc == -ENOTCONN)
			common_fail(ret, HISTORY_CONNECT);
		else
			common_lost(ret, reads,
				rc == -EAGAIN ? HISTORY_TIMEOUT
					      : (rc == -EBADMSG ? HISTORY_OTHER : HISTORY_CLOSED));
		leave(m, l);
		return false;
	}
	if (bson_number(bson_find(*ret_answer, "ok")) == 1)
		return true;
	code = bson_number(bson_find(*ret_answer, "code"));
	if (code < 0)
		common_lost(ret, reads, HISTORY_OTHER);
	else if (reads || no_effect(code))
		common_fail(ret, HISTORY_REFUSED);
	else
		common_unknown(ret, HISTORY_UNCERTAIN);
	if (code < 0 || is_no_primary(code))
		leave(m, l);
	return false;
}

/* An answer that is none. */
static void nonsense(struct mongo *m, struct line *l, bool reads, struct driver_result *ret)
{
	leave(m, l);
	common_lost(ret, reads, HISTORY_OTHER);
}

static void encode_find(struct mongo *m, const char *key, int left_ms)
{
	struct buf *b = &m->out;
	size_t at = begin_request(m), inner;

	bson_text(b, "find", "kv");
	inner = bson_begin(b, BSON_DOCUMENT, "filter");
	bson_text(b, "_id", key);
	bson_end(b, inner);
	bson_int(b, "limit", 1);
	bson_true(b, "singleBatch");
	bson_int(b, "maxTimeMS", left_ms);
	if (m->readconcern[0]) {
		inner = bson_begin(b, BSON_DOCUMENT, "readConcern");
		bson_text(b, "level", m->readconcern);
		bson_end(b, inner);
	}
	if (m->nearest) { /* else a secondary would not answer */
		inner = bson_begin(b, BSON_DOCUMENT, "$readPreference");
		bson_text(b, "mode", "nearest");
		bson_end(b, inner);
	}
	end_request(m, at, "lab");
}

/* Return: false if these are not the documents of @key, one at most. */
static bool take_value(struct cursor answer, const char *key, uint64_t *ret)
{
	struct bson_field cursor = bson_find(answer, "cursor"), batch, id, v, more;
	struct bson_field document;
	const char *name;

	*ret = 0;
	if (!bson_is_document(&cursor))
		return false;
	batch = bson_find(cursor.body, "firstBatch");
	if (batch.type != BSON_ARRAY)
		return false;
	if (batch.body.left == 0)
		return true;
	if (!bson_next(&batch.body, &name, &document) || document.type != BSON_DOCUMENT ||
		bson_next(&batch.body, &name, &more) || batch.body.bad)
		return false;
	id = bson_find(document.body, "_id");
	v = bson_find(document.body, "v");
	return bson_text_is(&id, key) && v.type == BSON_TEXT &&
	       common_number((const char *)v.body.p, v.body.left, ret);
}

static void mongo_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct mongo *m = mongo_of(d);
	struct line *l = line_for(m, true, deadline_ns, ret);
	char name[COMMON_KEY_MAX];
	struct cursor answer;
	uint64_t value;

	if (!l)
		return;
	encode_find(m, common_key(key, name), common_left_ms(deadline_ns));
	if (!ask(m, l, true, deadline_ns, &answer, ret))
		return;
	if (take_value(answer, name, &value))
		common_value(ret, value);
	else
		nonsense(m, l, true, ret);
}

static void add_write_concern(struct mongo *m, int left_ms)
{
	struct buf *b = &m->out;
	size_t at = bson_begin(b, BSON_DOCUMENT, "writeConcern");
	uint64_t n;

	if (common_number(m->w, strlen(m->w), &n))
		bson_int(b, "w", (int)n);
	else
		bson_text(b, "w", m->w[0] ? m->w : "majority");
	if (m->journal)
		bson_true(b, "j");
	bson_int(b, "wtimeout", left_ms);
	bson_end(b, at);
}

/* @old: the value that must be there; NULL: any, or none. */
static void encode_update(
	struct mongo *m, const char *key, const char *old, const char *value, int left_ms)
{
	struct buf *b = &m->out;
	size_t at = begin_request(m), list, one, inner, set;

	bson_text(b, "update", "kv");
	list = bson_begin(b, BSON_ARRAY, "updates");
	one = bson_begin(b, BSON_DOCUMENT, "0");
	inner = bson_begin(b, BSON_DOCUMENT, "q");
	bson_text(b, "_id", key);
	if (old)
		bson_text(b, "v", old);
	bson_end(b, inner);
	inner = bson_begin(b, BSON_DOCUMENT, "u");
	set = bson_begin(b, BSON_DOCUMENT, "$set");
	bson_text(b, "v", value);
	bson_end(b, set);
	bson_end(b, inner);
	if (!old)
		bson_true(b, "upsert");
	bson_end(b, one);
	bson_end(b, list);
	add_write_concern(m, left_ms);
	end_request(m, at, "lab");
}

static void encode_insert(struct mongo *m, const char *key, const char *value, int left_ms)
{
	struct buf *b = &m->out;
	size_t at = begin_request(m), list, one;

	bson_text(b, "insert", "kv");
	list = bson_begin(b, BSON_ARRAY, "documents");
	one = bson_begin(b, BSON_DOCUMENT, "0");
	bson_text(b, "_id", key);
	bson_text(b, "v", value);
	bson_end(b, one);
	bson_end(b, list);
	add_write_concern(m, left_ms);
	end_request(m, at, "lab");
}

/* The code of the first of writeErrors; 0: there are none, -1: it has no code. */
static int64_t write_error(struct cursor answer)
{
	struct bson_field errors = bson_find(answer, "writeErrors"), first;
	const char *name;

	if (errors.type == 0 || (errors.type == BSON_ARRAY && errors.body.left == 0))
		return 0;
	if (errors.type != BSON_ARRAY || !bson_next(&errors.body, &name, &first) ||
		first.type != BSON_DOCUMENT)
		return -1;
	return bson_number(bson_find(first.body, "code"));
}

/* One statement, in m->out. @ret_code: why it was not carried out, 0: it was, or had no need. */
static void change(struct mongo *m, struct line *l, uint64_t deadline_ns, bool *ret_none,
	int64_t *ret_code, struct driver_result *ret)
{
	struct cursor answer;
	bool unconfirmed;
	int64_t n;

	*ret_none = false;
	*ret_code = 0;
	if (!ask(m, l, false, deadline_ns, &answer, ret))
		return;
	n = bson_number(bson_find(answer, "n"));
	*ret_code = write_error(answer);
	unconfirmed = bson_find(answer, "writeConcernError").type != 0;
	if (n < 0 || n > 1 || *ret_code < 0 || (n == 1 && *ret_code > 0)) {
		*ret_code = 0;
		nonsense(m, l, false, ret);
	} else if (*ret_code > 0) {
		common_fail(ret, HISTORY_REFUSED);
		if (is_no_primary(*ret_code))
			forget_primary(m);
	} else if (n == 0 && unconfirmed) {
		common_fail(ret, HISTORY_UNCERTAIN);
	} else if (unconfirmed) {
		common_unknown(ret, HISTORY_UNCERTAIN);
	} else {
		*ret_none = n == 0;
		common_ok(ret);
	}
}

static void print_number(uint64_t n, char out[COMMON_KEY_MAX])
{
	(void)snprintf(out, COMMON_KEY_MAX, "%llu", (unsigned long long)n);
}

static void mongo_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct mongo *m = mongo_of(d);
	struct line *l = line_for(m, false, deadline_ns, ret);
	char name[COMMON_KEY_MAX], text[COMMON_KEY_MAX];
	int64_t code;
	bool none;

	if (!l)
		return;
	print_number(value, text);
	encode_update(m, common_key(key, name), NULL, text, common_left_ms(deadline_ns));
	change(m, l, deadline_ns, &none, &code, ret);
	if (none) /* an upsert that neither found nor made one */
		nonsense(m, l, false, ret);
}

static void mongo_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct mongo *m = mongo_of(d);
	struct line *l = line_for(m, false, deadline_ns, ret);
	char name[COMMON_KEY_MAX], from[COMMON_KEY_MAX], to[COMMON_KEY_MAX];
	int64_t code;
	bool none;

	if (!l)
		return;
	print_number(old, from);
	print_number(value, to);
	if (old)
		encode_update(m, common_key(key, name), from, to, common_left_ms(deadline_ns));
	else
		encode_insert(m, common_key(key, name), to, common_left_ms(deadline_ns));
	change(m, l, deadline_ns, &none, &code, ret);
	if (old && none)
		common_unmet(ret);
	else if (!old && code == 11000)
		common_unmet(ret);
	else if (none)
		nonsense(m, l, false, ret);
}

/*
 * Status.
 */
static int node_of(const struct mongo *m, const struct bson_field *host)
{
	char addr[COMMON_ADDR_MAX], text[COMMON_ADDR_MAX + 8];

	for (unsigned i = 0; i < m->target.nodes; i++) {
		(void)snprintf(text, sizeof text, "%s:%u", common_addr(m->target.addr_be[i], addr),
			m->target.port);
		if (bson_text_is(host, text))
			return (int)i;
	}
	return -1;
}

static unsigned count(struct bson_field list)
{
	struct bson_field one;
	const char *name;
	unsigned n = 0;

	if (list.type != BSON_ARRAY)
		return 0;
	while (bson_next(&list.body, &name, &one))
		n++;
	return n;
}

/* The term is known to "replSetGetStatus" only, and to no server that has not been initiated. */
static int mongo_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct mongo *m = mongo_of(d);
	struct driver_result result;
	struct bson_field primary;
	struct cursor answer;
	bool secondary;
	int64_t term;

	*ret = (struct driver_status){.leader = -1};
	if (!have_local(m, deadline_ns))
		return -ENOTCONN;
	encode_command(m, "hello", "admin");
	if (!ask(m, &m->local, true, deadline_ns, &answer, &result))
		return result.error == HISTORY_TIMEOUT ? -ETIMEDOUT : -EPROTO;
	primary = bson_find(answer, "primary");
	secondary = bson_number(bson_find(answer, "secondary")) == 1;
	ret->leader = node_of(m, &primary);
	ret->leads = says_primary(answer);
	ret->ready = ret->leader >= 0 && (ret->leads || secondary) &&
		     count(bson_find(answer, "hosts")) == m->target.nodes;
	(void)snprintf(ret->role, sizeof ret->role, "%s",
		ret->leads ? "primary" : (secondary ? "secondary" : "other"));
	encode_command(m, "replSetGetStatus", "admin");
	term = ask(m, &m->local, true, deadline_ns, &answer, &result)
		       ? bson_number(bson_find(answer, "term"))
		       : 0;
	ret->term = term > 0 ? (uint64_t)term : 0;
	return 0;
}

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver = {
	.name = "mongo",
	.open = mongo_open,
	.connect = mongo_connect,
	.read = mongo_read,
	.write = mongo_write,
	.cas = mongo_cas,
	.status = mongo_status,
	.close = mongo_close,
};
