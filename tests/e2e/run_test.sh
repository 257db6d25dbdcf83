#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run_test.sh - a whole run on real packets: phases, faults, evidence, history, verdict, JSON
. tests/e2e/lab.sh

cat >"$tmp/small.lua" <<'LAB'
lab "small"
seed(3)
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "10ms")
store("raft", {leader = "n1"})
load {
	clients_per_site = 2, rate = 100, keys = 4,
	read = 50, write = 40, cas = 10, deadline = "800ms",
}
phase("baseline", "1s")
phase("partition", "2s", cut({"east"}, {"far"}))
phase("healed", "2s")
LAB

# runs NAME LAB OPTION...: into $tmp/NAME; its status in $tmp/NAME.status
runs() {
	local name=$1 status=0
	shift
	"$pacelab" run "$@" --name "$lab" --results "$tmp/$name" --json >"$tmp/$name.json" \
		2>"$tmp/$name.err" || status=$?
	echo "$status" >"$tmp/$name.status"
	# 0 to 2: judged; which of them depends on how busy this machine is.
	[ "$status" -le 2 ] || cat "$tmp/$name.err"
	[ "$status" -le 2 ]
}

# json NAME EXPRESSION: is it true of the results r?
json() {
	python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
phase = {p["name"]: p for p in r["phases"]}
fault = {f["kind"]: f for f in r["faults"]}
value = eval(sys.argv[2])
print(sys.argv[2], "is", value, r["faults"])
sys.exit(not value)' "$tmp/$1.json" "$2"
}

same_as_file() {
	cmp "$tmp/raft.json" "$tmp/raft/results.json"
}

files_kept() {
	local file
	for file in results.json history.bin plan.txt log/n1.log log/supervisor.log; do
		[ -s "$tmp/raft/$file" ] || { echo "no $file" && return 1; }
	done
	[ ! -e "$tmp/raft/data" ]
}

# Markdown: all rows of a table have as many cells as its head; no line is left half.
tables_are_whole() {
	cat "$1"
	sed 's/\\|//g' "$1" | awk '
		/^\|/ {
			n = gsub(/\|/, "|")
			if (in_table && n != cells)
				bad = 1
			cells = n
			in_table = 1
			rows++
			next
		}
		{ in_table = 0 }
		END { exit bad || rows < 8 }'
}

markdown_is_added() {
	head -n 1 "$tmp/raft.md" | grep -q '^what was there before$' &&
		grep -q '^### small on raft: P' "$tmp/raft.md" &&
		grep -q '| partition | cut | 12 links, edge | confirmed | 0 packets crossed' \
			"$tmp/raft.md"
}

has_its_witness() {
	grep -A 4 '^Not linearizable' "$tmp/one.md"
	grep -A 3 '^Not linearizable' "$tmp/one.md" | grep -q '^n[123] answered'
}

refuses_a_file() {
	local status=0
	"$pacelab" run "$tmp/small.lua" --name "$lab" --results "$tmp/never" "$@" \
		>"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -q 'name a file that can be written' "$tmp/out" &&
		[ ! -e "$tmp/never" ]
}

check_again() {
	"$pacelab" check "$tmp/raft/history.bin"
}

only_root_reads() {
	[ "$(stat -c %a:%u "$tmp/raft")" = 700:0 ]
}

cat >"$tmp/crash.lua" <<'LAB'
lab "crash"
site("east", {"n1", "n2", "n3"})
store("raft", {leader = "n1"})
load { clients_per_site = 2, rate = 100, keys = 4 }
phase("crash", "1500ms", kill("n3", "100ms"), restart("n3", "300ms"))
LAB

finals_were_read() {
	! grep 'final reads of' "$tmp/raft/log/supervisor.log"
}

quiet_is_quiet() {
	"$pacelab" run "$tmp/small.lua" --name "$lab" --results "$tmp/quiet" --quiet \
		--time-scale 0.2 --json 2>"$tmp/quiet.err" >/dev/null
	! grep -q 'baseline.*left\|network of' "$tmp/quiet.err"
}

plan_only() {
	"$pacelab" run "$tmp/small.lua" --plan --seed 99 >"$tmp/plan.out" || return 1
	grep -q 99 "$tmp/plan.out" && grep -q partition "$tmp/plan.out" &&
		[ ! -e results/small-raft-99 ]
}

echo 'what was there before' >"$tmp/raft.md"
check run__judges_raft runs raft "$tmp/small.lua" --junit "$tmp/raft.xml" --markdown "$tmp/raft.md"
check run__tells_junit xmllint --noout --schema tests/e2e/junit.xsd "$tmp/raft.xml"
check run__adds_markdown markdown_is_added
check run__adds_markdown_with_whole_tables tables_are_whole "$tmp/raft.md"
check run__refuses_a_junit_file_that_cannot_be refuses_a_file --junit /nowhere/at/all.xml
check run__refuses_a_markdown_file_that_cannot_be refuses_a_file --markdown "$tmp"
check run__prints_the_same_json_as_it_keeps same_as_file
check run__keeps_what_a_reader_needs files_kept
check run__keeps_it_for_root_alone only_root_reads
check run__ran_all_phases \
	json raft '[p["name"] for p in r["phases"]] == ["baseline", "partition", "healed"]'
check run__answers_in_the_baseline json raft 'phase["baseline"]["ok"] >= 60'
check run__confirms_that_the_cut_let_nothing_cross \
	json raft 'fault["cut"]["evidence"] == "confirmed" and fault["cut"]["packets_crossed"] == 0'
check run__cuts_both_ways_between_all_nodes json raft 'fault["cut"]["links"] == 2 * 3 * 2'
# Where all frames were late, it cannot tell whether a link is.
check run__confirms_the_heal json raft '(fault["heal"]["evidence"] == "confirmed" or
	r["tainted"] and fault["heal"]["evidence"] == "inconclusive")'
check run__measures_the_configured_round_trip \
	json raft '(9.5 <= fault["heal"]["rtt_ms_measured"] < 30 or
		fault["heal"]["evidence"] == "inconclusive")'
check raft__stays_linearizable json raft 'r["check"]["result"] == "ok"'
check raft__loses_no_acknowledged_write \
	json raft 'r["lost_writes"]["acknowledged"] > 50 and r["lost_writes"]["lost"] == 0'
check run__reads_every_key_once_more finals_were_read
check raft__minority_answers_nobody \
	json raft '[s["ok"] for s in phase["partition"]["sides"] if s["name"] == "far"] == [0]'
check raft__converges_after_the_heal json raft '0 <= r["recovery"]["converged_s"] < 2'
check check__agrees_about_the_history check_again

check run__judges_cassandra_one \
	runs one "$tmp/small.lua" --store cassandra-one --markdown "$tmp/one.md"
check cassandra_one__answers_on_both_sides \
	json one 'all(s["ok"] >= 20 for s in phase["partition"]["sides"] if s["attempts"])'
check cassandra_one__is_not_linearizable json one 'r["check"]["result"] == "violation"'
check cassandra_one__has_a_witness json one 'r["check"]["witness"]'
check cassandra_one__shows_it_in_markdown has_its_witness
check cassandra_one__converges_after_the_heal json one '0 <= r["recovery"]["converged_s"] < 2'

check run__leader_in_the_minority runs leader "$tmp/small.lua" --leader far --time-scale 1.5
check raft__is_without_a_writable_majority_until_it_elects \
	json leader '0.1 < r["recovery"]["unavailable_s"] < 3'

check run__kills_and_restarts runs crash "$tmp/crash.lua"
check restart__is_watched_until_it_caught_up \
	json crash 'fault["restart"]["caught_up_s"] > 0'

# The history is allocated in pieces of 65,536 records, by whichever process needs the next one.
cat >"$tmp/large.lua" <<'LAB'
lab "large"
site("east", {"n1"})
store("single", {fsync = false})
load {
	clients_per_site = 16, rate = 15000, keys = 1000,
	read = 90, write = 10, cas = 0, deadline = "500ms",
}
phase("busy", "4s")
LAB
check run__records_more_than_one_piece_of_history runs large "$tmp/large.lua"
check large__has_all_operations \
	json large 'sum(phase["busy"][n] for n in ("ok", "failed", "unknown")) > 50000'

check run__quiet_shows_no_progress quiet_is_quiet
check run__plan_prints_and_does_nothing plan_only
tap_done
