/* SPDX-License-Identifier: MIT */
/* common.c - what drivers in shared objects have in common: settings, names of keys, outcomes */
#include "agent/load/plugins/common.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *common_key(uint64_t key, char out[COMMON_KEY_MAX])
{
	(void)snprintf(out, COMMON_KEY_MAX, "k%llu", (unsigned long long)key);
	return out;
}

const char *common_setting(const char *settings, const char *name, char out[COMMON_SETTING_MAX])
{
	size_t len = strlen(name);

	out[0] = '\0';
	for (const char *p = settings; *p; p += strspn(p, " ")) {
		size_t word = strcspn(p, " ");

		if (word > len && p[len] == '=' && strncmp(p, name, len) == 0)
			(void)snprintf(out, COMMON_SETTING_MAX, "%.*s", (int)(word - len - 1),
				p + len + 1);
		p += word;
	}
	return out;
}

bool common_number(const char *text, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (len == 0 || len > 20)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]) || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(text[i] - '0'), &n))
			return false;
	}
	*ret = n;
	return true;
}

int common_left_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;

	return (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

const char *common_addr(uint32_t addr_be, char out[COMMON_ADDR_MAX])
{
	struct in_addr addr = {.s_addr = addr_be};

	if (!inet_ntop(AF_INET, &addr, out, COMMON_ADDR_MAX))
		out[0] = '\0';
	return out;
}

void common_ok(struct driver_result *ret)
{
	*ret = (struct driver_result){.outcome = HISTORY_OK};
}

void common_value(struct driver_result *ret, uint64_t value)
{
	*ret = (struct driver_result){.outcome = HISTORY_OK, .value = value, .found = value != 0};
}

void common_unmet(struct driver_result *ret)
{
	*ret = (struct driver_result){.outcome = HISTORY_OK, .error = HISTORY_UNMET};
}

void common_fail(struct driver_result *ret, enum history_error error)
{
	*ret = (struct driver_result){.outcome = HISTORY_FAIL, .error = error};
}

void common_unknown(struct driver_result *ret, enum history_error error)
{
	*ret = (struct driver_result){.outcome = HISTORY_UNKNOWN, .error = error};
}

void common_lost(struct driver_result *ret, bool reads, enum history_error error)
{
	if (reads)
		common_fail(ret, error);
	else
		common_unknown(ret, error);
}
