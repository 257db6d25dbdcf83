/* SPDX-License-Identifier: MIT */
/* serve_test.c - results in a browser: what is served, and to whom; and what is not, however it is
 * asked for */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/prng.h"
#include "agent/report/serve.h"
#include "tests/lib/test.h"

#define ANSWER_MAX 65536
#define WAIT_MS 5000
#define RANDOM_REQUESTS 500
#define SECRET "this-is-not-for-you"

struct world {
	char dir[64];
	struct serve *serve;
};

static void put_file(const struct world *w, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", w->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void put_dir(const struct world *w, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", w->dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* A secret beside the folder, in it under a name that is not served, and behind links. */
static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	char path[256];
	struct err err = {0};

	assert_non_null(w);
	(void)snprintf(w->dir, sizeof w->dir, "/tmp/pacelab-serve-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	put_file(w, "results.json", SECRET);
	put_dir(w, "results");
	put_dir(w, "results/one");
	put_dir(w, "results/a run <b>");
	put_dir(w, "results/.hidden");
	put_dir(w, "results/empty");
	put_file(w, "results/one/results.json", "{\"one\": 1}");
	put_dir(w, "results/known");
	put_file(w, "results/known/results.json",
		"{\"lab\": \"<cap>\", \"store\": \"raft\", \"verdict\": {\"pacelc\": \"PC/EC\"}, "
		"\"status\": 1}");
	put_dir(w, "results/several");
	put_dir(w, "results/several/seed 7");
	put_file(w, "results/several/seed 7/results.json", "{}");
	put_dir(w, "results/empty/deep");
	put_dir(w, "results/empty/deep/deeper");
	put_file(w, "results/empty/deep/deeper/results.json", "{}");
	put_file(w, "results/one/report.html", "<!DOCTYPE html><title>one</title>");
	put_file(w, "results/one/supervisor.log", SECRET);
	put_file(w, "results/.hidden/results.json", SECRET);
	put_file(w, "results/a run <b>/results.json", "{}");
	(void)snprintf(path, sizeof path, "%s/results/one/witness.svg", w->dir);
	assert_int_equal(symlink("../../results.json", path), 0);
	(void)snprintf(path, sizeof path, "%s/results/linked", w->dir);
	assert_int_equal(symlink("..", path), 0);
	(void)snprintf(path, sizeof path, "%s/results/one/plan.txt", w->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(path, sizeof path, "%s/results", w->dir);
	if (serve_start(&w->serve, path, 0, &err))
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	serve_stop(w->serve);
	assert_int_equal(nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(w);
	return 0;
}

static int dial(const struct world *w)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(serve_port(w->serve)),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* All that comes until the end of the connection or @wait_ms without a byte. */
static size_t hear(int fd, char *answer, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	while (n < ANSWER_MAX - 1 && poll(&p, 1, wait_ms) > 0) {
		ssize_t got = read(fd, answer + n, ANSWER_MAX - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	answer[n] = '\0';
	return n;
}

static void send_bytes(int fd, const char *bytes, size_t size)
{
	/* It may close the connection before it has heard all. */
	while (size > 0) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		size -= (size_t)sent;
	}
}

/* Static: valid until the next one. */
static const char *ask(const struct world *w, const char *request)
{
	static char answer[ANSWER_MAX];
	int fd = dial(w);

	send_bytes(fd, request, strlen(request));
	(void)hear(fd, answer, WAIT_MS);
	(void)close(fd);
	return answer;
}

static const char *get(const struct world *w, const char *path)
{
	char request[1200];

	(void)snprintf(request, sizeof request,
		"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n\r\n", path,
		serve_port(w->serve));
	return ask(w, request);
}

static void assert_has(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("no \"%s\" in\n%s", want, text);
}

static void assert_status(const char *answer, const char *want)
{
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, want, 3) != 0)
		fail_msg("not %s:\n%.200s", want, answer);
	if (strstr(answer, SECRET))
		fail_msg("what is not served, is:\n%s", answer);
}

static void serve__lists_the_runs(void **state)
{
	const char *page = get(*state, "/");

	assert_status(page, "200");
	assert_has(page, "\r\nContent-Type: text/html; charset=utf-8\r\n");
	assert_has(page, "<a href=\"one/report.html\">");
	assert_has(page, "<a href=\"a%20run%20%3Cb%3E/\">a run &lt;b&gt;</a>");
	assert_has(page, "<a href=\"several/seed%207/\">several/seed 7</a>");
	assert_has(page, "<td class=\"t\">PC/EC</td><td class=\"t bad\">violated</td>"
			 "<td class=\"t\">&lt;cap&gt;</td><td class=\"t\">raft</td>");
	assert_null(strstr(page, "hidden"));
	assert_null(strstr(page, "linked"));
	assert_null(strstr(page, "empty"));
	assert_null(strstr(page, "supervisor.log"));
}

static void serve__has_the_files_of_a_run(void **state)
{
	const char *answer = get(*state, "/one/results.json");

	assert_status(answer, "200");
	assert_has(answer, "\r\nContent-Type: application/json\r\n");
	assert_has(answer, "\r\nX-Content-Type-Options: nosniff\r\n");
	assert_has(answer, "\r\nContent-Security-Policy: default-src 'none'; ");
	assert_has(answer, "{\"one\": 1}");
	assert_has(get(*state, "/one/report.html"), "<title>one</title>");
	assert_status(get(*state, "/a%20run%20%3Cb%3E/results.json"), "200");
	assert_has(get(*state, "/one/"), "<a href=\"results.json\">");
}

static void serve__sends_a_folder_to_its_slash(void **state)
{
	const char *answer = get(*state, "/a%20run%20%3Cb%3E");

	assert_status(answer, "301");
	assert_has(answer, "\r\nLocation: /a%20run%20%3Cb%3E/\r\n");
}

static void serve__answers_head_without_a_body(void **state)
{
	const char *answer = ask(*state, "HEAD /one/results.json HTTP/1.1\r\n"
					 "Host: localhost:1\r\nConnection: close\r\n\r\n");

	assert_status(answer, "200");
	assert_has(answer, "Content-Length: 10");
	assert_null(strstr(answer, "{\"one\""));
}

static void serve__has_nothing_else(void **state)
{
	static const char *const paths[] = {"/../results.json", "/%2e%2e/results.json",
		"/..%2fresults.json", "/one/../../results.json", "/one/%2e%2e/%2e%2e/results.json",
		"//etc/passwd", "/%2fetc%2fpasswd", "/.hidden/results.json", "/.hidden/",
		"/one/supervisor.log", "/one/witness.svg", "/one/plan.txt", "/linked/results.json",
		"/linked/", "/results.json", "/one/results.json/", "/one/results.json%00.html",
		"/one/results.json/.", "/one/./results.json", "/one//results.json",
		"/nobody/results.json", "/one/%0d%0aSet-Cookie:x", "/a/b/c/d/e/f/results.json",
		"http://127.0.0.1/one/results.json", "one/results.json", "/one\\results.json",
		"/%c0%ae%c0%ae/results.json", "/proc/self/environ", "/one/%", "/one/%zz"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		const char *answer = get(*state, paths[i]);

		/* A NUL ends a path for the library; then it is that of a file that is served. */
		if (strstr(paths[i], "%00"))
			assert_null(strstr(answer, SECRET));
		else if (strncmp(answer, "HTTP/1.1 404", 12) != 0 &&
			 strncmp(answer, "HTTP/1.1 400", 12) != 0)
			fail_msg("%s is answered:\n%s", paths[i], answer);
	}
}

static void serve__is_for_this_machine_only(void **state)
{
	static const char *const hosts[] = {"evil.example", "127.0.0.1.evil.example",
		"localhost.evil.example:80", "evil.example:80", "127.0.0.1:80@evil.example", "",
		"127.0.0.2", "127.0.0.1:80:90", "127.0.0.1 evil.example"};
	char request[256];

	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		(void)snprintf(request, sizeof request,
			"GET /one/results.json HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
			hosts[i]);
		assert_status(ask(*state, request), "421");
	}
	assert_status(ask(*state, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), "400");
	assert_status(
		ask(*state, "GET / HTTP/1.1\r\nHost: LOCALHOST:9\r\nConnection: close\r\n\r\n"),
		"200");
}

static void serve__is_read_only(void **state)
{
	static const char *const methods[] = {
		"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X"};
	char request[256];

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		const char *answer;

		(void)snprintf(request, sizeof request,
			"%s /one/results.json HTTP/1.1\r\nHost: localhost\r\n"
			"Content-Length: 5\r\n\r\nhello",
			methods[i]);
		answer = ask(*state, request);
		assert_status(answer, "405");
		assert_has(answer, "\r\nAllow: GET, HEAD\r\n");
	}
}

static void serve__refuses_requests_that_are_too_long(void **state)
{
	char *request = malloc(4 * SERVE_REQUEST_BYTES_MAX);
	const struct world *w = *state;
	char answer[ANSWER_MAX];
	int fd = dial(w);

	assert_non_null(request);
	memset(request, 'a', 4 * SERVE_REQUEST_BYTES_MAX);
	memcpy(request, "GET /", 5);
	send_bytes(fd, request, 4 * SERVE_REQUEST_BYTES_MAX);
	(void)hear(fd, answer, WAIT_MS);
	/* It may be cut off before it has read the answer. */
	assert_true(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 4", 10) == 0);
	(void)close(fd);
	memset(request, 'a', 2048);
	memcpy(request, "/one/", 5);
	request[2047] = '\0';
	(void)snprintf(
		answer, sizeof answer, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", request);
	fd = dial(w);
	send_bytes(fd, answer, strlen(answer));
	assert_status((hear(fd, answer, 500), answer), "404");
	(void)close(fd);
	free(request);
	assert_status(get(w, "/"), "200");
}

/* As many connections as it has, each with half a request: one more waits until one of them ends.
 */
static void serve__has_a_limit_of_connections(void **state)
{
	static const char request[] =
		"GET /one/results.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	const struct world *w = *state;
	int fd[SERVE_CONNECTIONS_MAX];
	char answer[ANSWER_MAX];
	struct pollfd more = {.events = POLLIN};

	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
		fd[i] = dial(w);
		send_bytes(fd[i], request, 5);
	}
	more.fd = dial(w);
	send_bytes(more.fd, request, sizeof request - 1);
	assert_int_equal(poll(&more, 1, 200), 0);
	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
		(void)close(fd[i]);
	assert_true(hear(more.fd, answer, WAIT_MS) > 0);
	assert_status(answer, "200");
	(void)close(more.fd);
}

/* Seeded nonsense, most of it nearly a request. */
static void serve__survives_nonsense(void **state)
{
	static const char *const parts[] = {"GET ", "/", "..", "one", "results.json", "%2e", "%2f",
		" HTTP/1.1\r\n", "Host: localhost\r\n", "Host:", "\r\n", "\r\n\r\n", "\0", "%",
		"\n", "Content-Length: 99999999999999999999\r\n", "Transfer-Encoding: chunked\r\n",
		"Range: bytes=0-1\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n", "?",
		"#", " ", "\t", "\xff", "http://", "HTTP/0.9", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
	const struct world *w = *state;
	char answer[ANSWER_MAX];
	struct prng random;

	prng_init(&random, 7, 0);
	for (unsigned i = 0; i < RANDOM_REQUESTS; i++) {
		int fd = dial(w);

		send_bytes(fd, "GET /", prng_below(&random, 6));
		for (uint64_t n = prng_below(&random, 12); n > 0; n--) {
			const char *part = parts[prng_below(&random, sizeof parts / sizeof *parts)];

			send_bytes(fd, part, part[0] ? strlen(part) : 1);
		}
		(void)shutdown(fd, SHUT_WR);
		(void)hear(fd, answer, WAIT_MS);
		assert_null(strstr(answer, SECRET));
		(void)close(fd);
	}
	assert_status(get(w, "/one/results.json"), "200");
}

static void serve__refuses_a_port_that_is_taken(void **state)
{
	const struct world *w = *state;
	struct serve *second = NULL;
	struct err err = {0};

	assert_int_equal(serve_start(&second, w->dir, serve_port(w->serve), &err), -EADDRINUSE);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_has(err.text, "--port 0");
	assert_null(second);
	assert_int_equal(serve_start(&second, "/nowhere/at/all", 0, &err), -ENOENT);
	assert_has(err.text, "/nowhere/at/all");
}

#define SERVE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVE_TEST(serve__lists_the_runs),
		SERVE_TEST(serve__has_the_files_of_a_run),
		SERVE_TEST(serve__sends_a_folder_to_its_slash),
		SERVE_TEST(serve__answers_head_without_a_body),
		SERVE_TEST(serve__has_nothing_else),
		SERVE_TEST(serve__is_for_this_machine_only),
		SERVE_TEST(serve__is_read_only),
		SERVE_TEST(serve__refuses_requests_that_are_too_long),
		SERVE_TEST(serve__has_a_limit_of_connections),
		SERVE_TEST(serve__survives_nonsense),
		SERVE_TEST(serve__refuses_a_port_that_is_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
