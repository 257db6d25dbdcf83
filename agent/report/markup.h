/* SPDX-License-Identifier: MIT */
/* markup.h - text from anywhere as text of a page or a picture: nothing in it is markup */
#ifndef REPORT_MARKUP_H
#define REPORT_MARKUP_H

#include <stddef.h>
#include <stdio.h>

/*
 * markup_text() - at most @size bytes of @text, which ends with a NUL, for HTML and for XML
 * Also fit for an attribute between quotation marks. Bytes that are no UTF-8, control characters
 * and U+FFFE and U+FFFF, which XML cannot have, are written as U+FFFD.
 */
void markup_text(FILE *out, const char *text, size_t size);

#endif
