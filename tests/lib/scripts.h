/* SPDX-License-Identifier: MIT */
/*
 * scripts.h - drivers that are programs in scripts/systems/drivers, for tests
 *
 * They run as nobody, who may not look into every folder, so they are copied to where he may.
 */
#ifndef TESTS_SCRIPTS_H
#define TESTS_SCRIPTS_H

#include "agent/load/drivers/driver.h"

/* scripts_driver() - the program NAME.py; skips the test where there is no Python. */
const struct driver_ops *scripts_driver(const char *name);

/* scripts_remove() - the copies; teardown of a group. */
int scripts_remove(void **state);

#endif
