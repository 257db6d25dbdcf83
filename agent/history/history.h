/* SPDX-License-Identifier: MIT */
/*
 * history.h - every operation of a run on disk: append-only, crash-safe, readable while written
 *
 * The file is one header and then fixed records of 64 bytes in one order for the whole lab. It is a
 * shared mapping that all load processes inherit: a writer claims a slot by one atomic add and
 * commits it by storing its type last, so kill -9 of any writer loses at most the records that it
 * had not committed, and every committed record is in the page cache. An operation is an INVOKE
 * record, written before its first byte is sent, and a completion (OK, FAIL or UNKNOWN) with the
 * same op number; an INVOKE without completion is an operation whose outcome is unknown. What does
 * not fit into a record (elements that were read, steps of a transaction) stands in MORE records,
 * committed before the record that refers to them.
 *
 * Recording rules (they are what the checkers rely on): times are CLOCK_MONOTONIC, read before the
 * first byte is sent and after the last byte is parsed; equal times mean concurrent; a session has
 * one operation in flight; after UNKNOWN the client goes on under a new session number; values
 * written are unique in a run and never 0, which stands for "no value". Amounts (INCREASE, reads of
 * a counter, TRANSFER, balances of a bank) are no values: they are numbers in two's complement.
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

#define HISTORY_RECORDS_MAX (16u << 20) /* sparse file of 1 GiB at the most */
#define HISTORY_STEPS_MAX 4096          /* of one transaction */
#define HISTORY_MANY_MAX (1u << 20)     /* elements of one read, or of all of a transaction */

enum history_type {
	HISTORY_NONE, /* slot claimed, not committed */
	HISTORY_INVOKE,
	HISTORY_OK,
	HISTORY_FAIL,    /* had no effect and will have none */
	HISTORY_UNKNOWN, /* may or may not have taken effect */
	HISTORY_PHASE,   /* a phase begins: phase is its number */
	HISTORY_FAULT,   /* the matrix changed or a process was hit: key is the fault's number */
	HISTORY_MORE,    /* words of the next record of the same operation, see format.h */
	HISTORY_TYPE_NR
};

/*
 * What was asked for. The object behind a key is of one type, told by what is done to it:
 *
 *	register	READ (value), WRITE, CAS
 *	list		READ (all elements, in order), APPEND of one element
 *	set		READ (all elements, in any order), ADD of one element
 *	counter		READ (value), INCREASE by a signed value
 *	bank		READ (balances of accounts 0 .. n-1 in this order), TRANSFER
 *	lists		TRANSACTION of reads and appends of several lists, all or nothing
 */
enum history_kind {
	HISTORY_READ,
	HISTORY_WRITE,
	HISTORY_CAS,
	HISTORY_APPEND,
	HISTORY_ADD,
	HISTORY_INCREASE,
	HISTORY_TRANSFER, /* value from account old to account to; key is the bank */
	HISTORY_TRANSACTION,
	HISTORY_KIND_NR
};
extern const char *const history_kind_names[HISTORY_KIND_NR]; /* "read" "write" "cas" ... */

/* Why an operation was not OK. */
enum history_error {
	HISTORY_NO_ERROR,
	HISTORY_REFUSED,   /* the store said so: -UNAVAILABLE */
	HISTORY_UNCERTAIN, /* the store said so: -UNCERTAIN */
	HISTORY_TIMEOUT,   /* the client's deadline passed */
	HISTORY_CONNECT,   /* no connection: nothing was sent */
	HISTORY_CLOSED,    /* the connection broke after the request was sent */
	HISTORY_LATE,      /* its start was already more than a deadline ago: not sent */
	HISTORY_UNMET,     /* CAS: the old value was not there (type is HISTORY_OK, ok false) */
	HISTORY_OTHER,     /* another error answer */
	HISTORY_ERROR_NR
};
extern const char *const history_error_names[HISTORY_ERROR_NR];

/* One record as it stands in the file, little-endian. */
struct history_record {
	uint32_t crc; /* CRC-32C of bytes 4 .. 63 with type as committed */
	uint8_t type;
	uint8_t kind;
	uint8_t error;
	uint8_t flags; /* HISTORY_F_... */
	uint32_t op;   /* number of the operation, unique in the file, from 1 */
	uint32_t session;
	uint16_t node;   /* node index of the replica that was contacted */
	uint16_t client; /* node index of the client's node */
	uint32_t phase;
	uint64_t t_ns;          /* INVOKE: invocation; completion: return */
	uint64_t t_intended_ns; /* INVOKE: when the open loop wanted it to start */
	uint64_t key;
	/*
	 * WRITE: written; READ completion: read; CAS: new value; APPEND, ADD: the element;
	 * INCREASE, TRANSFER: the amount; with MORE records: how many elements, steps or words
	 */
	uint64_t value;
	uint64_t old; /* CAS: expected value; TRANSFER: history_accounts() */
};
_Static_assert(sizeof(struct history_record) == 64, "a record is a cache line");

#define HISTORY_F_FINAL 1 /* a read of the final round, after the last phase */
#define HISTORY_F_MANY 2  /* READ completion: the elements stand in MORE records */

/* history_accounts() - what stands in history_record.old of a TRANSFER. */
static inline uint64_t history_accounts(uint16_t from, uint16_t to)
{
	return (uint64_t)to << 32 | from;
}

/* An operation put together from its records. */
struct history_op {
	uint64_t t_invoke_ns;
	uint64_t t_return_ns; /* UINT64_MAX while the outcome is unknown */
	uint64_t t_intended_ns;
	uint64_t key;
	uint64_t value; /* written, read (0: nothing there), for CAS new; or the amount */
	uint64_t old;   /* CAS: expected; TRANSFER: the account that gives */
	uint32_t op;
	uint32_t session;
	uint32_t phase;
	uint16_t node;
	uint16_t client;
	uint8_t kind;    /* enum history_kind */
	uint8_t outcome; /* HISTORY_OK, HISTORY_FAIL or HISTORY_UNKNOWN */
	uint8_t error;
	uint8_t flags;
	bool met;       /* CAS with outcome OK: the old value was there and was replaced */
	bool many;      /* READ with outcome OK: the elements are history_ops.list[first ...] */
	uint16_t to;    /* TRANSFER: the account that receives; TRANSACTION: unused */
	uint32_t first; /* READ of many: of history_ops.list; TRANSACTION: of history_ops.micro */
	uint32_t count; /* how many there are from there */
};

/* One step of a transaction. */
struct history_micro {
	uint64_t key;
	uint64_t value; /* APPEND: the element */
	uint32_t first; /* READ: of history_ops.list; not looked at unless the outcome is OK */
	uint32_t count;
	uint8_t kind; /* HISTORY_READ or HISTORY_APPEND */
};

struct history; /* a file open for writing */

/* history_create() - a new file; fails with -EEXIST if there is one. The mapping survives fork. */
int history_create(struct history **ret, const char *path, struct err *err);

/* history_close() - cut the sparse file to what was written; in one process, at the end. NULL ok.
 */
void history_close(struct history *h);

/* history_repeats() - say in the header that values written may repeat; before the first record. */
void history_repeats(struct history *h);

/* history_fd() - its descriptor, borrowed: a process that closes all others must keep this one. */
int history_fd(const struct history *h);

/* history_op_number() - the next unused operation number, for all processes. */
uint32_t history_op_number(struct history *h);

/* history_session_number() - the next unused session number, for all processes. */
uint32_t history_session_number(struct history *h);

/* history_add() - append; sets the checksum. Return: 0, or -ENOSPC at HISTORY_RECORDS_MAX. */
int history_add(struct history *h, const struct history_record *record);

/**
 * history_add_many() - the completion of a READ that gave many elements
 * @record:	of type HISTORY_OK; value and HISTORY_F_MANY are set here
 * Return: 0, -ENOSPC, or -E2BIG for more than HISTORY_MANY_MAX elements; then nothing refers to
 * what was written, and the operation is one of unknown outcome.
 */
int history_add_many(struct history *h, const struct history_record *record,
	const uint64_t *element, size_t count);

/**
 * history_add_steps() - the INVOKE record of a TRANSACTION
 * @record:	of type HISTORY_INVOKE; value is set here
 * Return: 0, -ENOSPC, or -E2BIG for more than HISTORY_STEPS_MAX steps.
 */
int history_add_steps(struct history *h, const struct history_record *record,
	const struct history_micro *step, size_t count);

/**
 * history_add_results() - the completion of a TRANSACTION that is HISTORY_OK
 * @step:	as invoked; first and count of the reads are elements of @list
 * Return: 0, -ENOSPC, or -E2BIG for more than HISTORY_MANY_MAX elements and reads.
 */
int history_add_results(struct history *h, const struct history_record *record,
	const struct history_micro *step, size_t count, const uint64_t *list);

/* Values that are no positive whole numbers in the file that was read are numbers from here. */
#define HISTORY_INTERNED (1ull << 62)

/* Operations sorted by invocation, in memory. */
struct history_ops {
	struct history_op *op; /* owned */
	size_t count;
	size_t damaged;              /* records in uncommitted slots, of writers that were killed */
	struct history_micro *micro; /* owned; steps of all transactions */
	size_t micros;
	uint64_t *list; /* owned; elements of all that was read as many */
	size_t lists;
	char *text; /* owned; how the values from HISTORY_INTERNED were written, each with a NUL */
	size_t *text_at; /* owned; where each begins */
	size_t texts;
};

/* history_text() - how the file that was read writes a value; NULL if as a number. */
static inline const char *history_text(const struct history_ops *ops, uint64_t value)
{
	bool interned = value >= HISTORY_INTERNED && value - HISTORY_INTERNED < ops->texts;

	return interned ? ops->text + ops->text_at[value - HISTORY_INTERNED] : NULL;
}

/* history_has() - whether an operation is of that kind. */
bool history_has(const struct history_ops *ops, enum history_kind kind);

enum history_format {
	HISTORY_BINARY,
	HISTORY_JSONL, /* JSON lines, one operation a line */
	HISTORY_EDN,   /* events of Jepsen, Elle or Porcupine */
	HISTORY_JSON,  /* the same events in JSON */
	HISTORY_LOG,   /* events as Jepsen logs them; not written */
	HISTORY_FORMAT_NR
};
extern const char *const history_format_names[HISTORY_FORMAT_NR]; /* "bin" "jsonl" "edn" ... */

/**
 * history_read() - all operations of a file, whose format is told by how it begins
 * Return: 0, or -EBADMSG with path and offset or line, what is wrong and what was expected, and
 * EXIT_USAGE, in @err.
 */
int history_read(struct history_ops *ret, const char *path, struct err *err);

/* history_read_as() - likewise; @format may be HISTORY_FORMAT_NR: any. */
int history_read_as(
	struct history_ops *ret, const char *path, enum history_format format, struct err *err);
void history_ops_fini(struct history_ops *ops);

/* history_write() - export. A binary file must not exist; others are replaced. */
int history_write(const struct history_ops *ops, const char *path, enum history_format format,
	struct err *err);

#endif
