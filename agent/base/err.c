/* SPDX-License-Identifier: MIT */
/* err.c - one failure with the context of each caller, without allocation */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

__attribute__((format(printf, 4, 0))) static void err_fill(
	struct err *err, int code, enum exit_status status, const char *fmt, va_list args)
{
	if (!err)
		return;
	err->code = code;
	err->status = status;
	(void)vsnprintf(err->text, sizeof err->text, fmt, args);
}

int err_set(struct err *err, int code, enum exit_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err_fill(err, code, status, fmt, args);
	va_end(args);
	return code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	err_fill(err, code, EXIT_INTERNAL, fmt, args);
	va_end(args);
	if (err) {
		len = strlen(err->text);
		(void)snprintf(err->text + len, sizeof err->text - len, ": %s", strerror(-code));
	}
	return code;
}

int err_usage(struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err_fill(err, -EINVAL, EXIT_USAGE, fmt, args);
	va_end(args);
	return -EINVAL;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char was[ERR_TEXT_MAX];
	va_list args;
	size_t len;

	if (!err)
		return -EINVAL;
	memcpy(was, err->text, sizeof was);
	va_start(args, fmt);
	(void)vsnprintf(err->text, sizeof err->text, fmt, args);
	va_end(args);
	len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof err->text - len, ": %s", was);
	return err->code;
}

void err_one_line(struct err *err)
{
	if (err)
		utf8_tame(err->text);
}
