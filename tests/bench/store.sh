#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# store.sh - measures the store beside redis-server and etcd, each figure beside its goal
#
#	B=build PARTS="redis memory recovery snapshot etcd" tests/bench/store.sh
#
# redis: redis-benchmark, 50 connections, both servers on one core and the client on another, in
# turn, medians of BENCH_ROUNDS. Where the client's core or other work on the machine is the
# limit, the server's processor time per operation is the figure that says most.
# memory: 1 M keys of 16 bytes.
# recovery: kill -9 with a log of BENCH_LOG_MB, time to the first PONG.
# snapshot: the longest answer that a client with a rate of its own sees, with and without one.
# etcd: three nodes in namespaces of their own, every write on the disks of a majority, 64 and
# 256 clients of tests/bench/store_load.c at the leader: RESP for one, etcd's JSON gateway for the
# other.
# Nothing here fails because it is slow.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 70
B=$(cd "${B:-build}" && pwd -P) || exit 70

readonly ROUNDS=${BENCH_ROUNDS:-3}
readonly CLIENTS=50
readonly KEYS=100000
readonly SERVER_CORE=0
readonly CLIENT_CORE=$(($(nproc) > 1 ? 1 : 0))
readonly START_SECONDS=60
readonly MILLION=1000000
# Of the paced clients: a busy machine must keep up with it, or their queue is measured.
readonly RATE=${BENCH_RATE:-2000}
readonly LOG_MB=${BENCH_LOG_MB:-1024}
PARTS=${PARTS:-redis memory recovery snapshot etcd}

# The data of the servers lies beside the build: /tmp may be memory, where fsync costs nothing.
TMPDIR=$B
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

# line NAME VALUE UNIT GOAL
line() {
	printf '  %-50s %25s %-6s goal %s\n' "$@"
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'
}

# in_millions FORMAT A B: both, divided
in_millions() {
	awk -v f="$1 | $1" -v a="$2" -v b="$3" 'BEGIN { printf f, a / 1e6, b / 1e6 }'
}

# median COLUMN FILE
median() {
	sort -n -k "$1,$1" "$2" | awk -v c="$1" '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'
}

free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

answers() {
	[ "$(redis-cli -p "$1" ping 2>/dev/null)" = PONG ]
}

# start redis|pacelab none|always [DIR [OPTION...]]: sets port and pid.
start() {
	local dir=${3:-$tmp/$1-$2} aof=no server options=("${@:4}")
	mkdir -p "$dir"
	port=$(free_port)
	if [ "$1" = redis ]; then
		[ "$2" = none ] || aof=yes
		server=(redis-server --port "$port" --bind 127.0.0.1 --dir "$dir" --save ''
			--appendonly "$aof" --appendfsync always --auto-aof-rewrite-percentage 0)
	else
		server=("$B/pacelab-replica" --proto single --id 0 --peers 127.0.0.1
			--peer-port "$(free_port)" --listen "127.0.0.1:$port" --dir "$dir"
			--fsync "$2" "${options[@]}")
	fi
	# taskset becomes the server, so that $! is what is to be stopped.
	taskset -c "$SERVER_CORE" "${server[@]}" >"$dir/log" 2>&1 &
	pid=$!
	at_exit "kill $pid 2>/dev/null"
	wait_until "$START_SECONDS" answers "$port" || {
		echo "  $1 does not answer: $(tail -n 1 "$dir/log")"
		return 1
	}
}

# stop PID [SIGNAL]
stop() {
	kill "-${2:-TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null || true
}

# cpu_ms PID: processor time that it has used, its kernel threads for files included.
cpu_ms() {
	awk -v hz="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$1/stat"
}

# --- redis ---

# measure PID PORT TEST PIPELINE REQUESTS: operations/s, p50 and p99 in ms, server's us/operation.
measure() {
	local before
	before=$(cpu_ms "$1")
	taskset -c "$CLIENT_CORE" redis-benchmark -p "$2" -t "$3" -P "$4" -n "$5" \
		-c "$CLIENTS" -r "$KEYS" --csv 2>/dev/null | tr -d '"' |
		awk -F, 'NR == 2 { printf "%s %s %s ", $2, $5, $7 }'
	awk -v ms="$(($(cpu_ms "$1") - before))" -v n="$5" 'BEGIN { print ms * 1000 / n }'
}

# beside TITLE TEST PIPELINE REQUESTS GOAL: in turn, so that both meet the same noise.
beside() {
	local round name column rows=() both=()
	rm -f "$tmp"/redis.rows "$tmp"/pacelab.rows
	for ((round = 0; round < ROUNDS; round++)); do
		measure "$redis_pid" "$redis_port" "$2" "$3" "$4" >>"$tmp/redis.rows"
		measure "$pacelab_pid" "$pacelab_port" "$2" "$3" "$4" >>"$tmp/pacelab.rows"
	done
	for column in 1 2 3 4; do
		both=()
		for name in redis pacelab; do
			both+=("$(median "$column" "$tmp/$name.rows")")
		done
		rows+=("${both[*]}")
	done
	# shellcheck disable=SC2086 # two words
	{
		line "$1" "$(printf '%.0f | %.0f' ${rows[0]})" "op/s" "-"
		set -- "$5" ${rows[0]} ${rows[3]}
		line "  ratio" "$(ratio "$3" "$2")" "times" "$1"
		line "  ratio of processor time, server" "$(ratio "$4" "$5")" "times" "$1"
		line "  p50" "$(printf '%.2f | %.2f' ${rows[1]})" "ms" "-"
		line "  p99" "$(printf '%.2f | %.2f' ${rows[2]})" "ms" "lower"
		line "  processor time of the server" "$(printf '%.2f | %.2f' ${rows[3]})" \
			"us/op" "-"
	}
}

part_redis() {
	local fsync test pipeline goal redis_pid pacelab_pid redis_port pacelab_port
	echo "redis-server | pacelab-replica, on one core in turn, medians of $ROUNDS"
	for fsync in none always; do
		start redis "$fsync" || return 1
		redis_port=$port redis_pid=$pid
		start pacelab "$fsync" || return 1
		pacelab_port=$port pacelab_pid=$pid
		for test in set get; do
			[ "$fsync$test" != alwaysget ] || continue
			for pipeline in 1 16 64; do
				goal='>= 2'
				[ "$pipeline$fsync" != 1none ] || goal='>= 1.3'
				beside "${test^^}, fsync $fsync, pipelined by $pipeline" "$test" \
					"$pipeline" "$(requests "$fsync" "$pipeline")" "$goal"
			done
		done
		stop "$redis_pid"
		stop "$pacelab_pid"
	done
}

# requests FSYNC PIPELINE: so many that a run takes about a second or two on an idle core.
requests() {
	case $1$2 in
	none1) echo 100000 ;;
	none*) echo 1000000 ;;
	always1) echo 20000 ;;
	*) echo 150000 ;;
	esac
}

# --- memory ---

rss() {
	awk '/RssAnon/ { print $2 * 1024 }' "/proc/$1/status"
}

# fill PORT COUNT BYTES: keys of 16 bytes, each once.
fill() {
	awk -v n="$2" -v bytes="$3" 'BEGIN {
		while (length(value) < bytes) value = value "x"
		for (i = 0; i < n; i++)
			printf "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n",
				i, bytes, value
	}' | redis-cli -p "$1" --pipe >/dev/null
}

part_memory() {
	local size name before used=()
	echo "memory: redis-server | pacelab-replica, keys of 16 bytes"
	for size in 16 100; do
		used=()
		for name in redis pacelab; do
			start "$name" none "$tmp/$name-memory-$size" || return 1
			before=$(rss "$pid")
			fill "$port" "$MILLION" "$size"
			[ "$(redis-cli -p "$port" dbsize)" = "$MILLION" ] ||
				echo "  $name: keys are missing"
			used+=("$(($(rss "$pid") - before))")
			stop "$pid"
			rm -rf "$tmp/$name-memory-$size"
		done
		line "1 M keys, values of $size bytes" \
			"$(in_millions %.1f "${used[@]}")" \
			"MB" "lower"
		line "  per key" \
			"$(in_millions %.0f "${used[@]}")" \
			"bytes" "lower"
	done
}

# --- recovery ---

part_recovery() {
	local dir=$tmp/recovery begin end keys
	echo "recovery of pacelab-replica after kill -9"
	start pacelab none "$dir" --snapshot-log 0 || return 1
	redis-benchmark -p "$port" -t set -P 64 -c 16 -d 1000 -r "$MILLION" \
		-n "$((LOG_MB * 1000))" \
		-q >/dev/null 2>&1
	keys=$(redis-cli -p "$port" dbsize)
	stop "$pid" KILL
	# What the kernel still has to write is no part of recovery, but would be waited for.
	sync "$dir"/*
	line "log" "$(du -sm "$dir" | cut -f1)" "MB" "-"
	begin=$(date +%s%N)
	start pacelab none "$dir" --snapshot-log 0 || return 1
	end=$(date +%s%N)
	line "until it answers" "$(((end - begin) / 1000000))" "ms" "-"
	line "  its processor time" "$(cpu_ms "$pid")" "ms" "-"
	line "keys before | after" "$keys | $(redis-cli -p "$port" dbsize)" "" "equal"
	stop "$pid"
	rm -rf "$dir"
}

# --- snapshot ---

# paced TITLE: a row of p50, p99 and longest answer.
paced() {
	local row
	row=$("$B/tests/bench/store_load" --clients 8 --rate "$RATE" --seconds 8 --keys "$MILLION" \
		"127.0.0.1:$port") || return 1
	# shellcheck disable=SC2086 # words
	set -- "$1" $row
	line "$1" "$3 $4 $5" "ms" "-"
}

# of_info FIELD
of_info() {
	redis-cli -p "$port" info | tr -d '\r' | sed -n "s/^$1://p"
}

part_snapshot() {
	local dir=$tmp/snapshot
	echo "snapshot of 1 M keys while writing $RATE/s, fsync always: p50, p99, longest answer"
	start pacelab none "$dir" --snapshot-log 0 || return 1
	fill "$port" "$MILLION" 100
	stop "$pid"
	sync "$dir"/*
	start pacelab always "$dir" --snapshot-log 0 || return 1
	paced "without"
	stop "$pid"
	# The log is longer than this from the start: the first snapshot begins at once.
	start pacelab always "$dir" --snapshot-log 1mb || return 1
	paced "with"
	line "  snapshots | bytes of the last" \
		"$(of_info snapshots) | $(of_info snapshot_bytes)" "" ">= 1"
	line "  the last one took" "$(of_info snapshot_took_ms)" "ms" "-"
	line "  longest part of it" "$(of_info snapshot_part_us_max)" "us" "-"
	stop "$pid"
	rm -rf "$dir"
}

# --- etcd ---

readonly NET=10.253.77
# Bytes of a value, clients.
readonly LOADS="16 64
1000 64
16 256"
readonly NS=perf$$

# Three nodes and a hub with a bridge, where the clients are; no delay but the kernel's own.
nodes_build() {
	local i
	ip netns add "$NS-hub" || return 1
	at_exit "ip netns del $NS-hub"
	ip -n "$NS-hub" link add br0 type bridge && ip -n "$NS-hub" link set br0 up &&
		ip -n "$NS-hub" addr add "$NET.254/24" dev br0 || return 1
	for i in 0 1 2; do
		ip netns add "$NS-$i" || return 1
		at_exit "ip netns del $NS-$i"
		ip -n "$NS-hub" link add "n$i" type veth peer name eth0 netns "$NS-$i" &&
			ip -n "$NS-hub" link set "n$i" master br0 up &&
			ip -n "$NS-$i" link set lo up &&
			ip -n "$NS-$i" addr add "$NET.1$i/24" dev eth0 &&
			ip -n "$NS-$i" link set eth0 up || return 1
	done
}

# cluster etcd|pacelab: starts three; sets pids.
cluster() {
	local i all=() server
	pids=()
	for i in 0 1 2; do
		all+=("n$i=http://$NET.1$i:2380")
	done
	for i in 0 1 2; do
		mkdir -p "$tmp/$1-$i"
		if [ "$1" = etcd ]; then
			server=(etcd --name "n$i" --data-dir "$tmp/etcd-$i" --logger zap
				--listen-client-urls "http://$NET.1$i:2379"
				--advertise-client-urls "http://$NET.1$i:2379"
				--listen-peer-urls "http://$NET.1$i:2380"
				--initial-advertise-peer-urls "http://$NET.1$i:2380"
				--initial-cluster "$(IFS=,; echo "${all[*]}")"
				--initial-cluster-state new)
		else
			server=("$B/pacelab-replica" --proto raft --id "$i" --dir "$tmp/pacelab-$i"
				--peers "$NET.10,$NET.11,$NET.12" --leader 0 --fsync always)
		fi
		ip netns exec "$NS-$i" "${server[@]}" >"$tmp/$1-$i/log" 2>&1 &
		pids+=($!)
		at_exit "kill $! 2>/dev/null"
	done
}

# leader etcd|pacelab: prints its address, fails while there is none.
leader() {
	local i
	for i in 0 1 2; do
		if [ "$1" = pacelab ]; then
			in_hub redis-cli -h "$NET.1$i" info 2>/dev/null | grep -q '^role:leader' &&
				echo "$NET.1$i:6379" && return
		else
			ETCDCTL_API=3 in_hub etcdctl --endpoints "http://$NET.1$i:2379" \
				endpoint status -w fields 2>/dev/null | awk -F' : ' '
				/"MemberID"/ { me = $2 } /"Leader"/ { leader = $2 }
				END { exit !(me && me == leader) }' &&
			echo "$NET.1$i:2379" && return
		fi
	done
	return 1
}

in_hub() {
	ip netns exec "$NS-hub" timeout 60 "$@"
}

# syncs etcd|pacelab: fdatasyncs of the leader's log so far; nothing if it does not tell.
syncs() {
	if [ "$1" = etcd ]; then
		in_hub curl -s "http://$2/metrics" |
			awk '/^etcd_disk_wal_fsync_duration_seconds_count/ { print $2 }'
	else
		in_hub redis-cli -h "${2%:*}" info | tr -d '\r' | sed -n 's/^syncs://p'
	fi
}

# one_cluster etcd|pacelab SIZE CLIENTS: appends rows of store_load to $tmp/NAME.rows.
one_cluster() {
	local at round http=() before after row
	[ "$1" = pacelab ] || http=(--http)
	cluster "$1"
	wait_until "$START_SECONDS" leader "$1" >/dev/null || {
		echo "  $1 has no leader: $(tail -n 1 "$tmp/$1-0/log")"
		return 1
	}
	at=$(leader "$1")
	rm -f "$tmp/$1.rows"
	for ((round = 0; round < ROUNDS; round++)); do
		before=$(syncs "$1" "$at")
		row=$(in_hub "$B/tests/bench/store_load" "${http[@]}" --clients "$3" --size "$2" \
			--seconds 4 "$at") || return 1
		after=$(syncs "$1" "$at")
		# The load counts 4 of the 5 seconds in which the syncs were counted.
		echo "$row" | awk -v n="$((${after:-0} - ${before:-0}))" \
			'{ print $0, ($1 > 0 ? n / ($1 * 5) : 0) }' >>"$tmp/$1.rows"
	done
	stop_all
}

stop_all() {
	local p
	for p in "${pids[@]}"; do
		stop "$p"
	done
}

part_etcd() {
	local size clients name pids=() column both rows
	if ! command -v etcd >/dev/null || [ "$(id -u)" -ne 0 ]; then
		echo "etcd: needs etcd-server, etcd-client and root"
		return 0
	fi
	nodes_build || return 1
	echo "etcd $(etcd --version | awk 'NR == 1 { print $3 }') | pacelab-replica (raft)," \
		"three nodes, durable writes"
	while read -r size clients; do
		for name in etcd pacelab; do
			one_cluster "$name" "$size" "$clients" </dev/null || return 1
			rm -rf "$tmp/$name"-?
		done
		rows=()
		for column in 1 2 3 5 6 7; do
			both="$(median "$column" "$tmp/etcd.rows")"
			both+=" $(median "$column" "$tmp/pacelab.rows")"
			rows+=("$both")
		done
		# shellcheck disable=SC2086 # two words
		{
			line "$clients clients, writes of $size bytes" \
				"$(printf '%.0f | %.0f' ${rows[0]})" "op/s" "-"
			set -- ${rows[0]}
			line "  ratio" "$(ratio "$2" "$1")" "times" ">= 10"
			line "  p50" "$(printf '%.2f | %.2f' ${rows[1]})" "ms" "-"
			line "  p99" "$(printf '%.2f | %.2f' ${rows[2]})" "ms" "lower"
			line "  errors" "$(printf '%d | %d' ${rows[3]})" "" "0"
			line "  fdatasyncs of the leader per write" \
				"$(printf '%.3f | %.3f' ${rows[5]})" "" "-"
			line "  the client's own share of a core" \
				"$(printf '%.2f | %.2f' ${rows[4]})" "" "-"
		}
	done <<<"$LOADS"
}

echo "machine  $(nproc) cores, kernel $(uname -r), $(git describe --always --dirty 2>/dev/null)," \
	"load $(cut -d' ' -f1-3 /proc/loadavg)"
failures=0
for part in $PARTS; do
	echo
	"part_$part" || failures=$((failures + 1))
done
[ "$failures" -eq 0 ]
