-- The last items in stock are sold on both sides of a cut: oversold, or refused.
lab "inventory"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("raft", {leader = "n1"})
stores {"raft", "cassandra-one"}

-- A customer looks, and buys one if there is any: by compare-and-set where the store has that; else
-- the shop reads the stock and writes one less.
load {
	workload = "inventory",
	rate = 100, clients_per_site = 5, keys = 5, stock = 80,
	read = 10, write = 90, deadline = "800ms",
}

say [[A shop with two sites has 80 of each of 5 items. Nine of ten requests are a customer
	who buys one. While the network is whole nothing should be sold that is not there, even
	though two may want the last one.]]
phase("open", "4s")

say [[The sites are cut off from each other, each with what it last knew of the stock. A
	store that answers on both sides sells the same items twice; one that asks a majority closes
	the smaller site.]]
phase("split", "4s", cut("east", "far"))

say "Healed. Whoever asks now finds the shelves empty; the question is how often they were sold."
phase("healed", "2s")

say [["no-overselling" above says whether more sales were acknowledged than there were
	items, and how many. Each of those is a customer who was told that he has bought it.]]

expect {model = {"no-overselling", "linearizable"}, available = {minority = "none"}}
expect("cassandra-one",
	{model = "not no-overselling", available = {majority = "all", minority = "all"}})
