#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bugs_median.sh - how many seeds the simulator needs for each bug that is put in on purpose
#
#	B=build tests/sim/bugs_median.sh [NAME...]
#
# STARTS=15 searches begin at different seeds, each ends after MOST=2000 of them. Prints for each
# bug and protocol the median and the most that were needed, the limit in the table, how many
# searches failed, and what was seen first. No test: the limits of store/bugs.c come from here.
set -u
: "${B:?the build directory}"
STARTS=${STARTS:-15}
MOST=${MOST:-2000}

# needed NAME PROTO OPTIONS START: prints the number of seeds, MOST + 1 if it was not found.
needed() {
	local seed
	# The options are words.
	# shellcheck disable=SC2086
	"$B/bug/sim" --bug "$1" --store "$2" --first "$4" --seeds "$MOST" $3 >"$out" 2>&1
	seed=$(sed -n 's/^again: .*--seed \([0-9]*\).*/\1/p' "$out" | head -n 1)
	echo $((seed ? seed - $4 + 1 : MOST + 1))
}

# what was seen, in a word or two
seen() {
	sed -n -e 's/^[a-z]* seed [0-9]* step [0-9]*: //p' -e 's/.*Assertion /assertion /p' "$out" |
		head -n 1 | cut -c 1-70
}

out=$(mktemp)
trap 'rm -f "$out"' EXIT
printf '%-36s %-7s %6s %6s %6s %6s  %s\n' bug store median most limit failed seen
"$B/bug/sim" --list-bugs | while IFS=$'\t' read -r name proto seeds options _; do
	[ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
	[ "$options" != - ] || options=
	words=
	for ((i = 0; i < STARTS; i++)); do
		needed "$name" "$proto" "$options" $((i * MOST + 1))
		words=${words:-$(seen)}
		printf '%s' "$words" >"$out.words"
	done | sort -n >"$out.all"
	printf '%-36s %-7s %6d %6d %6d %6d  %s\n' "$name" "$proto" \
		"$(sed -n "$(((STARTS + 1) / 2))p" "$out.all")" "$(tail -n 1 "$out.all")" "$seeds" \
		"$(awk -v most="$MOST" '$1 > most' "$out.all" | wc -l)" "$(cat "$out.words")"
	rm -f "$out.all" "$out.words"
done
