/* SPDX-License-Identifier: MIT */
/* requests.h - what a lab that is up can be told: the verbs behind the control socket */
#ifndef LAB_REQUESTS_H
#define LAB_REQUESTS_H

#include <stdio.h>

#include "agent/base/err.h"

/* requests_serve() - a control_serve; @ctx is the struct supervisor. */
int requests_serve(void *ctx, char **word, unsigned words, FILE *out, int *ret_fd, struct err *err);

#endif
