#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# matrix_vm_test.sh - the matrix program on another kernel and before another emulator
#
# Runs tests/net/change_test and chance_test in a virtual machine, where netem makes the links slow,
# and compares: the same seed drops and doubles the same packets there and here. The tests of the
# wire emulator and of evidence run in the same machine: Linux 6.1 is the oldest that they must work
# on. Without QEMU or the kernel package scripts/vm.sh ends with 77 and the reason, which skips the
# suite.
set -uo pipefail

# done_with NUMBER NAME WHY: an empty WHY is success.
done_with() {
	[ -z "$3" ] || echo "# $3"
	echo "${3:+not }ok $1 - $2"
	[ -z "$3" ] || failed=1
}

# note WHERE TEXT: each line a comment.
note() {
	while read -r line; do
		echo "# $1: $line"
	done <<<"$2"
}

digests() {
	grep -o 'digest of seed [0-9]*: [0-9a-f]*' <<<"$1"
}

[ "$(id -u)" -eq 0 ] || {
	echo "1..0 # SKIP elsewhere: root is needed"
	exit 0
}
failed=0
# shellcheck disable=SC2016 # the guest expands it
there=$(scripts/vm.sh bash -c '"$0"; status=$?; "$1" || status=1
	"$2" && echo "wire: all passed"; "$3" && echo "evidence: all passed"; exit $status' \
	"$B/tests/net/change_test" "$B/tests/net/chance_test" "$B/tests/net/wire_test" \
	"$B/tests/net/evidence_test" 2>&1)
status=$?
[ "$status" -ne 77 ] || {
	echo "$there"
	exit 77
}
echo "1..4"
note netem "$there"
why=
[ "$status" -eq 0 ] || why="the tests in the virtual machine ended with $status"
done_with 1 every_test_of_changes_and_chance_passes_on_netem "$why"

here=$("$B/tests/net/chance_test" 2>&1)
status=$?
note wire "$here"
why=
[ "$(digests "$there")" = "$(digests "$here")" ] || why="the digests differ"
[ "$(digests "$here" | wc -l)" -eq 3 ] || why="there are not three digests"
[ "$status" -eq 0 ] || why="the test here ended with $status"
done_with 2 the_same_seed_drops_the_same_packets_on_wire_and_on_netem "$why"

why=
grep -q '^wire: all passed' <<<"$there" || why="the tests of wire failed"
done_with 3 every_test_of_the_wire_emulator_passes_on_linux_6_1 "$why"

why=
grep -q '^evidence: all passed' <<<"$there" || why="the tests of evidence failed"
done_with 4 every_test_of_evidence_passes_on_netem "$why"
exit "$failed"
