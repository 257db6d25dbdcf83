#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# objects_test.sh - lists, sets, counters, banks and transactions on real packets, kept and broken
. tests/e2e/lab.sh

# runs WORKLOAD STORE: a short lab with a cut, into $tmp/WORKLOAD-STORE and .out
runs() {
	local status=0 to=$tmp/$1-$2
	cat >"$to.lua" <<-LAB
		lab "objects"
		site("east", {"n1", "n2"})
		site("far", {"n3"})
		rtt("east", "far", "10ms")
		store "$2"
		load {
			workload = "$1", clients_per_site = 4, rate = 200, keys = 3,
			read = 50, write = 50, deadline = "800ms",
		}
		phase("baseline", "1s")
		phase("partition", "1s", cut({"east"}, {"far"}))
		phase("healed", "1s")
	LAB
	"$pacelab" run "$to.lua" --name "$lab" --results "$to" >"$to.out" 2>&1 || status=$?
	cat "$to.out"
	# Whether it is conclusive depends on how busy this machine is; the history does not.
	[ "$status" -le 2 ]
}

# keeps WORKLOAD STORE MODEL, breaks WORKLOAD STORE MODEL: and check says the same of the file
keeps() {
	runs "$1" "$2" && grep -q "consistency $3" "$tmp/$1-$2.out" &&
		"$pacelab" check --model "$3" "$tmp/$1-$2/history.bin"
}
breaks() {
	local status=0
	runs "$1" "$2" && grep -q "consistency not $3" "$tmp/$1-$2.out" || return 1
	"$pacelab" check --model "$3" --svg "$tmp/$1-$2.svg" "$tmp/$1-$2/history.bin" || status=$?
	[ "$status" -eq 1 ] && grep -q '</svg>' "$tmp/$1-$2.svg"
}

check objects__raft_keeps_lists_linearizable keeps list raft linearizable
check objects__last_write_wins_breaks_lists breaks list cassandra-one linearizable
check objects__raft_keeps_counters_linearizable keeps counter raft linearizable
check objects__last_write_wins_breaks_counters breaks counter cassandra-one linearizable
check objects__last_write_wins_breaks_sets breaks set cassandra-one linearizable
check objects__steps_on_raft_are_no_bank breaks bank raft bank
check objects__steps_on_raft_are_no_transactions breaks transactions raft strict-serializable

refuses_what_no_load_can_do() {
	local status=0
	sed 's/keys = 3/keys = 1/' "$tmp/bank-raft.lua" >"$tmp/bad.lua"
	"$pacelab" run "$tmp/bad.lua" --plan 2>"$tmp/err" || status=$?
	[ "$status" -eq 64 ] && grep -q "bad.lua:6: load: keys are the accounts" "$tmp/err" ||
		return 1
	status=0
	sed 's/"bank"/"bnak"/' "$tmp/bank-raft.lua" >"$tmp/bad.lua"
	"$pacelab" run "$tmp/bad.lua" --plan 2>"$tmp/err" || status=$?
	[ "$status" -eq 64 ] && grep -q "no workload is called 'bnak'" "$tmp/err"
}
check objects__refuses_what_no_load_can_do refuses_what_no_load_can_do
tap_done
