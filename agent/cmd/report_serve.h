/* SPDX-License-Identifier: MIT */
/* report_serve.h - pacelab report --serve: a folder of results in a browser */
#ifndef CMD_REPORT_SERVE_H
#define CMD_REPORT_SERVE_H

#include "agent/base/err.h"

/**
 * report_serve() - serve @dir on 127.0.0.1 until a signal ends it; say where
 * @port:	as the command line has it; NULL: any that is free
 *
 * Return: exit status; with @err filled it is the error's.
 */
int report_serve(const char *dir, const char *port, struct err *err);

#endif
