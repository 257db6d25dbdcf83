-- Who remembers what another replica has missed dies: the rest never agree (exit status 1).
--
-- During a cut, a replica keeps a hint for each of its writes that another one did not get, and
-- hands it over after the heal. n1 is killed before that. n2 has all that n1 had written, n3 has
-- not, and nobody compares the two: at level ONE no read repairs, and anti-entropy is off here.
-- (Cassandra's manual asks for `nodetool repair` after such a loss.) With
-- --set anti_entropy=200ms they agree.
lab "hints"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "20ms")

store("cassandra-one", {set = "anti_entropy=0"})

-- Many keys: some of them are not written again after the heal.
load {
	rate = 200, keys = 60,
	read = 50, write = 50, deadline = "500ms",
}

phase("baseline", "1s")
phase("split", "2s", cut({"n1", "n2"}, {"n3"}), kill("n1", "1900ms"))
phase("healed", "1s")

expect {model = "eventual"}
