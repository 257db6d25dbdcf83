#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# online_test.sh - a run that is checked while it goes on ends at the first violation, and only then
. tests/e2e/lab.sh

# The cut is long: who does not end it early is ended by the timeout.
readonly CUT_SECONDS=300
readonly EARLY_SECONDS=100
cat >"$tmp/deposed.lua" <<'LAB'
lab "deposed"
seed(5)
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "10ms")
store("raft", {leader = "n3"})
load {rate = 300, keys = 5, read = 50, write = 40, cas = 10, deadline = "800ms"}
phase("baseline", "1s")
phase("partition", CUT, cut({"east"}, {"far"}))
LAB
sed "s/CUT/\"${CUT_SECONDS}s\"/" "$tmp/deposed.lua" >"$tmp/long.lua"
sed 's/CUT/"3s"/' "$tmp/deposed.lua" >"$tmp/short.lua"

# runs LAB REPLICA ARGUMENT...
runs() {
	local file=$tmp/$1.lua replica=$2
	shift 2
	PACELAB_REPLICA=$replica timeout "$EARLY_SECONDS" "$pacelab" run "$file" --quiet \
		--name "$lab" --results "$(mktemp -u "$tmp/results.XXXXXX")" "$@" \
		>"$tmp/out" 2>"$tmp/err"
	local status=$?
	sed 's/^/# /' "$tmp/out" "$tmp/err"
	return "$status"
}

stops() {
	local status=0
	PACELAB_BUG=raft-deposed-leader-reads \
		runs long "$B/bug/pacelab-replica" --check-online || status=$?
	[ "$status" -eq 1 ] && grep -q 'claim  *broken: not linearizable' "$tmp/out" &&
		grep -qE 'stopped after .* operations by a violation, .* answered' "$tmp/err" &&
		grep -q 'deposed on raft: not linearizable' "$tmp"/results.*/witness.svg
}

goes_on() {
	local status=0
	runs short "$B/pacelab-replica" --check-online || status=$?
	{ [ "$status" -eq 0 ] || [ "$status" -eq 2 ]; } &&
		grep -q 'consistency  *linearizable' "$tmp/out" &&
		grep -q 'partition  *3.0 s' "$tmp/out" && ! grep -q 'stopped' "$tmp/err"
}


check run__is_ended_by_a_violation_that_is_found_online stops
check run__goes_on_while_nothing_is_violated goes_on
tap_done
