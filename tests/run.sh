#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh - runs the tests it is given, reads their TAP, and counts
#
#	B=build tests/run.sh tests/unit/prng_test tests/e2e/run_test.sh ...
#
# Programs are named relative to $B, scripts (*.sh) relative to the repository. V=1 shows all
# output, MUST_WORK=1 turns skips into failures (but for reasons that begin with "elsewhere:").
# A crash, a time-out, a missing plan or no test at all is a failure. The last line is
# "N passed, N failed", with ", N skipped" after it if there were any. Exit 1 on any failure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 70
B=$(cd "${B:-build}" && pwd -P) || exit 70
export B

# The longest suite takes a minute on two busy cores; sanitizers in a virtual machine make it five.
readonly SUITE_SECONDS_MAX=${SUITE_SECONDS_MAX:-600}
readonly SETTLE_SECONDS=10
readonly TAIL_LINES=40

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
passed=0 failed=0 skipped=0
: >"$tmp/failures"
: >"$tmp/skips"

# report SUITE OUTPUT: adds up the records of tap.awk and prints the suite's line.
report() {
	local suite=$1 output=$2 kind a b c p=0 f=0 s=0 word=ok line
	while IFS=$'\t' read -r kind a b c; do
		case $kind in
		count) p=$a f=$b s=$c ;;
		fail) printf '  %s: %s%s\n' "$suite" "$a" "${b:+: $b}" >>"$tmp/why" ;;
		skip) printf '%s\t%s: %s\n' "$b" "$suite" "$a" >>"$tmp/skips" ;;
		esac
	done
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	line="$p passed"
	[ "$s" -eq 0 ] || line+=", $s skipped"
	[ "$s" -eq 0 ] || [ "$p" -gt 0 ] || word=skip
	if [ "$f" -gt 0 ]; then
		word=FAIL
		line+=", $f failed"
		{
			echo
			cat "$tmp/why"
			[ -n "${V:-}" ] || tail -n "$TAIL_LINES" "$output" | sed 's/^/    /'
		} >>"$tmp/failures"
	fi
	printf '  %-4s %-34s %5d.%d s  %s\n' "$word" "$suite" $((elapsed_ms / 1000)) \
		$((elapsed_ms % 1000 / 100)) "$line"
}

# execute SUITE: its output, status and time, in a folder of its own.
execute() {
	local suite=$1 program=$B/$1 to=$tmp/run/$1 status=0 start
	[[ $suite != *.sh ]] || program=$PWD/$suite
	mkdir -p "$to"
	start=$(date +%s%3N)
	# The braces keep bash's own "Aborted" off the terminal: tap.awk says it better.
	{
		timeout -k 5 "$SUITE_SECONDS_MAX" "$program" </dev/null >"$to/output" 2>&1 ||
			status=$?
	} 2>/dev/null
	echo "$status $(($(date +%s%3N) - start))" >"$to/ended.new"
	mv "$to/ended.new" "$to/ended"
}

# collect SUITE: what came of it.
collect() {
	local suite=$1 from=$tmp/run/$1 status
	read -r status elapsed_ms <"$from/ended"
	: >"$tmp/why"
	[ -z "${V:-}" ] || cat "$from/output"
	awk -v status="$status" -v limit="$SUITE_SECONDS_MAX" -v must_work="${MUST_WORK:-0}" \
		-f tests/lib/tap.awk "$from/output" >"$tmp/records"
	report "$suite" "$from/output" <"$tmp/records"
}

# alone SUITE: does it need this machine for itself? Not those that only compute.
alone() {
	case $1 in
	*.sh) return 0 ;;
	tests/proto/* | tests/sim/* | tests/check/* | tests/fuzz/*) return 1 ;;
	esac
}

# together SUITE...: as many at a time as there are processors, told in order.
together() {
	local suite told=0
	for suite in "$@" ""; do
		while [ "$(jobs -rp | wc -l)" -ge "$([ -z "$suite" ] && echo 1 || nproc)" ]; do
			wait -n
			while [ "$told" -lt $# ] && [ -e "$tmp/run/${*:told + 1:1}/ended" ]; do
				told=$((told + 1))
				collect "${*:told:1}"
			done
		done
		[ -z "$suite" ] || execute "$suite" &
	done
	wait
	while [ "$told" -lt $# ]; do
		told=$((told + 1))
		collect "${*:told:1}"
	done
}

nothing_left() {
	[ -z "$(our_leftovers)" ] && host_same "$tmp/host"
}

# nothing_left_behind: the last test of every run, as a suite of its own.
nothing_left_behind() {
	local start
	: >"$tmp/why"
	start=$(date +%s%3N)
	if wait_until "$SETTLE_SECONDS" nothing_left; then
		printf 'count\t1\t0\t0\n' >"$tmp/records"
	else
		printf 'fail\tnothing_left_behind\t\ncount\t0\t1\t0\n' >"$tmp/records"
	fi
	{
		our_leftovers
		host_same "$tmp/host"
	} >"$tmp/output"
	elapsed_ms=$(($(date +%s%3N) - start))
	report nothing_left_behind "$tmp/output" <"$tmp/records"
}

host_state >"$tmp/host"
pure=()
for suite in "$@"; do
	alone "$suite" || pure+=("$suite")
done
together ${pure[@]+"${pure[@]}"}
for suite in "$@"; do
	alone "$suite" || continue
	execute "$suite"
	collect "$suite"
done
nothing_left_behind
[ $# -gt 0 ] || {
	echo "  no test was given"
	failed=$((failed + 1))
}

if [ -s "$tmp/skips" ]; then
	echo
	echo "skipped:"
	sort "$tmp/skips" | awk -F '\t' '
		$1 != reason { reason = $1; print "  " reason }
		{ print "    " $2 }'
fi
cat "$tmp/failures"
echo
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
