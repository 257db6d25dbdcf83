#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_test.sh - pacelab check as a program: verdicts, exit statuses, JSON, what bad input gets
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

good=tests/fuzz/corpus/history/unique.bin
bad=$tmp/stale.jsonl

# line SESSION NODE KIND VALUE INVOKE RETURN: one operation on k3, times in milliseconds
line() {
	printf '{"session":%d,"node":%d,"kind":"%s","key":3,"value":%d,"invoke_ns":%d000000,' \
		"$1" "$2" "$3" "$4" "$5"
	printf '"return_ns":%d000000,"outcome":"ok"}\n' "$6"
}
{
	line 1 0 write 7 10 110
	line 2 0 write 9 1010 1110
	line 3 4 read 7 2210 2214
} >"$bad"

# says STATUS TEXT ARGUMENT...: pacelab check ends with the status and prints the text
says() {
	local want=$1 text=$2 output status=0
	shift 2
	output=$("$B/pacelab" check "$@" 2>&1) || status=$?
	[ "$status" -eq "$want" ] && [[ $output == *"$text"* ]] && return
	echo "exit status $status: $output"
	return 1
}

# converts FORMAT: what convert writes is judged like what it was written from
converts() {
	"$B/pacelab" convert "$good" "$tmp/copy.$1" &&
		says 0 "linearizable, 8 operations on 1 key" "$tmp/copy.$1" &&
		"$B/pacelab" convert --from "$1" --to jsonl "$tmp/copy.$1" "$tmp/again" &&
		"$B/pacelab" convert --to jsonl "$good" "$tmp/first" &&
		cmp "$tmp/first" "$tmp/again"
}

# convert_says TEXT ARGUMENT...: pacelab convert refuses and prints the text
convert_says() {
	local text=$1 output status=0
	shift
	output=$("$B/pacelab" convert "$@" 2>&1) || status=$?
	[ "$status" -eq 64 ] && [[ $output == *"$text"* ]] && return
	echo "exit status $status: $output"
	return 1
}

# real: the verdicts of real histories, named by a manifest
real() {
	python3 - "$real" "$B/pacelab" <<-'E'
		import csv, json, subprocess, sys
		root, pacelab = sys.argv[1:]
		rows = list(csv.DictReader(open(f"{root}/MANIFEST.tsv"), delimiter="\t"))
		files = [f"{root}/{row['file']}" for row in rows]
		done = subprocess.run([pacelab, "check", "--json", *files], stdout=subprocess.PIPE)
		want = {"true": "ok", "false": "violation"}
		wrong = [row["file"] for row, got in zip(rows, json.loads(done.stdout), strict=True)
		         if got["result"] != want[row["expected"]]]
		assert rows and not wrong, wrong
	E
}
real=${PORCUPINE_DATA:-/usr/share/porcupine/test_data}

# is_json: a program can read the verdicts
is_json() {
	"$B/pacelab" check --json "$good" "$bad" | python3 -c '
import json, sys
good, bad = json.load(sys.stdin)
assert good["result"] == "ok" and good["operations"] == 8, good
assert bad["result"] == "violation" and bad["witness"] == [1, 2, 3], bad'
}

# measures: what --measures tells people and programs of one stale read
measures() {
	says 1 "delta         2 of 2 values: median 1.1 s" --measures "$bad" &&
		says 1 "1 of 1 reads were behind: 1 by 1" --measures "$bad" || return
	"$B/pacelab" check --json --measures "$bad" | python3 -c '
import json, sys
m = json.load(sys.stdin)[0]["measures"]
assert m["behind"][1] == 1 and m["delta"]["max_ms"] == 1100, m
assert m["fresh"][0]["share"] == 0 and m["lost"] == 0, m'
}

# draws: the witness as a picture, well-formed, with its three operations and its words
draws() {
	says 1 "not linearizable" --svg "$tmp/witness.svg" "$bad" || return
	python3 - "$tmp/witness.svg" <<'PYTHON'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
text = " ".join("".join(t.itertext()) for t in root.iter("{http://www.w3.org/2000/svg}text"))
for part in ("write k3 = 7", "write k3 = 9", "read k3 → 7", "node 4 answered 7 for k3"):
    assert part in text, (part, text)
PYTHON
}

# judges_all: --model auto, for people and for programs; nothing is asked for that could be broken
judges_all() {
	says 0 "strongest kept: sequential" --model auto "$bad" &&
		says 0 "weakest broken: linearizable" --model auto "$bad" &&
		says 0 "$stale" --model auto "$bad" &&
		says 0 "strongest kept: linearizable" --model auto "$good" || return
	"$B/pacelab" check --json --model auto "$good" "$bad" | python3 -c '
import json, sys
good, bad = json.load(sys.stdin)
assert good["model"] == "linearizable" and good["result"] == "ok", good
assert good["kept"] == ["linearizable"] and good["broken"] == [], good
assert bad["model"] == "linearizable" and bad["result"] == "violation", bad
assert bad["kept"] == ["sequential"] and bad["broken"] == ["linearizable"], bad
assert bad["unknown"] == ["eventual"] and bad["witness"] == [1, 2, 3], bad'
}

# knows_all_models: help and manual send to the list, in which each model has a line
knows_all_models() {
	local model
	"$B/pacelab" check --help | grep -q "list models" &&
		grep -q "pacelab list models" agent/pacelab.1 || return
	for model in $("$B/pacelab" list models | awk 'NR > 1 { print $1 }' | sort -u); do
		says 0 "" --model "$model" "$good" || says 2 "not known" --model "$model" "$good" ||
			says 64 "no model '$model' for objects of" --model "$model" "$good" ||
			return
	done >/dev/null
}

# txn PROCESS TYPE STEPS: an event of a transaction, as Elle has it
txn() {
	printf '{:type :%s, :f :txn, :process %d, :time %d, :value [%s]}\n' \
		"$2" "$1" "$((++txns))" "$3"
}
txns=0
{
	txn 0 invoke '[:append :x "a"] [:r :y nil]'
	txn 1 invoke '[:append :y "b"] [:r :x nil]'
	txn 0 ok '[:append :x "a"] [:r :y []]'
	txn 1 ok '[:append :y "b"] [:r :x []]'
} >"$tmp/skew.edn"

# spells: keys and values are called as the file calls them, in words, operations and picture
spells() {
	says 1 'T1 read :y = [] without "b" and so came before T2' --svg "$tmp/skew.svg" \
		"$tmp/skew.edn" &&
		says 1 'transaction append :y "b", read :x -> []' "$tmp/skew.edn" &&
		grep -q 'append &quot;a&quot; to :x; read :y' "$tmp/skew.svg"
}

sed 's/"write"/"increase"/; s/:7,/:-7,/' "$bad" >"$tmp/counter.jsonl"
line 1 4 read 0 3000 3010 >>"$tmp/counter.jsonl"

# counts: a counter may be below zero, and zero is a number
counts() {
	head -n 3 "$tmp/counter.jsonl" >"$tmp/below.jsonl"
	says 1 "read k3 -> -7  ok at" --svg "$tmp/below.svg" "$tmp/below.jsonl" &&
		grep -q "read k3 → -7" "$tmp/below.svg" &&
		sed 3d "$tmp/counter.jsonl" >"$tmp/zero.jsonl" &&
		says 1 "read k3 -> 0  ok at" "$tmp/zero.jsonl"
}

stale="node 4 answered 7 for k3 at 2.204 s, 1.1 s after node 0 had acknowledged 9"

check check__passes_a_good_history says 0 "linearizable, 8 operations" "$good"
check check__tells_a_violation says 1 "$stale" "$bad"
check check__of_several_files_the_worst_counts says 1 "not linearizable" "$good" "$bad" "$good"
check convert__to_json_lines_and_back converts jsonl
check convert__to_edn_and_back converts edn
check convert__to_binary_and_back converts bin
check convert__needs_a_format convert_says "does not end with a format" "$good" "$tmp/copy"
check convert__refuses_an_unknown_format convert_says "unknown format 'xml'" "$good" "$tmp/c.xml"
check convert__does_not_write_logs convert_says "but as bin, jsonl or edn" "$good" "$tmp/c.log"
check check__takes_the_format_that_it_is_told says 64 "an event ('{') was expected" \
	--from edn "$good"
if [ -d "$real" ]; then
	check check__judges_real_histories real
else
	skip check__judges_real_histories "elsewhere: no histories in $real (PORCUPINE_DATA)"
fi
check check__prints_json is_json
check check__measures_staleness measures
check check__draws_the_witness draws
check check__finds_the_strongest_model judges_all
check check__tells_of_all_models knows_all_models
check check__spells_names_as_the_file_does spells
check check__counters_may_be_below_zero counts
head -c 700 "$good" >"$tmp/short"
check check__refuses_a_short_file says 64 "$tmp/short: offset 700: the file ends" "$tmp/short"
sed 's/"read"/"reed"/' "$bad" >"$tmp/misspelt"
check check__names_the_line says 64 "$tmp/misspelt: line 3, column " "$tmp/misspelt"
check check__refuses_an_unknown_model says 64 "unknown model 'casual'" --model casual "$good"
check check__refuses_a_bare_number_as_time says 64 "'5' is not a duration" --time 5 "$good"
check check__needs_a_file says 64 "usage: pacelab check"
check check__says_what_it_cannot_open says 64 "$tmp/none" "$tmp/none"
tap_done
