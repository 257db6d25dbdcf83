#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# models_test.sh - the labs that break models break each of them on real packets, and tell how
. tests/e2e/lab.sh

# runs LAB SCALE: its results into $tmp/LAB; the status is run's
runs() {
	"$pacelab" run "$1" --time-scale "$2" --name "$lab" --results "$tmp/$1" >"$tmp/$1.out" 2>&1
	local status=$?
	sed 's/^/# /' "$tmp/$1.out"
	return "$status"
}

# What a history proves is a violation however busy the machine was: status 1, not 2.
sessions_miss_what_they_wrote() {
	local status=0
	runs sessions 0.5 || status=$?
	[ "$status" -eq 1 ] &&
		grep -q 'expected *read-your-writes not met' "$tmp/sessions.out" &&
		grep -q 'session [0-9]* read .* on n[123] ' "$tmp/sessions.out" &&
		grep -q '>sessions on cassandra-one: not read-your-writes<' \
			"$tmp/sessions/witness.svg" &&
		breaks_all register "$tmp/sessions" eventual &&
		"$pacelab" check --model eventual "$tmp/sessions/history.bin"
}
check lab_sessions__breaks_all_that_a_session_expects sessions_miss_what_they_wrote

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
