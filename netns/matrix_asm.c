/* SPDX-License-Identifier: MIT */
/* matrix_asm.c - labels to distances, and into the kernel */
#include "matrix_asm.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netns/matrix.h"

#define LOG_MAX (256u << 10)
#define LOG_SHOWN 400u /* its end, where the verdict stands */

void matrix_asm_add(struct matrix_asm *a, const struct line *line, size_t lines)
{
	for (size_t i = 0; i < lines; i++) {
		if (line[i].here) {
			assert(line[i].here < MATRIX_ASM_LABELS);
			a->where[line[i].here] = a->n;
			continue;
		}
		assert(a->n < MATRIX_ASM_MAX);
		a->insn[a->n] = line[i].insn;
		a->to[a->n] = line[i].to;
		a->n++;
	}
}

int matrix_asm_load(struct matrix_asm *a, const char *name, int *ret_fd, struct err *err)
{
	union bpf_attr attr;
	char *log = NULL;
	size_t len;
	int code;

	for (int i = 0; i < a->n; i++) {
		if (a->to[i])
			a->insn[i].off = (short)(a->where[a->to[i]] - i - 1);
	}
	memset(&attr, 0, sizeof attr);
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uint64_t)(uintptr_t)a->insn;
	attr.insn_cnt = (uint32_t)a->n;
	attr.license = (uint64_t)(uintptr_t) "Dual MIT/GPL";
	(void)strncpy(attr.prog_name, name, sizeof attr.prog_name - 1);
	code = matrix_bpf(BPF_PROG_LOAD, &attr);
	if (code < 0 && code != -EPERM && code != -ENOSYS) {
		/* Once more for the verifier's words, which cost time when all is well. */
		log = calloc(1, LOG_MAX);
		assert(log);
		attr.log_buf = (uint64_t)(uintptr_t)log;
		attr.log_size = LOG_MAX;
		attr.log_level = 1;
		code = matrix_bpf(BPF_PROG_LOAD, &attr);
	}
	if (code >= 0) {
		*ret_fd = code;
		free(log);
		return 0;
	}
	len = log ? strlen(log) : 0;
	err_set(err, code, EXIT_CANNOT_RUN, "load the BPF program %s: %s%s%s", name,
		strerror(-code), len ? ": " : "",
		len > LOG_SHOWN ? log + len - LOG_SHOWN
		: log           ? log
				: "");
	free(log);
	return code;
}
