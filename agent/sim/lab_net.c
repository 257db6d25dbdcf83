/* SPDX-License-Identifier: MIT */
/* lab_net.c - the links of a lab in virtual time */
#include "agent/sim/lab_net.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "netns/dist.h"

/* A frame's headers: Ethernet, IPv4, TCP with timestamps; and what fits behind them. */
#define HEADER_BYTES 66u
#define SEGMENT_BYTES 1448u
/* Streams of the lab's seed from here on belong to links. */
#define LINK_STREAM_FIRST 0x40000000u
#define CHANCE(ppm) ((ppm) / (double)PPM_ONE)

static int refuse(const char *word, struct err *err)
{
	return err_set(err, -EOPNOTSUPP, EXIT_USAGE,
		"a simulation cannot do '%s': run the lab on real packets, or without it", word);
}

int lab_net_refuse(const struct link_matrix *m, struct err *err)
{
	for (size_t i = 0; i < (size_t)m->nodes * m->nodes; i++) {
		const struct link_state *s = &m->link[i];

		if (s->loss == LOSS_STATE)
			return refuse("loss state", err);
		if (s->drop[0].first)
			return refuse("drop", err);
		if (s->duplicate_ppm)
			return refuse("duplicate", err);
		if (s->corrupt_ppm)
			return refuse("corrupt", err);
		if (s->reorder_ppm)
			return refuse("reorder", err);
		if (s->correlation_ppm)
			return refuse("correlation", err);
		if (s->loss == LOSS_RANDOM && s->loss_ppm[1])
			return refuse("loss with correlation", err);
	}
	return 0;
}

static struct lab_link *link_of(const struct lab_net *net, unsigned from, unsigned to)
{
	return &net->link[(size_t)from * net->nodes + to];
}

void lab_net_init(struct lab_net *net, const struct plan *plan, const struct lab_costs *costs)
{
	size_t links = (size_t)plan->nodes * plan->nodes;

	*net = (struct lab_net){.costs = *costs,
		.nodes = plan->nodes,
		.replicas = plan->replicas,
		.link = calloc(links, sizeof *net->link)};
	assert(net->link);
	for (size_t i = 0; i < links; i++)
		prng_init(&net->link[i].prng, plan->seed, LINK_STREAM_FIRST + i);
}

void lab_net_fini(struct lab_net *net)
{
	free(net->link);
	net->link = NULL;
}

/* Of a link that opens again: what stands ready of the connection that went over it. */
static void dial(struct lab_net *net, unsigned from, unsigned to, uint64_t now_ns)
{
	struct lab_link *link = link_of(net, from, to);
	bool broken = now_ns - link->closed_ns >= LAB_SILENT_NS;

	link->closed_ns = 0;
	if (broken && from < net->replicas && to < net->replicas)
		link->dialed_ns = now_ns + prng_below(&link->prng, LAB_DIAL_NS) +
				  2 * plan_rtt_ns(net->matrix, from, to);
}

void lab_net_set(struct lab_net *net, const struct link_matrix *matrix, uint64_t now_ns)
{
	net->matrix = matrix;
	net->set_ns = now_ns;
	for (unsigned a = 0; a < net->nodes; a++) {
		for (unsigned b = 0; b < net->nodes; b++) {
			struct lab_link *link = link_of(net, a, b);
			bool closed = plan_closed(matrix, a, b);

			if (closed && !link->closed_ns)
				link->closed_ns = now_ns;
			if (!closed && link->closed_ns)
				dial(net, a, b, now_ns);
		}
	}
}

static bool flap_closes(const struct lab_net *net, const struct link_state *s, uint64_t t_ns)
{
	uint64_t period = s->flap_up_ns + s->flap_down_ns;

	return s->flap_up_ns && (t_ns - net->set_ns) % period >= s->flap_up_ns;
}

static bool loses(struct lab_link *link, const struct link_state *s)
{
	if (s->loss == LOSS_RANDOM)
		return prng_unit(&link->prng) < CHANCE(s->loss_ppm[0]);
	if (s->loss != LOSS_GE)
		return false;
	/* Gilbert and Elliott: the state moves, then the frame is lost by that state's share. */
	if (prng_unit(&link->prng) < CHANCE(s->loss_ppm[link->bad]))
		link->bad = !link->bad;
	return prng_unit(&link->prng) < CHANCE(s->loss_ppm[link->bad ? 2 : 3]);
}

/* Behind a rate: one after the other. Return: whether the queue has room; then, when it is out. */
static bool serialise(struct lab_link *link, const struct link_state *s, size_t len, uint64_t *t_ns)
{
	uint64_t begin = link->free_ns > *t_ns ? link->free_ns : *t_ns;
	uint64_t bytes = len + (len / SEGMENT_BYTES + 1) * HEADER_BYTES;
	double ns_per_byte = 8e9 / (double)s->rate_bps;

	if (!s->rate_bps)
		return true;
	if ((double)(begin - *t_ns) > (double)link_state_queue(s) * ns_per_byte)
		return false;
	*t_ns = link->free_ns = begin + (uint64_t)((double)bytes * ns_per_byte);
	return true;
}

static uint64_t delay_ns(
	const struct lab_net *net, struct lab_link *link, const struct link_state *s)
{
	uint64_t ns = net->costs.hop_ns + (link_state_shaped(s) ? net->costs.wire_ns : 0);
	uint64_t number = link->sent++;

	if (dist_replays(s->dist))
		return ns + dist_nth_ns(s->dist, number);
	if (s->jitter_ns || !dist_scaled(s->dist))
		return ns + dist_draw_ns(s->dist, s->delay_ns, s->jitter_ns,
				    (uint32_t)(prng_next(&link->prng) >> 32));
	return ns + s->delay_ns;
}

uint64_t lab_net_send(struct lab_net *net, unsigned from, unsigned to, size_t len, uint64_t now_ns)
{
	const struct link_state *s = link_matrix_at(net->matrix, from, to);
	struct lab_link *link = link_of(net, from, to);
	uint64_t rto_ns = LAB_RTO_NS + plan_rtt_ns(net->matrix, from, to);
	uint64_t t_ns = now_ns;
	uint64_t at_ns;

	if (link->closed_ns || now_ns < link->dialed_ns)
		return 0;
	for (unsigned i = 0;
		flap_closes(net, s, t_ns) || loses(link, s) || !serialise(link, s, len, &t_ns);
		i++) {
		if (i == LAB_ATTEMPTS)
			return 0;
		t_ns += rto_ns << i;
	}
	at_ns = t_ns + delay_ns(net, link, s);
	/* Replicas have one connection; of clients each has its own, with one request on it. */
	if (from < net->replicas && to < net->replicas) {
		at_ns = at_ns < link->newest_ns ? link->newest_ns : at_ns;
		link->newest_ns = at_ns;
	}
	return at_ns;
}

bool lab_net_arrives(const struct lab_net *net, unsigned from, unsigned to)
{
	return link_matrix_at(net->matrix, from, to)->cut != CUT_WIRE && !net->matrix->down[from] &&
	       !net->matrix->down[to];
}

bool lab_net_rejects(const struct lab_net *net, unsigned from, unsigned to)
{
	return link_matrix_at(net->matrix, from, to)->cut == CUT_REJECT;
}
