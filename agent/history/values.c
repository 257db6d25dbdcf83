/* SPDX-License-Identifier: MIT */
/*
 * values.c - how what is written in the value of an event becomes numbers
 *
 * A positive whole number is itself. Whatever else is written, 0 and what is negative with it (0
 * stands for "nothing" in a history), is interned: each spelling gets a number of its own from
 * HISTORY_INTERNED. Amounts (counters and banks) are as they are.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/history/events.h"

static int values_here(const struct values *v, const char *at, const char *want)
{
	char here[16];

	v->t->p = at;
	return text_bad(v->t, "%s, %s was expected", text_here(v->t, here), want);
}

/* The number of a spelling. */
static int values_intern(struct values *v, const char *p, size_t len, bool quoted, uint64_t *ret)
{
	uint32_t n = intern_put(&v->intern, p, len, quoted);

	if (n == INTERN_NONE)
		return text_bad(v->t, "too many different values");
	*ret = HISTORY_INTERNED + n;
	v->low = true;
	return 0;
}

/* That @form, which was read, is a value; nothing is 0. */
static int values_number(struct values *v, const struct edn *form, uint64_t *ret)
{
	int r;

	*ret = 0;
	if (form->type == EDN_NIL)
		return 0;
	if (form->close)
		return values_here(v, form->p, "a value that is no list, set or map");
	if (form->type == EDN_NUMBER && !form->negative && form->number > 0) {
		v->high |= form->number >= HISTORY_INTERNED;
		*ret = form->number;
	} else {
		r = values_intern(v, form->p - form->keyword, form->len + form->keyword,
			form->type == EDN_STRING, ret);
		if (r)
			return r;
	}
	if (v->low && v->high)
		return text_bad(v->t,
			"values from %llu on, which stand for those that are no positive numbers",
			HISTORY_INTERNED);
	return 0;
}

/* An amount, in two's complement. */
static int values_amount(struct values *v, uint64_t *ret)
{
	struct edn form;
	int r = edn_next(v->t, &form);

	if (r)
		return r;
	if (form.type != EDN_NUMBER || (!form.negative && form.number > INT64_MAX))
		return values_here(v, form.p, "a whole number of 63 bits");
	*ret = form.number;
	return 0;
}

/* A key: a number, or the number of a spelling. */
static int values_key(struct values *v, uint64_t *ret)
{
	struct text digits;
	struct edn form;
	int r = edn_next(v->t, &form);

	if (r)
		return r;
	if (form.type == EDN_NIL)
		return values_here(v, form.p, "a key");
	if (form.type == EDN_NUMBER && !form.negative && form.number == 0) {
		*ret = 0;
		return 0;
	}
	/* "7" is 7, which is easier to read. */
	digits = (struct text){.p = form.p};
	if (form.type == EDN_STRING && text_uint(&digits, UINT32_MAX, ret) == 0 &&
		digits.p == form.p + form.len)
		return 0;
	return values_number(v, &form, ret);
}

/* Open the pair [key ...] if the value is one; the cursor is behind the key then. */
static int values_pair(struct values *v, const struct event *e, struct meant *m)
{
	struct text *t = v->t;
	struct edn form;
	struct edn second = {0};
	int r;

	t->p = e->value;
	r = edn_next(t, &form);
	if (r || form.type != EDN_LIST) {
		t->p = e->value;
		return r;
	}
	if (m->kind == HISTORY_CAS) {
		/* [old new], or [key [old new]] */
		r = edn_skip(t);
		if (!r)
			r = edn_next(t, &second);
		m->keyed = second.type == EDN_LIST;
		t->p = e->value;
		if (r || !m->keyed)
			return r;
		(void)edn_next(t, &form);
	}
	m->keyed = true;
	return values_key(v, &m->op->key);
}

static int values_close(struct values *v, const char *want)
{
	struct edn form;
	int r = edn_next(v->t, &form);

	if (r)
		return r;
	if (form.type != EDN_END)
		return values_here(v, form.p, want);
	v->t->p++;
	return 0;
}

static int values_written(struct values *v, uint64_t *ret)
{
	const char *at = v->t->p;
	struct edn form;
	int r = edn_next(v->t, &form);

	if (!r && (form.type == EDN_NIL || form.type == EDN_END))
		r = values_here(v, form.p, "a value");
	if (!r && v->strings && (form.type != EDN_STRING || form.len == 0))
		r = values_here(v, at, "a string that is not empty");
	return r ? r : values_number(v, &form, ret);
}

/* [old new] */
static int values_cas(struct values *v, struct history_op *op)
{
	struct edn form;
	int r = edn_next(v->t, &form);

	if (r)
		return r;
	if (form.type != EDN_LIST)
		return values_here(v, form.p, "[old new]");
	r = edn_next(v->t, &form);
	if (!r && form.type == EDN_END)
		r = values_here(v, form.p, "[old new]");
	if (!r)
		r = values_number(v, &form, &op->old);
	if (!r)
		r = values_written(v, &op->value);
	return r ? r : values_close(v, "']'");
}

static int values_account(struct values *v, uint64_t *ret)
{
	const char *at = v->t->p;
	int r = values_amount(v, ret);

	if (!r && *ret > UINT16_MAX)
		return values_here(v, at, "an account from 0 to 65535");
	return r;
}

/* {:from 0 :to 1 :amount 5} */
static int values_transfer(struct values *v, struct history_op *op)
{
	unsigned seen = 0;
	uint64_t to = 0;
	struct edn form;
	int r = edn_next(v->t, &form);

	if (r)
		return r;
	if (form.type != EDN_MAP)
		return values_here(v, form.p, "{:from ACCOUNT :to ACCOUNT :amount NUMBER}");
	while ((r = edn_item(v->t, '}', &form)) == 1) {
		if (edn_is(&form, "from"))
			r = values_account(v, &op->old), seen |= 1;
		else if (edn_is(&form, "to"))
			r = values_account(v, &to), seen |= 2;
		else if (edn_is(&form, "amount"))
			r = values_amount(v, &op->value), seen |= 4;
		else
			r = edn_skip(v->t);
		if (r)
			return r;
	}
	op->to = (uint16_t)to;
	if (!r && seen != 7)
		return text_bad(v->t, "a transfer needs :from, :to and :amount");
	return r;
}

static int values_element(struct values *v, const struct edn *form)
{
	uint64_t number;
	uint64_t *to;
	int r = values_number(v, form, &number);

	if (!r)
		r = gather_list(v->g, 1, &to, v->t->err);
	if (!r)
		*to = number;
	return r;
}

/* Elements of a list whose opening was read, at the end of ops.list. */
static int values_elements(struct values *v, const struct edn *list)
{
	struct edn form;
	int r;

	while ((r = edn_item(v->t, list->close, &form)) == 1) {
		r = values_element(v, &form);
		if (r)
			return r;
	}
	return r;
}

/* Balances {0 10 1 20} of accounts 0 .. n-1 in any order, at the end of ops.list. */
static int values_balances(struct values *v)
{
	size_t first = v->g->ops.lists;
	const char *at = v->t->p;
	size_t count = 0;
	size_t room = 0;
	struct edn form;
	uint64_t *to;
	uint64_t n;
	int r;

	/* As many as there are pairs: then each must be below that, and none there twice. */
	while ((r = edn_item(v->t, '}', &form)) == 1) {
		if (form.type != EDN_NUMBER || form.negative)
			return values_here(v, form.p, "an account from 0 to 65535");
		room = form.number + 1 > room ? form.number + 1 : room;
		r = values_amount(v, &n);
		if (r)
			return r;
		count++;
	}
	if (!r && (room != count || count > UINT16_MAX + 1))
		return values_here(v, at, "each account from 0 on once");
	if (!r)
		r = gather_list(v->g, count, &to, v->t->err);
	v->t->p = at;
	for (size_t i = 0; i < count && !r; i++) {
		(void)edn_next(v->t, &form);
		(void)values_amount(v, &v->g->ops.list[first + form.number]);
	}
	return r ? r : values_close(v, "'}'");
}

static int values_micro_kind(struct values *v, uint8_t *ret)
{
	struct edn form;
	int r = edn_next(v->t, &form);

	if (r)
		return r;
	*ret = edn_is(&form, "append") ? HISTORY_APPEND : HISTORY_READ;
	if (*ret == HISTORY_APPEND || edn_is(&form, "r") || edn_is(&form, "read"))
		return 0;
	return values_here(v, form.p, ":r or :append (transactions of lists)");
}

/* [:append key element] or [:r key [element ...]] whose '[' was read. */
static int values_step(struct values *v, struct history_micro *step)
{
	struct edn form;
	int r = values_micro_kind(v, &step->kind);

	if (!r)
		r = values_key(v, &step->key);
	if (r)
		return r;
	if (step->kind == HISTORY_APPEND) {
		r = values_written(v, &step->value);
		return r ? r : values_close(v, "']'");
	}
	r = edn_next(v->t, &form);
	step->first = (uint32_t)v->g->ops.lists;
	if (!r && form.type != EDN_NIL && form.type != EDN_LIST)
		r = values_here(v, form.p, "a list or nil");
	if (!r && form.type == EDN_LIST)
		r = values_elements(v, &form);
	step->count = (uint32_t)v->g->ops.lists - step->first;
	return r ? r : values_close(v, "']'");
}

/* All steps of a transaction, each handed to @m->op: a new one of ops.micro, or one of those. */
static int values_steps(struct values *v, const struct meant *m, bool completion)
{
	struct history_op *op = m->op;
	uint32_t count = 0;
	struct edn form;
	int r = edn_next(v->t, &form);

	if (!r && form.type != EDN_LIST)
		r = values_here(v, form.p, "[[:r KEY ELEMENTS] [:append KEY ELEMENT] ...]");
	while (!r && (r = edn_item(v->t, ']', &form)) == 1) {
		struct history_micro step = {0};
		struct history_micro *to;

		r = form.type == EDN_LIST ? values_step(v, &step)
					  : values_here(v, form.p, "[:r ...] or [:append ...]");
		if (r)
			return r;
		if (!completion) {
			r = gather_micro(v->g, 1, &to, v->t->err);
			if (r)
				return r;
			*to = step;
			to->count = 0;
			count++;
			continue;
		}
		to = count < op->count ? &v->g->ops.micro[op->first + count++] : NULL;
		if (!to || to->kind != step.kind || to->key != step.key || to->value != step.value)
			return values_here(v, form.p, "the step that was invoked");
		to->first = step.first;
		to->count = step.count;
	}
	if (r)
		return r;
	if (completion && count != op->count)
		return text_bad(v->t, "%u steps, %u were invoked", count, op->count);
	op->count = count;
	return 0;
}

static int values_of_kind(struct values *v, struct meant *m)
{
	switch (m->kind) {
	case HISTORY_WRITE:
	case HISTORY_APPEND:
	case HISTORY_ADD:
		return values_written(v, &m->op->value);
	case HISTORY_INCREASE:
		return values_amount(v, &m->op->value);
	case HISTORY_CAS:
		return values_cas(v, m->op);
	case HISTORY_TRANSFER:
		return values_transfer(v, m->op);
	case HISTORY_TRANSACTION:
		m->op->first = (uint32_t)v->g->ops.micros;
		return values_steps(v, m, false);
	case HISTORY_READ:
	case HISTORY_KIND_NR:
		break;
	}
	return 0;
}

int values_invoke(struct values *v, const struct event *e, struct meant *m)
{
	struct text *t = v->t;
	int r = 0;

	if (m->kind == HISTORY_ADD && v->counter)
		m->kind = HISTORY_INCREASE;
	if (e->key && m->kind != HISTORY_TRANSACTION) {
		t->p = e->key;
		r = values_key(v, &m->op->key);
	}
	if (r || (!e->value && m->kind == HISTORY_READ))
		return r;
	if (!e->value) {
		t->p = e->at;
		return text_bad(t, "a %s without a :value", history_kind_names[m->kind]);
	}
	t->p = e->value;
	if (m->kind != HISTORY_TRANSACTION && !e->key)
		r = values_pair(v, e, m);
	if (!r)
		r = values_of_kind(v, m);
	if (!r && m->keyed && m->kind != HISTORY_READ)
		r = values_close(v, "']' ([key value])");
	return r;
}

/* Take apart what was read into the strings that were written. */
static int values_apart(struct values *v, const struct edn *form)
{
	const char *p = form->p;
	const char *end = p + form->len;
	uint64_t *to;
	uint64_t number = 0;
	int r = 0;

	while (p < end && !r) {
		uint32_t n = INTERN_NONE;
		size_t len = 0;

		for (size_t i = 0; i < v->lengths && n == INTERN_NONE; i++) {
			len = v->length[i];
			if (len <= (size_t)(end - p))
				n = intern_find(&v->intern, p, len, true);
			if (n >= v->written)
				n = INTERN_NONE;
		}
		/* Nobody wrote what is left: an element of its own, which nobody appended. */
		if (n == INTERN_NONE) {
			len = (size_t)(end - p);
			r = values_intern(v, p, len, true, &number);
		} else {
			number = HISTORY_INTERNED + n;
		}
		if (!r)
			r = gather_list(v->g, 1, &to, v->t->err);
		if (!r)
			*to = number;
		p += len;
	}
	return r;
}

static int values_read(struct values *v, const struct event *e, struct gather_end *ret)
{
	struct edn form;
	int r = edn_next(v->t, &form);

	if (r)
		return r;
	ret->first = (uint32_t)v->g->ops.lists;
	if (v->counter && form.type == EDN_NUMBER) {
		ret->value = form.number;
	} else if (v->strings && (form.type == EDN_STRING || form.type == EDN_NIL)) {
		ret->many = true;
		r = values_apart(v, &form);
	} else if (form.type == EDN_STRING && form.len == 0 && edn_is(&e->field[EVENT_F], "get")) {
		ret->value = 0; /* what a string is before it is written */
	} else if (form.type == EDN_MAP) {
		ret->many = true;
		r = values_balances(v);
	} else if (form.type == EDN_LIST || form.type == EDN_SET) {
		ret->many = true;
		r = values_elements(v, &form);
	} else if (form.type == EDN_END || (v->counter && form.type != EDN_NIL)) {
		r = values_here(v, form.p, v->counter ? "a number" : "what was read");
	} else {
		r = values_number(v, &form, &ret->value);
	}
	ret->count = (uint32_t)(v->g->ops.lists - ret->first);
	return r;
}

int values_complete(
	struct values *v, const struct event *e, const struct meant *m, struct gather_end *ret)
{
	struct text *t = v->t;
	struct edn form;
	uint64_t key = m->op->key;
	int r = 0;

	if (e->key && m->kind != HISTORY_TRANSACTION) {
		t->p = e->key;
		r = values_key(v, &key);
	}
	if (!r && key != m->op->key)
		r = values_here(v, e->key, "the key that it was invoked with");
	if (r || (m->kind != HISTORY_READ && m->kind != HISTORY_TRANSACTION))
		return r;
	if (!e->value) {
		t->p = e->at;
		return text_bad(
			t, "a %s that is :ok without a :value", history_kind_names[m->kind]);
	}
	t->p = e->value;
	if (m->kind == HISTORY_TRANSACTION)
		return values_steps(v, m, true);
	if (!m->keyed)
		return values_read(v, e, ret);
	r = edn_next(t, &form);
	if (!r && form.type != EDN_LIST)
		r = values_here(v, form.p, "[key value], as it was invoked,");
	if (!r)
		r = values_key(v, &key);
	if (!r && key != m->op->key)
		r = values_here(v, form.p, "the key that it was invoked with");
	if (!r)
		r = values_read(v, e, ret);
	return r ? r : values_close(v, "']'");
}

int values_strings(struct values *v, const struct event *e)
{
	struct edn form;
	uint64_t number;
	int r;

	v->t->p = e->value;
	r = edn_next(v->t, &form);
	if (r || form.type != EDN_STRING)
		return r;
	for (size_t i = 0; i < v->lengths; i++)
		if (v->length[i] == form.len)
			return values_intern(v, form.p, form.len, true, &number);
	v->length = realloc(v->length, (v->lengths + 1) * sizeof *v->length);
	assert(v->length);
	v->length[v->lengths++] = form.len;
	return values_intern(v, form.p, form.len, true, &number);
}

int values_prefix(struct values *v)
{
	v->written = v->intern.count;
	for (uint32_t i = 0; i < v->intern.count; i++) {
		const char *text = intern_text(&v->intern, i) + 1;
		size_t len = strlen(text) - 1;

		for (size_t k = 0; k < v->lengths; k++) {
			if (v->length[k] >= len ||
				intern_find(&v->intern, text, v->length[k], true) == INTERN_NONE)
				continue;
			return err_set(v->t->err, -EBADMSG, EXIT_USAGE,
				"%s: the string \"%.*s\" is written, and so is \"%.*s\", with "
				"which it begins: what is read could be put together in several "
				"ways (strings of which none begins with another were expected)",
				v->t->path, len > 40 ? 40 : (int)len, text,
				v->length[k] > 40 ? 40 : (int)v->length[k], text);
		}
	}
	return 0;
}
