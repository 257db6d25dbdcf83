-- Who holds the lock? Two at once on a store that is always available, never with a majority.
lab "lock"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("raft", {leader = "n1"})
stores {"raft", "etcd", "cassandra-one"}

-- Few locks and many who want them. In its turn a client takes a lock, in its next one it gives it
-- back: by compare-and-set where the store has that; else it looks whether the lock is free, writes
-- its token, and looks whether the token is still there.
load {
	workload = "lock",
	rate = 120, clients_per_site = 6, keys = 4,
	read = 10, write = 90, deadline = "800ms",
}

say [[Twelve clients at two sites share four locks. Each takes one, holds it until its next
	turn, and gives it back. The network is whole: look whether anybody holds what another one
	has.]]
phase("whole", "4s")

say [[Now the sites are cut off from each other. A store that answers on both sides
	(cassandra-one) lets clients of both take the same lock; one that asks a majority (raft,
	etcd) answers far nothing at all: nobody there gets a lock, and none is held twice.]]
phase("split", "4s", cut("east", "far"))

say "The cut is healed: the sides learn of each other's locks, too late for those who held them."
phase("healed", "3s")

say [["mutual-exclusion" above says whether two ever held the same lock at once, and if so,
	who. A lock needs a store that gives up availability: compare raft with --store
	cassandra-one.]]

local kept = {model = {"linearizable", "mutual-exclusion"}, available = {minority = "none"}}

expect(kept)
expect("etcd", kept)
expect("cassandra-one",
	{model = "not mutual-exclusion", available = {majority = "all", minority = "all"}})
