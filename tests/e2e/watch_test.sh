#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# watch_test.sh - a lab that is up as pacelab watch shows it: what is done to it is seen
. tests/e2e/lab.sh
. tests/e2e/terminal.sh

escape=$'\033'

p() {
	local verb=$1
	shift
	"$pacelab" "$verb" --lab "$lab" "$@"
}
starts() {
	"$pacelab" up cap --name "$lab" --results "$tmp/results"
}
watches() {
	local status=0
	terminal "$1" "$2" env -u NO_COLOR "$pacelab" watch "$lab" --interval 100ms &&
		wait_until 10 shows "^lab $lab " || status=$?
	screen
	return "$status"
}

# Row of a node, without colours.
row() {
	screen | grep -E "^  . $1 "
}
row_is() {
	row "$1" | grep -qE -- "$2"
}

shows_all() {
	watches 80 24 || return 1
	wait_until 5 shows 'leader *n[1-5], term' && wait_until 5 shows '56 links, none cut' &&
		row_is n1 '· · · · · · ·' && shows 'q quits' && cursor_is 0 &&
		shows 'load *none' && wait_until 5 row_is n1 ' [1-9][0-9]* '
}
shows_a_cut() {
	p cut n1,n2 / n5 >/dev/null || return 1
	wait_until 5 shows '4 of 56 links cut' && shows 'cut (edge): 4 links' &&
		row_is n1 '  · · · X · · ·$' && shows 'X cut'
	local status=$?
	screen
	return "$status"
}
shows_processes() {
	p kill n3 >/dev/null && p pause n4 >/dev/null && p skew n2 500ms >/dev/null || return 1
	wait_until 5 row_is n3 ' down ' && wait_until 5 row_is n4 ' paused ' &&
		wait_until 5 row_is n2 '\+500 ms' && wait_until 5 shows 'n3 down, n4 paused'
	local status=$?
	screen
	p resume n4 >/dev/null && p restart n3 >/dev/null && p skew n2 0 >/dev/null &&
		wait_until 20 row_is n3 ' (follower|leader)' && [ "$status" -eq 0 ]
}
shows_another_leader() {
	local leader
	p heal >/dev/null && wait_until 20 shows 'leader *n[1-5], term' || return 1
	leader=$(screen | sed -n 's/^  leader *\(n[1-5]\),.*/\1/p')
	echo "leader was $leader"
	p kill "$leader" >/dev/null || return 1
	wait_until 20 row_is "$leader" ' down ' &&
		wait_until 20 eval "shows 'leader *n[1-5], term' && ! shows 'leader *$leader,'"
	local status=$?
	screen
	p restart "$leader" >/dev/null
	return "$status"
}
fits() {
	local widest
	widest=$(screen | LC_ALL=C.UTF-8 awk '{ if (length > w) w = length } END { print w }')
	echo "widest $widest"
	screen
	[ "$widest" -lt "$1" ] && [ "$(screen | grep -c "^lab $lab")" -eq 1 ]
}
is_resized() {
	resize 120 40 && wait_until 5 shows 'links: one way in ms' && fits 120 || return 1
	resize 40 24 && wait_until 5 eval '! shows "one way in ms"' && fits 40 || return 1
	resize 80 24
}
has_colours() {
	grep -q "$escape\\[3[0-9]m" "$tmp/bytes" && grep -q "$escape\\[?1049h" "$tmp/bytes"
}
ends_by_q() {
	keys q
	wait_until 5 shows '^status=0' && screen_is_given_back && ! shows 'links'
}
ends_by_ctrl_c() {
	watches 80 24 || return 1
	keys C-c
	wait_until 5 shows '^status=0' && cursor_is 1 && ! shows 'network'
}
# The process that runs in the terminal.
watcher() {
	terminal_do display -p '#{pane_pid}' | xargs ps -o pid= --ppid | tail -1 | tr -d ' '
}
screen_is_given_back() {
	cursor_is 1 && [ "$(terminal_do display -p '#{alternate_on}')" = 0 ]
}
ends_by_sigterm() {
	watches 80 24 || return 1
	kill -TERM "$(watcher)"
	wait_until 5 shows '^status=143' && screen_is_given_back && ! shows 'network'
}
ends_by_a_crash() {
	watches 80 24 || return 1
	kill -ABRT "$(watcher)" # as an assert does
	wait_until 5 shows '^status=134' && screen_is_given_back
}
stops_and_continues() {
	watches 80 24 && wait_until 5 cursor_is 0 || return 1
	keys C-z
	wait_until 5 screen_is_given_back && kill -CONT "$(watcher)" &&
		wait_until 5 cursor_is 0 && wait_until 5 shows 'network' && keys q &&
		wait_until 5 shows '^status=0'
}
once_is_plain() {
	p watch --once --interval 100ms >"$tmp/once" || return 1
	cat "$tmp/once"
	! grep -q "$escape" "$tmp/once" && [ "$(grep -c "^lab $lab " "$tmp/once")" -eq 1 ] &&
		grep -q 'frames/s' "$tmp/once" && grep -qE '^  5 n5 ' "$tmp/once"
}
lines_of_changes() {
	"$pacelab" watch "$lab" --interval 100ms >"$tmp/lines" &
	local pid=$!
	wait_until 5 grep -q "lab $lab, store raft" "$tmp/lines" &&
		p cut n5 >/dev/null &&
		wait_until 5 grep -q 's  fault cut (edge): 14 links' "$tmp/lines" &&
		p heal >/dev/null && wait_until 5 grep -q 's  no more cut (edge)' "$tmp/lines"
	local status=$?
	kill -INT "$pid"
	wait "$pid" || status=1
	cat "$tmp/lines"
	! grep -q "$escape" "$tmp/lines" && [ "$status" -eq 0 ]
}
ends_with_the_lab() {
	watches 80 24 || return 1
	"$pacelab" down "$lab" >/dev/null
	wait_until 10 shows '^status=0' && shows "^lab $lab is gone" && cursor_is 1
}
no_lab() {
	local status=0
	p watch --once >"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/err"
	[ "$status" -eq 64 ] && [ ! -s "$tmp/out" ] && one_line "$tmp/err"
}
bad_interval() {
	local interval status
	for interval in 1ms 2h 5 x; do
		status=0
		p watch --interval "$interval" >"$tmp/out" 2>"$tmp/err" || status=$?
		cat "$tmp/err"
		[ "$status" -eq 64 ] && one_line "$tmp/err" && grep -q interval "$tmp/err" ||
			return 1
	done
}

# A run, seen from another terminal: phase, and the load's own latencies.
shows_a_run() {
	"$pacelab" run cap --name "$lab" --results "$tmp/run" --time-scale 0.5 --quiet \
		>"$tmp/ran" 2>&1 &
	local pid=$! status
	wait_until 20 test -S "/run/pacelab/$lab/control.sock" && watches 100 24 &&
		wait_until 20 shows ' left, phase [1-9] of [1-9]' &&
		wait_until 20 shows 'last second .*/s.*read p50 .*ms.*write p50' &&
		wait_until 30 shows "phase's *east+west | far" &&
		wait_until 30 shows '^lab .* is gone'
	status=$?
	screen
	wait "$pid"
	[ "$status" -eq 0 ]
}

check up__for_the_watch starts || tap_done
check watch__shows_nodes_links_and_leader shows_all
check watch__shows_a_cut_made_by_the_command shows_a_cut
check watch__shows_dead_paused_and_skewed_replicas shows_processes
check watch__shows_who_leads_next shows_another_leader
check watch__fits_the_terminal_whatever_it_becomes is_resized
check watch__has_the_whole_screen_in_colours has_colours
check watch__ends_by_q_and_gives_the_screen_back ends_by_q
check watch__ends_by_ctrl_c ends_by_ctrl_c
check watch__ends_by_sigterm_and_shows_the_cursor ends_by_sigterm
check watch__gives_the_screen_back_when_it_crashes ends_by_a_crash
check watch__gives_the_screen_back_while_it_is_stopped stops_and_continues
check watch__once_is_one_plain_picture once_is_plain
check watch__writes_a_line_for_each_change_to_a_file lines_of_changes
check watch__ends_when_the_lab_does ends_with_the_lab
check watch__without_a_lab_is_bad_input no_lab
check watch__refuses_a_bad_interval bad_interval
check watch__shows_phase_and_latencies_of_a_run shows_a_run
tap_done
