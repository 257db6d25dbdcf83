/* SPDX-License-Identifier: MIT */
/*
 * matrix_prog.c - the tc programs that read the link matrix, assembled by hand
 *
 * Two dozen instructions need neither a compiler nor a library at run time. They are run by
 * cls_bpf in direct-action mode on clsact ingress, so what they return is the verdict.
 *
 * Port program, for a frame that a node sent:
 *
 *	src = ifindex - LINK_PORT(0)			the port names the source, no frame can lie
 *	dst = last two bytes of the destination MAC	anything but a node's address is dropped
 *	link = &map.link[src][dst]
 *	if link.rule[active] & CUT: count dropped, drop; if REJECT, too: mark the frame, to the tap
 *	count passed; skb->priority = class of src	which HTB obeys without a filter
 *	if link.rule[active] & WIRE: write the time over the constant part of the source MAC,
 *		redirect to the tap
 *
 * Jumps name labels; assemble() turns them into distances. Registers: r6 the frame, r7 the link,
 * r2 and r3 begin and end of the data, r5 source, r4 destination, r8 rule.
 */
#include "matrix.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "netns/link.h"
#include "netns/qdisc.h"

#define LOG_MAX 16384u
#define PROG_MAX 84

enum label { NO_LABEL, DROP, REJECT, CUT_LINK, STAMP, PASS, LABEL_NR };

/* An instruction, the label that it carries and the label to which it jumps. */
struct line {
	struct bpf_insn insn;
	enum label at;
	enum label to;
};

#define INSN(c, d, s, o, i) \
	{ \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (short)(o), .imm = (int)(i) \
	}
#define LINE(...) ((struct line){.insn = INSN(__VA_ARGS__)})
#define JUMP(c, d, s, i, label) ((struct line){.insn = INSN(c, d, s, 0, i), .to = (label)})
#define AT(label, ...) ((struct line){.insn = INSN(__VA_ARGS__), .at = (label)})

#define MOV_REG(d, s) LINE(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) LINE(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ALU_REG(op, d, s) LINE(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define ALU_IMM(op, d, i) LINE(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define LOAD(size, d, s, off) LINE(BPF_LDX | BPF_MEM | (size), d, s, off, 0)
#define STORE(size, d, off, s) LINE(BPF_STX | BPF_MEM | (size), d, s, off, 0)
#define ATOMIC_ADD(d, off, s) LINE(BPF_STX | BPF_ATOMIC | BPF_DW, d, s, off, BPF_ADD)
#define JUMP_IF_REG(op, d, s, label) JUMP(BPF_JMP | (op) | BPF_X, d, s, 0, label)
#define JUMP_IF_IMM(op, d, i, label) JUMP(BPF_JMP | (op) | BPF_K, d, 0, i, label)
/* The address of byte @off of the map's one value takes two instructions. */
#define MAP_VALUE(d, fd, off) \
	LINE(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_VALUE, 0, fd), LINE(0, 0, 0, 0, off)
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
#define R10 BPF_REG_10

#define SKB(field) ((short)offsetof(struct __sk_buff, field))
#define LINK(field) ((short)offsetof(struct matrix_link, field))

/* The first four bytes of every node's MAC address, 02:00:00:00, as a load sees them. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MAC_PREFIX 0x00000002
#else
#define MAC_PREFIX 0x02000000
#endif

static int load(const struct line *line, int n, const char *name, int *ret_fd, struct err *err)
{
	static _Thread_local char log[LOG_MAX];
	struct bpf_insn insn[PROG_MAX];
	int where[LABEL_NR] = {0};
	union bpf_attr attr;
	int code;

	for (int i = 0; i < n; i++)
		where[line[i].at] = i;
	for (int i = 0; i < n; i++) {
		insn[i] = line[i].insn;
		if (line[i].to)
			insn[i].off = (short)(where[line[i].to] - i - 1);
	}
	memset(&attr, 0, sizeof attr);
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uint64_t)(uintptr_t)insn;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "Dual MIT/GPL";
	(void)strncpy(attr.prog_name, name, sizeof attr.prog_name - 1);
	log[0] = 0;
	code = matrix_bpf(BPF_PROG_LOAD, &attr);
	if (code < 0 && code != -EPERM && code != -ENOSYS) {
		/* Once more for the verifier's words, which cost time when all is well. */
		attr.log_buf = (uint64_t)(uintptr_t)log;
		attr.log_size = sizeof log;
		attr.log_level = 1;
		code = matrix_bpf(BPF_PROG_LOAD, &attr);
	}
	if (code < 0)
		return err_set(err, code, EXIT_CANNOT_RUN, "load the BPF program %s: %s%s%.400s",
			name, strerror(-code), log[0] ? ": " : "",
			log[0] ? log + (strlen(log) > 400 ? strlen(log) - 400 : 0) : "");
	*ret_fd = code;
	return 0;
}

int matrix_prog_port(int map_fd, unsigned nodes, int *ret_fd, struct err *err)
{
	const struct line line[] = {
		MOV_REG(R6, R1),
		LOAD(BPF_W, R2, R6, SKB(data)),
		LOAD(BPF_W, R3, R6, SKB(data_end)),
		MOV_REG(R4, R2),
		ALU_IMM(BPF_ADD, R4, ETH_HLEN),
		JUMP_IF_REG(BPF_JGT, R4, R3, DROP),

		LOAD(BPF_W, R4, R2, 0),
		JUMP_IF_IMM(BPF_JNE, R4, MAC_PREFIX, DROP),
		LOAD(BPF_B, R4, R2, 4),
		ALU_IMM(BPF_LSH, R4, 8),
		LOAD(BPF_B, R0, R2, 5),
		ALU_REG(BPF_OR, R4, R0),
		JUMP_IF_IMM(BPF_JGE, R4, nodes, DROP),

		LOAD(BPF_W, R5, R6, SKB(ifindex)),
		ALU_IMM(BPF_SUB, R5, LINK_PORT(0)),
		JUMP_IF_IMM(BPF_JGE, R5, nodes, DROP),
		JUMP_IF_REG(BPF_JEQ, R5, R4, DROP),

		MOV_REG(R0, R5),
		ALU_IMM(BPF_MUL, R0, nodes),
		ALU_REG(BPF_ADD, R0, R4),
		ALU_IMM(BPF_MUL, R0, sizeof(struct matrix_link)),
		MAP_VALUE(R7, map_fd, offsetof(struct matrix_map, link)),
		ALU_REG(BPF_ADD, R7, R0),

		MAP_VALUE(R1, map_fd, offsetof(struct matrix_map, active)),
		LOAD(BPF_W, R1, R1, 0),
		ALU_IMM(BPF_AND, R1, 1),
		ALU_IMM(BPF_LSH, R1, 2),
		MOV_REG(R8, R7),
		ALU_REG(BPF_ADD, R8, R1),
		LOAD(BPF_W, R8, R8, LINK(rule)),

		MOV_IMM(R1, 1),
		JUMP_IF_IMM(BPF_JSET, R8, MATRIX_CUT, CUT_LINK),
		ATOMIC_ADD(R7, LINK(passed), R1),
		ALU_IMM(BPF_ADD, R5, QDISC_CLASS(0)),
		STORE(BPF_W, R6, SKB(priority), R5),
		ALU_IMM(BPF_AND, R8, MATRIX_WIRE),
		JUMP_IF_IMM(BPF_JEQ, R8, 0, PASS),
		AT(STAMP, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns),
		STORE(BPF_W, R10, -4, R0),
		MOV_REG(R1, R6),
		MOV_IMM(R2, MATRIX_STAMP_AT),
		MOV_REG(R3, R10),
		ALU_IMM(BPF_ADD, R3, -4),
		MOV_IMM(R4, MATRIX_STAMP_LEN),
		MOV_IMM(R5, 0),
		CALL(BPF_FUNC_skb_store_bytes),
		JUMP_IF_IMM(BPF_JNE, R0, 0, DROP),
		MOV_IMM(R1, LINK_TAP),
		MOV_IMM(R2, 0),
		CALL(BPF_FUNC_redirect),
		EXIT,
		AT(PASS, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, TC_ACT_UNSPEC),
		EXIT,
		AT(CUT_LINK, BPF_STX | BPF_ATOMIC | BPF_DW, R7, R1, LINK(dropped), BPF_ADD),
		JUMP_IF_IMM(BPF_JSET, R8, MATRIX_REJECT, REJECT),
		AT(DROP, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, TC_ACT_SHOT),
		EXIT,
		AT(REJECT, BPF_ST | BPF_MEM | BPF_B, R10, 0, -1, MATRIX_MARK_REJECT),
		MOV_REG(R1, R6),
		MOV_IMM(R2, MATRIX_MARK_AT),
		MOV_REG(R3, R10),
		ALU_IMM(BPF_ADD, R3, -1),
		MOV_IMM(R4, 1),
		MOV_IMM(R5, 0),
		CALL(BPF_FUNC_skb_store_bytes),
		JUMP_IF_IMM(BPF_JEQ, R0, 0, STAMP),
		MOV_IMM(R0, TC_ACT_SHOT),
		EXIT,
	};

	_Static_assert(sizeof line / sizeof *line <= PROG_MAX, "PROG_MAX");
	return load(line, sizeof line / sizeof *line, "pacelab_port", ret_fd, err);
}

int matrix_prog_tap(int *ret_fd, struct err *err)
{
	static const struct line line[] = {
		MOV_REG(R6, R1),
		LOAD(BPF_W, R2, R6, SKB(data)),
		LOAD(BPF_W, R3, R6, SKB(data_end)),
		MOV_REG(R4, R2),
		ALU_IMM(BPF_ADD, R4, ETH_HLEN),
		JUMP_IF_REG(BPF_JGT, R4, R3, PASS),
		LOAD(BPF_B, R4, R2, 2 * ETH_ALEN - 2),
		ALU_IMM(BPF_LSH, R4, 8),
		LOAD(BPF_B, R0, R2, 2 * ETH_ALEN - 1),
		ALU_REG(BPF_OR, R4, R0),
		ALU_IMM(BPF_ADD, R4, QDISC_CLASS(0)),
		STORE(BPF_W, R6, SKB(priority), R4),
		AT(PASS, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, TC_ACT_UNSPEC),
		EXIT,
	};

	_Static_assert(sizeof line / sizeof *line <= PROG_MAX, "PROG_MAX");
	return load(line, sizeof line / sizeof *line, "pacelab_tap", ret_fd, err);
}
