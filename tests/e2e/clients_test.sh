#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# clients_test.sh - programs made for Redis use the store unmodified
#
# The same commands (clients.txt) are sent to redis-server and to a replica, in RESP2 and RESP3,
# and must be answered alike, letter by letter. Then its own tools, and clients of three languages.
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250))
address=$net.$((RANDOM % 100 + 1))
redis=$net.$((RANDOM % 100 + 101))
dir=$tmp/data
mkdir "$dir"
command -v redis-cli >/dev/null || skip_all "no redis-cli"

cli() {
	timeout 60 redis-cli -h "$address" "$@"
}
# says TEXT COMMAND...: it succeeds and its output contains TEXT.
says() {
	local text=$1 said
	shift
	said=$("$@" 2>&1) || { echo "$said" && return 1; }
	case $said in
	*"$text"*) ;;
	*) echo "not '$text' but: $said" && return 1 ;;
	esac
}

start() {
	"$B/pacelab-replica" --proto single --id 0 --peers "$address" --dir "$dir" \
		>"$tmp/out" 2>"$tmp/log" &
	pid=$!
	wait_until 30 cli ping
}
raft_pids=
stop() {
	# shellcheck disable=SC2086
	kill ${pid:-} ${redis_pid:-} $raft_pids 2>/dev/null
	wait
}
at_exit stop
start || {
	not_ok clients__find_a_replica "$(cat "$tmp/log")"
	tap_done
}

# --- the same commands to both ---

# same_answers WHERE COMMANDS [LINES]: there are more lines than that.
same_answers() {
	local version
	for version in 2 3; do
		timeout 60 redis-cli "-$version" --no-raw -h "$redis" <"$2" >"$tmp/theirs" 2>&1
		timeout 60 redis-cli "-$version" --no-raw -h "$1" <"$2" >"$tmp/ours" 2>&1
		[ "$(wc -l <"$tmp/ours")" -gt "${3:-200}" ] || return 1
		diff "$tmp/theirs" "$tmp/ours" || return 1
		redis-cli -h "$1" --scan | xargs -d '\n' redis-cli -h "$1" del >/dev/null
		redis-cli -h "$redis" flushall >/dev/null
	done
}
# Through a replica that does not lead, which may know of keys a moment later than it answers.
raft_answers() {
	local i peers=$net.201,$net.202,$net.203
	for i in 0 1 2; do
		mkdir "$tmp/raft$i"
		"$B/pacelab-replica" --proto raft --id "$i" --peers "$peers" --dir "$tmp/raft$i" \
			--leader 0 >"$tmp/out" 2>"$tmp/log$i" &
		raft_pids="$raft_pids $!"
	done
	wait_until 30 sh -c "redis-cli -h $net.203 set ready 1 | grep -x OK" || return 1
	redis-cli -h "$net.203" del ready >/dev/null
	grep -vE '^(SCAN|KEYS|DBSIZE)' tests/e2e/clients.txt >"$tmp/commands"
	redis-cli -h "$net.203" info replication | grep -q role:follower &&
		same_answers "$net.203" "$tmp/commands"
}
# Sets and counters of their own, on a replica that is alone and on one of three.
set_answers() {
	local i peers=$net.$1,$net.$(($1 + 1)),$net.$(($1 + 2))
	[ "$2" -eq 3 ] || peers=$net.$1
	for i in $(seq 0 $(($2 - 1))); do
		mkdir "$tmp/crdt$1.$i"
		"$B/pacelab-replica" --proto crdt --id "$i" --peers "$peers" \
			--dir "$tmp/crdt$1.$i" >"$tmp/out" 2>"$tmp/log$i" &
		raft_pids="$raft_pids $!"
	done
	wait_until 30 sh -c "redis-cli -h $net.$1 set ready 1 | grep -x OK" || return 1
	redis-cli -h "$net.$1" del ready >/dev/null
	same_answers "$net.$1" tests/e2e/clients_sets.txt 90
}
if command -v redis-server >/dev/null; then
	redis-server --port 6379 --bind "$redis" --save '' --appendonly yes --appendfsync always \
		--dir "$tmp" >/dev/null &
	redis_pid=$!
	check redis_server__is_there wait_until 30 redis-cli -h "$redis" ping
	check clients__get_the_answers_of_redis same_answers "$address" tests/e2e/clients.txt
	raft_answers >"$tmp/said" 2>&1 && ok clients__get_them_from_a_follower_of_raft ||
		not_ok clients__get_them_from_a_follower_of_raft "$(cat "$tmp/said" "$tmp"/log?)"
	# Not by check: what it starts would be forgotten with its subshell, and left behind.
	set_answers 211 1 >"$tmp/said" 2>&1 && ok clients__get_the_answers_of_redis_from_sets ||
		not_ok clients__get_the_answers_of_redis_from_sets "$(cat "$tmp/said")"
	set_answers 221 3 >"$tmp/said" 2>&1 && ok clients__get_them_from_sets_that_are_merged ||
		not_ok clients__get_them_from_sets_that_are_merged "$(cat "$tmp/said")"
	# shellcheck disable=SC2086
	kill $raft_pids "$redis_pid" 2>/dev/null
	raft_pids=
	redis_pid=
else
	skip clients__get_the_answers_of_redis "no redis-server"
fi

# --- Redis's own tools ---

scans_all() {
	local i
	for i in $(seq 500); do echo "SET scan:$i $i"; done | cli >/dev/null
	cli --scan --pattern 'scan:*' | sort >"$tmp/keys"
	for i in $(seq 500); do echo "scan:$i"; done | sort | diff - "$tmp/keys"
}
check redis_cli__scans_every_key scans_all
check redis_cli__finds_big_keys says "Sampled 5" cli --bigkeys
# Statistics come once a second until somebody stops reading.
# They find keys, clients and requests in what INFO says, and a least, largest and mean time.
check redis_cli__shows_statistics \
	sh -c "timeout 60 stdbuf -oL redis-cli -h $address --stat -i 1 |
		grep -m 1 -E '^5[0-9]+ +[0-9.]+[BKMG] +[1-9]'"
check redis_cli__measures_latency \
	sh -c "timeout 60 redis-cli -h $address --latency -i 1 |
		grep -E '^[0-9]+ [0-9]+ [0-9.]+ [0-9]+$'"
check redis_cli__speaks_resp3 says '1# "server" => "pacelab"' cli -3 --no-raw hello 3
check redis_cli__shows_help_of_this_replica says "Sets the string value" cli help set
check redis_cli__reads_info_as_text says "uptime_in_seconds:" cli -3 info server
check redis_cli__sends_pipes says "errors: 0, replies: 2" \
	sh -c "printf 'SET p 1\r\nGET p\r\n' | redis-cli -h $address --pipe"

benchmark() {
	timeout 60 redis-benchmark -h "$address" -t ping_mbulk,set,get,incr,mset \
		-n 2000 -c 10 -q "$@" \
		>"$tmp/bench" 2>&1 || { cat "$tmp/bench" && return 1; }
	! grep -i error "$tmp/bench" || return 1
	tr '\r' '\n' <"$tmp/bench" | grep -c 'requests per second' | grep -qx 5
}
check redis_benchmark__runs_what_is_there benchmark
check redis_benchmark__runs_it_pipelined benchmark -P 16
check redis_benchmark__runs_it_in_resp3 benchmark -3

# --- clients of three languages ---

hiredis() {
	# shellcheck disable=SC2046
	cc -Wall -Wextra -Werror -o "$tmp/hiredis" tests/e2e/hiredis_client.c \
		$(pkg-config --cflags --libs hiredis) &&
		says right timeout 60 "$tmp/hiredis" "$address"
}
if pkg-config --exists hiredis 2>/dev/null; then
	check hiredis__works_unmodified hiredis
else
	skip hiredis__works_unmodified "no libhiredis-dev"
fi
node_path=$(npm root -g 2>/dev/null):/usr/share/nodejs:/usr/lib/nodejs
if NODE_PATH=$node_path node -e 'require("redis").commandOptions({})' 2>/dev/null; then
	check npm_redis__works_unmodified says right env NODE_PATH="$node_path" \
		timeout 60 node tests/e2e/client_redis.js "$address"
else
	skip npm_redis__works_unmodified "no node-redis 4"
fi
if /usr/bin/python3 -c 'import redis' 2>/dev/null; then
	check python_redis__works_unmodified says right \
		timeout 60 /usr/bin/python3 tests/e2e/client_redis.py "$address"
else
	skip python_redis__works_unmodified "no python3-redis"
fi

check replica__is_still_there says PONG cli ping
tap_done
