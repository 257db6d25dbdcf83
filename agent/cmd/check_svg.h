/* SPDX-License-Identifier: MIT */
/* check_svg.h - the picture of a witness, from a history's file */
#ifndef CMD_CHECK_SVG_H
#define CMD_CHECK_SVG_H

#include "agent/report/svg.h"

/* svg_keep() - draw @svg into the file @out, which is not left half written. */
int svg_keep(const struct svg *svg, const char *out, struct err *err);

/**
 * check_svg_write() - draw @svg, whose title, history, result and names are set, into @out
 * @path:	the history's file: phases and faults that it notes are drawn as well
 *
 * Return: 0, or a negative errno with what could not be written in @err.
 */
int check_svg_write(struct svg *svg, const char *path, const char *out, struct err *err);

#endif
