#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# faults_test.sh - every fault of a link by hand and in a lab; programs in the nodes see it
. tests/e2e/lab.sh

for tool in ping iperf3; do
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

# does VERB ARGUMENT...: it is in force; what the evidence makes of it depends on how busy this
# machine is, but it must not contradict.
does() {
	local status=0
	p "$@" >"$tmp/did" 2>&1 || status=$?
	cat "$tmp/did"
	[ "$status" -le 2 ] && ! grep -q '^  mismatch' "$tmp/did"
}
clean() {
	p heal --links >"$tmp/did" 2>&1 || true
	p link --show --json >"$tmp/links"
	links 'all(l == c for l, c in zip(map(state, links), map(state, was)))'
}

# links EXPRESSION: is it true of the links as last shown, and as they were? one(FROM, TO) is one.
links() {
	python3 - "$1" "$tmp/links" "$tmp/links-before" <<'PY'
import json, sys
links, was = (json.load(open(f)) for f in sys.argv[2:4])
state = lambda l: (l["from"], l["to"], l["cut_kind"], l["words"], l["from_down"], l["to_down"])
one = lambda a, b: [l for l in links if (l["from"], l["to"]) == (a, b)][0]
if not eval(sys.argv[1]):
    sys.exit("not so: " + sys.argv[1] + "\n" + "\n".join(map(repr, map(state, links))))
PY
}
show() {
	p link --show --json >"$tmp/links" && links "$1"
}

# pings FROM NUMBER COUNT [OPTION...]: how many came back, in $back, and twice, in $twice
pings() {
	local from=$1 to=10.99.0.$2 count=$3
	shift 3
	in_node "$from" ping -n -q -c "$count" -i 0.005 -W 1 "$@" "$to" >"$tmp/ping" 2>&1
	back=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$tmp/ping")
	twice=$(sed -n 's/.*+\([0-9]*\) duplicates.*/\1/p' "$tmp/ping")
	twice=${twice:-0}
	echo "$back of $count back, $twice twice; $(tail -1 "$tmp/ping")"
}
# rtts: the smallest and the largest of the last pings, in whole microseconds
rtts() {
	awk -F '[/ ]' '/^rtt/ { printf "%d %d\n", $7 * 1000, $9 * 1000 }' "$tmp/ping"
}
within() {
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

starts() {
	"$pacelab" up cap --name "$lab" --results "$tmp/results" >"$tmp/up" 2>&1 || {
		cat "$tmp/up"
		return 1
	}
	p link --show --json >"$tmp/links-before"
}

# c-east (6) and c-west (7) send nothing of their own.
delays() {
	local low high
	does link c-east c-west delay 30ms jitter 10ms && pings c-east 7 100 || return 1
	read -r low high < <(rtts)
	within "$low" 39800 75000 && [ "$high" -le 300000 ] && [ $((high - low)) -ge 5000 ] &&
		[ "$back" -eq 100 ] &&
		show 'one("c-west", "c-east")["words"] == "delay 30ms jitter 10ms"' && clean
}

# 60 of 200 on average; with 30 % the chance of less than 25 or more than 95 is below 1e-7.
loses() {
	does link --one-way c-east c-west loss 30% && pings c-east 7 200 &&
		within "$back" 105 175 && show 'one("c-east", "c-west")["lost"] >= 25' &&
		links 'one("c-west", "c-east")["lost"] == 0' && clean
}
doubles() {
	does link --one-way c-east c-west duplicate 50% && pings c-east 7 200 &&
		[ "$back" -eq 200 ] && within "$twice" 60 140 && clean
}

# Counted since it is set, the evidence's own frames apart: exactly these ten, and then no other.
drops() {
	does link --one-way c-east c-west drop 5-13,20 && pings c-east 7 100 &&
		[ "$back" -eq 90 ] && pings c-east 7 50 && [ "$back" -eq 50 ] && clean
}

checksums() {
	in_node c-west cat /proc/net/snmp /proc/net/netstat | python3 -c '
import sys
lines = [l.split() for l in sys.stdin]
seen = {}
for names, values in zip(lines[::2], lines[1::2]):
    seen.update({names[0] + n: int(v) for n, v in zip(names[1:], values[1:])})
print(seen["Icmp:InCsumErrors"] + seen["IpExt:InCsumErrors"] + seen["Ip:InHdrErrors"])'
}
corrupts() {
	local before
	before=$(checksums)
	does link --one-way c-east c-west corrupt 50% && pings c-east 7 200 &&
		within "$back" 50 160 && echo "checksums: $before, then $(checksums)" &&
		[ "$(checksums)" -gt "$before" ] && clean
}
reorders() {
	local low high
	does link --one-way c-east c-west delay 30ms reorder 50% && pings c-east 7 100 || return 1
	read -r low high < <(rtts)
	[ "$low" -le 25000 ] && [ "$high" -ge 39800 ] && clean
}

# listens NODE PORT: something takes TCP connections there (proc(5): state 0A).
listens() {
	in_node "$1" cat /proc/net/tcp /proc/net/tcp6 |
		grep -q "$(printf ':%04X [0-9A-F:]* 0A' "$2")"
}
limits_the_rate() {
	local bps
	does link --one-way c-east c-west rate 10mbit delay 10ms || return 1
	in_node c-west timeout 20 iperf3 -s -1 >"$tmp/server" 2>&1 &
	wait_until 10 listens c-west 5201 || return 1
	in_node c-east timeout 20 iperf3 -c 10.99.0.7 -t 2 -J >"$tmp/iperf" 2>&1
	bps=$(python3 -c 'import json, sys
print(int(json.load(open(sys.argv[1]))["end"]["sum_received"]["bits_per_second"]))' "$tmp/iperf")
	echo "$bps bit/s"
	within "$bps" 6000000 10000000 && clean
}

flaps() {
	does link --one-way c-east c-west flap 100ms 100ms && pings c-east 7 200 &&
		within "$back" 30 170 && clean
}

draws_from_a_table() {
	does link c-east c-west distribution pbs-lnkd-disk &&
		show 'one("c-east", "c-west")["distribution"] == "pbs-lnkd-disk"' &&
		pings c-east 7 20 && [ "$back" -eq 20 ] && clean
}

cut_one_way() {
	does cut --one-way c-east / c-west && pings c-east 7 3 -W 0.2
	[ "$back" -eq 0 ] &&
		show 'one("c-east", "c-west")["cut"]' &&
		links 'not one("c-west", "c-east")["cut"]' && clean
}
cut_wire() {
	does cut c-east / c-west --kind wire && grep -q 'kind wire' "$tmp/did" &&
		pings c-east 7 3 -W 0.2
	[ "$back" -eq 0 ] && clean
}
cut_reject() {
	does cut c-east / c-west --kind reject && grep -q 'kind reject' "$tmp/did" || return 1
	in_node c-east ping -n -c 1 -W 2 10.99.0.7 >"$tmp/ping" 2>&1
	cat "$tmp/ping"
	grep -qi 'filtered\|prohibited' "$tmp/ping" && in_node c-east python3 -c '
import socket
try:
    socket.create_connection(("10.99.0.7", 6379), 5)
except ConnectionRefusedError:
    exit(0)
exit(1)' && clean
}
downs() {
	does link c-east down && [ "$(in_node c-east cat /sys/class/net/eth0/carrier)" = 0 ] &&
		p link --show | grep -q 'c-east is down' && does link c-east up &&
		[ "$(in_node c-east cat /sys/class/net/eth0/carrier)" = 1 ] &&
		wait_until 5 in_node c-east ping -n -c 1 -W 1 10.99.0.7 && clean
}

# reach FROM NUMBER...: exactly these of the five replicas answer.
reach() {
	local from=$1 i got=""
	shift
	for i in 1 2 3 4 5; do
		[ "n$i" != "$from" ] || continue
		in_node "$from" ping -n -q -c 1 -W 0.5 "10.99.0.$i" >/dev/null &&
			got="$got $i"
	done
	echo "$from reaches$got"
	[ "$got" = "${*:+ $*}" ]
}
bridge() {
	does cut --bridge n3 && grep -q confirmed "$tmp/did" && reach n1 2 3 && reach n3 1 2 4 5 &&
		reach n5 3 4 && clean
}
ring() {
	does cut --ring && grep -q confirmed "$tmp/did" && reach n1 2 5 && reach n2 1 3 &&
		reach n3 2 4 && reach n4 3 5 && reach n5 1 4 && clean
}

leader() {
	p status --json | python3 -c '
import json, sys
nodes = [n for n in json.load(sys.stdin)["nodes"] if "replica" in n]
votes = [n["replica"]["leader"] for n in nodes]
best = max(set(votes), key=votes.count)
print(nodes[best]["name"] if best >= 0 and 2 * votes.count(best) > len(nodes) else "")'
}
another_leads() {
	local now
	now=$(leader)
	[ -n "$now" ] && [ "$now" != "$1" ]
}
cut_leader() {
	local who
	who=$(leader)
	does cut --leader && grep -q "cut $who, the leader" "$tmp/did" &&
		grep -q confirmed "$tmp/did" && reach "$who" &&
		wait_until 10 another_leads "$who" && clean
}
composes() {
	local low high
	does link c-east c-west delay 20ms loss 5% rate 10mbit && does cut c-east / c-west &&
		pings c-east 7 3 -W 0.2
	[ "$back" -eq 0 ] && does link c-east c-west loss none && does heal c-east c-west &&
		show 'one("c-east", "c-west")["words"] == "delay 20ms rate 10mbit"' &&
		pings c-east 7 20 && [ "$back" -eq 20 ] && does link c-east c-west delay none &&
		pings c-east 7 20 || return 1
	read -r low high < <(rtts)
	[ "$low" -lt 20000 ] && show 'one("c-west", "c-east")["words"] == "rate 10mbit"' && clean
}

# refused WORDS VERB ARGUMENT...: in one line
refused() {
	local words=$1 status=0
	shift
	p "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/out" "$tmp/err"
	[ "$status" -eq 64 ] && one_line "$tmp/err" && grep -q -- "$words" "$tmp/err"
}
refuses() {
	refused "loss: '101%' is not a share: write 0% to 100%" link n1 n2 loss 101% &&
		refused 'delay: up to 600 s' link n1 n2 delay 11m &&
		refused 'reorder needs a delay' link east far delay 0 reorder 5% &&
		refused 'rate: 1kbit to 100gbit' link n1 n2 rate 1bit &&
		refused 'queue: 2 KiB to 256 MiB' link n1 n2 rate 1mbit queue 1kb &&
		refused "has no 'lag'" link n1 n2 lag 5ms &&
		refused 'there is no node or site' link n1 n9 delay 5ms &&
		refused 'edge, wire and reject' cut n1 --kind saw &&
		refused 'cut whom' cut --ring n1 &&
		refused 'bridge is a replica' cut --bridge c-east &&
		refused 'jitter is larger than the delay' link n1 n2 jitter 1ms &&
		show '[state(l) for l in links] == [state(l) for l in was]'
}

goes_down() {
	"$pacelab" down "$lab" | grep -q 'is down'
}

# Shorter than it says: a phase lasts at least as long as its evidence.
lab_with_every_fault() {
	local status=0
	"$pacelab" run faults --time-scale 0.3 --name "$lab" --results "$tmp/run" --json \
		>"$tmp/run.json" 2>"$tmp/run.err" || status=$?
	tail -20 "$tmp/run.err"
	[ "$status" -eq 0 ] || [ "$status" -eq 2 ] || return 1 # 2: the machine was too busy
	python3 - "$tmp/run.json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
cuts = {f["cut"] for f in r["faults"] if f["kind"] == "cut"}
assert cuts == {"edge", "wire", "reject"}, cuts
kinds = {f["kind"] for f in r["faults"]}
assert kinds >= {"cut", "heal", "link", "carrier", "kill", "pause", "restart", "resume"}, kinds
crossed = [f for f in r["faults"] if f["kind"] == "cut" and f["packets_crossed"]]
assert not crossed, crossed
what = {p["name"]: p["what"] for p in r["phases"]}
assert what["headless"].startswith("leader n"), what
words = {l["words"] for p in r["phases"] if p["name"] == "lossy" for l in p["links"]}
assert words == {"delay 2ms loss 2% duplicate 5%", "delay 3ms loss ge 1% 20% 80%"}, words
assert r["expect"]["kept"], r["expect"]
PY
}

remember_host
check up__starts_five_replicas starts || tap_done
remember_lab
check link__delays_with_jitter delays
check link__loses_what_it_should loses
check link__doubles_what_it_should doubles
check link__drops_exactly_the_named drops
check link__corrupts_and_checksums_tell corrupts
check link__reorders reorders
check link__limits_the_rate limits_the_rate
check link__flaps flaps
check link__draws_delays_from_a_table draws_from_a_table
check cut__one_way cut_one_way
check cut__of_kind_wire cut_wire
check cut__of_kind_reject_tells_the_sender cut_reject
check link__down_takes_the_carrier_away downs
check cut__leaves_a_bridge bridge
check cut__makes_a_ring_of_majorities ring
check cut__finds_the_leader_and_another_is_elected cut_leader
check faults__compose_and_are_removed_in_another_order composes
check bad_words__change_nothing refuses
check down__ends_the_lab goes_down
check run__has_every_fault_and_breaks_nothing lab_with_every_fault
gone_in_time faults__leave_nothing
tap_done
