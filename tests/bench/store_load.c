/* SPDX-License-Identifier: MIT */
/*
 * store_load.c - the same writes for any store: by RESP, or by HTTP for etcd's JSON gateway
 *
 *	store_load [--http] [--clients N] [--size BYTES] [--keys N] [--seconds S] [--rate N]
 *A:PORT...
 *
 * Connections are spread over the addresses. Each sends one SET (or POST /v3/kv/put), waits for
 * the answer and sends the next: at once, or with --rate so that all together send N per second;
 * then a latency counts from when the request was due, so a pause is not left out (Tene,
 * "How NOT to Measure Latency"). After a second of warming up, it counts.
 *
 * Prints: operations/s, median, p99 and longest latency in ms, errors. One thread, epoll; what it
 * costs by itself is printed as its share of a core.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/hist.h"
#include "agent/base/prng.h"

#define CLIENTS_MAX 1024
#define SIZE_MAX_BYTES 4096
#define REQUEST_MAX (4 * SIZE_MAX_BYTES + 512)
#define WARM_NS NS_PER_S

struct client {
	int fd;
	bool waiting;
	uint64_t since_ns; /* the request under way was due */
	uint64_t next_ns;  /* with --rate */
	size_t len;        /* of the answer so far */
	char answer[4096];
};

static struct {
	bool http;
	unsigned clients;
	unsigned size;
	unsigned keys;
	unsigned seconds;
	unsigned rate;
	int epoll;
	uint64_t begin_ns;
	uint64_t errors;
	struct prng prng;
	struct hist hist;
	struct client client[CLIENTS_MAX];
} load = {.clients = 64, .size = 16, .keys = 100000, .seconds = 5};

static void die(const char *what)
{
	fprintf(stderr, "store_load: %s: %s\n", what, strerror(errno));
	exit(70);
}

static size_t base64(const char *in, size_t n, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *p = out;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t word = (uint32_t)(uint8_t)in[i] << 16 |
				(i + 1 < n ? (uint32_t)(uint8_t)in[i + 1] << 8 : 0) |
				(i + 2 < n ? (uint8_t)in[i + 2] : 0);

		*p++ = digits[word >> 18];
		*p++ = digits[word >> 12 & 63];
		*p++ = i + 1 < n ? digits[word >> 6 & 63] : '=';
		*p++ = i + 2 < n ? digits[word & 63] : '=';
	}
	*p = '\0';
	return (size_t)(p - out);
}

static int build(char *out)
{
	char value[SIZE_MAX_BYTES + 1];
	char body[3 * SIZE_MAX_BYTES + 256], value64[2 * SIZE_MAX_BYTES], key64[64];
	char key[32];
	int len, n;

	n = snprintf(key, sizeof key, "key:%012llu",
		(unsigned long long)prng_below(&load.prng, load.keys));
	memset(value, 'x', load.size);
	value[load.size] = '\0';
	if (!load.http)
		return snprintf(out, REQUEST_MAX, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%u\r\n%s\r\n",
			n, key, load.size, value);
	(void)base64(key, (size_t)n, key64);
	(void)base64(value, load.size, value64);
	len = snprintf(body, sizeof body, "{\"key\":\"%s\",\"value\":\"%s\"}", key64, value64);
	return snprintf(out, REQUEST_MAX,
		"POST /v3/kv/put HTTP/1.1\r\nHost: etcd\r\nContent-Type: application/json\r\n"
		"Content-Length: %d\r\n\r\n%s",
		len, body);
}

static void request(struct client *c, uint64_t due_ns)
{
	char text[REQUEST_MAX];
	int n = build(text);

	c->since_ns = due_ns;
	c->waiting = true;
	c->len = 0;
	if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
}

/* Whether the answer is whole; *ret_good: it is what a put that was done gets. */
static bool whole(struct client *c, bool *ret_good)
{
	const char *body, *length;

	c->answer[c->len] = '\0';
	if (!load.http) {
		*ret_good = c->answer[0] == '+';
		return c->len > 0 && c->answer[c->len - 1] == '\n';
	}
	body = strstr(c->answer, "\r\n\r\n");
	length = strcasestr(c->answer, "content-length:");
	*ret_good = strncmp(c->answer, "HTTP/1.1 200", 12) == 0;
	return body && length &&
	       c->len - (size_t)(body + 4 - c->answer) >= strtoul(length + 15, NULL, 10);
}

static void answered(struct client *c, bool good)
{
	uint64_t now = clock_now_ns();

	c->waiting = false;
	load.errors += !good;
	if (good && now > load.begin_ns + WARM_NS)
		hist_add(&load.hist, now - c->since_ns);
	if (!load.rate) {
		request(c, now);
		return;
	}
	c->next_ns += NS_PER_S * load.clients / load.rate;
	if (c->next_ns <= now)
		request(c, c->next_ns);
}

static void readable(struct client *c)
{
	ssize_t n = recv(c->fd, c->answer + c->len, sizeof c->answer - 1 - c->len, MSG_DONTWAIT);
	bool good;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die(n ? "recv" : "the server has closed the connection");
	c->len += (size_t)n;
	if (whole(c, &good))
		answered(c, good);
	else if (c->len == sizeof c->answer - 1)
		die("an answer too long");
}

static void dial(struct client *c, char *where)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	char *colon = strrchr(where, ':');
	char host[INET_ADDRSTRLEN];
	int one = 1;

	if (!colon || (size_t)(colon - where) >= sizeof host) {
		errno = EINVAL;
		die(where);
	}
	memcpy(host, where, (size_t)(colon - where));
	host[colon - where] = '\0';
	addr.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		die(where);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		die(where);
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
		die("epoll_ctl");
}

/* With --rate: send what is due. Return: milliseconds until the next. */
static int pace(uint64_t now)
{
	uint64_t next = now + 100 * NS_PER_MS;

	if (!load.rate)
		return 100;
	for (unsigned i = 0; i < load.clients; i++) {
		struct client *c = &load.client[i];

		if (!c->waiting && c->next_ns <= now)
			request(c, c->next_ns);
		else if (!c->waiting && c->next_ns < next)
			next = c->next_ns;
	}
	return (int)((next - now) / NS_PER_MS);
}

static void run(void)
{
	uint64_t end_ns = load.begin_ns + WARM_NS + load.seconds * NS_PER_S;
	struct epoll_event events[64];

	for (unsigned i = 0; i < load.clients; i++) {
		load.client[i].next_ns = load.begin_ns + (load.rate ? i * NS_PER_S / load.rate : 0);
		if (!load.rate)
			request(&load.client[i], load.begin_ns);
	}
	while (clock_now_ns() < end_ns) {
		int n = epoll_wait(load.epoll, events, 64, pace(clock_now_ns()));

		for (int i = 0; i < n; i++)
			readable(events[i].data.ptr);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: store_load [--http] [--clients N] [--size BYTES] [--keys N]\n"
			"       [--seconds S] [--rate N] A:PORT...\n");
	return 64;
}

static void report(void)
{
	struct rusage use;
	double cpu;

	(void)getrusage(RUSAGE_SELF, &use);
	cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	      (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
	printf("%.0f %.3f %.3f %.3f %llu %.2f\n", (double)load.hist.count / load.seconds,
		(double)hist_quantile(&load.hist, 0.5) / 1e6,
		(double)hist_quantile(&load.hist, 0.99) / 1e6, (double)load.hist.max / 1e6,
		(unsigned long long)load.errors, cpu / (load.seconds + 1));
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"http", no_argument, NULL, 'h'},
		{"clients", required_argument, NULL, 'c'}, {"size", required_argument, NULL, 's'},
		{"keys", required_argument, NULL, 'k'}, {"seconds", required_argument, NULL, 't'},
		{"rate", required_argument, NULL, 'r'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 1;

		switch (option) {
		case 'h':
			load.http = true;
			break;
		case 'c':
			load.clients = number;
			break;
		case 's':
			load.size = number;
			break;
		case 'k':
			load.keys = number;
			break;
		case 't':
			load.seconds = number;
			break;
		case 'r':
			load.rate = number;
			break;
		default:
			return usage();
		}
	}
	if (optind == argc || load.clients - 1 >= CLIENTS_MAX || load.size > SIZE_MAX_BYTES ||
		load.keys == 0 || load.seconds == 0)
		return usage();
	prng_init(&load.prng, clock_now_ns(), 1);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll < 0)
		die("epoll");
	for (unsigned i = 0; i < load.clients; i++)
		dial(&load.client[i], argv[optind + i % (unsigned)(argc - optind)]);
	load.begin_ns = clock_now_ns();
	run();
	report();
	return 0;
}
