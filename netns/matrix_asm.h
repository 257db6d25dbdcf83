/* SPDX-License-Identifier: MIT */
/*
 * matrix_asm.h - an assembler for the matrix programs: lines with labels, in pieces by theme
 *
 * A few hundred instructions need neither a compiler nor a library at run time. Each theme appends
 * its lines to one program; jumps name labels, and matrix_asm_load() turns them into distances.
 */
#ifndef NETNS_MATRIX_ASM_H
#define NETNS_MATRIX_ASM_H

#include <linux/bpf.h>
#include <stddef.h>

#include "agent/base/err.h"

#define MATRIX_ASM_MAX 512    /* instructions of a program */
#define MATRIX_ASM_LABELS 128 /* from 1 */

/* An instruction and the label to which it jumps; or only a label, for the line that follows. */
struct line {
	struct bpf_insn insn;
	int to;
	int here;
};

struct matrix_asm {
	struct bpf_insn insn[MATRIX_ASM_MAX];
	int to[MATRIX_ASM_MAX];
	int where[MATRIX_ASM_LABELS];
	int n;
};

void matrix_asm_add(struct matrix_asm *a, const struct line *line, size_t lines);

/* Lines between parentheses of their own: commas are not arguments of a macro. */
#define ADD(a, ...) \
	matrix_asm_add(a, (const struct line[]){__VA_ARGS__}, \
		sizeof((const struct line[]){__VA_ARGS__}) / sizeof(struct line))

/* matrix_asm_load() - as a tc program with the name @name. Return: 0 or the kernel's refusal. */
int matrix_asm_load(struct matrix_asm *a, const char *name, int *ret_fd, struct err *err);

#define INSN(c, d, s, o, i) \
	{ \
		.code = (c), .dst_reg = (unsigned)(d)&15u, .src_reg = (unsigned)(s)&15u, \
		.off = (short)(o), .imm = (int)(i) \
	}
#define LINE(...) ((struct line){.insn = INSN(__VA_ARGS__)})
#define JUMP(c, d, s, i, label) ((struct line){.insn = INSN(c, d, s, 0, i), .to = (label)})
#define HERE(label) ((struct line){.here = (label)})

#define MOV_REG(d, s) LINE(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) LINE(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_IMM64(d, i) \
	LINE(BPF_LD | BPF_DW | BPF_IMM, d, 0, 0, (uint32_t)(i)), LINE(0, 0, 0, 0, (i) >> 32)
#define ALU_REG(op, d, s) LINE(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define ALU_IMM(op, d, i) LINE(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define TO_BE16(d) LINE(BPF_ALU | BPF_END | BPF_TO_BE, d, 0, 0, 16)
#define LOAD(size, d, s, off) LINE(BPF_LDX | BPF_MEM | (size), d, s, off, 0)
#define STORE(size, d, off, s) LINE(BPF_STX | BPF_MEM | (size), d, s, off, 0)
#define STORE_IMM(size, d, off, i) LINE(BPF_ST | BPF_MEM | (size), d, 0, off, i)
#define ATOMIC_ADD(d, off, s) LINE(BPF_STX | BPF_ATOMIC | BPF_DW, d, s, off, BPF_ADD)
#define ATOMIC_FETCH_ADD(d, off, s) \
	LINE(BPF_STX | BPF_ATOMIC | BPF_DW, d, s, off, BPF_ADD | BPF_FETCH)
#define GOTO(label) JUMP(BPF_JMP | BPF_JA, 0, 0, 0, label)
#define JUMP_IF_REG(op, d, s, label) JUMP(BPF_JMP | (op) | BPF_X, d, s, 0, label)
#define JUMP_IF_IMM(op, d, i, label) JUMP(BPF_JMP | (op) | BPF_K, d, 0, i, label)
/* The address of byte @off of the one value of a map; the map itself, for helpers. */
#define MAP_VALUE(d, fd, off) \
	LINE(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_VALUE, 0, fd), LINE(0, 0, 0, 0, off)
#define MAP(d, fd) LINE(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_FD, 0, fd), LINE(0, 0, 0, 0, 0)
#define CALL(helper) LINE(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define EXIT LINE(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R5 BPF_REG_5
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R8 BPF_REG_8
#define R9 BPF_REG_9
#define R10 BPF_REG_10

#define SKB(field) ((short)offsetof(struct __sk_buff, field))

#endif
