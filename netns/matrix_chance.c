/* SPDX-License-Identifier: MIT */
/*
 * matrix_chance.c - the part of the port program that numbers frames and draws
 *
 * Frame number n of a lane has two draws of 64 bits, k = 0 and 1, whatever is asked of it:
 *
 *	x = key + (2 n + k) 0x9e3779b97f4a7c15 + (side << 63)
 *	draw k = the finaliser of splitmix64 of x (Steele, Lea and Flood, OOPSLA 2014)
 *
 * That is splitmix64 entered at any place, so nothing is kept between frames and no lock is
 * needed. The upper half of draw 0 moves the chain of losses, its lower half decides a loss of
 * Gilbert-Elliott, the upper half of draw 1 decides a duplicate. A half becomes parts per million
 *by a multiplication: p % are hit by p % of the values, 0 by none and 100 % by all.
 *
 * The words for loss mean what they mean to sch_netem, whose formulas these are, with two changes:
 * a correlated series begins at a drawn value, and at equality the four states have no gap.
 *
 * An exact drop comes after the chain has moved and before anything is lost by it: with it or
 * without, the rest of the series is the same.
 */
#include "netns/link.h"
#include "netns/matrix.h"
#include "netns/matrix_prog.h"
#include "netns/node.h"

#define CHANCE(field) ((short)offsetof(struct matrix_chance, field))
#define LANE(field) ((short)offsetof(struct matrix_lane, field))
#define ODDS(field) ((short)offsetof(struct matrix_odds, field))
#define LOSS_PPM(i) ((short)(ODDS(loss_ppm) + 4 * (i)))

/* Of the IPv4 and UDP headers behind the Ethernet header. */
#define TYPE_AT 12
#define VERSION_AT 14
#define FRAGMENT_AT 20
#define PROTOCOL_AT 23
#define PORT_AT 36
#define PROBE_LEN 38

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NET16(x) (((x)&0xff) << 8 | (x) >> 8)
#else
#define NET16(x) (x)
#endif

enum {
	IS_TRAFFIC = LABEL_OWN + 10,
	RANDOM,
	RANDOM_DECIDE,
	GE,
	GE_BAD,
	GE_DECIDE,
	STATE,
	STATE_BURST_TX,
	STATE_BURST_LOST,
	TO_STATE, /* four of them */
	DROPS = TO_STATE + 4,
	DROP_NEXT, /* one for each entry */
	DROPS_DONE = DROP_NEXT + LINK_DROPS_MAX,
	LABELS_END,
};
_Static_assert(LABELS_END <= MATRIX_ASM_LABELS, "room for all labels");

/* r1 = 1 for a probe of our own, 0 for anything else. */
static void add_side(struct matrix_asm *a)
{
	ADD(a, MOV_IMM(R1, MATRIX_LANE_TRAFFIC), LOAD(BPF_W, R2, R6, SKB(data)),
		LOAD(BPF_W, R3, R6, SKB(data_end)), MOV_REG(R4, R2),
		ALU_IMM(BPF_ADD, R4, PROBE_LEN), JUMP_IF_REG(BPF_JGT, R4, R3, IS_TRAFFIC),
		LOAD(BPF_H, R4, R2, TYPE_AT), JUMP_IF_IMM(BPF_JNE, R4, NET16(0x0800), IS_TRAFFIC),
		LOAD(BPF_B, R4, R2, VERSION_AT), JUMP_IF_IMM(BPF_JNE, R4, 0x45, IS_TRAFFIC),
		LOAD(BPF_H, R4, R2, FRAGMENT_AT),
		JUMP_IF_IMM(BPF_JSET, R4, NET16(0x3fff), IS_TRAFFIC),
		LOAD(BPF_B, R4, R2, PROTOCOL_AT), JUMP_IF_IMM(BPF_JNE, R4, 17, IS_TRAFFIC),
		LOAD(BPF_H, R4, R2, PORT_AT),
		JUMP_IF_IMM(BPF_JNE, R4, NET16(NODE_PROBE_PORT), IS_TRAFFIC),
		MOV_IMM(R1, MATRIX_LANE_PROBES), HERE(IS_TRAFFIC),
		STORE(BPF_DW, R10, STACK_SIDE, R1));
}

/* The lane of the frame, and its number there. */
static void add_number(struct matrix_asm *a)
{
	ADD(a, LOAD(BPF_DW, R2, R10, STACK_ODDS), LOAD(BPF_W, R2, R2, ODDS(turn)),
		ALU_IMM(BPF_MUL, R2, MATRIX_LANE_NR), ALU_REG(BPF_ADD, R1, R2),
		ALU_IMM(BPF_AND, R1, 2 * MATRIX_LANE_NR - 1),
		ALU_IMM(BPF_MUL, R1, sizeof(struct matrix_lane)),
		ALU_IMM(BPF_ADD, R1, CHANCE(lane)), MOV_REG(R2, R9), ALU_REG(BPF_ADD, R2, R1),
		STORE(BPF_DW, R10, STACK_LANE, R2), MOV_IMM(R1, 1),
		ATOMIC_FETCH_ADD(R2, LANE(number), R1), ALU_IMM(BPF_ADD, R1, 1),
		STORE(BPF_DW, R10, STACK_NUMBER, R1));
}

static void add_draw(struct matrix_asm *a, int k)
{
	ADD(a, LOAD(BPF_DW, R0, R10, STACK_NUMBER), ALU_IMM(BPF_LSH, R0, 1),
		ALU_IMM(BPF_ADD, R0, k), MOV_IMM64(R1, 0x9e3779b97f4a7c15ull),
		ALU_REG(BPF_MUL, R0, R1), LOAD(BPF_DW, R1, R9, CHANCE(key)),
		ALU_REG(BPF_ADD, R0, R1), LOAD(BPF_DW, R1, R10, STACK_SIDE),
		ALU_IMM(BPF_LSH, R1, 63), ALU_REG(BPF_ADD, R0, R1), MOV_REG(R1, R0),
		ALU_IMM(BPF_RSH, R1, 30), ALU_REG(BPF_XOR, R0, R1),
		MOV_IMM64(R1, 0xbf58476d1ce4e5b9ull), ALU_REG(BPF_MUL, R0, R1), MOV_REG(R1, R0),
		ALU_IMM(BPF_RSH, R1, 27), ALU_REG(BPF_XOR, R0, R1),
		MOV_IMM64(R1, 0x94d049bb133111ebull), ALU_REG(BPF_MUL, R0, R1), MOV_REG(R1, R0),
		ALU_IMM(BPF_RSH, R1, 31), ALU_REG(BPF_XOR, R0, R1),
		STORE(BPF_DW, R10, STACK_DRAW(k), R0));
}

/* A half of 32 bits in @reg: to 0 .. 999,999. */
static void add_to_ppm(struct matrix_asm *a, int reg)
{
	ADD(a, ALU_IMM(BPF_MUL, reg, PPM_ONE), ALU_IMM(BPF_RSH, reg, 32));
}

/* The upper half of draw @k in @reg. */
static void add_upper(struct matrix_asm *a, int reg, int k)
{
	ADD(a, LOAD(BPF_DW, reg, R10, STACK_DRAW(k)), ALU_IMM(BPF_RSH, reg, 32));
}

/* Below, r1 is the odds, r3 the lane; a model leaves 1 for lost, else 0, in r0 and goes to DROPS.
 */

/* get_crandom() of sch_netem: value (1 - rho) + last rho. */
static void add_random(struct matrix_asm *a)
{
	ADD(a, HERE(RANDOM));
	add_upper(a, R0, 0);
	ADD(a, LOAD(BPF_W, R2, R1, LOSS_PPM(1)), JUMP_IF_IMM(BPF_JEQ, R2, 0, RANDOM_DECIDE),
		LOAD(BPF_W, R4, R3, LANE(last)), ALU_REG(BPF_MUL, R4, R2), MOV_IMM(R5, PPM_ONE),
		ALU_REG(BPF_SUB, R5, R2), ALU_REG(BPF_MUL, R0, R5), ALU_REG(BPF_ADD, R0, R4),
		ALU_IMM(BPF_DIV, R0, PPM_ONE), STORE(BPF_W, R3, LANE(last), R0),
		HERE(RANDOM_DECIDE));
	add_to_ppm(a, R0);
	ADD(a, LOAD(BPF_W, R2, R1, LOSS_PPM(0)), MOV_REG(R4, R0), MOV_IMM(R0, 0),
		JUMP_IF_REG(BPF_JGE, R4, R2, DROPS), MOV_IMM(R0, 1), GOTO(DROPS));
}

/* loss_gilb_ell() of sch_netem: the state moves, and the state before decides. */
static void add_ge(struct matrix_asm *a)
{
	ADD(a, HERE(GE), LOAD(BPF_DW, R0, R10, STACK_DRAW(0)), MOV_REG(R4, R0),
		ALU_IMM(BPF_RSH, R4, 32), ALU_IMM(BPF_LSH, R0, 32), ALU_IMM(BPF_RSH, R0, 32));
	add_to_ppm(a, R4);
	add_to_ppm(a, R0);
	ADD(a, LOAD(BPF_W, R5, R3, LANE(state)), JUMP_IF_IMM(BPF_JNE, R5, 0, GE_BAD),
		LOAD(BPF_W, R2, R1, LOSS_PPM(3)), LOAD(BPF_W, R5, R1, LOSS_PPM(0)),
		JUMP_IF_REG(BPF_JGE, R4, R5, GE_DECIDE), STORE_IMM(BPF_W, R3, LANE(state), 1),
		GOTO(GE_DECIDE), HERE(GE_BAD), LOAD(BPF_W, R2, R1, LOSS_PPM(2)),
		LOAD(BPF_W, R5, R1, LOSS_PPM(1)), JUMP_IF_REG(BPF_JGE, R4, R5, GE_DECIDE),
		STORE_IMM(BPF_W, R3, LANE(state), 0), HERE(GE_DECIDE), MOV_REG(R4, R0),
		MOV_IMM(R0, 0), JUMP_IF_REG(BPF_JGE, R4, R2, DROPS), MOV_IMM(R0, 1), GOTO(DROPS));
}

/* loss_4state() of sch_netem. States: */
enum { GAP_TX, BURST_TX, GAP_LOST, BURST_LOST };
/* and their parameters in loss_ppm. */
enum { P13, P31, P32, P23, P14 };

static void add_state(struct matrix_asm *a)
{
	ADD(a, HERE(STATE));
	add_upper(a, R4, 0);
	add_to_ppm(a, R4);
	ADD(a, LOAD(BPF_W, R5, R3, LANE(state)), JUMP_IF_IMM(BPF_JEQ, R5, BURST_TX, STATE_BURST_TX),
		JUMP_IF_IMM(BPF_JEQ, R5, GAP_LOST, TO_STATE + GAP_TX),
		JUMP_IF_IMM(BPF_JEQ, R5, BURST_LOST, STATE_BURST_LOST),

		LOAD(BPF_W, R2, R1, LOSS_PPM(P14)),
		JUMP_IF_REG(BPF_JLT, R4, R2, TO_STATE + GAP_LOST),
		LOAD(BPF_W, R5, R1, LOSS_PPM(P13)), ALU_REG(BPF_ADD, R2, R5),
		JUMP_IF_REG(BPF_JLT, R4, R2, TO_STATE + BURST_LOST), GOTO(TO_STATE + GAP_TX),

		HERE(STATE_BURST_TX), LOAD(BPF_W, R2, R1, LOSS_PPM(P23)),
		JUMP_IF_REG(BPF_JLT, R4, R2, TO_STATE + BURST_LOST), GOTO(TO_STATE + BURST_TX),

		HERE(STATE_BURST_LOST), LOAD(BPF_W, R2, R1, LOSS_PPM(P32)),
		JUMP_IF_REG(BPF_JLT, R4, R2, TO_STATE + BURST_TX),
		LOAD(BPF_W, R5, R1, LOSS_PPM(P31)), ALU_REG(BPF_ADD, R2, R5),
		JUMP_IF_REG(BPF_JLT, R4, R2, TO_STATE + GAP_TX), GOTO(TO_STATE + BURST_LOST));
	for (int state = GAP_TX; state <= BURST_LOST; state++)
		ADD(a, HERE(TO_STATE + state), STORE_IMM(BPF_W, R3, LANE(state), state),
			MOV_IMM(R0, state >= GAP_LOST), GOTO(DROPS));
}

static void add_loss(struct matrix_asm *a)
{
	ADD(a, LOAD(BPF_DW, R1, R10, STACK_ODDS), LOAD(BPF_DW, R3, R10, STACK_LANE), MOV_IMM(R0, 0),
		LOAD(BPF_W, R2, R1, ODDS(loss)), JUMP_IF_IMM(BPF_JEQ, R2, LOSS_RANDOM, RANDOM),
		JUMP_IF_IMM(BPF_JEQ, R2, LOSS_GE, GE), JUMP_IF_IMM(BPF_JEQ, R2, LOSS_STATE, STATE),
		GOTO(DROPS));
	add_random(a);
	add_ge(a);
	add_state(a);
}

/* Exactly these frames; entries stand side by side. r0 is 1 if the frame is lost by chance. */
static void add_drops(struct matrix_asm *a)
{
	ADD(a, HERE(DROPS), JUMP_IF_IMM(BPF_JNE, R0, 0, LABEL_LOST),
		LOAD(BPF_DW, R4, R10, STACK_NUMBER));
	for (int i = 0; i < LINK_DROPS_MAX; i++) {
		const short at = (short)(ODDS(drop) + i * (int)sizeof(struct link_drop));

		ADD(a, LOAD(BPF_W, R2, R1, at + (short)offsetof(struct link_drop, first)),
			JUMP_IF_IMM(BPF_JEQ, R2, 0, DROPS_DONE),
			JUMP_IF_REG(BPF_JLT, R4, R2, DROP_NEXT + i),
			LOAD(BPF_W, R5, R1, at + (short)offsetof(struct link_drop, last)),
			JUMP_IF_REG(BPF_JGT, R4, R5, DROP_NEXT + i), MOV_REG(R0, R4),
			ALU_REG(BPF_SUB, R0, R2),
			LOAD(BPF_W, R5, R1, at + (short)offsetof(struct link_drop, every)),
			ALU_REG(BPF_MOD, R0, R5), JUMP_IF_IMM(BPF_JEQ, R0, 0, LABEL_LOST),
			HERE(DROP_NEXT + i));
	}
	ADD(a, HERE(DROPS_DONE));
}

void matrix_chance_add(struct matrix_asm *a)
{
	add_side(a);
	add_number(a);
	add_draw(a, 0);
	add_draw(a, 1);
	add_loss(a);
	add_drops(a);
	add_upper(a, R0, 1);
	add_to_ppm(a, R0);
	ADD(a, LOAD(BPF_W, R2, R1, ODDS(duplicate_ppm)), JUMP_IF_REG(BPF_JLT, R0, R2, LABEL_PASS),
		MOV_IMM(R9, 0), GOTO(LABEL_PASS));
}
