#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# report_test.sh - the page of a run: whole, by itself, for every reader, whatever a lab is called
. tests/e2e/lab.sh

cat >"$tmp/page.lua" <<'LAB'
lab "page"
seed(3)
site("east", {"n1", "n2"})
site("far", {"n3"})
rtt("east", "far", "10ms")
store("cassandra-one")
load {clients_per_site = 20, rate = 300, keys = 2, read = 60, write = 40, deadline = "800ms"}
phase("calm", "1s")
say "<script>alert('first')</script> & <b>bold</b>"
phase("partition", "2s", cut({"east"}, {"far"}))
say "\" onmouseover=\"alert('second')"
phase("healed", "1s")
LAB

# page_is_good FILE: HTML as tidy knows it, and what report_page.py asks of it.
page_is_good() {
	tidy -quiet -errors "$1" 2>&1 && python3 tests/e2e/report_page.py "$1"
}

runs() {
	local status=0
	"$pacelab" run "$tmp/page.lua" --name "$lab" --results "$tmp/run" --quiet \
		>"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/out" "$tmp/err"
	# 0 to 2: judged; which of them depends on how busy this machine is.
	[ "$status" -le 2 ] && grep -Eq "^  report +$tmp/run/report.html\$" "$tmp/out"
}

has_all() {
	local part verdict
	verdict=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["verdict"]["pacelc"])' "$tmp/run/results.json") || return
	for part in ">$verdict</span>" '<svg class="wide"' '<svg class="narrow"' \
		'Latency over time' 'Who was answered' 'Distribution of latency' \
		'data:image/svg+xml,' 'Evidence is' \
		'seed' 'The expanded plan' 'prefers-color-scheme:dark' '@media print'; do
		grep -qF -- "$part" "$tmp/run/report.html" || { echo "no '$part'" && return 1; }
	done
	! grep -q 'no charts' "$tmp/run/report.html"
}

text_stays_text() {
	grep -qF '&lt;script&gt;alert(&#39;first&#39;)&lt;/script&gt; &amp;' \
		"$tmp/run/report.html" || return 1
	! grep -F -e '<script' -e 'onmouseover="' "$tmp/run/report.html"
}

# Two runs of one lab on one store are told apart by their folders.
runs_stand_side_by_side() {
	changed tainted 'r["tainted"] = True' || return
	"$pacelab" report "$tmp/run" "$tmp/tainted" --out "$tmp/both.html" &&
		page_is_good "$tmp/both.html" || return 1
	[ "$(grep -c '<h2 id="run-[12]">page on cassandra-one, seed 3, ' \
		"$tmp/both.html")" -eq 2 ] &&
		grep -q '>tainted<' "$tmp/both.html" &&
		[ "$(grep -c 'Latency over time' "$tmp/both.html")" -eq 2 ]
}

runs_need_a_page_and_folders() {
	local status=0
	"$pacelab" report "$tmp/run" "$tmp/run" >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -q -- '--out FILE' "$tmp/out" || return
	status=0
	"$pacelab" report "$tmp/run" "$tmp/nowhere" --out "$tmp/none.html" >"$tmp/out" 2>&1 ||
		status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -q "$tmp/nowhere/results.json" "$tmp/out" &&
		[ ! -e "$tmp/none.html" ]
}

# A page with one thing wrong is no good page: else the checks above would be worth nothing.
wrong_pages_are_noticed() {
	local change
	for change in 's|<h1>|<script>1</script><h1>|' 's|<html lang="en">|<html>|' \
		's|<caption>[^<]*</caption>||' 's|scope="row"||' 's|<h2|<h4|; s|</h2|</h4|' \
		's|--dim:#[0-9a-f]*|--dim:#aaaaaa|' 's|aria-label="Share[^"]*"||' \
		's|<footer>|<img alt="x" src="http://127.0.0.1/"><footer>|' \
		's|id="latency"|id="network"|'; do
		sed "$change" "$tmp/run/report.html" >"$tmp/wrong.html"
		python3 tests/e2e/report_page.py "$tmp/wrong.html" >/dev/null || continue
		echo "not noticed: $change"
		return 1
	done
}

# changed NAME PYTHON: a copy of the run as $tmp/NAME whose results r were changed.
changed() {
	rm -rf "${tmp:?}/$1"
	cp -r "$tmp/run" "$tmp/$1" && rm "$tmp/$1/report.html" && python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
exec(sys.argv[2])
json.dump(r, open(sys.argv[1], "w"))' "$tmp/$1/results.json" "$2"
}

taint_is_loud() {
	changed tainted 'r["tainted"] = True; r["taint"] = "frames were <late>"' || return
	"$pacelab" report "$tmp/tainted" || return
	grep -qF '<p class="loud">Tainted: frames were &lt;late&gt;.' "$tmp/tainted/report.html" &&
		page_is_good "$tmp/tainted/report.html"
}

names_stay_text() {
	changed names '
r["lab"] = r["store"] = r["phases"][0]["name"] = "</title><svg onload=1>`x`\""
r["nodes"][0]["name"] = r["nodes"][-1]["site"] = "<i>$(x)\u0007'"'"'"
r["settings"]["<q>"] = "<u>"' || return
	"$pacelab" report "$tmp/names" && page_is_good "$tmp/names/report.html" &&
		! grep -F -e '<svg onload' -e '<i>' -e '<q>' -e '<u>' "$tmp/names/report.html"
}

# What an older version did not write is not made up, and does not keep the page from being.
missing_members_are_dashes() {
	changed old 'old = ("lab", "store", "t_start_ns", "verdict", "nodes", "phases")
r = {k: r[k] for k in old}
for p in r["phases"]: p.pop("latency"); p.pop("sides"); p.pop("warmup", 0)' || return
	"$pacelab" report "$tmp/old" && page_is_good "$tmp/old/report.html"
}

# refuses DIR WANT: with exit status 64, naming what is wrong, leaving nothing.
refuses() {
	local status=0
	"$pacelab" report "$1" --out "$tmp/none.html" >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -qF -- "$2" "$tmp/out" && [ ! -e "$tmp/none.html" ]
}

odd_folders_are_refused() {
	refuses "$tmp/nowhere" "$tmp/nowhere/results.json" &&
		refuses "$tmp/page.lua" "$tmp/page.lua/results.json" || return
	changed odd 'r["phases"] = []' && refuses "$tmp/odd" "results.json: 'phases'" &&
		changed odd 'r["phases"].reverse()' && refuses "$tmp/odd" "not in order" &&
		changed odd 'r["nodes"] = 7' && refuses "$tmp/odd" "'nodes'" &&
		changed odd 'r["nodes"] = r["nodes"][:1]' && refuses "$tmp/odd" "history.bin" &&
		changed odd 'r["t_start_ns"] = "x"' && refuses "$tmp/odd" "t_start_ns" || return
	echo '{"lab": ' >"$tmp/odd/results.json"
	refuses "$tmp/odd" "results.json:" || return
	changed odd 'pass' && rm "$tmp/odd/history.bin" &&
		refuses "$tmp/odd" "history.bin" || return
	changed odd 'pass' && head -c 1000 /dev/urandom >"$tmp/odd/history.bin" &&
		refuses "$tmp/odd" "history.bin"
}

tables_without_gnuplot() {
	mkdir -p "$tmp/empty"
	PATH=$tmp/empty "$pacelab" report "$tmp/run" --out "$tmp/plain.html" 2>"$tmp/err" || return
	cat "$tmp/err"
	grep -q 'gnuplot-nox' "$tmp/err" && grep -q 'gnuplot-nox' "$tmp/plain.html" &&
		grep -q 'Latency of answered operations' "$tmp/plain.html" &&
		! grep -q 'Latency over time' "$tmp/plain.html" && page_is_good "$tmp/plain.html"
}

# A full disk leaves no half page.
nothing_half() {
	! "$pacelab" report "$tmp/run" --out /dev/full >"$tmp/out" 2>&1 && [ -c /dev/full ]
}

browser_asks_nobody() {
	timeout 60 chromium --headless --no-sandbox --disable-gpu --no-first-run \
		--disable-background-networking --disable-component-update \
		--user-data-dir="$tmp/chromium" --enable-logging=stderr \
		--log-net-log="$tmp/net.json" --net-log-capture-mode=Everything --dump-dom \
		"file://$tmp/run/report.html" >"$tmp/dom" 2>"$tmp/log" || return
	grep -q '<h1>Lab page on store cassandra-one</h1>' "$tmp/dom" || return
	! grep 'CONSOLE' "$tmp/log" || return
	# The page's own requests: those that a document began.
	python3 - "$tmp/net.json" <<-'PY'
		import json, re, sys
		text = open(sys.argv[1]).read()
		asked = set(re.findall(r'"url":"((?:https?|wss?|ftp)://[^"]*)"', text))
		own = {u for u in asked if not re.search(r"google|gstatic|chromium|chrome", u)}
		print(own)
		sys.exit(bool(own))
	PY
}

if check report__is_made_by_a_run runs; then
	check report__is_good_html_for_every_reader page_is_good "$tmp/run/report.html"
	check report__has_verdict_charts_evidence_and_settings has_all
	check report__takes_no_text_for_markup text_stays_text
	check report__takes_no_name_for_markup names_stay_text
	check report_page__notices_what_is_wrong wrong_pages_are_noticed
	check report__says_loudly_that_a_run_is_tainted taint_is_loud
	check report__does_without_what_older_versions_did_not_write missing_members_are_dashes
	check report__refuses_what_is_no_run odd_folders_are_refused
	check report__puts_runs_side_by_side runs_stand_side_by_side
	check report__wants_a_page_for_several_folders runs_need_a_page_and_folders
	check report__has_all_tables_without_gnuplot tables_without_gnuplot
	check report__leaves_no_half_page nothing_half
	if command -v chromium >/dev/null; then
		check report__asks_no_host_and_logs_no_error_in_a_browser browser_asks_nobody
	else
		skip report__asks_no_host_and_logs_no_error_in_a_browser \
			"elsewhere: no chromium here, report_page.py looks for requests"
	fi
fi
rm -rf "${tmp:?}"/{tainted,names,old,odd} # these are no results of ours
tap_done
