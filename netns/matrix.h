/* SPDX-License-Identifier: MIT */
/*
 * matrix.h - the link matrix as the kernel reads it: an mmapped BPF array and the tc programs
 *
 * Rules are kept twice. The programs read the copy that @active names; a change is written to
 * the other one and then put in force for all links by one store to @active.
 */
#ifndef NETNS_MATRIX_H
#define NETNS_MATRIX_H

#include <stdint.h>

#include "netns/fabric.h"

#define MATRIX_CUT (1u << 0)    /* drop */
#define MATRIX_WIRE (1u << 1)   /* not straight to the bridge but through the wire emulator */
#define MATRIX_REJECT (1u << 2) /* with CUT: to the wire emulator, which tells the sender */

/*
 * A frame for the wire emulator carries the time at which it came in, so that its delay counts
 * from there and not from when the emulator found time to read it: the low 32 bits of the
 * monotonic nanoseconds, in the machine's byte order, where the source MAC is the same for all.
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
	uint32_t rule[2]; /* MATRIX_* bits, by copy */
	uint64_t room[3]; /* for seeded loss and duplication: generator and two thresholds a copy */
};

struct matrix_map {
	uint32_t active;   /* 0 or 1 */
	uint32_t room[15]; /* the store that flips @active shares its cache line with nothing */
	struct matrix_link link[];
};

struct matrix {
	unsigned nodes;
	int refusal; /* 0, or why there is no BPF: then the map is plain memory, see leafcut.c */
	int map_fd;  /* -1: closed */
	int port_prog_fd;
	int tap_prog_fd;
	struct matrix_map *map;
};

/**
 * matrix_open() - create the array for @nodes nodes, all links open, and load the programs
 *
 * Return: 0; -EPERM, -ENOSYS, -EINVAL and others where this kernel refuses BPF.
 */
int matrix_open(struct matrix *m, unsigned nodes, struct err *err);

/* matrix_open_plain() - the same layout in memory that no program reads; @refusal says why. */
int matrix_open_plain(struct matrix *m, unsigned nodes, int refusal, struct err *err);
void matrix_close(struct matrix *m);

static inline struct matrix_link *matrix_at(const struct matrix *m, unsigned src, unsigned dst)
{
	return &m->map->link[src * m->nodes + dst];
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

/*
 * matrix_prog.c: the programs. Fill @ret_fd.
 * matrix_prog_port() is for the ingress of every port: it finds the source by the interface and
 * the destination by the MAC address, and applies the link's rule.
 * matrix_prog_tap() is for the ingress of the emulator's tap: only the class, by source MAC.
 */
int matrix_prog_port(int map_fd, unsigned nodes, int *ret_fd, struct err *err);
int matrix_prog_tap(int *ret_fd, struct err *err);

/* matrix_bpf() - bpf(2). Return: its result or a negative errno. */
union bpf_attr;
int matrix_bpf(int cmd, union bpf_attr *attr);

#endif
