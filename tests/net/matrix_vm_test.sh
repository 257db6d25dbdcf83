#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# chance_vm_test.sh - the same seed drops and doubles the same packets on two kernels and emulators
#
# Runs tests/net/chance_test in a virtual machine, where the links are slow by netem, and here, where
# they are by the wire emulator, and compares the digests of which packets arrived how often.
# Without QEMU or the kernel package scripts/vm.sh ends with 77 and the reason, which skips the suite.
set -uo pipefail

fail() {
	echo "# $1"
	echo "not ok 1 - the_same_seed_drops_the_same_packets_on_wire_and_on_netem"
	exit 1
}

[ "$(id -u)" -eq 0 ] || {
	echo "1..0 # SKIP elsewhere: root is needed"
	exit 0
}
there=$(scripts/vm.sh "$B/tests/net/chance_test" 2>&1)
status=$?
[ "$status" -ne 77 ] || {
	echo "$there"
	exit 77
}
echo "1..1"
# shellcheck disable=SC2001
sed 's/^/# netem: /' <<<"$there"
[ "$status" -eq 0 ] || fail "in the virtual machine it ended with $status"
here=$("$B/tests/net/chance_test" 2>&1) || fail "here it failed: $here"
# shellcheck disable=SC2001
sed 's/^/# wire: /' <<<"$here"

digests() {
	grep -o 'digest of seed [0-9]*: [0-9a-f]*' <<<"$1"
}

[ "$(digests "$there" | wc -l)" -eq 3 ] || fail "no three digests"
[ "$(digests "$there")" = "$(digests "$here")" ] || fail "the digests differ"
echo "ok 1 - the_same_seed_drops_the_same_packets_on_wire_and_on_netem"
