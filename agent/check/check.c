/* SPDX-License-Identifier: MIT */
/* check.c - what verdicts and types are called, and of which type a history is */
#include "agent/check/check.h"

const char *const check_verdict_names[CHECK_VERDICT_NR] = {
	[CHECK_OK] = "ok",
	[CHECK_VIOLATION] = "violation",
	[CHECK_UNKNOWN] = "unknown",
};

const char *const check_type_names[] = {
	[CHECK_REGISTER] = "register",
	[CHECK_LIST] = "list",
	[CHECK_SET] = "set",
	[CHECK_COUNTER] = "counter",
	[CHECK_BANK] = "bank",
	[CHECK_TRANSACTIONS] = "transactions",
	[CHECK_TEXT] = "text",
};
_Static_assert(sizeof check_type_names / sizeof *check_type_names == CHECK_TYPE_NR,
	"every type has a name");

/* A list that is written as a whole, too, is a text. */
static bool check_is_text(const struct history_op *a, const struct history_op *b)
{
	return (a->kind == HISTORY_WRITE && b->kind == HISTORY_APPEND) ||
	       (a->kind == HISTORY_APPEND && b->kind == HISTORY_WRITE);
}

/* What an operation says about its object. A read alone says nothing. */
static enum check_type check_type_by(const struct history_op *op)
{
	switch ((enum history_kind)op->kind) {
	case HISTORY_WRITE:
	case HISTORY_CAS:
		return CHECK_REGISTER;
	case HISTORY_APPEND:
		return CHECK_LIST;
	case HISTORY_ADD:
		return CHECK_SET;
	case HISTORY_INCREASE:
		return CHECK_COUNTER;
	case HISTORY_TRANSFER:
		return CHECK_BANK;
	case HISTORY_TRANSACTION:
		return CHECK_TRANSACTIONS;
	case HISTORY_READ:
	case HISTORY_KIND_NR:
		break;
	}
	return CHECK_TYPE_NR;
}

/* A read gives one value, or many, as its type has it; nothing may be either. */
static int check_reads(const struct history_ops *h, enum check_type type, struct err *err)
{
	bool one = type == CHECK_REGISTER || type == CHECK_COUNTER;

	for (size_t i = 0; i < h->count; i++) {
		const struct history_op *op = &h->op[i];

		if (op->kind != HISTORY_READ || op->outcome != HISTORY_OK || op->many != one ||
			(!op->many && op->value == 0))
			continue;
		return err_usage(err, "operation %u reads %s, but objects of type %s have %s",
			op->op, op->many ? "many values" : "one value", check_type_names[type],
			one ? "one" : "many");
	}
	return 0;
}

int check_type_of(const struct history_ops *h, enum check_type *ret, struct err *err)
{
	const struct history_op *first = NULL;
	enum check_type type = CHECK_TYPE_NR;
	bool many = false;

	for (size_t i = 0; i < h->count; i++) {
		const struct history_op *op = &h->op[i];
		enum check_type by = check_type_by(op);

		many |= op->many;
		if (by == CHECK_TYPE_NR)
			continue;
		if (type == CHECK_TYPE_NR) {
			type = by;
			first = op;
		}
		if (by != type && check_is_text(first, op))
			type = CHECK_TEXT;
		if (by != type && !(type == CHECK_TEXT && (op->kind == HISTORY_WRITE ||
								  op->kind == HISTORY_APPEND)))
			return err_usage(err,
				"operation %u is a %s and operation %u a %s: one history has "
				"objects of one type",
				first->op, history_kind_names[first->kind], op->op,
				history_kind_names[op->kind]);
	}
	if (type == CHECK_TYPE_NR)
		type = many ? CHECK_LIST : CHECK_REGISTER;
	*ret = type;
	return type == CHECK_TEXT ? 0 : check_reads(h, type, err);
}
