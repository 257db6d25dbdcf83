-- Every fault once, on a store that must not break: half a minute.
lab "faults"
seed(7)

site("east", {"n1", "n2"})
site("west", {"n3", "n4"})
site("far", {"n5"})

rtt("east", "west", "4ms")
rtt("east", "far", "6ms")
rtt("west", "far", "6ms")

store("raft", {leader = "n1", election = "300ms-600ms"})

load {
	rate = 200, keys = 10,
	read = 50, write = 40, cas = 10, deadline = "1s",
}

local slow = distribution("slow", {pareto = {"2ms", 3}, exponential = "5ms", weight = 0.9})

phase("baseline", "1s")

-- What links do to packets.
phase("slow", "2s",
	link("east", "west", {delay = "20ms", jitter = "5ms", distribution = "normal"}),
	link("east", "far", {distribution = slow}))
phase("lossy", "2s",
	link("east", "west", "loss 2% duplicate 5%"),
	link("east", "far", {loss = {"ge", "1%", "20%", "80%"}}))
phase("damaged", "2s",
	link("east", "west", "corrupt 2% reorder 10%"),
	link("east", "far", {rate = "10mbit", queue = "64kb", one_way = true}))
phase("exact", "2s",
	link("n1", "n3", {drop = "3,17,100-/100"}),
	flap("west", "far", "300ms", "100ms"))

-- Cuts of every shape and kind.
phase("cut", "2s", cut({"east", "west"}, {"far"}))
phase("wire", "2s", isolate("n4", {kind = "wire"}))
phase("reject", "2s", reject({"n2"}, {"n1", "n3", "n4", "n5"}))
phase("one-way", "2s", one_way("far", {"east", "west"}))
phase("bridge", "2s", bridge("n3"))
phase("ring", "2s", ring())
phase("headless", "2s", isolate(leader()))
phase("down", "2s", down("n5"))

-- Processes.
phase("crash", "3s", kill("n3", "200ms"), pause("n4", "500ms"), restart("n3", "1s"),
	resume("n4", "1500ms"))
phase("healed", "2s")

expect {model = "linearizable"}
