/* SPDX-License-Identifier: MIT */
/* html_style.h - how every page looks, and the colours that charts share with it */
#ifndef REPORT_HTML_STYLE_H
#define REPORT_HTML_STYLE_H

extern const char html_style[];

#endif
