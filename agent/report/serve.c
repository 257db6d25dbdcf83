/* SPDX-License-Identifier: MIT */
/*
 * serve.c - a folder of results in a browser: requests and answers
 *
 * The library is looked up when it is wanted: linked, it and the twelve that it needs would be
 * loaded by every process of every lab.
 */
#include "agent/report/serve.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIBRARY "libmicrohttpd.so.12"
#define URL_MAX 1024

#define FUNCTIONS(F) \
	F(start_daemon) \
	F(stop_daemon) \
	F(get_daemon_info) \
	F(lookup_connection_value) \
	F(create_response_from_buffer) \
	F(create_response_from_fd64) \
	F(add_response_header) \
	F(queue_response) \
	F(destroy_response)

struct http {
#define F(name) __typeof__(&MHD_##name) name;
	FUNCTIONS(F)
#undef F
};

struct serve {
	struct http http;
	void *library;
	struct MHD_Daemon *daemon;
	int dir;
	char name[256];
	uint16_t port;
};

static const struct {
	const char *name;
	const char *type;
} kinds[] = {{"report.html", "text/html; charset=utf-8"}, {"results.json", "application/json"},
	{"compare.json", "application/json"}, {"costs.json", "application/json"},
	{"compare.csv", "text/csv; charset=utf-8"}, {"costs.csv", "text/csv; charset=utf-8"},
	{"plan.txt", "text/plain; charset=utf-8"}, {"witness.svg", "image/svg+xml"},
	{"history.bin", "application/octet-stream"}};

const char *serve_kind(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].type;
	return NULL;
}

int serve_open(int dir, const char *path)
{
	/* Not to wait for what is no file after all. */
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

static bool host_is(const char *host, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(host, name, len) != 0)
		return false;
	if (host[len] == '\0')
		return true;
	/* Any port: it may have been forwarded. */
	return host[len] == ':' && host[len + 1 + strspn(host + len + 1, "0123456789")] == '\0';
}

static bool host_allowed(const char *host)
{
	return host &&
	       (host_is(host, "127.0.0.1") || host_is(host, "localhost") || host_is(host, "[::1]"));
}

/* Names with slashes between and perhaps behind them, none of them hidden. */
static bool path_allowed(const char *url)
{
	unsigned depth = 0;

	if (url[0] != '/' || strlen(url) >= URL_MAX)
		return false;
	for (const char *c = url; *c; c++) {
		if ((unsigned char)*c < ' ')
			return false;
		if (*c == '/' && c[1]) {
			depth++;
			if (c[1] == '/' || c[1] == '.')
				return false;
		}
	}
	return depth <= SERVE_DEPTH_MAX;
}

/* Nothing of what is served may run, be framed, or be fetched by a page from elsewhere. */
static enum MHD_Result answer(const struct serve *s, struct MHD_Connection *to, unsigned status,
	const char *type, struct MHD_Response *response)
{
	const char *const headers[][2] = {{"Content-Type", type},
		{"Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		{"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"}, {"Cache-Control", "no-cache"}};
	enum MHD_Result rc = MHD_NO;

	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		(void)s->http.add_response_header(response, headers[i][0], headers[i][1]);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)s->http.add_response_header(response, "Allow", "GET, HEAD");
	rc = s->http.queue_response(to, status, response);
	s->http.destroy_response(response);
	return rc;
}

static enum MHD_Result refuse(
	const struct serve *s, struct MHD_Connection *to, unsigned status, const char *words)
{
	return answer(s, to, status, "text/plain; charset=utf-8",
		s->http.create_response_from_buffer(
			strlen(words), (void *)words, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result answer_index(
	const struct serve *s, struct MHD_Connection *to, int dir, const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out)
		serve_index(dir, path[0] ? path : s->name, path[0], out);
	if (!out || fclose(out)) {
		free(text);
		return refuse(s, to, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	}
	return answer(s, to, MHD_HTTP_OK, "text/html; charset=utf-8",
		s->http.create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE));
}

/* The same path with a slash behind it: links of the page are relative. @url is what it was before
 * it was decoded but for its escapes, so they are put back. */
static enum MHD_Result redirect(const struct serve *s, struct MHD_Connection *to, const char *url)
{
	char location[3 * URL_MAX + 2];
	struct MHD_Response *response;
	size_t n = 0;

	for (const char *c = url; *c; c++) {
		bool plain = *c == '/' || strchr("-._~", *c) || (*c >= '0' && *c <= '9') ||
			     (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

		n += (size_t)snprintf(location + n, sizeof location - n, plain ? "%c" : "%%%02X",
			(unsigned char)*c);
	}
	(void)snprintf(location + n, sizeof location - n, "/");
	response = s->http.create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	if (response)
		(void)s->http.add_response_header(response, "Location", location);
	return answer(s, to, MHD_HTTP_MOVED_PERMANENTLY, "text/plain", response);
}

static enum MHD_Result answer_path(
	const struct serve *s, struct MHD_Connection *to, const char *url)
{
	const char *path = url[1] ? url + 1 : ".";
	const char *name = strrchr(url, '/') + 1;
	const char *type = serve_kind(name);
	int fd = serve_open(s->dir, path);
	enum MHD_Result rc;
	struct stat st = {0};

	if (fd < 0)
		return refuse(s, to, MHD_HTTP_NOT_FOUND, "there is no such run or file\n");
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && type)
		/* It closes the file. */
		return answer(s, to, MHD_HTTP_OK, type,
			s->http.create_response_from_fd64((uint64_t)st.st_size, fd));
	if (!S_ISDIR(st.st_mode))
		rc = refuse(s, to, MHD_HTTP_NOT_FOUND, "there is no such run or file\n");
	else if (name[0])
		rc = redirect(s, to, url);
	else
		rc = answer_index(s, to, fd, url + 1);
	(void)close(fd);
	return rc;
}

/* Called by the library when the headers of a request are there. What its body may have is not
 * waited for: the connection is closed behind the answer. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *to, const char *url,
	const char *method, const char *version, const char *body, size_t *size, void **state)
{
	const struct serve *s = self;

	(void)version;
	(void)body;
	(void)size;
	(void)state;
	if (!host_allowed(s->http.lookup_connection_value(to, MHD_HEADER_KIND, "Host")))
		return refuse(s, to, MHD_HTTP_MISDIRECTED_REQUEST,
			"this is 127.0.0.1 and has no other name\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return refuse(s, to, MHD_HTTP_METHOD_NOT_ALLOWED, "read only\n");
	if (!path_allowed(url))
		return refuse(s, to, MHD_HTTP_NOT_FOUND, "there is no such run or file\n");
	return answer_path(s, to, url);
}

static int library_open(struct serve *s, struct err *err)
{
	s->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!s->library)
		return err_set(err, -ENOENT, EXIT_CANNOT_RUN,
			"%s is missing: apt-get install libmicrohttpd12", LIBRARY);
		/* A function's address by way of an object's, as POSIX has it for dlsym(). */
#define F(function) *(void **)(&s->http.function) = dlsym(s->library, "MHD_" #function);
	FUNCTIONS(F)
#undef F
#define F(function) \
	if (!s->http.function) \
		return err_set(err, -ENOSYS, EXIT_CANNOT_RUN, LIBRARY " has no MHD_" #function);
	FUNCTIONS(F)
#undef F
	return 0;
}

static int daemon_start(struct serve *s, uint16_t port, struct err *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	const union MHD_DaemonInfo *info;

	errno = 0;
	/* Not with epoll: there 0.9.75 misses now and then that the other side has closed. */
	s->daemon = s->http.start_daemon(MHD_USE_POLL_INTERNAL_THREAD, port, NULL, NULL, on_request,
		s, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)SERVE_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)SERVE_IDLE_SECONDS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)SERVE_REQUEST_BYTES_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!s->daemon)
		return err_set(err, errno ? -errno : -EIO, EXIT_USAGE,
			"listen on 127.0.0.1:%u: %s; --port 0 takes one that is free", port,
			strerror(errno ? errno : EIO));
	info = s->http.get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
	s->port = info ? info->port : port;
	return 0;
}

int serve_start(struct serve **ret, const char *dir, uint16_t port, struct err *err)
{
	struct serve *s = calloc(1, sizeof *s);
	int rc = 0;

	if (!s)
		return err_sys(err, -ENOMEM, "serve %s", dir);
	(void)snprintf(s->name, sizeof s->name, "%s", dir);
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		rc = err_set(err, -errno, EXIT_USAGE, "open %s: %s", dir, strerror(errno));
	if (!rc)
		rc = library_open(s, err);
	if (!rc)
		rc = daemon_start(s, port, err);
	if (rc) {
		serve_stop(s);
		return rc;
	}
	*ret = s;
	return 0;
}

uint16_t serve_port(const struct serve *s)
{
	return s->port;
}

void serve_stop(struct serve *s)
{
	if (!s)
		return;
	if (s->daemon)
		s->http.stop_daemon(s->daemon);
	if (s->library)
		(void)dlclose(s->library);
	if (s->dir >= 0)
		(void)close(s->dir);
	free(s);
}
