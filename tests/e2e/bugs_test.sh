#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bugs_test.sh - a lab on real packets notices each bug that is put into its replicas on purpose
#
# The table is store/bugs.c. The same lab with sound replicas breaks no claim: then it is the bug
# that was found.
. tests/e2e/lab.sh

cat >"$tmp/deposed.lua" <<'LAB'
lab "deposed"
seed(5)
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "10ms")
store("raft", {leader = "n3"})
load {rate = 300, keys = 5, read = 50, write = 50, cas = 0, deadline = "800ms"}
phase("baseline", "1s")
phase("partition", "3s", cut({"east"}, {"far"}))
phase("healed", "2s")
LAB
sed 's/store("raft".*/store "quorum"/' "$tmp/deposed.lua" >"$tmp/weak.lua"
# Each restart forgets the last records; so many keys that few are written again.
cat >"$tmp/drop.lua" <<'LAB'
lab "drop"
site("east", {"n1"})
store "single"
load {rate = 1000, keys = 5000, read = 50, write = 50, cas = 0, deadline = "1s"}
phase("crash", "4s",
	kill("n1", "1s"), restart("n1", "1200ms"),
	kill("n1", "2s"), restart("n1", "2200ms"),
	kill("n1", "3s"), restart("n1", "3200ms"))
LAB

# runs LAB REPLICA [BUG]: the lab with these replicas; its status is run's.
runs() {
	PACELAB_REPLICA=$2 PACELAB_BUG=${3:-} "$pacelab" run "$tmp/$1.lua" --quiet --name "$lab" \
		--results "$(mktemp -u "$tmp/results.XXXXXX")" >"$tmp/out" 2>"$tmp/err"
	local status=$?
	sed 's/^/# /' "$tmp/out" "$tmp/err"
	return "$status"
}

# What a history proves is a violation however busy the machine was: status 1, not 2.
finds() {
	local status=0
	runs "$1" "$B/bug/pacelab-replica" "$2" || status=$?
	[ "$status" -eq 1 ] && grep -qE "$3" "$tmp/out" && grep -q 'claim  *broken' "$tmp/out"
}

sound() {
	local status=0
	runs "$1" "$B/pacelab-replica" || status=$?
	{ [ "$status" -eq 0 ] || [ "$status" -eq 2 ]; } &&
		grep -q 'consistency  *linearizable' "$tmp/out"
}

check run__finds_a_deposed_leader_that_serves_reads \
	finds deposed raft-deposed-leader-reads 'n3 answered .* after n[12] had acknowledged'
check run__finds_a_quorum_that_waits_for_one \
	finds weak quorum-waits-for-one 'not linearizable when'
check run__finds_acknowledged_writes_missing_in_the_log \
	finds drop log-drops-acked 'lost writes  *[1-9]'
check run__has_nothing_to_find_in_raft_as_it_is sound deposed
check run__has_nothing_to_find_in_quorum_as_it_is sound weak
check run__has_nothing_to_find_in_the_log_as_it_is sound drop
tap_done
