-- The primary is cut off and an operator promotes a standby: the right one, or the wrong one.
--
--     pacelab run promotion --store postgres-real
--     pacelab run promotion --store postgres-real --param promote=n3
lab "promotion"
seed(7)

site("east", {"n1"})
site("west", {"n2"})
site("north", {"n3"})

rtt("east", "west", "10ms")
rtt("east", "north", "10ms")
rtt("west", "north", "10ms")

local promoted = param("promote", "n2")

store("postgres-sync", {leader = "n1"}) -- ANY 1: one standby has what is acknowledged
stores {"postgres-sync", "postgres-async"}

-- Many keys: what is lost should not be hidden by a later write.
load {
	rate = 100, keys = 500,
	read = 50, write = 50, deadline = "1s",
}

say "n1 is the primary, n2 and n3 are its standbys, each 10 ms away."
phase("baseline", "3s")

say [[n3 is cut off from the others. Who waits for any one standby waits for n2 from now on, so n2
	has all that is acknowledged; who waits for both standbys writes no more.]]
phase("behind", "3s", cut("north", {"east", "west"}))

say([[Now n1 is alone: its clients still reach it, n2 and n3 reach each other. An operator takes it
	for dead and promotes ]] .. promoted .. [[. n2 is the most advanced of the two; n3 lacks all
	that was written while it was cut off.]])
phase("promotion", "8s", cut("east", {"west", "north"}), promote(promoted, "500ms"))

say [[Healed. The old primary is stopped and made a standby of the new one. What only it had is
	thrown away; so is what n2 had and n3 had not, if n3 was promoted.]]
phase("healed", "8s")

say [["lost writes" are those that clients were told are safe. A standby's acknowledgement keeps
	them only if that standby is the one promoted: an operator must ask all of them how far they
	are before, or wait for more than half of them, as consensus does.]]

local lost = promoted == "n2" and "none" or "some"

expect {lost = lost}
expect("postgres-async", {lost = "some"})
expect("postgres-real", {lost = lost})
expect("postgres-real-async", {lost = "some"})
expect("postgres-real-first2", {lost = "none"}) -- while n3 was cut off nobody wrote
