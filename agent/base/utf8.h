/* SPDX-License-Identifier: MIT */
/* utf8.h - where characters begin and end in text that comes from anywhere */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/*
 * utf8_length() - of the sequence at @p, which ends with a NUL at the latest
 * Return: 1 to 4 bytes, or 0 if there is none: overlong forms, surrogates and all above U+10FFFF
 * are none (RFC 3629, section 4).
 */
unsigned utf8_length(const unsigned char *p);

/* utf8_tame() - blanks for what would do something to a terminal, or is no UTF-8. */
void utf8_tame(char *text);

#endif
