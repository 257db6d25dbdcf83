#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# simulate_test.sh - labs in virtual time, alone and beside real packets
. tests/e2e/lab.sh

# simulate WANT LAB [OPTION...]: exit status as wanted; text in out, folder $tmp/NAME of --results.
simulate() {
	local status=0 want=$1
	shift
	"$pacelab" simulate "$@" >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq "$want" ]
}

keeps() {
	simulate 0 cap --results "$tmp/cap" &&
		grep -q '^SIMULATED lab cap .* emulator simulation$' "$tmp/out" &&
		grep -q '^  SIMULATED *in virtual time: no packet was sent' "$tmp/out" &&
		grep -Eq '24 links cut \(edge\) .* simulated$' "$tmp/out" &&
		! grep -q confirmed "$tmp/out" &&
		grep -Eq '^  verdict +PC/EC ' "$tmp/out" &&
		grep -q '^  expected .*PC/EC met,' "$tmp/out" &&
		grep -q '<p class="loud">Simulated: ' "$tmp/cap/report.html" &&
		[ "$(find "$tmp/cap" -mindepth 1 -printf '%f ' | wc -w)" -eq 4 ] &&
		[ -s "$tmp/cap/history.bin" ] && [ -s "$tmp/cap/plan.txt" ]
}

says_so_in_json() {
	python3 - "$tmp/cap/results.json" <<-'PY'
		import json, sys
		r = json.load(open(sys.argv[1]))
		assert r["emulator"] == "simulation" and r["simulation"]["messages"] > 1000
		assert r["simulated"] is None and not r["tainted"]
		assert {f["evidence"] for f in r["faults"]} == {"simulated"}, r["faults"]
		assert all(abs(r["round_trips"][k]["b"] - 2) < 0.05 for k in ("read", "write"))
	PY
}

gives_up_consistency() {
	simulate 0 cap --store cassandra-one --results "$tmp/one" &&
		grep -Eq '^  verdict +PA/EL ' "$tmp/out" &&
		grep -q 'stale reads some met' "$tmp/out"
}

repeats_itself() {
	simulate 0 cap --time-scale 0.2 --results "$tmp/a" || return 1
	simulate 0 cap --time-scale 0.2 --results "$tmp/b" || return 1
	"$pacelab" convert --to jsonl "$tmp/a/history.bin" "$tmp/a.jsonl" &&
		"$pacelab" convert --to jsonl "$tmp/b/history.bin" "$tmp/b.jsonl" &&
		[ "$(wc -l <"$tmp/a.jsonl")" -gt 1000 ] && cmp "$tmp/a.jsonl" "$tmp/b.jsonl"
}

# Each word that it cannot simulate, by its name; and nothing stays behind.
refuses() {
	local word name
	for word in 'duplicate 1%' 'corrupt 1%' 'delay 5ms reorder 5%' 'drop 17' 'loss state 1%'; do
		name=${word##*ms }
		cat >"$tmp/odd.lua" <<-LAB
			lab "odd"
			site("a", {"n1"})
			site("b", {"n2"})
			rtt("a", "b", "10ms")
			store "quorum"
			load {rate = 100}
			phase("odd", "1s", link("a", "b", "$word"))
		LAB
		simulate 64 "$tmp/odd.lua" --results "$tmp/odd" &&
			grep -qF "odd.lua:7: phase odd" "$tmp/out" &&
			grep -qF "cannot do '${name% [0-9]*}'" "$tmp/out" && [ ! -e "$tmp/odd" ] ||
			return 1
	done
}

keeps_options_apart() {
	simulate 64 cap --seeds 3 && grep -q -- '--seeds is of a simulation by seeds' "$tmp/out" &&
		simulate 64 --store raft --rate 3 && grep -q -- '--rate is of a lab' "$tmp/out" &&
		simulate 64 cap --costs "hop=1us dish=2us" && grep -q "'dish=2us'" "$tmp/out"
}

# What is done to processes: what was acknowledged is there after all of it.
strikes() {
	cat >"$tmp/strikes.lua" <<-'LAB'
		lab "strikes"
		site("a", {"n1", "n2"})
		site("b", {"n3"})
		rtt("a", "b", "10ms")
		store("raft", {leader = "n1"})
		load {rate = 300, keys = 5, read = 50, write = 30, cas = 20, deadline = "1s"}
		phase("struck", "6s", kill("n1", "1s"), restart("n1", "2s"), pause("n2", "3s"),
			resume("n2", "4s"), skew("n3", "5s", "1s"), promote("n3", "5s"))
		phase("led", "3s", isolate(leader()))
		phase("lossy", "2s", link("a", "b", "loss 2% delay 10ms jitter 2ms"))
		phase("after", "2s")
		expect {model = "linearizable", lost = "none"}
	LAB
	# A leader alone has no clients: of its side nothing is concluded.
	simulate 2 "$tmp/strikes.lua" --results "$tmp/strikes" &&
		grep -q '^  expected .*linearizable met, lost writes none met' "$tmp/out" &&
		grep -q 'skew n3 after 1.00 s .* simulated: ahead by 5 s' "$tmp/out" &&
		grep -q 'restart n1 after 2.00 s .* simulated: .* records in its' "$tmp/out" &&
		grep -q 'promote n3 .* it said that it leads' "$tmp/out" &&
		grep -q '^  led .*leader n3 | rest' "$tmp/out"
}

# All that clients can do.
works() {
	local workload
	for workload in list set counter bank transactions lock inventory purse; do
		cat >"$tmp/work.lua" <<-LAB
			lab "work"
			site("a", {"n1", "n2"})
			site("b", {"n3"})
			rtt("a", "b", "4ms")
			store "raft"
			load {workload = "$workload", rate = 200, keys = 4, stock = 50}
			phase("work", "3s")
		LAB
		[ "$workload" = inventory ] || sed -i 's/, stock = 50//' "$tmp/work.lua"
		simulate 0 "$tmp/work.lua" --results "$tmp/work-$workload" || return 1
	done
}

sends_world_away() {
	local status=0
	"$pacelab" run world >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -q '101 replicas, .* pacelab simulate ' "$tmp/out" || return 1
	status=0
	"$pacelab" compare world --stores raft --results "$tmp/none" >"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -eq 64 ] && grep -q 'store raft: lab world, .* simulation' "$tmp/out" &&
		[ ! -e "$tmp/none" ]
}

simulates_world() {
	simulate 0 world --results "$tmp/world" &&
		grep -q '^SIMULATED lab world .* 101 replicas in 10 sites ' "$tmp/out" &&
		grep -Eq '^ +majority .* ok, ' "$tmp/out"
}

# The same seed on real packets and in virtual time.
stands_beside() {
	local status=0
	cat >"$tmp/small.lua" <<-'LAB'
		lab "small"
		site("east", {"n1", "n2"})
		site("far", {"n3"})
		rtt("east", "far", "20ms")
		store("raft", {leader = "n1"})
		load {rate = 150, keys = 3, read = 50, write = 50}
		phase("baseline", "3s")
	LAB
	"$pacelab" run "$tmp/small.lua" --name "$lab" --simulate --quiet --results "$tmp/both" \
		>"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	# 0 to 2: judged; which of them depends on how busy this machine is.
	[ "$status" -le 2 ] && grep -q '^  SIMULATED *beside this run' "$tmp/out" &&
		! grep -q '^SIMULATED lab' "$tmp/out" &&
		grep -q '"emulator": *"simulation"' "$tmp/both/simulated/results.json" &&
		python3 - "$tmp/both/results.json" <<-'PY'
			import json, sys
			r = json.load(open(sys.argv[1]))
			assert r["simulation"] is None and r["emulator"] != "simulation"
			for kind in ("read", "write"):
			    real = r["phases"][0]["latency"][kind]
			    sim = r["simulated"]["phases"][0]["latency"][kind]
			    assert real["count"] > 100 and sim["count"] > 100, (real, sim)
			    assert sim["floor_ms"] == real["floor_ms"] < sim["p50_ms"], (real, sim)
		PY
}

# Medians of several stores, and what is in the file for programs.
tells_medians() {
	local status=0
	"$pacelab" compare "$tmp/small.lua" --stores single,cassandra-one --simulate \
		--costs "hop=60us" --name "$lab" --results "$tmp/medians" \
		>"$tmp/out" 2>&1 || status=$?
	cat "$tmp/out"
	[ "$status" -le 2 ] && grep -q '^  store *measured SIMULATED *off ' "$tmp/out" &&
		grep -Eq '^  single +[0-9.]+ +[0-9.]+ +[-+][0-9.]+ %' "$tmp/out" &&
		grep -q '"hop_ms": *0.06' "$tmp/medians/single/simulated/results.json" &&
		python3 - "$tmp/medians/compare.json" <<-'PY'
			import json, sys
			rows = {r["store"]: r for r in json.load(open(sys.argv[1]))}
			one = rows["cassandra-one"]
			assert 0 < one["read_simulated_ms"] < 1, one
			assert one["read_simulated_ms"] < one["write_simulated_ms"], one
		PY
}

check simulate__runs_cap_and_says_that_it_is_simulated keeps
check simulate__says_so_in_results_json_too says_so_in_json
check simulate__shows_what_an_available_store_gives_up gives_up_consistency
check simulate__gives_the_same_history_again repeats_itself
check simulate__refuses_what_it_cannot_do_by_name refuses
check simulate__keeps_options_of_labs_and_of_seeds_apart keeps_options_apart
check simulate__kills_pauses_and_promotes strikes
check simulate__does_all_that_clients_can_do works
check run__sends_a_lab_for_simulation_away sends_world_away
check simulate__runs_101_replicas_around_the_world simulates_world
check run__stands_beside_its_simulation stands_beside
check compare__tells_medians_beside_simulated_ones tells_medians
tap_done
