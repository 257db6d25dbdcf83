/* SPDX-License-Identifier: MIT */
/* err.h - one failure with the context of each caller, without allocation */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 768

/* Exit statuses of every command. */
enum exit_status {
	EXIT_AS_EXPECTED = 0,
	EXIT_VIOLATED = 1,     /* an expectation or a claim was not kept */
	EXIT_INCONCLUSIVE = 2, /* measured, but nothing may be concluded from it */
	EXIT_USAGE = 64,       /* bad input: flag, lab file, name, unit */
	EXIT_INTERNAL = 70,    /* our own failure */
	EXIT_CANNOT_RUN = 77,  /* a privilege or a kernel feature is missing */
};

/**
 * struct err - why something failed, filled where the failure is seen
 * @code:	negative errno, 0 while nothing failed
 * @status:	exit status that a command should end with
 * @text:	one line: what, where and the cure, outermost context first
 */
struct err {
	int code;
	enum exit_status status;
	char text[ERR_TEXT_MAX];
};

/**
 * err_set() - fill @err, replacing what it said
 * @err:	may be NULL: then only the code is passed on
 * @code:	negative errno
 * @status:	exit status for a command that fails with this
 * @fmt:	one line, no full stop, no newline
 *
 * Return: @code, so that a failing function can end with `return err_set(...)`.
 */
int err_set(struct err *err, int code, enum exit_status status, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* err_sys() - err_set() for a failed system call: ": strerror" is added, status is internal. */
int err_sys(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_usage() - err_set() with -EINVAL and EXIT_USAGE. */
int err_usage(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_wrap() - put "context: " in front of what @err says. Return: its code. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_one_line() - blanks for control characters, and for what is no text, in quoted input. */
void err_one_line(struct err *err);

#endif
