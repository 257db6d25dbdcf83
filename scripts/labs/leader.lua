-- The leader is alone in the minority; later a replica is killed and catches up from its log.
lab "leader"
seed(7)

site("east", {"n1", "n2"})
site("west", {"n3", "n4"})
site("far", {"n5"})

rtt("east", "west", "20ms")
rtt("east", "far", "40ms")
rtt("west", "far", "40ms")

store("raft", {leader = "n5"})

load {
	rate = 500, keys = 10,
	read = 50, write = 40, cas = 10, deadline = "1s",
}

phase("baseline", "5s")
-- Until a new leader is elected on the large side nobody can write.
phase("deposed", "5s", cut({"east", "west"}, {"far"}))
phase("healed", "5s")
phase("crash", "5s", kill("n3", "500ms"), restart("n3", "2500ms"))
phase("settled", "3s")

expect {model = "linearizable"}
