#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh - measures, and prints each figure beside its goal
#
#	B=build tests/bench/run.sh [NAME...]     only those programs, "redis" for what is below
#
# First every $B/tests/bench/*_bench: lines of name, value, unit and goal, separated by tabs. Then
# what store.sh has of the store beside redis-server. Nothing here fails because it is slow.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 70
B=$(cd "${B:-build}" && pwd -P) || exit 70

# The data of the servers lies beside the build: /tmp may be memory, where fsync costs nothing.
TMPDIR=$B
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

machine() {
	local model memory commit
	model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	memory=$(awk '/MemTotal/ { printf "%.1f GB", $2 / 1e6 }' /proc/meminfo)
	commit=$(git describe --always --dirty 2>/dev/null || echo "no git")
	echo "machine  ${model:-unknown processor}, $(nproc) cores, $memory"
	echo "system   $(. /etc/os-release && echo "$PRETTY_NAME"), kernel $(uname -r)"
	echo "build    $commit, $(${CC:-gcc} --version | head -n 1)"
	echo "load     $(cut -d' ' -f1-3 /proc/loadavg) before the first benchmark"
	echo
}

# line NAME VALUE UNIT GOAL
line() {
	printf '  %-62s %19s %-6s goal %s\n' "$@"
}

programs() {
	local program name value unit goal
	for program in "$B"/tests/bench/*_bench; do
		[ -x "$program" ] || continue
		wanted "${program##*/}" || continue
		"$program" >"$tmp/out" 2>"$tmp/err" || {
			echo "  ${program##*/}: exit status $?: $(tail -n 1 "$tmp/err")"
			failures=$((failures + 1))
		}
		while IFS=$'\t' read -r name value unit goal; do
			line "$name" "$value" "$unit" "${goal:--}"
		done <"$tmp/out"
	done
}

# wanted NAME: whether the command line asks for it.
wanted() {
	local part
	[ ${#selection[@]} -gt 0 ] || return 0
	for part in "${selection[@]}"; do
		[[ $1 != *"$part"* ]] || return 0
	done
	return 1
}

# The store's own script; "make bench-store" runs all of its parts.
servers() {
	wanted redis || return 0
	if [ ! -x "$B/pacelab-replica" ] || ! command -v redis-benchmark >/dev/null; then
		echo "  redis: needs redis-server, redis-benchmark and pacelab-replica"
		return 0
	fi
	echo
	B=$B PARTS=redis tests/bench/store.sh
}

selection=("$@")
failures=0
machine
programs
servers || failures=$((failures + 1))
[ "$failures" -eq 0 ]
