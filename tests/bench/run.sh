#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh - measures, and prints each figure beside its goal
#
#	B=build tests/bench/run.sh [NAME...]     only those programs, "redis" for what is below
#
# First every $B/tests/bench/*_bench: lines of name, value, unit and goal, separated by tabs. Then
# redis-benchmark against redis-server and pacelab-replica side by side: both servers on one core,
# the client on another, in turn, medians of BENCH_ROUNDS. Nothing here fails because it is slow.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 70
B=$(cd "${B:-build}" && pwd -P) || exit 70

readonly ROUNDS=${BENCH_ROUNDS:-3}
readonly CLIENTS=50
readonly KEYS=10000
# taskset becomes the server, so that $! is what is to be stopped.
readonly SERVER_CORE=0
readonly CLIENT_CORE=$(($(nproc) > 1 ? 1 : 0))
# One server has so long to answer its first PING.
readonly START_SECONDS=5

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

free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

answers() {
	[ "$(redis-cli -p "$1" ping)" = PONG ]
}

# start redis|pacelab none|always: sets port and pid.
start() {
	local dir=$tmp/$1-$2 aof=no server
	mkdir -p "$dir"
	port=$(free_port)
	if [ "$1" = redis ]; then
		[ "$2" = none ] || aof=yes
		server=(redis-server --port "$port" --bind 127.0.0.1 --dir "$dir" --save ''
			--appendonly "$aof" --appendfsync always)
	else
		server=("$B/pacelab-replica" --proto single --id 0 --peers 127.0.0.1
			--peer-port "$(free_port)" --listen "127.0.0.1:$port" --dir "$dir"
			--fsync "$2")
	fi
	taskset -c "$SERVER_CORE" "${server[@]}" >"$dir/log" 2>&1 &
	pid=$!
	at_exit "kill $pid 2>/dev/null"
	wait_until "$START_SECONDS" answers "$port" || {
		echo "  $1 does not answer: $(tail -n 1 "$dir/log")"
		return 1
	}
}

stop() {
	kill "$1"
	wait "$1" 2>/dev/null
}

# cpu_ms PID: processor time that it has used.
cpu_ms() {
	awk -v hz="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$1/stat"
}

# measure PID PORT TEST PIPELINE REQUESTS: prints requests per second, the p99 in ms, and the
# server's processor time per request in us: the client's core may be the one that is full.
measure() {
	local before
	before=$(cpu_ms "$1")
	taskset -c "$CLIENT_CORE" redis-benchmark -p "$2" -t "$3" -P "$4" -n "$5" \
		-c "$CLIENTS" -r "$KEYS" --csv | tr -d '"' |
		awk -F, 'NR == 2 { printf "%s %s ", $2, $7 }'
	awk -v ms="$(($(cpu_ms "$1") - before))" -v n="$5" 'BEGIN { print ms * 1000 / n }'
}

# median COLUMN FILE
median() {
	sort -n -k "$1,$1" "$2" | awk -v c="$1" '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'
}

# beside TITLE TEST PIPELINE REQUESTS GOAL: in turn, so that both meet the same noise.
beside() {
	local title=$1 round name rps=() p99=() cpu=()
	rm -f "$tmp"/redis.rows "$tmp"/pacelab.rows
	for ((round = 0; round < ROUNDS; round++)); do
		measure "$redis_pid" "$redis_port" "$2" "$3" "$4" >>"$tmp/redis.rows"
		measure "$pacelab_pid" "$pacelab_port" "$2" "$3" "$4" >>"$tmp/pacelab.rows"
	done
	for name in redis pacelab; do
		rps+=("$(median 1 "$tmp/$name.rows")")
		p99+=("$(median 2 "$tmp/$name.rows")")
		cpu+=("$(median 3 "$tmp/$name.rows")")
	done
	line "$title" "$(printf '%.0f | %.0f' "${rps[@]}")" "op/s" "-"
	line "  ratio" "$(ratio "${rps[1]}" "${rps[0]}")" "times" "$5"
	line "  p99" "$(printf '%.2f | %.2f' "${p99[@]}")" "ms" "lower"
	line "  server's processor time per operation" "$(printf '%.2f | %.2f' "${cpu[@]}")" "us" \
		"-"
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'
}

servers() {
	local fsync redis_pid pacelab_pid redis_port pacelab_port
	wanted redis || return 0
	if [ ! -x "$B/pacelab-replica" ] || ! command -v redis-benchmark >/dev/null; then
		echo "  redis: needs redis-server, redis-benchmark and pacelab-replica"
		return 0
	fi
	echo
	echo "  redis-server | pacelab-replica, on one core in turn, medians of $ROUNDS"
	for fsync in none always; do
		start redis "$fsync" || return 1
		redis_port=$port redis_pid=$pid
		start pacelab "$fsync" || return 1
		pacelab_port=$port pacelab_pid=$pid
		if [ "$fsync" = none ]; then
			beside "SET, 50 connections" set 1 100000 ">= 1.3"
			beside "GET, 50 connections" get 1 100000 ">= 1.3"
			beside "SET, pipelined by 16" set 16 1000000 ">= 2"
			beside "GET, pipelined by 16" get 16 1000000 ">= 2"
		else
			beside "SET with fsync, 50 connections" set 1 50000 ">= 2"
			beside "SET with fsync, pipelined by 16" set 16 300000 "-"
		fi
		stop "$redis_pid"
		stop "$pacelab_pid"
	done
}

selection=("$@")
failures=0
machine
programs
servers || failures=$((failures + 1))
[ "$failures" -eq 0 ]
