#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mariadb_test.sh - real MariaDB: what a semi-synchronous primary loses, and who reads what is old
. tests/e2e/lab.sh

PATH=$PATH:/usr/sbin
command -v mariadbd >/dev/null ||
	skip_all "no MariaDB: apt-get install mariadb-server-core mariadb-client"
[ -e "$B/drivers/mysql.so" ] || skip_all "no driver: apt-get install libmariadb-dev, then make"
galera=yes
[ -e /usr/lib/galera/libgalera_smm.so ] && command -v wsrep_sst_rsync >/dev/null &&
	command -v rsync >/dev/null || galera=

# runs NAME LAB STORE [OPTION...]: results in $tmp/NAME
runs() {
	local status=0 name=$1
	"$pacelab" run "$2" --store "$3" "${@:4}" --name "$lab" --results "$tmp/$name" \
		--json >"$tmp/$name.json" 2>"$tmp/$name.err" || status=$?
	# 1: clients that waited for writes to fail were late for more reads than is claimed.
	# 2: judged, but this machine was too busy to be timed.
	[ "$status" -le 2 ] || { tail -n 5 "$tmp/$name.err" && return 1; }
}

# says NAME PYTHON: whether that holds for r, the results
says() {
	python3 - "$tmp/$1.json" "$2" <<'PY'
import json, sys

r = json.load(open(sys.argv[1]))
lost, stale = r["lost_writes"], r["stale"]
sides = {(p["name"], n): s for p in r["phases"] for s in p["sides"] for n in s["nodes"]}
answered = lambda phase, node, kind: (sides[phase, node][kind + "_ok"] /
	max(sides[phase, node][kind], 1))
kept = r["check"]["result"] == "ok"
busy = r["tainted"] # too busy to be timed
print(lost, stale, r["check"])
for key, s in sides.items():
	print(key, s["reads_ok"], "of", s["reads"], "reads")
	print(key, s["writes_ok"], "of", s["writes"], "writes")
print(r["faults"])
assert lost["acknowledged"] > 20 and lost["keys_without_final_read"] == 0, lost
assert eval("(" + sys.argv[2] + ")"), sys.argv[2]
PY
}

# It waits for a second, then no more: it answers alone, and what it answered is lost.
falls_back() {
	runs falls-back semisync mariadb-real-semisync-1s &&
		says falls-back "lost['lost'] > 0 and lost['first'] and
			(busy or answered('alone', 'n1', 'writes') > 0.9)"
}

# It waits for longer than anybody: nobody is told what would be lost. What was asked in one phase
# ends in another.
waits() {
	runs waits semisync mariadb-real-semisync-1s --set timeout=100000 &&
		says waits "lost['lost'] == 0 and sides['waits', 'n1']['reads_ok'] > 10 and
			sides['failover', 'n1']['writes'] > 10 and
			all(answered(phase, 'n1', 'writes') < 0.1
				for phase in ('waits', 'alone', 'failover'))"
}

loses_nothing() {
	runs galera failover galera-real-syncwait &&
		says galera "kept and lost['lost'] == 0 and stale['stale'] == 0 and
			answered('headless', 'n1', 'writes') < 0.1 and
			(busy or answered('headless', 'n2', 'writes') > 0.5)"
}

reads_dirtily() {
	runs dirty failover galera-real-dirty &&
		says dirty "not kept and r['check']['witness'] and stale['stale'] > 0 and
			stale['oldest_s'] > 1 and lost['lost'] == 0 and
			(busy or answered('headless', 'n1', 'reads') > 0.9)"
}

remember_host
check semisync__falls_back_and_loses_what_it_acknowledged_alone falls_back
check_once semisync__loses_nothing_as_long_as_it_waits waits
if [ "$galera" ]; then
	check galera_sync_wait__is_linearizable_in_a_cut_and_loses_nothing loses_nothing
	check_once galera_dirty_reads__answers_what_is_old_on_a_node_that_was_cut_off reads_dirtily
else
	skip galera "no galera: apt-get install mariadb-server galera-4 rsync"
fi
gone_in_time mariadb__leaves_nothing_behind
tap_done
