#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# deps.sh - the one list of packages; installs what is missing (Debian, Ubuntu)
#
#   scripts/deps.sh          build, run and test
#   scripts/deps.sh --list   print the list
set -euo pipefail

packages=(
	gcc make pkg-config
	libnl-3-dev libnl-route-3-dev libmnl-dev liburing-dev liblua5.4-dev libjansson-dev
	libexpat1-dev libmicrohttpd-dev
	libcmocka-dev
	# charts of reports, at run time
	gnuplot-nox
	# witnesses in the tests
	iproute2 iputils-ping procps tcpdump iperf3 redis-tools redis-server python3 nftables
	python3-jsonschema tidy libxml2-utils curl
	libhiredis-dev node-redis python3-redis
	# the terminal of tests
	tmux
	# make bench-store
	etcd-server etcd-client
	# make lint
	clang clang-format clang-tidy cppcheck shellcheck
	# scripts/vm.sh: a kernel with netem
	qemu-system-x86 busybox-static cpio
)

if [ "${1:-}" = --list ]; then
	printf '%s\n' "${packages[@]}"
	exit 0
fi
if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: no dpkg here; install what 'scripts/deps.sh --list' prints by hand" >&2
	exit 0
fi

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps.sh: missing: ${missing[*]}; as root: apt-get install ${missing[*]}" >&2
	exit 77
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# A database server must not be started by its installation: policy-rc.d says no to all services.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
