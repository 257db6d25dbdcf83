#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# zookeeper_test.sh - ZooKeeper itself in a lab: stale without sync, never with it, nothing lost
. tests/e2e/lab.sh

# Mostly reads: in a session they wait behind its first write that waits for a majority.
cat >"$tmp/zoo.lua" <<'LAB'
lab "zoo"
seed(3)
site("a", {"n1"})
site("b", {"n2"})
site("c", {"n3"})
rtt("a", "b", "10ms") rtt("a", "c", "10ms") rtt("b", "c", "10ms")
store("zookeeper-real", {leader = "n1"})
load { clients_per_site = 4, rate = 120, keys = 2, read = 96, write = 4, deadline = "1s" }
phase("baseline", "3s")
phase("partition", "10s", cut({"a", "b"}, {"c"}))
phase("healed", "8s")
LAB

# runs STORE: into $tmp/STORE; 0 to 2: judged, which of them depends on how busy this machine is
runs() {
	local status=0
	"$pacelab" run "$tmp/zoo.lua" --store "$1" --name "$lab" --results "$tmp/$1" --json \
		>"$tmp/$1.json" 2>"$tmp/$1.err" || status=$?
	sed 's/^/# /' "$tmp/$1.err"
	[ "$status" -le 2 ] || return "$status"
}

# json STORE EXPRESSION: is it true of the results r?
json() {
	python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
phase = {p["name"]: p for p in r["phases"]}
side = {s["name"]: s for s in phase["partition"]["sides"]}
busy = r["tainted"] # too busy to be timed
value = eval(sys.argv[2])
print(sys.argv[2], "is", value)
print(r["stale"], r["lost_writes"], r["check"], r["recovery"], side)
sys.exit(not value)' "$tmp/$1.json" "$2"
}

# Its servers are gone with the lab, their logs are kept, their data are not.
left_nothing() {
	local file
	for file in n1 n2 n3; do
		grep -q 'LEADING\|FOLLOWING' "$tmp/$1/log/$file.log" || return 1
	done
	[ ! -e "$tmp/$1/data" ] && ! grep -ls "$tmp/$1" /proc/[0-9]*/cmdline
}

remember_host
status=0
output=$(runs zookeeper-real) || status=$?
if [ "$status" -eq 77 ] && [ "${MUST_WORK:-}" != 1 ]; then
	skip_all "${output##*pacelab: }"
elif [ "$status" -ne 0 ]; then
	not_ok zookeeper__runs_in_a_lab "$output"
	tap_done
fi
ok zookeeper__runs_in_a_lab
check zookeeper__answers_in_the_baseline json zookeeper-real \
	'phase["baseline"]["ok"] > 20 + phase["baseline"]["failed"]'
check zookeeper__lets_old_values_be_read_where_it_is_cut_off json zookeeper-real \
	'r["stale"]["stale"] > 0 and r["stale"]["oldest_s"] > 0.2'
check zookeeper__is_not_linearizable_and_that_has_a_witness json zookeeper-real \
	'r["check"]["result"] == "violation" and r["check"]["witness"]'
check zookeeper__loses_no_acknowledged_write json zookeeper-real \
	'r["lost_writes"]["acknowledged"] > 20 and r["lost_writes"]["lost"] == 0'
check zookeeper__goes_on_where_the_majority_is json zookeeper-real \
	'busy or side["a+b"]["ok"] > 0.7 * side["a+b"]["attempts"]'
check zookeeper__has_the_same_everywhere_in_the_end json zookeeper-real \
	'r["lost_writes"]["diverged_keys"] == r["lost_writes"]["keys_without_final_read"] == 0'
check zookeeper__takes_writes_again_after_the_heal json zookeeper-real \
	'busy or 0 <= r["recovery"]["recovered_s"] < 8'
check zookeeper__leaves_its_logs_and_nothing_else left_nothing zookeeper-real

check zookeeper_sync__runs_in_a_lab runs zookeeper-real-sync
check zookeeper_sync__is_linearizable json zookeeper-real-sync \
	'r["check"]["result"] == "ok" and r["stale"]["stale"] == 0'
check zookeeper_sync__loses_no_acknowledged_write json zookeeper-real-sync \
	'r["lost_writes"]["acknowledged"] > 20 and r["lost_writes"]["lost"] == 0'
check zookeeper_sync__answers_nobody_where_it_is_cut_off json zookeeper-real-sync \
	'side["c"]["ok"] < 0.2 * side["c"]["attempts"]'
check zookeeper_sync__leaves_its_logs_and_nothing_else left_nothing zookeeper-real-sync
gone_in_time zookeeper__leaves_the_host_as_it_was
tap_done
