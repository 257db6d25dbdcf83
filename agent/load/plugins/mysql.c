/* SPDX-License-Identifier: MIT */
/*
 * mysql.c - driver for MariaDB, MySQL and Galera, by the non-blocking calls of libmariadb
 *
 * Keys are rows of lab.kv(k varchar primary key, v bigint unsigned). An operation is one statement
 * and its own transaction: it costs one round trip. Settings:
 *
 *	topology=primary	writes go to the primary (default)
 *	topology=galera		all go to the nearest node
 *	reads=leader|local	of topology=primary: at the primary (default), at the nearest node
 *	sync_wait=N		of topology=galera: wsrep_sync_wait of each session
 *	dirty_reads=yes		of topology=galera: read from a node that is outside of the cluster,
 *too
 *
 * The primary is who says that @@read_only is off, asked of all nodes at once, so that one that is
 * cut off delays nobody. The first one found is kept until its connection ends or it refuses a
 * write. A client that is cut off together with an old primary goes on with that one: nothing in
 * the protocol tells either of them.
 *
 *	SHUT --dial()--> DIALLING --> SENDING --> WAITING --> FETCHING --> OPEN --ask()--> SENDING
 *	 ^--------------- refused, lost, late ---------------------------'
 *
 * What came of a statement that was not answered with OK:
 *  1. The request was not handed over whole: it is never executed. FAIL.
 *  2. An error that says that the statement was not begun or was rolled back: FAIL. They are listed
 *     in no_effect(); 1213 at the commit of Galera is one, for certification ends alike on all
 *     nodes.
 *  3. Any other error: a write is UNKNOWN. 1180 (error during commit) is one: a node of Galera says
 *     so when the cluster is lost while it waits for its transaction to come back, which the others
 *     may have had before. So are 1053 (shutdown) and 1927 (connection killed): a semi-synchronous
 *     primary has the transaction on its disk while it waits.
 *  4. No answer: a write is UNKNOWN.
 * A primary that gave up waiting for a semi-synchronous replica answers OK, like one that had not.
 *
 * CLIENT_FOUND_ROWS: an UPDATE says how many rows it has found, not how many it has changed, so
 *that a compare-and-set that found its old value is never taken for one that did not. A
 *compare-and-set of a key that is not there is an INSERT, which the primary key decides.
 *
 * To end a call that is under way, its socket is shut down and it is told of a timeout until it has
 * returned: only then it leaves nothing behind.
 */
#include <assert.h>
#include <errmsg.h>
#include <errno.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define MYSQL_NODES_MAX 16
#define MYSQL_USER "lab" /* without the privilege to write where it is read-only */
#define MYSQL_PASSWORD "lab"
#define MYSQL_TEXT_MAX 256
/* An answer of one row; that to SHOW REPLICA STATUS has some kilobytes. */
#define MYSQL_ANSWER_MAX (1ul << 20)
/* Nobody took writes: do not ask all again sooner, and do not have each request wait for all of its
 * time until somebody does: a client that is cut off has reads to make, too. */
#define MYSQL_PAUSE_NS (100 * NS_PER_MS)
#define MYSQL_PATIENCE_NS (250 * NS_PER_MS)
/* An attempt to connect sends its first packet again after this; a new one does so at once. */
#define MYSQL_ATTEMPT_NS NS_PER_S
/* Calls end at their first timeout; none may hold the client for ever. */
#define MYSQL_TIMEOUTS_MAX 16

enum state { SHUT, DIALLING, SENDING, WAITING, FETCHING, OPEN };

/* One connection. What it says of a statement holds until the next one. */
struct line {
	enum state state;
	int wait; /* what the call that is under way waits for, MYSQL_WAIT_... */
	MYSQL *my;
	MYSQL *dialled; /* results of the calls */
	int unsent;
	my_bool refused;
	MYSQL_RES *rows;
	uint64_t affected;
	unsigned error;             /* of the statement; 0: it succeeded */
	bool handed;                /* the whole request was sent */
	char addr[COMMON_ADDR_MAX]; /* the library looks at it until it is connected */
	char text[MYSQL_TEXT_MAX];
};

struct mysql {
	struct driver driver;
	struct driver_target target;
	bool galera;
	bool local;                   /* reads at the nearest node */
	char session[MYSQL_TEXT_MAX]; /* first statement of lines to the nearest node, or "" */
	int primary;                  /* index of an open line of writer, -1: not known */
	uint64_t began_ns;            /* the last search for it */
	bool missed;                  /* the one before has found nobody */
	struct line writer[MYSQL_NODES_MAX]; /* to nodes that take writes, or may */
	struct line nearest;
};

extern const unsigned pacelab_driver_abi;
extern const struct driver_ops pacelab_driver;

static struct mysql *mysql_of(struct driver *d)
{
	return (struct mysql *)d;
}

/*
 * Calls of the library: begun, gone on with, judged.
 */
static bool under_way(const struct line *l)
{
	return l->state != SHUT && l->state != OPEN;
}

/* The call that the state stands for. Return: what it waits for, 0: it has ended. */
static int call_begin(struct line *l)
{
	switch (l->state) {
	case SENDING:
		return mysql_send_query_start(
			&l->unsent, l->my, l->text, (unsigned long)strlen(l->text));
	case WAITING:
		return mysql_read_query_result_start(&l->refused, l->my);
	case FETCHING:
		return mysql_store_result_start(&l->rows, l->my);
	case DIALLING: /* dial() has begun it */
	case SHUT:
	case OPEN:
		break;
	}
	return 0;
}

static int call_go_on(struct line *l, int event)
{
	switch (l->state) {
	case DIALLING:
		return mysql_real_connect_cont(&l->dialled, l->my, event);
	case SENDING:
		return mysql_send_query_cont(&l->unsent, l->my, event);
	case WAITING:
		return mysql_read_query_result_cont(&l->refused, l->my, event);
	case FETCHING:
		return mysql_store_result_cont(&l->rows, l->my, event);
	case SHUT:
	case OPEN:
		break;
	}
	return 0;
}

static bool call_succeeded(const struct line *l)
{
	switch (l->state) {
	case DIALLING:
		return l->dialled != NULL;
	case SENDING:
		return l->unsent == 0;
	case WAITING:
		return !l->refused;
	case FETCHING:
		return l->rows != NULL;
	case SHUT:
	case OPEN:
		break;
	}
	return false;
}

static enum state state_next(const struct line *l)
{
	switch (l->state) {
	case DIALLING:
		return l->text[0] ? SENDING : OPEN;
	case SENDING:
		return WAITING;
	case WAITING:
		return mysql_field_count(l->my) > 0 ? FETCHING : OPEN;
	case FETCHING:
	case SHUT:
	case OPEN:
		break;
	}
	return OPEN;
}

/* An error of the library's own, as in errmsg.h: there is no connection any more. */
static bool is_lost(unsigned error)
{
	return error == CR_UNKNOWN_ERROR || IS_MYSQL_ERROR(error) || IS_MARIADB_ERROR(error);
}

static void forget_rows(struct line *l)
{
	if (l->rows)
		mysql_free_result(l->rows);
	l->rows = NULL;
}

/* What is known of the last statement stays known. */
static void hang_up(struct line *l)
{
	if (!l->my)
		return;
	forget_rows(l);
	if (under_way(l) && l->wait) {
		(void)shutdown((int)mysql_get_socket(l->my), SHUT_RDWR);
		for (unsigned i = 0; i < MYSQL_TIMEOUTS_MAX && l->wait; i++)
			l->wait = call_go_on(l, MYSQL_WAIT_TIMEOUT);
		forget_rows(l);
	}
	mysql_close(l->my);
	l->my = NULL;
	l->state = SHUT;
}

/* As many calls as there are without waiting; the one under way has ended if @l->wait is 0. */
static void run(struct line *l)
{
	while (l->wait == 0 && under_way(l)) {
		if (!call_succeeded(l)) {
			bool broken = l->state == DIALLING || l->state == SENDING;

			l->error = mysql_errno(l->my) ? mysql_errno(l->my) : CR_UNKNOWN_ERROR;
			if (broken || is_lost(l->error))
				hang_up(l);
			else
				l->state = OPEN;
			return;
		}
		if (l->state == SENDING)
			l->handed = true;
		if (l->state == WAITING)
			l->affected = mysql_affected_rows(l->my);
		l->state = state_next(l);
		l->wait = call_begin(l);
	}
}

static short events_of(const struct line *l)
{
	return (short)((l->wait & MYSQL_WAIT_READ ? POLLIN : 0) |
		       (l->wait & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
		       (l->wait & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
}

/* Wait until something can go on. Return: false at the deadline, or if nothing is under way. */
static bool turn(struct line *lines, unsigned n, uint64_t deadline_ns)
{
	struct pollfd fd[MYSQL_NODES_MAX];
	unsigned waiting = 0;
	int ready;

	for (unsigned i = 0; i < n; i++) {
		bool waits = under_way(&lines[i]);

		fd[i] = (struct pollfd){.fd = waits ? (int)mysql_get_socket(lines[i].my) : -1,
			.events = events_of(&lines[i])};
		waiting += waits;
	}
	if (waiting == 0)
		return false;
	ready = poll(fd, n, common_left_ms(deadline_ns));
	if (ready == 0 || (ready < 0 && errno != EINTR))
		return false;
	for (unsigned i = 0; ready > 0 && i < n; i++) {
		/* What broke is told to who reads or writes, whatever it waits for. */
		if (fd[i].fd < 0 || !fd[i].revents)
			continue;
		lines[i].wait = call_go_on(&lines[i],
			fd[i].revents & (POLLERR | POLLHUP | POLLNVAL)
				? lines[i].wait
				: ((fd[i].revents & POLLIN ? MYSQL_WAIT_READ : 0) |
					  (fd[i].revents & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
					  (fd[i].revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0)));
		run(&lines[i]);
	}
	return true;
}

/*
 * Connections.
 */

/* Begin to connect; then @text is said, if it is not "". Nothing is left to files of options. */
static void dial(struct mysql *m, struct line *l, unsigned node, const char *text)
{
	const unsigned long answer_max = MYSQL_ANSWER_MAX;
	const unsigned no_files = 0;
	const my_bool no = 0;

	*l = (struct line){.my = mysql_init(NULL), .state = DIALLING};
	assert(l->my);
	(void)snprintf(l->text, sizeof l->text, "%s", text);
	(void)mysql_options(l->my, MYSQL_OPT_NONBLOCK, NULL);
	(void)mysql_options(l->my, MYSQL_OPT_MAX_ALLOWED_PACKET, &answer_max);
	(void)mysql_options(l->my, MYSQL_OPT_LOCAL_INFILE, &no_files);
	(void)mysql_options(l->my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
	l->wait = mysql_real_connect_start(&l->dialled, l->my,
		common_addr(m->target.addr_be[node], l->addr), MYSQL_USER, MYSQL_PASSWORD, NULL,
		m->target.port, NULL, CLIENT_FOUND_ROWS);
	run(l);
}

/* Return: whether the open line is still good: nothing is outstanding, so nothing can be read. */
static bool still_open(const struct line *l)
{
	struct pollfd fd = {.fd = (int)mysql_get_socket(l->my), .events = POLLIN};

	return poll(&fd, 1, 0) <= 0;
}

static bool have_nearest(struct mysql *m, uint64_t deadline_ns)
{
	struct line *l = &m->nearest;
	bool opening;

	if (l->state == OPEN && !still_open(l))
		hang_up(l);
	if (l->state == SHUT)
		dial(m, l, m->target.contact, m->session);
	opening = under_way(l);
	while (under_way(l) && turn(l, 1, deadline_ns))
		;
	/* Without the session that was asked for it would answer as if it were another system. */
	if (opening && l->state == OPEN && l->error)
		hang_up(l);
	return l->state == OPEN;
}

/* One cell of the result; NULL: it is not there, or is NULL. */
static const char *cell(const struct line *l, MYSQL_ROW row, const char *const *names)
{
	const MYSQL_FIELD *field = mysql_fetch_fields(l->rows);

	for (unsigned i = 0; row && i < mysql_num_fields(l->rows); i++) {
		for (unsigned j = 0; names[j]; j++) {
			if (strcmp(field[i].name, names[j]) == 0)
				return row[i];
		}
	}
	return NULL;
}

#define ASK_WRITABLE "SELECT @@global.read_only AS ro"

static bool is_writable(const struct line *l)
{
	static const char *const names[] = {"ro", NULL};
	const char *text;

	if (l->error || !l->rows)
		return false;
	mysql_data_seek(l->rows, 0);
	text = cell(l, mysql_fetch_row(l->rows), names);
	return text && (strcmp(text, "0") == 0 || strcmp(text, "OFF") == 0);
}

static void forget_primary(struct mysql *m)
{
	if (m->primary >= 0)
		hang_up(&m->writer[m->primary]);
	m->primary = -1;
}

/* End all attempts but that of @keep; -1: of all. */
static void end_search(struct mysql *m, int keep)
{
	for (unsigned i = 0; i < m->target.nodes; i++) {
		if ((int)i != keep)
			hang_up(&m->writer[i]);
	}
}

static bool searching(const struct mysql *m)
{
	for (unsigned i = 0; i < m->target.nodes; i++) {
		if (under_way(&m->writer[i]))
			return true;
	}
	return false;
}

/* Of those that have said what they are: the nearest one that takes writes. */
static int first_writable(struct mysql *m)
{
	for (unsigned i = 0; i < m->target.nodes; i++) {
		unsigned node = (m->target.contact + i) % m->target.nodes;

		if (m->writer[node].state != OPEN)
			continue;
		if (is_writable(&m->writer[node]))
			return (int)node;
		hang_up(&m->writer[node]);
	}
	return -1;
}

/* Attempts that are under way at the deadline stay so. Return: whether the primary is known. */
static bool have_primary(struct mysql *m, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();

	if (m->primary >= 0 && !still_open(&m->writer[m->primary]))
		forget_primary(m);
	if (m->primary >= 0)
		return true;
	if (searching(m) && now > m->began_ns + MYSQL_ATTEMPT_NS) {
		end_search(m, -1);
		m->missed = true;
	}
	if (!searching(m)) {
		if (m->missed && now < m->began_ns + MYSQL_PAUSE_NS)
			return false;
		for (unsigned i = 0; i < m->target.nodes; i++)
			dial(m, &m->writer[i], i, ASK_WRITABLE);
		m->began_ns = now;
	}
	if (m->missed && deadline_ns > now + MYSQL_PATIENCE_NS)
		deadline_ns = now + MYSQL_PATIENCE_NS;
	while (m->primary < 0 && turn(m->writer, m->target.nodes, deadline_ns))
		m->primary = first_writable(m);
	if (m->primary >= 0)
		end_search(m, m->primary);
	m->missed = m->primary < 0 && (m->missed || !searching(m));
	return m->primary >= 0;
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* The library does it by itself at the first connection, but not for threads at the same time. */
static void library_begin(void)
{
	int rc = mysql_library_init(0, NULL, NULL);

	assert(rc == 0);
}

static struct driver *mysql_open(const struct driver_target *target)
{
	struct mysql *m = calloc(1, sizeof *m);
	char text[COMMON_SETTING_MAX];
	uint64_t sync_wait;

	assert(m && target->nodes <= MYSQL_NODES_MAX);
	(void)pthread_once(&library_once, library_begin);
	m->driver.ops = &pacelab_driver;
	m->target = *target;
	m->target.settings = NULL; /* it may be gone later */
	m->primary = -1;
	m->galera = strcmp(common_setting(target->settings, "topology", text), "galera") == 0;
	m->local = strcmp(common_setting(target->settings, "reads", text), "local") == 0;
	common_setting(target->settings, "sync_wait", text);
	if (!common_number(text, strlen(text), &sync_wait))
		sync_wait = 0;
	common_setting(target->settings, "dirty_reads", text);
	if (m->galera)
		(void)snprintf(m->session, sizeof m->session,
			"SET SESSION wsrep_sync_wait=%llu, SESSION wsrep_dirty_reads=%s",
			(unsigned long long)sync_wait, strcmp(text, "yes") == 0 ? "ON" : "OFF");
	return &m->driver;
}

static void mysql_driver_close(struct driver *d)
{
	struct mysql *m;

	if (!d)
		return;
	m = mysql_of(d);
	end_search(m, -1);
	hang_up(&m->nearest);
	free(m);
}

static void mysql_connect_idle(struct driver *d, uint64_t deadline_ns)
{
	struct mysql *m = mysql_of(d);

	if (m->galera || m->local)
		(void)have_nearest(m, deadline_ns);
	if (!m->galera)
		(void)have_primary(m, deadline_ns);
}

/* Where the request goes; NULL with *ret filled: there is no connection. */
static struct line *line_for(
	struct mysql *m, bool reads, uint64_t deadline_ns, struct driver_result *ret)
{
	if (m->galera || (reads && m->local)) {
		if (have_nearest(m, deadline_ns))
			return &m->nearest;
		hang_up(&m->nearest);
	} else {
		if (have_primary(m, deadline_ns))
			return &m->writer[m->primary];
	}
	common_fail(ret, HISTORY_CONNECT);
	return NULL;
}

static void leave(struct mysql *m, struct line *l)
{
	if (m->primary >= 0 && l == &m->writer[m->primary])
		forget_primary(m);
	else
		hang_up(l);
}

/*
 * Request and answer.
 */

/* Say l->text and wait for the answer. Return: false at the deadline. */
static bool ask(struct line *l, uint64_t deadline_ns)
{
	forget_rows(l);
	l->error = 0;
	l->handed = false;
	l->state = SENDING;
	l->wait = call_begin(l);
	run(l);
	while (under_way(l)) {
		if (!turn(l, 1, deadline_ns) && under_way(l))
			return false;
	}
	return true;
}

/* Errors after which the statement surely has no effect: not begun, or rolled back. */
static bool no_effect(unsigned error)
{
	switch (error) {
	case ER_CON_COUNT_ERROR:
	case ER_DBACCESS_DENIED_ERROR:
	case ER_ACCESS_DENIED_ERROR:
	case ER_NO_DB_ERROR:
	case ER_UNKNOWN_COM_ERROR: /* 1047: "WSREP has not yet prepared node for application use" */
	case ER_BAD_DB_ERROR:
	case ER_DUP_ENTRY:
	case ER_PARSE_ERROR:
	case ER_TABLEACCESS_DENIED_ERROR:
	case ER_NO_SUCH_TABLE:
	case ER_TOO_MANY_USER_CONNECTIONS:
	case ER_LOCK_WAIT_TIMEOUT: /* also of wsrep_sync_wait, which comes first */
	case ER_LOCK_DEADLOCK:
	case ER_OPTION_PREVENTS_STATEMENT: /* 1290: --read-only */
	case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
	case ER_READ_ONLY_MODE:
		return true;
	default:
		return false;
	}
}

static bool is_read_only(unsigned error)
{
	return error == ER_OPTION_PREVENTS_STATEMENT || error == ER_READ_ONLY_MODE ||
	       error == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION;
}

static void take_error(struct mysql *m, struct line *l, bool reads, struct driver_result *ret)
{
	unsigned error = l->error;

	if (!l->handed) {
		common_fail(ret, HISTORY_CONNECT);
		leave(m, l);
	} else if (is_lost(error)) {
		common_lost(ret, reads,
			error == CR_SERVER_LOST || error == CR_SERVER_GONE_ERROR ? HISTORY_CLOSED
										 : HISTORY_OTHER);
		leave(m, l);
	} else if (no_effect(error)) {
		common_fail(ret, HISTORY_REFUSED);
		if (is_read_only(error))
			leave(m, l); /* look for another primary */
	} else {
		common_lost(ret, reads, HISTORY_UNCERTAIN);
		leave(m, l);
	}
}

/*
 * The statement in @l, answered or with *@ret filled.
 * Return: whether it succeeded, or ended with the error @expected.
 */
static bool said(struct mysql *m, struct line *l, bool reads, unsigned expected,
	uint64_t deadline_ns, struct driver_result *ret)
{
	if (!ask(l, deadline_ns)) {
		common_lost(ret, reads, HISTORY_TIMEOUT);
		leave(m, l);
		return false;
	}
	if (l->error && l->error != expected) {
		take_error(m, l, reads, ret);
		return false;
	}
	return true;
}

static void mysql_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct mysql *m = mysql_of(d);
	struct line *l = line_for(m, true, deadline_ns, ret);
	char name[COMMON_KEY_MAX];
	unsigned long *len;
	uint64_t value = 0;
	MYSQL_ROW row;

	if (!l)
		return;
	(void)snprintf(l->text, sizeof l->text, "SELECT v FROM lab.kv WHERE k='%s'",
		common_key(key, name));
	if (!said(m, l, true, 0, deadline_ns, ret))
		return;
	row = l->rows ? mysql_fetch_row(l->rows) : NULL;
	len = row ? mysql_fetch_lengths(l->rows) : NULL;
	if (l->rows && (!row || (len && row[0] && common_number(row[0], len[0], &value)))) {
		common_value(ret, value);
		return;
	}
	common_fail(ret, HISTORY_OTHER);
	leave(m, l);
}

static void mysql_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct mysql *m = mysql_of(d);
	struct line *l = line_for(m, false, deadline_ns, ret);
	char name[COMMON_KEY_MAX];

	if (!l)
		return;
	(void)snprintf(l->text, sizeof l->text,
		"INSERT INTO lab.kv(k,v) VALUES('%s',%llu) ON DUPLICATE KEY UPDATE v=VALUES(v)",
		common_key(key, name), (unsigned long long)value);
	if (said(m, l, false, 0, deadline_ns, ret))
		common_ok(ret);
}

static void mysql_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct mysql *m = mysql_of(d);
	struct line *l = line_for(m, false, deadline_ns, ret);
	char name[COMMON_KEY_MAX];

	if (!l)
		return;
	common_key(key, name);
	if (old)
		(void)snprintf(l->text, sizeof l->text,
			"UPDATE lab.kv SET v=%llu WHERE k='%s' AND v=%llu",
			(unsigned long long)value, name, (unsigned long long)old);
	else
		(void)snprintf(l->text, sizeof l->text, "INSERT INTO lab.kv(k,v) VALUES('%s',%llu)",
			name, (unsigned long long)value);
	if (!said(m, l, false, old ? 0 : ER_DUP_ENTRY, deadline_ns, ret))
		return;
	if (l->error == ER_DUP_ENTRY || l->affected == 0)
		common_unmet(ret);
	else
		common_ok(ret);
}

/*
 * What the nearest node says of itself.
 */
static int state_of_node(struct mysql *m, const char *question, uint64_t deadline_ns)
{
	struct line *l = &m->nearest;

	if (!have_nearest(m, deadline_ns)) {
		hang_up(l);
		return -ENOTCONN;
	}
	(void)snprintf(l->text, sizeof l->text, "%s", question);
	if (!ask(l, deadline_ns)) {
		hang_up(l);
		return -ETIMEDOUT;
	}
	return l->error || !l->rows ? -EPROTO : 0;
}

static int index_of(const struct mysql *m, const char *host)
{
	char addr[COMMON_ADDR_MAX];

	for (unsigned i = 0; host && i < m->target.nodes; i++) {
		if (strcmp(common_addr(m->target.addr_be[i], addr), host) == 0)
			return (int)i;
	}
	return -1;
}

static bool says_yes(const char *text)
{
	return text && (strcmp(text, "Yes") == 0 || strcmp(text, "ON") == 0);
}

/* A node that follows nobody and takes writes is a primary, even if another one is. */
static int primary_status(struct mysql *m, uint64_t deadline_ns, struct driver_status *ret)
{
	static const char *const hosts[] = {"Master_Host", "Source_Host", NULL};
	static const char *const io[] = {"Slave_IO_Running", "Replica_IO_Running", NULL};
	static const char *const sql[] = {"Slave_SQL_Running", "Replica_SQL_Running", NULL};
	struct line *l = &m->nearest;
	bool writable, receives;
	MYSQL_ROW row;
	int rc;

	rc = state_of_node(m, ASK_WRITABLE, deadline_ns);
	if (rc < 0)
		return rc;
	writable = is_writable(l);
	rc = state_of_node(m, "SHOW REPLICA STATUS", deadline_ns);
	if (rc < 0)
		return rc;
	row = mysql_fetch_row(l->rows);
	if (!row) {
		ret->leads = writable;
		ret->ready = writable;
		ret->leader = writable ? (int)m->target.contact : -1;
		(void)snprintf(ret->role, sizeof ret->role, "%s", writable ? "primary" : "alone");
		return 0;
	}
	receives = says_yes(cell(l, row, io));
	ret->ready = receives && says_yes(cell(l, row, sql));
	ret->leader = index_of(m, cell(l, row, hosts));
	(void)snprintf(ret->role, sizeof ret->role, "%s",
		ret->ready ? "replica" : (receives ? "replica not applying" : "replica apart"));
	return 0;
}

static int galera_status(struct mysql *m, uint64_t deadline_ns, struct driver_status *ret)
{
	static const char question[] =
		"SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready','wsrep_cluster_size',"
		"'wsrep_cluster_status','wsrep_cluster_conf_id','wsrep_local_state_comment')";
	bool takes = false, primary = false, synced = false;
	uint64_t size = 0, epoch = 0;
	MYSQL_ROW row;
	int rc = state_of_node(m, question, deadline_ns);

	if (rc < 0)
		return rc;
	while ((row = mysql_fetch_row(m->nearest.rows))) {
		const char *name = row[0] ? row[0] : "";
		const char *value = row[1] ? row[1] : "";

		if (strcmp(name, "wsrep_ready") == 0) {
			takes = says_yes(value);
		} else if (strcmp(name, "wsrep_cluster_status") == 0) {
			primary = strcmp(value, "Primary") == 0;
		} else if (strcmp(name, "wsrep_cluster_size") == 0) {
			(void)common_number(value, strlen(value), &size);
		} else if (strcmp(name, "wsrep_cluster_conf_id") == 0) {
			(void)common_number(value, strlen(value), &epoch);
		} else if (strcmp(name, "wsrep_local_state_comment") == 0) {
			synced = strcmp(value, "Synced") == 0;
			(void)snprintf(ret->role, sizeof ret->role, "%s", value);
		}
	}
	ret->ready = takes && primary && synced && size == m->target.nodes;
	ret->term = primary ? epoch : 0;
	return 0;
}

static int mysql_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct mysql *m = mysql_of(d);

	*ret = (struct driver_status){.leader = -1};
	return m->galera ? galera_status(m, deadline_ns, ret) : primary_status(m, deadline_ns, ret);
}

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver = {
	.name = "mysql",
	.open = mysql_open,
	.connect = mysql_connect_idle,
	.read = mysql_read,
	.write = mysql_write,
	.cas = mysql_cas,
	.status = mysql_status,
	.close = mysql_driver_close,
};
