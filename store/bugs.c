/* SPDX-License-Identifier: MIT */
/* bugs.c - the table of bugs that are put in on purpose, see bugs.h; empty in a normal build */
#include "store/bugs.h"

#ifdef PROTO_BUGS

#include <stdlib.h>
#include <string.h>

#include "agent/base/err.h"

static const struct bug bugs[] = {
	[BUG_NONE] = {.name = ""},
	[BUG_RAFT_STALE_LEADER_READ] =
		{
			.name = "raft-deposed-leader-reads",
			.protos = "raft",
			.what = "a leader answers reads without asking a majority, deposed or not",
			.source = "dissertation 6.4; etcd before 3.0 (issue 741)",
			.seeds = 50,
			.options = "",
		},
	[BUG_QUORUM_WEAK_CALLED_STRONG] =
		{
			.name = "quorum-waits-for-one",
			.protos = "quorum",
			.what = "QUORUM is answered when one replica has answered",
			.source = "Gifford 1979: R + W > N",
			.seeds = 20,
			.options = "",
		},
	[BUG_LOG_DROPS_ACKED] =
		{
			.name = "log-drops-acked",
			.protos = "raft quorum single",
			.what = "the last acknowledged record is not in the log after a restart",
			.source = "disks that lie about a flush",
			.seeds = 50,
			.options = "",
		},
};
_Static_assert(sizeof(bugs) / sizeof(*bugs) == BUG_NR, "a row for each bug");

enum proto_bug bug_chosen;

const struct bug *bugs_choose(const char *name)
{
	for (unsigned i = BUG_NONE; i < BUG_NR; i++) {
		if (strcmp(bugs[i].name, name) != 0)
			continue;
		bug_chosen = (enum proto_bug)i;
		return &bugs[i];
	}
	return NULL;
}

void bugs_choose_by_environment(void)
{
	const char *name = getenv("PACELAB_BUG");

	if (!name || bugs_choose(name))
		return;
	fprintf(stderr, "PACELAB_BUG: there is no bug '%s'\n", name);
	exit(EXIT_USAGE);
}

void bugs_print(FILE *out)
{
	for (unsigned i = BUG_NONE + 1; i < BUG_NR; i++) {
		const struct bug *b = &bugs[i];
		char protos[64];
		char *rest = NULL;

		snprintf(protos, sizeof(protos), "%s", b->protos);
		for (char *p = strtok_r(protos, " ", &rest); p; p = strtok_r(NULL, " ", &rest))
			fprintf(out, "%s\t%s\t%u\t%s\t%s\t%s\n", b->name, p, b->seeds,
				b->options[0] ? b->options : "-", b->what, b->source);
	}
}

#endif
