/* SPDX-License-Identifier: MIT */
/*
 * reg.h - the operations on one key, made ready for a checker of registers
 *
 * What cannot constrain anything is left out: reads without an answer, writes that surely had no
 * effect, and writes of unknown outcome whose value nobody observed (they can be taken to happen
 * at the end, or never). Values are numbered; all values that no operation looks at are one value.
 */
#ifndef CHECK_REG_H
#define CHECK_REG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/history/history.h"
#include "agent/history/pairs.h"

enum reg_kind {
	REG_READ,
	REG_UNMET, /* a compare-and-set that found another value than the expected one */
	REG_WRITE,
	REG_APPEND, /* value is the edge that leads from one value to the next, see reg.edge */
	REG_CAS,    /* that replaced its expected value; or, if open, may have done so */
};

/* Numbers of values. */
#define REG_NOTHING 0 /* before the first write */
#define REG_OTHER 1   /* any value that no operation looks at */
#define REG_NONE UINT32_MAX

struct reg_op {
	uint64_t t_invoke_ns;
	uint64_t t_return_ns; /* UINT64_MAX: open, its outcome is unknown */
	uint32_t index;       /* in the history */
	uint32_t value;       /* number of the value read or written; REG_UNMET: REG_NONE */
	uint32_t old;         /* number of the value expected by REG_UNMET and REG_CAS */
	uint16_t slot;        /* scratch of the search */
	uint8_t kind;         /* enum reg_kind */
	bool open;
};

struct reg_value {
	uint64_t value;
	uint32_t writer;  /* first operation that may have written it, REG_NONE if there is none */
	uint32_t writers; /* how many */
	uint32_t looks;   /* kept operations that read or expect it */
};

struct reg {
	const struct history_ops *h;
	struct reg_op *op; /* owned; sorted by invocation */
	size_t count;
	struct reg_value *value; /* owned; by number */
	size_t values;
	const struct pairs *edge; /* value, edge -> value, for REG_APPEND; or NULL */
	bool unmet;               /* there is a REG_UNMET */
	bool unique;              /* no value was written twice */
};

/* reg_build() - from @count operations of one key, given by index and sorted by invocation. */
void reg_build(struct reg *r, const struct history_ops *h, const uint32_t *index, size_t count);
void reg_destroy(struct reg *r);

static inline bool reg_pure(const struct reg_op *op)
{
	return op->kind == REG_READ || op->kind == REG_UNMET;
}

#endif
