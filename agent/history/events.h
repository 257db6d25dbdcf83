/* SPDX-License-Identifier: MIT */
/*
 * events.h - histories as events: an operation is an invocation and a completion of its process
 *
 * What Jepsen, Knossos, Elle and Porcupine read and write: maps in EDN or JSON, or lines of
 * Jepsen's log. See README.md for what is understood.
 */
#ifndef HISTORY_EVENTS_H
#define HISTORY_EVENTS_H

#include <stdio.h>

#include "agent/history/edn.h"
#include "agent/history/gather.h"
#include "agent/history/intern.h"

/* Without times in the file, an event is this long after the one before it. */
#define EVENTS_STEP_NS 1000000ull

enum event_type { EVENT_INVOKE, EVENT_OK, EVENT_FAIL, EVENT_INFO, EVENT_TYPE_NR };

/* Fields of an event; those from EVENT_OP on are ours. */
enum event_field {
	EVENT_INDEX,
	EVENT_PROCESS,
	EVENT_TYPE,
	EVENT_F,
	EVENT_KEY,
	EVENT_VALUE,
	EVENT_TIME,
	EVENT_ERROR,
	EVENT_OP,
	EVENT_NODE,
	EVENT_CLIENT,
	EVENT_PHASE,
	EVENT_INTENDED,
	EVENT_FINAL,
	EVENT_FIELD_NR
};

/**
 * struct event - one as it stands in the file
 * @at:		where it begins
 * @field:	atoms; EVENT_KEY and EVENT_VALUE are looked at later, from value[]
 */
struct event {
	const char *at;
	const char *value; /* NULL: none */
	const char *key;   /* NULL: none */
	uint32_t seen;     /* a bit per field */
	enum event_type type;
	struct edn field[EVENT_FIELD_NR];
};

/**
 * struct values - how what is written in a file becomes numbers
 * @counter:	reads and increases are amounts
 * @strings:	what is read is put together of what was written, see strings.h
 * @low:	some value has no number of its own, or ...
 * @high:	... is a number where those have theirs
 */
struct values {
	struct text *t;
	struct gather *g;
	struct intern intern;
	bool counter;
	bool strings;
	bool low;
	bool high;
	size_t *length; /* owned; of strings that are written, each once */
	size_t lengths;
	size_t written; /* of the spellings, those that are of such strings */
};

/* What an event says about its operation. */
struct meant {
	enum history_kind kind;
	bool keyed; /* the key stands in the value: [key value] */
	struct history_op *op;
};

/* events_read() - all operations of @t. Return: 0, or -EBADMSG with the place in t->err. */
int events_read(struct gather *g, struct text *t, enum history_format format);

/* event_next() - the next of the file. Return: 1, 0 after the last, or -EBADMSG. */
int event_next(struct text *t, bool log, char close, struct event *ret);

/* event_kind() - which kind of operation :f means. Return: 0 or -EBADMSG. */
int event_kind(struct text *t, const struct event *e, enum history_kind *ret);

/* values_invoke() - key, value and steps of an operation that begins. Return: 0 or -EBADMSG. */
int values_invoke(struct values *v, const struct event *e, struct meant *m);

/* values_complete() - what a successful operation saw; @op as gathered. Return: likewise. */
int values_complete(
	struct values *v, const struct event *e, const struct meant *m, struct gather_end *ret);

/* values_strings() - learn a string that is written. values_prefix() - refuse, after all were
 * learnt, one that begins with another. Return: 0 or -EBADMSG. */
int values_strings(struct values *v, const struct event *e);
int values_prefix(struct values *v);

/* edn_write() - all operations as events; errors are those of @out. */
void edn_write(const struct history_ops *ops, FILE *out);

#endif
