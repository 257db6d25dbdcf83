#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# up_test.sh - a lab to play with: other programs see what pacelab says
. tests/e2e/lab.sh

for tool in ping tcpdump redis-cli; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done

p() {
	local verb=$1
	shift
	"$pacelab" "$verb" --lab "$lab" "$@"
}
in_node() {
	ip netns exec "$lab-$1" "${@:2}"
}

starts() {
	"$pacelab" up cap --name "$lab" --results "$tmp/results" >"$tmp/up" 2>&1 || {
		cat "$tmp/up"
		return 1
	}
	grep -q 'network of 8 nodes built in' "$tmp/up"
}

# rtt FROM TO_ADDRESS: the smallest of five, in whole microseconds.
rtt() {
	in_node "$1" ping -n -c 5 -i 0.1 -w 5 "$2" |
		awk -F '[/ ]' '/^rtt/ { printf "%d\n", $7 * 1000 }'
}

# rtt_is FROM TO LOW HIGH: in microseconds
rtt_is() {
	local got
	got=$(rtt "$1" "$2")
	echo "round trip ${got:-lost} us"
	[ -n "$got" ] && [ "$got" -ge "$3" ] && [ "$got" -le "$4" ]
}

netns_names() {
	local want="c-east c-far c-west n1 n2 n3 n4 n5 switch" name
	for name in $want; do
		ip netns list | grep -qw "$lab-$name" || return 1
	done
	! grep -q "$lab" /proc/self/mountinfo
}

names_in_node() {
	[ "$(p exec n3 hostname)" = n3 ] &&
		[ "$(p exec n3 sh -c 'ls /sys/class/net' | tr '\n' ' ')" = "eth0 lo " ] &&
		[ "$(p exec n3 cat /proc/1/comm)" = pacelab-node ]
}

exec_passes_on() {
	local status=0
	p exec n1 sh -c 'exit 42' || status=$?
	[ "$status" -eq 42 ] || return 1
	status=0
	p exec n1 sh -c 'kill -TERM $$' || status=$?
	[ "$status" -eq 143 ]
}

replica_without_root() {
	local pid
	pid=$(pid_of pacelab-replica) || return 1
	grep -q '^Uid:.65534.65534.65534.65534$' "/proc/$pid/status" &&
		grep -q '^Groups:[[:space:]]*$' "/proc/$pid/status" &&
		grep -qE '^CapPrm:.0{16}$' "/proc/$pid/status" &&
		grep -qE '^CapBnd:.0{16}$' "/proc/$pid/status" &&
		grep -q '^NoNewPrivs:.1$' "/proc/$pid/status"
}

ping_fails() {
	! in_node "$1" ping -n -c 2 -i 0.1 -W 1 "$2" >/dev/null
}

# What goes out at n1 is not seen at n5: tcpdump counts there while ping tries.
cut_stops_all() {
	p cut n1,n2 / n5 >"$tmp/cut" || { cat "$tmp/cut" && return 1; }
	grep -q '4 links, kind edge' "$tmp/cut" &&
		grep -q 'confirmed: 0 packets crossed' "$tmp/cut" ||
		{ cat "$tmp/cut" && return 1; }
	ip netns exec "$lab-n5" tcpdump -nn -i eth0 -c 1 -w "$tmp/seen.pcap" \
		'icmp and src 10.99.0.1' >/dev/null 2>"$tmp/tcpdump" &
	local dump=$!
	wait_until 5 grep -q 'listening on' "$tmp/tcpdump" || return 1
	ping_fails n1 10.99.0.5 || return 1
	kill -0 "$dump" || return 1 # one packet would have ended it
	kill "$dump"
	wait "$dump" 2>/dev/null
	in_node switch tc -s filter show dev n1 ingress >/dev/null
}

dropped() {
	p link --show --json | python3 -c '
import json, sys
for l in json.load(sys.stdin):
    if (l["from"], l["to"]) == (sys.argv[1], sys.argv[2]):
        print(l["dropped"])' "$1" "$2"
}

cut_counts() {
	local before after
	before=$(dropped n1 n5)
	in_node n1 ping -n -c 3 -i 0.1 -W 1 10.99.0.5 >/dev/null
	after=$(dropped n1 n5)
	echo "dropped $before, then $after"
	[ "$after" -ge $((before + 3)) ]
}

tc_shows_drops() {
	# Whichever of the two stands in the way: the program's own counter or the qdisc's.
	in_node switch tc -s qdisc show dev n1 | tee "$tmp/tc" | grep -q 'clsact' &&
		awk '/qdisc clsact/ { c = 1 } c && /dropped/ { print; exit }' "$tmp/tc" |
		grep -q 'dropped [1-9]'
}

cut_one_way() {
	p heal >/dev/null && p cut --one-way n1 / n2 >"$tmp/cut" || return 1
	grep -q '1 link, kind edge' "$tmp/cut" && ping_fails n1 10.99.0.2 &&
		[ "$(dropped n2 n1)" -eq 0 ]
}

heals() {
	p heal | grep -q 'confirmed' && rtt_is n1 10.99.0.5 39800 60000
}

redis_works() {
	[ "$(p exec n1 redis-cli -h 10.99.0.1 set color green)" = OK ] &&
		[ "$(in_node n4 redis-cli -h 10.99.0.4 get color)" = green ]
}

kills_and_restarts() {
	p kill n5 | grep -q confirmed && p status | grep -q 'n5 .*killed by SIGKILL' &&
		[ "$(p exec n1 redis-cli -h 10.99.0.1 set color blue)" = OK ] &&
		p restart n5 | grep -q confirmed && wait_until 10 caught_up
}
caught_up() {
	[ "$(in_node n5 redis-cli -h 10.99.0.5 pacelab local color)" = blue ]
}

pauses() {
	local pid
	p pause n2 | grep -q confirmed || return 1
	p status | grep -q 'n2 .*paused' || return 1
	pid=$(p status --json | python3 -c 'import json, sys
print([n["replica"]["pid"] for n in json.load(sys.stdin)["nodes"] if n["name"] == "n2"][0])')
	grep -q '^State:.T' "/proc/$pid/status" && p resume n2 | grep -q confirmed &&
		! grep -q '^State:.T' "/proc/$pid/status"
}

# clock_of_n1_is MILLISECONDS: so far ahead of the machine's, which is read before and after it.
clock_of_n1_is() {
	python3 -c 'import subprocess, sys, time
before = time.time_ns()
wall = int(subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, check=True).stdout)
after = time.time_ns()
print("ahead by", (wall - after) / 1e6, "to", (wall - before) / 1e6, "ms")
sys.exit(not wall - after - 1e6 <= float(sys.argv[1]) * 1e6 <= wall - before + 1e6)' \
		"$1" ip netns exec "$lab-n1" redis-cli -h 10.99.0.1 pacelab clock
}

skews_a_clock() {
	p skew n1 5s | grep -q 'confirmed: its clock was read, and is ahead by 5 s' &&
		clock_of_n1_is 5000 && p kill n1 >/dev/null && p restart n1 >/dev/null &&
		wait_until 10 clock_of_n1_is 5000 && p skew n1 -2s | grep -q confirmed &&
		clock_of_n1_is -2000 && p skew n1 0 | grep -q confirmed && clock_of_n1_is 0 &&
		refused 'not a duration' skew n1 soon && refused 'no replica' skew c-east 1s &&
		in_node n1 redis-cli -h 10.99.0.1 pacelab clock 1 | grep -q 'supervisor only'
}

changes_a_link() {
	p link n1 n2 delay 15ms | grep -q confirmed && rtt_is n1 10.99.0.2 29800 50000 &&
		p link --show | awk 'NR > 2 && $1 == "n1" { exit $3 != "15" }' &&
		p heal --links | grep -q confirmed && rtt_is n1 10.99.0.2 1 10000
}

# refused WORDS VERB ARGUMENT...
refused() {
	local words=$1 status=0
	shift
	p "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/out" "$tmp/err"
	[ "$status" -eq 64 ] && one_line "$tmp/err" && grep -q "$words" "$tmp/err"
}

link_one_way() {
	p link --one-way n1 n2 delay 15ms | grep -q confirmed && rtt_is n1 10.99.0.2 14800 29000 &&
		refused 'jitter is larger than the delay' link n1 n2 delay 1ms jitter 2ms
}

heal_keeps_delays() {
	p cut n1 / n2 >/dev/null && ping_fails n1 10.99.0.2 && p heal n1 n2 >/dev/null &&
		rtt_is n1 10.99.0.2 14800 29000 && p heal --links >/dev/null &&
		rtt_is n1 10.99.0.2 1 10000
}

strikes_what_it_can() {
	refused 'has no replica to kill' kill c-east && refused 'not paused' resume n3 &&
		p pause n3 >/dev/null && refused 'paused already' pause n3 &&
		refused 'resume it first' restart n3 && p resume n3 >/dev/null &&
		p kill n3 >/dev/null && refused 'does not run' kill n3 && p restart n3 >/dev/null
}

socket_refuses_garbage() {
	python3 - "/run/pacelab/$lab/control.sock" <<'PY' && p status >/dev/null
import socket, sys
for request in [b"", b"x", b"a" * 5000, b"cut\0", b"cut\0text\0", b"\0\0\0", b"no\0text\0",
                b"cut\0text\0" + b"a\0" * 100, b"enter\0text\0\xff\0", b"link\0text\0both\0n1\0"]:
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(request)
    s.shutdown(socket.SHUT_WR)
    answer = s.recv(65536)
    assert answer[:1] == b"@" and len(answer) > 1, (request, answer)
PY
}

only_root() {
	[ "$(stat -c %a:%u "/run/pacelab/$lab")" = 700:0 ] &&
		[ "$(stat -c %a:%u "/run/pacelab/$lab/control.sock")" = 600:0 ]
}

name_in_use() {
	local status=0
	"$pacelab" up cap --name "$lab" --results "$tmp/second" >"$tmp/out" 2>"$tmp/err" ||
		status=$?
	[ "$status" -eq 64 ] && one_line "$tmp/err" && grep -q 'pacelab down' "$tmp/err" &&
		[ ! -e "$tmp/second" ] && p status >/dev/null
}

second_lab() {
	local status=0
	"$pacelab" up cap --name "$lab-2" --store single --results "$tmp/second" >"$tmp/out" 2>&1 ||
		{ cat "$tmp/out" && return 1; }
	"$pacelab" cut n1 >"$tmp/out" 2>"$tmp/err" || status=$?
	[ "$status" -eq 64 ] && one_line "$tmp/err" || return 1
	"$pacelab" cut --lab "$lab-2" n1 >/dev/null && rtt_is n1 10.99.0.3 19800 40000 &&
		names_of_third_stay && [ ! -e "/run/pacelab/$lab-2" ] && p status >/dev/null
}
# The names of the third begin as those of the second, which ends.
names_of_third_stay() {
	"$pacelab" up cap --name "$lab-2-3" --store single --results "$tmp/third" >/dev/null &&
		"$pacelab" down "$lab-2" >/dev/null && [ -e "/run/netns/$lab-2-3-n1" ] &&
		[ -L "/run/netns/$lab-n1" ] && [ ! -L "/run/netns/$lab-2-n1" ] &&
		"$pacelab" down "$lab-2-3" >/dev/null
}
at_exit '"$pacelab" down --lab "$lab-2" >/dev/null 2>&1'
at_exit '"$pacelab" down --lab "$lab-2-3" >/dev/null 2>&1'

# Their rings together take more memory than one user may lock where nobody may raise that limit.
many_replicas() {
	local names
	names=$(seq -f '"n%g"' -s, 64)
	printf 'lab "many"\nsite("a", {%s})\nstore "cassandra-one"\nphase("p", "1s")\n' \
		"$names" >"$tmp/many.lua"
	"$pacelab" up "$tmp/many.lua" --name "$lab-2" --results "$tmp/many" >"$tmp/out" 2>&1 ||
		{ cat "$tmp/out" && return 1; }
	"$pacelab" status --lab "$lab-2" | grep -q '^  n64 .*ready' &&
		"$pacelab" cut --lab "$lab-2" n1,n2 && "$pacelab" heal --lab "$lab-2" &&
		"$pacelab" down "$lab-2" >/dev/null
}

goes_down() {
	"$pacelab" down "$lab" | grep -q 'is down' || return 1
	"$pacelab" down "$lab" | grep -q 'is not up' && [ ! -e "$tmp/results" ]
}

remember_host
check up__starts_five_replicas starts || {
	tap_done
}
remember_lab
check up__is_seen_by_ip_netns_without_a_mount netns_names
check exec__is_inside_the_node names_in_node
check exec__passes_the_exit_status_on exec_passes_on
check replica__has_no_rights replica_without_root
check up__is_for_root_alone only_root
check ping__takes_the_configured_20_ms rtt_is n1 10.99.0.3 19800 40000
check ping__takes_the_configured_40_ms rtt_is n1 10.99.0.5 39800 60000
check ping__within_a_site_takes_nothing rtt_is n1 10.99.0.2 1 10000
check cut__stops_ping_and_tcpdump_sees_nothing cut_stops_all
check cut__counts_what_it_drops cut_counts
check cut__shows_its_drops_to_tc tc_shows_drops
check cut__one_way_leaves_the_other cut_one_way
check heal__brings_ping_back heals
check redis_cli__works_on_the_nodes redis_works
check kill__and_restart_from_the_log kills_and_restarts
check pause__stops_the_node_and_resume_continues pauses
check skew__is_read_back_and_outlives_a_restart skews_a_clock
check link__changes_delay_and_heal_puts_it_back changes_a_link
check link__one_way_delays_one_way link_one_way
check heal__of_a_cut_keeps_delays heal_keeps_delays
check strikes__say_what_cannot_be_done strikes_what_it_can
check control_socket__refuses_garbage socket_refuses_garbage
check name_in_use__is_one_line_and_harmless name_in_use
check second_lab__runs_beside_the_first second_lab
check up__starts_more_replicas_than_a_user_has_memory_for many_replicas
check down__is_idempotent goes_down
gone_in_time up__leaves_nothing_after_down
tap_done
