/* SPDX-License-Identifier: MIT */
/* log.h - lines for people, with the time of the lab's clock, from any process of the lab */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_NR };

/* log_init() - lines up to @level go to @fd, each named @who. The default is stderr, LOG_WARN. */
void log_init(int fd, const char *who, enum log_level level);

/* log_at() - write one line; a line is one write(2), so processes may share a file. */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
