/* SPDX-License-Identifier: MIT */
/* models.c - the models that can be checked, by name; the strongest of each type comes first */
#include "agent/check/models.h"

#include <string.h>

static const struct check_ops *const models[] = {
	&linearizable_ops,
	&sequential_ops,
	&causal_cm_ops,
	&causal_ccv_ops,
	&causal_cc_ops,
	&pram_ops,
	&writes_follow_reads_ops,
	&monotonic_writes_ops,
	&monotonic_reads_ops,
	&read_your_writes_ops,
	&eventual_ops,
	&mutual_exclusion_ops,

	&text_linearizable_ops,

	&list_linearizable_ops,
	&list_sequential_ops,
	&list_pram_ops,
	&list_read_your_writes_ops,
	&list_monotonic_reads_ops,
	&list_monotonic_writes_ops,
	&list_writes_follow_reads_ops,

	&set_linearizable_ops,
	&set_full_ops,

	&counter_linearizable_ops,
	&counter_ops,
	&no_overselling_ops,

	&bank_ops, /* first, as no history tells whether overdrafts are allowed */
	&bank_no_overdraft_ops,

	&strict_serializable_ops,
	&strong_session_serializable_ops,
	&serializable_ops,
	&snapshot_isolation_ops,
	&read_committed_ops,
	&read_uncommitted_ops,
	NULL,
};

const struct check_ops *check_list(unsigned i)
{
	return i < sizeof models / sizeof *models ? models[i] : NULL;
}

const struct check_ops *check_find(const char *name, enum check_type type)
{
	for (unsigned i = 0; check_list(i); i++) {
		if (check_list(i)->type == type && strcmp(check_list(i)->name, name) == 0)
			return check_list(i);
	}
	return NULL;
}

const struct check_ops *check_strongest(enum check_type type)
{
	unsigned i = 0;

	while (check_list(i) && check_list(i)->type != type)
		i++;
	return check_list(i);
}

bool check_known(const char *name)
{
	for (unsigned i = 0; check_list(i); i++)
		if (strcmp(check_list(i)->name, name) == 0)
			return true;
	return false;
}
