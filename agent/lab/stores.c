/* SPDX-License-Identifier: MIT */
/* stores.c - all that --store may name: the systems of ours and the real databases */
#include "agent/lab/stores.h"

#include "agent/lab/real.h"

const struct system *stores_find(const char *name, struct err *err)
{
	const struct system *s = system_find(name);

	return s ? s : real_find(name, err);
}

const char *stores_name(const struct system *s)
{
	return s->real ? s->real->store : s->name;
}
