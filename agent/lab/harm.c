/* SPDX-License-Identifier: MIT */
/* harm.c - what is wrong with the processes of a lab, in words */
#include "agent/lab/harm.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/units.h"

#define ONE_MAX 96
#define MORE_MAX 24 /* ", and 128 more" */

/* Of one node; "" if nothing is. */
static void one(const struct supervisor *s, unsigned i, char out[ONE_MAX])
{
	const char *name = s->plan->node[i].name;
	bool replica = i < s->plan->replicas;
	int64_t skew = replica ? s->skew_ns[i] : 0;
	char offset[32];

	*out = '\0';
	if (replica && s->replica[i].pid && !s->replica[i].runs)
		(void)snprintf(out, ONE_MAX, "%s down", name);
	else if (s->node[i].paused)
		(void)snprintf(out, ONE_MAX, "%s paused", name);
	else if (skew)
		(void)snprintf(out, ONE_MAX, "clock of %s %s %s", name,
			units_print_offset(skew < 0 ? -skew : skew, offset, sizeof offset),
			skew < 0 ? "behind" : "ahead");
}

const char *harm_words(const struct supervisor *s, char *out, size_t size)
{
	unsigned more = 0;
	size_t len = 0;

	*out = '\0';
	for (unsigned i = 0; i < s->plan->nodes; i++) {
		char words[ONE_MAX];

		one(s, i, words);
		if (!*words)
			continue;
		if (more || len + strlen(words) + 2 + MORE_MAX > size)
			more++;
		else
			len += (size_t)snprintf(
				out + len, size - len, "%s%s", len ? ", " : "", words);
	}
	if (more)
		(void)snprintf(out + len, size - len, "%s%u more", len ? ", and " : "", more);
	return out;
}
