/* SPDX-License-Identifier: MIT */
/*
 * matrix.h - the link matrix as the kernel reads it: two mmapped BPF arrays and the tc programs
 *
 * Rules are kept twice. The programs read the copy that @active names; a change is written to
 * the other one and then put in force for all links by one store to @active. A program reads
 * @active once for a frame, so every frame meets one matrix as a whole.
 *
 * The rules of all links are one value of one array, which a program reaches without a call. What
 * chance does is much more and rarely asked for: an array of its own with an entry for each
 * link, for old kernels allow 4 MB for one value.
 */
#ifndef NETNS_MATRIX_H
#define NETNS_MATRIX_H

#include <stdint.h>

#include "netns/fabric.h"

#define MATRIX_CUT (1u << 0)    /* drop */
#define MATRIX_WIRE (1u << 1)   /* not straight to the bridge but through the wire emulator */
#define MATRIX_REJECT (1u << 2) /* with CUT: to the wire emulator, which tells the sender */
#define MATRIX_FLUSH (1u << 3)  /* with CUT: what is under way is lost; not the program's work */
#define MATRIX_FLAP (1u << 4)   /* by the clock, see struct matrix_odds */
#define MATRIX_CHANCE (1u << 5) /* frames are numbered: drop, loss or duplicate */

/*
 * A frame for the wire emulator carries the time at which it came in, so that its delay counts
 * from there and not from when the emulator found time to read it: the low 32 bits of the
 * monotonic nanoseconds, in the machine's byte order, where the source MAC is the same for all.
 * The rest of the source MAC, the number of the node, is written by the program, too: the emulator
 * knows the link by it, and a node can put what it likes there.
 */
#define MATRIX_STAMP_AT 6
#define MATRIX_STAMP_LEN 4

/*
 * What the emulator shall do with the frame stands in the first byte of the destination MAC, which
 * is 2 in every node's address: carry it as the link says, or answer the sender in the
 * destination's place and carry nothing. Both are put back to 2 before a frame is given on.
 */
#define MATRIX_MARK_AT 0
#define MATRIX_MARK_CARRY 0x02
#define MATRIX_MARK_REJECT 0x06

/* One directed link. The layout is known to matrix_prog.c; 256 x 256 of them must stay below the
 * 4 MB that old kernels allow for the value of an array. */
struct matrix_link {
	uint64_t passed;
	uint64_t dropped;
	uint64_t lost;
	uint64_t doubled;
	uint32_t rule[2]; /* MATRIX_* bits, by copy */
};

struct matrix_map {
	uint32_t active;   /* 0 or 1 */
	uint32_t room[15]; /* the store that flips @active shares its cache line with nothing */
	struct matrix_link link[];
};

/* What may happen to the frames of a link, one copy of it. */
struct matrix_odds {
	uint64_t flap_from_ns; /* CLOCK_MONOTONIC; open from here on for flap_up_ns, */
	uint64_t flap_up_ns;
	uint64_t flap_period_ns; /* and again each time when this has passed */
	uint32_t loss;           /* enum link_loss */
	uint32_t loss_ppm[LINK_LOSS_PARAMS];
	uint32_t duplicate_ppm;
	uint32_t turn; /* which of the two numberings is in use, 0 or 1 */
	struct link_drop drop[LINK_DROPS_MAX];
};

/*
 * A numbering of frames. Those of the probes (UDP to NODE_PROBE_PORT) have one of their own, so
 * that gathering evidence does not shift which frames of the lab are lost.
 *
 * Number n of a lane draws the same values whatever happened to the frames before: they are
 * mixed from the link's key, the lane and n. Numbers are given by an atomic addition, so frames
 * of one link that are sent by several processors at once get one each and nothing is drawn twice
 * or left out. Only @state and @last are by nature a chain: of two such frames at the same
 * instant one may not see what the other wrote, so the chances hold and the exact set may not.
 */
struct matrix_lane {
	uint64_t number; /* of the last frame, from 1 */
	uint32_t state;  /* of Gilbert-Elliott and of the four states: 0 at first */
	uint32_t last;   /* the value before, for correlated loss */
};

enum { MATRIX_LANE_TRAFFIC, MATRIX_LANE_PROBES, MATRIX_LANE_NR };

/* One directed link. The layout is known to matrix_chance.c. */
struct matrix_chance {
	uint64_t key;                               /* from the seed, source and destination */
	struct matrix_lane lane[2][MATRIX_LANE_NR]; /* by turn: one is in use */
	struct matrix_odds odds[2];                 /* by copy */
};

struct matrix {
	unsigned nodes;
	int refusal; /* 0, or why there is no BPF: then the maps are plain memory, see leafcut.c */
	int map_fd;  /* -1: closed */
	int chance_fd;
	int port_prog_fd;
	int tap_prog_fd;
	struct matrix_map *map;
	struct matrix_chance *chance; /* by src * nodes + dst */
};

/* A matrix that was never opened. */
#define MATRIX_CLOSED \
	((struct matrix){.map_fd = -1, .chance_fd = -1, .port_prog_fd = -1, .tap_prog_fd = -1})

/**
 * matrix_open() - create the arrays for @nodes nodes, all links open, and load the programs
 * @seed:	of everything that is left to chance
 *
 * Return: 0; -EPERM, -ENOSYS, -EINVAL and others where this kernel refuses BPF.
 */
int matrix_open(struct matrix *m, unsigned nodes, uint64_t seed, struct err *err);

/* matrix_open_plain() - the same layout in memory that no program reads; @refusal says why. */
int matrix_open_plain(struct matrix *m, unsigned nodes, int refusal, struct err *err);
void matrix_close(struct matrix *m);

static inline struct matrix_link *matrix_at(const struct matrix *m, unsigned src, unsigned dst)
{
	return &m->map->link[src * m->nodes + dst];
}

static inline struct matrix_chance *matrix_chance_at(
	const struct matrix *m, unsigned src, unsigned dst)
{
	return &m->chance[src * m->nodes + dst];
}

/* matrix_active() - the copy in force; matrix_flip() - put the other one in force, now. */
static inline unsigned matrix_active(const struct matrix *m)
{
	return __atomic_load_n(&m->map->active, __ATOMIC_ACQUIRE) & 1;
}

static inline void matrix_flip(struct matrix *m)
{
	__atomic_store_n(&m->map->active, !matrix_active(m), __ATOMIC_RELEASE);
}

/**
 * matrix_prepare() - write to the copy that is not in force what a link shall do next
 * @shape_bit:	MATRIX_WIRE if the frames of a shaped link go through the wire emulator, else 0
 * @now_ns:	when a flapping that is new begins
 *
 * Frames are numbered anew, from 1 and with the same draws, when drop, loss or duplicate differ
 * from what is in force; any other change, a cut and its heal too, leaves numbering and generator
 * where they are. Frames that a cut or a closed flap dropped have no number.
 */
void matrix_prepare(struct matrix *m, unsigned src, unsigned dst, const struct link_state *to,
	uint32_t shape_bit, uint64_t now_ns);

/* matrix_prepare_cut() - the same of a link that changes in nothing but its cut. */
void matrix_prepare_cut(struct matrix *m, unsigned src, unsigned dst, enum link_cut cut);

/* matrix_rule() - MATRIX_* bits of a link in state @s. */
uint32_t matrix_rule(const struct link_state *s, uint32_t shape_bit);

/* matrix_follow() - make the copy that is not in force what the one in force is. */
void matrix_follow(struct matrix *m, unsigned src, unsigned dst);

/**
 * matrix_settle() - wait until no program is at work that has read @active before this call
 * From then on the copy that is not in force is read by nobody, and counters stand still for
 * frames that met it. Takes about 0.1 ms, where threads may not run on all processors 8 ms.
 */
void matrix_settle(const struct matrix *m);

/* matrix_read() - what the copy in force does with a link: cut, drop, loss, duplicate and flap. */
void matrix_read(const struct matrix *m, unsigned src, unsigned dst, struct link_state *ret);

/*
 * matrix_prog.c: the programs. Fill @ret_fd.
 * matrix_prog_port() is for the ingress of every port: it finds the source by the interface and
 * the destination by the MAC address, and applies the link's rule.
 * matrix_prog_tap() is for the ingress of the emulator's tap: only the class, by source MAC.
 */
int matrix_prog_port(const struct matrix *m, int *ret_fd, struct err *err);
int matrix_prog_tap(int *ret_fd, struct err *err);

/* matrix_chance.c: the part of the port program that numbers frames and draws. */
struct matrix_asm;
void matrix_chance_add(struct matrix_asm *a);

/* matrix_bpf() - bpf(2). Return: its result or a negative errno. */
union bpf_attr;
int matrix_bpf(int cmd, union bpf_attr *attr);

#endif
