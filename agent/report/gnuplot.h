/* SPDX-License-Identifier: MIT */
/* gnuplot.h - the program gnuplot as a child: a script in, what it draws out */
#ifndef REPORT_GNUPLOT_H
#define REPORT_GNUPLOT_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

/* What brings the program. */
#define GNUPLOT_PACKAGE "gnuplot-nox"
/* A page's charts take well under a second. */
#define GNUPLOT_TIME_MS_MAX 30000
#define GNUPLOT_BYTES_MAX (64u << 20)

/**
 * gnuplot_run() - run @script, which holds its data, and collect what it writes
 * @ret:	appended to; emptied on failure
 *
 * Return: 0, -ENOENT if there is no gnuplot, -ETIMEDOUT, -EFBIG, or another negative errno. @err
 * has what gnuplot said.
 */
int gnuplot_run(const struct buf *script, struct buf *ret, struct err *err);

#endif
