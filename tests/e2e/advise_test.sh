#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# advise_test.sh - pacelab advise: options, questions, table, earlier runs, what it refuses
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

pacelab=$(cd "$B" && pwd -P)/pacelab

# says TEXT OPTION...: with status 0, and this in its output
says() {
	local want=$1
	shift
	local status=0
	"$pacelab" advise --results "$tmp/none" "$@" >"$tmp/out" 2>&1 </dev/null || status=$?
	cat "$tmp/out"
	[ "$status" -eq 0 ] && grep -Eq -- "$want" "$tmp/out"
}

refuses() {
	local want=$1 status=0
	shift
	"$pacelab" advise "$@" >"$tmp/out" 2>&1 </dev/null || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -qF -- "$want" "$tmp/out"
}

seven() {
	local use
	says 'use +needed' --table || return 1
	for use in bank likes cart lock ingest inventory profile; do
		grep -Eq "^  $use " "$tmp/out" || { echo "no $use" && return 1; }
	done
}

# The questions come where somebody sits at a terminal; empty answers take what is in brackets.
asks() {
	printf 'lock\n\n\n' >"$tmp/answers"
	script -qec "$pacelab advise --results $tmp/none" /dev/null <"$tmp/answers" >"$tmp/out"
	cat "$tmp/out"
	grep -q 'Use case' "$tmp/out" && grep -Eq 'take +(etcd|zookeeper-sync) ' "$tmp/out"
}

as_json() {
	"$pacelab" advise --use lock --json --results "$tmp/none" | python3 -c '
import json, sys
use = json.load(sys.stdin)[0]
assert use["use"] == "lock" and use["systems"][0]["fits"]
assert all(s["lacks"] for s in use["systems"] if not s["fits"])
assert use["systems"][0]["measured"] is None'
}

check advise__takes_a_store_for_a_use says 'take +(etcd|zookeeper-sync) ' --use lock
check advise__says_who_lacks_what says 'single: has one copy' --use lock --all
check advise__takes_needs_of_ones_own \
	says 'take +cassandra-one' --consistency eventual --loss some --minority-writes yes
check advise__finds_none_for_what_cannot_be \
	says 'take +none of the systems' --consistency linearizable --minority-writes yes
check advise__knows_how_far_regions_are \
	says 'eu-west-1-us-east-1 [0-9.]+ ms' --use lock --sites eu-west-1:2,us-east-1:1
check advise__says_that_nothing_was_measured says "pacelab run cap --store [a-z]" --use lock
check advise__has_seven_uses seven
check advise__writes_json as_json
if command -v script >/dev/null; then
	check advise__asks asks
else
	skip advise__asks "no script(1)"
fi
check advise__refuses_an_unknown_use refuses "'lck' is none of" --use lck
check advise__refuses_an_unknown_model \
	refuses "did you mean 'linearizable'?" --consistency linearizabel
check advise__refuses_sites_twice refuses "'a' is there twice" --sites a,a
check advise__wants_to_know_how_far refuses "how far is" --sites a,b
check advise__refuses_other_sites refuses "is not SITE-SITE=TIME" --sites a,b --rtt a-c=2ms
check advise__refuses_too_many_replicas \
	refuses "at most 8 sites and 32 replicas" --sites a:30,b:3
check advise__asks_nobody_who_is_not_there refuses "nobody is there to ask"
tap_done
