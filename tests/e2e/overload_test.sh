#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# overload_test.sh - a run with far more load than the machine can bear says so, and has no verdict
. tests/e2e/lab.sh

cat >"$tmp/small.lua" <<'LAB'
lab "small"
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "4ms")
store("raft", {leader = "n1"})
load {rate = 100, keys = 4, read = 50, write = 50, deadline = "300ms"}
phase("baseline", "1s")
phase("partition", "1s", cut({"east"}, {"far"}))
phase("healed", "1s")
LAB

# Every processor is busy with something else, too.
busy=()
end_busy() {
	[ ${#busy[@]} -eq 0 ] || kill "${busy[@]}" 2>/dev/null
	busy=()
}
at_exit end_busy

overloaded() {
	local status=0
	while [ ${#busy[@]} -lt "$(nproc)" ]; do
		while :; do :; done &
		busy+=($!)
	done
	"$pacelab" run "$tmp/small.lua" --name "$lab" --results "$tmp/over" --rate 200000 --json \
		>"$tmp/over.json" 2>"$tmp/over.err" || status=$?
	end_busy
	cat "$tmp/over.err"
	# 1 only if the history itself proves that the store broke its claim, which raft does not.
	[ "$status" -eq 2 ]
}

tainted() {
	python3 - "$tmp/over.json" <<-'PY'
		import json, sys
		r = json.load(open(sys.argv[1]))
		print(r["taint"], r["verdict"], r["quality"])
		assert r["tainted"] and r["status"] == 2
		assert r["verdict"]["cap"] == "inconclusive" and r["verdict"]["pacelc"] == "P?/E?"
		assert "no verdict from a tainted run" in r["verdict"]["words"]
	PY
}

# Whatever else tainted it, the load alone is reason enough.
load_knows() {
	python3 - "$tmp/over.json" <<-'PY'
		import json, sys
		quality = json.load(open(sys.argv[1]))["quality"]
		print(quality)
		assert quality["cpu_busy"] > 0.95 and quality["load_waited"] > 0.5
	PY
}

shown() {
	grep -Eq '^  tainted ' "$tmp/over.err" && grep -Eq '^  verdict +P\?/E\? ' "$tmp/over.err" &&
		grep -Eq '^  load .* % of operations waited for the one before' "$tmp/over.err"
}

check run_overloaded__is_inconclusive overloaded
check run_overloaded__is_tainted_and_has_no_letters tainted
check run_overloaded__is_seen_by_the_load_itself load_knows
check run_overloaded__says_so shown
tap_done
