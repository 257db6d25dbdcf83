/* SPDX-License-Identifier: MIT */
/*
 * change.c - from the matrix in force to the next: the difference, and one store
 *
 * What can take time is prepared first in the copy of the matrix that is not in force; then one
 * store puts it in force for all links, and the other copy follows:
 *
 *	copy 0 [in force]	copy 1			the differences are written to copy 1
 *	copy 0			copy 1 [in force]	one store: t_first .. t_last
 *	copy 0 = copy 1		copy 1 [in force]	ready for the next change
 *
 * The kernel's netem has no second copy: its leaves are replaced just before the store, cuts and
 * heals are part of the store all the same.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "netns/fabric_priv.h"

/* A tc program that had read the old index is done by then: it takes well below 1 us. */
#define SETTLE_NS (20 * NS_PER_US)

uint32_t fabric_rule(const struct fabric *f, const struct link_state *state)
{
	uint32_t rule = state->cut ? MATRIX_CUT : 0;

	if (state->cut == CUT_REJECT)
		rule |= MATRIX_REJECT;
	if (link_state_shaped(state))
		rule |= f->ops->matrix_bit;
	return rule;
}

static bool same_shape(const struct link_state *a, const struct link_state *b)
{
	struct link_state uncut = *a;

	uncut.cut = b->cut;
	return link_state_same(&uncut, b);
}

static int check_state(const struct fabric *f, unsigned src, unsigned dst,
	const struct link_state *s, struct err *err)
{
	const char *from = f->name[src].name, *to = f->name[dst].name;

	const char *why;

	if (link_state_check(s, err))
		return err_wrap(err, "link %s > %s", from, to);
	why = f->ops->refuses(f->emulator, s);
	if (!why && s->cut > CUT_EDGE)
		why = "only cuts of kind edge";
	if (!why && link_state_marked(s))
		why = "no loss, duplication, exact drops or flapping";
	if (why)
		return err_usage(err, "link %s > %s: %s", from, to, why);
	return 0;
}

/* Write the differences to f->scratch. Return: how many, or -EINVAL. */
static int find_deltas(struct fabric *f, const struct link_matrix *want, struct fabric_change *ret,
	struct err *err)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->nodes * f->nodes; i++) {
		const struct link_state *from = &f->now.link[i], *to = &want->link[i];
		struct fabric_delta *delta = &f->scratch[n];

		if (link_state_same(from, to))
			continue;
		delta->src = (uint16_t)(i / f->nodes);
		delta->dst = (uint16_t)(i % f->nodes);
		if (delta->src == delta->dst)
			continue;
		if (check_state(f, delta->src, delta->dst, to, err))
			return -EINVAL;
		delta->from = *from;
		delta->to = *to;
		fabric_count(f, delta->src, delta->dst, &delta->before);
		ret->cuts += to->cut && !from->cut;
		ret->heals += from->cut && !to->cut;
		ret->reshaped += !same_shape(from, to);
		n++;
	}
	return (int)n;
}

static void write_rules(struct fabric *f, unsigned deltas, unsigned copy)
{
	for (unsigned i = 0; i < deltas; i++) {
		const struct fabric_delta *delta = &f->scratch[i];

		__atomic_store_n(&matrix_at(&f->matrix, delta->src, delta->dst)->rule[copy],
			fabric_rule(f, &delta->to), __ATOMIC_RELAXED);
	}
}

/* Queues and the emulator's values, by whoever is in charge of them. */
static int set_queues(struct fabric *f, unsigned deltas, unsigned copy, struct err *err)
{
	int code = 0;

	/* Leaves carry both the cut and netem's delay: without BPF one hand must set them. */
	if (leafcut_needed(f))
		code = leafcut_send(f, f->scratch, deltas, err);
	if (!code && (!leafcut_needed(f) || f->ops->matrix_bit))
		code = f->ops->apply(f->emulator, f->scratch, deltas, copy, err);
	return code;
}

/* A batch that failed half-way: put back what was, as far as the kernel lets us. */
static void revert(struct fabric *f, unsigned deltas, unsigned copy)
{
	for (unsigned i = 0; i < deltas; i++) {
		struct link_state was = f->scratch[i].from;

		f->scratch[i].from = f->scratch[i].to;
		f->scratch[i].to = was;
	}
	(void)set_queues(f, deltas, copy, NULL);
	write_rules(f, deltas, copy);
}

/* After the change is in force: everything that need not be part of its time. */
static void finish(struct fabric *f, unsigned stale, struct fabric_change *ret)
{
	write_rules(f, ret->deltas, stale);
	if (f->ops->applied)
		f->ops->applied(f->emulator, f->scratch, ret->deltas, stale);
	while (clock_now_ns() < ret->t_last_ns + SETTLE_NS)
		;
	leafcut_refresh_all(f);
	for (unsigned i = 0; i < ret->deltas; i++) {
		struct fabric_delta *delta = &f->scratch[i];

		*link_matrix_at(&f->now, delta->src, delta->dst) = delta->to;
		fabric_count(f, delta->src, delta->dst, &delta->after);
	}
	memcpy(ret->delta, f->scratch, ret->deltas * sizeof *ret->delta);
}

int fabric_apply(struct fabric *f, const struct link_matrix *want, struct fabric_change *ret,
	struct err *err)
{
	unsigned next = !matrix_active(&f->matrix);
	int code;

	assert(want->nodes == f->nodes);
	*ret = (struct fabric_change){.t_request_ns = clock_now_ns(), .atomic = !leafcut_needed(f)};
	leafcut_refresh_all(f);
	code = find_deltas(f, want, ret, err);
	if (code < 0)
		goto fail;
	if (code == 0) {
		ret->t_first_ns = ret->t_last_ns = clock_now_ns();
		return 0;
	}
	ret->deltas = (unsigned)code;
	ret->delta = malloc(ret->deltas * sizeof *ret->delta);
	if (!ret->delta) {
		code = err_sys(err, -ENOMEM, "change %u links", ret->deltas);
		goto fail;
	}
	write_rules(f, ret->deltas, next);
	ret->t_first_ns = clock_now_ns();
	code = set_queues(f, ret->deltas, next, err);
	if (code) {
		revert(f, ret->deltas, next);
		err_wrap(err, "change %u links", ret->deltas);
		goto fail;
	}
	/* A wire emulator has only written to the copy that is not in force: nothing was seen yet.
	 */
	if (f->ops->matrix_bit && !leafcut_needed(f))
		ret->t_first_ns = clock_now_ns();
	matrix_flip(&f->matrix);
	ret->t_last_ns = clock_now_ns();
	finish(f, !next, ret);
	return 0;
fail:
	fabric_change_fini(ret);
	return code;
}

void fabric_change_fini(struct fabric_change *change)
{
	free(change->delta);
	*change = (struct fabric_change){0};
}
