#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# pcap_test.sh - captures as other programs read them: both sides of a cut, and the cut itself
. tests/e2e/lab.sh

for tool in ping tcpdump; do
	command -v "$tool" >/dev/null || skip_all "no $tool"
done

# Three nodes; the port of n2 with all frames, and those between n1 and n3.
cat >"$tmp/three.lua" <<'LAB'
lab "three"
site("here", {"n1", "n2", "n3"})
store("raft", {leader = "n1"})
phase("whole", "1s")
LAB

starts() {
	"$pacelab" up "$tmp/three.lua" --name "$lab" --results "$tmp/results" --pcap n1-n3,n2
}

# pings SIZE: five from n1 to n3 and to n2; their size tells them from others.
pings() {
	local to
	for to in 10.99.0.3 10.99.0.2; do
		ip netns exec "$lab-n1" ping -n -q -c 5 -i 0.05 -W 1 -s "$1" "$to" &
	done
	wait
	return 0
}

# Before the cut 100 bytes, during it 200, after it 300.
is_used() {
	pings 100
	"$pacelab" cut --lab "$lab" n1 / n3 >"$tmp/cut" || return
	pings 200
	"$pacelab" heal --lab "$lab" >"$tmp/heal" || return
	pings 300
	"$pacelab" down "$lab"
}

# requests FILE SIZE ADDRESS: how many echo requests of that size to it are in the capture.
requests() {
	tcpdump -nr "$tmp/results/pcap/$1.pcapng" 2>"$tmp/tcpdump" \
		"icmp[0] = 8 and dst host $3 and ip[2:2] = $(($2 + 28))" | wc -l
}

# sees FILE SIZE ADDRESS COUNT
sees() {
	local got
	got=$(requests "$1" "$2" "$3")
	echo "$1 has $got requests of $2 bytes to $3"
	cat "$tmp/tcpdump"
	[ "$got" -eq "$4" ]
}

both_sides() {
	sees n1 100 10.99.0.3 5 && sees n3 100 10.99.0.3 5 &&
		sees n1 300 10.99.0.3 5 && sees n3 300 10.99.0.3 5
}

cut_in_between() {
	sees n1 200 10.99.0.3 5 && sees n3 200 10.99.0.3 0
}

only_what_was_asked_for() {
	sees n1 100 10.99.0.2 0 && sees n2 100 10.99.0.2 5 && sees n3 100 10.99.0.2 0 &&
		[ "$(cd "$tmp/results/pcap" && echo *)" = "n1.pcapng n2.pcapng n3.pcapng" ]
}

nothing_dropped() {
	cat "$tmp/results/log/pcap.log"
	grep -q ' 0 dropped, 0 left out' "$tmp/results/log/pcap.log"
}

# notes FILE: what tcpdump prints of the frames that were on no link.
notes() {
	tcpdump -nAr "$tmp/results/pcap/$1.pcapng" 'ether proto 0x88b5' 2>/dev/null
}

# The note of the cut stands behind the last ping before it and before the first one during it.
notes_in_order() {
	local file=$1 order
	notes "$file" | grep -q 'cut: 2 links changed: n1 > n3: edge' || return
	notes "$file" | grep -q 'heal: 2 links changed' || return
	order=$(tcpdump -nAr "$tmp/results/pcap/$file.pcapng" 2>/dev/null |
		awk '/10.99.0.1 > .*echo request.*length 108/ { print "before" }
			/10.99.0.1 > .*echo request.*length 208/ { print "during" }
			/10.99.0.1 > .*echo request.*length 308/ { print "after" }
			/cut: 2 links/ { print "cut" }
			/heal: 2 links/ { print "heal" }' | uniq | tr '\n' ' ')
	echo "$order"
	[ "$order" = "before cut during heal after " ]
}

wireshark_shows_comments() {
	tshark -r "$tmp/results/pcap/n1.pcapng" -Y frame.comment -T fields -e frame.interface_name \
		-e frame.comment 2>/dev/null | tee "$tmp/tshark"
	grep -q $'^pacelab\tcut: 2 links changed' "$tmp/tshark"
}

# refused STATUS OPTION...: one line, and nothing was started.
refused() {
	local status=0
	"$pacelab" up "$tmp/three.lua" --name "$lab" --results "$tmp/refused" "$@" \
		>"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/err"
	[ "$status" -eq 64 ] && one_line "$tmp/err" && [ ! -e "$tmp/refused" ]
}

bad_input() {
	refused --pcap n9 && refused --pcap n1-n9 && refused --pcap n1-n1 && refused --pcap '' &&
		refused --pcap all --snap 10 && refused --snap 128
}

# Killed at once: what was written can be read, and nobody goes on writing.
dies_with_the_lab() {
	rm -rf "$tmp/results"
	starts || return
	pings 100
	kill -9 "$(supervisor)"
	wait_until 5 lab_gone || { lab_left && return 1; }
	tcpdump -nr "$tmp/results/pcap/n2.pcapng" >/dev/null
}

remember_host
check pcap__starts_with_a_lab starts
check pcap__is_kept_when_the_lab_ends is_used
check pcap__sees_both_sides_of_a_link both_sides
check pcap__sees_that_a_cut_lets_nothing_through cut_in_between
check pcap__has_only_what_was_asked_for only_what_was_asked_for
check pcap__counts_what_it_dropped nothing_dropped
check pcap__has_cuts_and_heals_in_their_place_before_the_matrix notes_in_order n1
check pcap__has_cuts_and_heals_in_their_place_at_another_node notes_in_order n2
if command -v tshark >/dev/null; then
	check pcap__shows_comments_to_wireshark wireshark_shows_comments
else
	skip pcap__shows_comments_to_wireshark "no tshark"
fi
check pcap__refuses_links_and_sizes_that_are_none bad_input
check pcap__dies_with_its_lab dies_with_the_lab
gone_in_time pcap__leaves_nothing_behind
tap_done
