/* SPDX-License-Identifier: MIT */
/*
 * matrix_prog.c - the tc programs that read the link matrix, assembled by hand
 *
 * They are run by cls_bpf in direct-action mode on clsact ingress, so what they return is the
 * verdict. Port program, for a frame that a node sent:
 *
 *	src = ifindex - LINK_PORT(0)			the port names the source, no frame can lie
 *	dst = last two bytes of the destination MAC	anything but a node's address is dropped
 *	copy = active					read once: one frame, one matrix
 *	link = &map.link[src][dst], rule = link.rule[copy]
 *	if rule & CUT: count dropped, drop; if REJECT, too: mark the frame, to the tap
 *	if rule & FLAP and it is closed now: count dropped, drop
 *	if rule & CHANCE: number it, draw		matrix_chance.c; count lost, drop
 *	count passed; skb->priority = class of src	which HTB obeys without a filter
 *	if rule & WIRE: write the time over the constant part of the source MAC and src over the
 *		rest, redirect to the tap
 *
 * A frame that is to be doubled is cloned to where the frame itself goes: the tap, or the egress
 * of the destination's port. Neither is an ingress of a port, so no clone is ever judged again.
 */
#include "matrix_prog.h"

#include <linux/pkt_cls.h>

#include "netns/link.h"
#include "netns/matrix.h"
#include "netns/qdisc.h"

#define LINK(field) ((short)offsetof(struct matrix_link, field))
#define ODDS(field) ((short)offsetof(struct matrix_odds, field))
#define CHANCE(field) ((short)offsetof(struct matrix_chance, field))

/* The first four bytes of every node's MAC address, 02:00:00:00, as a load sees them. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MAC_PREFIX 0x00000002
#else
#define MAC_PREFIX 0x02000000
#endif

/* Which link it is and what its rule says. */
static void add_link(struct matrix_asm *a, const struct matrix *m)
{
	ADD(a, MOV_REG(R6, R1), LOAD(BPF_W, R2, R6, SKB(data)), LOAD(BPF_W, R3, R6, SKB(data_end)),
		MOV_REG(R4, R2), ALU_IMM(BPF_ADD, R4, ETH_HLEN),
		JUMP_IF_REG(BPF_JGT, R4, R3, LABEL_DROP),

		LOAD(BPF_W, R4, R2, 0), JUMP_IF_IMM(BPF_JNE, R4, MAC_PREFIX, LABEL_DROP),
		LOAD(BPF_B, R4, R2, 4), ALU_IMM(BPF_LSH, R4, 8), LOAD(BPF_B, R0, R2, 5),
		ALU_REG(BPF_OR, R4, R0), JUMP_IF_IMM(BPF_JGE, R4, m->nodes, LABEL_DROP),
		STORE(BPF_DW, R10, STACK_DST, R4),

		LOAD(BPF_W, R5, R6, SKB(ifindex)), ALU_IMM(BPF_SUB, R5, LINK_PORT(0)),
		JUMP_IF_IMM(BPF_JGE, R5, m->nodes, LABEL_DROP),
		JUMP_IF_REG(BPF_JEQ, R5, R4, LABEL_DROP), STORE(BPF_DW, R10, STACK_SRC, R5),

		MOV_REG(R0, R5), ALU_IMM(BPF_MUL, R0, m->nodes), ALU_REG(BPF_ADD, R0, R4),
		STORE(BPF_W, R10, STACK_SCRATCH, R0),
		ALU_IMM(BPF_MUL, R0, sizeof(struct matrix_link)),
		MAP_VALUE(R7, m->map_fd, offsetof(struct matrix_map, link)),
		ALU_REG(BPF_ADD, R7, R0),

		MAP_VALUE(R1, m->map_fd, offsetof(struct matrix_map, active)),
		LOAD(BPF_W, R1, R1, 0), ALU_IMM(BPF_AND, R1, 1), STORE(BPF_DW, R10, STACK_COPY, R1),
		ALU_IMM(BPF_LSH, R1, 2), MOV_REG(R8, R7), ALU_REG(BPF_ADD, R8, R1),
		LOAD(BPF_W, R8, R8, LINK(rule)), MOV_IMM(R9, 0));
}

/* The entry of the other array, and the flapping that stands there. */
static void add_odds(struct matrix_asm *a, const struct matrix *m)
{
	ADD(a, HERE(LABEL_ODDS), MAP(R1, m->chance_fd), MOV_REG(R2, R10),
		ALU_IMM(BPF_ADD, R2, STACK_SCRATCH), CALL(BPF_FUNC_map_lookup_elem),
		JUMP_IF_IMM(BPF_JEQ, R0, 0, LABEL_DROP), MOV_REG(R9, R0),
		LOAD(BPF_DW, R1, R10, STACK_COPY), ALU_IMM(BPF_AND, R1, 1),
		ALU_IMM(BPF_MUL, R1, sizeof(struct matrix_odds)),
		ALU_IMM(BPF_ADD, R1, CHANCE(odds)), ALU_REG(BPF_ADD, R0, R1),
		STORE(BPF_DW, R10, STACK_ODDS, R0), MOV_REG(R1, R8),
		ALU_IMM(BPF_AND, R1, MATRIX_FLAP), JUMP_IF_IMM(BPF_JEQ, R1, 0, LABEL_CHANCE),
		CALL(BPF_FUNC_ktime_get_ns), LOAD(BPF_DW, R1, R10, STACK_ODDS),
		LOAD(BPF_DW, R2, R1, ODDS(flap_from_ns)), ALU_REG(BPF_SUB, R0, R2),
		LOAD(BPF_DW, R2, R1, ODDS(flap_period_ns)), ALU_REG(BPF_MOD, R0, R2),
		LOAD(BPF_DW, R2, R1, ODDS(flap_up_ns)), JUMP_IF_REG(BPF_JGE, R0, R2, LABEL_CLOSED),
		HERE(LABEL_CHANCE), MOV_REG(R1, R8), ALU_IMM(BPF_AND, R1, MATRIX_CHANCE),
		JUMP_IF_IMM(BPF_JNE, R1, 0, LABEL_OWN), MOV_IMM(R9, 0), GOTO(LABEL_PASS),
		HERE(LABEL_OWN));
}

/* Counts it if the kernel took it; goes on either way. */
static void add_clone(struct matrix_asm *a, enum label end)
{
	ADD(a, MOV_REG(R1, R6), MOV_IMM(R3, 0), CALL(BPF_FUNC_clone_redirect),
		JUMP_IF_IMM(BPF_JNE, R0, 0, end), MOV_IMM(R1, 1),
		ATOMIC_ADD(R7, LINK(doubled), R1));
}

static void add_pass(struct matrix_asm *a)
{
	ADD(a, HERE(LABEL_PASS), MOV_IMM(R1, 1), ATOMIC_ADD(R7, LINK(passed), R1),
		LOAD(BPF_DW, R5, R10, STACK_SRC), ALU_IMM(BPF_ADD, R5, QDISC_CLASS(0)),
		STORE(BPF_W, R6, SKB(priority), R5),
		JUMP_IF_IMM(BPF_JSET, R8, MATRIX_WIRE, LABEL_STAMP),
		JUMP_IF_IMM(BPF_JEQ, R9, 0, LABEL_UNSPEC), LOAD(BPF_DW, R2, R10, STACK_DST),
		ALU_IMM(BPF_ADD, R2, LINK_PORT(0)));
	add_clone(a, LABEL_UNSPEC);
	ADD(a, HERE(LABEL_UNSPEC), MOV_IMM(R0, TC_ACT_UNSPEC), EXIT);
}

/* Write @len bytes of the scratch to byte @at of the frame; drop it where that is refused. */
static void add_write(struct matrix_asm *a, int at, int len)
{
	ADD(a, MOV_REG(R1, R6), MOV_IMM(R2, at), MOV_REG(R3, R10),
		ALU_IMM(BPF_ADD, R3, STACK_SCRATCH), MOV_IMM(R4, len), MOV_IMM(R5, 0),
		CALL(BPF_FUNC_skb_store_bytes), JUMP_IF_IMM(BPF_JNE, R0, 0, LABEL_DROP));
}

static void add_wire(struct matrix_asm *a)
{
	ADD(a, HERE(LABEL_STAMP), CALL(BPF_FUNC_ktime_get_ns),
		STORE(BPF_W, R10, STACK_SCRATCH, R0));
	ADD(a, LOAD(BPF_DW, R1, R10, STACK_SRC), TO_BE16(R1),
		STORE(BPF_H, R10, STACK_SCRATCH + MATRIX_STAMP_LEN, R1));
	add_write(a, MATRIX_STAMP_AT, MATRIX_STAMP_LEN + 2);
	ADD(a, JUMP_IF_IMM(BPF_JEQ, R9, 0, LABEL_TO_TAP), MOV_IMM(R2, LINK_TAP));
	add_clone(a, LABEL_TO_TAP);
	ADD(a, HERE(LABEL_TO_TAP), MOV_IMM(R1, LINK_TAP), MOV_IMM(R2, 0), CALL(BPF_FUNC_redirect),
		EXIT);
}

static void add_drops(struct matrix_asm *a)
{
	ADD(a, HERE(LABEL_CUT), JUMP_IF_IMM(BPF_JSET, R8, MATRIX_REJECT, LABEL_OWN + 1),
		HERE(LABEL_CLOSED), MOV_IMM(R1, 1), ATOMIC_ADD(R7, LINK(dropped), R1),
		HERE(LABEL_DROP), MOV_IMM(R0, TC_ACT_SHOT), EXIT, HERE(LABEL_LOST), MOV_IMM(R1, 1),
		ATOMIC_ADD(R7, LINK(lost), R1), MOV_IMM(R0, TC_ACT_SHOT), EXIT, HERE(LABEL_OWN + 1),
		MOV_IMM(R9, 0), MOV_IMM(R1, 1), ATOMIC_ADD(R7, LINK(dropped), R1),
		STORE_IMM(BPF_B, R10, STACK_SCRATCH, MATRIX_MARK_REJECT));
	add_write(a, MATRIX_MARK_AT, 1);
	ADD(a, GOTO(LABEL_STAMP));
}

int matrix_prog_port(const struct matrix *m, int *ret_fd, struct err *err)
{
	struct matrix_asm a = {.n = 0};

	add_link(&a, m);
	ADD(&a, JUMP_IF_IMM(BPF_JSET, R8, MATRIX_CUT, LABEL_CUT),
		JUMP_IF_IMM(BPF_JSET, R8, MATRIX_FLAP | MATRIX_CHANCE, LABEL_ODDS),
		GOTO(LABEL_PASS));
	add_odds(&a, m);
	matrix_chance_add(&a);
	add_pass(&a);
	add_wire(&a);
	add_drops(&a);
	return matrix_asm_load(&a, "pacelab_port", ret_fd, err);
}

int matrix_prog_tap(int *ret_fd, struct err *err)
{
	struct matrix_asm a = {.n = 0};

	ADD(&a, MOV_REG(R6, R1), LOAD(BPF_W, R2, R6, SKB(data)), LOAD(BPF_W, R3, R6, SKB(data_end)),
		MOV_REG(R4, R2), ALU_IMM(BPF_ADD, R4, ETH_HLEN),
		JUMP_IF_REG(BPF_JGT, R4, R3, LABEL_UNSPEC), LOAD(BPF_B, R4, R2, 2 * ETH_ALEN - 2),
		ALU_IMM(BPF_LSH, R4, 8), LOAD(BPF_B, R0, R2, 2 * ETH_ALEN - 1),
		ALU_REG(BPF_OR, R4, R0), ALU_IMM(BPF_ADD, R4, QDISC_CLASS(0)),
		STORE(BPF_W, R6, SKB(priority), R4), HERE(LABEL_UNSPEC), MOV_IMM(R0, TC_ACT_UNSPEC),
		EXIT);
	return matrix_asm_load(&a, "pacelab_tap", ret_fd, err);
}
