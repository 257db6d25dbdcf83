#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bugs_test.sh - the simulator and its checkers notice each bug that is put in on purpose
#
# The same seeds must be clean in the normal build: then it is the bug that was found.
. tests/lib/tap.sh

# A violation ends sim with 1, an assertion of a replica with SIGABRT (134); both name the seed.
finds() {
	"$B/bug/$1/sim" --proto "$2" --seeds "$3" >"$tmp/out" 2>&1
	local status=$?
	sed 's/^/# /' "$tmp/out"
	[ "$status" -eq 1 ] || [ "$status" -eq 134 ] || return 1
	grep -q 'again: .*--seed' "$tmp/out"
}

clean() {
	"$B/sim" --proto "$1" --seeds "$2" | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

check sim__finds_a_deposed_leader_that_serves_reads finds BUG_RAFT_STALE_LEADER_READ raft 50
check sim__finds_a_quorum_that_waits_for_one finds BUG_QUORUM_WEAK_CALLED_STRONG quorum 20
check sim__finds_an_acknowledged_record_missing_in_raft finds BUG_LOG_DROPS_ACKED raft 50
check sim__finds_an_acknowledged_record_missing_in_single finds BUG_LOG_DROPS_ACKED single 50
check sim__finds_an_acknowledged_record_missing_in_quorum finds BUG_LOG_DROPS_ACKED quorum 50
check sim__has_nothing_to_find_in_raft_as_it_is clean raft 50
check sim__has_nothing_to_find_in_single_as_it_is clean single 50
check sim__has_nothing_to_find_in_quorum_as_it_is clean quorum 50
tap_done
