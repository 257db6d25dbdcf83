/* SPDX-License-Identifier: MIT */
/*
 * http.h - one kept HTTP connection for drivers of stores that are asked in JSON
 *
 * One request, one outcome: libcurl would send a request once more when a kept connection ends
 * before the first byte of its answer; here it cannot, for it is given each connection only once.
 */
#ifndef LOAD_PLUGINS_HTTP_H
#define LOAD_PLUGINS_HTTP_H

#include <jansson.h>

#include "agent/base/buf.h"
#include "agent/load/plugins/common.h"

#define HTTP_BODY_MAX (256u << 10)
#define HTTP_HEADERS_MAX (16u << 10)
#define HTTP_PATH_MAX 256
#define HTTP_BASE64_MAX 36 /* of a key or a number, and a NUL */

struct http;

/**
 * struct http_request - what is asked
 * @method:	"GET"
 * @path:	begins with a slash, shorter than HTTP_PATH_MAX
 * @body:	NULL: none
 * @reads:	it changes nothing
 */
struct http_request {
	const char *method;
	const char *path;
	const char *body;
	bool reads;
};

/* http_open() - connects nowhere yet. Return: never NULL. http_close() takes NULL. */
struct http *http_open(uint32_t addr_be, uint16_t port);
void http_close(struct http *h);

/* http_connect() - have a connection by @deadline_ns if possible, notice one that ended. */
void http_connect(struct http *h, uint64_t deadline_ns);

/**
 * http_ask() - send one request, wait for its answer, of any status
 * @ret:	filled only if there is none: FAIL if nothing was sent or @r->reads, else UNKNOWN;
 *		the connection is closed
 * Return: the status, 200; 0: no answer.
 */
long http_ask(struct http *h, const struct http_request *r, uint64_t deadline_ns,
	struct driver_result *ret);

/* http_json() - the last answer's body, NULL if it is not a JSON object or array; to be freed. */
json_t *http_json(const struct http *h);

/* http_is() - the last answer's body is this, but for blanks behind it. http_says() - it is in
 * there.
 */
bool http_is(const struct http *h, const char *text);
bool http_says(const struct http *h, const char *text);

/* http_nonsense() - the answer is none that this request can have: close, fill *@ret. */
void http_nonsense(struct http *h, bool reads, struct driver_result *ret);

/* http_text() - the string at @name in @object, NULL if there is none. */
const char *http_text(const json_t *object, const char *name);

/* http_number() - a decimal that stands there as a string. Return: false if it is none. */
bool http_number(const json_t *object, const char *name, uint64_t *ret);

/* http_base64() - of a key. http_base64_number() - of a number's decimals. http_base64_value() -
 * the number again. Return: false if it is none; @text may be NULL. */
const char *http_base64(const char *text, char out[HTTP_BASE64_MAX]);
const char *http_base64_number(uint64_t n, char out[HTTP_BASE64_MAX]);
bool http_base64_value(const char *text, uint64_t *ret);

#endif
