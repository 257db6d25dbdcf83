#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# uses_test.sh - labs of locks and stock on real packets, told while they run, with what they expect
. tests/e2e/lab.sh

# part KIND: a small lab whose clients work on KIND, with expectations in the words behind it.
part() {
	cat <<LAB
lab "uses"
seed(3)
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "10ms")
store("raft", {leader = "n1"})
load {
	workload = "$1", rate = 200, clients_per_site = 6, keys = 3, $2
	read = 10, write = 90, deadline = "600ms",
}
say "Nothing is wrong yet."
phase("whole", "1s")
say [[Now the sites
	are cut off.]]
phase("split", "2s", cut("east", "far"))
phase("healed", "1s")
say "That was all."
LAB
}
{
	part lock ''
	echo 'expect {model = "mutual-exclusion", available = {minority = "none"}}'
	echo 'expect("cassandra-one", {model = "not mutual-exclusion"})'
} >"$tmp/locks.lua"
{
	part inventory 'stock = 60,'
	echo 'expect {model = "no-overselling"}'
	echo 'expect("cassandra-one", {model = "not no-overselling"})'
} >"$tmp/stock.lua"
sed 's/"not \(m[a-z-]*\)"/"\1"/' "$tmp/locks.lua" >"$tmp/turned.lua"
cat >"$tmp/clocks.lua" <<'LAB'
lab "clocks"
site("east", {"n1", "n2", "n3"})
rtt("east", "east", "2ms")
store("mysql-async", {leader = "n1"})
load {rate = 200, keys = 100, read = 30, write = 70, deadline = "500ms"}
phase("whole", "500ms")
phase("ahead", "2s", skew("n3", "500ms"), promote("n2", "1s"))
expect("cassandra-one", {lost = "some", converged = true})
LAB

# runs STATUS LAB OPTION...: into $tmp/out and $tmp/told. For 0, also 2: the machine was busy.
runs() {
	local want=$1 status=0
	"$pacelab" run "$tmp/$2.lua" --name "$lab" --results "$tmp/results" "${@:3}" >"$tmp/out" \
		2>"$tmp/told" || status=$?
	rm -rf "${tmp:?}/results.last"
	mv "$tmp/results" "$tmp/results.last"
	sed 's/^/# /' "$tmp/told" "$tmp/out"
	[ "$status" -eq "$want" ] || { [ "$want" -eq 0 ] && [ "$status" -eq 2 ]; }
}

met() {
	! grep -q 'not met' "$tmp/out" && tr -s ' \n' '  ' <"$tmp/out" | grep -q "expected .*$1 met"
}

tells() {
	grep -q '^  Nothing is wrong yet\.$' "$tmp/told" &&
		grep -q '^split, 2 s: east | far$' "$tmp/told" &&
		grep -q '^  Now the sites are cut off\.$' "$tmp/told" &&
		grep -q '^  That was all\.$' "$tmp/out" &&
		grep -q 'Now the sites are cut off' "$tmp/results.last/plan.txt"
}

raft_locks() {
	runs 0 locks && met mutual-exclusion && tells &&
		"$pacelab" check --model mutual-exclusion "$tmp/results.last/history.bin"
}
check lab__tells_and_one_holds_a_lock_on_raft raft_locks

two_locks() {
	runs 0 locks --store cassandra-one --quiet && met 'not mutual-exclusion' &&
		grep -q 'two held k[0-9] at once' "$tmp/out" && [ ! -s "$tmp/told" ]
}
check lab__two_hold_a_lock_on_cassandra_one two_locks

turned() {
	runs 1 turned --store cassandra-one --quiet && grep -q 'mutual-exclusion not met' "$tmp/out"
}
check lab__that_expects_otherwise_fails turned

sells() {
	runs 0 stock --quiet && met no-overselling &&
		runs 0 stock --store cassandra-one --quiet && met 'not no-overselling' &&
		grep -q 'oversold of [0-9]* item' "$tmp/out"
}
check lab__oversells_on_cassandra_one_and_not_on_raft sells

clocks() {
	runs 0 clocks --quiet && grep -q 'promote n2 after' "$tmp/out" &&
		grep -q 'it said that it leads' "$tmp/out"
}
check lab__promotes_a_replica clocks

loses() {
	sed -i 's/, promote("n2", "1s")//' "$tmp/clocks.lua" &&
		runs 0 clocks --store cassandra-one --quiet && met 'lost writes some' &&
		tr -s ' \n' '  ' <"$tmp/out" | grep -q 'its clock was read, and is ahead by 500 ms'
}
check lab__loses_writes_to_a_clock_that_is_ahead loses

tap_done
