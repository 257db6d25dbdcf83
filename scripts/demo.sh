#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh - the lab `cap` on a store that keeps consistency and on one that keeps availability
#
# Called by make demo, which builds first. Ends with the worse of the two exit statuses, but that a
# run which the machine was too busy for is no failure of a demonstration: it says so itself.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 70

readonly stores=(raft cassandra-one)
# Both labs together stay under a minute and a half; a run that hangs must not hang the demo.
readonly run_seconds_max=120

if [ "$(id -u)" -ne 0 ]; then
	echo "demo.sh: a lab needs root to create network namespaces: sudo make demo"
	exit 77
fi

# verdict_of FILE: its lines, which go on as long as the label's column is empty.
verdict_of() {
	awk '/^  [a-z]/ { in_verdict = $1 == "verdict"; sub(/^  verdict/, "") } in_verdict' "$1" |
		tr -s ' \n' ' '
}

indent() {
	awk -v name="$1" '{ printf "  %-15s %s\n", NR == 1 ? name : "", $0 }'
}

worst=0
verdicts=()
for store in "${stores[@]}"; do
	output=$(mktemp)
	status=0
	timeout -k 5 "$run_seconds_max" ./pacelab run cap --store "$store" | tee "$output" ||
		status=${PIPESTATUS[0]}
	[ "$status" -le "$worst" ] || worst=$status
	verdicts+=("$(verdict_of "$output" | fmt -w 78 | indent "$store")")
	rm -f "$output"
	echo
done
printf '%s\n' "${verdicts[@]}"
if [ "$worst" -eq 2 ]; then
	echo "A run above is inconclusive and says why; on a quieter machine it would not be."
	worst=0
fi
exit "$worst"
