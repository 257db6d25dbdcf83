/* SPDX-License-Identifier: MIT */
/*
 * postgres.c - driver for PostgreSQL, by the asynchronous calls of libpq
 *
 * Keys are rows of kv(k text primary key, v text). An operation is one statement and its own
 * transaction; statement and parameters go in one message and cost one round trip. Writes go to the
 * primary, reads where the setting reads= says: "leader" (the primary) or "local" (the nearest
 * node).
 *
 * The primary is who takes writes: libpq's target_session_attrs=read-write, asked of all nodes at
 * once, so that one that is cut off delays nobody. The first one found is kept until its connection
 * ends or it says that it is read-only. A client that is cut off together with an old primary
 * therefore goes on with that one, as clients do.
 *
 * server=cockroach is CockroachDB, which speaks the same protocol: every node takes writes, so the
 * nearest one is all that is asked; with reads=follower what a read shows is some seconds old.
 *
 *	SHUT --begin()--> OPENING --turn()--> OPEN
 *	 ^--- refused, a standby, lost, late ---'
 *
 * What is no result of the request's own statement:
 *  1. Of the messages of an answer the last one counts: the server says CommandComplete before it
 *     commits, ReadyForQuery after that. Nothing is OK before both are there.
 *  2. A statement that ended with an ERROR was rolled back: FAIL, but for classes of errors that
 *     speak of the server itself. FATAL and the end of the connection: UNKNOWN.
 *  3. A commit that waits for standbys can be cancelled, by pg_cancel_backend() or a shutdown. Then
 *     it has happened on the primary, perhaps nowhere else, and the answer is a success behind a
 *     WARNING. These statements never warn of anything else, so a warning makes a write UNKNOWN: it
 *     took effect, but what synchronous_commit promises of it is not so.
 *  4. After the deadline the connection is closed. The server does not look whether the client of a
 *     commit that waits is still there, so it keeps a connection until the wait ends.
 */
#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define POSTGRES_NODES_MAX 16
#define POSTGRES_SUPERUSER "postgres" /* for status(): it may see who replicates */
#define POSTGRES_USER "pacelab" /* of clients: they leave the superuser connections of his own */
/* So often one of those who did not take writes is asked again: each question is a new process on
 * that node, and all clients of a lab ask at once. */
#define POSTGRES_PAUSE_NS (500 * NS_PER_MS)
/* An attempt begins anew after so long without an answer to its SYN, which it would wait longer and
 * longer to repeat; after so long without one from the server, which may be slow to start a process
 * for each of all clients. */
#define POSTGRES_SYN_NS NS_PER_S
#define POSTGRES_START_NS (5 * NS_PER_S)
/* Messages of an idle connection that are read at once: settings, notices, the end. */
#define POSTGRES_IDLE_READS 8

enum state { SHUT, OPENING, OPEN };

struct line {
	enum state state;
	PGconn *conn; /* NULL where SHUT */
	short events; /* that an attempt waits for */
	uint64_t begin_ns;
};

struct postgres {
	struct driver driver;
	struct driver_target target;
	bool local;                             /* reads at the nearest node */
	bool cockroach;                         /* it, and target is the nearest node alone */
	bool follower;                          /* its reads are of any replica */
	unsigned members;                       /* of all nodes that there are */
	int primary;                            /* index of an open line of writer, -1: not known */
	uint64_t again_ns;                      /* somebody is asked again; 0: nobody was yet */
	unsigned next;                          /* who */
	uint64_t lost_ns;                       /* no primary was known since; 0: it is */
	struct line writer[POSTGRES_NODES_MAX]; /* only to nodes that take writes */
	struct line nearest;                    /* for reads, or for status() */
	bool warned;                            /* by the server, since the request began */
	bool whole;                             /* status(): all nodes once replicated */
};

extern const unsigned pacelab_driver_abi;
extern const struct driver_ops pacelab_driver;

static struct postgres *postgres_of(struct driver *d)
{
	return (struct postgres *)d;
}

/*
 * Connections.
 */
static void hang_up(struct line *l)
{
	PQfinish(l->conn);
	*l = (struct line){.state = SHUT};
}

static void take_notice(void *ctx, const PGresult *notice)
{
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	struct postgres *p = ctx;

	if (!severity || (strcmp(severity, "NOTICE") != 0 && strcmp(severity, "INFO") != 0 &&
				 strcmp(severity, "LOG") != 0 && strcmp(severity, "DEBUG") != 0))
		p->warned = true;
}

/* Nothing is left to the environment: an empty setting would be. Warnings are asked for. */
static void begin(
	struct postgres *p, struct line *l, unsigned node, const char *user, const char *session)
{
	char addr[COMMON_ADDR_MAX];
	char port[8];
	const char *const names[] = {"hostaddr", "port", "user", "dbname", "sslmode", "gssencmode",
		"options", "client_encoding", "application_name", "target_session_attrs", NULL};
	const char *const values[] = {common_addr(p->target.addr_be[node], addr), port, user,
		"postgres", "disable", "disable", "-c client_min_messages=warning", "UTF8",
		"pacelab", session, NULL};

	(void)snprintf(port, sizeof port, "%u", p->target.port);
	l->conn = PQconnectStartParams(names, values, 0);
	if (!l->conn || PQstatus(l->conn) == CONNECTION_BAD) {
		hang_up(l);
		return;
	}
	(void)PQsetNoticeReceiver(l->conn, take_notice, p);
	l->state = OPENING;
	l->events = POLLOUT;
	l->begin_ns = clock_now_ns();
}

/* The attempt can go on. */
static void go_on(struct line *l)
{
	switch (PQconnectPoll(l->conn)) {
	case PGRES_POLLING_READING:
		l->events = POLLIN;
		break;
	case PGRES_POLLING_WRITING:
	case PGRES_POLLING_ACTIVE:
		l->events = POLLOUT;
		break;
	case PGRES_POLLING_OK:
		l->state = OPEN;
		if (PQsetnonblocking(l->conn, 1) < 0)
			hang_up(l);
		break;
	case PGRES_POLLING_FAILED:
		hang_up(l);
		break;
	}
}

/* Wait until something can go on. Return: false at the deadline, or if nothing is under way. */
static bool turn(struct line *const *lines, unsigned n, uint64_t deadline_ns)
{
	struct pollfd fd[POSTGRES_NODES_MAX];
	unsigned waiting = 0;
	int ready;

	for (unsigned i = 0; i < n; i++) {
		bool opening = lines[i]->state == OPENING;

		fd[i] = (struct pollfd){
			.fd = opening ? PQsocket(lines[i]->conn) : -1, .events = lines[i]->events};
		waiting += opening;
	}
	if (waiting == 0)
		return false;
	ready = poll(fd, n, common_left_ms(deadline_ns));
	if (ready == 0 || (ready < 0 && errno != EINTR))
		return false;
	for (unsigned i = 0; ready > 0 && i < n; i++) {
		if (fd[i].fd >= 0 && fd[i].revents)
			go_on(lines[i]);
	}
	return true;
}

/* Return: whether the open line is still good. Nothing is outstanding on it. */
static bool still_open(struct postgres *p, struct line *l)
{
	struct pollfd fd = {.fd = PQsocket(l->conn), .events = POLLIN};

	p->warned = false;
	for (unsigned i = 0; i < POSTGRES_IDLE_READS; i++) {
		if (poll(&fd, 1, 0) <= 0)
			return true;
		/* PQisBusy() looks at what was read: a FATAL before the end is a warning here. */
		if (!PQconsumeInput(l->conn) || PQisBusy(l->conn) || p->warned ||
			PQstatus(l->conn) != CONNECTION_OK)
			return false;
	}
	return true;
}

static bool have_nearest(struct postgres *p, const char *user, uint64_t deadline_ns)
{
	struct line *l = &p->nearest;

	if (l->state == OPEN && !still_open(p, l))
		hang_up(l);
	if (l->state == SHUT)
		begin(p, l, p->target.contact, user, "any");
	while (l->state == OPENING && turn(&l, 1, deadline_ns))
		;
	return l->state == OPEN;
}

static void forget_primary(struct postgres *p)
{
	if (p->primary >= 0)
		hang_up(&p->writer[p->primary]);
	p->primary = -1;
}

/* End all attempts but that of @keep; -1: of all. */
static void end_search(struct postgres *p, int keep)
{
	for (unsigned i = 0; i < p->target.nodes; i++) {
		if ((int)i != keep)
			hang_up(&p->writer[i]);
	}
}

static int first_open(const struct postgres *p)
{
	for (unsigned i = 0; i < p->target.nodes; i++) {
		unsigned node = (p->target.contact + i) % p->target.nodes;

		if (p->writer[node].state == OPEN)
			return (int)node;
	}
	return -1;
}

static bool searching(const struct postgres *p)
{
	for (unsigned i = 0; i < p->target.nodes; i++) {
		if (p->writer[i].state == OPENING)
			return true;
	}
	return false;
}

static bool unanswered(const struct line *l, uint64_t now_ns)
{
	uint64_t patience_ns = POSTGRES_START_NS;

	if (l->state == OPENING && PQstatus(l->conn) == CONNECTION_STARTED)
		patience_ns = POSTGRES_SYN_NS;
	return l->state == OPENING && now_ns > l->begin_ns + patience_ns;
}

/* First ask all, later those who have not answered, and one of the others. */
static void search_more(struct postgres *p, uint64_t now_ns)
{
	unsigned nodes = p->target.nodes;
	bool all = p->again_ns == 0;
	bool one = true;

	for (unsigned i = 0; i < nodes; i++) {
		unsigned node = (p->next + i) % nodes;
		bool again = unanswered(&p->writer[node], now_ns);

		if (again)
			hang_up(&p->writer[node]);
		if (p->writer[node].state != SHUT || !(all || again || one))
			continue;
		begin(p, &p->writer[node], node, POSTGRES_USER, "read-write");
		if (!again && !all) {
			one = false;
			p->next = node + 1;
		}
	}
	p->again_ns = now_ns + POSTGRES_PAUSE_NS;
}

/*
 * Who did not take writes is asked again after a while, for it may have been promoted; the others
 * go on meanwhile, also past the deadline. Return: whether the primary is known; false at the
 * deadline, or once all have said no.
 */
static bool have_primary(struct postgres *p, uint64_t deadline_ns)
{
	struct line *line[POSTGRES_NODES_MAX];
	unsigned nodes = p->target.nodes;

	if (p->primary >= 0 && !still_open(p, &p->writer[p->primary]))
		forget_primary(p);
	for (unsigned i = 0; i < nodes; i++)
		line[i] = &p->writer[i];
	while (p->primary < 0) {
		uint64_t now = clock_now_ns();

		if (!p->lost_ns)
			p->lost_ns = now;
		if (now >= p->again_ns)
			search_more(p, now);
		if (!turn(line, nodes, deadline_ns < p->again_ns ? deadline_ns : p->again_ns) &&
			(!searching(p) || clock_now_ns() >= deadline_ns))
			return false;
		p->primary = first_open(p);
		if (p->primary < 0)
			continue;
		end_search(p, p->primary);
		p->again_ns = p->lost_ns = 0;
	}
	return true;
}

static struct driver *postgres_open(const struct driver_target *target)
{
	struct postgres *p = calloc(1, sizeof *p);
	char reads[COMMON_SETTING_MAX], server[COMMON_SETTING_MAX];

	assert(p && target->nodes <= POSTGRES_NODES_MAX);
	p->driver.ops = &pacelab_driver;
	p->target = *target;
	p->members = target->nodes;
	p->local = strcmp(common_setting(target->settings, "reads", reads), "local") == 0;
	p->follower = strcmp(reads, "follower") == 0;
	p->cockroach = strcmp(common_setting(target->settings, "server", server), "cockroach") == 0;
	if (p->cockroach) {
		p->target.addr_be = &target->addr_be[target->contact];
		p->target.contact = 0;
		p->target.nodes = 1;
	}
	p->primary = -1;
	return &p->driver;
}

static void postgres_close(struct driver *d)
{
	struct postgres *p;

	if (!d)
		return;
	p = postgres_of(d);
	end_search(p, -1);
	hang_up(&p->nearest);
	free(p);
}

static void postgres_connect(struct driver *d, uint64_t deadline_ns)
{
	struct postgres *p = postgres_of(d);

	if (p->local)
		(void)have_nearest(p, POSTGRES_USER, deadline_ns);
	(void)have_primary(p, deadline_ns);
}

/*
 * An operation waits no longer for a primary than it would if that had been lost as it began: when
 * nobody could be reached for as long as it may take, it fails at once, and the client can go on
 * with reads from the nearest node. The search goes on in its idle time.
 */
static uint64_t patience_ns(const struct postgres *p, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t end = deadline_ns > now ? p->lost_ns + (deadline_ns - now) : deadline_ns;

	return p->lost_ns && end < deadline_ns ? end : deadline_ns;
}

/* Where the request goes; NULL with *ret filled: there is no connection. */
static struct line *line_for(
	struct postgres *p, bool reads, uint64_t deadline_ns, struct driver_result *ret)
{
	if (reads && p->local) {
		if (have_nearest(p, POSTGRES_USER, deadline_ns))
			return &p->nearest;
		hang_up(&p->nearest);
	} else {
		if (have_primary(p, patience_ns(p, deadline_ns)))
			return &p->writer[p->primary];
	}
	common_fail(ret, HISTORY_CONNECT);
	return NULL;
}

static void leave(struct postgres *p, struct line *l)
{
	if (p->primary >= 0 && l == &p->writer[p->primary])
		forget_primary(p);
	else
		hang_up(l);
}

/*
 * Request and answer.
 */
#define ARGUMENTS_MAX 3

struct request {
	const char *statement;
	const char *argument[ARGUMENTS_MAX];
	int arguments;
	bool reads;
};

/* What came back. */
struct answer {
	PGresult *result; /* of the statement; NULL: none */
	bool late;        /* the deadline passed before all was there */
	bool ready;       /* the server waits for the next statement */
	char severity[8]; /* of the first error; "": none */
	char code[6];     /* its SQLSTATE; "": libpq's own, the connection is broken */
};

/* Wait until a result can be had without waiting. Return: false at the deadline. */
static bool wait_result(PGconn *c, uint64_t deadline_ns)
{
	for (;;) {
		int unsent = PQflush(c);
		struct pollfd fd = {
			.fd = PQsocket(c), .events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0))};
		int n;

		/* What is broken is a result, too: PQgetResult() tells it. */
		if (unsent < 0 || !PQisBusy(c))
			return true;
		n = poll(&fd, 1, common_left_ms(deadline_ns));
		if (n == 0)
			return false;
		if (n > 0 && !PQconsumeInput(c))
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static void note_error(struct answer *a, const PGresult *r)
{
	const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *code = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	if (a->severity[0])
		return;
	(void)snprintf(a->severity, sizeof a->severity, "%s", severity ? severity : "LOST");
	(void)snprintf(a->code, sizeof a->code, "%s", code ? code : "");
}

static void ask(PGconn *c, const struct request *q, uint64_t deadline_ns, struct answer *ret)
{
	PGresult *r;

	*ret = (struct answer){.result = NULL};
	if (!PQsendQueryParams(c, q->statement, q->arguments, NULL, q->argument, NULL, NULL, 0)) {
		note_error(ret, NULL);
		return;
	}
	while (wait_result(c, deadline_ns)) {
		r = PQgetResult(c);
		if (!r) {
			ret->ready = PQtransactionStatus(c) == PQTRANS_IDLE;
			return;
		}
		if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
			note_error(ret, r);
		else if (!ret->result) {
			ret->result = r;
			continue;
		}
		PQclear(r);
	}
	ret->late = true;
}

static bool of_class(const char *code, const char *const *classes)
{
	for (; *classes; classes++) {
		if (strncmp(code, *classes, strlen(*classes)) == 0)
			return true;
	}
	return false;
}

/* SQLSTATE, PostgreSQL's appendix A. Return: whether the connection can be kept. */
static bool take_error(const struct answer *a, bool reads, struct driver_result *ret)
{
	/* Of the connection, an operator's intervention (but for a cancelled statement), a failing
	 * disk, files, an internal error: who says so may have done anything. */
	static const char *const unsure[] = {"08", "57P", "58", "40003", "F0", "XX", NULL};
	/* Rolled back by the server for its own reasons; another time it might do it. */
	static const char *const refused[] = {"25006", "40", "53", "55", "57", NULL};
	bool error = strcmp(a->severity, "ERROR") == 0;

	if (!a->code[0])
		common_lost(ret, reads, HISTORY_CLOSED);
	else if (!error || of_class(a->code, unsure))
		common_lost(ret, reads, HISTORY_UNCERTAIN);
	else
		common_fail(ret, of_class(a->code, refused) ? HISTORY_REFUSED : HISTORY_OTHER);
	return error && ret->outcome == HISTORY_FAIL && strcmp(a->code, "25006") != 0;
}

/*
 * One statement. Return: its result, to be freed; NULL with *ret filled: it is not OK.
 */
static PGresult *run(struct postgres *p, const struct request *q, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct line *l = line_for(p, q->reads, deadline_ns, ret);
	struct answer a;
	bool keep = false;

	if (!l)
		return NULL;
	p->warned = false;
	ask(l->conn, q, deadline_ns, &a);
	if (a.late)
		common_lost(ret, q->reads, HISTORY_TIMEOUT);
	else if (a.severity[0])
		keep = take_error(&a, q->reads, ret) && a.ready;
	else if (!a.ready || !a.result)
		common_lost(ret, q->reads, HISTORY_OTHER);
	else if (p->warned && !q->reads)
		common_unknown(ret, HISTORY_UNCERTAIN);
	else
		return a.result;
	PQclear(a.result);
	if (!keep)
		leave(p, l);
	return NULL;
}

/* An answer that is none: who gives such is left. */
static void nonsense(struct postgres *p, bool reads, struct driver_result *ret)
{
	if (reads && p->local)
		hang_up(&p->nearest);
	else
		forget_primary(p);
	common_lost(ret, reads, HISTORY_OTHER);
}

/* The value of a key. Return: its result with one row or none, NULL with *ret filled. */
static PGresult *look(
	struct postgres *p, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	const struct request q = {.statement = p->follower
						       ? "SELECT v FROM kv AS OF SYSTEM TIME "
							 "follower_read_timestamp() WHERE k = $1"
						       : "SELECT v FROM kv WHERE k = $1",
		.argument = {common_key(key, name)},
		.arguments = 1,
		.reads = true};
	PGresult *r = run(p, &q, deadline_ns, ret);

	if (!r)
		return NULL;
	if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) <= 1 && PQnfields(r) == 1 &&
		(PQntuples(r) == 0 || !PQgetisnull(r, 0, 0)))
		return r;
	nonsense(p, true, ret);
	PQclear(r);
	return NULL;
}

static void postgres_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	PGresult *r = look(postgres_of(d), key, deadline_ns, ret);
	uint64_t value = 0;

	if (!r)
		return;
	if (PQntuples(r) == 0 ||
		common_number(PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0), &value))
		common_value(ret, value);
	else
		common_fail(ret, HISTORY_OTHER);
	PQclear(r);
}

static void postgres_get(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	PGresult *r = look(postgres_of(d), key, deadline_ns, ret);

	ret_text->len = 0;
	if (!r)
		return;
	common_ok(ret);
	ret->found = PQntuples(r) == 1;
	if (ret->found)
		buf_add(ret_text, PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0));
	PQclear(r);
}

/* A statement that changes one row, or none where @ret_unmet is asked for. */
static void change(struct postgres *p, const struct request *q, uint64_t deadline_ns,
	bool *ret_unmet, struct driver_result *ret)
{
	PGresult *r = run(p, q, deadline_ns, ret);

	if (!r)
		return;
	if (strcmp(PQcmdTuples(r), "1") == 0) {
		common_ok(ret);
	} else if (ret_unmet && strcmp(PQcmdTuples(r), "0") == 0) {
		*ret_unmet = true;
		common_unmet(ret);
	} else {
		nonsense(p, false, ret);
	}
	PQclear(r);
}

static void postgres_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct buf text = {0};

	buf_printf(&text, "%llu", (unsigned long long)value);
	d->ops->put(d, key, &text, deadline_ns, ret);
	buf_fini(&text);
}

/* Texts are of letters, digits and commas: they end where C's do. */
static void upsert(struct driver *d, uint64_t key, const struct buf *text, const char *statement,
	uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	struct buf end = {0};
	struct request q = {
		.statement = statement, .argument = {common_key(key, name)}, .arguments = 2};

	buf_add(&end, text->p, text->len);
	buf_u8(&end, '\0');
	q.argument[1] = (const char *)end.p;
	change(postgres_of(d), &q, deadline_ns, NULL, ret);
	buf_fini(&end);
}

static void postgres_put(struct driver *d, uint64_t key, const struct buf *text,
	uint64_t deadline_ns, struct driver_result *ret)
{
	upsert(d, key, text,
		"INSERT INTO kv VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
		deadline_ns, ret);
}

static void postgres_append(struct driver *d, uint64_t key, const struct buf *text,
	uint64_t deadline_ns, struct driver_result *ret)
{
	upsert(d, key, text,
		"INSERT INTO kv VALUES ($1, $2) "
		"ON CONFLICT (k) DO UPDATE SET v = kv.v || excluded.v",
		deadline_ns, ret);
}

/* Under READ COMMITTED an UPDATE that waited for another one looks at the row again. */
static void postgres_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	char from[24];
	char to[24];
	bool unmet = false;
	const struct request q = {.statement = "UPDATE kv SET v = $3 WHERE k = $1 AND v = $2",
		.argument = {common_key(key, name), from, to},
		.arguments = 3};

	(void)snprintf(from, sizeof from, "%llu", (unsigned long long)old);
	(void)snprintf(to, sizeof to, "%llu", (unsigned long long)value);
	change(postgres_of(d), &q, deadline_ns, &unmet, ret);
}

/*
 * Status. The timeline is PostgreSQL's term: a promotion begins a new one. A standby takes the
 * server for its leader that it receives from, else the one that it tries to reach.
 */
enum { COLUMN_RECOVERY, COLUMN_TIMELINE, COLUMN_STANDBYS, COLUMN_RECEIVES, COLUMN_SENDER, COLUMNS };

static const char status_statement[] =
	"SELECT pg_is_in_recovery(),"
	" CASE WHEN pg_is_in_recovery() THEN"
	"  coalesce((SELECT received_tli FROM pg_stat_wal_receiver),"
	"   (SELECT timeline_id FROM pg_control_checkpoint()))"
	" ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,"
	" (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'),"
	" EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),"
	" coalesce((SELECT sender_host FROM pg_stat_wal_receiver),"
	"  substring(current_setting('primary_conninfo') from 'host=([0-9.]+)'), '')";

/* The table is there, its replicas are, and so many other nodes are alive; no node leads. */
static const char cockroach_statement[] =
	"SELECT false, 0,"
	" (SELECT CASE WHEN (SELECT min(array_length(replicas, 1)) >= 3"
	"   FROM crdb_internal.ranges_no_leases) THEN count(*) - 1 ELSE 0 END"
	"  FROM crdb_internal.gossip_nodes WHERE is_live),"
	" EXISTS (SELECT k FROM kv WHERE k = ''), ''";

static int node_of(const struct postgres *p, const char *addr)
{
	char text[COMMON_ADDR_MAX];

	for (unsigned i = 0; i < p->target.nodes; i++) {
		if (strcmp(common_addr(p->target.addr_be[i], text), addr) == 0)
			return (int)i;
	}
	return -1;
}

static int take_status(struct postgres *p, PGresult *r, struct driver_status *ret)
{
	uint64_t standbys = 0;
	bool standby, receives;

	if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1 || PQnfields(r) != COLUMNS ||
		!common_number(PQgetvalue(r, 0, COLUMN_TIMELINE),
			(size_t)PQgetlength(r, 0, COLUMN_TIMELINE), &ret->term) ||
		!common_number(PQgetvalue(r, 0, COLUMN_STANDBYS),
			(size_t)PQgetlength(r, 0, COLUMN_STANDBYS), &standbys))
		return -EBADMSG;
	standby = PQgetvalue(r, 0, COLUMN_RECOVERY)[0] == 't';
	receives = PQgetvalue(r, 0, COLUMN_RECEIVES)[0] == 't';
	p->whole = p->whole || (standby ? receives : standbys + 1 >= p->members);
	ret->ready = p->whole;
	ret->leads = !standby;
	ret->leader =
		standby ? node_of(p, PQgetvalue(r, 0, COLUMN_SENDER)) : (int)p->target.contact;
	(void)snprintf(ret->role, sizeof ret->role, "%s", standby ? "standby" : "primary");
	if (p->cockroach)
		*ret = (struct driver_status){.ready = p->whole, .leader = -1, .role = "node"};
	return 0;
}

static int postgres_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct postgres *p = postgres_of(d);
	const struct request q = {
		.statement = p->cockroach ? cockroach_statement : status_statement, .reads = true};
	struct driver_status status = {0};
	struct answer a;
	int rc = -EIO;

	if (!have_nearest(p, POSTGRES_SUPERUSER, deadline_ns)) {
		hang_up(&p->nearest);
		return -ENOTCONN;
	}
	ask(p->nearest.conn, &q, deadline_ns, &a);
	if (a.late)
		rc = -ETIMEDOUT;
	else if (!a.severity[0] && a.ready && a.result)
		rc = take_status(p, a.result, &status);
	PQclear(a.result);
	if (rc < 0)
		hang_up(&p->nearest);
	else
		*ret = status;
	return rc;
}

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver = {
	.name = "postgres",
	.open = postgres_open,
	.connect = postgres_connect,
	.read = postgres_read,
	.write = postgres_write,
	.cas = postgres_cas,
	.get = postgres_get,
	.put = postgres_put,
	.append = postgres_append,
	.status = postgres_status,
	.close = postgres_close,
};
