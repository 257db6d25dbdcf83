/* SPDX-License-Identifier: MIT */
/* lines.c - the line protocol of drivers: what a program says, read; what one says, printed */
#include "agent/load/drivers/lines.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/load/plugins/common.h"

const char *const lines_op_names[] = {"read", "write", "cas", "status", "open"};
_Static_assert(sizeof lines_op_names / sizeof *lines_op_names == LINES_OP_NR, "a name for each");

#define HELLO "pacelab"
#define HELLO_VERSION "1"

/* A word of a line; len 0: there is none. */
struct word {
	const char *p;
	size_t len;
};

/* Words stand one blank apart. */
static struct word next(struct word *rest)
{
	const char *blank = rest->len ? memchr(rest->p, ' ', rest->len) : NULL;
	struct word w = {rest->p, blank ? (size_t)(blank - rest->p) : rest->len};
	size_t used = w.len + (blank != NULL);

	rest->p += used;
	rest->len -= used;
	return w;
}

static bool is(struct word w, const char *text)
{
	return strlen(text) == w.len && memcmp(w.p, text, w.len) == 0;
}

static bool number(struct word w, uint64_t *ret)
{
	return common_number(w.p, w.len, ret);
}

bool lines_hello(const char *line, size_t len, unsigned *ret_does)
{
	const unsigned needed = LINES_DOES(LINES_READ) | LINES_DOES(LINES_WRITE);
	struct word rest = {line, len};
	unsigned does = 0;

	if (!is(next(&rest), HELLO) || !is(next(&rest), HELLO_VERSION))
		return false;
	while (rest.len > 0) {
		struct word w = next(&rest);
		unsigned op = LINES_READ;

		while (op < LINES_OPEN && !is(w, lines_op_names[op]))
			op++;
		if (op == LINES_OPEN)
			return false;
		does |= LINES_DOES(op);
	}
	*ret_does = does;
	return (does & needed) == needed;
}

/* Its words for why; others are no error of theirs. */
static enum history_error why_of(struct word w)
{
	static const enum history_error said[] = {HISTORY_REFUSED, HISTORY_UNCERTAIN,
		HISTORY_TIMEOUT, HISTORY_CONNECT, HISTORY_CLOSED};

	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		if (is(w, history_error_names[said[i]]))
			return said[i];
	return HISTORY_OTHER;
}

bool lines_answer(enum lines_op op, const char *line, size_t len, struct driver_result *ret)
{
	struct word rest = {line, len};
	struct word first = next(&rest);
	struct driver_result r = {.outcome = HISTORY_OK};

	if (is(first, "ok") && op == LINES_READ) {
		if (!is(rest, "nil") && !number(rest, &r.value))
			return false;
		r.found = r.value != 0;
	} else if (is(first, "ok") && rest.len == 0) {
		r.outcome = HISTORY_OK;
	} else if (is(first, "unmet") && op == LINES_CAS && rest.len == 0) {
		r.error = HISTORY_UNMET;
	} else if (is(first, "fail") || (is(first, "unknown") && op == LINES_READ)) {
		/* A read has no effect whatever became of it. */
		r.outcome = HISTORY_FAIL;
		r.error = why_of(rest);
	} else if (is(first, "unknown") && op != LINES_OPEN) {
		r.outcome = HISTORY_UNKNOWN;
		r.error = why_of(rest);
	} else {
		return false;
	}
	*ret = r;
	return true;
}

bool lines_status(const char *line, size_t len, unsigned nodes, struct driver_status *ret)
{
	struct word rest = {line, len};
	struct word ready = next(&rest);
	struct word leads = next(&rest);
	struct word leader = next(&rest);
	struct driver_status s = {.leader = -1};
	uint64_t n = 0;
	size_t role;

	if ((!is(ready, "ready") && !is(ready, "unready")) ||
		(!is(leads, "leader") && !is(leads, "follower")))
		return false;
	if (!is(leader, "-") && (!number(leader, &n) || n >= nodes))
		return false;
	s.ready = is(ready, "ready");
	s.leads = is(leads, "leader");
	if (!is(leader, "-"))
		s.leader = (int)n;
	if (!number(next(&rest), &s.term) || rest.len == 0 || rest.len >= DRIVER_ROLE_MAX)
		return false;
	for (role = 0; role < rest.len; role++) {
		if (!isgraph((unsigned char)rest.p[role]))
			return false;
		s.role[role] = rest.p[role];
	}
	*ret = s;
	return true;
}

void lines_print(enum lines_op op, const struct driver_result *r, struct buf *out)
{
	if (r->outcome == HISTORY_FAIL || r->outcome == HISTORY_UNKNOWN)
		buf_printf(out, "%s %s", r->outcome == HISTORY_FAIL ? "fail" : "unknown",
			history_error_names[r->error]);
	else if (r->error == HISTORY_UNMET)
		buf_printf(out, "unmet");
	else if (op == LINES_READ && r->value == 0)
		buf_printf(out, "ok nil");
	else if (op == LINES_READ)
		buf_printf(out, "ok %llu", (unsigned long long)r->value);
	else
		buf_printf(out, "ok");
}

void lines_print_status(const struct driver_status *s, struct buf *out)
{
	buf_printf(out, "%s %s ", s->ready ? "ready" : "unready", s->leads ? "leader" : "follower");
	if (s->leader >= 0)
		buf_printf(out, "%d", s->leader);
	else
		buf_printf(out, "-");
	buf_printf(out, " %llu %s", (unsigned long long)s->term, s->role[0] ? s->role : "-");
}
