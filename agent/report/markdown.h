/* SPDX-License-Identifier: MIT */
/* markdown.h - a run or a comparison as GitHub's Markdown, for the summary of a job */
#ifndef REPORT_MARKDOWN_H
#define REPORT_MARKDOWN_H

#include <stdio.h>

#include "agent/report/compare.h"

struct json_t; /* of jansson */

/* markdown_run() - verdict, phases, sides of each cut, faults with evidence, witnesses. */
void markdown_run(const struct json_t *results, FILE *out);

/* markdown_comparison() - a row for each store, then a sentence for each. */
void markdown_comparison(const struct compare_page *p, FILE *out);

#endif
