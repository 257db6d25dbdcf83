-- A cart changes on both sides of a cut, under clock skew: who loses what was put into it?
lab "conflict"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("crdt", {set = "anti_entropy=1s"})
stores {"cassandra-one", "dynamo", "crdt"}

-- A cart is a set, and clients put things into it. Where the store has sets, that is one operation;
-- else the client reads the cart and writes it back with one thing more. Where the store shows
-- versions side by side, the client reads all of them and writes what they have together.
load {
	workload = "set",
	rate = 120, clients_per_site = 3, keys = 4,
	read = 30, write = 70, deadline = "500ms",
}

say [[
Customers at two sites put things into the same four carts. Two at once already conflict: where
a cart is read, changed and written back, the later write takes the place of the other.]]
phase("together", "3s")

say [[
The sites are cut off from each other, with clocks that agree. Both sides change the carts. Last
write wins will keep the cart of one side, whichever wrote last, and drop what the other was
told it has.]]
phase("split", "3s", cut("east", "far"))
phase("healed", "2s")

say [[
The same with the clock of n3 half a second ahead: now its writes win for half a second after
they were made, also over those that have seen them. A set that names each addition asks no
clock.]]
phase("skewed-split", "3s", cut("east", "far"), skew("n3", "500ms"))
phase("skewed", "2s", skew("n3", "500ms"))

say "Healed, with clocks that agree again."
phase("healed-again", "3s")

say [[
"lost writes" are things that were put into a cart and acknowledged, and that no replica has at
the end. Versions that have not seen each other stay side by side (dynamo), and the next who
reads the cart merges them; an OR-set (crdt, riak) merges by itself. Neither asks a clock.]]

expect {lost = "none", converged = true, available = {majority = "all", minority = "all"}}
expect("dynamo", {
	lost = "none", converged = true, available = {majority = "all", minority = "all"},
})
expect("riak", {lost = "none", converged = true, available = {majority = "all", minority = "all"}})
expect("cassandra-one", {
	lost = "some", converged = true, available = {majority = "all", minority = "all"},
})
