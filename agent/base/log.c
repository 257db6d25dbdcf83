/* SPDX-License-Identifier: MIT */
/* log.c - lines for people, with the time of the lab's clock, from any process of the lab */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024
#define LOG_WHO_MAX 48

static const char *const level_names[] = {"error", "warning", "info", "debug"};
_Static_assert(sizeof level_names / sizeof *level_names == LOG_LEVEL_NR, "a name per level");

static struct {
	int fd;
	enum log_level level;
	char who[LOG_WHO_MAX];
} logger = {.fd = STDERR_FILENO, .level = LOG_WARN, .who = "pacelab"};

void log_init(int fd, const char *who, enum log_level level)
{
	logger.fd = fd;
	logger.level = level;
	(void)snprintf(logger.who, sizeof logger.who, "%s", who);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	struct timespec t;
	va_list args;
	size_t len;

	if (level > logger.level)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	(void)snprintf(line, sizeof line, "%lld.%06ld %s: %s: ", (long long)t.tv_sec,
		t.tv_nsec / 1000, logger.who, level_names[level]);
	len = strlen(line);
	va_start(args, fmt);
	(void)vsnprintf(line + len, sizeof line - len - 1, fmt, args);
	va_end(args);
	len = strlen(line);
	line[len++] = '\n';
	if (write(logger.fd, line, len) < 0)
		return; /* there is nowhere left to say so */
}
