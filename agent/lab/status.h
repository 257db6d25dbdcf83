/* SPDX-License-Identifier: MIT */
/* status.h - a lab that is up, for people and as JSON */
#ifndef LAB_STATUS_H
#define LAB_STATUS_H

#include <stdio.h>

#include "agent/lab/supervisor.h"

void status_text(const struct supervisor *s, FILE *out);
void status_json(const struct supervisor *s, FILE *out);

#endif
