#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# systems_test.sh - files of real databases: what is wrong in one, or missing here, and is told
. tests/e2e/lab.sh

# refused STATUS WORDS ARGUMENT...: pacelab says one line with WORDS in it, and leaves nothing.
refused() {
	local want=$1 words=$2 status=0
	shift 2
	"$pacelab" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/out" "$tmp/err"
	echo "exit status $status, $want expected"
	[ "$status" -eq "$want" ] && one_line "$tmp/err" && [ ! -s "$tmp/out" ] &&
		grep -qe "$words" "$tmp/err" && [ ! -e "$tmp/run" ] && lab_gone
}

# system_file FIELDS [NODE]: a file with these fields beside those that each must have.
system_file() {
	local node=${2:-}
	[ "$node" ] || node='run = {{"true"}}'
	cat >"$tmp/mine.lua" <<-LUA
		system("mine", {port = 4000, like = "raft", kept = "k", differs = "d", $1,
		node = function(n) return {$node} end})
	LUA
}

# bad_file STATUS WORDS FIELDS [NODE]: a run of such a system is refused.
bad_file() {
	system_file "$3" "${4:-}"
	refused "$1" "$2" run cap --store "$tmp/mine.lua" --name "$lab" --results "$tmp/run"
}

# Every name that a system file has is listed, and nothing in these files is wrong.
lists_all() {
	local name
	"$pacelab" list systems >"$tmp/out" || return
	! grep -F .lua: "$tmp/out" || return
	sed -n '/^real databases/,$p' "$tmp/out" >"$tmp/real"
	sed -nE 's/^(system|variant)\("([^"]*)".*/\2/p' scripts/systems/*.lua >"$tmp/names"
	while read -r name; do
		grep -qE "^  $name +like " "$tmp/real" || {
			echo "$name is not there"
			return 1
		}
	done <"$tmp/names"
	[ -s "$tmp/names" ]
}

# A file that says why it was not run here: the list says it, too, and doctor what is missing.
tells_what_was_not_run() {
	local name
	"$pacelab" list systems >"$tmp/out"
	"$pacelab" doctor >"$tmp/found"
	for name in mongodb cassandra hbase kafka consul cockroachdb; do
		sed -n "/^  $name-real /,/^  [a-z]/p" "$tmp/out" | grep -q '^ *not run here: ..' &&
			grep -qE "^(ok|absent) +$name-real" "$tmp/found" || {
			echo "$name-real does not say so"
			return 1
		}
	done
}

# What doctor says to install is what deps.sh would.
doctor_agrees() {
	local package
	"$pacelab" doctor >"$tmp/out"
	scripts/deps.sh --systems --list >"$tmp/packages"
	sed -nE 's/^absent .*apt-get install ([^,]*).*/\1/p' "$tmp/out" | tr ' ' '\n' >"$tmp/wanted"
	while read -r package; do
		grep -qxF "$package" "$tmp/packages" || {
			echo "$package is in no list"
			return 1
		}
	done <"$tmp/wanted"
	grep -qE '^(ok|absent) +[a-z-]+-real' "$tmp/out" && [ -s "$tmp/packages" ]
}

# The lab is for a simulation, so each is left out, with the reason, and none is left to run.
leaves_out() {
	local status=0
	cat >"$tmp/sim.lua" <<-'LAB'
		lab "sim" simulated()
		site("a", {"n1", "n2", "n3"})
		store "raft"
		phase("p", "1s")
	LAB
	"$pacelab" compare "$tmp/sim.lua" --stores real --results "$tmp/cmp" >"$tmp/out" \
		2>"$tmp/err" || status=$?
	cat "$tmp/out" "$tmp/err"
	[ "$status" -eq 77 ] && one_line "$tmp/err" && grep -q 'none of them can run' "$tmp/err" &&
		! grep -v '^left out: [a-z0-9-]*: .' "$tmp/out" && [ ! -e "$tmp/cmp" ] &&
		"$pacelab" list systems | grep -cE '^  [^ ]+ +like ' >"$tmp/count" &&
		[ "$(wc -l <"$tmp/out")" -eq "$(cat "$tmp/count")" ]
}

check systems__are_all_listed lists_all
check systems__say_that_they_were_not_run tells_what_was_not_run
check doctor__names_the_packages_that_deps_installs doctor_agrees
check compare__says_which_real_databases_are_left_out leaves_out
check system_file__with_an_unknown_field bad_file 64 \
	"mine.lua:1: system has no field 'drivr', did you mean 'driver'?" 'drivr = "redis"'
check system_file__without_a_field_that_it_needs bad_file 64 \
	"mine.lua:1: system 'mine' has no field 'driver': add driver = " 'rate = 20'
check system_file__with_a_bad_node bad_file 64 \
	"mine.lua:2: node has no field 'runs', did you mean 'run'?" 'driver = "resp"' \
	'runs = {{"true"}}'
check system_file__for_fewer_nodes bad_file 64 \
	'mine has 3 to 3 nodes, and the lab has 5: choose another' 'driver = "resp", nodes = {3, 3}'
check program_that_is_missing bad_file 77 \
	'mine needs no-such-server: apt-get install no-such-package' \
	'driver = "resp", programs = {"no-such-server"}, packages = {"no-such-package"}'
check program_that_no_package_has bad_file 77 'mine needs no-such-server: nobody packages it' \
	'driver = "resp", programs = {"no-such-server"}, not_run = "nobody packages it"'
check driver_that_nobody_has bad_file 77 "mine: no driver is called 'rsp', did you mean 'resp'" \
	'driver = "rsp"'
system_file 'driver = "resp", knobs = {reads = {"any", "leader"}}'
check knob_that_it_has_not refused 64 \
	"mine: no knob 'read', did you mean 'reads'? there are reads=any|leader" \
	run cap --store "$tmp/mine.lua" --set read=any --name "$lab" --results "$tmp/run"
check simulation_of_a_real_database refused 64 \
	'store mine is a real database, which runs on real packets only: .* --store raft' \
	simulate cap --store "$tmp/mine.lua" --results "$tmp/run"
check run_beside_a_simulation_of_it refused 64 'real packets only' \
	run cap --simulate --store "$tmp/mine.lua" --name "$lab" --results "$tmp/run"
check file_that_is_not_there refused 64 "system file './nothing.lua': No such file" \
	run cap --store ./nothing.lua --name "$lab" --results "$tmp/run"
check deps__takes_two_options bash -c '! scripts/deps.sh --sytems --list 2>/dev/null'
tap_done
