-- Sessions roam over replicas that lag, then part: what they expect is broken (exit status 1).
--
-- Behind a load balancer, a user's next request may go to another replica. On a store that
-- acknowledges what one replica has (level ONE), users miss what they have just written or seen.
-- Only replicas are cut off from each other here, clients reach all of them: a session is soon on
-- both sides. `pacelab check --model NAME --svg OUT .../history.bin` shows the same of every model
-- of registers but `eventual`. With `--store raft` all of them are kept.
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
