/* SPDX-License-Identifier: MIT */
/* names.c - what kinds and errors of operations are called, in JSON lines and in reports */
#include "agent/history/history.h"

const char *const history_kind_names[] = {
	[HISTORY_READ] = "read",
	[HISTORY_WRITE] = "write",
	[HISTORY_CAS] = "cas",
	[HISTORY_APPEND] = "append",
	[HISTORY_ADD] = "add",
	[HISTORY_INCREASE] = "increase",
	[HISTORY_TRANSFER] = "transfer",
	[HISTORY_TRANSACTION] = "transaction",
};
_Static_assert(sizeof history_kind_names / sizeof *history_kind_names == HISTORY_KIND_NR,
	"every kind of operation has a name");

const char *const history_error_names[] = {
	[HISTORY_NO_ERROR] = "none",
	[HISTORY_REFUSED] = "refused",
	[HISTORY_UNCERTAIN] = "uncertain",
	[HISTORY_TIMEOUT] = "timeout",
	[HISTORY_CONNECT] = "connect",
	[HISTORY_CLOSED] = "closed",
	[HISTORY_LATE] = "late",
	[HISTORY_UNMET] = "unmet",
	[HISTORY_OTHER] = "other",
};
_Static_assert(sizeof history_error_names / sizeof *history_error_names == HISTORY_ERROR_NR,
	"every error has a name");
