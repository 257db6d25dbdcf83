#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# errors_test.sh - bad input: one line that says what and the cure, its exit status, nothing left
. tests/e2e/lab.sh

# refused STATUS WORDS ARGUMENT...: pacelab says one line with WORDS in it, and nothing else.
refused() {
	local want=$1 words=$2 status=0
	shift 2
	"$pacelab" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/out" "$tmp/err"
	echo "exit status $status, $want expected"
	[ "$status" -eq "$want" ] && one_line "$tmp/err" && [ ! -s "$tmp/out" ] &&
		grep -qe "$words" "$tmp/err" && lab_gone
}

# bad_lab WORDS LUA: the lab script is refused, at its line.
bad_lab() {
	printf 'lab "bad"\nsite("a", {"n1", "n2"}) site("b", {"n3"})\nstore "raft"\n%s\n' \
		"$2" >"$tmp/bad.lua"
	refused 64 "$1" run "$tmp/bad.lua" --name "$lab" --results "$tmp/bad"
}

not_root() {
	local status=0
	setpriv --reuid 65534 --regid 65534 --clear-groups "$pacelab" "$@" >"$tmp/out" \
		2>"$tmp/err" || status=$?
	cat "$tmp/err"
	[ "$status" -eq 77 ] && one_line "$tmp/err" && grep -q 'sudo' "$tmp/err"
}

remember_host
check unknown_command refused 64 "no command 'fly'" fly
check unknown_option refused 64 'unknown option --fast' run cap --fast
check option_without_value refused 64 '--store needs a value' run cap --store
check too_few_arguments refused 64 'usage: pacelab run' run
check too_many_arguments refused 64 'usage: pacelab up' up cap cap
check unknown_lab refused 64 "no lab is called 'nosuch'" run nosuch
check unknown_store refused 64 "no store is called 'nosuch'" run cap --store nosuch
check unknown_leader refused 64 'nosuch' run cap --leader nosuch
check unknown_emulator refused 64 'nosuch' run cap --emulator nosuch
check bad_seed refused 64 'seed' run cap --seed -3x
check bad_rate refused 64 'rate' run cap --rate 0
check bad_time_scale refused 64 'time-scale' run cap --time-scale -1
check bad_lab_name refused 64 'cannot be called' up cap --name 'a/b'
check results_not_empty refused 64 'not empty' run cap --name "$lab" --results /etc
check no_lab_up refused 64 "no lab '$lab' is up" cut --lab "$lab" n1
check not_root__up not_root up cap
check not_root__run not_root run cap
check not_root__status not_root status
check lua__syntax_error bad_lab "bad.lua:5: ')' expected" 'phase("x", "1s"'
check lua__unknown_node bad_lab 'bad.lua:4.*n9' 'phase("x", "1s", cut({"n9"}, {"n1"}))'
check lua__node_cut_twice bad_lab 'bad.lua:4.*n1' 'phase("x", "1s", cut({"n1"}, {"n1", "n3"}))'
check lua__negative_duration bad_lab 'bad.lua:4' 'phase("x", "-1s")'
check lua__unknown_unit bad_lab 'bad.lua:4' 'phase("x", "10 parsec")'
check lua__absurd_duration bad_lab 'bad.lua:4' 'phase("x", "9999h")'
check lua__site_without_nodes bad_lab 'bad.lua:4' 'site("c", {})'
check lua__no_operating_system bad_lab 'bad.lua:4' 'os.execute("id")'
gone_in_time errors__leave_nothing
tap_done
