#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# slapd_test.sh - OpenLDAP in a lab: both sides of a cut write, and the clock decides who loses
. tests/e2e/lab.sh

cat >"$tmp/head.lua" <<'LAB'
lab "slapd"
seed(3)
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "10ms")
store("slapd-real")
LAB
load='clients_per_site = 2, rate = 80, read = 40, write = 60, deadline = "1s"'
{
	cat "$tmp/head.lua"
	echo "load { keys = 100, $load }" # each written now and then
	cat <<'LAB'
phase("baseline", "2s")
phase("partition", "4s", cut({"east"}, {"far"}))
phase("healed", "6s")
LAB
} >"$tmp/cut.lua"
{
	cat "$tmp/head.lua"
	echo "load { keys = 100, $load }"
	echo 'phase("whole", "5s")'
} >"$tmp/whole.lua"

# runs NAME LAB [OPTION...]: into $tmp/NAME; 0 to 2: judged, how depends on how busy this machine is
runs() {
	local status=0
	"$pacelab" run "$tmp/$2.lua" --name "$lab" --results "$tmp/$1" --json "${@:3}" \
		>"$tmp/$1.json" 2>"$tmp/$1.err" || status=$?
	sed 's/^/# /' "$tmp/$1.err"
	[ "$status" -le 2 ] || return "$status"
}

# json NAME EXPRESSION: is it true of the results r?
json() {
	python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
phase = {p["name"]: p for p in r["phases"]}
side = {s["name"]: s for s in phase.get("partition", {}).get("sides", [])}
busy = r["tainted"] # too busy to be timed
value = eval(sys.argv[2])
print(sys.argv[2], "is", value)
print(r["stale"], r["lost_writes"], r["recovery"], side)
sys.exit(not value)' "$tmp/$1.json" "$2"
}

remember_host
status=0
output=$(runs cut cut) || status=$?
if [ "$status" -eq 77 ] && [ "${MUST_WORK:-}" != 1 ]; then
	skip_all "${output##*pacelab: }"
elif [ "$status" -ne 0 ]; then
	not_ok slapd__runs_in_a_lab "$output"
	tap_done
fi
ok slapd__runs_in_a_lab
check slapd__answers_on_both_sides_of_a_cut json cut \
	'busy or all(s["ok"] > 0.8 * s["attempts"] for s in side.values() if s["attempts"])'
check slapd__has_the_same_everywhere_in_the_end json cut \
	'r["lost_writes"]["diverged_keys"] == r["lost_writes"]["keys_without_final_read"] == 0'


# A later write of another node has the older date: it stays where it was made, and the others keep
# what n3 has taken.
check slapd_ahead__runs_with_one_clock_ahead runs whole whole --store slapd-real-ahead
check slapd_ahead__lets_replicas_differ_for_good json whole 'r["lost_writes"]["diverged_keys"] > 0'
gone_in_time slapd__leaves_the_host_as_it_was
tap_done
