/* SPDX-License-Identifier: MIT */
/*
 * events.c - histories as events: an operation is an invocation and a completion of its process
 *
 *	:invoke		a process begins an operation; it has one at a time
 *	:ok		it had its effect
 *	:fail		it had none and will have none. In Jepsen's log a compare-and-set that
 *			fails, but not by a time-out, found another value than the expected one
 *	:info		nobody knows, as if there were no completion; its process is retired
 *
 * Events of what is no numbered process (:nemesis) are passed over. The order of the file is that
 * of time. Times are taken as they are (equal ones mean concurrent); without them an event is
 * EVENTS_STEP_NS after the one before it.
 *
 * Some histories cannot be told by their first event, so what they are is looked for before they
 * are read: `add` is one of a set or of a counter (whose reads are numbers), and `append` to what
 * `get` reads is one to a string.
 */
#include "agent/history/events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A process and what it is doing. */
struct proc {
	size_t op; /* in the order of invocations */
	bool busy;
	bool keyed;
};

struct events {
	struct values v;
	struct text *t;
	struct gather *g;
	bool log;
	char close;         /* of the vector that all events stand in, or 0 */
	size_t number;      /* of events of processes so far */
	bool timed;         /* they have times */
	uint64_t t_ns;      /* of the latest one */
	struct pairs procs; /* by process: number in proc */
	struct proc *proc;  /* owned */
	size_t proc_count;
	size_t proc_cap;
};

static bool event_counts(const struct event *e)
{
	const struct edn *process = &e->field[EVENT_PROCESS];

	return process->type == EDN_NUMBER && !process->negative;
}

static uint64_t event_number(const struct event *e, enum event_field id, uint64_t otherwise)
{
	return e->seen >> id & 1 ? e->field[id].number : otherwise;
}

/* Events */

static int events_at(struct events *ev, const struct event *e)
{
	ev->t->p = e->at;
	return 0;
}

static int events_time(struct events *ev, const struct event *e)
{
	const struct edn *time = &e->field[EVENT_TIME];
	bool timed = e->seen >> EVENT_TIME & 1 && time->type != EDN_NIL;

	if (ev->number == 0)
		ev->timed = timed;
	(void)events_at(ev, e);
	if (timed != ev->timed)
		return text_bad(ev->t, timed ? "an event with a :time after events without"
					     : "an event without a :time after events with one");
	if (!timed) {
		ev->t_ns = ev->number++ * EVENTS_STEP_NS;
		return 0;
	}
	ev->t->p = time->p;
	if (time->type != EDN_NUMBER || time->negative)
		return text_bad(ev->t, "a :time that is no number of nanoseconds from 0 on");
	if (ev->number++ > 0 && time->number < ev->t_ns)
		return text_bad(ev->t, "the time goes back to %llu ns, at least %llu was expected",
			(unsigned long long)time->number, (unsigned long long)ev->t_ns);
	ev->t_ns = time->number;
	return 0;
}

static int events_proc(struct events *ev, const struct event *e, struct proc **ret)
{
	uint64_t process = e->field[EVENT_PROCESS].number;
	uint32_t n;

	(void)events_at(ev, e);
	if (process > UINT32_MAX)
		return text_bad(ev->t, "process %llu, at most %u was expected",
			(unsigned long long)process, UINT32_MAX);
	n = pairs_put(&ev->procs, process, 0, (uint32_t)ev->proc_count);
	if (n == ev->proc_count) {
		if (ev->proc_count == ev->proc_cap) {
			ev->proc_cap = ev->proc_cap ? ev->proc_cap * 2 : 64;
			ev->proc = realloc(ev->proc, ev->proc_cap * sizeof *ev->proc);
			assert(ev->proc);
		}
		ev->proc[ev->proc_count++] = (struct proc){0};
	}
	*ret = &ev->proc[n];
	return 0;
}

/* Our own fields, within what an operation has room for. */
static int events_own(struct events *ev, const struct event *e, struct history_op *op)
{
	static const struct {
		enum event_field id;
		uint64_t max;
	} own[] = {{EVENT_OP, UINT32_MAX}, {EVENT_NODE, UINT16_MAX}, {EVENT_CLIENT, UINT16_MAX},
		{EVENT_PHASE, UINT32_MAX}, {EVENT_INTENDED, UINT64_MAX}};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		const struct edn *f = &e->field[own[i].id];

		if (!(e->seen >> own[i].id & 1))
			continue;
		ev->t->p = f->p;
		if (f->type != EDN_NUMBER || f->negative || f->number > own[i].max)
			return text_bad(ev->t, "a number from 0 to %llu was expected",
				(unsigned long long)own[i].max);
	}
	op->op = (uint32_t)event_number(e, EVENT_OP, ev->g->ops.count + 1);
	op->node = (uint16_t)event_number(e, EVENT_NODE, 0);
	op->client = (uint16_t)event_number(e, EVENT_CLIENT, 0);
	op->phase = (uint32_t)event_number(e, EVENT_PHASE, 0);
	op->t_intended_ns = event_number(e, EVENT_INTENDED, op->t_invoke_ns);
	op->flags = edn_is(&e->field[EVENT_FINAL], "true") ? HISTORY_F_FINAL : 0;
	return 0;
}

static int events_invoke(
	struct events *ev, const struct event *e, enum history_kind kind, struct proc *proc)
{
	struct history_op op = {
		.t_invoke_ns = ev->t_ns,
		.session = (uint32_t)e->field[EVENT_PROCESS].number,
	};
	struct meant m = {.kind = kind, .op = &op};
	int r;

	if (proc->busy)
		return text_bad(ev->t,
			"process %u invokes a %s, but its operation %u has not ended (one at a "
			"time was expected)",
			op.session, history_kind_names[kind], ev->g->ops.op[proc->op].op);
	r = events_own(ev, e, &op);
	if (!r)
		r = values_invoke(&ev->v, e, &m);
	if (r)
		return r;
	op.kind = (uint8_t)m.kind;
	*proc = (struct proc){.op = ev->g->ops.count, .busy = true, .keyed = m.keyed};
	r = gather_invoke(ev->g, &op, ev->t->err);
	return r ? text_wrap(ev->t, e->at) : 0;
}

static enum history_error events_error(const struct event *e)
{
	if (!(e->seen >> EVENT_ERROR & 1) || e->field[EVENT_ERROR].type == EDN_NIL)
		return HISTORY_NO_ERROR;
	for (unsigned i = 0; i < HISTORY_ERROR_NR; i++)
		if (edn_is(&e->field[EVENT_ERROR], history_error_names[i]))
			return i;
	return HISTORY_OTHER;
}

/* How an operation ended, by the type of its event. */
static void events_outcome(const struct events *ev, const struct event *e, enum history_kind kind,
	struct gather_end *end)
{
	bool cas = kind == HISTORY_CAS;

	end->t_ns = ev->t_ns;
	end->error = events_error(e);
	end->outcome = e->type == EVENT_OK     ? HISTORY_OK
		       : e->type == EVENT_FAIL ? HISTORY_FAIL
					       : HISTORY_UNKNOWN;
	if (ev->log && e->type != EVENT_OK && edn_is(&e->field[EVENT_VALUE], "timed-out"))
		end->error = HISTORY_TIMEOUT;
	else if (ev->log && e->type == EVENT_FAIL && cas)
		end->error = HISTORY_UNMET;
	if (end->error == HISTORY_UNMET && cas && e->type == EVENT_FAIL)
		end->outcome = HISTORY_OK;
	else if (end->error == HISTORY_UNMET || end->outcome == HISTORY_OK)
		end->error = end->outcome == HISTORY_OK ? HISTORY_NO_ERROR : HISTORY_OTHER;
}

static int events_complete(
	struct events *ev, const struct event *e, enum history_kind kind, struct proc *proc)
{
	struct gather_end end = {0};
	struct history_op *op;
	struct meant m;
	int r = 0;

	if (!proc->busy)
		return text_bad(ev->t,
			"process %u ends a %s that it did not begin (its :invoke was expected)",
			(unsigned)e->field[EVENT_PROCESS].number, history_kind_names[kind]);
	op = &ev->g->ops.op[proc->op];
	if (kind == HISTORY_ADD && ev->v.counter)
		kind = HISTORY_INCREASE;
	if (op->kind != kind)
		return text_bad(ev->t, "process %u ends a %s, but it began a %s", op->session,
			history_kind_names[kind], history_kind_names[op->kind]);
	m = (struct meant){.kind = kind, .keyed = proc->keyed, .op = op};
	proc->busy = false;
	events_outcome(ev, e, kind, &end);
	if (e->type == EVENT_OK)
		r = values_complete(&ev->v, e, &m, &end);
	if (r)
		return r;
	r = gather_complete(ev->g, proc->op, &end, ev->t->err);
	return r ? text_wrap(ev->t, e->at) : 0;
}

static int events_one(struct events *ev, const struct event *e)
{
	enum history_kind kind;
	struct proc *proc = NULL;
	int r;

	if (!event_counts(e))
		return 0;
	r = event_kind(ev->t, e, &kind);
	if (!r)
		r = events_time(ev, e);
	if (!r)
		r = events_proc(ev, e, &proc);
	if (r)
		return r;
	return e->type == EVENT_INVOKE ? events_invoke(ev, e, kind, proc)
				       : events_complete(ev, e, kind, proc);
}

/* @each of all events, from the cursor to the end. Return: 0, or what @each returned. */
static int events_walk(struct events *ev, int (*each)(struct events *ev, const struct event *e))
{
	struct event e;
	int r;

	while ((r = event_next(ev->t, ev->log, ev->close, &e)) == 1) {
		const char *end = ev->t->p;

		r = each(ev, &e);
		if (r)
			return r;
		ev->t->p = end;
	}
	return r;
}

/* What kind of history it is */

#define LOOK_ENOUGH 1

struct look {
	struct events ev;
	bool add;
	bool increase;
	bool append;
	bool get;
	bool read;   /* one is :ok, ... */
	bool number; /* ... and the first that is gave a number */
};

static void look_read(struct look *l, const struct event *e)
{
	const struct edn *value = &e->field[EVENT_VALUE];

	if (e->type != EVENT_OK || l->read)
		return;
	l->read = true;
	l->number = value->type == EDN_NUMBER;
}

static int look_one(struct events *ev, const struct event *e)
{
	struct look *l = (struct look *)(void *)ev; /* its first member */
	const struct edn *f = &e->field[EVENT_F];
	bool get = edn_is(f, "get") || edn_is(f, "put");
	bool add = edn_is(f, "add");
	bool append = edn_is(f, "append");
	bool read = edn_is(f, "read");

	if (!event_counts(e))
		return 0;
	l->get |= get;
	l->add |= add;
	l->append |= append;
	l->increase |= edn_is(f, "increase");
	if (read)
		look_read(l, e);
	if (!get && !add && !append && !read)
		return LOOK_ENOUGH;
	if (l->add)
		return l->read ? LOOK_ENOUGH : 0;
	return l->append && (l->get || read) ? LOOK_ENOUGH : 0;
}

static int learn_one(struct events *ev, const struct event *e)
{
	const struct edn *f = &e->field[EVENT_F];

	if (e->type != EVENT_INVOKE || !e->value || !event_counts(e))
		return 0;
	return edn_is(f, "put") || edn_is(f, "append") ? values_strings(&ev->v, e) : 0;
}

/* Look for what cannot be told by the first event; the cursor is back afterwards. */
static int events_look(struct events *ev)
{
	const char *from = ev->t->p;
	struct look l = {.ev = *ev};
	int r = events_walk(&l.ev, look_one);

	if (r < 0)
		return r;
	ev->t->p = from;
	ev->v.counter = l.increase || (l.add && l.number);
	ev->v.strings = l.get && l.append;
	if (!ev->v.strings)
		return 0;
	r = events_walk(ev, learn_one);
	ev->t->p = from;
	return r ? r : values_prefix(&ev->v);
}

/* A vector or list that all events stand in may be around them. */
static int events_open(struct events *ev)
{
	const char *from = ev->t->p;
	struct edn form;
	int r;

	if (ev->log)
		return 0;
	r = edn_next(ev->t, &form);
	if (!r && form.type == EDN_LIST)
		ev->close = form.close;
	else
		ev->t->p = from;
	return r;
}

static int events_end(struct events *ev)
{
	char here[16];
	struct edn form;
	int r;

	if (ev->log)
		return 0;
	r = edn_next(ev->t, &form);
	if (r || (form.type == EDN_END && ev->t->p == ev->t->end))
		return r;
	ev->t->p = form.p;
	return text_bad(ev->t, "%s, the end of the file was expected", text_here(ev->t, here));
}

int events_read(struct gather *g, struct text *t, enum history_format format)
{
	struct events ev = {.v = {.t = t, .g = g}, .t = t, .g = g, .log = format == HISTORY_LOG};
	int r;

	t->json = format == HISTORY_JSON;
	r = events_open(&ev);
	if (!r)
		r = events_look(&ev);
	if (!r)
		r = events_walk(&ev, events_one);
	if (!r)
		r = events_end(&ev);
	if (!r)
		intern_move(&ev.v.intern, &g->ops);
	intern_fini(&ev.v.intern);
	free(ev.v.length);
	pairs_fini(&ev.procs);
	free(ev.proc);
	return r;
}
