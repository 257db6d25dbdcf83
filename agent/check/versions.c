/* SPDX-License-Identifier: MIT */
/* versions.c - the values that one key had, and who saw them */
#include "agent/check/versions.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/history/pairs.h"

static bool versions_writes(const struct history_op *op)
{
	if (op->kind == HISTORY_READ || op->outcome == HISTORY_FAIL)
		return false;
	return op->kind != HISTORY_CAS || op->outcome == HISTORY_UNKNOWN || op->met;
}

static bool versions_reads(const struct history_op *op)
{
	return op->kind == HISTORY_READ && op->outcome == HISTORY_OK && !op->many;
}

static void versions_add_write(
	struct versions *v, struct pairs *numbers, const struct history_op *op)
{
	uint64_t end = op->outcome == HISTORY_OK ? op->t_return_ns + 1 : VERSIONS_NEVER;
	uint64_t begin = op->t_invoke_ns + 1;
	uint32_t n = pairs_put(numbers, op->value, 0, (uint32_t)v->count);

	if (n != v->count) {
		v->unique = false;
		return;
	}
	v->version[v->count++] = (struct version){
		.value = op->value, .begin = begin, .acked = end, .first = end, .last = begin};
}

static void versions_add_read(struct versions *v, const struct pairs *numbers,
	const struct history_op *op, uint32_t index)
{
	uint32_t n = op->value ? pairs_get(numbers, op->value, 0) : 0;
	struct version_read read = {.begin = op->t_invoke_ns + 1,
		.end = op->t_return_ns + 1,
		.version = n,
		.index = index};
	struct version *of;

	if (n == PAIRS_NONE || read.end < v->version[n].begin) {
		v->strange++;
		return;
	}
	of = &v->version[n];
	if (read.end < of->first)
		of->first = read.end;
	if (read.begin > of->last)
		of->last = read.begin;
	v->read[v->reads++] = read;
}

/* A write of unknown outcome that nobody saw can be taken never to have happened. */
static void versions_drop_unseen(struct versions *v)
{
	uint32_t *to = malloc(v->count * sizeof *to);
	size_t kept = 0;

	assert(to);
	for (size_t i = 0; i < v->count; i++) {
		to[i] = (uint32_t)kept;
		if (v->version[i].first != VERSIONS_NEVER)
			v->version[kept++] = v->version[i];
	}
	v->count = kept;
	for (size_t i = 0; i < v->reads; i++)
		v->read[i].version = to[v->read[i].version];
	free(to);
}

void versions_build(struct versions *v, const struct history_ops *h, const struct keys_group *group)
{
	struct pairs numbers = {0};

	*v = (struct versions){.count = 1, .unique = true};
	v->version = malloc((group->count + 1) * sizeof *v->version);
	v->read = malloc((group->count + 1) * sizeof *v->read);
	assert(v->version && v->read);
	v->version[0] = (struct version){0};
	for (size_t i = 0; i < group->count; i++)
		if (versions_writes(&h->op[group->index[i]]))
			versions_add_write(v, &numbers, &h->op[group->index[i]]);
	for (size_t i = 0; i < group->count; i++)
		if (versions_reads(&h->op[group->index[i]]))
			versions_add_read(v, &numbers, &h->op[group->index[i]], group->index[i]);
	pairs_fini(&numbers);
	versions_drop_unseen(v);
}

void versions_destroy(struct versions *v)
{
	free(v->version);
	free(v->read);
	*v = (struct versions){0};
}
