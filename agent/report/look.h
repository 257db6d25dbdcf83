/* SPDX-License-Identifier: MIT */
/*
 * look.h - a member of parsed JSON; what is missing, or of another kind, is as if it were null
 *
 * For printing what a file says. Where something is decided, summary.c asks for every member.
 */
#ifndef REPORT_LOOK_H
#define REPORT_LOOK_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

static inline const char *look_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline double look_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static inline int64_t look_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static inline uint64_t look_count(const json_t *object, const char *key)
{
	int64_t value = look_int(object, key);

	return value > 0 ? (uint64_t)value : 0;
}

static inline bool look_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* Was nothing of this run on real packets? */
static inline bool look_simulated(const json_t *results)
{
	return json_is_object(json_object_get(results, "simulation"));
}

#endif
