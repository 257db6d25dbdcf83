#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cleanup_test.sh - whatever ends a lab, two seconds later the host is as it was
. tests/e2e/lab.sh

run=("$pacelab" run cap --name "$lab" --quiet --time-scale 0.3)
up=("$pacelab" up cap --name "$lab")

# fresh: a new folder for results, its path in $out. A test runs in a subshell: no counting here.
fresh() {
	out=$(mktemp -d "$tmp/results.XXXXXX")
}

run_in_background() {
	fresh
	"${run[@]}" --results "$out" >"$tmp/out" 2>"$tmp/err" &
	boss=$!
}

# status_of_run: waits for its end; how it ended is in $status.
status_of_run() {
	status=0
	wait "$boss" || status=$?
}

# load_runs: the first phase has begun.
load_runs() {
	pid_of pacelab-load && grep -q 'phase .* begins' "$out/log/supervisor.log"
}

ends__normally() {
	local status=0
	fresh
	"${run[@]}" --results "$out" >"$tmp/out" 2>"$tmp/err" || status=$?
	# How the run was judged depends on how busy this machine is; that it was, does not.
	[ "$status" -le 2 ] && [ -s "$out/results.json" ]
}

# signal_ends_run SIGNAL STATUS
signal_ends_run() {
	run_in_background
	wait_until 30 load_runs || return 1
	remember_lab
	kill "-$1" "$boss"
	status_of_run
	[ "$status" -eq "$2" ] && grep -q '"interrupted": true' "$out/results.json"
}

# killed_ends_run COMM WORDS: SIGKILL to one process of a run; the run says so and ends.
killed_ends_run() {
	local victim status
	run_in_background
	wait_until 30 load_runs || return 1
	victim=$(pid_of "$1") || return 1
	remember_lab
	kill -9 "$victim"
	status_of_run
	[ "$1" != pacelab-jan ] || status=70 # it is what the shell knows as the run
	wait_until 2 test -s "$tmp/err"
	[ "$status" -eq 70 ] && one_line "$tmp/err" && grep -q "$2" "$tmp/err"
}

# killed_while_building CONDITION...: SIGKILL to the supervisor as soon as the condition holds.
killed_while_building() {
	run_in_background
	until "$@" >/dev/null 2>&1; do
		kill -0 "$boss" 2>/dev/null || return 1
	done
	kill -9 "$(supervisor || echo "$boss")"
	status_of_run
	[ "$status" -ne 0 ]
}

# killed_ends_up COMM: the same for a lab in the background.
killed_ends_up() {
	fresh
	"${up[@]}" --results "$out" >"$tmp/out" 2>"$tmp/err" || return 1
	remember_lab
	kill -9 "$(pid_of "$1")"
}

# Supervisor and janitor at once: nobody is left to clean up, so the next command does it.
both_killed__next_command_sweeps() {
	local janitor
	fresh
	"${up[@]}" --results "$out" >"$tmp/out" 2>"$tmp/err" || return 1
	janitor=$(pid_of pacelab-jan) || return 1
	remember_lab
	kill -9 "$janitor" "$(supervisor)"
	wait_until 2 no_processes || return 1
	[ -e "/run/pacelab/$lab/lock" ] || return 1 # else there is nothing to show
	"$pacelab" status >/dev/null
	[ ! -e "/run/pacelab/$lab" ]
}
no_processes() {
	[ -z "$(processes_left)" ]
}

replica_that_fails__is_one_line() {
	local status=0
	fresh
	PACELAB_REPLICA=/bin/false "${run[@]}" --results "$out" >"$tmp/out" 2>"$tmp/err" ||
		status=$?
	[ "$status" -eq 70 ] && one_line "$tmp/err" &&
		grep -q 'replica n. .* exited with 1' "$tmp/err"
}

replica_that_cannot_start__is_one_line() {
	local status=0
	fresh
	PACELAB_REPLICA=/etc/passwd "${run[@]}" --results "$out" >"$tmp/out" 2>"$tmp/err" ||
		status=$?
	[ "$status" -eq 70 ] && one_line "$tmp/err" && grep -q 'replica n1: execute' "$tmp/err"
}

up_interrupted__undoes_all() {
	fresh
	"${up[@]}" --results "$out" >"$tmp/out" 2>"$tmp/err" &
	boss=$!
	wait_until 10 test -e "/run/pacelab/$lab/lock" || return 1
	kill -TERM "$boss"
	status_of_run
	[ "$status" -ne 0 ]
}

remember_host

check run__ends_normally ends__normally
gone_in_time run__leaves_nothing_after_its_end

for signal in INT:130 TERM:143 HUP:129; do
	check "run__ends_orderly_on_SIG${signal%:*}" signal_ends_run "${signal%:*}" "${signal#*:}"
	gone_in_time "run__leaves_nothing_after_SIG${signal%:*}"
done

for victim in pacelab-sup:'supervisor was killed by SIGKILL' pacelab-jan:'janitor .* is gone' \
	pacelab-wire:'wire emulator .* was killed by SIGKILL' \
	pacelab-node:'first process of node n. .* was killed by SIGKILL' \
	pacelab-replica:'replica n. .* was killed by SIGKILL' \
	pacelab-load:'load process at .* was killed by SIGKILL'; do
	words=${victim#*:} victim=${victim%%:*}
	if [ "$victim" = pacelab-wire ] && grep -q 'emulator netem' "$tmp/out"; then
		skip "run__says_that_${victim}_died" "elsewhere: delays are made by netem here"
		continue
	fi
	check "run__says_that_${victim}_died" killed_ends_run "$victim" "$words"
	gone_in_time "run__leaves_nothing_after_kill_9_of_$victim"
done

check build__killed_when_the_name_is_taken killed_while_building test -e "/run/pacelab/$lab/lock"
gone_in_time build__leaves_nothing_when_killed_at_its_first_name
check build__killed_at_the_first_node killed_while_building pid_of pacelab-node
gone_in_time build__leaves_nothing_when_killed_at_its_first_node
check build__killed_at_the_first_replica killed_while_building pid_of pacelab-replica
gone_in_time build__leaves_nothing_when_killed_at_its_first_replica
check build__killed_at_the_control_socket killed_while_building \
	test -e "/run/pacelab/$lab/control.sock"
gone_in_time build__leaves_nothing_when_killed_before_it_is_ready

for victim in pacelab-sup pacelab-jan pacelab-node; do
	check "up__ends_with_$victim" killed_ends_up "$victim"
	gone_in_time "up__leaves_nothing_after_kill_9_of_$victim"
done
check up__interrupted_while_it_waits up_interrupted__undoes_all
gone_in_time up__leaves_nothing_when_interrupted
check janitor_and_supervisor__killed_at_once both_killed__next_command_sweeps
gone_in_time next_command__sweeps_what_both_left

check replica_that_fails__is_one_line replica_that_fails__is_one_line
gone_in_time replica_that_fails__leaves_nothing
check replica_that_cannot_start__is_one_line replica_that_cannot_start__is_one_line
gone_in_time replica_that_cannot_start__leaves_nothing
tap_done
