#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill_test.sh - kill -9 of a random replica every 200 ms: no acknowledged write is lost
. tests/e2e/lab.sh

sed -e 's/^local seconds, every_ms.*/local seconds, every_ms, dead_ms = 10, 200, 20/' \
	-e "s/^local lot = 7/local lot = $((RANDOM + 1))/" scripts/labs/kills.lua >"$tmp/kills.lua"

# loses_nothing STORE: ten seconds of it; what was acknowledged stands there in the end
loses_nothing() {
	local status=0
	grep -m 1 '^local lot' "$tmp/kills.lua"
	"$pacelab" run "$tmp/kills.lua" --store "$1" --name "$lab" --results "$tmp/$1" --json \
		>"$tmp/$1.json" 2>"$tmp/$1.err" || status=$?
	# 2: judged, but this machine was too busy to be timed.
	[ "$status" -eq 0 ] || [ "$status" -eq 2 ] || { tail -n 5 "$tmp/$1.err" && return 1; }
	python3 - "$tmp/$1.json" <<'PY'
import json, sys

r = json.load(open(sys.argv[1]))
kills = [f for f in r["faults"] if f["kind"] == "kill" and f["evidence"] == "confirmed"]
lost = r["lost_writes"]
print(len(kills), "kills,", lost, r["claim"])
sys.exit(not (len(kills) > 40 and lost["acknowledged"] > 500 and lost["lost"] == 0
	and lost["keys_without_final_read"] == 0 and r["claim"]["kept"] is True))
PY
}

remember_host
for store in raft quorum; do
	check "${store}__loses_no_acknowledged_write_when_killed_every_200_ms" \
		loses_nothing "$store"
done
gone_in_time lab_kills__leaves_nothing_behind
tap_done
