/* SPDX-License-Identifier: MIT */
/*
 * http.c - one kept HTTP connection for drivers of stores that are asked in JSON
 *
 * We connect, libcurl speaks: an attempt to connect outlives the idle time in which it began, and
 * it is known whether anything was sent. Invariants:
 *  1. libcurl is given each connection once and cannot open one, so it cannot send a request again
 *     (Curl_retry_request() would, whatever the method, when a kept connection ends without one
 *     byte of an answer).
 *  2. "sent" is set by libcurl's last call before it sends: as long as it is not, nothing was.
 *  3. After a request without a whole answer there is no connection.
 */
#include "agent/load/plugins/http.h"

#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/load/drivers/resp_link.h"

/* However long the connection was idle: only its end makes it useless. */
#define HTTP_IDLE_S_MAX 86400L

_Static_assert(HTTP_BASE64_MAX > (COMMON_KEY_MAX + 2) / 3 * 4, "Base64 of a key or a number");

struct http {
	struct resp_link link;
	bool given; /* to libcurl */
	bool sent;
	CURL *curl; /* NULL: to be made */
	struct curl_slist *headers;
	struct buf body;
	size_t header_bytes;
};

static void begin_libcurl(void)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_NOTHING);

	assert(code == CURLE_OK);
}

struct http *http_open(uint32_t addr_be, uint16_t port)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http *h = calloc(1, sizeof *h);

	assert(h);
	(void)pthread_once(&once, begin_libcurl);
	resp_link_init(&h->link, addr_be, port);
	return h;
}

static void hang_up(struct http *h)
{
	curl_easy_cleanup(h->curl); /* with its end of the connection */
	h->curl = NULL;
	resp_link_hang_up(&h->link);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	hang_up(h);
	resp_link_fini(&h->link);
	curl_slist_free_all(h->headers);
	buf_fini(&h->body);
	free(h);
}

/* What has ended in the meantime is not used: nothing would tell whether its request arrived. */
static bool be_open(struct http *h, uint64_t deadline_ns)
{
	resp_link_look(&h->link);
	if (h->link.state == RESP_LINK_CLOSED)
		hang_up(h);
	return resp_link_open(&h->link, deadline_ns);
}

void http_connect(struct http *h, uint64_t deadline_ns)
{
	(void)be_open(h, deadline_ns);
}

/*
 * What libcurl asks of us.
 */
static curl_socket_t give_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http *h = ctx;

	(void)purpose;
	(void)address;
	if (h->given || h->link.state != RESP_LINK_OPEN)
		return CURL_SOCKET_BAD;
	h->given = true;
	return fcntl(h->link.fd, F_DUPFD_CLOEXEC, 0); /* both look at it, both close theirs */
}

static int is_connected(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	(void)ctx;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static int close_socket(void *ctx, curl_socket_t fd)
{
	struct http *h = ctx;

	h->given = false;
	resp_link_hang_up(&h->link);
	return close(fd);
}

static int before_sending(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct http *h = ctx;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	if (h->sent)
		return CURL_PREREQFUNC_ABORT;
	h->sent = true;
	return CURL_PREREQFUNC_OK;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;

	(void)p;
	h->header_bytes += size * n;
	return h->header_bytes > HTTP_HEADERS_MAX ? 0 : size * n;
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;

	if (size * n > HTTP_BODY_MAX - h->body.len)
		return 0;
	buf_add(&h->body, p, size * n);
	return size * n;
}

static void be_ready(struct http *h)
{
	CURL *c;

	if (h->curl)
		return;
	if (!h->headers) {
		h->headers = curl_slist_append(NULL, "Content-Type: application/json");
		h->headers = curl_slist_append(h->headers, "Accept: application/json");
	}
	h->curl = c = curl_easy_init();
	assert(c && h->headers);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, ""); /* else the environment could name one */
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_MAXCONNECTS, 1L);
	curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, HTTP_IDLE_S_MAX);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, give_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, is_connected);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, h);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, before_sending);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, h);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
}

/*
 * Request and answer.
 */
static CURLcode perform(struct http *h, const struct http_request *r, int left_ms)
{
	char host[COMMON_ADDR_MAX];
	char url[HTTP_PATH_MAX + 32];

	be_ready(h);
	(void)snprintf(url, sizeof url, "http://%s:%u%s",
		common_addr(h->link.addr.sin_addr.s_addr, host), ntohs(h->link.addr.sin_port),
		r->path);
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	if (r->body) {
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(r->body));
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, r->body);
	} else {
		curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
	return curl_easy_perform(h->curl);
}

static enum history_error error_of(CURLcode code)
{
	if (code == CURLE_OPERATION_TIMEDOUT)
		return HISTORY_TIMEOUT;
	/* COULDNT_CONNECT: it would have sent the request again. */
	if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
		code == CURLE_PARTIAL_FILE || code == CURLE_COULDNT_CONNECT)
		return HISTORY_CLOSED;
	return HISTORY_OTHER;
}

long http_ask(struct http *h, const struct http_request *r, uint64_t deadline_ns,
	struct driver_result *ret)
{
	long status = 0;
	CURLcode code;
	int left_ms;

	assert(strlen(r->path) < HTTP_PATH_MAX);
	h->body.len = 0;
	h->header_bytes = 0;
	h->sent = false;
	common_fail(ret, HISTORY_CONNECT);
	if (!be_open(h, deadline_ns)) {
		hang_up(h); /* a new attempt sends a SYN at once, this one would wait to repeat */
		return 0;
	}
	left_ms = common_left_ms(deadline_ns);
	if (left_ms == 0) { /* libcurl would wait for ever */
		ret->error = HISTORY_TIMEOUT;
		return 0;
	}
	code = perform(h, r, left_ms);
	if (code == CURLE_OK)
		curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status > 0)
		return status;
	if (h->sent)
		common_lost(ret, r->reads, error_of(code));
	hang_up(h);
	return 0;
}

json_t *http_json(const struct http *h)
{
	return json_loadb((const char *)h->body.p, h->body.len, JSON_REJECT_DUPLICATES, NULL);
}

bool http_is(const struct http *h, const char *text)
{
	size_t len = h->body.len;

	while (len > 0 && isspace(h->body.p[len - 1]))
		len--;
	return len == strlen(text) && (len == 0 || memcmp(h->body.p, text, len) == 0);
}

bool http_says(const struct http *h, const char *text)
{
	return h->body.len > 0 && memmem(h->body.p, h->body.len, text, strlen(text)) != NULL;
}

void http_nonsense(struct http *h, bool reads, struct driver_result *ret)
{
	hang_up(h);
	common_lost(ret, reads, HISTORY_OTHER);
}

const char *http_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

bool http_number(const json_t *object, const char *name, uint64_t *ret)
{
	const char *text = http_text(object, name);

	return text && common_number(text, strlen(text), ret);
}

/*
 * Base64, RFC 4648.
 */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const char *http_base64(const char *text, char out[HTTP_BASE64_MAX])
{
	size_t len = strlen(text);
	char *to = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < n ? (unsigned char)text[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			*to++ = j <= n ? letters[bits >> (18 - 6 * j) & 63] : '=';
	}
	*to = '\0';
	return out;
}

const char *http_base64_number(uint64_t n, char out[HTTP_BASE64_MAX])
{
	char text[COMMON_KEY_MAX];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	return http_base64(text, out);
}

/* Values are short: what does not fit is none. Return: its length, or -EBADMSG. */
static int decode(const char *text, char out[COMMON_KEY_MAX])
{
	size_t len = strcspn(text, "="), n = 0;
	unsigned bits = 0, held = 0;

	if (strlen(text) % 4 != 0 || strlen(text) - len > 2)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		const char *letter = strchr(letters, text[i]);

		if (!letter || n == COMMON_KEY_MAX)
			return -EBADMSG;
		bits = (bits << 6 | (unsigned)(letter - letters)) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (char)(bits >> held);
		}
	}
	return (int)n;
}

bool http_base64_value(const char *text, uint64_t *ret)
{
	char out[COMMON_KEY_MAX];
	int len = text ? decode(text, out) : -EBADMSG;

	return len > 0 && common_number(out, (size_t)len, ret);
}
