# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tap.sh - what every shell test needs: TAP lines, waiting, the state of the host
#
#	. tests/lib/tap.sh
#	need_root
#	check cut__stops_ping        stops_ping 10.99.0.2
#	wait_until 2 host_same "$tmp/before" || not_ok ...
#	tap_done
#
# The working directory is the repository; $B is the build directory. $tmp is removed at the end.

set -u
: "${B:?the build directory, as make check sets it}"
tap_count=0
tap_failed=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pacelab-test.XXXXXX")

# at_exit COMMAND: run it when the script ends, whatever ends it; the newest command first.
tap_at_exit=()
at_exit() {
	tap_at_exit=("$1" ${tap_at_exit[@]+"${tap_at_exit[@]}"})
}
tap_leave() {
	local command
	for command in ${tap_at_exit[@]+"${tap_at_exit[@]}"}; do
		eval "$command"
	done
	rm -rf "$tmp"
}
trap tap_leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ok() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

# not_ok NAME [WHY]
not_ok() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/# /'
}

# skip NAME REASON
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# check NAME COMMAND...: the test passes if the command does; else its output is shown.
check() {
	local name=$1 output status
	shift
	output=$("$@" 2>&1) && status=0 || status=$?
	if [ "$status" -eq 0 ]; then
		ok "$name"
	else
		not_ok "$name" "$* -> exit status $status
$output"
		return 1
	fi
}

# tap_done: runs what was asked for with at_end COMMAND, prints the plan and ends the script.
tap_at_end=()
at_end() {
	tap_at_end+=("$1")
}
tap_done() {
	local command
	for command in ${tap_at_end[@]+"${tap_at_end[@]}"}; do
		eval "$command"
	done
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}

# skip_all REASON: no test of this script can run here.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip_all "not root"
}

# wait_until SECONDS COMMAND...: poll until the command succeeds; its output is dropped.
wait_until() {
	local deadline=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$deadline" ] || return 1
		sleep 0.02 # the interval of this poll, and the only sleep of the tests
	done
}

# lab_name: a name that no other lab on this machine has; short enough for any limit.
lab_name() {
	printf 't%s\n' "$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')"
}

# host_state: all of the host's network that a lab must not change, one fact a line.
host_state() {
	ip -o link show | sed 's/^[0-9]*: /link /; s/ qlen [0-9]*//'
	ip -o addr show | sed 's/^/addr /; s/valid_lft.*//'
	ip -o route show table all | sed 's/^/route4 /'
	ip -6 -o route show table all | sed 's/^/route6 /; s/ expires [0-9]*sec//'
	ip rule show | sed 's/^/rule4 /'
	ip -6 rule show | sed 's/^/rule6 /'
	tc qdisc show | sed 's/^/qdisc /'
	! command -v nft >/dev/null || nft list ruleset 2>/dev/null | sed 's/^/nft /'
	sysctl -a 2>/dev/null | grep -E '^(net\.(core|bridge|ipv4|ipv6)|kernel\.sched_rt)' |
		grep -vE 'tcp_fastopen_key|stable_secret|nf_conntrack_count'
	awk '{ print "mount", $5, $9, $10 }' /proc/self/mountinfo | sort
}

# host_same FILE: whether host_state still is what FILE holds; prints the difference.
host_same() {
	host_state | diff "$1" -
}

# our_processes: pid and program of every running process whose program is in $B.
our_processes() {
	local here exe link
	here=$(cd "$B" && pwd -P) || return 1
	for link in /proc/[0-9]*/exe; do
		exe=$(readlink "$link" 2>/dev/null) || continue
		case $exe in
		"$here"/*) echo "process ${link//[!0-9]/} $exe" ;;
		esac
	done
}

# our_leftovers: what labs leave when they clean up badly. Labs of other programs stay out of it:
# a name is a leftover if its supervisor is dead, a process if its program is in $B.
our_leftovers() {
	local path
	our_processes
	for path in /run/netns/*; do
		[ ! -L "$path" ] || [ -e "$path" ] || echo "dangling name $path"
	done
	for path in /run/pacelab/*/lock; do
		[ ! -e "$path" ] || ! flock -n "$path" true || echo "abandoned lab ${path%/lock}"
	done
}
