#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bugs_test.sh - the simulator finds each bug that is put in on purpose, within its seeds
#
# The table is store/bugs.c. The same seeds must be clean in the normal build: then it is the bug
# that was found. And no normal build may know of them.
. tests/lib/tap.sh
# What is looked for is no wrong use of memory; the same simulator runs under them elsewhere.
case $B in
*/san-*) skip_all "elsewhere: bugs are hunted without sanitizers" ;;
esac

# A violation ends sim with 1, an assertion of a replica with SIGABRT (134); both name the seed.
hunt() {
	local status=0
	# The options are words. The braces keep bash's own "Aborted" off the terminal.
	# shellcheck disable=SC2086
	{ "$B/bug/sim" --bug "$1" --store "$2" --seeds "$3" $4 >"$tmp/hunt/$1.$2" 2>&1 ||
		status=$?; } 2>/dev/null
	echo "$status" >"$tmp/hunt/$1.$2.status"
}

finds() {
	local status
	sed 's/^/# /' "$tmp/hunt/$1.$2"
	status=$(cat "$tmp/hunt/$1.$2.status")
	[ "$status" -eq 1 ] || [ "$status" -eq 134 ] || return 1
	grep -q 'again: .*--seed' "$tmp/hunt/$1.$2"
}

clean() {
	# shellcheck disable=SC2086
	"$B/sim" --store "$1" --seeds "$2" $3 | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

# unknown PROGRAM: neither the choice nor a name is in it.
unknown() {
	strings -a "$1" >"$tmp/strings"
	nm "$1" >>"$tmp/strings"
	! cut -f 1 "$tmp/bugs" | sort -u | grep -F -f - "$tmp/strings" &&
		! grep -E 'PACELAB_BUG|bug_chosen|BUG_[A-Z]+_[A-Z]+' \
			"$tmp/strings"
}

# The search above is no proof unless it finds them where they are.
known() {
	! unknown "$1" >"$tmp/found" && grep -q log-drops-acked "$tmp/found"
}

enough() {
	[ "$(cut -f 1 "$tmp/bugs" | sort -u | wc -l)" -ge "$1" ]
}

"$B/bug/sim" --list-bugs >"$tmp/bugs"
mkdir "$tmp/hunt"
while IFS=$'\t' read -r name proto seeds options _; do
	[ "$options" != - ] || options=
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	hunt "$name" "$proto" "$seeds" "$options" &
done <"$tmp/bugs"
wait
while IFS=$'\t' read -r name proto _; do
	check "sim__finds_${name//-/_}_in_$proto" finds "$name" "$proto"
done <"$tmp/bugs"

# For each protocol and options the most seeds that any bug may take.
sort -t $'\t' -k2,2 -k4,4 -k3,3nr "$tmp/bugs" | sort -t $'\t' -k2,2 -k4,4 -s -u |
	while IFS=$'\t' read -r _ proto seeds options _; do
		printf '%s\t%s\t%s\n' "$proto" "$seeds" "$options"
	done >"$tmp/sound"
while IFS=$'\t' read -r proto seeds options; do
	[ "$options" != - ] || options=
	words=$(printf '%s' "$options" | tr -cs 'a-z0-9' _)
	check "sim__has_nothing_to_find_in_${proto}_as_it_is$words" \
		clean "$proto" "$seeds" "$options"
done <"$tmp/sound"

check sim__has_enough_bugs enough 40
check bugs__are_not_in_pacelab unknown "$B/pacelab"
check bugs__are_not_in_the_replica unknown "$B/pacelab-replica"
check bugs__are_seen_where_they_are known "$B/bug/pacelab-replica"
tap_done
