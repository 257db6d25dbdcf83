#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# dns_driver_test.sh - the driver for DNS against BIND, NSD, Knot and unbound on loopback
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

for program in named nsd knotd unbound; do
	command -v "$program" >/dev/null || skip_all "no $program"
done
[ -e "$B/drivers/dns.so" ] || skip_all "the driver for DNS was not built"

# BIND listens only where an interface has the address.
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250))
primary=127.0.0.1
port=$((RANDOM % 2000 + 20000))
cache_port=$((port + 1))

# start NAME COMMAND...: in its folder
declare -A pid
start() {
	local name=$1
	shift
	(cd "$tmp/$name" && exec "$@") >>"$tmp/$name.log" 2>&1 &
	pid[$name]=$!
}
stop_all() {
	kill -CONT "${pid[@]}" 2>/dev/null
	kill -TERM "${pid[@]}" 2>/dev/null
	wait
}
at_exit stop_all
mkdir "$tmp"/{bind,nsd,knot,unbound}

cat >"$tmp/bind/named.conf" <<CONF
options {
	directory "$tmp/bind"; pid-file "$tmp/bind/pid"; session-keyfile "$tmp/bind/key";
	listen-on port $port { $primary; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; allow-query { any; }; allow-transfer { any; };
	notify explicit; also-notify { $net.2 port $port; $net.3 port $port; }; notify-delay 0;
};
controls { };
zone "lab" { type primary; file "lab.zone"; allow-update { any; }; };
CONF
cat >"$tmp/bind/lab.zone" <<ZONE
\$TTL 5
@ IN SOA n1.lab. root.lab. 1 2 1 3600 1
@ IN NS n1.lab.
n1 IN A $primary
ZONE
cat >"$tmp/nsd/nsd.conf" <<CONF
server:
  ip-address: $net.2@$port
  do-ip6: no
  username: ""
  zonesdir: "$tmp/nsd"
  pidfile: "$tmp/nsd/pid"
  zonelistfile: "$tmp/nsd/zone.list"
  xfrdfile: "$tmp/nsd/xfrd.state"
  xfrdir: "$tmp/nsd"
  database: ""
  server-count: 1
  xfrd-reload-timeout: 0
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "lab"
  zonefile: "lab.zone"
  allow-notify: 127.0.0.0/8 NOKEY
  request-xfr: $primary@$port NOKEY
  min-refresh-time: 1
  min-retry-time: 1
CONF
cat >"$tmp/knot/knot.conf" <<CONF
server:
  rundir: "$tmp/knot"
  listen: $net.3@$port
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "$tmp/knot"
log:
  - target: stderr
    any: info
remote:
  - id: primary
    address: $primary@$port
acl:
  - id: notify
    address: 127.0.0.0/8
    action: notify
zone:
  - domain: lab
    storage: "$tmp/knot"
    master: primary
    acl: notify
CONF
cat >"$tmp/unbound/unbound.conf" <<CONF
server:
  interface: $net.2
  port: $cache_port
  access-control: 127.0.0.0/8 allow
  do-ip6: no
  username: ""
  chroot: ""
  directory: "$tmp/unbound"
  pidfile: "$tmp/unbound/pid"
  use-syslog: no
  module-config: "iterator"
  num-threads: 1
  do-not-query-localhost: no
  target-fetch-policy: "0 0 0 0 0"
remote-control:
  control-enable: no
stub-zone:
  name: "lab"
  stub-addr: $net.2@$port
  stub-prime: no
CONF
# answers ADDRESS: it has the zone
answers() {
	dig +short +tcp +time=1 +tries=1 -p "$port" "@$1" lab SOA | grep -q root.lab
}
start bind named -g -4 -n 1 -c "$tmp/bind/named.conf"
wait_until 30 answers "$primary"
start nsd nsd -d -c "$tmp/nsd/nsd.conf"
start knot knotd -c "$tmp/knot/knot.conf"
start unbound unbound -d -c "$tmp/unbound/unbound.conf"

# driver CONTACT SETTINGS REQUEST...: what it says; says ANSWER CONTACT SETTINGS REQUEST...
driver() {
	timeout 20 "$B/pacelab" driver dns --nodes "$primary,$net.2,$net.3" --port "$port" \
		--contact $(($1 - 1)) --settings "zone=lab cache_port=$cache_port $2" \
		--deadline "${patience:-10s}" "${@:3}" 2>&1
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

check status__is_ready_when_all_have_the_zone wait_until 20 eval \
	"says 'ready leader 0 1 primary' 1 '' status &&
	says 'ready follower 0 1 secondary' 2 '' status &&
	says 'ready follower 0 1 secondary' 3 '' status" || tail -n 8 "$tmp"/*.log
check read__of_nothing_is_nil says 'ok nil' 2 '' read k1
check write__goes_to_the_primary_from_anywhere says ok 2 ttl=3 write k1 5
check read__at_the_primary_sees_it_at_once says 'ok 5' 3 reads=primary read k1
check read__at_nsd_sees_it_in_time wait_until 10 says 'ok 5' 2 '' read k1
check read__at_knot_sees_it_in_time wait_until 10 says 'ok 5' 3 '' read k1
check cas__changes_what_it_expects says ok 3 ttl=3 cas k1 5 6
check cas__leaves_what_it_does_not_expect says unmet 3 '' cas k1 5 7

# A cache has what it has heard once, for 3 s. This machine may be busy for longer: then it is tried
# again with other values.
check cache__has_it wait_until 10 eval \
	"says 'ok 6' 2 '' read k1 && says 'ok 6' 2 reads=cache read k1"
echo 100 >"$tmp/value"
cache_is_old() {
	local old new
	old=$(($(cat "$tmp/value") + 1)) new=$((old + 1))
	echo "$new" >"$tmp/value"
	says ok 2 ttl=3 write k1 "$old" && wait_until 10 says "ok $old" 2 reads=cache read k1 &&
		says ok 2 ttl=3 write k1 "$new" && wait_until 10 says "ok $new" 2 '' read k1 &&
		says "ok $old" 2 reads=cache read k1
}
check cache__goes_on_with_it_until_its_time_is_over wait_until 60 cache_is_old
check cache__asks_again_then \
	wait_until 20 says "ok $(cat "$tmp/value")" 2 reads=cache read k1

# A process that does not answer: the kernel takes the datagram for it.
kill -STOP "${pid[bind]}"
patience=500ms
check paused__is_unknown_of_a_write says 'unknown timeout' 2 '' write k1 9
kill -CONT "${pid[bind]}"
patience=
check unknown__may_have_had_an_effect wait_until 10 says 'ok 9' 1 '' read k1
check unknown__reaches_the_copies wait_until 20 says 'ok 9' 3 '' read k1

kill -KILL "${pid[bind]}"
wait "${pid[bind]}" 2>/dev/null
unset "pid[bind]"
check dead__is_a_failure_of_a_write says 'fail connect' 2 '' write k1 10
check dead__secondaries_answer says 'ok 9' 3 '' read k1
tap_done
