-- Five replicas in three sites; a partition isolates the smallest site, then heals.
lab "cap"
seed(7)

site("east", {"n1", "n2"})
site("west", {"n3", "n4"})
site("far", {"n5"})

rtt("east", "west", "20ms")
rtt("east", "far", "40ms")
rtt("west", "far", "40ms")

store("raft", {leader = "n1"})

load {
	rate = 500, keys = 10,
	read = 50, write = 40, cas = 10, deadline = "1s",
}

-- The same lab with all sites 1, 10 and 40 ms apart: how many round trips does an operation pay?
fit {rtts = {"1ms", "10ms", "40ms"}, duration = "2s"}

phase("baseline", "5s")
phase("partition", "5s", cut({"east", "west"}, {"far"}))
phase("healed", "5s")

expect {model = "linearizable", verdict = "PC/EC"}
