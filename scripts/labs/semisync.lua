-- A semi-synchronous primary: writes when its replicas are gone, and what a failover then loses.
lab "semisync"
seed(7)

site("east", {"n1"})
site("west", {"n2", "n3"})

rtt("east", "west", "10ms")

-- MySQL waits 10 s for an acknowledgement before it goes on without one; here it is 3 s.
store("mysql-semisync", {leader = "n1", set = "fallback=3s"})
stores {"mysql-semisync", "mysql-async", "postgres-sync"}

-- Many keys: what is lost should not be hidden by a later write.
load {
	rate = 200, clients_per_site = 60, keys = 500,
	read = 50, write = 50, deadline = "5s",
}

say [[The primary is in east, its replicas are in west, 10 ms away. A write is acknowledged
	when one replica has it on disk: 10 ms for a client in east, twice that for one in west, who
	has to reach the primary first. Look at the p50 of writes.]]
phase("baseline", "3s")

say [[The replicas are cut off from the primary. It waits for an acknowledgement that cannot
	come. Look for writes in east that take as long as the fallback, 3 s (MariaDB itself: its
	knob timeout, 10 s); and nobody in west can write at all.]]
phase("waits", "3s", cut("east", "west"))

say [[Still cut off. By now the primary has given up waiting: writes in east take no round trip at
	all now. What it acknowledges stands on one disk only.]]
phase("alone", "3s", cut("east", "west"))

say [[An operator takes the primary for dead and lets n2 lead, by force. West can write
	again. Now there are two primaries, and both acknowledge.]]
phase("failover", "3s", cut("east", "west"), promote("n2", "500ms"))

say [[Healed. The old primary learns that it was replaced and takes the new one's table.
	What it acknowledged alone is gone.]]
phase("healed", "2s")

say [["lost writes" counts what clients were told is safe and is not. Semi-synchronous
	promises a second copy only for as long as one can be had within the timeout. With --set
	fallback=0 the primary blocks instead; then nothing is acknowledged that could be lost.]]

expect {model = "not linearizable", lost = "some", available = {minority = "some"}}
expect("mysql-async", {model = "not linearizable", lost = "some", available = {minority = "all"}})
-- It never acknowledges what one disk only has.
expect("postgres-sync", {lost = "none"})
-- After a second it acknowledges alone.
expect("mariadb-real-semisync-1s", {model = "not linearizable", lost = "some"})
expect("mariadb-real", {model = "not linearizable", lost = "some"})
