/* SPDX-License-Identifier: MIT */
/*
 * couch.c - driver for stores that speak CouchDB's protocol: CouchDB, pouchdb-server
 *
 * All requests go to the nearest node; key 7 is document k7 of database "lab", its value the text
 * "v". A document is replaced by naming the revision that is replaced, so a write reads first, as
 * every client of CouchDB must: two requests, one outcome. Somebody else's write in between is a
 * conflict (409), and this one then had no effect: FAIL, or for a CAS, whose old value is gone,
 * unmet. Values that stand side by side are the winner's and those of its conflicts.
 *
 * Outcomes of a write. FAIL: its reading failed, or it was refused with 400 to 415, which CouchDB's
 * documentation has for requests that were not carried out. OK: 201, 202. Else UNKNOWN.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/http.h"

const unsigned pacelab_driver_abi = PLUGIN_ABI;
extern const struct driver_ops pacelab_driver;

#define REVISION_MAX 64 /* "12-" and 32 hexadecimal digits */
#define CONFLICTS_MAX 32
#define BODY_MAX 256

enum { FOUND = 200, CREATED = 201, ACCEPTED = 202, ABSENT = 404, CONFLICT = 409 };

struct couch {
	struct driver driver;
	struct http *http;
};

static struct couch *couch_of(struct driver *d)
{
	return (struct couch *)d;
}

static struct driver *couch_open(const struct driver_target *target)
{
	struct couch *c = calloc(1, sizeof *c);

	assert(c);
	c->driver.ops = &pacelab_driver;
	c->http = http_open(target->addr_be[target->contact], target->port);
	return &c->driver;
}

static void couch_close(struct driver *d)
{
	if (!d)
		return;
	http_close(couch_of(d)->http);
	free(d);
}

static void couch_connect(struct driver *d, uint64_t deadline_ns)
{
	http_connect(couch_of(d)->http, deadline_ns);
}

/* Revisions go into paths and bodies: nothing else may. */
static bool take_revision(const char *text, char ret[REVISION_MAX])
{
	if (!text || !*text || strlen(text) >= REVISION_MAX ||
		text[strspn(text, "0123456789abcdef-")])
		return false;
	(void)snprintf(ret, REVISION_MAX, "%s", text);
	return true;
}

/**
 * fetch() - one revision of a document, the winner's if @query says no other
 * @revision:	"" if there is no document
 * Return: the document, to be freed; NULL: there is none (OK), or *ret says why it failed.
 */
static json_t *fetch(struct couch *c, uint64_t key, const char *query, uint64_t deadline_ns,
	char revision[REVISION_MAX], struct driver_result *ret)
{
	char name[COMMON_KEY_MAX], path[HTTP_PATH_MAX];
	struct http_request request = {"GET", path, NULL, true};
	const char *why;
	uint64_t value;
	long status;
	json_t *doc;

	revision[0] = '\0';
	(void)snprintf(path, sizeof path, "/lab/%s%s", common_key(key, name), query);
	status = http_ask(c->http, &request, deadline_ns, ret);
	if (status == 0)
		return NULL;
	doc = http_json(c->http);
	if (status == FOUND && take_revision(http_text(doc, "_rev"), revision) &&
		http_number(doc, "v", &value)) {
		common_value(ret, value);
		return doc;
	}
	/* 404 is also said while there is no database yet: then "reason" is another. */
	why = http_text(doc, "reason");
	if (status == ABSENT && why && (!strcmp(why, "missing") || !strcmp(why, "deleted")))
		common_value(ret, 0);
	else if (status != FOUND && why)
		common_fail(ret, HISTORY_REFUSED);
	else
		http_nonsense(c->http, true, ret);
	json_decref(doc);
	return NULL;
}

/* Replace @revision, "" if there was none. Return: false if it was no longer the last one. */
static bool store(struct couch *c, uint64_t key, const char *revision, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	char name[COMMON_KEY_MAX], path[HTTP_PATH_MAX], body[BODY_MAX];
	struct http_request request = {"PUT", path, body, false};
	long status;
	json_t *doc;

	(void)snprintf(path, sizeof path, "/lab/%s", common_key(key, name));
	(void)snprintf(body, sizeof body, "{\"v\":\"%llu\"%s%s%s}", (unsigned long long)value,
		*revision ? ",\"_rev\":\"" : "", revision, *revision ? "\"" : "");
	status = http_ask(c->http, &request, deadline_ns, ret);
	if (status == 0)
		return true;
	doc = http_json(c->http);
	if ((status == CREATED || status == ACCEPTED) && json_is_true(json_object_get(doc, "ok")))
		common_ok(ret);
	else if (status >= 400 && status <= 415 && http_text(doc, "error"))
		common_fail(ret, HISTORY_REFUSED);
	else if (http_text(doc, "error"))
		common_unknown(ret, HISTORY_UNCERTAIN);
	else
		http_nonsense(c->http, false, ret);
	json_decref(doc);
	return status != CONFLICT || ret->outcome != HISTORY_FAIL;
}

static void couch_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	char revision[REVISION_MAX];

	json_decref(fetch(couch_of(d), key, "", deadline_ns, revision, ret));
}

static void couch_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	char revision[REVISION_MAX];

	json_decref(fetch(couch_of(d), key, "", deadline_ns, revision, ret));
	if (ret->outcome == HISTORY_OK)
		(void)store(couch_of(d), key, revision, value, deadline_ns, ret);
}

static void couch_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	char revision[REVISION_MAX];

	json_decref(fetch(couch_of(d), key, "", deadline_ns, revision, ret));
	if (ret->outcome != HISTORY_OK)
		return;
	if (ret->value != old || !store(couch_of(d), key, revision, value, deadline_ns, ret))
		common_unmet(ret);
}

static void add_value(struct buf *text, uint64_t value)
{
	buf_printf(text, "%llu,", (unsigned long long)value);
}

static void couch_values(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	char revision[REVISION_MAX], query[REVISION_MAX + 8];
	struct couch *c = couch_of(d);
	json_t *doc = fetch(c, key, "?conflicts=true", deadline_ns, revision, ret);
	const json_t *conflicts = json_object_get(doc, "_conflicts");
	const struct driver_result first = *ret;

	ret_text->len = 0;
	if (doc)
		add_value(ret_text, ret->value);
	for (size_t i = 0; i < json_array_size(conflicts) && ret->outcome == HISTORY_OK; i++) {
		const char *one = json_string_value(json_array_get(conflicts, i));

		if (i == CONFLICTS_MAX || !take_revision(one, revision)) {
			http_nonsense(c->http, true, ret);
			break;
		}
		(void)snprintf(query, sizeof query, "?rev=%s", revision);
		json_decref(fetch(c, key, query, deadline_ns, revision, ret));
		if (ret->outcome == HISTORY_OK && ret->found)
			add_value(ret_text, ret->value);
	}
	json_decref(doc);
	if (ret->outcome == HISTORY_OK)
		*ret = first;
}

/* No node leads. It is ready when it has the database. */
static int couch_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	const struct http_request request = {"GET", "/lab", NULL, true};
	struct driver_result result;
	long status = http_ask(couch_of(d)->http, &request, deadline_ns, &result);

	*ret = (struct driver_status){.leader = -1, .ready = status == FOUND, .role = "primary"};
	return status ? 0 : -EIO;
}

const struct driver_ops pacelab_driver = {
	.name = "couch",
	.open = couch_open,
	.connect = couch_connect,
	.read = couch_read,
	.write = couch_write,
	.cas = couch_cas,
	.values = couch_values,
	.status = couch_status,
	.close = couch_close,
};
