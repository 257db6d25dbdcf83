-- Likes are counted on both sides of a cut: lost by read-change-write, all there in a CRDT.
lab "counter"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("crdt", {set = "anti_entropy=1s"})
stores {"crdt", "cassandra-one"}

-- A like is one increase. Where the store has no counters, the client reads the count and writes
-- it back with its own likes added.
load {
	workload = "counter",
	rate = 200, clients_per_site = 5, keys = 3,
	read = 20, write = 80, deadline = "500ms",
}

say [[
Three posts get likes at two sites, by 1 to 5 at a time. Whoever adds to a count by reading it
and writing it back takes the place of what another one has written in between.]]
phase("together", "3s")

say [[
The sites are cut off from each other. Both go on counting, each from what it last knew. With
last write wins, one of the two counts will be taken and the likes of the other site are gone. A
counter that is a sum for each replica has both: each replica changes its own only.]]
phase("split", "4s", cut("east", "far"))

say "Healed: the replicas tell each other what they have counted."
phase("healed", "3s")

say [[
"lost counts" are likes that were acknowledged and that no replica has at the end. The model
"counter" is broken by a CRDT, too: it asks that each read shows what was acknowledged before,
and a replica that answers alone cannot know that. Nothing is lost by it.]]

expect {
	model = "not counter", lost = "none", converged = true,
	available = {majority = "all", minority = "all"},
}
expect("cassandra-one", {
	model = "not counter", lost = "some", converged = true,
	available = {majority = "all", minority = "all"},
})
