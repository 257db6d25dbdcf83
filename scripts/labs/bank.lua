-- Money between accounts in one value: a transfer is one operation, never seen by half.
lab "bank"
seed(7)

site("east", {"n1"})
site("west", {"n2", "n3"})

rtt("east", "west", "10ms")

store("mysql-semisync", {leader = "n1", set = "fallback=2s"})
stores {"mysql-semisync", "raft", "cassandra-one"}

-- Three accounts in one value: a transfer reads it, and writes another by compare-and-set. With
-- workload = "bank" each account is a key of its own, and half of a transfer can be seen.
load {
	workload = "purse",
	rate = 100, clients_per_site = 20, keys = 3,
	read = 40, write = 60, deadline = "3s",
}

say [[Three accounts with 100 each. Clients move money from one to another and add all up:
	it must always be 300.]]
phase("baseline", "3s")

say [[The replicas are cut off from the primary. Before the fallback (mysql-semisync: 2 s) a
	transfer that nobody confirms is of unknown outcome for who asked, but done or not done,
	never by half.]]
phase("cut", "5s", cut("east", "west"))

say "Healed."
phase("healed", "2s")

say [["bank": each look at the accounts showed 300. One operation on one key is atomic in
	every store here; that says nothing of two (pacelab run steps), nor that no transfer is lost
	(pacelab run semisync).]]

expect {model = "bank"}
expect("raft", {model = "bank"})
expect("cassandra-one", {model = "bank"})
