/* SPDX-License-Identifier: MIT */
/* round.c - one request to a driver that speaks HTTP, and what a scripted server answers */
#include "tests/lib/round.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/http.h"
#include "tests/lib/need.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

struct driver *round_dial(const char *driver, uint16_t port)
{
	static uint32_t local_be;
	const struct driver_target target = {.addr_be = &local_be,
		.nodes = 1,
		.port = port,
		.settings = driver + strcspn(driver, " ")};
	char name[32];

	local_be = htonl(INADDR_LOOPBACK);
	(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(driver, " "), driver);
	return need_driver(name)->open(&target);
}

struct driver_result round_ask(struct driver *d, enum round_request what, uint64_t timeout_ns)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	struct driver_result r;

	memset(&r, 0xff, sizeof r);
	if (what == ROUND_READ)
		d->ops->read(d, 7, deadline_ns, &r);
	else if (what == ROUND_WRITE)
		d->ops->write(d, 7, 42, deadline_ns, &r);
	else
		d->ops->cas(d, 7, what == ROUND_CAS ? 41 : 0, 42, deadline_ns, &r);
	return r;
}

void round_assert(const struct round *o)
{
	char text[ROUND_ANSWERS_MAX][HTTP_ANSWER_MAX];
	struct play plays[ROUND_ANSWERS_MAX];
	struct server s = {.whole = http_whole};
	struct driver_result r;
	struct driver *d;

	for (unsigned i = 0; i < o->answers; i++)
		plays[i] = (struct play){o->answer[i].status ? http_answer(o->answer[i].status,
								       o->answer[i].body, text[i])
							     : NULL,
			o->answer[i].status == 0, false};
	server_start(&s, plays, o->answers);
	d = round_dial(o->driver, s.port);
	r = round_ask(d, o->what, ROUND_PATIENCE_NS);
	if (r.outcome != o->outcome || r.error != o->error || r.value != o->value)
		fail_msg("%s, request %d, answer %u '%s': outcome %d error %s value %llu",
			o->driver, o->what, o->answer[o->answers - 1].status,
			o->answer[o->answers - 1].body ? o->answer[o->answers - 1].body : "",
			r.outcome, history_error_names[r.error], (unsigned long long)r.value);
	if (o->last && !strstr(s.request, o->last))
		fail_msg("'%s' is not in '%s'", o->last, s.request);
	d->ops->close(d);
	server_stop(&s);
}
