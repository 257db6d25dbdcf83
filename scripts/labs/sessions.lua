-- Sessions roam over replicas that lag and then part: no guarantee of a session is kept; exit status 1.
--
-- Behind a load balancer, a user's next request may go to another replica. On a store that
-- acknowledges what one replica has (consistency level ONE), the user then misses what he has just
-- written or seen. Only replicas are cut off from each other here, clients reach all of them: so
-- every session is soon on both sides. Afterwards `pacelab check --model NAME --svg OUT` shows the
-- same of all models of registers but `eventual`; with `--store raft` all of them are kept.
lab "sessions"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("cassandra-one")

-- Few keys: a session should soon ask for the one that it has just written.
load {
	rate = 240, clients_per_site = 3, keys = 2, roam = 50,
	read = 50, write = 50, deadline = "500ms",
}

phase("lagging", "2s", link("n1", "n3", "delay 100ms"), link("n2", "n3", "delay 100ms"))
phase("split", "2s", cut({"n1", "n2"}, {"n3"}))
phase("healed", "2s")

-- What its users would expect. The store itself claims no more than eventual.
expect {model = "read-your-writes"}
