-- ONE, QUORUM and ALL on the same fault: who answers, and who is stale.
lab "tunable"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("cassandra-quorum")
stores {"cassandra-one", "cassandra-quorum", "cassandra-all"}

load {
	rate = 250, keys = 10,
	read = 50, write = 50, deadline = "800ms",
}

say [[Three replicas without a leader: a client's request goes to one of them, and that one
	asks as many as the level says: ONE, QUORUM (two of three), or ALL. Look at the latency: ONE
	needs nobody else, for QUORUM it depends on where one is, ALL always waits for the
	farthest.]]
phase("whole", "4s")

say [[One replica of three is cut off. ONE: both sides answer, each with what it has.
	QUORUM: two of three are a quorum, the third is none. ALL: there is nobody who can answer
	anything.]]
phase("split", "4s", cut("east", "far"))

say [[Healed. What one side has missed is handed over by those who kept hints, by read
	repair, and by comparing trees of checksums.]]
phase("healed", "3s")

say [[More replicas that must answer: fewer stale reads, and fewer answers. R + W > N is
	where stale reads end (QUORUM and ALL here), and where one side of a cut ends, too.]]

expect {stale = "none", lost = "none", available = {majority = "most", minority = "none"}}
expect("cassandra-one", {stale = "some", available = {majority = "all", minority = "all"}})
expect("cassandra-all",
	{stale = "none", lost = "none", available = {majority = "none", minority = "none"}})
