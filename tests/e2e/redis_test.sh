#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# redis_test.sh - the driver for Redis against real servers, Sentinels and a cluster on loopback
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

command -v redis-server >/dev/null || skip_all "no redis-server"
[ -e "$B/drivers/redis.so" ] || skip_all "the driver for Redis was not built"
pacelab=$B/pacelab

net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250))
nodes=$net.1,$net.2,$net.3
port=$((RANDOM % 2000 + 20000))
sentinel=$((port + 1))
cluster=$((port + 2)) # and the next one; their buses 10000 above

# start NAME ARGUMENTS...: a server with its folder; stop NAME: at once.
declare -A pid
start() {
	local name=$1
	shift
	mkdir -p "$tmp/$name"
	(cd "$tmp/$name" && exec redis-server "$@") >>"$tmp/$name.log" 2>&1 &
	pid[$name]=$!
}
stop() {
	kill -9 "${pid[$1]}"
	wait "${pid[$1]}" 2>/dev/null
	unset "pid[$1]"
}
stop_all() {
	[ "${#pid[@]}" -eq 0 ] || kill -9 "${pid[@]}" 2>/dev/null
	wait
}
at_exit stop_all

server() {
	start "server$1" --bind "$net.$1" --bind-source-addr "$net.$1" --port "$port" --save "" \
		--repl-diskless-sync-delay 0 --repl-ping-replica-period 1 --repl-timeout 3 \
		--protected-mode no "${@:2}"
}
sentinel() {
	mkdir -p "$tmp/sentinel$1"
	cat >"$tmp/sentinel$1/sentinel.conf" <<-CONF
		bind $net.$1
		bind-source-addr $net.$1
		port $sentinel
		protected-mode no
		sentinel monitor m $net.1 $port 2
		sentinel down-after-milliseconds m 60000
		sentinel failover-timeout m 2000
	CONF
	start "sentinel$1" sentinel.conf --sentinel
}
# patient_sentinels MS: so long a silence is none; on a busy machine no second is without one.
patient_sentinels() {
	local i
	for i in 1 2 3; do
		timeout 5 redis-cli -e -h "$net.$i" -p "$sentinel" \
			SENTINEL SET m down-after-milliseconds "$1" || return 1
	done
}
cli() {
	timeout 5 redis-cli -e -h "$net.$1" -p "$port" "${@:2}"
}

# driver CONTACT SETTINGS REQUEST...: what it says; says ANSWER CONTACT SETTINGS REQUEST...
driver() {
	timeout 20 "$pacelab" driver redis --nodes "$nodes" --port "${use_port:-$port}" \
		--contact $(($1 - 1)) --settings "$2" --deadline "${patience:-10s}" "${@:3}" 2>&1
}
# What fails to connect was not sent: on a busy machine it may be asked again.
says() {
	local answer end=$((SECONDS + 10))
	while :; do
		answer=$(driver "${@:2}")
		# shellcheck disable=SC2053 # the expected answer is a pattern
		[[ $answer != $1 ]] || return 0
		[ "$answer" = 'fail connect' ] && [ "$SECONDS" -lt "$end" ] || break
	done
	echo "$answer"
	return 1
}
by_sentinel="topology=sentinel sentinel_port=$sentinel"

for i in 1 2 3; do
	if [ "$i" -eq 1 ]; then server 1; else server "$i" --replicaof "$net.1 $port"; fi
	sentinel "$i"
done
check status__is_ready_when_all_know_each_other wait_until 30 eval \
	"says 'ready leader 0 * master' 1 '$by_sentinel' status &&
	says 'ready follower 0 * slave' 2 '$by_sentinel' status &&
	says 'ready follower 0 * slave' 3 '$by_sentinel' status" ||
	tail -n 5 "$tmp"/*.log

check read__of_nothing_is_nil says 'ok nil' 2 "$by_sentinel" read k1
check write__goes_to_the_primary_from_anywhere says ok 2 "$by_sentinel" write k1 5
check read__sees_it says 'ok 5' 3 "$by_sentinel" read k1
check cas__changes_what_it_expects says ok 3 "$by_sentinel" cas k1 5 6
check cas__leaves_what_it_does_not_expect says unmet 3 "$by_sentinel" cas k1 5 7
check read__is_local_if_told_to wait_until 5 says 'ok 6' 3 "$by_sentinel reads=local" read k1
check primary__is_found_without_sentinel says ok 3 topology=replicas write k1 7

check wait__for_all_replicas_is_acknowledged says ok 1 "$by_sentinel wait=2" write k1 8
# The answer to the WAIT, or none if this machine is busy.
patience=1s
check wait__for_more_than_there_are_is_unknown \
	says 'unknown *' 1 "$by_sentinel wait=3" write k1 9
check wait__does_not_undo says 'ok 9' 1 "$by_sentinel" read k1
check wait__of_a_cas_is_unknown_too \
	says 'unknown *' 1 "$by_sentinel wait=3" cas k1 9 10
patience=

check replica__refuses_writes says 'fail refused' 2 topology=single write k1 11
check replica__refuses_cas_whatever_it_has says 'fail refused' 2 topology=single cas k1 99 11
cli 1 config set min-replicas-to-write 3 >/dev/null
check noreplicas__is_a_failure_of_write says 'fail refused' 1 "$by_sentinel" write k1 12
check noreplicas__is_a_failure_of_cas says 'fail refused' 1 "$by_sentinel" cas k1 10 12
cli 1 config set min-replicas-to-write 0 >/dev/null
check refused__had_no_effect says 'ok 10' 1 "$by_sentinel" read k1

# A process that does not answer: the kernel takes the request for it, and it is done later.
kill -STOP "${pid[server1]}"
patience=500ms
check paused__is_unknown_of_a_write says 'unknown timeout' 1 topology=single write k1 13
check paused__is_a_failure_of_a_read says 'fail timeout' 1 topology=single read k1
kill -CONT "${pid[server1]}"
patience=
check unknown__may_have_had_an_effect wait_until 10 says 'ok 13' 1 topology=single read k1

check sentinels__are_told_to_be_quick patient_sentinels 1000
stop server1
check refused_connection__is_a_failure says 'fail connect' 1 topology=single write k1 14
check failover__is_followed wait_until 40 says ok 1 "$by_sentinel" write k1 15
check failover__has_a_new_leader wait_until 20 eval \
	"says '* leader 1 * master' 2 '$by_sentinel' status ||
	says '* leader 2 * master' 3 '$by_sentinel' status"
# Who leads misses a replica; a follower sees its leader alone.
check status__is_not_ready_without_a_member eval \
	"! says 'ready leader *' 2 '$by_sentinel' status &&
	! says 'ready leader *' 3 '$by_sentinel' status"
check status__of_a_dead_server_is_none says 'fail *' 1 "$by_sentinel" status
server 1 --replicaof "$net.2 $port"
check restarted__is_a_replica_that_sentinels_take_back wait_until 40 eval \
	"says 'ready *' 1 '$by_sentinel' status && says 'ready *' 2 '$by_sentinel' status &&
	says 'ready *' 3 '$by_sentinel' status" || tail -n 20 "$tmp"/sentinel*.log
stop_all
pid=()

# Three masters, three replicas.
members=()
for p in "$cluster" $((cluster + 1)); do
	for i in 1 2 3; do
		start "cluster$i-$p" --bind "$net.$i" --bind-source-addr "$net.$i" --port "$p" \
			--save "" --protected-mode no --cluster-enabled yes \
			--cluster-announce-ip "$net.$i" --cluster-node-timeout 5000 \
			--cluster-require-full-coverage no --repl-diskless-sync-delay 0
		members+=("$net.$i:$p")
	done
done
all_there() {
	local m
	for m in "${members[@]}"; do
		redis-cli -e -h "${m%:*}" -p "${m#*:}" ping || return 1
	done
}
wait_until 20 all_there
timeout 60 redis-cli --cluster create "${members[@]}" --cluster-replicas 1 --cluster-yes \
	>"$tmp/create.log" 2>&1
use_port=$cluster
in_cluster="topology=cluster servers=2"
check cluster__is_ready_when_all_slots_have_two wait_until 30 eval \
	"says 'ready follower - * master' 1 '$in_cluster' status &&
	says 'ready follower - * master' 2 '$in_cluster' status &&
	says 'ready follower - * master' 3 '$in_cluster' status" ||
	cat "$tmp/create.log"

# Two rounds over 40 keys on one connection: the second knows each owner, so its slots are right.
redirections() {
	local i
	for i in 1 2 3; do
		redis-cli -h "$net.$i" -p "$cluster" info errorstats | tr -d '\r' |
			sed -n 's/^errorstat_MOVED:count=//p'
	done | paste -sd + | bc
}
owners_are_remembered() {
	local before after
	{
		for i in {1..40}; do echo "write k$i $i"; done
		echo "read k1"
	} >"$tmp/once"
	{
		cat "$tmp/once"
		for i in {1..40}; do echo "read k$i"; done
	} >"$tmp/twice"
	before=$(redirections)
	driver 1 "$in_cluster" <"$tmp/once" >"$tmp/first" || return 1
	after=$(redirections)
	[ "$((after - before))" -gt 0 ] && [ "$((after - before))" -le 40 ] || return 1
	driver 1 "$in_cluster" <"$tmp/twice" >"$tmp/second" || return 1
	echo "$before $after $(redirections)"
	[ "$(redirections)" -eq $((2 * after - before)) ] &&
		[ "$(grep -c '^ok' "$tmp/second")" -eq 81 ]
}
check cluster__owners_are_remembered wait_until 30 owners_are_remembered
check cluster__cas says ok 2 "$in_cluster" cas k1 1 2
check cluster__wait_has_one_replica says ok 2 "$in_cluster wait=1" write k1 3
patience=1s
check cluster__wait_for_two_is_unknown says 'unknown *' 2 "$in_cluster wait=2" write k1 4
patience=

# Without two of three masters nobody is elected: refused after the time-out of the bus.
stop "cluster2-$cluster"
stop "cluster3-$cluster"
refused() {
	driver 1 "$in_cluster" <"$tmp/once" >"$tmp/refused"
	grep -q '^fail refused' "$tmp/refused"
}
check clusterdown__is_a_failure wait_until 40 refused
tap_done
