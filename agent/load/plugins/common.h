/* SPDX-License-Identifier: MIT */
/*
 * common.h - what drivers in shared objects have in common: settings, names of keys, outcomes
 *
 * Each shared object has a copy of common.c of its own.
 *
 * Outcomes (driver.h): an operation that surely had no effect is HISTORY_FAIL, one that may have
 * had or may still get one is HISTORY_UNKNOWN. A read never has one. A driver never tries again by
 * itself, and closes the connection after UNKNOWN, so that a late answer meets nobody.
 */
#ifndef LOAD_PLUGINS_COMMON_H
#define LOAD_PLUGINS_COMMON_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/load/drivers/driver.h"

#define COMMON_KEY_MAX 24
#define COMMON_SETTING_MAX 64

/* common_key() - "k7" */
const char *common_key(uint64_t key, char out[COMMON_KEY_MAX]);

/* common_setting() - the value of "name=value" in @settings, "" if it is not there. */
const char *common_setting(const char *settings, const char *name, char out[COMMON_SETTING_MAX]);

/* common_number() - a decimal of at most 20 digits, nothing else. Return: false if it is none. */
bool common_number(const char *text, size_t len, uint64_t *ret);

/* common_left_ms() - milliseconds until the deadline, rounded up, 0 when it has passed. */
int common_left_ms(uint64_t deadline_ns);

/* common_addr() - dotted decimal. */
#define COMMON_ADDR_MAX 16
const char *common_addr(uint32_t addr_be, char out[COMMON_ADDR_MAX]);

/* The outcomes; each fills *@ret completely. */
void common_ok(struct driver_result *ret);
void common_value(struct driver_result *ret, uint64_t value); /* of a read; 0: nothing there */
void common_unmet(struct driver_result *ret);                 /* CAS: the old value was not there */
void common_fail(struct driver_result *ret, enum history_error error);
void common_unknown(struct driver_result *ret, enum history_error error);
/* common_lost() - sent and not answered: FAIL for a read, UNKNOWN for what may have had an effect
 */
void common_lost(struct driver_result *ret, bool reads, enum history_error error);

#endif
