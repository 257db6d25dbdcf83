#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# serve_test.sh - results in a browser: as a user starts it, as curl sees it, and its end
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
pacelab=$(cd "$B" && pwd -P)/pacelab

mkdir -p "$tmp/results/run" "$tmp/results/compared"
echo '{"version": 0}' >"$tmp/results/run/results.json"
echo '<!DOCTYPE html><title>a page</title>' >"$tmp/results/run/report.html"
echo '[]' >"$tmp/results/compared/compare.json"
echo secret >"$tmp/secret"

"$pacelab" report --serve "$tmp/results" >"$tmp/out" 2>"$tmp/err" &
server=$!
at_exit "kill $server 2>/dev/null"
is_started() {
	grep -q '^http://127.0.0.1:[1-9][0-9]*/ shows ' "$tmp/out"
}
if ! wait_until 10 is_started; then
	not_ok serve__says_where_it_is "$(cat "$tmp/out" "$tmp/err")"
	tap_done
fi
url=$(sed 's|/ .*||' "$tmp/out")

fetch() {
	curl -sS --max-time 10 --path-as-is -o "$tmp/body" -w '%{http_code}' "$@"
}

gets() {
	[ "$(fetch "$url$1")" = 200 ] && grep -q "$2" "$tmp/body"
}

refuses() {
	local want=$1
	shift
	[[ " $want " == *" $(fetch "$@") "* ]] && ! grep -q secret "$tmp/body"
}

on_loopback_only() {
	local port=${url##*:}
	[ "$(ss -Hltn "sport = :$port" | awk '{ print $4 }')" = "127.0.0.1:$port" ]
}


refuses_to_start() {
	local status=0 want=$1
	shift
	timeout 10 "$pacelab" report --serve "$@" >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -qF -- "$want" "$tmp/out"
}

ok serve__says_where_it_is
check serve__lists_runs_and_comparisons gets / '>compared</a>.*comparison\|href="run/report.html"'
check serve__shows_a_page gets /run/report.html 'a page'
check serve__has_no_way_out refuses "400 404" "$url/../secret"
check serve__has_no_way_out_in_disguise refuses "400 404" "$url/run/%2e%2e/%2e%2e/secret"
check serve__knows_its_name refuses 421 -H 'Host: example.com' "$url/"
check serve__is_read_only refuses 405 -X PUT -d x "$url/run/results.json"
check serve__limits_requests refuses "400 404 413 414 431 000" "$url/$(printf 'a%.0s' {1..40000})"
check serve__is_on_loopback_only on_loopback_only
check serve__refuses_a_port_that_is_taken refuses_to_start "--port 0 takes one that is free" \
	--port "${url##*:}" "$tmp/results"
check serve__refuses_a_port_that_is_none refuses_to_start "--port" --port 70000 "$tmp/results"
check serve__refuses_a_folder_that_is_not_there refuses_to_start "nowhere" "$tmp/nowhere"

status=0
kill -INT "$server"
wait "$server" || status=$?
check serve__ends_with_ctrl_c [ "$status" -eq 0 ]
check serve__is_gone_then refuses 000 "$url/"
tap_done
