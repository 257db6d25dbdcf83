/* SPDX-License-Identifier: MIT */
/* units.h - the one place that reads and prints units: time, rate, probability */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* Longest span that any duration of a lab may have: a day. More is a typing error. */
#define UNITS_DURATION_NS_MAX (24ull * 3600 * 1000000000ull)

/**
 * units_parse_duration() - read "20ms", "1.5s", "300us", "10ns", "2m", "1h"; "0" needs no unit
 * @text:	the whole string must be a duration
 * @ret_ns:	nanoseconds, at most UNITS_DURATION_NS_MAX
 *
 * Return: 0, or -EINVAL with an @err that names the text and the cure.
 */
int units_parse_duration(const char *text, uint64_t *ret_ns, struct err *err);

/* units_parse_rate() - read "10mbit", "1gbit", "500kbit", "9600bit" as bit/s; > 0. */
int units_parse_rate(const char *text, uint64_t *ret_bps, struct err *err);

/* units_parse_share() - read "1%", "0.5%", "100ppm" as parts per million, 0 to 1,000,000. */
int units_parse_share(const char *text, uint32_t *ret_ppm, struct err *err);

/* units_parse_size() - read "1500b", "64kb" (65,536), "1mb" as bytes. */
int units_parse_size(const char *text, uint32_t *ret_bytes, struct err *err);

/* units_parse_memory() - the same, and "4gb", where sizes may be large. */
int units_parse_memory(const char *text, uint64_t *ret_bytes, struct err *err);

/* units_parse_count() - read a whole decimal number of @min to @max. */
int units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct err *err);

/* units_parse_offset() - a duration that may have a sign: "500ms", "-2s", "+1h". */
int units_parse_offset(const char *text, int64_t *ret_ns, struct err *err);

/* units_print_offset() - the same for people: "500 ms", "-2 s". */
const char *units_print_offset(int64_t ns, char *out, size_t size);

/* units_print_duration() - "20 ms", "1.5 s", "350 us", three significant digits or more. */
const char *units_print_duration(uint64_t ns, char *out, size_t size);

/*
 * One word with all digits, which units_parse_*() reads back to the same number: "20ms",
 * "1.234567s", "10mbit", "0.01%", "64kb". For numbers below 2^53.
 */
const char *units_word_duration(uint64_t ns, char *out, size_t size);
const char *units_word_rate(uint64_t bps, char *out, size_t size);
const char *units_word_share(uint32_t ppm, char *out, size_t size);
const char *units_word_size(uint32_t bytes, char *out, size_t size);

/* units_print_memory() - "1.5 GB", "350 kB". */
const char *units_print_memory(uint64_t bytes, char *out, size_t size);

/* units_print_count() - "12,345". */
const char *units_print_count(uint64_t n, char *out, size_t size);

static inline double units_ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static inline double units_s(uint64_t ns)
{
	return (double)ns / 1e9;
}

#endif
