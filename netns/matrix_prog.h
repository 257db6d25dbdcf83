/* SPDX-License-Identifier: MIT */
/*
 * matrix_prog.h - what the pieces of the port program share: labels, registers, stack
 *
 *	r6 the frame	r7 its matrix_link	r8 the rule
 *	r9 0; from label CHANCE on the link's matrix_chance; at PASS 0 or that, if to be doubled
 */
#ifndef NETNS_MATRIX_PROG_H
#define NETNS_MATRIX_PROG_H

#include "netns/matrix_asm.h"

enum label {
	LABEL_NONE,
	LABEL_DROP,   /* it is no frame of the lab */
	LABEL_CLOSED, /* count dropped, drop */
	LABEL_CUT,
	LABEL_ODDS,
	LABEL_CHANCE,
	LABEL_LOST,
	LABEL_PASS,
	LABEL_UNSPEC,
	LABEL_STAMP,
	LABEL_TO_TAP,
	LABEL_OWN, /* and above: for use within a piece */
};

/* Eight bytes each below the frame pointer. */
#define STACK_SCRATCH (-8)
#define STACK_SRC (-16)
#define STACK_DST (-24)
#define STACK_COPY (-32) /* which is in force: read once */
#define STACK_ODDS (-40)
#define STACK_LANE (-48) /* pointer to the struct matrix_lane, */
#define STACK_SIDE (-56) /* 1 for that of the probes */
#define STACK_NUMBER (-64)
#define STACK_DRAW(k) (-72 - 8 * (k)) /* k = 0, 1 */

#endif
