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

# The longest suite takes a minute on two busy cores; sanitizers make it three.
readonly SUITE_SECONDS_MAX=${SUITE_SECONDS_MAX:-300}
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

# run SUITE
run() {
	local suite=$1 program=$B/$1 output=$tmp/output status=0 start
	[[ $suite != *.sh ]] || program=$PWD/$suite
	: >"$tmp/why"
	start=$(date +%s%3N)
	# The braces keep bash's own "Aborted" off the terminal: tap.awk says it better.
	{
		timeout -k 5 "$SUITE_SECONDS_MAX" "$program" </dev/null >"$output" 2>&1 || status=$?
	} 2>/dev/null
	[ -z "${V:-}" ] || cat "$output"
	elapsed_ms=$(($(date +%s%3N) - start))
	awk -v status="$status" -v limit="$SUITE_SECONDS_MAX" -v must_work="${MUST_WORK:-0}" \
		-f tests/lib/tap.awk "$output" >"$tmp/records"
	report "$suite" "$output" <"$tmp/records"
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
for suite in "$@"; do
	run "$suite"
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
