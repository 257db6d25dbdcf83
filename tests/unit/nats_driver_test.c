/* SPDX-License-Identifier: MIT */
/*
 * nats_driver_test.c - every outcome of the NATS driver, against a scripted server
 *
 * The server speaks the client protocol (https://docs.nats.io/reference/reference-protocols/
 * nats-protocol) and plays one answer for each request:
 *
 *	{...}		the text of a message
 *	503		nobody is there who would answer
 *	#SEQ TEXT	a message from a copy of the stream, with the headers that tell which one
 *	""		none
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/need.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/load/drivers/driver.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SHORT_NS (100 * NS_PER_MS)
#define CONNECTIONS_MAX 8
#define LINE_MAX_BYTES 1024

#define ACK "{\"stream\":\"KV_lab\",\"seq\":7}"
#define ERROR(code) "{\"error\":{\"code\":500,\"err_code\":" #code ",\"description\":\"in words\"}}"
#define FOUND(seq, base64) \
	"{\"message\":{\"subject\":\"$KV.lab.k7\",\"seq\":" #seq ",\"data\":\"" base64 \
	"\",\"time\":\"2026-01-01T00:00:00Z\"}}"
#define NOTHING "{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"no message found\"}}"

struct play {
	const char *answer;
	bool hang_up; /* after it */
};

/* GREETS_LATE: it says who it is when half of a short deadline is over, and nothing after that. */
enum greets { GREETS, GREETS_NOBODY, GREETS_LATE };

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	enum greets greets;
	const struct play *play; /* one for each request, over all connections */
	unsigned plays;
	_Atomic unsigned at;
	char inbox[8];                /* number of the client's subscription */
	char request[LINE_MAX_BYTES]; /* the last one */
	char headers[LINE_MAX_BYTES]; /* ... and what stands in front of its text */
	_Atomic unsigned connections;
	int stop[2];
};

static bool readable(const struct server *s, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};

	return poll(p, 2, -1) > 0 && !p[1].revents;
}

static bool receive(const struct server *s, int fd, char *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = readable(s, fd) ? recv(fd, to + at, len - at, 0) : 0;

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* Without its end. */
static bool receive_line(const struct server *s, int fd, char line[static LINE_MAX_BYTES])
{
	for (size_t len = 0; len < LINE_MAX_BYTES - 1; len++) {
		if (!receive(s, fd, line + len, 1))
			return false;
		if (line[len] == '\n') {
			line[len > 0 ? len - 1 : 0] = '\0';
			return true;
		}
	}
	return false;
}

static void say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void answer(const struct server *s, int fd, const char *to, const char *what)
{
	static const char nobody[] = "NATS/1.0 503\r\n\r\n";
	char headers[256] = "";
	char text[LINE_MAX_BYTES];

	if (!*what)
		return;
	if (strcmp(what, "503") == 0) {
		(void)snprintf(headers, sizeof headers, "%s", nobody);
		what = "";
	} else if (*what == '#') {
		(void)snprintf(headers, sizeof headers,
			"NATS/1.0\r\nNats-Stream: KV_lab\r\nNats-Subject: $KV.lab.k7\r\n"
			"Nats-Sequence: %.*s\r\nNats-Time-Stamp: 2026-01-01T00:00:00Z\r\n\r\n",
			(int)strcspn(what + 1, " "), what + 1);
		what = strchr(what, ' ') + 1;
	}
	if (*headers)
		(void)snprintf(text, sizeof text, "HMSG %s %s %zu %zu\r\n%s%s\r\n", to, s->inbox,
			strlen(headers), strlen(headers) + strlen(what), headers, what);
	else
		(void)snprintf(text, sizeof text, "MSG %s %s %zu\r\n%s\r\n", to, s->inbox,
			strlen(what), what);
	say(fd, text);
}

/* "PUB subject reply bytes", "HPUB subject reply header-bytes bytes", then these. */
static bool serve_request(struct server *s, int fd, const char *line)
{
	bool headers = line[0] == 'H';
	char subject[128], reply[128], text[LINE_MAX_BYTES];
	unsigned head = 0, all = 0;
	const struct play *play;
	int got = headers ? sscanf(line, "HPUB %127s %127s %u %u", subject, reply, &head, &all)
			  : sscanf(line, "PUB %127s %127s %u", subject, reply, &all);

	if (got != (headers ? 4 : 3) || all + 2 > sizeof text || head > all ||
		!receive(s, fd, text, all + 2) || s->at == s->plays)
		return false;
	(void)snprintf(
		s->request, sizeof s->request, "%s %.*s", subject, (int)(all - head), text + head);
	(void)snprintf(s->headers, sizeof s->headers, "%.*s", (int)head, text);
	play = &s->play[s->at++];
	answer(s, fd, reply, play->answer);
	return !play->hang_up;
}

/* Return: when the client hangs up, or is hung up on. */
static void serve(struct server *s, int fd)
{
	struct pollfd stop = {.fd = s->stop[0], .events = POLLIN};
	char line[LINE_MAX_BYTES];

	if (s->greets == GREETS_NOBODY) {
		(void)readable(s, fd);
		return;
	}
	if (s->greets == GREETS_LATE)
		(void)poll(&stop, 1, SHORT_NS / NS_PER_MS / 2);
	say(fd, "INFO {\"server_id\":\"x\",\"version\":\"2.9.10\",\"proto\":1,\"headers\":true,"
		"\"max_payload\":1048576}\r\n");
	while (receive_line(s, fd, line)) {
		if (s->greets == GREETS_LATE)
			continue;
		if (strncmp(line, "PING", 4) == 0)
			say(fd, "PONG\r\n");
		else if (strncmp(line, "SUB ", 4) == 0)
			(void)snprintf(s->inbox, sizeof s->inbox, "%.7s", strrchr(line, ' ') + 1);
		else if (strstr(line, "PUB ") && !serve_request(s, fd, line))
			return;
	}
}

static void *server_main(void *arg)
{
	struct server *s = arg;

	while (readable(s, s->fd)) {
		int fd = accept(s->fd, NULL, NULL);

		s->connections++;
		serve(s, fd);
		close(fd);
	}
	return NULL;
}

static void start(struct server *s, enum greets greets, const struct play *play, unsigned plays)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;

	*s = (struct server){.greets = greets, .play = play, .plays = plays};
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(s->fd, CONNECTIONS_MAX), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
	s->port = ntohs(addr.sin_port);
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->fd);
}

static struct driver *dial(uint16_t port, const char *settings)
{
	static uint32_t addr_be[3];
	const struct driver_target target = {
		.addr_be = addr_be, .nodes = 3, .port = port, .settings = settings};

	for (unsigned i = 0; i < 3; i++)
		addr_be[i] = htonl(INADDR_LOOPBACK + i);
	return need_driver("nats")->open(&target);
}

enum request { READ, WRITE, CAS, MAKE };

static struct driver_result ask(struct driver *d, enum request what, uint64_t timeout_ns)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	struct driver_result r;

	memset(&r, 0xff, sizeof r);
	if (what == READ)
		d->ops->read(d, 7, deadline_ns, &r);
	else if (what == WRITE)
		d->ops->write(d, 7, 42, deadline_ns, &r);
	else
		d->ops->cas(d, 7, what == CAS ? 41 : 0, 42, deadline_ns, &r);
	return r;
}

struct outcome {
	enum request what;
	struct play play[2]; /* a compare-and-set asks twice */
	enum history_type outcome;
	enum history_error error;
	uint64_t value;
};

/* Then one more request is answered: late answers and the end of a connection meet nobody. */
static void assert_outcomes(const char *settings, const struct outcome *o, size_t n)
{
	for (size_t i = 0; i < n; i++, o++) {
		unsigned first = o->play[1].answer ? 2 : 1;
		struct play plays[3] = {o->play[0], {ACK, false}, {ACK, false}};
		struct driver_result r;
		struct driver *d;
		struct server s;

		if (first == 2)
			plays[1] = o->play[1];
		start(&s, GREETS, plays, first + 1);
		d = dial(s.port, settings);
		d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
		r = ask(d, o->what, o->error == HISTORY_TIMEOUT ? SHORT_NS : PATIENCE_NS);
		if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
			fail_msg("request %d answer '%s': outcome %d error %d value %llu", o->what,
				plays[first - 1].answer, r.outcome, r.error,
				(unsigned long long)r.value);
		assert_int_equal(s.at, first);
		r = ask(d, WRITE, PATIENCE_NS);
		assert_int_equal(r.outcome, HISTORY_OK);
		d->ops->close(d);
		stop(&s);
	}
}

static void nats__maps_every_answer_to_its_outcome(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {{FOUND(3, "NDI="), 0}}, HISTORY_OK, 0, 42},
		{READ, {{NOTHING, 0}}, HISTORY_OK, 0, 0},
		{READ, {{FOUND(3, "eA=="), 0}}, HISTORY_FAIL, HISTORY_OTHER, 0},
		{READ, {{ERROR(10059), 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {{"503", 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {{"", 0}}, HISTORY_FAIL, HISTORY_TIMEOUT, 0},
		{READ, {{"", 1}}, HISTORY_FAIL, HISTORY_CLOSED, 0},
		{WRITE, {{ACK, 0}}, HISTORY_OK, 0, 0},
		{WRITE, {{"503", 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{WRITE, {{ERROR(10008), 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{WRITE, {{ERROR(10009), 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{CAS, {{FOUND(3, "NDE="), 0}, {ACK, 0}}, HISTORY_OK, 0, 0},
		{CAS, {{FOUND(3, "NDE="), 0}, {ERROR(10071), 0}}, HISTORY_OK, HISTORY_UNMET, 0},
		{CAS, {{FOUND(3, "NDI="), 0}}, HISTORY_OK, HISTORY_UNMET, 0},
		{CAS, {{NOTHING, 0}}, HISTORY_OK, HISTORY_UNMET, 0},
		/* Only a question was sent. */
		{CAS, {{"", 0}}, HISTORY_FAIL, HISTORY_TIMEOUT, 0},
		{CAS, {{"503", 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{CAS, {{FOUND(3, "NDE="), 0}, {"503", 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{MAKE, {{NOTHING, 0}, {ACK, 0}}, HISTORY_OK, 0, 0},
		{MAKE, {{NOTHING, 0}, {ERROR(10071), 0}}, HISTORY_OK, HISTORY_UNMET, 0},
	};

	(void)state;
	assert_outcomes("", outcomes, sizeof outcomes / sizeof *outcomes);
}

static void nats__takes_what_may_have_happened_for_unknown(void **state)
{
	static const struct outcome outcomes[] = {
		{WRITE, {{"", 0}}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0},
		{WRITE, {{"", 1}}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0},
		{WRITE, {{ERROR(10077), 0}}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0},
		{WRITE, {{ERROR(10052), 0}}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0},
		{WRITE, {{ERROR(10023), 0}}, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0},
		{CAS, {{FOUND(3, "NDE="), 0}, {"", 0}}, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0},
		{CAS, {{FOUND(3, "NDE="), 0}, {"", 1}}, HISTORY_UNKNOWN, HISTORY_CLOSED, 0},
		{CAS, {{FOUND(3, "NDE="), 0}, {ERROR(10077), 0}}, HISTORY_UNKNOWN,
			HISTORY_UNCERTAIN, 0},
	};

	(void)state;
	assert_outcomes("", outcomes, sizeof outcomes / sizeof *outcomes);
}

static void nats__reads_any_copy_if_told_so(void **state)
{
	static const struct outcome outcomes[] = {
		{READ, {{"#3 42", 0}}, HISTORY_OK, 0, 42},
		{READ, {{"503", 0}}, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{READ, {{"", 0}}, HISTORY_FAIL, HISTORY_TIMEOUT, 0},
		/* What a compare-and-set expects is the leader's to say. */
		{CAS, {{FOUND(3, "NDE="), 0}, {ACK, 0}}, HISTORY_OK, 0, 0},
	};

	(void)state;
	assert_outcomes("reads=direct", outcomes, sizeof outcomes / sizeof *outcomes);
}

static void nats__says_each_operation_in_its_own_subject(void **state)
{
	static const struct play plays[] = {
		{FOUND(3, "NDE="), 0}, {ACK, 0}, {FOUND(3, "NDE="), 0}, {ACK, 0}};
	struct driver *d;
	struct server s;

	(void)state;
	start(&s, GREETS, plays, 4);
	d = dial(s.port, "");
	assert_int_equal(ask(d, READ, PATIENCE_NS).value, 41);
	assert_string_equal(
		s.request, "$JS.API.STREAM.MSG.GET.KV_lab {\"last_by_subj\":\"$KV.lab.k7\"}");
	assert_int_equal(ask(d, WRITE, PATIENCE_NS).outcome, HISTORY_OK);
	assert_string_equal(s.request, "$KV.lab.k7 42");
	assert_int_equal(ask(d, CAS, PATIENCE_NS).outcome, HISTORY_OK);
	assert_string_equal(s.request, "$KV.lab.k7 42");
	assert_non_null(strstr(s.headers, "Nats-Expected-Last-Subject-Sequence: 3\r\n"));
	assert_int_equal(s.connections, 1);
	d->ops->close(d);
	stop(&s);
}

static void nats__without_a_connection_nothing_was_sent(void **state)
{
	(void)state;
	/* Nobody listens, nobody answers, half of an answer. */
	for (int greets = GREETS; greets <= GREETS_LATE; greets++) {
		struct driver *d;
		struct server s;

		start(&s, (enum greets)greets, NULL, 0);
		if (greets == GREETS)
			stop(&s);
		d = dial(s.port, "");
		for (int what = READ; what <= MAKE; what++) {
			uint64_t begin = clock_now_ns();
			struct driver_result r = ask(d, (enum request)what, SHORT_NS);

			assert_int_equal(r.outcome, HISTORY_FAIL);
			assert_int_equal(r.error, HISTORY_CONNECT);
			assert_true(clock_now_ns() - begin < NS_PER_S);
		}
		d->ops->close(d);
		if (greets != GREETS)
			stop(&s);
	}
}

static void nats__tells_what_the_stream_says_of_its_leader(void **state)
{
#define INFO(leader, a, b) \
	"{\"config\":{\"name\":\"KV_lab\",\"num_replicas\":3},\"state\":{},\"cluster\":{\"name\":" \
	"\"lab\",\"leader\":\"" leader "\",\"replicas\":[{\"name\":\"n2\"," a \
	"},{\"name\":\"n3\"," b "}]}}"
#define CURRENT "\"current\":true,\"active\":1"
	static const struct {
		const char *answer;
		struct driver_status status;
	} cases[] = {
		{INFO("n1", CURRENT, CURRENT), {true, true, 0, 0, "leader"}},
		{INFO("n3", CURRENT, CURRENT), {true, false, 2, 0, "follower"}},
		{INFO("n1", CURRENT, "\"current\":false,\"active\":1"),
			{false, true, 0, 0, "leader"}},
		{INFO("n1", "\"current\":true,\"offline\":true,\"active\":1", CURRENT),
			{false, true, 0, 0, "leader"}},
		{INFO("n9", CURRENT, CURRENT), {false, false, -1, 0, "follower"}},
		{ERROR(10059), {false, false, -1, 0, "without a stream"}},
		{"503", {false, false, -1, 0, "without a leader"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct play play = {cases[i].answer, false};
		struct driver_status said;
		struct driver *d;
		struct server s;

		start(&s, GREETS, &play, 1);
		d = dial(s.port, "");
		assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &said), 0);
		assert_string_equal(said.role, cases[i].status.role);
		assert_true(said.ready == cases[i].status.ready);
		assert_true(said.leads == cases[i].status.leads);
		assert_int_equal(said.leader, cases[i].status.leader);
		d->ops->close(d);
		stop(&s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nats__maps_every_answer_to_its_outcome),
		cmocka_unit_test(nats__takes_what_may_have_happened_for_unknown),
		cmocka_unit_test(nats__reads_any_copy_if_told_so),
		cmocka_unit_test(nats__says_each_operation_in_its_own_subject),
		cmocka_unit_test(nats__without_a_connection_nothing_was_sent),
		cmocka_unit_test(nats__tells_what_the_stream_says_of_its_leader),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("nats_driver", tests, NULL, NULL);
}
