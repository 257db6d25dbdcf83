-- One clock is half a second ahead: where the last write wins by it, updates are lost.
lab "skew"
seed(7)

site("east", {"n1", "n2"})
site("west", {"n3"})

rtt("east", "west", "10ms")

store("cassandra-one")
stores {"cassandra-one", "cassandra-quorum", "raft"}

-- Many keys, each written now and then, by clients of all replicas.
load {
	rate = 400, keys = 300,
	read = 30, write = 70, deadline = "500ms",
}

say [[Three replicas, their clocks agree. Each write carries the time at which it came in,
	and the latest wins. Nothing should be lost.]]
phase("alike", "3s")

say [[From now on the clock of n3 is 500 ms ahead. The network is whole, nobody is cut off.
	A write that n3 has taken wins against all that others take within the next half second,
	though their clients are told that it is done.]]
phase("ahead", "5s", skew("n3", "500ms"))

say [["lost writes" were acknowledged, nothing came after them but an older value, and no
	fault of the network had a part in it. A store that orders writes by a leader (raft) does
	not care what time it is.]]

expect {lost = "some", model = "not linearizable", converged = true}
-- A quorum does not help: both values reach it, and the clock decides between them.
expect("cassandra-quorum", {lost = "some", model = "not linearizable"})
expect("raft", {lost = "none", stale = "none", model = "linearizable"})
