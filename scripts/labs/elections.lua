-- A leader crashes: for how long does nobody lead? Election timeouts as in the Raft dissertation.
--
-- `pacelab elections` has this lab up and crashes the leader many times, for each of the timeout
-- ranges of Ongaro, "Consensus: Bridging Theory and Practice", section 9.3. By itself it shows one
-- crash to clients.
--
--     pacelab run elections --param "election=150ms-155ms"
lab "elections"
seed(7)

site("lab", {"n1", "n2", "n3", "n4", "n5"})
rtt("lab", "lab", param("rtt", "5ms"))

-- Who starts late may find another elected: `pacelab elections` takes anybody.
local leader = param("leader", "n1")

store("raft", {
	leader = leader ~= "any" and leader or nil,
	election = param("election", "150ms-300ms"),
	heartbeat = param("heartbeat", "75ms"), -- half of the shortest timeout
	set = "plain_elections=" .. param("plain", "yes"),
})

load {rate = 100, keys = 10, read = 0, write = 100, deadline = "2s"}

say "n1 leads, and tells so every half of the shortest election timeout."
phase("baseline", "2s")

say [[n1 is killed. The others have heard of it less than a heartbeat ago: the first whose timeout
	passes asks for votes.]]
phase("crash", "3s", kill("n1", "1s"))
phase("back", "1s", restart("n1", "10ms"))

say [[The closer together the timeouts, the more often several stand at once and nobody gets a
	majority: 150ms-150ms may never end.]]

expect {model = "linearizable", lost = "none"}
