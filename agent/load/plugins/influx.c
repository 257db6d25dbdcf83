/* SPDX-License-Identifier: MIT */
/*
 * influx.c - driver for InfluxDB 1.x: line protocol in, InfluxQL out
 *
 * All requests go to the nearest node; key 7 is the point of series "r,k=7" at time 0 of database
 * "lab", its value the text "v": a point that is written again replaces the one that was there.
 *
 * Outcomes of a write. 204 is OK. FAIL: the request was refused as such (400, 401, 404, 413) with
 * an error in JSON, but for a partial write. All else is UNKNOWN, a timeout (500) most of all.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/http.h"

const unsigned pacelab_driver_abi = PLUGIN_ABI;
extern const struct driver_ops pacelab_driver;

#define BODY_MAX 128

enum { FOUND = 200, STORED = 204 };

struct influx {
	struct driver driver;
	struct http *http;
};

static struct influx *influx_of(struct driver *d)
{
	return (struct influx *)d;
}

static struct driver *influx_open(const struct driver_target *target)
{
	struct influx *x = calloc(1, sizeof *x);

	assert(x);
	x->driver.ops = &pacelab_driver;
	x->http = http_open(target->addr_be[target->contact], target->port);
	return &x->driver;
}

static void influx_close(struct driver *d)
{
	if (!d)
		return;
	http_close(influx_of(d)->http);
	free(d);
}

static void influx_connect(struct driver *d, uint64_t deadline_ns)
{
	http_connect(influx_of(d)->http, deadline_ns);
}

/* {"results": [{"series": [{"values": [[time, "42"]]}]}]}; without series there is no such point.
 */
static void take_value(struct influx *x, const json_t *answer, struct driver_result *ret)
{
	const json_t *result = json_array_get(json_object_get(answer, "results"), 0);
	const json_t *all = json_object_get(result, "series");
	const json_t *rows = json_object_get(json_array_get(all, 0), "values");
	const char *text = json_string_value(json_array_get(json_array_get(rows, 0), 1));
	uint64_t value = 0;

	if (http_text(result, "error")) /* of the query, "database not found" */
		common_fail(ret, HISTORY_REFUSED);
	else if (!json_is_object(result) ||
		 (all && (json_array_size(rows) != 1 || !text ||
				 !common_number(text, strlen(text), &value))))
		http_nonsense(x->http, true, ret);
	else
		common_value(ret, value);
}

static void influx_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct influx *x = influx_of(d);
	char path[HTTP_PATH_MAX];
	const struct http_request request = {"GET", path, NULL, true};
	long status;
	json_t *answer;

	(void)snprintf(path, sizeof path,
		"/query?db=lab&q=SELECT%%20v%%20FROM%%20r%%20WHERE%%20k%%3D%%27%llu%%27",
		(unsigned long long)key);
	status = http_ask(x->http, &request, deadline_ns, ret);
	if (status == 0)
		return;
	answer = http_json(x->http);
	if (status == FOUND)
		take_value(x, answer, ret);
	else if (http_text(answer, "error"))
		common_fail(ret, HISTORY_REFUSED);
	else
		http_nonsense(x->http, true, ret);
	json_decref(answer);
}

static bool refused(long status, const char *error)
{
	return (status == 400 || status == 401 || status == 404 || status == 413) &&
	       !strstr(error, "partial write");
}

static void influx_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct influx *x = influx_of(d);
	char body[BODY_MAX];
	const struct http_request request = {"POST", "/write?db=lab", body, false};
	const char *error;
	long status;
	json_t *answer;

	(void)snprintf(body, sizeof body, "r,k=%llu v=\"%llu\" 0\n", (unsigned long long)key,
		(unsigned long long)value);
	status = http_ask(x->http, &request, deadline_ns, ret);
	if (status == 0)
		return;
	answer = http_json(x->http);
	error = http_text(answer, "error");
	if (status == STORED)
		common_ok(ret);
	else if (error && refused(status, error))
		common_fail(ret, HISTORY_REFUSED);
	else if (error)
		common_unknown(ret, HISTORY_UNCERTAIN);
	else
		http_nonsense(x->http, false, ret);
	json_decref(answer);
}

/* It is ready when it has the database. */
static int influx_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct driver_result result;

	influx_read(d, 0, deadline_ns, &result);
	*ret = (struct driver_status){
		.leader = -1, .ready = result.outcome == HISTORY_OK, .role = "alone"};
	return ret->ready || result.error == HISTORY_REFUSED ? 0 : -EIO;
}

const struct driver_ops pacelab_driver = {
	.name = "influx",
	.open = influx_open,
	.connect = influx_connect,
	.read = influx_read,
	.write = influx_write,
	.status = influx_status,
	.close = influx_close,
};
