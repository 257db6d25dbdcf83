#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# models_test.sh - the labs that break models break each of them on real packets, and tell how
. tests/e2e/lab.sh

# runs LAB SCALE [OPTION...]: its results into $tmp/LAB, nothing before; the status is run's
runs() {
	local name status=0
	name=$(basename "$1" .lua)
	rm -rf "${tmp:?}/$name"
	"$pacelab" run "$1" --time-scale "$2" --name "$lab" --results "$tmp/$name" "${@:3}" \
		>"$tmp/$name.out" 2>&1 || status=$?
	sed 's/^/# /' "$tmp/$name.out"
	return "$status"
}

guarantees=(read-your-writes monotonic-reads monotonic-writes writes-follow-reads)

# 2: the machine was busy; what it expects of the history is met all the same.
sessions_keep_what_they_saw() {
	local status=0 model
	runs sessions 0.5 || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 2 ] || return 1
	! grep -q 'not met' "$tmp/sessions.out" &&
		grep -q 'claim *kept: causal-ccv' "$tmp/sessions.out" || return 1
	for model in "${guarantees[@]}" causal-ccv; do
		"$pacelab" check --model "$model" "$tmp/sessions/history.bin" || return 1
	done
}
check lab_sessions__keeps_all_that_a_session_expects_on_causal sessions_keep_what_they_saw

sessions_miss_what_they_wrote() {
	local status=0 model
	runs sessions 0.5 --store cassandra-one || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 2 ] || return 1
	for model in "${guarantees[@]}"; do
		tr -s ' \n' '  ' <"$tmp/sessions.out" | grep -q "not $model met" &&
			grep -q "not $model *session [0-9]* read .* on n[123] " \
				"$tmp/sessions.out" || return 1
	done
	breaks_all register "$tmp/sessions" eventual mutual-exclusion &&
		"$pacelab" check --model eventual "$tmp/sessions/history.bin"
}
check lab_sessions__breaks_all_that_a_session_expects_on_cassandra_one \
	sessions_miss_what_they_wrote

# turned STORE: run the lab with its expectations of models turned around.
turned() {
	mkdir -p "$tmp/turned"
	sed -E '/^expect/,$ { s/"not ([a-z-]+)"/"!\1"/g; s/"([a-z]+-[a-z-]+)"([,]|$)/"not \1"\2/g
		s/"!([a-z-]+)"/"\1"/g; s/expect\("not /expect("/ }' scripts/labs/sessions.lua \
		>"$tmp/turned/sessions.lua"
	runs "$tmp/turned/sessions.lua" 0.5 --store "$1"
}

# What a history proves is a violation however busy the machine was: status 1, not 2. That nothing
# broke it proves of this run only, and if the machine was busy, not even that.
sessions_can_fail() {
	local status=0
	turned causal || status=$?
	[ "$status" -eq 1 ] || [ "$status" -eq 2 ] || return 1
	grep -q 'not read-your-writes not met' "$tmp/sessions.out" || return 1
	status=0
	turned cassandra-one || status=$?
	[ "$status" -eq 1 ] &&
		tr -s ' \n' '  ' <"$tmp/sessions.out" | grep -q ' read-your-writes not met' &&
		grep -q '>sessions on cassandra-one: not read-your-writes<' \
			"$tmp/sessions/witness.svg"
}
check lab_sessions__fails_when_its_expectations_are_turned_around sessions_can_fail

# That replicas differ at the end might be the machine's fault: 2 if it was busy.
replicas_do_not_converge() {
	local status=0
	runs hints 0.5 || status=$?
	[ "$status" -eq 1 ] || [ "$status" -eq 2 ] || return 1
	# Nobody waits for the final reads of a replica that stays dead.
	! grep -q 'not answered in time' "$tmp/hints/log/supervisor.log" &&
		grep -q 'expected *eventual not met' "$tmp/hints.out" &&
		grep -q 'did not converge' "$tmp/hints/witness.svg" &&
		grep -q '>kill n1<' "$tmp/hints/witness.svg" &&
		python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))["check_expected"][0]
sys.exit(r["model"] != "eventual" or r["result"] != "violation")' "$tmp/hints/results.json"
}
check lab_hints__leaves_replicas_that_never_agree replicas_do_not_converge

steps_are_no_transaction() {
	local status=0
	runs steps 0.5 || status=$?
	[ "$status" -eq 1 ] &&
		grep -q 'expected *strict-serializable not met' "$tmp/steps.out" &&
		breaks_all transactions "$tmp/steps"
}
check lab_steps__is_no_transaction steps_are_no_transaction
tap_done
