#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# live_test.sh - what a run shows on a terminal, and what where there is none
. tests/e2e/lab.sh
. tests/e2e/terminal.sh

cat >"$tmp/live.lua" <<'LUA'
lab "live"
seed(3)
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "4ms")
store("raft", {leader = "n1"})
load {rate = 200, keys = 4, read = 50, write = 50, deadline = "300ms"}
say "All is well."
phase("whole", "2s")
say "Far is alone."
phase("apart", "3s", cut({"east"}, {"far"}), kill("n3", "2s"))
LUA

escape=$'\033'

run_lab() {
	printf '%s\n' env -u NO_COLOR "$@" "$pacelab" run "$tmp/live.lua" --name "$lab" \
		--results "$tmp/results"
}
run_there() {
	local columns=$1 words
	shift
	mapfile -t words < <(run_lab "$@")
	rm -rf "$tmp/results"
	terminal "$columns" 40 "${words[@]}"
}

# One picture, and nothing of the one before it.
one_picture() {
	[ "$(screen | grep -c 'left')" -eq 1 ] && [ "$(screen | grep -c 'last second')" -eq 1 ]
}
draws() {
	run_there 80 || return 1
	wait_until 20 shows 'whole .*━.*left' && wait_until 5 shows 'leader *n1, term 1' &&
		wait_until 5 shows 'last second .*/s .*read p50 .*ms .*write p50' &&
		shows 'all .*▇.* 100 %.* ok' && one_picture && cursor_is 0
	local status=$?
	screen
	return "$status"
}
draws_the_cut() {
	wait_until 10 shows 'faults *east | far' && wait_until 5 shows 'far .*×.*failed' &&
		wait_until 5 shows 'replicas *n3 down' && one_picture
	local status=$?
	screen
	return "$status"
}
is_resized() {
	resize 50 30 && wait_until 5 one_picture
	screen
	[ "$(scrollback | grep -c 'Far is alone')" -eq 1 ] && one_picture
}
ends_clean() {
	wait_until 30 shows '^status=' || return 1
	scrollback
	cursor_is 1 && ! scrollback | grep -qE 'last second|[0-9] s left' &&
		[ "$(scrollback | grep -c '^  whole  *2.0 s ')" -ge 1 ] &&
		scrollback | grep -q 'All is well' && scrollback | grep -q '^verdict\|^  verdict'
}
has_colours() {
	grep -q "$escape\\[3[0-9]m" "$tmp/bytes"
}
obeys_no_color() {
	run_there 100 NO_COLOR=1 || return 1
	wait_until 20 shows 'last second' && cursor_is 0 && ! has_colours &&
		grep -q "$escape\\[K" "$tmp/bytes"
}
ends_by_ctrl_c() {
	keys C-c
	wait_until 10 shows '^status=130' && cursor_is 1 && ! scrollback | grep -q 'last second' &&
		wait_until 3 lab_gone
}
ends_by_kill() {
	run_there 100 || return 1
	wait_until 20 shows 'last second' && cursor_is 0 || return 1
	kill -9 "$(supervisor)"
	wait_until 10 shows '^status=70' && cursor_is 1 && ! scrollback | grep -q 'last second' &&
		wait_until 3 lab_gone
}
goes_on_plainly() {
	run_there 100 || return 1
	wait_until 20 shows 'last second' && cursor_is 0 || return 1
	kill -9 "$(pid_of pacelab-show)" || return 1
	wait_until 20 cursor_is 1 && wait_until 30 shows '^status=' &&
		scrollback | grep -q '^  apart  *3.0 s '
	local status=$?
	scrollback
	return "$status"
}
in_ascii() {
	run_there 80 LC_ALL=C || return 1
	wait_until 20 shows 'whole .*=.*-.*left' || return 1
	screen
	keys C-c
	wait_until 10 shows '^status=130'
}

# Nothing of a picture, one line for each phase, what is told as it is.
plain() {
	cat "$1"
	! grep -q "$escape" "$1" && [ "$(grep -c '^  whole  *2.0 s  *all' "$1")" -eq 1 ] &&
		grep -q '^  Far is alone.$' "$1" && ! grep -q 'last second' "$1"
}
plain_in_a_file() {
	local words
	mapfile -t words < <(run_lab)
	rm -rf "$tmp/results"
	"${words[@]}" >"$tmp/out" 2>"$tmp/err"
	! grep -q "$escape" "$tmp/out" && plain "$tmp/err"
}
plain_on_a_dumb_one() {
	run_there 100 TERM=dumb || return 1
	wait_until 30 shows '^status=' || return 1
	tr -d '\r' <"$tmp/bytes" >"$tmp/dumb"
	plain "$tmp/dumb"
}

check run__draws_what_goes_on_in_place draws
check run__draws_faults_sides_and_dead_replicas draws_the_cut
check run__fits_a_terminal_that_became_narrower is_resized
check run__leaves_what_was_told_and_the_cursor ends_clean
check run__has_colours_on_a_terminal has_colours
check run__obeys_no_color obeys_no_color
check run__shows_the_cursor_after_ctrl_c ends_by_ctrl_c
check run__shows_the_cursor_after_kill_9_of_its_supervisor ends_by_kill
check run__goes_on_without_the_process_that_draws goes_on_plainly
check run__draws_in_ascii_where_there_is_no_utf8 in_ascii
check run__writes_plain_lines_to_a_file plain_in_a_file
check run__writes_plain_lines_to_a_dumb_terminal plain_on_a_dumb_one
tap_done
