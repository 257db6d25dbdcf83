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
 * Between the store and the last step every program that had read the old index must have ended,
 * or it would read rules that are half old and half new, and count late: matrix_settle().
 *
 * The kernel's netem has no second copy: its leaves are replaced just before the store, cuts and
 * heals are part of the store all the same. So are the ports of nodes that go down or come back.
 *
 * What the kernel refuses half-way is undone: the queues by the reverse of the same differences,
 * the copy that is not in force from the one that is.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "netns/fabric_priv.h"
#include "netns/link.h"
#include "netns/qdisc.h"

uint32_t fabric_rule(const struct fabric *f, const struct link_state *state)
{
	return matrix_rule(state, f->ops->matrix_bit);
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
	if (!why && s->cut == CUT_REJECT && !f->ops->matrix_bit)
		why = "nobody is there who could answer for a cut of kind reject; it needs "
		      "--emulator wire";
	if (!why && leafcut_needed(f))
		why = leafcut_refuses(s);
	if (why)
		return err_usage(err, "link %s > %s: %s", from, to, why);
	return 0;
}

int fabric_check(const struct fabric *f, const struct link_matrix *want, struct err *err)
{
	for (unsigned i = 0; i < f->nodes * f->nodes; i++) {
		if (i / f->nodes != i % f->nodes &&
			check_state(f, i / f->nodes, i % f->nodes, &want->link[i], err))
			return -EINVAL;
	}
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

static unsigned count_downs(const struct fabric *f, const struct link_matrix *want)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->nodes; i++)
		n += f->now.down[i] != want->down[i];
	return n;
}

static void prepare(struct fabric *f, unsigned deltas)
{
	uint64_t now_ns = clock_now_ns();

	for (unsigned i = 0; i < deltas; i++) {
		const struct fabric_delta *delta = &f->scratch[i];

		matrix_prepare(
			&f->matrix, delta->src, delta->dst, &delta->to, f->ops->matrix_bit, now_ns);
	}
}

/* Queues and the emulator's values, by whoever is in charge of them. */
static int set_queues(struct fabric *f, unsigned deltas, unsigned next, struct err *err)
{
	int code = 0;

	/* Leaves carry both the cut and netem's delay: without BPF one hand must set them. */
	if (leafcut_needed(f))
		code = leafcut_send(f, f->scratch, deltas, err);
	else if (!f->ops->matrix_bit)
		code = switch_add_classes(f, f->scratch, deltas, err);
	if (!code && (!leafcut_needed(f) || f->ops->matrix_bit))
		code = f->ops->apply(f->emulator, f->scratch, deltas, next, err);
	return code;
}

/* What is under way on links that are cut now and were not, kind wire. @room: for all deltas. */
static int flush(struct fabric *f, unsigned deltas, struct fabric_delta *room, struct err *err)
{
	unsigned n = 0;

	/* A blackhole has taken the place of the leaf, and with it of what was there. */
	if (!f->ops->flush || (leafcut_needed(f) && !f->ops->matrix_bit))
		return 0;
	for (unsigned i = 0; i < deltas; i++) {
		const struct fabric_delta *delta = &f->scratch[i];

		if (delta->to.cut == CUT_WIRE && delta->from.cut != CUT_WIRE)
			room[n++] = *delta;
	}
	return n ? f->ops->flush(f->emulator, room, n, err) : 0;
}

/* A change that was refused half-way: put back what was, as far as the kernel lets us. */
static void revert(struct fabric *f, unsigned deltas, const struct link_matrix *want)
{
	unsigned next = !matrix_active(&f->matrix);

	for (unsigned i = 0; i < deltas; i++) {
		struct link_state was = f->scratch[i].from;

		f->scratch[i].from = f->scratch[i].to;
		f->scratch[i].to = was;
	}
	(void)switch_set_carriers(f, want->down, f->now.down, NULL);
	(void)set_queues(f, deltas, next, NULL);
	for (unsigned i = 0; i < deltas; i++)
		matrix_follow(&f->matrix, f->scratch[i].src, f->scratch[i].dst);
}

/* After the change is in force: everything that need not be part of its time. */
static void finish(struct fabric *f, const struct link_matrix *want, struct fabric_change *ret)
{
	unsigned stale = !matrix_active(&f->matrix);

	matrix_settle(&f->matrix);
	if (f->ops->applied)
		f->ops->applied(f->emulator, f->scratch, ret->deltas, stale);
	leafcut_refresh_all(f);
	for (unsigned i = 0; i < ret->deltas; i++) {
		struct fabric_delta *delta = &f->scratch[i];

		matrix_follow(&f->matrix, delta->src, delta->dst);
		*link_matrix_at(&f->now, delta->src, delta->dst) = delta->to;
		fabric_count(f, delta->src, delta->dst, &delta->after);
	}
	memcpy(f->now.down, want->down, f->nodes * sizeof *f->now.down);
	memcpy(ret->delta, f->scratch, ret->deltas * sizeof *ret->delta);
}

/* The kernel names a queue; people know links. */
static void blame(const struct fabric *f, struct err *err)
{
	const struct nlsock_refusal *r = &f->sw.refusal;
	unsigned dst = (unsigned)(r->ifindex - LINK_PORT(0));
	int src = qdisc_source(r->parent, r->handle);

	if (r->ifindex < LINK_PORT(0) || dst >= f->nodes)
		return;
	if (src >= 0 && (unsigned)src < f->nodes)
		err_wrap(err, "link %s > %s", f->name[src].name, f->name[dst].name);
	else
		err_wrap(err, "port of '%s'", f->name[dst].name);
}

/* From the first message to the store. Return: 0, or what the kernel said and all is as before. */
static int carry_out(struct fabric *f, const struct link_matrix *want, struct fabric_change *ret,
	struct err *err)
{
	int code;

	f->sw.refusal = (struct nlsock_refusal){0};
	prepare(f, ret->deltas);
	ret->t_first_ns = clock_now_ns();
	code = set_queues(f, ret->deltas, !matrix_active(&f->matrix), err);
	if (!code)
		code = switch_set_carriers(f, f->now.down, want->down, err);
	if (code)
		goto fail;
	/* A wire emulator has only written to the copy that is not in force: nothing was seen yet.
	 */
	if (f->ops->matrix_bit && !leafcut_needed(f) && !ret->downs)
		ret->t_first_ns = clock_now_ns();
	matrix_flip(&f->matrix);
	code = flush(f, ret->deltas, ret->delta, err);
	ret->t_last_ns = clock_now_ns();
	if (!code)
		return 0;
	matrix_flip(&f->matrix);
	matrix_settle(&f->matrix);
fail:
	blame(f, err);
	revert(f, ret->deltas, want);
	return code;
}

int fabric_apply(struct fabric *f, const struct link_matrix *want, struct fabric_change *ret,
	struct err *err)
{
	int code;

	assert(want->nodes == f->nodes);
	*ret = (struct fabric_change){.t_request_ns = clock_now_ns(),
		.atomic = !leafcut_needed(f),
		.downs = count_downs(f, want)};
	leafcut_refresh_all(f);
	code = find_deltas(f, want, ret, err);
	if (code < 0)
		goto fail;
	if (code == 0 && !ret->downs) {
		ret->t_first_ns = ret->t_last_ns = clock_now_ns();
		return 0;
	}
	ret->deltas = (unsigned)code;
	ret->delta = malloc((ret->deltas + 1) * sizeof *ret->delta);
	if (!ret->delta) {
		code = err_sys(err, -ENOMEM, "change %u links", ret->deltas);
		goto fail;
	}
	code = carry_out(f, want, ret, err);
	if (code) {
		err_wrap(err, "change %u links; all are as they were", ret->deltas);
		goto fail;
	}
	finish(f, want, ret);
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
