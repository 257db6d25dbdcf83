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

# tiny_lab: one that would run for some seconds, to run beside others.
tiny_lab() {
	cat >"$tmp/tiny.lua" <<-'LAB'
		lab "tiny"
		site("a", {"n1", "n2", "n3"})
		store "raft"
		load { rate = 400 }
		phase("steady", "5s")
	LAB
}

# mounted OPTION: a file system of our own at $tmp/disk, which lab_gone does not see.
mounted() {
	mkdir -p "$tmp/disk"
	mount -t tmpfs -o "$1" pacelab-test "$tmp/disk"
}
unmounted() {
	! mountpoint -q "$tmp/disk" || umount "$tmp/disk"
}

nothing_on_disk() {
	local left
	left=$(find "$tmp/disk" -mindepth 1)
	echo "$left"
	[ -z "$left" ]
}

# no_room OPTION STATUS WORDS ARGUMENT...: refused, and the disk is left as it was.
no_room() {
	local options=$1 status=$2 words=$3 rc=0
	shift 3
	mounted "$options" || return 1
	(cd "$tmp/disk" && refused "$status" "$words" run "$tmp/tiny.lua" --name "$lab" --quiet \
		"$@") && nothing_on_disk || rc=1
	unmounted && return "$rc"
}

read_only_with_results() {
	local rc=0
	mounted size=1m && mkdir "$tmp/disk/results" && mount -o remount,ro "$tmp/disk" || return 1
	(cd "$tmp/disk" && refused 64 'Read-only.*--results names another' run "$tmp/tiny.lua" \
		--name "$lab") || rc=1
	unmounted && return "$rc"
}

# A folder that the user made stays, and so does an empty one that nobody named.
empty_folders_stay() {
	local rc=0
	mounted size=16k && mkdir "$tmp/disk/before" "$tmp/disk/results" || return 1
	(cd "$tmp/disk" && refused 70 . run "$tmp/tiny.lua" --name "$lab" --quiet \
		--results before) || rc=1
	[ -d "$tmp/disk/before" ] && [ -d "$tmp/disk/results" ] || rc=1
	rmdir "$tmp/disk/before" "$tmp/disk/results" || rc=1
	unmounted && return "$rc"
}

# during_run STATUSES COMMAND...: a run into $tmp/disk/run that ends with one of them; COMMAND is
# done to it when its phase has begun.
during_run() {
	local run want=$1 status=0
	shift
	"$pacelab" run "$tmp/tiny.lua" --name "$lab" --quiet --results "$tmp/disk/run" \
		>"$tmp/out" 2>"$tmp/err" &
	run=$!
	wait_until 10 grep -qs 'phase steady begins' "$tmp/disk/run/log/supervisor.log" && "$@"
	wait "$run" || status=$?
	cat "$tmp/err"
	echo "exit status $status"
	[[ " $want " = *" $status "* ]] && lab_gone
}

fill_disk() {
	! head -c 64M /dev/zero 2>/dev/null >"$tmp/disk/before"
}
# What replicas and history need of it they have by then, and their data make room for the results.
full_disk_while_running() {
	local rc=0
	mounted size=16m || return 1
	during_run "0 1 2" fill_disk && [ ! -s "$tmp/err" ] && [ ! -e "$tmp/disk/run/data" ] &&
		python3 -m json.tool "$tmp/disk/run/results.json" >"$tmp/out" || rc=1
	unmounted && return "$rc"
}

results_cannot_be_kept() {
	local rc=0
	mounted size=16m || return 1
	during_run 70 mkdir "$tmp/disk/run/results.json" && one_line "$tmp/err" &&
		grep -q 'results.json: Is a' "$tmp/err" && grep -q 'verdict' "$tmp/out" || rc=1
	unmounted && return "$rc"
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
tiny_lab
at_exit unmounted
check results_without_parent refused 64 'make /nosuch/x: No such' \
	run "$tmp/tiny.lua" --name "$lab" --results /nosuch/x
check results_below_a_file refused 64 'another folder' \
	run "$tmp/tiny.lua" --name "$lab" --results "$tmp/tiny.lua/x"
check results_path_too_long refused 64 'too long' \
	run "$tmp/tiny.lua" --name "$lab" --results "$(printf 'x/%.0s' {1..2000})"
check read_only__default_folder no_room ro 64 'make results: Read-only.*--results names another'
check read_only__folder_in_results read_only_with_results
check read_only__named_folder no_room ro 64 'make here: Read-only' --results here
check no_inodes__default_folder no_room nr_inodes=2 64 'No space left.*another folder'
check no_inodes__folders_in_it no_room nr_inodes=3 64 'No space left.*another folder'
check no_inodes__log no_room nr_inodes=5 70 'No space left'
check full_disk__replicas_cannot_start no_room size=4k 70 'no space is left'
check full_disk__history_cannot_begin no_room size=1m 70 'history.bin.*No space left'
check full_disk__empty_folders_stay empty_folders_stay
check full_disk__while_running_is_survived full_disk_while_running
check results_cannot_be_kept__are_told results_cannot_be_kept
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
