/* SPDX-License-Identifier: MIT */
/* html_run.h - report.html: one run as a page, from the folder that it left */
#ifndef REPORT_HTML_RUN_H
#define REPORT_HTML_RUN_H

#include <stdio.h>

#include "agent/base/err.h"

#define HTML_RUN_FILE "report.html"

/**
 * html_run_write() - the page of the run in @dir: results.json, history.bin, plan.txt, witness.svg
 * @out:	path of the page; NULL: report.html in @dir
 * @ret_note:	what is missing in the page and how to get it, "" if nothing is; ERR_TEXT_MAX bytes
 *
 * A page that could not be written whole is not left behind. Return: 0 or a negative errno; @err
 * names the file that is missing or odd, with EXIT_USAGE.
 */
int html_run_write(const char *dir, const char *out, char *ret_note, struct err *err);

#endif
