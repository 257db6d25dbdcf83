#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# replica_test.sh - pacelab-replica as a program: options, redis-cli, signals, exit statuses
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

replica=$B/pacelab-replica
address=127.$((RANDOM % 200 + 20)).$((RANDOM % 250)).$((RANDOM % 250 + 1))
dir=$tmp/data
mkdir "$dir"
command -v redis-cli >/dev/null || skip_all "no redis-cli"

# start: a lone replica in the background, $pid.
start() {
	"$replica" --proto single --id 0 --peers "$address" --dir "$dir" >"$tmp/out" 2>"$tmp/log" &
	pid=$!
}
cli() {
	redis-cli -h "$address" "$@"
}
up() {
	wait_until 5 cli ping
}
# ends STATUS: the replica ends with it.
ends() {
	local status=0
	wait "$pid" || status=$?
	pid=
	[ "$status" -eq "$1" ] || {
		echo "exit status $status"
		cat "$tmp/log"
		return 1
	}
}
kill_replica() {
	[ -z "${pid:-}" ] || kill -9 "$pid"
}
at_exit kill_replica

# verify NAME COMMAND...: as check, but in this shell: it starts replicas and waits for them.
verify() {
	local name=$1
	shift
	if "$@" >"$tmp/said" 2>&1; then
		ok "$name"
	else
		not_ok "$name" "$(cat "$tmp/said" "$tmp/log")"
	fi
}

# refused TEXT OPTION...: exit status 64 and one line that says TEXT.
refused() {
	local text=$1 status=0
	shift
	"$replica" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	echo "exit status $status"
	cat "$tmp/err"
	[ "$status" -eq 64 ] && [ ! -s "$tmp/out" ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] &&
		grep -qF -- "$text" "$tmp/err"
}
refuses_bad_options() {
	local good=(--proto single --id 0 --peers "$address")
	refused "--proto is needed" &&
		refused "there is no protocol 'x'" --proto x &&
		refused "--peers is needed" --proto single --id 0 &&
		refused "--id is needed" --proto single --peers "$address" &&
		refused "'10.0.0' is not an IPv4 address" --peers 10.0.0 &&
		refused "there are only 1 --peers" --proto single --id 1 --peers "$address" &&
		refused "unknown option '--color'" "${good[@]}" --color red &&
		refused "--seed needs a value" "${good[@]}" --seed &&
		refused "--fsync" "${good[@]}" --fsync sometimes &&
		refused "--snapshot-log" "${good[@]}" --snapshot-log often &&
		refused "--election" "${good[@]}" --election 600ms-300ms &&
		refused "--request-timeout" "${good[@]}" --request-timeout -5ms &&
		refused "--heartbeat" "${good[@]}" --heartbeat 5parsecs &&
		refused "--listen" "${good[@]}" --listen localhost:1 &&
		refused "--peer-port" "${good[@]}" --peer-port 70000 &&
		refused "--leader 3" "${good[@]}" --leader 3 &&
		refused "--admin-fd" "${good[@]}" --admin-fd 0 &&
		refused "--dir" "${good[@]}" --dir /nonexistent
}
verify replica__refuses_bad_options_in_one_line refuses_bad_options

prints_help() {
	"$replica" --help | grep -q -- '--peers'
}
verify replica__prints_its_options prints_help

serves_redis_cli() {
	start && up && [ "$(cli set a 1)" = OK ] && [ "$(cli get a)" = 1 ] &&
		[ "$(cli set a 2 IFEQ 1)" = OK ] && [ "$(cli command count)" -gt 5 ] &&
		cli info | grep -q '^ready:1'
}
verify replica__serves_redis_cli serves_redis_cli

counts_and_appends() {
	[ "$(cli incr n)" = 1 ] && [ "$(cli decrby n 5)" = -4 ] && [ "$(cli incrby n 6)" = 2 ] &&
		[ "$(cli decr n)" = 1 ] && [ "$(cli append s ab)" = 2 ] &&
		[ "$(cli append s c)" = 3 ] && [ "$(cli get s)" = abc ] &&
		cli incr s | grep -q '^ERR value is not an integer'
}
verify replica__counts_and_appends counts_and_appends

verify replica__serves_redis_benchmark \
	redis-benchmark -h "$address" -t set,get,incr -n 2000 -c 10 -P 4 -q

ends_cleanly() {
	kill -TERM "$pid" && ends 0
}
verify replica__ends_with_0_at_sigterm ends_cleanly

survives_kill() {
	start && up && [ "$(cli set b 7)" = OK ] && kill -9 "$pid" && ! ends 0 &&
		start && up && [ "$(cli get b)" = 7 ] && kill "$pid" && ends 0
}
verify replica__keeps_what_it_acknowledged_through_kill_9 survives_kill

# info NAME: what INFO says of it
info() {
	cli info | tr -d '\r' | sed -n "s/^$1://p"
}
cuts_torn_tail() {
	local end file
	# It ends in prepared space, behind which there is more.
	start && up && end=$(info wal_file_end) && file=$(info wal_file) && kill "$pid" && ends 0 &&
		[ "$(stat -c %s "$dir/$file")" -gt "$end" ] || return 1
	printf torn | dd of="$dir/$file" bs=1 seek="$end" conv=notrunc status=none
	start && up && grep -q 'torn tail of 4 bytes cut at offset' "$tmp/log" &&
		cli info | grep -q '^torn_bytes:4' && [ "$(cli get b)" = 7 ] &&
		kill "$pid" && ends 0
}
verify replica__cuts_a_torn_tail_and_says_where cuts_torn_tail

refuses_flipped_byte() {
	cp "$dir/replica.log" "$tmp/sound"
	printf '\xff' | dd of="$dir/replica.log" bs=1 seek=57 conv=notrunc status=none
	start
	ends 65 && grep -q 'replica.log: damaged at offset 32 ' "$tmp/log" &&
		[ "$(wc -l <"$tmp/log")" -eq 1 ]
}
verify replica__refuses_a_flipped_byte_with_65 refuses_flipped_byte
cp "$tmp/sound" "$dir/replica.log"

refuses_log_of_another() {
	"$replica" --proto single --id 1 --peers "$address,127.0.0.9" --listen "$address:6380" \
		--dir "$dir" >"$tmp/out" 2>"$tmp/log" &
	pid=$!
	ends 65 && grep -q 'the log of another protocol or replica' "$tmp/log" &&
		[ "$(wc -l <"$tmp/log")" -eq 1 ]
}
verify replica__refuses_the_log_of_another_with_65 refuses_log_of_another

# has PREFIX COMMAND...: what redis-cli prints begins so
has() {
	local prefix=$1
	shift
	case $(cli "$@" 2>&1) in "$prefix"*) true ;; *) false ;; esac
}
# unless SET is refused, it goes on until the disk is full
fills_up() {
	! has OK set big "$value" && has "UNAVAILABLE disk full" set big "$value"
}
# within COMMAND...: in the namespace where the replica's small disk is mounted
within() {
	nsenter -t "$pid" -m "$@"
}
# start_small SIZE [OPTION...]: on a disk of its own
start_small() {
	local size=$1
	shift
	mkdir -p "$tmp/small"
	unshare -m --propagation private \
		sh -c 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"' \
		sh "$size" "$tmp/small" "$replica" --proto single --id 0 --peers "$address" \
		--dir "$tmp/small" "$@" >"$tmp/out" 2>"$tmp/log" &
	pid=$!
}
reads_on_a_full_disk() {
	value=$(printf '%09000d' 1)
	start_small 3m && up && has OK set b 7 &&
		within dd if=/dev/zero of="$tmp/small/other" bs=64k count=32 status=none &&
		wait_until 20 fills_up && [ "$(cli get b)" = 7 ] &&
		cli info | grep -q '^disk_full:1' && cli info | grep -q '^ready:0' &&
		grep -q 'replica.log: no room: No space left' "$tmp/log" || return 1
	within rm "$tmp/small/other" && wait_until 20 has OK set after 1 &&
		[ "$(grep -c 'no room' "$tmp/log")" -eq 1 ] &&
		grep -q 'there is room again' "$tmp/log" && cli info | grep -q '^disk_full:0' &&
		within cp -r "$tmp/small" "$tmp/full" && kill -9 "$pid" && ! ends 0 &&
		dir=$tmp/full && start && up &&
		[ "$(cli get after)" = 1 ] && [ "$(cli get b)" = 7 ] &&
		cli info | grep -q '^torn_bytes:0' && kill "$pid" && ends 0 && dir=$tmp/data
}
verify replica__reads_on_a_full_disk_and_writes_when_there_is_room reads_on_a_full_disk

survives_kill_with_interval() {
	"$replica" --proto single --id 0 --peers "$address" --dir "$dir" --fsync interval \
		>"$tmp/out" 2>"$tmp/log" &
	pid=$!
	up && cli info | grep -q '^fsync:interval' && [ "$(cli set c 8)" = OK ] && kill -9 "$pid" &&
		! ends 0 && start && up && [ "$(cli get c)" = 8 ] && kill "$pid" && ends 0
}
verify replica__keeps_what_it_answered_through_kill_9_without_fsync survives_kill_with_interval

# records PROTO: what `pacelab log` prints of a log in which a was set and b deleted
records() {
	mkdir "$tmp/$1"
	"$replica" --proto "$1" --id 0 --peers "$address" --dir "$tmp/$1" \
		>"$tmp/out" 2>"$tmp/log" &
	pid=$!
	up && wait_until 5 has OK set a four && has OK set b 'x y' && has 1 del b && kill "$pid" &&
		ends 0 && "$B/pacelab" log "$tmp/$1/replica.log" >"$tmp/printed" &&
		cat "$tmp/printed" &&
		grep -q "^log of replica 0, protocol $1\$" "$tmp/printed"
}
prints_logs() {
	records single && grep -Eq '^ +1 +32 +[0-9]+  set a, 4 bytes at' "$tmp/printed" &&
		grep -q 'del b at' "$tmp/printed" && [ "$(wc -l <"$tmp/printed")" -eq 5 ] &&
		records raft && grep -q 'term 1, vote for replica 0$' "$tmp/printed" &&
		grep -q 'entries from [0-9]*, 1: term 1 set a, 4 bytes at' "$tmp/printed" &&
		records quorum &&
		grep -q 'entry a, 4 bytes, version [0-9]* of replica 0$' "$tmp/printed" &&
		grep -q 'tombstone b, version' "$tmp/printed"
}
verify log__prints_a_line_for_each_record prints_logs

prints_json() {
	"$B/pacelab" log --json "$tmp/single/replica.log" >"$tmp/printed" && cat "$tmp/printed" &&
		[ "$(grep -c '"offset":' "$tmp/printed")" -eq 3 ] &&
		[ "$(head -c 1 "$tmp/printed")" = '[' ] &&
		[ "$(tr -d '\n' <"$tmp/printed" | tail -c 1)" = ']' ] &&
		grep -q '"what": *"set a, 4 bytes at' "$tmp/printed"
}
verify log__prints_json prints_json

# log_ends STATUS TEXT: pacelab log of the damaged copy does
log_ends() {
	local status=0
	"$B/pacelab" log "$tmp/copy" >"$tmp/printed" 2>"$tmp/err" || status=$?
	cat "$tmp/printed" "$tmp/err"
	[ "$status" -eq "$1" ] && grep -qF -- "$2" "$tmp/err"
}
names_damage() {
	local second
	second=$(awk '$1 == 2 { print $2 }' <<<"$("$B/pacelab" log "$tmp/single/replica.log")")
	cp "$tmp/single/replica.log" "$tmp/copy" &&
		printf '\xff' |
		dd of="$tmp/copy" bs=1 seek=$((second + 30)) conv=notrunc status=none &&
		log_ends 64 "$tmp/copy: damaged at offset $second (record 2)" &&
		grep -q 'set a, 4 bytes' "$tmp/printed" && [ "$(wc -l <"$tmp/printed")" -eq 3 ] &&
		echo not a log >"$tmp/copy" &&
		log_ends 64 "$tmp/copy: damaged at offset 0: no log of a replica" &&
		rm "$tmp/copy" && log_ends 64 "open $tmp/copy: No such file"
}
verify log__prints_up_to_the_damage_and_names_it names_damage

# snapshots KIND: with many of them, kill -9 loses nothing; the folder is printed whole
snapshots() {
	local round last
	rm -rf "$tmp/cut" && mkdir "$tmp/cut"
	for round in 1 2 3; do
		"$replica" --proto "$1" --id 0 --peers "$address" --dir "$tmp/cut" \
			--snapshot-log 100kb >"$tmp/out" 2>"$tmp/log" &
		pid=$!
		up && wait_until 5 has OK set ready 1 &&
			redis-benchmark -h "$address" -t set -r 300 -d 200 -n 4000 -c 10 -P 8 -q &&
			[ "$(cli set last "$round")" = OK ] && [ "$(info snapshots)" -gt 0 ] &&
			last=$(cli dbsize) && kill -9 "$pid" && ! ends 0 || return 1
	done
	"$replica" --proto "$1" --id 0 --peers "$address" --dir "$tmp/cut" \
		>"$tmp/out" 2>"$tmp/log" &
	pid=$!
	up && wait_until 5 has OK set ready 1 && [ "$(cli get last)" = 3 ] &&
		[ "$(cli dbsize)" = "$last" ] && [ ! -e "$tmp/cut/replica.log" ] &&
		"$B/pacelab" log "$tmp/cut" >"$tmp/printed" &&
		grep -q '^whole: [0-9]* records in place' "$tmp/printed" &&
		grep -q "^snapshot of replica 0, protocol $1\$" "$tmp/printed" &&
		kill "$pid" && ends 0
}
verify replica__loses_nothing_that_a_snapshot_replaced_in_single snapshots single
verify replica__loses_nothing_that_a_snapshot_replaced_in_raft snapshots raft
verify replica__loses_nothing_that_a_snapshot_replaced_in_quorum snapshots quorum

refuses_damaged_snapshot() {
	local file
	file=$(cd "$tmp/cut" && ls replica.snapshot.*) &&
		printf '\xff' | dd of="$tmp/cut/$file" bs=1 seek=200 conv=notrunc status=none
	dir=$tmp/cut
	"$replica" --proto quorum --id 0 --peers "$address" --dir "$dir" >"$tmp/out" 2>"$tmp/log" &
	pid=$!
	ends 65 && grep -q "$file: damaged at offset [0-9]* (record" "$tmp/log" &&
		[ "$(wc -l <"$tmp/log")" -eq 1 ]
}
verify replica__refuses_a_damaged_snapshot_with_65 refuses_damaged_snapshot

tap_done
