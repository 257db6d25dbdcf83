/* SPDX-License-Identifier: MIT */
/* units.c - the one place that reads and prints units: time, rate, probability */
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct unit {
	const char *name;
	double factor;
};

static const struct unit duration_units[] = {
	{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {NULL, 0}};
static const struct unit rate_units[] = {
	{"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};
static const struct unit share_units[] = {{"%", 1e4}, {"ppm", 1}, {NULL, 0}};
/* As tc(8) has them: a kilobyte is 1024 bytes. */
static const struct unit size_units[] = {{"b", 1}, {"kb", 1024}, {"mb", 1 << 20}, {NULL, 0}};
static const struct unit memory_units[] = {
	{"b", 1}, {"kb", 1024}, {"mb", 1 << 20}, {"gb", 1 << 30}, {NULL, 0}};

/*
 * Numbers are plain decimals: no sign, exponent, hexadecimal, infinity or white space, all of
 * which strtod() would take.
 */
static int parse_scaled(const char *text, const struct unit *units, double *ret)
{
	size_t digits = strspn(text, "0123456789.");
	const char *unit = text + digits;
	char number[32];
	char *end;

	if (digits == 0 || digits >= sizeof number)
		return -EINVAL;
	memcpy(number, text, digits);
	number[digits] = '\0';
	*ret = strtod(number, &end);
	if (*end != '\0' || !isdigit((unsigned char)number[0]))
		return -EINVAL;
	if (*unit == '\0')
		return *ret == 0 ? 0 : -EINVAL;
	for (; units->name; units++) {
		if (strcmp(units->name, unit) == 0) {
			*ret *= units->factor;
			return 0;
		}
	}
	return -EINVAL;
}

int units_parse_duration(const char *text, uint64_t *ret_ns, struct err *err)
{
	double ns;

	if (text[0] == '-')
		return err_usage(err, "'%s' is negative: a duration is 0 or more", text);
	if (parse_scaled(text, duration_units, &ns) < 0)
		return err_usage(err,
			"'%s' is not a duration: write a number and ns, us, ms, s, m or h, "
			"like 20ms",
			text);
	if (ns > (double)UNITS_DURATION_NS_MAX)
		return err_usage(err, "'%s' is longer than a day: is the unit right?", text);
	*ret_ns = (uint64_t)(ns + 0.5);
	return 0;
}

int units_parse_offset(const char *text, int64_t *ret_ns, struct err *err)
{
	bool negative = text[0] == '-';
	uint64_t ns = 0;
	int rc = units_parse_duration(text + (negative || text[0] == '+'), &ns, err);

	if (rc == 0)
		*ret_ns = negative ? -(int64_t)ns : (int64_t)ns;
	return rc;
}

const char *units_print_offset(int64_t ns, char *out, size_t size)
{
	uint64_t distance = ns < 0 ? (uint64_t)0 - (uint64_t)ns : (uint64_t)ns;
	char text[32];

	(void)snprintf(out, size, "%s%s", ns < 0 ? "-" : "",
		units_print_duration(distance, text, sizeof text));
	return out;
}

int units_parse_rate(const char *text, uint64_t *ret_bps, struct err *err)
{
	double bps;

	if (parse_scaled(text, rate_units, &bps) < 0 || bps < 1 || bps > 1e15)
		return err_usage(err,
			"'%s' is not a rate: write a number and bit, kbit, mbit or gbit, like "
			"10mbit",
			text);
	*ret_bps = (uint64_t)(bps + 0.5);
	return 0;
}

int units_parse_share(const char *text, uint32_t *ret_ppm, struct err *err)
{
	double ppm;

	if (parse_scaled(text, share_units, &ppm) < 0 || ppm > 1e6)
		return err_usage(err, "'%s' is not a share: write 0%% to 100%%, like 1.5%%", text);
	*ret_ppm = (uint32_t)(ppm + 0.5);
	return 0;
}

int units_parse_size(const char *text, uint32_t *ret_bytes, struct err *err)
{
	double bytes;

	if (parse_scaled(text, size_units, &bytes) < 0 || bytes > (double)UINT32_MAX)
		return err_usage(
			err, "'%s' is not a size: write a number and b, kb or mb, like 64kb", text);
	*ret_bytes = (uint32_t)(bytes + 0.5);
	return 0;
}

int units_parse_memory(const char *text, uint64_t *ret_bytes, struct err *err)
{
	double bytes;

	if (parse_scaled(text, memory_units, &bytes) < 0 || bytes > 1e15)
		return err_usage(err,
			"'%s' is not a size: write a number and kb, mb or gb, like 512mb", text);
	*ret_bytes = (uint64_t)(bytes + 0.5);
	return 0;
}

/*
 * In the largest unit of which there is at least one, all digits that it takes: reading it gives
 * the same number again. Units are sorted and each divides the next by a whole number.
 */
static const char *print_word(uint64_t n, const struct unit *units, char *out, size_t size)
{
	const char *name = units->name;
	uint64_t factor = (uint64_t)units->factor;
	char part[24] = "";
	size_t len = 0;

	for (const struct unit *u = units; u->name; u++) {
		if (n < (uint64_t)u->factor)
			continue;
		factor = (uint64_t)u->factor;
		name = u->name;
	}
	for (uint64_t rest = n % factor; rest && len + 1 < sizeof part; rest = rest * 10 % factor)
		part[len++] = (char)('0' + rest * 10 / factor);
	(void)snprintf(out, size, "%llu%s%s%s", (unsigned long long)(n / factor), len ? "." : "",
		part, name);
	return out;
}

const char *units_word_duration(uint64_t ns, char *out, size_t size)
{
	/* A second is the largest here: minutes would need endless fractions. */
	static const struct unit units[] = {
		{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};

	return print_word(ns, units, out, size);
}

const char *units_word_rate(uint64_t bps, char *out, size_t size)
{
	return print_word(bps, rate_units, out, size);
}

const char *units_word_share(uint32_t ppm, char *out, size_t size)
{
	static const struct unit units[] = {{"%", 1e4}, {NULL, 0}};

	return print_word(ppm, units, out, size);
}

const char *units_word_size(uint32_t bytes, char *out, size_t size)
{
	unsigned unit = bytes && bytes % (1 << 20) == 0 ? 2 : bytes && bytes % 1024 == 0 ? 1 : 0;

	(void)snprintf(out, size, "%u%s", bytes / (uint32_t)size_units[unit].factor,
		size_units[unit].name);
	return out;
}

int units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct err *err)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno || n < min || n > max)
		return err_usage(err, "'%s' is not a whole number from %llu to %llu", text,
			(unsigned long long)min, (unsigned long long)max);
	*ret = n;
	return 0;
}

const char *units_print_duration(uint64_t ns, char *out, size_t size)
{
	if (ns < 10 * NS_PER_US)
		(void)snprintf(out, size, "%llu ns", (unsigned long long)ns);
	else if (ns < NS_PER_MS)
		(void)snprintf(out, size, "%.4g us", (double)ns / 1e3);
	else if (ns < NS_PER_S)
		(void)snprintf(out, size, "%.4g ms", units_ms(ns));
	else
		(void)snprintf(out, size, ns < 10000 * NS_PER_S ? "%.4g s" : "%.0f s", units_s(ns));
	return out;
}

const char *units_print_memory(uint64_t bytes, char *out, size_t size)
{
	static const char *const names[] = {"kB", "MB", "GB", "TB"};
	double n = (double)bytes / 1024;
	unsigned i = 0;

	while (n >= 999.5 && i + 1 < sizeof names / sizeof *names) {
		n /= 1024;
		i++;
	}
	(void)snprintf(out, size, "%.3g %s", n, names[i]);
	return out;
}

const char *units_print_count(uint64_t n, char *out, size_t size)
{
	char digits[24];
	size_t len;
	size_t at = 0;

	(void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
	len = strlen(digits);
	for (size_t i = 0; i < len && at + 2 < size; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		if (at + 1 < size)
			out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}
