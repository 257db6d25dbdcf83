/* SPDX-License-Identifier: MIT */
/*
 * program.c - drivers that are programs of any language: a process for each connection
 *
 * One request is under way at a time, one line out, one line back:
 *
 *	ENDED --connect()--> STARTED --"pacelab 1 ..."--> OPENING --"ok"--> OPEN
 *	  ^---- ended, senseless, late, no answer to open in time --------------'
 *
 * What it says is outside bytes. A line that makes no sense, that nobody asked for, or that does
 * not come by the deadline ends the program: no later answer can then be taken for another
 * request's. It is told of a deadline that is a little shorter than ours, so that one that keeps
 * it is not ended for it.
 *
 * The program runs without root. It is the leader of a process group, which is killed as a whole,
 * and dies with the thread that started it. Its standard input is a socket, for nobody is to be
 * killed by SIGPIPE.
 */
#include "agent/load/drivers/program.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lab/spawn.h"
#include "agent/load/drivers/lines.h"
#include "agent/load/plugins/common.h"

/* A program has so long from its start to its answer to open; interpreters are slow to load. */
#define START_NS (10 * NS_PER_S)
/* What it is not told of the time that is left, and less of short times. */
#define SPARE_MS 10
#define SPARE_PART 10

enum state { ENDED, STARTED, OPENING, OPEN };

struct program {
	char path[PATH_MAX];
	unsigned does;
	struct driver_ops ops;
};

static struct program programs[PROGRAMS_MAX];
static unsigned programs_count;

struct connection {
	struct driver driver;
	const struct program *program;
	struct driver_target target;
	enum state state;
	pid_t pid;
	int to;   /* its standard input */
	int from; /* its standard output */
	uint64_t started_ns;
	char in[LINES_MAX]; /* of a line on its way */
	size_t len;
};

static struct connection *connection_of(struct driver *d)
{
	return (struct connection *)d;
}

/*
 * The process.
 */

/* In the child; threads of the parent may have held any lock: system calls only. */
static _Noreturn void become(const char *path, int in, int out, pid_t parent)
{
	char *const argv[] = {(char *)path, NULL};
	sigset_t none;

	(void)setpgid(0, 0);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(EXIT_INTERNAL);
	/* Not by setresuid(), which asks the threads that were there. */
	if (geteuid() == 0 && (syscall(SYS_setgroups, 0, NULL) ||
				      syscall(SYS_setresgid, SPAWN_UID, SPAWN_UID, SPAWN_UID) ||
				      syscall(SYS_setresuid, SPAWN_UID, SPAWN_UID, SPAWN_UID)))
		_exit(EXIT_INTERNAL);
	/* Lost when credentials change; and the parent may be gone already. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		execv(path, argv);
	_exit(EXIT_CANNOT_RUN);
}

static void finish(struct connection *c)
{
	if (c->state == ENDED)
		return;
	close(c->to);
	close(c->from);
	/* Its own group, and perhaps it did not come so far as to make one. */
	(void)kill(-c->pid, SIGKILL);
	(void)kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	c->state = ENDED;
	c->len = 0;
}

/* Return: 0 or a negative errno. */
static int start(struct connection *c)
{
	const pid_t self = getpid();
	int in[2];
	int out[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in))
		return -errno;
	if (pipe2(out, O_CLOEXEC)) {
		int code = -errno;

		close(in[0]);
		close(in[1]);
		return code;
	}
	c->started_ns = clock_now_ns();
	c->pid = fork();
	if (c->pid == 0)
		become(c->program->path, in[1], out[1], self);
	close(in[1]);
	close(out[1]);
	if (c->pid < 0) {
		int code = -errno;

		close(in[0]);
		close(out[0]);
		return code;
	}
	c->to = in[0];
	c->from = out[0];
	c->len = 0;
	c->state = STARTED;
	return 0;
}

/*
 * Lines.
 */

/* Return: 0, -EPIPE: it is gone, -ETIMEDOUT: it does not read; nothing of the line may be lost. */
static int say(struct connection *c, const struct buf *line, uint64_t deadline_ns)
{
	size_t sent = 0;

	while (sent < line->len) {
		struct pollfd p = {.fd = c->to, .events = POLLOUT};
		ssize_t n =
			send(c->to, line->p + sent, line->len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno == EAGAIN && common_left_ms(deadline_ns) > 0)
			(void)poll(&p, 1, common_left_ms(deadline_ns));
		else if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
	}
	return 0;
}

/*
 * The next line is in c->in, without its newline.
 * Return: its length, -ETIMEDOUT, -EPIPE: it has ended, -EBADMSG: it says more than a line.
 */
static int listen_to(struct connection *c, uint64_t deadline_ns)
{
	for (;;) {
		const char *end = memchr(c->in, '\n', c->len);
		struct pollfd p = {.fd = c->from, .events = POLLIN};
		ssize_t n;

		if (end && end + 1 == c->in + c->len) {
			c->len = 0;
			return (int)(end - c->in);
		}
		if (end || c->len == sizeof c->in)
			return -EBADMSG;
		n = poll(&p, 1, common_left_ms(deadline_ns));
		if (n == 0 && common_left_ms(deadline_ns) == 0)
			return -ETIMEDOUT;
		if (n <= 0)
			continue;
		n = read(c->from, c->in + c->len, sizeof c->in - c->len);
		if (n == 0 || (n < 0 && errno != EINTR))
			return -EPIPE;
		c->len += n > 0 ? (size_t)n : 0;
	}
}

static bool hear_hello(struct connection *c, uint64_t deadline_ns, int *ret_code)
{
	unsigned does;
	int len = listen_to(c, deadline_ns);

	*ret_code = len;
	if (len < 0)
		return false;
	*ret_code = -EBADMSG;
	return lines_hello(c->in, (size_t)len, &does) && does == c->program->does;
}

static int say_open(struct connection *c, uint64_t deadline_ns)
{
	const struct driver_target *t = &c->target;
	struct buf line = {0};
	char addr[COMMON_ADDR_MAX];
	int rc;

	buf_printf(&line, "open %u %u ", t->contact, t->port);
	for (unsigned i = 0; i < t->nodes; i++)
		buf_printf(&line, "%s%s", i ? "," : "", common_addr(t->addr_be[i], addr));
	buf_printf(&line, "%s%s\n", t->settings[0] ? " " : "", t->settings);
	rc = say(c, &line, deadline_ns);
	buf_fini(&line);
	return rc;
}

/* Go on with what a start takes until it is open, fails, or the deadline passes. */
static bool be_open(struct connection *c, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = c->from, .events = POLLIN};
	struct driver_result answer;
	int rc = 0;

	/* Nothing was asked: whatever it says is its end, or nonsense. */
	if (c->state == OPEN && poll(&p, 1, 0) > 0)
		finish(c);
	if (c->state != ENDED && c->state != OPEN && clock_now_ns() > c->started_ns + START_NS)
		finish(c);
	if (c->state == ENDED && start(c) < 0)
		return false;
	if (c->state == STARTED && hear_hello(c, deadline_ns, &rc)) {
		rc = say_open(c, deadline_ns);
		c->state = OPENING;
	}
	if (c->state == OPENING && rc == 0) {
		rc = listen_to(c, deadline_ns);
		if (rc >= 0 && lines_answer(LINES_OPEN, c->in, (size_t)rc, &answer))
			rc = answer.outcome == HISTORY_OK ? 0 : -ECONNREFUSED;
		else if (rc >= 0)
			rc = -EBADMSG;
		if (rc == 0)
			c->state = OPEN;
	}
	/* What has not said a whole line yet may still do so. */
	if (rc < 0 && rc != -ETIMEDOUT)
		finish(c);
	return c->state == OPEN;
}

/* What came of a request that was not answered in words. */
static void unanswered(enum lines_op op, int code, struct driver_result *ret)
{
	common_lost(ret, op == LINES_READ,
		code == -ETIMEDOUT ? HISTORY_TIMEOUT
		: code == -EPIPE   ? HISTORY_CLOSED
				   : HISTORY_OTHER);
}

/* @line has the request but for the time that is left. Return: as listen_to(). */
static int ask(struct connection *c, struct buf *line, uint64_t deadline_ns)
{
	int left_ms = common_left_ms(deadline_ns);
	int spare_ms = left_ms / SPARE_PART < SPARE_MS ? left_ms / SPARE_PART : SPARE_MS;
	int rc;

	buf_printf(line, " %d\n", left_ms - spare_ms);
	rc = say(c, line, deadline_ns);
	buf_fini(line);
	if (rc == 0)
		rc = listen_to(c, deadline_ns);
	if (rc < 0)
		finish(c);
	return rc;
}

static void operate(struct connection *c, enum lines_op op, struct buf *line, uint64_t deadline_ns,
	struct driver_result *ret)
{
	int len;

	if (!be_open(c, deadline_ns)) {
		buf_fini(line);
		common_fail(ret, common_left_ms(deadline_ns) ? HISTORY_CONNECT : HISTORY_TIMEOUT);
		return;
	}
	len = ask(c, line, deadline_ns);
	if (len < 0) {
		unanswered(op, len, ret);
	} else if (!lines_answer(op, c->in, (size_t)len, ret)) {
		finish(c);
		unanswered(op, -EBADMSG, ret);
	}
}

/*
 * Operations.
 */
static struct driver *program_open(const struct program *p, const struct driver_target *target)
{
	struct connection *c = calloc(1, sizeof *c);

	assert(c);
	c->driver.ops = &p->ops;
	c->program = p;
	c->target = *target;
	return &c->driver;
}

static void program_connect(struct driver *d, uint64_t deadline_ns)
{
	(void)be_open(connection_of(d), deadline_ns);
}

static void program_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	struct buf line = {0};

	buf_printf(&line, "read %s", common_key(key, name));
	operate(connection_of(d), LINES_READ, &line, deadline_ns, ret);
}

static void program_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	struct buf line = {0};

	buf_printf(&line, "write %s %llu", common_key(key, name), (unsigned long long)value);
	operate(connection_of(d), LINES_WRITE, &line, deadline_ns, ret);
}

static void program_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX];
	struct buf line = {0};

	buf_printf(&line, "cas %s %llu %llu", common_key(key, name), (unsigned long long)old,
		(unsigned long long)value);
	operate(connection_of(d), LINES_CAS, &line, deadline_ns, ret);
}

static int program_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct connection *c = connection_of(d);
	struct buf line = {0};
	int len;

	if (!be_open(c, deadline_ns))
		return -ENOTCONN;
	buf_printf(&line, "status");
	len = ask(c, &line, deadline_ns);
	if (len < 0)
		return len;
	if (lines_status(c->in, (size_t)len, c->target.nodes, ret))
		return 0;
	/* It may say that it does not know. */
	if (len < (int)sizeof "fail " - 1 || memcmp(c->in, "fail ", sizeof "fail " - 1) != 0)
		finish(c);
	return -EBADMSG;
}

static void program_close(struct driver *d)
{
	if (!d)
		return;
	finish(connection_of(d));
	free(d);
}

/* open() is told of no program: each place has one of its own. */
#define PLACES(P) P(0) P(1) P(2) P(3) P(4) P(5) P(6) P(7)
#define P(i) \
	static struct driver *open_##i(const struct driver_target *target) \
	{ \
		return program_open(&programs[i], target); \
	}
PLACES(P)
#undef P

static struct driver *(*const opens[])(const struct driver_target *) = {
#define P(i) open_##i,
	PLACES(P)
#undef P
};
_Static_assert(sizeof opens / sizeof *opens == PROGRAMS_MAX, "one for each");

static void fail_hello(const char *path, struct connection *c, int len, struct err *err)
{
	if (len >= 0)
		err_set(err, -ENOEXEC, EXIT_CANNOT_RUN,
			"driver %s begins with '%.*s', not with 'pacelab 1 read write' and what "
			"else it does",
			path, len < 64 ? len : 64, c->in);
	else if (len == -ETIMEDOUT)
		err_set(err, -ENOEXEC, EXIT_CANNOT_RUN,
			"driver %s did not say 'pacelab 1 read write ...' within %llu s of its "
			"start: does it flush its output?",
			path, (unsigned long long)(START_NS / NS_PER_S));
	else
		err_set(err, -ENOEXEC, EXIT_CANNOT_RUN,
			"driver %s %s 'pacelab 1 read write ...': run it by hand, without root",
			path, len == -EPIPE ? "ended before it said" : "says more in one go than");
	err_one_line(err);
}

static int look_at(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st))
		return err_set(
			err, -errno, EXIT_CANNOT_RUN, "driver %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || access(path, X_OK))
		return err_set(err, -EACCES, EXIT_CANNOT_RUN,
			"driver %s is no program that can be run: chmod +x it", path);
	return 0;
}

const struct driver_ops *program_find(const char *path, struct err *err)
{
	struct program *p = &programs[programs_count];
	struct connection c = {.program = p};
	int len;

	for (unsigned i = 0; i < programs_count; i++)
		if (strcmp(programs[i].path, path) == 0)
			return &programs[i].ops;
	if (programs_count == PROGRAMS_MAX) {
		err_usage(err, "driver %s is one more than the %d programs that fit one process",
			path, PROGRAMS_MAX);
		return NULL;
	}
	*p = (struct program){.ops = {.name = p->path,
				      .open = opens[programs_count],
				      .connect = program_connect,
				      .read = program_read,
				      .write = program_write,
				      .close = program_close}};
	if ((size_t)snprintf(p->path, sizeof p->path, "%s", path) >= sizeof p->path ||
		look_at(path, err) < 0)
		return NULL;
	len = start(&c);
	if (len < 0) {
		err_sys(err, len, "start driver %s", path);
		return NULL;
	}
	len = listen_to(&c, c.started_ns + START_NS);
	if (len < 0 || !lines_hello(c.in, (size_t)len, &p->does)) {
		fail_hello(path, &c, len, err);
		finish(&c);
		return NULL;
	}
	finish(&c);
	p->ops.cas = p->does & LINES_DOES(LINES_CAS) ? program_cas : NULL;
	p->ops.status = p->does & LINES_DOES(LINES_STATUS) ? program_status : NULL;
	programs_count++;
	return &p->ops;
}
