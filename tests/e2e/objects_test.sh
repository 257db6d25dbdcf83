#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# objects_test.sh - lists, sets, counters, banks and transactions on real packets, kept and broken
. tests/e2e/lab.sh

# runs WORKLOAD STORE: a short lab with a cut, into $tmp/WORKLOAD-STORE and .out
#
# Sessions roam over replicas that are cut off from each other, not from them: each is soon on both
# sides.
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
			read = 50, write = 50, deadline = "800ms", roam = 50,
		}
		phase("baseline", "1s")
		phase("partition", "1s", cut({"n1", "n2"}, {"n3"}))
		phase("healed", "1s")
	LAB
	"$pacelab" run "$to.lua" --name "$lab" --results "$to" >"$to.out" 2>&1 || status=$?
	cat "$to.out"
	# Whether it is conclusive depends on how busy this machine is; the history does not.
	[ "$status" -le 2 ]
}

# keeps WORKLOAD STORE MODEL: and check says the same of the file
# breaks WORKLOAD STORE MODEL: and every other model of what the workload is about
keeps() {
	runs "$1" "$2" && grep -q "consistency $3" "$tmp/$1-$2.out" &&
		"$pacelab" check --model "$3" "$tmp/$1-$2/history.bin"
}
breaks() {
	runs "$1" "$2" && grep -q "consistency not $3" "$tmp/$1-$2.out" || return 1
	# Likes are nothing that is sold.
	breaks_all "$1" "$tmp/$1-$2" no-overselling
}

check objects__raft_keeps_lists_linearizable keeps list raft linearizable
check objects__last_write_wins_breaks_lists breaks list cassandra-one linearizable
check objects__raft_keeps_counters_linearizable keeps counter raft linearizable
check objects__last_write_wins_breaks_counters breaks counter cassandra-one linearizable
check objects__last_write_wins_breaks_sets breaks set cassandra-one linearizable
check objects__steps_on_raft_are_no_bank breaks bank raft bank

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
