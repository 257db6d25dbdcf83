/* SPDX-License-Identifier: MIT */
/* link_matrix.c - the N x N truth as a caller writes it */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netns/fabric.h"

int link_matrix_init(struct link_matrix *m, unsigned nodes)
{
	assert(nodes > 0 && nodes <= FABRIC_NODES_MAX);
	*m = (struct link_matrix){.nodes = nodes};
	m->link = calloc((size_t)nodes * nodes, sizeof *m->link);
	m->down = calloc(nodes, sizeof *m->down);
	if (m->link && m->down)
		return 0;
	link_matrix_fini(m);
	return -ENOMEM;
}

void link_matrix_fini(struct link_matrix *m)
{
	free(m->link);
	free(m->down);
	*m = (struct link_matrix){0};
}

void link_matrix_copy(struct link_matrix *to, const struct link_matrix *from)
{
	assert(to->nodes == from->nodes);
	memcpy(to->link, from->link, sizeof *to->link * to->nodes * to->nodes);
	memcpy(to->down, from->down, sizeof *to->down * to->nodes);
}

struct link_state *link_matrix_at(const struct link_matrix *m, unsigned src, unsigned dst)
{
	assert(src < m->nodes && dst < m->nodes);
	return &m->link[(size_t)src * m->nodes + dst];
}
