-- What does consistency cost? Round trips over four distances, then a cut (pacelab pacelc).
lab "pacelc"
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
	read = 50, write = 50, deadline = "1s",
}

warmup "1s"

fit {rtts = {"1ms", "5ms", "20ms", "40ms"}, duration = "2500ms"}

-- 2,500 operations at this rate: p99.9 of reads and of writes rests on more than 1,000 each.
phase("baseline", "5s")
phase("partition", "5s", cut({"east", "west"}, {"far"}))
phase("healed", "3s")
