/* SPDX-License-Identifier: MIT */
/*
 * table.h - a replica's data in memory: keys, values, versions, tombstones
 *
 * Pure data structure: no clock, no I/O. The version of an entry orders the versions of its key:
 * the log index in raft and single, the write's timestamp in quorum. It never goes back.
 */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/proto.h"

struct table_entry {
	struct proto_bytes key; /* owned by the table */
	struct proto_bytes value;
	uint64_t version;
	uint64_t expires_ns; /* wall clock at which the key is gone, 0: never */
	uint16_t origin;     /* breaks ties of versions: the replica that made the write */
	bool deleted;        /* tombstone: the key has been deleted at this version */
};

/* A protocol may keep a little of its own beside a value. */
#define TABLE_VALUE_MAX (PROTO_VALUE_MAX + 2048u)
/* Entries that readers may look at together, and keys whose misses may overlap. */
#define TABLE_SHOWN_MAX 8
#define TABLE_PREFETCH_MAX 32
#define TABLE_ORIGINS_MAX 8192u

struct table;

/* table_open() - an empty table. Return: never NULL. table_close() takes NULL, too. */
struct table *table_open(void);
void table_close(struct table *t);

/**
 * table_get() - the entry, tombstones included; NULL if there is none
 *
 * Valid until the next put or remove of that key, and until TABLE_SHOWN_MAX later calls of
 * table_get() and table_next(); key and value for as long as the key is not written.
 */
const struct table_entry *table_get(const struct table *t, struct proto_bytes key);

/* table_find() - the same as a copy. Return: whether there is one; @ret is untouched if not. */
bool table_find(const struct table *t, struct proto_bytes key, struct table_entry *ret);

/* table_prefetch() - these @n keys are looked up next; they need not be there. */
void table_prefetch(const struct table *t, const struct proto_bytes *keys, unsigned n);

/* table_put() - set the entry of e->key to a copy of @e, whatever was there. */
void table_put(struct table *t, const struct table_entry *e);

/* table_count() - living keys, without tombstones. */
size_t table_count(const struct table *t);

/* table_memory() - bytes that it takes. */
size_t table_memory(const struct table *t);

/* table_full() - whether what a table can name is used up, but for some GiB: 60 GiB of small
 * entries, 8 TiB of those above 32 KiB. Who puts more may be ended by an assertion. */
bool table_full(const struct table *t);

/* table_next() - walk all entries, tombstones included; start with *@at = 0; NULL at the end. */
const struct table_entry *table_next(const struct table *t, size_t *at);

/**
 * table_scan() - show the next few entries, tombstones included, in an order of its own
 * @cursor:	0 begins; then what the last call returned
 * @each:	may not change the table
 *
 * The table may change between calls. What @each is shown is valid during the call. An entry that
 * is there all the time is shown at least once.
 *
 * Return: the next cursor; 0: that was all.
 */
uint64_t table_scan(const struct table *t, uint64_t cursor,
	void (*each)(void *arg, const struct table_entry *e), void *arg);

/*
 * table_place() - where @key stands in the order of table_scan(), which is the same in all tables,
 * whatever is in them: a call with cursor a that returned b has shown every key from a up to but
 * not including b (to the end, if b is 0), and a scan may go on in another table.
 */
uint64_t table_place(struct proto_bytes key);

/* table_swap() - exchange the contents of two tables. */
void table_swap(struct table *a, struct table *b);

/* table_remove() - forget a key for good, its tombstone too; it need not be there. */
void table_remove(struct table *t, struct proto_bytes key);

/* table_clear() - forget everything. */
void table_clear(struct table *t);

/**
 * struct table_watch - who is told of every change, before it is made: a check of the simulator
 * @changed:	@old is there, or NULL; it becomes @e, or is removed if that is NULL; both NULL:
 *		all may be other. It may read nothing of the table
 */
struct table_watch {
	void (*changed)(void *arg, const struct table_entry *old, const struct table_entry *e);
	void *arg;
};

/* table_watch() - from now on; @watch stays with @t when contents are swapped. NULL: nobody. */
void table_watch(struct table *t, const struct table_watch *watch);

#endif
