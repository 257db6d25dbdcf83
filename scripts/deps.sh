#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# deps.sh - the one list of packages; installs what is missing (Debian, Ubuntu)
#
#   scripts/deps.sh            build, run and test
#   scripts/deps.sh --systems  real databases and the libraries of their drivers
#   either with --list         print the list
#
# No service is started, and none of a package that was not there before is left enabled.
set -euo pipefail
cd "$(dirname "$0")/.."

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

# What the system files name, and the table of drivers.
of_systems() {
	cat /dev/null scripts/systems/*.lua | sed 's/--.*//' | tr '\n' ' ' |
		grep -o 'packages *= *{[^}]*}' | grep -o '"[^"]*"' | tr -d '"' || true
	sed -n 's/^\t{"[a-z]*", "[^"]*", "\([^"]*\)"},$/\1/p' agent/load/plugin.c
	# Whose clock can be set.
	! grep -qs '^ *skew = true' scripts/systems/*.lua || echo libfaketime
}

list=
for arg in "$@"; do
	case $arg in
	--list) list=yes ;;
	--systems) mapfile -t packages < <(of_systems | sort -u) ;;
	*)
		echo "deps.sh: '$arg' is neither --systems nor --list" >&2
		exit 64
		;;
	esac
done
if [ "$list" ]; then
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
policy=/usr/sbin/policy-rc.d

# What starts with the machine, as links.
enabled() {
	find /etc/systemd/system /etc/rc?.d \( -path '*.wants/*' -o -name 'S[0-9][0-9]*' \) \
		2>/dev/null | sort || true
}

disable() {
	local unit=${1##*/}
	case $1 in
	/etc/rc*) update-rc.d "${unit#S[0-9][0-9]}" disable ;;
	*) systemctl disable "$unit" || rm -f "$1" ;;
	esac >/dev/null 2>&1 || true
}

# A database server must not be started by its installation: policy-rc.d says no to all services.
at_exit() {
	rm -f "$policy"
	[ ! -e "$policy.deps" ] || mv "$policy.deps" "$policy"
}
status=0
[ -e "$policy" ] && { "$policy" redis-server start >/dev/null 2>&1 || status=$?; }
if [ "$status" -ne 101 ]; then
	[ ! -e "$policy" ] || mv "$policy" "$policy.deps"
	trap at_exit EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
before=$(enabled)
apt-get update -qq
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
comm -13 <(printf '%s\n' "$before") <(enabled) | while read -r link; do
	disable "$link"
done
