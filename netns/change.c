/* SPDX-License-Identifier: MIT */
/*
 * change.c - from the matrix in force to the next: the difference, and one store
 *
 * Nothing is done before the store that can be done after it. A change of cuts alone is a list of
 * links and a word for each; what they were and are, and what they have counted, is written down
 *when the change is in force. Only queues and a flush need that before.
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
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "netns/fabric_priv.h"
#include "netns/link.h"
#include "netns/qdisc.h"

/* A change that is under way: of the links in f->changed. */
struct work {
	struct fabric *f;
	const struct link_matrix *want;
	struct fabric_change *ret;
	unsigned wires; /* links newly cut, kind wire */
	bool told;      /* f->scratch says what each link was and will be */
};

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

/*
 * How two states differ, for ten thousand pairs of which most do not. Bytes that are equal are
 * enough; padding may differ, so bytes that are not are looked at again.
 */
enum difference { DIFFER_NOT, DIFFER_CUT, DIFFER_SHAPE };

static enum difference differ(const struct link_state *from, const struct link_state *to)
{
	const size_t rest = offsetof(struct link_state, cut) + sizeof from->cut;

	_Static_assert(offsetof(struct link_state, cut) == 0, "all else comes behind the cut");
	if (memcmp((const char *)from + rest, (const char *)to + rest, sizeof *from - rest) != 0 &&
		!same_shape(from, to))
		return DIFFER_SHAPE;
	return from->cut == to->cut ? DIFFER_NOT : DIFFER_CUT;
}

static int note(struct work *w, unsigned src, unsigned dst, enum difference differ, struct err *err)
{
	const size_t i = (size_t)src * w->f->nodes + dst;
	const struct link_state *from = &w->f->now.link[i], *to = &w->want->link[i];

	/* What is in force was checked, and everybody can do the other two cuts. */
	if ((differ == DIFFER_SHAPE || to->cut >= CUT_REJECT) &&
		check_state(w->f, src, dst, to, err))
		return -EINVAL;
	w->f->changed[w->ret->deltas++] =
		(struct fabric_link){.src = (uint16_t)src, .dst = (uint16_t)dst, .cut = to->cut};
	w->ret->cuts += to->cut && !from->cut;
	w->ret->heals += from->cut && !to->cut;
	w->ret->reshaped += differ == DIFFER_SHAPE;
	w->wires += to->cut == CUT_WIRE && from->cut != CUT_WIRE;
	return 0;
}

/* Write the links that differ to f->changed. */
static int find_changes(struct work *w, struct err *err)
{
	const struct fabric *f = w->f;

	for (unsigned src = 0; src < f->nodes; src++) {
		const struct link_state *from = &f->now.link[(size_t)src * f->nodes];
		const struct link_state *to = &w->want->link[(size_t)src * f->nodes];

		for (unsigned dst = 0; dst < f->nodes; dst++) {
			enum difference how = differ(&from[dst], &to[dst]);

			if (how != DIFFER_NOT && src != dst && note(w, src, dst, how, err))
				return -EINVAL;
		}
	}
	return 0;
}

static unsigned count_downs(const struct fabric *f, const struct link_matrix *want)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->nodes; i++)
		n += f->now.down[i] != want->down[i];
	return n;
}

static void describe(const struct work *w, unsigned i, struct fabric_delta *ret)
{
	const struct fabric_link *link = &w->f->changed[i];

	ret->src = link->src;
	ret->dst = link->dst;
	ret->from = *link_matrix_at(&w->f->now, link->src, link->dst);
	ret->to = *link_matrix_at(w->want, link->src, link->dst);
}

/* Rules of the copy that is not in force. */
static void prepare(struct work *w)
{
	struct fabric *f = w->f;
	uint64_t now_ns;

	w->told = w->ret->reshaped || leafcut_needed(f) || (w->wires && f->ops->flush);
	for (unsigned i = 0; i < w->ret->deltas && !w->told; i++) {
		const struct fabric_link *link = &f->changed[i];

		matrix_prepare_cut(&f->matrix, link->src, link->dst, link->cut);
	}
	if (!w->told)
		return;
	now_ns = clock_now_ns();
	for (unsigned i = 0; i < w->ret->deltas; i++) {
		struct fabric_delta *delta = &f->scratch[i];

		describe(w, i, delta);
		matrix_prepare(
			&f->matrix, delta->src, delta->dst, &delta->to, f->ops->matrix_bit, now_ns);
	}
}

/* Queues and the emulator's values, by whoever is in charge of them. */
static int set_queues(const struct work *w, unsigned next, struct err *err)
{
	struct fabric *f = w->f;
	unsigned deltas = w->ret->deltas;
	int code = 0;

	if (!w->told)
		return 0;
	/* Leaves carry both the cut and netem's delay: without BPF one hand must set them. */
	if (leafcut_needed(f))
		code = leafcut_send(f, f->scratch, deltas, err);
	else if (!f->ops->matrix_bit)
		code = switch_add_classes(f, f->scratch, deltas, err);
	if (!code && (!leafcut_needed(f) || f->ops->matrix_bit))
		code = f->ops->apply(f->emulator, f->scratch, deltas, next, err);
	return code;
}

/* What is under way on links that are cut now and were not, kind wire. */
static int flush(const struct work *w, struct err *err)
{
	struct fabric_delta *room = w->ret->delta;
	struct fabric *f = w->f;
	unsigned n = 0;

	/* A blackhole has taken the place of the leaf, and with it of what was there. */
	if (!w->wires || !f->ops->flush || (leafcut_needed(f) && !f->ops->matrix_bit))
		return 0;
	for (unsigned i = 0; i < w->ret->deltas; i++) {
		const struct fabric_delta *delta = &f->scratch[i];

		if (delta->to.cut == CUT_WIRE && delta->from.cut != CUT_WIRE)
			room[n++] = *delta;
	}
	return f->ops->flush(f->emulator, room, n, err);
}

/* A change that was refused half-way: put back what was, as far as the kernel lets us. */
static void revert(const struct work *w)
{
	struct fabric *f = w->f;
	unsigned next = !matrix_active(&f->matrix);

	for (unsigned i = 0; i < w->ret->deltas && w->told; i++) {
		struct link_state was = f->scratch[i].from;

		f->scratch[i].from = f->scratch[i].to;
		f->scratch[i].to = was;
	}
	(void)switch_set_carriers(f, w->want->down, f->now.down, NULL);
	(void)set_queues(w, next, NULL);
	for (unsigned i = 0; i < w->ret->deltas; i++)
		matrix_follow(&f->matrix, f->changed[i].src, f->changed[i].dst);
}

/* After the change is in force: everything that need not be part of its time. */
static void finish(const struct work *w)
{
	struct fabric *f = w->f;
	unsigned stale = !matrix_active(&f->matrix);

	matrix_settle(&f->matrix);
	if (f->ops->applied && w->told)
		f->ops->applied(f->emulator, f->scratch, w->ret->deltas, stale);
	leafcut_refresh_all(f);
	for (unsigned i = 0; i < w->ret->deltas; i++) {
		struct fabric_delta *delta = &w->ret->delta[i];

		describe(w, i, delta);
		matrix_follow(&f->matrix, delta->src, delta->dst);
		*link_matrix_at(&f->now, delta->src, delta->dst) = delta->to;
		fabric_count(f, delta->src, delta->dst, &delta->after);
	}
	memcpy(f->now.down, w->want->down, f->nodes * sizeof *f->now.down);
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
static int carry_out(struct work *w, struct err *err)
{
	struct fabric_change *ret = w->ret;
	struct fabric *f = w->f;
	int code;

	f->sw.refusal = (struct nlsock_refusal){0};
	prepare(w);
	ret->t_first_ns = clock_now_ns();
	code = set_queues(w, !matrix_active(&f->matrix), err);
	if (!code && ret->downs)
		code = switch_set_carriers(f, f->now.down, w->want->down, err);
	if (code)
		goto fail;
	/* A wire emulator has only written to the copy that is not in force: nothing was seen yet.
	 */
	if (f->ops->matrix_bit && !leafcut_needed(f) && !ret->downs)
		ret->t_first_ns = clock_now_ns();
	matrix_flip(&f->matrix);
	code = flush(w, err);
	ret->t_last_ns = clock_now_ns();
	if (!code)
		return 0;
	matrix_flip(&f->matrix);
	matrix_settle(&f->matrix);
fail:
	blame(f, err);
	revert(w);
	return code;
}

int fabric_apply(struct fabric *f, const struct link_matrix *want, struct fabric_change *ret,
	struct err *err)
{
	struct work w = {.f = f, .want = want, .ret = ret};
	int code;

	assert(want->nodes == f->nodes);
	*ret = (struct fabric_change){.t_request_ns = clock_now_ns(),
		.atomic = !leafcut_needed(f),
		.downs = count_downs(f, want)};
	code = find_changes(&w, err);
	if (code)
		goto fail;
	if (ret->deltas == 0 && !ret->downs) {
		ret->t_first_ns = ret->t_last_ns = clock_now_ns();
		return 0;
	}
	ret->delta = malloc((ret->deltas + 1) * sizeof *ret->delta);
	if (!ret->delta) {
		code = err_sys(err, -ENOMEM, "change %u links", ret->deltas);
		goto fail;
	}
	code = carry_out(&w, err);
	if (code) {
		err_wrap(err, "change %u links; all are as they were", ret->deltas);
		goto fail;
	}
	finish(&w);
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
