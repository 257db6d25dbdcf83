/* SPDX-License-Identifier: MIT */
/* html_runs.h - several runs side by side, as a page */
#ifndef REPORT_HTML_RUNS_H
#define REPORT_HTML_RUNS_H

#include "agent/base/err.h"

/* All systems once. */
#define HTML_RUNS_MAX 48

/**
 * html_runs_write() - the runs in the folders @dir: their key figures as a table, then who was
 * answered and how fast in each, on the same scale
 * @out:	path of the page
 * @ret_note:	as of html_run_write()
 *
 * Return: 0, or a negative errno with the folder and what is wrong with it in @err; then there is
 * no page.
 */
int html_runs_write(
	char *const *dir, unsigned dirs, const char *out, char *ret_note, struct err *err);

#endif
