#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# redis_lab_test.sh - what Redis with Sentinel loses when its primary is cut off with a client
. tests/e2e/lab.sh

command -v redis-server >/dev/null || skip_all "no redis-server"
remember_host

# More keys than writes: a later write hides that one was lost.
cat >"$tmp/primary.lua" <<'LAB'
lab "primary"
site("east", {"n1"})
site("west", {"n2"})
site("north", {"n3"})
rtt("east", "west", "10ms")
rtt("east", "north", "10ms")
rtt("west", "north", "10ms")
store("redis-real", {leader = "n1"})
load {
	clients_per_site = 4, rate = 150, keys = 5000,
	read = 50, write = 40, cas = 10, deadline = "1s",
}
phase("baseline", "2s")
phase("headless", "20s", cut("east", {"west", "north"}))
phase("healed", "20s")
LAB

# runs NAME OPTION...: into $tmp/NAME; json NAME EXPRESSION: is it true of the results r?
runs() {
	local name=$1 status=0
	shift
	timeout 300 "$pacelab" run "$tmp/primary.lua" --name "$lab" --results "$tmp/$name" --json \
		"$@" >"$tmp/$name.json" 2>"$tmp/$name.err" || status=$?
	tail -n 5 "$tmp/$name.err"
	# 0 to 2: judged; which of them depends on how busy this machine is.
	[ "$status" -le 2 ]
}
json() {
	python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
phase = {p["name"]: p for p in r["phases"]}
fault = {f["kind"]: f for f in r["faults"]}
side = lambda p, name: [s for s in phase[p]["sides"] if s["name"] == name][0]
value = eval(sys.argv[2].replace("\n", " "))
print(sys.argv[2], "is", value)
sys.exit(not value)' "$tmp/$1.json" "$2"
}

check redis__runs runs async
check redis__answers_in_the_baseline json async \
	'phase["baseline"]["ok"] > 20 + phase["baseline"]["failed"]'
check redis__confirms_the_cut \
	json async 'fault["cut"]["evidence"] == "confirmed" and
		fault["cut"]["packets_crossed"] == 0'
check redis__old_primary_goes_on_acknowledging \
	json async 'side("headless", "east")["writes_ok"] > 20'
check redis__the_others_elect_another \
	json async 'sum(s["writes_ok"] for s in phase["headless"]["sides"]
		if s["name"] != "east") > 20'
check redis__acknowledged_writes_are_lost json async 'r["lost_writes"]["lost"] > 0'
check redis__is_not_linearizable json async 'r["check"]["result"] == "violation"'
check redis__has_a_witness json async 'r["check"]["witness"]'
check redis__leaves_no_data eval '[ ! -e "$tmp/async/data" ] && ls "$tmp"/async/log/n1*'

check_once redis__runs_with_wait runs wait --store redis-real-wait1
check_once wait__old_primary_acknowledges_nothing_more \
	json wait 'r["lost_writes"]["acknowledged"] > 20 and r["lost_writes"]["lost"] == 0'
gone_in_time redis__leaves_nothing_behind
tap_done
