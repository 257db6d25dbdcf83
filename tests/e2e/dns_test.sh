#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# dns_test.sh - the lab dns on real packets: caches give the old record, for as long as they may
. tests/e2e/lab.sh

# runs STATUS...: the lab, whose status is one of these; a busy machine may make it 2.
runs() {
	local status=0
	rm -rf "$tmp/dns"
	"$pacelab" run dns --name "$lab" --results "$tmp/dns" "${set[@]}" >"$tmp/out" 2>&1 ||
		status=$?
	sed 's/^/# /' "$tmp/out"
	[[ " $* 2 " == *" $status "* ]]
}

# measured PYTHON: of results.json as r, with s = r["stale"].
measured() {
	python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
s = r["stale"]
print("#", s)
sys.exit(not eval(sys.argv[2]))' "$tmp/dns/results.json" "$1"
}

# While whole not before some part of a TTL and not after ttl + refresh, when cut longer.
as_old_as_it_may_be() {
	set=()
	runs 0 && grep -q 'claim *kept' "$tmp/out" &&
		measured '0.3 < s["oldest_whole_s"] < 3.6 and s["oldest_s"] > 4'
}
check lab_dns__serves_what_is_old_for_ttl_and_stale_for_longer as_old_as_it_may_be

# What is expected is not there when caches never serve stale: the lab can fail.
refuses_without_serve_stale() {
	set=(--set "serve_stale=0s" --time-scale 0.7)
	runs 1 && grep -q 'answered all not met' "$tmp/out"
}
check lab_dns__refuses_without_serve_stale refuses_without_serve_stale
tap_done
