-- Transactions done step by step on a linearizable store: each step is right, the whole is not; exit 1.
--
-- Every single list in Raft is linearizable. A client that reads and appends to several of them,
-- one after the other, still has no transaction: others come in between. No fault is needed.
-- Afterwards `pacelab check --model NAME` shows the same of all models of transactions; with
-- workload "bank" money appears and vanishes. `workload = "list"` on the same store is linearizable.
lab "steps"
seed(7)

site("east", {"n1", "n2"})
site("far", {"n3"})

rtt("east", "far", "10ms")

store("raft", {leader = "n1"})

load {
	workload = "transactions",
	rate = 200, keys = 5, read = 50, write = 50, deadline = "1s",
}

phase("calm", "3s")

expect {model = "strict-serializable"}
