/* SPDX-License-Identifier: MIT */
/*
 * evidence_state.c - what the kernel and the emulator have, against what was asked for
 *
 * What the matrix program has is compared for all links, changed or not; what the emulator does
 * for those that were changed. Nodes are asked whether they see a carrier.
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "netns/evidence_priv.h"
#include "netns/link_words.h"

static void read_rules(const struct fabric *f, struct evidence *ret)
{
	unsigned copy = matrix_active(&f->matrix);

	for (unsigned src = 0; src < f->nodes; src++) {
		for (unsigned dst = 0; dst < f->nodes; dst++) {
			uint32_t want = fabric_rule(f, link_matrix_at(&f->now, src, dst));
			uint32_t rule = __atomic_load_n(
				&matrix_at(&f->matrix, src, dst)->rule[copy], __ATOMIC_RELAXED);

			if (rule != want && src != dst)
				evidence_find(ret, EVIDENCE_MISMATCH,
					"link %s > %s: the kernel's rule is %#x and should be %#x",
					f->name[src].name, f->name[dst].name, rule, want);
		}
	}
}

static void read_chances(const struct fabric *f, struct evidence *ret)
{
	for (unsigned src = 0; src < f->nodes; src++) {
		for (unsigned dst = 0; dst < f->nodes; dst++) {
			const struct link_state *to = link_matrix_at(&f->now, src, dst);
			struct link_state is, want = {.cut = to->cut,
						      .loss = to->loss,
						      .duplicate_ppm = to->duplicate_ppm,
						      .flap_up_ns = to->flap_up_ns,
						      .flap_down_ns = to->flap_down_ns};
			char has[LINK_WORDS_TEXT_MAX], wants[LINK_WORDS_TEXT_MAX];

			if (src == dst || !link_state_marked(to))
				continue;
			memcpy(want.loss_ppm, to->loss_ppm, sizeof want.loss_ppm);
			memcpy(want.drop, to->drop, sizeof want.drop);
			matrix_read(&f->matrix, src, dst, &is);
			if (!link_state_same(&is, &want))
				evidence_find(ret, EVIDENCE_MISMATCH,
					"link %s > %s: the matrix has '%s', configured is '%s'",
					f->name[src].name, f->name[dst].name,
					link_words_print(&is, has), link_words_print(&want, wants));
		}
	}
}

static void read_leaves(struct fabric *f, struct evidence *ret)
{
	for (unsigned dst = 0; dst < f->nodes && leafcut_needed(f); dst++) {
		int src = leafcut_wrong(f, dst);

		if (src >= 0)
			evidence_find(ret, EVIDENCE_MISMATCH,
				"link %s > %s: its leaf %s a blackhole", f->name[src].name,
				f->name[dst].name,
				link_matrix_at(&f->now, (unsigned)src, dst)->cut ? "is not" : "is");
	}
}

/* Root within the node may take its eth0 down; that is not the fabric's doing. */
static bool is_up(const struct fabric *f, unsigned node)
{
	struct ifreq ifr = {.ifr_name = "eth0"};

	return ioctl(f->node[node].probe_fd, SIOCGIFFLAGS, &ifr) == 0 && ifr.ifr_flags & IFF_UP;
}

static bool has_carrier(const struct fabric *f, unsigned node)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
	struct ifreq ifr = {.ifr_name = "eth0", .ifr_data = (void *)&value};

	/* The socket was made inside, so this is the node's eth0. */
	return ioctl(f->node[node].probe_fd, SIOCETHTOOL, &ifr) == 0 && value.data;
}

static void read_carriers(const struct fabric *f, struct evidence *ret)
{
	for (unsigned i = 0; i < f->nodes; i++) {
		bool has = has_carrier(f, i);

		if (!is_up(f, i))
			evidence_find(ret, EVIDENCE_INCONCLUSIVE,
				"eth0 of node %s was taken down there", f->name[i].name);
		else if (has == f->now.down[i])
			evidence_find(ret, EVIDENCE_MISMATCH, "node %s is %s and sees %s carrier",
				f->name[i].name, has ? "down" : "up", has ? "a" : "no");
	}
}

/* What the emulator does, in the words of people; the matrix program's part is another's. */
static void only_shape(struct link_state *s)
{
	*s = (struct link_state){.dist = s->dist,
		.corrupt_silent = s->corrupt_silent,
		.corrupt_ppm = s->corrupt_ppm,
		.reorder_ppm = s->reorder_ppm,
		.correlation_ppm = s->correlation_ppm,
		.queue_bytes = s->rate_bps ? link_state_queue(s) : 0,
		.rate_bps = s->rate_bps,
		.delay_ns = s->delay_ns,
		.jitter_ns = s->jitter_ns};
}

static void compare(const struct fabric *f, const struct fabric_delta *delta, struct evidence *ret)
{
	struct link_state is = {0}, want = delta->to;
	char has[LINK_WORDS_TEXT_MAX], wants[LINK_WORDS_TEXT_MAX];

	/* The leaf that would tell the delay is a blackhole now. */
	if (delta->to.cut && leafcut_needed(f) && !f->ops->matrix_bit)
		return;
	f->ops->read_back(f->emulator, delta->src, delta->dst, &is);
	only_shape(&is);
	only_shape(&want);
	if (!link_state_same(&is, &want))
		evidence_find(ret, EVIDENCE_MISMATCH,
			"link %s > %s: %s has '%s', configured is '%s'", f->name[delta->src].name,
			f->name[delta->dst].name, f->ops->name, link_words_print(&is, has),
			link_words_print(&want, wants));
}

int evidence_read_state(
	struct fabric *f, const struct fabric_change *change, struct evidence *ret, struct err *err)
{
	read_rules(f, ret);
	read_chances(f, ret);
	read_leaves(f, ret);
	read_carriers(f, ret);
	for (unsigned dst = 0; dst < f->nodes; dst++) {
		bool fresh = false;

		for (unsigned i = 0; i < change->deltas; i++) {
			const struct fabric_delta *delta = &change->delta[i];
			int code;

			if (delta->dst != dst || !evidence_in_force(f, delta))
				continue;
			if (!fresh && f->ops->refresh) {
				code = f->ops->refresh(f->emulator, dst, err);
				if (code)
					return err_wrap(err, "read the leaves of port '%s' back",
						f->name[dst].name);
			}
			fresh = true;
			compare(f, delta, ret);
		}
	}
	return 0;
}
