/* SPDX-License-Identifier: MIT */
/* models.h - every model that there is; the table in models.c names them once */
#ifndef CHECK_MODELS_H
#define CHECK_MODELS_H

#include "agent/check/check.h"

/* Registers. */
extern const struct check_ops linearizable_ops;
extern const struct check_ops sequential_ops;
extern const struct check_ops causal_cm_ops;
extern const struct check_ops causal_ccv_ops;
extern const struct check_ops causal_cc_ops;
extern const struct check_ops pram_ops;
extern const struct check_ops writes_follow_reads_ops;
extern const struct check_ops monotonic_writes_ops;
extern const struct check_ops monotonic_reads_ops;
extern const struct check_ops read_your_writes_ops;
extern const struct check_ops eventual_ops;
extern const struct check_ops mutual_exclusion_ops;

/* Texts. */
extern const struct check_ops text_linearizable_ops;

/* Lists. */
extern const struct check_ops list_linearizable_ops;
extern const struct check_ops list_sequential_ops;
extern const struct check_ops list_pram_ops;
extern const struct check_ops list_read_your_writes_ops;
extern const struct check_ops list_monotonic_reads_ops;
extern const struct check_ops list_monotonic_writes_ops;
extern const struct check_ops list_writes_follow_reads_ops;

/* Sets, counters, banks. */
extern const struct check_ops set_linearizable_ops;
extern const struct check_ops set_full_ops;
extern const struct check_ops counter_linearizable_ops;
extern const struct check_ops counter_ops;
extern const struct check_ops no_overselling_ops;
extern const struct check_ops bank_ops;
extern const struct check_ops bank_no_overdraft_ops;

/* Transactions on lists. */
extern const struct check_ops strict_serializable_ops;
extern const struct check_ops strong_session_serializable_ops;
extern const struct check_ops serializable_ops;
extern const struct check_ops snapshot_isolation_ops;
extern const struct check_ops read_committed_ops;
extern const struct check_ops read_uncommitted_ops;

#endif
