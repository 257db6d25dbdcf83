#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh - the lab `cap` on a store that keeps consistency and on one that keeps availability
#
# Called by make demo, which builds first. Ends with the worse of the two exit statuses.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 70

readonly stores=(raft cassandra-one)
# Both labs together stay under a minute and a half; a run that hangs must not hang the demo.
readonly run_seconds_max=120

if [ "$(id -u)" -ne 0 ]; then
	echo "demo.sh: a lab needs root to create network namespaces: sudo make demo"
	exit 77
fi

worst=0
verdicts=()
for store in "${stores[@]}"; do
	output=$(mktemp)
	status=0
	timeout -k 5 "$run_seconds_max" ./pacelab run cap --store "$store" | tee "$output" ||
		status=${PIPESTATUS[0]}
	[ "$status" -le "$worst" ] || worst=$status
	verdicts+=("$(printf '  %-14s' "$store")$(sed -n 's/^ *verdict *//p' "$output")")
	rm -f "$output"
	echo
done
echo "  verdicts"
printf '  %s\n' "${verdicts[@]}"
exit "$worst"
