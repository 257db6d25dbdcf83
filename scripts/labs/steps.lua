-- Transactions done step by step: each step is linearizable, the whole is nothing (exit status 1).
--
-- Every single list in Raft is linearizable. A client that reads and appends to several of them,
-- one after the other, still has no transaction: others come in between, without any fault.
-- `pacelab check --model NAME --svg OUT .../history.bin` shows the same of every model of
-- transactions. With `workload = "bank"` money appears and vanishes; with "list" nothing is wrong.
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
