#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# multimaster_test.sh - a conflict of two replicas as clients see it, and how they end it
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250))
peer_port=$((RANDOM % 10000 + 20000))
command -v redis-cli >/dev/null || skip_all "no redis-cli"

# start N [PROTOCOL]: replica N of two.
pid=()
start() {
	mkdir -p "$tmp/$1"
	"$B/pacelab-replica" --proto "${2:-multimaster}" --id "$1" --peers "$net.1,$net.2" \
		--peer-port "$peer_port" --dir "$tmp/$1" >"$tmp/$1.out" 2>>"$tmp/$1.log" &
	pid[$1]=$!
	wait_until 30 says "$1" PONG ping
}
end() {
	kill -9 "${pid[$1]}" 2>/dev/null
	wait "${pid[$1]}" 2>/dev/null
}
end_all() {
	kill -9 "${pid[@]}" 2>/dev/null
	wait
}
at_exit end_all

# cli N COMMAND...: of replica N. says N TEXT COMMAND...: its reply, all of it, lines sorted.
cli() {
	local n=$1
	shift
	timeout 20 redis-cli -h "$net.$((n + 1))" "$@" 2>&1
}
says() {
	local n=$1 text=$2
	shift 2
	[ "$(cli "$n" "$@" | sort | paste -sd ' ')" = "$text" ]
}
both() {
	wait_until 30 says 0 "$@" && wait_until 30 says 1 "$@"
}
told() {
	cli "$1" info | tr -d '\r' | grep -qx "$2"
}

# Never both at once until each has a write of its own.
conflicts() {
	start 0 && says 0 OK set k left || return 1
	end 0
	start 1 && says 1 OK set k right && start 0
}
if conflicts; then
	ok replicas__take_writes_while_the_other_is_away
else
	not_ok replicas__take_writes_while_the_other_is_away "$(tail -n 5 "$tmp"/*.log)"
fi
check conflict__is_listed_on_both both 'left right' values k
check conflict__is_counted_on_both eval 'told 0 conflicts:1 && told 1 conflicts:1'

winner=$(cli 0 get k)
loser=left
[ "$winner" = right ] || loser=right
check conflict__shows_the_same_winner_on_both says 1 "$winner" get k
check values__begin_with_the_winner says 1 "1) \"$winner\" 2) \"$loser\"" -3 --no-raw values k
check resolve__wants_a_key_and_a_value \
	says 0 " ERR wrong number of arguments for 'resolve' command" resolve k
check resolve__wants_no_more says 0 " ERR wrong number of arguments for 'resolve' command" \
	resolve k left right
check resolve__of_a_value_that_is_not_there_does_nothing says 0 0 resolve k never
check resolve__of_a_key_that_is_not_there_does_nothing says 0 0 resolve none left
check conflict__is_still_there both 'left right' values k
check resolve__ends_the_loser says 1 1 resolve k "$loser"
check resolve__leaves_the_winner_on_both both "$winner" values k
check conflict__is_gone_on_both eval 'told 0 conflicts:0 && told 1 conflicts:0'
check resolve__of_what_is_resolved_does_nothing says 0 0 resolve k "$loser"
check resolve__of_the_last_value_deletes_the_key says 0 1 resolve k "$winner"
check key__is_gone_on_both both '' values k

# Nobody else has branches.
other_store() {
	end 0
	end 1
	rm -rf "$tmp/0" && start 0 quorum &&
		cli 0 resolve k v | grep '^UNSUPPORTED' && cli 0 values k | grep '^UNSUPPORTED'
}
if other_store >"$tmp/said"; then
	ok resolve__is_refused_where_there_is_none
else
	not_ok resolve__is_refused_where_there_is_none "$(cat "$tmp/said")"
fi
tap_done
