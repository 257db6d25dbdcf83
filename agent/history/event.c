/* SPDX-License-Identifier: MIT */
/* event.c - one event: a map in EDN or JSON, or a line of Jepsen's log */
#include <string.h>

#include "agent/history/events.h"

static const char *const field_names[] = {
	[EVENT_INDEX] = "index",
	[EVENT_PROCESS] = "process",
	[EVENT_TYPE] = "type",
	[EVENT_F] = "f",
	[EVENT_KEY] = "key",
	[EVENT_VALUE] = "value",
	[EVENT_TIME] = "time",
	[EVENT_ERROR] = "error",
	[EVENT_OP] = "op",
	[EVENT_NODE] = "node",
	[EVENT_CLIENT] = "client",
	[EVENT_PHASE] = "phase",
	[EVENT_INTENDED] = "intended",
	[EVENT_FINAL] = "final",
};
_Static_assert(
	sizeof field_names / sizeof *field_names == EVENT_FIELD_NR, "every field has a name");

static const char *const type_names[] = {
	[EVENT_INVOKE] = "invoke",
	[EVENT_OK] = "ok",
	[EVENT_FAIL] = "fail",
	[EVENT_INFO] = "info",
};
_Static_assert(sizeof type_names / sizeof *type_names == EVENT_TYPE_NR, "every type has a name");

static const struct {
	const char *name;
	enum history_kind kind;
} kinds[] = {
	{"read", HISTORY_READ},
	{"write", HISTORY_WRITE},
	{"cas", HISTORY_CAS},
	{"txn", HISTORY_TRANSACTION},
	{"append", HISTORY_APPEND},
	{"add", HISTORY_ADD},
	{"increase", HISTORY_INCREASE},
	{"transfer", HISTORY_TRANSFER},
	{"get", HISTORY_READ},
	{"put", HISTORY_WRITE},
};

int event_kind(struct text *t, const struct event *e, enum history_kind *ret)
{
	const struct edn *f = &e->field[EVENT_F];

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (edn_is(f, kinds[i].name)) {
			*ret = kinds[i].kind;
			return 0;
		}
	}
	t->p = f->p ? f->p : e->at;
	return text_bad(t,
		"unknown :f '%.*s' (read, write, cas, append, add, increase, transfer, txn, get or "
		"put was expected)",
		f->len > 32 ? 32 : (int)f->len, f->p ? f->p : "");
}

static int event_type(struct text *t, struct event *e)
{
	const struct edn *type = &e->field[EVENT_TYPE];

	for (unsigned i = 0; i < EVENT_TYPE_NR; i++) {
		if (edn_is(type, type_names[i])) {
			e->type = i;
			return 0;
		}
	}
	t->p = type->p;
	return text_bad(t, "unknown :type '%.*s' (invoke, ok, fail or info was expected)",
		type->len > 32 ? 32 : (int)type->len, type->p);
}

/* Fields stand in any order; they are looked for from where those that we write would be. */
static unsigned event_field(const struct edn *name, unsigned next)
{
	for (unsigned i = 0; i < EVENT_FIELD_NR; i++) {
		unsigned id = (next + i) % EVENT_FIELD_NR;

		if (edn_is(name, field_names[id]))
			return id;
	}
	return EVENT_FIELD_NR;
}

static int event_value(struct text *t, struct event *e, unsigned id)
{
	struct edn form;
	const char *at;
	int r;

	edn_space(t);
	at = t->p;
	r = edn_next(t, &form);
	if (r)
		return r;
	r = edn_rest(t, &form);
	if (id == EVENT_FIELD_NR || r)
		return r;
	if (e->seen >> id & 1) {
		t->p = at;
		return text_bad(t, "field :%s twice", field_names[id]);
	}
	e->seen |= 1u << id;
	e->field[id] = form;
	if (id == EVENT_VALUE)
		e->value = at;
	if (id == EVENT_KEY)
		e->key = at;
	return 0;
}

static int event_whole(struct text *t, struct event *e)
{
	static const enum event_field must[] = {EVENT_PROCESS, EVENT_TYPE};

	for (size_t i = 0; i < sizeof must / sizeof *must; i++) {
		if (!(e->seen >> must[i] & 1)) {
			t->p = e->at;
			return text_bad(t, "an event without a :%s", field_names[must[i]]);
		}
	}
	return event_type(t, e);
}

static int event_map(struct text *t, struct event *e)
{
	struct edn name;
	unsigned id = 0;
	char here[16];
	int r;

	while ((r = edn_item(t, '}', &name)) == 1) {
		if (name.type != EDN_WORD && name.type != EDN_STRING) {
			t->p = name.p;
			return text_bad(t, "%s, a keyword was expected", text_here(t, here));
		}
		id = event_field(&name, id);
		r = event_value(t, e, id);
		if (r)
			return r;
		id++;
	}
	return r;
}

/* INFO  jepsen.util - PROCESS :TYPE :F VALUE */
static int event_line(struct text *t, struct event *e)
{
	static const enum event_field order[] = {EVENT_PROCESS, EVENT_TYPE, EVENT_F, EVENT_VALUE};
	const char *end = memchr(t->p, '\n', (size_t)(t->end - t->p));
	const char *dash = strstr(t->p, " - ");
	int r = 0;

	if (!end)
		end = t->end;
	if (strncmp(t->p, "INFO", 4) != 0 || !dash || dash > end)
		return text_bad(t, "'INFO ... - PROCESS :TYPE :F VALUE' was expected");
	t->p = dash + 3;
	for (size_t i = 0; i < sizeof order / sizeof *order && !r; i++)
		r = event_value(t, e, order[i]);
	if (r)
		return r;
	t->p += strspn(t->p, " \t\r");
	return t->p == end ? 0 : text_bad(t, "the line does not end after its value, or before");
}

int event_next(struct text *t, bool log, char close, struct event *ret)
{
	struct edn form;
	char here[16];
	int r;

	*ret = (struct event){.at = t->p};
	if (log) {
		t->p += strspn(t->p, " \t\r\n");
		ret->at = t->p;
		if (t->p == t->end)
			return 0;
		r = event_line(t, ret);
	} else {
		r = close ? edn_item(t, close, &form) : edn_next(t, &form);
		if (r < 0 || (close && r == 0))
			return r;
		if (!close && form.type == EDN_END && t->p == t->end)
			return 0;
		ret->at = form.p;
		if (form.type != EDN_MAP) {
			t->p = form.p;
			return text_bad(t, "%s, an event ('{') was expected", text_here(t, here));
		}
		r = event_map(t, ret);
	}
	if (!r)
		r = event_whole(t, ret);
	return r ? r : 1;
}
