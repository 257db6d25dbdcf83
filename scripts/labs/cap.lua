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
stores {"raft", "cassandra-one"} -- consistent, and available: see both

load {
	rate = 500, keys = 10,
	read = 50, write = 40, cas = 10, deadline = "1s",
}

-- The same lab with all sites 1, 10 and 40 ms apart: how many round trips does an operation pay?
say [[First nothing is wrong. All sites are 1, then 10, then 40 ms apart: watch how latency
	follows. An operation that asks other sites pays round trips; one that the nearest replica
	answers alone does not.]]
fit {rtts = {"1ms", "10ms", "40ms"}, duration = "2s"}

say [[Two replicas in east, two in west, 20 ms apart; one in far, 40 ms from both. The floor
	is what these distances allow a store of this kind at best.]]
phase("baseline", "5s")

say [[The network is cut: far, with one replica of five, is alone. Its clients can still
	reach it. Either it answers them and cannot know what the others wrote (available), or it
	refuses (consistent). There is no third way: look at what far could do, and at "stale reads"
	in the end.]]
phase("partition", "5s", cut({"east", "west"}, {"far"}))

say "The links are back. How long until everybody can write again, and until all have the same?"
phase("healed", "5s")

say [[PC/EC: consistent when cut, and pays for it with round trips else. PA/EL: available
	when cut, and fast else. Run this with --store raft and with --store cassandra-one, or on
	all: pacelab compare cap.]]

expect {
	model = "linearizable", verdict = "PC/EC", stale = "none", lost = "none",
	available = {majority = "most", minority = "none"}, converged = true,
}
expect("cassandra-one", {
	model = "not linearizable", verdict = "PA/EL", stale = "some",
	available = {majority = "all", minority = "all"}, converged = true,
})
