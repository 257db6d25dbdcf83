#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bounded_test.sh - pacelab check keeps to its memory and time, and says so where they do not do
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

good=tests/fuzz/corpus/history/unique.bin

# history NAME OPERATIONS CLIENTS DOMAIN: a register on one key; DOMAIN 0: all values differ, else
# a third are compare-and-set over so many values, and some late reads are lies.
history() {
	python3 - "$@" >"$tmp/$1.jsonl" <<'PYTHON'
import random, sys
count, clients, domain = map(int, sys.argv[2:])
random.seed(7)
free, ops = [0] * clients, []
for i in range(count):
    c = i % clients
    begin = free[c] + 1
    effect = begin + random.randrange(1000)
    free[c] = effect + random.randrange(1000)
    ops.append((effect, begin, free[c], c, i + 1))
value = 0
for effect, begin, end, c, i in sorted(ops):
    kind = random.choice(("read", "write", "cas") if domain else ("read", "write"))
    head = f'{{"op":{i},"session":{c},"kind":"{kind}","key":1,"invoke_ns":{begin},'
    tail = f'"return_ns":{end},"outcome":"ok"'
    if kind == "read":
        lie = domain and i > count * 8 // 10 and i % 50 == 0
        seen = value % domain + 1 if lie else value
        print(head + (f'"value":{seen},' if seen else "") + tail + "}")
        continue
    new = random.randrange(domain) + 1 if domain else i
    if kind == "cas":
        old = random.randrange(domain) + 1
        if old != value:
            tail += ',"error":"unmet"'
        else:
            value = new
        print(head + f'"old":{old},"value":{new},' + tail + "}")
        continue
    value = new
    print(head + f'"value":{new},' + tail + "}")
PYTHON
}

# typed TYPE OPERATIONS: objects of another type, one operation after the other, in $tmp/TYPE.jsonl
typed() {
	python3 - "$@" >"$tmp/$1.jsonl" <<'PYTHON'
import sys
kind, count = sys.argv[1], int(sys.argv[2])
elements, total = [], 0
for i in range(1, count + 1):
    key = 0 if kind in ("counter", "bank") else i // 30
    if i % 30 == 0:
        elements = []
    read = i % 2 == 0
    if kind == "transactions":
        elements.append(i)
        what = f'"kind":"transaction","steps":[["append",{key},{i}],["read",{key},{elements}]]'
    elif kind in ("list", "set"):
        add = "append" if kind == "list" else "add"
        what = f'"kind":"read","key":{key},"values":{elements}'
        if not read:
            what = f'"kind":"{add}","key":{key},"value":{i}'
            elements.append(i)
    elif kind == "counter":
        what = f'"kind":"read","key":0,"value":{total}'
        if not read:
            what = '"kind":"increase","key":0,"value":1'
            total += 1
    else:
        what = f'"kind":"read","key":0,"values":[{100000 - total},{total}]'
        if not read:
            what = '"kind":"transfer","key":0,"from":0,"to":1,"value":1'
            total += 1
    what = what.replace(" ", "")
    print(f'{{"session":1,{what},"invoke_ns":{3*i},"return_ns":{3*i+1},"outcome":"ok"}}')
PYTHON
}

# models TYPE: that judge objects of the type.
models() {
	"$B/pacelab" list models | awk -v type="$1" 'NR > 1 && $2 == type { print $1 }'
}

# says STATUS TEXT ARGUMENT...
says() {
	local want=$1 text=$2 output status=0
	shift 2
	output=$("$B/pacelab" check "$@" 2>&1) || status=$?
	[ "$status" -eq "$want" ] && [[ $output == *"$text"* ]] && return
	echo "exit status $status: $output"
	return 1
}

# peak LIMIT_KB ARGUMENT...: no process of the command had more than that.
peak() {
	python3 - "$@" <<'PYTHON'
import resource, subprocess, sys
subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print("peak", peak, "KiB")
sys.exit(peak > int(sys.argv[1]))
PYTHON
}

# What a fast process touches between two looks at it is not the checker's to know.
slack_kb=150000
[[ $B == *san* ]] && slack_kb=100000000

memory_does() {
	local model=
	for model in $(models "$2"); do
		says 2 "memory" --memory "$1" --model "$model" "$tmp/$3.jsonl" || return
	done
	[ -n "$model" ] &&
		peak $((30000 + slack_kb)) "$B/pacelab" check --memory "$1" "$tmp/$3.jsonl"
}

time_does() {
	local model status
	for model in $(models register); do
		# These clients take no locks: it is broken at the first look.
		[ "$model" != mutual-exclusion ] || continue
		status=0
		"$B/pacelab" check --time 1ms --model "$model" "$tmp/many.jsonl" >"$tmp/out" 2>&1 ||
			status=$?
		# A model that is quicker than anybody looks may answer.
		[ "$status" -eq 2 ] || [ "$status" -eq 0 ] || {
			echo "$model: exit status $status"
			cat "$tmp/out"
			return 1
		}
	done
	says 2 "time allowed" --time 300ms --model linearizable "$tmp/hard.jsonl"
}

# The file that could not be judged takes nothing from the one behind it.
next_file_is_judged() {
	"$B/pacelab" check --json --memory 20mb "$tmp/many.jsonl" "$good" >"$tmp/json"
	[ $? -eq 2 ] && python3 - "$tmp/json" <<'PYTHON'
import json, sys
many, good = json.load(open(sys.argv[1]))
assert many["result"] == "unknown" and "memory" in many["words"], many
assert good["result"] == "ok" and good["operations"] == 8, good
PYTHON
}

history many 150000 5 0
history hard 4000 50 60
check check__is_unknown_before_reading_what_is_too_big memory_does 1mb register many
check check__is_unknown_when_memory_is_used_up memory_does 8mb register many
for type in list set counter bank transactions; do
	typed "$type" 130000
	check "check__is_unknown_when_memory_is_used_up_by_$type" \
		memory_does 8mb "$type" "$type"
	rm "$tmp/$type.jsonl"
done
check check__is_unknown_when_time_is_used_up time_does
check check__goes_on_with_the_next_file next_file_is_judged
check check__refuses_a_size_without_unit says 64 "'5' is not a size" --memory 5 "$good"
check check__needs_a_thread says 64 "'0' is not a whole number" --jobs 0 "$good"
check check__answers_alike_with_any_threads says 0 "linearizable, 8 operations" --jobs 3 "$good"
tap_done
