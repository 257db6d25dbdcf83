/* SPDX-License-Identifier: MIT */
/* matrix.c - the mmapped BPF arrays that hold the link matrix */
#include "matrix.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/prng.h"

/* What kernels before 6.2 allow for one value of an array (KMALLOC_MAX_SIZE). */
#define MATRIX_VALUE_MAX (4u << 20)

_Static_assert(sizeof(struct matrix_map) +
			       sizeof(struct matrix_link) * FABRIC_NODES_MAX * FABRIC_NODES_MAX <=
		       MATRIX_VALUE_MAX,
	"the largest matrix fits into one value");
_Static_assert(sizeof(struct matrix_chance) % 8 == 0, "entries of an array stand side by side");

/* Going to so many processors one by one takes no longer than waiting for the kernel. */
#define SETTLE_CPUS_MAX 64

/* Streams of the seed below this are those of the emulators. */
#define KEY_STREAM (1ull << 32)

int matrix_bpf(int cmd, union bpf_attr *attr)
{
	long n = syscall(SYS_bpf, cmd, attr, sizeof *attr);

	return n < 0 ? -errno : (int)n;
}

static size_t map_size(unsigned nodes)
{
	return sizeof(struct matrix_map) + sizeof(struct matrix_link) * nodes * nodes;
}

static size_t chance_size(unsigned nodes)
{
	return sizeof(struct matrix_chance) * nodes * nodes;
}

static size_t mapped(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) & ~(page - 1);
}

/* Shared with the wire process, which is a fork. @fd is -1 for memory that no program reads. */
static int map_memory(size_t size, int fd, void **ret, struct err *err)
{
	void *p = mmap(NULL, mapped(size), PROT_READ | PROT_WRITE,
		fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return err_sys(err, -errno, "memory of the link matrix");
	*ret = p;
	return 0;
}

static int map_both(struct matrix *m, struct err *err)
{
	void *map = NULL, *chance = NULL;
	int code = map_memory(map_size(m->nodes), m->map_fd, &map, err);

	m->map = map;
	if (!code)
		code = map_memory(chance_size(m->nodes), m->chance_fd, &chance, err);
	m->chance = chance;
	return code;
}

int matrix_open_plain(struct matrix *m, unsigned nodes, int refusal, struct err *err)
{
	int code;

	*m = MATRIX_CLOSED;
	m->nodes = nodes;
	m->refusal = refusal;
	code = map_both(m, err);
	if (code)
		matrix_close(m);
	return code;
}

static int create_array(
	size_t value_size, unsigned entries, const char *name, int *ret_fd, struct err *err)
{
	union bpf_attr attr;
	int code;

	memset(&attr, 0, sizeof attr);
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = (uint32_t)value_size;
	attr.max_entries = entries;
	attr.map_flags = BPF_F_MMAPABLE;
	(void)strncpy(attr.map_name, name, sizeof attr.map_name - 1);
	code = matrix_bpf(BPF_MAP_CREATE, &attr);
	if (code < 0)
		return err_sys(err, code, "create the BPF array %s of the link matrix", name);
	*ret_fd = code;
	return 0;
}

static void set_keys(struct matrix *m, uint64_t seed)
{
	for (unsigned src = 0; src < m->nodes; src++) {
		for (unsigned dst = 0; dst < m->nodes; dst++) {
			struct prng prng;

			prng_init(&prng, seed, KEY_STREAM | src << 16 | dst);
			matrix_chance_at(m, src, dst)->key = prng_next(&prng);
		}
	}
}

int matrix_open(struct matrix *m, unsigned nodes, uint64_t seed, struct err *err)
{
	int code;

	*m = MATRIX_CLOSED;
	m->nodes = nodes;
	code = create_array(map_size(nodes), 1, "pacelab", &m->map_fd, err);
	if (!code)
		code = create_array(sizeof(struct matrix_chance), nodes * nodes, "pacelab_chance",
			&m->chance_fd, err);
	if (!code)
		code = map_both(m, err);
	if (!code)
		code = matrix_prog_port(m, &m->port_prog_fd, err);
	if (!code)
		code = matrix_prog_tap(&m->tap_prog_fd, err);
	if (code)
		matrix_close(m);
	else
		set_keys(m, seed);
	return code;
}

void matrix_close(struct matrix *m)
{
	const int fd[] = {m->map_fd, m->chance_fd, m->port_prog_fd, m->tap_prog_fd};

	if (m->map)
		munmap(m->map, mapped(map_size(m->nodes)));
	if (m->chance)
		munmap(m->chance, mapped(chance_size(m->nodes)));
	for (size_t i = 0; i < sizeof fd / sizeof *fd; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
	}
	*m = MATRIX_CLOSED;
}

static const uint32_t cut_rule[CUT_NR] = {
	[CUT_EDGE] = MATRIX_CUT,
	[CUT_WIRE] = MATRIX_CUT | MATRIX_FLUSH,
	[CUT_REJECT] = MATRIX_CUT | MATRIX_REJECT,
};

uint32_t matrix_rule(const struct link_state *s, uint32_t shape_bit)
{
	uint32_t rule = cut_rule[s->cut] | (link_state_shaped(s) ? shape_bit : 0);

	if (s->flap_up_ns)
		rule |= MATRIX_FLAP;
	if (s->drop[0].first || s->loss || s->duplicate_ppm)
		rule |= MATRIX_CHANCE;
	return rule;
}

static void set_odds(struct matrix_odds *odds, const struct link_state *to)
{
	odds->flap_up_ns = to->flap_up_ns;
	odds->flap_period_ns = to->flap_up_ns + to->flap_down_ns;
	odds->loss = to->loss;
	memcpy(odds->loss_ppm, to->loss_ppm, sizeof odds->loss_ppm);
	odds->duplicate_ppm = to->duplicate_ppm;
	memcpy(odds->drop, to->drop, sizeof odds->drop);
}

static bool same_chances(const struct matrix_odds *a, const struct matrix_odds *b)
{
	return a->loss == b->loss && a->duplicate_ppm == b->duplicate_ppm &&
	       memcmp(a->loss_ppm, b->loss_ppm, sizeof a->loss_ppm) == 0 &&
	       memcmp(a->drop, b->drop, sizeof a->drop) == 0;
}

/* From frame 1 on, with a value before the first that is drawn, too. */
static void renumber(struct matrix_chance *chance, struct matrix_lane *lane)
{
	for (unsigned side = 0; side < MATRIX_LANE_NR; side++) {
		struct prng prng;

		prng_init(&prng, chance->key, side);
		lane[side] = (struct matrix_lane){.last = (uint32_t)prng_next(&prng)};
	}
}

void matrix_prepare(struct matrix *m, unsigned src, unsigned dst, const struct link_state *to,
	uint32_t shape_bit, uint64_t now_ns)
{
	const unsigned now = matrix_active(m), next = !now;
	struct matrix_link *link = matrix_at(m, src, dst);
	struct matrix_chance *chance = matrix_chance_at(m, src, dst);
	struct matrix_odds *odds = &chance->odds[next];
	const struct matrix_odds *was = &chance->odds[now];
	uint32_t rule = matrix_rule(to, shape_bit);

	/* Untouched memory stays so: most links have none of this. */
	if ((rule | link->rule[now]) & (MATRIX_FLAP | MATRIX_CHANCE)) {
		set_odds(odds, to);
		odds->flap_from_ns = odds->flap_up_ns == was->flap_up_ns &&
						     odds->flap_period_ns == was->flap_period_ns
					     ? was->flap_from_ns
					     : now_ns;
		odds->turn = was->turn;
		if (!same_chances(odds, was)) {
			odds->turn = !was->turn;
			renumber(chance, chance->lane[odds->turn]);
		}
	}
	__atomic_store_n(&link->rule[next], rule, __ATOMIC_RELEASE);
}

void matrix_prepare_cut(struct matrix *m, unsigned src, unsigned dst, enum link_cut cut)
{
	const unsigned now = matrix_active(m);
	struct matrix_link *link = matrix_at(m, src, dst);
	const uint32_t others = ~(MATRIX_CUT | MATRIX_FLUSH | MATRIX_REJECT);

	__atomic_store_n(
		&link->rule[!now], (link->rule[now] & others) | cut_rule[cut], __ATOMIC_RELEASE);
}

void matrix_follow(struct matrix *m, unsigned src, unsigned dst)
{
	const unsigned now = matrix_active(m);
	struct matrix_link *link = matrix_at(m, src, dst);
	struct matrix_chance *chance = matrix_chance_at(m, src, dst);

	if ((link->rule[0] | link->rule[1]) & (MATRIX_FLAP | MATRIX_CHANCE))
		chance->odds[!now] = chance->odds[now];
	__atomic_store_n(&link->rule[!now], link->rule[now], __ATOMIC_RELEASE);
}

void matrix_read(const struct matrix *m, unsigned src, unsigned dst, struct link_state *ret)
{
	const unsigned now = matrix_active(m);
	const struct matrix_odds *odds = &matrix_chance_at(m, src, dst)->odds[now];
	const uint32_t rule = __atomic_load_n(&matrix_at(m, src, dst)->rule[now], __ATOMIC_ACQUIRE);

	*ret = (struct link_state){.cut = CUT_NONE};
	if (rule & MATRIX_CUT)
		ret->cut = rule & MATRIX_REJECT  ? CUT_REJECT
			   : rule & MATRIX_FLUSH ? CUT_WIRE
						 : CUT_EDGE;
	if (rule & MATRIX_FLAP) {
		ret->flap_up_ns = odds->flap_up_ns;
		ret->flap_down_ns = odds->flap_period_ns - odds->flap_up_ns;
	}
	if (rule & MATRIX_CHANCE) {
		ret->loss = (uint8_t)odds->loss;
		memcpy(ret->loss_ppm, odds->loss_ppm, sizeof ret->loss_ppm);
		ret->duplicate_ppm = odds->duplicate_ppm;
		memcpy(ret->drop, odds->drop, sizeof ret->drop);
	}
}

/*
 * The programs run with soft interrupts off, and no thread runs on a processor where that is so:
 * once this thread has run on each, every program that was at work has ended. A real-time kernel
 * (PREEMPT_RT) is the exception, and says what it is.
 *
 * Return: false if this tells nothing: the thread may not run everywhere, or threads go first.
 */
static bool visit_processors(void)
{
	const long cpus = sysconf(_SC_NPROCESSORS_CONF), online = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t was, one;
	long visited = 0;

	if (cpus > SETTLE_CPUS_MAX || sched_getaffinity(0, sizeof was, &was) ||
		access("/sys/kernel/realtime", F_OK) == 0)
		return false;
	for (long cpu = 0; cpu < cpus; cpu++) {
		CPU_ZERO(&one);
		CPU_SET((size_t)cpu, &one);
		visited += sched_setaffinity(0, sizeof one, &one) == 0;
	}
	(void)sched_setaffinity(0, sizeof was, &was);
	return visited == online;
}

void matrix_settle(const struct matrix *m)
{
	if (m->refusal || visit_processors())
		return;
	/* Waits for a grace period of RCU, under which every program runs; milliseconds. */
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}
