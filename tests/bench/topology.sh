#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# topology.sh - what a lab's network costs by ip -batch and tc -batch, for net_bench to compare
#
#	tests/bench/topology.sh NODES     prints milliseconds: ip, tc, remove
#
# The same nodes: a namespace each, a veth pair, a bridge with static entries, addresses and
# permanent neighbours; then HTB with a class and a bfifo for each directed link. It all happens in
# namespaces of its own, for networks and for mounts, and is gone with them.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
	exec unshare --net --mount --propagation private "$0" --inside "${1:?how many nodes?}"
fi
readonly NODES=$2
mount -t tmpfs none /run
tmp=$(mktemp -d -p /run)

address() {
	echo "10.99.$(($1 / 256)).$(($1 % 256))"
}

mac() {
	printf '02:00:00:00:%02x:%02x' $(($1 / 256)) $(($1 % 256))
}

write_batches() {
	local i j class rate="rate 100gbit quantum 60000"
	{
		echo "link add switch type bridge"
		echo "link set switch up"
		for ((i = 1; i <= NODES; i++)); do
			echo "netns add n$i"
			echo "link add n$i type veth peer name eth0 address $(mac "$i") netns n$i"
			echo "link set n$i master switch"
			echo "link set n$i type bridge_slave learning off flood off"
			echo "link set n$i up"
		done
	} >"$tmp/ip"
	for ((i = 1; i <= NODES; i++)); do
		echo "fdb replace $(mac "$i") dev n$i master static"
	done >"$tmp/fdb"
	for ((i = 1; i <= NODES; i++)); do
		echo "link set eth0 up"
		echo "addr add $(address "$i")/16 dev eth0"
		for ((j = 1; j <= NODES; j++)); do
			[ "$i" != "$j" ] || continue
			echo "neigh add $(address "$j") lladdr $(mac "$j") dev eth0"
		done
	done | awk -v dir="$tmp" -v nodes="$NODES" '
		/^link/ { n++ }
		{ print >(dir "/node" n) }'
	for ((i = 1; i <= NODES; i++)); do
		echo "qdisc add dev n$i root handle 1: htb"
		for ((j = 1; j <= NODES; j++)); do
			[ "$i" != "$j" ] || continue
			class=1:$(printf %x $((j + 1)))
			echo "class add dev n$i parent 1: classid $class htb $rate"
			echo "qdisc add dev n$i parent $class bfifo limit 16mb"
		done
	done >"$tmp/tc"
	for ((i = 1; i <= NODES; i++)); do
		echo "link del n$i"
		echo "netns del n$i"
	done >"$tmp/remove"
}

# since MICROSECONDS: milliseconds, with one digit behind the point
since() {
	local us=$((${EPOCHREALTIME/./} - $1))
	echo "$((us / 1000)).$((us % 1000 / 100))"
}

write_batches
begin=${EPOCHREALTIME/./}
ip -batch "$tmp/ip"
bridge -batch "$tmp/fdb"
for ((i = 1; i <= NODES; i++)); do
	ip -n "n$i" -batch "$tmp/node$i"
done
by_ip=$(since "$begin")
begin=${EPOCHREALTIME/./}
tc -batch "$tmp/tc"
by_tc=$(since "$begin")
begin=${EPOCHREALTIME/./}
ip -batch "$tmp/remove"
echo "$by_ip $by_tc $(since "$begin")"
