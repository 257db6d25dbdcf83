#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# postgres_test.sh - real PostgreSQL: what a promotion loses, whom a cut blocks, and what is left
. tests/e2e/lab.sh

postgres=$(find /usr/lib/postgresql/*/bin -name postgres 2>/dev/null | sort -V | tail -n 1)
[ -n "$postgres" ] || skip_all "no PostgreSQL: apt-get install postgresql-15"
[ -e "$B/drivers/postgres.so" ] || skip_all "no driver: apt-get install libpq-dev, then make"

# promotes STORE NODE STATUS: the lab, as NAME; results in $tmp/NAME
promotes() {
	local status=0 name=$1-$2
	"$pacelab" run promotion --store "$1" --param "promote=$2" --name "$lab" \
		--results "$tmp/$name" --json >"$tmp/$name.json" 2>"$tmp/$name.err" || status=$?
	# 0 to 2: judged; which of them depends on how busy this machine is.
	[ "$status" -le 2 ] || { tail -n 5 "$tmp/$name.err" && return 1; }
}

# says NAME PYTHON: whether that holds for r, the results
says() {
	python3 - "$tmp/$1.json" "$2" <<'PY'
import json, sys

r = json.load(open(sys.argv[1]))
lost = r["lost_writes"]
sides = {(p["name"], s["name"]): s for p in r["phases"] for s in p["sides"]}
promoted = [f for f in r["faults"] if f["kind"] == "promote"]
print(lost)
for key, s in sides.items():
	print(key, s["reads_ok"], "of", s["reads"], "reads")
	print(key, s["writes_ok"], "of", s["writes"], "writes")
print(promoted)
assert len(promoted) == 1 and promoted[0]["evidence"] == "confirmed", promoted
assert lost["acknowledged"] > 20 and lost["keys_without_final_read"] == 0, lost
assert eval(sys.argv[2]), sys.argv[2]
PY
}

any1_loses_nothing() {
	promotes postgres-real n2 && says postgres-real-n2 "lost['lost'] == 0"
}

wrong_standby_loses() {
	promotes postgres-real n3 && says postgres-real-n3 "lost['lost'] > 0 and lost['first']"
}

async_loses() {
	promotes postgres-real-async n2 &&
		says postgres-real-async-n2 "lost['lost'] > 0 and lost['first']"
}

# Both standbys are waited for, and one is cut off: reads go on, no write is acknowledged.
first2_blocks() {
	promotes postgres-real-first2 n2 && says postgres-real-first2-n2 "lost['lost'] == 0 and any(
		'n1' in s['nodes'] and s['writes'] > 10 and
		s['writes_ok'] < 0.1 * s['writes'] and s['reads_ok'] > 10
		for (phase, name), s in sides.items() if phase == 'behind')"
}

remember_host
check postgres_any1__loses_nothing_when_the_most_advanced_standby_is_promoted any1_loses_nothing
check_once postgres_any1__loses_writes_when_the_wrong_standby_is_promoted wrong_standby_loses
check_once postgres_async__loses_writes_when_promoted_in_a_cut async_loses
check_once postgres_first2__blocks_writers_in_a_cut first2_blocks
gone_in_time postgres__leaves_nothing_behind
tap_done
