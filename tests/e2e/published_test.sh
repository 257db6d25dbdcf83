#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# published_test.sh - pacelab pbs and pacelab elections: predictions and figures of papers beside
# what is measured
# shellcheck source=tests/e2e/lab.sh
. tests/e2e/lab.sh

# One case: nine combinations, of which six may have no stale read whatever the machine does.
run_pbs() {
	local status=0
	"$pacelab" pbs --quick --duration 4s --rate 800 --name "$lab" --results "$tmp/pbs" \
		>"$tmp/said" 2>&1 || status=$?
	cat "$tmp/said"
	[ "$status" -eq 0 ] || [ "$status" -eq 2 ]
}
check pbs__runs_a_case run_pbs

# Chance bounds how far a share may be off; a machine that is busy makes it late, not wrong by half.
beside_prediction() {
	awk -F, 'NR > 1 && $2 == 1 && $3 == 1 { n += $5; is += $5 * $6; predicted += $5 * $7 }
		END {
			print n, is, predicted
			d = is - predicted
			exit !(n >= 50 && d < 0.15 * n && -d < 0.15 * n)
		}' "$tmp/pbs/pbs.csv"
}
check pbs__measures_what_it_predicts beside_prediction

overlap_is_fresh() {
	awk -F, 'NR > 1 && $2 + $3 > 3 { n += $5; if ($6 < 1) bad++ }
		END { print n, bad + 0; exit !(n > 0 && !bad) }' "$tmp/pbs/pbs.csv"
}
check pbs__finds_quorums_that_overlap_fresh overlap_is_fresh

goes_on() {
	local status=0
	"$pacelab" pbs --quick --duration 4s --rate 800 --json --results "$tmp/pbs" \
		>"$tmp/again" 2>"$tmp/said" || status=$?
	cat "$tmp/said"
	grep -q '"case":"exp-20-10"' <(tr -d ' \n' <"$tmp/again") &&
		[ "$(find "$tmp/pbs" -name history.bin | wc -l)" -eq 1 ]
}
check pbs__does_not_run_again_what_is_there goes_on

refused() {
	local status=0
	"$pacelab" pbs --cases exp-20 --results "$tmp/none" >"$tmp/said" 2>&1 || status=$?
	cat "$tmp/said"
	[ "$status" -eq 64 ] && one_line "$tmp/said" && [ ! -e "$tmp/none" ]
}
check pbs__says_which_case_is_none refused

crash_twice() {
	local status=0
	"$pacelab" elections --ranges 150-300 --trials 20 --packets 2 --name "$lab" \
		--results "$tmp/elections" >"$tmp/said" 2>&1 || status=$?
	cat "$tmp/said"
	[ "$status" -eq 0 ] && [ "$(wc -l <"$tmp/elections/150-300.txt")" -eq 2 ] &&
		awk -F, '/packets/ { n++; if ($3 < 30 || $3 > 12000) bad++ }
			END { exit !(n == 2 && !bad) }' "$tmp/elections/elections.csv"
}
check elections__crashes_leaders_on_packets crash_twice

bad_range() {
	local status=0
	"$pacelab" elections --ranges 300-150 --packets 0 >"$tmp/said" 2>&1 || status=$?
	cat "$tmp/said"
	[ "$status" -eq 64 ] && one_line "$tmp/said"
}
check elections__says_which_range_is_none bad_range

check nothing__is_left_behind lab_gone
tap_done
