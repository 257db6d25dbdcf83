#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# program_test.sh - a driver in Python: by hand, and in a lab, against replicas as a database
. tests/e2e/lab.sh
remember_host

# Who runs them is nobody, and may not look into every folder.
chmod 755 "$tmp"
cp scripts/systems/drivers/redis.py "$B/pacelab-replica" "$tmp"
chmod 755 "$tmp/redis.py" "$tmp/pacelab-replica"

# Replicas of ours, started as a system file starts any server.
cat >"$tmp/ours.lua" <<LUA
system("ours", {
	driver = "program:redis.py", port = 6379, nodes = {3, 3}, like = "raft",
	kept = "all", differs = "not at all", leader = true, settle = "1s",
	programs = {"$tmp/pacelab-replica"},
	node = function(n)
		local peers = {}
		for _, node in ipairs(n.nodes) do
			peers[#peers + 1] = node.addr
		end
		return {run = {{"$tmp/pacelab-replica", "--proto", "raft",
			"--id", tostring(n.number - 1), "--peers", table.concat(peers, ","),
			"--cluster", "{cluster}", "--dir", "{dir}"}}}
	end,
})
LUA
cat >"$tmp/lab.lua" <<'LUA'
lab "program"
site("east", {"n1"}) site("west", {"n2"}) site("far", {"n3"})
rtt("east", "west", "4ms") rtt("east", "far", "4ms") rtt("west", "far", "4ms")
store "raft"
load {clients_per_site = 2, rate = 60, keys = 4, read = 50, write = 50}
warmup "1s"
phase("baseline", "2s")
phase("partition", "4s", cut({"east", "west"}, "far"))
phase("healed", "2s")
LUA

# result FILTER: of the run's results.json.
result() {
	/usr/bin/python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$tmp/run/results.json" "$1"
}

runs_in_a_lab() {
	local status=0
	"$pacelab" run "$tmp/lab.lua" --store "$tmp/ours.lua" --name "$lab" --results "$tmp/run" \
		--models --quiet >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	# A busy machine makes a run tainted, or late, which is no matter here.
	[ "$status" -le 2 ] || return
	[ "$(result 'r["database"]["driver"]')" = "program:$tmp/redis.py" ] &&
		[ "$(result 'r["store"], r["database"]["like"]')" = "('ours', 'raft')" ]
}

says_what_it_saw() {
	grep -E '^  consistency linearizable' "$tmp/out" &&
		grep -E '^  lost writes 0 of [1-9]' "$tmp/out" &&
		grep -E '^ +minority [0-3] ok' "$tmp/out"
}

no_program_left() {
	! pgrep -f "$tmp/redis.py|$tmp/pacelab-replica"
}

# answers WANTED STATUS ARGUMENT...: what a request by hand prints.
answers() {
	local wanted=$1 want=$2 status=0 said
	shift 2
	said=$("$pacelab" driver "program:$tmp/redis.py" --deadline 2s "$@" 2>&1) || status=$?
	echo "$said, exit status $status"
	# shellcheck disable=SC2053 # it is a pattern
	[[ $said = $wanted ]] && [ "$status" -eq "$want" ]
}

takes_lines() {
	printf 'write 1 5\nread 1\n' |
		"$pacelab" driver "program:$tmp/redis.py" --port 1 >"$tmp/lines"
	printf 'fail connect\nfail connect\n' | diff - "$tmp/lines"
}

# A server that answers its first request twice, and the next one once.
gives_up_who_says_too_much() {
	/usr/bin/python3 - "$tmp/port" <<-'PY' &
		import os, socket, sys
		s = socket.create_server(("127.0.0.1", 0))
		s.settimeout(20)
		with open(sys.argv[1] + ".new", "w") as f:
		    f.write(str(s.getsockname()[1]))
		os.rename(sys.argv[1] + ".new", sys.argv[1])
		answers = [b"+OK\r\n$1\r\n9\r\n", b"$1\r\n5\r\n"]
		while answers:
		    c = s.accept()[0]
		    while answers and c.recv(4096):
		        c.sendall(answers.pop(0))
	PY
	wait_until 10 test -s "$tmp/port" || return 1
	printf 'write 1 5\nread 1\n' | "$pacelab" driver "program:$tmp/redis.py" \
		--deadline 10s --port "$(cat "$tmp/port")" >"$tmp/lines"
	wait
	printf 'unknown closed\nok 5\n' | diff - "$tmp/lines"
}

check driver__in_python_runs_in_a_lab runs_in_a_lab
check driver__in_python_sees_what_the_store_is says_what_it_saw
check driver__in_python_is_gone_with_the_lab wait_until 5 no_program_left
gone_in_time lab__with_a_driver_in_python_leaves_nothing
check driver__says_that_nobody_is_there answers 'fail connect' 1 --port 1 write k1 5
check driver__refuses_what_the_program_has_not \
	answers '*is no request to driver*' 64 --port 1 cas 1 2 3
check driver__refuses_a_bad_address answers "*'nowhere' is no address*" 64 --nodes nowhere read 1
check driver__takes_requests_by_the_line takes_lines
check driver__in_python_gives_up_who_says_too_much gives_up_who_says_too_much
tap_done
