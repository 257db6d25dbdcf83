#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# compare_test.sh - one lab on two stores on real packets, as a table; interrupted and gone on with
. tests/e2e/lab.sh

cat >"$tmp/small.lua" <<'LAB'
lab "small"
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "4ms")
store("raft", {leader = "n1"})
load {clients_per_site = 2, rate = 150, keys = 3, read = 50, write = 50, deadline = "500ms"}
phase("baseline", "1s")
phase("partition", "1s", cut({"east"}, {"far"}))
phase("healed", "1s")
LAB

compare() {
	local status=0
	"$pacelab" compare "$tmp/small.lua" --name "$lab" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/out" "$tmp/err"
	# 0 to 2: judged; which of them depends on how busy this machine is.
	[ "$status" -le 2 ]
}

rows() {
	compare --stores "raft,cassandra-one" --results "$tmp/both" --junit "$tmp/both.xml" \
		--markdown "$tmp/both.md" || return 1
	grep -Eq '^  raft +PC/EC +linearizable .* 0 of [0-9,]+  P' "$tmp/out" &&
		grep -Eq '^  cassandra-one +PA/EL ' "$tmp/out" &&
		grep -q "^  report $tmp/both/report.html\$" "$tmp/out" &&
		[ -s "$tmp/both/raft/history.bin" ] && [ -s "$tmp/both/cassandra-one.txt" ]
}

# A suite for each store, counted as it is.
for_ci() {
	cat "$tmp/both.md"
	xmllint --noout --schema tests/e2e/junit.xsd "$tmp/both.xml" &&
		[ "$(xmllint --xpath 'count(//testsuite)' "$tmp/both.xml")" -eq 2 ] &&
		[ "$(xmllint --xpath 'sum(//testsuite/@tests)' "$tmp/both.xml")" -eq \
			"$(xmllint --xpath 'count(//testcase)' "$tmp/both.xml")" ] &&
		grep -q '^### small on 2 stores' "$tmp/both.md" &&
		grep -Eq '^\| raft \| .* \| P[C?]/E[C?] \| ' "$tmp/both.md" &&
		grep -q '^- cassandra-one: ' "$tmp/both.md"
}

# The page names each store, leads to the pages of the runs, and is for every reader.
as_a_page() {
	tidy -quiet -errors "$tmp/both/report.html" &&
		python3 tests/e2e/report_page.py "$tmp/both/report.html" || return 1
	grep -qF '<a href="raft/report.html">raft</a>' "$tmp/both/report.html" &&
		[ -s "$tmp/both/raft/report.html" ] &&
		grep -q '<svg class="narrow"' "$tmp/both/report.html"
}

as_json() {
	python3 - "$tmp/both/compare.json" <<-'PY'
		import json, sys
		rows = {r["store"]: r for r in json.load(open(sys.argv[1]))}
		assert set(rows) == {"raft", "cassandra-one"}, rows
		assert rows["raft"]["models_cut"] == "linearizable", rows["raft"]
		assert rows["raft"]["lost"] == 0 and rows["raft"]["acknowledged"] > 50
		assert rows["raft"]["minority"] < 0.5 < rows["cassandra-one"]["minority"]
		assert all(r["why"] for r in rows.values())
	PY
}

refuses() {
	local status=0 want=$1
	shift
	"$pacelab" compare "$tmp/small.lua" "$@" >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -qF -- "$want" "$tmp/out"
}

# A run under way is ended as by ctrl-C; nothing of it is left but its folder.
interrupted() {
	local pid status=0
	"$pacelab" compare "$tmp/small.lua" --name "$lab" --stores raft,single \
		--results "$tmp/cut" >"$tmp/out" 2>&1 &
	pid=$!
	wait_until 20 test -e "/run/pacelab/$lab/lock" || return 1
	kill -TERM "$pid"
	wait "$pid" || status=$?
	cat "$tmp/out"
	[ "$status" -eq 143 ] && grep -q 'interrupted by SIGTERM after 0 of 2 stores' "$tmp/out" &&
		! ip netns list | grep -q "$lab" && [ ! -e "/run/pacelab/$lab" ]
}

# What was concluded is kept: the run's history is the same file as before.
goes_on() {
	local before
	sed -i 's/"status": *[0-9]*/"status": 0/' "$tmp/both/raft/results.json"
	before=$(stat -c %i,%Y "$tmp/both/raft/history.bin")
	compare --stores raft --results "$tmp/both" --resume || return 1
	grep -Eq '^  raft ' "$tmp/out" &&
		[ "$before" = "$(stat -c %i,%Y "$tmp/both/raft/history.bin")" ]
}

# A line with a head, and as many cells in each.
for_spreadsheets() {
	python3 - "$tmp/both/compare.csv" <<-'PY'
		import csv, sys
		rows = list(csv.DictReader(open(sys.argv[1], newline="")))
		assert [r["store"] for r in rows] == ["raft", "cassandra-one"], rows
		assert all(None not in r and None not in r.values() for r in rows)
		assert float(rows[0]["acknowledged"]) > 50 and rows[0]["read_round_trips"] == ""
	PY
}

costs() {
	local status=0
	"$pacelab" pacelc --stores single --name "$lab" --quick --results "$tmp/costs" \
		>"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -le 2 ] || return 1
	grep -E '^  single +- +P[CA?-]/E[^ ]+ +[a-z]+ ' "$tmp/out" |
		grep -Eq ' [0-9.]+ \([0-9.]+-[0-9.]+\) [0-9.]+ ' &&
		[ -s "$tmp/costs/costs.csv" ]
}

# Two runs with seeds one after the other: medians, what they were between, a verdict of both.
repeated() {
	local status=0
	"$pacelab" run "$tmp/small.lua" --name "$lab" --store single --seed 40 --repeat 2 \
		--warmup 800ms --profiles lan --time-scale 0.5 --results "$tmp/twice" \
		>"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -le 2 ] || return 1
	grep -q 'single: 2 runs, seeds 40 to 41' "$tmp/out" &&
		[ -s "$tmp/twice/single/seed-40/history.bin" ] &&
		[ -s "$tmp/twice/single/seed-41/results.json" ] || return 1
	python3 - "$tmp/twice/repeat.json" "$tmp/twice/single/seed-41/results.json" <<-'PY'
		import json, sys
		row, = json.load(open(sys.argv[1]))
		assert row["runs"] == 2 and row["seed"] == 40, row
		low, high = row["spread"]["read_p50_ms"]
		assert low <= row["read_p50_ms"] <= high
		assert [p["profile"] for p in row["profiles"]] == ["lan"]
		run = json.load(open(sys.argv[2]))
		warmup = run["phases"][0]
		assert run["seed"] == 41 and warmup["warmup"] and warmup["ok"] > 0
		assert warmup["latency"]["read"]["count"] == 0
	PY
}

matrix() {
	printf ',fra,tyo\nfra,0,3\ntyo,,0\n' >"$tmp/m.csv"
	"$pacelab" run "$tmp/small.lua" --plan --matrix "$tmp/m.csv" >"$tmp/out" || return 1
	grep -q 'east is fra, far is tyo' "$tmp/out" && grep -Eq '^  n1 .* 1.5' "$tmp/out"
}

bad_matrix() {
	printf ',fra,tyo\nfra,0,three\n' >"$tmp/bad.csv"
	refuses "bad.csv:2: field 3, 'three': no round trip: write milliseconds" \
		--stores single --matrix "$tmp/bad.csv"
}

check compare__shows_a_line_for_each_store rows
check compare__keeps_the_rows_for_programs as_json
check compare__tells_ci for_ci
check compare__keeps_a_page as_a_page
check compare__keeps_them_for_spreadsheets for_spreadsheets
check pacelc__shows_round_trips_beside_theory costs
check run__repeats_with_seeds_one_after_the_other repeated
check run__takes_round_trips_from_a_file matrix
check compare__names_line_and_field_of_a_bad_matrix bad_matrix
check compare__refuses_unknown_profiles \
	refuses "no profile is called 'wann', did you mean 'wan'?" --stores single --profiles wann
check compare__goes_on_with_what_is_there goes_on
check compare__refuses_unknown_stores \
	refuses "no store is called 'rafft', did you mean 'raft'?" --stores rafft
check compare__wants_stores refuses "which stores?" --rate 10
check compare__takes_no_folder_of_another \
	refuses "--resume keeps" --stores raft --results "$tmp/both"
check compare__ends_with_its_run interrupted
tap_done
