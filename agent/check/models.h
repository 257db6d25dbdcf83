/* SPDX-License-Identifier: MIT */
/* models.h - every model that there is; the table in models.c names them once */
#ifndef CHECK_MODELS_H
#define CHECK_MODELS_H

#include "agent/check/check.h"

/* Registers. */
extern const struct check_ops linearizable_ops;

#endif
