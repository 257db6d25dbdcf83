-- The leader is cut off: for how long can nobody write, and what is lost?
lab "failover"
seed(7)

site("east", {"n1"})
site("west", {"n2"})
site("north", {"n3"})

rtt("east", "west", "10ms")
rtt("east", "north", "10ms")
rtt("west", "north", "10ms")

store("raft", {leader = "n1"}) -- n1 leads wherever the store has a leader
stores {"raft", "zookeeper", "redis-replicas"}

load {
	rate = 200, keys = 150,
	read = 50, write = 50, deadline = "1s",
}

say "Three replicas, n1 leads. All writes go through it."
phase("baseline", "3s")

say [[The leader is cut off, with its clients. The others must first notice that it is
	silent, for an election timeout or a watcher's time, then agree on another: look at "no
	write acknowledged for". And look at the old leader: does it still acknowledge what nobody
	else will have?]]
phase("headless", "8s", cut("east", {"west", "north"}))

say "Healed. The old leader finds that it leads no more. What it had taken alone has to go."
phase("healed", "2s")

say [[A majority that elects (raft, zookeeper) loses nothing: who is in the minority stops by
	itself. How long it takes is how long it waits before it doubts its leader: less than a
	second as raft and zookeeper of ours are set, two or three with the timers of etcd and
	ZooKeeper themselves. A watcher waits to be sure, 5 s the one of redis-replicas, 1 s and
	then a vote Redis' own Sentinel here, and still two lead for a while; what the old one
	acknowledged is lost.]]

expect {
	model = "linearizable", lost = "none",
	available = {majority = "most", minority_writes = "none"},
}
expect("zookeeper", {lost = "none", available = {majority = "most", minority_writes = "none"}})
expect("redis-replicas",
	{model = "not linearizable", lost = "some", available = {minority_writes = "some"}})
