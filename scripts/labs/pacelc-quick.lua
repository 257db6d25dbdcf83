-- The lab pacelc in 4 s: wider intervals, no p99.9 (pacelab pacelc --quick).
lab "pacelc-quick"
seed(7)

site("east", {"n1", "n2"})
site("west", {"n3", "n4"})
site("far", {"n5"})

rtt("east", "west", "20ms")
rtt("east", "far", "20ms")
rtt("west", "far", "20ms")

store("raft", {leader = "n1"})

-- So many keys that one is seldom read while a write of it is under way: where such a read waits,
-- what it waits for is the load's.
load {
	rate = 500, keys = 50,
	read = 50, write = 50, deadline = "600ms",
}

warmup "200ms"

-- Of 200 operations half are reads: each median rests on 100.
fit {rtts = {"1ms", "5ms", "20ms", "40ms"}, duration = "400ms"}

phase("baseline", "600ms")
-- So long that each side has 30 requests that ended within it, even if each took its deadline.
phase("partition", "1200ms", cut({"east", "west"}, {"far"}))
phase("healed", "700ms")
