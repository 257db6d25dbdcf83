-- A record changes: how long caches serve the old one, then what they do when nobody answers.
--
-- One zone as DNS has it: n1 is the primary and takes all changes, n2 and n3 are secondaries, n4
-- and n5 are caches (who is what follows from the number). A change reaches the secondaries at once
-- (NOTIFY), or at the latest when they ask (refresh); a cache that has just asked does not ask
-- again for a whole TTL. So what to compare with is ttl + refresh, here 3 s: the row "stale
-- reads" says how long after a change was acknowledged the last read saw the old record. Try
-- `--set "ttl=200ms"`, `--set "notify=no refresh=3s"`, `--set "serve_stale=0s"`.
--
-- All times are those of the store dns as it is set here. dns-real has none but whole seconds: its
-- secondaries hear of a change within one, and the caches of dns-real-cache keep a record for 5 s
-- and serve none that has run out, unless `--set serve-expired=yes`.
lab "dns"
seed(5)

site("main", {"n1", "n2"})
site("second", {"n3"})
site("home", {"n4"})
site("cafe", {"n5"})

rtt("main", "second", "20ms")
rtt("main", "home", "30ms")
rtt("main", "cafe", "30ms")
rtt("second", "home", "30ms")
rtt("second", "cafe", "30ms")
rtt("home", "cafe", "10ms")

store("dns", {
	leader = "n1",
	set = "secondaries=2 ttl=2s negative_ttl=1s refresh=1s serve_stale=4s",
})

-- Few records, read often, each changed once a second.
load {rate = 200, clients_per_site = 4, keys = 4, read = 98, write = 2, deadline = "1s"}

say [[
Everything works. Somewhere one of four records changes four times a second. The primary knows at
once, its secondaries a round trip and a half later, for they are told. The caches at home and in
the cafe answer at once, and go on with the old record until its TTL, 2 s of ours, has run out.]]
phase("changes", "10s")

say [[
Home and cafe are cut off from all who have the zone. Records run out, nobody can be asked, and
caches go on with what has run out (serve-stale), those of ours for 4 s more: everything can be
read, however old. Nothing can be changed there: only the primary takes changes.]]
phase("cut", "4s", cut({"main", "second"}, {"home", "cafe"}))

say [[
Still cut off. Now what they have has run out for too long: the caches give it up and refuse. The
cut took availability only later, and stale answers were the price until then.]]
phase("longer", "5s", cut({"main", "second"}, {"home", "cafe"}))

say [[
The cut heals. The next question is answered, and then kept for another TTL.]]
phase("healed", "5s")

say [[
"stale reads" above: how long after the acknowledged change the last cache still gave the old
record, over the whole run; while whole it must be below ttl + refresh and two retries, and in any
case below ttl + serve_stale + expire. That is the claim, and it was judged.]]

expect {
	model = {"not linearizable"},
	stale = "some", lost = "none",
	available = {majority_reads = "all", minority_reads = "all"},
}
