/* SPDX-License-Identifier: MIT */
/* marks.c - what happened around the operations: phases and faults that a binary history notes */
#include "agent/history/marks.h"

#include <stdio.h>
#include <string.h>

#include "agent/history/format.h"

#define MARKS_CHUNK 1024

static bool marks_take(const struct history_record *r, struct history_mark *ret)
{
	if ((r->type != HISTORY_PHASE && r->type != HISTORY_FAULT) ||
		r->crc != format_record_crc(r))
		return false;
	*ret = (struct history_mark){
		.t_ns = r->t_ns,
		.number = r->type == HISTORY_FAULT ? (uint32_t)r->key : r->phase,
		.fault = r->type == HISTORY_FAULT,
	};
	return true;
}

size_t history_marks(const char *path, struct history_mark *ret)
{
	struct history_record record[MARKS_CHUNK];
	struct format_header header;
	FILE *in = fopen(path, "re");
	uint64_t slots = 0;
	size_t count = 0;
	size_t n = 0;

	if (!in)
		return 0;
	if (fread(&header, sizeof header, 1, in) == 1 &&
		memcmp(header.magic, FORMAT_MAGIC, sizeof header.magic) == 0)
		slots = header.slots; /* FORMAT_UNSEALED: to the end */
	do {
		n = fread(record, sizeof *record, MARKS_CHUNK, in);
		for (size_t i = 0; i < n && slots > 0 && count < HISTORY_MARKS_MAX; i++, slots--)
			count += marks_take(&record[i], &ret[count]);
	} while (n == MARKS_CHUNK && slots > 0 && count < HISTORY_MARKS_MAX);
	(void)fclose(in);
	return count;
}
