#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# database_test.sh - how the processes of a database live in a lab, with one small enough to break
. tests/e2e/lab.sh

command -v python3 >/dev/null || skip_all "no python3"
port=7001

# Where a user without root can read it, and where a node has a folder of its own.
chmod 755 "$tmp"
mkdir "$tmp/toy"
cp tests/e2e/toy/*.py "$tmp/toy"
sed "s|@FOLDER@|$tmp/toy|" tests/e2e/toy/toy.lua >"$tmp/toy/toy.lua"
chmod -R a+rX "$tmp/toy"
chmod a+x "$tmp/toy/driver.py"
toy=$tmp/toy/toy.lua

cat >"$tmp/lab.lua" <<'L'
lab "toy"
site("a", {"n1"}) site("b", {"n2"}) site("c", {"n3"})
rtt("a", "b", "4ms") rtt("a", "c", "4ms") rtt("b", "c", "4ms")
store "mysql-async"
load {clients_per_site = 1, rate = 60, keys = 5, read = 50, write = 50, deadline = "1s"}
phase("baseline", "2s")
phase("killed", "5s", kill("n2", "300ms"), restart("n2", "1s"))
phase("paused", "3s", pause("n3", "300ms"), resume("n3", "1500ms"))
phase("promoted", "4s", cut("a", {"b", "c"}), promote("n2", "500ms"))
phase("healed", "4s")
L

p() {
	local verb=$1
	shift
	"$pacelab" "$verb" --lab "$lab" "$@"
}

up() {
	no_proxy=x http_proxy=http://nowhere "$pacelab" up "$tmp/lab.lua" --store "$toy" \
		--name "$lab" --results "$tmp/results" "$@" >"$tmp/up" 2>&1 || {
		cat "$tmp/up"
		return 1
	}
}

# say NODE WORD...: ask its database, inside the node.
say() {
	p exec "$1" python3 "$tmp/toy/say.py" "$(address "$1")" "$port" "${@:2}"
}
address() {
	p exec n1 getent hosts "$1" | awk '{ print $1 }'
}

# processes NODE: numbers of those that have to do with the database, as the node counts them.
processes() {
	# shellcheck disable=SC2016 # for the shell in the node
	p exec "$1" sh -c 'for p in /proc/[0-9]*; do
		tr "\0" " " <$p/cmdline 2>/dev/null | grep -q "[d]b.py" && echo ${p#/proc/}
	done; :' | sort -n
}
no_processes() {
	[ -z "$(processes "$1")" ]
}

state_is() {
	p status | grep -q "^  $1 .*$2"
}

remember_host
check a_database__starts_and_is_ready_when_its_driver_says_so up
remember_lab

# What up offers to try is what can be done.
offers() {
	local words
	words=$(sed -n 's/^  try   pacelab //p' "$tmp/up")
	echo "$words"
	eval "p ${words/ pacelab / "$pacelab" }" | grep -qx ok
}
check up__says_how_to_write_to_it offers

roles_are_its_own() {
	state_is n1 'toy-leader, ready, .* MB' && state_is n2 'toy-follower, ready' &&
		p status --json | python3 -c 'import json, sys
nodes = json.load(sys.stdin)["nodes"][:3]
print([n["replica"] for n in nodes])
sys.exit(not all(n["replica"]["leader"] == 0 and n["replica"]["memory_bytes"] > 1e6
	for n in nodes))'
}
check status__has_the_roles_in_the_words_of_the_database wait_until 20 roles_are_its_own

# Names of all nodes, in replicas and at clients; nobody outside is asked.
names() {
	local from name
	for from in n1 c-b; do
		for name in n1 n2 n3 c-a localhost; do
			p exec "$from" getent hosts "$name" >/dev/null || return 1
		done
	done
	[ "$(address n2)" = "$(p exec n2 hostname -i)" ] &&
		p exec n1 ping -c 1 -W 2 -q n3 >/dev/null &&
		! timeout 5 "$pacelab" exec --lab "$lab" n1 getent hosts example.org &&
		p exec n1 cat /etc/resolv.conf | grep -qx 'nameserver 127.0.0.1'
}
check nodes__have_the_names_of_all_nodes_and_ask_nobody_else names

low_port() {
	p exec n1 setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 -c \
		'import socket; socket.socket().bind(("", 53))'
}
check nodes__let_anybody_take_low_ports low_port

own_folders() {
	p exec n1 sh -c 'touch /tmp/mine /dev/shm/mine && ls /tmp /dev/shm' >"$tmp/seen" &&
		[ ! -e /tmp/mine ] && [ ! -e /dev/shm/mine ] &&
		! p exec n2 test -e /tmp/mine &&
		p exec n1 test -s /tmp/data/conf/toy.conf &&
		grep -qE '^n1 /tmp/data [0-9a-f]{16} \{other\}$' \
			"$tmp/results/data/n1/conf/toy.conf" &&
		[ "$(stat -c %a "$tmp/results/data/n1/conf/toy.conf")" = 600 ]
}
check nodes__have_folders_of_their_own own_folders

environment() {
	local pid
	pid=$(processes n1 | head -1)
	p exec n1 cat "/proc/$pid/environ" | tr '\0' '\n' | sort >"$tmp/env"
	cat "$tmp/env"
	p exec n1 grep -E '^(Uid|CapEff)' "/proc/$pid/status" >"$tmp/rights"
	grep -qx HOME=/tmp/data "$tmp/env" && grep -qx LANG=C "$tmp/env" &&
		grep -qx TOY=/tmp/data/toy "$tmp/env" && grep -q '^PATH=.*:/sbin' "$tmp/env" &&
		! grep -qi proxy "$tmp/env" && grep -q '65534.65534.65534.65534' "$tmp/rights" &&
		grep -q 'CapEff:.0000000000000000$' "$tmp/rights"
}
check a_database__has_a_clean_environment_and_no_rights environment

log_names_its_lines() {
	grep -q ' db.py: toy serves 10' "$tmp/results/log/n1.log"
}
check log__says_which_command_a_line_is_of log_names_its_lines

killed_with_all_its_processes() {
	say n1 set k1 77 && [ "$(processes n1 | wc -w)" -eq 2 ] || return 1
	p kill n1 | tee /dev/stderr | grep -q 'seen in the processes' && no_processes n1 &&
		state_is n1 'was killed by SIGKILL'
}
check kill__is_of_all_processes_of_the_node killed_with_all_its_processes

keeps_its_data() {
	echo second >"$tmp/results/data/n1/once"
	echo changed >"$tmp/results/data/n1/conf/toy.conf"
	p restart n1 && wait_until 20 state_is n1 'toy-leader, ready' || return 1
	[ "$(say n1 get k1)" = 77 ] && [ "$(cat "$tmp/results/data/n1/once")" = second ] &&
		[ "$(wc -l <"$tmp/results/data/n1/after")" -eq 1 ] &&
		grep -q '^n1 ' "$tmp/results/data/n1/conf/toy.conf"
}
check restart__keeps_data_and_prepares_nothing_again keeps_its_data

# One of its processes has a name in which the field of /proc that is looked at seems to begin.
odd_runs() {
	p exec n2 sh -c 'grep -qx "odd) S" /proc/[0-9]*/comm 2>/dev/null'
}
pauses() {
	# shellcheck disable=SC2016 # for the shell in the node
	p exec n2 sh -c 'cp "$(command -v sleep)" "/tmp/odd) S" &&
		"/tmp/odd) S" 1000 >/dev/null 2>&1 </dev/null &'
	wait_until 20 odd_runs && p pause n2 || return 1
	if timeout 5 "$pacelab" exec --lab "$lab" n1 python3 "$tmp/toy/say.py" \
		"$(address n2)" "$port" status 2>/dev/null; then
		return 1
	fi
	state_is n2 paused && p resume n2 && [ "$(say n2 status)" != "" ] &&
		wait_until 20 state_is n2 'toy-follower, ready'
}
check pause__is_of_all_processes_of_the_node pauses

# The database itself, within the second for which it keeps what the clock's file said.
ahead_by() {
	python3 -c 'import sys, time
d = float(sys.argv[1]) - time.time()
print(d)
sys.exit(not abs(d - float(sys.argv[2])) < 1)' "$(say n3 clock)" "$1"
}
skews() {
	p skew n3 10s | tee /dev/stderr | grep -q 'is ahead by 10 s' && wait_until 20 ahead_by 10 &&
		p skew n3 0s && wait_until 20 ahead_by 0
}
if compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null; then
	check skew__moves_the_clock_of_a_running_database skews
else
	skip skew__moves_the_clock_of_a_running_database "no libfaketime"
fi

# What the database has forked does not end by itself, but the keeper ends it.
ends_by_itself() {
	p exec n2 kill -9 "$(processes n2 | head -1)"
	wait_until 20 state_is n2 'exited with 77' || {
		p status
		return 1
	}
	tail -1 "$tmp/results/log/n2.log"
	tail -1 "$tmp/results/log/n2.log" | grep -q 'db.py was killed by SIGKILL: toy serves' &&
		no_processes n2 && p restart n2 && wait_until 20 state_is n2 'toy-follower, ready'
}
check a_node__ends_with_a_process_of_its_database ends_by_itself

keeper_of() {
	p status --json | python3 -c 'import json, sys
node = {n["name"]: n for n in json.load(sys.stdin)["nodes"]}
print(node[sys.argv[1]]["replica"]["pid"])' "$1"
}
keeper_killed() {
	kill -9 "$(keeper_of n3)" && wait_until 20 state_is n3 'was killed by SIGKILL' &&
		[ "$(processes n3 | wc -w)" -gt 0 ] && p kill n3 && no_processes n3 &&
		p restart n3 && wait_until 20 state_is n3 'toy-follower, ready' &&
		kill -9 "$(keeper_of n3)" && wait_until 20 state_is n3 'was killed by SIGKILL' &&
		p restart n3 && wait_until 20 state_is n3 'toy-follower, ready' &&
		[ "$(processes n3 | wc -w)" -eq 2 ]
}
check kill_and_restart__end_what_a_killed_keeper_has_left keeper_killed

# Nothing of the database is left on the machine, whoever ends the lab.
toys() {
	grep -lza "${tmp#/}/[t]oy/" /proc/[0-9]*/cmdline 2>/dev/null
}
no_toys() {
	[ -z "$(toys)" ]
}
kill -9 "$(supervisor)"
gone_in_time a_killed_supervisor__leaves_nothing_of_the_database
check a_killed_supervisor__leaves_no_process_of_the_database wait_until 10 no_toys
rm -rf "$tmp/results"

# fails MODE STATUS WORDS...: the database does not start, and it is said why.
fails() {
	local mode=$1 status=0 word
	"$pacelab" run "$tmp/lab.lua" --quiet --store "$toy" --set "mode=$mode" --name "$lab" \
		--results "$tmp/results" >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	echo "status $status"
	[ "$status" -eq "$2" ] && [ "$(grep -c '^pacelab: ' "$tmp/out")" -eq 1 ] || return 1
	for word in "${@:3}"; do
		grep -qF "$word" "$tmp/out" || return 1
	done
	wait_until 2 lab_gone && wait_until 10 no_toys && [ ! -e "$tmp/results" ]
}
check a_process_that_ends__is_told_with_its_last_words \
	fails ends 77 'replica n2' 'the sky is falling' 'sh-2 exited with 3'
check a_command_that_fails__is_told_with_its_last_words \
	fails unprepared 77 'replica n1' 'after: sh exited with 5: no such luck'
check a_database_that_is_never_ready__is_inconclusive \
	fails silent 2 'replica n1 is not ready after 8 s' 'nothing to say'

# json PYTHON: of results.json as r.
json() {
	python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
fault = {f["kind"]: f for f in r["faults"]}
for f in fault.values():
    print(f["kind"], f["evidence"], f["why"], f["caught_up_s"])
print(r["database"])
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$tmp/results/results.json" "$1"
}
runs() {
	"$pacelab" run "$tmp/lab.lua" --quiet --store "$toy" --name "$lab" \
		--results "$tmp/results" >"$tmp/out" 2>&1
	sed 's/^/# /' "$tmp/out"
	[ -s "$tmp/results/results.json" ]
}
check a_run__goes_through_all_process_faults runs

faults_are_seen() {
	json 'all(fault[k]["evidence"] == "confirmed" for k in
		["kill", "restart", "pause", "resume", "promote"]) and
		fault["restart"]["caught_up_s"] > 0'
}
check process_faults_of_a_database__are_confirmed faults_are_seen

told_who_can_be_reached() {
	json '"took" in fault["promote"]["why"] and "told to follow: n3" in fault["promote"]["why"]
		and "as soon as they can be reached: n1" in fault["promote"]["why"]' &&
		grep -q 'toy follows 10' "$tmp/results/log/n1.log"
}
check promote__tells_who_is_cut_off_once_it_can_be_reached told_who_can_be_reached

# order FIRST SECOND: the line of n1's log comes after that of n2's.
later() {
	awk -v a="$(grep -m1 'db.py: toy follows' "$tmp/results/log/n2.log")" \
		-v b="$(grep -m1 'db.py: toy follows' "$tmp/results/log/n1.log")" \
		'BEGIN { split(a, x, " "); split(b, y, " "); exit !(y[1] > x[1] + 2) }'
}
check promote__leaves_who_is_cut_off_alone_until_the_heal later

# n3 is dead when n2 is promoted, and still starting when it could be told.
restarted_meanwhile() {
	local address
	sed '/^phase/d' "$tmp/lab.lua" >"$tmp/owes.lua"
	echo 'phase("promoted", "7s", kill("n3", "300ms"), promote("n2", "600ms"),
		restart("n3", "1500ms"))' >>"$tmp/owes.lua"
	"$pacelab" run "$tmp/owes.lua" --quiet --store "$toy" --name "$lab" \
		--results "$tmp/owes" >"$tmp/out" 2>&1
	sed 's/^/# /' "$tmp/out"
	address=$(awk '$1 == "n2" && $4 == "replica" { print $2 }' "$tmp/owes/plan.txt")
	grep -A9999 -m1 'was stopped\|toy serves' "$tmp/owes/log/n3.log" | tail -4
	python3 -c 'import json, sys
fault = {f["kind"]: f for f in json.load(open(sys.argv[1]))["faults"]}
why = fault["promote"]["why"]
print(why)
sys.exit(not ("told to follow: n1" in why and "can be reached: n3" in why and
	all(fault[k]["evidence"] == "confirmed" for k in ["kill", "promote", "restart"])))' \
		"$tmp/owes/results.json" || return 1
	[ "$address" ] && grep -q "db.py: toy follows $address\$" "$tmp/owes/log/n3.log"
}
check promote__tells_who_is_restarted_meanwhile restarted_meanwhile

# n2 is told to lead a moment after its restart.
restarted_before() {
	sed '/^phase/d' "$tmp/lab.lua" >"$tmp/soon.lua"
	echo 'phase("promoted", "7s", kill("n2", "300ms"), restart("n2", "1500ms"),
		promote("n2", "1510ms"))' >>"$tmp/soon.lua"
	"$pacelab" run "$tmp/soon.lua" --quiet --store "$toy" --name "$lab" \
		--results "$tmp/soon" >"$tmp/out" 2>&1
	sed 's/^/# /' "$tmp/out"
	python3 -c 'import json, sys
fault = {f["kind"]: f for f in json.load(open(sys.argv[1]))["faults"]}
print(fault["promote"])
sys.exit(not (fault["promote"]["evidence"] == "confirmed" and
	"told to follow: n1, n3" in fault["promote"]["why"]))' "$tmp/soon/results.json"
}
check promote__waits_for_who_is_starting restarted_before

figures() {
	json '0 < r["database"]["ready_s"] < 8 and len(r["database"]["nodes"]) == 3 and
		all(1e6 < n["memory_bytes"] < 1e9 for n in r["database"]["nodes"])' &&
		grep -qE 'database +ready after [0-9.]+ s +memory at most n1 [0-9]+, n2' "$tmp/out"
}
check results__have_the_time_to_ready_and_the_memory figures

logs_are_kept() {
	[ ! -e "$tmp/results/data" ] && grep -q 'toy was here' "$tmp/results/log/n1-server.log"
}
check logs_of_a_database__are_kept_when_its_data_is_removed logs_are_kept
check a_run__leaves_nothing_of_the_database wait_until 10 no_toys

# Beside one of ours and one that is not installed: its figures, and the reason.
compared() {
	local status=0 here=$tmp/here/scripts/systems
	mkdir -p "$here"
	cp "$tmp"/toy/*.py "$here"
	sed "s|@FOLDER@|$here|" tests/e2e/toy/toy.lua >"$here/toy.lua"
	sed 's/system("toy"/system("absent"/; s/{"python3"}/{"no-such-server"}/' "$toy" \
		>"$here/absent.lua"
	chmod -R a+rX "$tmp/here"
	sed '/^phase/d' "$tmp/lab.lua" >"$tmp/short.lua"
	echo 'phase("baseline", "2s") phase("cut", "2s", cut("a", {"b", "c"}))' >>"$tmp/short.lua"
	(cd "$tmp/here" && "$pacelab" compare "$tmp/short.lua" --stores mysql-async,real \
		--name "$lab" --results "$tmp/compared" --markdown "$tmp/compared.md") \
		>"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out" "$tmp/compared.md"
	[ "$status" -le 2 ] &&
		grep -q '^left out: absent: absent needs no-such-server' "$tmp/out" &&
		grep -qE '^  toy +mysql-async +[0-9.]+ +[0-9]+  nothing$' "$tmp/out"
}
in_rows() {
	python3 - "$tmp/compared/compare.json" <<-'PY'
		import json, sys
		ours, toy, absent = json.load(open(sys.argv[1]))
		print(absent, toy["ready_s"], toy["memory_bytes"], toy["database"])
		assert [r["store"] for r in (ours, toy, absent)] == ["mysql-async", "toy", "absent"]
		assert ours["database"] is None and ours["ready_s"] is None and ours["protocol"]
		assert toy["runs"] == 1 and toy["database"]["differs"] == "it does not replicate"
		assert 0 < toy["ready_s"] < 8 and 1e6 < toy["memory_bytes"] < 1e9
		assert toy["database"]["like"] == "mysql-async" and not toy["protocol"]
		assert "beside our mysql-async: it does not replicate" in toy["why"]
		assert absent["runs"] == 0 and "no-such-server" in absent["why"]
		assert absent["lost"] is None and absent["database"]["knobs"]
	PY
}
on_pages() {
	local file=$tmp/compared/report.html
	tidy -quiet -errors "$file" && python3 tests/e2e/report_page.py "$file" &&
		grep -q 'cannot run here: absent needs no-such-server' "$file" &&
		grep -q 'beside our mysql-async: it does not replicate' "$file" &&
		grep -qE '^\| toy \| mysql-async \| [0-9.]+ \| [0-9]+ \| nothing \|' \
			"$tmp/compared.md" &&
		grep -q '^- absent: no result: absent needs' "$tmp/compared.md"
}
check compare__says_what_a_database_takes_and_which_cannot_run compared
check compare__has_a_row_for_each_in_its_json in_rows
check compare__has_them_on_its_page_and_in_markdown on_pages

refuses_what_cannot_be_done() {
	local status=0
	sed '/^ *promote = /d' "$toy" >"$tmp/toy/none.lua"
	"$pacelab" run "$tmp/lab.lua" --quiet --store "$tmp/toy/none.lua" --name "$lab" \
		--results "$tmp/refused" >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && one_line "$tmp/out" && grep -q 'promote of n2' "$tmp/out" &&
		[ ! -e "$tmp/refused" ]
}
check a_plan_that_a_database_cannot_follow__is_refused_before refuses_what_cannot_be_done
tap_done
