#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# netem_vm_test.sh - the netem tests on a kernel that has netem, where the host's has not
#
# The program's own TAP comes out of the virtual machine. Without QEMU or the kernel package
# scripts/vm.sh ends with 77 and the reason, which skips the suite.
set -uo pipefail

here=()
[ "$(id -u)" -eq 0 ] || here=(-r)
if unshare "${here[@]}" -n tc qdisc add dev lo root netem delay 1ms 2>/dev/null; then
	echo "1..0 # SKIP elsewhere: this kernel has sch_netem, tests/net/netem_test runs on it"
	exit 0
fi
exec scripts/vm.sh "$B/tests/net/netem_test"
