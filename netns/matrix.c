/* SPDX-License-Identifier: MIT */
/* matrix.c - the mmapped BPF array that holds the link matrix */
#include "matrix.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What kernels before 6.2 allow for one value of an array (KMALLOC_MAX_SIZE). */
#define MATRIX_VALUE_MAX (4u << 20)

_Static_assert(sizeof(struct matrix_map) +
			       sizeof(struct matrix_link) * FABRIC_NODES_MAX * FABRIC_NODES_MAX <=
		       MATRIX_VALUE_MAX,
	"the largest matrix fits into one value");

int matrix_bpf(int cmd, union bpf_attr *attr)
{
	long n = syscall(SYS_bpf, cmd, attr, sizeof *attr);

	return n < 0 ? -errno : (int)n;
}

static size_t map_size(unsigned nodes)
{
	return sizeof(struct matrix_map) + sizeof(struct matrix_link) * nodes * nodes;
}

static size_t mapped_size(unsigned nodes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (map_size(nodes) + page - 1) & ~(page - 1);
}

int matrix_open_plain(struct matrix *m, unsigned nodes, int refusal, struct err *err)
{
	*m = (struct matrix){.nodes = nodes,
		.refusal = refusal,
		.map_fd = -1,
		.port_prog_fd = -1,
		.tap_prog_fd = -1};
	m->map = mmap(NULL, mapped_size(nodes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);
	if (m->map == MAP_FAILED) {
		m->map = NULL;
		return err_sys(err, -errno, "memory of the link matrix");
	}
	return 0;
}

int matrix_open(struct matrix *m, unsigned nodes, struct err *err)
{
	union bpf_attr attr;
	int code;

	*m = (struct matrix){.nodes = nodes, .map_fd = -1, .port_prog_fd = -1, .tap_prog_fd = -1};
	memset(&attr, 0, sizeof attr);
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = (uint32_t)map_size(nodes);
	attr.max_entries = 1;
	attr.map_flags = BPF_F_MMAPABLE;
	memcpy(attr.map_name, "pacelab", sizeof "pacelab");
	m->map_fd = matrix_bpf(BPF_MAP_CREATE, &attr);
	if (m->map_fd < 0) {
		code = m->map_fd;
		m->map_fd = -1;
		return err_sys(err, code, "create the BPF array of the link matrix");
	}
	m->map = mmap(NULL, mapped_size(nodes), PROT_READ | PROT_WRITE, MAP_SHARED, m->map_fd, 0);
	if (m->map == MAP_FAILED) {
		m->map = NULL;
		code = err_sys(err, -errno, "map the BPF array of the link matrix");
		goto fail;
	}
	code = matrix_prog_port(m->map_fd, nodes, &m->port_prog_fd, err);
	if (!code)
		code = matrix_prog_tap(&m->tap_prog_fd, err);
	if (!code)
		return 0;
fail:
	matrix_close(m);
	return code;
}

void matrix_close(struct matrix *m)
{
	if (m->map)
		munmap(m->map, mapped_size(m->nodes));
	if (m->map_fd >= 0)
		close(m->map_fd);
	if (m->port_prog_fd >= 0)
		close(m->port_prog_fd);
	if (m->tap_prog_fd >= 0)
		close(m->tap_prog_fd);
	*m = (struct matrix){.map_fd = -1, .port_prog_fd = -1, .tap_prog_fd = -1};
}
