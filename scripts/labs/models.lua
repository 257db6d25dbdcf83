-- One fault, every store: which is the strongest model that each of them keeps?
--
-- `pacelab compare models --stores all` runs it on each and judges every history by every model.
-- Sessions roam over replicas of which one lags, then is cut off from the others; clients reach
-- all of them all the time. So a session asks on one side for what it has done on the other, which
-- is where models differ.
lab "models"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("cassandra-one")

-- Few keys: a session should soon ask for what another has just written.
load {
	rate = 240, clients_per_site = 3, keys = 3, roam = 30,
	read = 50, write = 50, deadline = "600ms",
}

say [[
Three replicas, and sessions that go from one to another as behind a load balancer. n3 lags: what
is written at n1 or n2 is there 100 ms later.]]
phase("lagging", "3s", link("n1", "n3", "delay 100ms"), link("n2", "n3", "delay 100ms"))

say [[
Now n3 is cut off from n1 and n2, but not from the clients. A store that answers on both sides
cannot be linearizable; how much less it is depends on what it knows of a session.]]
phase("split", "3s", cut({"n1", "n2"}, {"n3"}))

say "The cut heals; replicas must agree in the end."
phase("healed", "2s")
