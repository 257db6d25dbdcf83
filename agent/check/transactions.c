/* SPDX-License-Identifier: MIT */
/*
 * transactions.c - isolation of transactions that read and append to lists
 *
 * The models are those of Adya, Liskov and O'Neil ("Generalized Isolation Level Definitions", ICDE
 * 2000) by the phenomena that they forbid, snapshot isolation that of Cerone and Gotsman
 * ("Analysing Snapshot Isolation", JACM 2018): no cycle but with two anti-dependencies in a row.
 * All are decided exactly; but for snapshot isolation the order of appends to one key that nobody
 * saw may matter, and if neither an order of all transactions nor that in which they began will do,
 * the verdict is unknown. That a store shows elements in the order of the appends is taken for
 * granted: two reads of which none is the beginning of the other break every model.
 */
#include "agent/check/models.h"
#include "agent/check/serial.h"

#define FLAW(kind) (1u << LISTS_##kind)
#define FLAWS_ALWAYS \
	(FLAW(THIN_AIR) | FLAW(DUPLICATE) | FLAW(INCOMPATIBLE) | FLAW(MIXED) | FLAW(OWN))

#define TRANSACTIONS_CHECK(NAME, FLAWS, KINDS, APART) \
	static int NAME(const struct history_ops *h, const struct check_budget *budget, \
		const struct check_names *names, struct check_result *ret, struct err *err) \
	{ \
		static const struct serial_model model = { \
			.flaws = (FLAWS), .kinds = (KINDS), .apart = (APART)}; \
\
		return serial_check(&model, h, budget, names, ret, err); \
	}

TRANSACTIONS_CHECK(check_strict, SERIAL_ALL_FLAWS,
	GRAPH_DEPENDENCIES | GRAPH_BIT(GRAPH_SESSION) | GRAPH_BIT(GRAPH_TIME), false)
TRANSACTIONS_CHECK(
	check_session, SERIAL_ALL_FLAWS, GRAPH_DEPENDENCIES | GRAPH_BIT(GRAPH_SESSION), false)
TRANSACTIONS_CHECK(check_serializable, SERIAL_ALL_FLAWS, GRAPH_DEPENDENCIES, false)
TRANSACTIONS_CHECK(check_snapshot, SERIAL_ALL_FLAWS, GRAPH_DEPENDENCIES, true)
TRANSACTIONS_CHECK(check_committed, FLAWS_ALWAYS | FLAW(ABORTED) | FLAW(INTERMEDIATE),
	GRAPH_BIT(GRAPH_WW) | GRAPH_BIT(GRAPH_WR), false)
TRANSACTIONS_CHECK(check_uncommitted, FLAWS_ALWAYS, GRAPH_BIT(GRAPH_WW), false)

static const char *const strict_implies[] = {"strong-session-serializable", NULL};
const struct check_ops strict_serializable_ops = {
	.name = "strict-serializable",
	.summary = "one order of all transactions that keeps to real time",
	.type = CHECK_TRANSACTIONS,
	.implies = strict_implies,
	.check = check_strict,
};

static const char *const session_implies[] = {"serializable", NULL};
const struct check_ops strong_session_serializable_ops = {
	.name = "strong-session-serializable",
	.summary = "one order of all transactions that keeps to the order of each session",
	.type = CHECK_TRANSACTIONS,
	.implies = session_implies,
	.check = check_session,
};

static const char *const serializable_implies[] = {"snapshot-isolation", NULL};
const struct check_ops serializable_ops = {
	.name = "serializable",
	.summary = "one order of all transactions (no G1, no G2-item)",
	.type = CHECK_TRANSACTIONS,
	.implies = serializable_implies,
	.check = check_serializable,
};

static const char *const snapshot_implies[] = {"read-committed", NULL};
const struct check_ops snapshot_isolation_ops = {
	.name = "snapshot-isolation",
	.summary =
		"each read a snapshot, no two concurrent appends to one key (no G1, no G-single)",
	.type = CHECK_TRANSACTIONS,
	.implies = snapshot_implies,
	.check = check_snapshot,
};

static const char *const committed_implies[] = {"read-uncommitted", NULL};
const struct check_ops read_committed_ops = {
	.name = "read-committed",
	.summary = "nothing read of transactions that failed or were not done (no G0, no G1)",
	.type = CHECK_TRANSACTIONS,
	.implies = committed_implies,
	.check = check_committed,
};

static const char *const uncommitted_implies[] = {NULL};
const struct check_ops read_uncommitted_ops = {
	.name = "read-uncommitted",
	.summary = "appends of transactions not mixed (no G0)",
	.type = CHECK_TRANSACTIONS,
	.implies = uncommitted_implies,
	.check = check_uncommitted,
};
