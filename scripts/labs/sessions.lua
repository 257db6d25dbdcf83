-- Sessions go from replica to replica: kept on `causal`, each guarantee broken on `cassandra-one`.
--
-- Behind a load balancer a user's next request may go to another replica, which may lack what this
-- user has just written or seen there. The four guarantees of a session are those of D. Terry and
-- others, "Session Guarantees for Weakly Consistent Replicated Data", 1994: read your writes,
-- monotonic reads, monotonic writes, writes follow reads. `causal` keeps them by a token that goes
-- with the session; `pacelab run sessions --store cassandra-one` has none. A picture of what broke:
-- `pacelab check --model read-your-writes --svg OUT .../history.bin`.
lab "sessions"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("causal")
stores {"causal", "cassandra-one"}

-- Few keys: a session should soon ask for the one that it has just written. Slow enough for
-- sessions that wait 100 ms for a replica that lags.
load {
	rate = 80, clients_per_site = 4, keys = 2, roam = 50,
	read = 50, write = 50, deadline = "500ms",
}

say [[
Three replicas; before every other request a session turns to another one. What is written at n1 or
n2 is at n3 100 ms later. Watch what an operation takes: with a token it waits until the replica has
what the session has seen, without one it is answered at once, from the past.]]
phase("lagging", "3s", link("n1", "n3", "delay 100ms"), link("n2", "n3", "delay 100ms"))

say [[
Replicas are cut off from each other, clients reach all of them. A session that comes from the other
side has seen what this side cannot know: it is refused, or it goes back in time. Those that stay
are served on both sides.]]
phase("split", "3s", cut({"n1", "n2"}, {"n3"}))

say "The cut heals: what was missing comes, and who waited is served."
phase("healed", "4s")

say [[
`causal`: nothing that a session expects was broken, and requests were refused. `cassandra-one`:
all were answered, and each of the four is broken; the report has a witness for each.]]

expect {
	model = {
		"read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads",
		"causal-ccv",
	},
	lost = "none", converged = true,
}
expect("cassandra-one", {
	model = {
		"not read-your-writes", "not monotonic-reads", "not monotonic-writes",
		"not writes-follow-reads", "eventual",
	},
	available = {majority = "all", minority = "all"},
})
