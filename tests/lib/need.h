/* SPDX-License-Identifier: MIT */
/*
 * need.h - what a test needs to run: root, a kernel feature
 *
 * A test without its need is skipped with a printed reason. MUST_WORK=1 in the environment turns
 * that into a failure. A reason that begins with "elsewhere:" is always a skip: another mechanism
 * runs that test, as tests/net/netem_vm_test.sh runs what a kernel without sch_netem cannot.
 */
#ifndef TESTS_NEED_H
#define TESTS_NEED_H

#include <stdbool.h>

/* need_root() - go on as root only. Call it first in a test, before anything is to be undone. */
void need_root(void);

/**
 * need_feature() - go on only where this machine @have it
 * @have:	whether it is there
 * @reason:	what is missing, as a printf format: "no sch_netem in this kernel"
 */
void need_feature(bool have, const char *reason, ...) __attribute__((format(printf, 2, 3)));

/* need_true_time() - go on only where time is not emulated, as it is in scripts/vm.sh: frames are
 * sent there faster than the machine carries them. */
bool time_is_emulated(void);
void need_true_time(void);

/* need_driver() - the driver of this build, as plugin_find(); go on only if it was built. */
struct driver_ops;
const struct driver_ops *need_driver(const char *name);

#endif
